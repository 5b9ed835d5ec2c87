"""HTTP in, HTTP out: what came of the moments of truth."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from common.errors import Invalid
from common.http import CompanyOf
from common.pagination import Paging
from common.problems import problems_of
from service_audit.callers import NotForCustomers, Reading
from service_audit.evidence import use_cases
from service_audit.evidence.domain import Evidence, State, UnknownCustomer
from service_audit.evidence.repository import EvidenceFilter
from service_audit.evidence.schemas import CustomersEvidence, EvidencePage, EvidenceRead
from service_audit.scorecards.domain import UnknownPeriod, period_of

router = APIRouter(prefix="/service-audit/v1", tags=["evidence (evidencia)"], responses=problems_of(NotForCustomers))


async def _filter(
    company: CompanyOf,
    met: Annotated[bool | None, Query(description="true: met; false: failed; left out: all states")] = None,
    state: Annotated[State | None, Query(description="More exactly than `met`; not another than it")] = None,
    cycle: Annotated[str | None, Query(max_length=60, description="Of one service cycle only")] = None,
    moment: Annotated[str | None, Query(max_length=60, description="Of one moment of truth only")] = None,
    period: Annotated[
        str | None, Query(max_length=10, description="2026-11, 2026-Q4 or 2026", examples=["2026-11"])
    ] = None,
) -> EvidenceFilter:
    since, until = period_of(period).bounds(company) if period is not None else (None, None)
    by_met: State | None = None if met is None else ("met" if met else "failed")
    if by_met is not None and state is not None and state != by_met:
        raise Invalid("`met` and `state` ask for different evidence", pointer="/query/state")
    return EvidenceFilter(state=state or by_met, cycle=cycle, moment=moment, since=since, until=until)


Wanted = Annotated[EvidenceFilter, Depends(_filter)]


@router.get("/evidence", summary="List evidence", responses=problems_of(UnknownPeriod))
async def list_evidence(uow: Reading, page: Paging, wanted: Wanted) -> EvidencePage:
    """What came of each moment of truth, the latest first: `?met=false&period=2026-11` lists those that failed (fallidos)."""
    async with uow:
        found = await uow.evidence.page(wanted, after=page.after(datetime, UUID), limit=page.fetch)
        bodies = await uow.standards.moment_bodies()
    kept, following = page.cut(found, key=_place)
    return EvidencePage(items=[EvidenceRead.of(one, bodies) for one in kept], next=following)


@router.get(
    "/customers/{customer_id}/evidence",
    summary="List a customer's evidence",
    responses=problems_of(UnknownCustomer, UnknownPeriod),
)
async def list_customers_evidence(customer_id: UUID, uow: Reading, page: Paging, wanted: Wanted) -> CustomersEvidence:
    """How this customer was served (cómo se le atendió), the latest first. It follows merges and their undoing exactly."""
    async with uow:
        survivor, found = await use_cases.customers_evidence(
            customer_id, wanted, after=page.after(datetime, UUID), limit=page.fetch, uow=uow
        )
        bodies = await uow.standards.moment_bodies()
    kept, following = page.cut(found, key=_place)
    items = [EvidenceRead.of(one, bodies) for one in kept]
    return CustomersEvidence(customer_id=survivor, items=items, next=following)


def _place(evidence: Evidence) -> tuple[object, ...]:
    return (evidence.at, evidence.evidence_id)
