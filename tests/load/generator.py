"""A load generator for any URL: bodies from a template with ids of their own, closed or open loop, one line of JSON a run.

python -m tests.load.generator --url http://127.0.0.1:8002/interactions/v1/touchpoints --body tests/load/bodies/touchpoint.json \
    --header "Authorization: Bearer ..." --connections 64 --seconds 10 [--batch 100] [--rate 2000] [--pid api=4711]

A template (the address may be one too) is text with marks: {id} (unique over all runs), {n} (a running number), {uuid}, {now} (RFC 3339), {pick:K} and {pick:K:0W}
(a number below K, spread evenly; padded to W digits; the same in one row), {b64:...} (the text inside, its marks filled in, in base64).
"""

import argparse
import asyncio
import gc
import itertools
import json
import re
import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httptools
import uvloop

from .machine import cpu_seconds

MARK = re.compile(rb"\{(id|n|uuid|now|pick:\d+(?::\d+)?)\}")
# Multiplying by it and taking the rest spreads running numbers over what is picked from, the same in every run.
SPREAD = 2_654_435_761
PATIENCE = 15.0
BATCH_ANSWER = re.compile(rb'"(recorded|duplicate|refused)":\s*(\d+)')


# --- bodies -----------------------------------------------------------------------------------------------------------


class Template:
    """Bytes with marks; `row(n)` fills them in for the n-th row of a run."""

    def __init__(self, text: bytes, *, tag: str = "") -> None:
        self.tag = (tag or secrets.token_hex(4)).encode()
        text = text.strip()
        self._format = MARK.sub(b"%b", text.replace(b"%", b"%%"))
        self._fill = [self._filler(mark.decode()) for mark in MARK.findall(text)]

    def row(self, n: int) -> bytes:
        return self._format % tuple([fill(n) for fill in self._fill])

    def _filler(self, mark: str) -> Callable[[int], bytes]:
        kind, *numbers = mark.split(":")
        if kind == "pick":
            below, width = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
            return lambda n: b"%0*d" % (width, n * SPREAD % 4_294_967_291 % below)
        tag, stem = self.tag, secrets.token_hex(4).encode()
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z").encode()
        fillers: dict[str, Callable[[int], bytes]] = {
            "id": lambda n: b"%b-%d" % (tag, n),
            "n": lambda n: b"%d" % n,
            "uuid": lambda n: b"%b-0000-4000-8000-%012x" % (stem, n),
            "now": lambda _: now,
        }
        return fillers[kind]


@dataclass
class Bodies:
    """The bodies of one run, one after another: a row each, or `batch` rows as a JSON array (or within `around`)."""

    template: Template | None
    batch: int = 0
    around: tuple[bytes, bytes] = (b"[", b"]")
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def events(self) -> int:
        """How many events one request carries."""
        return self.batch or 1

    def __iter__(self) -> Iterator[bytes]:
        if self.template is None:
            return itertools.repeat(b"")
        row = self.template.row
        if not self.batch:
            return map(row, self.numbers)
        return self._batches(row)

    def _batches(self, row: Callable[[int], bytes]) -> Iterator[bytes]:
        before, after = self.around
        while True:
            yield before + b",".join(map(row, itertools.islice(self.numbers, self.batch))) + after


# --- one run ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What was sent and what came back. Latencies in seconds, in the order of the answers; moments by the monotonic clock."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)  # of batch answers: recorded, duplicate, refused
    broken: int = 0  # connections that ended, or refused to begin, with a request under way
    latencies: list[float] = field(default_factory=list)
    accepted: int = 0
    first: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What to send where. `rate` is in requests a second; None: each connection sends when it has its answer."""

    url: str
    bodies: Bodies
    method: str = "POST"
    headers: Sequence[str] = ()
    connections: int = 16
    seconds: float = 10.0
    count: int | None = None
    rate: float | None = None
    warmup: float = 0.0
    pids: Mapping[str, int] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    def head(self) -> bytes:
        """Everything of a request before the length of its body."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{self.method} {target} HTTP/1.1", f"Host: {parts.netloc}", *self.headers]
        if self.bodies.template is not None and not any(h.lower().startswith("content-type:") for h in self.headers):
            lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, "Content-Length: "]).encode()


class Run:
    """One run under way: hands out requests, takes answers."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.open = True  # whether more is to be sent
        self._head = plan.head()
        self._heads = map(Template(self._head).row, itertools.count()) if MARK.search(self._head) else None
        self._bodies = iter(plan.bodies)
        self._due: deque[float] = deque()  # moments at which a request of the open loop should have left
        self._idle: deque[Connection] = deque()
        self._left = plan.count
        self.lost: asyncio.Queue[None] = asyncio.Queue()

    async def go(self) -> Tally:
        """Sends, waits for the last answers, and gives the tally of all but the warm-up."""
        connections = [await self._connect() for _ in range(self.plan.connections)]
        mender = asyncio.create_task(self._mend(connections))
        begun = time.perf_counter()
        if self.plan.warmup == 0:
            self.begin_anew()
        for one in connections:
            self.ask(one)
        if self.plan.rate:
            await self._pace(begun)
        else:
            await self._until(begun + self.plan.warmup, begun + self.plan.warmup + self.plan.seconds)
        self.open = False
        deadline = time.perf_counter() + PATIENCE
        while any(one.waiting for one in connections) and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)
        mender.cancel()
        for one in connections:
            one.close()
        return self.tally

    def ask(self, connection: "Connection") -> None:
        """The connection is free: it sends the next request, or waits for one that falls due."""
        if self.plan.rate:
            if self._due:
                self._send(connection, self._due.popleft())
            else:
                self._idle.append(connection)
        elif self.open:
            if self._left is not None:
                self._left -= 1
                self.open = self._left > 0
            self._send(connection, time.perf_counter())

    def gone(self, connection: "Connection") -> None:
        """The server has closed it: another is opened in its place."""
        if connection.waiting:
            self.tally.broken += 1
        elif connection in self._idle:
            self._idle.remove(connection)
        self.lost.put_nowait(None)

    def answered(self, status: int, begun: float, body: bytes | None) -> None:
        now = time.perf_counter()
        tally = self.tally
        if begun < tally.first:  # of the warm-up
            return
        tally.statuses[status] += 1
        tally.latencies.append(now - begun)
        tally.last = now
        if 200 <= status < 300:
            found = dict(BATCH_ANSWER.findall(body[:200])) if body else {}
            if found:
                tally.rows.update({key.decode(): int(value) for key, value in found.items()})
                tally.accepted += int(found.get(b"recorded", 0))
            else:
                tally.accepted += self.plan.bodies.events

    def _send(self, connection: "Connection", begun: float) -> None:
        if begun >= self.tally.first:
            self.tally.sent += 1
        body = next(self._bodies)
        head = self._head if self._heads is None else next(self._heads)
        connection.send(b"%b%d\r\n\r\n%b" % (head, len(body), body), begun)

    def begin_anew(self, moment: float | None = None) -> None:
        """The warm-up is over: whatever was asked before now, or due before `moment`, does not count."""
        self.tally = Tally(first=moment or time.perf_counter())
        self._used = _used(self.plan.pids)

    def used(self) -> dict[str, float]:
        """CPU seconds by process since the warm-up's end."""
        before = self._used
        return {name: seconds - before[name] for name, seconds in _used(self.plan.pids).items()}

    async def _until(self, warm: float, end: float) -> None:
        if self.plan.warmup > 0:
            await asyncio.sleep(max(0.0, warm - time.perf_counter()))
            self.begin_anew()
        while self.open and time.perf_counter() < end:
            await asyncio.sleep(min(0.01, max(0.0, end - time.perf_counter())))

    async def _pace(self, begun: float) -> None:
        """The open loop: requests fall due at even distances, whether the server keeps up or not."""
        assert self.plan.rate is not None
        step, number = 1.0 / self.plan.rate, 0
        warm, last = (round(span * self.plan.rate) for span in (self.plan.warmup, self.plan.warmup + self.plan.seconds))
        while number < last:
            now = time.perf_counter()
            while (due := begun + number * step) <= now and number < last:
                if number == warm:
                    self.begin_anew(due)
                if (connection := self._resting()) is not None:
                    self._send(connection, due)
                else:
                    self._due.append(due)
                number += 1
            await asyncio.sleep(max(0.001, min(due - time.perf_counter(), 0.01)))  # less would spin
        deadline = time.perf_counter() + PATIENCE
        while self._due and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)

    def _resting(self) -> "Connection | None":
        """The one that has rested longest: the server closes those that rest too long, and of that we may not have heard yet."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> "Connection":
        loop = asyncio.get_running_loop()
        host, port = self.plan.address
        _, connection = await loop.create_connection(lambda: Connection(self), host, port)
        return connection

    async def _mend(self, connections: list["Connection"]) -> None:
        """A connection that the server closes is opened again."""
        while True:
            await self.lost.get()
            try:
                connection = await self._connect()
            except OSError:
                self.tally.broken += 1
                self.lost.put_nowait(None)
                await asyncio.sleep(0.05)
                continue
            connections.append(connection)
            self.ask(connection)


class Connection(asyncio.Protocol):
    """One connection that is kept open, with at most one request under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._begun = 0.0
        self._body: list[bytes] = []
        self._keeps_body = run.plan.bodies.batch > 0
        self._closing = False
        self.waiting = False

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def send(self, data: bytes, begun: float) -> None:
        self._begun = begun
        self.waiting = True
        self._transport.write(data)

    def close(self) -> None:
        self._closing = True
        self._transport.close()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, _: Exception | None) -> None:
        if not self._closing:
            self._run.gone(self)
        self.waiting = False

    def on_body(self, body: bytes) -> None:
        if self._keeps_body and len(self._body) < 2:
            self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # 100 Continue and the like: the answer is still to come
            return
        body = b"".join(self._body)
        self._body.clear()
        keeps = self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        self.waiting = False
        self._run.answered(status, self._begun, body)
        if keeps:
            self._run.ask(self)
        else:
            self._transport.close()


# --- what is told of it -----------------------------------------------------------------------------------------------


def _used(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in pids.items()} | {"generator": time.process_time()}


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def told(run: Run, used: Mapping[str, float]) -> dict[str, Any]:
    """One run as figures: events accepted and a second, latencies of requests in milliseconds, CPU microseconds an event."""
    tally = run.tally
    seconds = max(1e-9, (tally.last or tally.first) - tally.first)
    ordered = sorted(tally.latencies)
    refused = {str(status): count for status, count in sorted(tally.statuses.items()) if not 200 <= status < 300}
    return {
        "url": run.plan.url,
        "connections": run.plan.connections,
        "seconds": round(seconds, 3),
        "sent": tally.sent,
        "answered": sum(tally.statuses.values()),
        "accepted": tally.accepted,
        "refused": refused,
        "rows": dict(tally.rows),
        "broken": tally.broken,
        "rate": round(tally.accepted / seconds, 1),
        "requests_a_second": round(sum(tally.statuses.values()) / seconds, 1),
        "p50_ms": round(percentile(ordered, 0.50) * 1000, 2),
        "p90_ms": round(percentile(ordered, 0.90) * 1000, 2),
        "p99_ms": round(percentile(ordered, 0.99) * 1000, 2),
        "max_ms": round((ordered[-1] if ordered else 0.0) * 1000, 2),
        "cpu_seconds": {name: round(value, 3) for name, value in used.items()},
        "cpu_us_an_event": {name: round(value / max(1, tally.accepted) * 1e6, 1) for name, value in used.items()},
    }


def fire(plan: Plan) -> dict[str, Any]:
    """Run a plan in this process, to its end."""

    async def going() -> dict[str, Any]:
        run = Run(plan)
        run.begin_anew()
        await run.go()
        return told(run, run.used())

    # Latencies of a long run are millions of floats that the collector need not look at.
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        return uvloop.run(going())
    finally:
        gc.enable()


@dataclass(frozen=True)
class Arguments:
    """The command line, read."""

    plan: Plan

    @classmethod
    def read(cls, argv: Sequence[str] | None = None) -> Self:
        parser = argparse.ArgumentParser(prog="python -m tests.load.generator", description=__doc__)
        parser.add_argument("--url", required=True)
        parser.add_argument("--method", default=None, help="POST with a body, GET without")
        parser.add_argument("--body", help="@FILE or the template itself")
        parser.add_argument("--header", action="append", default=[], help='"Name: value"; as often as needed')
        parser.add_argument("--batch", type=int, default=0, help="rows in a request, as a JSON array")
        parser.add_argument("--around", nargs=2, default=("[", "]"), help="what stands before and after a batch's rows")
        parser.add_argument("--connections", type=int, default=16)
        parser.add_argument("--seconds", type=float, default=10.0)
        parser.add_argument("--count", type=int, default=None, help="requests; with --seconds, whichever comes first")
        parser.add_argument("--rate", type=float, default=None, help="requests a second, open loop")
        parser.add_argument("--warmup", type=float, default=0.0, help="seconds before counting begins")
        parser.add_argument("--tag", default="", help="what ids begin with; else of chance")
        parser.add_argument("--pid", action="append", default=[], help="name=PID: count its CPU, its children's too")
        given = parser.parse_args(argv)
        template = None if given.body is None else Template(_text(given.body), tag=given.tag)
        around = (given.around[0].encode(), given.around[1].encode())
        return cls(
            Plan(
                url=given.url,
                bodies=Bodies(template, given.batch, around),
                method=given.method or ("GET" if template is None else "POST"),
                headers=given.header,
                connections=given.connections,
                seconds=given.seconds if given.count is None else max(given.seconds, 3600.0),
                count=given.count,
                rate=given.rate,
                warmup=given.warmup,
                pids={name: int(pid) for name, _, pid in (one.partition("=") for one in given.pid)},
            )
        )


def _text(given: str) -> bytes:
    """The template: `@file`, a path that exists, or the words themselves."""
    if given.startswith("@"):
        return Path(given[1:]).read_bytes()
    return given.encode()


def main() -> int:
    outcome = fire(Arguments.read().plan)
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 0 if outcome["answered"] else 1


if __name__ == "__main__":
    sys.exit(main())
