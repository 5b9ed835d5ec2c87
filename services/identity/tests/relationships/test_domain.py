"""What holds between two parties, and the limits: 180 days, three names."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.knowledge.domain import Put
from identity.relationships.domain import (
    REFERRAL,
    ComplaintOpen,
    ReferralTooSoon,
    Relationship,
    check_referral_request,
    contacts_of,
    counterparts,
    employers_of,
    gaps_of_target,
    latest_of_each,
    referral_allowed_at,
    staff_of,
    ties_of,
    times_shown,
)

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ACME, ANA, LUIS = UUID(int=1), UUID(int=2), UUID(int=3)


def said(
    one: UUID, other: UUID, kind: str = "works_for", *, day: int = 0, until: datetime | None = None, **body: Any
) -> Relationship:
    at = NOW + timedelta(days=day)
    return Relationship(UUID(int=at.toordinal()), one, other, kind, body, at, until, "staff", "Marta", at, one, other)


def asked(*days_ago: int, question: str = REFERRAL) -> list[Put]:
    return [Put(ANA, question, "asked", NOW - timedelta(days=days)) for days in days_ago]


@given(days=st.lists(st.integers(0, 500), max_size=5), later=st.integers(0, 200))
def test_between_two_requests_lie_180_days_at_least(days: list[int], later: int) -> None:
    moment = NOW + timedelta(days=later)
    allowed_at = NOW - timedelta(days=min(days)) + timedelta(days=180) if days else moment
    if allowed_at > moment:
        with pytest.raises(ReferralTooSoon, match=allowed_at.strftime("%Y-%m-%dT%H:%M:%SZ")):
            check_referral_request(asked(*days), complains=False, now=moment)
    check_referral_request(asked(*days), complains=False, now=max(allowed_at, moment))


def test_a_complaint_stands_before_everything_and_other_questions_count_nothing() -> None:
    with pytest.raises(ComplaintOpen):
        check_referral_request([], complains=True, now=NOW)
    assert referral_allowed_at(asked(1, question="q-email")) is None


def test_of_a_pair_and_kind_the_latest_holds_in_whatever_order_it_is_read() -> None:
    series = [
        said(ANA, ACME, function="purchasing"),
        said(ANA, ACME, day=9, function="systems"),
        said(ANA, LUIS, "relative_of"),
    ]
    for order in (series, series[::-1]):
        assert [(r.kind, r.body) for r in latest_of_each(order)] == [
            ("works_for", {"function": "systems"}), ("relative_of", {}),
        ]  # fmt: skip


def test_what_is_said_from_either_side_of_a_mutual_tie_is_one_series() -> None:
    assert len(latest_of_each([said(ANA, LUIS, "relative_of"), said(LUIS, ANA, "relative_of", day=1)])) == 1
    assert len(latest_of_each([said(ANA, LUIS, "referred"), said(LUIS, ANA, "referred", day=1)])) == 2


def test_what_was_said_of_two_who_are_one_by_now_says_nothing() -> None:
    assert latest_of_each([said(ANA, ANA, "relative_of")]) == []


def test_who_decides_comes_first_and_who_left_is_no_contact() -> None:
    people = [
        said(ANA, ACME, day=1, decision_role="user"), said(LUIS, ACME, day=2, decision_role="decider"),
        said(UUID(int=4), ACME, day=3), said(UUID(int=5), ACME, until=NOW + timedelta(days=1)),
    ]  # fmt: skip
    contacts = contacts_of(ACME, people, now=NOW + timedelta(days=9))
    assert [c.from_customer for c in contacts] == [LUIS, ANA, UUID(int=4)]
    assert employers_of(UUID(int=5), people) == {ACME}  # whoever tells of Acme must hear of him still


@pytest.mark.parametrize(
    ("contacts", "missing"),
    [
        ([], ["3 more contacts", "who decides"]),
        ([{"function": "a"}] * 2, ["1 more contacts", "who decides"]),
        ([{"function": "a"}] * 2 + [{"decision_role": "decider"}], ["the function of every contact"]),
        ([{"function": "a", "decision_role": "decider"}] * 3, []),
    ],
)
def test_a_target_account_says_what_is_missing(contacts: list[dict[str, Any]], missing: list[str]) -> None:
    assert gaps_of_target([said(UUID(int=9 + n), ACME, **c) for n, c in enumerate(contacts)], needed=3) == missing


def test_executives_meet_those_of_the_same_function_and_rank() -> None:
    theirs = [said(ANA, ACME, function="systems", seniority="executive"), said(LUIS, ACME, function="systems")]
    ours = [
        ("s-2", {"function": "systems", "seniority": "executive"}),
        ("s-1", {"function": "systems", "seniority": "executive"}),
    ]
    assert [(c.contact.from_customer, c.staff_id) for c in counterparts(theirs, ours)] == [(ANA, "s-1")]
    assert [c.staff_id for c in counterparts(theirs, [])] == [None]


def test_of_a_large_organisation_those_who_decide_are_named() -> None:
    many = [said(UUID(int=100 + n), ACME, day=n) for n in range(9)]
    gone = said(LUIS, ACME, day=10, until=NOW, decision_role="decider")
    people = [*many, gone, said(ANA, ACME, decision_role="decider"), said(ANA, LUIS, "relative_of")]
    chosen = [r.from_customer for r in staff_of({ACME}, people, most=3)]
    assert chosen == [ANA, UUID(int=108), UUID(int=107)]
    assert staff_of({LUIS}, people, most=3) == []


def test_of_each_kind_of_tie_the_newest_are_told_and_all_are_counted() -> None:
    many = [said(UUID(int=100 + n), ACME, "buys_through", day=n) for n in range(9)]
    ties = ties_of(ACME, [*many, said(LUIS, ACME, "same_owner"), said(ANA, ACME, "referred", status="new")], now=NOW)
    assert [(tie["kind"], tie["given"], tie["count"]) for tie in ties] == [
        ("buys_through", False, 9), ("referred", False, 1), ("same_owner", None, 1),
    ]  # fmt: skip
    newest = [str(UUID(int=100 + n)) for n in (8, 7, 6, 5, 4)]
    assert [other["customer_id"] for other in ties[0]["others"]] == newest
    assert ties[1]["others"] == [
        {"customer_id": str(ANA), "since": "2026-11-20T00:00:00Z", "status": "new", "decision_role": None}
    ]


def test_what_ended_is_no_tie_nor_is_a_showing_nor_whoever_works_there() -> None:
    others = [
        said(ANA, ACME, "relative_of", until=NOW), said(ANA, ACME, "shown_to"), said(ACME, LUIS, "shown_to"),
        said(ANA, ACME),
    ]  # fmt: skip
    assert ties_of(ACME, others, now=NOW) == []
    assert [tie["kind"] for tie in ties_of(ANA, others[:1] + others[3:], now=NOW)] == ["works_for"]
    assert times_shown(ACME, others) == 1
