"""What a caller reads of a customer's value. Amounts are in the company's currency unless said otherwise."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.money import MoneyBody
from scoring.appraisals.domain import Appraisal, treatment_part
from scoring.classes.domain import CutPoints
from scoring.policies.domain import RuleSet, Thresholds
from scoring.values.domain import BEGINNING, Books, Value, Window

TierName = Literal["MVC", "GROWING", "STANDARD", "BELOW_ZERO"]
AbcName = Literal["A", "B", "C"]
SignalName = Literal["drop-warning", "drop-critical", "dormant", "long-dormant"]

_MONEY: Any = {"amount": "1250000.00", "currency": "COP"}
_WINDOW: Any = {"kind": "to-date", "from": None, "to": "2026-11-20"}


class WindowRead(BaseModel):
    """The days that were counted, both ends included; `from` is null for all history."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str
    first: Annotated[date | None, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]

    @classmethod
    def of(cls, window: Window) -> Self:
        first = None if window.first == BEGINNING else window.first
        return cls.model_validate({"kind": str(window.kind), "from": first, "to": window.last})


class FiguresRead(BaseModel):
    """The figures of one window (S4-20): profitability = F * V - cost of sales; contribution = that - cost to serve."""

    window: WindowRead
    frequency: Annotated[int, Field(description="F: purchases of a positive amount")]
    volume: Annotated[
        MoneyBody | None, Field(description="V: net revenue a purchase, rounded; null without a purchase")
    ]
    revenue: Annotated[MoneyBody, Field(description="F * V, exactly: net of returns and cancellations")]
    cost_of_sales: MoneyBody
    profitability: MoneyBody
    cost_to_serve: Annotated[MoneyBody, Field(description="Contacts, by the company's channel costs")]
    contribution: MoneyBody
    returns: int
    quantity: float
    contacts: int
    billed: Annotated[list[MoneyBody], Field(description="Revenue in the currencies in which it was billed")]
    unconverted: Annotated[list[str], Field(description="Currencies without a rate: not in the amounts above")]

    @classmethod
    def of(cls, value: Value, books: Books) -> Self:
        return cls.model_validate(figures(value, books))


def figures(value: Value, books: Books) -> dict[str, Any]:
    """The fields of FiguresRead."""
    volume = value.volume
    tally = value.sums.tally
    mean = None if volume is None else int(volume.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return {
        "window": WindowRead.of(value.window),
        "frequency": value.frequency,
        "volume": None if mean is None else MoneyBody.of(mean, books.currency),
        "revenue": MoneyBody.of(value.revenue, books.currency),
        "cost_of_sales": MoneyBody.of(value.cost_of_sales, books.currency),
        "profitability": MoneyBody.of(value.profitability, books.currency),
        "cost_to_serve": MoneyBody.of(value.cost_to_serve, books.currency),
        "contribution": MoneyBody.of(value.contribution, books.currency),
        "returns": tally.returns,
        "quantity": tally.quantity / 1000,
        "contacts": tally.contacts,
        "billed": [MoneyBody.of(amount, currency) for currency, amount in value.sums.billed.items()],
        "unconverted": list(value.sums.unconverted),
    }


class CutPointsRead(BaseModel):
    """The lines through the population by which classes were given. Version 0: computed for this answer."""

    version: int
    computed_at: AwareDatetime
    as_of: date
    thresholds_version: int
    population: Annotated[int, Field(description="Customers with a purchase or a return in the window of ABC")]
    abc_window: WindowRead
    a: Annotated[MoneyBody | None, Field(description="A: profitability from here")]
    b: Annotated[MoneyBody | None, Field(description="B: profitability from here")]
    mvc_window: WindowRead
    mvc: Annotated[MoneyBody | None, Field(description="MVC: profitability from here")]
    active: Annotated[int, Field(description="Customers with a purchase in the window of the MVC")]
    worst_window: WindowRead
    worst: Annotated[MoneyBody | None, Field(description="Worst share: contribution down from here")]

    @classmethod
    def of(cls, cuts: CutPoints, books: Books) -> Self:
        def money(minor: int | None) -> MoneyBody | None:
            return None if minor is None else MoneyBody.of(minor, books.currency)

        return cls(
            version=cuts.version,
            computed_at=cuts.computed_at,
            as_of=cuts.as_of,
            thresholds_version=cuts.thresholds_version,
            population=cuts.population,
            abc_window=WindowRead.of(cuts.abc_window),
            a=money(cuts.a),
            b=money(cuts.b),
            mvc_window=WindowRead.of(cuts.mvc_window),
            mvc=money(cuts.mvc),
            active=cuts.active,
            worst_window=WindowRead.of(cuts.worst_window),
            worst=money(cuts.worst),
        )


class TreatmentRead(BaseModel):
    """How to treat him, and the rule that said so. Inbound contacts are always served."""

    service_level: str
    attend_by: str
    spend_limit: MoneyBody | None
    modules: list[str]
    reasons: list[str]
    rule: str
    policy_version: int
    suppress_paid_outbound: bool


class InputsRead(BaseModel):
    """What the figures were made of."""

    traces: int
    days: Annotated[int, Field(description="Rows of trace, day and currency up to `as_of`")]
    first_purchase: date | None
    last_purchase: date | None
    purchase_days: int
    open_complaints: int
    categories: list[str]


class ValueRead(FiguresRead):
    """A customer's value, and how it came about: figures, inputs, thresholds, cut points, version of the rules."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c1-7a3e-7cc0-9a51-4b1f0f5f8d10",
                    "merged_from": [],
                    "as_of": "2026-11-20",
                    "currency": "COP",
                    "window": _WINDOW,
                    "frequency": 12,
                    "volume": _MONEY,
                    "revenue": _MONEY,
                    "cost_of_sales": _MONEY,
                    "profitability": {"amount": "450000.00", "currency": "COP"},
                    "cost_to_serve": {"amount": "42000.00", "currency": "COP"},
                    "contribution": {"amount": "408000.00", "currency": "COP"},
                    "returns": 1,
                    "quantity": 31.0,
                    "contacts": 9,
                    "billed": [_MONEY],
                    "unconverted": [],
                    "tier": "GROWING",
                    "reasons": ["sales_growing"],
                    "abc": "B",
                    "lifecycle": "ACTIVE",
                    "dormancy": "none",
                    "drop": "none",
                    "tenure_months": 31,
                    "key_account": False,
                    "signals": [],
                    "years": [],
                    "treatment": {
                        "service_level": "enhanced",
                        "attend_by": "experienced agent",
                        "spend_limit": {"amount": "60000.00", "currency": "COP"},
                        "modules": ["call-back"],
                        "reasons": ["growing"],
                        "rule": "growing",
                        "policy_version": 0,
                        "suppress_paid_outbound": False,
                    },
                    "inputs": {
                        "traces": 2,
                        "days": 21,
                        "first_purchase": "2024-04-02",
                        "last_purchase": "2026-11-14",
                        "purchase_days": 12,
                        "open_complaints": 0,
                        "categories": ["grocery"],
                    },
                    "thresholds": Thresholds().model_dump(),
                    "rules_version": "thresholds-0.cuts-4",
                    "cut_points": None,
                }
            ]
        }
    )

    customer_id: Annotated[UUID, Field(description="The survivor, where the one asked for was absorbed")]
    merged_from: Annotated[
        list[UUID], Field(description="The one asked for, if absorbed, and all who went into this one")
    ]
    as_of: date
    currency: str
    tier: TierName
    reasons: list[str]
    abc: Annotated[AbcName | None, Field(description="null: no purchase in the window, or nobody was ranked yet")]
    lifecycle: Literal["POTENTIAL", "ACTIVE", "INACTIVE"]
    dormancy: Literal["none", "dormant", "long-dormant"]
    drop: Literal["none", "warning", "critical"]
    tenure_months: int | None
    key_account: bool
    signals: Annotated[list[SignalName], Field(description="Those that hold on that day")]
    years: Annotated[list[FiguresRead], Field(description="The last twelve months, and the twelve before them")]
    treatment: TreatmentRead
    inputs: InputsRead
    thresholds: Thresholds
    rules_version: str
    cut_points: CutPointsRead | None

    @classmethod
    def explain(
        cls,
        appraisal: Appraisal,
        *,
        shown: Value,
        merged_from: list[UUID],
        days: int,
        rules: RuleSet,
        cuts: CutPoints | None,
        books: Books,
    ) -> Self:
        subject = appraisal.subject
        fields = {
            **figures(shown, books),
            "customer_id": subject.customer_id,
            "merged_from": merged_from,
            "as_of": appraisal.as_of,
            "currency": books.currency,
            "tier": str(appraisal.classified.tier),
            "reasons": list(appraisal.classified.reasons),
            "abc": None if appraisal.abc is None else str(appraisal.abc),
            "lifecycle": str(appraisal.lifecycle),
            "dormancy": appraisal.dormancy,
            "drop": appraisal.drop,
            "tenure_months": appraisal.tenure_months,
            "key_account": subject.key_account,
            "signals": sorted(map(str, appraisal.holding)),
            "years": [FiguresRead.of(appraisal.year, books), FiguresRead.of(appraisal.year_before, books)],
            "treatment": {
                **treatment_part(appraisal.decision),
                "rule": appraisal.decision.rule,
                "policy_version": rules.policy_version,
                "suppress_paid_outbound": appraisal.decision.treatment.suppress_paid_outbound,
            },
            "inputs": InputsRead(
                traces=subject.traces,
                days=days,
                first_purchase=appraisal.first_purchase,
                last_purchase=appraisal.last_purchase,
                purchase_days=appraisal.purchase_days,
                open_complaints=subject.open_complaints,
                categories=[category for category, _ in subject.categories],
            ),
            "thresholds": rules.thresholds,
            "rules_version": appraisal.rules_version,
            "cut_points": None if cuts is None else CutPointsRead.of(cuts, books),
        }
        return cls.model_validate(fields)


class HistoryRead(BaseModel):
    """What was said of a customer from then on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "at": "2026-11-20T20:00:00Z",
                    "tier": "MVC",
                    "abc": "A",
                    "lifecycle": "ACTIVE",
                    "service_level": "preferential",
                    "reasons": ["best_share"],
                    "profitability": _MONEY,
                    "contribution": _MONEY,
                    "rules_version": "thresholds-0.cuts-4",
                }
            ]
        }
    )

    at: AwareDatetime
    tier: TierName
    abc: AbcName | None
    lifecycle: str
    service_level: str
    reasons: list[str]
    profitability: MoneyBody
    contribution: MoneyBody
    rules_version: str


class HistoryPage(BaseModel):
    items: list[HistoryRead]
    next: Annotated[str | None, Field(examples=["WyIyMDI2LTExLTIwIl0"])]


class SignalRead(BaseModel):
    """A signal that holds, or held until `cleared_at`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "signal": "drop-warning",
                    "since": "2026-11-01",
                    "raised_at": "2026-11-01T05:00:00Z",
                    "announced": True,
                    "evidence": {"ratio": 0.5, "measure": "revenue"},
                    "cleared_at": None,
                    "cleared_evidence": None,
                }
            ]
        }
    )

    signal: SignalName
    since: date
    raised_at: AwareDatetime
    announced: Annotated[bool, Field(description="false: it was true before it was on record, and set nothing off")]
    evidence: dict[str, Any]
    cleared_at: AwareDatetime | None
    cleared_evidence: dict[str, Any] | None


class SignalPage(BaseModel):
    items: list[SignalRead]
    next: Annotated[str | None, Field(examples=["WyIyMDI2LTExLTIwIl0"])]


class CustomerRead(BaseModel):
    """A line of a list: one customer's standing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c1-7a3e-7cc0-9a51-4b1f0f5f8d10",
                    "tier": "MVC",
                    "abc": "A",
                    "lifecycle": "ACTIVE",
                    "service_level": "preferential",
                    "frequency": 12,
                    "revenue": _MONEY,
                    "profitability": _MONEY,
                    "contribution": _MONEY,
                    "rules_version": "thresholds-0.cuts-4",
                    "as_of": "2026-11-20",
                }
            ]
        }
    )

    customer_id: UUID
    tier: TierName
    abc: AbcName | None
    lifecycle: str
    service_level: str
    frequency: int
    revenue: MoneyBody
    profitability: MoneyBody
    contribution: MoneyBody
    rules_version: str
    as_of: date


class CustomerPage(BaseModel):
    items: list[CustomerRead]
    next: Annotated[str | None, Field(examples=["WyIyMDI2LTExLTIwIl0"])]
