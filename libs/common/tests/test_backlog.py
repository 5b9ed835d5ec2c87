"""What waits is said in words and figures; whoever is to see to it calls itself degraded when it waits for too long."""

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from common.backlog import Backlog, Behind
from common.contracts import scoring
from common.db import Database
from common.health import Readings, backlog_checks, consumer_goes_on
from common.settings import Settings
from common.telemetry import Metrics
from common.testing import FakeClock
from common.uow import UnitOfWork


class Reader:
    """A consumer's reader that is as far behind as it is told to be."""

    stopped: str | None = None
    trouble: str | None = None

    def __init__(self, *behind: Behind, error: Exception | None = None) -> None:
        self._behind = behind
        self._error = error

    async def behind(self) -> Sequence[Behind]:
        if self._error is not None:
            raise self._error
        return self._behind


def backlog_of(database: Database, clock: FakeClock, **more: Any) -> Backlog:
    return Backlog(lambda: database, clock, more.pop("relayed", True), **more)


async def read(backlog: Backlog, *, strict: bool = True) -> Any:
    readings = Readings()
    for name, check in backlog_checks(backlog, Settings(), strict=strict).items():
        readings.add(name, check)
    return await readings.read()


async def tell(database: Database, clock: FakeClock, *, ago: float) -> None:
    at = clock() - timedelta(seconds=ago)
    async with UnitOfWork(database) as uow:
        uow.outbox.add(scoring.TierChanged(customer_id=UUID(int=1), new="MVC", rules_version="1", at=at), at=at)
        await uow.commit()


async def test_an_outbox_that_nobody_ships_degrades_a_worker_and_not_an_api(
    database: Database, clock: FakeClock
) -> None:
    await tell(database, clock, ago=61)
    await tell(database, clock, ago=1)
    backlog = backlog_of(database, clock)
    worker, api = await read(backlog), await read(backlog, strict=False)
    assert (worker.status, worker.concerns) == ("degraded", ["outbox"])
    assert worker.checks["outbox"] == "2 events before relay, the oldest for 61 s"
    assert (api.status, api.concerns, api.checks) == ("ready", [], worker.checks)


async def test_a_little_that_waits_is_said_and_degrades_nobody(database: Database, clock: FakeClock) -> None:
    await tell(database, clock, ago=59)
    found = await read(backlog_of(database, clock))
    assert found.status == "ready"
    assert found.checks["outbox"] == "1 events before relay, the oldest for 59 s"


async def test_timers_that_nobody_fires_and_a_heap_of_parked_things_are_concerns(
    database: Database, clock: FakeClock
) -> None:
    many = Settings().parked_many
    async with UnitOfWork(database) as uow:
        await uow.timers.set("look", "one", clock() - timedelta(seconds=301))
        await uow.timers.set("look", "later", clock() + timedelta(seconds=1))
        for number in range(many):
            await uow.parked.park(
                kind="event", origin="identity.v1", body=str(number), code="bad-json", problem={}, at=clock()
            )
        await uow.commit()
    found = await read(backlog_of(database, clock))
    assert found.concerns == ["parked", "timers"]
    assert found.checks["parked"] == f"{many} event/bad-json"
    assert found.checks["timers"] == "1 overdue, the oldest for 301 s"


async def test_lag_is_told_by_topic_and_that_the_broker_does_not_say_is_told_as_well(
    database: Database, clock: FakeClock
) -> None:
    late = Reader(Behind("scoring", "identity.v1", 7, 61.0), Behind("scoring", "interactions.v1", 0, 0.0))
    backlog = backlog_of(database, clock, consumers=[late])
    found, metrics = await read(backlog), Metrics()
    assert found.checks["lag"] == "7 events before scoring, the oldest for 61 s"
    await backlog.tell(metrics)
    value = metrics.registry.get_sample_value
    assert value("hilo_consumer_lag_events", {"consumer": "scoring", "topic": "identity.v1"}) == 7
    assert value("hilo_consumer_lag_seconds", {"consumer": "scoring", "topic": "identity.v1"}) == 61
    assert value("hilo_consumer_lag_events", {"consumer": "scoring", "topic": "interactions.v1"}) == 0
    away = await read(backlog_of(database, clock, consumers=[Reader(error=ConnectionError())]))
    assert (away.concerns, away.checks["lag"]) == (["lag"], "not known: ConnectionError")


async def test_what_is_not_known_any_more_does_not_stand_at_its_last_figure(
    database: Database, clock: FakeClock
) -> None:
    reader = Reader(Behind("scoring", "identity.v1", 0, 0.0))
    backlog, metrics = backlog_of(database, clock, consumers=[reader]), Metrics()
    value, lag = metrics.registry.get_sample_value, {"consumer": "scoring", "topic": "identity.v1"}
    await backlog.tell(metrics)
    assert value("hilo_consumer_lag_events", lag) == value("hilo_timers_overdue") == 0
    reader._error = ConnectionError()  # the broker goes away
    clock.advance(timedelta(seconds=2))
    await backlog.tell(metrics)
    assert value("hilo_consumer_lag_events", lag) is value("hilo_consumer_lag_seconds", lag) is None
    assert value("hilo_outbox_waiting_events", {"reader": "relay"}) == 0
    backlog.database = lambda: None  # and then the database
    clock.advance(timedelta(seconds=2))
    with pytest.raises(ConnectionError):
        await backlog.tell(metrics)
    assert value("hilo_outbox_waiting_events", {"reader": "relay"}) is None
    assert math.isnan(value("hilo_timers_overdue") or 0)


async def test_what_was_parked_once_is_gone_from_the_figures_when_it_is_settled(
    database: Database, clock: FakeClock
) -> None:
    async with UnitOfWork(database) as uow:
        item = await uow.parked.park(kind="event", origin="x", body="{}", code="bad-json", problem={}, at=clock())
        await uow.commit()
    backlog, metrics = backlog_of(database, clock), Metrics()
    labels = {"kind": "event", "code": "bad-json"}
    await backlog.tell(metrics)
    assert metrics.registry.get_sample_value("hilo_parked", labels) == 1
    async with UnitOfWork(database) as uow:
        await uow.parked.settle(item, state="dropped", by="test", reason="a test", at=clock())
        await uow.commit()
    clock.advance(timedelta(seconds=2))
    await backlog.tell(metrics)
    assert metrics.registry.get_sample_value("hilo_parked", labels) is None


async def test_a_consumer_that_stopped_takes_a_worker_out_and_one_that_waits_degrades_it() -> None:
    async def verdict(reader: Reader, *, needed: bool) -> tuple[str, str]:
        readings = Readings()
        readings.add("consumer", consumer_goes_on(lambda: [reader], needed=needed))
        found = await readings.read()
        return found.status, found.checks["consumer"]

    reader = Reader()
    assert await verdict(reader, needed=True) == ("ready", "ok")
    reader.trouble = "KafkaConnectionError"
    assert await verdict(reader, needed=True) == ("degraded", "waits: KafkaConnectionError")
    reader.trouble, reader.stopped = None, "fails on most events: ValueError"
    assert await verdict(reader, needed=True) == ("not-ready", "fails on most events: ValueError")
    assert await verdict(reader, needed=False) == ("degraded", "fails on most events: ValueError")


async def test_questions_at_once_cost_one_look(database: Database, clock: FakeClock) -> None:
    class Counted(Reader):
        asked = 0

        async def behind(self) -> Sequence[Behind]:
            self.asked += 1
            await asyncio.sleep(0.01)
            return ()

    reader = Counted()
    backlog = backlog_of(database, clock, consumers=[reader])
    await asyncio.gather(*(backlog.read() for _ in range(5)))
    assert reader.asked == 1
