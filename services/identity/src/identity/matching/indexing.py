"""The index of matching made anew, a slice of the traces at a time, when it was made in another form than today's.

Nobody is joined by it: whoever was told of before is found by whoever is told of next, and looks for others himself when
anything is told of him again. A deployment that joined customers would decide on many at a moment that nobody chose.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.timers import Timer
from common.upgrading import Upgrade
from identity.matching.records import FORM, Person
from identity.matching.use_cases import read_told
from identity.uow import IdentityUnitOfWork

MATCH_INDEX = "match-index"
TRACES_AT_ONCE, TELLINGS_AT_ONCE = 50, 1_000


def _upgrade() -> Upgrade:
    return Upgrade(MATCH_INDEX, FORM, counted="traces", done="match_index_made")


async def index_if_other(*, uow: IdentityUnitOfWork, clock: Clock) -> None:
    """Have the index made anew if it is in another form than today's, or in none that was noted."""
    await _upgrade().begin_if_other(uow=uow, clock=clock)


async def index_on(due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> None:
    """A timer's handler: the next slice. Does not commit."""

    async def index_after(after: UUID | None) -> tuple[UUID | None, int]:
        await uow.lock_decisions()  # what is told of a trace meanwhile would be overwritten
        traces = await uow.matching.slice_after(after, traces=TRACES_AT_ONCE, tellings=TELLINGS_AT_ONCE)
        if traces:
            await _index(traces, uow=uow, company=company)
        return (traces[-1] if traces else None), len(traces)

    await _upgrade().go_on(due, index_after, uow=uow, clock=clock)


async def _index(traces: Collection[UUID], *, uow: IdentityUnitOfWork, company: Company) -> None:
    people: dict[UUID, Person] = {}
    async for tellings in uow.sightings.tellings_of(traces, at_once=TELLINGS_AT_ONCE):
        given = [sighting for sighting in tellings if sighting.profile]
        told = await read_told(given, people, uow=uow, company=company)
        people |= {each.trace_id: each.person for each in told}
    await uow.matching.put_right(traces, people)
    await uow.sightings.name_anew(traces)
