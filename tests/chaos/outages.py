"""Outages that are measured: the broker frozen, the database stopped, processes asked to end, more load than there is room for."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from .arena import APIS, WORKERS
from .checks import backlog
from .faults import Scene
from .ledger import Reply
from .measures import between, p99, rate, share, taken
from .probe import Probe

BEFORE = 20.0  # seconds of calm that an outage is compared with
LONGEST_ANSWER = 5.0
BACK_WITHIN = 2.0
QUESTIONS = {
    "identity": "/identity/v1/customers?identifier=phone:3001234567",
    "interactions": "/interactions/v1/resume?identifier=phone:3001234567",
    "scoring": "/scoring/v1/policies/thresholds",
    "service-audit": "/service-audit/v1/cycles",
}


# --- the broker -------------------------------------------------------------------------------------------------------


async def freeze_broker(scene: Scene) -> int:
    """The broker hangs: connected, silent. What is recorded goes on as before, and the backlog goes when it is back."""
    process = scene.arena.process("kafka")
    begun = time.monotonic()
    async with scene.checker.databases() as databases:
        told = await _told(databases)
        await asyncio.sleep(min(BEFORE, scene.seconds))
        frozen = time.monotonic()
        process.send(signal.SIGSTOP)
        arrival = (await _told(databases) - told) / (frozen - begun)
        await asyncio.sleep(scene.seconds)
        thawed = time.monotonic()
        process.send(signal.SIGCONT)
        behind, told = await _behind(databases), await _told(databases)
        drained, arrived = await _drained(databases, told, within=scene.seconds * 2)
    calm, during = scene.replies(begun, frozen), scene.replies(frozen, thawed)
    measures = scene.measures
    measures.tell(rate_before=rate(calm, frozen - begun), rate_frozen=rate(during, thawed - frozen))
    measures.tell(p99_before=p99(calm), p99_frozen=p99(during), events_a_second=arrival)
    measures.tell(effects_behind=behind, seconds_to_drain=drained)
    measures.at_least("share of the rate kept", _kept(during) / max(0.01, _kept(calm)), 0.95)
    measures.at_most("p99 against before", p99(during) / max(0.001, p99(calm)), 2.0)
    measures.at_least("drained, times the arrival rate", (behind + arrived) / drained / max(0.1, arrival), 3.0)
    return 1


def _kept(replies: Sequence[Reply]) -> float:
    """Which share of what was sent was taken: the load is sent at a pace, whatever the answers are."""
    return sum(one.rows for one in taken(replies)) / max(1, sum(one.rows for one in replies))


async def _told(databases: Any) -> int:
    """How many effects all consumers together owe for what was ever told."""
    return sum(told for told, _ in (await backlog(databases)).values())


async def _behind(databases: Any) -> int:
    return sum(told - claimed for told, claimed in (await backlog(databases)).values())


async def _drained(databases: Any, told: int, *, within: float) -> tuple[float, int]:
    """Seconds until all but the last second's events have had their effects, and how many came meanwhile."""
    begun = time.monotonic()
    while True:
        now = await backlog(databases)
        all_told = sum(count for count, _ in now.values())
        behind = all_told - sum(claimed for _, claimed in now.values())
        seconds = time.monotonic() - begun
        if behind * seconds <= (all_told - told) or behind == 0 or seconds > within:
            return max(seconds, 0.5), all_told - told
        await asyncio.sleep(0.25)


# --- the database -----------------------------------------------------------------------------------------------------


async def stop_database(scene: Scene) -> int:
    """The database is stopped in order, stays away, and comes back. All that is heard meanwhile: 503, and when to ask again."""
    arena = scene.arena
    probes = {name: Probe(arena, "GET", arena.origins(name)[0] + path, every=0.2) for name, path in QUESTIONS.items()}
    record = arena.origins("interactions")[0] + "/interactions/v1/touchpoints"
    probes["recording"] = Probe(arena, "POST", record, body=lambda: _sent(scene), every=0.2)
    async with AsyncExitStack() as stack:
        for probe in probes.values():
            await stack.enter_async_context(probe.going())
        await asyncio.sleep(2)
        stopped = time.monotonic()
        await scene.do(lambda: arena.stack.stop("postgres"))
        gone = time.monotonic()
        await asyncio.sleep(scene.seconds)
        starting = asyncio.create_task(scene.start("postgres"))
        back = await _accepting(scene)
        await starting
        await asyncio.sleep(BACK_WITHIN + 4)
    _judge_outage(scene, probes, stopped=stopped, gone=gone, back=back)
    return 1


def _sent(scene: Scene) -> dict[str, Any]:
    body = scene.load.writer.touchpoint()
    scene.ledger.sent.add(body["external_id"])
    return body


async def _accepting(scene: Scene) -> float:
    """The moment at which the server takes connections again."""
    url = scene.arena.stack.postgres.url("postgres", driver="postgresql")
    for _ in range(1200):
        try:
            connection = await asyncpg.connect(url, timeout=2)
        except (TimeoutError, OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)
        else:
            now = time.monotonic()
            await connection.close()
            return now
    raise TimeoutError("the database did not come back")


def _judge_outage(scene: Scene, probes: dict[str, Probe], *, stopped: float, gone: float, back: float) -> None:
    measures = scene.measures
    # whoever is served first has seen it before we did
    served = [one.at + one.seconds for probe in probes.values() for one in taken(probe.replies)]
    back = min([back, *(end for end in served if end > gone + scene.seconds)])
    for name, probe in probes.items():
        down = [one for one in probe.replies if gone <= one.at < back]
        measures.tell(**{f"{name}: answers while away": dict(Counter(one.status for one in down))})
        # a request that was sent as the database came back may well have been taken
        wrong = [one for one in down if one.status != 503 and one.at + one.seconds < back]
        measures.none(f"{name}: answers other than 503", [one.status for one in wrong])
        measures.none(
            f"{name}: 503 without Retry-After", [one for one in down if one.status == 503 and not one.retry_after]
        )
        measures.at_most(f"{name}: first success after the return, s", probe.first_success(back), BACK_WITHIN)
    every = [one for probe in probes.values() for one in between(probe.replies, stopped - 1, back + 6, ingest=False)]
    every += between(scene.ledger.replies, stopped - 1, back + 6, ingest=False)
    measures.none("500", [one.path for one in every if one.status == 500])
    hanging = [one for one in every if one.at < back]
    slowest = max(hanging, key=lambda one: one.seconds)
    measures.tell(slowest_answer_of=f"{slowest.path} {slowest.status}")
    measures.at_most("longest answer, s", slowest.seconds, LONGEST_ANSWER)


# --- SIGTERM ----------------------------------------------------------------------------------------------------------


async def terminate(scene: Scene) -> int:
    """SIGTERM of each process, the four APIs or the four workers at once: down in ten seconds, and no request fails where two run."""
    downs: list[float] = []
    begun = time.monotonic()
    try:
        for _ in range(scene.times):
            for roles in scene.random.sample([APIS, WORKERS], k=2):
                downs += await asyncio.gather(*(_ended(scene, role) for role in roles))
                await scene.do(scene.arena.start_all, roles)
    finally:
        _judge_ends(scene, downs, begun)
    return len(downs)


async def _ended(scene: Scene, role: str) -> float:
    """Seconds until it was down; in a thread of its own, so that several are asked at once."""
    asked = time.monotonic()
    if not await asyncio.to_thread(scene.arena.stop, role, within=20.0):
        scene.notes.append(f"{role} had to be killed")
    return time.monotonic() - asked


def _judge_ends(scene: Scene, downs: Sequence[float], begun: float) -> None:
    failed = [
        one for one in scene.replies(begun) if (one.status == 0 and not one.refused) or one.status >= 500
    ]  # refused: nobody listened, and the other one was asked at once
    measures = scene.measures
    measures.tell(ended=len(downs), rounds=scene.times, p50_down=share(downs, 0.5))
    measures.at_most("longest until down, s", max(downs, default=0.0), 10.0)
    measures.none("failed requests where two run", [f"{one.path}: {one.error or one.status}" for one in failed])


async def terminate_alone(scene: Scene) -> int:
    """SIGTERM of the one process: what was under way is answered, and it is down in ten seconds."""
    downs: list[float] = []
    begun = time.monotonic()
    for _ in range(scene.times):
        await scene.pause(0.5, 1.5)
        asked = time.monotonic()
        if not await scene.do(lambda: scene.arena.stop("hilo", within=20.0)):
            scene.notes.append("it had to be killed")
        downs.append(time.monotonic() - asked)
        await scene.start("hilo")
    cut = [one for one in scene.replies(begun) if one.status == 0 and not one.refused]
    scene.measures.tell(ended=len(downs), p50_down=share(downs, 0.5), cut_off=len(cut))
    scene.measures.at_most("longest until down, s", max(downs), 10.0)
    scene.measures.none("500", [one.path for one in scene.replies(begun) if one.status == 500])
    return len(downs)


# --- more than there is room for --------------------------------------------------------------------------------------

CONNECTIONS = 16
ROWS = 100


async def overload(scene: Scene) -> int:
    """Three times what the API can take: the excess is told to come again, what is taken is not slower than twice."""
    flood = Flood(scene)
    api = scene.arena.process("interactions-api")
    try:
        await flood.closed(2.0)
        calm = await flood.closed(min(10.0, scene.seconds))
        capacity = sum(one.rows for one in taken(calm)) / min(10.0, scene.seconds)
        resting = _rss(api.pid)
        top = asyncio.create_task(_most_memory(api.pid, scene.seconds + 5))
        begun = time.monotonic()
        loud = await flood.open(3 * capacity, scene.seconds)
        ended = time.monotonic()
        recovered = await flood.recovered(2 * p99(calm))
        most = await top
    finally:
        await flood.close()
    statuses = Counter(one.status for one in loud)
    measures = scene.measures
    sent = sum(one.rows for one in loud) / scene.seconds
    measures.tell(capacity=capacity, sent_a_second=sent)
    measures.at_least("times the capacity that was sent", sent / max(1.0, capacity), 2.5)
    measures.tell(taken_a_second=rate(loud, ended - begun), answers=dict(statuses), rss_before_mb=resting)
    measures.tell(p99_at_capacity=p99(calm), p99_taken=p99(loud), rss_most_mb=most)
    measures.none(
        "answers other than 2xx, 429, 503", [s for s in statuses.elements() if s >= 300 and s not in (429, 503)]
    )
    measures.none("no answer", [one for one in loud if one.status == 0])
    measures.none(
        "429 or 503 without Retry-After", [one for one in loud if one.status in (429, 503) and not one.retry_after]
    )
    measures.at_most("p99 of what is taken, against capacity", p99(loud) / max(0.001, p99(calm)), 2.0)
    measures.at_most("memory, MB more than before", most - resting, 256)
    measures.at_most("recovered after, s", recovered, 5.0)
    return 1


class Flood:
    """Batches of a hundred from a template: as fast as they are answered, or at a rate whatever the answers are."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._replies: list[Reply] = []
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {scene.arena.key}", "Content-Type": "application/json"},
            timeout=30.0,
            limits=httpx.Limits(max_connections=400, max_keepalive_connections=400),
        )
        self._url = scene.arena.origins("interactions")[0] + "/interactions/v1/touchpoints:batch"

    async def close(self) -> None:
        await self._client.aclose()

    async def closed(self, seconds: float) -> list[Reply]:
        """So many connections, each asking again as soon as it was answered."""
        until, first = time.monotonic() + seconds, len(self._replies)

        async def ask() -> None:
            while time.monotonic() < until:
                await self._once()

        await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
        return self._replies[first:]

    async def open(self, rows_a_second: float, seconds: float) -> list[Reply]:
        """At that rate, whether answers come or not."""
        begun, first = time.monotonic(), len(self._replies)
        under_way: set[asyncio.Task[None]] = set()
        sent = 0
        while (passed := time.monotonic() - begun) < seconds:
            while sent * ROWS < passed * rows_a_second:
                task = asyncio.create_task(self._once())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                sent += 1
            await asyncio.sleep(0.005)
        await asyncio.gather(*under_way)
        return self._replies[first:]

    async def recovered(self, as_fast: float, *, within: float = 30.0) -> float:
        """Seconds until a request is taken again as fast as that, three times in a row."""
        begun, good = time.monotonic(), 0
        while good < 3 and time.monotonic() - begun < within:
            await self._once()
            last = self._replies[-1]
            good = good + 1 if 200 <= last.status < 300 and last.seconds <= as_fast else 0
        return time.monotonic() - begun

    async def _once(self) -> None:
        ledger, writer = self._scene.ledger, self._scene.load.writer
        rows = [writer.touchpoint() for _ in range(ROWS)]
        ids = [row["external_id"] for row in rows]
        ledger.sent.update(ids)
        begun = time.monotonic()
        try:
            answer = await self._client.post(self._url, json=rows)
        except httpx.HTTPError:
            self._replies.append(Reply(begun, time.monotonic() - begun, 0, ROWS, path="touchpoints:batch"))
            return
        seconds = time.monotonic() - begun
        asked_back = "retry-after" in answer.headers
        self._replies.append(Reply(begun, seconds, answer.status_code, ROWS, asked_back, path="touchpoints:batch"))
        if answer.status_code == 200:
            for external_id, result in zip(ids, answer.json()["results"], strict=True):
                ledger.take(external_id, result)


def _rss(pid: int) -> float:
    """Megabytes of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


async def _most_memory(pid: int, seconds: float) -> float:
    most, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, _rss(pid))
        await asyncio.sleep(0.25)
    return most
