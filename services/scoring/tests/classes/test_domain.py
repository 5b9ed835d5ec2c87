"""Cut points and tiers, as tables of cases."""

from datetime import UTC, date, datetime

import pytest

from scoring.classes.domain import Abc, CutPoints, Standing, Tier, abc_cuts, abc_of, mvc_cut, tier_of, worst_cut
from scoring.policies.domain import Thresholds
from scoring.values.domain import Sums, Tally, Value, to_date

WHOLE = to_date(date(2026, 11, 20))


def _cuts(**cuts: int | None) -> CutPoints:
    given = {"a": None, "b": None, "mvc": None, "worst": None} | cuts
    return CutPoints(
        version=1,
        computed_at=datetime(2026, 11, 20, tzinfo=UTC),
        as_of=date(2026, 11, 20),
        thresholds_version=0,
        population=10,
        abc_window=WHOLE,
        mvc_window=WHOLE,
        active=10,
        worst_window=WHOLE,
        **given,
    )


def _value(revenue: int = 0, **counts: int) -> Value:
    return Value(WHOLE, Sums(Tally(**{"entries": 1, "purchases": 1, "revenue": revenue} | counts)))


def _standing(**changes: object) -> Standing:
    given = {
        "ranked": _value(100),
        "contributed": _value(100),
        "year": _value(100),
        "year_before": _value(100),
        "has_bought": True,
        "tenure_months": 36,
        "is_customer": True,
    }
    return Standing(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profits", "expected"),
    [
        ([], (None, None)),
        ([0, -5], (None, None)),
        ([100], (100, 100)),  # the best is A even where he alone is more than 80 %
        ([50, 30, 15, 5], (30, 15)),
        ([50, 30, 15, 5, -20], (50, 50)),  # of 80 in all 64 are A and 76 are B: the second takes it to 80
        ([10] * 10, (10, 10)),  # equals get equal classes
        ([90, 6, 4], (90, 90)),
    ],
)
def test_cut_points_lie_where_the_cumulative_profit_passes(
    profits: list[int], expected: tuple[int | None, int | None]
) -> None:
    assert abc_cuts(profits, a_share=0.8, b_share=0.95) == expected


def test_classes_follow_the_cut_points() -> None:
    cuts = _cuts(a=30, b=15)
    assert [abc_of(profit, cuts) for profit in (31, 30, 29, 15, 14, -3)] == [Abc.A, Abc.A, Abc.B, Abc.B, Abc.C, Abc.C]
    assert abc_of(5, _cuts()) is Abc.C


@pytest.mark.parametrize(
    ("profits", "expected"),
    [([], None), ([7], 7), ([-7], 1), (list(range(1, 21)), 19), (list(range(1, 10)), 9)],
)
def test_the_most_valuable_are_the_best_tenth_and_earn_something(profits: list[int], expected: int | None) -> None:
    assert mvc_cut(profits, share=0.10) == expected


@pytest.mark.parametrize(
    ("contributions", "expected"),
    [
        ([], None),
        ([1, 2, 3], None),
        (list(range(10)), 1),
        ([0] * 5 + [1] * 5, None),
        ([-3, 0, 0, 0, 0, 0, 0, 0, 0, 9], -3),
    ],
)
def test_the_worst_fifth_is_never_more_than_a_fifth(contributions: list[int], expected: int | None) -> None:
    assert worst_cut(contributions, share=0.20) == expected


@pytest.mark.parametrize(
    ("standing", "cuts", "tier", "reasons"),
    [
        (_standing(), _cuts(), Tier.STANDARD, ()),
        (_standing(), None, Tier.STANDARD, ()),
        (_standing(), _cuts(mvc=100), Tier.MVC, ("best_share",)),
        (_standing(), _cuts(mvc=101), Tier.STANDARD, ()),
        (_standing(year=_value(120)), _cuts(), Tier.GROWING, ("sales_growing",)),
        (_standing(year=_value(119)), _cuts(), Tier.STANDARD, ()),
        (_standing(year=_value(120), year_before=_value(0)), _cuts(), Tier.STANDARD, ()),
        (
            _standing(contributed=_value(100, contact_cost=101)),
            _cuts(mvc=1),
            Tier.BELOW_ZERO,
            ("contribution_below_zero",),
        ),
        (_standing(contributed=_value(-1, contact_cost=101), is_customer=False), _cuts(), Tier.STANDARD, ()),
        (_standing(), _cuts(worst=100), Tier.STANDARD, ()),  # in the worst share, and no reason
        (
            _standing(year=_value(0, purchases=0)),
            _cuts(worst=100),
            Tier.BELOW_ZERO,
            ("worst_share", "no_purchase_12m", "declining_purchases"),
        ),
        (_standing(year=_value(0, purchases=0), tenure_months=11), _cuts(worst=100), Tier.STANDARD, ()),
        (_standing(year=_value(79)), _cuts(worst=100), Tier.BELOW_ZERO, ("worst_share", "declining_purchases")),
        (_standing(year=_value(100, quotes=3)), _cuts(worst=100), Tier.BELOW_ZERO, ("worst_share", "shortlist_filler")),
        (_standing(year=_value(100, quotes=3, quotes_won=1)), _cuts(worst=100), Tier.STANDARD, ()),
        (
            _standing(year=_value(100, quotes_lost=2)),
            _cuts(worst=100),
            Tier.BELOW_ZERO,
            ("worst_share", "proposals_rejected"),
        ),
    ],
)
def test_a_tier_is_given_with_its_reasons(
    standing: Standing, cuts: CutPoints | None, tier: Tier, reasons: tuple[str, ...]
) -> None:
    classified = tier_of(standing, thresholds=Thresholds(), cuts=cuts)
    assert (classified.tier, classified.reasons) == (tier, reasons)
