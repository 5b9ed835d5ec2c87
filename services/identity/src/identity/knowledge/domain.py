"""What we know, how long it holds, and which two questions to ask next (diálogo por goteo)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.company import DripQuestion, FactDefinition
from common.errors import Invalid, NotFound

ASKED_DAYS = 30  # asked and not answered: not again before
DECLINED_DAYS = 180
MOST_ASKED = 3
DRIP_LIMIT = 2  # "un par": at most two questions a contact (S0-44)
STALE_LACKS = 0.9  # an old answer is better than none
IN_VAIN = 0.9  # for each time that a question was put and not answered
RECENT_DAYS = 180  # a dialogue that is alive
HALF_KNOWN = 0.5  # what we are less sure of counts as missing
UNASKED_WEIGHT = 10  # of a fact for which there is no question


class UnknownQuestion(NotFound):
    code = "unknown-question"
    title = "There is no such question"


class AnswersAnotherQuestion(Invalid):
    code = "answers-another-question"
    title = "The question asks for another fact"


class FactExpiresBeforeItWasObserved(Invalid):
    code = "expires-before-observed"
    title = "A fact cannot expire before it was observed"


@dataclass(frozen=True)
class Fact:
    """One answer about a person, at one time, with its source and how sure it is. No value: what stood was taken away."""

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


def check_answer(key: str, question: DripQuestion | None) -> None:
    """Raises UnknownQuestion; AnswersAnotherQuestion, or it would be put to him again although he answered."""
    if question is None:
        raise UnknownQuestion(pointer="/question_id")
    if question.key != key:
        raise AnswersAnotherQuestion(f"{question.id} asks for {question.key}", pointer="/question_id")


@dataclass(frozen=True)
class Put:
    """A question was put to him, or he would not answer it."""

    trace_id: UUID
    question_id: str
    state: Literal["asked", "declined"]
    at: datetime


def current_facts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Of each series the latest, unless it was taken away."""
    return {key: fact for key, fact in latest_facts(facts).items() if fact.value is not None}


def latest_facts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Of each series what was said last, that it was taken away included; of two of one moment the surer."""
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
    """The questions to put next: what we lack most first; nothing that is known and fresh, nor put or declined lately.

    `catalogue`: those that suit the channel. What we lack is the question's priority, less where an answer is on record that
    went stale (x 0.9), and less for each time that it was put in vain (x 0.9): another one may be more welcome.
    """
    series = _by_question(puts)
    open_questions = [
        question
        for question in catalogue
        if question.key not in known
        and (question.key not in facts or facts[question.key].stale(now))
        and rests_until(series.get(question.id, []), now) is None
    ]

    def lack(question: DripQuestion) -> float:
        in_vain = len(_asked_in_vain(series.get(question.id, []), facts.get(question.key)))
        return question.priority * (STALE_LACKS if question.key in facts else 1.0) * IN_VAIN**in_vain

    return sorted(open_questions, key=lambda question: (-lack(question), question.id))[:limit]


def ready_for_any_channel(questions: Sequence[DripQuestion], *, limit: int = DRIP_LIMIT + 1) -> list[DripQuestion]:
    """Of the questions, best first, those that would be put on some channel, and one more of each in case one is answered."""
    channels = {channel for question in questions for channel in question.channels} | {""}
    chosen = {question.id for channel in channels for question in [q for q in questions if q.suits(channel)][:limit]}
    return [question for question in questions if question.id in chosen]


def _by_question(puts: Iterable[Put]) -> dict[str, list[Put]]:
    series: dict[str, list[Put]] = {}
    for put in sorted(puts, key=lambda each: each.at):
        series.setdefault(put.question_id, []).append(put)
    return series


def _asked_in_vain(puts: Iterable[Put], answer: Fact | None) -> list[Put]:
    """Since it was answered last."""
    return [put for put in puts if put.state == "asked" and (answer is None or put.at > answer.observed_at)]


def ends_of_rest(puts: Iterable[Put], now: datetime) -> list[datetime]:
    """When each of the questions that rest may be put again."""
    ends = [rests_until(each, now) for each in _by_question(puts).values()]
    return [end for end in ends if end is not None]


def rests_until(puts: Sequence[Put], now: datetime) -> datetime | None:
    """Until when a question is left alone; None: it may be put now."""
    moments = [quiet_until(put) for put in puts]
    recent = sorted(put.at + timedelta(days=DECLINED_DAYS) for put in puts)
    if len(recent) >= MOST_ASKED:
        moments.append(recent[-MOST_ASKED])  # from then on fewer than three lie within the half-year
    until = max(moments, default=now)
    return until if until > now else None


# --- what became of each question ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What became of one question. `repeated`: how often it was put although the answer was on record and fresh."""

    question: DripQuestion
    state: Literal["never-asked", "asked", "declined", "answered", "stale", "known"]
    times_asked: int
    times_declined: int
    repeated: int
    last_put_at: datetime | None
    answered_at: datetime | None
    rests_until: datetime | None


def record_of_questions(
    catalogue: Sequence[DripQuestion],
    facts: Sequence[Fact],
    puts: Iterable[Put],
    *,
    known: Collection[str],
    now: datetime,
) -> list[Asked]:
    """Answered, declined, repeated: each question of the catalogue with what became of it. `facts`: the whole series."""
    series, latest = _by_question(puts), current_facts(facts)
    return [_asked(q, series.get(q.id, []), facts, latest.get(q.key), q.key in known, now) for q in catalogue]


def _asked(
    question: DripQuestion, puts: Sequence[Put], facts: Sequence[Fact], answer: Fact | None, known: bool, now: datetime
) -> Asked:
    asked = [put for put in puts if put.state == "asked"]
    in_vain = [put for put in puts if answer is None or put.at > answer.observed_at]
    state: Literal["never-asked", "asked", "declined", "answered", "stale", "known"] = "never-asked"
    if answer is not None and not answer.stale(now):
        state = "answered"
    elif known:
        state = "known"
    elif in_vain:
        state = in_vain[-1].state
    elif answer is not None:
        state = "stale"
    repeated = sum(any(_was_fresh(f, put.at) for f in facts if f.key == question.key) for put in asked)
    return Asked(
        question, state, len(asked), len(puts) - len(asked), repeated, puts[-1].at if puts else None,
        answer.observed_at if answer else None, rests_until(puts, now),
    )  # fmt: skip


def _was_fresh(fact: Fact, at: datetime) -> bool:
    return fact.value is not None and fact.observed_at < at and not fact.stale(at)


# --- the knowledge index ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One part of the index, 0 to 1, and what is missing for more, the weightiest first."""

    value: float
    missing: list[str]


@dataclass(frozen=True)
class KnowledgeIndex:
    """Knowing him is to locate, understand and relate him (ubicarlo, comprenderlo, relacionarlo, S4-18)."""

    located: Part
    understood: Part
    related: Part

    @property
    def value(self) -> float:
        """The mean of the three."""
        return round((self.located.value + self.understood.value + self.related.value) / 3, 3)


def weighed(known: Mapping[str, float], weights: Mapping[str, float] | None = None) -> Part:
    """The weighted mean of how well each thing is known (0 to 1 each); nothing to know: 1. Missing: what is not half known."""
    weight = {name: 1.0 if weights is None else weights[name] for name in known}
    total = sum(weight.values())
    value = sum(known[name] * weight[name] for name in known) / total if total else 1.0
    missing = [name for name in known if known[name] < HALF_KNOWN]
    return Part(round(value, 3), sorted(missing, key=lambda name: (-weight[name], name)))


def understanding(
    definitions: Iterable[FactDefinition],
    questions: Iterable[DripQuestion],
    facts: Mapping[str, Fact],
    *,
    known: Collection[str],
    now: datetime,
) -> Part:
    """How much of what the company wants to know it knows: of each fact its confidence, 0 where it is stale or lacking.

    Weighted by the priority of the question that asks for it. Restricted facts are no part of it: nobody is to be asked.
    """
    priority: dict[str, float] = {}
    for question in questions:
        priority[question.key] = max(priority.get(question.key, 0), question.priority)
    keys = [each.key for each in definitions if each.sensitivity != "restricted"]
    weights = {key: max(priority.get(key, UNASKED_WEIGHT), 1) for key in keys}
    return weighed({key: _sureness(facts.get(key), key in known, now) for key in keys}, weights)


def _sureness(fact: Fact | None, known: bool, now: datetime) -> float:
    if known:
        return 1.0
    return 0.0 if fact is None or fact.stale(now) else fact.confidence
