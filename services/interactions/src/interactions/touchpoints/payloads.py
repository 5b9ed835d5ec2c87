"""What a touchpoint of each kind carries beyond what all of them carry."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from common.moments import Moment

Code = Annotated[str, Field(min_length=1, max_length=200)]
Details = Annotated[
    dict[str, Any], Field(default_factory=dict, description="Whatever else the channel knows, kept as it is")
]


def _plain(value: object) -> object:
    """A whole JSON number is exact, so it is taken; one with decimals may not be what was meant, so it is not."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Amount = Annotated[
    str,
    BeforeValidator(_plain),
    Field(pattern=r"^-?[0-9]{1,19}(\.[0-9]{1,10})?$", description="A decimal string; negative where money went back"),
]
Quantity = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]  # its thousandths are added up in 64 bits
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217; the company's own where not given")]


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _OpenPayload(BaseModel):
    model_config = ConfigDict(extra="allow")


class Line(_OpenPayload):
    """One line of a purchase or of a quote."""

    offering: str | None = Field(None, max_length=200)
    quantity: Quantity | None = None
    unit_price: Amount | None = None
    amount: Amount | None = None


class _Money(_Payload):
    amount: Amount | None = Field(None, description="Net. Where there is none, the sum of the lines")
    currency: Currency | None = None
    lines: list[Line] = Field([], max_length=5_000)
    details: Details

    @property
    def total(self) -> str | None:
        """The amount; without one the sum of the lines, to two decimals: lines may carry thirds of a cent."""
        if self.amount is not None:
            return self.amount
        parts = [Decimal(line.amount) for line in self.lines if line.amount is not None]
        return format(sum(parts, Decimal(0)).quantize(Decimal("0.01")), "f") if parts else None


class Purchase(_Money):
    """A sale, or a return with a negative amount (compra)."""

    quantity: Quantity | None = None
    category: Code | None = None
    offering: Code | None = None
    cost_of_goods: Amount | None = None


class Payment(_Money):
    """Money received (pago)."""

    method: Code | None = None
    against: Code | None = Field(None, description="What was paid, such as invoice:F-2210")


class Quote(_Money):
    """An offer at a price, and what he said to it (cotización)."""

    answer: Literal["open", "won", "lost"] = Field(
        "open", description="`won` and `lost` answer the quotes still open for the same offering in its thread"
    )
    quantity: Quantity | None = None
    category: Code | None = None
    offering: Code | None = None
    cost_of_goods: Amount | None = None
    valid_until: Moment | None = None
    reason: str | None = Field(None, max_length=500)


class CaseOpening(_Payload):
    """A complaint, claim, petition, suggestion or compliment (PQR). History may say when it was answered."""

    severity: Literal["low", "medium", "high", "critical"] = "medium"
    about: str | None = Field(None, max_length=200, description="The subject in a few words or a code")
    owner: str | None = Field(None, max_length=200)
    retention_critical: bool = False
    answered_at: Moment | None = Field(None, description="When it was answered, where that has happened already")
    timely: bool | None = Field(None, description="Whether it was answered in time, as the source says")
    details: Details


class CampaignSend(_Payload):
    """A piece of a campaign sent to him (envío de campaña)."""

    campaign: Code
    piece: Code | None = None
    details: Details


class CampaignResponse(_Payload):
    """His answer to a campaign (respuesta)."""

    campaign: Code
    answer: Code
    piece: Code | None = None
    details: Details


class SurveyResponse(_Payload):
    """His answers to a survey (encuesta)."""

    survey: Code
    answers: dict[Annotated[str, Field(min_length=1, max_length=100)], Any] = Field(max_length=200)
    details: Details


class Call(_Payload):
    """A telephone call (llamada)."""

    duration_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    waited_s: float | None = Field(None, ge=0, allow_inf_nan=False)
    recording: str | None = Field(None, max_length=500)
    details: Details


class Contact(_OpenPayload):
    """A message, a visit, a page seen, a note: any keys.

    A page with the outcome `abandoned` or `pending` is work in progress in the resume, with its `form`, `step` and `draft`, until
    the form is told of again: in the same thread, or by itself where neither names a topic.
    """

    duration_s: float | None = Field(None, ge=0, allow_inf_nan=False)


COUNTED = (_Money, CampaignSend, CampaignResponse, SurveyResponse)  # other services count what they say
PAID = frozenset({"purchase", "payment"})  # they say how much
CASE_KINDS = frozenset({"complaint", "claim", "petition", "suggestion", "compliment"})
PAYLOADS: dict[str, type[BaseModel]] = {
    "message": Contact,
    "call": Call,
    "visit": Contact,
    "web": Contact,
    "purchase": Purchase,
    "payment": Payment,
    "quote": Quote,
    **dict.fromkeys(sorted(CASE_KINDS), CaseOpening),
    "campaign_send": CampaignSend,
    "campaign_response": CampaignResponse,
    "survey_response": SurveyResponse,
    "note": Contact,
}

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,40}")


def countable(answers: dict[str, Any]) -> dict[str, Any]:
    """The answers that are numbers or codes; what he wrote in his own words stays with us."""
    return {
        key: value
        for key, value in answers.items()
        if isinstance(value, int | float) or (isinstance(value, str) and _CODE.fullmatch(value))
    }
