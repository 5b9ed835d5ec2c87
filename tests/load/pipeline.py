"""From POST to visible everywhere: four services, the real broker, one machine; beside raw aiokafka and COPY of the same rows."""

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from common.bus.kafka import ensure_topics
from common.service import all_topics
from common.settings import Settings

from .grounds import PACKAGES, ROOT, Grounds, Server
from .ingest import MANY, TOUCHPOINT, Outcome, fire
from .machine import cpu_seconds
from .results import Report, at_least, at_most, median, plain, say

PARTITIONS = Settings().kafka_partitions
# The three that answer for others what interactions recorded, and the topic by which each hears of a touchpoint.
HEARS = {
    "identity": "interactions.people.v1",
    "scoring": "interactions.v1",
    "service-audit": "interactions.v1",
}
DRAINED_WITHIN = 600.0
# A JVM makes its machine code while it works: over its first 200,000 records the broker uses up to four times the CPU that it uses later.
WARMED_BY = 250_000


@dataclass
class Whole:
    """The distributed stack: two servers, four APIs, four workers."""

    place: Grounds
    processes: dict[str, Server]

    def pids(self) -> dict[str, int]:
        own = {name: server.pid for name, server in self.processes.items()}
        assert self.place.postgres.process is not None
        assert self.place.kafka.process is not None
        return own | {"postgres": self.place.postgres.process.pid, "kafka": self.place.kafka.process.pid}

    def used(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self.pids().items()}

    @property
    def interactions(self) -> str:
        return self.processes["interactions-api"].base

    def url(self, service: str) -> str:
        return self.place.postgres.url(PACKAGES[service], driver="postgresql")


def whole(place: Grounds) -> Whole:
    asyncio.run(ensure_topics(place.kafka.bootstrap, all_topics(), partitions=PARTITIONS))
    asyncio.run(warmed(place.kafka.bootstrap, WARMED_BY))
    environments = {name: place.migrated(name, kafka=True) for name in PACKAGES}
    processes = {f"{name}-api": place.api(name, environments[name]) for name in PACKAGES}
    processes |= {f"{name}-worker": place.worker(name, environments[name]) for name in PACKAGES}
    return Whole(place, processes)


async def warmed(bootstrap: str, records: int) -> None:
    """So many records go through the broker as ours do: shipped by a few dozen and acknowledged, fetched at once, offsets committed."""
    topic = f"warm-{secrets.token_hex(3)}"
    await ensure_topics(bootstrap, [topic], partitions=PARTITIONS)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    consumers = [
        AIOKafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=f"{topic}-{number}",
            auto_offset_reset="earliest",
            auto_commit_interval_ms=100,
            fetch_max_wait_ms=200,
        )
        for number in range(len(HEARS))
    ]
    for one in (producer, *consumers):
        await one.start()

    async def ship() -> None:
        for first in range(0, records, 40):
            keys = [str(number).encode() for number in range(first, min(records, first + 40))]
            await asyncio.gather(*[await producer.send(topic, b"." * 600, key=key) for key in keys])

    async def fetch(consumer: AIOKafkaConsumer) -> None:
        left = records
        while left > 0:
            left -= sum(map(len, (await consumer.getmany(timeout_ms=1_000)).values()))

    await asyncio.gather(ship(), *map(fetch, consumers))
    for one in (producer, *consumers):
        await one.stop()


# --- what is still under way ------------------------------------------------------------------------------------------


class Watch:
    """Looks at the groups' offsets: what a group has committed has taken effect, since offsets follow the effects."""

    def __init__(self, stack: Whole) -> None:
        self._stack = stack

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._stack.place.kafka.bootstrap)
        await self._admin.start()
        self._connections = {name: await asyncpg.connect(self._stack.url(name)) for name in PACKAGES}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        for connection in self._connections.values():
            await connection.close()

    async def told(self, service: str) -> dict[str, int]:
        """Topic -> how many events the service has written for it."""
        rows = await self._connections[service].fetch("SELECT aggregatetype, count(*) FROM outbox GROUP BY 1")
        return {row[0]: row[1] for row in rows}

    async def taken(self, service: str) -> dict[str, int]:
        """Topic -> how many records the service's group has committed."""
        offsets = await self._admin.list_consumer_group_offsets(f"hilo.{service}")
        found: dict[str, int] = {}
        for partition, offset in offsets.items():
            found[partition.topic] = found.get(partition.topic, 0) + max(0, offset.offset)
        return found

    async def heard(self, expected: Mapping[str, int]) -> dict[str, float]:
        """Waits until each of the three has taken in what interactions told; service -> the moment."""
        moments: dict[str, float] = {}
        deadline = time.time() + DRAINED_WITHIN
        while len(moments) < len(HEARS):
            for service, topic in HEARS.items():
                if service not in moments and (await self.taken(service)).get(topic, 0) >= expected[topic]:
                    moments[service] = time.time()
            if time.time() > deadline:
                raise TimeoutError(f"still behind: {set(HEARS) - set(moments)}")
            await asyncio.sleep(0.05)
        return moments

    async def quiet(self) -> float:
        """Waits until nobody has anything to take in any more; the moment."""
        deadline = time.time() + DRAINED_WITHIN
        while time.time() < deadline:
            moment = time.time()
            told: dict[str, int] = {}
            for service in PACKAGES:
                for topic, count in (await self.told(service)).items():
                    told[topic] = told.get(topic, 0) + count
            behind = [
                (service, topic)
                for service in PACKAGES
                for topic, count in (await self.taken(service)).items()
                if count < told.get(topic, 0)
            ]
            if not behind:
                return moment
            await asyncio.sleep(0.3)
        raise TimeoutError(f"never quiet: {behind}")


# --- the whole way ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Passed:
    """One run through everything. Rates in events a second; CPU in seconds by process until nothing was under way."""

    posted: Outcome
    events: int
    rate: float
    lags: Mapping[str, float]  # service -> seconds after the last answer
    quiet_after: float
    cpu: Mapping[str, float]


async def pass_through(stack: Whole, *, seconds: float) -> Passed:
    async with Watch(stack) as watch:
        await watch.quiet()
        before = stack.used()
        options = ["--batch", "100", "--connections", "4", "--seconds", str(seconds), "--body", f"@{TOUCHPOINT}"]
        posted = await asyncio.to_thread(
            fire, stack.interactions + MANY, *options, "--header", stack.place.authorization
        )
        ended = time.time()
        expected = await watch.told("interactions")
        moments = await watch.heard(expected)
        quiet = await watch.quiet()
        used = {name: seconds - before[name] for name, seconds in stack.used().items()}
    took = max(moments.values()) - (ended - posted["seconds"])
    return Passed(
        posted,
        posted["accepted"],
        posted["accepted"] / took,
        {name: moment - ended for name, moment in moments.items()},
        quiet - ended,
        used,
    )


def floor(stack: Whole) -> float:
    """Events a second of raw COPY and aiokafka over the rows that the stack has written, into databases of their own."""
    place = stack.place
    for service, package in PACKAGES.items():
        place.postgres.drop_database(f"floor_{package}")
        place.migrated(service, database=f"floor_{package}")
        _empty(place, f"floor_{package}")
    topics = f"floor-{secrets.token_hex(3)}"
    asyncio.run(ensure_topics(place.kafka.bootstrap, [f"{topics}.log", f"{topics}.people"], partitions=PARTITIONS))
    told = asyncio.run(_told(stack))
    touchpoints = int(place.postgres.query("select count(*) from touchpoint", database="interactions"))
    expected = {"identity": told["interactions.people.v1"]}
    expected |= dict.fromkeys(("scoring", "service_audit"), told["interactions.v1"])
    with _roles(stack, topics, expected) as roles:
        begun = time.time()
        for one in roles:
            _tell(one, "go\n")
        ended = [float(_hear(one, "done")) for one in roles]
    return touchpoints / (max(ended) - begun)


@contextmanager
def _roles(stack: Whole, topics: str, expected: Mapping[str, int]) -> Iterator[list[subprocess.Popen[str]]]:
    roles: list[subprocess.Popen[str]] = []
    try:
        for service, package in PACKAGES.items():
            role = "ingest" if service == "interactions" else package
            target = stack.place.postgres.url(f"floor_{package}", driver="postgresql")
            more = [str(expected[package])] if package in expected else []
            command = [sys.executable, "-m", "tests.load.twin.pipe", role, stack.url(service), target]
            command += [stack.place.kafka.bootstrap, topics, *more]
            roles.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for one in roles:
            _hear(one, "ready")
        yield roles
    finally:
        for one in roles:
            one.kill()
            one.communicate()


def _tell(one: subprocess.Popen[str], words: str) -> None:
    assert one.stdin is not None
    one.stdin.write(words)
    one.stdin.flush()


def _hear(one: subprocess.Popen[str], wanted: str) -> str:
    assert one.stdout is not None
    for line in one.stdout:
        word, _, rest = line.strip().partition(" ")
        if word == wanted:
            return rest
    raise RuntimeError("the floor ended early")


def _empty(place: Grounds, database: str) -> None:
    """What a migration loads would be there twice."""
    place.postgres.query(
        "do $$ declare t text; begin for t in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'alembic_version' "
        "loop execute format('truncate table %I cascade', t); end loop; end $$",
        database=database,
    )


async def _told(stack: Whole) -> dict[str, int]:
    async with Watch(stack) as watch:
        return await watch.told("interactions")


def through(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """POST to visible in identity, scoring and service-audit, sustained; and what it costs in CPU."""
    stack = whole(place)
    asyncio.run(pass_through(stack, seconds=min(3.0, seconds)))  # warm: plans, pools, caches
    passed: list[Passed] = []
    floors: list[float] = []
    for _ in range(rounds):
        one = asyncio.run(pass_through(stack, seconds=seconds))
        passed.append(one)
        floors.append(floor(stack))
        say(f"  {one.events:,} events  {one.rate:,.0f} ev/s  posted {one.posted['rate']:,.0f}  floor {floors[-1]:,.0f}  "
              f"lag {({k: round(v, 1) for k, v in one.lags.items()})}  quiet {one.quiet_after:.1f} s")  # fmt: skip
    return _reported(passed, floors)


def _reported(passed: list[Passed], floors: list[float]) -> Report:
    report = Report(
        "through",
        "POST batches of 100 on 4 connections for a while; the clock stops when identity, scoring and service-audit have "
        "taken in the last of them (offsets committed after the effects). Four APIs, four workers, PostgreSQL, Apache Kafka "
        "and the load generator on the machine's cores; the broker has carried "
        f"{WARMED_BY:,} other records before. The floor copies the very rows that Hilo wrote, in all four databases, "
        "and ships the very bytes by aiokafka.",
    )
    shares = _microseconds(passed)
    ours = sum(value for name, value in shares.items() if name != "kafka")
    kafka = shares["kafka"]
    report.figures = [
        at_least(
            "times raw aiokafka and COPY", median([a.rate / b for a, b in zip(passed, floors, strict=True)]), 0.35
        ),
        at_least("events a second, through", median([one.rate for one in passed]), 4000, digits=0),
        at_most("CPU per event over our processes and PostgreSQL", ours, 250, unit=" us", digits=0),
        plain("CPU per event of the real broker", kafka, unit=" us", digits=0),
        plain("the real broker's share of all CPU", 100 * kafka / (ours + kafka), unit=" %"),
        plain("the floor's events a second", median(floors), digits=0),
    ]
    report.table(["process", "CPU us/event"], sorted(shares.items(), key=lambda item: -item[1]))
    last = passed[-1]
    lags = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in last.lags.items())
    report.notes = [
        (
            f"After the last answer they were behind by: {lags}; everything that follows (links, values, parts) was quiet {last.quiet_after:.1f} s "
            f"after it. Posting alone went at {median([one.posted['rate'] for one in passed]):,.0f} ev/s meanwhile."
        )
    ]
    return report


def _microseconds(passed: list[Passed]) -> dict[str, float]:
    names = passed[0].cpu
    return {name: median([one.cpu[name] / one.events * 1e6 for one in passed]) for name in names}
