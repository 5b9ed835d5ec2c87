"""Work on one connection that goes on behind whoever makes the next ready: so neither he nor the database waits for the other."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
Given = TypeVar("Given")
Made = TypeVar("Made")

SLICE = 4  # short: whoever gets his answer meanwhile waits for one of them
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


async def by_slices(make: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """What `make` makes of each, a few at a time: whoever waits for a database's answer goes on in between, and asks it the next.

    Of several who make something of many, one does at a time. Side by side each would have its slice before whoever got his answer
    went on; and all would be done early, with nothing left to do while the database writes.
    """
    if len(given) <= SLICE:
        return [make(one) for one in given]
    made: list[Made] = []
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        for start in range(0, len(given), SLICE):
            made += [make(one) for one in given[start : start + SLICE]]
            await asyncio.sleep(0)
    return made


class Behind:
    """`async with Behind() as behind: await behind.send(write, rows); ...`. One piece is under way at a time, in the order sent.

    What one piece raises is raised by the next `send`, by `done`, or at the end. Nothing else may use the connection inside the
    block but after `done`, until the next `send`.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def send(self, work: Callable[P, Coroutine[Any, Any, Any]], *given: P.args, **named: P.kwargs) -> None:
        """Begin the work once the piece before it has ended, and come back when it waits for the database."""
        await self.done()
        self._under_way = asyncio.create_task(work(*given, **named))
        await asyncio.sleep(0)

    async def done(self) -> None:
        """Wait until all that was sent is done."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            await under_way

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.done()
        elif self._under_way is not None:  # its transaction is not going to be committed
            self._under_way.cancel()
            await asyncio.gather(self._under_way, return_exceptions=True)
