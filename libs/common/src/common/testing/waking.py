"""Timers that are woken one after the other, each time by a worker that was started anew."""

from collections.abc import Callable
from datetime import timedelta

from common.testing.clock import FakeClock
from common.worker import TimerLoop


async def woken(start: Callable[[], TimerLoop], clock: FakeClock, *, most: int = 100) -> int:
    """Wakes what is due, a second apart, until nothing is; gives how often something was, `most` at the most."""
    for done in range(most):
        if not await start().fire():
            return done
        clock.advance(timedelta(seconds=1))
    return most
