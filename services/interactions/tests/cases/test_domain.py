"""The state machine of a case."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from interactions.cases import domain
from interactions.cases.domain import CaseFile, CaseNotThere

MONDAY = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


def opened(**said: Any) -> list[domain.Step]:
    given: dict[str, Any] = {
        "number": "PQR-2026-000001",
        "trace_id": uuid4(),
        "touchpoint_id": uuid4(),
        "kind": "complaint",
        "payload": {},
        "topic": None,
        "channel": "web",
        "outcome": None,
        "occurred_at": MONDAY,
        "now": MONDAY + timedelta(hours=1),
        "by": "web",
        "backfill": False,
        "recovery": timedelta(days=30),
    }
    return domain.opened(**{**given, **said})


def case(**said: Any) -> CaseFile:
    return opened(**said)[-1].case


def act(one: CaseFile, what: Any, *, hours: float = 2) -> CaseFile:
    return domain.acted(one, what, at=MONDAY + timedelta(hours=hours), by="Luisa", text="x").case


def come_back(one: CaseFile, *, hours: float) -> CaseFile:
    at = MONDAY + timedelta(hours=hours)
    step = domain.contacted(one, at=at, by="x", touchpoint_id=uuid4(), channel="call", now=at)
    return step.case if step else one


@pytest.mark.parametrize(
    ("way", "state"),
    [
        ((), "received"),
        (("answer",), "answered"),
        (("answer", "verify"), "verified"),
        (("answer", "close"), "closed"),
        (("answer", "verify", "close"), "closed"),
        (("answer", "reopen"), "reopened"),
        (("answer", "verify", "close", "reopen", "answer", "close"), "closed"),
    ],
)
def test_a_case_goes_its_way(way: tuple[str, ...], state: str) -> None:
    one = case()
    for step in way:
        one = act(one, step)
    assert one.state == state


@pytest.mark.parametrize(
    ("way", "refused"),
    [
        ((), "verify"),
        ((), "close"),
        ((), "reopen"),
        (("answer",), "answer"),
        (("answer", "close"), "verify"),
        (("answer", "close"), "close"),
    ],
)
def test_and_no_other(way: tuple[str, ...], refused: str) -> None:
    one = case()
    for step in way:
        one = act(one, step)
    with pytest.raises(CaseNotThere):
        act(one, refused)


def test_the_thirty_days_run_from_the_complaint_not_from_our_knowing() -> None:
    assert case().recovery_deadline == MONDAY + timedelta(days=30)
    assert case(kind="suggestion").recovery_deadline is None


def test_hours_are_open_until_the_answer() -> None:
    assert case().hours_open(MONDAY + timedelta(hours=5)) == 5
    assert act(case(), "answer", hours=2).hours_open(MONDAY + timedelta(days=9)) == 2


def test_silence_for_seven_days_after_the_answer_is_solved_at_first_contact() -> None:
    one = act(case(), "answer", hours=2)
    due = MONDAY + timedelta(hours=2) + WEEK
    assert one.settles_at(WEEK) == due
    assert domain.settled(one, now=due - timedelta(seconds=1), within=WEEK) is None
    step = domain.settled(one, now=due, within=WEEK)
    assert step is not None
    assert (step.move, step.case.first_contact) == ("resolved", True)
    assert domain.settled(step.case, now=due + WEEK, within=WEEK) is None  # once


def test_who_had_to_come_back_was_not_solved_at_first_contact() -> None:
    one = come_back(act(case(), "answer", hours=2), hours=24)
    assert one.settles_at(WEEK) == MONDAY + timedelta(hours=24) + WEEK
    step = domain.settled(one, now=MONDAY + timedelta(days=9), within=WEEK)
    assert step is not None
    assert step.case.first_contact is False


def test_silence_without_an_answer_solves_nothing() -> None:
    assert domain.settled(case(), now=MONDAY + timedelta(days=60), within=WEEK) is None


def test_a_contact_before_the_complaint_is_none_on_it() -> None:
    assert come_back(case(), hours=-1).contacts_count == 1


def test_an_unanswered_case_expires_once() -> None:
    deadline = MONDAY + timedelta(days=30)
    assert domain.expired(case(), now=deadline - timedelta(seconds=1)) is None
    step = domain.expired(case(), now=deadline)
    assert step is not None
    assert domain.expired(step.case, now=deadline) is None
    assert domain.expired(act(case(), "answer"), now=deadline) is None


def test_history_says_when_it_was_answered() -> None:
    first, second = opened(payload={"answered_at": "2026-11-17T15:00:00+00:00", "timely": True}, backfill=True)
    assert (first.move, second.move, second.at) == ("opened", "answered", MONDAY + timedelta(days=1))
    assert (second.case.timely, second.case.hours_open(MONDAY + timedelta(days=99))) == (True, 24)


def test_a_complaint_that_was_settled_on_the_spot_is_answered() -> None:
    assert case(outcome="resolved").state == "answered"
