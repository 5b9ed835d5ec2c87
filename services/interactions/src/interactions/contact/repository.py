"""Every query behind the question whether we may contact a customer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from interactions.cases.models import IS_OPEN, case_file
from interactions.contact.domain import CONTACTS, MOST_CONTACTS, Talk
from interactions.conversations.models import conversation
from interactions.parts.models import part
from interactions.touchpoints.models import customer, touchpoint, trace


class ContactRepository:
    """What speaks for and against contacting a customer. Never writes."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def said_of(self, customer_id: UUID) -> Mapping[str, Mapping[str, Any]]:
        """What the other services say of him, by source."""
        said = sa.select(part.c.source, part.c.body).where(part.c.customer_id == customer_id)
        return {row.source: row.body for row in (await self._session.execute(said)).all()}

    async def talk_with(self, customer_id: UUID, *, now: datetime, window_days: int) -> Talk:
        """What is going on with him, and when we contacted him within the window."""
        mine = sa.select(trace.c.trace_id).where(trace.c.customer_id == customer_id)
        thread = sa.select(conversation.c.conversation_id).where(
            conversation.c.party_id == customer_id,
            conversation.c.state != "closed",
            conversation.c.dialogue,
            conversation.c.entries > 0,
        )
        case = sa.select(case_file.c.number).where(case_file.c.trace_id.in_(mine), IS_OPEN)
        live = sa.and_(touchpoint.c.trace_id.in_(mine), touchpoint.c.state == "live", touchpoint.c.occurred_at <= now)
        spoke = sa.select(sa.func.max(touchpoint.c.occurred_at)).where(
            live, touchpoint.c.direction == "inbound", touchpoint.c.occurred_at > now - timedelta(days=1)
        )
        aside = sa.select(customer.c.customer_id).where(
            customer.c.customer_id == customer_id, customer.c.state == "archived"
        )
        state = (
            await self._session.execute(
                sa.select(sa.exists(thread), sa.exists(case), spoke.scalar_subquery(), sa.exists(aside))
            )
        ).one()
        outbound = (
            sa.select(touchpoint.c.occurred_at)
            .where(live, touchpoint.c.direction == "outbound", touchpoint.c.kind.in_(CONTACTS))
            .where(touchpoint.c.occurred_at > now - timedelta(days=window_days))
            .order_by(touchpoint.c.occurred_at.desc())
            .limit(MOST_CONTACTS)
        )
        contacted = (await self._session.execute(outbound)).scalars().all()
        return Talk(open=state[0] or state[1], last_inbound=state[2], outbound=tuple(contacted), archived=state[3])
