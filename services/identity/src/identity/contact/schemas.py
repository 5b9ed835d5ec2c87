"""Bodies and answers about preferences and consents."""

from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from common.company import Company
from common.moments import Moment
from identity.contact.domain import EVERY, Consent

_ID = "0192f0c1-0000-7000-8000-000000000001"
_AT = "2026-11-20T20:04:05Z"
Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9_*-]+$")]


class ConsentRecord(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "purpose": "marketing", "channel": "whatsapp", "granted": True,
                "evidence": "Form 2026-114, signed at the counter",
            }
        },
    )  # fmt: skip

    purpose: Code
    channel: Code = Field(EVERY, description="One of the company's channels; `*`: every channel")
    granted: bool = Field(description="False: withdrawn, or refused")
    at: Moment | None = Field(None, description="When he said so; now, where left out")
    source: str | None = Field(
        None, min_length=1, max_length=100, description="Where he said so; the credential's, where left out"
    )
    evidence: str = Field(min_length=1, max_length=2000, description="What proves it: a form, a recording, a message")


class ConsentRead(BaseModel):
    """One entry of the ledger."""

    consent_id: UUID = Field(examples=[_ID])
    purpose: str = Field(examples=["marketing"])
    channel: str = Field(examples=["whatsapp"])
    granted: bool
    given_at: AwareDatetime = Field(examples=[_AT])
    recorded_at: AwareDatetime = Field(examples=[_AT])
    source: str = Field(examples=["shop"])
    evidence: str = Field(examples=["Form 2026-114, signed at the counter"])
    by: str = Field(examples=["Marta Gil"])

    @classmethod
    def of(cls, entry: Consent) -> "ConsentRead":
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class ConsentPage(BaseModel):
    items: list[ConsentRead]
    next: str | None = Field(examples=[None])


class QuietTime(BaseModel):
    """Not on these days of the week (1 is Monday), between these hours of his time zone; over midnight where `to` is earlier."""

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True,
        json_schema_extra={"example": {"days": [1, 2, 3, 4, 5], "from": "21:00", "to": "07:00"}},
    )  # fmt: skip

    days: list[Annotated[int, Field(ge=1, le=7)]] = Field([1, 2, 3, 4, 5, 6, 7], min_length=1, max_length=7)
    start: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(
        alias="to", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$", description="24:00: until the day is over"
    )

    @model_validator(mode="after")
    def _takes_time(self) -> "QuietTime":
        if self.start == self.end:
            raise ValueError("a quiet time has a length")
        return self


class Visits(BaseModel):
    """How he wants to be visited (visitas): whether we call first, on which days and hours, where."""

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True,
        json_schema_extra={"example": {"announce": "call-first", "days": [1, 3], "from": "08:00", "to": "10:00", "place": "work"}},
    )  # fmt: skip

    announce: Literal["call-first", "write-first", "unannounced", "no-visits"] = "call-first"
    days: list[Annotated[int, Field(ge=1, le=7)]] = Field([], max_length=7, description="1 is Monday; none: any")
    start: str | None = Field(None, alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str | None = Field(None, alias="to", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    place: Code | None = Field(None, description="A code: home, work, warehouse, a site of ours")


class Preferences(BaseModel):
    """How he wants to be contacted, whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "ranking": ["whatsapp", "email"], "max_contacts": 2, "per_days": 30,
                "quiet_times": [{"days": [7], "from": "00:00", "to": "24:00"}], "time_zone": "America/Bogota",
                "do_not_contact": False,
            }
        },
    )  # fmt: skip

    ranking: list[Code] = Field([], max_length=20, description="Channels, the preferred one first")
    max_contacts: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="So many contacts of ours in `per_days`; an answer that he is owed counts, and is not held up",
    )
    per_days: int | None = Field(
        None, ge=1, le=366, validate_default=True, description="With `max_contacts`, and only so"
    )
    quiet_times: list[QuietTime] = Field([], max_length=20)
    time_zone: str | None = Field(None, max_length=60, description="IANA name; the company's, where left out")
    do_not_contact: bool = False
    topics_out: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], max_length=50, description="Topics of which he does not want to hear: words of the company's, or synonyms"
    )
    visits: Visits | None = Field(None, description="How he wants to be visited; nothing said, where left out")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError, OSError):
                raise ValueError("no IANA time zone") from None
        return value

    @field_validator("per_days")
    @classmethod
    def _both_or_none(cls, value: int | None, info: ValidationInfo) -> int | None:
        if "max_contacts" in info.data and (info.data["max_contacts"] is None) != (value is None):
            raise PydanticCustomError("missing", "max_contacts and per_days belong together")
        return value

    @field_validator("ranking", "topics_out")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("each of them once")
        return value

    def body(self, company: Company) -> dict[str, Any]:
        """As it is kept: topics by their codes, by which it is asked whether he wants to hear of one."""
        topics = dict.fromkeys(company.topic_of(word) or word for word in self.topics_out)
        return self.model_dump(mode="json", by_alias=True, exclude_none=True) | {"topics_out": list(topics)}


class ConsentHolds(BaseModel):
    """What holds for a purpose and channel."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"purpose": "marketing", "channel": "whatsapp", "granted": True, "at": _AT}}
    )

    purpose: str
    channel: str
    granted: bool
    at: AwareDatetime


class ContactRead(BaseModel):
    """What holds by now: his preferences, and the consent of each purpose and channel."""

    ranking: list[str] = Field(examples=[["whatsapp"]])
    max_contacts: int | None = Field(examples=[2])
    per_days: int | None = Field(examples=[30])
    quiet_times: list[dict[str, Any]] = Field(examples=[[{"days": [7], "from": "00:00", "to": "24:00"}]])
    time_zone: str | None = Field(examples=["America/Bogota"])
    do_not_contact: bool
    topics_out: list[str] = Field(examples=[["loyalty"]])
    visits: dict[str, Any] = Field(
        examples=[{"announce": "call-first", "days": [1, 3], "from": "08:00", "to": "10:00"}]
    )
    restricted: bool = Field(description="His data are stored and not used")
    consents: list[ConsentHolds]
