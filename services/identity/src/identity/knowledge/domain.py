"""What we know, how long it holds, and which two questions to ask next (diálogo por goteo)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.company import DripQuestion
from common.errors import Invalid, NotFound

ASKED_DAYS = 30  # asked and not answered: not again before
DECLINED_DAYS = 180
MOST_ASKED = 3
DRIP_LIMIT = 2  # "un par": at most two questions a contact (S0-44)


class UnknownQuestion(NotFound):
    code = "unknown-question"
    title = "There is no such question"


class FactExpiresBeforeItWasObserved(Invalid):
    code = "expires-before-observed"
    title = "A fact cannot expire before it was observed"


@dataclass(frozen=True)
class Fact:
    """One answer about a person, at one time, with its source and how sure it is."""

    fact_id: UUID
    trace_id: UUID
    key: str
    value: Any
    source: str
    confidence: float
    observed_at: datetime
    expires_at: datetime | None
    touchpoint_id: UUID | None = None
    question_id: str | None = None
    by: str | None = None

    def stale(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Put:
    """A question was put to him, or he would not answer it."""

    trace_id: UUID
    question_id: str
    state: Literal["asked", "declined"]
    at: datetime


def current_facts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Of each series the latest; of two of one moment the surer."""
    latest: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda f: (f.observed_at, f.confidence, str(f.fact_id))):
        latest[fact.key] = fact
    return latest


def quiet_until(put: Put) -> datetime:
    return put.at + timedelta(days=DECLINED_DAYS if put.state == "declined" else ASKED_DAYS)


def next_questions(
    catalogue: Sequence[DripQuestion],
    facts: Mapping[str, Fact],
    puts: Iterable[Put],
    *,
    known: Collection[str],
    now: datetime,
    limit: int = DRIP_LIMIT,
) -> list[DripQuestion]:
    """The questions to put next: what we lack most first; nothing that is known and fresh, nor put or declined lately."""
    series: dict[str, list[Put]] = {}
    for put in puts:
        series.setdefault(put.question_id, []).append(put)
    open_questions = [
        question
        for question in catalogue
        if question.key not in known
        and (question.key not in facts or facts[question.key].stale(now))
        and not _worn(series.get(question.id, []), now)
    ]
    return open_questions[:limit]


def _worn(puts: Sequence[Put], now: datetime) -> bool:
    recent = [put for put in puts if put.at > now - timedelta(days=DECLINED_DAYS)]
    return len(recent) >= MOST_ASKED or any(quiet_until(put) > now for put in puts)
