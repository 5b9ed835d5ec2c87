"""HTTP in, HTTP out: what customers are worth, and why."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from common.auth import Principal
from common.clock import Clock
from common.http import ClockOf
from common.money import MoneyBody
from common.pagination import Paging
from common.problems import problems_of
from scoring.access import NotForThisView, Reading, own_people
from scoring.appraisals.reading import (
    Appraised,
    AsOf,
    InvalidAsOf,
    MadeLists,
    UnknownCustomer,
    appraised,
    everybody,
    present_customer,
    ruled_on,
)
from scoring.appraisals.repository import ListFilter
from scoring.appraisals.schemas import (
    AbcName,
    CustomerPage,
    CustomerRead,
    HistoryPage,
    HistoryRead,
    SignalName,
    SignalPage,
    SignalRead,
    TierName,
    ValueRead,
)
from scoring.policies.domain import WindowName
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Value, total, window_of

router = APIRouter(prefix="/scoring/v1/customers", tags=["value (valor)"])


async def _made(request: Request) -> MadeLists[CustomerRead]:
    made: MadeLists[CustomerRead] = request.app.state.made_lists
    return made


Made = Annotated[MadeLists[CustomerRead], Depends(_made)]
CanRead = Annotated[Principal, own_people("value:read")]


@router.get("", summary="List customers by what they are worth", responses=problems_of(NotForThisView, InvalidAsOf))
async def list_customer_values(
    who: CanRead,  # noqa: ARG001
    uow: Reading,
    clock: ClockOf,
    page: Paging,
    as_of: AsOf,
    made: Made,
    tier: Annotated[TierName | None, Query(description="Tier (categoría de valor)")] = None,
    abc: Annotated[AbcName | None, Query(description="ABC class (clasificación ABC)")] = None,
    signal: Annotated[SignalName | None, Query(description="A signal that holds (señal)")] = None,
) -> CustomerPage:
    """Customers by profitability to date, the highest first: all, or those of a tier, of a class, under a signal.

    With `as_of` the list is made from the rows up to that day, by cut points of that day: everybody is looked at for it.
    """
    wanted = ListFilter(tier, abc, signal)
    given = page.after(int, UUID)
    after = None if given is None else (given[0], given[1])
    async with uow:
        if as_of is None:
            rows = [_of_standing(row, uow) for row in await uow.standings.page(wanted, after=after, limit=page.fetch)]
        else:
            ranked = None if after is None else made.find((as_of, wanted))
            if ranked is None:
                ranked = made.keep((as_of, wanted), await _list_of_the_past(wanted, as_of, uow=uow, clock=clock))
            rows = [row for row in ranked if after is None or _place(row) < after][: page.fetch]
    kept, following = page.cut(rows, key=_place)
    return CustomerPage(items=list(kept), next=following)


@router.get(
    "/{customer_id}/value",
    summary="What a customer is worth, and why",
    responses=problems_of(UnknownCustomer, NotForThisView, InvalidAsOf),
)
async def read_customer_value(
    customer_id: UUID,
    who: CanRead,  # noqa: ARG001
    uow: Reading,
    clock: ClockOf,
    as_of: AsOf,
    window: Annotated[WindowName, Query(description="Which days the figures count")] = "to-date",
) -> ValueRead:
    """Figures, tier, class, lifecycle and treatment (rentabilidad = F * V - costo de ventas), computed from the rows now.

    It explains itself: the inputs, every threshold, the cut points and the version of the rules. An absorbed customer's id
    leads to the survivor.
    """
    async with uow:
        survivor = await present_customer(customer_id, uow=uow)
        ruled = await ruled_on(as_of, uow=uow, clock=clock)
        found = await appraised(survivor, ruled, uow=uow)
        span = window_of(window, ruled.as_of, fiscal_year_starts=uow.books.fiscal_year_starts)
        days = (await uow.values.days_of([survivor], until=ruled.as_of)).get(survivor, [])
        absorbed = await uow.links.absorbed_by(survivor)
    return ValueRead.explain(
        found.appraisal,
        shown=Value(span, total(days, span, uow.books.exchange)),
        merged_from=sorted({*absorbed, customer_id} - {survivor}),
        days=found.days,
        rules=ruled.rules,
        cuts=ruled.cuts,
        books=uow.books,
    )


@router.get(
    "/{customer_id}/history",
    summary="How a customer's standing changed",
    responses=problems_of(UnknownCustomer, NotForThisView),
)
async def read_customer_history(customer_id: UUID, who: CanRead, uow: Reading, page: Paging) -> HistoryPage:  # noqa: ARG001
    """Tier, class, lifecycle and service level as they were given (historia), the newest first, each by its rules."""
    after = page.after(UUID)
    async with uow:
        survivor = await present_customer(customer_id, uow=uow)
        rows = await uow.standings.changes(survivor, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(rows, key=lambda row: (row.id,))
    currency = uow.books.currency
    items = [
        HistoryRead(
            at=row.at,
            tier=row.tier,
            abc=row.abc,
            lifecycle=row.lifecycle,
            service_level=row.service_level,
            reasons=row.reasons,
            profitability=MoneyBody.of(row.profitability, currency),
            contribution=MoneyBody.of(row.contribution, currency),
            rules_version=row.rules_version,
        )
        for row in kept
    ]
    return HistoryPage(items=items, next=following)


@router.get(
    "/{customer_id}/signals",
    summary="A customer's signals, past and present",
    responses=problems_of(UnknownCustomer, NotForThisView),
)
async def read_customer_signals(customer_id: UUID, who: CanRead, uow: Reading, page: Paging) -> SignalPage:  # noqa: ARG001
    """Drops and dormancy (señales: caída de compras, inactividad) with their evidence; `cleared_at` is null while they hold."""
    after = page.after(UUID)
    async with uow:
        survivor = await present_customer(customer_id, uow=uow)
        rows = await uow.signals.page(survivor, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(rows, key=lambda row: (row.id,))
    items = [
        SignalRead(
            signal=row.signal,
            since=row.since,
            raised_at=row.raised_at,
            announced=row.announced,
            evidence=row.evidence,
            cleared_at=row.cleared_at,
            cleared_evidence=row.cleared_evidence,
        )
        for row in kept
    ]
    return SignalPage(items=items, next=following)


async def _list_of_the_past(
    wanted: ListFilter, as_of: date, *, uow: ScoringUnitOfWork, clock: Clock
) -> list[CustomerRead]:
    ruled = await ruled_on(as_of, uow=uow, clock=clock)
    found = [_of_appraised(each, uow) async for each in everybody(ruled, uow=uow) if _shows(wanted, each)]
    return sorted(found, key=_place, reverse=True)


def _shows(wanted: ListFilter, each: Appraised) -> bool:
    appraisal = each.appraisal
    return (
        each.days > 0
        and wanted.tier in (None, str(appraisal.classified.tier))
        and (wanted.abc is None or wanted.abc == appraisal.abc)
        and (wanted.signal is None or wanted.signal in appraisal.holding)
    )


def _place(row: CustomerRead) -> tuple[int, UUID]:
    return row.profitability.minor, row.customer_id


def _of_standing(row: Any, uow: ScoringUnitOfWork) -> CustomerRead:
    currency = uow.books.currency
    return CustomerRead(
        customer_id=row.customer_id,
        tier=row.tier,
        abc=row.abc,
        lifecycle=row.lifecycle,
        service_level=row.service_level,
        frequency=row.frequency,
        revenue=MoneyBody.of(row.revenue, currency),
        profitability=MoneyBody.of(row.profitability, currency),
        contribution=MoneyBody.of(row.contribution, currency),
        rules_version=row.rules_version,
        as_of=uow.books.day_of(row.appraised_at),
    )


def _of_appraised(each: Appraised, uow: ScoringUnitOfWork) -> CustomerRead:
    appraisal, currency = each.appraisal, uow.books.currency
    return CustomerRead.model_validate(
        {
            "customer_id": appraisal.subject.customer_id,
            "tier": str(appraisal.classified.tier),
            "abc": None if appraisal.abc is None else str(appraisal.abc),
            "lifecycle": str(appraisal.lifecycle),
            "service_level": appraisal.decision.treatment.service_level,
            "frequency": appraisal.value.frequency,
            "revenue": MoneyBody.of(appraisal.value.revenue, currency),
            "profitability": MoneyBody.of(appraisal.value.profitability, currency),
            "contribution": MoneyBody.of(appraisal.value.contribution, currency),
            "rules_version": appraisal.rules_version,
            "as_of": appraisal.as_of,
        }
    )
