"""The packet: what a reader needs to pick up the thread, composed from what is on record. Pure; a section a function.

The letters R1 to R29 are the elements of a resume in the requirements.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from common.company import Company
from common.money import from_minor
from common.names import greeting_name
from interactions.contact.domain import Wishes, wishes_of
from interactions.parts.domain import CONTACT, PROFILE, VALUE, Part
from interactions.resume.domain import (
    EXCERPT,
    MOST_CANDIDATES,
    MOST_TRACES,
    Candidate,
    CaseFile,
    Commitment,
    Memory,
    Question,
    Reader,
    Thread,
    Touchpoint,
    Who,
)

Packet = dict[str, Any]

RECAP = 10
LAST_PURCHASES = 5
MOST_QUESTIONS = 2  # "un par de preguntas" (S0-44)
# What is no talk: it moves no resume point unless it says itself where things stopped.
SILENT = frozenset({"purchase", "payment", "campaign_send", "survey_response"})
UNFINISHED = frozenset({"abandoned", "pending"})
COMPLAINING = frozenset({"complaint", "claim"})
OWED_AN_ANSWER = frozenset({"complaint", "claim", "petition"})  # R7; suggestions and compliments are R8
NOT_YET_TOLD = timedelta(seconds=60)  # a fact as young as this may not have passed through identity yet
# R21: whom of our people each reader may know
ROLES = {"partner": frozenset({"account_owner"}), "customer": frozenset({"account_owner", "nanny"})}
# R7 and R8 are for agents and the customer himself
NOT_FOR_PARTNERS = frozenset({"cases", "suggestions"})
TOLD_BY = {"agent": (PROFILE, VALUE), "partner": (PROFILE,), "customer": (PROFILE,)}


@dataclass(frozen=True)
class Composed:
    """A packet and its two tags: `version` is the same whichever channel asks, `etag` is of this very answer."""

    packet: Packet
    version: str
    etag: str


@dataclass(frozen=True)
class Scene:
    """What every section looks at."""

    who: Who
    memory: Memory
    question: Question
    reader: Reader
    company: Company
    now: datetime

    def body(self, source: str) -> Mapping[str, Any]:
        part = self.memory.parts.get(source)
        return part.body if part is not None else {}

    @property
    def wishes(self) -> Wishes:
        time_zone = self.company.time_zone
        return wishes_of(self.body(CONTACT), self.body(VALUE), time_zone=time_zone)


def compose(scene: Scene, candidates: Sequence[Candidate] = ()) -> Composed:
    """The packet for the reader, with everything that is not for him left out (absent, not null)."""
    suggested = suggested_thread(scene.memory.threads, scene.question.topic)
    packet: Packet = {
        "who": _who(scene, candidates),
        "resume_point": _resume_point(scene),
        "threads": [_thread(thread, scene.now) for thread in _in_turn(scene.memory.threads)],
        "recap": _recap(scene),
        "work_in_progress": _work_in_progress(scene),
        "commitments": [_commitment(promise, scene) for promise in in_urgency(scene.memory.commitments, scene.now)],
        "cases": [_case(case, scene) for case in scene.memory.cases if case.kind in OWED_AN_ANSWER],
        "suggestions": [_case(case, scene) for case in scene.memory.cases if case.kind not in OWED_AN_ANSWER],
        "known": known(scene),
        "contact": _contact(scene),
        "holdings": _holdings(scene),
        "offers": _offers(scene.memory.touchpoints),
        "people": _people(scene),
    }
    if scene.reader.internal:
        packet |= {"value": _value(scene), "treatment": _treatment(scene), "alerts": _alerts(scene)}
    if scene.reader.view == "partner":
        packet = {key: section for key, section in packet.items() if key not in NOT_FOR_PARTNERS}
    version = _hash(_lasting(packet))
    _answer_the_caller(packet, scene, suggested)
    packet["continuity"] = _continuity(scene, version, suggested)
    return Composed(packet, version, f"{version}-{_hash([packet.get('ask'), packet['who'], suggested])[:8]}")


# --- R1 ---------------------------------------------------------------------------------------------------------------


def _who(scene: Scene, candidates: Sequence[Candidate]) -> Packet:
    profile, who = scene.body(PROFILE), scene.who
    found: Packet = {
        "recognised": who.recognised,
        "customer_id": who.customer_id,
        "confidence": who.confidence,
        "preferred_name": preferred_name(profile, scene.memory.touchpoints),
        "display_name": profile.get("display_name"),
        "form_of_address": profile.get("form_of_address"),
        "kind": profile.get("kind"),
    }
    if scene.reader.internal:
        found["candidates"] = [_candidate(candidate) for candidate in candidates]
    return found


def preferred_name(profile: Mapping[str, Any], contacts: Iterable[Touchpoint]) -> str | None:
    """What he wants to be called; before identity has spoken, from how a channel names him."""
    if profile.get("preferred_name"):
        return str(profile["preferred_name"])
    seen = [profile.get("display_name"), *(_named(contact.profile) for contact in contacts)]
    told = next(
        (contact.profile["preferred_name"] for contact in contacts if contact.profile.get("preferred_name")), None
    )
    return str(told) if told else greeting_name(next((name for name in seen if name), None))


def _named(profile: Mapping[str, Any]) -> str | None:
    return profile.get("full_name") or profile.get("given_names")


def _candidate(candidate: Candidate) -> Packet:
    last = candidate.last_contact
    return {
        "customer_id": candidate.customer_id,
        "preferred_name": candidate.preferred_name,
        "display_name": candidate.display_name,
        "last_contact": None if last is None else asdict(last),
    }


# --- R2 to R5: where the talk stopped ---------------------------------------------------------------------------------


def resume_point(contacts: Sequence[Touchpoint]) -> Touchpoint | None:
    """The latest talk over all channels; where there never was one, the latest contact of any kind."""
    talks = [contact for contact in contacts if contact.kind not in SILENT or contact.stop_point or contact.next_step]
    return max(talks or contacts, key=in_time, default=None)


def in_time(contact: Touchpoint) -> tuple[datetime, datetime, UUID]:
    """When it happened; of two at once the one recorded later comes later."""
    return contact.occurred_at, contact.recorded_at, contact.touchpoint_id


def _resume_point(scene: Scene) -> Packet | None:
    last = resume_point(scene.memory.touchpoints)
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
        "attended_by": attended_by(last),
        "topic": last.topic or (thread.topic if thread else None),
        "summary": gist(last),
        "stop_point": told.stop_point,
        "next_step": told.next_step,
        "outcome": last.outcome,
    }


def attended_by(contact: Touchpoint) -> Packet | None:
    """Who of us, or of a partner, was there; None where the customer was served by no person."""
    if contact.actor_kind in (None, "customer"):
        return None
    return {"kind": contact.actor_kind, "id": contact.actor_id, "name": contact.actor_name}


def gist(contact: Touchpoint) -> str | None:
    """What it was about: its summary, or the beginning of what was said."""
    if contact.summary or not contact.content:
        return contact.summary
    return contact.content if len(contact.content) <= EXCERPT else f"{contact.content[:EXCERPT].rstrip()}…"


def suggested_thread(threads: Sequence[Thread], topic: str | None) -> UUID | None:
    """The thread to go on with: of the topic asked for; else the most recent that waits for us; else for him (A36)."""
    same = [thread for thread in threads if topic is not None and thread.topic == topic]
    pool = same or [thread for thread in threads if thread.state != "parked"]
    if not pool:
        return None
    return max(pool, key=lambda thread: (thread.state == "waiting-us", thread.last_at)).conversation_id


def _in_turn(threads: Iterable[Thread]) -> list[Thread]:
    return sorted(threads, key=lambda thread: thread.last_at, reverse=True)


def _thread(thread: Thread, now: datetime) -> Packet:
    return {
        "conversation_id": thread.conversation_id,
        "topic": thread.topic,
        "state": thread.state,
        "started_at": thread.started_at,
        "last_at": thread.last_at,
        "age_hours": _hours(thread.started_at, now),
        "last_channel": thread.last_channel,
        "last_site": thread.last_site,
        "summary": thread.summary,
        "stop_point": thread.stop_point,
        "next_step": thread.next_step,
        "suggested": False,
    }


def _recap(scene: Scene) -> list[Packet]:
    latest = _latest_first(scene.memory.touchpoints)[:RECAP]
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
        for contact in reversed(latest)
    ]


def _work_in_progress(scene: Scene) -> list[Packet]:
    """R5: forms and sessions on the web that he did not finish, and what he had filled in already."""
    finished: set[tuple[UUID | None, Any]] = set()
    found: list[Packet] = []
    for contact in _latest_first(scene.memory.touchpoints):
        form = contact.payload.get("form")
        if contact.kind != "web":
            continue
        if contact.outcome in UNFINISHED and (contact.conversation_id, form) not in finished:
            found.append(_unfinished(contact))
        finished.add((contact.conversation_id, form))
    return found


def _unfinished(contact: Touchpoint) -> Packet:
    return {
        "touchpoint_id": contact.touchpoint_id,
        "conversation_id": contact.conversation_id,
        "occurred_at": contact.occurred_at,
        "channel": contact.channel,
        "form": contact.payload.get("form"),
        "step": contact.payload.get("step"),
        "draft": contact.payload.get("draft") or {},
        "outcome": contact.outcome,
    }


# --- R6 to R8: what is owed -------------------------------------------------------------------------------------------


def in_urgency(promises: Iterable[Commitment], now: datetime) -> list[Commitment]:
    """Late ones first, the latest due last; then by due date; those without one at the end."""

    def urgency(promise: Commitment) -> tuple[bool, bool, datetime]:
        return promise.state_at(now) == "open", promise.due_at is None, promise.due_at or promise.made_at

    return sorted(promises, key=urgency)


def _commitment(promise: Commitment, scene: Scene) -> Packet:
    told: Packet = {
        "commitment_id": promise.commitment_id,
        "by": promise.by,
        "text": promise.text,
        "due_at": promise.due_at,
        "state": promise.state_at(scene.now),
        "made_at": promise.made_at,
        "channel": promise.channel,
        "owner": promise.owner_name or promise.owner,
        "case_number": promise.case_number,
    }
    return told


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
        "hours_open": _hours(case.occurred_at, scene.now),
        "recovery_deadline": case.recovery_deadline,
        "days_left": days_left(case.recovery_deadline, scene.now),
        "last_step": None if step is None else {key: step[key] for key in ("move", "at")},
        "verified_at": case.verified_at,
        "recovered": case.recovered,
        "nanny": next((person.get("name") for person in _of_role(scene, {"nanny"})), None),
    }
    if scene.reader.internal:
        told |= {"contacts": case.contacts_count, "owner": case.owner, "last_step": dict(step) if step else None}
    return told


def days_left(deadline: datetime | None, now: datetime) -> int | None:
    """Whole days until the recovery deadline, a begun one counted; 0 when it has passed (S0-59)."""
    if deadline is None:
        return None
    return max(0, math.ceil((deadline - now) / timedelta(days=1)))


# --- R9, R10: what we know and may ask --------------------------------------------------------------------------------


def known(scene: Scene) -> list[Packet]:
    """What we know and must not ask again: as identity tells it, and what was learned since it last spoke."""
    profile = scene.memory.parts.get(PROFILE)
    facts = {str(fact.get("key")): dict(fact) for fact in (profile.body.get("known") or [] if profile else [])}
    for learned in _learned(scene.memory.touchpoints, profile, scene.company):
        held = facts.get(learned["key"])
        if held is None or _moment(held.get("as_of")) < learned["as_of"]:
            facts[learned["key"]] = learned
    shown = (fact for fact in facts.values() if _may_know(fact, scene.reader))
    return sorted((_fact(fact, scene.now) for fact in shown), key=lambda fact: fact["key"])


def _learned(contacts: Iterable[Touchpoint], profile: Part | None, company: Company) -> Iterable[Packet]:
    for contact in sorted(contacts, key=in_time):
        if profile is not None and contact.recorded_at <= profile.as_of - NOT_YET_TOLD:
            continue
        for fact in contact.facts:
            definition = company.fact(str(fact.get("key")))
            validity = definition.validity_days if definition else None
            yield {
                "key": str(fact.get("key")),
                "value": fact.get("value"),
                "as_of": contact.occurred_at,
                "source": contact.channel,
                "confidence": fact.get("confidence"),
                "expires_at": contact.occurred_at + timedelta(days=validity) if validity else None,
                "sensitivity": "public" if definition and definition.public else "internal",
            }


def _may_know(fact: Mapping[str, Any], reader: Reader) -> bool:
    sensitivity = str(fact.get("sensitivity", "internal"))
    return sensitivity != "restricted" if reader.internal else sensitivity == "public"


def _fact(fact: Mapping[str, Any], now: datetime) -> Packet:
    expires_at = fact.get("expires_at")
    return {
        "key": fact["key"],
        "value": fact.get("value"),
        "as_of": fact.get("as_of"),
        "source": fact.get("source"),
        "confidence": fact.get("confidence"),
        "expires_at": expires_at,
        "stale": expires_at is not None and _moment(expires_at) <= now,
    }


def questions(scene: Scene, facts: Iterable[Mapping[str, Any]]) -> list[Packet]:
    """At most two, none while a complaint or claim is open, only what suits the channel and is not freshly known."""
    if any(case.kind in COMPLAINING for case in scene.memory.cases):
        return []
    fresh = {fact["key"] for fact in facts if not fact["stale"]}
    channel = scene.question.channel
    fitting = [
        {key: question.get(key) for key in ("question_id", "key", "text")}
        for question in scene.body(PROFILE).get("ask") or []
        if question.get("key") not in fresh
        and (channel is None or not question.get("channels") or channel in question["channels"])
    ]
    return fitting[:MOST_QUESTIONS]


# --- R11 to R21 -------------------------------------------------------------------------------------------------------


def _contact(scene: Scene) -> Packet:
    wishes, said = scene.wishes, scene.body(CONTACT)
    until = wishes.quiet_until(scene.now)
    return {
        "ranking": list(wishes.ranking),
        "quota_left": wishes.quota_left(scene.memory.outbound, scene.now),
        "max_contacts": wishes.max_contacts,
        "per_days": wishes.per_days if wishes.max_contacts is not None else None,
        "quiet": until is not None,
        "quiet_until": until,
        "quiet_times": list(said.get("quiet_times") or []),
        "time_zone": wishes.time_zone,
        "consents": list(said.get("consents") or []),
        "do_not_contact": wishes.do_not_contact,
    }


def _value(scene: Scene) -> Packet:
    said = scene.body(VALUE).get("value") or {}
    part, since = scene.memory.parts.get(VALUE), scene.memory.since
    empty = {
        "tier": None,
        "abc": None,
        "tenure_months": int((scene.now - since).days / 30.4375) if since else None,
        "as_of": part.as_of if part else None,
    }
    return empty | {"key_account": scene.memory.key_account} | dict(said)


def _treatment(scene: Scene) -> Packet:
    empty: Packet = {"service_level": None, "attend_by": None, "spend_limit": None, "reasons": []}
    return empty | dict(scene.body(VALUE).get("treatment") or {})


def _alerts(scene: Scene) -> list[Packet]:
    """R20: what scoring signals, promises of ours that are late, moments of truth that failed. The newest first."""
    late = [
        promise
        for promise in scene.memory.commitments
        if promise.by == "company" and promise.state_at(scene.now) in ("late", "broken")
    ]
    raised: list[Packet] = [dict(alert) for alert in scene.body(VALUE).get("alerts") or []]
    raised += [
        {
            "signal": "promise-broken",
            "level": "critical",
            "since": promise.due_at,
            "evidence": {"commitment_id": promise.commitment_id},
        }
        for promise in late
    ]
    raised += [
        {
            "signal": "moment-failed",
            "level": "critical" if moment.critical else "warning",
            "since": moment.at,
            "evidence": {
                "evidence_id": moment.evidence_id,
                "cycle": moment.cycle,
                "moment": moment.moment,
                "name": moment.name,
            },
        }
        for moment in scene.memory.moments
    ]
    return sorted(raised, key=lambda alert: _moment(alert.get("since")), reverse=True)


def _holdings(scene: Scene) -> Packet:
    said = dict(scene.body(VALUE).get("holdings") or {})
    bought = [contact for contact in _latest_first(scene.memory.touchpoints) if contact.kind == "purchase"]
    told: Packet = {
        "accounts": list(scene.body(PROFILE).get("accounts") or []),
        "last_purchases": [_purchase(contact) for contact in bought[:LAST_PURCHASES]],
        "usual_amount": None,
    }
    # figures of the whole customer: a partner sees only what came through himself
    return told if scene.reader.view == "partner" else told | said


def _purchase(contact: Touchpoint) -> Packet:
    return {
        "touchpoint_id": contact.touchpoint_id,
        "occurred_at": contact.occurred_at,
        "channel": contact.channel,
        "site": contact.site,
        "amount": money(contact.figures.get("amount")),
        "quantity": contact.figures.get("quantity"),
        "category": contact.figures.get("category"),
        "offering": contact.figures.get("offering"),
    }


def money(figure: Mapping[str, Any] | None) -> Packet | None:
    """The amount as it is answered, from minor units."""
    if not figure:
        return None
    return {"amount": from_minor(figure["minor"], figure["currency"]), "currency": figure["currency"]}


def _offers(contacts: Iterable[Touchpoint]) -> list[Packet]:
    """R19: campaigns sent and what he answered, quotes and how they stand. The newest first."""
    campaigns: dict[str, Packet] = {}
    quotes: list[Packet] = []
    for contact in sorted(contacts, key=in_time):
        if contact.kind == "quote":
            quotes.append(_quote(contact))
        code = contact.payload.get("campaign")
        if contact.kind not in ("campaign_send", "campaign_response") or code is None:
            continue
        offer = campaigns.setdefault(code, _campaign(code, contact))
        offer["at"] = contact.occurred_at
        if contact.kind == "campaign_response":
            offer |= {"answer": contact.payload.get("answer"), "answered_at": contact.occurred_at}
    return sorted([*campaigns.values(), *quotes], key=lambda offer: offer["at"], reverse=True)


def _campaign(code: str, contact: Touchpoint) -> Packet:
    return {
        "kind": "campaign",
        "campaign": code,
        "channel": contact.channel,
        "at": contact.occurred_at,
        "answer": None,
        "answered_at": None,
    }


def _quote(contact: Touchpoint) -> Packet:
    return {
        "kind": "quote",
        "touchpoint_id": contact.touchpoint_id,
        "channel": contact.channel,
        "at": contact.occurred_at,
        "offering": contact.payload.get("offering"),
        "amount": money(contact.figures.get("amount")),
        "answer": contact.payload.get("answer", "open"),
        "valid_until": contact.payload.get("valid_until"),
    }


def _people(scene: Scene) -> list[Packet]:
    roles = ROLES.get(scene.reader.view)
    if roles is None:
        return [dict(person) for person in scene.body(PROFILE).get("people") or []]
    return [{key: person.get(key) for key in ("role", "name", "since")} for person in _of_role(scene, roles)]


def _of_role(scene: Scene, roles: Iterable[str]) -> list[Mapping[str, Any]]:
    wanted = set(roles)
    return [person for person in scene.body(PROFILE).get("people") or [] if str(person.get("role")).lower() in wanted]


# --- R29 --------------------------------------------------------------------------------------------------------------


def _answer_the_caller(packet: Packet, scene: Scene, suggested: UUID | None) -> None:
    """What depends on who asks how: the questions for his channel, the thread for his topic, his identifiers."""
    if scene.reader.internal:
        packet["ask"] = questions(scene, packet["known"])
        packet["who"]["asked"] = [dict(identifier) for identifier in scene.question.asked]
    for thread in packet["threads"]:
        thread["suggested"] = thread["conversation_id"] == suggested


def _continuity(scene: Scene, version: str, suggested: UUID | None) -> Packet:
    parts = scene.memory.parts
    expected = TOLD_BY[scene.reader.view] if scene.who.customer_id is not None else ()
    told = [source for source in expected if source in parts]
    return {
        "as_of": scene.now,
        "version": version,
        "conversation_id": suggested,
        "sources": [
            {"source": "interactions", "as_of": scene.now, "lag_seconds": 0.0},
            *(_freshness(parts[s]) for s in told),
        ],
        "missing": [source for source in expected if source not in parts],
        "truncated": scene.who.truncated,
        "limits": {"traces": MOST_TRACES, "candidates": MOST_CANDIDATES},
    }


def _freshness(part: Part) -> Packet:
    """As of when the source spoke, and how long its word took to reach us."""
    lag = max(0.0, (part.received_at - part.as_of).total_seconds())
    return {"source": part.source, "as_of": part.as_of, "lag_seconds": round(lag, 3)}


def as_json(content: object, *, option: int = 0) -> bytes:
    """The bytes of the answer. asyncpg's own kind of UUID is written as any other."""
    return orjson.dumps(content, default=str, option=option | orjson.OPT_UTC_Z)


def _lasting(packet: Packet) -> Packet:
    """The packet without what changes by the mere passing of time."""
    passing = {"age_hours", "hours_open"}
    return packet | {
        section: [{key: value for key, value in item.items() if key not in passing} for item in packet[section]]
        for section in ("threads", "cases", "suggestions")
        if section in packet
    }


def _hash(content: object) -> str:
    return hashlib.blake2b(as_json(content, option=orjson.OPT_SORT_KEYS), digest_size=10).hexdigest()


def _latest_first(contacts: Iterable[Touchpoint]) -> list[Touchpoint]:
    return sorted(contacts, key=in_time, reverse=True)


def _hours(since: datetime, now: datetime) -> float:
    return round(max(0.0, (now - since).total_seconds()) / 3600, 1)


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
