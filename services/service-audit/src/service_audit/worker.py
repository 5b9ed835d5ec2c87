"""The worker's composition root: what consumes, and what wakes."""

from collections.abc import Sequence

from common.bus.delivery import Consumer
from common.events import Event
from common.service import Runtime
from common.timers import Timer
from common.worker import TimerLoop
from service_audit.consumers import CONSUMER, TOPICS, TYPES, consume
from service_audit.evidence.use_cases import DEADLINE, REJUDGE, deadlines_passed, go_on_judging, republish_failures
from service_audit.scorecards.use_cases import PUBLISH, publish_due, wake_for_this_month
from service_audit.standards.use_cases import ship_defaults
from service_audit.uow import AuditUnitOfWork


def create_consumer(runtime: Runtime) -> Consumer:
    async def handle(events: Sequence[Event]) -> None:
        await consume(events, uow=AuditUnitOfWork(runtime.database), clock=runtime.clock)

    return Consumer(CONSUMER, TOPICS, handle, types=TYPES)


def create_timers(runtime: Runtime) -> TimerLoop:
    clock = runtime.clock

    async def deadline(due: Sequence[Timer], uow: AuditUnitOfWork) -> None:
        await deadlines_passed(due, uow=uow, clock=clock)

    async def rejudge(due: Sequence[Timer], uow: AuditUnitOfWork) -> None:
        await go_on_judging(due, uow=uow, clock=clock)

    async def publish(due: Sequence[Timer], uow: AuditUnitOfWork) -> None:
        await publish_due(due, company=runtime.company, uow=uow, clock=clock)

    return TimerLoop(
        runtime.database,
        {DEADLINE: deadline, REJUDGE: rejudge, PUBLISH: publish},
        unit_of_work=lambda: AuditUnitOfWork(runtime.database),
        clock=clock,
    )


async def finish_rebuild(runtime: Runtime) -> None:
    """What has fallen due while projections were built anew is judged before they answer.

    History is judged by today's standards as it came, so what they made a failure long afterwards, without telling it, looks told.
    """
    await create_timers(runtime).drain()
    async with AuditUnitOfWork(runtime.database) as uow:
        await uow.evidence.raised_as_live()
        await uow.commit()


async def prepare(runtime: Runtime) -> None:
    """What is wanted at each start: the shipped standards, where there are none, and the wake-up at the end of the month."""
    await ship_defaults(uow=AuditUnitOfWork(runtime.database), clock=runtime.clock)
    await wake_for_this_month(company=runtime.company, uow=AuditUnitOfWork(runtime.database), clock=runtime.clock)


async def republish(runtime: Runtime) -> int:
    return await republish_failures(uow=AuditUnitOfWork(runtime.database), now=runtime.clock())
