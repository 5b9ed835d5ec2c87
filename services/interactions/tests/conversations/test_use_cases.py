"""What is told of threads: whatever happens, what was told and not taken back is what the threads are."""

import contextlib
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from common.contracts.interactions import (
    ConversationMove,
    ConversationMoved,
    ConversationMoveRetracted,
    TouchpointRetracted,
)
from common.db import outbox_table
from common.errors import Refusal
from common.events import decode
from interactions.conversations.models import conversation, conversation_entry, conversation_reference
from interactions.conversations.use_cases import act_on_conversation, recompute, told_of
from interactions.corrections.use_cases import correct, retract
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.models import touchpoint
from interactions.touchpoints.schemas import read_document
from interactions.uow import InteractionsUnitOfWork

ANA, EVA = ["phone:300 123 4567"], ["phone:3154445566"]


async def standing_word(world: Any) -> set[ConversationMoved]:
    """The moves that were told and not taken back; of one touchpoint one that joins a thread, and one that closes it."""
    stands: dict[Any, ConversationMove] = {}
    for row in sorted(await world.rows(outbox_table), key=lambda row: row["seq"]):
        event = decode(row["payload"])
        said = event.data if event else None
        if isinstance(said, TouchpointRetracted):
            stands = {key: move for key, move in stands.items() if move.touchpoint_id != said.touchpoint_id}
        elif isinstance(said, ConversationMoveRetracted):
            assert vars(stands.pop(_key(said))) == vars(said), "what was never told was taken back"
        elif isinstance(said, ConversationMoved):
            stands[_key(said)] = said
    return {ConversationMoved(**vars(move)) for move in stands.values()}


def _key(move: ConversationMove) -> Any:
    what = "in" if move.move in {"opened", "continued", "resumed"} else move.move
    return (move.touchpoint_id, what) if move.touchpoint_id else (move.conversation_id, what, move.at)


async def threads_say(world: Any) -> set[ConversationMoved]:
    async with InteractionsUnitOfWork(world.database, reading=True) as uow:
        parties = {row["party_id"] for row in await world.rows(conversation)}
        return set((await told_of(parties, uow=uow, company=world.company)).values())


async def act(world: Any, named: UUID, what: Any) -> None:
    uow = InteractionsUnitOfWork(world.database)
    await act_on_conversation(named, what, reason="x", by="Luisa", uow=uow, clock=world.clock, company=world.company)


def said_by(world: Any, chance: random.Random, identifiers: list[str]) -> dict[str, Any]:
    return {
        "kind": chance.choice(("message", "call", "purchase", "note")), "channel": chance.choice(("call", "web")),
        "direction": chance.choice(("inbound", "outbound")), "topic": chance.choice(("billing", "delivery", None)),
        "outcome": chance.choice(("resolved", "pending", None)), "identifiers": identifiers,
        "occurred_at": (world.clock() - timedelta(hours=chance.choice((0, 0, 5, 200)))).isoformat(),
        "references": chance.choice(([], [], ["invoice:F-1"])), "payload": {},
    }  # fmt: skip


async def correct_one(world: Any, row: Any, chance: random.Random) -> None:
    body = said_by(world, chance, chance.choice((ANA, EVA)))
    body |= {"source": row["source"], "external_id": row["external_id"], "kind": "message"}
    draft = read_document(body, speaker=Speaker(by="x"), company=world.company)
    await correct(row["touchpoint_id"], draft, by="Luisa", reason="x", desk=world.desk)


@pytest.mark.parametrize("seed", range(10))
async def test_what_was_told_and_stands_is_what_the_threads_are(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    one, other = [await _known(world, chance, who) for who in (ANA, EVA)]
    merged = False
    for turn in range(40):
        world.clock.advance(timedelta(hours=chance.choice((0, 1, 30, 100))))
        live = [row for row in await world.rows(touchpoint) if row["state"] == "live"]
        drawn, any_one = chance.random(), chance.choice(live)
        if drawn < 0.6:
            body = said_by(world, chance, chance.choice((ANA, EVA)))
            await world.record(**body | {"payload": {"amount": "1"} if body["kind"] == "purchase" else {}})
        elif drawn < 0.75:
            if merged:
                await _part(world, other, turn)
            else:
                await world.merge(one, other, revision=100 + turn)
            merged = not merged
        elif drawn < 0.85:
            with contextlib.suppress(Refusal):
                await act(world, any_one["touchpoint_id"], chance.choice(("park", "close")))
        elif drawn < 0.92:
            await correct_one(world, any_one, chance)
        else:
            await retract(any_one["touchpoint_id"], reason="x", by="Luisa", desk=world.desk)
        assert await standing_word(world) == await threads_say(world), turn


async def _known(world: Any, chance: random.Random, identifiers: list[str]) -> UUID:
    for _ in range(3):
        await world.record(**said_by(world, chance, identifiers) | {"kind": "message"})
    customer: UUID = await world.link(*identifiers)
    return customer


async def _part(world: Any, other: UUID, turn: int) -> None:
    await world.link(*EVA, customer=other, revision=100 + turn)


async def test_what_a_person_did_goes_with_the_touchpoint_by_which_he_named_the_thread(world: Any) -> None:
    await world.record(identifiers=ANA, topic="billing")
    hers = await world.record(identifiers=EVA, topic="billing")
    ana, eva = await world.link(*ANA), await world.link(*EVA)
    await world.merge(ana, eva)
    await act(world, UUID(hers["touchpoint_id"]), "park")
    assert [row["state"] for row in await world.rows(conversation)] == ["parked"]
    await _part(world, eva, 1)
    states = {row["party_id"]: row["state"] for row in await world.rows(conversation)}
    assert states == {ana: "waiting-us", eva: "parked"}
    assert {move.conversation_id for move in await standing_word(world) if move.move == "parked"} == {
        UUID(hers["touchpoint_id"])
    }


async def test_what_came_by_a_clock_that_goes_ahead_does_not_stand_over_its_answer(world: Any) -> None:
    await world.record(identifiers=ANA, topic="billing", stop_point="He waits", ago=-timedelta(minutes=4))
    world.clock.advance(timedelta(minutes=1))
    await world.record(identifiers=ANA, topic="billing", stop_point="Paid", direction="outbound", outcome="resolved")
    (thread,) = await world.rows(conversation)
    assert (thread["state"], thread["stop_point"]) == ("closed", "Paid")


async def test_a_correction_that_makes_it_another_customers_lies_before_what_he_said_since(world: Any) -> None:
    mistaken = await world.record(identifiers=ANA)
    await world.record(identifiers=EVA, outcome="resolved")
    await world.link(*ANA)
    eva = await world.link(*EVA)
    (row,) = [row for row in await world.rows(touchpoint) if str(row["touchpoint_id"]) == mistaken["touchpoint_id"]]
    body = {"kind": "message", "channel": "call", "identifiers": EVA, "occurred_at": world.clock().isoformat()}
    body |= {"source": row["source"], "external_id": row["external_id"]}
    draft = read_document(body, speaker=Speaker(by="x"), company=world.company)
    await correct(row["touchpoint_id"], draft, by="Luisa", reason="x", desk=world.desk)
    (hers,) = [row for row in await world.rows(conversation) if row["party_id"] == eva]
    assert (hers["entries"], hers["state"]) == (2, "closed")
    assert await standing_word(world) == await threads_say(world)


async def computed_anew(world: Any) -> None:
    async with InteractionsUnitOfWork(world.database) as uow:
        parties = {row["party_id"] for row in await world.rows(conversation)}
        told = await told_of(parties, uow=uow, company=world.company)
        await recompute(parties, told=told, uow=uow, company=world.company, now=world.clock())
        await uow.commit()


async def threads_on_record(world: Any) -> list[Any]:
    tables = (conversation, conversation_entry, conversation_reference)
    return [sorted(map(dict, await world.rows(table)), key=str) for table in tables]


async def test_what_a_contact_spoke_of_by_mistake_leads_nobody_to_its_thread(world: Any) -> None:
    body = {"source": "test", "external_id": "b-1", "kind": "message", "channel": "web", "topic": "billing"}
    body |= {"identifiers": ANA, "occurred_at": world.clock().isoformat()}
    billing = await world.record(**body, references=["invoice:F-1"])
    draft = read_document({**body, "references": ["invoice:F-2"]}, speaker=Speaker(by="x"), company=world.company)
    await correct(UUID(billing["touchpoint_id"]), draft, by="Luisa", reason="x", desk=world.desk)
    delivery = await world.record(identifiers=ANA, topic="delivery", references=["order:1"])
    await retract(UUID(delivery["touchpoint_id"]), reason="x", by="Luisa", desk=world.desk)
    assert [row["reference"] for row in await world.rows(conversation_reference)] == ["invoice:F-2"]
    about = await world.record(identifiers=ANA, topic="delivery", references=["invoice:F-1"])
    assert about["conversation_id"] not in (billing["conversation_id"], delivery["conversation_id"])
    again = await world.record(identifiers=ANA, topic="billing", references=["order:1"])
    assert again["conversation_id"] == billing["conversation_id"]
    as_placed = await threads_on_record(world)
    await computed_anew(world)
    assert await threads_on_record(world) == as_placed
