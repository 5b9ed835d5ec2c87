"""Somebody is erased: nothing of him is found in any of the four databases, the sums stay, and who comes back is new."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.bus.delivery import Delivery, Record
from common.db import Database
from common.events import encode
from common.identifiers import identifier_id, parse_identifier
from common.outbox import Position, read
from common.settings import derived_key
from common.testing import TEST_SECRET
from hilo.services import SERVICES

from .worlds import World, a_world

SECRET = derived_key(TEST_SECRET, "identifiers")
HIS = ["phone:3001234567", "email:zacarias@example.com", "document:co-cc:79123456", "account:shop:ZQ-1001"]
# Words that only he brings: whichever of them is found in a database, something of him is left.
WORDS = [
    "zacarias", "quintanilla", "3001234567", "79123456", "zq-1001", "zebra", "talks-of-zinc", "zenith",
    *(str(identifier_id(parse_identifier(one, default_region="CO").text, SECRET)) for one in HIS),
]  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path, make_database: Any) -> AsyncIterator[World]:
    async with a_world(tmp_path / "world", make=make_database) as found:
        yield found


def touchpoint(world: World, number: int, *identifiers: str, **more: Any) -> dict[str, Any]:
    more.setdefault("occurred_at", (world.clock() - timedelta(hours=1)).isoformat())
    return {
        "source": "till", "external_id": f"t-{number}", "kind": "message", "channel": "whatsapp",
        "identifiers": list(identifiers), "profile": {"full_name": "Zacarías Quintanilla Ruiz", "address": "Zebra 4"},
        "content": "My zebra is lost", "summary": "talks-of-zinc", "stop_point": "zenith reached", **more,
    }  # fmt: skip


def paid(amount: str) -> dict[str, Any]:
    return {"amount": amount, "currency": "COP", "category": "grocery"}


async def his_life(world: World) -> str:
    """Contacts on several traces, a case, a promise, a merge and another one that was undone, facts, consents; gives his id."""
    await world.record(
        touchpoint(world, 1, *HIS),
        touchpoint(world, 2, "email:zacarias@example.com", kind="purchase", channel="shop", payload=paid("50000.00")),
        touchpoint(world, 3, "phone:3001234567", kind="complaint", channel="call",
                   payload={"severity": "high", "about": "double-charge"},
                   commitments=[{"by": "company", "text": "Bring the zebra", "due_at": (world.clock() + timedelta(days=2)).isoformat()}],
                   facts=[{"key": "hobby", "value": "zebra races"}]),
        touchpoint(world, 4, "email:other-zacarias@example.com", profile={"full_name": "Zacarías Quintanilla"}),
        touchpoint(world, 5, "phone:3009998877", "email:marta@example.com", content="Hello", summary="Hello", stop_point=None,
                   profile={"full_name": "Marta Gil"}, kind="purchase", channel="shop", payload=paid("7000.00")),
    )  # fmt: skip
    mine, other, marta = [await who(world, one) for one in (HIS[0], "email:other-zacarias@example.com", "email:marta@example.com")]
    undone = await world.post("/identity/v1/merges", {"survivor": mine, "absorbed": marta, "reason": "zenith", "force": True})
    await world.settle()
    await world.post(f"/identity/v1/merges/{undone['merge_id']}:undo", {"reason": "zebra again"})
    await world.settle()
    await world.post("/identity/v1/merges", {"survivor": mine, "absorbed": other, "reason": "zebra says so", "force": True})
    consent = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "evidence": "He said zebra"}
    await world.post(f"/identity/v1/customers/{mine}/consents", consent)
    await world.put(f"/identity/v1/customers/{mine}/preferences", {"ranking": ["whatsapp"]})
    linked = await world.ask(
        "POST", f"/identity/v1/customers/{mine}/identifiers", headers={"Idempotency-Key": "k-1"},
        json={"identifier": "account:shop:ZQ-2002", "reason": "he showed it"},
    )  # fmt: skip
    assert linked.status_code == 201
    await world.settle()
    parked = await world.ask("POST", "/interactions/v1/touchpoints", json=touchpoint(world, 1, *HIS, content="zebra two"))
    assert parked.status_code == 409
    unreadable = touchpoint(world, 9, "phone:(300) 123-4567") | {"kind": "zebra"}
    assert (await world.ask("POST", "/interactions/v1/touchpoints", json=unreadable)).status_code == 422
    await world.get("/interactions/v1/resume", customer_id=mine, channel="call")
    await world.get(f"/interactions/v1/customers/{mine}/may-contact", channel="whatsapp", purpose="marketing")
    return mine


async def who(world: World, identifier: str) -> str:
    found = await world.get("/identity/v1/customers", identifier=identifier)
    assert len(found["items"]) == 1, found
    return str(found["items"][0]["customer_id"])


async def erased(world: World, customer_id: str) -> dict[str, Any]:
    answer = await world.post(f"/identity/v1/customers/{customer_id}:erase", {"reason": "Request 88"})
    await world.settle()
    certificate: dict[str, Any] = await world.get(f"/identity/v1/erasures/{answer['erasure_id']}")
    return certificate


async def everything_in(database: Database) -> str:
    """Each row of each table as text, in lower case."""
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        rows = [
            f"{name}: {tuple(row)!r}"
            for name in names
            for row in (await connection.execute(sa.text(f'SELECT * FROM "{name}"'))).all()  # noqa: S608
        ]
    return "\n".join(rows).casefold()


def lines_with(word: str, text: str) -> list[str]:
    spellings = {word.casefold(), word.replace("-", "").casefold()}
    return [line[:300] for line in text.splitlines() if any(each in line for each in spellings)]


async def leftovers(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, runtime in world.runtimes.items():
        text = await everything_in(runtime.database)
        for word in WORDS:
            if lines := lines_with(word, text):
                found[f"{name}/{word}"] = lines
    return found


async def test_after_erasure_nothing_of_him_is_in_any_of_the_four_databases(world):
    customer_id = await his_life(world)
    before = await leftovers(world)
    assert {place.partition("/")[0] for place in before} >= {"identity", "interactions"}  # the search can find
    certificate = await erased(world, customer_id)
    assert certificate["state"] == "complete"
    assert certificate["awaited"] == []
    lines = {line["service"]: line for line in certificate["services"]}
    assert lines["interactions"]["removed"]["touchpoint"] == 4
    assert lines["interactions"]["kept"]["receipts"] == 4
    assert lines["scoring"]["kept"]["day_value"] >= 1
    assert await leftovers(world) == {}
    assert await who(world, "email:marta@example.com")  # and of nobody else is anything gone
    packet = await world.get("/interactions/v1/resume", identifier="email:marta@example.com", channel="call")
    assert packet["recap"]
