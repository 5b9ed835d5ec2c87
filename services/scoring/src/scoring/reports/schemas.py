"""What a caller reads of the population. Amounts are in the company's currency unless said otherwise."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from common.money import MoneyBody
from scoring.appraisals.schemas import CutPointsRead, WindowRead
from scoring.reports.domain import Group, effort_to_value, share_of
from scoring.values.domain import Books, Sums

_MONEY: Any = {"amount": "1250000.00", "currency": "COP"}


class GroupRead(BaseModel):
    """Customers taken together; shares are of all customers of the window."""

    customers: int
    customers_share: float | None
    revenue: MoneyBody
    revenue_share: float | None
    profit: MoneyBody
    profit_share: float | None
    contacts: int
    cost_to_serve: MoneyBody
    effort_share: float | None
    effort_to_value: Annotated[float | None, Field(description="Above 1: over-served (S0-70)")]

    @classmethod
    def fields(cls, group: Group, whole: Group, books: Books) -> dict[str, Any]:
        return {
            "customers": group.customers,
            "customers_share": share_of(group.customers, whole.customers),
            "revenue": MoneyBody.of(group.revenue, books.currency),
            "revenue_share": share_of(group.revenue, whole.revenue),
            "profit": MoneyBody.of(group.profit, books.currency),
            "profit_share": share_of(group.profit, whole.profit),
            "contacts": group.contacts,
            "cost_to_serve": MoneyBody.of(group.contact_cost, books.currency),
            "effort_share": share_of(group.contact_cost, whole.contact_cost),
            "effort_to_value": effort_to_value(group, whole),
        }

    @classmethod
    def of(cls, group: Group, whole: Group, books: Books) -> Self:
        return cls.model_validate(cls.fields(group, whole, books))


class ClassRead(GroupRead):
    abc: str


class SalesRead(BaseModel):
    """Sales of one part of the buyers. `billed` is exact, in the currencies of the bills."""

    entries: Annotated[int, Field(description="Purchase touchpoints of any amount")]
    purchases: Annotated[int, Field(description="Of a positive amount")]
    returns: Annotated[int, Field(description="Of a negative amount")]
    revenue: MoneyBody
    billed: list[MoneyBody]
    unconverted: list[str]

    @classmethod
    def of(cls, sums: Sums, books: Books) -> Self:
        return cls(
            entries=sums.tally.entries,
            purchases=sums.tally.purchases,
            returns=sums.tally.returns,
            revenue=MoneyBody.of(sums.tally.revenue, books.currency),
            billed=[MoneyBody.of(amount, currency) for currency, amount in sums.billed.items()],
            unconverted=list(sums.unconverted),
        )


class TotalsRead(BaseModel):
    """All sales of a window, by who bought: so that the sums are those of the books."""

    all: SalesRead
    customers: SalesRead
    unlinked: Annotated[SalesRead, Field(description="Traces that belong to nobody yet, such as a device")]
    anonymous: Annotated[SalesRead, Field(description="No identifier at all: a cash sale")]


_GROUP: dict[str, Any] = {
    "customers": 1021,
    "customers_share": 0.233,
    "revenue": _MONEY,
    "revenue_share": 0.79,
    "profit": _MONEY,
    "profit_share": 0.7999,
    "contacts": 0,
    "cost_to_serve": _MONEY,
    "effort_share": None,
    "effort_to_value": None,
}
_WINDOW: dict[str, Any] = {"kind": "to-date", "from": None, "to": "2011-12-09"}
_SALES: dict[str, Any] = {
    "entries": 2, "purchases": 2, "returns": 0, "revenue": _MONEY, "billed": [_MONEY], "unconverted": [],
}  # fmt: skip


class AbcReport(BaseModel):
    """ABC (clasificación ABC): the classes by cumulative profit, and by which lines they were given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2011-12-09",
                    "currency": "COP",
                    "window": _WINDOW,
                    "thresholds_version": 0,
                    "cut_points": None,
                    "whole": _GROUP,
                    "classes": [{"abc": "A", **_GROUP}],
                    "sales": {"all": _SALES, "customers": _SALES, "unlinked": _SALES, "anonymous": _SALES},
                }
            ]
        }
    )

    as_of: date
    currency: str
    window: WindowRead
    thresholds_version: int
    cut_points: CutPointsRead | None
    whole: GroupRead
    classes: list[ClassRead]
    sales: TotalsRead


class ParetoReport(BaseModel):
    """Pareto: what the best share of the customers brings, and what is spent on the most served."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2011-12-09",
                    "currency": "COP",
                    "window": _WINDOW,
                    "share": 0.2,
                    "top_by_profit": _GROUP,
                    "top_by_effort": _GROUP,
                    "whole": _GROUP,
                    "curve": [{"customers_share": 0.1, "profit_share": 0.6}],
                }
            ]
        }
    )

    as_of: date
    currency: str
    window: WindowRead
    share: float
    top_by_profit: GroupRead
    top_by_effort: GroupRead
    whole: GroupRead
    curve: Annotated[
        list[dict[str, float | None]], Field(description="Cumulative profit share by tenth of the customers")
    ]


class KpiReport(BaseModel):
    """Key figures of the population (indicadores)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "as_of": "2026-11-20",
                    "currency": "COP",
                    "rules_version": "thresholds-0.cuts-4",
                    "customers": 4372,
                    "tiers": {"MVC": 437},
                    "abc": {"A": 1021},
                    "lifecycle": {"ACTIVE": 4300},
                    "signals": {"dormant": 12},
                    "profit_below_zero": 41,
                    "contribution_below_zero": 55,
                    "year": _SALES,
                    "mean_purchase": _MONEY,
                    "purchases_per_active_customer": 4.1,
                }
            ]
        }
    )

    as_of: date
    currency: str
    rules_version: str
    customers: Annotated[int, Field(description="Customers with anything on record up to that day")]
    tiers: dict[str, int]
    abc: dict[str, int]
    lifecycle: dict[str, int]
    signals: dict[str, int]
    profit_below_zero: Annotated[int, Field(description="Customers whose returns and goods cost more than they bought")]
    contribution_below_zero: Annotated[int, Field(description="Customers who cost more than they contribute, to date")]
    year: Annotated[SalesRead, Field(description="Sales to customers, trailing twelve months")]
    mean_purchase: MoneyBody | None
    purchases_per_active_customer: float | None
