"""When a promise is open, late, kept, waived; and what is told of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.contracts.interactions import CommitmentMoved
from common.errors import Conflict, Invalid, NotFound
from common.moments import written

DUE = "commitment.due"  # the timer's name
OWED = frozenset({"open", "late"})
Move = Literal["made", "kept", "broken", "waived", "rescheduled", "retracted"]


class UnknownCommitment(NotFound):
    code = "unknown-commitment"
    title = "No commitment under that id"


class CommitmentSettled(Conflict):
    code = "commitment-settled"
    title = "The commitment was kept, waived or taken back before"


class DueInPast(Invalid):
    code = "due-in-past"
    title = "What is agreed on anew lies ahead"


@dataclass(frozen=True)
class Commitment:
    """One promise of the company or of the customer (compromiso)."""

    commitment_id: UUID
    trace_id: UUID
    touchpoint_id: UUID
    case_number: str | None
    by: Literal["company", "customer"]
    text: str
    owner: str | None
    owner_name: str | None
    channel: str
    visibility: str
    due_at: datetime | None
    state: str
    made_at: datetime
    moved_at: datetime
    moved_by: str | None
    reason: str | None
    kept_by: UUID | None
    backfill: bool
    earlier_dates: tuple[Mapping[str, Any], ...] = ()  # what it was due before, the first first; who moved it, and why
    also_kept_by: tuple[
        str, ...
    ] = ()  # touchpoints that said so after `kept_by`: one of them did, should that be taken back

    def state_at(self, now: datetime) -> str:
        """An open promise whose time has passed is late, whether its timer has fired or not."""
        return "late" if self.state == "open" and self.due_at is not None and self.due_at <= now else self.state

    def must_be_owed(self) -> None:
        if self.state not in OWED:
            raise CommitmentSettled

    def wakes_at(self) -> datetime | None:
        """When somebody has to look whether it was kept. What was due before history was loaded sets nothing off."""
        if self.due_at is None or (self.backfill and self.due_at <= self.moved_at):
            return None
        return self.due_at


def kept(
    commitment: Commitment, *, at: datetime, by: str, reason: str | None, touchpoint_id: UUID | None = None
) -> Commitment:
    commitment.must_be_owed()
    return replace(commitment, state="kept", moved_at=at, moved_by=by, reason=reason, kept_by=touchpoint_id)


def kept_also(commitment: Commitment, touchpoint_id: UUID) -> Commitment:
    """Another contact says that it was kept."""
    return replace(commitment, also_kept_by=(*commitment.also_kept_by, str(touchpoint_id)))


def waived(commitment: Commitment, *, at: datetime, by: str, reason: str) -> Commitment:
    commitment.must_be_owed()
    return replace(commitment, state="waived", moved_at=at, moved_by=by, reason=reason)


def rescheduled(
    commitment: Commitment, due_at: datetime, *, at: datetime, by: str, reason: str, agreed_with: str | None
) -> Commitment:
    """It is owed by another date from now on, and in time until then. The dates before stay on record.

    Raises CommitmentSettled or DueInPast.
    """
    commitment.must_be_owed()
    if due_at <= at:
        raise DueInPast(pointer="/due_at")
    before = None if commitment.due_at is None else written(commitment.due_at)
    moved = {"due_at": before, "moved_at": written(at), "moved_by": by, "agreed_with": agreed_with, "reason": reason}
    earlier = (*commitment.earlier_dates, moved)
    return replace(commitment, due_at=due_at, state="open", moved_at=at, moved_by=by, earlier_dates=earlier)


def earlier_dates(dates: Iterable[Mapping[str, Any]], *, internal: bool) -> list[dict[str, Any]]:
    """By when it had been promised before; who moved that, with whom and why, is for staff."""
    told = {"due_at", "moved_at"}
    return [{name: value if internal or name in told else None for name, value in one.items()} for one in dates]


def going_on(before: Iterable[Commitment], said: Iterable[tuple[str, str]]) -> list[Commitment | None]:
    """For each promise that a corrected contact tells of, by whom and in which words, the one before that says the same."""
    left = sorted(before, key=lambda one: one.commitment_id)
    found: list[Commitment | None] = []
    for by, text in said:
        same = next((one for one in left if (one.by, one.text) == (by, text)), None)
        if same is not None:
            left.remove(same)
        found.append(same)
    return found


def corrected(before: Commitment, made: Commitment) -> Commitment:
    """The promise as the corrected contact tells of it, with what has become of it. A date that was agreed on since stands."""
    due_at = before.due_at if before.earlier_dates else made.due_at
    in_time = before.state == "late" and (due_at is None or due_at > made.moved_at)
    return replace(
        made,
        commitment_id=before.commitment_id,
        due_at=due_at,
        state="open" if in_time else before.state,
        moved_at=made.moved_at if in_time else before.moved_at,
        moved_by=before.moved_by,
        reason=before.reason,
        kept_by=before.kept_by,
        also_kept_by=before.also_kept_by,
        earlier_dates=before.earlier_dates,
    )


def told_again(commitment: Commitment, *, settled_at: datetime, channel: str | None) -> list[CommitmentMoved]:
    """All that is so of a promise, since what had been told of it was taken back with its contact.

    `settled_at`, `channel`: when and where it was kept or waived.
    """
    moves = [told(commitment, "made", at=commitment.made_at)]
    due_at = commitment.due_at
    kept_late = commitment.state == "kept" and due_at is not None and settled_at > due_at
    if due_at is not None and (commitment.state == "late" or kept_late) and not commitment.backfill:
        moves.append(told(commitment, "broken", at=due_at))
    if commitment.state == "kept":
        moves.append(told(commitment, "kept", at=settled_at, channel=channel))
    if commitment.state == "waived":
        moves.append(told(commitment, "waived", at=settled_at))
    return moves


def fell_due(commitment: Commitment, *, now: datetime) -> Commitment | None:
    """The promise once its time has passed; None where nothing is to be told (kept meanwhile, or told before)."""
    if commitment.state != "open" or commitment.due_at is None or commitment.due_at > now:
        return None
    return replace(commitment, state="late", moved_at=now, moved_by="timer")


def taken_back(commitment: Commitment, *, at: datetime, by: str) -> Commitment:
    return replace(commitment, state="retracted", moved_at=at, moved_by=by)


def without_keeper(commitment: Commitment, *, live: Collection[UUID], at: datetime, by: str) -> Commitment:
    """The touchpoint that kept it was taken back: the next of those that said so after it did (`live`: which still count), or nobody.

    Where it is owed again, that its time has passed meanwhile nobody was told: its timer does.
    """
    others = [one for one in commitment.also_kept_by if UUID(one) in live]
    if others:
        return replace(commitment, kept_by=UUID(others[0]), also_kept_by=tuple(others[1:]))
    return replace(commitment, state="open", moved_at=at, moved_by=by, reason=None, kept_by=None, also_kept_by=())


def told(commitment: Commitment, move: Move, *, at: datetime, channel: str | None = None) -> CommitmentMoved:
    """The event. `at` is when it happened: the contact that kept it, the moment it fell due."""
    late = (at - commitment.due_at).total_seconds() if commitment.due_at and move in {"kept", "broken"} else None
    return CommitmentMoved(
        commitment_id=commitment.commitment_id,
        trace_id=commitment.trace_id,
        touchpoint_id=commitment.touchpoint_id,
        case_number=commitment.case_number,
        move=move,
        by=commitment.by,
        made_at=commitment.made_at,
        due_at=commitment.due_at,
        at=at,
        late_seconds=late,
        channel=channel or commitment.channel,
        backfill=commitment.backfill,
    )
