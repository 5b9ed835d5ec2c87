import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.db import Database
from common.testing import FakeClock
from common.timers import Timer
from common.uow import UnitOfWork
from common.worker import RETRY_AFTER, TimerLoop

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


async def set_timer(database: Database, name: str, key: str, due_at: datetime) -> None:
    async with UnitOfWork(database) as uow:
        await uow.timers.set(name, key, due_at, {"n": 1})
        await uow.commit()


def loop_of(database: Database, clock: FakeClock, seen: list[str], *, failing: str = "") -> TimerLoop:
    async def handle(due: Sequence[Timer], uow: Any) -> None:
        for timer in due:
            if timer.key == failing:
                raise ValueError(timer.key)
            seen.append(timer.key)
            await uow.timers.set("echo", timer.key, NOW + timedelta(days=1))

    return TimerLoop(database, {"late": handle}, unit_of_work=lambda: UnitOfWork(database), clock=clock)


async def test_a_timer_fires_when_it_is_due_and_once(database: Database) -> None:
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    await set_timer(database, "late", "a", NOW + timedelta(hours=1))
    loop = loop_of(database, clock, seen)
    await loop.drain()
    assert seen == []
    clock.advance(timedelta(hours=1))
    await loop.drain()
    await loop.drain()
    assert seen == ["a"]


async def test_the_latest_setting_of_a_timer_stands(database: Database) -> None:
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    await set_timer(database, "late", "a", NOW - timedelta(hours=1))
    await set_timer(database, "late", "a", NOW + timedelta(hours=2))
    await loop_of(database, clock, seen).drain()
    assert seen == []


async def test_a_timer_of_a_later_version_waits_for_a_worker_that_knows_it(database: Database) -> None:
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    await set_timer(database, "of-the-next-version", "a", NOW - timedelta(minutes=1))
    await set_timer(database, "late", "b", NOW)
    await loop_of(database, clock, seen).drain()
    assert seen == ["b"]
    async with UnitOfWork(database, reading=True) as uow:
        kept = await uow.timers.get("of-the-next-version", "a")
    assert kept is not None
    assert (kept.due_at > NOW, kept.payload) == (True, {"n": 1})


async def test_a_timer_that_fails_is_due_again_and_holds_up_no_other(database: Database) -> None:
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    for key, minutes in (("bad", 3), ("good", 2), ("fine", 1)):
        await set_timer(database, "late", key, NOW - timedelta(minutes=minutes))
    await loop_of(database, clock, seen, failing="bad").drain()
    assert seen == ["good", "fine"]
    async with UnitOfWork(database, reading=True) as uow:
        assert await uow.timers.get("late", "bad") == Timer("late", "bad", NOW + RETRY_AFTER, {"n": 1})
    clock.advance(timedelta(minutes=10))
    await loop_of(database, clock, seen).drain()
    assert seen == ["good", "fine", "bad"]


async def test_a_timer_that_its_handler_sets_anew_stays(database: Database) -> None:
    clock = FakeClock(NOW)

    async def again(due: Sequence[Timer], uow: Any) -> None:
        await uow.timers.set("late", due[0].key, clock() + timedelta(hours=1))

    await set_timer(database, "late", "a", NOW)
    loop = TimerLoop(database, {"late": again}, unit_of_work=lambda: UnitOfWork(database), clock=clock)
    assert await loop.drain() == 1
    clock.advance(timedelta(hours=1))
    assert await loop.fire() == 1


async def test_a_timer_may_be_set_anew_for_the_moment_at_which_it_was_due(database: Database) -> None:
    clock, left = FakeClock(NOW), [1, 1, 1]

    async def step(due: Sequence[Timer], uow: Any) -> None:
        left.pop()
        if left:
            await uow.timers.set("late", "a", clock())

    await set_timer(database, "late", "a", NOW)
    loop = TimerLoop(database, {"late": step}, unit_of_work=lambda: UnitOfWork(database), clock=clock)
    assert await loop.drain() == 3


async def test_a_timer_waits_while_another_worker_wakes_timers(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    await set_timer(database, "late", "a", NOW)
    loop = loop_of(database, clock, seen)
    async with UnitOfWork(database) as other:
        assert await other.timers.alone()
        assert await loop.fire() == 0
    assert await loop.fire() == 1
    assert seen == ["a"]


async def test_a_handler_and_a_consumer_that_set_the_same_timer_do_not_wait_crosswise(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    clock, held = FakeClock(NOW), asyncio.Event()
    await set_timer(database, "late", "a", NOW)

    async def handle(due: Sequence[Timer], uow: Any) -> None:
        held.set()
        await uow.lock(["a"])

    async def consume() -> None:
        async with UnitOfWork(database) as uow:
            await uow.lock(["a"])
            await held.wait()
            await asyncio.sleep(0.1)
            await uow.timers.set("late", "a", NOW + timedelta(days=1))
            await uow.commit()

    loop = TimerLoop(database, {"late": handle}, unit_of_work=lambda: UnitOfWork(database), clock=clock)
    consuming = asyncio.create_task(consume())
    await asyncio.sleep(0.05)
    await loop.fire()
    await consuming
    clock.advance(timedelta(days=1))
    assert await loop.fire() == 1


async def test_a_worker_wakes_what_is_set_while_it_naps(database: Database) -> None:
    woken, stop = asyncio.Event(), asyncio.Event()

    async def handle(due: Sequence[Timer], uow: Any) -> None:
        woken.set()

    loop = TimerLoop(database, {"late": handle}, unit_of_work=lambda: UnitOfWork(database), clock=FakeClock(NOW))
    running = asyncio.create_task(loop.run(stop))
    await asyncio.sleep(0.05)
    await set_timer(database, "late", "a", NOW)
    await asyncio.wait_for(woken.wait(), 60)
    stop.set()
    await running


async def test_timers_of_two_names_are_woken_one_after_the_other_that_which_is_due_first(database):
    """Each handler takes locks: two of them in one transaction would wait crosswise with whoever records meanwhile."""
    clock, seen = FakeClock(NOW), []

    async def handle(due, _):
        seen.append([f"{timer.name} {timer.key}" for timer in due])

    loop = TimerLoop(
        database, {"late": handle, "early": handle}, unit_of_work=lambda: UnitOfWork(database), clock=clock
    )
    async with UnitOfWork(database) as uow:
        for minutes, name, key in ((3, "late", "a"), (2, "early", "b"), (1, "late", "c")):
            await uow.timers.set(name, key, NOW - timedelta(minutes=minutes))
        await uow.commit()
    assert [await loop.fire(), await loop.fire(), await loop.fire()] == [2, 1, 0]
    assert seen == [["late a", "late c"], ["early b"]]
