"""How many requests one process works on at once: what is too much is refused at the door, and none waits for a database that is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from common.errors import Unavailable
from common.telemetry import Metrics

JUDGED_EVERY = 0.5  # seconds over which the time in the house is looked at
FEWEST = 24  # so many are let in however long they take: a few slow reports are no overload
PATIENCE_SECONDS = 2.5  # with the two below under five: no caller waits longer for a database that does not answer
LOOKED_EVERY = 0.5
PROBED_SECONDS = 1.0

# Whether the database answers at all, within so many seconds.
Probe = Callable[[float], Awaitable[bool]]


class Overloaded(Unavailable):
    code = "overloaded"
    title = "More is asked than can be answered in time; come back more slowly"
    retry_after = 1


class DatabaseAway(Unavailable):
    """The request had waited for a while when the database was found not to answer."""


class Gate:
    """Lets requests in, one `Passage` each, and refuses what would only wait.

    Three limits: `most_requests` in flight and `most_bytes` of their bodies bound the memory; and where requests stay longer
    than `longest_wait` seconds on average, or will, since more are inside than leave in that time (Little's law), only so many
    are let in, so that the ones that are let in are answered. A request that is refused costs a tenth of one that is not.
    """

    def __init__(
        self,
        *,
        most_requests: int,
        most_bytes: int,
        longest_wait: float,
        metrics: Metrics,
        probe: Probe | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._longest_wait = longest_wait
        self._metrics = metrics
        self._probe = probe
        self._clock = clock
        self._inside: dict[Passage, None] = {}  # in the order of arrival
        metrics.in_flight.set_function(lambda: len(self._inside))
        self._bytes = 0
        self._limit = most_requests
        self._judged_at = clock()
        self._done = 0
        self._seconds = 0.0
        self._fewest_inside = 0
        self._watch: asyncio.Task[None] | None = None

    def admit(self, size: int) -> "Passage":
        """A way in for a request with a body of `size` bytes. Raises Overloaded."""
        if len(self._inside) >= self._limit:
            self._refuse("wait" if self._limit < self._most_requests else "requests")
        # One body is always let in, or a limit below the largest body would refuse it for ever.
        if self._inside and self._bytes + size > self._most_bytes:
            self._refuse("bytes")
        return Passage(self, size, self._clock())

    def _refuse(self, reason: str) -> None:
        self._metrics.shed.labels(reason).inc()
        raise Overloaded

    def _enter(self, passage: "Passage") -> None:
        self._inside[passage] = None
        self._bytes += passage.size
        if self._probe is not None and (self._watch is None or self._watch.done()):
            self._watch = asyncio.create_task(self._look_after(self._probe))

    def _leave(self, passage: "Passage") -> None:
        now = self._clock()
        del self._inside[passage]
        self._bytes -= passage.size
        self._done += 1
        self._seconds += now - passage.since
        self._fewest_inside = min(self._fewest_inside, len(self._inside))
        if now - self._judged_at >= JUDGED_EVERY:
            self._judge(now)

    def _grow(self, passage: "Passage", size: int) -> None:
        if len(self._inside) > 1 and self._bytes + size > self._most_bytes:
            self._refuse("bytes")
        passage.size += size
        self._bytes += size

    def _judge(self, now: float) -> None:
        in_time = self._done / (now - self._judged_at) * self._longest_wait  # so many leave in it
        has_queue = self._fewest_inside >= FEWEST // 2  # all the time; or few leave because few have come
        if self._seconds / self._done > self._longest_wait or (has_queue and len(self._inside) > in_time):
            self._limit = min(self._most_requests, max(FEWEST, int(in_time)))
        else:
            self._limit = min(self._most_requests, self._limit * 2)
        self._judged_at, self._done, self._seconds = now, 0, 0.0
        self._fewest_inside = len(self._inside)

    async def _look_after(self, probe: Probe) -> None:
        """While requests are inside: those that have waited for long are sent away once the database does not answer."""
        while self._inside:
            await asyncio.sleep(LOOKED_EVERY)
            oldest = next(iter(self._inside), None)
            if oldest is None or self._clock() - oldest.since < PATIENCE_SECONDS or await probe(PROBED_SECONDS):
                continue
            late = self._clock() - PATIENCE_SECONDS
            for passage in [each for each in self._inside if each.since <= late]:
                passage.end()


class Passage:
    """One request inside: `async with passage: ...`. Raises DatabaseAway when it was sent away."""

    __slots__ = ("_gate", "_limit", "since", "size")

    def __init__(self, gate: Gate, size: int, since: float) -> None:
        self._gate = gate
        self._limit = asyncio.timeout(None)
        self.size = size
        self.since = since

    def grow(self, size: int) -> None:
        """More of a body has come than was announced. Raises Overloaded."""
        self._gate._grow(self, size)  # noqa: SLF001 - the two are one

    def end(self) -> None:
        """Whoever is inside is cancelled where he waits."""
        if not self._limit.expired():
            self._limit.reschedule(0)

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._gate._enter(self)  # noqa: SLF001 - the two are one
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate._leave(self)  # noqa: SLF001 - the two are one
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as away:
            raise DatabaseAway from away
