"""Work that goes on behind whoever makes the next ready: in order, one at a time, and nothing of it is lost."""

import asyncio

import pytest

from common.behind import Behind


class Work:
    """Pieces that are begun, wait for somebody, and end."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.may_end = asyncio.Event()

    async def do(self, name: str) -> None:
        self.told.append(f"{name} begins")
        await self.may_end.wait()
        self.told.append(f"{name} ends")

    async def fail(self) -> None:
        raise ConnectionError("away")


async def test_a_piece_is_under_way_while_the_next_is_made_ready_and_ends_before_that_begins() -> None:
    work = Work()
    async with Behind() as behind:
        await behind.send(work.do, "a")
        assert work.told == ["a begins"]
        work.may_end.set()
        await behind.send(work.do, "b")
        assert work.told[:3] == ["a begins", "a ends", "b begins"]
    assert work.told[3:] == ["b ends"]


async def test_what_a_piece_raises_is_raised_by_the_next_and_that_one_is_not_begun() -> None:
    work = Work()

    async def all_of_it() -> None:
        async with Behind() as behind:
            await behind.send(work.fail)
            await behind.send(work.do, "b")

    with pytest.raises(ConnectionError):
        await all_of_it()
    assert work.told == []


async def test_what_the_last_piece_raises_is_raised_at_the_end() -> None:
    with pytest.raises(ConnectionError):
        async with Behind() as behind:
            await behind.send(Work().fail)


async def test_whoever_fails_while_a_piece_is_under_way_ends_it() -> None:
    work = Work()

    async def all_of_it() -> None:
        async with Behind() as behind:
            await behind.send(work.do, "a")
            raise KeyError

    with pytest.raises(KeyError):
        await all_of_it()
    work.may_end.set()
    await asyncio.sleep(0)
    assert work.told == ["a begins"]


async def test_whoever_is_cancelled_while_he_waits_ends_the_piece_he_waits_for() -> None:
    work = Work()

    async def all_of_it() -> None:
        async with Behind() as behind:
            await behind.send(work.do, "a")
            await behind.send(work.do, "b")

    task = asyncio.create_task(all_of_it())
    while not work.told:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    work.may_end.set()
    await asyncio.sleep(0)
    assert work.told == ["a begins"]
