"""Every query that takes a person out of the log and of what is computed from it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.belonging import Subjects, rows_where
from common.bulk import among
from common.db import timer_table
from interactions.cases.models import case_file, case_step
from interactions.commitments.models import commitment
from interactions.contact.models import contact_decision
from interactions.conversations.models import (
    conversation,
    conversation_act,
    conversation_entry,
    conversation_reference,
)
from interactions.parts.models import failed_moment, part
from interactions.resume.domain import UnknownCustomer
from interactions.resume.models import resume_read
from interactions.resume.repository import ResumeRepository
from interactions.touchpoints.models import customer, receipt, touchpoint, trace, trace_identifier


async def find_subjects(session: AsyncSession, customer_id: UUID) -> Subjects:
    """The person behind the id. Raises UnknownCustomer."""
    found = await ResumeRepository(session).existing(customer_id)
    if found is None:
        raise UnknownCustomer
    absorbed, asked = [found], [found]
    while asked:
        query = sa.select(customer.c.customer_id).where(among(customer.c.merged_into, asked))
        asked = [one for one in (await session.scalars(query)).all() if one not in absorbed]
        absorbed += asked
    traces = (await session.scalars(sa.select(trace.c.trace_id).where(among(trace.c.customer_id, absorbed)))).all()
    return Subjects(found, absorbed, list(traces))


async def steps_of_cases(
    session: AsyncSession, records: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """What was done on his cases, in which words."""
    numbers = {row["number"] for row in records["case_file"]}
    return {"case_step": await rows_where(session, case_step, among(case_step.c.number, numbers))}


class ErasureRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def provisional_traces(self, customers: Collection[UUID]) -> set[UUID]:
        """Traces that we gave to the customers, and on which identity has not spoken yet."""
        query = sa.select(trace.c.trace_id).where(among(trace.c.customer_id, customers), trace.c.revision == 0)
        return set((await self._session.scalars(query)).all())

    async def recorded_until(self, moment: datetime, traces: Collection[UUID]) -> list[Any]:
        """What occurred on the traces until a moment, or was recorded until then, with every version of it; all that came under his id."""
        t, named = touchpoint.c, trace_identifier.c
        under_his_id = sa.select(named.trace_id).where(among(named.trace_id, traces), named.scheme == "customer")
        his = sa.select(t.position).where(
            among(t.trace_id, traces),
            sa.or_(t.occurred_at <= moment, t.recorded_at <= moment, t.trace_id.in_(under_his_id)),
        )
        query = sa.select(
            t.touchpoint_id, t.trace_id, t.source, t.external_id, t.identifiers, t.profile, t.actor_name
        ).where(t.position.in_(his))
        return list((await self._session.execute(query)).all())

    async def take_out(
        self,
        touchpoints: Collection[UUID],
        parties: Collection[UUID],
        traces: Collection[UUID],
        customers: Collection[UUID],
    ) -> dict[str, int]:
        """Delete the touchpoints with all that hangs on them, and what is told of the customers; gives counts of rows."""
        c = case_file.c
        cases = list(
            (await self._session.scalars(sa.select(c.number).where(among(c.touchpoint_id, touchpoints)))).all()
        )
        m = commitment.c
        promises = list(
            (await self._session.scalars(sa.select(m.commitment_id).where(among(m.touchpoint_id, touchpoints)))).all()
        )
        await self._cancel([*cases, *(str(promise) for promise in promises)])
        s = case_step.c
        return {
            "touchpoint": await self._gone(touchpoint, among(touchpoint.c.touchpoint_id, touchpoints)),
            "commitment": await self._gone(commitment, among(m.commitment_id, promises)),
            "case_file": await self._gone(case_file, among(c.number, cases)),
            "case_step": await self._gone(case_step, among(s.number, cases) | among(s.touchpoint_id, touchpoints)),
            "conversation_act": await self._gone(
                conversation_act, among(conversation_act.c.touchpoint_id, touchpoints)
            ),
            **await self._threads(parties, touchpoints),
            "failed_moment": await self._gone(failed_moment, among(failed_moment.c.trace_id, traces)),
            "part": await self._gone(part, among(part.c.customer_id, customers)),
            "contact_decision": await self._gone(contact_decision, among(contact_decision.c.customer_id, customers)),
            "trace_identifier": await self._gone(trace_identifier, among(trace_identifier.c.trace_id, traces)),
            "trace": await self._blank(traces),
        }

    async def _threads(self, parties: Collection[UUID], touchpoints: Collection[UUID]) -> dict[str, int]:
        """The projection of the threads; of a party that has something left it is computed anew afterwards."""
        e = conversation_entry.c
        return {
            "conversation": await self._gone(conversation, among(conversation.c.party_id, parties)),
            "conversation_entry": await self._gone(
                conversation_entry, among(e.party_id, parties) | among(e.touchpoint_id, touchpoints)
            ),
            "conversation_reference": await self._gone(
                conversation_reference, among(conversation_reference.c.party_id, parties)
            ),
        }

    async def _blank(self, traces: Collection[UUID]) -> int:
        """Of a trace stays that it is nobody's, and by which decision: an older one that comes late must not win."""
        result = await self._session.execute(
            sa.update(trace)
            .where(among(trace.c.trace_id, traces))
            .values(customer_id=None, proof=None, folded_name=None, documents=[])
        )
        return int(getattr(result, "rowcount", 0))

    async def unname_readings(self, customers: Collection[UUID]) -> int:
        """Who read what stays; of whom does not."""
        where = among(resume_read.c.customer_id, customers)
        result = await self._session.execute(sa.update(resume_read).where(where).values(customer_id=None))
        return int(getattr(result, "rowcount", 0))

    async def receipts(self, touchpoints: Collection[UUID]) -> int:
        """How many receipts stay: they alone know that something must not be recorded again."""
        query = sa.select(sa.func.count()).select_from(receipt).where(among(receipt.c.touchpoint_id, touchpoints))
        return int(await self._session.scalar(query) or 0)

    async def parties_of(self, traces: Collection[UUID]) -> set[UUID]:
        """Whose the traces are by now: the customer, or the trace itself."""
        query = sa.select(trace.c.trace_id, trace.c.customer_id).where(among(trace.c.trace_id, traces))
        rows = (await self._session.execute(query)).all()
        return {row.customer_id or row.trace_id for row in rows} | set(traces)

    async def _cancel(self, keys: Collection[str]) -> None:
        if keys:
            await self._session.execute(sa.delete(timer_table).where(among(timer_table.c.key, keys)))

    async def _gone(self, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
        result = await self._session.execute(sa.delete(table).where(where))
        return int(getattr(result, "rowcount", 0))
