"""What to ask next, and when a question rests."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from common.company import Company
from identity.knowledge.domain import Fact, Put, current_facts, next_questions

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
