"""Every query on customers' standings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among_given, insert_rows
from common.ids import new_id
from common.statements import fetch
from scoring.appraisals.domain import Ruling
from scoring.appraisals.models import standing, standing_change
from scoring.signals.models import signal as signal_table

# Columns that nobody reads any more, and that may not be empty.
_UNREAD: dict[str, Any] = {
    "is_ranked": False, "in_best": False, "in_worst": False, "abc_profit": 0, "ranked_profit": 0, "contributed": 0,
}  # fmt: skip
_REPLACED = {
    column.name: f'excluded."{column.name}"'
    for column in standing.columns
    if column.name not in ("customer_id", *_UNREAD)
}
WRITTEN_SINCE = "(age(standing.xmin) <= age('{}'::xid))"
_OF = sa.select(*(column for column in standing.columns if column.name not in _UNREAD)).where(
    among_given(standing.c.customer_id, "customers")
)


# What rulings say comes once for each, and the documents are put together where they lie; rows are found key by key (`common.bulk`).
_RULE = """
WITH kind AS MATERIALIZED (
    SELECT nr, tier, abc, lifecycle, service_level, suppressed, version, reasons::jsonb, treatment::jsonb, value::jsonb
    FROM unnest($6::int[], $7::text[], $8::text[], $9::text[], $10::text[], $11::boolean[], $12::text[], $13::text[], $14::text[],
        $15::text[]) AS k(nr, tier, abc, lifecycle, service_level, suppressed, version, reasons, treatment, value)
), ruled AS (
    UPDATE standing AS s SET
        revision = greatest(s.revision + 1, $5), appraised_at = $4, tier = f.tier, abc = f.abc, lifecycle = f.lifecycle,
        service_level = f.service_level, suppress_paid_outbound = f.suppressed, rules_version = f.version,
        parts = s.parts || jsonb_build_object(
            'value', (s.parts -> 'value') || f.value, 'treatment', f.treatment, 'suppress_paid_outbound', f.suppressed)
    FROM (
        SELECT k.*, a.change, o.place, o.tier AS old_tier, o.treatment <> k.treatment AS is_treated_otherwise,
            (o.tier, o.abc, o.lifecycle, o.service_level)
                IS DISTINCT FROM (k.tier, k.abc, k.lifecycle, k.service_level) AS is_classed_otherwise
        FROM unnest($1::uuid[], $2::int[], $3::uuid[]) AS a(customer_id, nr, change) JOIN kind k USING (nr) CROSS JOIN LATERAL (
            SELECT ctid AS place, tier, abc, lifecycle, service_level, parts -> 'treatment' AS treatment FROM standing
            WHERE customer_id = a.customer_id AND NOT {since} AND parts -> 'value' <> '{{}}' OFFSET 0) o
    ) f
    WHERE s.ctid = f.place
    RETURNING s.*, f.nr, f.change, f.reasons, f.old_tier, f.is_treated_otherwise, f.is_classed_otherwise
), changed AS (
    INSERT INTO standing_change (id, customer_id, at, tier, abc, lifecycle, service_level, reasons, profitability, contribution, rules_version)
    SELECT change, customer_id, $4, tier, abc, lifecycle, service_level, reasons, profitability, contribution, rules_version
    FROM ruled WHERE is_classed_otherwise
)
SELECT customer_id, nr, revision, old_tier, is_treated_otherwise, (parts -> 'value')::text, (parts - 'value')::text FROM ruled
"""


class Ruled(NamedTuple):
    """What is said of a customer by other rules, and what was said of him before; his parts are JSON."""

    customer_id: UUID
    ruling: Ruling
    revision: int
    old_tier: str
    is_treated_otherwise: bool
    value: str
    other_parts: str


def _as_ruled(ruling: Ruling) -> tuple[Any, ...]:
    value = ruling.value
    treatment, documents = ruling.decision.treatment, (value["reasons"], ruling.treatment, value)
    return (
        value["tier"],
        value["abc"],
        value["lifecycle"],
        treatment.service_level,
        treatment.suppress_paid_outbound,
        ruling.rules_version,
        *(orjson.dumps(each).decode() for each in documents),
    )


@dataclass(frozen=True)
class ListFilter:
    """Which customers a list shows; None is any."""

    tier: str | None = None
    abc: str | None = None
    signal: str | None = None


class StandingRepository:
    """What was last said of each customer, and the series of what was said before."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of(self, customers: Iterable[UUID]) -> dict[UUID, Any]:
        rows = await self._session.execute(_OF, {"customers": list(customers)})
        return {row.customer_id: row for row in rows}

    async def rule(self, rulings: Mapping[UUID, Ruling], *, since: int, now: datetime) -> list[Ruled]:
        """Say of customers what other rules have made of the same figures, with the series of changes; of PostgreSQL's only.

        Left out is whoever was written since a moment of its transactions (`census.moment`), and of whom nothing is told.
        The caller holds the locks.
        """
        if not rulings:
            return []
        kinds = list({id(each): each for each in rulings.values()}.values())
        numbers = {id(each): number for number, each in enumerate(kinds)}
        told = zip(*map(_as_ruled, kinds), strict=True)
        rows = await fetch(
            self._session,
            _RULE.format(since=WRITTEN_SINCE.format(since % 2**32)),
            (
                list(rulings),
                [numbers[id(each)] for each in rulings.values()],
                [new_id() for _ in rulings],
                now,
                int(now.timestamp() * 1_000_000),
                list(range(len(kinds))),
                *map(list, told),
            ),
        )
        return [Ruled(row[0], kinds[row[1]], *row[2:]) for row in rows]

    async def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """The first standings of customers; the caller holds their locks, and has found none."""
        await insert_rows(self._session, standing, [row | _UNREAD for row in rows])

    async def save(self, rows: Sequence[dict[str, Any]]) -> None:
        await insert_rows(self._session, standing, [row | _UNREAD for row in rows], on_conflict=_REPLACED)

    async def set_revisions(self, revisions: Mapping[UUID, int]) -> None:
        s = standing.c
        query = sa.update(standing).where(s.customer_id == sa.bindparam("who")).values(revision=sa.bindparam("to"))
        if revisions:
            rows = [{"who": who, "to": revision} for who, revision in revisions.items()]
            await (await self._session.connection()).execute(query, rows)

    async def add_changes(self, rows: Sequence[dict[str, Any]]) -> None:
        await insert_rows(self._session, standing_change, rows)

    async def page(self, wanted: ListFilter, *, after: tuple[int, UUID] | None, limit: int) -> list[Any]:
        """Standings by profitability, the highest first."""
        s = standing.c
        query = sa.select(standing).where(~s.is_vacant)
        if wanted.tier is not None:
            query = query.where(s.tier == wanted.tier)
        if wanted.abc is not None:
            query = query.where(s.abc == wanted.abc)
        if wanted.signal is not None:
            holds = sa.select(signal_table.c.customer_id).where(
                signal_table.c.signal == wanted.signal, signal_table.c.cleared_at.is_(None)
            )
            query = query.where(s.customer_id.in_(holds))
        if after is not None:
            profitability, customer_id = after
            query = query.where(
                sa.or_(
                    s.profitability < profitability,
                    sa.and_(s.profitability == profitability, s.customer_id < customer_id),
                )
            )
        query = query.order_by(s.profitability.desc(), s.customer_id.desc()).limit(limit)
        return list((await self._session.execute(query)).all())

    async def changes(self, customer_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
        """What was said of a customer, the newest first."""
        c = standing_change.c
        query = sa.select(standing_change).where(c.customer_id == customer_id)
        if after is not None:
            query = query.where(c.id < after)
        return list((await self._session.execute(query.order_by(c.id.desc()).limit(limit))).all())

    async def all_ids(self, *, after: UUID | None, limit: int) -> list[UUID]:
        query = sa.select(standing.c.customer_id).order_by(standing.c.customer_id).limit(limit)
        if after is not None:
            query = query.where(standing.c.customer_id > after)
        return list((await self._session.scalars(query)).all())
