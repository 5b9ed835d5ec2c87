"""Bodies and answers about customers."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from identity.customers.domain import CarriedIdentifier
from identity.customers.golden import Golden

_ID = "0192f0c1-0000-7000-8000-000000000001"
_AT = "2026-11-20T20:04:05Z"
_SAYS_SOMETHING = r"^[^\x00]*[^\s\x00][^\x00]*$"  # more than blanks, and nothing that PostgreSQL cannot store
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=_SAYS_SOMETHING)]
IdentifierText = Annotated[
    str, Field(min_length=3, max_length=256, examples=["phone:300 123 4567"], description="`scheme:value`, as the channel knows it")
]  # fmt: skip
Reason = Annotated[
    str,
    Field(min_length=1, max_length=1000, pattern=_SAYS_SOMETHING, examples=["He showed his cédula at the counter"]),
]


class Profile(BaseModel):
    """What is on record about the person, raw."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"full_name": "Ana María López Ruiz", "city": "Bogotá"}}
    )

    full_name: Text | None = None
    given_names: Text | None = None
    surnames: Text | None = None
    preferred_name: Text | None = None
    form_of_address: Text | None = Field(None, description="tú, usted, doctora ... (forma de tratamiento)")
    birth_date: date | None = None
    address: Text | None = None
    city: Text | None = None
    region: Text | None = None
    postcode: Text | None = None
    country: Text | None = None
    organisation: Text | None = None

    def values(self) -> dict[str, str | None]:
        """What was given; null takes a value away."""
        given = {name: getattr(self, name) for name in Profile.model_fields if name in self.model_fields_set}
        return {name: None if value is None else str(value) for name, value in given.items()}


class CustomerCreate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "kind": "person",
                "profile": {"full_name": "Ana María López Ruiz", "preferred_name": "Ana"},
                "identifiers": ["phone:300 123 4567", "document:co-cc:52.123.456"],
                "reason": "Opened at the Chapinero branch",
            }
        },
    )

    kind: Literal["person", "organisation", "household"] = "person"
    profile: Profile = Profile()
    identifiers: list[IdentifierText] = Field([], max_length=20)
    key_account: bool = False
    reason: Reason = "entered by staff"


class CustomerCreated(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"customer_id": _ID, "alike": []}})

    customer_id: UUID
    alike: list[UUID] = Field(
        description="Customers who carry one of the identifiers under a name that fits: perhaps he was entered before. "
        "`merges:preview` says what joining them would do"
    )


class CustomerPatch(Profile):
    """Values to put on record, verified. Null takes one away; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"preferred_name": "Anita", "city": None, "key_account": True}}
    )

    kind: Literal["person", "organisation", "household"] | None = None
    key_account: bool | None = None

    def flags(self) -> dict[str, Any]:
        given = {"kind": self.kind, "key_account": self.key_account}
        return {name: value for name, value in given.items() if value is not None}


class CustomerSearch(BaseModel):
    """One of the two: an identifier, or words of a name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"identifier": "phone:300 123 4567"}})

    identifier: IdentifierText | None = None
    q: str | None = Field(None, min_length=2, max_length=100, examples=["lopez ana"])
    cursor: str | None = Field(None, max_length=2000)
    limit: int = Field(50, ge=1, le=200)

    @model_validator(mode="after")
    def _one_of_them(self) -> "CustomerSearch":
        if (self.identifier is None) == (self.q is None):
            raise ValueError("give an identifier or q, one of them")
        return self


class CustomerFound(BaseModel):
    """One line of a search."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "customer_id": _ID, "kind": "person", "display_name": "Ana María López Ruiz", "preferred_name": "Ana",
                "city": "Bogotá", "since": _AT, "last_seen": _AT, "key_account": False,
            }
        }
    )  # fmt: skip

    customer_id: UUID
    kind: str
    display_name: str | None
    preferred_name: str | None
    city: str | None
    since: AwareDatetime
    last_seen: AwareDatetime | None
    key_account: bool


class AskedFor(BaseModel):
    """The identifier as it was given and in its normal form."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"given": "phone:300 123 4567", "normalised": "phone:+573001234567"}}
    )

    given: str
    normalised: str


class CustomersFound(BaseModel):
    """`recognised`: one customer, several candidates (a family's phone), or nobody. `complete`: all traces were looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "recognised": "customer",
                "asked_for": {"given": "phone:300 123 4567", "normalised": "phone:+573001234567"},
                "complete": True,
                "items": [CustomerFound.model_config["json_schema_extra"]["example"]],  # type: ignore[index]
                "next": None,
            }
        }
    )

    recognised: Literal["customer", "candidates", "unknown"]
    asked_for: AskedFor | None
    complete: bool
    items: list[CustomerFound]
    next: str | None


class ValueRead(BaseModel):
    """A value with where it came from. `verified`: staff or the customer himself wrote it. `rule`: why it stands (supervivencia)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "full_name", "value": "Ana María López Ruiz", "source": "whatsapp-gateway", "verified": False,
                "rule": "most-complete", "first_seen": _AT, "as_of": _AT,
            }
        }
    )  # fmt: skip

    key: str
    value: str
    source: str
    verified: bool
    rule: Literal["verified", "most-recent", "most-trusted", "most-complete", "longest"]
    first_seen: AwareDatetime
    as_of: AwareDatetime


class IdentifierRead(BaseModel):
    """An identifier he is known by. `attested`: its source vouches for it; `shared`: too many use it to tell who is who."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "normalised": "phone:+573001234567", "scheme": "phone", "value": "+573001234567", "attested": True,
                "shared": False, "source": "whatsapp-gateway", "first_seen": _AT, "last_seen": _AT,
            }
        }
    )  # fmt: skip

    normalised: str
    scheme: str
    value: str
    attested: bool
    shared: bool
    source: str
    first_seen: AwareDatetime
    last_seen: AwareDatetime

    @classmethod
    def of(cls, found: CarriedIdentifier) -> "IdentifierRead":
        return cls(
            normalised=found.text, scheme=found.scheme, value=found.value, attested=found.attested, shared=found.shared,
            source=found.source, first_seen=found.first_seen, last_seen=found.last_seen,
        )  # fmt: skip


class KnownFact(BaseModel):
    """The latest entry of a series of facts."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "best_hour", "value": "after 18:00", "source": "whatsapp", "confidence": 0.9, "as_of": _AT,
                "expires_at": None,
            }
        }
    )  # fmt: skip

    key: str
    value: Any
    source: str
    confidence: float
    as_of: AwareDatetime
    expires_at: AwareDatetime | None


class PersonAround(BaseModel):
    """Somebody of ours who looks after him."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "role": "account_owner", "staff_id": "s-17", "name": "Marta Gil", "since": _AT,
                "handover_note": "Prefers to be visited in the morning",
            }
        }
    )  # fmt: skip

    role: str
    staff_id: str | None
    name: str | None
    since: AwareDatetime
    handover_note: str | None


class TraceRead(BaseModel):
    """A trail that is his, and on what ground: attested, decided by a person, or only claimed."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"trace_id": _ID, "scheme": "phone", "proof": "attested", "first_seen": _AT, "last_seen": _AT}
        }
    )

    trace_id: UUID
    scheme: str
    proof: str
    first_seen: AwareDatetime
    last_seen: AwareDatetime


class CustomerRead(BaseModel):
    """The golden record (registro dorado). An absorbed id says in `merged_into` where it went."""

    customer_id: UUID = Field(examples=[_ID])
    kind: Literal["person", "organisation", "household"]
    state: Literal["active", "merged", "archived"]
    merged_into: UUID | None = Field(examples=[None])
    key_account: bool = Field(description="Told to staff alone; to the customer himself it is false")
    since: AwareDatetime = Field(examples=[_AT])
    display_name: str | None = Field(examples=["Ana María López Ruiz"])
    preferred_name: str | None = Field(examples=["Ana"])
    values: list[ValueRead]
    identifiers: list[IdentifierRead]
    facts: list[KnownFact]
    people: list[PersonAround] = Field(
        description="The customer himself sees his owner and his nanny, without staff ids and hand-over notes"
    )
    traces: list[TraceRead]

    @classmethod
    def of(cls, golden: Golden) -> "CustomerRead":
        him = golden.customer
        return cls(
            customer_id=him.customer_id, kind=him.kind, state=him.state, merged_into=golden.merged_into,
            key_account=him.key_account, since=him.since, display_name=golden.display_name,
            preferred_name=golden.preferred_name,
            values=[
                ValueRead(
                    key=v.key, value=v.value or "", source=v.source, verified=v.verified,
                    rule=golden.reasons[v.key], first_seen=v.first_seen, as_of=v.last_seen,
                )
                for v in golden.values
            ],
            identifiers=[IdentifierRead.of(i) for i in golden.identifiers if i.scheme != "customer"],
            facts=[
                KnownFact(
                    key=f.key, value=f.value, source=f.source, confidence=f.confidence, as_of=f.observed_at,
                    expires_at=f.expires_at,
                )
                for f in golden.facts
            ],
            people=[
                PersonAround(role=a.role, staff_id=a.staff_id, name=a.name, since=a.since, handover_note=a.handover_note)
                for a in golden.people
            ],
            traces=[
                TraceRead(
                    trace_id=t.trace_id, scheme=t.scheme, proof=t.proof, first_seen=t.first_seen, last_seen=t.last_seen
                )
                for t in golden.traces
            ],
        )  # fmt: skip


class IdentifierLink(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"identifier": "email:Ana@Example.com", "reason": "He wrote from it while we spoke"}
        },
    )

    identifier: IdentifierText
    reason: Reason


class IdentifierLinked(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"customer_id": _ID, "given": "email:Ana@Example.com", "normalised": "email:ana@example.com"}
        }
    )

    customer_id: UUID
    given: str
    normalised: str
