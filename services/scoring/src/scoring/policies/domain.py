"""The company's rules as data: thresholds with their defaults, and a treatment policy whose first matching rule wins."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from common.errors import Invalid
from common.money import MoneyBody
from common.rules import Condition, InvalidCondition, compile_condition

SHIPPED = 0  # the version of the rules that come with the software

Share = Annotated[float, Field(ge=0, le=1)]
# Beyond these a number says nothing more, and the days that are reckoned with it would leave the calendar.
MOST_MONTHS = 10_000
MOST_MINUTES = 10 * 366 * 24 * 60
MOST = 1_000_000
Ratio = Annotated[float, Field(gt=0, le=MOST)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Months = Annotated[int, Field(ge=1, le=MOST_MONTHS)]
WindowName = Literal["to-date", "trailing-year", "fiscal-year"]

# What a condition of the treatment policy may ask. Amounts are in whole units of the company's currency.
FIELDS: Mapping[str, type] = {
    "tier": str,
    "abc": str,
    "lifecycle": str,
    "dormancy": str,
    "drop": str,
    "key_account": bool,
    "tenure_months": int,
    "frequency": int,
    "revenue": float,
    "profitability": float,
    "contribution": float,
    "open_complaints": int,
}
# What those of them can be that are words: a condition over any other would never hold, and nobody would see why.
WORDS: Mapping[str, tuple[str, ...]] = {
    "tier": ("MVC", "GROWING", "STANDARD", "BELOW_ZERO"),
    "abc": ("A", "B", "C"),
    "lifecycle": ("POTENTIAL", "ACTIVE", "INACTIVE"),
    "dormancy": ("none", "dormant", "long-dormant"),
    "drop": ("none", "warning", "critical"),
}


class InvalidTreatment(Invalid):
    code: ClassVar[str] = "invalid-treatment"
    title: ClassVar[str] = "What may be spent on a customer is not less than nothing"


class Thresholds(BaseModel):
    """Every number the rules use (umbrales). What is not sent keeps its default."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,  # true is no share, and neither is "10"
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"mvc_share": 0.05, "drop_warning": 0.5}]},
    )

    mvc_share: Annotated[float, Field(gt=0, le=1, description="Best share of active customers: MVC (S0-50)")] = 0.10
    abc_a: Annotated[Share, Field(description="A: cumulative profit up to this share")] = 0.80
    abc_b: Annotated[Share, Field(description="B: cumulative profit up to this share, C the rest")] = 0.95
    abc_window: Annotated[WindowName, Field(description="Which days ABC counts")] = "to-date"
    below_zero_share: Annotated[Share, Field(description="Worst share, below zero if a reason is met (S0-52)")] = 0.20
    below_zero_window: Annotated[WindowName, Field(description="Which days the contribution counts")] = "to-date"
    below_zero_min_months: Annotated[
        int, Field(ge=0, le=MOST_MONTHS, description="Younger customers are spared the worst share")
    ] = 12
    growing_ratio: Annotated[Ratio, Field(description="Sales of 12 months over those of the 12 before")] = 1.20
    declining_ratio: Annotated[Ratio, Field(description="The same, below which purchases shrink (S0-53)")] = 0.80
    shortlist_quotes: Annotated[Count, Field(description="Quotes asked in 12 months and none won (terna)")] = 3
    rejected_quotes: Annotated[Count, Field(description="Quotes lost in 12 months, more than were won")] = 2
    drop_window_days: Annotated[int, Field(ge=1, le=366, description="Length of the windows compared")] = 90
    drop_baseline_windows: Annotated[int, Field(ge=1, le=12, description="How many earlier windows make the habit")] = 4
    drop_min_purchases: Annotated[Count, Field(description="Purchases in them, below which there is no habit")] = 2
    drop_measure: Annotated[Literal["revenue", "purchases"], Field(description="What is compared")] = "revenue"
    drop_warning: Annotated[float, Field(ge=0, le=MOST, description="Warning at or below this ratio (S0-62)")] = 0.60
    drop_critical: Annotated[float, Field(ge=0, le=MOST, description="Critical below this ratio (S0-62)")] = 0.40
    dormant_months: Annotated[Months, Field(description="No movement for so long: dormant (S1-24)")] = 12
    long_dormant_months: Annotated[Months, Field(description="No movement for so long: long dormant")] = 24
    pareto_share: Annotated[float, Field(gt=0, le=1, description="The top of the Pareto report")] = 0.20
    cut_points_minutes: Annotated[
        int, Field(ge=1, le=MOST_MINUTES, description="How often large populations are ranked anew")
    ] = 60

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        for lower, upper in (
            ("abc_a", "abc_b"),
            ("drop_critical", "drop_warning"),
            ("dormant_months", "long_dormant_months"),
        ):
            if getattr(self, lower) > getattr(self, upper):
                raise ValueError(f"{lower} must not be above {upper}")
        return self


# What says on which day something happens by absence: customers are woken on that day.
_MOMENTS = (
    "drop_window_days",
    "drop_baseline_windows",
    "dormant_months",
    "long_dormant_months",
    "below_zero_min_months",
)


def moves_timers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether, by other thresholds, customers of whom the same is said today have to be woken on another day."""
    before, now = Thresholds.model_validate(old), Thresholds.model_validate(new)
    return any(getattr(before, name) != getattr(now, name) for name in _MOMENTS)


def _text(value: str) -> str:
    """Half of a pair of UTF-16 is no text: it could be neither kept nor told."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("cannot be written") from None
    return value


Words = Annotated[str, AfterValidator(_text)]


class Treatment(BaseModel):
    """How a customer is to be treated (trato). Inbound contacts are always served, whatever it says (S0-55)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service_level: Annotated[str, Field(min_length=1, max_length=60)]
    attend_by: Annotated[str, Field(min_length=1, max_length=200, description="Who should attend")]
    spend_limit: Annotated[
        MoneyBody | None, Field(description="What may be spent on goodwill without asking; null: nothing is said")
    ] = None
    modules: Annotated[list[Words], Field(max_length=50, description="Service modules")] = []
    reasons: Annotated[
        list[Words], Field(max_length=20, description="Said to whoever attends, beside the rule's name")
    ] = []
    suppress_paid_outbound: Annotated[bool, Field(description="No paid mailing, no telemarketing")] = False


class TreatmentRule(BaseModel):
    """One rule: a name, a condition over the customer's figures, and the treatment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    when: dict[str, Any]
    then: Treatment


class TreatmentPolicy(BaseModel):
    """Rules in order: the first that matches is applied, `default` where none does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: Annotated[list[TreatmentRule], Field(max_length=100)]
    default: Treatment

    @cached_property
    def conditions(self) -> list[Condition]:
        """The compiled conditions. Raises InvalidCondition with the pointer of the part that is wrong."""
        return [
            compile_condition(rule.when, fields=FIELDS, pointer=f"/rules/{at}/when")
            for at, rule in enumerate(self.rules)
        ]

    @cached_property
    def asked(self) -> frozenset[str]:
        """The fields that its conditions look at."""
        return frozenset(test["field"] for rule in self.rules for test, _ in _tests(rule.when))

    def refuse_unusable(self) -> None:
        """Raises InvalidCondition where a condition cannot be used, InvalidTreatment where less than nothing may be spent.

        Asked of what is put into force, never of what is in force: that goes on as it was understood.
        """
        _ = self.conditions
        for at, rule in enumerate(self.rules):
            for test, pointer in _tests(rule.when, f"/rules/{at}/when"):
                _refuse_unknown_words(test, pointer)
            _refuse_negative_limit(rule.then, f"/rules/{at}/then")
        _refuse_negative_limit(self.default, "/default")

    def decide(self, facts: Mapping[str, Any]) -> "Decision":
        for rule, matches in zip(self.rules, self.conditions, strict=True):
            if matches(facts):
                return Decision(rule.then, rule.name)
        return Decision(self.default, "default")


def _tests(condition: Any, pointer: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    """The comparisons that a condition which compiles is made of, each with where it stands."""
    if isinstance(condition, list):
        for at, part in enumerate(condition):
            yield from _tests(part, f"{pointer}/{at}")
    elif "field" in condition:
        yield condition, pointer
    else:
        for word, inner in condition.items():
            yield from _tests(inner, f"{pointer}/{word}")


def _refuse_unknown_words(test: Mapping[str, Any], pointer: str) -> None:
    if test["op"] != "exists" and (known := WORDS.get(test["field"])) is not None:
        value = test["value"]
        if not set(value if isinstance(value, list) else [value]) <= set(known):
            raise InvalidCondition(f"{test['field']} is one of {', '.join(known)}", pointer=f"{pointer}/value")


def _refuse_negative_limit(treatment: Treatment, pointer: str) -> None:
    if treatment.spend_limit is not None and treatment.spend_limit.minor < 0:
        raise InvalidTreatment(pointer=f"{pointer}/spend_limit/amount")


@dataclass(frozen=True)
class Decision:
    """The treatment that applies and the rule that said so."""

    treatment: Treatment
    rule: str

    @property
    def reasons(self) -> list[str]:
        return [self.rule, *self.treatment.reasons]


@dataclass(frozen=True)
class RuleSet:
    """The rules in force, with their versions."""

    thresholds: Thresholds
    thresholds_version: int
    policy: TreatmentPolicy
    policy_version: int


def shipped_policy(currency: str) -> TreatmentPolicy:
    """The treatment policy that comes with the software, its limits in the company's currency where that is COP."""

    def limit(amount: str) -> dict[str, str] | None:
        return {"amount": amount, "currency": currency} if currency == "COP" else None

    return TreatmentPolicy.model_validate(
        {
            "rules": [
                {
                    "name": "valuable-customer-complains",
                    "when": {
                        "all": [
                            {"field": "open_complaints", "op": "gt", "value": 0},
                            {
                                "any": [
                                    {"field": "tier", "op": "in", "value": ["MVC", "GROWING"]},
                                    {"field": "abc", "op": "eq", "value": "A"},
                                    {"field": "key_account", "op": "eq", "value": True},
                                ]
                            },
                        ]
                    },
                    "then": {
                        "service_level": "preferential",
                        "attend_by": "senior agent / account owner",
                        "spend_limit": limit("200000.00"),
                        "modules": ["priority-queue", "nanny"],
                        "reasons": ["Perhaps the last opportunity to keep him: solve the complaint first"],
                    },
                },
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
                        "spend_limit": limit("150000.00"),
                        "modules": ["priority-queue", "call-back"],
                        "reasons": ["One of the most valuable customers"],
                    },
                },
                {
                    "name": "growing",
                    "when": {"field": "tier", "op": "eq", "value": "GROWING"},
                    "then": {
                        "service_level": "enhanced",
                        "attend_by": "experienced agent",
                        "spend_limit": limit("60000.00"),
                        "modules": ["call-back"],
                        "reasons": ["He buys more than last year: help him to go on"],
                    },
                },
                {
                    "name": "below-zero",
                    "when": {"field": "tier", "op": "eq", "value": "BELOW_ZERO"},
                    "then": {
                        "service_level": "basic",
                        "attend_by": "any agent, self-service offered",
                        "spend_limit": limit("0.00"),
                        "reasons": ["Costs more than he contributes: no paid outbound, every contact of his is served"],
                        "suppress_paid_outbound": True,
                    },
                },
            ],
            "default": {
                "service_level": "standard",
                "attend_by": "any agent",
                "spend_limit": limit("20000.00"),
            },
        }
    )
