"""What an event of interactions lets us see: its subjects, its moment, and the fields that conditions and standards may name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from common.contracts.interactions import (
    CaseMoved,
    CommitmentMoved,
    ConversationMoved,
    TouchpointFigures,
    TouchpointRecorded,
    TouchpointRetracted,
)
from common.events import Event

Source = Literal["touchpoint-recorded", "conversation-moved", "commitment-moved", "case-moved"]
SubjectKind = Literal["trace", "touchpoint", "conversation", "commitment", "case"]
SOURCES: tuple[Source, ...] = get_args(Source)
SUBJECT_KINDS: tuple[SubjectKind, ...] = get_args(SubjectKind)

# The answers of a survey are its own: `answers.<question>`; a condition's value says of which type an answer is.
ANSWERS = "answers."

FIELDS: Mapping[Source, Mapping[str, type]] = {
    "touchpoint-recorded": {
        "kind": str,
        "channel": str,
        "direction": str,
        "source": str,
        "site": str,
        "topic": str,
        "outcome": str,
        "actor_kind": str,
        "anonymous": bool,
        "category": str,
        "offering": str,
        "quantity": float,
        "amount_minor": int,
        "currency": str,
        "quote_answer": str,
        "campaign": str,
        "campaign_answer": str,
        "survey": str,
    },
    "conversation-moved": {
        "move": str,
        "kind": str,
        "matched_by": str,
        "channel": str,
        "previous_channel": str,
        "other_channel": bool,
        "gap_hours": float,
    },
    "commitment-moved": {"move": str, "by": str, "channel": str, "late": bool, "late_hours": float, "has_due": bool},
    "case-moved": {
        "kind": str,
        "severity": str,
        "move": str,
        "channel": str,
        "about": str,
        "hours_open": float,
        "contacts": int,
        "first_contact": bool,
        "recovered": bool,
        "timely": bool,
    },
}
SUBJECTS: Mapping[Source, frozenset[SubjectKind]] = {
    "touchpoint-recorded": frozenset({"trace", "touchpoint", "conversation", "case"}),
    "conversation-moved": frozenset({"trace", "touchpoint", "conversation"}),
    "commitment-moved": frozenset({"trace", "touchpoint", "commitment", "case"}),
    "case-moved": frozenset({"trace", "touchpoint", "case"}),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that happened, as seen from here.

    `key` is the same however often the event is told; `told` is the id of the event (ordered by the time of telling), and
    the latest telling counts. `noted_at` is when this service first heard of it.
    """

    key: str
    source: Source
    told: UUID
    trace_id: UUID
    at: datetime
    noted_at: datetime
    backfill: bool
    fields: Mapping[str, Any]
    touchpoint_id: UUID | None = None
    conversation_id: UUID | None = None
    commitment_id: UUID | None = None
    case_number: str | None = None

    def subject(self, kind: SubjectKind) -> str | None:
        """`case:PQR-7`, or None where the event speaks of no such thing."""
        value = self.case_number if kind == "case" else getattr(self, f"{kind}_id")
        return None if value is None else f"{kind}:{value}"

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The keys of the withdrawals that would take this observation back."""
        keys = [self.subject("touchpoint"), self.subject("commitment"), self.subject("case")]
        if self.source == "commitment-moved" and self.fields["move"] in ("kept", "waived"):
            keys.append(f"owed:{self.commitment_id}")
        return tuple(key for key in keys if key is not None)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What was told of `key` before `told` is not so: a touchpoint, a commitment or a case was retracted.

    `owed:<commitment>`: it is owed (again), so that it was not kept before.
    """

    key: str
    told: UUID


@dataclass(frozen=True, slots=True)
class Heard:
    """What a batch of events lets us see, and what it takes back."""

    seen: Sequence[Observation]
    withdrawn: Sequence[Withdrawal]

    def among(self, events: Iterable[Event]) -> "Heard":
        """Only what these events told."""
        ids = {event.id for event in events}
        return Heard([o for o in self.seen if o.told in ids], [w for w in self.withdrawn if w.told in ids])


def hear(events: Sequence[Event], *, noted_at: datetime) -> Heard:
    seen = (observation_of(event, noted_at=noted_at) for event in events)
    withdrawn = (withdrawal_of(event) for event in events)
    return Heard([one for one in seen if one is not None], [one for one in withdrawn if one is not None])


def observation_of(event: Event, *, noted_at: datetime) -> Observation | None:
    """What the event lets us see; None for events that only take something back, or are none of ours."""
    match event.data:
        case TouchpointRecorded() as data:
            return _touchpoint(data, event.id, noted_at)
        case ConversationMoved() as data:
            return _conversation(data, event.id, noted_at)
        case CommitmentMoved() as data if data.move != "retracted":
            return _commitment(data, event.id, noted_at)
        case CaseMoved() as data if data.move != "retracted":
            return _case(data, event.id, noted_at)
    return None


def withdrawal_of(event: Event) -> Withdrawal | None:
    """What the event takes back; a corrected touchpoint is told again under another id."""
    match event.data:
        case TouchpointRetracted() as data:
            return Withdrawal(f"touchpoint:{data.touchpoint_id}", event.id)
        case CommitmentMoved() as data if data.move == "made":
            return Withdrawal(f"owed:{data.commitment_id}", event.id)
        case CommitmentMoved() as data if data.move == "retracted":
            return Withdrawal(f"commitment:{data.commitment_id}", event.id)
        case CaseMoved() as data if data.move == "retracted":
            return Withdrawal(f"case:{data.case_number}", event.id)
    return None


def standing(observations: Iterable[Observation], withdrawals: Mapping[str, UUID]) -> list[Observation]:
    """The observations that nobody took back, in the order in which they happened.

    `withdrawals`: key -> id of the event that took it back. What is told after it stands again.
    """
    kept = [
        o for o in observations if not any(key in withdrawals and withdrawals[key] > o.told for key in o.depends_on)
    ]
    return sorted(kept, key=lambda o: (o.at, o.told))


def _touchpoint(data: TouchpointFigures, told: UUID, noted_at: datetime) -> Observation:
    answers = {f"{ANSWERS}{key}": value for key, value in (data.survey_answers or {}).items()}
    money = {} if data.amount is None else {"amount_minor": data.amount.minor, "currency": data.amount.currency}
    plain = data.model_dump(
        include=FIELDS["touchpoint-recorded"].keys() & TouchpointFigures.model_fields.keys(), exclude_none=True
    )
    topic = {} if data.topic_code is None else {"topic": data.topic_code}
    return Observation(
        key=f"touchpoint:{data.touchpoint_id}",
        source="touchpoint-recorded",
        told=told,
        trace_id=data.trace_id,
        at=data.occurred_at,
        noted_at=noted_at,
        backfill=data.backfill,
        fields=plain | topic | money | answers,
        touchpoint_id=data.touchpoint_id,
        conversation_id=data.conversation_id,
        case_number=data.case_number,
    )


def _conversation(data: ConversationMoved, told: UUID, noted_at: datetime) -> Observation:
    # A touchpoint is in one conversation only: where the thread is computed anew, the later telling replaces the earlier.
    entering = data.move in ("opened", "continued", "resumed")
    what = "in" if entering else data.move
    which = data.touchpoint_id if entering and data.touchpoint_id else f"{data.conversation_id}:{data.at.isoformat()}"
    fields = {
        "move": data.move,
        "kind": data.kind,
        "matched_by": data.matched_by,
        "channel": data.channel,
        "previous_channel": data.previous_channel,
        "gap_hours": None if data.gap_seconds is None else data.gap_seconds / 3600,
    }
    if entering and data.previous_channel is not None:
        fields["other_channel"] = data.previous_channel != data.channel
    return Observation(
        key=f"conversation:{which}:{what}",
        source="conversation-moved",
        told=told,
        trace_id=data.trace_id,
        at=data.at,
        noted_at=noted_at,
        backfill=data.backfill,
        fields=_present(fields),
        touchpoint_id=data.touchpoint_id,
        conversation_id=data.conversation_id,
    )


def _commitment(data: CommitmentMoved, told: UUID, noted_at: datetime) -> Observation:
    late = data.late_seconds or 0.0
    fields: dict[str, Any] = {
        "move": data.move,
        "by": data.by,
        "channel": data.channel,
        "has_due": data.due_at is not None,
    }
    if data.move in ("kept", "broken"):
        fields |= {"late": data.move == "broken" or late > 0, "late_hours": late / 3600}
    return Observation(
        key=f"commitment:{data.commitment_id}:{data.move}",
        source="commitment-moved",
        told=told,
        trace_id=data.trace_id,
        at=data.at,
        noted_at=noted_at,
        backfill=data.backfill,
        fields=_present(fields),
        touchpoint_id=data.touchpoint_id,
        commitment_id=data.commitment_id,
        case_number=data.case_number,
    )


def _case(data: CaseMoved, told: UUID, noted_at: datetime) -> Observation:
    fields = data.model_dump(include=set(FIELDS["case-moved"]), exclude_none=True)
    opened = data.move == "opened"  # once, and the clock starts when the customer complained, not when we heard of it
    return Observation(
        key=f"case:{data.case_number}:{data.move}" + ("" if opened else f":{data.at.isoformat()}"),
        source="case-moved",
        told=told,
        trace_id=data.trace_id,
        at=data.occurred_at if opened else data.at,
        noted_at=noted_at,
        backfill=data.backfill,
        fields=fields,
        touchpoint_id=data.touchpoint_id,
        case_number=data.case_number,
    )


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
