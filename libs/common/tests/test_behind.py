"""Work that goes on behind whoever makes the next ready: in order, one at a time, and nothing of it is lost."""

import asyncio

import pytest

from common.behind import SLICE, Behind, by_slices


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


async def test_the_connection_is_free_once_all_that_was_sent_is_done() -> None:
    work = Work()
    async with Behind() as behind:
        await behind.send(work.do, "a")
        work.may_end.set()
        await behind.done()
        assert work.told == ["a begins", "a ends"]
        await behind.done()  # nothing is under way


async def test_whoever_waits_for_an_answer_goes_on_between_the_slices_of_a_batch() -> None:
    made: list[int] = []
    seen: list[int] = []

    async def waits() -> None:
        while len(made) < 3 * SLICE:
            seen.append(len(made))
            await asyncio.sleep(0)

    def make(one: int) -> int:
        made.append(one)
        return -one

    waiting = asyncio.create_task(waits())
    found = await by_slices(make, range(3 * SLICE))
    assert found == [-one for one in range(3 * SLICE)]
    assert seen == [SLICE, 2 * SLICE]
    await waiting


async def test_what_is_in_one_slice_is_made_at_once_and_what_is_wrong_with_one_is_raised() -> None:
    assert await by_slices(str, []) == []
    assert await by_slices(str, [1, 2]) == ["1", "2"]
    with pytest.raises(ValueError, match="invalid literal"):
        await by_slices(int, ["1"] * SLICE + ["x"])


async def test_of_two_batches_one_is_made_after_the_other_and_one_that_fails_lets_the_next_go_on() -> None:
    made: list[str] = []

    def make(one: str) -> None:
        made.append(one)
        if one == "wrong":
            raise ValueError(one)

    given = (["a"] * 3 * SLICE, ["wrong"] * 2 * SLICE, ["b"] * 2 * SLICE)
    _, failed, _ = await asyncio.gather(*(by_slices(make, each) for each in given), return_exceptions=True)
    assert isinstance(failed, ValueError)
    assert made == ["a"] * 3 * SLICE + ["wrong"] + ["b"] * 2 * SLICE
