"""Scoring's rows are built anew from the log while the old ones answer, and nothing is lost or counted twice meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, insert, text

from common.bus.delivery import Record, replay
from common.bus.history import OutboxHistory
from common.bus.local import LocalReader
from common.db import Database, outbox_table
from common.events import EventData, encode
from common.parked import ParkedItem
from common.rebuild import LogTooShort, Progress, RebuildUnderWay, alone
from common.service import rebuild_projections
from common.testing import FakeClock, waits_empty_handed
from common.uow import UnitOfWork
from scoring.service import SERVICE
from scoring.worker import create_consumer

from .conftest import Scoring, customer, linked, purchase, retraction, scoring_on

CUSTOMERS = 12
TABLES = {
    "day_value": "trace_id, day, currency, entries, purchases, revenue",
    "category_value": "trace_id, category, purchases",
    "trace_link": "trace_id, customer_id, revision",
    "customer": "customer_id, state, revision",
    "standing": "customer_id, tier, abc, frequency, revenue, profitability, ranked_profit",
}


class System:
    """Two sources that tell, and scoring that listens to both."""

    def __init__(self, scoring: Scoring, sources: dict[str, Database]) -> None:
        self.scoring = scoring
        self.sources = sources
        self.reader = LocalReader(
            create_consumer(scoring.runtime), scoring.database, sources, clock=scoring.runtime.clock
        )

    async def tell(self, source: str, *data: EventData) -> None:
        async with UnitOfWork(self.sources[source]) as uow:
            uow.outbox.add_all(data, at=self.scoring.clock())
            await uow.commit()

    async def settle(self) -> None:
        await self.reader.drain()
        for _ in range(3):
            self.scoring.clock.advance(timedelta(seconds=2))
            await self.scoring.timers.drain()

    async def rebuild(self, **more: Any) -> int:
        history = OutboxHistory(self.sources, create_consumer(self.scoring.runtime).topics)
        async with history:
            return await rebuild_projections(
                SERVICE, self.scoring.runtime, history, tell=more.pop("tell", lambda _: None), **more
            )

    async def reader_applies(self) -> int:
        """How many events have their effect only now."""
        async with self.scoring.uow() as uow:
            before = await uow.session.scalar(text("SELECT count(*) FROM inbox"))
        await self.reader.drain()
        async with self.scoring.uow() as uow:
            return int(await uow.session.scalar(text("SELECT count(*) FROM inbox")) - before)

    async def rows(self) -> dict[str, list[Any]]:
        found = {}
        async with self.scoring.database.session(reading=True) as session:
            for table, columns in TABLES.items():
                query = text(f"SELECT {columns} FROM {table}")
                found[table] = sorted(map(str, (await session.execute(query)).all()))
        return found

    async def parked(self) -> list[ParkedItem]:
        async with self.scoring.uow() as uow:
            return await uow.parked.page(state="parked", kind=None, code=None, after=None, limit=9)

    async def do(self, *statements: str) -> None:
        async with self.scoring.database.engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))


@pytest.fixture
async def pair(make_database: Callable[[str], Awaitable[Database]], clock: FakeClock) -> tuple[System, System]:
    """The same sources told to one that will be corrupted and to one that never is."""
    sources = {"interactions": await make_database("scoring"), "identity": await make_database("scoring")}
    one, twin = [System(scoring_on(await make_database("scoring"), clock), sources) for _ in range(2)]
    for number in range(1, CUSTOMERS + 1):
        trace, who = UUID(int=number << 80), UUID(int=number << 90)
        await one.tell("identity", linked((trace, who, 1)), customer(who))
        bought = [purchase(trace, f"2026-{month:02}-05", 1000 * number, category="shoes") for month in range(1, 11)]
        await one.tell("interactions", *bought, retraction(bought[0]))
    await one.settle()
    await twin.settle()
    return one, twin


DAMAGE = (
    "UPDATE day_value SET revenue = revenue + 500000 WHERE revenue > 5000",
    "DELETE FROM category_value WHERE purchases = 9",
    "UPDATE trace_link SET customer_id = NULL",
    "DELETE FROM customer",
    "UPDATE standing SET tier = 'MVC', revenue = 1",
    "DELETE FROM standing WHERE abc = 'A'",
)


async def test_what_was_corrupted_is_right_again_and_the_old_rows_answer_meanwhile(pair: tuple[System, System]) -> None:
    one, twin = pair
    await one.do(*DAMAGE)
    assert await one.rows() != await twin.rows()
    stop, answers, told = asyncio.Event(), 0, 0

    async def customers_go_on() -> None:
        nonlocal told
        while not stop.is_set():
            number = told % CUSTOMERS + 1
            await one.tell("interactions", purchase(UUID(int=number << 80), "2026-11-02", 777))
            told += 1
            await asyncio.sleep(0.01)

    async def somebody_asks() -> None:
        nonlocal answers
        while not stop.is_set():
            async with one.scoring.database.session(reading=True) as session:
                assert await session.scalar(text("SELECT count(*) FROM standing")) > 0
            answers += 1
            await asyncio.sleep(0.005)

    heard: list[Progress] = []
    live = [asyncio.create_task(one.reader.run(stop)), asyncio.create_task(customers_go_on())]
    live.append(asyncio.create_task(somebody_asks()))
    try:
        count = await one.rebuild(tell=heard.append)
    finally:
        stop.set()
        await asyncio.gather(*live)
    assert told > 5
    assert answers > 5
    assert count >= CUSTOMERS * 13
    assert heard[-1].handled + heard[-1].remaining > 0
    await one.settle()
    await twin.settle()
    assert await one.rows() == await twin.rows()


async def test_a_rebuild_that_is_broken_off_leaves_what_was_there_and_the_next_one_begins_anew(
    pair: tuple[System, System],
) -> None:
    one, twin = pair
    before = await one.rows()

    def break_off(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await one.rebuild(tell=break_off)
    assert await one.rows() == before
    await one.do(*DAMAGE)
    await one.rebuild()
    await one.settle()
    assert await one.rows() == await twin.rows()


async def test_one_rebuild_at_a_time_and_the_next_when_that_has_ended(pair: tuple[System, System]) -> None:
    one, twin = pair
    await one.do(*DAMAGE)
    async with alone(one.scoring.database):
        with pytest.raises(RebuildUnderWay):
            await one.rebuild()
    ends = await asyncio.gather(one.rebuild(), one.rebuild(), return_exceptions=True)
    assert [type(end) for end in ends if isinstance(end, BaseException)] == [RebuildUnderWay]
    await one.settle()
    assert await one.rows() == await twin.rows()


async def test_what_is_wrong_is_told_once_more_under_a_higher_revision(pair: tuple[System, System]) -> None:
    one, _ = pair
    who = UUID(int=3 << 90)
    right = await one.scoring.value(who)
    await one.do("UPDATE day_value SET revenue = 1 WHERE revenue > 0")
    await one.tell("interactions", purchase(UUID(int=3 << 80), "2026-11-03", 5))
    await one.settle()
    wrong = await one.scoring.value(who)
    await one.rebuild()
    await one.settle()
    again = await one.scoring.value(who)
    assert wrong["value"]["revenue"] != right["value"]["revenue"]
    assert int(again["revision"]) > int(wrong["revision"])
    assert again["value"]["revenue"] not in (right["value"]["revenue"], wrong["value"]["revenue"])
    assert (await one.scoring.standing(who)).revenue == 3 * 1000 * 9 + 5


@pytest.mark.parametrize(("hours", "left"), [(0, 1), (2, 0)])
async def test_what_is_still_to_be_heard_is_left_to_the_worker_and_what_it_missed_is_made_up_for(
    pair: tuple[System, System], hours: int, left: int
) -> None:
    one, twin = pair
    await one.tell("interactions", purchase(UUID(int=3 << 80), "2026-11-03", 5))
    one.scoring.clock.advance(timedelta(hours=hours))
    await one.rebuild()
    assert await one.reader_applies() == left
    await one.settle()
    await twin.settle()
    assert await one.rows() == await twin.rows()


class HeardMeanwhile(OutboxHistory):
    """After the first reading, while nothing is held yet, the live consumer hears what was left to it; what then?"""

    def __init__(self, one: System, then: Callable[[], None]) -> None:
        super().__init__(one.sources, create_consumer(one.scoring.runtime).topics)
        self._one, self._then, self._asked = one, then, 0

    async def remaining(self) -> int:
        self._asked += 1
        if self._asked == 2:
            assert await self._one.reader_applies() == 1
            self._then()
        return await super().remaining()


def failing_once_at(database: Database, words: str) -> Callable[[], bool]:
    """The connection breaks at the next statement that begins so; gives whether it did."""
    broken = False

    def break_off(*given: Any) -> None:
        nonlocal broken
        if given[2].startswith(words) and not broken:
            broken = True
            raise ConnectionError

    event.listen(database.engine.sync_engine, "before_cursor_execute", break_off)
    return lambda: broken


@pytest.mark.parametrize("at", ["SELECT inbox.event_id", "INSERT INTO {live}.timer ("])
async def test_what_is_heard_before_the_places_are_changed_is_there_when_that_takes_two_tries(
    pair: tuple[System, System], at: str
) -> None:
    one, twin = pair
    words = at.format(live="main" if one.scoring.database.dialect == "sqlite" else "public")
    await one.tell("interactions", purchase(UUID(int=3 << 80), "2026-11-03", 5))
    tries = []
    async with HeardMeanwhile(one, lambda: tries.append(failing_once_at(one.scoring.database, words))) as history:
        await rebuild_projections(SERVICE, one.scoring.runtime, history, tell=lambda _: None)
    assert tries[0]()
    assert await one.reader_applies() == 0
    await one.settle()
    await twin.settle()
    assert await one.rows() == await twin.rows()


async def test_what_is_heard_after_a_change_of_places_whose_commit_was_not_answered_counts_once(
    pair: tuple[System, System],
) -> None:
    one, twin = pair
    heard_later: list[asyncio.Task[None]] = []

    def unanswered() -> None:
        if not heard_later:
            heard_later.append(asyncio.create_task(one.settle()))
            raise ConnectionError

    await one.tell("interactions", purchase(UUID(int=3 << 80), "2026-11-03", 5))
    one.scoring.database.on_commit(unanswered)
    await one.rebuild()
    assert heard_later
    await asyncio.gather(*heard_later)
    await one.settle()
    await twin.settle()
    assert await one.rows() == await twin.rows()


async def test_what_was_published_twice_and_is_still_to_be_heard_is_left_to_the_worker(
    pair: tuple[System, System],
) -> None:
    one, twin = pair

    class PublishedTwice(OutboxHistory):
        async def batches(self) -> AsyncIterator[list[Record]]:
            async for records in super().batches():
                yield [*records, *map(replace, records)]

    await one.tell("interactions", purchase(UUID(int=3 << 80), "2026-11-03", 5))
    async with PublishedTwice(one.sources, create_consumer(one.scoring.runtime).topics) as history:
        await rebuild_projections(SERVICE, one.scoring.runtime, history, tell=lambda _: None)
    assert await one.reader_applies() == 1
    await one.settle()
    await twin.settle()
    assert await one.rows() == await twin.rows()


async def test_one_process_may_rebuild_again_and_again(pair: tuple[System, System]) -> None:
    one, twin = pair
    for _ in range(3):
        await one.do(*DAMAGE)
        await one.rebuild()
        await one.settle()
        assert await one.rows() == await twin.rows()


async def test_an_event_that_was_parked_mended_and_replayed_counts_in_what_is_built_anew(
    pair: tuple[System, System],
) -> None:
    one, _ = pair
    told, at = purchase(UUID(int=1 << 80), "2026-03-05", 70_000), one.scoring.clock()
    event_id, body = encode(told, at=at)
    spoilt = body.decode().replace('"minor":70000', '"minor":"much"')
    row = {"id": event_id, "aggregatetype": told.topic, "aggregateid": told.key(), "type": told.type, "at": at}
    source = one.sources["interactions"]
    place = {"xid": 0} if source.dialect == "sqlite" else {}
    async with source.engine.begin() as connection:
        await connection.execute(insert(outbox_table).values({**row, **place, "payload": spoilt}))
    await one.reader.drain()
    [parked] = await one.parked()
    async with UnitOfWork(one.scoring.database) as uow:
        await uow.parked.repair(parked.id, body=body.decode(), version=1, by="ops", at=at)
        await uow.commit()
    await replay(create_consumer(one.scoring.runtime), body.decode())
    async with UnitOfWork(one.scoring.database) as uow:
        await uow.parked.settle(parked.id, state="replayed", by="ops", reason=None, at=at)
        await uow.commit()
    await one.settle()
    before = await one.rows()
    assert any("70000" in row or "71000" in row for row in before["day_value"])
    await one.rebuild()
    await one.settle()
    assert await one.rows() == before
    assert await one.parked() == []


async def test_sums_under_random_keys_stay_though_no_event_tells_of_them(pair: tuple[System, System]) -> None:
    one, _ = pair
    key = uuid4()
    written = key.hex if one.scoring.database.dialect == "sqlite" else str(key)
    zeros = "entries, purchases, returns, quantity, revenue, cost_of_goods, contacts, contact_cost, quotes, quotes_won, quotes_lost, payments, paid"
    await one.do(
        f"INSERT INTO day_value (trace_id, day, currency, {zeros}) "
        f"VALUES ('{written}', '2026-01-05', 'COP', 1, 1, 0, 0, 4321, 0, 0, 0, 0, 0, 0, 0, 0)"
    )
    await one.rebuild()
    async with one.scoring.database.session(reading=True) as session:
        assert await session.scalar(text("SELECT revenue FROM day_value WHERE revenue = 4321")) == 4321


async def test_where_the_log_has_lost_its_beginning_sums_are_left_alone_and_states_are_mended(
    pair: tuple[System, System],
) -> None:
    one, twin = pair
    await one.do("UPDATE trace_link SET customer_id = NULL")
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(one.sources["interactions"].engine.begin())
        await connection.execute(text("DELETE FROM outbox WHERE seq <= 100"))
        await connection.execute(text("UPDATE outbox SET seq = seq + 5000"))
    with pytest.raises(LogTooShort):
        await one.rebuild()
    await one.rebuild(short_log=True)
    assert await one.rows() == await twin.rows()


async def test_a_consumer_that_waits_for_a_rebuild_holds_nothing_that_it_needs(scoring: Scoring) -> None:
    trace, who = uuid4(), uuid4()
    await scoring.hear(linked((trace, who, 1)))
    tables = SERVICE.projections.when_whole().replaced if SERVICE.projections else ()
    await waits_empty_handed(scoring.database, tables, scoring.hear(purchase(trace, "2026-11-10", 10_000)))
    assert (await scoring.value(who))["value"]["revenue"]
