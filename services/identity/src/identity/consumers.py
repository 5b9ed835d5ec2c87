"""What identity does when something happens elsewhere: it takes in what channels saw of people."""

from collections.abc import Sequence
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.contracts import interactions, scoring, service_audit
from common.contracts.erasure import ErasureDone
from common.contracts.interactions import CaseMoved, PersonSeen, PersonUnseen
from common.erasure import without_erased
from common.events import Event
from common.revisions import of_type
from common.timers import Timer
from identity.customers.telling import tell_profiles
from identity.privacy.use_cases import CONFIRMATIONS, list_late, note_confirmations
from identity.sightings.use_cases import see_people
from identity.uow import CUSTOMERS, IdentityUnitOfWork

CONSUMER = "identity"
TOPICS = (
    interactions.PEOPLE, interactions.TOPIC, interactions.ERASURES, scoring.ERASURES, service_audit.ERASURES,
)  # fmt: skip
# Of the log's own topic only what decides whether he may be asked something; touchpoints are not read here.
TYPES = frozenset({PersonSeen.type, PersonUnseen.type, CaseMoved.type, *(each.type for each in CONFIRMATIONS)})
MOST_COMPARED = 100_000  # customers


async def consume(
    events: Sequence[Event],
    *,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
    compared: set[UUID] | None = None,
) -> None:
    """One batch, one transaction: claimed, decided, told. What was before somebody's erasure is passed over.

    `secret`: of identifiers and traces. `compared`: what `see_people` gave in this process, where that is kept.
    """
    async with uow:
        await uow.lock_decisions()
        fresh, now = await uow.inbox.claim(events, consumer=CONSUMER), clock()
        await list_late(of_type(fresh, PersonSeen), uow=uow, company=company, secret=secret, now=now)
        told = [event.data for event in await without_erased(fresh, uow.session)]
        seen = await see_people(told, uow=uow, company=company, now=now, compared=compared or ())
        confirmed = [data for data in told if isinstance(data, ErasureDone)]
        await note_confirmations(confirmed, uow=uow, company=company, now=now)
        await uow.commit()
    if compared is not None:
        if len(compared) > MOST_COMPARED:
            compared.clear()
        compared |= seen


async def profiles_stale(due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> None:
    """A fact has expired, or a question may be put again: tell what holds by now."""
    customers = {found.customer_id for timer in due if (found := await uow.customers.resolve(_uuid(timer))) is not None}
    await uow.lock(customers, space=CUSTOMERS)
    await tell_profiles(customers, uow=uow, company=company, now=clock())


def _uuid(timer: Timer) -> UUID:
    return UUID(timer.key)
