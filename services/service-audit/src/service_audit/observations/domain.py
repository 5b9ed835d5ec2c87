"""What an event of interactions lets us see: its subjects, its moment, and the fields that conditions and standards may name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from common.contracts.interactions import (
    CaseMove,
    CaseMoved,
    CaseMoveRetracted,
    CommitmentMoved,
    ConversationMove,
    ConversationMoved,
    ConversationMoveRetracted,
    TouchpointFigures,
    TouchpointRecorded,
    TouchpointRetracted,
)
from common.events import Event, EventData

# What lets us see something, and what takes something back: some of them do both.
_SHOWS: frozenset[type[EventData]] = frozenset(
    {TouchpointRecorded, ConversationMoved, ConversationMoveRetracted, CommitmentMoved, CaseMoved}
)
_TAKES_BACK: frozenset[type[EventData]] = frozenset(
    {TouchpointRetracted, ConversationMoveRetracted, CommitmentMoved, CaseMoved, CaseMoveRetracted}
)
HEARD = _SHOWS | _TAKES_BACK

Source = Literal["touchpoint-recorded", "conversation-moved", "commitment-moved", "case-moved"]
SubjectKind = Literal["trace", "touchpoint", "conversation", "commitment", "case"]
SOURCES: tuple[Source, ...] = get_args(Source)
SUBJECT_KINDS: tuple[SubjectKind, ...] = get_args(SubjectKind)

# The answers of a survey are its own: `answers.<question>`; a condition's value says of which type an answer is.
ANSWERS = "answers."

ENTERING = frozenset({"opened", "continued", "resumed"})  # the move by which a touchpoint joins a conversation
_MOVED = "moved:"
_OF_THREADS: frozenset[Source] = frozenset(
    {"touchpoint-recorded", "conversation-moved"}
)  # that say where a touchpoint is

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
_PLAIN = tuple(name for name in TouchpointFigures.model_fields if name in FIELDS["touchpoint-recorded"])
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
        return (*(key for key in keys if key is not None), *self._as_moved)

    @property
    def _as_moved(self) -> tuple[str, ...]:
        """By which key this one move is taken back, where it can be."""
        if self.source == "conversation-moved":
            return (_thread_move(self.fields.get("move"), self.touchpoint_id, self.conversation_id, self.at),)
        if self.source == "case-moved":
            return (_case_move(self.fields["move"], self.case_number, self.touchpoint_id, self.at),)
        return ()


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What was told of `key` until `told` is not so: a touchpoint, a commitment or a case was retracted.

    `owed:<commitment>`: it is owed (again), so that it was not kept before. `moved:...`: that one move, of a thread or a case.
    """

    key: str
    told: UUID

    @property
    def subject(self) -> tuple[SubjectKind, str]:
        """On what it is to be looked for: what it takes back is an observation of this subject."""
        kind, _, rest = self.key.removeprefix(_MOVED).partition(":")
        return ("commitment" if kind == "owed" else kind), rest.partition(":")[0]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a batch of events lets us see, and what it takes back."""

    seen: Sequence[Observation]
    withdrawn: Sequence[Withdrawal]

    @property
    def perhaps_known(self) -> set[str]:
        """Of what something may be on record. Of a contact that is recorded here and enters its thread here, nothing is."""
        recorded = {one.touchpoint_id for one in self.seen if one.source == "touchpoint-recorded"}
        news = {one.touchpoint_id for one in self.seen if one.key == f"conversation:{one.touchpoint_id}:in"} & recorded
        return keys_of(one for one in self.seen if one.touchpoint_id not in news or one.source not in _OF_THREADS)

    def among(self, events: Iterable[Event]) -> "Heard":
        """Only what these events told."""
        ids = {event.id for event in events}
        return Heard([o for o in self.seen if o.told in ids], [w for w in self.withdrawn if w.told in ids])


def hear(events: Sequence[Event], *, noted_at: datetime) -> Heard:
    seen = (observation_of(event, noted_at=noted_at) for event in events if type(event.data) in _SHOWS)
    withdrawn = (withdrawal_of(event) for event in events if type(event.data) in _TAKES_BACK)
    return Heard([one for one in seen if one is not None], [one for one in withdrawn if one is not None])


def observation_of(event: Event, *, noted_at: datetime) -> Observation | None:
    """What the event lets us see; None for events that only take something back, or are none of ours."""
    match event.data:
        case TouchpointRecorded() as data:
            return _touchpoint(data, event.id, noted_at)
        case ConversationMoved() as data:
            return _conversation(data, event.id, noted_at)
        case ConversationMoveRetracted(touchpoint_id=UUID() as alone) as data if data.move in ENTERING:
            # It takes itself back, and says where the touchpoint is until it is told again: in no other's thread.
            return _conversation(data.model_copy(update={"conversation_id": alone}), event.id, noted_at)
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
        case ConversationMoveRetracted() | CaseMoveRetracted() as data:
            return Withdrawal(_move_of(data), event.id)
    return None


def elsewhere(seen: Iterable[Observation], known: Iterable[Observation]) -> list[Observation]:
    """Those touchpoints that were told to be in another conversation since they were recorded, as they are there.

    `known`: what is on record under the keys that `keys_of` gives. The latest telling says where a touchpoint is.
    """
    latest: dict[str, Observation] = {}
    for one in (*known, *seen):
        if one.key not in latest or one.told > latest[one.key].told:
            latest[one.key] = one
    return [
        replace(one, conversation_id=place.conversation_id, told=place.told)
        for one in latest.values()
        if one.source == "touchpoint-recorded"
        and (place := latest.get(f"conversation:{one.touchpoint_id}:in")) is not None
        and place.told > one.told
        and place.conversation_id != one.conversation_id
    ]


def keys_of(seen: Iterable[Observation]) -> set[str]:
    """What has to be known of the same things: what was told of them before, and where their touchpoints are."""
    told = list(seen)
    places = {one.touchpoint_id for one in told if one.source in _OF_THREADS}
    return {
        *(one.key for one in told),
        *(key for one in places if one for key in (f"touchpoint:{one}", f"conversation:{one}:in")),
    }


def standing(observations: Iterable[Observation], withdrawals: Mapping[str, UUID]) -> list[Observation]:
    """The observations that nobody took back, in the order in which they happened.

    `withdrawals`: key -> id of the event that took it back. What is told after it stands again.
    """
    kept = [
        o for o in observations if not any(key in withdrawals and withdrawals[key] >= o.told for key in o.depends_on)
    ]
    # Of one moment in the order of recording, which telling anew does not change.
    return sorted(kept, key=lambda o: (o.at, o.touchpoint_id or o.told, o.told))


def _touchpoint(data: TouchpointFigures, told: UUID, noted_at: datetime) -> Observation:
    answers = {f"{ANSWERS}{key}": value for key, value in (data.survey_answers or {}).items()}
    money = {} if data.amount is None else {"amount_minor": data.amount.minor, "currency": data.amount.currency}
    plain = {name: value for name in _PLAIN if (value := getattr(data, name)) is not None}
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


def _conversation(data: ConversationMove, told: UUID, noted_at: datetime) -> Observation:
    # A touchpoint is in one conversation only: where the thread is computed anew, the later telling replaces the earlier.
    entering = data.move in ENTERING
    what = "in" if entering else data.move
    which = data.touchpoint_id or f"{data.conversation_id}:{data.at.isoformat()}"
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


def _case(data: CaseMove, told: UUID, noted_at: datetime) -> Observation:
    fields = data.model_dump(include=set(FIELDS["case-moved"]), exclude_none=True)
    opened = data.move == "opened"  # once, and the clock starts when the customer complained, not when we heard of it
    which = "" if opened else f":{data.at.isoformat()}"
    if data.move == "contacted":  # two of one moment are two
        which += f":{data.touchpoint_id}"
    return Observation(
        key=f"case:{data.case_number}:{data.move}{which}",
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


def _move_of(data: ConversationMove | CaseMove) -> str:
    """By which key a move is taken back."""
    if isinstance(data, ConversationMove):
        return _thread_move(data.move, data.touchpoint_id, data.conversation_id, data.at)
    return _case_move(data.move, data.case_number, data.touchpoint_id, data.at)


def _thread_move(move: Any, touchpoint_id: UUID | None, conversation_id: UUID | None, at: datetime) -> str:
    """Of a touchpoint, wherever it was; of what a person did, in the conversation in which he did it."""
    what = "in" if move in ENTERING else move
    if touchpoint_id is not None:
        return f"{_MOVED}touchpoint:{touchpoint_id}:{what}"
    return f"{_MOVED}conversation:{conversation_id}:{what}:{at.isoformat()}"


def _case_move(move: str, number: str | None, touchpoint_id: UUID | None, at: datetime) -> str:
    which = touchpoint_id if move == "contacted" else at.isoformat()
    return f"{_MOVED}case:{number}:{move}:{which}"


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
