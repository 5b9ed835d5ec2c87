"""HTTP out: reports over the log, for staff."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf, DatabaseOf
from common.pagination import InvalidCursor, Page, Paging
from common.problems import problems_of
from interactions.readers import reader_of
from interactions.reports.schemas import DependencyRead
from interactions.resume.domain import ViewForbidden
from interactions.uow import InteractionsUnitOfWork

TOO_MUCH = 0.8  # of a customer's contacts with one employee (S1-10)
FEWEST = 5  # contacts, below which nothing can be said
TAG = "reports (informes)"

router = APIRouter(prefix="/interactions/v1/reports", tags=[TAG])


@router.get(
    "/single-person-dependency",
    summary="Whose bond is with one employee only",
    responses=problems_of(ViewForbidden, InvalidCursor),
)
async def single_person_dependency(
    who: Annotated[Principal, needs("timeline:read")],
    database: DatabaseOf,
    clock: ClockOf,
    page: Paging,
    staff_id: Annotated[str | None, Query(max_length=200, description="Dependent on this employee only")] = None,
    days: Annotated[int, Query(ge=1, le=3650, description="Contacts of the last so many days")] = 365,
    above: Annotated[float, Query(ge=0.5, lt=1, description="More than this share of his contacts")] = TOO_MUCH,
    fewest: Annotated[int, Query(ge=1, le=1000, description="Customers with fewer contacts are left out")] = FEWEST,
) -> Page[DependencyRead]:
    """When a salesperson leaves he takes them along (dependencia de una sola persona, S1-10): the brand is to hold the bond.

    A contact is whatever was said on any channel, also without a person of ours; notes and mailings are none. By customer id.
    """
    reader_of(who, "agent")
    after = page.after(UUID)
    async with InteractionsUnitOfWork(database, reading=True) as uow:
        found = await uow.reports.dependencies(
            since=clock() - timedelta(days=days), above=above, fewest=fewest, staff_id=staff_id,
            after=after[0] if after else None, limit=page.fetch,
        )  # fmt: skip
    rows, following = page.cut(found, lambda one: (one.customer_id,))
    return Page(items=[DependencyRead.of(one) for one in rows], next=following)
