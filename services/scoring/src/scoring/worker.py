"""The worker's composition root: what is consumed, which timers wake whom, and how values are told again."""

import ctypes
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
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

LARGE = 2 * 2**20  # bytes
_M_MMAP_THRESHOLD = -3  # of malloc.h


def unit_of_work(runtime: Runtime, *, reading: bool = False) -> ScoringUnitOfWork:
    return ScoringUnitOfWork(runtime.database, books=books_of(runtime.company), reading=reading)


def create_consumer(runtime: Runtime) -> Consumer:
    async def handle(events: Sequence[Event]) -> None:
        await consume(events, uow=unit_of_work(runtime), clock=runtime.clock)

    return Consumer(CONSUMER, TOPICS, handle, types=TYPES)


def create_timers(runtime: Runtime) -> TimerLoop:
    _give_back_columns()
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


def _give_back_columns() -> None:
    """Have whole columns of everybody's figures go back to the system when they are done with.

    By itself the C library learns from the first of them to keep such pieces in its heap, which then grows with each ranking.
    """
    with suppress(OSError, AttributeError):  # of a C library that knows no such thing
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE)


async def republish(runtime: Runtime) -> int:
    """Tell all values anew: for whoever builds a projection from nothing, or knows more than a restored backup."""
    return await republish_values(uow=unit_of_work(runtime), now=runtime.clock())
