"""The worker's composition root: what is consumed, which timers wake whom, and how values are told again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from common.bus.delivery import Consumer
from common.events import Event
from common.service import Runtime
from common.timers import Timer
from common.worker import TimerHandler, TimerLoop
from scoring.appraisals.use_cases import LOOK, look_again, republish_values
from scoring.books import books_of
from scoring.classes.use_cases import RANK, WAVE, Waves
from scoring.consumers import CONSUMER, TOPICS, TYPES, consume
from scoring.uow import ScoringUnitOfWork


def unit_of_work(runtime: Runtime, *, reading: bool = False) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(runtime.database, books=books_of(runtime.company), reading=reading)


def create_consumer(runtime: Runtime) -> Consumer:
    async def handle(events: Sequence[Event]) -> None:
        await consume(events, uow=unit_of_work(runtime), clock=runtime.clock)

    return Consumer(CONSUMER, TOPICS, handle, types=TYPES)


def create_timers(runtime: Runtime) -> TimerLoop:
    waves = Waves()
    handlers: dict[str, Callable[..., Awaitable[None]]] = {LOOK: look_again, RANK: waves.rank, WAVE: waves.wave}

    def bound(handler: Callable[..., Awaitable[None]]) -> TimerHandler:
        async def handle(due: Sequence[Timer], uow: Any) -> None:
            await handler(due, uow=uow, clock=runtime.clock)

        return handle

    return TimerLoop(
        runtime.database,
        {name: bound(handler) for name, handler in handlers.items()},
        unit_of_work=lambda: unit_of_work(runtime),
        clock=runtime.clock,
    )


async def republish(runtime: Runtime) -> int:
    """Tell all values anew: for whoever builds a projection from nothing, or knows more than a restored backup."""
    return await republish_values(uow=unit_of_work(runtime), now=runtime.clock())
