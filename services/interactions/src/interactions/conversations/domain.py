"""How a contact finds its thread: a pure fold over one party's touchpoints and acts, in the order of recording."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.contracts.interactions import ConversationMoved, ConversationMoveRetracted
from common.errors import Conflict, NotFound
from common.events import Told
from common.values import value

MatchedBy = Literal["reference", "topic", "recent", "new", "resumed-closed"]
Move = Literal["opened", "continued", "resumed", "closed", "parked"]
Posture = Literal["us", "customer", "parked", "closed"]

# No dialogue: on their own they start a thread that awaits nothing, so that they never draw an unrelated contact to them.
ALONE = frozenset({"purchase", "payment", "web", "campaign_send"})
# They never make anybody wait, whatever their direction.
QUIET = ALONE | {"note", "survey_response"}
SETTLED = frozenset({"resolved", "declined", "informed"})
UNREACHED = frozenset({"abandoned", "unreachable"})


class UnknownConversation(NotFound):
    code = "unknown-conversation"
    title = "No conversation under that id"


class ConversationClosed(Conflict):
    code = "conversation-closed"
    title = "The conversation is closed already"


class ConversationParked(Conflict):
    code = "conversation-parked"
    title = "The conversation is parked already"


@value(frozen=True)
class Entry:
    """What the fold needs of a touchpoint. `live` is false for retracted ones: they hold their place and say nothing."""

    touchpoint_id: UUID
    position: UUID  # the id of its first version: its place in the order of recording
    kind: str
    channel: str
    direction: str
    occurred_at: datetime
    site: str | None = None
    topic: str | None = None
    outcome: str | None = None
    visibility: str = "customer"
    summary: str | None = None
    stop_point: str | None = None
    next_step: str | None = None
    references: tuple[str, ...] = ()
    continues: UUID | None = None
    corrects: UUID | None = None
    live: bool = True

    @property
    def alone(self) -> bool:
        """Whether it starts a thread of its own unless it names a topic or another contact."""
        return self.kind in ALONE and self.topic is None and self.continues is None


@value(frozen=True)
class Act:
    """What a person did to the thread that holds a touchpoint."""

    act_id: UUID
    touchpoint_id: UUID
    act: Literal["park", "close"]
    at: datetime

    @property
    def position(self) -> UUID:
        return self.act_id


@value(frozen=True)
class Thread:
    """A conversation as of its entries so far."""

    conversation_id: UUID
    topic: str | None
    posture: Posture
    moved_at: datetime
    started_at: datetime
    last_at: datetime
    last_channel: str
    last_site: str | None
    last_touchpoint_id: UUID
    latest_position: UUID
    dialogue: bool
    entries: int
    stop_point: str | None = None
    next_step: str | None = None
    summary: str | None = None
    told_at: datetime | None = None
    summed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.posture != "closed" and self.entries > 0


@value(frozen=True)
class Placed:
    """Where an entry went and by which rule; `before` is the thread as it stood, None for a new one."""

    entry: Entry
    conversation_id: UUID
    matched_by: MatchedBy
    before: Thread | None
    after: Thread
    warnings: tuple[str, ...] = ()

    @property
    def moves(self) -> tuple[Move, ...]:
        """What the others are told of: at most how it went on, and that it was closed by it."""
        if not self.entry.live or (self.before is None and not self.after.dialogue):
            return ()
        closed: tuple[Move, ...] = ("closed",) if self.after.posture == "closed" and self._was_open else ()
        return (self._how, *closed)

    @property
    def _was_open(self) -> bool:
        return self.before is None or self.before.open

    @property
    def _how(self) -> Move:
        if self.before is None:
            return "opened"
        if self.before.posture in {"closed", "parked"} or self.before.last_channel != self.entry.channel:
            return "resumed"
        return "continued"

    @property
    def gap_seconds(self) -> float | None:
        return None if self.before is None else (self.entry.occurred_at - self.before.last_at).total_seconds()


@dataclass
class Threads:
    """One party's threads while entries are placed, in the order of recording. Loaded in part or built from nothing."""

    window: timedelta
    threads: dict[UUID, Thread] = field(default_factory=dict)
    where: dict[UUID, UUID] = field(default_factory=dict)  # touchpoint -> conversation
    by_reference: dict[str, UUID] = field(default_factory=dict)
    acted: dict[UUID, tuple["Act", Thread]] = field(default_factory=dict)  # act -> the thread as it stood after it

    def place(self, entry: Entry) -> Placed:
        """Find the entry's thread, or open one, and let the entry move it."""
        found, matched_by = self._find(entry)
        warnings = self._warnings(entry, found)
        after = opened_by(entry) if found is None else moved_by(found, entry)
        self.threads[after.conversation_id] = after
        self.where[entry.touchpoint_id] = after.conversation_id
        for reference in entry.references if entry.live else ():
            self.by_reference.setdefault(reference, after.conversation_id)
        return Placed(entry, after.conversation_id, matched_by, found, after, warnings)

    def _warnings(self, entry: Entry, found: Thread | None) -> tuple[str, ...]:
        """An explicit reference may lead past an open thread of the same topic: whoever talks to him should know."""
        here = found.conversation_id if found else None
        other = any(t.open and t.topic == entry.topic and t.conversation_id != here for t in self.threads.values())
        return ("open-thread-same-topic",) if entry.topic is not None and other else ()

    def act(self, act: Act) -> Thread | None:
        """The thread as it stands after what a person did to it; None where its touchpoint is not here."""
        thread = self.threads.get(self.where.get(act.touchpoint_id, act.touchpoint_id))
        if thread is None:
            return None
        posture: Posture = "closed" if act.act == "close" else "parked"
        moved = replace(
            thread,
            posture=posture,
            moved_at=max(act.at, thread.moved_at),
            latest_position=max(thread.latest_position, act.position),
        )
        self.threads[moved.conversation_id] = moved
        self.acted[act.act_id] = act, moved
        return moved

    def _find(self, entry: Entry) -> tuple[Thread | None, MatchedBy]:
        if (named := self._named(entry)) is not None:
            return named, "reference"
        if entry.alone:
            return None, "new"
        if entry.topic is not None:
            return self._of_topic(entry.topic)
        return self._recent(entry)

    def _named(self, entry: Entry) -> Thread | None:
        if entry.continues is not None and (thread := self._holding(entry.continues)) is not None:
            return thread
        for reference in entry.references:
            if (known := self.by_reference.get(reference)) is not None and known in self.threads:
                return self.threads[known]
        if entry.corrects is not None and (thread := self._holding(entry.corrects)) is not None:
            return thread if thread.topic == entry.topic else None  # a corrected topic looks for its own thread
        return None

    def _holding(self, touchpoint_id: UUID) -> Thread | None:
        return self.threads.get(self.where.get(touchpoint_id, touchpoint_id))

    def _of_topic(self, topic: str) -> tuple[Thread | None, MatchedBy]:
        same = [t for t in self.threads.values() if t.topic == topic and t.entries and t.dialogue]
        if open_ones := [t for t in same if t.open]:
            return max(open_ones, key=_recency), "topic"
        if same:
            return max(same, key=_recency), "resumed-closed"
        return None, "new"

    def _recent(self, entry: Entry) -> tuple[Thread | None, MatchedBy]:
        near = [
            t
            for t in self.threads.values()
            if t.open and t.started_at - self.window <= entry.occurred_at <= t.last_at + self.window
        ]
        return (max(near, key=_recency), "recent") if near else (None, "new")


@dataclass(frozen=True)
class History:
    """All that was recorded on some traces, and what people did to its threads; by trace."""

    entries: Mapping[UUID, Sequence[Entry]]
    acts: Mapping[UUID, Sequence[Act]]
    backfill: frozenset[UUID]

    def replay(
        self, traces: Iterable[UUID], *, window: timedelta, without: Collection[UUID] = ()
    ) -> tuple[Threads, list[Placed]]:
        """The threads that the traces have as one party's; as they were before the touchpoints in `without`."""
        held = list(traces)
        entries = (one for trace in held for one in self.entries.get(trace, ()) if one.touchpoint_id not in without)
        return replay(entries, (one for trace in held for one in self.acts.get(trace, ())), window=window)

    def moves(self, threads: Threads, placed: Iterable[Placed]) -> "Moves":
        """What is told of the threads, by what made each move."""
        trace_of = {one.touchpoint_id: trace for trace, some in self.entries.items() for one in some}
        by_entry = {
            (one.entry.touchpoint_id, place): move
            for one in placed
            for place, move in enumerate(
                moves_of(
                    one,
                    trace_id=trace_of[one.entry.touchpoint_id],
                    backfill=one.entry.touchpoint_id in self.backfill,
                )
            )
        }
        acting = {one.act_id: trace for trace, some in self.acts.items() for one in some}
        by_act = {
            (act_id, 0): _moved_by_act(act, thread, acting[act_id]) for act_id, (act, thread) in threads.acted.items()
        }
        return by_entry | by_act

    @property
    def standing(self) -> set[UUID]:
        """The touchpoints and the acts of which anything is told: what was retracted was taken back with all it did."""
        live = {one.touchpoint_id for some in self.entries.values() for one in some if one.live}
        return live | {one.act_id for some in self.acts.values() for one in some}


Moves = dict[tuple[UUID, int], ConversationMoved]  # touchpoint or act, and which of its moves


def moves_of(placed: Placed, *, trace_id: UUID, backfill: bool) -> list[ConversationMoved]:
    """What the others are told of where an entry went."""
    return [ConversationMoved(**one) for one in _moves(placed, str(trace_id), backfill=backfill)]


def told_moves(placed: Placed, *, trace_id: UUID, backfill: bool) -> list[Told]:
    """The same, in the words in which it is told."""
    moves = _moves(placed, str(trace_id), backfill=backfill)
    return [Told.of(ConversationMoved, one["trace_id"], one) for one in moves]


def _moves(placed: Placed, trace_id: str, *, backfill: bool) -> list[dict[str, Any]]:
    entry, before = placed.entry, placed.before
    return [
        {
            "conversation_id": str(placed.conversation_id),
            "trace_id": trace_id,
            "move": move,
            "matched_by": placed.matched_by,
            "touchpoint_id": str(entry.touchpoint_id),
            "kind": entry.kind,
            "channel": entry.channel,
            "previous_channel": before.last_channel if before else None,
            "gap_seconds": placed.gap_seconds,
            "at": entry.occurred_at,
            "backfill": backfill,
        }
        for move in placed.moves
    ]


def _moved_by_act(act: Act, thread: Thread, trace_id: UUID) -> ConversationMoved:
    return ConversationMoved(
        conversation_id=thread.conversation_id,
        trace_id=trace_id,
        move="closed" if act.act == "close" else "parked",
        channel=thread.last_channel,
        at=act.at,
    )


def retold(
    before: Moves, after: Moves, *, standing: Collection[UUID]
) -> list[ConversationMoved | ConversationMoveRetracted]:
    """What to tell so that what was told is as if the threads had always been these: first what is not so, then what is.

    Of what does not stand any more nothing is told here.
    """
    wrong = [told for key, told in before.items() if after.get(key) != told and key[0] in standing]
    right = [told for key, told in after.items() if before.get(key) != told]
    return [*(ConversationMoveRetracted(**vars(told)) for told in wrong), *right]


def replay(entries: Iterable[Entry], acts: Iterable[Act], *, window: timedelta) -> tuple[Threads, list[Placed]]:
    """All threads of a party, from nothing: the same whatever merges and undos lie between."""
    threads = Threads(window)
    placed: list[Placed] = []
    steps: list[Entry | Act] = sorted([*entries, *acts], key=_order)
    for step in steps:
        if isinstance(step, Act):
            threads.act(step)
        else:
            placed.append(threads.place(step))
    return threads, placed


def opened_by(entry: Entry) -> Thread:
    """The thread that a first touchpoint opens."""
    speaks = entry.live and entry.visibility != "internal"
    told = speaks and (entry.stop_point is not None or entry.next_step is not None)
    return Thread(
        conversation_id=entry.touchpoint_id,
        topic=entry.topic,
        posture=posture_after(entry, "closed") if entry.live else "closed",
        moved_at=entry.occurred_at,
        started_at=entry.occurred_at,
        last_at=entry.occurred_at,
        last_channel=entry.channel,
        last_site=entry.site,
        last_touchpoint_id=entry.touchpoint_id,
        latest_position=entry.position,
        dialogue=_is_dialogue(entry),
        entries=int(entry.live),
        stop_point=entry.stop_point if told else None,
        next_step=entry.next_step if told else None,
        summary=entry.summary if speaks else None,
        told_at=entry.occurred_at if told else None,
        summed_at=entry.occurred_at if speaks and entry.summary is not None else None,
    )


def moved_by(thread: Thread, entry: Entry) -> Thread:
    """The thread after one more entry. One that occurred before the latest joins without moving it."""
    if entry.live and not thread.entries:  # all before it were retracted: it starts the thread anew, under its old id
        return replace(opened_by(entry), conversation_id=thread.conversation_id)
    changes: dict[str, Any] = {"latest_position": max(thread.latest_position, entry.position)}
    if entry.live:
        changes["topic"] = thread.topic if thread.topic is not None else entry.topic
        changes["started_at"] = min(thread.started_at, entry.occurred_at)
        changes["entries"] = thread.entries + 1
        changes["dialogue"] = thread.dialogue or _is_dialogue(entry)
        changes |= _said(thread, entry)
    return Thread(**{**vars(thread), **changes})  # `replace` would walk through all seventeen fields twice


def posture_after(entry: Entry, before: Posture) -> Posture:
    """Whose turn it is after an entry that is the latest of its thread."""
    if entry.outcome in SETTLED:
        return "closed"
    if entry.kind in QUIET or entry.visibility == "internal" or entry.direction == "internal":
        return before
    if entry.outcome in UNREACHED or entry.direction == "inbound":
        return "us"
    return "customer"


def state_of(posture: str, *, promises: int) -> str:
    """waiting-us | waiting-customer | parked | closed. An open promise of the company keeps an open thread with us."""
    if posture in {"closed", "parked"}:
        return posture
    return "waiting-us" if posture == "us" or promises else "waiting-customer"


def _said(thread: Thread, entry: Entry) -> dict[str, Any]:
    """What an entry changes of how its thread stands."""
    if entry.visibility == "internal":  # an internal note may not show through in what the customer sees of his thread
        return {}
    changes: dict[str, Any] = {}
    if entry.occurred_at >= thread.last_at:
        changes |= {
            "last_at": entry.occurred_at,
            "last_channel": entry.channel,
            "last_site": entry.site,
            "last_touchpoint_id": entry.touchpoint_id,
        }
    if entry.occurred_at >= thread.moved_at:
        changes |= {"posture": posture_after(entry, thread.posture), "moved_at": entry.occurred_at}
    told = entry.stop_point is not None or entry.next_step is not None
    if told and (thread.told_at is None or entry.occurred_at >= thread.told_at):
        changes |= {"stop_point": entry.stop_point, "next_step": entry.next_step, "told_at": entry.occurred_at}
    if entry.summary is not None and (thread.summed_at is None or entry.occurred_at >= thread.summed_at):
        changes |= {"summary": entry.summary, "summed_at": entry.occurred_at}
    return changes


def _is_dialogue(entry: Entry) -> bool:
    return entry.live and not (entry.kind in QUIET and entry.topic is None)


def _recency(thread: Thread) -> tuple[datetime, UUID]:
    return thread.last_at, thread.latest_position


def _order(step: Entry | Act) -> tuple[UUID, UUID]:
    return step.position, step.touchpoint_id
