"""Answers about guards that bit."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from identity.guards.domain import Guard, Trip

_ID = "0192f0c1-0000-7000-8000-000000000001"
WORDS = {
    "shared-identifier": "Too many people use it: from now on it proves contact, not identity.",
    "gathers-too-many": "The customer gathers more new identifiers than one person does; two may have been joined.",
    "unique-identifier": "Each has an attested number of his own, and something joins them all the same.",
    "blocked-identifier": "It is on the block list: neither trace nor evidence.",
}


class TripRead(BaseModel):
    """A guard that bit. `figures` are counts and limits; `scheme` says of what kind of identifier."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "trip_id": _ID, "guard": "shared-identifier", "words": WORDS["shared-identifier"], "scheme": "phone",
                "identifier_id": _ID, "customer_id": None, "trace_id": _ID,
                "figures": {"customers": 4, "documents": 4, "limit": 3}, "at": "2026-11-20T20:04:05Z",
            }
        }
    )  # fmt: skip

    trip_id: UUID
    guard: Guard
    words: str
    scheme: str
    identifier_id: UUID | None
    customer_id: UUID | None
    trace_id: UUID | None
    figures: dict[str, Any]
    at: AwareDatetime

    @classmethod
    def of(cls, trip: Trip) -> "TripRead":
        told = {name: getattr(trip, name) for name in cls.model_fields if name not in ("words", "figures")}
        return cls(words=WORDS[trip.guard], figures=dict(trip.figures), **told)


class TripPage(BaseModel):
    items: list[TripRead]
    next: str | None = Field(examples=[None])
