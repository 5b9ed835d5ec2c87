"""Corrections: said twice they count once, and what was done on a case or a promise since is not lost with a typing error."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from common.contracts.interactions import CaseMoved, CommitmentMoved, PersonSeen
from common.db import outbox_table, parked_table, timer_table
from common.events import decode
from interactions.cases.models import case_file, case_step
from interactions.cases.use_cases import act_on_case
from interactions.commitments.models import commitment
from interactions.commitments.use_cases import reschedule, settle
from interactions.conversations.models import conversation
from interactions.corrections.use_cases import correct, redact, retract
from interactions.touchpoints.domain import Draft, NotRedactable, Speaker, UnknownPromise
from interactions.touchpoints.models import touchpoint
from interactions.touchpoints.schemas import read_document
from interactions.touchpoints.use_cases import record_touchpoints
from interactions.uow import InteractionsUnitOfWork

PHONE = ["phone:300 123 4567"]
SPEAKER = Speaker(by="first key", attests=frozenset({"*"}))


def document(world: Any, **said: Any) -> dict[str, Any]:
    return {
        "source": "test",
        "external_id": "c-1",
        "kind": "complaint",
        "channel": "web",
        "occurred_at": world.clock().isoformat(),
        "identifiers": PHONE,
        "topic": "billing",
        **said,
    }


async def corrected(world: Any, touchpoint_id: str, body: dict[str, Any]) -> dict[str, Any]:
    draft = read_document(body, speaker=SPEAKER, company=world.company)
    assert isinstance(draft, Draft)
    return (await correct(UUID(touchpoint_id), draft, by="Luisa", reason="typo", desk=world.desk)).as_body()


async def act(world: Any, number: str, what: Any) -> None:
    uow = InteractionsUnitOfWork(world.database)
    await act_on_case(number, what, text="returned", by="Luisa", uow=uow, clock=world.clock, company=world.company)


async def told(world: Any, kind: Any, *, since: int) -> list[Any]:
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])[since:]
    return [event.data for row in rows if (event := decode(row["payload"])) and isinstance(event.data, kind)]


async def test_the_same_correction_again_gets_the_first_answer(world: Any) -> None:
    body = document(world)
    first = await world.record(**body)
    fixed = {**body, "content": "twice"}
    answer = await corrected(world, first["touchpoint_id"], fixed)
    before = len(await world.rows(outbox_table))
    again = {**answer, "status": "duplicate"}
    assert await corrected(world, first["touchpoint_id"], fixed) == again  # the answer was lost on the way
    assert await corrected(world, answer["touchpoint_id"], fixed) == again  # the log says just that
    assert len(await world.rows(outbox_table)) == before
    assert sorted(row["version"] for row in await world.rows(touchpoint)) == [1, 2]


async def test_a_case_goes_on_under_its_number_with_what_was_done_on_it(world: Any) -> None:
    body = document(world, payload={"severity": "low", "about": "dobule"})
    first = await world.record(**body)
    world.clock.advance(timedelta(hours=1))
    await world.record(identifiers=PHONE, topic="billing", channel="call", kind="call")
    await act(world, first["case_number"], "answer")
    world.clock.advance(timedelta(hours=1))
    (was,), steps = await world.rows(case_file), await world.rows(case_step)
    before = len(await world.rows(outbox_table))
    answer = await corrected(
        world, first["touchpoint_id"], {**body, "payload": {"severity": "high", "about": "double"}}
    )
    assert answer["case_number"] == first["case_number"]
    (now,) = await world.rows(case_file)
    assert {name for name in was if was[name] != now[name]} == {"touchpoint_id", "severity", "about"}
    assert (now["state"], now["severity"], now["contacts_count"]) == ("answered", "high", 2)
    shown = [(step["move"], step["at"], step["text"]) for step in sorted(steps, key=lambda step: step["step_id"])]
    after = sorted(await world.rows(case_step), key=lambda step: step["step_id"])
    assert [(step["move"], step["at"], step["text"]) for step in after] == shown
    standing = {data.move: data for data in await told(world, CaseMoved, since=before)}
    assert {(data.severity, data.about) for data in standing.values()} == {("high", "double")}
    assert set(standing) >= {"opened", "contacted", "answered"}
    assert str(standing["answered"].touchpoint_id) == answer["touchpoint_id"]


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [({}, True), ({"kind": "message"}, False), ({"identifiers": ["email:ana@example.com"]}, False)],
)
async def test_a_complaint_that_names_its_own_case_is_corrected_as_if_it_named_none(
    world: Any, said: dict[str, Any], goes_on: bool
) -> None:
    body = document(world, content="dobule")
    first = await world.record(**body)
    world.clock.advance(timedelta(minutes=5))
    answer = await corrected(
        world, first["touchpoint_id"], {**body, "content": "double", "case": first["case_number"], **said}
    )
    assert (answer["case_number"] == first["case_number"]) is goes_on
    states = {case["number"]: case["state"] for case in await world.rows(case_file)}
    assert states[first["case_number"]] == ("received" if goes_on else "retracted")
    named = {row["case_number"] for row in await world.rows(touchpoint) if row["state"] == "live"}
    assert named == {answer["case_number"]}


@pytest.mark.parametrize("identifiers", [PHONE, [*PHONE, "email:ana@example.com"], ["phone:300 765 4321"]])
async def test_a_contact_that_names_its_own_thread_is_corrected(world: Any, identifiers: list[str]) -> None:
    body = document(world, kind="call")
    first = await world.record(**body)
    said = {**body, "identifiers": identifiers, "conversation_id": first["conversation_id"]}
    second = await corrected(world, first["touchpoint_id"], said)
    assert (second["conversation_id"] == first["conversation_id"]) is (identifiers == PHONE)
    said = {**said, "topic": "delivery", "conversation_id": second["conversation_id"]}
    third = await corrected(world, second["touchpoint_id"], said)
    assert third["conversation_id"] == second["conversation_id"]


async def test_what_goes_with_the_version_before_cannot_be_named_and_nothing_is_changed(world: Any) -> None:
    body = document(world, kind="call", commitments=[{"by": "company", "text": "send it"}])
    first = await world.record(**body)
    before = len(await world.rows(outbox_table))
    with pytest.raises(UnknownPromise) as refusal:
        await corrected(world, first["touchpoint_id"], {**body, "commitments": [], "keeps": first["commitment_ids"]})
    assert [error.pointer for error in refusal.value.errors] == ["/keeps/0"]
    assert [row["state"] for row in await world.rows(touchpoint)] == ["live"]
    assert [row["state"] for row in await world.rows(commitment)] == ["open"]
    assert len(await world.rows(outbox_table)) == before


async def test_what_a_complaint_said_itself_of_its_answer_is_as_corrected(world: Any) -> None:
    body = document(world, outcome="resolved")
    first = await world.record(**body)
    await corrected(world, first["touchpoint_id"], {**body, "outcome": "pending"})
    (case,) = await world.rows(case_file)
    assert (case["number"], case["state"], case["answered_at"]) == (first["case_number"], "received", None)
    assert [step["move"] for step in await world.rows(case_step)] == ["opened"]


async def test_a_complaint_that_was_none_takes_its_case_back(world: Any) -> None:
    body = document(world)
    first = await world.record(**body)
    answer = await corrected(world, first["touchpoint_id"], {**body, "kind": "message"})
    assert answer["case_number"] is None
    assert [case["state"] for case in await world.rows(case_file)] == ["retracted"]


async def test_of_another_person_a_case_is_another_one(world: Any) -> None:
    body = document(world)
    first = await world.record(**body)
    answer = await corrected(world, first["touchpoint_id"], {**body, "identifiers": ["email:ana@example.com"]})
    assert answer["case_number"] != first["case_number"]
    states = {case["number"]: case["state"] for case in await world.rows(case_file)}
    assert states == {first["case_number"]: "retracted", answer["case_number"]: "received"}


async def test_promises_in_the_same_words_go_on_with_what_became_of_them(world: Any) -> None:
    due = world.clock() + timedelta(days=1)
    told_of = [{"by": "company", "text": text, "due_at": due.isoformat()} for text in ("a", "b", "c", "d")]
    body = document(world, kind="call", commitments=told_of)
    first = await world.record(**body)
    a, b, c, _ = first["commitment_ids"]
    settling = {"by": "Luisa", "uow": InteractionsUnitOfWork(world.database), "clock": world.clock}
    await settle(UUID(a), "keep", reason="sent", **settling)
    await reschedule(UUID(b), due + timedelta(days=1), reason="x", agreed_with=None, **settling)
    before = len(await world.rows(outbox_table))
    mended = [{**one, "text": "e"} if one["text"] == "d" else one for one in told_of]
    answer = await corrected(world, first["touchpoint_id"], {**body, "summary": "s", "commitments": mended})
    assert answer["commitment_ids"][:3] == [a, b, c]
    rows = {row["text"]: row for row in await world.rows(commitment)}
    assert {text: row["state"] for text, row in rows.items()} == {
        "a": "kept", "b": "open", "c": "open", "d": "retracted", "e": "open",
    }  # fmt: skip
    assert {str(rows[text]["touchpoint_id"]) for text in "abce"} == {answer["touchpoint_id"]}
    assert (rows["a"]["reason"], rows["b"]["due_at"]) == ("sent", due + timedelta(days=1))
    moves = [(str(data.commitment_id), data.move) for data in await told(world, CommitmentMoved, since=before)]
    assert sorted(move for one, move in moves if one == a) == ["kept", "made"]
    woken = {row["key"] for row in await world.rows(timer_table) if row["name"] == "commitment.due"}
    assert woken == {b, c, answer["commitment_ids"][3]}
    (thread,) = await world.rows(conversation)
    assert thread["state"] == "waiting-us"


async def test_a_correction_of_what_kept_a_promise_and_answered_a_case_still_does(world: Any) -> None:
    complaint = await world.record(
        kind="complaint", identifiers=PHONE, commitments=[{"by": "company", "text": "send it"}]
    )
    world.clock.advance(timedelta(hours=1))
    said = {"direction": "outbound", "outcome": "resolved", "case": complaint["case_number"]}
    body = document(world, kind="call", topic=None, keeps=complaint["commitment_ids"], **said)
    kept = await world.record(**body)
    answer = await corrected(world, kept["touchpoint_id"], {**body, "summary": "sent"})
    (promise,), (case,) = await world.rows(commitment), await world.rows(case_file)
    assert (promise["state"], str(promise["kept_by"])) == ("kept", answer["touchpoint_id"])
    assert (case["state"], answer["conversation_id"]) == ("answered", complaint["conversation_id"])


@pytest.mark.parametrize(
    ("credential", "more", "attested"),
    [
        (set(), {}, {"email": False, "phone": False, "document": True}),
        ({"email"}, {}, {"email": True, "phone": False, "document": True}),
        ({"*"}, {}, {"email": True, "phone": True, "document": True}),
        ({"*"}, {"attests": ["phone"]}, {"email": False, "phone": True, "document": False}),
        (set(), {"attests": ["email"]}, {"email": False, "phone": False, "document": False}),
    ],
)
async def test_whoever_corrects_attests_what_he_brings_and_nothing_that_was_there(
    world: Any, credential: set[str], more: dict[str, Any], attested: dict[str, bool]
) -> None:
    form = Speaker(by="a web form", source="test", attests=frozenset(credential))
    said = document(world, identifiers=["email:ana@example.com", *PHONE])
    first = await world.record(speaker=form, **said)
    mended = ["email:Ana@Example.com", *PHONE, "document:co-cc:52.123.456"]
    answer = await corrected(world, first["touchpoint_id"], {**said, **more, "identifiers": mended})
    (row,) = [row for row in await world.rows(touchpoint) if str(row["touchpoint_id"]) == answer["touchpoint_id"]]
    assert {one["scheme"]: one["attested"] for one in row["identifiers"]} == attested
    (seen,) = [
        data for data in await told(world, PersonSeen, since=0) if str(data.touchpoint_id) == answer["touchpoint_id"]
    ]
    assert {one["scheme"]: one["attested"] for one in seen.identifiers} == attested


ACME = {"kind": "partner", "id": "acme"}
BETA = {"kind": "partner", "id": "beta"}


@pytest.mark.parametrize(
    ("credential", "actor", "mended", "partner"),
    [
        ("acme", None, None, "acme"),
        ("acme", {"kind": "partner", "id": "clerk-7"}, {"kind": "partner", "id": "clerk-7"}, "acme"),
        ("acme", None, BETA, "acme"),
        (None, ACME, ACME, "acme"),
        (None, ACME, BETA, "beta"),
        (None, ACME, {"kind": "staff"}, None),
        (None, None, ACME, "acme"),
    ],
)
async def test_a_contact_stays_the_partners_through_whom_it_came(
    world: Any, credential: str | None, actor: Any, mended: Any, partner: str | None
) -> None:
    said = document(world, **({"actor": actor} if actor else {}))
    first = await world.record(speaker=Speaker(by="acme", source="test", partner=credential), **said)
    answer = await corrected(world, first["touchpoint_id"], {**said, "summary": "mended", "actor": mended})
    partners = {str(row["touchpoint_id"]): row["partner"] for row in await world.rows(touchpoint)}
    assert partners[answer["touchpoint_id"]] == partner


async def test_what_a_promise_says_is_emptied_where_its_pointer_names_it(world: Any) -> None:
    told_of = [{"by": "company", "text": text} for text in ("a", "b")]
    body = document(world, kind="call", commitments=told_of)
    first = await world.record(**body)
    mended = {**body, "commitments": [{"by": "company", "text": "4111"}, *told_of]}  # a later id in the first place
    answer = await corrected(world, first["touchpoint_id"], mended)
    at = UUID(answer["touchpoint_id"])
    for wrong in ("/commitments", "/commitments/3/text", "/commitments/0/by", "/commitments/x/text"):
        with pytest.raises(NotRedactable):
            await redact(at, ["/content", wrong], reason="a card", by="Luisa", desk=world.desk)
    await redact(at, ["/commitments/0/text"], reason="a card", by="Luisa", desk=world.desk)
    assert sorted(row["text"] for row in await world.rows(commitment)) == ["", "a", "b"]
    marks = {row["version"]: [mark["pointer"] for mark in row["redacted"]] for row in await world.rows(touchpoint)}
    assert marks == {1: [], 2: ["/commitments/0/text"]}


async def test_a_reference_or_a_fact_that_is_redacted_is_gone_wherever_it_is_read(world: Any) -> None:
    facts = [{"key": key, "value": "4111", "confidence": 1.0} for key in ("card", "best_hour")]
    body = document(world, kind="call", references=["card:4111", "invoice:F-1", "card:4222"], facts=facts)
    first = await world.record(**body)
    again = {**body, "content": "else"}
    draft = read_document(again, speaker=SPEAKER, company=world.company)
    await record_touchpoints([draft], desk=world.desk)  # another body under its id: parked
    at = UUID(first["touchpoint_id"])
    named = ["/references/0", "/references/2", "/facts/0"]
    await redact(at, named, reason="a card", by="Luisa", desk=world.desk)
    (row,), (parked,) = await world.rows(touchpoint), await world.rows(parked_table)
    assert (row["references"], row["facts"]) == (["invoice:F-1"], facts[1:])
    left = orjson.loads(parked["body"])
    assert (left["references"], left["facts"]) == (["invoice:F-1"], facts[1:])
    assert [mark["pointer"] for mark in row["redacted"]] == named
    further = await world.record(identifiers=PHONE, topic="delivery", references=["invoice:F-1"])
    assert further["conversation_id"] == first["conversation_id"]


async def kept_twice(world: Any) -> tuple[str, list[str], int]:
    """Who made a promise, two contacts of which each says that it was kept (the first in time, the second not), and how much was told."""
    promise = {"by": "company", "text": "call", "due_at": (world.clock() + timedelta(days=1)).isoformat()}
    made = await world.record(kind="message", identifiers=PHONE, commitments=[promise])
    keepers = []
    for channel, later in (("call", timedelta(hours=1)), ("web", timedelta(days=2))):
        world.clock.advance(later)
        said = {"kind": "call", "channel": channel, "keeps": made["commitment_ids"], "identifiers": PHONE}
        keepers.append((await world.record(**said))["touchpoint_id"])
    return made["touchpoint_id"], keepers, len(await world.rows(outbox_table))


async def taken_back(world: Any, touchpoint_id: str) -> Any:
    await retract(UUID(touchpoint_id), reason="mistaken", by="Luisa", desk=world.desk)
    (promise,) = await world.rows(commitment)
    return promise


async def test_what_two_contacts_kept_is_kept_until_both_are_taken_back(world: Any) -> None:
    _, (first, second), before = await kept_twice(world)
    promise = await taken_back(world, first)
    assert (promise["state"], str(promise["kept_by"])) == ("kept", second)
    moves = [data.move for data in await told(world, CommitmentMoved, since=before)]
    assert moves == ["made", "broken", "kept"]
    assert [row["name"] for row in await world.rows(timer_table) if row["name"] == "commitment.due"] == []
    promise = await taken_back(world, second)
    assert (promise["state"], promise["kept_by"]) == ("open", None)


async def test_of_two_contacts_that_kept_it_the_second_may_go_first(world: Any) -> None:
    _, (first, second), before = await kept_twice(world)
    promise = await taken_back(world, second)
    assert (promise["state"], str(promise["kept_by"])) == ("kept", first)
    assert await told(world, CommitmentMoved, since=before) == []
    assert (await taken_back(world, first))["state"] == "open"


async def test_a_promise_that_was_taken_back_is_not_owed_again_when_what_kept_it_is_taken_back_too(world: Any) -> None:
    made, (first, second), _ = await kept_twice(world)
    for one in (made, first, second):
        promise = await taken_back(world, one)
        assert promise["state"] == "retracted"


async def test_a_case_whose_answer_is_taken_back_is_told_as_it_stands(world: Any) -> None:
    complaint = await world.record(kind="complaint", identifiers=PHONE)
    world.clock.advance(timedelta(hours=1))
    said = {"direction": "outbound", "outcome": "resolved", "case": complaint["case_number"]}
    answer = await world.record(kind="call", identifiers=PHONE, **said)
    opened, _ = await told(world, CaseMoved, since=0)
    before = len(await world.rows(outbox_table))
    await retract(UUID(answer["touchpoint_id"]), reason="mistaken", by="Luisa", desk=world.desk)
    (case,) = await world.rows(case_file)
    assert case["state"] == "received"
    assert await told(world, CaseMoved, since=before) == [opened]  # whoever knew it as answered


async def test_a_complaint_that_was_answered_and_is_corrected_is_told_as_answered_last(world: Any) -> None:
    body = document(world)
    complaint = await world.record(**body)
    world.clock.advance(timedelta(hours=1))
    said = {"direction": "outbound", "outcome": "resolved", "case": complaint["case_number"]}
    await world.record(kind="call", identifiers=PHONE, **said)
    before = len(await world.rows(outbox_table))
    await corrected(world, complaint["touchpoint_id"], {**body, "payload": {"severity": "high"}})
    assert [data.move for data in await told(world, CaseMoved, since=before)] == ["opened", "answered"]
