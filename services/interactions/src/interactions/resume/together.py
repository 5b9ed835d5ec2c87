"""Those who ask in the same turn of the loop are answered by one look at the database."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Together(Generic[Key, Value]):
    """Gathers keys and loads them at once.

    A look begins after everybody whom it answers has asked: nobody is told what was true before. There is no timer:
    whoever comes alone does not wait, and while `at_once` looks are under way the next keys gather, `most` for one look.
    """

    def __init__(
        self, load: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]], *, most: int, at_once: int
    ) -> None:
        self._load = load
        self._most = most
        self._at_once = at_once
        self._waiting: list[tuple[Key, asyncio.Future[Value]]] = []
        self._due = False  # a look is about to begin
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy = 0

    async def of(self, key: Key) -> Value:
        """What `load` gives for the key; raises what it raises."""
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        if self._due or not self._waiting or self._busy >= self._at_once:
            return
        self._due = True
        self._busy += 1
        look = asyncio.create_task(self._look())  # it runs when all that is ready now has run: they ask together
        self._under_way.add(look)  # the loop itself holds its tasks weakly
        look.add_done_callback(self._under_way.discard)

    async def _look(self) -> None:
        self._due = False
        try:
            while self._waiting:
                some, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                self._begin()  # for those that are too many for this one
                await self._answer([(key, answer) for key, answer in some if not answer.done()])
        finally:
            self._busy -= 1  # no await since nobody was waiting: whoever asks next begins the next look

    async def _answer(self, some: Sequence[tuple[Key, asyncio.Future[Value]]]) -> None:
        try:
            found = await self._load(list(dict.fromkeys(key for key, _ in some)))
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it
            for _, answer in some:
                if not answer.done():
                    answer.set_exception(error)
        except BaseException:
            for _, answer in some:
                answer.cancel()
            raise
        else:
            for key, answer in some:
                if not answer.done():
                    answer.set_result(found[key])
