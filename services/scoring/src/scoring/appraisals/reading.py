"""What was true on a day: customers appraised from the rows up to it, by cut points of that day."""

from collections.abc import AsyncIterator, Hashable
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import Annotated, ClassVar, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from common.clock import Clock
from common.errors import Invalid, NotFound
from common.http import ClockOf, CompanyOf
from common.moments import in_history
from scoring.appraisals.domain import Appraisal, Subject, appraise
from scoring.appraisals.use_cases import AT_ONCE, subjects_of
from scoring.classes.domain import CutPoints
from scoring.classes.use_cases import compute_cut_points
from scoring.policies.domain import RuleSet
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Day

Item = TypeVar("Item")


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "No customer under that id"


class InvalidAsOf(Invalid):
    code: ClassVar[str] = "invalid-as-of"
    title: ClassVar[str] = "as_of is a date (2011-12-09) or a moment with its offset, of the years 1900 to 9000"


@dataclass(frozen=True)
class Ruled:
    """The rules in force and the cut points that go with a day."""

    as_of: date
    rules: RuleSet
    cuts: CutPoints | None


class MadeLists(Generic[Item]):
    """The last few lists of past days, so that turning the page neither makes the list anew nor shifts it."""

    def __init__(self, *, most: int = 8, seconds: float = 300) -> None:
        self._most = most
        self._seconds = seconds
        self._made: dict[Hashable, tuple[float, list[Item]]] = {}

    def keep(self, key: Hashable, items: list[Item]) -> list[Item]:
        self._made.pop(key, None)
        self._made[key] = (monotonic() + self._seconds, items)
        while len(self._made) > self._most:
            del self._made[next(iter(self._made))]
        return items

    def find(self, key: Hashable) -> list[Item] | None:
        until, items = self._made.get(key, (0.0, None))
        return items if monotonic() < until else None


@dataclass(frozen=True)
class Appraised:
    """One customer as he stood on a day."""

    appraisal: Appraisal
    days: int
    ruled: Ruled


async def as_of_day(
    clock: ClockOf,
    company: CompanyOf,
    as_of: Annotated[
        str | None,
        Query(max_length=40, description="The day to answer for, at its end: 2011-12-09, or a moment (default: now)"),
    ] = None,
) -> date | None:
    """The company's day that was asked for; None for now."""
    if as_of is None:
        return None
    text = as_of.strip().replace(" ", "+")  # in a query a space is a lost +
    try:
        if len(text) == len("2011-12-09"):
            return in_history(date.fromisoformat(text))
        moment = in_history(datetime.fromisoformat(text))
    except ValueError:
        raise InvalidAsOf(pointer="/query/as_of") from None
    if moment.tzinfo is None:
        raise InvalidAsOf(pointer="/query/as_of")
    day = company.local_date(moment)
    return None if day == company.local_date(clock()) else day


AsOf = Annotated[date | None, Depends(as_of_day)]


async def ruled_on(as_of: date | None, *, uow: ScoringUnitOfWork, clock: Clock) -> Ruled:
    """For now: the cut points in force. For another day: computed from the rows of that day, by the thresholds of now."""
    now = clock()
    rules, today = await uow.policies.in_force(), uow.books.day_of(now)
    if as_of is None or as_of == today:
        return Ruled(today, rules, await uow.cuts.latest())
    return Ruled(as_of, rules, await compute_cut_points(uow=uow, rules=rules, as_of=as_of, now=now))


async def present_customer(customer_id: UUID, *, uow: ScoringUnitOfWork) -> UUID:
    """The customer himself, or whoever absorbed him. Raises UnknownCustomer."""
    survivor = await uow.links.survivor_of(customer_id)
    if not await uow.links.is_known(survivor):
        raise UnknownCustomer
    return survivor


async def appraised(customer_id: UUID, ruled: Ruled, *, uow: ScoringUnitOfWork) -> Appraised:
    subjects = await subjects_of([customer_id], buyers=[customer_id], uow=uow)
    days = (await uow.values.days_of([customer_id])).get(customer_id, [])
    return _appraised(subjects[customer_id], days, ruled, uow)


async def everybody(ruled: Ruled, *, uow: ScoringUnitOfWork) -> AsyncIterator[Appraised]:
    """Every customer who has a trace, as he stood on that day; a slice of them in memory at a time."""
    after: UUID | None = None
    while ids := await uow.values.customer_ids(after=after, limit=AT_ONCE):
        after = ids[-1]
        subjects, days = await subjects_of(ids, buyers=ids, uow=uow), await uow.values.days_of(ids, until=ruled.as_of)
        for each in ids:
            yield _appraised(subjects[each], days.get(each, []), ruled, uow)


def _appraised(subject: Subject, days: list[Day], ruled: Ruled, uow: ScoringUnitOfWork) -> Appraised:
    known = [day for day in days if day.day <= ruled.as_of and not day.tally.is_nothing]
    appraisal = appraise(subject, known, as_of=ruled.as_of, rules=ruled.rules, cuts=ruled.cuts, books=uow.books)
    return Appraised(appraisal, len(known), ruled)
