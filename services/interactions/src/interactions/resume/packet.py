"""The packet: what a reader needs to pick up the thread, composed from what is on record. Pure.

The letters R1 to R29 are the elements of a resume in the requirements.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from common.names import greeting_name
from interactions.parts.domain import PROFILE, VALUE, Part
from interactions.resume import bond, talk
from interactions.resume.domain import MOST_CANDIDATES, MOST_TRACES, Candidate, Touchpoint
from interactions.resume.scene import Packet, Scene

# R7 and R8 are for agents and the customer himself
NOT_FOR_PARTNERS = frozenset({"cases", "suggestions"})
TOLD_BY = {"agent": (PROFILE, VALUE), "partner": (PROFILE,), "customer": (PROFILE,)}


@dataclass(frozen=True)
class Composed:
    """A packet and its two tags: `version` is the same whichever channel asks, `etag` is of this very answer."""

    packet: Packet
    version: str
    etag: str


def compose(scene: Scene, candidates: Sequence[Candidate] = ()) -> Composed:
    """The packet for the reader, with everything that is not for him left out (absent, not null)."""
    scene = _restrained(scene)
    settled = scene.once("settled", _settled)
    suggested = talk.suggested_thread(scene.memory.threads, scene.question.topic)
    packet: Packet = {
        "who": _who(scene, candidates),
        "resume_point": settled.sections["resume_point"],
        "threads": talk.threads(scene),
        "recap": settled.sections["recap"],
        "work_in_progress": settled.sections["work_in_progress"],
        "commitments": talk.commitments(scene),
        "cases": talk.cases(scene),
        "suggestions": talk.suggestions(scene),
        "known": [] if scene.wishes.restricted else bond.known(scene),
        "contact": bond.contact(scene),
        "holdings": settled.sections["holdings"],
        "offers": settled.sections["offers"],
        "people": settled.sections["people"],
    }
    if scene.reader.internal:
        packet |= {"value": bond.value(scene), "treatment": settled.sections["treatment"], "alerts": bond.alerts(scene)}
        packet["network"] = settled.sections["network"]
    if scene.reader.view == "partner":
        packet = {key: section for key, section in packet.items() if key not in NOT_FOR_PARTNERS}
    version = _hash([settled.hash, _lasting(packet)])
    _answer_the_caller(packet, scene, suggested)
    packet["continuity"] = _continuity(scene, version, suggested)
    return Composed(packet, version, f"{version}-{_hash([packet.get('ask'), packet['who'], suggested])[:8]}")


@dataclass(frozen=True)
class Settled:
    """The sections that are the same whenever and however they are asked for, written once, with the hash of them all."""

    sections: Mapping[str, orjson.Fragment]
    hash: str


def _settled(scene: Scene) -> Settled:
    sections: Packet = {
        "resume_point": talk.resume_point(scene),
        "recap": talk.recap(scene),
        "work_in_progress": talk.work_in_progress(scene),
        "holdings": bond.holdings(scene),
        "offers": [] if scene.wishes.restricted else bond.offers(scene),
        "people": bond.people(scene),
    }
    if scene.reader.internal:
        sections |= {"treatment": bond.treatment(scene), "network": bond.network(scene)}
    written = {name: orjson.Fragment(as_json(section)) for name, section in sections.items()}
    return Settled(written, _hash(sections))


def _restrained(scene: Scene) -> Scene:
    """Where the use of his data is restricted, what serves him stays: his threads, promises and cases. Nothing is made of the rest."""
    if not scene.wishes.restricted:
        return scene
    parts = {source: part for source, part in scene.memory.parts.items() if source != VALUE}
    if (profile := parts.get(PROFILE)) is not None:
        parts[PROFILE] = replace(profile, body={**profile.body, "known": [], "ask": [], "network": {}})
    return replace(scene, memory=replace(scene.memory, parts=parts))


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
    """What he wants to be called; before identity has spoken, from how a channel names him. Of organisations and households the name."""
    if profile.get("preferred_name"):
        return str(profile["preferred_name"])
    seen = [profile.get("display_name"), *(_named(contact.profile) for contact in contacts)]
    told = next(
        (contact.profile["preferred_name"] for contact in contacts if contact.profile.get("preferred_name")), None
    )
    if told:
        return str(told)
    name = next((name for name in seen if name), None)
    return greeting_name(name) if profile.get("kind", "person") == "person" else name


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


# --- R29 --------------------------------------------------------------------------------------------------------------


def _answer_the_caller(packet: Packet, scene: Scene, suggested: str | None) -> None:
    """What depends on who asks how: the questions for his channel, the thread for his topic, his identifiers."""
    if scene.reader.internal:
        packet["ask"] = bond.questions(scene, packet["known"])
        packet["who"]["asked"] = [dict(identifier) for identifier in scene.question.asked]
    for thread in packet["threads"]:
        thread["suggested"] = thread["conversation_id"] == suggested


def _continuity(scene: Scene, version: str, suggested: str | None) -> Packet:
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
    """What of the packet is not settled, without what changes by the mere passing of time."""
    passing = {"age_hours", "hours_open"}
    unsettled = {name: section for name, section in packet.items() if not isinstance(section, orjson.Fragment)}
    return unsettled | {
        section: [{key: value for key, value in item.items() if key not in passing} for item in packet[section]]
        for section in ("threads", "cases", "suggestions")
        if section in packet
    }


def _hash(content: object) -> str:
    return hashlib.blake2b(as_json(content, option=orjson.OPT_SORT_KEYS), digest_size=10).hexdigest()
