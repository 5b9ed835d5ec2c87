"""The bodies of the log: what a channel sends, and what it is told."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from common.company import Company
from common.contracts.interactions import Money
from common.errors import FieldError, Invalid, Refusal
from common.identifiers import Scheme, scheme_of
from common.moments import Moment
from common.money import InvalidMoney, to_minor
from common.problems import Malformed, field_errors_of, nul_in
from interactions.cases.domain import ANSWERS
from interactions.timeline.schemas import Internal
from interactions.touchpoints.domain import (
    Draft,
    ForeignSource,
    KnownTrace,
    NotForCustomers,
    Promise,
    Speaker,
    Unreadable,
    channel_of,
)
from interactions.touchpoints.payloads import CASE_KINDS, COUNTED, PAID, PAYLOADS, countable

Kind = Literal[
    "message", "call", "visit", "web", "purchase", "payment", "quote", "complaint", "claim", "petition", "suggestion",
    "compliment", "campaign_send", "campaign_response", "survey_response", "note",
]  # fmt: skip
Outcome = Literal["resolved", "pending", "informed", "unreachable", "declined", "abandoned"]

EXAMPLE: dict[str, Any] = {
    "source": "whatsapp-gateway",
    "external_id": "wamid.0001",
    "kind": "message",
    "channel": "whatsapp",
    "direction": "inbound",
    "site": "bogota-chapinero",
    "occurred_at": "2026-11-20T15:04:05-05:00",
    "identifiers": ["phone:300 123 4567"],
    "actor": {"kind": "customer"},
    "profile": {"full_name": "ANA M. LOPEZ RUIZ", "city": "Bogotá"},
    "topic": "billing",
    "content": "Buenas, la factura de octubre me llegó doble",
    "language": "es",
    "summary": "October invoice received twice",
    "stop_point": "He will send both invoices",
    "next_step": "We compare them",
    "outcome": "pending",
    "references": ["invoice:F-2210"],
    "facts": [{"key": "best_hour", "value": "after 18:00", "confidence": 0.9}],
    "commitments": [{"by": "company", "text": "Send one corrected invoice", "due_at": "2026-11-22T17:00:00-05:00"}],
    "payload": {},
}


READ_EXAMPLE: dict[str, Any] = {
    **{key: EXAMPLE[key] for key in EXAMPLE if key not in {"commitments", "identifiers"}},
    "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
    "version": 1,
    "state": "live",
    "corrects": None,
    "corrected_by": None,
    "occurred_at": "2026-11-20T20:04:05Z",
    "recorded_at": "2026-11-20T20:04:06Z",
    "identifiers": [{"given": "phone:300 123 4567", "normalised": "phone:+573001234567", "attested": True}],
    "actor": {"kind": "customer", "id": None, "name": None},
    "visibility": "customer",
    "backfill": False,
    "case_number": None,
    "conversation_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
    "matched_by": "new",
    "customer_id": None,
    "retraction": None,
    "redacted": [],
}


TOLD = r"\S"  # a text of blanks tells nothing
Word = Annotated[str, Field(min_length=1, max_length=60, pattern=TOLD)]
Text = Annotated[str, Field(max_length=20_000)]
Said = Annotated[str, Field(max_length=4_000)]
MOST_LEARNT = 200_000  # bytes of all facts of a contact: they are told in one event
# Why somebody did something; `text` is taken for it as well.
Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=TOLD, validation_alias=AliasChoices("reason", "text"))
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ActorBody(_Body):
    """Whoever attended (quien atendió)."""

    kind: Literal["customer", "staff", "partner", "system"]
    id: str | None = Field(None, max_length=200)
    name: str | None = Field(None, max_length=200)


class ProfileBody(_Body):
    """What the channel has on record about the person, raw (perfil)."""

    full_name: str | None = Field(None, max_length=300)
    given_names: str | None = Field(None, max_length=200)
    surnames: str | None = Field(None, max_length=200)
    birth_date: str | None = Field(None, max_length=40)
    address: str | None = Field(None, max_length=500)
    city: str | None = Field(None, max_length=200)
    region: str | None = Field(None, max_length=200)
    postcode: str | None = Field(None, max_length=40)
    country: str | None = Field(None, max_length=100)
    organisation: str | None = Field(None, max_length=300)
    preferred_name: str | None = Field(None, max_length=200)


class FactBody(_Body):
    """Something learned about the customer (dato aprendido)."""

    key: str = Field(min_length=1, max_length=100, pattern=TOLD)
    value: Said | int | float | bool | Annotated[list[Said], Field(max_length=100)]
    confidence: float = Field(1.0, ge=0, le=1)
    question_id: str | None = Field(None, max_length=100, description="The drip question that it answers")


class CommitmentBody(_Body):
    """A promise made in this contact (compromiso)."""

    by: Literal["company", "customer"]
    text: str = Field(min_length=1, max_length=2_000, pattern=TOLD)
    due_at: Moment | None = None


class TouchpointCreate(_Body):
    """One contact (punto de contacto), as the channel knows it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    # Factories, because Pydantic copies a list that is a default deeply, for each touchpoint that has none.
    source: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        pattern=TOLD,
        description="The sending system; the credential's by default, and always for a customer's own",
    )
    external_id: str = Field(
        min_length=1, max_length=200, pattern=TOLD, description="The source's own id: a resend counts once"
    )
    kind: Kind
    channel: Word
    direction: Literal["inbound", "outbound", "internal"] | None = Field(
        None, description="inbound by default; outbound for campaign_send, internal for note"
    )
    site: str | None = Field(None, max_length=100)
    occurred_at: Moment = Field(
        description="When it happened; up to five minutes ahead of our clock it counts as now, beyond that it is refused"
    )
    identifiers: list[Annotated[str, Field(min_length=1, max_length=300)]] = Field(
        default_factory=list,
        max_length=20,
        description="Who it was, `scheme:value` as the channel knows it; none for a cash sale",
    )
    attests: list[Scheme] | None = Field(
        None,
        max_length=10,
        description="The schemes that were proved in this contact, of those that the credential attests; all of those by default, `[]` where everything is a claim",
    )
    actor: ActorBody | None = None
    profile: ProfileBody | None = None
    topic: str | None = Field(None, min_length=1, max_length=100, pattern=TOLD)
    content: str | None = Field(None, max_length=200_000)
    language: str | None = Field(None, max_length=20)
    summary: Text | None = None
    stop_point: Text | None = Field(None, description="Where the talk stopped (punto donde quedó)")
    next_step: Text | None = Field(None, description="What was agreed to come next (siguiente paso)")
    outcome: Outcome | None = None
    visibility: Literal["customer", "internal"] | None = Field(
        None, description="customer by default; internal for note"
    )
    references: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list,
        max_length=50,
        description="What it is about (`invoice:F-2210`) or the channel's own thread (`mail:<id>`): the customer's thread that knows one of them goes on, so the first contact names it too",
    )
    facts: list[FactBody] = Field(default_factory=list, max_length=100)
    asked: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=list, max_length=50, description="Drip questions asked"
    )
    commitments: list[CommitmentBody] = Field(default_factory=list, max_length=50)
    backfill: bool = Field(False, description="History: recorded and counted, but sets nothing off")
    payload: dict[str, Any] = Field(default_factory=dict, description="Typed by kind")
    conversation_id: UUID | None = Field(None, description="Continue this thread; any touchpoint of it will do")
    keeps: list[UUID] = Field(default_factory=list, max_length=50, description="Commitments that this contact keeps")
    case: str | None = Field(None, min_length=1, max_length=30, description="The case that it speaks of")


class TouchpointRecordedRead(BaseModel):
    """What became of a touchpoint that was taken."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "recorded",
                "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
                "conversation_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
                "matched_by": "new",
                "customer_id": None,
                "case_number": None,
                "commitment_ids": ["0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d11"],
                "warnings": [],
            }
        }
    )

    status: Literal["recorded", "duplicate"]
    touchpoint_id: UUID
    conversation_id: UUID
    matched_by: Literal["reference", "topic", "recent", "new", "resumed-closed"]
    customer_id: UUID | None
    case_number: str | None
    commitment_ids: list[UUID]
    warnings: list[str]


class BatchRead(BaseModel):
    """What became of each row of a batch, in the order sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "recorded": 1,
                "duplicate": 0,
                "refused": 1,
                "results": [
                    {"index": 0, "status": "recorded", "touchpoint_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"},
                    {
                        "index": 1,
                        "status": "refused",
                        "parked_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d12",
                        "problem": {"code": "invalid", "errors": [{"pointer": "/kind", "code": "missing"}]},
                    },
                ],
            }
        }
    )

    recorded: int
    duplicate: int
    refused: int
    results: list[dict[str, Any]]


STAFF = "Agents only"
# What of a contact only staff and systems see: what the timeline keeps to them; what was learnt, of which the resume tells him
# what is his to know; and who emptied something and why.
OF_STAFF = Internal.model_fields.keys() | {"facts", "redacted"}


class TouchpointRead(BaseModel):
    """One touchpoint with all that is on record of it."""

    model_config = ConfigDict(json_schema_extra={"example": READ_EXAMPLE})

    touchpoint_id: UUID
    version: int
    state: Literal["live", "retracted", "corrected"]
    corrects: UUID | None
    corrected_by: UUID | None
    source: str | None = Field(default=None, description=STAFF)
    external_id: str | None = Field(default=None, description=STAFF)
    kind: str
    channel: str
    direction: str
    site: str | None
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime | None = Field(default=None, description=STAFF)
    identifiers: list[dict[str, Any]]
    actor: dict[str, Any] | None
    profile: dict[str, Any]
    topic: str | None
    content: str | None
    language: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    outcome: str | None
    visibility: str | None = Field(default=None, description=STAFF)
    references: list[str]
    facts: list[dict[str, Any]] | None = Field(default=None, description=STAFF)
    payload: dict[str, Any] | None = Field(default=None, description=STAFF)
    backfill: bool | None = Field(default=None, description=STAFF)
    case_number: str | None
    conversation_id: UUID | None
    matched_by: str | None
    customer_id: UUID | None
    retraction: dict[str, Any] | None
    redacted: list[dict[str, Any]] | None = Field(default=None, description=STAFF)


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place: bodies that we read ourselves are not among the components."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}
    return [_inlined(item, definitions) for item in schema] if isinstance(schema, list) else schema


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    inlined: dict[str, Any] = _inlined(schema, schema.get("$defs", {}))
    return inlined


def _touchpoint_schema() -> dict[str, Any]:
    schema = _schema_of(TouchpointCreate)
    kinds: dict[type[BaseModel], list[str]] = {}
    for kind, model in PAYLOADS.items():
        kinds.setdefault(model, []).append(kind)
    schema["properties"]["payload"] = {
        "description": "Typed by kind",
        "default": {},
        "anyOf": [_schema_of(model) | {"title": " | ".join(names)} for model, names in kinds.items()],
    }
    return schema


_SCHEMA = _touchpoint_schema()
TOUCHPOINT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA, "example": EXAMPLE}}}
}
_ROWS = {"type": "array", "maxItems": 1000, "items": {**_SCHEMA, "example": EXAMPLE}}
BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _ROWS, "example": [EXAMPLE]},
            "application/x-ndjson": {"schema": {"type": "string"}, "example": orjson.dumps(EXAMPLE).decode()},
        },
    }
}


def told_of(row: Mapping[str, Any], names: Iterable[str], *, internal: bool) -> dict[str, Any]:
    """What a row of the log has of the fields named, as far as it is for everybody or the reader is one of us."""
    return {name: row[name] for name in names if name in row and (internal or name not in OF_STAFF)}


def actor_of(row: Mapping[str, Any], *, internal: bool) -> dict[str, Any] | None:
    """Who attended; under which id we know him is for staff."""
    if not row["actor_kind"]:
        return None
    return {"kind": row["actor_kind"], "id": row["actor_id"] if internal else None, "name": row["actor_name"]}


def shown(
    row: Any, *, trace: KnownTrace | None, conversation_id: UUID | None, matched_by: str | None, internal: bool
) -> TouchpointRead:
    """The body for a row of the log."""
    taken_back = {"at": row["retracted_at"], "by": row["retracted_by"], "reason": row["retracted_reason"]}
    told = told_of(row, TouchpointRead.model_fields.keys() - {"identifiers"}, internal=internal)
    return TouchpointRead(
        **told,
        identifiers=[{key: one[key] for key in ("given", "normalised", "attested")} for one in row["identifiers"]],
        actor=actor_of(row, internal=internal),
        conversation_id=conversation_id,
        matched_by=matched_by,
        customer_id=trace.customer_id if trace else None,
        retraction=taken_back if row["retracted_at"] else None,
    )


def read_body(raw: bytes | str, *, speaker: Speaker, company: Company) -> Draft | Unreadable:
    """One touchpoint from its JSON text. What cannot be read is no exception: it is parked like all that is refused."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw if isinstance(raw, str) else raw.decode(errors="replace")
        return Unreadable(speaker.own_source, text, Malformed("The body is no JSON.", pointer=""), speaker)
    return read_document(document, speaker=speaker, company=company)


def read_document(document: object, *, speaker: Speaker, company: Company) -> Draft | Unreadable:
    """The same from parsed JSON: a row of a batch."""
    try:
        body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested deeper than can be written again
        return Unreadable(
            _origin(document, speaker), "null", Malformed("The body is nested too deeply.", pointer=""), speaker
        )
    try:
        return _draft(document, body, speaker=speaker, company=company)
    except Refusal as refusal:
        return Unreadable(_origin(document, speaker), body.decode(), refusal, speaker)


def _draft(document: object, body: bytes, *, speaker: Speaker, company: Company) -> Draft:
    if not isinstance(document, dict):
        raise Invalid("A touchpoint is a JSON object.", pointer="")
    if _NUL in body and (nul := nul_in(document)):
        raise Invalid("See errors.", errors=nul)
    try:
        given = TouchpointCreate.model_validate(document)
    except ValidationError as error:
        raise Invalid("See errors.", errors=field_errors_of(_in_body(error), document)) from None
    source = _source(given.source, speaker)
    if speaker.customer_id is not None:
        _only_of_himself(given)
    payload = _payload(given, document)
    person = given.actor
    return Draft(
        speaker=speaker if given.attests is None else speaker.attesting_only(given.attests),
        source=source,
        external_id=given.external_id,
        kind=given.kind,
        channel=channel_of(given.channel),
        direction=given.direction or _direction(given.kind),
        occurred_at=given.occurred_at,
        body=body.decode(),
        body_hash=_hash(body if document.get("source") == source else _with_source(document, source)),
        site=given.site,
        identifiers=_identifiers(given.identifiers, speaker),
        actor_kind=person.kind if person else None,
        actor_id=person.id if person else None,
        actor_name=person.name if person else None,
        profile={name: said for name, said in vars(given.profile).items() if said is not None} if given.profile else {},
        topic=given.topic,
        content=given.content,
        language=given.language,
        summary=given.summary,
        stop_point=given.stop_point,
        next_step=given.next_step,
        outcome=given.outcome,
        visibility=_visibility(given, speaker),
        references=tuple(dict.fromkeys(given.references)),
        facts=_learnt(given),
        asked=tuple(given.asked),
        promises=tuple([Promise(c.by, c.text, c.due_at) for c in given.commitments]),
        backfill=given.backfill and speaker.customer_id is None,
        payload=payload.model_dump(mode="json", exclude_unset=True) if given.payload else {},
        counted=_counted(payload, company),
        conversation_id=given.conversation_id,
        keeps=tuple(dict.fromkeys(given.keeps)),
        case=given.case.strip().upper() if given.case is not None else None,  # as our numbers are written
        partner=speaker.partner or (person.id if person and person.kind == "partner" else None),
        proved=None if given.attests is None else frozenset(given.attests),
    )


def _learnt(given: TouchpointCreate) -> tuple[dict[str, Any], ...]:
    facts = tuple([fact.model_dump(exclude_none=True) for fact in given.facts])
    if facts and len(orjson.dumps(facts)) > MOST_LEARNT:
        told = FieldError("/facts", "too-long", f"The facts of one contact have at most {MOST_LEARNT:,} bytes")
        raise Invalid("See errors.", errors=[told])
    return facts


def _source(given: str | None, speaker: Speaker) -> str:
    if given is not None and not speaker.speaks_for(given):
        raise ForeignSource(pointer="/source")
    return given or speaker.own_source


# What a customer may tell of himself: the company sells, takes payments, makes offers, sends campaigns and takes notes.
OF_A_CUSTOMER = frozenset(
    {
        "message", "call", "visit", "web", "complaint", "claim", "petition", "suggestion", "compliment",
        "campaign_response", "survey_response",
    }
)  # fmt: skip
# What the company says of a case of his: whose it is, whether it was answered and in time.
OF_THE_COMPANY = ("answered_at", "timely", "owner", "retention_critical")


def _only_of_himself(given: TouchpointCreate) -> None:
    """Raises NotForCustomers, naming each place where a customer's own credential would speak for the company."""
    found = {
        "/kind": given.kind not in OF_A_CUSTOMER,
        "/direction": given.direction not in (None, "inbound"),
        "/actor/kind": given.actor is not None and given.actor.kind in {"staff", "partner"},
        "/outcome": given.kind in CASE_KINDS and given.outcome in ANSWERS,
        **{f"/commitments/{place}/by": one.by == "company" for place, one in enumerate(given.commitments)},
        **{f"/payload/{name}": given.kind in CASE_KINDS and name in given.payload for name in OF_THE_COMPANY},
    }
    code, title = NotForCustomers.code, NotForCustomers.title
    if errors := [FieldError(pointer, code, title) for pointer, speaks in found.items() if speaks]:
        raise NotForCustomers("See errors.", errors=errors)


def _identifiers(given: list[str], speaker: Speaker) -> tuple[str, ...]:
    if speaker.customer_id is None:
        return tuple(given)
    # A customer's own token speaks for him alone, whatever else it claims.
    return (f"customer:{speaker.customer_id}", *(text for text in given if scheme_of(text) != "customer"))


def _direction(kind: str) -> Literal["inbound", "outbound", "internal"]:
    return "outbound" if kind == "campaign_send" else "internal" if kind == "note" else "inbound"


def _visibility(given: TouchpointCreate, speaker: Speaker) -> str:
    if speaker.customer_id is not None:
        return "customer"
    return given.visibility or ("internal" if given.kind == "note" or given.direction == "internal" else "customer")


def _payload(given: TouchpointCreate, document: Mapping[str, Any]) -> BaseModel:
    try:
        payload = PAYLOADS[given.kind].model_validate(given.payload) if given.payload else _empty_payload(given.kind)
    except ValidationError as error:
        sent = {**document, "payload": given.payload}  # where none was sent, the pointers lead into an empty one
        raise Invalid("See errors.", errors=field_errors_of(_in_body(error, "payload"), sent)) from None
    if given.kind in PAID and getattr(payload, "total", None) is None:
        raise Invalid(
            "See errors.", errors=[FieldError("/payload/amount", "missing", "Say how much, or give lines with amounts")]
        )
    return payload


@lru_cache
def _empty_payload(kind: Kind) -> BaseModel:
    """What a touchpoint of a kind tells that tells nothing; refused for the kinds that have to."""
    return PAYLOADS[kind].model_validate({})


def _in_body(error: ValidationError, *under: str) -> list[dict[str, Any]]:
    found = error.errors(include_input=False, include_url=False)
    return [{**one, "loc": ("body", *under, *one["loc"])} for one in found]


def _counted(payload: BaseModel, company: Company) -> dict[str, Any]:
    """What a payload adds to the figures that other services count."""
    if not isinstance(payload, COUNTED):
        return {}
    given = payload.model_dump()
    currency = given.get("currency") or company.currency
    counted: dict[str, Any] = {
        "amount": _money(getattr(payload, "total", None), currency, "/payload/amount"),
        "cost_of_goods": _money(given.get("cost_of_goods"), currency, "/payload/cost_of_goods"),
        "campaign": given.get("campaign"),
        "survey": given.get("survey"),
    }
    if "cost_of_goods" in given:
        counted |= {name: given.get(name) for name in ("quantity", "category", "offering")}
    if "answer" in given:
        counted["campaign_answer" if "campaign" in given else "quote_answer"] = given["answer"]
    if "survey" in given:
        counted["survey_answers"] = countable(given["answers"])
    return {name: value for name, value in counted.items() if value is not None}


def _money(amount: str | None, currency: str, pointer: str) -> Money | None:
    if amount is None:
        return None
    try:
        return Money(minor=to_minor(amount, currency), currency=currency)
    except InvalidMoney as refusal:
        raise InvalidMoney(refusal.detail, pointer=pointer) from None


def _with_source(document: Mapping[str, Any], source: str) -> bytes:
    return orjson.dumps({**document, "source": source}, option=orjson.OPT_SORT_KEYS)


def _hash(body: bytes) -> str:
    # Of the parsed document with its keys sorted: a resend that is only written otherwise is the same body.
    return hashlib.blake2b(body, digest_size=32).hexdigest()


def _origin(document: object, speaker: Speaker) -> str:
    given = document.get("source") if isinstance(document, dict) else None
    return given if isinstance(given, str) and speaker.speaks_for(given) else speaker.own_source


_NUL = rb"\u0000"  # as JSON writes it; a text may also spell it out, so whoever finds it looks closer
