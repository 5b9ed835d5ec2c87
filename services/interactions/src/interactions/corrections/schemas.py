"""The bodies of what is taken back."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from interactions.touchpoints.schemas import Reason


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReasonBody(_Body):
    """Why it is done."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "Sent by a test of the gateway"}}
    )

    reason: Reason


class RedactBody(_Body):
    """What is to be emptied for good, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"pointers": ["/content"], "reason": "It held a card number"}}
    )

    pointers: list[Annotated[str, Field(pattern=r"^/", max_length=200)]] = Field(min_length=1, max_length=50)
    reason: Reason
