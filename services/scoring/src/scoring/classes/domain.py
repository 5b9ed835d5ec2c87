"""Where a customer stands among all: cut points over the population, and the tier and class they give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.policies.domain import Thresholds
from scoring.values.domain import (
    HIGHEST,
    Books,
    Value,
    Window,
    closed_fiscal_year,
    compared,
    trailing_year,
    window_of,
)


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


Amounts = Sequence[int] | npt.NDArray[np.int64]


def abc_cuts(profits: Amounts, *, a_share: float, b_share: float) -> tuple[int | None, int | None]:
    """The least profit of class A and of class B: those with whom the cumulative share is still within the limit.

    The best customer is always A, even where he alone is more than the limit. Equal profits get equal classes.
    """
    ranked = _ranked(profits)[::-1]
    whole = _sum(ranked)
    if whole <= 0:
        return None, None
    earners = ranked[: np.count_nonzero(ranked > 0)]
    if _sum(earners) > HIGHEST:
        earners = earners.astype(object)  # 64 bits would not hold the sum: Python's numbers do
    cumulated = np.cumsum(earners)

    def least(share: float) -> int:
        within = int(np.searchsorted(cumulated, int(Decimal(str(share)) * whole), side="right"))
        return int(earners[max(within, 1) - 1])

    return least(a_share), least(b_share)


def mvc_cut(profits: Amounts, *, share: float) -> int | None:
    """The least profit among the best `share` of the active customers, one at least; nobody is MVC without profit."""
    if not len(profits):
        return None
    ranked = _ranked(profits)
    best = max(1, int(Decimal(str(share)) * len(ranked)))
    return max(int(ranked[-best]), 1)


def worst_cut(contributions: Amounts, *, share: float) -> int | None:
    """The best contribution within the worst `share`, which equals never stretch; None where the share is nobody."""
    ranked = _ranked(contributions)
    worst = int(Decimal(str(share)) * len(ranked))
    if 0 < worst < len(ranked) and ranked[worst - 1] == ranked[worst]:
        worst = int(np.searchsorted(ranked, ranked[worst]))
    return int(ranked[worst - 1]) if worst else None


def _ranked(amounts: Amounts) -> Any:
    return np.sort(np.asarray(amounts, dtype=np.int64))


def _sum(amounts: Any) -> int:
    """Exact, whatever the amounts: the upper and the lower halves of 64 bits are added apart."""
    return (int((amounts >> 32).sum()) << 32) + int((amounts & 0xFFFFFFFF).sum())


def abc_of(profit: int, cuts: CutPoints) -> Abc:
    return next(abc for abc, holds in abc_rules(profit, cuts) if holds)


def abc_rules(profit: Any, cuts: CutPoints) -> list[tuple[Abc, Any]]:
    """The classes, each with whether it holds; the first that does is the class. `profit` is a number or a column of them."""
    return [
        (Abc.A, cuts.a is not None and profit >= cuts.a),
        (Abc.B, cuts.b is not None and profit >= cuts.b),
        (Abc.C, True),
    ]


@dataclass(frozen=True)
class Standing:
    """What the rules for a tier look at. Of one customer; or of many, where every figure is a column of numbers."""

    ranked: Value  # over the window of the MVC
    contributed: Value  # over the window of the worst share
    year: Value
    year_before: Value
    has_bought: bool
    tenure_months: int
    is_customer: bool  # he bought or returned something, ever


@dataclass(frozen=True)
class Classified:
    """A tier with its reasons, as codes."""

    tier: Tier
    reasons: tuple[str, ...]


# The tiers in the order of asking, each with the code of its reason; below zero the weaknesses are added to it.
TIER_RULES: tuple[tuple[Tier, str | None], ...] = (
    (Tier.STANDARD, None),
    (Tier.BELOW_ZERO, "contribution_below_zero"),
    (Tier.MVC, "best_share"),
    (Tier.BELOW_ZERO, "worst_share"),
    (Tier.GROWING, "sales_growing"),
    (Tier.STANDARD, None),
)
WEAKNESSES = ("no_purchase_12m", "declining_purchases", "proposals_rejected", "shortlist_filler")


def tier_of(standing: Standing, *, thresholds: Thresholds, cuts: CutPoints | None) -> Classified:
    """The tier (S0-50, S0-52, S0-53, A4): a negative contribution first, then the best, then the worst share, then growth.

    Who never bought anything is no customer yet: courting him costs, and does not put him below zero.
    """
    weak = weaknesses(standing, thresholds=thresholds)
    holds = tier_conditions(standing, weak, thresholds=thresholds, cuts=cuts)
    tier, reason = next(rule for rule, held in zip(TIER_RULES, holds, strict=True) if held)
    if reason is None:
        return Classified(tier, ())
    codes = [code for code, held in zip(WEAKNESSES, weak, strict=True) if held] if tier is Tier.BELOW_ZERO else []
    return Classified(tier, (reason, *codes))


def tier_conditions(
    standing: Standing, weak: Sequence[Any], *, thresholds: Thresholds, cuts: CutPoints | None
) -> tuple[Any, ...]:
    """Whether each of TIER_RULES holds, the first that does decides: a truth of one customer, a column of them of many."""
    is_weak = weak[0] | weak[1] | weak[2] | weak[3]
    old_enough = standing.tenure_months >= thresholds.below_zero_min_months
    before = standing.year_before.revenue
    return (
        standing.is_customer == False,  # noqa: E712 - of a column `not` is no question
        standing.contributed.contribution < 0,
        in_best_share(standing.ranked, cuts),
        is_weak & old_enough & in_worst_share(standing.contributed, cuts),
        (before > 0) & (compared(standing.year.revenue, thresholds.growing_ratio, before) >= 0),
        True,
    )


def weaknesses(standing: Standing, *, thresholds: Thresholds) -> tuple[Any, ...]:
    """Whether each of the WEAKNESSES (S0-53) holds: truths of one customer, columns of them of many."""
    year, before = standing.year.sums.tally, standing.year_before.revenue
    lost, won = year.quotes_lost, year.quotes_won
    asked_often = (year.quotes >= thresholds.shortlist_quotes) | (won + lost >= thresholds.shortlist_quotes)
    return (
        (year.purchases == 0) & standing.has_bought,
        (before > 0) & (compared(standing.year.revenue, thresholds.declining_ratio, before) < 0),
        (lost >= thresholds.rejected_quotes) & (lost > won),
        asked_often & (won == 0),
    )


def in_best_share(ranked: Value, cuts: CutPoints | None) -> Any:
    return False if cuts is None or cuts.mvc is None else ranked.profitability >= cuts.mvc


def in_worst_share(contributed: Value, cuts: CutPoints | None) -> Any:
    if cuts is None or cuts.worst is None:
        return False
    return (contributed.sums.tally.entries != 0) & (contributed.contribution <= cuts.worst)
