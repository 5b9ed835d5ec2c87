"""Where a customer stands among all: cut points over the population, and the tier and class they give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from scoring.policies.domain import Thresholds
from scoring.values.domain import Books, Value, Window, closed_fiscal_year, trailing_year, window_of


class Tier(StrEnum):
    """What the relationship is worth (S0-50 to S0-53)."""

    MVC = "MVC"
    GROWING = "GROWING"
    STANDARD = "STANDARD"
    BELOW_ZERO = "BELOW_ZERO"


class Abc(StrEnum):
    """Share of the cumulative profit (S0-69): A to 80 %, B to 95 %, C the rest."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True)
class CutPoints:
    """The lines through the population, dated and versioned; amounts in minor units of the company's currency.

    A cut that is None was not to be had: nobody bought in its window, or nothing was earned.
    """

    version: int
    computed_at: datetime
    as_of: date
    thresholds_version: int
    population: int  # customers with a purchase or a return in the window of ABC
    abc_window: Window
    a: int | None
    b: int | None
    mvc_window: Window
    mvc: int | None
    active: int  # customers with a purchase in the window of the MVC
    worst_window: Window
    worst: int | None


@dataclass(frozen=True)
class Ranked:
    """One customer's place in a ranking: his profit, and what was given for it."""

    profit: int
    contribution: int
    purchases: int


# The figures of every customer with an entry in a window, by customer.
Population = Mapping[object, Ranked]


def mvc_window(as_of: date, *, books: Books, sold_in: Callable[[Window], bool]) -> Window:
    """The last closed fiscal year (A3, A42); the trailing year where nothing was sold in that one."""
    closed = closed_fiscal_year(as_of, starts=books.fiscal_year_starts)
    return closed if sold_in(closed) else trailing_year(as_of)


def abc_window(as_of: date, *, thresholds: Thresholds, books: Books) -> Window:
    return window_of(thresholds.abc_window, as_of, fiscal_year_starts=books.fiscal_year_starts)


def worst_window(as_of: date, *, thresholds: Thresholds, books: Books) -> Window:
    return window_of(thresholds.below_zero_window, as_of, fiscal_year_starts=books.fiscal_year_starts)


def abc_cuts(profits: Sequence[int], *, a_share: float, b_share: float) -> tuple[int | None, int | None]:
    """The least profit of class A and of class B: those with whom the cumulative share is still within the limit.

    The best customer is always A, even where he alone is more than the limit. Equal profits get equal classes.
    """
    ranked = sorted(profits, reverse=True)
    whole = sum(ranked)
    if whole <= 0:
        return None, None
    a_limit, b_limit = Decimal(str(a_share)) * whole, Decimal(str(b_share)) * whole
    a = b = ranked[0]
    cumulated = 0
    for profit in ranked:
        cumulated += profit
        if profit <= 0 or cumulated > b_limit:
            break
        b = profit
        if cumulated <= a_limit:
            a = profit
    return a, b


def mvc_cut(profits: Sequence[int], *, share: float) -> int | None:
    """The least profit among the best `share` of the active customers, one at least; nobody is MVC without profit."""
    if not profits:
        return None
    ranked = sorted(profits, reverse=True)
    best = max(1, int(Decimal(str(share)) * len(ranked)))
    return max(ranked[best - 1], 1)


def worst_cut(contributions: Sequence[int], *, share: float) -> int | None:
    """The best contribution within the worst `share`, which equals never stretch; None where the share is nobody."""
    ranked = sorted(contributions)
    worst = int(Decimal(str(share)) * len(ranked))
    while worst and worst < len(ranked) and ranked[worst - 1] == ranked[worst]:
        worst -= 1
    return ranked[worst - 1] if worst else None


def abc_of(profit: int, cuts: CutPoints) -> Abc:
    if cuts.a is not None and profit >= cuts.a:
        return Abc.A
    if cuts.b is not None and profit >= cuts.b:
        return Abc.B
    return Abc.C


@dataclass(frozen=True)
class Standing:
    """What the rules for a tier look at."""

    ranked: Value  # over the window of the MVC
    contributed: Value  # over the window of the worst share
    year: Value
    year_before: Value
    last_purchase: date | None
    tenure_months: int
    is_customer: bool  # he bought or returned something, ever


@dataclass(frozen=True)
class Classified:
    """A tier with its reasons, as codes."""

    tier: Tier
    reasons: tuple[str, ...]


def tier_of(standing: Standing, *, thresholds: Thresholds, cuts: CutPoints | None) -> Classified:
    """The tier (S0-50, S0-52, S0-53, A4): a negative contribution first, then the best, then the worst share, then growth.

    Who never bought anything is no customer yet: courting him costs, and does not put him below zero.
    """
    if not standing.is_customer:
        return Classified(Tier.STANDARD, ())
    weak = weaknesses(standing, thresholds=thresholds)
    if standing.contributed.contribution < 0:
        return Classified(Tier.BELOW_ZERO, ("contribution_below_zero", *weak))
    if in_best_share(standing.ranked, cuts):
        return Classified(Tier.MVC, ("best_share",))
    old_enough = standing.tenure_months >= thresholds.below_zero_min_months
    if weak and old_enough and in_worst_share(standing.contributed, cuts):
        return Classified(Tier.BELOW_ZERO, ("worst_share", *weak))
    before = standing.year_before.revenue
    if before > 0 and standing.year.revenue >= Decimal(str(thresholds.growing_ratio)) * before:
        return Classified(Tier.GROWING, ("sales_growing",))
    return Classified(Tier.STANDARD, ())


def weaknesses(standing: Standing, *, thresholds: Thresholds) -> tuple[str, ...]:
    """The reasons of S0-53 that hold, as codes."""
    year, before = standing.year.sums.tally, standing.year_before
    answered_badly = year.quotes_lost >= thresholds.rejected_quotes and year.quotes_lost > year.quotes_won
    invited = max(year.quotes, year.quotes_won + year.quotes_lost)
    return tuple(
        code
        for code, holds in (
            ("no_purchase_12m", not year.purchases and standing.last_purchase is not None),
            (
                "declining_purchases",
                before.revenue > 0
                and standing.year.revenue < Decimal(str(thresholds.declining_ratio)) * before.revenue,
            ),
            ("proposals_rejected", answered_badly),
            ("shortlist_filler", invited >= thresholds.shortlist_quotes and not year.quotes_won),
        )
        if holds
    )


def in_best_share(ranked: Value, cuts: CutPoints | None) -> bool:
    return cuts is not None and cuts.mvc is not None and ranked.profitability >= cuts.mvc


def in_worst_share(contributed: Value, cuts: CutPoints | None) -> bool:
    if cuts is None or cuts.worst is None or not contributed.sums.tally.entries:
        return False
    return contributed.contribution <= cuts.worst
