"""R9 to R25: what we know of him, how he is to be treated, what he has, who looks after him, whom he knows. Pure; a section a function."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from common.company import Company
from common.money import from_minor
from interactions.parts.domain import CONTACT, PROFILE, VALUE, Part
from interactions.resume.domain import Reader, Touchpoint
from interactions.resume.scene import Packet, Scene, moment_of, people_of

LAST_PURCHASES = 5
MOST_QUESTIONS = 2  # "un par de preguntas" (S0-44)
COMPLAINING = frozenset({"complaint", "claim"})
NOT_YET_TOLD = timedelta(seconds=60)  # a fact as young as this may not have passed through identity yet
# R21: whom of our people each reader may know
ROLES = {"partner": frozenset({"account_owner"}), "customer": frozenset({"account_owner", "nanny"})}


# --- R9, R10: what we know and may ask --------------------------------------------------------------------------------


def known(scene: Scene) -> list[Packet]:
    """What we know and must not ask again: as identity tells it, and what was learned since it last spoke."""
    return [_fact(fact, scene.now, scene.company) for fact in scene.once("facts", _facts)]


def _facts(scene: Scene) -> list[Packet]:
    profile = scene.memory.parts.get(PROFILE)
    facts = {str(fact.get("key")): dict(fact) for fact in (profile.body.get("known") or [] if profile else [])}
    for learned in _learned(reversed(scene.contacts), profile, scene.company):
        held = facts.get(learned["key"])
        if held is None or moment_of(held.get("as_of")) < learned["as_of"]:
            facts[learned["key"]] = learned
    # without a value it was taken away
    shown = (fact for fact in facts.values() if fact.get("value") is not None and _may_know(fact, scene.reader))
    return sorted(shown, key=lambda fact: str(fact["key"]))


def _learned(contacts: Iterable[Touchpoint], profile: Part | None, company: Company) -> Iterable[Packet]:
    for contact in contacts:
        if profile is not None and contact.recorded_at <= profile.as_of - NOT_YET_TOLD:
            continue
        for fact in contact.facts:
            definition = company.fact(str(fact.get("key")))
            if definition is not None and definition.sensitivity == "restricted":
                continue  # identity tells nobody of it either
            validity = company.valid_for(str(fact.get("key")))
            yield {
                "key": str(fact.get("key")),
                "value": fact.get("value"),
                "as_of": contact.occurred_at,
                "source": contact.channel,
                "confidence": fact.get("confidence"),
                "expires_at": contact.occurred_at + validity if validity else None,
                "sensitivity": "public" if definition and definition.public else "internal",
            }


def _may_know(fact: Mapping[str, Any], reader: Reader) -> bool:
    sensitivity = str(fact.get("sensitivity", "internal"))
    return sensitivity != "restricted" if reader.internal else sensitivity == "public"


def _fact(fact: Mapping[str, Any], now: datetime, company: Company) -> Packet:
    expires_at = fact.get("expires_at")
    definition = company.fact(str(fact["key"]))
    return {
        "key": fact["key"],
        "category": definition.category if definition else None,
        "value": fact.get("value"),
        "as_of": fact.get("as_of"),
        "source": fact.get("source"),
        "confidence": fact.get("confidence"),
        "expires_at": expires_at,
        "stale": expires_at is not None and moment_of(expires_at) <= now,
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


# --- R11 to R25 -------------------------------------------------------------------------------------------------------


def contact(scene: Scene) -> Packet:
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
        "topics_out": sorted(wishes.topics_out),
        "visits": dict(said.get("visits") or {}),
        "restricted": wishes.restricted,
    }


def value(scene: Scene) -> Packet:
    said = scene.body(VALUE).get("value") or {}
    part, since = scene.memory.parts.get(VALUE), scene.memory.since
    empty = {
        "tier": None,
        "abc": None,
        "tenure_months": int((scene.now - since).days / 30.4375) if since else None,
        "as_of": part.as_of if part else None,
    }
    return empty | {"key_account": scene.memory.key_account} | dict(said)


def treatment(scene: Scene) -> Packet:
    empty: Packet = {"service_level": None, "attend_by": None, "spend_limit": None, "reasons": []}
    return empty | dict(scene.body(VALUE).get("treatment") or {})


def alerts(scene: Scene) -> list[Packet]:
    """R20: what scoring signals, promises of ours that are late, moments of truth that failed. The newest first."""
    late = [promise for promise in scene.memory.commitments if promise.alarms_at(scene.now)]
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
    return sorted(raised, key=lambda alert: moment_of(alert.get("since")), reverse=True)


def holdings(scene: Scene) -> Packet:
    said = dict(scene.body(VALUE).get("holdings") or {})
    bought = [contact for contact in scene.contacts if contact.kind == "purchase"]
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


def offers(scene: Scene) -> list[Packet]:
    """R19: campaigns sent and what he answered, quotes and how they stand. The newest first."""
    campaigns: dict[str, Packet] = {}
    quotes: list[tuple[Any, Packet]] = []
    for contact in reversed(scene.contacts):
        if contact.kind == "quote":
            quotes = _with_quote(quotes, contact)
        code = contact.payload.get("campaign")
        if contact.kind not in ("campaign_send", "campaign_response") or code is None:
            continue
        offer = campaigns.setdefault(code, _campaign(code, contact))
        offer["at"] = contact.occurred_at
        if contact.kind == "campaign_response":
            offer |= {"answer": contact.payload.get("answer"), "answered_at": contact.occurred_at}
    quoted = [quote for _, quote in quotes]
    return sorted([*campaigns.values(), *quoted], key=lambda offer: offer["at"], reverse=True)


def _campaign(code: str, contact: Touchpoint) -> Packet:
    return {
        "kind": "campaign",
        "campaign": code,
        "channel": contact.channel,
        "at": contact.occurred_at,
        "answer": None,
        "answered_at": None,
    }


def _with_quote(quotes: list[tuple[Any, Packet]], contact: Touchpoint) -> list[tuple[Any, Packet]]:
    """His answer takes the place of the quotes still open for the same offering in its thread, and keeps their terms where it tells none."""
    quote = _quote(contact)
    about = contact.conversation_id, quote["offering"]
    if quote["answer"] == "open":
        return [*quotes, (about, quote)]
    answered = [told for told in quotes if told[0] == about and told[1]["answer"] == "open"]
    terms = {key: value for _, told in answered for key, value in told.items() if quote[key] is None}
    return [*(told for told in quotes if told not in answered), (about, quote | terms)]


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


def people(scene: Scene) -> list[Packet]:
    roles = ROLES.get(scene.reader.view)
    if roles is None:
        return [dict(person) for person in scene.body(PROFILE).get("people") or []]
    return [{key: person.get(key) for key in ("role", "name", "since")} for person in people_of(scene, roles)]


def network(scene: Scene) -> Packet:
    """R25. Of others only those are named of whom we may speak: who is erased, or not to be used, is but counted."""
    said, names = scene.body(PROFILE).get("network") or {}, scene.memory.beside
    ties = [
        {
            **{key: tie[key] for key in ("kind", "given", "count")},
            "others": [
                {"display_name": names[other["customer_id"]], **other}
                for other in tie["others"]
                if other["customer_id"] in names
            ],
        }
        for tie in said.get("ties") or []
    ]
    return {"ties": ties, "reference": said.get("reference"), "partner": said.get("partner")}
