"""The query of the timeline: everything of one customer, the newest first, page by page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from interactions.conversations.models import conversation_entry
from interactions.resume.domain import PROVEN, Reader
from interactions.resume.repository import meant_for
from interactions.touchpoints.models import touchpoint, trace

After = tuple[datetime, UUID]


@dataclass(frozen=True)
class Filter:
    """What of the timeline is wanted; nothing named: all."""

    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class TimelineRepository:
    """A customer's touchpoints. Never writes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._postgresql = session.get_bind().dialect.name == "postgresql"

    async def page(
        self, customer_id: UUID, reader: Reader, wanted: Filter, *, after: After | None, limit: int
    ) -> list[sa.RowMapping]:
        """The live touchpoints that the reader may see, from the newest (or behind `after`) on, each with its conversation."""
        mine = _traces(customer_id, reader).subquery("mine")
        newest = (
            sa.select(touchpoint)
            .where(touchpoint.c.state == "live", *meant_for(reader), *_wanted(wanted))
            .where(*([_behind(after)] if after else []))
            .order_by(touchpoint.c.occurred_at.desc(), touchpoint.c.touchpoint_id.desc())
            .limit(limit)
        )
        if self._postgresql:  # each trace's newest by its index, then the newest of these
            each = newest.where(touchpoint.c.trace_id == mine.c.trace_id).correlate(mine).lateral("each")
            newest = (
                sa.select(*each.c)
                .select_from(mine.join(each, sa.true()))
                .order_by(each.c.occurred_at.desc(), each.c.touchpoint_id.desc())
                .limit(limit)
            )
        else:
            newest = newest.where(touchpoint.c.trace_id.in_(sa.select(mine.c.trace_id)))
        found = newest.subquery("found")
        joined = (
            sa.select(found, conversation_entry.c.conversation_id)
            .select_from(found)
            .outerjoin(conversation_entry, conversation_entry.c.touchpoint_id == found.c.touchpoint_id)
            .order_by(found.c.occurred_at.desc(), found.c.touchpoint_id.desc())
        )
        return list((await self._session.execute(joined)).mappings().all())

    async def anything_for(self, customer_id: UUID, reader: Reader) -> bool:
        """Whether the reader may see any of it: a partner knows of nobody who never came through him."""
        mine = _traces(customer_id, reader)
        seen = sa.select(touchpoint.c.touchpoint_id).where(
            touchpoint.c.trace_id.in_(mine), touchpoint.c.state == "live", *meant_for(reader)
        )
        return bool(await self._session.scalar(sa.select(sa.exists(seen))))


def _traces(customer_id: UUID, reader: Reader) -> Any:
    mine = sa.select(trace.c.trace_id).where(trace.c.customer_id == customer_id)
    return mine.where(trace.c.proof.in_(sorted(PROVEN))) if reader.view == "customer" else mine


def _wanted(wanted: Filter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.kinds:
        conditions.append(touchpoint.c.kind.in_(wanted.kinds))
    if wanted.channels:
        conditions.append(touchpoint.c.channel.in_(wanted.channels))
    if wanted.topic is not None:
        conditions.append(touchpoint.c.topic == wanted.topic)
    if wanted.since is not None:
        conditions.append(touchpoint.c.occurred_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(touchpoint.c.occurred_at < wanted.until)
    return conditions


def _behind(after: After) -> Any:
    occurred_at, touchpoint_id = after
    same = sa.and_(touchpoint.c.occurred_at == occurred_at, touchpoint.c.touchpoint_id < touchpoint_id)
    return sa.and_(touchpoint.c.occurred_at <= occurred_at, sa.or_(touchpoint.c.occurred_at < occurred_at, same))
