"""Guards that bit, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.pagination import Paging
from common.problems import problems_of
from identity.callers import Reading
from identity.guards.domain import Guard
from identity.guards.schemas import TripPage, TripRead
from identity.reach import ForStaffOnly, for_staff

router = APIRouter(prefix="/identity/v1/guard-trips", tags=["guards (salvaguardas)"])
CanRead = Annotated[Principal, needs("customers:read")]


@router.get("", summary="List guards that bit", responses=problems_of(ForStaffOnly))
async def list_guard_trips(
    who: CanRead,
    uow: Reading,
    page: Paging,
    guard: Annotated[Guard | None, Query(description="Which guard")] = None,
    customer_id: Annotated[UUID | None, Query(description="On him, his traces, or what these carry")] = None,
) -> TripPage:
    """What kept a false merge from happening, or hints at one (salvaguardas), the newest first; each is an event as well."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        customers = None if customer_id is None else [customer_id]
        found = await uow.guards.page(
            guard=guard, customers=customers, after=after[0] if after else None, limit=page.fetch
        )
    kept, following = page.cut(found, key=lambda trip: (trip.trip_id,))
    return TripPage(items=[TripRead.of(trip) for trip in kept], next=following)
