"""Pairs in doubt over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.company import Company
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.pagination import Paging
from common.problems import problems_of
from identity.callers import Reading, Writing
from identity.customers.domain import display_name, survivors
from identity.merges.domain import KeptApart
from identity.reach import ForStaffOnly, for_staff
from identity.reviews.domain import AlreadyDecided, AlreadyOne, NobodyThere, Review, UnknownReview
from identity.reviews.schemas import ReviewDecision, ReviewPage, ReviewRead
from identity.reviews.use_cases import decide_review
from identity.uow import IdentityUnitOfWork

router = APIRouter(prefix="/identity/v1/reviews", tags=["reviews (revisiones)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanDecide = Annotated[Principal, needs("reviews:write")]


@router.get("", summary="List pairs in doubt", responses=problems_of(ForStaffOnly))
async def list_reviews(
    who: CanRead,
    uow: Reading,
    page: Paging,
    company: CompanyOf,
    state: Annotated[Literal["open", "same", "different"] | None, Query(description="Which ones")] = "open",
) -> ReviewPage:
    """Two traces that may be one person's, with the reasons for and against, the oldest first."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.reviews.page(state=state, after=after[0] if after else None, limit=page.fetch)
        kept, following = page.cut(found, key=lambda review: (review.review_id,))
        items = await _read(kept, uow, company)
    return ReviewPage(items=items, next=following)


@router.get("/{review_id}", summary="Read one pair", responses=problems_of(UnknownReview, ForStaffOnly))
async def read_review(review_id: UUID, who: CanRead, uow: Reading, company: CompanyOf) -> ReviewRead:
    """The pair, whose the two traces are at present, and what was decided."""
    for_staff(who)
    async with uow:
        found = await uow.reviews.get(review_id)
        if found is None:
            raise UnknownReview
        return (await _read([found], uow, company))[0]


@router.post(
    "/{review_id}:decide",
    summary="Decide on a pair",
    responses=problems_of(UnknownReview, AlreadyDecided, AlreadyOne, NobodyThere, KeptApart, ForStaffOnly, KeyReused),
)
async def decide(
    review_id: UUID,
    body: ReviewDecision,
    who: CanDecide,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
) -> ReviewRead:
    """`same` merges their customers, whatever the guards say; `different` keeps the two traces apart, whoever carries them."""
    for_staff(who)
    decided = await decide_review(
        review_id=review_id, same=body.verdict == "same", reason=body.reason, who=who, attempt=attempt, uow=uow,
        clock=clock, company=company,
    )  # fmt: skip
    async with uow:
        return (await _read([decided], uow, company))[0]


async def _read(reviews: Sequence[Review], uow: IdentityUnitOfWork, company: Company) -> list[ReviewRead]:
    traces = {trace for review in reviews for trace in (review.left_trace, review.right_trace)}
    owners = await uow.links.owners_of_traces(traces) if traces else {}
    dossiers = await uow.customers.dossiers({owner for owner in owners.values() if owner is not None})
    names = {
        customer_id: display_name(survivors(dossier.values, company.survivorship))
        for customer_id, dossier in dossiers.items()
    }
    return [ReviewRead.of(review, owners, names) for review in reviews]
