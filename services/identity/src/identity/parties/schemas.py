"""Bodies and answers about roles of parties, and about our own people and places."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.assignments.domain import HandedOver
from identity.parties.domain import Entry, PartyRole
from identity.relationships.schemas import Code, Seniority

_ID = "0192f0c1-0000-7000-8000-000000000001"
_AT = "2026-11-20T20:04:05Z"
_VERSION = "482915730164825731"
Text = Annotated[str, Field(min_length=1, max_length=2000)]
RoleName = Literal["reference", "target_account", "partner"]


class Reference(BaseModel):
    """A customer whom prospects may be shown (cliente "show-room"): what current customers say, not our own ads."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "offerings": ["maintenance", "training"], "industry": "hotels", "max_uses": 4,
                "testimonial": "They answered within the hour, each time",
            }
        },
    )  # fmt: skip

    offerings: list[Code] = Field(min_length=1, max_length=50, description="What he can speak of")
    industry: Code | None = None
    testimonial: Text | None = Field(None, description="What he says of us, in his words")
    max_uses: int = Field(ge=0, le=1000, description="How often he may be shown, over all time")


class TargetAccount(BaseModel):
    """An organisation that we want (cuenta objetivo)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "purpose": "customer", "target_year": 2027, "reason": "Opens twelve branches next year",
                "current_supplier": "Rival S.A.",
            }
        },
    )  # fmt: skip

    purpose: Literal["customer", "ally"] | None = Field(None, description="What we want it for (cliente o aliado)")
    target_year: int | None = Field(
        None, ge=2000, le=2100, description="The year in which we want to do business (año)"
    )
    reason: Text | None = None
    current_supplier: Annotated[str, Field(max_length=200)] | None = Field(None, description="Whom it buys from now")


class Partner(BaseModel):
    """A channel, ally, retailer, associate or distributor (canal, aliado, minorista, asociado), and how customers regard it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "kind": "ally", "standing": "good", "active": True, "capabilities": ["installation"],
                "source": "acme-portal",
            }
        },
    )  # fmt: skip

    kind: Literal["channel", "ally", "retailer", "associate", "distributor"]
    standing: Literal["good", "watch", "ill_regarded"] = Field("good", description="How customers regard it")
    active: bool = Field(True, description="The alliance is in force; not with one who is ill regarded")
    capabilities: list[Code] = Field([], max_length=50, description="What it can do that we cannot or should not")
    is_competitor: bool = False
    source: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="The source of its credential: what came through it carries this name"
    )


class RoleRead(BaseModel):
    """A role that the party has. `version`: what PUT and DELETE want in If-Match."""

    role: RoleName
    body: dict[str, Any] = Field(examples=[{"offerings": ["maintenance"], "max_uses": 4}])
    since: AwareDatetime = Field(description="As it stands since", examples=[_AT])
    by: str = Field(examples=["Marta Gil"])
    version: str = Field(examples=[_VERSION])

    @classmethod
    def of(cls, said: PartyRole) -> "RoleRead":
        return cls(role=said.role, body=said.body or {}, since=said.at, by=said.by, version=str(said.version))


class Completeness(BaseModel):
    """What we know of a target account, and what is missing (qué falta)."""

    contacts: int = Field(description="Who is known there, and still is", examples=[2])
    needed: int = Field(examples=[3])
    complete: bool = Field(description="At least three names are known")
    missing: list[str] = Field(examples=[["1 more contacts", "who decides"]])


class Roles(BaseModel):
    """What the party is to us by now; each with what hangs on it. `versions`: of every role ever given, ended ones included."""

    items: list[RoleRead]
    versions: dict[str, str] = Field(examples=[{"reference": _VERSION}])
    uses_left: int | None = Field(description="Of a reference", examples=[3])
    target: Completeness | None = Field(description="Of a target account")


class PartyLine(BaseModel):
    """One party that has the role."""

    customer_id: UUID = Field(examples=[_ID])
    kind: str = Field(examples=["organisation"])
    display_name: str | None = Field(examples=["Acme S.A.S."])
    role: RoleRead
    uses_left: int | None = Field(examples=[3])
    agreed: bool | None = Field(
        description="Of a reference: he has agreed to be shown, and the use of his data is not restricted",
        examples=[True],
    )
    target: Completeness | None


class PartyPage(BaseModel):
    items: list[PartyLine]
    next: str | None = Field(examples=[None])


class Showing(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"prospect_id": _ID, "note": "Visit of their plant"}}
    )

    prospect_id: UUID = Field(description="To whom he is shown")
    note: Text | None = None


class Shown(BaseModel):
    """It is on record; how often he may still be shown."""

    showing_id: UUID = Field(examples=[_ID])
    uses_left: int = Field(examples=[3])


class StaffPut(BaseModel):
    """Somebody who works for us."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Marta Gil", "unit": "quality", "position": "Analyst", "function": "systems",
                "seniority": "manager", "group": "contact", "is_sales": False, "site": "chapinero", "active": True,
            }
        },
    )  # fmt: skip

    name: str = Field(min_length=1, max_length=200)
    unit: Code | None = Field(None, description="Division or department")
    position: Annotated[str, Field(max_length=200)] | None = None
    function: Code | None = Field(None, description="In the words used for contacts: systems, purchasing ... (función)")
    seniority: Seniority | None = None
    group: Literal["contact", "support"] = Field("contact", description="He meets customers, or those who do")
    is_sales: bool = Field(False, description="Who sells is nobody's nanny")
    site: Code | None = Field(None, description="Where he works")
    active: bool = Field(True, description="False: he has left us")


class LookedAfter(BaseModel):
    """A customer, and what the member of staff is to him."""

    customer_id: UUID = Field(examples=[_ID])
    kind: str = Field(examples=["organisation"])
    display_name: str | None = Field(examples=["Acme S.A.S."])
    roles: list[str] = Field(examples=[["account_owner"]])


class HandOver(BaseModel):
    """All that one of ours has goes to another."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"to": "s-21", "handover_note": "Marta leaves us on Friday; her notes are in the shared folder"}
        },
    )

    to: str = Field(min_length=1, max_length=100, description="Who takes over")
    name: str | None = Field(None, min_length=1, max_length=200, description="As the directory has it, where left out")
    handover_note: str = Field(
        min_length=1, max_length=2000, pattern=r"\S", description="What the next one must know (nota de entrega)"
    )


class RoleKept(BaseModel):
    """A role that was not handed over, and which rule forbids it."""

    customer_id: UUID = Field(examples=[_ID])
    role: str = Field(examples=["nanny"])
    code: str = Field(examples=["nanny-sells"])
    detail: str = Field(examples=["A nanny is none of those who sell"])


class HandOverMade(BaseModel):
    """How many roles were handed over, and which were not. `more`: he may have more than one call takes; send it again."""

    handed_over: int = Field(examples=[212])
    kept: list[RoleKept]
    more: bool = Field(examples=[False])

    @classmethod
    def of(cls, fates: Sequence[HandedOver], more: bool) -> "HandOverMade":
        kept = [
            RoleKept(customer_id=f.customer_id, role=f.role, code=f.refused.code, detail=f.refused.detail)
            for f in fates if f.refused is not None
        ]  # fmt: skip
        return cls(handed_over=len(fates) - len(kept), kept=kept, more=more)


class LookedAfterPage(BaseModel):
    items: list[LookedAfter]
    next: str | None = Field(examples=[None])


class SitePut(BaseModel):
    """A place of ours: a branch, a call centre, a web site."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "Chapinero", "kind": "branch", "city": "Bogotá", "division": "retail", "active": True}
        },
    )

    name: str = Field(min_length=1, max_length=200)
    kind: Code = Field(description="branch, call_centre, web, warehouse ...")
    city: Annotated[str, Field(max_length=200)] | None = None
    address: Annotated[str, Field(max_length=500)] | None = None
    division: Code | None = None
    active: bool = True


class StaffRead(StaffPut):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "staff_id": "s-17", "name": "Marta Gil", "unit": "quality", "position": "Analyst", "function": "systems",
                "seniority": "manager", "group": "contact", "is_sales": False, "site": "chapinero", "active": True,
                "version": "1",
            }
        }
    )  # fmt: skip

    staff_id: str
    version: str

    @classmethod
    def of(cls, entry: Entry) -> "StaffRead":
        return cls(staff_id=entry.code, version=str(entry.version), **entry.body)


class StaffPage(BaseModel):
    items: list[StaffRead]
    next: str | None = Field(examples=[None])


class SiteRead(SitePut):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "site": "chapinero", "name": "Chapinero", "kind": "branch", "city": "Bogotá", "address": None,
                "division": "retail", "active": True, "version": "1",
            }
        }
    )  # fmt: skip

    site: str
    version: str

    @classmethod
    def of(cls, entry: Entry) -> "SiteRead":
        return cls(site=entry.code, version=str(entry.version), **entry.body)


class SitePage(BaseModel):
    items: list[SiteRead]
    next: str | None = Field(examples=[None])
