"""Opening improvement actions by hand and closing them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.contracts.service_audit import ActionMoved
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from service_audit.actions.domain import Action, ActionClosed, Result, UnknownAction, check_moment
from service_audit.uow import AuditUnitOfWork


async def open_action(
    draft: Mapping[str, Any], *, who: Principal, attempt: Attempt | None, uow: AuditUnitOfWork, clock: Clock
) -> Action:
    """An action that somebody decided on. Under the same Idempotency-Key it is opened once. Raises UnknownMoment."""
    async with uow:
        if (first := await recall(uow, attempt, who)) is not None:
            return await action_of(UUID(first["action_id"]), uow=uow)
        cycle, moment = draft["cycle"], draft["moment"]
        if cycle is not None or moment is not None:
            check_moment(await uow.standards.get("cycle", cycle or ""), moment)
        now = clock()
        action = Action(
            action_id=new_id(),
            source="hand",
            trace_id=None,
            evidence_id=None,
            state="open",
            opened_at=now,
            opened_by=who.known_as,
            **draft,
        )
        await uow.actions.open([action])
        _tell(action, "opened", uow=uow, clock=clock)
        await remember(uow, attempt, who, {"action_id": str(action.action_id)}, at=now)
        await uow.commit()
    return action


async def close_action(
    action_id: UUID, *, result: Result, reason: str, by: str, uow: AuditUnitOfWork, clock: Clock
) -> Action:
    """Say what came of an action. Raises UnknownAction, ActionClosed."""
    async with uow:
        action = await action_of(action_id, uow=uow, locked=True)
        if action.state == "closed":
            raise ActionClosed
        await uow.actions.close([action_id], result=result, reason=reason, by=by, at=clock())
        _tell(action, "closed", uow=uow, clock=clock)
        closed = await action_of(action_id, uow=uow)
        await uow.commit()
    return closed


async def action_of(action_id: UUID, *, uow: AuditUnitOfWork, locked: bool = False) -> Action:
    """Raises UnknownAction."""
    action = await uow.actions.get(action_id, locked=locked)
    if action is None:
        raise UnknownAction
    return action


def _tell(action: Action, move: Any, *, uow: AuditUnitOfWork, clock: Clock) -> None:
    now = clock()
    moved = ActionMoved(action_id=action.action_id, move=move, cycle=action.cycle, moment=action.moment, at=now)
    uow.outbox.add(moved, at=now)
