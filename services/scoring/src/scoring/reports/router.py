"""HTTP in, HTTP out: reports over the population, made from the rows when they are asked for."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from common.auth import Principal
from common.http import ClockOf
from common.money import MoneyBody
from common.problems import problems_of
from scoring.access import NotForThisView, Reading, own_people
from scoring.appraisals.domain import rules_version
from scoring.appraisals.reading import AsOf, InvalidAsOf, Ruled, everybody, ruled_on
from scoring.appraisals.schemas import CutPointsRead, WindowRead
from scoring.classes.domain import abc_window
from scoring.classes.use_cases import compute_cut_points, population_values
from scoring.reports.domain import by_class, grouped, share_of, top, top_by_effort
from scoring.reports.schemas import AbcReport, ClassRead, GroupRead, KpiReport, ParetoReport, SalesRead, TotalsRead
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Books, Tally, Value, Window, converted, trailing_year

router = APIRouter(prefix="/scoring/v1/reports", tags=["reports (informes)"])

CanRead = Annotated[Principal, own_people("value:read")]


@router.get("/abc", summary="ABC: classes by cumulative profit", responses=problems_of(NotForThisView, InvalidAsOf))
async def report_abc(who: CanRead, uow: Reading, clock: ClockOf, as_of: AsOf) -> AbcReport:  # noqa: ARG001
    """A to 80 % of the cumulative profit, B to 95 %, C the rest; customers of a class: `/customers?abc=A&as_of=`.

    For now, by the cut points in force; with `as_of`, by those of that day.
    """
    async with uow:
        ruled = await ruled_on(as_of, uow=uow, clock=clock)
        cuts = ruled.cuts or await compute_cut_points(uow=uow, rules=ruled.rules, as_of=ruled.as_of, now=clock())
        window = _abc_window(ruled, uow)
        values = list((await population_values(window, uow=uow)).values())
        sales = await _sales(window, uow)
    whole = grouped(values)
    return AbcReport(
        as_of=ruled.as_of,
        currency=uow.books.currency,
        window=WindowRead.of(window),
        thresholds_version=ruled.rules.thresholds_version,
        cut_points=CutPointsRead.of(cuts, uow.books),
        whole=GroupRead.of(whole, whole, uow.books),
        classes=[
            ClassRead.model_validate({"abc": str(abc), **GroupRead.fields(group, whole, uow.books)})
            for abc, group in by_class(values, cuts).items()
        ],
        sales=sales,
    )


@router.get("/pareto", summary="Pareto: profit and effort", responses=problems_of(NotForThisView, InvalidAsOf))
async def report_pareto(
    who: CanRead,  # noqa: ARG001
    uow: Reading,
    clock: ClockOf,
    as_of: AsOf,
    share: Annotated[float | None, Query(gt=0, le=1, description="The top; default: threshold pareto_share")] = None,
) -> ParetoReport:
    """What share of the profit the best 20 % of the customers bring, and what the 20 % on whom most is spent bring."""
    async with uow:
        ruled = await ruled_on(as_of, uow=uow, clock=clock)
        window = _abc_window(ruled, uow)
        values = list((await population_values(window, uow=uow)).values())
    best = ruled.rules.thresholds.pareto_share if share is None else share
    whole = grouped(values)
    return ParetoReport(
        as_of=ruled.as_of,
        currency=uow.books.currency,
        window=WindowRead.of(window),
        share=best,
        top_by_profit=GroupRead.of(top(values, share=best), whole, uow.books),
        top_by_effort=GroupRead.of(top_by_effort(values, share=best), whole, uow.books),
        whole=GroupRead.of(whole, whole, uow.books),
        curve=_curve(values),
    )


@router.get("/kpis", summary="Key figures of the population", responses=problems_of(NotForThisView, InvalidAsOf))
async def report_kpis(who: CanRead, uow: Reading, clock: ClockOf, as_of: AsOf) -> KpiReport:  # noqa: ARG001
    """How many customers stand where (indicadores), and how much they buy; everybody is looked at for it."""
    tiers, classes, lives, signals = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    unprofitable = below = 0
    async with uow:
        ruled = await ruled_on(as_of, uow=uow, clock=clock)
        async for each in everybody(ruled, uow=uow):
            if not each.days:
                continue
            appraisal = each.appraisal
            tiers[str(appraisal.classified.tier)] += 1
            classes.update([str(appraisal.abc)] if appraisal.abc else [])
            lives[str(appraisal.lifecycle)] += 1
            signals.update(map(str, appraisal.holding))
            unprofitable += appraisal.value.profitability < 0
            below += appraisal.value.contribution < 0 < appraisal.value.sums.tally.entries
        year = trailing_year(ruled.as_of)
        active = [each for each in (await population_values(year, uow=uow)).values() if each.frequency]
        sold = converted((await uow.values.totals(year))["customers"], uow.books.exchange)
    mean = sold.tally.revenue // sold.tally.purchases if sold.tally.purchases else None
    return KpiReport(
        as_of=ruled.as_of,
        currency=uow.books.currency,
        rules_version=rules_version(ruled.rules, ruled.cuts),
        customers=tiers.total(),
        tiers=dict(tiers),
        abc=dict(classes),
        lifecycle=dict(lives),
        signals=dict(signals),
        profit_below_zero=unprofitable,
        contribution_below_zero=below,
        year=SalesRead.of(sold, uow.books),
        mean_purchase=None if mean is None else MoneyBody.of(mean, uow.books.currency),
        purchases_per_active_customer=round(sum(each.frequency for each in active) / len(active), 3)
        if active
        else None,
    )


def _abc_window(ruled: Ruled, uow: ScoringUnitOfWork) -> Window:
    return abc_window(ruled.as_of, thresholds=ruled.rules.thresholds, books=uow.books)


async def _sales(window: Window, uow: ScoringUnitOfWork) -> TotalsRead:
    parts = await uow.values.totals(window)
    together: dict[str, Tally] = {}
    for by_currency in parts.values():
        for currency, tally in by_currency.items():
            together[currency] = together.get(currency, Tally()) + tally
    return TotalsRead.model_validate(
        {name: _sold(by_currency, uow.books) for name, by_currency in {**parts, "all": together}.items()}
    )


def _sold(by_currency: dict[str, Tally], books: Books) -> SalesRead:
    return SalesRead.of(converted(by_currency, books.exchange), books)


def _curve(values: Sequence[Value]) -> list[dict[str, float | None]]:
    whole = grouped(values).profit
    tenths = [tenth / 10 for tenth in range(1, 11)] if values else []
    return [
        {"customers_share": tenth, "profit_share": share_of(top(values, share=tenth).profit, whole)} for tenth in tenths
    ]
