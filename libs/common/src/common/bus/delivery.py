"""From records to effects: what is readable is handled, what cannot be handled is parked, and nothing is skipped.

Three outcomes, three names. *Done*: the handler committed. *Transient*: the database or the broker is away; the same records
are delivered again. *Parked*: everything else; the batch is halved by keys until the one event that fails is alone, and what
stood beside it is handled before it is halved further, so that the others hardly wait. It is tried a few times in all, then
kept with its reason. If most events fail it is our deploy that is bad, not the events: the consumer stops, parks nothing, and
says so. Where events come one by one, a failing one is held until another has shown that the handler works, or a while has
passed: a bad deploy would park them away singly.
"""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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

TRIES = 3  # of an event that fails, in company or alone; the last one alone
JUDGED_EVENTS = 200  # how many recent outcomes decide whether the consumer itself is broken
FEWEST_FAILURES = 20
HOLD_SECONDS = (0.01, 0.5)  # how long a held event keeps whoever comes next waiting: first, and at the most
HELD_FOR = 45.0  # seconds in which nothing succeeds, before what has failed is parked all the same
BACK_OFF = (0.05, 0.2, 1.0, 5.0)

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

    @property
    def wanted(self) -> frozenset[str]:
        """The types of the events that are read."""
        known = frozenset(cls.type for cls in registered(self.topics))
        return known if self.types is None else known & self.types


Batch = list[tuple[Record, Event]]
Failed = tuple[Record, str, str]  # with its code and words


class ConsumerStopped(Exception):  # noqa: N818 - a decision, not an accident
    """Most events fail: parking them all would hide a bad deploy. Nothing was parked; the offsets stay."""


class Held(Transient):
    """Nothing came but what has failed: it waits for an event that shows that the handler works, and has done so for `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__("held until another event has been handled")
        self.seconds = seconds


def pause_after(failure: Transient, failures: int) -> float:
    """Seconds until a reader delivers the same again, after so many failures in a row.

    What is held keeps others waiting for no more than a tenth of how long it has been held.
    """
    if isinstance(failure, Held):
        first, most = HOLD_SECONDS
        return min(max(first, failure.seconds / 10), most)
    return BACK_OFF[min(failures, len(BACK_OFF)) - 1]


class Delivery:
    """Delivers records to one consumer of one service, and parks what it cannot handle in that service's database."""

    def __init__(
        self,
        consumer: Consumer,
        database: Database,
        *,
        clock: Clock = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.consumer = consumer
        self.wanted = consumer.wanted
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self._outcomes: deque[bool] = deque(maxlen=JUDGED_EVENTS)
        self._suspects: set[UUID] = set()  # failed since the last success: it may be the handler
        self._to_blame: set[UUID] = set()  # held, and others were handled since: parked when they fail again
        self._held_since: float | None = None
        self._reason = ""

    async def deliver(self, records: Sequence[Record]) -> None:
        """Handle the records, in order. When it returns, each has had its effect, is of no interest, or is parked.

        Raises Transient (Held is one) if the same records should be delivered again later, ConsumerStopped if the consumer must not go on.
        """
        failed: list[Failed] = []
        readable: Batch = []
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
        if readable and self._held_since is not None and all(event.id in self._suspects for _, event in readable):
            self._hold()
        known = self._suspects | self._to_blame
        held, others = _parted(readable, {_place(one) for one in readable if one[1].id in known})
        unhandled = [*await self._handle(others), *await self._handle(held)]
        self._hold_if_suspicious(len(readable), len(unhandled))
        for topic, handle in self.consumer.raw.items():
            mine = [record for record in records if record.topic == topic]
            if mine:
                await self._transient_or_raise(handle(mine))
        if failed or unhandled:
            await self._park([*failed, *unhandled])
        self._to_blame.difference_update(event.id for _, event in readable)

    def _hold_if_suspicious(self, events: int, unhandled: int) -> None:
        """Where nothing at all succeeded, wait for an event that does. Raises Held, or ConsumerStopped where none comes."""
        if unhandled < events:
            self._to_blame |= self._suspects
            self._suspects.clear()
            self._held_since = None
        elif len(self._suspects) >= FEWEST_FAILURES:
            self._stop()
        elif unhandled and self._suspects:
            if self._held_since is None:
                log.warning("event_held", consumer=self.consumer.name, reason=self._reason)
            self._hold()
            self._held_since = None

    def _hold(self) -> None:
        """Raises Held, unless it has been held for long enough."""
        if self._held_since is None:
            self._held_since = self._seconds()
        held_for = self._seconds() - self._held_since
        if held_for < HELD_FOR:
            raise Held(held_for)

    async def _transient_or_raise(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            if is_transient(error):
                raise Transient(type(error).__name__) from error
            raise

    async def _handle(self, batch: Batch, *, failures: int = 0) -> list[Failed]:
        """Handle a batch, which was part of so many failures; gives those that alone, and tried again, still fail."""
        error = await self._attempt(batch) if batch else None
        if error is None:
            return []
        if not failures and len(batch) > 1:
            log.error("batch_failed", consumer=self.consumer.name, events=len(batch), exc_info=error)
        return await self._narrow(batch, failures=failures + 1)

    async def _narrow(self, batch: Batch, *, failures: int) -> list[Failed]:
        """The same for a batch that is known to fail: all but what fails alone has had its effect before that is tried again."""
        if len(batch) == 1:
            return await self._alone(*batch[0], failures=failures)
        first, second = _halves(batch)
        if await self._attempt(first) is None:
            return await self._narrow(second, failures=failures)
        if _place(first[-1]) == _place(second[0]):  # of one key: in its order
            return [*await self._narrow(first, failures=failures + 1), *await self._handle(second, failures=failures)]
        others = await self._handle(second, failures=failures)
        return [*await self._narrow(first, failures=failures + 1), *others]

    async def _alone(self, record: Record, event: Event, *, failures: int) -> list[Failed]:
        """What is left of its tries, at least one; when all have failed, it is judged whether it is the event or the handler."""
        error: Exception | None = None
        for _ in range(max(1, TRIES - failures)):
            error = await self._attempt([(record, event)])
            if error is None:
                return []
        log.error("event_failed", consumer=self.consumer.name, event_id=str(event.id), exc_info=error)
        if event.id not in self._suspects | self._to_blame:  # one that is held counts once; one more is waited for anew
            self._suspects.add(event.id)
            self._outcomes.append(False)
            self._held_since = None
        self._reason = type(error).__name__
        self._stop_if_broken()
        return [(record, "handler-failed", f"{type(error).__name__}: {self.consumer.name}")]

    async def _attempt(self, batch: Batch) -> Exception | None:
        """Have the batch handled; gives what the handler raised, if it did. Raises Transient."""
        token = correlation_id.set(batch[0][1].correlation_id)
        try:
            await self._transient_or_raise(self.consumer.handle([event for _, event in batch]))
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is judged here
            return error
        finally:
            correlation_id.reset(token)
        self._outcomes.extend([True] * len(batch))
        return None

    def _stop_if_broken(self) -> None:
        failures = self._outcomes.count(False)
        if failures >= FEWEST_FAILURES and failures * 2 > len(self._outcomes):
            self._stop()

    def _stop(self) -> None:
        self._outcomes.clear()
        self._suspects.clear()
        self._held_since = None
        raise ConsumerStopped(f"{self.consumer.name} fails on most events: {self._reason}")

    async def _park(self, failed: list[Failed]) -> None:
        try:
            async with UnitOfWork(self._database) as uow:
                # Parking is an effect as well: what is delivered again must not be parked again.
                firsts = {_identity(one[0]): one for one in reversed(failed)}  # one batch may hold copies
                fresh = await uow.inbox.claim_ids(firsts, consumer=f"{self.consumer.name}:parked")
                failed = [one for identity, one in reversed(firsts.items()) if identity in fresh]
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


def _place(one: tuple[Record, Event]) -> tuple[str, str]:
    """Where order is kept: the topic and the key."""
    return one[0].topic, one[0].key


def _parted(batch: Batch, places: Collection[tuple[str, str]]) -> tuple[Batch, Batch]:
    """Those of these places, and the others, each in their order."""
    return [one for one in batch if _place(one) in places], [one for one in batch if _place(one) not in places]


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    """About half of it each, and every key in one of them; where there is but one key, the earlier and the later half."""
    sizes = Counter(map(_place, batch))
    if len(sizes) == 1:
        return batch[: len(batch) // 2], batch[len(batch) // 2 :]
    places: set[tuple[str, str]] = set()
    taken = 0
    for place, size in list(sizes.items())[:-1]:
        if taken and (taken + size) * 2 > len(batch):
            break
        places.add(place)
        taken += size
    return _parted(batch, places)


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
    event = decode(body.encode(), wanted=consumer.wanted)
    if event is None:  # it was read when it came, or it would not be parked
        raise Unreadable("unknown-type", f"no event that {consumer.name} reads")
    await consumer.handle([event])
