"""What to ask next, and when a question rests."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.company import Company
from identity.knowledge.domain import (
    DRIP_LIMIT,
    Fact,
    Put,
    current_facts,
    next_questions,
    ready_for_any_channel,
    record_of_questions,
    rests_until,
    understanding,
    weighed,
)

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TRACE = UUID(int=1)
CATALOGUE = Company.load().questions_for("call")


def fact(
    key: str, *, days_ago: int = 1, expires_in: int | None = None, value: str = "x", confidence: float = 1.0
) -> Fact:
    expires_at = None if expires_in is None else NOW + timedelta(days=expires_in)
    return Fact(UUID(int=days_ago), TRACE, key, value, "call", confidence, NOW - timedelta(days=days_ago), expires_at)


def put(question: str, *, days_ago: int, declined: bool = False) -> Put:
    return Put(TRACE, question, "declined" if declined else "asked", NOW - timedelta(days=days_ago))


def ask(facts: list[Fact] | None = None, puts: list[Put] | None = None, known: set[str] | None = None) -> list[str]:
    return [
        q.id for q in next_questions(CATALOGUE, current_facts(facts or []), puts or [], known=known or set(), now=NOW)
    ]


def test_a_couple_of_questions_the_most_wanted_first() -> None:
    assert ask() == ["q-email", "q-best-hour"]


@pytest.mark.parametrize(
    ("facts", "puts", "known", "first"),
    [
        ([fact("email_address")], [], set(), "q-best-hour"),
        ([fact("email_address", expires_in=1)], [], set(), "q-best-hour"),
        ([fact("email_address", days_ago=9, expires_in=-1)], [], set(), "q-email"),
        ([], [], {"email_address"}, "q-best-hour"),
        ([], [put("q-email", days_ago=29)], set(), "q-best-hour"),
        ([], [put("q-email", days_ago=31)], set(), "q-email"),
        ([], [put("q-email", days_ago=100, declined=True)], set(), "q-best-hour"),
        ([], [put("q-email", days_ago=181, declined=True)], set(), "q-email"),
        ([], [put("q-email", days_ago=d) for d in (40, 80, 120)], set(), "q-best-hour"),
    ],
)
def test_what_is_known_fresh_asked_or_declined_is_not_asked(
    facts: list[Fact], puts: list[Put], known: set[str], first: str
) -> None:
    assert ask(facts, puts, known)[0] == first


def test_of_a_series_the_latest_stands_and_of_one_moment_the_surer() -> None:
    series = [
        fact("hobby", days_ago=3, value="old"),
        fact("hobby", value="unsure", confidence=0.2),
        fact("hobby", value="sure"),
    ]
    for order in (series, series[::-1]):
        assert current_facts(order)["hobby"].value == "sure"


COMPANY = Company.load()
Puts = st.lists(
    st.builds(
        lambda question, days, declined: put(question.id, days_ago=days, declined=declined),
        st.sampled_from(CATALOGUE), st.integers(0, 400), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip
Facts = st.lists(
    st.builds(
        lambda question, days, left, sure: fact(question.key, days_ago=days, expires_in=left, confidence=sure),
        st.sampled_from(CATALOGUE), st.integers(1, 400), st.none() | st.integers(-30, 30), st.floats(0, 1),
    ),
    max_size=8,
)  # fmt: skip


@given(facts=Facts, puts=Puts)
def test_never_more_than_a_couple_and_never_what_is_known_or_rests(facts: list[Fact], puts: list[Put]) -> None:
    latest = current_facts(facts)
    asked = next_questions(CATALOGUE, latest, puts, known=set(), now=NOW)
    assert len(asked) <= DRIP_LIMIT == 2
    for question in asked:
        assert question.key not in latest or latest[question.key].stale(NOW)
        assert all(p.at + timedelta(days=30) <= NOW for p in puts if p.question_id == question.id)
        assert sum(p.question_id == question.id and p.at > NOW - timedelta(days=180) for p in puts) < 3


@given(facts=Facts, puts=Puts, channel=st.sampled_from(["call", "web", "visit", "email", "shop"]))
def test_what_is_kept_ready_serves_every_channel(facts: list[Fact], puts: list[Put], channel: str) -> None:
    latest = current_facts(facts)
    every = COMPANY.questions_for(None)
    ready = ready_for_any_channel(next_questions(every, latest, puts, known=set(), now=NOW, limit=len(every)))
    asked = next_questions(COMPANY.questions_for(channel), latest, puts, known=set(), now=NOW)
    assert [q for q in ready if q.suits(channel)][:DRIP_LIMIT] == asked


@given(
    puts=st.lists(st.builds(lambda d, n: put("q-email", days_ago=d, declined=n), st.integers(0, 400), st.booleans()))
)
def test_a_question_rests_until_the_very_moment_that_is_told(puts: list[Put]) -> None:
    until = rests_until(puts, NOW)
    if until is not None:
        assert rests_until(puts, until - timedelta(microseconds=1)) is not None
        assert rests_until(puts, until) is None


def test_who_did_not_answer_one_is_asked_another_of_nearly_the_same_weight() -> None:
    twice = [put("q-email", days_ago=100), put("q-email", days_ago=60)]
    assert ask(puts=twice) == ["q-best-hour", "q-preferred-channel"]


def test_what_became_of_each_question_is_known() -> None:
    facts = [fact("email_address", days_ago=50), fact("best_hour", days_ago=50, expires_in=-1)]
    puts = [
        put("q-email", days_ago=60), put("q-email", days_ago=40), put("q-best-hour", days_ago=55),
        put("q-invoice-format", days_ago=10, declined=True), put("q-payment", days_ago=10),
    ]  # fmt: skip
    record = {
        each.question.id: each
        for each in record_of_questions(COMPANY.questions_for(None), facts, puts, known={"preferred_name"}, now=NOW)
    }
    states = {
        name: record[f"q-{name}"].state
        for name in ("email", "best-hour", "preferred-name", "invoice-format", "payment", "value")
    }
    assert states == {
        "email": "answered", "best-hour": "stale", "preferred-name": "known", "invoice-format": "declined",
        "payment": "asked", "value": "never-asked",
    }  # fmt: skip
    assert (record["q-email"].times_asked, record["q-email"].repeated) == (2, 1)
    assert record["q-best-hour"].repeated == 0
    assert record["q-invoice-format"].rests_until == NOW + timedelta(days=170)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=6), st.floats(0, 1))
def test_a_part_of_the_index_lies_between_nothing_and_all_and_never_falls_when_more_is_known(
    known: dict[str, float], more: float
) -> None:
    part = weighed(known)
    assert 0 <= part.value <= 1
    for name, value in known.items():
        assert weighed(known | {name: max(value, more)}).value >= part.value
    assert weighed(dict.fromkeys(known, 1.0)) == weighed({})


def test_what_is_stale_or_lacking_is_not_understood_and_the_weightiest_is_missing_first() -> None:
    def understood(*facts: Fact, known: set[str] | None = None) -> tuple[float, list[str]]:
        part = understanding(COMPANY.facts, COMPANY.questions, current_facts(facts), known=known or set(), now=NOW)
        return part.value, part.missing

    nothing, missing = understood()
    assert (nothing, missing[:2]) == (0, ["email_address", "best_hour"])
    assert "credit_note" not in missing
    some, missing = understood(fact("email_address", confidence=0.8))
    assert some > 0
    assert missing[0] == "best_hour"
    assert understood(fact("email_address", days_ago=9, expires_in=-1))[0] == 0
    assert understood(fact("email_address", confidence=0.3))[1][0] == "email_address"
    assert understood(known={"email_address"})[0] > some
