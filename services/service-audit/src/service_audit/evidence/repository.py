"""Every query on evidence."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, insert_rows
from service_audit.customers.models import link
from service_audit.evidence.domain import Evidence, State, Tally
from service_audit.evidence.models import evidence

_COLUMNS = tuple(field.name for field in fields(Evidence))
# From a rebuild's shadow, of what answers meanwhile.
_RAISED_AS_LIVE = """
    UPDATE evidence SET raised = NOT raised WHERE state = 'failed' AND EXISTS (
        SELECT 1 FROM {live}.evidence AS known WHERE known.evidence_id = evidence.evidence_id
        AND known.state = 'failed' AND known.raised <> evidence.raised
    )
"""
KEPT_SCOPE = "erased:"  # of verdicts whose person was erased: they stay in the scores, and cannot be given again


@dataclass(frozen=True)
class EvidenceFilter:
    """Which evidence is asked for; None: any."""

    customer_id: UUID | None = None
    state: State | None = None
    cycle: str | None = None
    moment: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class EvidenceStore:
    """What came of each moment of truth."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of_scopes(self, scopes: Collection[str]) -> list[Evidence]:
        return await self._read(select(evidence).where(among(evidence.c.scope, scopes))) if scopes else []

    async def judged_before(self, cycle: str, version: int, *, limit: int) -> list[Evidence]:
        """Evidence of the cycle that its present version no longer gives (once all of it has been judged anew)."""
        c = evidence.c
        return await self._read(
            select(evidence).where(c.cycle == cycle, c.version < version, ~c.scope.startswith(KEPT_SCOPE)).limit(limit)
        )

    async def save(self, judged: Iterable[Evidence]) -> None:
        ordered = sorted(judged, key=lambda one: one.evidence_id)
        rows = [{name: getattr(one, name) for name in _COLUMNS} for one in ordered]
        changes = {name: f"excluded.{name}" for name in _COLUMNS if name != "evidence_id"}
        await insert_rows(self._session, evidence, rows, on_conflict=changes)

    async def drop(self, ids: Collection[UUID]) -> None:
        if ids:
            await self._session.execute(delete(evidence).where(among(evidence.c.evidence_id, ids)))

    async def still_failing(self, occasions: Collection[tuple[str, str, UUID]]) -> set[tuple[str, str, UUID]]:
        """Those of (cycle, moment, trace) for which a failure that was told still stands."""
        if not occasions:
            return set()
        c = evidence.c
        traces = sorted({trace for _, _, trace in occasions})
        query = select(c.cycle, c.moment, c.trace_id).where(among(c.trace_id, traces), c.raised, c.state == "failed")
        found = {(row.cycle, row.moment, row.trace_id) for row in await self._session.execute(query)}
        return found & set(occasions)

    async def raised_after(self, after: UUID | None, *, limit: int) -> list[Evidence]:
        """Failures that were told and stand, in the order of their ids."""
        c = evidence.c
        query = select(evidence).where(c.raised, c.state == "failed").order_by(c.evidence_id).limit(limit)
        return await self._read(query if after is None else query.where(c.evidence_id > after))

    async def raised_as_live(self) -> None:
        """In the shadow of a rebuild: of what fails there and on the live side, that side alone knows whether it was told."""
        live = "live" if self._session.get_bind().dialect.name == "sqlite" else "public"
        await self._session.execute(text(_RAISED_AS_LIVE.format(live=live)))

    async def page(self, wanted: EvidenceFilter, *, after: tuple[datetime, UUID] | None, limit: int) -> list[Evidence]:
        """The evidence, the newest first."""
        c = evidence.c
        query = select(evidence).order_by(c.at.desc(), c.evidence_id.desc()).limit(limit)
        if wanted.customer_id is not None:
            query = query.join(link, link.c.trace_id == c.trace_id).where(link.c.customer_id == wanted.customer_id)
        for column, value in ((c.state, wanted.state), (c.cycle, wanted.cycle), (c.moment, wanted.moment)):
            if value is not None:
                query = query.where(column == value)
        if wanted.since is not None:
            query = query.where(c.at >= wanted.since)
        if wanted.until is not None:
            query = query.where(c.at < wanted.until)
        if after is not None:
            query = query.where(tuple_(c.at, c.evidence_id) < tuple_(*after))
        return await self._read(query)

    async def tally(self, since: datetime, until: datetime) -> list[Tally]:
        """Counts and sums of each moment of truth, decided from `since` until before `until`."""
        c = evidence.c
        counted = c.state.in_(("met", "failed"))
        sums = (
            func.sum(case((c.state == "met", 1), else_=0)).label("met"),
            func.sum(case((c.state == "failed", 1), else_=0)).label("failed"),
            func.sum(case((c.state == "excluded", 1), else_=0)).label("excluded"),
            func.sum(case((counted, c.score), else_=0.0)).label("score_sum"),
            func.sum(case((and_(counted, c.value.is_not(None)), c.value), else_=0.0)).label("value_sum"),
        )
        query = select(c.cycle, c.moment, *sums).where(c.at >= since, c.at < until).group_by(c.cycle, c.moment)
        return [
            Tally(r.cycle, r.moment, int(r.met), int(r.failed), int(r.excluded), float(r.score_sum), float(r.value_sum))
            for r in await self._session.execute(query)
        ]

    async def _read(self, query: Select[Any]) -> list[Evidence]:
        return [_evidence(row) for row in (await self._session.execute(query)).all()]


def _evidence(row: Row[Any]) -> Evidence:
    return Evidence(**{name: row._mapping[name] for name in _COLUMNS})  # noqa: SLF001 - SQLAlchemy's documented access
