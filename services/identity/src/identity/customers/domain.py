"""The golden record: which of many values stands, where each came from, and what a customer's channels are told of him."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.company import Company, Survivorship
from common.errors import Conflict, Invalid, NotFound
from common.identifiers import RANK
from common.moments import written
from common.names import compatible, fold, greeting_name, tokens
from identity.knowledge.domain import (
    RECENT_DAYS,
    Fact,
    KnowledgeIndex,
    Put,
    current_facts,
    ends_of_rest,
    latest_facts,
    next_questions,
    ready_for_any_channel,
    understanding,
    weighed,
)
from identity.parties.domain import PartyRole, as_told
from identity.relationships.domain import MOST_TOLD, Relationship, by_weight, latest_of_each, ties_of, times_shown
from identity.sightings.domain import ProfileValue

FULL_NAME = 2  # words: a first name alone fits half a town

# Profile values that are facts to whoever talks with him: not to be asked again.
KNOWN_VALUES = ("birth_date", "address", "city", "region", "postcode", "country", "organisation")


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "There is no such customer"


class CustomerGone(Conflict):
    code = "customer-merged"
    title = "The customer was merged into another one"


class IdentifierTaken(Conflict):
    code = "identifier-taken"
    title = "The identifier is another customer's; merge the two if they are one"


class NothingToEnter(Invalid):
    code = "nothing-to-enter"
    title = "Give a name or an identifier: of nobody there is nothing to keep"


class NothingToSearch(Invalid):
    code = "nothing-to-search"
    title = "Give an identifier, or a name of at least two letters"


@dataclass(frozen=True)
class Customer:
    """That he exists, what he is, where he went."""

    customer_id: UUID
    kind: Literal["person", "organisation", "household"]
    state: Literal["active", "merged", "archived", "erased"]
    merged_into: UUID | None
    key_account: bool
    since: datetime
    created_by: str
    revision: int = 0
    profiled: int = 0
    profile_digest: str | None = None
    contacted: int = 0
    contact_digest: str | None = None


def as_one(stays: Customer, gone: Customer) -> Customer:
    """Whoever stays, with what the other was to us: a key account, and not put aside while one of the two is about."""
    state = "active" if gone.state == "active" else stays.state
    return replace(stays, state=state, key_account=stays.key_account or gone.key_account)


@dataclass(frozen=True)
class TraceInfo:
    """One of his traces, and on what ground it is his."""

    trace_id: UUID
    customer_id: UUID
    scheme: str
    proof: Literal["attested", "claimed", "person"]
    via: UUID | None
    first_seen: datetime
    last_seen: datetime

    @property
    def proven(self) -> bool:
        return self.proof != "claimed"


@dataclass(frozen=True)
class CarriedIdentifier:
    """An identifier of a customer, as one of his traces carries it."""

    trace_id: UUID
    identifier_id: UUID
    scheme: str
    value: str
    shared: bool
    attested: bool
    source: str
    first_seen: datetime
    last_seen: datetime

    @property
    def text(self) -> str:
        return f"{self.scheme}:{self.value}"


@dataclass(frozen=True)
class Assigned:
    """Somebody of ours looks after him. No staff: nobody does any more."""

    trace_id: UUID
    role: str
    staff_id: str | None
    name: str | None
    since: datetime
    handover_note: str | None
    by: str
    at: datetime


@dataclass(frozen=True)
class Dossier:
    """Everything on record about one customer, as his traces reach it."""

    customer: Customer
    traces: Sequence[TraceInfo] = ()
    values: Sequence[ProfileValue] = ()
    identifiers: Sequence[CarriedIdentifier] = ()
    facts: Sequence[Fact] = ()
    puts: Sequence[Put] = ()
    assigned: Sequence[Assigned] = ()
    proven: frozenset[UUID] = field(default_factory=frozenset)
    relations: Sequence[Relationship] = ()
    contacts: Sequence[
        tuple[Relationship, Sequence[ProfileValue]]
    ] = ()  # of an organisation: its people, with their names
    roles: Sequence[PartyRole] = ()

    def of_proven_traces(self) -> "Dossier":
        """What the customer himself may see: a stranger who typed his e-mail must not read on, nor be read."""
        return Dossier(
            self.customer,
            [t for t in self.traces if t.proven],
            [v for v in self.values if v.trace_id in self.proven],
            [i for i in self.identifiers if i.trace_id in self.proven],
            [f for f in self.facts if f.trace_id in self.proven],
            [p for p in self.puts if p.trace_id in self.proven],
            [a for a in self.assigned if a.trace_id in self.proven],
            self.proven,
        )


def survivors(values: Iterable[ProfileValue], rules: Survivorship) -> dict[str, ProfileValue]:
    """The value that stands for each key: what staff verified before what a channel saw; of those by the key's rule."""
    best: dict[str, ProfileValue] = {}
    for value in sorted(values, key=lambda each: _standing(each, rules)):
        best[value.key] = value
    return {key: value for key, value in best.items() if value.value is not None}


def reason_of(value: ProfileValue, rules: Survivorship) -> str:
    """Why the value stands: verified, or the rule of its key."""
    return "verified" if value.verified else rules.rule_of(value.key)


def _standing(value: ProfileValue, rules: Survivorship) -> tuple[Any, ...]:
    # among verified ones the latest stands, whatever the rule: staff wrote it to replace what was there
    by_rule = () if value.verified else _MEASURES[rules.rule_of(value.key)](value, rules)
    return (value.verified, by_rule, value.last_seen, value.source, value.value or "", str(value.trace_id))


def _completeness(value: ProfileValue, _: Survivorship) -> tuple[int, ...]:
    """Words that are written out, then words at all: an initial says less than a name, a name in full more than one of two."""
    words = fold(value.value or "").split()
    return (sum(len(word) > 1 for word in words), len(words))


_MEASURES: Mapping[str, Callable[[ProfileValue, Survivorship], tuple[int, ...]]] = {
    "most-recent": lambda _value, _rules: (),
    "most-trusted": lambda value, rules: (-rules.distrust(value.source),),
    "most-complete": _completeness,
    "longest": lambda value, _rules: (len(value.value or ""),),
}


def display_name(values: Mapping[str, ProfileValue]) -> str | None:
    for key in ("full_name", "organisation", "preferred_name"):
        if key in values:
            return values[key].value
    return None


def may_be_one(name: str | None, other: str | None) -> bool:
    """Whether two who share an identifier may be one person, entered twice: both names told in full, and they fit."""
    return min(len(tokens(name or "")), len(tokens(other or ""))) >= FULL_NAME and compatible(name, other)


def preferred_name(values: Mapping[str, ProfileValue], facts: Mapping[str, Fact], kind: str) -> str | None:
    """How he wants to be called: as he said; else his first name."""
    if "preferred_name" in values:
        return values["preferred_name"].value
    told = facts["preferred_name"].value if "preferred_name" in facts else None
    if isinstance(told, str) and told.strip():
        return told
    if kind != "person" or "full_name" not in values:
        return None
    return greeting_name(values["full_name"].value)


def one_of_each(identifiers: Iterable[CarriedIdentifier]) -> list[CarriedIdentifier]:
    """Each identifier once, the strongest scheme first: attested if any trace carries it so, first seen where it was first."""
    best: dict[str, CarriedIdentifier] = {}
    for each in sorted(identifiers, key=lambda i: (not i.attested, i.first_seen, str(i.trace_id))):
        best.setdefault(each.text, each)
    return sorted(best.values(), key=lambda i: (RANK.get(i.scheme, 9), i.first_seen, i.value))


def people_around(assigned: Iterable[Assigned]) -> list[Assigned]:
    """Who has each role at present."""
    latest = {each.role: each for each in _in_order(assigned)}
    return [latest[role] for role in sorted(latest) if latest[role].staff_id is not None]


def predecessor(of: Assigned, assigned: Iterable[Assigned]) -> Assigned | None:
    """Who had the role before him, and knows what the note does not say."""
    others = [a for a in _in_order(assigned) if a.role == of.role and a.staff_id not in (None, of.staff_id)]
    return others[-1] if others else None


def _in_order(assigned: Iterable[Assigned]) -> list[Assigned]:
    return sorted(assigned, key=lambda a: (a.at, a.since))


REACHED_BY = frozenset({"phone", "email"})  # whoever has one can be written to or called
# Facts that are known otherwise as well: by a value of the profile, or by an identifier.
KNOWN_BY = {"preferred_name": "preferred_name", "birthday": "birth_date", "email_address": "email"}


def known_keys(dossier: Dossier, values: Mapping[str, ProfileValue]) -> set[str]:
    """Keys that need no question because they are known otherwise than as facts."""
    there = values.keys() | {i.scheme for i in dossier.identifiers}
    return {key for key, by in KNOWN_BY.items() if by in there}


def knowledge_of(dossier: Dossier, company: Company, *, wishes: bool, now: datetime) -> KnowledgeIndex:
    """How well he is located, understood and related (S4-18). `wishes`: a preference or a consent of his is on record.

    Located and related are means of four things that are so or not; what too many share locates nobody.
    """
    values, facts = survivors(dossier.values, company.survivorship), current_facts(dossier.facts)
    schemes = {i.scheme for i in dossier.identifiers if not i.shared}
    seen = [t.last_seen for t in dossier.traces if t.scheme != "customer"]
    others = [r for r in latest_of_each(dossier.relations) if r.holds(now)]
    located = {
        "phone": "phone" in schemes,
        "email": "email" in schemes,
        "address": "address" in values,
        "proved-identity": any(t.proven for t in dossier.traces if t.scheme != "customer"),
    }
    related = {
        "dialogue": any(moment > now - timedelta(days=RECENT_DAYS) for moment in seen),
        "links": bool(others),
        "wishes": wishes,
        "owner": any(a.role == "account_owner" for a in people_around(dossier.assigned)),
    }
    understood = understanding(company.facts, company.questions, facts, known=known_keys(dossier, values), now=now)
    return KnowledgeIndex(weighed(located), understood, weighed(related))


class Asking:
    """What to ask next, worked out once for all of whom the same is known and who were never asked anything."""

    def __init__(self, company: Company, now: datetime) -> None:
        # whether a complaint is open interactions knows better: it leaves the questions out while one is
        self._catalogue, self._now = company.questions_for(None), now
        self._never_asked: dict[frozenset[str], list[dict[str, Any]]] = {}

    def of(self, dossier: Dossier, facts: Mapping[str, Fact], known: Collection[str]) -> list[dict[str, Any]]:
        if facts or dossier.puts:
            return self._wanted(facts, dossier.puts, known)
        if (same := frozenset(known)) not in self._never_asked:
            self._never_asked[same] = self._wanted({}, (), same)
        return self._never_asked[same]

    def _wanted(self, facts: Mapping[str, Fact], puts: Iterable[Put], known: Collection[str]) -> list[dict[str, Any]]:
        wanted = next_questions(self._catalogue, facts, puts, known=known, now=self._now, limit=len(self._catalogue))
        return [
            {"question_id": q.id, "key": q.key, "text": q.text, "channels": sorted(q.channels)}
            for q in ready_for_any_channel(wanted)
        ]


def profile_of(dossier: Dossier, company: Company, *, now: datetime, asking: Asking | None = None) -> dict[str, Any]:
    """The content of CustomerProfiled: names, what is known, what to ask next, accounts, people around him, his network."""
    values, facts = survivors(dossier.values, company.survivorship), current_facts(dossier.facts)
    kind = dossier.customer.kind
    founding = {t.trace_id for t in dossier.traces if t.proven or t.via is None}
    accounts = [i for i in dossier.identifiers if i.scheme == "account" and i.trace_id in founding]
    return {
        "kind": kind,
        "display_name": display_name(values),
        "preferred_name": preferred_name(values, facts, kind),
        "form_of_address": values["form_of_address"].value if "form_of_address" in values else None,
        # what was taken away is told as well: the touchpoint that taught it may be fresher than our word
        "known": _known(dossier, values, latest_facts(dossier.facts), company),
        "ask": (asking or Asking(company, now)).of(dossier, facts, known_keys(dossier, values)),
        "accounts": [i.text for i in one_of_each(accounts)],
        "people": [_of_ours(each, dossier.assigned) for each in people_around(dossier.assigned)] + [_contact(said, its, company) for said, its in present_contacts(dossier, now=now)[:MOST_TOLD]],
        "network": _network(dossier, now=now),
    }  # fmt: skip


def _of_ours(him: Assigned, assigned: Iterable[Assigned]) -> dict[str, Any]:
    before = predecessor(him, assigned)
    return {
        "role": him.role, "staff_id": him.staff_id, "name": him.name, "since": written(him.since),
        "handover_note": him.handover_note,
        "previous": before and {"staff_id": before.staff_id, "name": before.name},
    }  # fmt: skip


def _network(dossier: Dossier, *, now: datetime) -> dict[str, Any]:
    """To whom he is tied, and what he is to us himself (R25); nothing of most."""
    him = dossier.customer.customer_id
    roles = as_told(dossier.roles, used=times_shown(him, dossier.relations))
    network = {"ties": ties_of(him, dossier.relations, now=now), **roles}
    return network if any(network.values()) else {}


def present_contacts(dossier: Dossier, *, now: datetime) -> list[tuple[Relationship, Sequence[ProfileValue]]]:
    """The people of an organisation who are still there, those who decide first."""
    return sorted(
        [(said, values) for said, values in dossier.contacts if said.holds(now)], key=lambda each: by_weight(each[0])
    )


def _contact(said: Relationship, values: Iterable[ProfileValue], company: Company) -> dict[str, Any]:
    """One of the organisation's own people, beside those of ours who look after it."""
    return {
        "role": "contact", "staff_id": None, "name": display_name(survivors(values, company.survivorship)),
        "since": written(said.since), "handover_note": None, "customer_id": str(said.from_customer),
        "function": said.body.get("function"), "seniority": said.body.get("seniority"),
        "decision_role": said.body.get("decision_role"), "confirmed_at": written(said.at),
    }  # fmt: skip


def _known(
    dossier: Dossier, values: Mapping[str, ProfileValue], facts: Mapping[str, Fact], company: Company
) -> list[dict[str, Any]]:
    known: list[dict[str, Any]] = []
    for key, fact in sorted(facts.items()):
        definition = company.fact(key)
        if definition is not None and definition.sensitivity == "restricted":
            continue  # it does not leave this service
        public = definition is not None and definition.public and fact.trace_id in dossier.proven
        known.append(
            {
                "key": key, "value": fact.value, "as_of": written(fact.observed_at), "source": fact.source,
                "confidence": fact.confidence, "sensitivity": "public" if public else "internal",
                "expires_at": written(fact.expires_at) if fact.expires_at else None,
            }
        )  # fmt: skip
    for key in KNOWN_VALUES:
        if (value := values.get(key)) is not None:
            public = value.trace_id in dossier.proven
            known.append(
                {
                    "key": key, "value": value.value, "as_of": written(value.first_seen), "source": value.source,
                    "confidence": 1.0 if value.verified else 0.8, "sensitivity": "public" if public else "internal",
                    "expires_at": None,
                }
            )  # fmt: skip
    return known


def changes_by_itself_at(dossier: Dossier, *, now: datetime) -> datetime | None:
    """When what we tell of him changes without anything happening: a fact goes stale, a question may be put again."""
    moments: Collection[datetime] = [f.expires_at for f in current_facts(dossier.facts).values() if f.expires_at]
    moments = [*moments, *ends_of_rest(dossier.puts, now)]
    moments = [*moments, *(said.until for said in latest_of_each(dossier.relations) if said.until)]
    return min((moment for moment in moments if moment > now), default=None)
