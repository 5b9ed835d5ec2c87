"""What a channel produces to Kafka has the same fate as what it posts: recorded, duplicate, or refused and parked."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
from aiokafka import AIOKafkaProducer

from .people import Person, ago
from .systems import Caller, System, until

TOPIC = "channels.touchpoints.v1"
pytestmark = pytest.mark.real


@pytest.fixture
def caller(native_system: System) -> Iterator[Caller]:
    caller = Caller(native_system)
    yield caller
    caller.close()


@pytest.fixture
async def producer(native_system: System) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=native_system.bootstrap)
    await producer.start()
    yield producer
    await producer.stop()


async def send(producer: AIOKafkaProducer, *bodies: object, key: str) -> None:
    for body in bodies:
        value = body if isinstance(body, bytes) else json.dumps(body).encode()
        await producer.send_and_wait(TOPIC, value, key=key.encode())


def recap(person: Person) -> list[str]:
    return [entry["summary"] for entry in person.resume()["recap"]]


async def test_what_is_produced_is_in_the_resume_and_continues_the_thread(caller, producer):
    ana = Person.new(caller)
    posted = ana.does(topic="billing", summary="Posted", outcome="pending")
    body = ana.touchpoint(kind="call", channel="call", topic="billing", summary="Produced", occurred_at=ago(minutes=1))
    await send(producer, body, key=ana.tag)
    until(lambda: "Produced" in recap(ana))
    told = ana.resume()
    assert told["resume_point"]["conversation_id"] == posted["conversation_id"]
    assert told["resume_point"]["channel"] == "call"


async def test_what_was_posted_and_is_produced_counts_once_and_the_other_way_round(caller, producer):
    ana = Person.new(caller)
    first, second = (ana.touchpoint(topic="billing", summary=summary) for summary in ("First", "Second"))
    caller.post("/interactions/v1/touchpoints", first)
    await send(producer, first, first, second, second, key=ana.tag)
    until(lambda: "Second" in recap(ana))
    answer = caller.post("/interactions/v1/touchpoints", second)
    assert answer["status"] == "duplicate"
    assert sorted(recap(ana)) == ["First", "Second"]


async def test_what_is_refused_is_parked_with_its_reason_repaired_and_counts_once(caller, producer):
    ana = Person.new(caller)
    bad = ana.touchpoint(kind="purchase", payload={"amount": "a lot", "currency": "COP"}, summary="The bad one")
    good = ana.touchpoint(topic="billing", summary="The good one")
    await send(producer, bad, b"no json at all", good, key=ana.tag)
    until(lambda: "The good one" in recap(ana))

    def found() -> dict | None:
        for item in caller.get("/interactions/v1/parked", kind="touchpoint", limit=50)["items"]:
            if bad["external_id"] in caller.get(f"/interactions/v1/parked/{item['id']}")["body"]:
                return item
        return None

    item = until(found)
    assert [error["pointer"] for error in item["problem"]["errors"]] == ["/payload/amount"]
    path = f"/interactions/v1/parked/{item['id']}"
    mended = {**bad, "payload": {"amount": "5000.00", "currency": "COP"}}
    caller.put(path, {"body": json.dumps(mended)}, **{"If-Match": caller.ask("GET", path).headers["etag"]})
    caller.post(f"{path}:replay")
    assert sorted(recap(ana)) == ["The bad one", "The good one"]


async def test_the_same_id_with_another_body_is_parked_and_the_first_stays(caller, producer):
    ana = Person.new(caller)
    body = ana.touchpoint(topic="billing", summary="The first")
    caller.post("/interactions/v1/touchpoints", body)
    after = ana.touchpoint(topic="billing", summary="Afterwards")
    await send(producer, {**body, "summary": "Another"}, after, key=ana.tag)
    until(lambda: "Afterwards" in recap(ana))
    assert sorted(recap(ana)) == ["Afterwards", "The first"]
    codes = [item["code"] for item in caller.get("/interactions/v1/parked", kind="touchpoint", limit=50)["items"]]
    assert "different-body" in codes
