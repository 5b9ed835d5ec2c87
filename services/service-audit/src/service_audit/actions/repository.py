"""Every query on improvement actions."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from service_audit.actions.domain import Action, Result
from service_audit.actions.models import action
from service_audit.customers.models import link

_COLUMNS = tuple(field.name for field in fields(Action))


@dataclass(frozen=True)
class ActionFilter:
    """Which actions are asked for; None: any."""

    state: str | None = None
    cycle: str | None = None
    moment: str | None = None
    customer_id: UUID | None = None


class Actions:
    """What we change because of what we saw."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def open(self, opened: Sequence[Action]) -> list[Action]:
        """Keep the actions; gives those that are new. Where one of the same moment and trace is open, it stays the only one."""
        by_key = {one.open_key or str(one.action_id): one for one in reversed(opened)}
        rows = [asdict(one) | {"open_key": one.open_key} for _, one in sorted(by_key.items())]
        written = await insert_rows(
            self._session, action, rows, on_conflict="nothing", keys=["open_key"], returning=["action_id"]
        )
        fresh = {row.action_id for row in written}
        return [one for one in by_key.values() if one.action_id in fresh]

    async def get(self, action_id: UUID, *, locked: bool = False) -> Action | None:
        query = select(action).where(action.c.action_id == action_id)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else _action(row)

    async def open_ones(self, open_keys: Collection[str]) -> list[Action]:
        if not open_keys:
            return []
        query = select(action).where(among(action.c.open_key, open_keys)).with_for_update()
        return [_action(row) for row in (await self._session.execute(query)).all()]

    async def close(self, ids: Collection[UUID], *, result: Result, reason: str, by: str, at: datetime) -> None:
        if not ids:
            return
        changes = {
            "state": "closed",
            "open_key": None,
            "closed_at": at,
            "closed_by": by,
            "result": result,
            "reason": reason,
        }
        await self._session.execute(update(action).where(among(action.c.action_id, ids)).values(**changes))

    async def page(self, wanted: ActionFilter, *, after: UUID | None, limit: int) -> list[Action]:
        """The actions, the newest first."""
        c = action.c
        query = select(action).order_by(c.action_id.desc()).limit(limit)
        if wanted.customer_id is not None:
            query = query.join(link, link.c.trace_id == c.trace_id).where(link.c.customer_id == wanted.customer_id)
        for column, value in ((c.state, wanted.state), (c.cycle, wanted.cycle), (c.moment, wanted.moment)):
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(c.action_id < after)
        return [_action(row) for row in (await self._session.execute(query)).all()]


def _action(row: Row[Any]) -> Action:
    return Action(**{name: row._mapping[name] for name in _COLUMNS})  # noqa: SLF001 - SQLAlchemy's documented access
