"""The index of matching made anew, a slice of the traces at a time, when it was made in another form than today's.

Nobody is joined by it: whoever was told of before is found by whoever is told of next, and looks for others himself when
anything is told of him again. A deployment that joined customers would decide on many at a moment that nobody chose.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from common.clock import Clock
from common.company import Company
from common.timers import Timer
from identity.matching.records import FORM, Person
from identity.matching.use_cases import read_told
from identity.uow import IdentityUnitOfWork

log = structlog.get_logger()

# The timer, and the note of the form in which the index is. Timers that are due together are handled in the order of their
# names, and one that locks decisions has to come before those that lock customers.
MATCH_INDEX, WHOLE = "match-index", "whole"
TRACES_AT_ONCE, TELLINGS_AT_ONCE = 50, 1_000
REST = timedelta(milliseconds=50)  # between two slices: the decisions are for those who take in and who ask
OTHERS = timedelta(minutes=1)  # until another worker, of the version that began it, has gone on
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


async def index_if_other(*, uow: IdentityUnitOfWork, clock: Clock) -> None:
    """Have the index made anew if it is in another form than today's, or in none that was noted."""
    async with uow:
        noted = await uow.timers.get(MATCH_INDEX, WHOLE)
        if noted is None or noted.payload["form"] != FORM:
            await uow.timers.set(MATCH_INDEX, WHOLE, clock(), {"form": FORM, "after": None, "traces": 0})
            await uow.commit()


async def index_on(due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> None:
    """A timer's handler: the next slice. How far it has come is committed with it. Does not commit."""
    for timer in due:
        if timer.payload["form"] != FORM:
            await uow.timers.set(timer.name, timer.key, clock() + OTHERS, timer.payload)
            continue
        await uow.lock_decisions()  # what is told of a trace meanwhile would be overwritten
        after = timer.payload["after"]
        slice_ = await uow.matching.slice_after(
            UUID(after) if after else None, traces=TRACES_AT_ONCE, tellings=TELLINGS_AT_ONCE
        )
        traces = timer.payload["traces"] + len(slice_)
        if slice_:
            await _index(slice_, uow=uow, company=company)
            place = {"form": FORM, "after": str(slice_[-1]), "traces": traces}
            await uow.timers.set(timer.name, timer.key, clock() + REST, place)
        else:
            done = {"form": FORM, "done_at": clock().isoformat(), "traces": traces}
            await uow.timers.set(timer.name, timer.key, NEVER, done)
            log.info("match_index_made", form=FORM, traces=traces)


async def _index(traces: Collection[UUID], *, uow: IdentityUnitOfWork, company: Company) -> None:
    people: dict[UUID, Person] = {}
    async for tellings in uow.sightings.tellings_of(traces, at_once=TELLINGS_AT_ONCE):
        given = [sighting for sighting in tellings if sighting.profile]
        told = await read_told(given, people, uow=uow, company=company)
        people |= {each.trace_id: each.person for each in told}
    await uow.matching.put_right(traces, people)
    await uow.sightings.name_anew(traces)
