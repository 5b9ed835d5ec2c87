from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common.db import Database
from common.testing import FakeClock
from common.timers import Timer
from common.uow import UnitOfWork
from common.worker import TimerLoop

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


async def test_a_timer_that_fails_is_due_again_and_holds_up_no_other(database: Database) -> None:
    clock, seen = FakeClock(NOW), []  # type: ignore[var-annotated]
    for key, minutes in (("bad", 3), ("good", 2), ("fine", 1)):
        await set_timer(database, "late", key, NOW - timedelta(minutes=minutes))
    await loop_of(database, clock, seen, failing="bad").drain()
    assert seen == ["good", "fine"]
    clock.advance(timedelta(minutes=10))
    await loop_of(database, clock, seen).drain()
    assert seen == ["good", "fine", "bad"]
