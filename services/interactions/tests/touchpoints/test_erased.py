"""History that occurred before somebody was erased, on traces that nobody knew: nothing of him comes back by another identifier."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.identity import CustomerErased
from common.db import parked_table
from common.events import Event
from common.identifiers import customer_trace, parse_identifiers, traces_alone
from interactions.consumers import consume
from interactions.corrections.use_cases import correct
from interactions.touchpoints.domain import Draft, PersonErased, Speaker
from interactions.touchpoints.models import customer, receipt, touchpoint, trace, trace_identifier
from interactions.touchpoints.schemas import read_document
from interactions.touchpoints.use_cases import Outcome, Recorded, Refused, record_touchpoints
from interactions.uow import InteractionsUnitOfWork

NAME = {"full_name": "Zacarías Quintanilla"}
EMAIL, PHONE, CARD = "email:zacarias@example.com", "phone:3001234567", "account:club:7788"
HOUR = timedelta(hours=1)


async def erased(world: Any, *identifiers: str, unheard_of: bool = False) -> None:
    """He was there with a touchpoint under all of them; then he is erased, as identity tells it.

    `unheard_of`: between the erasure and our hearing of it somebody records one more under the id that he had.
    """
    answer = await world.record(identifiers=list(identifiers), profile=NAME, ago=timedelta(days=2))
    linked = await world.link(identifiers[0])
    his = next(row["trace_id"] for row in await world.rows(touchpoint) if str(row["touchpoint_id"]) == answer["touchpoint_id"])  # fmt: skip
    world.clock.advance(timedelta(seconds=1))
    parsed, secret = parse_identifiers(identifiers, default_region="CO"), world.settings.identifier_secret
    possible = {
        way for name in (None, NAME["full_name"]) for way in traces_alone(parsed, name=name, secret=secret)
    } | {customer_trace(linked, secret)}  # fmt: skip
    erasure = CustomerErased(
        erasure_id=uuid4(), part=0, customer_id=linked, customers=[linked], traces=sorted({his, *possible}),
        erased_at=world.clock(),
    )  # fmt: skip
    if unheard_of:
        world.clock.advance(timedelta(seconds=1))
        await world.record(identifiers=[f"customer:{linked}", *identifiers])
    heard = Event(id=uuid4(), type=erasure.type, source="/identity", time=world.clock(), subject=erasure.key(), data=erasure)  # fmt: skip
    await consume([heard], uow=InteractionsUnitOfWork(world.database), clock=world.clock, company=world.company)
    assert his not in [row["trace_id"] for row in await world.rows(touchpoint)]
    world.clock.advance(HOUR)


def told(world: Any, number: int, *identifiers: str, ago: timedelta = timedelta(days=1), **said: Any) -> Draft:
    body = {
        "source": "history", "external_id": f"h-{number}", "kind": "message", "channel": "whatsapp",
        "occurred_at": (world.clock() - ago).isoformat(), "identifiers": list(identifiers), "profile": NAME, **said,
    }  # fmt: skip
    draft = read_document(body, speaker=Speaker(by="a file", attests=frozenset({"*"})), company=world.company)
    assert isinstance(draft, Draft)
    return draft


async def sent(world: Any, number: int, *identifiers: str, **said: Any) -> Outcome:
    (outcome,) = await record_touchpoints([told(world, number, *identifiers, **said)], desk=world.desk)
    return outcome


async def corrected(world: Any, before: Outcome, number: int, *identifiers: str, **said: Any) -> Recorded:
    assert isinstance(before, Recorded)
    draft = told(world, number, *identifiers, **said)
    return await correct(UUID(before.answer["touchpoint_id"]), draft, by="Luisa", reason="typed wrong", desk=world.desk)


def is_refused(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and outcome.refusal.code == "erased" and outcome.parked_id is None


async def test_history_that_names_him_is_refused_on_a_new_trace_too_and_leaves_nothing(world: Any) -> None:
    await erased(world, EMAIL, PHONE)
    receipts = len(await world.rows(receipt))
    assert is_refused(await sent(world, 1, CARD, EMAIL))
    assert is_refused(await sent(world, 2, CARD, PHONE))
    assert is_refused(await sent(world, 3, CARD, PHONE, profile={}))  # of whose phone nothing else is known
    assert is_refused(await sent(world, 1, CARD, EMAIL))  # as often as it comes
    for table in (touchpoint, trace_identifier, parked_table):
        assert await world.rows(table) == []
    assert len(await world.rows(receipt)) == receipts
    assert all(row["customer_id"] is None for row in await world.rows(trace))


async def test_who_comes_back_himself_is_taken_and_his_history_is_not_his_any_more(world: Any) -> None:
    await erased(world, EMAIL, PHONE)
    assert isinstance(await sent(world, 1, CARD, EMAIL, ago=HOUR / 2), Recorded)
    assert isinstance(await sent(world, 2, CARD, EMAIL, ago=HOUR / 3), Recorded)
    assert is_refused(await sent(world, 3, CARD, EMAIL))
    assert isinstance(await sent(world, 4, CARD), Recorded)  # which names nobody who was erased


async def test_nothing_is_taken_under_the_id_that_he_had(world: Any) -> None:
    """It would be nobody's: no view shows it, and no erasure would find it again."""
    await erased(world, EMAIL)
    (row,) = await world.rows(customer)
    his = f"customer:{row['customer_id']}"
    assert is_refused(await sent(world, 1, his, ago=HOUR / 2))
    assert is_refused(await sent(world, 2, his, EMAIL, ago=HOUR / 2))
    assert isinstance(await sent(world, 2, EMAIL, ago=HOUR / 2), Recorded)


async def test_what_came_under_his_id_before_it_was_heard_that_he_is_erased_is_taken_out(world: Any) -> None:
    await erased(world, EMAIL, unheard_of=True)
    assert await world.rows(touchpoint) == []


async def test_history_of_others_is_taken(world: Any) -> None:
    """Of whom shares his phone under another name, and of whom was there beside him and once left his address."""
    await world.record(identifiers=["account:club:1"], profile={"full_name": "Marta Gil"})
    await erased(world, EMAIL, PHONE)
    assert isinstance(await sent(world, 1, "account:club:2", PHONE, profile={"full_name": "Luis Vega"}), Recorded)
    assert isinstance(await sent(world, 2, "account:club:1", EMAIL, profile={"full_name": "Marta Gil"}), Recorded)
    assert is_refused(await sent(world, 3, "account:club:3", EMAIL, profile={"full_name": "Marta Gil"}))


async def test_a_correction_does_not_bring_history_under_his_identifiers(world: Any) -> None:
    await erased(world, EMAIL, PHONE)
    other, occurred = "email:luis@example.com", timedelta(days=1)
    before = await sent(world, 1, other, profile={"full_name": "Luis Vega"}, ago=occurred)
    for identifiers in ([EMAIL], [CARD, EMAIL], [CARD, PHONE]):
        with pytest.raises(PersonErased):
            await corrected(world, before, 1, *identifiers, ago=occurred)
    (row,) = await world.rows(touchpoint)
    assert (row["state"], row["version"]) == ("live", 1)
    assert {one["trace_id"] for one in await world.rows(trace_identifier)} == {row["trace_id"]}


async def test_a_correction_of_what_he_said_since_and_of_others_is_taken(world: Any) -> None:
    await world.record(identifiers=["account:club:1"], profile={"full_name": "Marta Gil"})
    await erased(world, EMAIL, PHONE)
    marta = await sent(world, 1, "account:club:1", profile={"full_name": "Marta Gil"})
    await corrected(world, marta, 1, "account:club:1", EMAIL, profile={"full_name": "Marta Gil"})
    since = await sent(world, 2, CARD, ago=HOUR / 2)
    await corrected(world, since, 2, CARD, EMAIL, ago=HOUR / 2)
    live = [row for row in await world.rows(touchpoint) if row["state"] == "live"]
    assert [row["version"] for row in live if row["source"] == "history"] == [2, 2]
