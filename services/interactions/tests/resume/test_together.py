"""Those who ask at once share one look, and nobody is told what was true before he asked."""

import asyncio

import pytest

from interactions.resume.together import Together


class Shelf:
    """What is looked at, and which keys each look was for."""

    def __init__(self) -> None:
        self.value = 0
        self.looks: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False

    async def load(self, keys):
        self.looks.append(list(keys))
        seen = self.value
        await self.open.wait()
        if self.broken:
            raise ConnectionError
        return {key: f"{key}{seen}" for key in keys}


async def test_who_asks_in_the_same_turn_is_answered_by_one_look():
    shelf = Shelf()
    together = Together(shelf.load, most=10, at_once=1)
    assert await asyncio.gather(*(together.of(key) for key in "abca")) == ["a0", "b0", "c0", "a0"]
    assert shelf.looks == [["a", "b", "c"]]


async def test_who_asks_while_a_look_is_under_way_is_told_what_is_true_since():
    shelf = Shelf()
    shelf.open.clear()
    together = Together(shelf.load, most=10, at_once=1)
    first = asyncio.create_task(together.of("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shelf.value = 1
    second = asyncio.create_task(together.of("a"))
    await asyncio.sleep(0)
    shelf.open.set()
    assert (await first, await second) == ("a0", "a1")


async def test_too_many_for_one_look_are_several_and_at_most_so_many_at_once():
    shelf = Shelf()
    shelf.open.clear()
    together = Together(shelf.load, most=2, at_once=2)
    asking = [asyncio.create_task(together.of(key)) for key in "abcde"]
    for _ in range(5):
        await asyncio.sleep(0)
    assert shelf.looks == [["a", "b"], ["c", "d"]]
    shelf.open.set()
    assert await asyncio.gather(*asking) == ["a0", "b0", "c0", "d0", "e0"]


async def test_all_who_shared_a_look_that_failed_are_told_and_the_next_is_looked_for_anew():
    shelf = Shelf()
    shelf.broken = True
    together = Together(shelf.load, most=10, at_once=1)
    answers = await asyncio.gather(together.of("a"), together.of("b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
    shelf.broken = False
    assert await together.of("a") == "a0"


async def test_one_who_goes_away_takes_nobody_with_him():
    shelf = Shelf()
    shelf.open.clear()
    together = Together(shelf.load, most=10, at_once=1)
    leaving, staying = asyncio.create_task(together.of("a")), asyncio.create_task(together.of("a"))
    for _ in range(3):
        await asyncio.sleep(0)
    leaving.cancel()
    shelf.open.set()
    assert await staying == "a0"
    with pytest.raises(asyncio.CancelledError):
        await leaving
