"""HTTP in, HTTP out: a customer's timeline, page by page, as far as the caller may see it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import CompanyOf, DatabaseOf
from common.moments import Moment
from common.pagination import Page, Paging
from common.problems import problems_of
from common.uow import UnitOfWork
from interactions.readers import reader_of
from interactions.resume.domain import Reader, UnknownCustomer, View, ViewForbidden
from interactions.resume.repository import ResumeRepository
from interactions.timeline.repository import Filter, TimelineRepository
from interactions.timeline.schemas import TimelineItem
from interactions.touchpoints.domain import channel_of

router = APIRouter(prefix="/interactions/v1/customers", tags=["resume"])

CanRead = Annotated[Principal, needs("timeline:read")]


@router.get(
    "/{customer_id}/timeline",
    summary="Everything that was said and done, the newest first",
    response_model_exclude_unset=True,
    responses=problems_of(UnknownCustomer, ViewForbidden),
)
async def list_timeline(
    customer_id: UUID,
    who: CanRead,
    database: DatabaseOf,
    company: CompanyOf,
    page: Paging,
    kind: Annotated[list[str], Query(max_length=20, description="Only these kinds; repeatable")] = [],  # noqa: B006 - FastAPI copies it
    channel: Annotated[list[str], Query(max_length=20, description="Only these channels; repeatable (canal)")] = [],  # noqa: B006
    topic: Annotated[str | None, Query(max_length=100, description="Only this topic (tema)")] = None,
    since: Annotated[Moment | None, Query(description="Occurred at or after")] = None,
    until: Annotated[Moment | None, Query(description="Occurred before")] = None,
    view: Annotated[
        View | None, Query(description="agent, partner or customer; by default what the credential sees")
    ] = None,
) -> Page[TimelineItem]:
    """The timeline (línea de tiempo) over all channels, his own and those of whoever was merged into him.

    A customer's own credential sees what is proven to be his and meant for him; a partner's what came through himself.
    """
    reader = reader_of(who, view)
    wanted = Filter(tuple(kind), tuple(map(channel_of, channel)), company.topic_of(topic) or topic, since, until)
    async with UnitOfWork(database, reading=True) as uow:
        meant = await _visible(customer_id, reader, uow)
        rows = await TimelineRepository(uow.session).page(
            meant, reader, wanted, after=page.after(datetime, UUID), limit=page.fetch
        )
    kept, following = page.cut(rows, lambda row: (row["occurred_at"], row["touchpoint_id"]))
    return Page(items=[TimelineItem.of(dict(row), internal=reader.internal) for row in kept], next=following)


async def _visible(customer_id: UUID, reader: Reader, uow: UnitOfWork) -> UUID:
    """The customer, or who absorbed him. One that the reader may not see is as unknown as one that never was."""
    resumes = ResumeRepository(uow.session)
    meant = await resumes.existing(customer_id)
    if meant is None:
        raise UnknownCustomer
    if reader.bound and reader.customer_id is not None and await resumes.existing(reader.customer_id) != meant:
        raise UnknownCustomer
    if reader.restricted_to_partner and not await TimelineRepository(uow.session).anything_for(meant, reader):
        raise UnknownCustomer
    return meant
