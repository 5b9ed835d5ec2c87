"""Reports on identities over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf
from common.moments import Moment
from common.problems import problems_of
from identity.callers import Reading
from identity.reach import ForStaffOnly, for_staff
from identity.reports.repository import HealthFigures
from identity.reports.schemas import BacklogRead, ContactableRead, HealthReport, MergesRead, SpreadRead

router = APIRouter(prefix="/identity/v1/reports", tags=["reports (informes)"])
CanRead = Annotated[Principal, needs("customers:read")]


@router.get("/health", summary="How healthy the identities are", responses=problems_of(ForStaffOnly))
async def report_health(
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    as_of: Annotated[Moment | None, Query(description="Now, where left out")] = None,
    days: Annotated[int, Query(ge=1, le=366, description="How far back acts are counted")] = 30,
) -> HealthReport:
    """Who can be reached, identifiers per customer, merges and undos, pairs in doubt and their age, conflicts, duplicates, guards that bit.

    Many identifiers on one customer, or a rising share of undone merges, say that the rules join too much; a growing
    backlog, that they join too little (salud de las identidades).
    """
    for_staff(who)
    now = clock()
    at = min(as_of or now, now)
    since = at - timedelta(days=days)
    async with uow:
        figures = HealthFigures(uow.session)
        identifiers, shared = await figures.identifiers()
        spread, contactable = await figures.carried()
        acts = await figures.acts(since=since, until=at)
        return HealthReport(
            as_of=at, days=days, counted_at=now, customers=await figures.customers(), new_customers=acts.founded,
            identifiers=identifiers, shared_identifiers=shared,
            identifiers_per_customer=SpreadRead.of(spread),
            contactable=ContactableRead.of(contactable[True] + contactable[False]),
            contactable_key_accounts=ContactableRead.of(contactable[True]),
            merges=MergesRead.of(acts),
            reviews=BacklogRead.of(await figures.backlog(at=at), acts, at=at),
            guards_tripped=await figures.guards(since=since, until=at),
        )  # fmt: skip
