"""Somebody is erased: nothing of him is found in any of the four databases, the sums stay, and who comes back is new."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest
import sqlalchemy as sa

from common.bus.delivery import Delivery, Record
from common.db import Database
from common.identifiers import identifier_id, parse_identifier
from common.outbox import Entry, Position, read
from common.settings import derived_key
from common.testing import TEST_SECRET
from hilo.services import SERVICES

from .people import Person, ago, ahead
from .systems import SERVICES as SYSTEM
from .systems import Embedded, Native, System, until
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
        touchpoint(world, 6, "email:rosa@example.com", content="Hello", summary="Hello", stop_point=None, profile={"full_name": "Rosa Paz"}),
    )  # fmt: skip
    mine, other, marta, rosa = [
        await who(world, one)
        for one in (HIS[0], "email:other-zacarias@example.com", "email:marta@example.com", "email:rosa@example.com")
    ]
    for survivor, absorbed in ((mine, marta), (rosa, mine)):
        undone = await world.post(
            "/identity/v1/merges", {"survivor": survivor, "absorbed": absorbed, "reason": "zenith", "force": True}
        )
        await world.settle()
        await world.post(f"/identity/v1/merges/{undone['merge_id']}:undo", {"reason": "zebra again"})
        await world.settle()
    await world.post(
        "/identity/v1/merges", {"survivor": mine, "absorbed": other, "reason": "zebra says so", "force": True}
    )
    consent = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "evidence": "He said zebra"}
    await world.post(f"/identity/v1/customers/{mine}/consents", consent)
    await world.put(f"/identity/v1/customers/{mine}/preferences", {"ranking": ["whatsapp"]})
    linked = await world.ask(
        "POST", f"/identity/v1/customers/{mine}/identifiers", headers={"Idempotency-Key": "k-1"},
        json={"identifier": "account:shop:ZQ-2002", "reason": "he showed it"},
    )  # fmt: skip
    assert linked.status_code == 201
    await world.settle()
    parked = await world.ask(
        "POST", "/interactions/v1/touchpoints", json=touchpoint(world, 1, *HIS, content="zebra two")
    )
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
            for row in (await connection.execute(sa.text(f'SELECT * FROM "{name}"'))).all()
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


async def test_what_he_brought_and_cost_stays_in_the_totals(world):
    customer_id = await his_life(world)
    before = await totals(world)
    await erased(world, customer_id)
    assert await totals(world) == before
    assert before[0] == 5_700_000  # in cents: his 50,000 and hers of 7,000


async def totals(world: World) -> tuple[int, int]:
    """What was sold, and how many contacts there were, over all rows of value."""
    async with world.runtimes["scoring"].database.session(reading=True) as session:
        row = (await session.execute(sa.text("SELECT sum(revenue), sum(contacts) FROM day_value"))).one()
    return int(row[0]), int(row[1])


async def test_history_that_occurred_before_is_refused_and_leaves_nothing_under_whichever_of_his_names_and_numbers(
    world,
):
    await erased(world, await his_life(world))
    history = [
        touchpoint(world, 100, "email:zacarias@example.com", backfill=True),
        touchpoint(world, 101, "phone:300 123 45 67", backfill=True),
        touchpoint(
            world, 102, "phone:300 123 45 67", profile={"full_name": "ZACARIAS QUINTANILLA RUIZ"}, backfill=True
        ),
        touchpoint(world, 103, "document:co-cc:79.123.456", backfill=True),
        touchpoint(world, 104, "account:club:ZQ-1001", "email:zacarias@example.com", backfill=True),
    ]
    answer = await world.post("/interactions/v1/touchpoints:batch", history)
    assert [result["problem"]["code"] for result in answer["results"]] == ["erased"] * 5
    assert {result["parked_id"] for result in answer["results"]} == {None}
    again = await world.ask("POST", "/interactions/v1/touchpoints", json=history[0])
    assert (again.status_code, again.json()["code"]) == (409, "erased")
    await world.settle()
    assert await leftovers(world) == {}


async def test_his_old_receipts_stay_so_that_a_resend_is_still_a_duplicate(world):
    customer_id = await his_life(world)
    sent = touchpoint(world, 2, "email:zacarias@example.com", kind="purchase", channel="shop", payload=paid("50000.00"))
    await erased(world, customer_id)
    answer = await world.ask("POST", "/interactions/v1/touchpoints", json=sent)
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    other = await world.ask("POST", "/interactions/v1/touchpoints", json=sent | {"content": "zebra again"})
    assert (other.status_code, other.json()["code"]) == (409, "erased")
    assert await leftovers(world) == {}


async def test_who_comes_back_is_a_new_customer(world):
    customer_id = await his_life(world)
    await erased(world, customer_id)
    await world.later(days=1)
    await world.record(touchpoint(world, 200, "email:zacarias@example.com", summary="I am back"))
    new = await who(world, "email:zacarias@example.com")
    assert new != customer_id
    packet = await world.get("/interactions/v1/resume", identifier="email:zacarias@example.com", channel="call")
    assert (packet["who"]["customer_id"], [one["summary"] for one in packet["recap"]]) == (new, ["I am back"])
    assert packet["commitments"] == packet["cases"] == []
    gone = await world.get("/interactions/v1/resume", customer_id=customer_id, channel="call")
    assert gone["who"]["recognised"] == "unknown"
    for path in (
        f"/identity/v1/customers/{customer_id}", f"/interactions/v1/customers/{customer_id}/timeline",
        f"/scoring/v1/customers/{customer_id}/value", f"/service-audit/v1/customers/{customer_id}/evidence",
    ):  # fmt: skip
        assert ((await world.ask("GET", path)).status_code, path) == (404, path)


async def test_a_replay_of_everything_that_was_ever_told_brings_nothing_back(world):
    customer_id = await his_life(world)
    before = [entry for service in world.runtimes for entry in await told_by(world, service)]
    await erased(world, customer_id)
    value = await totals(world)
    for service in SERVICES:
        runtime = world.runtimes[service.name]
        async with runtime.database.engine.begin() as connection:
            await connection.execute(sa.text("DELETE FROM inbox"))
        consumer = service.create_consumer(runtime)
        delivery = Delivery(consumer, runtime.database, clock=world.clock)
        his = [entry for entry in before if entry.topic in consumer.topics]
        await delivery.deliver([Record(entry.topic, entry.key, entry.body) for entry in his])
    await world.settle()
    assert {name: lines for name, lines in (await leftovers(world)).items() if not only_in_inbox(lines)} == {}
    async with world.runtimes["service-audit"].database.session(reading=True) as session:
        for table in ("observation", "evidence"):
            his_rows = f"SELECT count(*) FROM {table} AS t JOIN erased AS e ON e.subject_id = t.trace_id"
            assert (table, await session.scalar(sa.text(his_rows))) == (table, 0)
    assert (await totals(world))[0] - value[0] == 700_000  # of hers alone, which this replay counts twice


def only_in_inbox(lines: list[str]) -> bool:
    return all(line.startswith("inbox:") for line in lines)


async def test_asked_twice_it_is_one_erasure_and_told_twice_it_has_one_effect(world):
    customer_id = await his_life(world)
    first = await erased(world, customer_id)
    again = await world.post(f"/identity/v1/customers/{customer_id}:erase", {"reason": "Once more"})
    assert again == first
    listed = await world.get("/identity/v1/erasures")
    assert [one["erasure_id"] for one in listed["items"]] == [first["erasure_id"]]

    before, words = await totals(world), await told_by(world, "identity")
    for service in SERVICES[1:]:
        runtime = world.runtimes[service.name]
        delivery = Delivery(service.create_consumer(runtime), runtime.database, clock=world.clock)
        for event_id in range(2):  # under other ids, so that no inbox knows them: the erasure, and then the links
            for entry in sorted(words, key=lambda entry: "erased" not in entry.type):
                body = orjson.loads(entry.body) | {"id": str(uuid5(UUID(int=event_id), str(entry.position.last_id)))}
                if entry.topic in delivery.consumer.topics:
                    await delivery.deliver([Record(entry.topic, entry.key, orjson.dumps(body))])
    await world.settle()
    assert await totals(world) == before
    assert await world.get(f"/identity/v1/erasures/{first['erasure_id']}") == first
    assert await leftovers(world) == {}


async def told_by(world: World, service: str) -> list[Entry]:
    """All that a service has told so far."""
    async with world.runtimes[service].database.session(reading=True) as session:
        return await read(session, after=Position(), limit=5_000)


# On his trace, and on a new one.
@pytest.mark.parametrize("reference", ["partner:acme:ZQ-1001", "account:club:ZQ-1001"])
async def test_what_was_recorded_and_identity_had_not_heard_of_is_found_and_erased_as_well(world, reference):
    customer_id = await his_life(world)
    late = touchpoint(world, 300, reference, "email:zacarias@example.com")
    await world.post("/interactions/v1/touchpoints:batch", [late])  # identity has not heard of it yet
    certificate = await erased(world, customer_id)
    assert certificate["state"] == "complete"
    assert await leftovers(world) == {}


# --- on the running stacks: the embedded one, and the real PostgreSQL and Apache Kafka -------------------------------


def database_of(system: System, service: str) -> str:
    """Its URL, to read it directly."""
    if isinstance(system, Native):
        found = next(each for each in system.stack.services if each.name == service)
        return system.stack.postgres.url(found.database)
    assert isinstance(system, Embedded)
    return f"sqlite+aiosqlite:///{system.var / service}.db"


def places_of(words: Sequence[str], system: System) -> list[str]:
    """The rows of all four databases in which one of the words stands."""

    async def found_in(service: str) -> list[str]:
        database = Database.connect(database_of(system, service), pool_size=1)
        try:
            text = await everything_in(database)
        finally:
            await database.dispose()
        return [f"{service}: {line}" for word in words for line in lines_with(word, text)]

    return [line for service in SYSTEM for line in asyncio.run(found_in(service))]


def test_on_the_running_system_he_is_taken_out_of_every_database_and_the_certificate_says_what_went(caller):
    he, other = Person.new(caller, "ZACARIAS QUINTANILLA RUIZ"), Person.new(caller, "MARTA GIL")
    word = f"zebra{he.tag}"
    words = [word, f"301{he.tag}", f"persona{he.tag}@example.com", f"52{he.tag}"]
    he.does(topic="billing", content=f"My {word} is lost", summary=f"About a {word}", stop_point=word)
    he.buys("50000.00", by=he.email)
    case = he.does(
        kind="complaint", channel="web", payload={"severity": "high", "about": "double-charge"}, content=word
    )["case_number"]
    he.does(by=he.document, commitments=[{"by": "company", "text": f"Bring the {word}", "due_at": ahead(days=2)}])
    other.buys("7000.00", by=other.email)
    until(lambda: len({he.customer_id(by=one) for one in (he.phone, he.email, he.document)} - {None}) == 3)
    mine = he.customer_id()
    for absorbed in (he.customer_id(by=he.email), he.customer_id(by=he.document)):
        merge = {"survivor": mine, "absorbed": absorbed, "reason": f"{word} says so", "force": True}
        caller.post("/identity/v1/merges", merge, **{"Idempotency-Key": f"{word}-{absorbed}"})
    stranger = until(lambda: other.customer_id(by=other.email))
    pair = {"survivor": stranger, "absorbed": mine, "reason": f"{word} too", "force": True}
    undone = caller.post("/identity/v1/merges", pair)["merge_id"]
    until(lambda: other.customer_id(by=he.phone) == stranger)
    caller.post(f"/identity/v1/merges/{undone}:undo", {"reason": word})
    caller.post(f"/interactions/v1/cases/{case}:answer", {"text": f"The {word} comes back"})
    consent = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "evidence": f"He said {word}"}
    caller.post(f"/identity/v1/customers/{mine}/consents", consent)
    until(lambda: {he.customer_id(by=one) for one in (he.phone, he.email, he.document)} == {mine})
    until(lambda: caller.get(f"/scoring/v1/customers/{mine}/value")["revenue"]["amount"] == "50000.00")
    assert {line.partition(":")[0] for line in places_of(words, caller.system)} >= {"identity", "interactions"}

    asked = caller.post(f"/identity/v1/customers/{mine}:erase", {"reason": "Request 88"})
    path = f"/identity/v1/erasures/{asked['erasure_id']}"
    certificate = until(lambda: (said := caller.get(path))["state"] == "complete" and said)
    lines = {line["service"]: line for line in certificate["services"]}
    assert set(lines) == set(SYSTEM)
    assert (lines["interactions"]["removed"]["touchpoint"], lines["interactions"]["kept"]["receipts"]) == (4, 4)
    assert (lines["interactions"]["removed"]["case_file"], lines["interactions"]["removed"]["commitment"]) == (1, 1)
    assert lines["identity"]["removed"]["sighting"] == 4
    assert lines["scoring"]["kept"]["day_value"] >= 1
    assert caller.post(f"/identity/v1/customers/{mine}:erase", {"reason": "Once more"}) == certificate
    until(lambda: not places_of(words, caller.system))

    assert other.resume(by=other.email)["who"]["customer_id"] == stranger
    history = he.touchpoint(by=he.email, occurred_at=ago(hours=3), backfill=True)
    refused = caller.ask("POST", "/interactions/v1/touchpoints", json=history)
    assert (refused.status_code, refused.json()["code"]) == (409, "erased")
    he.does(by=he.email, summary="I am back", occurred_at=ago(seconds=0))
    new = until(lambda: he.customer_id(by=he.email))
    assert new != mine
    assert [one["summary"] for one in he.resume(by=he.email)["recap"]] == ["I am back"]
