"""Cleaning up over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf
from common.idempotency import AttemptOf, KeyReused
from common.pagination import Paging
from common.problems import problems_of
from common.rules import InvalidCondition
from identity.callers import Reading, Writing
from identity.cleanup.domain import ItemState, NotInThatState, NotProposed, UnknownCleanup
from identity.cleanup.schemas import (
    CleanupApproval,
    CleanupCreate,
    CleanupItemPage,
    CleanupItemRead,
    CleanupPage,
    CleanupRead,
    CleanupReason,
    Rule,
)
from identity.cleanup.use_cases import approve_cleanup, counted, start_cleanup, undo_cleanup
from identity.reach import ForStaffOnly, for_staff

TAG = "clean-up (depuración)"
router = APIRouter(prefix="/identity/v1/cleanups", tags=[TAG])
CanRead = Annotated[Principal, needs("customers:read")]
CanClean = Annotated[Principal, needs("merges:write")]


@router.post(
    "",
    status_code=202,
    summary="Look for records to clean up",
    responses=problems_of(InvalidCondition, ForStaffOnly, KeyReused),
)
async def start_run(
    body: CleanupCreate, who: CanClean, attempt: AttemptOf, uow: Writing, clock: ClockOf
) -> CleanupRead:
    """Find records by a rule (depuración): stale, dead, unreachable or duplicate ones. Nothing is done before it is approved.

    The run looks through all customers (or pairs in doubt) in the background; its items can be read meanwhile.
    """
    for_staff(who)
    rule = body.rule.model_dump() if isinstance(body.rule, Rule) else body.rule
    return CleanupRead.of(
        *await start_cleanup(rule=rule, reason=body.reason, who=who, attempt=attempt, uow=uow, clock=clock)
    )


@router.get("", summary="List clean-up runs", responses=problems_of(ForStaffOnly))
async def list_runs(who: CanRead, uow: Reading, page: Paging) -> CleanupPage:
    """Every run (depuraciones), the newest first."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.cleanups.page(after=after[0] if after else None, limit=page.fetch)
        counts = await uow.cleanups.counts([run.cleanup_id for run in found]) if found else {}
    kept, following = page.cut(found, key=lambda run: (run.cleanup_id,))
    return CleanupPage(items=[CleanupRead.of(run, counts.get(run.cleanup_id, {})) for run in kept], next=following)


@router.get("/{cleanup_id}", summary="Read a clean-up run", responses=problems_of(UnknownCleanup, ForStaffOnly))
async def read_run(cleanup_id: UUID, who: CanRead, uow: Reading) -> CleanupRead:
    """How far it is (estado de la depuración), and how many items stand where."""
    for_staff(who)
    async with uow:
        run = await uow.cleanups.get(cleanup_id)
        if run is None:
            raise UnknownCleanup
        return CleanupRead.of(*await counted(run, uow))


@router.get(
    "/{cleanup_id}/items",
    summary="Read what a run proposes",
    responses=problems_of(UnknownCleanup, ForStaffOnly),
)
async def list_items(
    cleanup_id: UUID,
    who: CanRead,
    uow: Reading,
    page: Paging,
    state: Annotated[ItemState | None, Query(description="Only items in this state")] = None,
) -> CleanupItemPage:
    """Each customer (or pair) that it found (propuestas), the figures by which it did, and what became of it."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        if await uow.cleanups.get(cleanup_id) is None:
            raise UnknownCleanup
        found = await uow.cleanups.items(cleanup_id, state=state, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda item: (item.item_id,))
    return CleanupItemPage(items=[CleanupItemRead.of(item) for item in kept], next=following)


@router.post(
    "/{cleanup_id}:approve",
    status_code=202,
    summary="Let a run act",
    responses=problems_of(UnknownCleanup, NotInThatState, NotProposed, ForStaffOnly),
)
async def approve_run(
    cleanup_id: UUID, body: CleanupApproval, who: CanClean, uow: Writing, clock: ClockOf
) -> CleanupRead:
    """Do what it proposes (aprobar), but for the items that are left out. What a guard forbids or the rule no longer says is not done, and says why.

    It is done in the background, item by item; what was done so far the run tells when it is read again.
    """
    for_staff(who)
    return CleanupRead.of(
        *await approve_cleanup(cleanup_id, leave_out=set(body.leave_out), who=who, uow=uow, clock=clock)
    )


@router.post(
    "/{cleanup_id}:undo",
    status_code=202,
    summary="Take a run back as a whole",
    responses=problems_of(UnknownCleanup, NotInThatState, ForStaffOnly),
)
async def undo_run(cleanup_id: UUID, body: CleanupReason, who: CanClean, uow: Writing, clock: ClockOf) -> CleanupRead:
    """All that it did is undone (deshacer): merges come apart, archived records are active, wishes are what they were."""
    for_staff(who)
    return CleanupRead.of(*await undo_cleanup(cleanup_id, reason=body.reason, who=who, uow=uow, clock=clock))
