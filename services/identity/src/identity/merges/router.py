"""Merge and undo over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.pagination import Paging
from common.problems import problems_of
from identity.callers import Reading, Writing
from identity.customers.domain import CustomerGone, UnknownCustomer
from identity.merges.domain import AlreadyUndone, GuardObjects, KeptApart, NotKeptApart, SameCustomer, UnknownMerge
from identity.merges.schemas import (
    DecisionKind,
    DecisionPage,
    DecisionRead,
    Lift,
    MergeAsked,
    MergeBatch,
    MergeBatchMade,
    MergeCreate,
    MergeMade,
    MergePage,
    MergePreview,
    MergeRead,
    MergeReason,
    MergeUndone,
)
from identity.merges.undoing import undo_merge
from identity.merges.use_cases import lift, merge_customers, merge_list, preview_merge
from identity.reach import ForStaffOnly, for_staff

router = APIRouter(prefix="/identity/v1", tags=["merges (fusiones)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanMerge = Annotated[Principal, needs("merges:write")]
_PAIR = (UnknownCustomer, CustomerGone, SameCustomer, ForStaffOnly)


@router.post("/merges:preview", summary="See what a merge would do", responses=problems_of(*_PAIR))
async def preview(body: MergeAsked, who: CanMerge, uow: Reading, clock: ClockOf, company: CompanyOf) -> MergePreview:
    """What would move, which values would win by which rule, which consents would tighten, which guards object.

    Changes nothing. `touchpoints_moved` counts contacts of which we know who it was; threads are joined anew by interactions.
    """
    for_staff(who)
    return MergePreview.of(
        await preview_merge(survivor=body.survivor, absorbed=body.absorbed, uow=uow, clock=clock, company=company)
    )


@router.post(
    "/merges",
    status_code=201,
    summary="Merge two customers",
    responses=problems_of(*_PAIR, KeptApart, GuardObjects, KeyReused),
)
async def merge(
    body: MergeCreate, who: CanMerge, attempt: AttemptOf, uow: Writing, clock: ClockOf, company: CompanyOf
) -> MergeMade:
    """All traces of the absorbed one become the survivor's (fusión). Nothing is rewritten, so it can be undone exactly.

    His id stays addressable and says where he went. Of consents the more restrictive holds until he grants again.
    """
    for_staff(who)
    merge_id = await merge_customers(
        survivor=body.survivor, absorbed=body.absorbed, reason=body.reason, force=body.force, who=who, attempt=attempt,
        uow=uow, clock=clock, company=company,
    )  # fmt: skip
    return MergeMade(merge_id=merge_id)


@router.post(
    "/merges/{merge_id}:undo",
    summary="Undo a merge",
    responses=problems_of(UnknownMerge, AlreadyUndone, ForStaffOnly, KeyReused),
)
async def undo(
    merge_id: UUID,
    body: MergeReason,
    who: CanMerge,
    attempt: AttemptOf,
    uow: Writing,
    clock: ClockOf,
    company: CompanyOf,
) -> MergeUndone:
    """The world as if it had not been: what moved goes back; what came since is decided anew by the rules.

    The two are kept apart from now on, until a person lifts that. What the rules cannot decide goes to review.
    """
    for_staff(who)
    decision_id = await undo_merge(
        merge_id=merge_id, reason=body.reason, who=who, attempt=attempt, uow=uow, clock=clock, company=company
    )
    return MergeUndone(merge_id=merge_id, decision_id=decision_id)


@router.get("/merges", summary="List merges", responses=problems_of(ForStaffOnly))
async def list_merges(
    who: CanRead,
    uow: Reading,
    page: Paging,
    customer: Annotated[UUID | None, Query(description="Survivor or absorbed")] = None,
    author: Annotated[
        str | None, Query(max_length=200, description="Who decided; `rules` for those made by rules")
    ] = None,
) -> MergePage:
    """Who merged whom, when and why, the newest first; those that were undone included."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.links.decisions(
            kind="merge", customers=None if customer is None else [customer], author=author,
            after=after[0] if after else None, limit=page.fetch,
        )  # fmt: skip
    kept, following = page.cut(found, key=lambda merge: (merge.decision_id,))
    return MergePage(items=[MergeRead.of(each) for each in kept], next=following)


@router.post("/merges:batch", summary="Merge a reviewed list", responses=problems_of(ForStaffOnly))
async def merge_batch(
    body: MergeBatch, who: CanMerge, uow: Writing, clock: ClockOf, company: CompanyOf
) -> MergeBatchMade:
    """Each line stands for itself: one that is refused says why, the others are merged (fusión por lista revisada).

    A line whose two are one customer already is `known`, so the list can be sent again. An id that an earlier line absorbed
    stands for whoever absorbed it.
    """
    for_staff(who)
    fates = await merge_list(
        [row.line(body.reason) for row in body.merges], who=who, uow=uow, clock=clock, company=company
    )
    return MergeBatchMade.of(fates)


@router.get("/decisions", summary="Read the log of decisions", responses=problems_of(ForStaffOnly))
async def list_decisions(
    who: CanRead,
    uow: Reading,
    page: Paging,
    customer_id: Annotated[
        UUID | None, Query(description="Merged, absorbed, or whose traces are where the decision put them")
    ] = None,
    author: Annotated[
        str | None, Query(max_length=200, description="Who decided; `rules` for those made by rules")
    ] = None,
    kind: Annotated[DecisionKind | None, Query(description="What was decided")] = None,
) -> DecisionPage:
    """Who decided what on whose traces, when and why, the newest first (bitácora): links, merges, undos, verdicts, lifts."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.links.decisions(
            kind=kind, customers=None if customer_id is None else [customer_id], author=author,
            after=after[0] if after else None, limit=page.fetch,
        )  # fmt: skip
    kept, following = page.cut(found, key=lambda each: (each.decision_id,))
    return DecisionPage(items=[DecisionRead.of(each) for each in kept], next=following)


@router.get("/merges/{merge_id}", summary="Read one merge", responses=problems_of(UnknownMerge, ForStaffOnly))
async def read_merge(merge_id: UUID, who: CanRead, uow: Reading) -> MergeRead:
    """Who decided, why, and whether it still stands."""
    for_staff(who)
    async with uow:
        found = await uow.links.decision(merge_id)
    if found is None or found.kind != "merge":
        raise UnknownMerge
    return MergeRead.of(found)


@router.post(
    "/cannot-links:lift",
    status_code=204,
    summary="Let two traces be joined again",
    responses=problems_of(NotKeptApart, ForStaffOnly),
)
async def lift_cannot_link(body: Lift, who: CanMerge, uow: Writing, clock: ClockOf) -> None:
    """Takes back that two traces are two persons', which an undo or the verdict "different" left behind.

    The preview of a merge names them (`kept_apart`). A pair in doubt that this decided is open again.
    """
    for_staff(who)
    await lift(one=body.left_trace, other=body.right_trace, reason=body.reason, who=who, uow=uow, clock=clock)
