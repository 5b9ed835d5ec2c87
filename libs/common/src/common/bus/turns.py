"""Whose turn it is in the one process of the embedded stack: requests come first, and what follows from them has its share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

SHARE = 0.2  # of the time that the readers have, all together, while requests are under way
LONGEST_REST = 2.0  # seconds: a turn that stood and waited for a slow disk is no reason for all of them to wait long
LOOKED_EVERY = 0.02  # seconds; when no request has been under way for so long, nobody is given way to


class Turns:
    """Readers take turns, one at a time; after each they rest while requests are under way.

    They rest for four times as long as the turn took, so that a load that never ends takes four fifths of the time and no
    more: what the readers have not handled waits in the outboxes, on the disk, and is told of as ever. When nothing is
    asked of us they do not rest at all.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._alone = asyncio.Lock()
        self._under_way = 0
        self._last_seen = -LOOKED_EVERY
        self._rests_until = 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around each request."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._last_seen = self._clock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Around what a reader does at once."""
        async with self._alone:
            while (rest := self._rests_until - self._clock()) > 0 and self._is_busy():  # noqa: ASYNC110 - time passes
                await asyncio.sleep(min(rest, LOOKED_EVERY))
            begun = self._clock()
            try:
                yield
            finally:
                ended = self._clock()
                self._rests_until = ended + min((ended - begun) * (1 / SHARE - 1), LONGEST_REST)

    def _is_busy(self) -> bool:
        return self._under_way > 0 or self._clock() - self._last_seen < LOOKED_EVERY
