"""The state machine of a case, its thirty days, and what counts as solved at the first contact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.contracts.interactions import CaseMoved
from common.errors import Conflict, NotFound

KINDS = frozenset({"complaint", "claim", "petition", "suggestion", "compliment"})
RECOVERABLE = frozenset({"complaint", "claim"})  # they start the window in which a customer can be won back (S0-59)
SETTLED = "case.settled"  # timers' names
EXPIRY = "case.expiry"
# Contacts in which a customer can come back on a case; a purchase or a survey is none.
TALKS = frozenset({"message", "call", "visit", "complaint", "claim", "petition"})
ANSWERS = frozenset({"resolved", "informed", "declined"})  # a substantive outcome, not an acknowledgement (A10)

Move = Literal["opened", "contacted", "answered", "resolved", "verified", "reopened", "closed", "expired", "retracted"]
Act = Literal["answer", "verify", "reopen", "close"]


class UnknownCase(NotFound):
    code = "unknown-case"
    title = "No case under that number"


class CaseNotThere(Conflict):
    """The step does not follow from the state that the case is in."""

    code = "case-state"
    title = "The case is not in a state for this"


_FROM: dict[Act, frozenset[str]] = {
    "answer": frozenset({"received", "reopened"}),
    "verify": frozenset({"answered"}),
    "reopen": frozenset({"answered", "verified", "closed"}),
    "close": frozenset({"answered", "verified"}),
}
_TO: dict[Act, str] = {"answer": "answered", "verify": "verified", "reopen": "reopened", "close": "closed"}


@dataclass(frozen=True)
class CaseFile:
    """One complaint, claim, petition, suggestion or compliment (PQR)."""

    number: str
    trace_id: UUID
    touchpoint_id: UUID
    kind: Literal["complaint", "claim", "petition", "suggestion", "compliment"]
    severity: str
    about: str | None
    topic: str | None
    channel: str
    state: str
    occurred_at: datetime
    opened_at: datetime
    answered_at: datetime | None
    timely: bool | None
    recovery_deadline: datetime | None
    expired_at: datetime | None
    contacts_count: int
    last_contact_at: datetime
    first_contact: bool | None
    resolved_at: datetime | None
    verified_at: datetime | None
    recovered: bool | None
    closed_at: datetime | None
    retention_critical: bool
    owner: str | None
    backfill: bool
    moved_at: datetime

    @property
    def answered(self) -> bool:
        return self.state in {"answered", "verified", "closed"}

    def hours_open(self, now: datetime) -> float:
        """From the complaint to its answer; to now, while there is none."""
        end = self.answered_at if self.answered and self.answered_at is not None else now
        return round(max(0.0, (end - self.occurred_at).total_seconds()) / 3600, 2)

    def settles_at(self, within: timedelta) -> datetime | None:
        """When it is known whether the answer held: no contact on it for so long after the answer and the last contact."""
        if not self.answered or self.answered_at is None or self.first_contact is not None or self.kind not in TALKS:
            return None
        return max(self.answered_at, self.last_contact_at) + within


@dataclass(frozen=True)
class Step:
    """What was done on a case."""

    case: CaseFile  # as it stands after it
    move: Move
    at: datetime
    by: str
    text: str | None = None
    touchpoint_id: UUID | None = None
    channel: str | None = None
    step_id: UUID | None = None  # under which it is on record; None for what is not


@dataclass(frozen=True)
class Done:
    """A step of a case's log, on record or as it would have been recorded.

    `position`: its place in the order of recording; `noted_at`: when we learned of it; `by_thread`: a contact that lies in
    the case's thread and names no case; `step_id` is None for what is not on record.
    """

    position: UUID
    noted_at: datetime
    move: Move
    at: datetime
    by: str
    text: str | None = None
    touchpoint_id: UUID | None = None
    channel: str | None = None
    step_id: UUID | None = None
    by_thread: bool = False
    stands: bool = True  # false: the touchpoint that did it was taken back

    @classmethod
    def of(cls, step: Step, position: UUID, noted_at: datetime) -> "Done":
        said = step.move, step.at, step.by, step.text, step.touchpoint_id, step.channel
        return cls(position, noted_at, *said, step.step_id)

    @property
    def computed(self) -> bool:
        """Whether it follows from threads and time, so that it is made anew with them."""
        return self.by_thread or self.move == "resolved"


def number_of(year: int, count: int) -> str:
    return f"PQR-{year}-{count:06d}"


def opened(
    *,
    number: str,
    trace_id: UUID,
    touchpoint_id: UUID,
    kind: Any,
    payload: dict[str, Any],
    topic: str | None,
    channel: str,
    outcome: str | None,
    occurred_at: datetime,
    now: datetime,
    by: str,
    backfill: bool,
    recovery: timedelta,
) -> list[Step]:
    """The case that a touchpoint opens; answered at once where it says so."""
    case = CaseFile(
        number=number,
        trace_id=trace_id,
        touchpoint_id=touchpoint_id,
        kind=kind,
        severity=payload.get("severity", "medium"),
        about=payload.get("about"),
        topic=topic,
        channel=channel,
        state="received",
        occurred_at=occurred_at,
        opened_at=now,
        answered_at=None,
        timely=payload.get("timely"),
        recovery_deadline=occurred_at + recovery if kind in RECOVERABLE else None,
        expired_at=None,
        contacts_count=1,
        last_contact_at=occurred_at,
        first_contact=None,
        resolved_at=None,
        verified_at=None,
        recovered=None,
        closed_at=None,
        retention_critical=bool(payload.get("retention_critical", False)),
        owner=payload.get("owner"),
        backfill=backfill,
        moved_at=now,
    )
    steps = [Step(case, "opened", occurred_at, by, touchpoint_id=touchpoint_id, channel=channel)]
    answered_at = _answered_at(payload, outcome, occurred_at)
    if answered_at is not None:
        steps.append(answered(case, at=answered_at, now=now, by=by, touchpoint_id=touchpoint_id, channel=channel))
    return steps


def _answered_at(payload: dict[str, Any], outcome: str | None, occurred_at: datetime) -> datetime | None:
    if (given := payload.get("answered_at")) is not None:
        return datetime.fromisoformat(given) if isinstance(given, str) else given
    return occurred_at if outcome in ANSWERS else None


def answered(
    case: CaseFile,
    *,
    at: datetime,
    now: datetime,
    by: str,
    text: str | None = None,
    touchpoint_id: UUID | None = None,
    channel: str | None = None,
) -> Step:
    """A substantive answer went out `at`. It stops the thirty days; verifying that it helped is another step (A10)."""
    first = case.answered_at if case.answered_at is not None and case.state != "reopened" else at
    moved = replace(case, state="answered", answered_at=first, moved_at=now)
    return Step(moved, "answered", at, by, text, touchpoint_id, channel)


def contacted(
    case: CaseFile, *, at: datetime, by: str, touchpoint_id: UUID, channel: str, now: datetime
) -> Step | None:
    """The customer came back on it, on any channel; None for a contact that lies before the complaint."""
    if at < case.occurred_at or case.state == "retracted":
        return None
    moved = replace(
        case, contacts_count=case.contacts_count + 1, last_contact_at=max(case.last_contact_at, at), moved_at=now
    )
    return Step(moved, "contacted", at, by, touchpoint_id=touchpoint_id, channel=channel)


def acted(case: CaseFile, act: Act, *, at: datetime, by: str, text: str, recovered: bool = True) -> Step:
    """What a person does to a case. Raises CaseNotThere for a step that does not follow."""
    if case.state not in _FROM[act]:
        raise CaseNotThere(f"It is {case.state}; this step follows on {', '.join(sorted(_FROM[act]))}")
    match act:
        case "answer":
            return answered(case, at=at, now=at, by=by, text=text)
        case "verify":
            moved = replace(case, state=_TO[act], verified_at=at, recovered=recovered, moved_at=at)
            return Step(moved, "verified", at, by, text)
        case "reopen":
            moved = replace(
                case, state=_TO[act], first_contact=False, recovered=None, verified_at=None, closed_at=None, moved_at=at
            )
            return Step(moved, "reopened", at, by, text)
        case "close":
            return Step(replace(case, state=_TO[act], closed_at=at, moved_at=at), "closed", at, by, text)


def settled(case: CaseFile, *, now: datetime, within: timedelta) -> Step | None:
    """The answer held: nobody came back on it. At the first contact, if there was but one (S0-95, A13).

    It counts as of the end of the span, however late somebody wakes. History that was over when it was loaded settles nothing.
    """
    due = case.settles_at(within)
    if due is None or due > now or (case.backfill and due <= case.moved_at):
        return None
    return _held(case, at=due)


def _held(case: CaseFile, *, at: datetime) -> Step:
    moved = replace(case, first_contact=case.contacts_count == 1, resolved_at=case.answered_at, moved_at=at)
    return Step(moved, "resolved", at, "timer")


def expired(case: CaseFile, *, now: datetime) -> Step | None:
    """The thirty days passed without a substantive answer."""
    deadline = case.recovery_deadline
    if deadline is None or deadline > now or case.expired_at is not None or case.state not in {"received", "reopened"}:
        return None
    return Step(replace(case, expired_at=deadline, moved_at=deadline), "expired", deadline, "timer")


def still_so(done: Done, case: CaseFile, *, now: datetime) -> bool:
    """Whether a step stands on the case as its complaint is corrected: a window that has not passed has not expired."""
    over = case.recovery_deadline is not None and case.recovery_deadline <= now
    return done.stands and (done.move != "expired" or over)


def retracted(case: CaseFile, *, at: datetime, by: str) -> Step:
    return Step(replace(case, state="retracted", moved_at=at), "retracted", at, by)


@dataclass(frozen=True)
class Settling:
    """Until when, and after how long without a contact, answers are seen to have held."""

    now: datetime
    within: timedelta


def replay(case: CaseFile, log: Iterable[Done], *, settling: Settling | None) -> list[Step]:
    """The case's steps, each with the case as it stood after it, from its log in the order of recording.

    `settling`: settle by time what the log leaves settled or not; None where the log says itself what was settled.
    What people did is not judged again: a step that was allowed when it was taken stays.
    """
    steps: list[Step] = []
    standing = _as_opened(case)
    for done in log:
        held = settled(standing, now=done.noted_at, within=settling.within) if settling else None
        step = _again(held.case if held else standing, done)
        for taken in (held, step):
            if taken is not None:
                standing = taken.case
                steps.append(taken)
    held = settled(standing, now=settling.now, within=settling.within) if settling else None
    return _with_recovery([*steps, held] if held else steps, case.recovered)


def _as_opened(case: CaseFile) -> CaseFile:
    return replace(
        case,
        state="received",
        answered_at=None,
        expired_at=None,
        contacts_count=1,
        last_contact_at=case.occurred_at,
        first_contact=None,
        resolved_at=None,
        verified_at=None,
        recovered=None,
        closed_at=None,
        moved_at=case.opened_at,
    )


def _again(case: CaseFile, done: Done) -> Step | None:
    """The step on the case as it stands now; None for a contact by thread when it was known already whether the answer held."""
    match done.move:
        case "contacted":
            return None if done.by_thread and case.first_contact is not None else _contacted_again(case, done)
        case "answered":
            moved = answered(case, at=done.at, now=done.noted_at, by=done.by).case
        case "resolved":
            moved = _held(case, at=done.at).case
        case "expired":
            moved = replace(case, expired_at=done.at, moved_at=done.at)
        case "verified":
            moved = replace(case, state="verified", verified_at=done.at, moved_at=done.at)
        case "closed":
            moved = replace(case, state="closed", closed_at=done.at, moved_at=done.at)
        case "reopened":
            moved = replace(
                case,
                state="reopened",
                first_contact=False,
                verified_at=None,
                closed_at=None,
                moved_at=done.at,
            )
        case _:
            moved = case
    return Step(moved, done.move, done.at, done.by, done.text, done.touchpoint_id, done.channel, done.step_id)


def _contacted_again(case: CaseFile, done: Done) -> Step | None:
    assert done.touchpoint_id is not None  # noqa: S101 - only a touchpoint is a contact
    step = contacted(
        case,
        at=done.at,
        by=done.by,
        touchpoint_id=done.touchpoint_id,
        channel=done.channel or case.channel,
        now=done.noted_at,
    )
    return None if step is None else replace(step, step_id=done.step_id)


def _with_recovery(steps: Sequence[Step], recovered: bool | None) -> list[Step]:
    """What the customer said is kept with the case, not with the step: it holds from the last verification on."""
    reopened = max((at for at, step in enumerate(steps) if step.move == "reopened"), default=-1)
    verified = next((at for at, step in enumerate(steps) if step.move == "verified" and at > reopened), len(steps))
    return [
        replace(step, case=replace(step.case, recovered=recovered if at >= verified else None))
        for at, step in enumerate(steps)
    ]


def retold(before: Sequence[Step], after: Sequence[Step]) -> tuple[list[CaseMoved], list[CaseMoved]]:
    """What was told of a case and is not so, and what is to be told instead.

    What he said when a case was verified that was reopened later is not on record, so these moves stay as they were told.
    What was told last says how the case stands: where that would be another move, the one that holds is told once more.
    """
    was, now = _told_anew(before), _told_anew(after)
    wrong, right = [one for one in was if one not in now], [one for one in now if one not in was]
    holds = _standing(now)[-1]
    if _standing([*wrong, *right]) and _standing(right)[-1:] != [holds]:
        right.append(holds)
    return wrong, right


def _standing(moves: Iterable[CaseMoved]) -> list[CaseMoved]:
    """Those that say how the case stands: that he spoke of it, or that its time is over, does not."""
    return [one for one in moves if one.move not in {"contacted", "expired"}]


def _told_anew(steps: Sequence[Step]) -> list[CaseMoved]:
    reopened = max((at for at, step in enumerate(steps) if step.move == "reopened"), default=-1)
    return [told(step) for at, step in enumerate(steps) if at > reopened or step.move not in {"verified", "closed"}]


def told(step: Step) -> CaseMoved:
    case = step.case
    return CaseMoved(
        case_number=case.number,
        trace_id=case.trace_id,
        touchpoint_id=step.touchpoint_id or case.touchpoint_id,
        kind=case.kind,
        severity=case.severity,
        move=step.move,
        channel=step.channel or case.channel,
        about=case.about,
        occurred_at=case.occurred_at,
        at=step.at,
        hours_open=case.hours_open(case.moved_at),
        contacts=case.contacts_count,
        first_contact=case.first_contact if step.move == "resolved" else None,
        recovered=case.recovered if step.move in {"verified", "closed"} else None,
        recovery_deadline=case.recovery_deadline,
        timely=case.timely if step.move == "answered" else None,
        backfill=case.backfill,
    )
