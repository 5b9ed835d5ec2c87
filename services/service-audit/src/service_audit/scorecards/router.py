"""HTTP in, HTTP out: the scorecard of a period, and the map of a cycle."""

from typing import Annotated

from fastapi import APIRouter, Query

from common.http import ClockOf, CompanyOf
from common.problems import problems_of
from service_audit.callers import NotForCustomers, Reading
from service_audit.scorecards import use_cases
from service_audit.scorecards.domain import UnknownPeriod, period_of
from service_audit.scorecards.schemas import CycleMapRead, MomentScoreRead, ScorecardRead
from service_audit.standards.domain import UnknownDocument
from service_audit.standards.router import CycleCode

router = APIRouter(prefix="/service-audit/v1", tags=["scorecards (tableros)"], responses=problems_of(NotForCustomers))
PeriodText = Annotated[str, Query(max_length=10, description="2026-11, 2026-Q4 or 2026", examples=["2026-11"])]


@router.get("/scorecards", summary="Read the scorecard", responses=problems_of(UnknownPeriod))
async def read_scorecard(period: PeriodText, uow: Reading, company: CompanyOf, clock: ClockOf) -> ScorecardRead:
    """How well we served (tablero de servicio) in a month, a quarter or a year of the company's time zone.

    Each attribute has a score from 0 to 100, the size of its sample, its target and its change against the period before.
    """
    wanted = period_of(period)
    async with uow:
        card = await use_cases.scorecard_of(wanted, company=company, uow=uow)
        publication = await uow.publications.get(wanted.label)
    return ScorecardRead.of(card, wanted.bounds(company), publication, clock())


@router.get(
    "/cycles/{code}/map",
    summary="Read the map of a cycle",
    responses=problems_of(UnknownDocument, UnknownPeriod),
)
async def read_cycle_map(code: CycleCode, period: PeriodText, uow: Reading, company: CompanyOf) -> CycleMapRead:
    """The moments of truth in the order in which the customer lives them (mapa del ciclo), each with its score."""
    wanted = period_of(period)
    async with uow:
        moments = await use_cases.cycle_map(code, wanted, company=company, uow=uow)
    return CycleMapRead(cycle=code, period=wanted.label, moments=[MomentScoreRead.of(moment) for moment in moments])
