"""Shares of profit, revenue and effort: ABC and Pareto over the population, as pure sums."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from scoring.classes.domain import Abc, CutPoints, abc_of
from scoring.values.domain import Value


@dataclass(frozen=True)
class Group:
    """Customers taken together."""

    customers: int = 0
    revenue: int = 0
    profit: int = 0
    contacts: int = 0
    contact_cost: int = 0

    def with_one(self, value: Value) -> "Group":
        tally = value.sums.tally
        return Group(
            self.customers + 1,
            self.revenue + value.revenue,
            self.profit + value.profitability,
            self.contacts + tally.contacts,
            self.contact_cost + tally.contact_cost,
        )


def grouped(values: Iterable[Value]) -> Group:
    group = Group()
    for value in values:
        group = group.with_one(value)
    return group


def by_class(values: Iterable[Value], cuts: CutPoints) -> dict[Abc, Group]:
    """The three classes, empty ones included."""
    groups = dict.fromkeys(Abc, Group())
    for value in values:
        abc = abc_of(value.profitability, cuts)
        groups[abc] = groups[abc].with_one(value)
    return groups


def top(values: Sequence[Value], *, share: float) -> Group:
    """The best share of the customers by profitability, one at least where there are any."""
    ranked = sorted(values, key=lambda value: value.profitability, reverse=True)
    return grouped(ranked[: _count(len(ranked), share)])


def top_by_effort(values: Sequence[Value], *, share: float) -> Group:
    """The share of the customers on whom most is spent (A28)."""
    ranked = sorted(values, key=lambda value: (value.cost_to_serve, value.sums.tally.contacts), reverse=True)
    return grouped(ranked[: _count(len(ranked), share)])


def share_of(part: int, whole: int) -> float | None:
    """None where there is nothing to share."""
    return None if whole <= 0 else round(part / whole, 6)


def effort_to_value(group: Group, whole: Group) -> float | None:
    """Effort share over profit share; above 1 the class is over-served (S0-70)."""
    effort, value = share_of(group.contact_cost, whole.contact_cost), share_of(group.profit, whole.profit)
    return None if effort is None or not value or value < 0 else round(effort / value, 4)


def _count(customers: int, share: float) -> int:
    return max(1, int(Decimal(str(share)) * customers)) if customers else 0
