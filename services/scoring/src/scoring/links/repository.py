"""Every query on links, customers and open cases."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import Many, among, find_rows, insert_rows
from common.contracts.identity import ContactChanged, CustomerChanged, Move
from common.contracts.interactions import CaseMoved
from common.revisions import if_newer, latest
from scoring.links.models import customer, open_case, restriction, trace_link

LONGEST_CHAIN = 50
# A suggestion, a petition or a compliment is no complaint; an answered case is no open one.
COMPLAINTS = frozenset({"complaint", "claim"})
OPENING = frozenset({"opened", "reopened"})
# He came back on it, or the time for an answer is over: what was open is, what was answered is not.
UNMOVED = frozenset({"contacted", "expired"})
# What was told last holds, whenever it was so: an answer may be heard of late, and what was taken back is told anew.
_LATER = 'CASE WHEN excluded."told" > open_case."told" THEN excluded."{0}" ELSE open_case."{0}" END'


class Told(NamedTuple):
    """What is on record of a customer."""

    customer_id: UUID
    since: datetime | None
    kind: str
    state: str
    key_account: bool
    traces: int
    open_complaints: int
    restricted: bool


class LinkRepository:
    """Whose trace is whose."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def customers_of(self, traces: Iterable[UUID]) -> dict[UUID, UUID]:
        """The customer of each trace that has one."""
        owned = 't."trace_id" = k."trace_id" AND t."customer_id" IS NOT NULL'
        wanted = {"trace_id": list(traces)}
        rows = await find_rows(self._session, trace_link, ("trace_id", "customer_id"), wanted, where=owned)
        return {row.trace_id: row.customer_id for row in rows}

    async def apply_moves(self, moves: Iterable[Move]) -> None:
        """Project links, in any order: the highest revision of each trace wins."""
        rows = [
            {"trace_id": trace_id, "customer_id": move.customer_id, "revision": move.revision}
            for trace_id, move in latest(moves, key=lambda move: move.trace_id).items()
        ]
        newer = if_newer("trace_link", ("customer_id", "revision"))
        await insert_rows(self._session, trace_link, rows, on_conflict=newer)

    async def apply_customers(self, changes: Iterable[CustomerChanged]) -> None:
        """Project customers, in any order: the highest revision of each wins."""
        names = [column.name for column in customer.columns]
        told = latest(changes, key=lambda change: change.customer_id).values()
        rows = [{name: getattr(change, name) for name in names} for change in told]
        newer = if_newer("customer", [name for name in names if name != "customer_id"])
        await insert_rows(self._session, customer, rows, on_conflict=newer)

    async def apply_cases(self, told: Iterable[tuple[UUID, CaseMoved]]) -> None:
        """Project which complaints are open, in any order: what was told last of each wins. Each comes with the id of its event."""
        last: dict[str, tuple[UUID, CaseMoved]] = {}
        for event_id, move in told:
            if move.kind not in COMPLAINTS or move.move in UNMOVED:
                continue
            known = last.setdefault(move.case_number, (event_id, move))
            last[move.case_number] = max(known, (event_id, move), key=itemgetter(0))
        rows = [
            {
                "case_number": number,
                "trace_id": move.trace_id,
                "is_open": move.move in OPENING,
                "moved_at": move.at,
                "told": event_id,
            }
            for number, (event_id, move) in sorted(last.items())
        ]
        later = {name: _LATER.format(name) for name in ("trace_id", "is_open", "moved_at", "told")}
        await insert_rows(self._session, open_case, rows, on_conflict=later)

    async def apply_restrictions(self, told: Iterable[ContactChanged]) -> set[UUID]:
        """Project whose data may not be used, in any order; gives those for whom something else may hold now."""
        changes = latest(told, key=lambda change: change.customer_id)
        if not changes:
            return set()
        known = await self.restricted(changes)
        rows = [
            {"customer_id": customer_id, "revision": change.revision, "restricted": change.restricted}
            for customer_id, change in changes.items()
        ]
        newer = if_newer("restriction", ("restricted", "revision"))
        await insert_rows(self._session, restriction, rows, on_conflict=newer)
        return known ^ await self.restricted(changes)

    async def restricted(self, ids: Iterable[UUID]) -> set[UUID]:
        """Those of the customers whose data are stored and not used."""
        query = sa.select(restriction.c.customer_id).where(restriction.c.restricted)
        return {row.customer_id for row in await self._among(query, restriction.c.customer_id, ids)}

    async def customers(self, ids: Iterable[UUID]) -> dict[UUID, Any]:
        """What identity told of each customer."""
        return {row.customer_id: row for row in await self._among(sa.select(customer), customer.c.customer_id, ids)}

    async def subjects(self, ids: Iterable[UUID]) -> list["Told"]:
        """What is on record of each customer, whether identity ever told of him or not: key by key, in one statement."""
        query = _subjects(self._session.get_bind().dialect.name)
        rows = (await self._session.execute(query, {"wanted": list(ids)})).all()
        return [Told._make((*row[:-1], bool(row[-1]))) for row in rows]

    async def survivor_of(self, customer_id: UUID) -> UUID:
        """Who carries the customer's data today: himself, or whoever absorbed him, however often that went on."""
        for _ in range(LONGEST_CHAIN):
            row = (await self.customers([customer_id])).get(customer_id)
            if row is None or row.state != "merged" or row.merged_into is None:
                break
            customer_id = row.merged_into
        return customer_id

    async def absorbed_by(self, customer_id: UUID) -> list[UUID]:
        """The customers who went directly into this one."""
        query = sa.select(customer.c.customer_id).where(
            customer.c.merged_into == customer_id, customer.c.state == "merged"
        )
        return sorted((await self._session.scalars(query)).all())

    async def is_known(self, customer_id: UUID) -> bool:
        """Whether identity ever told of this customer, by himself or by a trace."""
        told = (
            sa.select(sa.literal(1))
            .select_from(customer)
            .where(customer.c.customer_id == customer_id, customer.c.state != "erased")
        )
        linked = sa.select(sa.literal(1)).select_from(trace_link).where(trace_link.c.customer_id == customer_id)
        return await self._session.scalar(sa.union_all(told, linked).limit(1)) is not None

    async def _among(self, query: sa.Select[Any], column: sa.ColumnElement[Any], values: Iterable[UUID]) -> list[Any]:
        wanted = list(values)
        return list((await self._session.execute(query.where(among(column, wanted)))).all()) if wanted else []


@lru_cache
def _subjects(dialect: str) -> sa.Select[Any]:
    """Made once: to put it together costs as much as to ask it."""
    asked = sa.bindparam("wanted", type_=Many(sa.Uuid()))
    if dialect == "postgresql":
        keys = sa.func.unnest(asked, type_=sa.Uuid()).table_valued("value").render_derived()
    else:
        keys = sa.func.json_each(asked).table_valued("value")
    key: sa.ColumnElement[UUID] = sa.type_coerce(keys.c.value, sa.Uuid())
    owned = sa.select(sa.func.count()).where(trace_link.c.customer_id == key)
    complained = owned.join_from(trace_link, open_case, open_case.c.trace_id == trace_link.c.trace_id)
    return sa.select(
        key,
        customer.c.since,
        sa.func.coalesce(customer.c.kind, "person"),
        sa.func.coalesce(customer.c.state, "active"),
        sa.func.coalesce(customer.c.key_account, sa.false()),
        owned.scalar_subquery(),
        complained.where(open_case.c.is_open).scalar_subquery(),
        sa.select(restriction.c.restricted).where(restriction.c.customer_id == key).scalar_subquery(),
    ).select_from(keys.outerjoin(customer, customer.c.customer_id == key))
