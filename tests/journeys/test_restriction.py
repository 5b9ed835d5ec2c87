"""The use of somebody's data is restricted: they are stored and not used, until it is lifted."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from .people import Person
from .systems import until
from .worlds import World, a_world

PHONE = "phone:3001234567"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path / "world") as found:
        yield found


def bought(world: World, number: int, *, days: int) -> dict[str, Any]:
    return {
        "source": "till", "external_id": f"b-{number}", "kind": "purchase", "channel": "shop", "identifiers": [PHONE],
        "occurred_at": (world.clock() - timedelta(days=days)).isoformat(), "profile": {"full_name": "Ana Lopez"},
        "payload": {"amount": "90000.00", "currency": "COP", "category": "grocery"},
        "facts": [{"key": "best_hour", "value": "after 18:00"}], "backfill": days > 30,
    }  # fmt: skip


async def test_restricted_data_are_stored_and_not_used_until_it_is_lifted(world):
    await world.record(*(bought(world, number, days=400 - 30 * number) for number in range(8)))
    customer_id = (await world.get("/identity/v1/customers", identifier=PHONE))["items"][0]["customer_id"]
    before = await world.get("/interactions/v1/resume", identifier=PHONE, channel="call")
    assert before["alerts"]
    assert before["value"]["tier"]
    assert before["known"]

    said = await world.post(f"/identity/v1/customers/{customer_id}:restrict", {"reason": "He contests a balance"})
    assert said["restricted"] is True
    await world.settle()
    during = await world.get("/interactions/v1/resume", identifier=PHONE, channel="call")
    assert during["contact"]["restricted"] is True
    assert (during["alerts"], during["known"], during["ask"], during["offers"]) == ([], [], [], [])
    assert during["value"]["tier"] is None
    assert during["recap"] == before["recap"]  # stored, and there to serve him
    asked = {"channel": "whatsapp", "purpose": "service"}
    answer = await world.get(f"/interactions/v1/customers/{customer_id}/may-contact", **asked)
    assert answer["allowed"] is False
    assert [reason["code"] for reason in answer["reasons"] if reason["blocks"]] == ["restricted"]
    assert (await world.get(f"/scoring/v1/customers/{customer_id}/signals"))["items"][0]["cleared_at"]
    await world.record(bought(world, 20, days=1))
    await world.later(days=40)
    assert (await world.get("/interactions/v1/resume", identifier=PHONE, channel="call"))["alerts"] == []

    await world.post(f"/identity/v1/customers/{customer_id}:lift", {"reason": "The balance was put right"})
    await world.settle()
    after = await world.get("/interactions/v1/resume", identifier=PHONE, channel="call")
    assert after["contact"]["restricted"] is False
    assert after["value"]["tier"]
    assert after["known"]
    async with world.runtimes["scoring"].database.session(reading=True) as session:
        assert await session.scalar(sa.text("SELECT sum(purchases) FROM day_value")) == 9  # what came meanwhile counts


def test_on_the_running_system_a_restriction_reaches_every_service_and_is_lifted_again(caller):
    ana = Person.new(caller)
    for amount in ("90000.00", "30000.00"):
        ana.buys(amount, facts=[{"key": "best_hour", "value": "after 18:00"}])
    before = until(lambda: (said := ana.resume())["value"]["tier"] and said["known"] and said)
    customer_id = before["who"]["customer_id"]
    caller.post(f"/identity/v1/customers/{customer_id}:restrict", {"reason": "She contests a balance"})
    during = until(lambda: (said := ana.resume())["contact"]["restricted"] and said["value"]["tier"] is None and said)
    assert (during["alerts"], during["known"], during["ask"], during["offers"]) == ([], [], [], [])
    assert [one["touchpoint_id"] for one in during["recap"]] == [one["touchpoint_id"] for one in before["recap"]]
    asked = {"channel": "whatsapp", "purpose": "service"}
    answer = caller.get(f"/interactions/v1/customers/{customer_id}/may-contact", **asked)
    assert (answer["allowed"], [r["code"] for r in answer["reasons"] if r["blocks"]]) == (False, ["restricted"])
    ana.buys("1000.00")
    caller.post(f"/identity/v1/customers/{customer_id}:lift", {"reason": "The balance was put right"})
    after = until(lambda: (said := ana.resume())["value"]["tier"] and said["known"] and said)
    assert after["contact"]["restricted"] is False
    value = f"/scoring/v1/customers/{customer_id}/value"
    until(lambda: caller.get(value)["revenue"]["amount"] == "121000.00")  # what came meanwhile counts
