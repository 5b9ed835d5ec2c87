"""What a form reads like once it is filled in."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from identity.forms.domain import Filled


class FieldRead(BaseModel):
    """One field of a form: `known` is filled in, `confirm` was told too long ago, `ask` is on no record."""

    key: str = Field(examples=["full_name"])
    state: Literal["known", "confirm", "ask"] = Field(examples=["known"])
    value: Any = Field(examples=["Ana María López Ruiz"])
    as_of: AwareDatetime | None = Field(examples=["2026-11-20T20:04:05Z"])
    source: str | None = Field(examples=["whatsapp-gateway"])

    @classmethod
    def of(cls, filled: Filled) -> "FieldRead":
        return cls(**vars(filled))


class PrefillRead(BaseModel):
    """A form with what we know of its fields, in its own order."""

    form: str = Field(examples=["registration"])
    label: str = Field(examples=["Registro de cliente"])
    fields: list[FieldRead]
