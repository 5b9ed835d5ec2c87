"""What a relationship is worth: sums of days over a window, and the formula profitability = F * V - cost of sales."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from operator import add, neg
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

# Sales to nobody known are counted under this trace, so that the totals are those of the company.
ANONYMOUS = UUID(int=0)
BEGINNING = date(1, 1, 1)
HIGHEST = 2**63 - 1  # what a column of numbers holds
MOST_QUANTITY = 10**12  # of one touchpoint: who sends more has sent a number of something else

# Minor units of a currency -> minor units of the company's currency; None where the company names no rate.
Exchange = Callable[[int, str], int | None]


class WindowKind(StrEnum):
    """Which days a figure counts."""

    TO_DATE = "to-date"
    TRAILING_YEAR = "trailing-year"
    FISCAL_YEAR = "fiscal-year"


@dataclass(frozen=True)
class Books:
    """How the company keeps its books: currency and rates, what day it is, when the fiscal year begins."""

    currency: str
    rate: Exchange
    day_of: Callable[[datetime], date]
    start_of: Callable[[date], datetime]
    fiscal_year_starts: tuple[int, int] = (1, 1)

    def exchange(self, minor: int, currency: str) -> int | None:
        """Minor units of the company's currency; None where there is no rate, and something to convert."""
        return self.rate(minor, currency) if minor else 0


@dataclass(frozen=True)
class Window:
    """Days from `first` to `last`, both included."""

    kind: str
    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


class Tally(NamedTuple):
    """What a day, or any sum of days, holds; money in minor units. Adding and taking back are exact, in any order."""

    entries: int = 0  # purchase touchpoints of any amount
    purchases: int = 0  # of a positive amount: what F counts
    returns: int = 0  # of a negative amount: they lower revenue, they are no purchase
    quantity: int = 0  # in thousandths, so that taking back is exact
    revenue: int = 0
    cost_of_goods: int = 0
    contacts: int = 0
    contact_cost: int = 0
    quotes: int = 0  # invitations to quote
    quotes_won: int = 0
    quotes_lost: int = 0
    payments: int = 0
    paid: int = 0

    def __add__(self, other: "Tally") -> "Tally":  # type: ignore[override]
        return Tally._make(map(add, self, other))

    def __neg__(self) -> "Tally":
        return Tally._make(map(neg, self))

    @property
    def is_nothing(self) -> bool:
        return not any(self)


COUNTED = Tally._fields
MONEY = tuple(COUNTED.index(name) for name in ("revenue", "cost_of_goods", "contact_cost", "paid"))
_ENTRIES, _REVENUE = COUNTED.index("entries"), COUNTED.index("revenue")


class Day(NamedTuple):
    """What one day brought in one currency."""

    day: date
    currency: str
    tally: Tally


@dataclass(frozen=True)
class Sums:
    """A window's sums in the company's currency, the revenue as it was billed, and what could not be converted."""

    tally: Tally
    billed: Mapping[str, int] = field(default_factory=dict)  # revenue by currency, as booked
    unconverted: tuple[str, ...] = ()  # currencies without a rate: counted, but not in the sums of money


@dataclass(frozen=True)
class Value:
    """The figures of one customer over one window (S4-20, A7), in minor units of the company's currency."""

    window: Window
    sums: Sums

    @property
    def frequency(self) -> int:
        """F: purchases in the window."""
        return self.sums.tally.purchases

    @property
    def volume(self) -> Decimal | None:
        """V: mean net amount a purchase, so that F * V is the net revenue; None without a purchase."""
        tally = self.sums.tally
        return Decimal(tally.revenue) / tally.purchases if tally.purchases else None

    @property
    def revenue(self) -> int:
        return self.sums.tally.revenue

    @property
    def cost_of_sales(self) -> int:
        return self.sums.tally.cost_of_goods

    @property
    def cost_to_serve(self) -> int:
        return self.sums.tally.contact_cost

    @property
    def profitability(self) -> int:
        """F * V - cost of sales. F * V is the net revenue, so a return without a sale counts as well."""
        return self.revenue - self.cost_of_sales

    @property
    def contribution(self) -> int:
        return self.profitability - self.cost_to_serve


# Touchpoints of these kinds are no contact of their own, unless the company's channel table gives them a cost.
NO_CONTACT = frozenset({"purchase", "payment", "note"})


@dataclass(frozen=True)
class Figures:
    """What one touchpoint tells that counts; money in minor units, with its currency."""

    kind: str
    direction: str
    amount: tuple[int, str] | None = None
    cost_of_goods: tuple[int, str] | None = None
    quantity: float | None = None
    quote_answer: str | None = None
    contact_cost: tuple[int, str] | None = None


def tallies(figures: Figures, *, home: str) -> dict[str, Tally]:
    """What a touchpoint adds to its day, by currency. What has no money is counted under the company's own (`home`)."""
    found: dict[str, Tally] = {}

    def count(currency: str, tally: Tally) -> None:
        found[currency] = found[currency] + tally if currency in found else tally

    amount, currency = figures.amount or (0, home)
    if figures.kind == "purchase":
        count(currency, _purchase(amount, figures))
        if figures.cost_of_goods is not None:
            cost, of = figures.cost_of_goods
            count(of, Tally(cost_of_goods=cost))
    elif figures.kind == "payment":
        count(currency, Tally(payments=1 if amount > 0 else 0, paid=amount))
    elif figures.kind == "quote":
        count(currency, _quote(figures.quote_answer))
    cost, of = figures.contact_cost or (0, home)
    contacted = figures.direction != "internal" and (figures.kind not in NO_CONTACT or cost > 0)
    if contacted or cost:
        count(of, Tally(contacts=1 if contacted else 0, contact_cost=cost))
    return {currency: tally for currency, tally in found.items() if not tally.is_nothing}


def _purchase(amount: int, figures: Figures) -> Tally:
    """A return or cancellation lowers revenue and counts as no purchase; a gift (nothing paid) is neither."""
    return Tally(
        entries=1,
        purchases=1 if amount > 0 else 0,
        returns=1 if amount < 0 else 0,
        quantity=_thousandths(figures.quantity),
        revenue=amount,
    )


def _thousandths(quantity: float | None) -> int:
    """A quantity that no sum would hold counts as not known: the sale itself counts all the same."""
    return 0 if quantity is None or abs(quantity) > MOST_QUANTITY else round(quantity * 1000)


def _quote(answer: str | None) -> Tally:
    """An invitation to quote, or the answer to one: an answer that comes by itself counts as answered only."""
    return Tally(
        quotes=1 if answer in (None, "open") else 0, quotes_won=int(answer == "won"), quotes_lost=int(answer == "lost")
    )


def total(days: Iterable[Day], window: Window, exchange: Exchange) -> Sums:
    """The sums of the days in the window: added in each currency first, converted once."""
    first, last = window.first, window.last
    return _total([each for each in days if first <= each.day <= last], exchange)


def totals(days: Sequence[Day], windows: Iterable[Window], exchange: Exchange) -> list[Sums]:
    """The sums of the days in each window. Windows that hold all the days are added up once."""
    whole, found = None, []
    for window in windows:
        first, last = window.first, window.last
        inside = [each for each in days if first <= each.day <= last]
        if not inside:
            found.append(_NOTHING)
        elif len(inside) < len(days):
            found.append(_total(inside, exchange))
        else:
            whole = whole or _total(inside, exchange)
            found.append(whole)
    return found


def _total(days: Iterable[Day], exchange: Exchange) -> Sums:
    by_currency: dict[str, list[tuple[int, ...]]] = {}
    for each in days:
        by_currency.setdefault(each.currency, []).append(each.tally)
    return _converted(
        {
            currency: counts[0] if len(counts) == 1 else tuple(map(sum, zip(*counts, strict=True)))
            for currency, counts in by_currency.items()
        },
        exchange,
    )


def converted(by_currency: Mapping[str, Tally], exchange: Exchange) -> Sums:
    """One tally in the company's currency; counts are added, money is converted."""
    return _converted(by_currency, exchange)


def _converted(by_currency: Mapping[str, Sequence[int]], exchange: Exchange) -> Sums:
    whole, missing, billed = [0] * len(COUNTED), [], {}
    for currency, given in sorted(by_currency.items()):
        counts = list(given)
        for at in MONEY:
            if counts[at]:
                amount = exchange(counts[at], currency)
                if amount is None:
                    missing.append(currency)
                counts[at] = amount or 0
        whole = counts if len(by_currency) == 1 else list(map(add, whole, counts))
        if given[_ENTRIES]:
            billed[currency] = given[_REVENUE]
    return Sums(Tally._make(whole), billed, tuple(dict.fromkeys(missing)))


_NOTHING = Sums(Tally())


def compared(amount: Any, ratio: float, of: Any, *, parts: int = 1) -> Any:
    """By how much `amount` is more than `ratio` of `of`, or of one of so many parts of it. Only the sign means anything.

    Exact, in whole numbers. Of columns too: their numbers become Python's where 64 bits would not hold the products.
    """
    right, denominator = _fraction(ratio)
    left = denominator * parts
    if isinstance(amount, np.ndarray) and amount.size and _highest(amount) * left + _highest(of) * right > HIGHEST:
        amount, of = amount.astype(object), of.astype(object)
    return amount * left - of * right


@lru_cache
def _fraction(ratio: float) -> tuple[int, int]:
    return Fraction(str(ratio)).as_integer_ratio()


def _highest(amounts: Any) -> int:
    return max(abs(int(amounts.max())), abs(int(amounts.min())))


@lru_cache(maxsize=50_000)
def months_after(day: date, months: int) -> date:
    """The same day of the month, `months` later; the month's last day where it is shorter."""
    index = day.year * 12 + day.month - 1 + months
    if index < 12:  # before the calendar's first year
        return BEGINNING
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, _days_in(year, month + 1)))


def months_between(first: date, last: date) -> int:
    """Whole months from the first day to the last."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return max(0, months - (1 if months_after(first, months) > last else 0))


def to_date(as_of: date) -> Window:
    return Window(WindowKind.TO_DATE, BEGINNING, as_of)


def trailing_year(as_of: date, *, years_back: int = 0) -> Window:
    """The twelve months that end with `as_of`, or the twelve before those."""
    last = months_after(as_of, -12 * years_back)
    return Window(WindowKind.TRAILING_YEAR, months_after(last, -12) + timedelta(days=1), last)


def closed_fiscal_year(as_of: date, *, starts: tuple[int, int]) -> Window:
    """The last fiscal year that was over on `as_of`; `starts` is the month and day it begins with."""
    year = as_of.year if (as_of.month, as_of.day) >= starts else as_of.year - 1
    first = date(year - 1, *starts)
    return Window(WindowKind.FISCAL_YEAR, first, date(year, *starts) - timedelta(days=1))


def window_of(kind: str, as_of: date, *, fiscal_year_starts: tuple[int, int]) -> Window:
    if kind == WindowKind.TRAILING_YEAR:
        return trailing_year(as_of)
    if kind == WindowKind.FISCAL_YEAR:
        return closed_fiscal_year(as_of, starts=fiscal_year_starts)
    return to_date(as_of)


def first_day(days: Sequence[Day]) -> date | None:
    """The first day on which anything is left of what happened."""
    return min((each.day for each in days if not each.tally.is_nothing), default=None)


def purchase_days(days: Sequence[Day]) -> list[date]:
    return sorted({each.day for each in days if each.tally.purchases > 0})


def last_movement(days: Iterable[Day]) -> date | None:
    """The last day of a purchase, a return or a payment: contacts are no movement (S1-24)."""
    return max((each.day for each in days if each.tally.entries > 0 or each.tally.payments > 0), default=None)


def _days_in(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1) if year < 9999 or month < 12 else date.max
    return (following - timedelta(days=1)).day if following != date.max else 31
