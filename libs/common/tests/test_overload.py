"""Too much at once is refused at the door, and nobody waits for a database that is away."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from common.db import Database
from common.overload import FEWEST, DatabaseAway, Gate, Overloaded
from common.telemetry import Metrics


class Watch:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def gate(watch: Watch | None = None, **changes: Any) -> tuple[Gate, Metrics]:
    metrics = Metrics()
    given: dict[str, Any] = {"most_requests": 512, "most_bytes": 1000, "longest_wait": 1.0, "metrics": metrics}
    return Gate(**{**given, **changes}, clock=watch or Watch()), metrics


async def test_one_request_more_than_the_limit_is_refused_and_counted() -> None:
    door, metrics = gate(most_requests=2)
    async with door.admit(1), door.admit(1):
        with pytest.raises(Overloaded):
            door.admit(1)
    async with door.admit(1):
        pass
    assert metrics.registry.get_sample_value("hilo_requests_shed_total", {"reason": "requests"}) == 1
    assert metrics.registry.get_sample_value("hilo_requests_in_flight") == 0


async def test_bodies_that_are_too_many_bytes_together_are_refused_but_a_single_one_never() -> None:
    door, metrics = gate()
    async with door.admit(5000):
        with pytest.raises(Overloaded):
            door.admit(1)
    async with door.admit(600):
        async with door.admit(100) as unannounced:
            unannounced.grow(300)
            with pytest.raises(Overloaded):
                unannounced.grow(1)
        async with door.admit(400):
            pass
    assert metrics.registry.get_sample_value("hilo_requests_shed_total", {"reason": "bytes"}) == 2


async def test_where_requests_stay_too_long_only_as_many_come_in_as_leave_and_all_again_once_they_are_quick() -> None:
    watch = Watch()
    door, _ = gate(watch)

    async def crowd(size: int, seconds: float) -> int:
        inside, refused = [], 0
        for _ in range(size):
            try:
                inside.append(await door.admit(0).__aenter__())
            except Overloaded:
                refused += 1
        watch.now += seconds
        for passage in inside:
            await passage.__aexit__(None, None, None)
        return refused

    assert await crowd(300, 3.0) == 0  # nothing is known yet
    assert await crowd(300, 3.0) == 300 - FEWEST  # twenty a second leave: that is fewer than are always let in
    for _ in range(4):
        await crowd(10, 0.6)
    assert await crowd(300, 0.6) == 0


@pytest.mark.parametrize(("leave", "refused"), [(4, True), (40, False)])
async def test_a_queue_that_will_take_too_long_is_known_before_anybody_has_waited_for_so_long(
    leave: int, *, refused: bool
) -> None:
    """Many are inside, and in each half second so many leave, none of whom has been there for more than a second."""
    watch = Watch()
    door, _ = gate(watch)
    inside = [await door.admit(0).__aenter__() for _ in range(120)]
    for step in (0.49, 0.01, 0.49, 0.01):
        watch.now += step
        for passage in [inside.pop() for _ in range(leave // 2)]:
            await passage.__aexit__(None, None, None)
    if refused:
        with pytest.raises(Overloaded):
            door.admit(0)
    else:
        inside.append(await door.admit(0).__aenter__())
    for passage in inside:
        await passage.__aexit__(None, None, None)


async def test_whoever_waits_for_a_database_that_does_not_answer_is_sent_away_and_a_slow_answer_is_waited_for() -> None:
    answers = True

    async def probe(_: float) -> bool:
        return answers

    door = Gate(most_requests=9, most_bytes=9, longest_wait=9.0, metrics=Metrics(), probe=probe)

    async def ask(seconds: float) -> None:
        async with door.admit(0):
            await asyncio.sleep(seconds)

    await ask(3.5)
    answers = False
    began = time.monotonic()
    with pytest.raises(DatabaseAway):
        await ask(60)
    assert time.monotonic() - began < 30.0  # it would have taken a minute


@pytest.mark.real
async def test_the_first_statement_after_the_server_cut_all_connections_succeeds(postgres_server: Any) -> None:
    url = postgres_server.url("postgres")
    database = Database.connect(url)
    try:
        sessions = [database.session() for _ in range(3)]
        for session in sessions:
            await session.execute(text("SELECT 1"))
        for session in sessions:
            await session.close()
        killer = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
            )
            await asyncio.sleep(0.2)
        finally:
            await killer.close()
        for _ in range(4):
            async with database.session() as session:
                assert await session.scalar(text("SELECT 1")) == 1
        assert await database.answers(2.0)
    finally:
        await database.dispose()


async def test_a_server_that_is_not_there_does_not_answer() -> None:
    database = Database.connect("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    assert not await database.answers(1.0)
    await database.dispose()
