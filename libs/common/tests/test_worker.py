"""A worker's parts end together, and what one of them failed of is told before the others have ended."""

import asyncio
from collections.abc import Callable

import pytest

from common.health import Readings, worker_goes_on
from common.worker import Worker


class Part:
    """Works until told to stop, or until it is to fail; it ends when it may."""

    def __init__(self) -> None:
        self.fails = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.has_ended = False

    async def run(self, stop: asyncio.Event) -> None:
        stopped, failing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self.fails.wait())
        await asyncio.wait([stopped, failing], return_when=asyncio.FIRST_COMPLETED)
        for waiting in (stopped, failing):
            waiting.cancel()
        if self.fails.is_set():
            raise ValueError("no")
        await self.may_end.wait()
        self.has_ended = True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def readiness(worker: Worker) -> tuple[str, str]:
    readings = Readings()
    readings.add("worker", worker_goes_on(lambda: worker.failed))
    found = await readings.read()
    return found.status, found.checks["worker"]


async def test_a_part_that_fails_ends_the_others_in_order_and_its_failure_is_raised() -> None:
    failing, other, stop = Part(), Part(), asyncio.Event()
    running = asyncio.create_task(Worker([failing, other]).run(stop))
    failing.fails.set()
    with pytest.raises(ValueError, match="no"):
        await running
    assert other.has_ended


async def test_readiness_says_that_a_worker_has_failed_while_its_other_parts_are_still_ending() -> None:
    failing, other, stop = Part(), Part(), asyncio.Event()
    other.may_end.clear()
    worker = Worker([failing, other])
    running = asyncio.create_task(worker.run(stop))
    assert await readiness(worker) == ("ready", "ok")
    failing.fails.set()
    await until(stop.is_set)
    assert not other.has_ended
    assert await readiness(worker) == ("degraded", "ended: Part failed: ValueError")
    other.may_end.set()
    with pytest.raises(ValueError, match="no"):
        await running


async def test_a_worker_that_was_told_to_stop_has_not_failed() -> None:
    worker, stop = Worker([Part(), Part()]), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    stop.set()
    await running
    assert await readiness(worker) == ("ready", "ok")
