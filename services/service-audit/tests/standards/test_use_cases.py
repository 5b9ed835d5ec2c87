"""A changed standard, or another cycle, gives other results over everything that was seen: without a line of code."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from common.contracts.service_audit import ActionMoved, EvidenceRecorded, MomentFailed
from service_audit.evidence import use_cases as evidence_use_cases
from service_audit.evidence.use_cases import REJUDGE, go_on_judging, take_note
from service_audit.observations.domain import hear
from service_audit.standards.domain import DocumentStale, DocumentVersionMissing
from service_audit.standards.schemas import CycleBody
from service_audit.standards.shipped import shipped
from service_audit.standards.use_cases import put_cycle, ship_defaults

ANSWERED = "complaint-answered"


async def write(audit, code, body, *, expected):
    full = CycleBody.model_validate(body).model_dump(mode="json")
    return await put_cycle(code, full, expected=expected, by="test", uow=audit.uow(), clock=audit.clock)


def complaint_care(**of_the_first_moment):
    body = shipped("complaint-care")
    body["moments"][0] |= of_the_first_moment
    return body


def within(hours):
    return shipped("complaint-care")["moments"][0]["standard"] | {"hours": hours}


async def five_complaints(audit, telling):
    """Answered after 2, 10, 20, 30 and 60 hours."""
    for at, hours in enumerate((2, 10, 20, 30, 60)):
        await audit.hears(telling.case("opened", number=f"PQR-{at}"))
        await audit.hears(telling.case("answered", hours=hours, number=f"PQR-{at}"))
    audit.clock.advance(timedelta(hours=100))


@pytest.mark.parametrize(("hours", "met"), [(24, 3), (8, 1), (48, 4), (100, 5), (1, 0)])
async def test_a_changed_standard_judges_the_past_anew(audit, telling, hours, met):
    await five_complaints(audit, telling)
    assert (await audit.states(ANSWERED)).count("met") == 3
    await write(audit, "complaint-care", complaint_care(standard=within(hours)), expected=1)
    assert (await audit.states(ANSWERED)).count("met") == met
    assert {e.version for e in await audit.evidence(ANSWERED)} == {2}
    assert sorted(e.value for e in await audit.evidence(ANSWERED)) == [2.0, 10.0, 20.0, 30.0, 60.0]


async def test_judging_the_past_anew_raises_no_alarm_and_takes_back_what_is_not_so(audit, telling):
    await five_complaints(audit, telling)
    failures, actions = len(await audit.says(MomentFailed)), len(await audit.says(ActionMoved))
    assert (failures, actions) == (2, 1)
    await write(audit, "complaint-care", complaint_care(standard=within(1)), expected=1)
    assert len(await audit.says(MomentFailed)) == failures
    assert len(await audit.says(ActionMoved)) == actions
    await write(audit, "complaint-care", complaint_care(standard=within(100)), expected=2)
    assert [m.taken_back for m in await audit.says(MomentFailed)][failures:] == [True, True]
    assert [a.move for a in await audit.says(ActionMoved)][actions:] == ["closed"]


@pytest.mark.parametrize(("hours", "failures"), [(24, 1), (8, 0), (48, 0)])
async def test_what_fell_due_before_its_timer_woke_is_told_though_its_cycle_is_written_first(
    audit, telling, hours, failures
):
    """A worker that is behind; by another deadline it is the past that is judged anew."""
    await audit.hears(telling.case("opened"))
    audit.clock.advance(timedelta(hours=30))
    await write(audit, "complaint-care", complaint_care(standard=within(hours)), expected=1)
    await audit.passes(minutes=1)
    assert len(await audit.says(MomentFailed)) == failures
    assert len(await audit.says(ActionMoved)) == failures


async def test_a_new_standard_applies_to_what_comes(audit, telling):
    await write(audit, "complaint-care", complaint_care(standard=within(2)), expected=1)
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=3)
    assert [m.moment for m in await audit.says(MomentFailed)] == [ANSWERED]


async def test_another_cycle_finds_its_evidence_in_what_was_seen_before_it_was_written(audit, telling):
    bought = telling.touchpoint(kind="purchase", category="grocery")
    await audit.hears(bought, telling.touchpoint(kind="purchase"), telling.survey(9, survey="nps"))
    nps = {"event": "touchpoint-recorded", "when": {"field": "survey", "op": "eq", "value": "nps"}}
    rating = {"measure": "rating", "field": "answers.satisfaction", "scale": {"low": 0, "high": 10}, "minimum": 9}
    categorised = {"measure": "flag", "field": "category", "equals": "grocery"}
    moments = [
        {"code": "would-recommend", "name": "N", "sequence": 1, "kind": "REFERRAL", "attribute": "satisfaction",
         "trigger": nps, "standard": rating},
        {"code": "grocery-bought", "name": "G", "sequence": 2, "kind": "BUY_DECISION", "attribute": "satisfaction",
         "trigger": {"event": "touchpoint-recorded", "when": {"field": "kind", "op": "eq", "value": "purchase"}},
         "standard": categorised},
    ]  # fmt: skip
    await write(audit, "purchase", {"name": "Purchase", "moments": moments}, expected=None)
    assert [(e.state, e.score) for e in await audit.evidence("would-recommend")] == [("met", 90.0)]
    assert [e.touchpoint_id for e in await audit.evidence("grocery-bought")] == [bought.touchpoint_id]
    assert await audit.states("satisfied-after-contact") == ["excluded"]  # the same answer on another scale


async def test_a_moment_that_is_taken_out_takes_its_evidence_with_it(audit, telling):
    await five_complaints(audit, telling)
    body = shipped("complaint-care")
    await write(audit, "complaint-care", body | {"moments": body["moments"][1:]}, expected=1)
    assert await audit.evidence(ANSWERED) == []
    assert [m.taken_back for m in await audit.says(MomentFailed)] == [False, False, True, True]
    assert sum(e.taken_back for e in await audit.says(EvidenceRecorded)) == 5


async def test_a_cycle_out_of_service_gives_no_evidence_and_finds_all_of_it_again(audit, telling):
    await five_complaints(audit, telling)
    kept = {(e.evidence_id, e.state, e.value) for e in await audit.evidence(ANSWERED)}
    await write(audit, "complaint-care", shipped("complaint-care") | {"active": False}, expected=1)
    assert await audit.evidence(cycle="complaint-care") == []
    await audit.hears(telling.case("opened", number="PQR-77", trace_id=telling.trace))
    await write(audit, "complaint-care", shipped("complaint-care"), expected=2)
    assert kept <= {(e.evidence_id, e.state, e.value) for e in await audit.evidence(ANSWERED)}
    assert len(await audit.states(ANSWERED)) == 6  # with the one that came meanwhile


async def test_a_long_history_is_judged_step_by_step(audit, telling, monkeypatch):
    await five_complaints(audit, telling)
    monkeypatch.setattr(evidence_use_cases, "AT_ONCE", 2)
    await write(audit, "complaint-care", complaint_care(standard=within(8)), expected=1)
    assert (await audit.states(ANSWERED)).count("met") > 1
    await audit.passes(minutes=1)
    assert (await audit.states(ANSWERED)).count("met") == 1
    assert {e.version for e in await audit.evidence(cycle="complaint-care")} == {2}


async def test_a_long_history_goes_step_by_step_with_its_cycle(audit, telling, monkeypatch):
    await five_complaints(audit, telling)
    monkeypatch.setattr(evidence_use_cases, "AT_ONCE", 2)
    await write(audit, "complaint-care", shipped("complaint-care") | {"active": False}, expected=1)
    assert await audit.evidence(cycle="complaint-care") != []
    await audit.passes(minutes=1)
    assert await audit.evidence(cycle="complaint-care") == []


async def test_a_standard_that_is_written_while_the_past_is_judged_by_the_one_before_judges_all_of_it(
    audit, telling, monkeypatch
):
    await five_complaints(audit, telling)
    monkeypatch.setattr(evidence_use_cases, "AT_ONCE", 2)
    await write(audit, "complaint-care", complaint_care(standard=within(8)), expected=1)
    await goes_on(audit, await timer_of(audit))  # a step ahead of where the new one will begin
    read_before = await timer_of(audit)
    audit.clock.advance(timedelta(seconds=1))
    await write(audit, "complaint-care", complaint_care(standard=within(48)), expected=2)
    await goes_on(audit, read_before)
    await audit.passes(minutes=1)
    assert (await audit.states(ANSWERED)).count("met") == 4
    assert {e.version for e in await audit.evidence(cycle="complaint-care")} == {3}


async def test_what_moves_while_the_past_is_judged_anew_raises_no_alarm_about_its_past(audit, telling, monkeypatch):
    """A case is told of further before the steps have come to it; what happens in it from now on is news."""
    await five_complaints(audit, telling)
    failures, actions = len(await audit.says(MomentFailed)), len(await audit.says(ActionMoved))
    monkeypatch.setattr(evidence_use_cases, "AT_ONCE", 2)
    await write(audit, "complaint-care", complaint_care(standard=within(1)), expected=1)
    assert await timer_of(audit) is not None
    late = telling.case("resolved", hours=99, number="PQR-2", first_contact=False)
    await audit.hears(late, telling.case("opened", number="PQR-9"))
    await audit.passes(minutes=1)
    assert (await audit.states(ANSWERED)).count("failed") == 6
    told = [m.moment for m in await audit.says(MomentFailed)][failures:]
    assert sorted(told) == [ANSWERED, "solved-at-first-contact"]
    assert len(await audit.says(ActionMoved)) == actions


async def timer_of(audit):
    async with audit.uow(reading=True) as uow:
        return await uow.timers.get(REJUDGE, "complaint-care")


async def goes_on(audit, timer):
    async with audit.uow() as uow:
        await go_on_judging([timer], uow=uow, clock=audit.clock)
        await uow.timers.done([timer])
        await uow.commit()


async def test_what_is_heard_while_a_standard_changes_is_judged_by_the_new_one(audit, telling):
    async def heard(worker):
        for at in range(10):
            number = f"PQR-{worker}-{at}"
            answered = telling.case("answered", hours=10, number=number)
            await audit.hears(telling.case("opened", number=number))
            await audit.hears(answered)

    async def rewritten():
        for version in range(1, 8):
            await write(audit, "complaint-care", complaint_care(standard=within(8 + version % 2 * 8)), expected=version)
            await asyncio.sleep(0.01)

    await asyncio.gather(heard("a"), heard("b"), rewritten())
    found = await audit.evidence(ANSWERED)
    assert {(e.version, e.state) for e in found} == {(8, "met")}
    assert len(found) == 20


async def test_what_is_heard_while_a_cycle_is_written_for_the_first_time_is_judged_by_it_as_well(audit, telling):
    """By whoever comes second: the batch that was under way is awaited, the one that comes meanwhile waits."""
    under_way, meanwhile = (hear([telling.told(telling.survey(at))], noted_at=audit.clock()) for at in (4, 5))
    async with audit.uow() as uow:
        await take_note(under_way, await uow.standards.moments(), uow=uow, now=audit.clock())
        writing = asyncio.create_task(write(audit, "second", shipped("contact"), expected=None))
        await asyncio.wait({writing}, timeout=0.5)
        listening = asyncio.create_task(take_note_of(meanwhile, audit))
        await asyncio.wait({listening}, timeout=0.5)
        await uow.commit()
    await asyncio.gather(writing, listening)
    found = Counter(e.cycle for e in await audit.evidence("satisfied-after-contact"))
    assert found == {"contact": 2, "second": 2}


async def take_note_of(heard, audit):
    async with audit.uow() as uow:
        await take_note(heard, await uow.standards.moments(), uow=uow, now=audit.clock())
        await uow.commit()


async def test_cycles_are_written_for_the_first_time_while_others_are_changed_and_events_are_heard(audit, telling):
    async def heard():
        for at in range(12):
            await audit.hears(telling.survey(at % 5 + 1, trace_id=uuid4()))

    async def written(code):
        for version in (None, 1, 2):
            await write(audit, code, shipped("contact"), expected=version)

    await asyncio.gather(heard(), heard(), *(written(f"again-{at}") for at in range(4)))
    found = [(e.cycle, e.version) for e in await audit.evidence("satisfied-after-contact")]
    assert sorted(set(found)) == [*((f"again-{at}", 3) for at in range(4)), ("contact", 1)]
    assert len(found) == 5 * 24


async def test_two_writers_do_not_overwrite_each_other(audit):
    await write(audit, "complaint-care", complaint_care(), expected=1)
    with pytest.raises(DocumentStale):
        await write(audit, "complaint-care", complaint_care(), expected=1)
    with pytest.raises(DocumentVersionMissing):
        await write(audit, "complaint-care", complaint_care(), expected=None)
    with pytest.raises(DocumentStale):
        await write(audit, "not-there-yet", complaint_care(), expected=3)


async def test_a_second_start_leaves_what_the_company_has_written(audit):
    await write(audit, "complaint-care", complaint_care(name="Ours"), expected=1)
    await ship_defaults(uow=audit.uow(), clock=audit.clock)
    async with audit.uow(reading=True) as uow:
        document = await uow.standards.get("cycle", "complaint-care")
    assert (document.version, document.body["moments"][0]["name"]) == (2, "Ours")
