"""HTTP in, HTTP out: improvement actions."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from common.http import ClockOf
from common.idempotency import AttemptOf, KeyReused
from common.pagination import Paging
from common.problems import problems_of
from service_audit.actions import use_cases
from service_audit.actions.domain import ActionClosed, UnknownAction, UnknownMoment
from service_audit.actions.repository import ActionFilter
from service_audit.actions.schemas import ActionClose, ActionCreate, ActionPage, ActionRead
from service_audit.callers import AuditWriter, NotForCustomers, Reading, Writing

router = APIRouter(
    prefix="/service-audit/v1/actions", tags=["actions (acciones de mejora)"], responses=problems_of(NotForCustomers)
)


@router.get("", summary="List improvement actions")
async def list_actions(
    uow: Reading,
    page: Paging,
    state: Annotated[Literal["open", "closed"] | None, Query(description="Left out: both")] = None,
    cycle: Annotated[str | None, Query(max_length=60, description="Of one service cycle only")] = None,
    moment: Annotated[str | None, Query(max_length=60, description="Of one moment of truth only")] = None,
    customer_id: Annotated[UUID | None, Query(description="Actions that this customer's moments opened")] = None,
) -> ActionPage:
    """Improvement actions (acciones de mejora), the newest first: opened by failed critical moments, or by hand."""
    after = page.after(UUID)
    async with uow:
        wanted = ActionFilter(state, cycle, moment, await _survivor(customer_id, uow))
        found = await uow.actions.page(wanted, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda action: (action.action_id,))
    return ActionPage(items=[ActionRead.of(action) for action in kept], next=following)


@router.get("/{action_id}", summary="Read an action", responses=problems_of(UnknownAction))
async def read_action(action_id: UUID, uow: Reading) -> ActionRead:
    """One improvement action: why it was opened, whose it is, what came of it."""
    async with uow:
        return ActionRead.of(await use_cases.action_of(action_id, uow=uow))


@router.post("", status_code=201, summary="Open an action by hand", responses=problems_of(KeyReused, UnknownMoment))
async def open_action(
    body: ActionCreate, who: AuditWriter, uow: Writing, clock: ClockOf, attempt: AttemptOf
) -> ActionRead:
    """Something that we will do better. Send an Idempotency-Key, and a repeated request opens it once."""
    action = await use_cases.open_action(body.model_dump(), who=who, attempt=attempt, uow=uow, clock=clock)
    return ActionRead.of(action)


@router.post(
    "/{action_id}:close",
    summary="Close an action",
    responses=problems_of(UnknownAction, ActionClosed),
)
async def close_action(
    action_id: UUID, body: ActionClose, who: AuditWriter, uow: Writing, clock: ClockOf
) -> ActionRead:
    """Say what came of it (resultado) and why. A later failure of the same moment opens a new one."""
    closed = await use_cases.close_action(
        action_id, result=body.result, reason=body.reason, by=who.known_as, uow=uow, clock=clock
    )
    return ActionRead.of(closed)


async def _survivor(customer_id: UUID | None, uow: Reading) -> UUID | None:
    """An unknown customer has no actions; an absorbed one's are the survivor's."""
    return None if customer_id is None else await uow.customers.survivor_of(customer_id) or customer_id
