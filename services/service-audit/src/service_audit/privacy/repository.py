"""Every query that takes a person out of service-audit."""

from collections.abc import Collection
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.belonging import Subjects
from common.bulk import among
from common.db import timer_table
from service_audit.actions.models import action
from service_audit.customers.models import link
from service_audit.customers.repository import Customers
from service_audit.evidence.domain import UnknownCustomer
from service_audit.evidence.models import evidence
from service_audit.evidence.repository import KEPT_SCOPE
from service_audit.observations.models import observation, withdrawal
from service_audit.observations.repository import Observations


async def find_subjects(session: AsyncSession, customer_id: UUID) -> Subjects:
    """The person behind the id. Raises UnknownCustomer."""
    found = await Customers(session).survivor_of(customer_id)
    if found is None:
        raise UnknownCustomer
    query = sa.select(link.c.trace_id).where(link.c.customer_id == found)
    return Subjects(found, [found], list((await session.scalars(query)).all()))


class ErasureRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def keep_verdicts(self, traces: Collection[UUID]) -> int:
        """Verdicts on the traces stay in the scores: under a random key, tied to nothing; gives how many are kept."""
        c = evidence.c
        query = sa.select(c.evidence_id).where(among(c.trace_id, traces), c.state != "waiting")
        ids = (await self._session.scalars(query)).all()
        for evidence_id in ids:
            key = uuid4()
            apart = {
                "evidence_id": key, "trace_id": key, "scope": f"{KEPT_SCOPE}{key}", "touchpoint_id": None,
                "case_number": None,
            }  # fmt: skip
            await self._session.execute(sa.update(evidence).where(c.evidence_id == evidence_id).values(**apart))
        return len(ids)

    async def take_out(self, traces: Collection[UUID]) -> dict[str, int]:
        """Delete what was observed on the traces and what waits for a verdict; gives counts of rows."""
        c, o = evidence.c, observation.c
        waiting = (await self._session.scalars(sa.select(c.evidence_id).where(among(c.trace_id, traces)))).all()
        observed = await Observations(self._session).of_traces(traces)
        taken_back = {key for one in observed for key in (*one.depends_on, f"owed:{one.commitment_id}")}
        timers = [str(evidence_id) for evidence_id in waiting]
        return {
            "evidence": await self._gone(evidence, among(c.evidence_id, waiting)),
            "timer": await self._gone(timer_table, among(timer_table.c.key, timers)),
            "observation": await self._gone(observation, among(o.trace_id, traces)),
            "withdrawal": await self._gone(withdrawal, among(withdrawal.c.key, taken_back)),
        }

    async def untie_actions(self, traces: Collection[UUID]) -> int:
        """What we do better because of him goes on; it no longer says because of whom."""
        untied = {"trace_id": None, "evidence_id": None, "open_key": None}
        statement = sa.update(action).where(among(action.c.trace_id, traces)).values(**untied)
        return int(getattr(await self._session.execute(statement), "rowcount", 0))

    async def _gone(self, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
        result = await self._session.execute(sa.delete(table).where(where))
        return int(getattr(result, "rowcount", 0))
