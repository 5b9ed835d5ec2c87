"""Judging moments of truth: a pure function of what was seen of a subject, a standard, and the time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from common.errors import NotFound
from service_audit.observations.domain import Observation
from service_audit.standards.domain import AnsweredWithin, CountAtMost, Flag, Moment, Rating

# A subject that begins with its trigger: what is older than the trigger answers nothing, and is an error of the data.
BEGINS_WITH_TRIGGER = frozenset({"case", "commitment", "touchpoint"})
_NAMESPACE = UUID("5f8a6a0e-6a5d-5f6e-9d5c-0b7f6b1f2a41")

State = Literal["waiting", "met", "failed", "excluded"]


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "No customer under that id"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came of one moment of truth.

    The id follows from moment and occasion, so judging again never makes a second one. `value` is the raw measure: hours, a
    rating, a count; `score` is 0-100. `opened_at`: when the moment came; `at`: when it was decided, which is when it counts;
    `due_at`: until when it could be met. `raised`: a failure that was told to others. `reason`: why it is excluded.
    """

    evidence_id: UUID
    cycle: str
    moment: str
    version: int
    scope: str
    trace_id: UUID
    touchpoint_id: UUID | None
    case_number: str | None
    channel: str | None
    opened_at: datetime
    at: datetime
    due_at: datetime | None
    state: State
    value: float | None
    score: float | None
    reason: str | None
    backfill: bool
    noted_at: datetime
    raised: bool = False

    @property
    def counts(self) -> bool:
        return self.state in ("met", "failed")

    @property
    def verdict(self) -> tuple[object, ...]:
        return (self.state, self.value, self.score, self.at, self.trace_id)

    @property
    def history(self) -> bool:
        """Decided before we had heard of it: it counts as of its time and sets nothing off."""
        return self.backfill and self.at <= self.noted_at


@dataclass(frozen=True)
class Change:
    """Evidence that is new or otherwise than before; `now` None: it is there no more."""

    before: Evidence | None
    now: Evidence | None
    moment: Moment | None  # as it stands now; None where the moment is gone

    @property
    def fails_now(self) -> bool:
        """It turned into a failure that is news."""
        return (
            self.now is not None
            and self.now.state == "failed"
            and (self.before is None or self.before.state != "failed")
            and not self.now.history
        )

    @property
    def fell_due(self) -> bool:
        """It was waited for until this very moment: what is written into the cycle afterwards has no part in it."""
        return (
            self.before is not None
            and self.now is not None
            and self.before.state == "waiting"
            and self.before.at == self.now.at
        )

    @property
    def fails_otherwise(self) -> bool:
        """A failure that was told stands, as of another time or trace: no news, but what was told is put right."""
        return (
            self.before is not None
            and self.now is not None
            and self.before.raised
            and self.now.state == "failed"
            and (self.before.at != self.now.at or self.moved)
        )

    @property
    def moved(self) -> bool:
        """The occasion begins with another's trigger than before: who came first is in another thread after all."""
        return self.before is not None and self.now is not None and self.before.trace_id != self.now.trace_id

    @property
    def taken_back(self) -> bool:
        """A failure that was told is none after all."""
        return self.before is not None and self.before.raised and (self.now is None or self.now.state != "failed")


@dataclass(frozen=True)
class Tally:
    """What was counted of one moment of truth in a span of time."""

    cycle: str
    moment: str
    met: int
    failed: int
    excluded: int
    score_sum: float
    value_sum: float

    @property
    def n(self) -> int:
        return self.met + self.failed


def judge(moment: Moment, scope: str, seen: Sequence[Observation], *, now: datetime) -> list[Evidence]:
    """The evidence for the moment in one scope. `seen`: what stands of the scope, in order of time."""
    triggers = [o for o in seen if moment.trigger.sees(o)]
    match moment.standard:
        case AnsweredWithin():
            found = [_answered(moment, scope, trigger, seen, now) for trigger in _first(moment, triggers)]
        case CountAtMost():
            found = [_counted(moment, scope, trigger, seen, now) for trigger in _first(moment, triggers)]
        case Flag() | Rating():
            valued = [e for trigger in triggers if (e := _valued(moment, scope, trigger)) is not None]
            found = valued[:1] if moment.once else valued
    return found


def compare(
    before: Mapping[UUID, Evidence], after: Iterable[Evidence], moments: Mapping[tuple[str, str], Moment]
) -> list[Change]:
    """What is otherwise than it was. Evidence that is judged alike by a newer version of the cycle is saved, quietly."""
    now = {evidence.evidence_id: evidence for evidence in after}
    changes = []
    for evidence_id in sorted(before.keys() | now.keys()):
        old, new = before.get(evidence_id), now.get(evidence_id)
        known = new or old
        assert known is not None  # noqa: S101 - the id is from one of the two
        if old is not None and new is not None:
            still_failed = old.state == new.state == "failed"
            new = replace(new, noted_at=old.noted_at, raised=old.raised and still_failed)
            if old == new:
                continue
        changes.append(Change(old, new, moments.get((known.cycle, known.moment))))
    return changes


def _first(moment: Moment, triggers: Sequence[Observation]) -> Sequence[Observation]:
    return triggers[:1] if moment.once else triggers


def _evidence(moment: Moment, scope: str, trigger: Observation, **verdict: Any) -> Evidence:
    occasion = scope if moment.once else trigger.key
    known: dict[str, Any] = {"due_at": None, "value": None, "score": None, "reason": None}
    return Evidence(
        evidence_id=uuid5(_NAMESPACE, f"{moment.cycle}/{moment.code}/{occasion}"),
        cycle=moment.cycle,
        moment=moment.code,
        version=moment.version,
        scope=scope,
        trace_id=trigger.trace_id,
        touchpoint_id=trigger.touchpoint_id,
        case_number=trigger.case_number,
        channel=trigger.fields.get("channel"),
        opened_at=trigger.at,
        backfill=trigger.backfill,
        noted_at=trigger.noted_at,
        **(known | verdict),
    )


def _answered(moment: Moment, scope: str, trigger: Observation, seen: Sequence[Observation], now: datetime) -> Evidence:
    standard = moment.standard
    assert isinstance(standard, AnsweredWithin)  # noqa: S101 - judge chose by it
    due = trigger.at + standard.within
    answers = [o for o in seen if o.key != trigger.key and standard.until.sees(o)]
    answer = next((o for o in answers if o.at >= trigger.at), None)
    if answer is None:
        if moment.subject in BEGINS_WITH_TRIGGER and _unasked(moment, answers, seen):
            # Answered before it was asked: an error of the data, which must neither count nor let a clock run.
            return _evidence(moment, scope, trigger, state="excluded", at=trigger.at, reason="answered-before-asked")
        if now < due:
            return _evidence(moment, scope, trigger, state="waiting", at=due, due_at=due)
        return _evidence(moment, scope, trigger, state="failed", at=due, due_at=due, score=0.0)
    hours = (answer.at - trigger.at).total_seconds() / 3600
    met = answer.at <= due
    return _evidence(
        moment,
        scope,
        trigger,
        state="met" if met else "failed",
        at=answer.at if met else due,
        due_at=due,
        value=hours,
        score=100.0 if met else 0.0,
    )


def _unasked(moment: Moment, answers: Sequence[Observation], seen: Sequence[Observation]) -> bool:
    """Whether an answer is older than the first question."""
    first = next(o for o in seen if moment.trigger.sees(o))
    return any(answer.at < first.at for answer in answers)


def _counted(moment: Moment, scope: str, trigger: Observation, seen: Sequence[Observation], now: datetime) -> Evidence:
    standard = moment.standard
    assert isinstance(standard, CountAtMost)  # noqa: S101 - judge chose by it
    due = trigger.at + standard.within
    counted = [o for o in seen if o.key != trigger.key and standard.of.sees(o) and trigger.at <= o.at <= due]
    value = float(len(counted))
    if len(counted) > standard.most:
        at = counted[standard.most].at
        return _evidence(moment, scope, trigger, state="failed", at=at, due_at=due, value=value, score=0.0)
    if now < due:
        return _evidence(moment, scope, trigger, state="waiting", at=due, due_at=due, value=value)
    return _evidence(moment, scope, trigger, state="met", at=due, due_at=due, value=value, score=100.0)


def _valued(moment: Moment, scope: str, trigger: Observation) -> Evidence | None:
    standard = moment.standard
    assert isinstance(standard, Flag | Rating)  # noqa: S101 - judge chose by it
    value = trigger.fields.get(standard.field)
    if value is None:
        return None
    if isinstance(standard, Flag):
        met = (type(value) is type(standard.equals) and value == standard.equals) or _same_number(
            value, standard.equals
        )
        return _evidence(
            moment, scope, trigger, state="met" if met else "failed", at=trigger.at, score=100.0 if met else 0.0
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _evidence(moment, scope, trigger, state="excluded", at=trigger.at, reason="not-a-number")
    if not standard.low <= value <= standard.high:
        return _evidence(
            moment, scope, trigger, state="excluded", at=trigger.at, reason="outside-the-scale", value=float(value)
        )
    score = 100 * (value - standard.low) / (standard.high - standard.low)  # (mean - 1) / 4 * 100 on the scale 1-5 (A15)
    state = "met" if value >= standard.minimum else "failed"
    return _evidence(moment, scope, trigger, state=state, at=trigger.at, value=float(value), score=score)


def _same_number(one: object, other: object) -> bool:
    numbers = (int, float)
    plain = not isinstance(one, bool) and not isinstance(other, bool)
    return plain and isinstance(one, numbers) and isinstance(other, numbers) and one == other
