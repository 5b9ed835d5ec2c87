"""What service-audit does when something happens elsewhere."""

from collections.abc import Sequence
from uuid import UUID

from common.access import apply_access
from common.clock import Clock
from common.contracts import identity, interactions
from common.contracts.identity import AccessChanged, CustomerChanged, CustomerErased, LinksChanged
from common.erasure import note_erasures, without_erased
from common.events import Event, EventData
from service_audit.evidence.use_cases import catch_up, lock_scopes, take_note
from service_audit.observations.domain import HEARD, hear
from service_audit.privacy.use_cases import forget
from service_audit.uow import AuditUnitOfWork

CONSUMER = "service-audit"
TOPICS = (interactions.TOPIC, identity.TOPIC)
_OF_IDENTITY: tuple[type[EventData], ...] = (LinksChanged, CustomerChanged, CustomerErased, AccessChanged)
TYPES = frozenset(each.type for each in (*HEARD, *_OF_IDENTITY))


async def consume(events: Sequence[Event], *, uow: AuditUnitOfWork, clock: Clock) -> None:
    """Follow identity's links, customers and credentials; gather evidence from what interactions tells."""
    heard = hear(events, noted_at=clock())
    async with uow:
        if heard.withdrawn or heard.perhaps_known:  # what it takes back or moves is looked for before the claim
            await uow.inbox.enter()
        moments = await uow.standards.moments() if heard.seen or heard.withdrawn else {}
        cases = await lock_scopes(heard, moments, uow=uow, beside=_erased(events))
        now = clock()  # once nobody else judges: of two words on one moment the later one counts
        fresh = await uow.inbox.claim(events, consumer=CONSUMER)
        erasures = await note_erasures(fresh, uow.session)
        fresh = await without_erased(fresh, uow.session)
        await forget(erasures, uow=uow, now=now)  # before the rest is kept: what is left is of who came back
        data = [event.data for event in fresh]
        await uow.customers.link(m for d in data if isinstance(d, LinksChanged) for m in d.moves)
        await uow.customers.change(d for d in data if isinstance(d, CustomerChanged))
        await apply_access(fresh, uow.session)
        await catch_up(cases, moments, uow=uow, now=now)
        await take_note(heard.among(fresh), moments, uow=uow, now=now)
        await uow.commit()


def _erased(events: Sequence[Event]) -> set[UUID]:
    """The traces that are taken out: nobody else may take note of them meanwhile."""
    told = (event.data for event in events if isinstance(event.data, CustomerErased))
    return {trace_id for data in told for trace_id in data.traces}
