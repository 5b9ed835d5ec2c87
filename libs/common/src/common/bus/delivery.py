"""From records to effects: what is readable is handled, what cannot be handled is parked, and nothing is skipped.

Three outcomes, three names. *Done*: the handler committed. *Transient*: the database or the broker is away; the same records
are delivered again. *Parked*: everything else; the batch is bisected until the one event that fails is alone, it is tried a
few times more, then kept with its reason. If most events fail it is our deploy that is bad, not the events: the consumer
stops, parks nothing, and says so. Where events come one by one, a failing one is held until another has shown that the
handler works, or a while has passed: a bad deploy would park them away singly.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
import structlog

from common.clock import Clock, utc_now
from common.db import Database, is_transient
from common.errors import Transient
from common.events import Event, Unreadable, correlation_id, decode, registered
from common.uow import UnitOfWork

log = structlog.get_logger()

TRIES = 3
JUDGED_EVENTS = 200  # how many recent outcomes decide whether the consumer itself is broken
FEWEST_FAILURES = 20
HOLDS = 12  # deliveries in which nothing succeeded, before what failed in them is parked all the same: about 45 s of a reader's pauses

Handle = Callable[[Sequence[Event]], Awaitable[None]]
HandleRaw = Callable[[Sequence["Record"]], Awaitable[None]]


@dataclass(frozen=True)
class Record:
    """One record as the bus gave it: topic, key, value, and where it stood."""

    topic: str
    key: str
    body: bytes
    position: str = ""


@dataclass(frozen=True)
class Consumer:
    """What one service does when something happens elsewhere.

    `handle` gets events of `topics` in batches and is one transaction that claims, applies and commits. `raw` maps topics whose
    records are no events of ours (`channels.touchpoints.v1`) to functions that see to refusals by themselves.
    """

    name: str
    topics: tuple[str, ...]
    handle: Handle
    raw: Mapping[str, HandleRaw] = field(default_factory=dict)
    types: frozenset[str] | None = None  # where a topic tells much more than is needed: only these are read; None: all

    @property
    def all_topics(self) -> tuple[str, ...]:
        return (*self.topics, *self.raw)


class ConsumerStopped(Exception):  # noqa: N818 - a decision, not an accident
    """Most events fail: parking them all would hide a bad deploy. Nothing was parked; the offsets stay."""


class Delivery:
    """Delivers records to one consumer of one service, and parks what it cannot handle in that service's database."""

    def __init__(self, consumer: Consumer, database: Database, *, clock: Clock = utc_now) -> None:
        self.consumer = consumer
        known = frozenset(cls.type for cls in registered(consumer.topics))
        self.wanted = known if consumer.types is None else known & consumer.types
        self._database = database
        self._clock = clock
        self._outcomes: deque[bool] = deque(maxlen=JUDGED_EVENTS)
        self._suspects: set[UUID] = set()  # failed since the last success: it may be the handler
        self._holds = 0
        self._reason = ""

    async def deliver(self, records: Sequence[Record]) -> None:
        """Handle the records, in order. When it returns, each has had its effect, is of no interest, or is parked.

        Raises Transient if the same records should be delivered again later, ConsumerStopped if the consumer must not go on.
        """
        failed: list[tuple[Record, str, str]] = []
        readable: list[tuple[Record, Event]] = []
        for record in records:
            if record.topic in self.consumer.raw:
                continue
            try:
                event = decode(record.body, wanted=self.wanted)
            except Unreadable as error:
                failed.append((record, error.code, error.detail))
                continue
            if event is not None:
                readable.append((record, event))
        unhandled = await self._handle(readable)
        self._hold_if_suspicious(len(readable), len(unhandled))
        for topic, handle in self.consumer.raw.items():
            mine = [record for record in records if record.topic == topic]
            if mine:
                await self._transient_or_raise(handle(mine))
        if failed or unhandled:
            await self._park([*failed, *unhandled])

    def _hold_if_suspicious(self, events: int, unhandled: int) -> None:
        """Where nothing at all succeeded, wait for an event that does. Raises Transient, or ConsumerStopped where none comes."""
        if unhandled < events:
            self._suspects.clear()
            self._holds = 0
        elif len(self._suspects) >= FEWEST_FAILURES:
            self._stop()
        elif unhandled and self._holds < HOLDS:
            self._holds += 1
            raise Transient("held until another event has been handled")
        elif unhandled:
            self._holds = 0

    async def _transient_or_raise(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            if is_transient(error):
                raise Transient(type(error).__name__) from error
            raise

    async def _handle(self, batch: list[tuple[Record, Event]]) -> list[tuple[Record, str, str]]:
        """Handle a batch; gives those that alone, and tried again, still fail."""
        if not batch:
            return []
        try:
            await self._attempt(batch, tries=TRIES if len(batch) == 1 else 1)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged here
            if len(batch) > 1:
                middle = len(batch) // 2
                return [*await self._handle(batch[:middle]), *await self._handle(batch[middle:])]
            if batch[0][1].id not in self._suspects:  # one that is held counts once; one more is waited for anew
                self._suspects.add(batch[0][1].id)
                self._outcomes.append(False)
                self._holds = 0
            self._reason = type(error).__name__
            self._stop_if_broken()
            return [(batch[0][0], "handler-failed", f"{type(error).__name__}: {self.consumer.name}")]
        self._outcomes.extend([True] * len(batch))
        return []

    async def _attempt(self, batch: list[tuple[Record, Event]], *, tries: int) -> None:
        token = correlation_id.set(batch[0][1].correlation_id)
        try:
            for attempt in range(1, tries + 1):
                try:
                    await self._transient_or_raise(self.consumer.handle([event for _, event in batch]))
                except Transient:
                    raise
                except Exception:
                    if attempt == tries:
                        log.exception("event_failed", consumer=self.consumer.name, event_id=str(batch[0][1].id))
                        raise
                    await asyncio.sleep(0.005 * attempt)
                else:
                    return
        finally:
            correlation_id.reset(token)

    def _stop_if_broken(self) -> None:
        failures = self._outcomes.count(False)
        if failures >= FEWEST_FAILURES and failures * 2 > len(self._outcomes):
            self._stop()

    def _stop(self) -> None:
        self._outcomes.clear()
        self._suspects.clear()
        self._holds = 0
        raise ConsumerStopped(f"{self.consumer.name} fails on most events: {self._reason}")

    async def _park(self, failed: list[tuple[Record, str, str]]) -> None:
        try:
            async with UnitOfWork(self._database) as uow:
                # Parking is an effect as well: what is delivered again must not be parked again.
                ids = [_identity(record) for record, _, _ in failed]
                fresh = await uow.inbox.claim_ids(ids, consumer=f"{self.consumer.name}:parked")
                failed = [one for one, identity in zip(failed, ids, strict=True) if identity in fresh]
                for record, code, detail in failed:
                    await uow.parked.park(
                        kind="event",
                        origin=record.topic,
                        body=record.body.decode("utf-8", errors="replace"),
                        code=code,
                        problem={"code": code, "detail": detail, "position": record.position, "key": record.key},
                        at=self._clock(),
                    )
                await uow.commit()
        except Exception as error:
            if is_transient(error):
                raise Transient(type(error).__name__) from error
            raise
        for record, code, _ in failed:
            log.warning("event_parked", consumer=self.consumer.name, topic=record.topic, code=code)


def _identity(record: Record) -> UUID:
    """What makes a record that may be no event the same one when it is delivered again.

    An event that was published twice stands at two positions; bytes without an id are told apart by theirs.
    """
    try:
        has_id = "id" in orjson.loads(record.body)
    except (orjson.JSONDecodeError, TypeError):
        has_id = False
    place = "" if has_id else record.position
    return uuid5(NAMESPACE_URL, f"{record.topic}/{place}/{hashlib.blake2b(record.body).hexdigest()}")


async def replay(consumer: Consumer, body: str) -> None:
    """Handle one parked event again. The inbox sees to it that it counts once. Raises what the handler raises, or Unreadable."""
    event = decode(body.encode())
    if event is not None:
        await consumer.handle([event])
