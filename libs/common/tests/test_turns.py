"""Turns of readers beside requests. The time is the tests' own; the pauses only let others run."""

import asyncio
from pathlib import Path

import pytest

from common.bus.delivery import Consumer
from common.bus.local import LocalReader
from common.bus.turns import LONGEST_REST, LOOKED_EVERY, Turns
from common.db import COMMON, Database

A_MOMENT = 3 * LOOKED_EVERY


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(clock=clock)


async def took(turns: Turns, clock: Clock, seconds: float) -> None:
    async with turns.turn():
        clock.now += seconds


async def came(waiting: asyncio.Task[None]) -> None:
    async with asyncio.timeout(30):
        await waiting


async def test_beside_requests_a_reader_rests_for_four_times_as_long_as_its_turn_took(
    turns: Turns, clock: Clock
) -> None:
    with turns.request():
        await took(turns, clock, 0.4)
        next_turn = asyncio.create_task(took(turns, clock, 1.0))
        await asyncio.sleep(A_MOMENT)
        clock.now += 1.5
        await asyncio.sleep(A_MOMENT)
        assert not next_turn.done()
        clock.now += 0.2
        await came(next_turn)


async def test_after_a_turn_that_took_very_long_a_reader_rests_for_some_seconds_at_most(
    turns: Turns, clock: Clock
) -> None:
    with turns.request():
        await took(turns, clock, 1000.0)
        next_turn = asyncio.create_task(took(turns, clock, 1.0))
        await asyncio.sleep(A_MOMENT)
        assert not next_turn.done()
        clock.now += LONGEST_REST + A_MOMENT
        await came(next_turn)


async def test_the_first_turn_beside_a_request_is_not_waited_for(turns: Turns, clock: Clock) -> None:
    with turns.request():
        await came(asyncio.create_task(took(turns, clock, 1.0)))


async def test_without_requests_nobody_rests(turns: Turns, clock: Clock) -> None:
    for _ in range(3):
        await came(asyncio.create_task(took(turns, clock, 1000.0)))


async def test_a_rest_ends_when_no_request_has_come_for_a_moment(turns: Turns, clock: Clock) -> None:
    with turns.request():
        await took(turns, clock, 1.0)
    next_turn = asyncio.create_task(took(turns, clock, 1.0))
    await asyncio.sleep(A_MOMENT)
    assert not next_turn.done()  # whoever has just been answered may ask again
    clock.now += A_MOMENT
    await came(next_turn)


async def test_readers_take_turns_in_the_order_in_which_they_asked(turns: Turns) -> None:
    heard: list[str] = []

    async def work(name: str) -> None:
        for _ in range(2):
            async with turns.turn():
                heard.append(name)
                await asyncio.sleep(0)
                heard.append(name)

    await asyncio.gather(work("a"), work("b"))
    assert heard == ["a", "a", "b", "b", "a", "a", "b", "b"]


async def test_a_turn_that_failed_ends_as_well(turns: Turns, clock: Clock) -> None:
    with pytest.raises(ValueError, match="no"):
        async with turns.turn():
            raise ValueError("no")
    await came(asyncio.create_task(took(turns, clock, 1.0)))


async def test_a_reader_takes_nothing_up_while_it_is_anothers_turn(tmp_path: Path) -> None:
    source, sink = (Database.connect(f"sqlite+aiosqlite:///{tmp_path}/{name}.db") for name in ("source", "sink"))
    for database in (source, sink):
        async with database.engine.begin() as connection:
            await connection.run_sync(COMMON.create_all)

    async def handle(_: object) -> None: ...

    turns = Turns()
    reader = LocalReader(Consumer("sink", (), handle), sink, {"scoring": source}, turns=turns)
    async with turns.turn():
        drained = asyncio.create_task(reader.drain())
        await asyncio.sleep(A_MOMENT)
        assert not drained.done()
    assert await drained == 0
    await source.dispose()
    await sink.dispose()
