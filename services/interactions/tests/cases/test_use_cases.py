"""Cases on real databases: numbers, contacts on any channel, timers."""

import asyncio
import contextlib
import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from common.contracts.interactions import CaseMoved, CaseMoveRetracted
from common.db import outbox_table, timer_table
from common.events import decode
from common.service import Runtime
from interactions.cases.domain import CaseNotThere
from interactions.cases.models import case_file, case_step
from interactions.cases.use_cases import act_on_case
from interactions.conversations.models import conversation
from interactions.conversations.use_cases import recompute, told_of
from interactions.corrections.use_cases import correct
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.schemas import read_document
from interactions.touchpoints.use_cases import record_touchpoints
from interactions.uow import InteractionsUnitOfWork
from interactions.worker import create_timers

PHONE = ["phone:300 123 4567"]


async def complain(world: Any, **said: Any) -> str:
    answer = await world.record(**{"kind": "complaint", "channel": "web", "identifiers": PHONE, **said})
    return str(answer["case_number"])


async def act(world: Any, number: str, what: Any, **said: Any) -> None:
    await act_on_case(
        number,
        what,
        text="the charge was returned",
        by="Luisa",
        uow=InteractionsUnitOfWork(world.database),
        clock=world.clock,
        company=world.company,
        **said,
    )


async def told(world: Any) -> list[Any]:
    return await said(world, CaseMoved)


async def said(world: Any, kind: type) -> list[Any]:
    rows = sorted(await world.rows(outbox_table), key=lambda row: row["seq"])
    events = [event.data for row in rows if (event := decode(row["payload"]))]
    return [data for data in events if isinstance(data, kind)]


async def wake(world: Any) -> int:
    return await create_timers(Runtime(world.settings, world.database, world.company, world.clock)).drain()


async def test_numbers_are_given_once_however_many_ask(world: Any) -> None:
    year = world.company.local_date(world.clock()).year
    numbers = await asyncio.gather(*(complain(world, identifiers=[f"email:c{n}@example.com"]) for n in range(15)))
    assert sorted(numbers) == [f"PQR-{year}-{n:06d}" for n in range(1, 16)]


async def test_a_contact_on_any_channel_in_the_thread_counts_on_the_case(world: Any) -> None:
    await complain(world, topic="billing")
    world.clock.advance(timedelta(days=1))
    await world.record(channel="call", kind="call", identifiers=PHONE)
    await world.record(channel="shop", kind="purchase", identifiers=PHONE, payload={"amount": "1"})
    await world.record(channel="call", kind="call", identifiers=PHONE, topic="delivery")  # another subject
    (row,) = await world.rows(case_file)
    assert row["contacts_count"] == 2
    assert [data.move for data in await told(world)] == ["opened", "contacted"]


async def test_a_case_is_solved_at_first_contact_when_nobody_comes_back_in_seven_days(world: Any) -> None:
    number = await complain(world)
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=7))
    await wake(world)
    moved = await told(world)
    assert [data.move for data in moved] == ["opened", "answered", "resolved"]
    assert (moved[-1].first_contact, moved[-1].contacts) == (True, 1)


async def test_a_second_contact_moves_the_seven_days_and_spoils_the_first(world: Any) -> None:
    number = await complain(world)
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=3))
    await world.record(channel="call", kind="call", identifiers=PHONE, case=number)
    world.clock.advance(timedelta(days=4))
    await wake(world)
    assert [data.move for data in await told(world)] == ["opened", "answered", "contacted"]
    world.clock.advance(timedelta(days=3))
    await wake(world)
    assert (await told(world))[-1].first_contact is False


async def test_thirty_days_without_an_answer_expire(world: Any) -> None:
    await complain(world)
    world.clock.advance(timedelta(days=30))
    await wake(world)
    assert [data.move for data in await told(world)] == ["opened", "expired"]
    assert await world.rows(timer_table) == []


async def test_an_answer_by_a_contact_that_names_the_case(world: Any) -> None:
    number = await complain(world)
    await world.record(channel="email", direction="outbound", outcome="informed", identifiers=PHONE, case=number)
    (row,) = await world.rows(case_file)
    assert row["state"] == "answered"
    assert [step["move"] for step in sorted(await world.rows(case_step), key=lambda s: s["step_id"])] == [
        "opened",
        "answered",
    ]


async def test_an_old_complaint_raises_no_alarm_today(world: Any) -> None:
    await complain(world, ago=timedelta(days=400), backfill=True)
    assert await world.rows(timer_table) == []
    assert [(data.move, data.backfill) for data in await told(world)] == [("opened", True)]


async def test_a_complaint_that_names_a_case_opens_no_other(world: Any) -> None:
    number = await complain(world)
    assert await complain(world, case=number) == number
    (row,) = await world.rows(case_file)
    assert row["contacts_count"] == 2


# --- cases and threads ------------------------------------------------------------------------------------------------

OTHER_PHONE = ["phone:3154445566"]


async def two_customers(world: Any) -> tuple[UUID, UUID]:
    """One who complains, and another; each with a thread of the same subject."""
    await world.record(identifiers=PHONE, topic="billing", direction="outbound")
    await world.record(identifiers=OTHER_PHONE, topic="billing", direction="outbound")
    return await world.link(*PHONE), await world.link(*OTHER_PHONE)


async def part(world: Any, one: UUID, other: UUID) -> None:
    """An undo: the other's traces are the other's again."""
    await world.link(*OTHER_PHONE, customer=other, revision=20)


async def log_of(world: Any, number: str) -> list[tuple[str, Any]]:
    steps = sorted(await world.rows(case_step), key=lambda step: step["step_id"])
    return [(step["move"], step["at"]) for step in steps if step["number"] == number]


async def the_case(world: Any) -> Any:
    (row,) = await world.rows(case_file)
    return row


async def call(world: Any, identifiers: list[str]) -> None:
    await world.record(channel="call", kind="call", identifiers=identifiers, topic="billing")


async def test_an_undo_takes_back_the_contacts_of_the_other(world: Any) -> None:
    one, other = await two_customers(world)
    await world.merge(one, other)
    number = await complain(world, topic="billing")
    world.clock.advance(timedelta(days=1))
    await call(world, OTHER_PHONE)
    assert (await the_case(world))["contacts_count"] == 2
    before = len(await told(world))
    await part(world, one, other)
    row = await the_case(world)
    assert (row["contacts_count"], row["last_contact_at"]) == (1, row["occurred_at"])
    assert [move for move, _ in await log_of(world, number)] == ["opened"]
    (wrong,) = await said(world, CaseMoveRetracted)
    assert (wrong.case_number, wrong.move, wrong.contacts) == (number, "contacted", 2)
    assert len(await told(world)) == before  # what stands is not told again


async def test_a_merge_finds_that_he_came_back(world: Any) -> None:
    one, other = await two_customers(world)
    number = await complain(world, topic="billing")
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=1))
    await call(world, OTHER_PHONE)
    await world.merge(one, other)
    moved = await told(world)
    assert [data.move for data in moved] == ["opened", "answered", "contacted"]
    assert (moved[-1].contacts, moved[-1].at) == (2, world.clock())
    world.clock.advance(timedelta(days=6, hours=1))
    await wake(world)
    assert (await the_case(world))["first_contact"] is None  # his call moved the seven days
    world.clock.advance(timedelta(days=1))
    await wake(world)
    assert (await the_case(world))["first_contact"] is False


async def test_after_an_undo_an_answer_has_held_since_its_seven_days(world: Any) -> None:
    one, other = await two_customers(world)
    await world.merge(one, other)
    number = await complain(world, topic="billing")
    await act(world, number, "answer")
    answered = world.clock()
    world.clock.advance(timedelta(days=3))
    await call(world, OTHER_PHONE)
    world.clock.advance(timedelta(days=5))
    await wake(world)
    assert (await the_case(world))["first_contact"] is None
    await part(world, one, other)
    assert (await the_case(world))["first_contact"] is True
    held = answered + timedelta(days=7)
    assert (await told(world))[-1].at == held
    assert (await log_of(world, number))[-1] == ("resolved", held)


async def test_after_an_undo_a_contact_that_came_when_it_was_settled_is_none(world: Any) -> None:
    one, other = await two_customers(world)
    await world.merge(one, other)
    number = await complain(world, topic="billing")
    await act(world, number, "answer")
    for identifiers in (OTHER_PHONE, PHONE):
        world.clock.advance(timedelta(days=5))
        await call(world, identifiers)
        await wake(world)
    assert (await the_case(world))["contacts_count"] == 3
    await part(world, one, other)
    row = await the_case(world)
    assert (row["contacts_count"], row["first_contact"]) == (1, True)
    assert [move for move, _ in await log_of(world, number)] == ["opened", "answered", "resolved"]


async def test_merging_and_undoing_any_number_of_times_leaves_the_log_of_a_case(world: Any) -> None:
    one, other = await two_customers(world)
    number = await complain(world, topic="billing")
    await call(world, PHONE)
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=1))
    await call(world, OTHER_PHONE)
    await call(world, PHONE)
    await act(world, number, "verify")
    apart, row = await log_of(world, number), await the_case(world)
    for revision in (30, 40, 50):
        await world.merge(one, other, revision=revision)
        assert len(await log_of(world, number)) == len(apart) + 1
        await world.link(*OTHER_PHONE, customer=other, revision=revision + 1)
        assert await log_of(world, number) == apart
        assert await the_case(world) == row


async def test_who_called_before_he_complained_in_one_batch_did_not_come_back_on_it(world: Any) -> None:
    bodies = [
        {"source": "test", "external_id": f"b-{kind}", "kind": kind, "channel": "call", "identifiers": PHONE}
        | {"occurred_at": world.clock().isoformat(), "topic": "billing"}
        for kind in ("call", "complaint", "visit")
    ]
    drafts = [read_document(body, speaker=Speaker(by="x"), company=world.company) for body in bodies]
    await record_touchpoints(drafts, desk=world.desk)
    assert (await the_case(world))["contacts_count"] == 2


async def test_a_complaint_that_is_corrected_to_have_been_answered_at_once_keeps_who_came_back_by_a_merge(
    world: Any,
) -> None:
    one, other = await two_customers(world)
    body = {"source": "test", "external_id": "n-1", "kind": "complaint", "channel": "web", "identifiers": PHONE}
    body |= {"occurred_at": world.clock().isoformat(), "topic": "billing"}
    complaint = await world.record(**body)
    world.clock.advance(timedelta(hours=1))
    await call(world, OTHER_PHONE)
    await world.merge(one, other)
    draft = read_document({**body, "outcome": "resolved"}, speaker=Speaker(by="x"), company=world.company)
    await correct(UUID(complaint["touchpoint_id"]), draft, by="Luisa", reason="typo", desk=world.desk)
    moves = [move for move, _ in await log_of(world, complaint["case_number"])]
    assert moves == ["opened", "answered", "contacted"]
    assert (await the_case(world))["contacts_count"] == 2
    await nothing_changes_computed_anew(world)


async def test_a_contact_on_an_answer_that_has_held_is_none_however_late_the_worker_wakes(world: Any) -> None:
    number = await complain(world, topic="billing")
    await act(world, number, "answer")
    world.clock.advance(timedelta(days=8))
    await call(world, PHONE)
    assert [move for move, _ in await log_of(world, number)] == ["opened", "answered", "resolved"]
    await wake(world)
    assert (await the_case(world))["first_contact"] is True


@pytest.mark.parametrize("seed", range(8))
async def test_computed_anew_cases_are_as_they_were_and_nothing_is_told(world: Any, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        world.clock.advance(timedelta(days=chance.choice((0, 1, 3, 8))))
        await something_happens(world, chance)
        if chance.random() < 0.3:
            await wake(world)
    await wake(world)
    await nothing_changes_computed_anew(world)


async def nothing_changes_computed_anew(world: Any) -> None:
    cases, steps, before = await world.rows(case_file), await world.rows(case_step), await world.rows(outbox_table)
    async with InteractionsUnitOfWork(world.database) as uow:
        parties = {row["party_id"] for row in await world.rows(conversation)}
        moves = await told_of(parties, uow=uow, company=world.company)
        await recompute(parties, told=moves, uow=uow, company=world.company, now=world.clock())
        await uow.commit()
    assert await world.rows(case_file) == cases
    assert await world.rows(case_step) == steps
    assert await world.rows(outbox_table) == before


async def test_a_corrected_contact_on_a_case_lies_where_it_was_recorded_first_and_an_answer_where_it_was_given(
    world: Any,
) -> None:
    number = await complain(world, topic="billing")
    body = {"source": "test", "external_id": "n-1", "kind": "call", "channel": "call", "identifiers": PHONE}
    body |= {"occurred_at": world.clock().isoformat(), "case": number}
    contact = await world.record(**body)
    world.clock.advance(timedelta(hours=1))
    await act(world, number, "answer")
    world.clock.advance(timedelta(hours=1))
    await call(world, PHONE)
    for summary in ("typo", "no typo"):
        draft = read_document({**body, "summary": summary}, speaker=Speaker(by="x"), company=world.company)
        corrected = await correct(UUID(contact["touchpoint_id"]), draft, by="Luisa", reason="typo", desk=world.desk)
        contact = corrected.as_body()
        assert [move for move, _ in await log_of(world, number)] == ["opened", "contacted", "answered", "contacted"]
        await nothing_changes_computed_anew(world)


async def something_happens(world: Any, chance: random.Random) -> None:
    drawn, topic = chance.random(), chance.choice(("billing", "delivery", None))
    numbers = sorted(row["number"] for row in await world.rows(case_file))
    if drawn < 0.25:
        await complain(world, topic=topic, outcome=chance.choice(("resolved", None)), backfill=chance.random() < 0.2)
    elif drawn < 0.7 or not numbers:
        kind = chance.choice(("call", "visit", "purchase"))
        named = {"case": chance.choice(numbers)} if numbers and chance.random() < 0.3 else {}
        way = {"direction": chance.choice(("inbound", "outbound")), "outcome": chance.choice(("informed", None))}
        payload = {"payload": {"amount": "1"}} if kind == "purchase" else {}
        await world.record(kind=kind, channel="call", identifiers=PHONE, topic=topic, **named, **way, **payload)
    else:
        with contextlib.suppress(CaseNotThere):
            await act(world, chance.choice(numbers), chance.choice(("answer", "verify", "reopen", "close")))


@pytest.mark.parametrize(("recovered", "shown"), [(False, ["verified"]), (True, [])])
async def test_a_case_stays_in_the_resume_until_the_customer_says_that_it_is_well_again(
    world: Any, recovered: bool, shown: list[str]
) -> None:
    number = await complain(world)
    await world.record(identifiers=PHONE, outcome="resolved")  # the talk is over: the case alone is open
    customer = await world.link(PHONE[0])
    await act(world, number, "answer")
    await act(world, number, "verify", recovered=recovered)
    async with world.client() as http:
        packet = (await http.get("/interactions/v1/resume", params={"identifier": PHONE[0]})).json()
        asked = {"channel": "whatsapp"}
        answer = (await http.get(f"/interactions/v1/customers/{customer}/may-contact", params=asked)).json()
    assert [case["state"] for case in packet["cases"]] == shown
    assert ("reply-to-open-conversation" in [reason["code"] for reason in answer["reasons"]]) is not recovered
