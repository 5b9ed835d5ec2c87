"""R2 to R8: where the talk stopped, what is open, what is owed. Pure; a section a function."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from interactions.commitments.domain import earlier_dates
from interactions.resume.domain import EXCERPT, CaseFile, Commitment, Thread, Touchpoint
from interactions.resume.scene import Packet, Scene, hours, people_of

RECAP = 10
# What is no talk, nor is a page that was merely seen: it moves no resume point unless it says itself where things stopped.
SILENT = frozenset({"purchase", "payment", "campaign_send", "survey_response"})
OWED_AN_ANSWER = frozenset({"complaint", "claim", "petition"})
UNFINISHED = frozenset({"abandoned", "pending"})


# --- R2 to R5: where the talk stopped ---------------------------------------------------------------------------------


def last_talk(contacts: Sequence[Touchpoint]) -> Touchpoint | None:
    """Of the contacts, the latest first, the first talk, over all channels; where there never was one, the first of any kind."""
    return next(filter(_talks, contacts), contacts[0] if contacts else None)


def _talks(contact: Touchpoint) -> bool:
    if contact.stop_point or contact.next_step:
        return True
    merely_seen = contact.kind == "web" and contact.topic is None and contact.outcome is None
    return contact.kind not in SILENT and not merely_seen


def resume_point(scene: Scene) -> Packet | None:
    last = last_talk(scene.contacts)
    if last is None:
        return None
    thread = next((t for t in scene.memory.threads if t.conversation_id == last.conversation_id), None)
    told = last if last.stop_point or last.next_step or thread is None else thread
    return {
        "touchpoint_id": last.touchpoint_id,
        "conversation_id": last.conversation_id,
        "occurred_at": last.occurred_at,
        "channel": last.channel,
        "direction": last.direction,
        "kind": last.kind,
        "site": last.site,
        "attended_by": attended_by(last, internal=scene.reader.internal),
        "topic": last.topic or (thread.topic if thread else None),
        "summary": gist(last),
        "stop_point": told.stop_point,
        "next_step": told.next_step,
        "outcome": last.outcome,
    }


def attended_by(contact: Touchpoint, *, internal: bool) -> Packet | None:
    """Who of us, or of a partner, was there; None where the customer was served by no person."""
    if contact.actor_kind in (None, "customer"):
        return None
    return {"kind": contact.actor_kind, "id": contact.actor_id if internal else None, "name": contact.actor_name}


def gist(contact: Touchpoint) -> str | None:
    """What it was about: its summary, or the beginning of what was said."""
    if contact.summary or not contact.content:
        return contact.summary
    return contact.content if len(contact.content) <= EXCERPT else f"{contact.content[:EXCERPT].rstrip()}…"


def suggested_thread(threads: Sequence[Thread], topic: str | None) -> str | None:
    """The thread to go on with: of the topic asked for; else the most recent that waits for us; else for him (A36)."""
    same = [thread for thread in threads if topic is not None and thread.topic == topic]
    pool = same or [thread for thread in threads if thread.state != "parked"]
    if not pool:
        return None
    return max(pool, key=lambda thread: (thread.state == "waiting-us", thread.last_at)).conversation_id


def threads(scene: Scene) -> list[Packet]:
    """R3: the open threads, the latest first."""
    in_turn = sorted(scene.memory.threads, key=lambda thread: thread.last_at, reverse=True)
    return [_thread(thread, scene.now) for thread in in_turn]


def _thread(thread: Thread, now: datetime) -> Packet:
    return {
        "conversation_id": thread.conversation_id,
        "topic": thread.topic,
        "state": thread.state,
        "started_at": thread.started_at,
        "last_at": thread.last_at,
        "age_hours": hours(thread.started_at, now),
        "last_channel": thread.last_channel,
        "last_site": thread.last_site,
        "summary": thread.summary,
        "stop_point": thread.stop_point,
        "next_step": thread.next_step,
        "suggested": False,
    }


def recap(scene: Scene) -> list[Packet]:
    return [
        {
            "touchpoint_id": contact.touchpoint_id,
            "occurred_at": contact.occurred_at,
            "channel": contact.channel,
            "kind": contact.kind,
            "direction": contact.direction,
            "topic": contact.topic,
            "summary": gist(contact),
            "outcome": contact.outcome,
        }
        | ({"visibility": contact.visibility} if scene.reader.internal else {})
        for contact in reversed(scene.contacts[:RECAP])
    ]


def work_in_progress(scene: Scene) -> list[Packet]:
    """R5: forms and sessions on the web that he did not finish, and what he had filled in already."""
    finished: set[tuple[str | None, Any]] = set()
    found: list[Packet] = []
    for contact in scene.contacts:
        if contact.kind != "web":
            continue
        sittings = _sittings(contact)
        if contact.outcome in UNFINISHED and finished.isdisjoint(sittings):
            found.append(_unfinished(contact))
        finished |= sittings
    return found


def _sittings(contact: Touchpoint) -> set[tuple[str | None, Any]]:
    """A form within its thread. Without a topic each page is a thread of its own: there its name alone says that he went on with it."""
    form = _word(contact.payload.get("form"))
    by_itself = contact.topic is None and contact.conversation_id == contact.touchpoint_id
    return {(contact.conversation_id, form)} | ({(None, form)} if by_itself and form is not None else set())


def _unfinished(contact: Touchpoint) -> Packet:
    return {
        "touchpoint_id": contact.touchpoint_id,
        "conversation_id": contact.conversation_id,
        "occurred_at": contact.occurred_at,
        "channel": contact.channel,
        "form": _word(contact.payload.get("form")),
        "step": _word(contact.payload.get("step")),
        "draft": contact.payload.get("draft") or {},
        "outcome": contact.outcome,
    }


def _word(told: Any) -> Any:
    """What names a form or a step. A page's payload holds what the page likes: a list or an object there is no name."""
    return None if isinstance(told, dict | list) else told


# --- R6 to R8: what is owed -------------------------------------------------------------------------------------------


def in_urgency(promises: Iterable[Commitment], now: datetime) -> list[Commitment]:
    """Late ones first, the latest due last; then by due date; those without one at the end."""

    def urgency(promise: Commitment) -> tuple[bool, bool, datetime]:
        return promise.state_at(now) == "open", promise.due_at is None, promise.due_at or promise.made_at

    return sorted(promises, key=urgency)


def commitments(scene: Scene) -> list[Packet]:
    return [_commitment(promise, scene) for promise in in_urgency(scene.memory.commitments, scene.now)]


def _commitment(promise: Commitment, scene: Scene) -> Packet:
    return {
        "commitment_id": promise.commitment_id,
        "by": promise.by,
        "text": promise.text,
        "due_at": promise.due_at,
        "state": promise.state_at(scene.now),
        "made_at": promise.made_at,
        "channel": promise.channel,
        "owner": promise.owner_name or (promise.owner if scene.reader.internal else None),
        "case_number": promise.case_number,
        "earlier_dates": earlier_dates(promise.earlier_dates or (), internal=scene.reader.internal),
    }


def cases(scene: Scene) -> list[Packet]:
    """R7: complaints, claims and petitions that are open."""
    return [_case(case, scene) for case in scene.memory.cases if case.kind in OWED_AN_ANSWER]


def suggestions(scene: Scene) -> list[Packet]:
    """R8: suggestions, and compliments with them."""
    return [_case(case, scene) for case in scene.memory.cases if case.kind not in OWED_AN_ANSWER]


def _case(case: CaseFile, scene: Scene) -> Packet:
    step = case.last_step
    told: Packet = {
        "number": case.number,
        "kind": case.kind,
        "severity": case.severity,
        "about": case.about,
        "topic": case.topic,
        "state": case.state,
        "channel": case.channel,
        "occurred_at": case.occurred_at,
        "hours_open": hours(case.occurred_at, scene.now),
        "recovery_deadline": case.recovery_deadline,
        "days_left": days_left(case.recovery_deadline, scene.now),
        "last_step": None if step is None else {key: step[key] for key in ("move", "at")},
        "verified_at": case.verified_at,
        "recovered": case.recovered,
        "nanny": next((person.get("name") for person in people_of(scene, {"nanny"})), None),
    }
    if scene.reader.internal:
        told |= {"contacts": case.contacts_count, "owner": case.owner, "last_step": dict(step) if step else None}
        told["retention_critical"] = case.retention_critical
    return told


def days_left(deadline: datetime | None, now: datetime) -> int | None:
    """Whole days until the recovery deadline, a begun one counted; 0 when it has passed (S0-59)."""
    if deadline is None:
        return None
    return max(0, math.ceil((deadline - now) / timedelta(days=1)))
