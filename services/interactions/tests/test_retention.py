"""Years of the log go as a whole; what follows from them stays, and so does the proof that they were told."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from common.migrations import drift
from common.partitions import divide, partitions_of, unite
from common.service import Runtime, shared_parts
from common.worker import Retention
from interactions.service import SERVICE
from interactions.touchpoints.models import LOG, touchpoint

PHONE = "phone:300 123 4567"
IN_YEARS = datetime(2029, 2, 1, tzinfo=UTC)


def retention(world: Any, *, years: int | None, now: datetime = IN_YEARS) -> Retention:
    """The worker's own part, as the settings and the hour would have it."""
    settings = world.settings.model_copy(update={"log_retention_years": years})
    parts = shared_parts(SERVICE, Runtime(settings, world.database, world.company, lambda: now))
    return next(part for part in parts if isinstance(part, Retention))


async def kept(world: Any) -> int:
    async with world.database.session(reading=True) as session:
        return int(await session.scalar(select(func.count()).select_from(touchpoint)))


async def test_the_log_is_kept_for_ever_unless_the_company_says_for_how_long(world: Any) -> None:
    await world.record(identifiers=[PHONE])
    await retention(world, years=None).shorten()
    await retention(world, years=3).shorten()  # 2026 is over for two years and a month
    assert await kept(world) == 1


async def test_old_years_go_and_the_customer_is_served_on(world: Any) -> None:
    complaint = {"kind": "complaint", "payload": {"severity": "high"}, "topic": "factura", "external_id": "old"}
    said = await world.record(identifiers=[PHONE], **complaint)
    customer = await world.link(PHONE)
    await retention(world, years=2).shorten()
    assert await kept(world) == 0
    again = await world.record(identifiers=[PHONE], **complaint)
    assert (again["status"], again["touchpoint_id"]) == ("duplicate", said["touchpoint_id"])
    await world.record(identifiers=[PHONE], topic="factura", summary="He asks again")
    other = await world.link("phone:300 999 9999", PHONE, revision=2)  # conversations are computed anew
    async with world.client() as client:
        resumed = await client.get("/interactions/v1/resume", params={"identifier": PHONE})
        listed = await client.get(f"/interactions/v1/customers/{other}/timeline")
    assert resumed.status_code == 200, resumed.text
    assert [case["number"] for case in resumed.json()["cases"]] == [said["case_number"]]
    assert [entry["summary"] for entry in listed.json()["items"]] == ["He asks again"]
    assert UUID(resumed.json()["who"]["customer_id"]) == other != customer


async def test_cases_and_promises_of_old_years_are_answered_and_kept(world: Any) -> None:
    due = {"by": "company", "text": "Call back", "due_at": (world.clock() + timedelta(days=2)).isoformat()}
    said = await world.record(identifiers=[PHONE], kind="complaint", topic="factura", commitments=[due])
    await world.link(PHONE)
    await retention(world, years=2).shorten()
    case, promise = (
        f"/interactions/v1/cases/{said['case_number']}",
        f"/interactions/v1/commitments/{said['commitment_ids'][0]}",
    )
    async with world.client() as client:
        resumed = (await client.get("/interactions/v1/resume", params={"identifier": PHONE})).json()
        assert [one["text"] for one in resumed["commitments"]] == ["Call back"]
        answered = await client.post(f"{case}:answer", json={"text": "Corrected"})
        assert (answered.status_code, answered.json()["state"]) == (200, "answered"), answered.text
        assert (await client.get(promise)).json()["state"] == "open"
        kept = await client.post(f"{promise}:keep", json={"reason": "Called"})
        assert (kept.status_code, kept.json()["state"]) == (200, "kept"), kept.text
        gone = await client.post(f"/interactions/v1/conversations/{said['conversation_id']}:park", json={"reason": "x"})
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown-conversation")
    async with world.client(hilo_subject="customer:00000000-0000-7000-8000-000000000001") as client:
        assert (await client.get(case)).status_code == (await client.get(promise)).status_code == 404


@pytest.mark.parametrize("make_database", [pytest.param("postgresql", marks=pytest.mark.real)], indirect=True)
async def test_the_log_becomes_partitioned_with_all_that_it_holds(world: Any) -> None:
    await world.record(identifiers=[PHONE], summary="Before")
    async with world.database.engine.begin() as connection:
        await connection.run_sync(unite, LOG)
        assert await connection.run_sync(drift, "interactions") == []
    await world.record(identifiers=[PHONE], summary="Between")
    now = world.clock()
    async with world.database.engine.begin() as connection:
        await connection.run_sync(divide, LOG, now)
        assert await connection.run_sync(drift, "interactions") == []
        names = [one.name for one in await connection.run_sync(partitions_of, LOG)]
    assert names == ["touchpoint_first", f"touchpoint_{now.year + 1}", "touchpoint_default"]
    await world.record(identifiers=[PHONE], summary="After")
    assert await kept(world) == 3
    await retention(world, years=1, now=now + timedelta(days=800)).shorten()
    assert await kept(world) == 0
