"""Yesterday's copy of one service comes back while the others have gone on: afterwards all agree again, on both stacks."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest
from sqlalchemy import select
from tests.chaos.checks import Checker
from tests.chaos.ledger import Ledger

from common.db import Database, outbox_table
from hilo.again import republish_embedded
from hilo.backup import back_up, restore
from hilo.native.roles import Service

from .people import Person
from .systems import Caller, Embedded, Native, embedded, native, until

PRICE = 1_000
# What identity tells anew, and whoever learns of people from interactions: kept for days only, so the owner tells it.
OTHERS_TOPICS = {
    "identity": ("interactions.v1",),
    "scoring": ("interactions.v1", "identity.v1"),
    "service-audit": ("interactions.v1", "identity.v1"),
}
# Who became a customer since the copy has got a new id: the others still know the former one, of whom nobody is part any
# more. What was told of people before came again under new ids.
LOST_WITH_IDENTITY = {
    "effects in identity", "customers in interactions, too many", "customers in scoring, too many",
    "customers in service-audit, too many", "parts of the resume, too many",
}  # fmt: skip


class Keeper(Protocol):
    """Whoever looks after a stack: takes copies of its services, and puts them back by the book."""

    system: Any

    def back_up(self) -> None: ...

    def stopped(self, service: str) -> AbstractContextManager[None]:
        """Nobody works on it meanwhile; at the end it is started again."""
        ...

    def restore(self, service: str) -> None:
        """Its database becomes what it was when it was copied, while it is stopped."""
        ...

    def lose(self, service: str) -> None:
        """Its database is gone altogether, while it is stopped; it begins with an empty one."""
        ...

    def catch_up(self, service: str, *, from_the_copy: bool) -> None:
        """Once it is started, it is given what it has not heard any more."""
        ...

    def tell_anew(self, kind: str) -> None:
        """Identity tells a part of its state anew."""
        ...

    def url(self, service: str) -> str: ...


@dataclass
class EmbeddedKeeper:
    """`hilo backup`; stop, `hilo restore`, start."""

    system: Embedded
    folder: Path

    def back_up(self) -> None:
        back_up(self.system.var, self.folder, now=datetime.now(UTC))

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:  # noqa: ARG002 - one process for all
        self.system.process.stop()
        yield
        self.system.process = self.system._started()

    def restore(self, service: str) -> None:
        restore(self.folder, self.system.var, services=[service], now=datetime.now(UTC))

    def lose(self, service: str) -> None:
        for file in self.system.var.glob(f"{service}.db*"):
            file.unlink()

    def catch_up(self, service: str, *, from_the_copy: bool) -> None:
        """It does so by itself."""

    def tell_anew(self, kind: str) -> None:
        asyncio.run(republish_embedded(self.system.var, "identity", kind))

    def url(self, service: str) -> str:
        return f"sqlite+aiosqlite:///{self.system.var}/{service}.db"


@dataclass
class NativeKeeper:
    """pg_dump; stop the service, pg_restore, start it, and give it once more what it has heard since."""

    system: Native
    folder: Path
    taken_at: datetime | None = None

    def back_up(self) -> None:
        self.taken_at = datetime.now(UTC)
        self.folder.mkdir()
        for service in self.system.stack.services:
            self._run("pg_dump", "--format=custom", f"--file={self._copy(service)}", service.database)

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        for role in (f"{service}-worker", f"{service}-api"):
            self.system.stack.stop(role)
        yield
        for role in (f"{service}-api", f"{service}-worker"):
            self.system.stack.start(role)

    def restore(self, service: str) -> None:
        one = self._empty(service)
        self._run("pg_restore", "--exit-on-error", f"--dbname={one.database}", str(self._copy(one)))

    def lose(self, service: str) -> None:
        self._command(self._empty(service), "migrate")

    def catch_up(self, service: str, *, from_the_copy: bool) -> None:
        assert self.taken_at is not None
        since = ["--from", (self.taken_at - timedelta(hours=1)).isoformat()] if from_the_copy else []
        for topic in OTHERS_TOPICS[service]:
            self._command(self._service(service), "replay", "--topic", topic, *since)
        if service == "identity":
            self._command(self._service("interactions"), "republish", "people")

    def tell_anew(self, kind: str) -> None:
        self._command(self._service("identity"), "republish", kind)

    def url(self, service: str) -> str:
        return self.system.stack.postgres.url(self._service(service).database)

    def _empty(self, name: str) -> Service:
        service = self._service(name)
        self._run("dropdb", "--force", service.database)
        self._run("createdb", service.database)
        return service

    def _service(self, name: str) -> Service:
        return next(each for each in self.system.stack.services if each.name == name)

    def _copy(self, service: Service) -> Path:
        return self.folder / f"{service.database}.dump"

    def _run(self, tool: str, *arguments: str) -> None:
        server = self.system.stack.postgres
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "hilo", "PGPASSWORD": server.password}
        subprocess.run([server.binaries / tool, *arguments], env=os.environ | where, check=True)

    def _command(self, service: Service, *arguments: str) -> None:
        subprocess.run(service.command(*arguments), env=self.system.stack.environment(service), check=True)


@pytest.fixture(params=["embedded", pytest.param("native", marks=pytest.mark.real)])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeper]:
    if request.param == "embedded":
        with embedded(tmp_path) as system:
            yield EmbeddedKeeper(system, tmp_path / "yesterday")  # type: ignore[arg-type]
        return
    request.getfixturevalue("postgres_server")
    request.getfixturevalue("kafka_server")
    with native() as system:
        yield NativeKeeper(system, tmp_path / "yesterday")  # type: ignore[arg-type]


@pytest.fixture
def caller(keeper: Keeper) -> Iterator[Caller]:
    caller = Caller(keeper.system)
    yield caller
    caller.close()


def test_whichever_service_comes_back_from_yesterday_all_agree_in_the_end(keeper: Keeper, caller: Caller) -> None:
    known = [lives(caller, purchases=2) for _ in range(4)]
    until_all(lambda: figures(caller, known), [2 * PRICE] * 4)
    keeper.back_up()
    for person in known[:2]:
        person.buys(f"{PRICE}.00")
    everybody = [*known, *(lives(caller, purchases=1) for _ in range(3))]
    expected = [3 * PRICE] * 2 + [2 * PRICE] * 2 + [PRICE] * 3
    until_all(lambda: figures(caller, everybody), expected)
    ledger = Ledger()
    for service, befalls in (("scoring", keeper.restore), ("service-audit", keeper.lose), ("identity", keeper.restore)):
        with keeper.stopped(service):  # before that it may still tell something
            ledger.retold[service] |= asyncio.run(told_by(keeper.url(service)))
            befalls(service)
        keeper.catch_up(service, from_the_copy=befalls == keeper.restore)
        until_all(lambda: figures(caller, everybody), expected)
        for person in everybody[-2:]:  # and life goes on
            person.buys(f"{PRICE}.00")
        expected = [*expected[:-2], *(each + PRICE for each in expected[-2:])]
        until_all(lambda: figures(caller, everybody), expected)
        verdict = asyncio.run(Checker(keeper, ledger).verdict())  # type: ignore[arg-type]
        found = [str(each) for each in verdict.findings if service != "identity" or each.what not in LOST_WITH_IDENTITY]
        assert found == [], (service, found)


def test_a_merge_that_is_lost_with_identity_is_let_go_of_by_all(keeper: Keeper, caller: Caller) -> None:
    one, other = [lives(caller, purchases=purchases) for purchases in (1, 2)]
    until_all(lambda: figures(caller, [one, other]), [PRICE, 2 * PRICE])
    survivor, absorbed = one.customer_id(), other.customer_id()
    keeper.back_up()
    caller.post("/identity/v1/merges", {"survivor": survivor, "absorbed": absorbed, "reason": "A slip", "force": True})
    until_all(lambda: figures(caller, [one, other]), [3 * PRICE, 3 * PRICE])
    with keeper.stopped("identity"):
        keeper.restore("identity")
    keeper.catch_up("identity", from_the_copy=True)
    for kind in ("links", "customers", "contact", "profiles", "access"):
        keeper.tell_anew(kind)
    until_all(lambda: figures(caller, [one, other]), [PRICE, 2 * PRICE])
    assert (one.customer_id(), other.customer_id()) == (survivor, absorbed)


async def told_by(url: str) -> set[UUID]:
    """The events that its log holds now: others know them, whatever becomes of it."""
    database = Database.connect(url, pool_size=1)
    async with database.session(reading=True) as session:
        found = set((await session.scalars(select(outbox_table.c.id))).all())
    await database.dispose()
    return found


def lives(caller: Caller, *, purchases: int) -> Person:
    person = Person.new(caller)
    for _ in range(purchases):
        person.buys(f"{PRICE}.00")
    person.does(kind="complaint", content="It came late", payload={"severity": "high"}, topic="delivery")
    return person


def figures(caller: Caller, people: Sequence[Person]) -> list[float]:
    """What each has bought, by scoring; who is not recognised, or was not heard, has bought nothing."""
    return [_revenue(caller, person) for person in people]


def _revenue(caller: Caller, person: Person) -> float:
    customer = person.customer_id()
    if customer is None:
        return 0
    answer = caller.ask("GET", f"/scoring/v1/customers/{customer}/value")
    return float(answer.json()["revenue"]["amount"]) if answer.status_code == 200 else 0


def until_all(found: Callable[[], list[float]], expected: Sequence[float]) -> None:
    def same() -> bool:
        assert found() == list(expected)
        return True

    until(same, within=120)
