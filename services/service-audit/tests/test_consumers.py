"""The consumer: redelivered, out of order, unreadable; and what follows from what it hears."""

import asyncio
import random
from datetime import timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, text

from common.bus.delivery import Delivery, Record
from common.contracts.identity import ContactChanged, CustomerErased
from common.contracts.interactions import CaseMoveRetracted, ConversationMoveRetracted
from common.contracts.service_audit import ActionMoved, EvidenceRecorded, MomentFailed
from common.db import outbox_table
from common.events import decode, encode
from common.parked import Parked
from service_audit.actions.repository import ActionFilter
from service_audit.evidence.use_cases import judge_cases, lock_scopes, take_note
from service_audit.observations.domain import hear, observation_of, standing, withdrawal_of
from service_audit.observations.models import observation, withdrawal
from service_audit.standards.shipped import shipped
from service_audit.standards.use_cases import put_cycle
from service_audit.worker import create_consumer, republish

ANSWERED = "complaint-answered"


async def open_actions(audit):
    async with audit.uow(reading=True) as uow:
        return await uow.actions.page(ActionFilter(state="open"), after=None, limit=100)


async def test_a_redelivered_event_counts_once(audit, telling):
    events = [telling.told(telling.survey(2)), telling.told(telling.case("opened"))]
    await audit.hears(*events)
    await audit.hears(*events)
    assert await audit.states("satisfied-after-contact") == ["failed"]
    assert await audit.states(ANSWERED) == ["waiting"]
    assert len(await audit.says(MomentFailed)) == 1


async def test_a_redelivered_batch_is_known_by_its_claims_and_touches_nothing_else(audit, telling):
    events = [telling.told(telling.survey(2)), telling.told(telling.case("opened"))]
    await audit.hears(*events)
    statements = []
    engine = audit.runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await audit.hears(*events)
    assert [s for s in statements if "evidence" in s or 'INTO "observation"' in s] == []


async def test_of_a_contact_that_is_news_nothing_is_asked_that_could_not_be_there(audit, telling):
    seen = telling.touchpoint(conversation_id=UUID(int=9))
    statements = []
    engine = audit.runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await audit.hears(seen, telling.conversation("opened", touchpoint_id=seen.touchpoint_id))
    assert [s.split()[0] for s in statements if "observation" in s] == ["INSERT"]


async def test_all_that_shows_something_or_takes_it_back_is_read_and_no_contact_data(audit, telling):
    read = Delivery(create_consumer(audit.runtime), audit.runtime.database).wanted
    told = [telling.touchpoint(), telling.conversation("opened"), telling.case("opened"), telling.commitment("made")]
    back = [
        telling.retracted(told[0]),
        CaseMoveRetracted(**told[2].model_dump()),
        ConversationMoveRetracted(**told[1].model_dump()),
    ]
    assert all(observation_of(telling.told(each), noted_at=telling.start) for each in told)
    assert all(withdrawal_of(telling.told(each)) for each in back)
    assert {each.type for each in (*told, *back)} <= read
    assert ContactChanged.type not in read


async def test_an_event_that_is_told_anew_under_another_id_counts_once(audit, telling):
    rated = telling.survey(5)
    await audit.hears(rated)
    await audit.hears(rated)
    assert await audit.states("satisfied-after-contact") == ["met"]
    assert len(await audit.says(EvidenceRecorded)) == 1


async def test_a_move_of_an_erased_persons_thread_is_not_taken_note_of_though_it_is_told_since(audit, telling):
    """Computed anew after the erasure, it is told later; what it tells of was before."""
    erased_at = telling.start + timedelta(hours=1)
    erasure = CustomerErased(
        erasure_id=uuid4(), customer_id=uuid4(), customers=[], traces=[telling.trace], erased_at=erased_at
    )
    await audit.hears(erasure)
    anew = telling.told(telling.conversation("continued")).model_copy(update={"time": erased_at + timedelta(minutes=1)})
    back = telling.told(telling.conversation("opened", hours=2)).model_copy(update={"time": anew.time})
    await audit.hears(anew, back)
    async with audit.uow(reading=True) as uow:
        kept = (await uow.session.execute(select(observation.c.touchpoint_id))).scalars().all()
    assert kept == [back.data.touchpoint_id]


async def test_an_erasure_waits_for_whoever_takes_note_of_the_erased(audit, telling):
    """Side by side, what was noted would be seen by nobody who takes it out, and stay."""
    if audit.runtime.database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    erasure = CustomerErased(
        erasure_id=uuid4(), customer_id=uuid4(), customers=[], traces=[telling.trace], erased_at=telling.start
    )
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
    async with audit.uow() as noting:
        await noting.lock([telling.trace])
        erasing = asyncio.create_task(audit.hears(erasure))
        while not await noting.session.scalar(waiting):
            assert not erasing.done()
    await erasing


async def test_what_an_erased_person_took_back_names_nothing_of_him_any_more(audit, telling):
    rated, opened = telling.survey(1), telling.case("opened")
    moves = [telling.conversation("opened", touchpoint_id=rated.touchpoint_id), telling.conversation("closed")]
    contacted = telling.case("contacted", hours=1, touchpoint_id=uuid4())
    await audit.hears(rated, opened, contacted, *moves, telling.commitment("made"))
    back = [ConversationMoveRetracted(**move.model_dump()) for move in moves]
    await audit.hears(telling.retracted(rated), *back, CaseMoveRetracted(**contacted.model_dump()))
    await audit.hears(telling.case("retracted", hours=2), telling.commitment("retracted"))
    erasure = CustomerErased(
        erasure_id=uuid4(), customer_id=uuid4(), customers=[], traces=[telling.trace], erased_at=telling.start
    )
    await audit.hears(erasure)
    async with audit.uow(reading=True) as uow:
        assert (await uow.session.execute(select(withdrawal.c.key))).scalars().all() == []


@pytest.mark.parametrize("together", [False, True])
async def test_who_comes_back_after_his_erasure_keeps_what_he_says_since(audit, telling, together):
    who, anew = UUID(int=70), UUID(int=71)
    await audit.hears(telling.links(who, telling.trace, revision=1), telling.survey(1))
    erased_at, later = telling.start + timedelta(minutes=30), telling.start + timedelta(hours=1)
    erasure = CustomerErased(
        erasure_id=uuid4(), customer_id=who, customers=[who], traces=[telling.trace], erased_at=erased_at
    )
    back = telling.survey(5, occurred_at=later, recorded_at=later)
    since = [telling.links(anew, telling.trace, revision=2), back]
    for batch in [[erasure, *since]] if together else [[erasure], since]:
        await audit.hears(*batch)
    assert [(e.value, e.trace_id) for e in await audit.evidence(customer_id=anew)] == [(5.0, telling.trace)]
    assert sorted(e.value for e in await audit.evidence()) == [1.0, 5.0]  # what he said before stays in the scores


async def test_the_order_of_arrival_does_not_matter(audit, telling):
    for at, order in enumerate(permutations(("opened", "contacted", "answered"))):
        hours = {"opened": 0, "contacted": 1, "answered": 2}
        for move in order:
            await audit.hears(telling.case(move, hours=hours[move], number=f"PQR-{at}"))
    assert [e.value for e in await audit.evidence(ANSWERED)] == [2.0] * 6


async def test_a_retraction_may_come_before_what_it_retracts(audit, telling):
    rated = telling.survey(1)
    # The recording was told first, whatever the bus made of it.
    recorded, gone = telling.told(rated), telling.told(telling.retracted(rated))
    await audit.hears(gone)
    await audit.hears(recorded)
    assert await audit.evidence() == []


async def test_a_retraction_takes_evidence_and_its_failure_back(audit, telling):
    rated = telling.survey(1)
    await audit.hears(rated)
    await audit.hears(telling.retracted(rated))
    assert await audit.evidence() == []
    assert [(m.moment, m.taken_back) for m in await audit.says(MomentFailed)] == [
        ("satisfied-after-contact", False),
        ("satisfied-after-contact", True),
    ]
    assert [e.taken_back for e in await audit.says(EvidenceRecorded)] == [False, True]


async def test_a_retracted_case_leaves_no_evidence(audit, telling):
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=25)
    assert await audit.states(ANSWERED) == ["failed"]
    await audit.hears(telling.case("retracted", hours=26))
    assert await audit.evidence() == []
    assert await open_actions(audit) == []


async def test_an_unreadable_event_is_parked_and_the_others_count(audit, telling):
    consumer = create_consumer(audit.runtime)
    delivery = Delivery(consumer, audit.runtime.database, clock=audit.clock)
    _, good = encode(telling.survey(5), at=telling.start)
    bad = good.replace(b'"kind":"survey_response"', b'"kind":null')
    records = [
        Record("interactions.v1", "k", b"{no json"),
        Record("interactions.v1", "k", bad),
        Record("interactions.v1", "k", good),
    ]
    await delivery.deliver(records)
    async with audit.uow(reading=True) as uow:
        assert await Parked(uow.session).count() == 2
    assert await audit.states("satisfied-after-contact") == ["met"]


async def test_a_deadline_that_passes_in_silence_fails_the_moment(audit, telling):
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=23)
    assert await audit.states(ANSWERED) == ["waiting"]
    assert await audit.says(MomentFailed) == []
    await audit.passes(hours=2)
    [failed] = await audit.says(MomentFailed)
    assert (failed.moment, failed.critical, failed.at) == (ANSWERED, True, telling.start + timedelta(hours=24))
    assert failed.detail["case_number"] == "PQR-1"
    [action] = await open_actions(audit)
    assert (action.moment, action.owner, action.trace_id) == (ANSWERED, "customer-care", telling.trace)


async def test_an_answer_before_the_deadline_lets_its_timer_wake_for_nothing(audit, telling):
    await audit.hears(telling.case("opened"))
    await audit.hears(telling.case("answered", hours=3))
    await audit.passes(hours=48)
    assert await audit.states(ANSWERED) == ["met"]
    assert await audit.says(MomentFailed) == []


async def test_an_answer_in_time_that_is_told_late_takes_the_failure_back(audit, telling):
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=30)
    await audit.hears(telling.case("answered", hours=20))
    assert [(e.state, e.value) for e in await audit.evidence(ANSWERED)] == [("met", 20.0)]
    assert [m.taken_back for m in await audit.says(MomentFailed)] == [False, True]
    assert await open_actions(audit) == []
    assert [a.move for a in await audit.says(ActionMoved)] == ["opened", "closed"]


async def test_what_takes_a_failure_back_is_told_as_later_than_the_failure(audit, telling):
    """Who reads of both keeps the later word: the answer came before the timer woke, and was judged after it."""
    await audit.hears(telling.case("opened"))
    audit.clock.advance(timedelta(hours=30))
    async with audit.uow() as uow:
        moments = await uow.standards.moments()
        await uow.lock(["case:PQR-1"])
        answering = asyncio.create_task(audit.hears(telling.case("answered", hours=20)))
        await asyncio.wait({answering}, timeout=0.5)
        audit.clock.advance(timedelta(seconds=1))
        await judge_cases([(moments["complaint-care", ANSWERED], "case:PQR-1")], moments, uow=uow, now=audit.clock())
        await uow.commit()
    await answering
    told = sorted(
        (at, said.data.taken_back) for at, said in await told_at(audit) if isinstance(said.data, MomentFailed)
    )
    assert [taken_back for _, taken_back in told] == [False, True]


async def told_at(audit):
    async with audit.uow(reading=True) as uow:
        rows = (await uow.session.execute(select(outbox_table.c.payload))).scalars().all()
    return [(said.time, said) for said in map(decode, rows)]


async def test_a_late_answer_stays_a_failure_and_says_how_late(audit, telling):
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=30)
    await audit.hears(telling.case("answered", hours=30))
    [evidence] = await audit.evidence(ANSWERED)
    assert (evidence.state, evidence.value, evidence.at) == ("failed", 30.0, telling.start + timedelta(hours=24))
    assert len(await audit.says(MomentFailed)) == 1
    assert len(await open_actions(audit)) == 1


async def test_one_open_action_for_all_failures_of_a_moment_and_a_trace(audit, telling):
    await audit.hears(*(telling.case("opened", number=f"PQR-{at}") for at in range(3)))
    await audit.hears(telling.case("opened", number="PQR-9", trace_id=uuid4()))
    await audit.passes(hours=25)
    assert len(await audit.says(MomentFailed)) == 4
    assert len(await open_actions(audit)) == 2


async def test_an_action_stays_while_another_failure_of_it_stands(audit, telling):
    await audit.hears(telling.case("opened", number="PQR-1"), telling.case("opened", number="PQR-2"))
    await audit.passes(hours=25)
    await audit.hears(telling.case("answered", hours=1, number="PQR-1"))
    assert len(await open_actions(audit)) == 1
    await audit.hears(telling.case("answered", hours=1, number="PQR-2"))
    assert await open_actions(audit) == []


async def test_a_failure_that_is_not_critical_opens_no_action(audit, telling):
    await audit.hears(telling.survey(1))
    assert [m.critical for m in await audit.says(MomentFailed)] == [False]
    assert await open_actions(audit) == []


async def test_history_counts_as_of_its_time_and_sets_nothing_off(audit, telling):
    long_ago = telling.start - timedelta(days=400)
    opened = telling.case("opened", occurred_at=long_ago, at=long_ago, backfill=True)
    promise = telling.commitment("broken", at=long_ago, made_at=long_ago, due_at=long_ago, backfill=True)
    await audit.hears(opened, promise, telling.survey(1, occurred_at=long_ago, backfill=True))
    await audit.passes(hours=1)
    assert await audit.states(ANSWERED) == ["failed"]
    assert [e.at for e in await audit.evidence(ANSWERED)] == [long_ago + timedelta(hours=24)]
    assert await audit.states("promise-kept") == ["failed"]
    assert len(await audit.says(EvidenceRecorded)) == 4  # with the recovery, 30 days later
    assert await audit.says(MomentFailed) == []
    assert await open_actions(audit) == []


async def test_what_falls_due_after_it_was_recorded_sets_off_even_in_history(audit, telling):
    yesterday = telling.start - timedelta(hours=20)
    await audit.hears(telling.case("opened", occurred_at=yesterday, at=yesterday, backfill=True))
    assert await audit.states(ANSWERED) == ["waiting"]
    await audit.passes(hours=5)
    assert [m.moment for m in await audit.says(MomentFailed)] == [ANSWERED]
    assert len(await open_actions(audit)) == 1


async def test_an_answer_before_the_question_is_an_error_of_the_data_and_stops_the_clock(audit, telling):
    await audit.hears(telling.case("answered", hours=-3), telling.case("opened"))
    await audit.passes(hours=48)
    [evidence] = await audit.evidence(ANSWERED)
    assert (evidence.state, evidence.reason) == ("excluded", "answered-before-asked")
    assert ANSWERED not in {m.moment for m in await audit.says(MomentFailed)}


async def test_a_first_contact_resolution_that_becomes_known_later_counts_then(audit, telling):
    await audit.hears(telling.case("resolved", hours=2))
    assert await audit.states("solved-at-first-contact") == []
    await audit.hears(telling.case("resolved", hours=2, first_contact=True))
    assert await audit.states("solved-at-first-contact") == ["met"]


async def test_who_comes_back_on_another_channel_is_answered_there(audit, telling):
    moved = telling.conversation("continued", previous_channel="whatsapp", matched_by="topic")
    await audit.hears(moved)
    assert await audit.states("answered-where-he-came-back") == ["waiting"]
    call = {"channel": "call", "conversation_id": moved.conversation_id, "touchpoint_id": moved.touchpoint_id}
    await audit.hears(telling.touchpoint(outcome="resolved", **call))
    assert await audit.states("answered-where-he-came-back") == ["met"]


async def test_a_survey_on_another_channel_asks_nothing(audit, telling):
    await audit.hears(telling.conversation("continued", previous_channel="whatsapp", kind="survey_response"))
    assert await audit.evidence() == []


async def test_what_was_closed_and_comes_back_within_a_week_did_not_stay_closed(audit, telling):
    for at, back in enumerate((2, 24 * 8)):
        of = {"conversation_id": UUID(int=at)}
        await audit.hears(telling.conversation("closed", **of))
        await audit.hears(telling.conversation("resumed", hours=back, matched_by="resumed-closed", **of))
    await audit.passes(days=8)
    assert await audit.states("stays-closed") == ["failed", "met"]


async def test_a_thread_that_is_told_anew_replaces_what_was_told(audit, telling):
    entered = telling.conversation("continued", previous_channel="whatsapp")
    await audit.hears(entered)
    assert await audit.states("answered-where-he-came-back") == ["waiting"]
    await audit.hears(entered.model_copy(update={"previous_channel": "call"}))
    assert await audit.evidence() == []


async def test_a_promise_that_is_owed_again_was_not_kept(audit, telling):
    await audit.hears(telling.commitment("made"), telling.commitment("kept"))
    assert await audit.states("promise-kept") == ["met"]
    await audit.hears(telling.commitment("made", at=audit.clock.now))
    assert await audit.states("promise-kept") == []
    await audit.hears(telling.commitment("broken"))
    assert await audit.states("promise-kept") == ["failed"]


async def test_an_answer_that_was_retracted_leaves_the_question_open(audit, telling):
    call = telling.touchpoint(kind="call")
    answered = telling.case("answered", hours=1, touchpoint_id=call.touchpoint_id)
    await audit.hears(telling.case("opened"), call, answered)
    assert await audit.states(ANSWERED) == ["met"]
    await audit.hears(telling.retracted(call))
    assert await audit.states(ANSWERED) == ["waiting"]
    await audit.passes(hours=25)
    assert await audit.states(ANSWERED) == ["failed"]


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_a_large_batch_is_judged_in_few_statements(audit, telling, in_one_batch):
    opened = [telling.case("opened", number=f"PQR-{at}", trace_id=uuid4()) for at in range(250)]
    answered = [telling.case("answered", hours=1, number=f"PQR-{at}") for at in range(250)]
    if in_one_batch:
        await audit.hears(*answered, *opened)
    else:
        await audit.hears(*answered)
        await audit.hears(*opened)
    assert await audit.states(ANSWERED) == ["met"] * 250


async def test_the_number_of_statements_does_not_grow_with_the_batch(audit, telling):
    statements = []
    engine = audit.runtime.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    async def counted(size, name):
        batch = []
        for at in range(size):
            known = {"number": f"PQR-{name}-{at}", "trace_id": uuid4()}
            batch += [telling.case("opened", **known), telling.case("resolved", hours=1, first_contact=True, **known)]
            batch += [telling.survey(at % 5 + 1, trace_id=known["trace_id"])]
        statements.clear()
        await audit.hears(*batch)
        return len(statements)

    few, many = await counted(5, "few"), await counted(160, "many")
    assert many <= few + 2  # SQLite takes the claims of a large batch in two statements
    assert many <= 30


async def test_failures_that_stand_can_be_told_anew(audit, telling):
    gone = telling.survey(1)
    await audit.hears(telling.survey(2), gone, telling.survey(1, backfill=True), telling.survey(5))
    await audit.hears(telling.retracted(gone))
    before = await audit.says(MomentFailed)
    [standing] = {m.evidence_id for m in before} - {m.evidence_id for m in before if m.taken_back}
    assert await republish(audit.runtime) == 1
    [anew] = (await audit.says(MomentFailed))[len(before) :]
    assert (anew.evidence_id, anew.taken_back) == (standing, False)


CAME_BACK, STAYS_CLOSED = "answered-where-he-came-back", "stays-closed"
HERE, THERE = UUID(int=9), UUID(int=10)  # conversations


def came_back_and_was_answered(telling, *, thread=HERE):
    """He comes back by phone on what he had written on the web, and is answered an hour later; by touchpoint, as told."""
    back = telling.touchpoint(channel="call", conversation_id=thread)
    answer = telling.touchpoint(
        direction="outbound", conversation_id=thread, occurred_at=telling.start + timedelta(hours=1)
    )
    came = telling.conversation(
        "continued", conversation_id=thread, touchpoint_id=back.touchpoint_id, previous_channel="web", kind="call"
    )
    joined = telling.conversation("continued", hours=1, conversation_id=thread, touchpoint_id=answer.touchpoint_id)
    return [back, came], [answer, joined]


def taken_back(move):
    return ConversationMoveRetracted(**vars(move))


def elsewhere(told, thread, **changes):
    return told.model_copy(update={"conversation_id": thread, **changes})


async def test_an_answer_that_lies_in_another_thread_after_all_is_none(audit, telling):
    back, (answer, joined) = came_back_and_was_answered(telling)
    await audit.hears(*back, answer, joined)
    assert await audit.states(CAME_BACK) == ["met"]
    await audit.hears(taken_back(joined), elsewhere(joined, THERE, move="opened", previous_channel=None))
    assert await audit.states(CAME_BACK) == ["waiting"]
    await audit.passes(hours=24)
    assert [e.at for e in await audit.evidence(CAME_BACK)] == [telling.start + timedelta(hours=24)]


async def test_an_answer_of_which_no_move_is_told_any_more_is_in_no_others_thread(audit, telling):
    back, (answer, joined) = came_back_and_was_answered(telling)
    await audit.hears(*back, answer, joined)
    await audit.hears(taken_back(joined))
    assert await audit.states(CAME_BACK) == ["waiting"]


async def test_an_answer_that_comes_into_the_thread_after_all_counts(audit, telling):
    (back, came), (answer, joined) = came_back_and_was_answered(telling)
    away = elsewhere(joined, THERE, move="opened")
    await audit.hears(back, came, answer.model_copy(update={"conversation_id": THERE}), away)
    assert await audit.states(CAME_BACK) == ["waiting"]
    await audit.hears(taken_back(away), joined)
    assert await audit.states(CAME_BACK) == ["met"]


@pytest.mark.parametrize("at_once", [False, True])
async def test_of_two_answers_that_leave_a_thread_neither_counts_in_it(audit, telling, at_once):
    """Two workers tell it, each of the trace that is his; while neither is done the other's answer is still there."""
    back, _ = came_back_and_was_answered(telling)
    answers = [
        telling.touchpoint(
            direction="outbound", conversation_id=HERE, trace_id=uuid4(), occurred_at=telling.start + timedelta(hours=h)
        )
        for h in (1, 2)
    ]
    await audit.hears(*back, *answers)
    assert await audit.states(CAME_BACK) == ["met"]
    away = [
        telling.conversation(
            "continued", conversation_id=uuid4(), touchpoint_id=answer.touchpoint_id, trace_id=answer.trace_id
        )
        for answer in answers
    ]
    if at_once:
        await first_of_two(audit, telling.told(away[0]), audit.hears(away[1]))
    else:
        for each in away:
            await audit.hears(each)
    assert await audit.states(CAME_BACK) == ["waiting"]


async def first_of_two(audit, told, other):
    """Take note of the event; the `other` begins before that is committed, and goes on as far as it can."""
    heard = hear([told], noted_at=audit.clock())
    async with audit.uow() as uow:
        moments = await uow.standards.moments()
        await lock_scopes(heard, moments, uow=uow)
        await take_note(heard, moments, uow=uow, now=audit.clock())
        working = asyncio.create_task(other)
        await asyncio.wait({working}, timeout=0.5)
        await uow.commit()
    await working


async def test_an_answer_that_is_recorded_later_than_it_moved_is_waited_for_where_it_is(audit, telling):
    """Its recording was parked, and comes alone when its moves are long known: what it answers is held all the same."""
    back, (answer, joined) = came_back_and_was_answered(telling)
    recorded = telling.told(answer.model_copy(update={"conversation_id": THERE}))
    await audit.hears(*back, joined)
    heard = hear([recorded], noted_at=audit.clock())
    assert f"conversation:{answer.touchpoint_id}:in" in heard.perhaps_known
    await audit.hears(recorded)
    assert await audit.states(CAME_BACK) == ["met"]


async def test_who_did_not_come_back_after_all_waits_for_no_answer(audit, telling):
    (back, came), answered = came_back_and_was_answered(telling)
    await audit.hears(back, came, *answered)
    await audit.hears(taken_back(came), elsewhere(came, back.touchpoint_id, move="opened", previous_channel=None))
    assert await audit.evidence(CAME_BACK) == []


async def test_where_threads_are_told_anew_the_order_of_arrival_does_not_matter(audit, telling):
    verdicts = set()
    for seed in range(24):
        here, there = UUID(int=2 * seed + 100), UUID(int=2 * seed + 101)
        back, (answer, joined) = came_back_and_was_answered(telling, thread=here)
        away = elsewhere(joined, there, move="opened")
        events = [telling.told(each) for each in (*back, answer, joined, taken_back(joined), away)]
        random.Random(seed).shuffle(events)
        for each in events:
            await audit.hears(each)
        found = [e for e in await audit.evidence(CAME_BACK) if e.touchpoint_id == back[0].touchpoint_id]
        verdicts.add(tuple((e.state, e.scope == f"conversation:{here}") for e in found))
    assert verdicts == {(("waiting", True),)}


async def test_what_closed_one_thread_and_closes_another_after_all_closes_once(audit, telling):
    closed = telling.conversation("closed", conversation_id=HERE)
    await audit.hears(closed)
    await audit.hears(taken_back(closed), elsewhere(closed, THERE))
    assert [e.scope for e in await audit.evidence(STAYS_CLOSED)] == [f"conversation:{THERE}"]
    await audit.hears(taken_back(elsewhere(closed, THERE)), closed)  # and back
    assert [e.scope for e in await audit.evidence(STAYS_CLOSED)] == [f"conversation:{HERE}"]


async def test_what_a_person_closed_goes_with_its_thread(audit, telling):
    closed = telling.conversation("closed", conversation_id=HERE, touchpoint_id=None)
    await audit.hears(closed)
    await audit.hears(taken_back(closed), elsewhere(closed, THERE))
    assert [e.scope for e in await audit.evidence(STAYS_CLOSED)] == [f"conversation:{THERE}"]


async def test_a_failure_that_came_later_than_was_told_is_told_as_it_is(audit, telling):
    again = [telling.conversation("resumed", hours=h, matched_by="resumed-closed") for h in (5, 10)]
    await audit.hears(telling.conversation("closed"), *again)
    await audit.hears(taken_back(again[0]))
    said = [(m.at, m.detail["value"], m.taken_back) for m in await audit.says(MomentFailed)]
    hours = [telling.start + timedelta(hours=h) for h in (5, 10)]
    assert said == [(hours[0], 2.0, False), (hours[1], 1.0, False)]


async def test_one_of_two_contacts_of_one_moment_is_taken_back(audit, telling):
    first, second = (telling.case("contacted", hours=1, touchpoint_id=uuid4()) for _ in range(2))
    await audit.hears(telling.case("opened"), first, second)
    await audit.hears(CaseMoveRetracted(**vars(second)))
    async with audit.uow(reading=True) as uow:
        seen = (await uow.observations.of_scopes(["case:PQR-1"]))["case:PQR-1"]
        stood = standing(seen, await uow.observations.withdrawals({key for one in seen for key in one.depends_on}))
    contacts = [one.touchpoint_id for one in stood if one.fields["move"] == "contacted"]
    assert contacts == [first.touchpoint_id]


async def test_a_failure_that_is_anothers_after_an_undo_is_told_of_him_and_leaves_the_first(audit, telling):
    """Judged once a thread, by its first answer: while two were one, that was the other's."""
    once = shipped("contact")
    once["moments"][0] |= {"subject": "conversation", "once": True, "critical": True}
    await put_cycle("contact", once, expected=1, by="test", uow=audit.uow(), clock=audit.clock)
    other, hour = uuid4(), timedelta(hours=1)
    bad = telling.survey(1, trace_id=other, conversation_id=HERE, occurred_at=telling.start)
    good = telling.survey(5, trace_id=other, conversation_id=HERE, occurred_at=telling.start + hour)
    own = telling.survey(2, conversation_id=HERE, occurred_at=telling.start + 2 * hour)
    await audit.hears(bad, good, own)
    assert [(m.trace_id, m.taken_back) for m in await audit.says(MomentFailed)] == [(other, False)]
    undone = telling.conversation(
        "opened", conversation_id=good.touchpoint_id, touchpoint_id=good.touchpoint_id, trace_id=other
    )
    await audit.hears(telling.retracted(bad), undone)
    assert [(m.trace_id, m.taken_back) for m in await audit.says(MomentFailed)] == [
        (other, False),
        (telling.trace, False),
    ]
    assert [action.trace_id for action in await open_actions(audit)] == [telling.trace]
