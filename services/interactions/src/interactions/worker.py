"""The worker's composition root: what consumes, what takes touchpoints from the channels' topic, and what wakes."""

from collections.abc import Sequence
from datetime import timedelta

from common.bus.delivery import Consumer, Record
from common.events import Event
from common.partitions import KeptLog
from common.service import CHANNELS_TOPIC, Runtime
from common.timers import Timer
from common.worker import TimerLoop
from interactions.cases import use_cases as cases
from interactions.cases.domain import EXPIRY, SETTLED
from interactions.commitments import use_cases as commitments
from interactions.commitments.domain import DUE
from interactions.consumers import CONSUMER, TOPICS, consume, keep_what_others_say
from interactions.settings import InteractionsSettings
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.models import LOG
from interactions.touchpoints.renewing import NORMAL_FORM, renew_if_older, renew_on
from interactions.touchpoints.schemas import read_body
from interactions.touchpoints.use_cases import Desk, record_touchpoints
from interactions.uow import InteractionsUnitOfWork


def settings_of(runtime: Runtime) -> InteractionsSettings:
    assert isinstance(runtime.settings, InteractionsSettings)  # noqa: S101 - the service makes its own settings
    return runtime.settings


def desk_of(runtime: Runtime) -> Desk:
    return Desk(runtime.database, runtime.clock, runtime.company, settings_of(runtime).identifier_secret)


def channel_speaker(settings: InteractionsSettings) -> Speaker:
    """Who speaks on the channels' topic: whoever the broker lets produce; records name their source themselves."""
    return Speaker(by=CHANNELS_TOPIC, source=None, attests=frozenset(settings.kafka_attests))


def create_consumer(runtime: Runtime) -> Consumer:
    desk = desk_of(runtime)
    speaker = channel_speaker(settings_of(runtime))

    async def handle(events: Sequence[Event]) -> None:
        uow = InteractionsUnitOfWork(runtime.database)
        await consume(events, uow=uow, clock=runtime.clock, company=runtime.company)

    async def consume_channel(records: Sequence[Record]) -> None:
        given = [read_body(record.body, speaker=speaker, company=runtime.company) for record in records]
        await record_touchpoints(given, desk=desk)

    return Consumer(CONSUMER, TOPICS, handle, {CHANNELS_TOPIC: consume_channel})


def create_builder(runtime: Runtime) -> Consumer:
    """Builds anew what others say."""

    async def handle(events: Sequence[Event]) -> None:
        await keep_what_others_say(events, uow=InteractionsUnitOfWork(runtime.database), clock=runtime.clock)

    return Consumer(CONSUMER, TOPICS, handle)


def create_timers(runtime: Runtime) -> TimerLoop:
    async def promise_due(due: Sequence[Timer], uow: InteractionsUnitOfWork) -> None:
        await commitments.fall_due(due, uow=uow, clock=runtime.clock)

    async def case_settled(due: Sequence[Timer], uow: InteractionsUnitOfWork) -> None:
        await cases.settle(due, uow=uow, clock=runtime.clock, company=runtime.company)

    async def case_expired(due: Sequence[Timer], uow: InteractionsUnitOfWork) -> None:
        await cases.expire(due, uow=uow, clock=runtime.clock, company=runtime.company)

    async def renewing(due: Sequence[Timer], uow: InteractionsUnitOfWork) -> None:
        secret = settings_of(runtime).identifier_secret
        await renew_on(due, uow=uow, clock=runtime.clock, company=runtime.company, secret=secret)

    return TimerLoop(
        runtime.database,
        {DUE: promise_due, SETTLED: case_settled, EXPIRY: case_expired, NORMAL_FORM: renewing},
        unit_of_work=lambda: InteractionsUnitOfWork(runtime.database),
        clock=runtime.clock,
    )


async def prepare(runtime: Runtime) -> None:
    """What is wanted at each start: identifiers in today's form."""
    await renew_if_older(uow=InteractionsUnitOfWork(runtime.database), clock=runtime.clock)


def logs(runtime: Runtime) -> list[KeptLog]:
    """The log of touchpoints, and for how long the company keeps it."""
    years = settings_of(runtime).log_retention_years
    return [(LOG, None if years is None else timedelta(days=365.25 * years))]
