"""Four workers in one process: what befalls one of them is told by its service, and is no business of the others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from common.uow import UnitOfWork
from hilo.embedded import Embedded, embedded_app

OTHERS = ("identity", "interactions", "service-audit")


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Embedded]:
    made = embedded_app(tmp_path)
    async with made._lifespan(None):  # type: ignore[arg-type]
        yield made


@pytest.fixture
async def client(system: Embedded, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    key = (tmp_path / "credential").read_text().strip()
    transport = httpx.ASGITransport(app=system)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {key}"}
    ) as made:
        yield made


async def worker_of(service: str, client: httpx.AsyncClient) -> str:
    return str((await client.get(f"/{service}/readyz")).json()["checks"]["worker"])


async def call_from(email: str, client: httpx.AsyncClient) -> None:
    touchpoint = {
        "source": "till", "external_id": email, "channel": "phone", "direction": "inbound", "kind": "call",
        "occurred_at": "2026-11-20T15:00:00Z", "identifiers": [f"email:{email}"],
    }  # fmt: skip
    assert (await client.post("/interactions/v1/touchpoints", json=touchpoint)).status_code == 201


async def customers(system: Embedded) -> int:
    async with UnitOfWork(system._runtimes["identity"].database, reading=True) as uow:
        return int(await uow.session.scalar(text("SELECT count(*) FROM customer")))


async def test_a_worker_that_fails_ends_alone_and_the_readiness_of_its_service_says_so(
    system: Embedded, client: httpx.AsyncClient
) -> None:
    assert await worker_of("scoring", client) == "ok"
    async with UnitOfWork(system._runtimes["scoring"].database) as uow:
        await uow.session.execute(text("DROP TABLE timer"))
        await uow.commit()
    async with asyncio.timeout(30):
        while await worker_of("scoring", client) == "ok":
            await asyncio.sleep(0.05)
    assert await worker_of("scoring", client) == "ended: TimerLoop failed: OperationalError"
    await call_from("ana@example.com", client)
    async with asyncio.timeout(30):
        while not await customers(system):
            await asyncio.sleep(0.05)
    assert [await worker_of(each, client) for each in OTHERS] == ["ok"] * 3


async def test_a_path_of_no_service_is_refused_as_everywhere(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/resume")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not-found"
