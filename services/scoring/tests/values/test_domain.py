"""The arithmetic of value, as tables of cases."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.values.domain import (
    BEGINNING,
    COUNTED,
    Day,
    Figures,
    Tally,
    Value,
    closed_fiscal_year,
    last_movement,
    months_after,
    months_between,
    tallies,
    to_date,
    total,
    trailing_year,
)

_RATES = {"COP": 1, "USD": 4000}


def _exchange(minor: int, currency: str) -> int | None:
    return None if currency not in _RATES else minor * _RATES[currency]


def _day(on: str, currency: str = "COP", **counts: int) -> Day:
    return Day(date.fromisoformat(on), currency, Tally(**counts))


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (
            Figures("purchase", "inbound", (1000, "COP"), quantity=1.5),
            {"COP": Tally(entries=1, purchases=1, quantity=1500, revenue=1000)},
        ),
        (
            Figures("purchase", "inbound", (-1000, "COP"), quantity=-2),
            {"COP": Tally(entries=1, returns=1, quantity=-2000, revenue=-1000)},
        ),
        (Figures("purchase", "inbound", (0, "COP")), {"COP": Tally(entries=1)}),
        (
            Figures("purchase", "inbound", (1000, "COP"), quantity=1e300),
            {"COP": Tally(entries=1, purchases=1, revenue=1000)},
        ),
        (
            Figures("purchase", "inbound", (1000, "USD"), cost_of_goods=(600, "USD"), contact_cost=(50, "COP")),
            {
                "USD": Tally(entries=1, purchases=1, revenue=1000, cost_of_goods=600),
                "COP": Tally(contacts=1, contact_cost=50),
            },
        ),
        (Figures("call", "outbound", contact_cost=(800, "COP")), {"COP": Tally(contacts=1, contact_cost=800)}),
        (Figures("message", "internal"), {}),
        (Figures("note", "inbound"), {}),
        (Figures("payment", "inbound", (500, "COP")), {"COP": Tally(payments=1, paid=500)}),
        (Figures("quote", "inbound"), {"COP": Tally(quotes=1, contacts=1)}),
        (Figures("quote", "inbound", quote_answer="won"), {"COP": Tally(quotes_won=1, contacts=1)}),
        (Figures("quote", "inbound", quote_answer="lost"), {"COP": Tally(quotes_lost=1, contacts=1)}),
    ],
)
def test_a_touchpoint_counts_as_what_it_is(figures: Figures, expected: dict[str, Tally]) -> None:
    assert tallies(figures, home="COP") == expected


@given(st.lists(st.tuples(*[st.integers(-(10**9), 10**9)] * len(COUNTED))))
def test_what_is_added_and_taken_back_in_any_order_leaves_nothing(counts: list[tuple[int, ...]]) -> None:
    sums = Tally()
    for each in [Tally(*each) for each in counts] + [-Tally(*each) for each in reversed(counts)]:
        sums += each
    assert sums.is_nothing


def test_frequency_times_volume_is_the_net_revenue() -> None:
    days = [
        _day("2026-01-05", entries=1, purchases=1, revenue=300, cost_of_goods=100),
        _day("2026-02-05", entries=1, purchases=1, revenue=200, cost_of_goods=50),
        _day("2026-02-06", entries=1, returns=1, revenue=-100, cost_of_goods=-20),
        _day("2026-02-07", contacts=2, contact_cost=40),
    ]
    value = Value(to_date(date(2026, 12, 31)), total(days, to_date(date(2026, 12, 31)), _exchange))
    assert value.volume is not None
    assert (value.frequency, value.volume, value.revenue) == (2, 200, 400)
    assert value.frequency * value.volume == value.revenue
    assert value.profitability == 400 - 130
    assert value.contribution == 400 - 130 - 40


def test_amounts_are_added_in_their_currency_and_converted_once() -> None:
    days = [
        _day("2026-01-05", "USD", entries=1, purchases=1, revenue=3),
        _day("2026-01-06", "USD", entries=1, purchases=1, revenue=4),
        _day("2026-01-06", "COP", entries=1, purchases=1, revenue=5),
        _day("2026-01-06", "XTS", entries=1, purchases=1, revenue=9),
    ]
    sums = total(days, to_date(date(2026, 12, 31)), _exchange)
    assert sums.tally.revenue == 28_005
    assert sums.tally.purchases == 4
    assert sums.billed == {"COP": 5, "USD": 7, "XTS": 9}
    assert sums.unconverted == ("XTS",)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-11-20", -12, "2025-11-20"),
        ("2026-12-31", 1, "2027-01-31"),
        ("2026-03-31", -1, "2026-02-28"),
    ],
)
def test_months_end_with_the_shorter_month(day: str, months: int, expected: str) -> None:
    assert months_after(date.fromisoformat(day), months) == date.fromisoformat(expected)


def test_months_before_the_calendar_began_are_its_beginning() -> None:
    assert months_after(date(1, 5, 1), -12) == BEGINNING


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2026-01-15", "2026-02-14", 0),
        ("2026-01-15", "2026-02-15", 1),
        ("2026-01-31", "2026-02-28", 1),
        ("2024-04-02", "2026-11-20", 31),
    ],
)
def test_tenure_counts_whole_months(first: str, last: str, months: int) -> None:
    assert months_between(date.fromisoformat(first), date.fromisoformat(last)) == months


def test_two_trailing_years_touch_and_do_not_overlap() -> None:
    year, before = trailing_year(date(2026, 11, 20)), trailing_year(date(2026, 11, 20), years_back=1)
    assert (year.first, year.last) == (date(2025, 11, 21), date(2026, 11, 20))
    assert (before.first, before.last) == (date(2024, 11, 21), date(2025, 11, 20))


@pytest.mark.parametrize(
    ("as_of", "starts", "first", "last"),
    [
        ("2026-11-20", (1, 1), "2025-01-01", "2025-12-31"),
        ("2026-01-01", (1, 1), "2025-01-01", "2025-12-31"),
        ("2026-06-30", (7, 1), "2024-07-01", "2025-06-30"),
        ("2026-07-01", (7, 1), "2025-07-01", "2026-06-30"),
    ],
)
def test_the_last_closed_fiscal_year_is_over(as_of: str, starts: tuple[int, int], first: str, last: str) -> None:
    window = closed_fiscal_year(date.fromisoformat(as_of), starts=starts)
    assert (window.first, window.last) == (date.fromisoformat(first), date.fromisoformat(last))


def test_contacts_are_no_movement() -> None:
    days = [_day("2026-01-05", entries=1, purchases=1), _day("2026-02-05", payments=1), _day("2026-03-05", contacts=9)]
    assert last_movement(days) == date(2026, 2, 5)
