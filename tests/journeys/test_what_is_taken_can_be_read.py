"""Whatever a channel has got a yes for, everybody else can live with: no answer breaks on it, no handler fails on it."""

import os
import secrets
from collections.abc import Iterator

from .oddities import Channel
from .people import Person
from .systems import SERVICES, Caller, until

SEED = int(os.environ.get("HILO_ODD_SEED", "1"))
TOUCHPOINTS = int(os.environ.get("HILO_ODD_TOUCHPOINTS", "600"))
BATCH = 100
PEOPLE = 12


def test_what_is_taken_in_any_shape_breaks_nothing_afterwards(caller: Caller):
    people = [identifiers_of(Person.new(caller)) for _ in range(PEOPLE)]
    channel = Channel(schema_of_touchpoints(caller), people, seed=SEED)
    run, taken = secrets.token_hex(4), []
    for start in range(0, TOUCHPOINTS, BATCH):
        rows = [channel.touchpoint(f"{run}-{start + number}") for number in range(BATCH)]
        told = caller.post("/interactions/v1/touchpoints:batch", rows)["results"]
        taken += [one["touchpoint_id"] for one in told if one["status"] == "recorded"]
    assert len(taken) > TOUCHPOINTS / 4, "most are refused: nothing is shown by the few that are taken"
    gone_the_whole_way(caller)
    customers = sorted({one for person in people for one in customers_of(caller, person)})
    assert customers
    broken = [
        f"{path}: {answer.status_code}"
        for path in [*paths(caller, customers), *(f"/interactions/v1/touchpoints/{one}" for one in taken)]
        if (answer := caller.ask("GET", path)).status_code >= 500
    ]
    assert broken == []
    failed = [
        (service, one["problem"])
        for service in SERVICES
        for one in caller.get(f"/{service}/v1/parked", kind="event", state="parked")["items"]
        if one["code"] == "handler-failed"
    ]
    assert failed == []


def identifiers_of(person: Person) -> list[str]:
    return [person.phone, person.email, person.document, f"device:{person.tag}"]


def schema_of_touchpoints(caller: Caller) -> dict:
    document = caller.get("/interactions/openapi.json")
    body = document["paths"]["/interactions/v1/touchpoints"]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]


def gone_the_whole_way(caller: Caller) -> None:
    """One more, plain, behind them all: interactions, identity, scoring and back."""
    last = Person.new(caller)
    last.buys("100.00")
    until(lambda: is_known_and_valued(last.resume()))


def is_known_and_valued(resume: dict) -> bool:
    return resume["who"]["recognised"] == "customer" and bool(resume["value"])


def customers_of(caller: Caller, identifiers: list[str]) -> Iterator[str]:
    for identifier in identifiers:
        who = caller.get("/interactions/v1/resume", identifier=identifier, channel="call")["who"]
        if who["customer_id"]:
            yield who["customer_id"]
        yield from (candidate["customer_id"] for candidate in who["candidates"])


def paths(caller: Caller, customers: list[str]) -> Iterator[str]:
    """Every question of the documents that asks for nothing or for a customer, and each resume in its three views."""
    for service in SERVICES:
        for path, operations in caller.get(f"/{service}/openapi.json")["paths"].items():
            if "get" not in operations:
                continue
            if "{" not in path:
                yield path
            elif path.count("{") == 1 and "{customer_id}" in path:
                yield from (path.replace("{customer_id}", one) for one in customers)
    for one in customers:
        for view in ("agent", "customer", "partner"):
            yield f"/interactions/v1/resume?customer_id={one}&channel=call&view={view}"
