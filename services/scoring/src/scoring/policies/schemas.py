"""The rules as callers read and write them. What is read can be edited and sent back: who, when and which version are passed over."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from scoring.policies.domain import Thresholds, TreatmentPolicy

_READ_ONLY = frozenset({"version", "author", "at"})

_POLICY_EXAMPLE: dict[str, Any] = {
    "rules": [
        {
            "name": "most-valuable",
            "when": {
                "any": [
                    {"field": "tier", "op": "eq", "value": "MVC"},
                    {"field": "key_account", "op": "eq", "value": True},
                ]
            },
            "then": {
                "service_level": "preferential",
                "attend_by": "senior agent / account owner",
                "spend_limit": {"amount": "150000.00", "currency": "COP"},
                "reasons": ["One of the most valuable customers"],
            },
        }
    ],
    "default": {"service_level": "standard", "attend_by": "any agent"},
}


def _without_read_only(body: Any) -> Any:
    return {key: value for key, value in body.items() if key not in _READ_ONLY} if isinstance(body, dict) else body


class ThresholdsWrite(Thresholds):
    """Thresholds to put into force. A field that is not sent gets its default."""

    @model_validator(mode="before")
    @classmethod
    def _passes_over_what_is_read_only(cls, body: Any) -> Any:
        return _without_read_only(body)


class TreatmentPolicyWrite(TreatmentPolicy):
    """A treatment policy to put into force: rules in order, the first that matches is applied, else the default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POLICY_EXAMPLE]})

    @model_validator(mode="before")
    @classmethod
    def _passes_over_what_is_read_only(cls, body: Any) -> Any:
        return _without_read_only(body)


class _Versioned(BaseModel):
    version: Annotated[int, Field(description="0: as shipped")]
    author: str | None
    at: AwareDatetime | None


class ThresholdsRead(Thresholds, _Versioned):
    """The thresholds in force, and since when."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**Thresholds().model_dump(), "version": 0, "author": None, "at": None}]}
    )


class TreatmentPolicyRead(TreatmentPolicy, _Versioned):
    """The treatment policy in force, and since when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_POLICY_EXAMPLE, "version": 3, "author": "ops", "at": "2026-11-20T20:00:00Z"}]
        }
    )


class PolicyVersionRead(BaseModel):
    """One version of a set of rules, as it was put into force."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"version": 2, "author": "ops", "at": "2026-11-20T20:00:00Z", "body": {"mvc_share": 0.05}}]
        }
    )

    version: int
    author: str | None
    at: AwareDatetime | None
    body: dict[str, Any]


class PolicyVersionPage(BaseModel):
    items: list[PolicyVersionRead]
    next: Annotated[str | None, Field(examples=["WyIyMDI2LTExLTIwIl0"])]
