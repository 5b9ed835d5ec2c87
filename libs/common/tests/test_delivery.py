import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from common.bus.delivery import (
    HELD_FOR,
    HOLD_SECONDS,
    TRIES,
    Consumer,
    ConsumerStopped,
    Delivery,
    Held,
    Record,
    pause_after,
    replay,
)
from common.contracts.scoring import TOPIC, SignalMoved
from common.db import Database
from common.errors import Transient
from common.events import Event, Unreadable, encode
from common.uow import UnitOfWork

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def record(signal: str, *, of: int = 1) -> Record:
    data = SignalMoved(customer_id=UUID(int=of), signal=signal, move="raised", at=NOW)
    return Record(TOPIC, data.key(), encode(data, at=NOW)[1])


class Handler:
    """Claims and remembers signals; raises on those named, always or until healed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: list[str] = []
        self.attempts: list[list[str]] = []
        self.fails_on: set[str] = set()
        self.failures: Counter[str] = Counter()
        self.heals_after = 1000
        self.away = 0
        self.away_at = 0  # the number of an attempt

    async def __call__(self, events: Sequence[Event]) -> None:
        self.attempts.append([event.data.signal for event in events])
        if self.away or len(self.attempts) == self.away_at:
            self.away = max(0, self.away - 1)
            raise ConnectionError
        async with UnitOfWork(self.database) as uow:
            fresh = await uow.inbox.claim(events, consumer="test")
            signals = [event.data.signal for event in fresh]
            failing = {one for one in self.fails_on & set(signals) if self.failures[one] < self.heals_after}
            self.failures.update(failing)
            if failing:
                raise ValueError("no")
            await uow.commit()
        self.seen += signals


def delivery_of(handler: Handler, *, seconds: Callable[[], float] = time.monotonic) -> Delivery:
    return Delivery(Consumer("test", (TOPIC,), handler), handler.database, seconds=seconds)


async def parked_codes(database: Database) -> list[str]:
    async with UnitOfWork(database, reading=True) as uow:
        return [p.code for p in await uow.parked.page(state=None, kind=None, code=None, after=None, limit=100)]


async def test_events_are_handled_in_order_and_a_redelivered_one_counts_once(database: Database) -> None:
    handler = Handler(database)
    records = [record(s) for s in "abc"]
    await delivery_of(handler).deliver(records)
    await delivery_of(handler).deliver(records)
    assert handler.seen == ["a", "b", "c"]


async def test_an_unreadable_record_is_parked_and_the_others_are_handled(database: Database) -> None:
    handler = Handler(database)
    future = record("x").body.replace(b".v1", b".v9")
    broken = [Record(TOPIC, "k", b"{not json"), Record(TOPIC, "k", b"[]"), Record(TOPIC, "k", future)]
    half = Record(TOPIC, "k", record("y").body.replace(b'"signal"', b'"sgnl"'))
    await delivery_of(handler).deliver([record("a"), *broken, half, record("b")])
    assert handler.seen == ["a", "b"]
    assert sorted(await parked_codes(database)) == ["bad-envelope", "bad-json", "bad-schema", "unknown-version"]


async def test_what_is_delivered_again_is_not_parked_again(database: Database) -> None:
    handler = Handler(database)
    handler.fails_on = {"b"}
    batch = [record("b"), Record(TOPIC, "k", b"{not json", "0:7"), Record(TOPIC, "k", b"{not json", "0:8")]
    await delivery_of(handler).deliver([record("a"), *batch])
    await delivery_of(handler).deliver([record("c"), *batch])
    assert sorted(await parked_codes(database)) == ["bad-json", "bad-json", "handler-failed"]


async def test_an_event_that_was_published_twice_is_parked_once(database: Database) -> None:
    handler, bad = Handler(database), record("bad")
    unreadable = Record(TOPIC, "k", bad.body.replace(b".v1", b".v9"))
    handler.fails_on = {"bad"}
    copies = [replace(one, position=place) for one in (bad, unreadable) for place in ("0:7", "0:9")]
    await delivery_of(handler).deliver([record("a"), *copies])
    assert sorted(await parked_codes(database)) == ["handler-failed", "unknown-version"]


async def test_an_event_on_which_the_handler_fails_is_parked_alone(database: Database) -> None:
    handler = Handler(database)
    handler.fails_on = {"c"}
    await delivery_of(handler).deliver([record(s) for s in "abcdefg"])
    assert handler.seen == ["a", "b", "d", "e", "f", "g"]
    assert await parked_codes(database) == ["handler-failed"]


@pytest.mark.parametrize("place", [0, 7, 16, 31])
async def test_those_beside_a_failing_event_have_had_their_effect_before_it_is_tried_again(
    database: Database, place: int
) -> None:
    handler, records = Handler(database), [record(str(n), of=n) for n in range(32)]
    handler.fails_on = {str(place)}
    await delivery_of(handler).deliver(records)
    others = {str(n) for n in range(32)} - handler.fails_on
    assert set(handler.seen) == others and len(handler.seen) == 31  # noqa: PT018
    assert await parked_codes(database) == ["handler-failed"]
    again = handler.attempts[max(n for n, some in enumerate(handler.attempts) if others & set(some)) + 1 :]
    assert again and all(some == [str(place)] for some in again)  # noqa: PT018
    halves = 5
    assert len(handler.attempts) <= 1 + 2 * halves + TRIES


async def test_what_is_known_to_fail_is_not_tried_as_a_whole_again(database: Database) -> None:
    handler, records = Handler(database), [record(str(n), of=n) for n in range(8)]
    handler.fails_on = {"7"}
    await delivery_of(handler).deliver(records)
    assert [len(some) for some in handler.attempts] == [8, 4, 2, 1, 1, 1]
    assert handler.attempts[-2:] == [["7"], ["7"]]


async def test_an_event_that_fails_is_tried_as_often_as_ever_and_what_follows_it_under_its_key_waits(
    database: Database,
) -> None:
    handler = Handler(database)
    handler.fails_on, handler.heals_after = {"a1"}, TRIES - 1
    batch = [record(f"{who}{n}", of=ord(who)) for n in range(4) for who in "abc"]
    await delivery_of(handler).deliver(batch)
    assert await parked_codes(database) == []
    for who in "abc":
        assert [one for one in handler.seen if one[0] == who] == [f"{who}{n}" for n in range(4)]


async def test_several_failing_events_are_each_parked_and_every_key_keeps_its_order(database: Database) -> None:
    handler = Handler(database)
    keys = "abcdefgh"
    handler.fails_on = {"a0", "a1", "d3", "h5", "h4"}
    await delivery_of(handler).deliver([record(f"{who}{n}", of=ord(who)) for n in range(6) for who in keys])
    assert await parked_codes(database) == ["handler-failed"] * 5
    for who in keys:
        due = [f"{who}{n}" for n in range(6) if f"{who}{n}" not in handler.fails_on]
        assert [one for one in handler.seen if one[0] == who] == due


@pytest.mark.parametrize("attempt", range(1, 7))
async def test_when_the_database_goes_away_while_a_failing_event_is_looked_for_nothing_is_parked(
    database: Database, attempt: int
) -> None:
    handler, records = Handler(database), [record(str(n), of=n) for n in range(8)]
    handler.fails_on, handler.away_at = {"6"}, attempt
    delivery = delivery_of(handler)
    with pytest.raises(Transient):
        await delivery.deliver(records)
    assert await parked_codes(database) == []
    await delivery.deliver(records)
    assert sorted(handler.seen) == [str(n) for n in range(8) if n != 6]
    assert await parked_codes(database) == ["handler-failed"]


async def test_when_the_database_is_away_nothing_is_parked_and_the_same_records_are_tried_again(
    database: Database,
) -> None:
    handler = Handler(database)
    handler.away = 1
    records = [record(s) for s in "ab"]
    with pytest.raises(Transient):
        await delivery_of(handler).deliver(records)
    assert await parked_codes(database) == []
    await delivery_of(handler).deliver(records)
    assert handler.seen == ["a", "b"]


async def test_when_the_database_is_away_as_something_is_parked_it_comes_again(database: Database) -> None:
    handler, records = Handler(database), [record("a"), record("b")]
    handler.fails_on = {"b"}
    away = Database.connect("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    with pytest.raises(Transient):
        await Delivery(Consumer("test", (TOPIC,), handler), away).deliver(records)
    await away.dispose()
    await delivery_of(handler).deliver([*records, record("c")])
    assert await parked_codes(database) == ["handler-failed"]


async def test_a_handler_that_fails_on_everything_stops_its_consumer_and_parks_nothing(database: Database) -> None:
    handler = Handler(database)
    handler.fails_on = {str(n) for n in range(30)}
    with pytest.raises(ConsumerStopped):
        await delivery_of(handler).deliver([record(str(n)) for n in range(30)])
    assert await parked_codes(database) == []


async def test_a_handler_that_fails_on_most_events_stops_its_consumer_though_some_are_handled(
    database: Database,
) -> None:
    handler, records = Handler(database), [record(str(n), of=n) for n in range(50)]
    handler.fails_on = {str(n) for n in range(50) if n % 5}
    with pytest.raises(ConsumerStopped):
        await delivery_of(handler).deliver(records)
    assert await parked_codes(database) == []


async def test_a_handler_that_fails_on_events_that_come_singly_stops_too_and_parks_nothing(database: Database) -> None:
    handler = Handler(database)
    delivery = delivery_of(handler)
    await delivery.deliver([record(f"good {n}") for n in range(300)])
    handler.fails_on = {str(n) for n in range(30)}
    waiting: list[Record] = []
    for n in range(19):
        waiting.append(record(str(n)))  # what is held comes again, with what has come since
        for _ in range(2):
            with pytest.raises(Transient):
                await delivery.deliver(waiting)
    with pytest.raises(ConsumerStopped):
        await delivery.deliver([*waiting, record("19")])
    assert await parked_codes(database) == []


async def test_one_failing_event_alone_is_held_until_another_shows_that_the_handler_works(database: Database) -> None:
    handler = Handler(database)
    handler.fails_on = {"bad"}
    delivery, bad = delivery_of(handler), record("bad")
    with pytest.raises(Transient):
        await delivery.deliver([bad])
    assert await parked_codes(database) == []
    handler.attempts.clear()
    await delivery.deliver([bad, *(record(f"good {n}", of=2 + n) for n in range(8))])
    assert handler.attempts[0] == [f"good {n}" for n in range(8)]  # not spoilt once more by what is known to fail
    assert await parked_codes(database) == ["handler-failed"]


async def test_a_held_event_is_not_tried_again_while_nothing_else_comes(database: Database) -> None:
    handler = Handler(database)
    handler.fails_on = {"bad"}
    delivery, bad = delivery_of(handler), record("bad")
    for _ in range(5):
        with pytest.raises(Held):
            await delivery.deliver([bad])
    assert handler.attempts == [["bad"]] * TRIES
    await delivery.deliver([Record(TOPIC, "k", b"{not json")])  # of another partition, and no event at all
    with pytest.raises(Held):
        await delivery.deliver([bad])
    assert await parked_codes(database) == ["bad-json"]


async def test_a_held_event_is_parked_though_what_shows_that_the_handler_works_comes_without_it(
    database: Database,
) -> None:
    handler = Handler(database)
    handler.fails_on = {"bad", "worse"}
    delivery, bad = delivery_of(handler), record("bad")
    with pytest.raises(Held):
        await delivery.deliver([bad])
    await delivery.deliver([record("good")])  # of another partition
    await delivery.deliver([bad])
    assert await parked_codes(database) == ["handler-failed"]
    with pytest.raises(Held):
        await delivery.deliver([record("worse")])
    assert await parked_codes(database) == ["handler-failed"]


def test_a_database_that_is_away_is_asked_again_ever_later() -> None:
    assert [pause_after(Transient(), failures) for failures in range(1, 7)] == [0.05, 0.2, 1.0, 5.0, 5.0, 5.0]


def test_what_is_held_keeps_others_waiting_for_a_tenth_of_how_long_it_is_held() -> None:
    first, most = HOLD_SECONDS
    assert [pause_after(Held(held), 1) for held in (0.0, 0.05, 2.0, 40.0)] == [first, first, 0.2, most]


async def test_where_nothing_else_comes_a_failing_event_is_parked_after_a_while(database: Database) -> None:
    handler, seconds = Handler(database), [100.0]
    handler.fails_on = {"bad"}
    delivery, bad = delivery_of(handler, seconds=lambda: seconds[0]), record("bad")
    for held in (0.0, 1.0, HELD_FOR - 0.1):  # however often it comes
        seconds[0] = 100.0 + held
        with pytest.raises(Held) as error:
            await delivery.deliver([bad])
        assert error.value.seconds == pytest.approx(held)
    assert handler.attempts == [["bad"]] * TRIES
    seconds[0] = 100.0 + HELD_FOR
    await delivery.deliver([bad])
    assert await parked_codes(database) == ["handler-failed"]


async def test_events_of_no_interest_are_passed_over(database: Database) -> None:
    handler = Handler(database)
    other = record("a").body.replace(b"scoring.signal-moved", b"scoring.never-heard-of")
    await delivery_of(handler).deliver([Record(TOPIC, "k", other)])
    assert handler.seen == []
    assert await parked_codes(database) == []


async def test_a_parked_body_that_is_mended_into_no_event_that_is_read_is_not_settled(database: Database) -> None:
    handler = Handler(database)
    consumer, body = Consumer("test", (TOPIC,), handler), record("a").body.decode()
    with pytest.raises(Unreadable, match="no event that test reads"):
        await replay(consumer, body.replace("scoring.signal-moved", "scoring.never-heard-of"))
    await replay(consumer, body)
    assert handler.seen == ["a"]
