"""A prober: a request every tenth of a second, each given up soon, so that an outage has a beginning and an end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from .ledger import Reply

PATIENCE = 12.0  # longer than any answer may take: a hang is seen as one


class Probe:
    """Asks one service again and again, whether earlier answers have come or not. Every answer is kept, its body's code too."""

    def __init__(self, arena: Any, method: str, url: str, *, body: Any = None, every: float = 0.1) -> None:
        self.replies: list[Reply] = []
        self.codes: dict[int, set[str]] = {}
        self._arena = arena
        self._ask = (method, url)
        self._body = body  # a function that gives the next body, or None
        self._every = every
        self._number = 0

    @asynccontextmanager
    async def going(self) -> AsyncIterator["Probe"]:
        stop = asyncio.Event()
        async with httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._arena.key}"},
            timeout=PATIENCE,
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=20),
        ) as client:
            running = asyncio.create_task(self._go(client, stop))
            try:
                yield self
            finally:
                stop.set()
                await running

    async def _go(self, client: httpx.AsyncClient, stop: asyncio.Event) -> None:
        under_way: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            task = asyncio.create_task(self._once(client))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(self._every)
        await asyncio.gather(*under_way)

    async def _once(self, client: httpx.AsyncClient) -> None:
        begun = time.monotonic()
        method, url = self._ask
        body = self._body() if self._body is not None else None
        try:
            answer = await client.request(method, url, json=body)
        except httpx.HTTPError as error:
            refused = isinstance(error, httpx.ConnectError)
            self.replies.append(Reply(begun, time.monotonic() - begun, 0, 1, path=url, refused=refused))
            return
        seconds = time.monotonic() - begun
        self.replies.append(Reply(begun, seconds, answer.status_code, 1, "retry-after" in answer.headers, path=url))
        if not answer.is_success:
            self.codes.setdefault(answer.status_code, set()).add(_code(answer))

    def first_success(self, after: float) -> float:
        """Seconds from that moment to the first request that was taken, by when its answer came; infinity for none."""
        ends = [
            one.at + one.seconds for one in self.replies if 200 <= one.status < 300 and one.at + one.seconds >= after
        ]
        return min(ends, default=float("inf")) - after


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code"))
    except ValueError:
        return "no problem document"
