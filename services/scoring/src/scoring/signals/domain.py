"""When a customer's purchases have dropped, or stopped: rules that are evaluated on the state of a day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from common.money import from_minor
from scoring.policies.domain import Thresholds
from scoring.values.domain import Books, Day, compared, last_movement, months_after


class Signal(StrEnum):
    """Each holds by its own rule: who is critical is at warning too, who is long dormant is dormant too."""

    DROP_WARNING = "drop-warning"
    DROP_CRITICAL = "drop-critical"
    DORMANT = "dormant"
    LONG_DORMANT = "long-dormant"


# The graver signal of a family speaks for the other in a resume.
_OUTSPOKEN = {Signal.DROP_WARNING: Signal.DROP_CRITICAL, Signal.DORMANT: Signal.LONG_DORMANT}

Evidence = dict[str, Any]


@dataclass(frozen=True)
class Trend:
    """What was bought in the current window beside the mean of the windows before it (A1, A2)."""

    current: int
    before: int  # in all the windows before
    windows: int
    first: date
    last: date
    baseline_first: date

    @property
    def habitual(self) -> Decimal:
        return Decimal(self.before) / self.windows

    @property
    def ratio(self) -> Decimal:
        return Decimal(self.current) / self.habitual


@dataclass(frozen=True)
class Raised:
    """A signal that holds: since when, on what evidence, and whether it was told or found to be true already."""

    signal: str
    since: date
    evidence: Mapping[str, Any]
    announced: bool


@dataclass(frozen=True)
class Cleared:
    """A signal that held until a moment, and the row in which it stands."""

    row: UUID
    raised: Raised
    at: datetime


def trend(days: Iterable[Day], *, as_of: date, thresholds: Thresholds, books: Books) -> Trend | None:
    """None where there is no habit to compare with: too few purchases in the windows before, or nothing on balance."""
    baseline_first, first = trend_begins(as_of, thresholds)
    current, before, purchases = 0, 0, 0
    for each in days:
        if each.day > as_of or each.day < baseline_first:
            continue
        bought = _bought(each, thresholds, books)
        if each.day >= first:
            current += bought
        else:
            before += bought
            purchases += each.tally.purchases
    if not is_habit(before, purchases, thresholds):
        return None
    return Trend(current, before, thresholds.drop_baseline_windows, first, as_of, baseline_first)


def trend_begins(as_of: date, thresholds: Thresholds) -> tuple[date, date]:
    """The first days of the windows before and of the current one."""
    length = timedelta(days=thresholds.drop_window_days)
    first = as_of - length + timedelta(days=1)
    return first - length * thresholds.drop_baseline_windows, first


def is_habit(before: Any, purchases: Any, thresholds: Thresholds) -> Any:
    """Whether there is something to compare with: of one customer, or a column of many."""
    return (before > 0) & (purchases >= thresholds.drop_min_purchases)


def drops(current: Any, before: Any, thresholds: Thresholds) -> tuple[Any, Any]:
    """Whether what is bought now is a warning, and whether it is critical (S0-62), beside a habit: of one, or columns of many."""
    windows = thresholds.drop_baseline_windows
    return (
        compared(current, thresholds.drop_warning, before, parts=windows) <= 0,
        compared(current, thresholds.drop_critical, before, parts=windows) < 0,
    )


def holding(days: Sequence[Day], *, as_of: date, thresholds: Thresholds, books: Books) -> dict[Signal, Evidence]:
    """The signals that hold on a day, each with its evidence."""
    found: dict[Signal, Evidence] = {}
    course = trend(days, as_of=as_of, thresholds=thresholds, books=books)
    if course is not None:
        warning, critical = drops(course.current, course.before, thresholds)
        evidence = _drop_evidence(course, thresholds, books) if warning or critical else {}
        if warning:
            found[Signal.DROP_WARNING] = evidence
        if critical:
            found[Signal.DROP_CRITICAL] = evidence
    moved = last_movement([each for each in days if each.day <= as_of])
    return found if moved is None else found | dormancies(moved, as_of=as_of, thresholds=thresholds)


def dormancies(moved: date, *, as_of: date, thresholds: Thresholds) -> dict[Signal, Evidence]:
    """The signals that hold on a day because nothing has moved since another day."""
    found: dict[Signal, Evidence] = {}
    for signal, months in _dormancies(thresholds):
        since = months_after(moved, months)
        if since <= as_of:
            found[signal] = {"last_movement": moved.isoformat(), "months": months, "since": since.isoformat()}
    return found


def outspoken(raised: Iterable[Raised]) -> list[Raised]:
    """One of each family, the graver."""
    by_signal = {each.signal: each for each in raised}
    return [each for name, each in by_signal.items() if _OUTSPOKEN.get(Signal(name)) not in by_signal]


def drop_level(signals: Iterable[str]) -> str:
    names = set(signals)
    if Signal.DROP_CRITICAL in names:
        return "critical"
    return "warning" if Signal.DROP_WARNING in names else "none"


def dormancy_level(signals: Iterable[str]) -> str:
    names = set(signals)
    if Signal.LONG_DORMANT in names:
        return "long-dormant"
    return "dormant" if Signal.DORMANT in names else "none"


def next_look(
    days: Iterable[Day], *, as_of: date, thresholds: Thresholds, others: Iterable[date | None] = ()
) -> date | None:
    """The first day after `as_of` on which, with nothing happening, any figure or signal could be another.

    That is when a day leaves one of the windows that are looked at, or a period of quiet is complete. `others` are further
    days that the caller knows of.
    """
    windows = (thresholds.drop_window_days, thresholds.drop_baseline_windows)
    quiet = (thresholds.dormant_months, thresholds.long_dormant_months)
    marks = (_next_mark(day, as_of, windows, quiet) for day in {each.day for each in days if any(each.tally)})
    return min((each for each in (*marks, *others) if each is not None and each > as_of), default=None)


@lru_cache(maxsize=20_000)
def _next_mark(day: date, as_of: date, windows: tuple[int, int], quiet: tuple[int, int]) -> date | None:
    return next((mark for mark in _marks(day, windows, quiet) if mark > as_of), None)


@lru_cache(maxsize=20_000)
def _marks(day: date, windows: tuple[int, int], quiet: tuple[int, int]) -> tuple[date, ...]:
    """The days on which something may change because something happened on `day`; it is one of them, since it may be to come."""
    length, before = windows
    found = {day}
    found.update(day + timedelta(days=length * number) for number in range(1, before + 2))
    for months in {12, 24, *quiet}:
        found.add(months_after(day, months))
        if day.day > 28:  # a shorter month: the day leaves its window one day later
            found.add(months_after(day, months) + timedelta(days=1))
    return tuple(sorted(found))


def _bought(each: Day, thresholds: Thresholds, books: Books) -> int:
    if thresholds.drop_measure == "purchases":
        return each.tally.purchases
    return books.exchange(each.tally.revenue, each.currency) or 0


def _dormancies(thresholds: Thresholds) -> tuple[tuple[Signal, int], ...]:
    return (Signal.DORMANT, thresholds.dormant_months), (Signal.LONG_DORMANT, thresholds.long_dormant_months)


def _drop_evidence(course: Trend, thresholds: Thresholds, books: Books) -> Evidence:
    in_money = thresholds.drop_measure == "revenue"

    def shown(amount: Decimal | int) -> Any:
        if in_money:
            return {"amount": from_minor(int(amount), books.currency), "currency": books.currency}
        return float(amount)

    return {
        "ratio": round(float(course.ratio), 4),
        "measure": thresholds.drop_measure,
        "current": shown(course.current),
        "habitual": shown(course.habitual),
        "window": {"from": course.first.isoformat(), "to": course.last.isoformat()},
        "baseline": {
            "from": course.baseline_first.isoformat(),
            "to": (course.first - timedelta(days=1)).isoformat(),
            "windows": thresholds.drop_baseline_windows,
        },
    }
