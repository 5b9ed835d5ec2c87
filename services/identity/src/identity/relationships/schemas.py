"""Bodies and answers about relationships, contacts and referrals."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from common.moments import Moment
from identity.customers.schemas import IdentifierText
from identity.relationships.domain import Relationship
from identity.relationships.use_cases import Newcomer, Said

_ID = "0192f0c1-0000-7000-8000-000000000001"
_OTHER = "0192f0c1-0000-7000-8000-000000000002"
_AT = "2026-11-20T20:04:05Z"
Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9_.-]+$")]
Source = Annotated[
    str | None, Field(min_length=1, max_length=100, description="Who says so; the credential's source, where left out")
]
DecisionRole = Literal["decider", "influencer", "buyer", "payer", "user"]
Seniority = Literal["executive", "manager", "specialist", "staff"]


class Relate(BaseModel):
    """What holds between two parties from a day on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "from_id": _ID, "to_id": _OTHER, "kind": "household_member", "decision_role": "decider",
                "category": "home", "since": "2020-01-01T05:00:00Z",
            }
        },
    )  # fmt: skip

    from_id: UUID
    to_id: UUID
    kind: str = Field(
        min_length=1, max_length=40, pattern=r"^[a-z_]+$",
        description="works_for (trabaja en), household_member (vive en el hogar), partner_of (socio de), same_owner (mismo dueño), "
        "relative_of (pariente), successor_of, buys_through (compra por medio de), or a word of your own",
    )  # fmt: skip
    since: Moment | None = Field(None, description="Now, where left out")
    until: Moment | None = Field(None, description="It ended, or is going to")
    source: Source = None
    decision_role: DecisionRole | None = Field(None, description="Who decides (quién decide)")
    category: Code | None = Field(None, description="About what he decides: a category of products")
    note: str | None = Field(None, min_length=1, max_length=1000)

    def said(self) -> Said:
        body = {"decision_role": self.decision_role, "category": self.category, "note": self.note}
        return Said(self.kind, body, self.since, self.until, self.source)


class RelationshipRead(BaseModel):
    """What was said last of two parties; `holds`: it has not ended."""

    relationship_id: UUID = Field(examples=[_ID])
    from_id: UUID | None = Field(examples=[_ID])
    to_id: UUID | None = Field(examples=[_OTHER])
    kind: str = Field(examples=["household_member"])
    holds: bool
    since: AwareDatetime = Field(examples=[_AT])
    until: AwareDatetime | None = Field(examples=[None])
    details: dict[str, Any] = Field(examples=[{"decision_role": "decider", "category": "home"}])
    source: str = Field(examples=["staff"])
    by: str = Field(examples=["Marta Gil"])
    recorded_at: AwareDatetime = Field(examples=[_AT])

    @classmethod
    def of(cls, said: Relationship, *, holds: bool) -> "RelationshipRead":
        return cls(
            relationship_id=said.relationship_id, from_id=said.from_customer, to_id=said.to_customer, kind=said.kind,
            holds=holds, since=said.since, until=said.until, details=said.body, source=said.source, by=said.by,
            recorded_at=said.at,
        )  # fmt: skip


class RelationshipPage(BaseModel):
    items: list[RelationshipRead]
    next: str | None = Field(examples=[None])


class Someone(BaseModel):
    """A customer whom we know, or at least a name."""

    customer_id: UUID | None = Field(None, description="Known already; else a name")
    full_name: str | None = Field(None, min_length=1, max_length=500)
    preferred_name: str | None = Field(None, min_length=1, max_length=500)
    identifiers: list[IdentifierText] = Field([], max_length=20, description="Of somebody whom we do not know yet")

    @model_validator(mode="after")
    def _known_or_named(self) -> "Someone":
        if (self.customer_id is None) == (self.full_name is None):
            raise ValueError("give customer_id or full_name, one of them")
        if self.customer_id is not None and (self.identifiers or self.preferred_name):
            raise ValueError("a customer who is known has his names and identifiers on record")
        return self

    def newcomer(self) -> Newcomer:
        names = {"full_name": self.full_name, "preferred_name": self.preferred_name}
        return Newcomer(self.customer_id, {k: v for k, v in names.items() if v is not None}, tuple(self.identifiers))


class Position(BaseModel):
    """What somebody is in the organisation that he works for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"function": "systems", "seniority": "manager", "decision_role": "decider", "still_there": True}
        },
    )

    function: Code | None = Field(None, description="general_management, systems, purchasing, finance ... (función)")
    seniority: Seniority | None = Field(None, description="His rank (jerarquía)")
    decision_role: DecisionRole | None = Field(None, description="Who decides (quién decide)")
    category: Code | None = Field(None, description="About what he decides: a category of products")
    since: Moment | None = None
    source: Source = None
    still_there: bool = Field(True, description="False: he has left (ya no trabaja ahí)")
    left_at: Moment | None = Field(None, description="When he left; now, where left out")

    @model_validator(mode="after")
    def _left_where_gone(self) -> "Position":
        if self.still_there and self.left_at is not None:
            raise ValueError("who is still there has not left")
        return self

    def said(self, *, now: Any) -> Said:
        body = self.model_dump(include={"function", "seniority", "decision_role", "category"}, exclude_none=True)
        return Said("", body, self.since, None if self.still_there else self.left_at or now, self.source)


class ContactEnter(Someone, Position):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "full_name": "Carlos Peña Rojas", "identifiers": ["email:carlos@acme.example.com"], "function": "systems",
                "seniority": "manager", "decision_role": "decider",
            }
        },
    )  # fmt: skip


class ContactRead(BaseModel):
    """Somebody who works for the organisation (persona de contacto). `version`: what PUT wants in If-Match."""

    person_id: UUID | None = Field(examples=[_OTHER])
    name: str | None = Field(examples=["Carlos Peña Rojas"])
    preferred_name: str | None = Field(examples=["Carlos"])
    function: str | None = Field(examples=["systems"])
    seniority: str | None = Field(examples=["manager"])
    decision_role: str | None = Field(examples=["decider"])
    category: str | None = Field(examples=[None])
    still_there: bool
    since: AwareDatetime = Field(examples=[_AT])
    left_at: AwareDatetime | None = Field(examples=[None])
    last_confirmed_at: AwareDatetime = Field(examples=[_AT])
    source: str = Field(examples=["staff"])
    version: str = Field(examples=["482915730164825731"])

    @classmethod
    def of(cls, said: Relationship, *, name: str | None, preferred_name: str | None, holds: bool) -> "ContactRead":
        place = {key: said.body.get(key) for key in ("function", "seniority", "decision_role", "category")}
        return cls(
            person_id=said.from_customer, name=name, preferred_name=preferred_name, **place, still_there=holds,
            since=said.since, left_at=None if holds else said.until, last_confirmed_at=said.at, source=said.source,
            version=str(said.version),
        )  # fmt: skip


class ContactPage(BaseModel):
    items: list[ContactRead]
    next: str | None = Field(examples=[None])


class ContactEntered(BaseModel):
    """The contact, and the id under which he is a customer."""

    model_config = ConfigDict(json_schema_extra={"example": {"person_id": _OTHER, "version": "482915730164825731"}})

    person_id: UUID | None
    version: str


class ReferralRegister(Someone):
    """Whom he sent us (referido)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"full_name": "Luisa Ríos", "identifiers": ["phone:310 555 0199"], "status": "new"}
        },
    )

    status: Literal["new", "contacted", "converted", "declined"] = "new"
    at: Moment | None = Field(None, description="When he named him; now, where left out")
    source: Source = None

    def said(self) -> Said:
        return Said("", {"status": self.status}, self.at, None, self.source)


class ReferralRead(BaseModel):
    """Somebody whom he sent us, or who sent him."""

    person_id: UUID | None = Field(examples=[_OTHER])
    status: str = Field(examples=["contacted"])
    at: AwareDatetime = Field(description="When he was named", examples=[_AT])
    status_at: AwareDatetime = Field(examples=[_AT])

    @classmethod
    def of(cls, said: Relationship, person_id: UUID | None) -> "ReferralRead":
        return cls(person_id=person_id, status=said.body.get("status", "new"), at=said.since, status_at=said.at)


class Referrals(BaseModel):
    """Whom he sent, who sent him, and whether we may ask him for more."""

    given: list[ReferralRead]
    received: list[ReferralRead]
    may_ask: bool
    why_not: Literal["referral-limit", "open-case", "use-restricted"] | None = Field(examples=["referral-limit"])
    next_allowed_at: AwareDatetime | None = Field(
        description="Under the limit of one request in 180 days; null: at once", examples=["2027-05-19T20:04:05Z"]
    )


class ReferralRequested(BaseModel):
    """He was asked; when he may be asked again."""

    asked_at: AwareDatetime = Field(examples=[_AT])
    next_allowed_at: AwareDatetime = Field(examples=["2027-05-19T20:04:05Z"])


class CounterpartRead(BaseModel):
    """Somebody of theirs, and who of ours should call him. Nobody: ours has no one of that function and rank."""

    person_id: UUID | None = Field(examples=[_OTHER])
    function: str = Field(examples=["systems"])
    seniority: str = Field(examples=["executive"])
    staff_id: str | None = Field(examples=["s-17"])
    staff_name: str | None = Field(examples=["Marta Gil"])


class Counterparts(BaseModel):
    items: list[CounterpartRead]
    unmatched: int = Field(examples=[0])
