"""What identity does when something happens elsewhere: it takes in what channels saw of people."""

from collections.abc import Sequence
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.contracts import interactions
from common.contracts.interactions import CaseMoved, PersonSeen, PersonUnseen
from common.events import Event
from common.timers import Timer
from identity.customers.telling import tell_profiles
from identity.sightings.use_cases import see_people
from identity.uow import CUSTOMERS, IdentityUnitOfWork

CONSUMER = "identity"
TOPICS = (interactions.PEOPLE, interactions.TOPIC)
# Of the log's own topic only what decides whether he may be asked something; touchpoints are not read here.
TYPES = frozenset(cls.type for cls in (PersonSeen, PersonUnseen, CaseMoved))


async def consume(events: Sequence[Event], *, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> None:
    """One batch, one transaction: claimed, decided, told."""
    await see_people(events, uow=uow, clock=clock, company=company, consumer=CONSUMER)


async def profiles_stale(due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company) -> None:
    """A fact has expired, or a question may be put again: tell what holds by now."""
    customers = {found.customer_id for timer in due if (found := await uow.customers.resolve(_uuid(timer))) is not None}
    await uow.lock(customers, space=CUSTOMERS)
    await tell_profiles(customers, uow=uow, company=company, now=clock())


def _uuid(timer: Timer) -> UUID:
    return UUID(timer.key)
