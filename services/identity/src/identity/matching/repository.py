"""Every query on what is compared, and on the keys under which it is found."""

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import among, find_rows, insert_columns, insert_rows
from common.statements import fetch
from identity.linking.models import trace
from identity.matching.blocking import keys_of
from identity.matching.models import match_key, match_record
from identity.matching.records import Person, person_from, written
from identity.sightings.models import sighting

UNASKED = "unasked"  # of a record: it was made anew, and nobody was looked for by what it tells now
CROWD = 50  # records under one key beyond which it tells nobody from anybody

# Key by key through the index: a join would be planned for the size that the table once had.
# Of a common key one row more than the limit is read, and it is passed over.
_NEAR_POSTGRESQL = f"""
SELECT key, traces FROM (
  SELECT k.key, ARRAY(SELECT m.trace_id FROM match_key m WHERE m.key = k.key LIMIT {CROWD + 1}) AS traces
  FROM unnest($1::bigint[]) AS k(key) OFFSET 0
) found WHERE cardinality(traces) BETWEEN 1 AND {CROWD}"""  # noqa: S608 - numbers of ours
_NEAR_SQLITE = f"""
SELECT m.key, m.trace_id FROM json_each(?) k CROSS JOIN match_key m ON m.key = k.value
WHERE NOT EXISTS (SELECT 1 FROM match_key x WHERE x.key = k.value LIMIT 1 OFFSET {CROWD})"""  # noqa: S608


class Matching:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def records(self, traces: Collection[UUID]) -> tuple[dict[UUID, Person], set[UUID]]:
        """What is compared of the traces, without those of which nothing is known; and which of them nobody was looked for by."""
        rows = await find_rows(self._session, match_record, ("trace_id", "told"), {"trace_id": list(traces)})
        told = {row.trace_id: row.told for row in rows}
        unasked = {trace_id for trace_id, each in told.items() if UNASKED in each}
        return {trace_id: person_from(each) for trace_id, each in told.items()}, unasked

    async def keep(self, people: Mapping[UUID, Person], *, known: Collection[UUID] = (), unasked: bool = False) -> None:
        """What is compared of the traces from now on, found under its keys. `known`: those that were kept before."""
        if known:
            await self._session.execute(sa.delete(match_key).where(among(match_key.c.trace_id, known)))
        traces = sorted(people)
        mark = {UNASKED: True} if unasked else {}
        rows = [{"trace_id": trace_id, "told": written(people[trace_id]) | mark} for trace_id in traces]
        await insert_rows(self._session, match_record, rows, on_conflict={"told": "excluded.told"})
        keys = sorted([(key, trace_id) for trace_id in traces for key in keys_of(people[trace_id])])
        columns: dict[str, Sequence[Any]] = {
            "key": [key for key, _ in keys],
            "trace_id": [trace_id for _, trace_id in keys],
        }
        await insert_columns(self._session, match_key, columns, on_conflict="nothing")

    async def put_right(self, traces: Collection[UUID], people: Mapping[UUID, Person]) -> int:
        """Of the traces no more is kept than `people` tell, in today's form; what is so already is not touched. Gives how many were not."""
        kept, _ = await self.records(traces)
        keys: dict[UUID, set[int]] = {}
        query = sa.select(match_key.c.trace_id, match_key.c.key).where(among(match_key.c.trace_id, traces))
        for row in (await self._session.execute(query)).all():
            keys.setdefault(row.trace_id, set()).add(row.key)
        told = {
            trace_id: person
            for trace_id, person in people.items()
            if kept.get(trace_id) != person or keys.get(trace_id, set()) != set(keys_of(person))
        }
        over = (kept.keys() | keys.keys()) - people.keys()
        await self.forget(over)
        await self.keep(told, known=told.keys() & keys.keys(), unasked=True)
        return len(told) + len(over)

    async def slice_after(self, place: UUID | None, *, traces: int, tellings: int) -> list[UUID]:
        """The next traces in the order of their ids: so many at most, and with so many tellings, but always one."""
        count = sa.select(sa.func.count()).where(sighting.c.trace_id == trace.c.trace_id).scalar_subquery()
        query = sa.select(trace.c.trace_id, count).order_by(trace.c.trace_id).limit(traces)
        if place is not None:
            query = query.where(trace.c.trace_id > place)
        rows = (await self._session.execute(query)).all()
        fits = sum(1 for _ in takewhile(lambda total: total <= tellings, accumulate(row[1] for row in rows)))
        return [row.trace_id for row in rows[: max(1, fits)]]

    async def forget(self, traces: Collection[UUID]) -> None:
        """The traces are not compared any more."""
        for table in (match_key, match_record):
            await self._session.execute(sa.delete(table).where(among(table.c.trace_id, traces)))

    async def near(self, keys: Sequence[int]) -> dict[int, set[UUID]]:
        """Whom each of the keys leads to: one statement, bounded by the number of keys."""
        if not keys:
            return {}
        if self._session.get_bind().dialect.name == "postgresql":
            return {key: set(traces) for key, traces in await fetch(self._session, _NEAR_POSTGRESQL, (list(keys),))}
        found: dict[int, set[UUID]] = {}
        for key, trace_id in await fetch(self._session, _NEAR_SQLITE, (orjson.dumps(list(keys)).decode(),)):
            found.setdefault(key, set()).add(UUID(trace_id))
        return found
