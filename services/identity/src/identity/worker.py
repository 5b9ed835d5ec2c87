"""The worker's composition root: what consumes, and what wakes."""

from collections.abc import Sequence
from uuid import UUID

from common.bus.delivery import Consumer
from common.events import Event
from common.service import Runtime
from common.timers import Timer
from common.worker import TimerLoop
from identity.cleanup.use_cases import STEP, go_on
from identity.consumers import CONSUMER, TOPICS, TYPES, consume, profiles_stale
from identity.customers.telling import PROFILE_STALE
from identity.matching.indexing import MATCH_INDEX, index_if_other, index_on
from identity.matching.schemas import learnt_in
from identity.matching.use_cases import ENGINE, Engine
from identity.settings import IdentitySettings
from identity.sightings.renewing import NORMAL_FORM, renew_if_older, renew_on
from identity.uow import IdentityUnitOfWork


def create_consumer(runtime: Runtime) -> Consumer:
    _weigh_by_settings(runtime)
    compared = set[UUID]()

    async def handle(events: Sequence[Event]) -> None:
        uow = IdentityUnitOfWork(runtime.database)
        secret = runtime.settings.key_for("identifiers")
        await consume(events, uow=uow, clock=runtime.clock, company=runtime.company, secret=secret, compared=compared)

    return Consumer(CONSUMER, TOPICS, handle, types=TYPES)


def _weigh_by_settings(runtime: Runtime) -> None:
    """Whoever weighs anything has a consumer, the API too: a file that cannot be weighed by is refused at every start."""
    assert isinstance(runtime.settings, IdentitySettings)  # noqa: S101 - the service makes its own settings
    file = runtime.settings.match_weights
    learnt = Engine() if file is None else Engine(*learnt_in(file))
    ENGINE.weigh_by(learnt.weights, learnt.common)


def create_timers(runtime: Runtime) -> TimerLoop:
    async def stale(due: Sequence[Timer], uow: IdentityUnitOfWork) -> None:
        await profiles_stale(due, uow=uow, clock=runtime.clock, company=runtime.company)

    async def cleaning(due: Sequence[Timer], uow: IdentityUnitOfWork) -> None:
        secret = runtime.settings.key_for("identifiers")
        await go_on(due, uow=uow, clock=runtime.clock, company=runtime.company, secret=secret)

    async def indexing(due: Sequence[Timer], uow: IdentityUnitOfWork) -> None:
        await index_on(due, uow=uow, clock=runtime.clock, company=runtime.company)

    async def renewing(due: Sequence[Timer], uow: IdentityUnitOfWork) -> None:
        secret = runtime.settings.key_for("identifiers")
        await renew_on(due, uow=uow, clock=runtime.clock, company=runtime.company, secret=secret)

    return TimerLoop(
        runtime.database,
        {PROFILE_STALE: stale, STEP: cleaning, MATCH_INDEX: indexing, NORMAL_FORM: renewing},
        unit_of_work=lambda: IdentityUnitOfWork(runtime.database),
        clock=runtime.clock,
    )


async def prepare(runtime: Runtime) -> None:
    """What is wanted at each start: identifiers, and an index of matching, in today's form."""
    await renew_if_older(uow=IdentityUnitOfWork(runtime.database), clock=runtime.clock)
    await index_if_other(uow=IdentityUnitOfWork(runtime.database), clock=runtime.clock)
