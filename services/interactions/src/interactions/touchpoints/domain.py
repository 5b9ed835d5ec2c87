"""What a touchpoint is, when it is taken, and what it tells: the rules of the log. No I/O, no clock."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Literal
from uuid import UUID

from common.company import Company
from common.contracts.interactions import PersonSeen, TouchpointRecorded
from common.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from common.events import Following, Told
from common.identifiers import (
    Identifier,
    identifier_id,
    read_identifiers,
    trace_of,
    traces_alone,
)
from common.moments import check_occurred
from common.names import compatible, fold
from common.values import value
from interactions.cases.domain import CaseFile
from interactions.commitments.domain import Commitment
from interactions.touchpoints.payloads import CASE_KINDS, PAID

NOT_MINTED = UUID(int=0)
CUSTOMERS_LOOKED_AT = 20
TRACES_LOOKED_AT = 200


class DifferentBody(Conflict):
    code = "different-body"
    title = "The source has sent another body under this external id before"


class PersonErased(Conflict):
    code = "erased"
    title = "The person behind it was erased; what occurred before, or is sent under the id that he had, is not taken any more"


class ForeignSource(Forbidden):
    code = "foreign-source"
    title = "The credential does not speak for this source"


class NotForCustomers(Forbidden):
    code = "not-for-customers"
    title = "A customer's own credential speaks for him, and never for the company"


class UnknownTouchpoint(NotFound):
    code = "unknown-touchpoint"
    title = "No touchpoint under that id"


class TouchpointNotLive(Conflict):
    code = "touchpoint-not-live"
    title = "The touchpoint was retracted or corrected before"


class UnknownThread(Invalid):
    code = "unknown-conversation"
    title = "The customer has no such conversation"


class UnknownCaseNumber(Invalid):
    code = "unknown-case"
    title = "The customer has no such case"


class UnknownPromise(Invalid):
    code = "unknown-commitment"
    title = "The customer has no such commitment"


class AnotherExternalId(Invalid):
    code = "another-external-id"
    title = "A correction keeps source and external id"


class NotRedactable(Invalid):
    code = "not-redactable"
    title = "The pointer names nothing that can be emptied"


class Unstorable(Invalid):
    code = "unstorable"
    title = "The database cannot keep a value of it"


@value(frozen=True)
class Speaker:
    """Who sends: for which source he speaks, which schemes he attests, and whose data alone he reaches."""

    by: str
    source: str | None = None
    bound: bool = False  # he speaks for that source only
    attests: frozenset[str] = frozenset()
    customer_id: UUID | None = None
    partner: str | None = None

    @property
    def own_source(self) -> str:
        """The source of what he sends without naming one."""
        return self.source or self.by

    def speaks_for(self, source: str) -> bool:
        """Under another system's name a customer could take the external ids of its contacts, so he speaks for his own alone."""
        return source == self.own_source or not (self.bound or self.customer_id is not None)

    def attesting_only(self, schemes: Iterable[str]) -> "Speaker":
        """The same where no more than these were proved: never what his credential does not attest."""
        return replace(self, attests=frozenset(each for each in schemes if {each, "*"} & self.attests))

    def as_row(self) -> dict[str, Any]:
        """To be parked with what he sent."""
        customer_id = str(self.customer_id) if self.customer_id else None
        return {**vars(self), "attests": sorted(self.attests), "customer_id": customer_id}

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Speaker":
        customer_id = UUID(row["customer_id"]) if row["customer_id"] else None
        return cls(**{**row, "attests": frozenset(row["attests"]), "customer_id": customer_id})


@value(frozen=True)
class Promise:
    """A commitment made in a touchpoint."""

    by: Literal["company", "customer"]
    text: str
    due_at: datetime | None


@value(frozen=True)
class Draft:
    """A touchpoint as a channel sent it, well-formed, not yet accepted. `body` is what is parked when it is refused."""

    speaker: Speaker
    source: str
    external_id: str
    kind: str
    channel: str
    direction: Literal["inbound", "outbound", "internal"]
    occurred_at: datetime
    body: str
    body_hash: str
    site: str | None = None
    identifiers: tuple[str, ...] = ()
    actor_kind: str | None = None
    actor_id: str | None = None
    actor_name: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    topic: str | None = None
    content: str | None = None
    language: str | None = None
    summary: str | None = None
    stop_point: str | None = None
    next_step: str | None = None
    outcome: str | None = None
    visibility: str = "customer"
    references: tuple[str, ...] = ()
    facts: tuple[Mapping[str, Any], ...] = ()
    asked: tuple[str, ...] = ()
    promises: tuple[Promise, ...] = ()
    backfill: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)
    counted: Mapping[str, Any] = field(default_factory=dict)  # what the payload adds to the figures
    conversation_id: UUID | None = None
    keeps: tuple[UUID, ...] = ()
    case: str | None = None
    partner: str | None = None
    proved: frozenset[str] | None = None  # the schemes that it says were proved; None where it does not say


@value(frozen=True)
class Unreadable:
    """A body that is no touchpoint, and why. It is parked beside those that the rules refuse."""

    origin: str
    body: str
    refusal: Refusal
    speaker: Speaker  # kept with it: whoever sends it again later does not speak for himself


@value(frozen=True)
class Seen:
    """An identifier of a touchpoint: its keyed id, and whether its source proves it or claims it."""

    identifier_id: UUID
    identifier: Identifier
    attested: bool

    @cached_property
    def as_row(self) -> dict[str, Any]:
        return {
            "id": str(self.identifier_id),
            "scheme": self.identifier.scheme,
            "value": self.identifier.value,
            "given": self.identifier.given,
            "normalised": self.identifier.text,
            "attested": self.attested,
        }


@value(frozen=True)
class Touchpoint:
    """An accepted touchpoint, on its way into the log."""

    touchpoint_id: UUID  # minted under the locks, so that ids of one party follow the order of its transactions
    draft: Draft
    trace_id: UUID
    seen: tuple[Seen, ...]
    nobodys: tuple[Seen, ...]  # on the block list: neither trace nor evidence, but identity tells staff of them
    recorded_at: datetime
    topic: str | None
    warnings: tuple[str, ...] = ()
    version: int = 1
    position: UUID | None = None
    corrects: UUID | None = None
    continues: UUID | None = None
    case_number: str | None = None
    part_of: Following | None = None  # the contact's way, where several requests share a transaction
    its_case: CaseFile | None = None  # of the version that it corrects: it goes on under its number,
    its_promises: tuple[Commitment, ...] = ()  # and these under their ids

    @property
    def anonymous(self) -> bool:
        return not self.seen

    @property
    def key(self) -> tuple[str, str]:
        return self.draft.source, self.draft.external_id

    @property
    def folded_name(self) -> str | None:
        name = name_of(self.draft.profile)
        return fold(name) or None if name else None

    @property
    def documents(self) -> list[str]:
        return [seen.identifier.text for seen in self.seen if seen.identifier.scheme == "document"]

    @property
    def customer_named(self) -> UUID | None:
        """The customer that it was addressed to by id (`customer:<id>`)."""
        named = (s.identifier for s in self.seen if s.identifier.scheme == "customer" and s.identifier.readable)
        return next((UUID(identifier.value) for identifier in named), None)


@value(frozen=True)
class KnownTrace:
    """What is on record of a trace."""

    trace_id: UUID
    customer_id: UUID | None
    revision: int = 0
    proof: str | None = None
    folded_name: str | None = None
    documents: tuple[str, ...] = ()
    new: bool = False  # met for the first time: not on record yet

    @property
    def party_id(self) -> UUID:
        return self.customer_id or self.trace_id


def accept(
    draft: Draft, *, now: datetime, company: Company, secret: bytes, part_of: Following | None = None
) -> Touchpoint:
    """The draft with its identifiers normalised and its trace computed, from its own content alone. Raises Invalid."""
    check_occurred(draft.occurred_at, now=now, pointer="/occurred_at")
    if draft.kind in CASE_KINDS and (answered_at := draft.payload.get("answered_at")) is not None:
        check_occurred(datetime.fromisoformat(answered_at), now=now, pointer="/payload/answered_at")
    name = name_of(draft.profile)
    read = _read(
        draft.identifiers,
        name,
        draft.source,
        draft.speaker.attests,
        region=company.phone_region,
        blocks=company.identifiers.blocks,
        issuers=company.identifiers.shared_account_issuers,
        secret=secret,
    )
    trace_id = read.trace_id or trace_of((), source=draft.source, external_id=draft.external_id, secret=secret).trace_id
    topic = company.topic_of(draft.topic)
    if draft.occurred_at > now:  # by a clock that goes ahead: what is said next must not be outdated by it
        draft = replace(draft, occurred_at=now)
    return Touchpoint(
        touchpoint_id=NOT_MINTED,
        draft=draft,
        trace_id=trace_id,
        seen=read.seen,
        nobodys=read.nobodys,
        recorded_at=now,
        topic=topic or draft.topic,
        warnings=_warnings(draft, read, is_known_topic=topic is not None, company=company),
        part_of=part_of,
    )


@value(frozen=True)
class _Read:
    """What the identifiers of a touchpoint say, whichever touchpoint it is that brings them."""

    trace_id: UUID | None  # none where no identifier is left to name one
    seen: tuple[Seen, ...]  # first the one that names the trace
    nobodys: tuple[Seen, ...]  # on the block list
    misread: bool


# A person comes back under the same identifiers and name, and all of this is computed from them alone.
@lru_cache(maxsize=16_384)
def _read(
    given: tuple[str, ...],
    name: str | None,
    source: str,
    attests: frozenset[str],
    *,
    region: str,
    blocks: Callable[[str], bool],
    issuers: frozenset[str],
    secret: bytes,
) -> _Read:
    # One wrong digit must not lose the contact: what cannot be read is kept as it is spelt, and proves nothing.
    reading = read_identifiers(given, default_region=region, source=source)
    kept = [identifier for identifier in reading.identifiers if not blocks(identifier.text)]
    misread = bool(reading.warnings)
    nobodys = tuple([_seen(one, frozenset(), secret) for one in reading.identifiers if blocks(one.text)])
    if not kept:
        return _Read(None, (), nobodys, misread)
    trace = trace_of(kept, name=name, source=source, external_id="", secret=secret, shared_account_issuers=issuers)
    ordered = sorted(kept, key=lambda identifier: identifier.text != trace.text)
    return _Read(trace.trace_id, tuple([_seen(one, attests, secret) for one in ordered]), nobodys, misread)


def traces_it_names(touchpoint: Touchpoint, *, company: Company, secret: bytes) -> set[UUID]:
    """Its own trace, and those that it would have been on with each of its other identifiers alone."""
    others = [seen.identifier for seen in touchpoint.seen[1:]]  # the first is what named its trace
    if not others:
        return {touchpoint.trace_id}
    issuers = company.identifiers.shared_account_issuers
    name = name_of(touchpoint.draft.profile)
    return {touchpoint.trace_id} | traces_alone(others, name=name, secret=secret, shared_account_issuers=issuers)


def _seen(identifier: Identifier, attests: frozenset[str], secret: bytes) -> Seen:
    attested = identifier.readable and ("*" in attests or identifier.scheme in attests)
    return Seen(identifier_id(identifier.text, secret), identifier, attested)


def _warnings(draft: Draft, read: _Read, *, is_known_topic: bool, company: Company) -> tuple[str, ...]:
    talks = draft.kind in {"message", "call", "visit"} and draft.direction != "internal" and not draft.backfill
    found = {
        "blocked-identifier": bool(read.nobodys),
        "unreadable-identifier": read.misread,
        "unknown-channel": draft.channel not in company.channels,
        "unknown-topic": draft.topic is not None and not is_known_topic,
        "no-stop-point": talks and draft.stop_point is None and draft.actor_kind == "staff",
    }
    return tuple(code for code, holds in found.items() if holds)


def channel_of(told: str) -> str:
    """A channel's code as the log keeps it: WhatsApp and whatsapp are one."""
    return told.strip().lower()


def name_of(profile: Mapping[str, Any]) -> str | None:
    """The person's name as the channel has it: whole, or put together from its parts."""
    whole = profile.get("full_name") or " ".join(filter(None, (profile.get("given_names"), profile.get("surnames"))))
    return str(whole).strip() or None


def provisional_customer(
    touchpoint: Touchpoint,
    *,
    reached: Mapping[UUID, Collection[UUID]],
    traces_of: Mapping[UUID, Sequence[KnownTrace]],
) -> UUID | None:
    """The one customer whom its identifiers reach, if nothing on record contradicts it: not another document, not another name.

    `reached`: identifier id -> customers; `traces_of`: customer -> what is on record of his traces. Until identity has
    spoken, so that the resume is right at once. A device alone proves nothing.
    """
    found: set[UUID] = set()
    for seen in touchpoint.seen:
        if seen.identifier.scheme != "device" and seen.identifier.readable:
            found.update(reached.get(seen.identifier_id, ()))
    if len(found) != 1:
        return None
    (customer_id,) = found
    return None if contradicts(touchpoint, traces_of.get(customer_id, ())) else customer_id


def contradicts(touchpoint: Touchpoint, traces: Sequence[KnownTrace]) -> bool:
    """Whether the touchpoint names another document of a type, or another name, than the traces carry."""
    return _other_document(touchpoint, traces) or _other_name(touchpoint.folded_name, traces)


def _other_document(touchpoint: Touchpoint, traces: Sequence[KnownTrace]) -> bool:
    known = {document for trace in traces for document in trace.documents}
    types = {document.rpartition(":")[0] for document in known}
    return any(document not in known and document.rpartition(":")[0] in types for document in touchpoint.documents)


def _other_name(name: str | None, traces: Sequence[KnownTrace]) -> bool:
    known = [trace.folded_name for trace in traces if trace.folded_name]
    return bool(name and known) and not any(compatible(name or "", other) for other in known)


def recorded(touchpoint: Touchpoint, *, conversation_id: UUID, company: Company) -> TouchpointRecorded | Told:
    """What the other services may count of it: nothing personal."""
    draft = touchpoint.draft
    trace_id = str(touchpoint.trace_id)
    figures = {
        "touchpoint_id": str(touchpoint.touchpoint_id),
        "trace_id": trace_id,
        "source": draft.source,
        "kind": draft.kind,
        "channel": draft.channel,
        "direction": draft.direction,
        "occurred_at": draft.occurred_at,
        "recorded_at": touchpoint.recorded_at,
        "backfill": draft.backfill,
        "anonymous": touchpoint.anonymous,
        "site": draft.site,
        "topic_code": touchpoint.topic,
        "outcome": draft.outcome,
        "actor_kind": draft.actor_kind,
        "actor_id": draft.actor_id,
        "conversation_id": str(conversation_id),
        "case_number": touchpoint.case_number,
        "contact_cost": _contact_cost(draft, company),
    }
    if draft.counted:  # of many types, which the class puts right
        return TouchpointRecorded(**figures, **draft.counted)
    return Told.of(TouchpointRecorded, trace_id, figures)


def _contact_cost(draft: Draft, company: Company) -> dict[str, Any] | None:
    """What the contact cost us, by the channel's price. A sale's cost is in its goods; a note among ourselves is no contact."""
    if draft.kind in PAID or draft.direction == "internal":
        return None
    return {"minor": company.contact_cost(draft.channel), "currency": company.currency}


def person_of(row: Mapping[str, Any], *, identifiers: Iterable[Mapping[str, Any]], asked: Collection[str] = ()) -> Told:
    """What a touchpoint tells of the person behind it, from its row in the log or from what is about to become one."""
    trace_id = str(row["trace_id"])
    seen = {
        "touchpoint_id": str(row["touchpoint_id"]),
        "trace_id": trace_id,
        "source": row["source"],
        "channel": row["channel"],
        "occurred_at": row["occurred_at"],
        "recorded_at": row["recorded_at"],
        "backfill": row["backfill"],
        "identifiers": [
            {"id": one["id"], "scheme": one["scheme"], "value": one["value"], "attested": one["attested"]}
            for one in identifiers
        ],
        "profile": row["profile"],
        "facts": row["facts"],
        "has_open_case": row["kind"] in {"complaint", "claim"},
        "asked": asked,
    }
    return Told.of(PersonSeen, trace_id, seen)


def proved_as_before(corrected: Touchpoint, row: Mapping[str, Any]) -> Touchpoint:
    """With what the version before (`row`) proves and the partner through whom it came: whoever mends a word of it was not there.

    He attests what he brings himself, as in any contact, and may say of the rest that less was proved, never more.
    """
    draft = corrected.draft
    before = {one["normalised"]: one["attested"] for one in row["identifiers"]}
    seen = tuple([replace(one, attested=_still_proved(one, before, draft.proved)) for one in corrected.seen])
    named = row["actor_id"] if row["actor_kind"] == "partner" else None
    # A partner whom only the body had named, as its actor, is as the body has him now.
    partner = draft.partner if row["partner"] == named else row["partner"]
    return replace(corrected, seen=seen, draft=replace(draft, partner=partner))


def _still_proved(one: Seen, before: Mapping[str, bool], proved: Collection[str] | None) -> bool:
    if one.identifier.text not in before:
        return one.attested
    return before[one.identifier.text] and (proved is None or one.identifier.scheme in proved)


def minted(touchpoint: Touchpoint, touchpoint_id: UUID, *, at: datetime) -> Touchpoint:
    """With its id, under which it is recorded; a corrected version keeps the place of the version before it."""
    given = {"touchpoint_id": touchpoint_id, "position": touchpoint.position or touchpoint_id, "recorded_at": at}
    return Touchpoint(**{**vars(touchpoint), **given})  # `replace` costs three times as much


PROMISES = "commitments"  # their texts lie beside the log
REDACTABLE = (
    "content",
    "summary",
    "stop_point",
    "next_step",
    "payload",
    "profile",
    "facts",
    "references",
    "actor_name",
)


def redacted(row: Mapping[str, Any], pointers: Sequence[str]) -> dict[str, Any]:
    """The columns that change when what the pointers name is emptied. Raises NotRedactable for a pointer elsewhere.

    An item of a list is taken out of it: nobody can read an empty one. All pointers name the list as it was.
    """
    changes: dict[str, Any] = {}
    for place, named in _from_the_back(pointers):
        steps = ["actor_name", *named[2:]] if named[:2] == ["actor", "name"] else named
        if steps and steps[0] == PROMISES:
            continue
        if not steps or steps[0] not in REDACTABLE:
            raise NotRedactable(
                "Content, summaries, payload, profile, facts, references and texts of commitments can be emptied",
                pointer=f"/pointers/{place}",
            )
        column = steps[0]
        changes[column] = _emptied(changes.get(column, row[column]), steps[1:], place)
    return changes


def _from_the_back(pointers: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The steps of each pointer with its place; of a list the last item first, so that taking it out moves no other that is named."""
    places = {pointer: place for place, pointer in enumerate(pointers)}  # named twice, an item is taken out once
    steps = [
        (place, [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]])
        for pointer, place in places.items()
    ]
    return sorted(steps, key=lambda one: [(len(step), step) for step in one[1]], reverse=True)


def promises_named(pointers: Sequence[str], promised: Sequence[object]) -> list[int]:
    """Of which promises the pointers name the text. Raises NotRedactable where there is none."""
    named: list[int] = []
    for place, pointer in enumerate(pointers):
        column, _, rest = pointer.removeprefix("/").partition("/")
        if column == PROMISES:
            number, _, what = rest.partition("/")
            if what != "text" or not number.isdecimal() or int(number) >= len(promised):
                raise NotRedactable("There is nothing under that pointer", pointer=f"/pointers/{place}")
            named.append(int(number))
    return named


def _emptied(value: Any, steps: Sequence[str], place: int) -> Any:
    if not steps:
        return {} if isinstance(value, dict) else [] if isinstance(value, list) else None
    step, *rest = steps
    if isinstance(value, dict) and step in value:
        return value | {step: _emptied(value[step], rest, place)}
    if isinstance(value, list) and (at := _item_named(step, value)) is not None:
        return [*value[:at], *([_emptied(value[at], rest, place)] if rest else []), *value[at + 1 :]]
    raise NotRedactable("There is nothing under that pointer", pointer=f"/pointers/{place}")


def _item_named(step: str, items: Sequence[Any]) -> int | None:
    """The place that a pointer's step names, written as numbers are and in no other way: else two steps could name one item."""
    at = int(step) if step.isdecimal() else None
    return at if at is not None and str(at) == step and at < len(items) else None


def empty(document: Any, pointers: Sequence[str]) -> None:
    """Take what the pointers name out of a parked body, where it is there."""
    for _, steps in _from_the_back(pointers):
        _take_out(document, steps)


def _take_out(document: Any, steps: Sequence[str]) -> None:
    *way, last = steps
    for step in way:
        if isinstance(document, list):
            at = _item_named(step, document)
            document = None if at is None else document[at]
        else:
            document = document.get(step) if isinstance(document, dict) else None
    if isinstance(document, dict):
        document.pop(last, None)
    elif isinstance(document, list) and (at := _item_named(last, document)) is not None:
        del document[at]
