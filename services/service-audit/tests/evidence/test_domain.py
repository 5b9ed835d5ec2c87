"""Judging: tables of cases, without a database."""

from datetime import timedelta

import pytest

from service_audit.evidence.domain import judge
from service_audit.observations.domain import observation_of, standing, withdrawal_of
from service_audit.standards.domain import Document, moments_of
from service_audit.standards.schemas import CycleBody
from service_audit.standards.shipped import shipped


def the_moment(standard, *, trigger=None, subject="case", once=True, start=None):
    trigger = trigger or {"event": "case-moved", "when": {"field": "move", "op": "eq", "value": "opened"}}
    moment = {"code": "m", "name": "M", "sequence": 1, "attribute": "a", "subject": subject, "once": once}
    body = CycleBody.model_validate({"name": "C", "moments": [{**moment, "trigger": trigger, "standard": standard}]})
    return moments_of(Document("cycle", "c", 1, body.model_dump(mode="json"), start, "test"))[0]


def answered_within(hours):
    until = {"event": "case-moved", "when": {"field": "move", "op": "in", "value": ["answered", "resolved"]}}
    return {"measure": "answered-within", "hours": hours, "until": until}


@pytest.mark.parametrize(
    ("moves", "now", "state", "value"),
    [
        ([("opened", 0)], 1, "waiting", None),
        ([("opened", 0)], 24, "failed", None),
        ([("opened", 0), ("answered", 2)], 3, "met", 2.0),
        ([("opened", 0), ("answered", 24)], 30, "met", 24.0),
        ([("opened", 0), ("answered", 24.01)], 30, "failed", 24.01),
        ([("opened", 0), ("contacted", 2)], 30, "failed", None),
        ([("opened", 0), ("answered", 0)], 30, "met", 0.0),
        ([("answered", 5), ("opened", 0), ("answered", 3)], 30, "met", 3.0),
        ([("opened", 0), ("answered", -5)], 30, "excluded", None),
        ([("opened", 0), ("answered", -5)], 1, "excluded", None),
        ([("opened", 0), ("answered", -5), ("answered", 6)], 30, "met", 6.0),
    ],
)
def test_an_answer_counts_from_the_question_and_until_the_deadline(telling, moves, now, state, value):
    moment = the_moment(answered_within(24), start=telling.start)
    seen = [
        observation_of(telling.told(telling.case(move, hours=hours)), noted_at=telling.start) for move, hours in moves
    ]
    [evidence] = judge(moment, "case:PQR-1", standing(seen, {}), now=telling.start + timedelta(hours=now))
    assert evidence.state == state
    assert evidence.value == (None if value is None else pytest.approx(value))


def test_each_question_has_its_own_clock_where_each_counts(telling):
    trigger = {"event": "case-moved", "when": {"field": "move", "op": "in", "value": ["opened", "reopened"]}}
    moment = the_moment(answered_within(24), trigger=trigger, once=False, start=telling.start)
    moves = [("opened", 0), ("answered", 2), ("reopened", 50), ("answered", 90)]
    seen = [observation_of(telling.told(telling.case(m, hours=h)), noted_at=telling.start) for m, h in moves]
    found = judge(moment, "case:PQR-1", standing(seen, {}), now=telling.start + timedelta(hours=100))
    assert [(e.state, e.value) for e in found] == [("met", 2.0), ("failed", 40.0)]


def test_an_answer_before_the_second_question_belongs_to_the_first(telling):
    trigger = {"event": "case-moved", "when": {"field": "move", "op": "in", "value": ["opened", "reopened"]}}
    moment = the_moment(answered_within(24), trigger=trigger, once=False, start=telling.start)
    moves = [("opened", 0), ("answered", 2), ("reopened", 50)]
    seen = [observation_of(telling.told(telling.case(m, hours=h)), noted_at=telling.start) for m, h in moves]
    found = judge(moment, "case:PQR-1", standing(seen, {}), now=telling.start + timedelta(hours=51))
    assert [e.state for e in found] == ["met", "waiting"]


@pytest.mark.parametrize(
    ("moves", "state"),
    [
        ([("kept", 10, -100.0)], "met"),
        ([("kept", 10, None)], "met"),
        ([("kept", 60, 43_200.0)], "failed"),
        ([("broken", 48, 0.0)], "failed"),
        ([("broken", 48, 0.0), ("kept", 60, 43_200.0)], "failed"),
        ([("broken", 48, 0.0), ("kept", 40, -28_800.0)], "met"),  # kept in time, but told late
        ([("made", 0, None)], None),
        ([("waived", 10, None)], None),
    ],
)
def test_a_promise_is_judged_once(telling, moves, state):
    document = Document("cycle", "promises", 1, shipped("promises"), telling.start, "test")
    [moment] = moments_of(document)
    seen = [
        observation_of(
            telling.told(telling.commitment(move, late=late, at=telling.start + timedelta(hours=hours))),
            noted_at=telling.start,
        )
        for move, hours, late in moves
    ]
    found = judge(moment, "commitment:x", standing(seen, {}), now=telling.start + timedelta(hours=100))
    assert [e.state for e in found] == ([] if state is None else [state])


@pytest.mark.parametrize(
    ("first_contact", "state"), [(True, ["met"]), (False, ["failed"]), (None, [])], ids=["yes", "no", "not known yet"]
)
def test_a_flag_that_is_not_known_is_no_evidence(telling, first_contact, state):
    standard = {"measure": "flag", "field": "first_contact", "equals": True}
    trigger = {"event": "case-moved", "when": {"field": "move", "op": "eq", "value": "resolved"}}
    moment = the_moment(standard, trigger=trigger, start=telling.start)
    seen = [
        observation_of(
            telling.told(telling.case("resolved", hours=2, first_contact=first_contact)), noted_at=telling.start
        )
    ]
    assert [e.state for e in judge(moment, "case:PQR-1", seen, now=telling.start)] == state


@pytest.mark.parametrize(
    ("answer", "state", "score", "reason"),
    [
        (5, "met", 100.0, None),
        (4, "met", 75.0, None),
        (3, "failed", 50.0, None),
        (1, "failed", 0.0, None),
        (3.5, "failed", 62.5, None),
        (0, "excluded", None, "outside-the-scale"),
        (6, "excluded", None, "outside-the-scale"),
        ("good", "excluded", None, "not-a-number"),
        (True, "excluded", None, "not-a-number"),
    ],
)
def test_an_answer_on_the_scale_becomes_a_score(telling, answer, state, score, reason):
    [moment] = moments_of(Document("cycle", "contact", 1, shipped("contact"), telling.start, "test"))
    seen = observation_of(telling.told(telling.survey(answer)), noted_at=telling.start)
    [evidence] = judge(moment, "observation:x", [seen], now=telling.start)
    assert (evidence.state, evidence.score, evidence.reason) == (state, score, reason)


@pytest.mark.parametrize(
    ("at_hours", "now", "state", "value"),
    [
        ([0], 1, "waiting", 0),
        ([0], 200, "met", 0),
        ([0, 5], 200, "met", 1),
        ([0, 5, 9], 10, "failed", 2),
        ([0, 5, 169], 200, "met", 1),
        ([0, 0.5, 1, 2], 200, "failed", 3),
    ],
)
def test_too_many_changes_of_channel_fail_as_soon_as_they_happen(telling, at_hours, now, state, value):
    changed = {"event": "conversation-moved", "when": {"field": "other_channel", "op": "eq", "value": True}}
    standard = {"measure": "count-at-most", "most": 1, "hours": 168, "of": changed}
    moment = the_moment(standard, trigger=changed, subject="conversation", start=telling.start)
    moves = [telling.conversation("continued", hours=h, previous_channel="web") for h in at_hours]
    seen = [observation_of(telling.told(move), noted_at=telling.start) for move in moves]
    [evidence] = judge(moment, "conversation:x", seen, now=telling.start + timedelta(hours=now))
    assert (evidence.state, evidence.value) == (state, value)


def test_what_was_retracted_does_not_stand_unless_it_is_told_again(telling):
    first = telling.survey(2)
    seen = observation_of(telling.told(first), noted_at=telling.start)
    gone = withdrawal_of(telling.told(telling.retracted(first)))
    again = observation_of(telling.told(first), noted_at=telling.start)
    assert standing([seen], {gone.key: gone.told}) == []
    assert standing([again], {gone.key: gone.told}) == [again]


def test_the_case_that_a_retracted_touchpoint_opened_does_not_stand(telling):
    recorded = telling.touchpoint(kind="complaint")
    opened = observation_of(
        telling.told(telling.case("opened", touchpoint_id=recorded.touchpoint_id)), noted_at=telling.start
    )
    gone = withdrawal_of(telling.told(telling.retracted(recorded)))
    assert standing([opened], {gone.key: gone.told}) == []


def test_a_promise_that_is_owed_again_was_not_kept_but_stays_broken(telling):
    kept = observation_of(telling.told(telling.commitment("kept")), noted_at=telling.start)
    broken = observation_of(telling.told(telling.commitment("broken")), noted_at=telling.start)
    owed = withdrawal_of(telling.told(telling.commitment("made")))
    kept_again = observation_of(telling.told(telling.commitment("kept")), noted_at=telling.start)
    assert standing([kept, broken], {owed.key: owed.told}) == [broken]
    assert standing([kept_again], {owed.key: owed.told}) == [kept_again]
