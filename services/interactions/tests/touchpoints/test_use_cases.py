"""Recording, on real databases: once, all that follows, and nothing that was not committed."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from common.clock import Clock
from common.db import outbox_table, parked_table, timer_table
from common.events import correlation_id, decode
from interactions.cases.models import case_file, case_step
from interactions.cases.use_cases import act_on_case
from interactions.commitments.domain import CommitmentSettled
from interactions.commitments.models import commitment
from interactions.commitments.use_cases import settle
from interactions.conversations.models import conversation, conversation_entry
from interactions.corrections.use_cases import correct, redact, retract
from interactions.touchpoints import domain
from interactions.touchpoints.domain import Draft, Speaker, Unreadable
from interactions.touchpoints.models import receipt, touchpoint, trace, trace_identifier
from interactions.touchpoints.repository import Receipt
from interactions.touchpoints.schemas import read_document
from interactions.touchpoints.use_cases import (
    Outcome,
    Recorded,
    Recorder,
    Refused,
    record_touchpoints,
)
from interactions.uow import PARTIES, InteractionsUnitOfWork

SPEAKER = Speaker(by="first key", attests=frozenset({"*"}))
PHONE = "phone:300 123 4567"


def draft(world: Any, number: object = 1, **said: Any) -> Draft | Unreadable:
    document = {
        "source": "test",
        "external_id": f"x-{number}",
        "kind": "message",
        "channel": "whatsapp",
        "occurred_at": world.clock().isoformat(),
        "identifiers": [PHONE],
        **said,
    }
    return read_document(document, speaker=SPEAKER, company=world.company)


async def record(world: Any, *given: Draft | Unreadable) -> list[Outcome]:
    return await record_touchpoints(given, desk=world.desk)


async def one(world: Any, number: object = 1, **said: Any) -> dict[str, Any]:
    (outcome,) = await record(world, draft(world, number, **said))
    assert isinstance(outcome, Recorded), outcome
    return outcome.as_body()


async def refusal(world: Any, number: object = 1, **said: Any) -> Refused:
    (outcome,) = await record(world, draft(world, number, **said))
    assert isinstance(outcome, Refused), outcome
    return outcome


async def told(world: Any) -> list[Any]:
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])
    return [event.data for row in rows if (event := decode(row["payload"]))]


async def moves(world: Any) -> Counter[str]:
    return Counter(
        f"{data.type.removeprefix('interactions.')}{':' + data.move if hasattr(data, 'move') else ''}"
        for data in await told(world)
    )


async def test_a_touchpoint_is_in_the_log_and_told_when_the_answer_is_there(world: Any) -> None:
    answer = await one(world, commitments=[{"by": "company", "text": "call back", "due_at": "2030-01-01T00:00:00Z"}])
    (row,) = await world.rows(touchpoint)
    assert row["touchpoint_id"] == UUID(answer["touchpoint_id"])
    assert await moves(world) == {
        "touchpoint-recorded": 1,
        "person-seen": 1,
        "conversation-moved:opened": 1,
        "commitment-moved:made": 1,
    }
    assert [timer["key"] for timer in await world.rows(timer_table)] == answer["commitment_ids"]


async def test_identity_hears_of_what_is_on_the_block_list_since_its_guard_tells_of_it(world: Any) -> None:
    await one(world, identifiers=["email:noreply@example.com", "phone:+573001234567"])
    await one(world, 2, identifiers=["email:noreply@example.com"])
    seen = [data for data in await told(world) if data.type.endswith("person-seen")]
    given = [[(each["scheme"], each["attested"]) for each in data.identifiers] for data in seen]
    assert given == [[("phone", True), ("email", False)], [("email", False)]]


async def test_all_that_is_told_of_touchpoints_is_as_its_class_would_write_it(world: Any) -> None:
    offset = "2026-11-20T09:15:00.120-05:00"
    await record(
        world,
        draft(
            world,
            1,
            occurred_at=offset,
            topic="billing",
            actor={"kind": "staff", "id": "7"},
            site="centro",
            outcome="pending",
        ),
        draft(world, 2, occurred_at=offset, channel="call", topic="billing", outcome="resolved", asked=["q1"]),
        draft(world, 3, identifiers=[], kind="note"),
        draft(
            world,
            4,
            identifiers=["email:ana@example.org", "phone:+573001234567"],
            profile={"full_name": 'Ñandú "la" <Ana>', "city": None},
            facts=[{"key": "likes", "value": 1e-7}, {"key": "sizes", "value": ["a", "b"], "confidence": 0.25}],
        ),
        draft(world, 5, kind="purchase", payload={"amount": "12.50", "currency": "USD", "quantity": 2}),
        draft(world, 6, kind="complaint", payload={"severity": "high"}),
    )
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])
    assert Counter(row["type"].partition(".")[2] for row in rows) == {
        "touchpoint-recorded": 6,
        "person-seen": 5,
        "conversation-moved": 5,
        "case-moved": 1,
    }
    for row in rows:
        event = decode(row["payload"])
        assert event is not None
        assert row["payload"].endswith(f'"data":{event.data.as_json()}}}')
        assert (row["aggregateid"], row["aggregatetype"]) == (event.data.key(), event.data.topic) == (
            event.subject, event.data.topic,
        )  # fmt: skip


async def test_a_large_batch_is_recorded_as_its_touchpoints_would_be_one_by_one(world: Any) -> None:
    def drafts(first: int) -> list[Draft | Unreadable]:
        phones = [f"phone:+5730012345{number % 70 + 10}" for number in range(130)]
        return [draft(world, first + n, identifiers=[phone], topic="billing") for n, phone in enumerate(phones)]

    first, second = await record(world, *drafts(0)), await record(world, *drafts(1_000))
    answers = [outcome.as_body() for outcome in (*first, *second)]
    assert Counter(answer["matched_by"] for answer in answers) == {"new": 70, "topic": 190}
    held = {row["touchpoint_id"]: row["conversation_id"] for row in await world.rows(conversation_entry)}
    assert held == {UUID(answer["touchpoint_id"]): UUID(answer["conversation_id"]) for answer in answers}
    threads = {row["conversation_id"]: row["entries"] for row in await world.rows(conversation)}
    assert threads == Counter(held.values())
    assert await moves(world) == {
        "touchpoint-recorded": 260,
        "person-seen": 260,
        "conversation-moved:opened": 70,
        "conversation-moved:continued": 190,
    }


async def test_a_resent_touchpoint_counts_once_and_gets_the_first_answer(world: Any) -> None:
    first = await one(world, topic="billing")
    before = await told(world)
    again = await one(world, topic="billing")
    assert again == {**first, "status": "duplicate"}
    assert len(await world.rows(touchpoint)) == 1
    assert await told(world) == before


async def test_another_body_under_a_known_id_is_parked_and_the_first_one_stays(world: Any) -> None:
    await one(world, content="a")
    refused = await refusal(world, content="b")
    assert isinstance(refused.refusal, domain.DifferentBody)
    assert [row["content"] for row in await world.rows(touchpoint)] == ["a"]
    (parked,) = await world.rows(parked_table)
    assert (parked["id"], parked["code"]) == (refused.parked_id, "different-body")


async def test_two_of_one_id_in_one_batch_are_one(world: Any) -> None:
    first, second, other = await record(world, draft(world), draft(world), draft(world, content="else"))
    assert isinstance(first, Recorded)
    assert second == replace(first, status="duplicate")
    assert isinstance(other, Refused)
    assert len(await world.rows(touchpoint)) == 1


async def test_one_that_is_refused_leaves_its_id_to_the_next_in_the_batch(world: Any) -> None:
    bad, good = draft(world, case="PQR-2020-000001"), draft(world)
    outcomes = await record(world, bad, bad, good, draft(world, content="else"), good)
    told = [one.status if isinstance(one, Recorded) else one.refusal.code for one in outcomes]
    assert told == ["unknown-case", "unknown-case", "recorded", "different-body", "duplicate"]
    assert len(await world.rows(touchpoint)) == 1
    assert {row["code"] for row in await world.rows(parked_table)} == {"unknown-case", "different-body"}


async def test_a_bad_row_is_refused_alone_and_kept(world: Any) -> None:
    outcomes = await record(
        world,
        draft(world, 1),
        draft(world, 2, kind="telepathy"),
        draft(world, 3, identifiers=["horoscope:leo"]),
        draft(world, 4, occurred_at=(world.clock() + timedelta(hours=1)).isoformat()),
        draft(world, 5),
    )
    assert [type(outcome) for outcome in outcomes] == [Recorded, Refused, Refused, Refused, Recorded]
    parked = await world.rows(parked_table)
    assert {row["code"] for row in parked} == {"invalid", "invalid-identifier", "occurred-in-future"}
    assert {row["id"] for row in parked} == {o.parked_id for o in outcomes if isinstance(o, Refused)}


async def test_what_is_refused_again_in_the_same_words_is_parked_once(world: Any) -> None:
    bad = draft(world, 2, kind="telepathy"), draft(world, 3, identifiers=["horoscope:leo"])
    first = [one.parked_id for one in await record(world, *bad, bad[0]) if isinstance(one, Refused)]
    assert len(first) == 3
    assert first[0] == first[2]
    async with InteractionsUnitOfWork(world.database) as uow:
        await uow.parked.settle(first[1], state="dropped", by="somebody", reason="a test", at=world.clock())
        await uow.commit()
    world.clock.advance(timedelta(hours=1))
    again = [one.parked_id for one in await record(world, *bad) if isinstance(one, Refused)]
    assert again == first[:2]
    assert {row["state"]: row["parked_at"] for row in await world.rows(parked_table)} == {
        "parked": world.clock() - timedelta(hours=1),
        "dropped": world.clock() - timedelta(hours=1),
    }


async def test_what_differs_or_names_no_external_id_is_parked_by_itself(world: Any) -> None:
    other = replace(SPEAKER, by="another key")
    said = {"external_id": "x-1", "kind": "telepathy"}
    nameless = [read_document(body, speaker=SPEAKER, company=world.company) for body in ({"kind": "x"}, [], "no", 1)]
    given = [
        *(read_document(said, speaker=who, company=world.company) for who in (SPEAKER, other)),
        read_document({**said, "channel": "web"}, speaker=SPEAKER, company=world.company),
        *nameless,
        *nameless,
    ]
    outcomes = await record(world, *given)
    assert len({one.parked_id for one in outcomes if isinstance(one, Refused)}) == len(given)
    assert len(await world.rows(parked_table)) == len(given)


async def test_a_thousand_take_one_transaction(world: Any) -> None:
    outcomes = await record(
        world, *(draft(world, n, identifiers=[f"email:c{n % 50}@example.com"]) for n in range(1000))
    )
    assert Counter(outcome.status for outcome in outcomes if isinstance(outcome, Recorded)) == {"recorded": 1000}
    assert len(await world.rows(trace)) == len(await world.rows(conversation)) == 50
    xids = {row["xid"] for row in await world.rows(outbox_table)}
    assert len(xids) == 1


async def test_what_was_not_committed_never_was(world: Any) -> None:
    def broken_clock() -> datetime:
        raise ConnectionError("the machine stops")

    with pytest.raises(ConnectionError):
        await record_touchpoints([draft(world)], desk=replace(world.desk, clock=broken_clock))
    assert await world.rows(receipt) == []
    assert (await one(world))["status"] == "recorded"


async def test_the_same_batch_sent_twice_at_once_is_recorded_once(world: Any) -> None:
    batch = [draft(world, n, identifiers=[f"email:c{n}@example.com"]) for n in range(20)]
    both = await asyncio.gather(record(world, *batch), record(world, *reversed(batch)))
    statuses = Counter(outcome.status for some in both for outcome in some if isinstance(outcome, Recorded))
    assert statuses == {"recorded": 20, "duplicate": 20}
    assert len(await world.rows(touchpoint)) == len(await world.rows(receipt)) == 20


async def test_contacts_of_one_person_at_once_are_one_thread(world: Any) -> None:
    await asyncio.gather(*(one(world, n, topic="billing") for n in range(12)))
    assert len(await world.rows(conversation)) == 1
    assert len(await world.rows(conversation_entry)) == 12


async def test_a_row_that_the_database_refuses_is_found_and_the_others_are_kept(world: Any) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite keeps a NUL in a text")
    good = [draft(world, n) for n in range(5)]
    assert isinstance(good[0], Draft)
    outcomes = await record(world, *good[:3], replace(good[3], content="a\x00b"), good[4])  # type: ignore[type-var]
    assert [type(outcome) for outcome in outcomes] == [Recorded] * 3 + [Refused, Recorded]
    assert [row["code"] for row in await world.rows(parked_table)] == ["unstorable"]


async def test_tables_of_another_version_are_nobodys_fault_and_nothing_is_parked(world: Any) -> None:
    async def rename(old: str, new: str) -> None:
        async with world.database.engine.begin() as connection:
            await connection.execute(sa.text(f"ALTER TABLE conversation RENAME COLUMN {old} TO {new}"))

    await rename("last_site", "site_of_the_last")
    with pytest.raises(DBAPIError):
        await record(world, draft(world, 1))
    await rename("site_of_the_last", "last_site")
    assert await world.rows(parked_table) == []
    assert [type(outcome) for outcome in await record(world, draft(world, 1))] == [Recorded]


# --- whose it is ------------------------------------------------------------------------------------------------------


async def test_an_identifier_that_reaches_one_customer_links_at_once(world: Any) -> None:
    await one(world, 1, identifiers=[PHONE, "email:ana@example.com"])
    ana = await world.link(PHONE)
    answer = await one(world, 2, identifiers=[PHONE], channel="call")
    assert (answer["customer_id"], answer["matched_by"]) == (str(ana), "recent")
    assert [row["revision"] for row in await world.rows(trace) if row["proof"]] == [1, 0]


async def test_another_name_on_the_same_phone_links_nobody(world: Any) -> None:
    await one(world, 1, profile={"full_name": "Ana Lopez"})
    await world.link(PHONE)
    assert (await one(world, 2, profile={"full_name": "Pedro Gomez"}))["customer_id"] is None


async def test_a_customer_named_by_staff_is_he_who_absorbed_him(world: Any) -> None:
    await one(world, 1)
    ana = await world.link(PHONE)
    await one(world, 2, identifiers=["email:ana@example.com"])
    other = await world.link("email:ana@example.com")
    await world.merge(ana, other)
    assert (await one(world, 3, identifiers=[f"customer:{other}"]))["customer_id"] == str(ana)
    assert (await one(world, 4, identifiers=[f"customer:{uuid4()}"]))["customer_id"] is None


async def test_ids_of_another_customer_and_ids_that_are_none_answer_alike(world: Any) -> None:
    promise = [{"by": "company", "text": "x"}]
    his = await one(world, 1, kind="complaint", identifiers=["email:his@example.com"], commitments=promise)
    said = [
        ({"conversation_id": his["conversation_id"]}, {"conversation_id": str(uuid4())}, "/conversation_id"),
        ({"case": his["case_number"]}, {"case": "PQR-1999-000001"}, "/case"),
        ({"keeps": his["commitment_ids"]}, {"keeps": [str(uuid4())]}, "/keeps/0"),
    ]
    for number, (foreign, absent, pointer) in enumerate(said):
        one_way = await refusal(world, f"f{number}", **foreign)
        other_way = await refusal(world, f"a{number}", **absent)
        assert one_way.refusal.code == other_way.refusal.code
        assert one_way.refusal.errors == other_way.refusal.errors
        assert one_way.refusal.errors[0].pointer == pointer


async def test_any_touchpoint_of_a_thread_continues_it(world: Any) -> None:
    first = await one(world, 1)
    second = await one(world, 2)
    third = await one(world, 3, topic="delivery", conversation_id=second["touchpoint_id"])
    assert (third["conversation_id"], third["matched_by"]) == (first["conversation_id"], "reference")


async def test_a_cash_sale_teaches_nobody_and_is_counted(world: Any) -> None:
    answer = await one(world, kind="purchase", identifiers=[], payload={"amount": "129900.00", "quantity": 3})
    assert answer["customer_id"] is None
    (event,) = await told(world)
    assert (event.anonymous, event.amount.minor, event.quantity) == (True, 12_990_000, 3)
    assert await world.rows(trace_identifier) == []


async def test_no_event_of_the_main_topic_tells_who_he_is(world: Any) -> None:
    await one(
        world, profile={"full_name": "Ana Lopez"}, content="mi secreto", summary="secreto", references=["invoice:F-1"]
    )
    rows = [row["payload"] for row in await world.rows(outbox_table) if row["aggregatetype"] == "interactions.v1"]
    assert rows
    assert not any(word in row for row in rows for word in ("Ana", "3001234567", "secreto", "F-1"))


# --- history ----------------------------------------------------------------------------------------------------------


async def test_history_sets_nothing_off_but_what_falls_due_later(world: Any) -> None:
    old = (world.clock() - timedelta(days=400)).isoformat()
    soon = (world.clock() + timedelta(days=2)).isoformat()
    promises = [{"by": "company", "text": "old", "due_at": old}, {"by": "company", "text": "soon", "due_at": soon}]
    answer = await one(world, kind="complaint", occurred_at=old, backfill=True, commitments=promises)
    assert [timer["key"] for timer in await world.rows(timer_table)] == [answer["commitment_ids"][1]]
    assert all(event.backfill for event in await told(world))


# --- afterwards -------------------------------------------------------------------------------------------------------


async def test_a_retracted_touchpoint_takes_back_all_that_it_did(world: Any) -> None:
    kept = await one(world, 1, commitments=[{"by": "company", "text": "call", "due_at": "2030-01-01T00:00:00Z"}])
    wrong = await one(
        world,
        2,
        kind="complaint",
        topic="delivery",
        identifiers=[PHONE, "email:not.his@example.com"],
        profile={"full_name": "Not He"},
        keeps=kept["commitment_ids"],
        commitments=[{"by": "company", "text": "x", "due_at": "2030-01-01T00:00:00Z"}],
    )
    await retract(UUID(wrong["touchpoint_id"]), reason="the wrong man", by="Luisa", desk=world.desk)
    states = {str(row["commitment_id"]): row["state"] for row in await world.rows(commitment)}
    assert states == {kept["commitment_ids"][0]: "open", wrong["commitment_ids"][0]: "retracted"}
    assert [row["state"] for row in await world.rows(case_file)] == ["retracted"]
    assert {timer["key"] for timer in await world.rows(timer_table)} == set(kept["commitment_ids"])
    happened = await moves(world)
    assert happened["touchpoint-retracted"] == happened["person-unseen"] == happened["case-moved:retracted"] == 1
    assert [row["scheme"] for row in await world.rows(trace_identifier)] == ["phone"]


async def test_a_retraction_repeats_the_figures_that_were_told(world: Any) -> None:
    answer = await one(world, kind="purchase", payload={"amount": "10.00"})
    await retract(UUID(answer["touchpoint_id"]), reason="a test", by="Luisa", desk=world.desk)
    recorded, retracted = [e for e in await told(world) if e.type.startswith("interactions.touchpoint")]
    assert retracted.model_dump(exclude={"reason_code"}) == recorded.model_dump()


async def test_it_is_retracted_once(world: Any) -> None:
    answer = await one(world)
    await retract(UUID(answer["touchpoint_id"]), reason="a test", by="Luisa", desk=world.desk)
    with pytest.raises(domain.TouchpointNotLive):
        await retract(UUID(answer["touchpoint_id"]), reason="a test", by="Luisa", desk=world.desk)
    with pytest.raises(domain.UnknownTouchpoint):
        await retract(uuid4(), reason="a test", by="Luisa", desk=world.desk)


async def test_a_thread_keeps_its_id_when_its_first_contact_is_retracted(world: Any) -> None:
    first = await one(world, 1, topic="billing", summary="wrong")
    second = await one(world, 2, topic="billing", summary="right")
    await retract(UUID(first["touchpoint_id"]), reason="a test", by="Luisa", desk=world.desk)
    (thread,) = [row for row in await world.rows(conversation) if row["entries"]]
    async with world_uow(world) as uow:
        assert (await uow.conversations.get(UUID(second["touchpoint_id"])))["conversation_id"] == thread[
            "conversation_id"
        ]
    assert thread["summary"] == "right"


def world_uow(world: Any) -> Any:
    from interactions.uow import InteractionsUnitOfWork

    return InteractionsUnitOfWork(world.database, reading=True)


async def test_a_correction_stands_beside_the_first_version_on_its_own_trace(world: Any) -> None:
    answer = await one(world, 1, topic="billing", content="hola")
    corrected = draft(world, 1, topic="billing", content="hola", identifiers=["email:ana@example.com"])
    assert isinstance(corrected, Draft)
    new = await correct(UUID(answer["touchpoint_id"]), corrected, by="Luisa", reason="typed wrong", desk=world.desk)
    old_row, new_row = sorted(await world.rows(touchpoint), key=lambda row: row["version"])
    assert (old_row["state"], new_row["state"], new_row["version"]) == ("corrected", "live", 2)
    assert old_row["corrected_by"] == new_row["touchpoint_id"] == UUID(new.as_body()["touchpoint_id"])
    assert old_row["trace_id"] != new_row["trace_id"]
    assert [e.reason_code for e in await told(world) if e.type.endswith("retracted")] == ["corrected"]
    (again,) = await record(world, corrected)
    assert isinstance(again, Recorded)
    assert again.status == "duplicate"  # the corrected body is the known one now
    async with world_uow(world) as uow:  # the id that was given out leads to the present thread
        thread = await uow.conversations.get(UUID(answer["conversation_id"]))
    assert thread["last_touchpoint_id"] == new_row["touchpoint_id"]


async def test_a_correction_on_the_same_trace_keeps_its_place_in_the_thread(world: Any) -> None:
    first = await one(world, 1, topic="billing", summary="wrong")
    await one(world, 2, topic="billing", direction="outbound")
    corrected = draft(world, 1, topic="billing", summary="right")
    assert isinstance(corrected, Draft)
    new = await correct(UUID(first["touchpoint_id"]), corrected, by="Luisa", reason="typo", desk=world.desk)
    assert new.as_body()["conversation_id"] == first["conversation_id"]
    (thread,) = await world.rows(conversation)
    assert (thread["summary"], thread["entries"]) == ("right", 2)


async def test_a_correction_keeps_source_and_external_id(world: Any) -> None:
    first = await one(world, 1)
    other = draft(world, 2)
    assert isinstance(other, Draft)
    with pytest.raises(domain.AnotherExternalId):
        await correct(UUID(first["touchpoint_id"]), other, by="Luisa", reason="typo", desk=world.desk)
    assert [row["state"] for row in await world.rows(touchpoint)] == ["live"]


@pytest.mark.parametrize("number", [1, "CORP\\jdoe", 'the "first"', "año"])
async def test_what_is_redacted_is_gone_from_the_log_the_thread_and_the_parked_bodies(
    world: Any, number: object
) -> None:
    answer = await one(world, number, summary="card 4111 1111", content="4111 1111", stop_point="4111 1111")
    await refusal(world, number, summary="card 4111 1111", content="4111 1111 again")
    pointers = ["/content", "/summary", "/stop_point"]
    await redact(UUID(answer["touchpoint_id"]), pointers, reason="a card number", by="Luisa", desk=world.desk)
    for table in (touchpoint, conversation, parked_table):
        assert "4111 1111" not in str([dict(row) for row in await world.rows(table)]), table.name
    (row,) = await world.rows(touchpoint)
    assert [(mark["pointer"], mark["by"], mark["reason"]) for mark in row["redacted"]] == [
        (pointer, "Luisa", "a card number") for pointer in pointers
    ]


# --- group commit -----------------------------------------------------------------------------------------------------


async def test_single_touchpoints_that_arrive_together_share_transactions(world: Any) -> None:
    recorder = Recorder(world.desk)
    outcomes = await asyncio.gather(*(recorder.record([draft(world, n)]) for n in range(60)))
    assert {getattr(outcome, "status", "refused") for (outcome,) in outcomes} == {"recorded"}
    assert len(await world.rows(touchpoint)) == 60
    if world.database.dialect == "postgresql":
        assert len({row["xid"] for row in await world.rows(outbox_table)}) <= 3


async def test_the_recorder_survives_a_database_that_goes_away(world: Any) -> None:
    recorder = Recorder(replace(world.desk, clock=failing(world.clock, ConnectionError("the database restarts"))))
    with pytest.raises(ConnectionError):
        await recorder.record([draft(world)])
    (outcome,) = await recorder.record([draft(world)])
    assert isinstance(outcome, Recorded)


class Rival:
    """Holds the log on PostgreSQL until the recorder waits for it, then waits for what the recorder holds: a deadlock each time."""

    def __init__(self, world: Any, party: UUID) -> None:
        self._world, self._party = world, party
        self.holds = asyncio.Event()
        self.met = 0

    async def cross(self, *, times: int) -> None:
        async with InteractionsUnitOfWork(self._world.database) as uow:
            await uow.session.execute(sa.text("SET LOCAL deadlock_timeout = '1min'"))  # the other is the victim
            await uow.session.execute(sa.text("LOCK TABLE touchpoint IN EXCLUSIVE MODE"))
            self.holds.set()
            for _ in range(times):
                await self._somebody_waits()
                async with uow.session.begin_nested() as only_this:
                    await uow.lock([self._party], space=PARTIES)
                    await only_this.rollback()
                self.met += 1

    async def _somebody_waits(self) -> None:
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'touchpoint'::regclass")
        async with self._world.database.engine.connect() as connection:
            while not await connection.scalar(waiting):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_deadlock_is_the_servers_matter_and_not_the_callers(world: Any, times: int) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("one writer: nobody waits crosswise")
    first = await one(world, 1)
    (party,) = {row["trace_id"] for row in await world.rows(trace)}
    rival = Rival(world, party)
    async with asyncio.timeout(30), asyncio.TaskGroup() as both:
        both.create_task(rival.cross(times=times))
        await rival.holds.wait()
        outcomes = await Recorder(world.desk).record([draft(world, 2), draft(world, 3, kind="telepathy")])
    assert rival.met == times
    assert [type(outcome) for outcome in outcomes] == [Recorded, Refused]
    assert (await one(world, 2))["status"] == "duplicate"
    assert len(await world.rows(touchpoint)) == len(await world.rows(receipt)) == 2
    assert len(await world.rows(parked_table)) == 1
    assert {row["conversation_id"] for row in await world.rows(conversation)} == {UUID(first["conversation_id"])}


async def test_what_people_do_to_a_case_and_a_promise_while_a_contact_on_another_trace_names_them_comes_after_it(
    world: Any,
) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("one writer: nobody comes between")
    complaint = await one(world, 1, kind="complaint", commitments=[{"by": "company", "text": "call back"}])
    number, promised = complaint["case_number"], UUID(complaint["commitment_ids"][0])
    doing: dict[str, Any] = {"by": "Luisa", "clock": world.clock}
    named = {"identifiers": [PHONE, "email:ana@example.com"], "case": number, "keeps": [str(promised)]}
    async with asyncio.timeout(30):
        async with InteractionsUnitOfWork(world.database) as rival:
            await rival.receipts.claim([Receipt("test", "x-2", "", UUID(int=1), UUID(int=1), {})])
            contact = asyncio.create_task(one(world, 2, **named))
            await somebody_waits(world, 1)  # all is written but the receipt
            uow = InteractionsUnitOfWork(world.database)
            answer = act_on_case(number, "answer", text="returned", uow=uow, company=world.company, **doing)
            waiver = settle(promised, "waive", reason="no", uow=InteractionsUnitOfWork(world.database), **doing)
            acts = asyncio.gather(answer, waiver, return_exceptions=True)
            await somebody_waits(world, 3)
        await contact
        assert isinstance((await acts)[1], CommitmentSettled)
    ((case,), (kept,)) = (await world.rows(case_file), await world.rows(commitment))
    assert (case["state"], case["contacts_count"], kept["state"]) == ("answered", 2, "kept")
    steps = sorted(await world.rows(case_step), key=lambda step: step["step_id"])
    assert [step["move"] for step in steps] == ["opened", "contacted", "answered"]
    assert (await moves(world))["commitment-moved:waived"] == 0


async def test_what_people_do_to_a_case_while_a_contact_of_another_trace_on_it_is_taken_back_comes_after_that(
    world: Any,
) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("one writer: nobody comes between")
    complaint = await one(world, 1, kind="complaint")
    number = complaint["case_number"]
    contact = await one(world, 2, identifiers=[PHONE, "email:ana@example.com"], case=number)
    async with asyncio.timeout(30):
        async with InteractionsUnitOfWork(world.database) as rival:
            await rival.session.execute(sa.text("LOCK TABLE outbox IN EXCLUSIVE MODE"))
            taking_back = retract(UUID(contact["touchpoint_id"]), reason="no", by="Luisa", desk=world.desk)
            first = asyncio.create_task(taking_back)
            await somebody_waits(world, 1)  # all is written but what the others are told
            uow, doing = InteractionsUnitOfWork(world.database), {"by": "Luisa", "clock": world.clock}
            answering = act_on_case(number, "answer", text="returned", uow=uow, company=world.company, **doing)
            second = asyncio.create_task(answering)
            await somebody_waits(world, 2)
        await asyncio.gather(first, second)
    (case,) = await world.rows(case_file)
    assert (case["state"], case["contacts_count"]) == ("answered", 1)


async def somebody_waits(world: Any, count: int) -> None:
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with world.database.engine.connect() as connection:
        while await connection.scalar(waiting) < count:
            await asyncio.sleep(0.01)


async def test_requests_share_a_transaction_and_each_gets_its_own_outcomes(world: Any) -> None:
    recorder = Recorder(world.desk, largest=10)
    sizes = [3, 1, 12, 4, 4, 1]
    asked = [[draft(world, 100 * place + n) for n in range(size)] for place, size in enumerate(sizes)]
    told = await asyncio.gather(*(recorder.record(each) for each in [*asked, asked[0]]))
    assert [len(each) for each in told] == [*sizes, 3]
    assert told[-1] == [Recorded("duplicate", one.answer) for one in told[0] if isinstance(one, Recorded)]
    stored = {str(row["touchpoint_id"]): row["external_id"] for row in await world.rows(touchpoint)}
    assert [[stored[one.answer["touchpoint_id"]] for one in each if isinstance(one, Recorded)] for each in told] == [
        [one.external_id for one in each] for each in [*asked, asked[0]]
    ]


async def test_each_contact_is_followed_by_its_own_correlation_though_they_share_a_transaction(world: Any) -> None:
    recorder = Recorder(world.desk)

    async def record(n: int) -> None:
        correlation_id.set(f"contact-{n}")  # of this task, as of a request
        await recorder.record([draft(world, n)])

    await asyncio.gather(*(asyncio.create_task(record(n)) for n in range(5)))
    ids = {row["touchpoint_id"]: row["external_id"] for row in await world.rows(touchpoint)}
    told = [decode(row["payload"]) for row in await world.rows(outbox_table)]
    found = {(ids[each.data.touchpoint_id], each.correlation_id) for each in told if each is not None}
    assert found == {(draft(world, n).external_id, f"contact-{n}") for n in range(5)}


async def test_what_breaks_one_request_does_not_break_those_beside_it(world: Any) -> None:
    recorder = Recorder(replace(world.desk, clock=failing(world.clock, RuntimeError("a mistake of ours"), times=2)))
    told = await asyncio.gather(*(recorder.record([draft(world, n)]) for n in range(3)), return_exceptions=True)
    assert [type(each) for each in told] == [RuntimeError, list, list]


def failing(clock: Clock, error: Exception, *, times: int = 1) -> Clock:
    """A clock that raises inside the first transactions: requests look at it as well, before they queue."""
    left = [times]

    def read() -> datetime:
        task = asyncio.current_task()
        if left[0] and task is not None and "_flush" in str(task.get_coro()):
            left[0] -= 1
            raise error
        return clock()

    return read


async def test_nobody_waits_for_a_caller_that_hung_up(world: Any) -> None:
    recorder = Recorder(world.desk)
    impatient = asyncio.create_task(recorder.record([draft(world, 1)]))
    await asyncio.sleep(0)
    impatient.cancel()
    (outcome,) = await recorder.record([draft(world, 2)])
    assert isinstance(outcome, Recorded)
    count = sa.select(sa.func.count()).select_from(touchpoint)
    async with world.database.session(reading=True) as session:
        assert await session.scalar(count) == 2
