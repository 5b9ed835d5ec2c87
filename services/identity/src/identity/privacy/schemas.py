"""Bodies and answers about the rights of a person over his data."""

from typing import Any, Literal
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from identity.customers.schemas import Profile, Reason
from identity.knowledge.schemas import FactValue
from identity.privacy.domain import Erasure, added_up
from identity.privacy.use_cases import Certificate

_E, _C = "0192f0c1-0000-7000-8000-00000000000e", "0192f0c1-0000-7000-8000-000000000001"
_FACT_VALUE: TypeAdapter[FactValue] = TypeAdapter(FactValue)
_AT, _LATER = "2026-11-20T20:04:05Z", "2026-11-20T20:04:06Z"


class ErasureCreate(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "He asked for it in writing, request 2026-88"}}
    )

    reason: Reason = Field(description="Why; name the request, not the person: this stays on the certificate")


class Rectification(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"key": "full_name", "value": "Ana Lucía Pérez", "reason": "He showed his cédula"}
        },
    )

    key: str = Field(
        min_length=1, max_length=100, pattern=r"^[a-z0-9_.-]+$", description="Of the profile, or of a fact"
    )
    value: Any = Field(description="What is right: a text, a number, true or false, texts; null takes what stands away")
    reason: Reason = Field(description="Why, and what proves it")

    @field_validator("value")
    @classmethod
    def _as_on_record(cls, value: Any, info: ValidationInfo) -> Any:
        """A value of the profile is what it must be where the profile is written (a birth date a date), a fact what can be learnt."""
        key = info.data.get("key")
        try:
            if key in Profile.model_fields and isinstance(value, str):
                return Profile.model_validate({key: value}).values()[key]
            return None if value is None else _FACT_VALUE.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            raise PydanticCustomError(first["type"], first["msg"]) from None


class RectificationRead(BaseModel):
    """A value that was put right: what stood, what stands, who, why, when."""

    decision_id: UUID = Field(examples=[_E])
    key: str = Field(examples=["full_name"])
    was: Any = Field(examples=["Ana Lucía Peres"])
    value: Any = Field(examples=["Ana Lucía Pérez"])
    by: str = Field(examples=["Marta Gil"])
    reason: str = Field(examples=["He showed his cédula"])
    at: AwareDatetime = Field(examples=[_AT])

    @classmethod
    def of(cls, one: Any) -> "RectificationRead":
        change = one.before
        return cls(
            decision_id=one.decision_id, key=change["key"], was=change["was"], value=change["is"], by=one.by,
            reason=one.reason, at=one.at,
        )  # fmt: skip


class RectificationPage(BaseModel):
    items: list[RectificationRead]
    next: str | None = Field(examples=[None])


class UseReason(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "He contests the balance on record"}}
    )

    reason: Reason = Field(description="Why, and what proves it")


class UseRead(BaseModel):
    """Whether his data may be used."""

    customer_id: UUID = Field(examples=[_C])
    restricted: bool
    since: AwareDatetime = Field(examples=[_AT])
    entry_id: UUID = Field(description="Of the ledger of consents", examples=[_E])


class ServiceLine(BaseModel):
    """What one service has taken out, and what it keeps."""

    service: str = Field(examples=["interactions"])
    confirmed_at: AwareDatetime | None = Field(description="Null while it has not confirmed", examples=[_LATER])
    removed: dict[str, int] = Field(examples=[{"touchpoints": 12, "conversations": 3}])
    kept: dict[str, int] = Field(
        description="Sums under a random key, receipts, ids on the list of the erased", examples=[{"receipts": 12}]
    )


class ErasureRead(BaseModel):
    """The certificate (certificado de supresión). Complete when all four services have confirmed."""

    erasure_id: UUID = Field(examples=[_E])
    customer_id: UUID = Field(examples=[_C])
    state: Literal["under-way", "complete"]
    reason: str = Field(examples=["He asked for it in writing, request 2026-88"])
    by: str = Field(examples=["Marta Gil"])
    erased_at: AwareDatetime = Field(
        description="What was recorded, or occurred, until then is gone, and refused if sent again", examples=[_AT]
    )
    completed_at: AwareDatetime | None = Field(examples=[_LATER])
    awaited: list[str] = Field(description="Services that have not confirmed yet", examples=[[]])
    services: list[ServiceLine]

    @classmethod
    def of(cls, certificate: Certificate) -> "ErasureRead":
        one = certificate.erasure
        return cls(
            erasure_id=one.erasure_id, customer_id=one.customer_id, state=one.state, reason=one.reason, by=one.by,
            erased_at=one.at, completed_at=one.completed_at, awaited=certificate.awaited, services=_lines(certificate),
        )  # fmt: skip


class ErasureListed(BaseModel):
    """An erasure in a list."""

    erasure_id: UUID = Field(examples=[_E])
    customer_id: UUID = Field(examples=[_C])
    state: Literal["under-way", "complete"]
    erased_at: AwareDatetime = Field(examples=[_AT])
    completed_at: AwareDatetime | None = Field(examples=[_LATER])

    @classmethod
    def of(cls, one: Erasure) -> "ErasureListed":
        return cls(
            erasure_id=one.erasure_id, customer_id=one.customer_id, state=one.state, erased_at=one.at,
            completed_at=one.completed_at,
        )  # fmt: skip


class ErasurePage(BaseModel):
    items: list[ErasureListed]
    next: str | None = Field(examples=[None])


def _lines(certificate: Certificate) -> list[ServiceLine]:
    open_ones = certificate.awaited
    services = sorted({line.service for line in certificate.lines} | set(open_ones))
    found = []
    for service in services:
        lines = [line for line in certificate.lines if line.service == service]
        at = None if service in open_ones else max((line.at for line in lines), default=None)
        removed, kept = added_up([line.removed for line in lines]), added_up([line.kept for line in lines])
        found.append(ServiceLine(service=service, confirmed_at=at, removed=removed, kept=kept))
    return found
