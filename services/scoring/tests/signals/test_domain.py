"""Drops and dormancy, as tables of cases."""

from datetime import date, timedelta

import pytest

from scoring.policies.domain import Thresholds
from scoring.signals.domain import Raised, Signal, holding, next_look, outspoken
from scoring.values.domain import Books, Day, Tally

TODAY = date(2026, 11, 20)
BOOKS = Books("COP", lambda minor, _: minor, lambda moment: moment.date(), lambda _: None)  # type: ignore[arg-type, return-value]


def _bought(days_ago: int, revenue: int = 100) -> Day:
    return Day(TODAY - timedelta(days=days_ago), "COP", Tally(entries=1, purchases=1, revenue=revenue))


def _holding(*days: Day, thresholds: Thresholds | None = None) -> list[str]:
    return sorted(map(str, holding(list(days), as_of=TODAY, thresholds=thresholds or Thresholds(), books=BOOKS)))


HABIT = [_bought(100), _bought(190), _bought(280), _bought(370)]  # 100 in each of the four windows before


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (100, []),
        (61, []),
        (60, ["drop-warning"]),
        (40, ["drop-warning"]),
        (39, ["drop-critical", "drop-warning"]),
        (0, ["drop-critical", "drop-warning"]),
    ],
)
def test_a_drop_is_a_warning_at_sixty_and_critical_below_forty_percent(current: int, expected: list[str]) -> None:
    assert _holding(*HABIT, _bought(10, current)) == expected


@pytest.mark.parametrize(("days_ago", "current"), [(0, True), (89, True), (90, False), (449, False)])
def test_the_windows_are_ninety_days_each(days_ago: int, current: bool) -> None:
    found = _holding(_bought(200), _bought(210), _bought(days_ago))
    assert found == ([] if current else ["drop-critical", "drop-warning"])


def test_without_a_habit_nothing_drops() -> None:
    assert _holding(_bought(200)) == []
    assert _holding(_bought(500), _bought(510)) == ["dormant"]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2025-11-21", []),
        ("2025-11-20", ["dormant"]),
        ("2024-11-21", ["dormant"]),
        ("2024-11-20", ["dormant", "long-dormant"]),
        ("2024-02-29", ["dormant", "long-dormant"]),
    ],
)
def test_twelve_months_without_movement_are_dormant_and_twenty_four_long_dormant(
    last: str, expected: list[str]
) -> None:
    assert _holding(Day(date.fromisoformat(last), "COP", Tally(entries=1, purchases=1))) == expected


def test_the_next_look_is_when_a_day_leaves_a_window() -> None:
    day = _bought(10)
    assert next_look([day], as_of=TODAY, thresholds=Thresholds()) == TODAY + timedelta(days=80)
    assert next_look([_bought(3000)], as_of=TODAY, thresholds=Thresholds()) is None


def test_no_signal_changes_between_two_looks() -> None:
    days = [_bought(ago, 100 + ago % 7) for ago in (3, 40, 95, 130, 131, 222, 300, 365, 401, 700)]
    thresholds = Thresholds()
    look, before = TODAY, set[str]()
    for ahead in range(900):
        day = TODAY + timedelta(days=ahead)
        now = set(map(str, holding(days, as_of=day, thresholds=thresholds, books=BOOKS)))
        if ahead and now != before:
            assert look == day
        before = now
        if day >= look:
            look = next_look(days, as_of=day, thresholds=thresholds) or date.max


def test_the_graver_signal_speaks_for_its_family() -> None:
    raised = [Raised(signal, TODAY, {}, announced=True) for signal in Signal]
    assert [each.signal for each in outspoken(raised)] == ["drop-critical", "long-dormant"]
