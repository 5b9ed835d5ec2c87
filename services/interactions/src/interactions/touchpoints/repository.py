"""Every query of the log, its receipts and its traces. Takes and gives domain values; never commits."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Uuid, bindparam, delete, func, select, text, update
from sqlalchemy import column as sa_column
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from common.bulk import Many, Written, among, find_rows, insert_columns, insert_rows
from common.contracts.interactions import TouchpointRecorded
from common.db import parked_table
from common.events import Told
from common.revisions import if_newer
from common.values import value
from interactions.touchpoints.domain import (
    CUSTOMERS_LOOKED_AT,
    TRACES_LOOKED_AT,
    KnownTrace,
    Touchpoint,
    UnknownTouchpoint,
)
from interactions.touchpoints.models import customer, receipt, touchpoint, trace, trace_identifier

# A switchboard's number reaches thousands of traces, and so may a customer: of each the first two hundred are looked at.
_OF_IDENTIFIER = f"SELECT trace_id FROM trace_identifier WHERE identifier_id = {{0}} LIMIT {TRACES_LOOKED_AT}"  # noqa: S608
_OF_CUSTOMER = f"SELECT trace_id FROM trace WHERE customer_id = {{0}} LIMIT {TRACES_LOOKED_AT}"  # noqa: S608
_NAMES = ("trace_id", "customer_id", "revision", "proof", "folded_name", "documents")
_RECEIPT = ("source", "external_id", "body_hash", "touchpoint_id", "trace_id", "answer")
_TRACE = attrgetter("trace_id.int")


@lru_cache
def _traces_of(dialect: str, some: str) -> Any:
    """For each of `:ids` the traces that `some` selects: columns `id` and those of the trace."""
    columns = ", ".join(f"t.{name}" for name in _NAMES)
    if dialect == "postgresql":
        source = f"unnest(:ids) AS i(id) CROSS JOIN LATERAL ({some.format('i.id')}) x JOIN trace t ON t.trace_id = x.trace_id"
        key = "i.id"
    else:
        source, key = f"json_each(:ids) i JOIN trace t ON t.trace_id IN ({some.format('i.value')})", "i.value"
    statement = text(f"SELECT {key} AS id, {columns} FROM {source}")  # noqa: S608 - names of our own
    typed = statement.columns(sa_column("id", Uuid), *(sa_column(name, trace.c[name].type) for name in _NAMES))
    return typed.bindparams(bindparam("ids", type_=Many(Uuid())))


class ReceiptTaken(Exception):  # noqa: N818 - not a refusal: the caller starts again and finds it known
    """Another transaction recorded one of these external ids in between."""


@value(frozen=True)
class Receipt:
    """What was recorded under an external id, and what we answered."""

    source: str
    external_id: str
    body_hash: str
    touchpoint_id: UUID
    trace_id: UUID
    answer: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.external_id


class ReceiptRepository:
    """Which external ids are known."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Receipt]:
        asked = {"source": [source for source, _ in keys], "external_id": [external_id for _, external_id in keys]}
        found = await find_rows(self._session, receipt, _RECEIPT, asked)
        return {(row.source, row.external_id): Receipt(*row) for row in found}

    async def claim(self, receipts: Iterable[Receipt]) -> None:
        """Take the external ids, all or none: of two transactions with one id, the later raises ReceiptTaken."""
        # Sorted, so that two transactions with overlapping batches queue up instead of locking each other.
        rows = sorted(receipts, key=lambda r: r.key)
        columns = {name: [getattr(one, name) for one in rows] for name in _RECEIPT}
        try:
            await insert_columns(self._session, receipt, columns)
        except IntegrityError as error:  # nothing else can be wrong with a receipt
            raise ReceiptTaken from error

    async def replace(self, new: Receipt) -> None:
        """A correction was accepted: from now on its body is the known one."""
        c = receipt.c
        changes = {name: value for name, value in vars(new).items() if name not in {"source", "external_id"}}
        await self._session.execute(
            update(receipt).where(c.source == new.source, c.external_id == new.external_id).values(**changes)
        )


class TraceRepository:
    """Traces, their identifiers, and the customers they belong to."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def known(self, trace_ids: Collection[UUID]) -> dict[UUID, KnownTrace]:
        rows = await find_rows(self._session, trace, _NAMES, {"trace_id": list(trace_ids)})
        return {row.trace_id: _known(row) for row in rows}

    async def of_customers(self, customer_ids: Collection[UUID]) -> dict[UUID, list[KnownTrace]]:
        """What is on record of the customers' traces, at most two hundred of each: enough to find a contradiction."""
        found: dict[UUID, list[KnownTrace]] = defaultdict(list)
        for row in await self._traces(_OF_CUSTOMER, customer_ids):
            found[row.id].append(_known(row))
        return found

    async def ids_of(self, party_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
        """Party -> its traces: those of the customer, or the trace itself while it has none."""
        c = trace.c
        found: dict[UUID, list[UUID]] = {party: [] for party in party_ids}
        for row in await self._in(select(c.customer_id, c.trace_id), c.customer_id, party_ids):
            found[row.customer_id].append(row.trace_id)
        owned = {
            row.trace_id
            for row in await self._in(select(c.trace_id).where(c.customer_id.is_not(None)), c.trace_id, party_ids)
        }
        for party in party_ids:
            if not found[party] and party not in owned:
                found[party].append(party)  # a trace without customer is its own party
        return found

    async def reached(self, identifier_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
        """Identifier -> the customers it reaches, within the first two hundred traces that carry it."""
        found: dict[UUID, set[UUID]] = defaultdict(set)
        for row in await self._traces(_OF_IDENTIFIER, identifier_ids):
            if row.customer_id is not None:
                found[row.id].add(row.customer_id)
        return found

    async def parties(self, identifier_ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
        """Identifier -> the parties it leads to, customers and traces that have none yet."""
        found: dict[UUID, set[UUID]] = defaultdict(set)
        for row in await self._traces(_OF_IDENTIFIER, identifier_ids):
            found[row.id].add(row.customer_id or row.trace_id)
        return found

    async def _traces(self, some: str, ids: Collection[UUID]) -> list[Any]:
        if not ids:
            return []
        statement = _traces_of(self._session.get_bind().dialect.name, some)
        return list((await self._session.execute(statement, {"ids": list(ids)})).all())

    async def survivors(self, customer_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """Customer -> whoever he is now, for those we know; an absorbed one leads to his survivor."""
        known: dict[UUID, UUID | None] = {}
        asked = set(customer_ids)
        while asked and len(known) < len(customer_ids) * CUSTOMERS_LOOKED_AT:
            rows = await self._in(select(customer.c.customer_id, customer.c.merged_into), customer.c.customer_id, asked)
            known |= {row.customer_id: row.merged_into for row in rows}
            asked = {row.merged_into for row in rows if row.merged_into is not None} - known.keys()
        return {one: _follow(one, known) for one in customer_ids if one in known}

    async def save(self, traces: Sequence[KnownTrace]) -> None:
        rows = [
            {**{name: getattr(one, name) for name in _NAMES}, "documents": list(one.documents)}
            for one in sorted(traces, key=_TRACE)
        ]
        changes = {name: f"excluded.{name}" for name in ("folded_name", "documents")}
        await insert_rows(self._session, trace, rows, on_conflict=changes)

    async def carry(self, carried: Collection[tuple[UUID, UUID, str]]) -> None:
        """Note that traces carry identifiers: (trace, identifier, scheme)."""
        rows = [
            {"identifier_id": identifier, "trace_id": trace_id, "scheme": scheme}
            for trace_id, identifier, scheme in carried
        ]
        await insert_rows(self._session, trace_identifier, rows, on_conflict="nothing")

    async def forget(self, trace_id: UUID) -> None:
        """Drop what a trace carries; whoever calls it notes anew what its live touchpoints tell."""
        await self._session.execute(delete(trace_identifier).where(trace_identifier.c.trace_id == trace_id))

    async def assign(self, moves: Sequence[Mapping[str, Any]]) -> None:
        """Write decisions of identity: rows with trace_id, customer_id, revision, proof. The highest revision wins."""
        rows = [
            {**move, "folded_name": None, "documents": []} for move in sorted(moves, key=lambda m: str(m["trace_id"]))
        ]
        newer = if_newer("trace", ("customer_id", "proof", "revision"))
        await insert_rows(self._session, trace, rows, on_conflict=newer)

    async def save_customers(self, rows: Sequence[Mapping[str, Any]]) -> None:
        newer = if_newer("customer", ("state", "merged_into", "since", "key_account", "revision"))
        ordered = sorted(rows, key=lambda row: str(row["customer_id"]))
        await insert_rows(self._session, customer, ordered, on_conflict=newer)

    async def _in(self, query: Any, column: Any, values: Collection[UUID]) -> list[Any]:
        return list((await self._session.execute(query.where(among(column, values)))).all()) if values else []


class TouchpointRepository:
    """The log."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def append(self, touchpoints: Sequence[Touchpoint], figures: Sequence[TouchpointRecorded | Told]) -> None:
        """Write them with the figures that are told of each, in the same order."""
        drafts = [one.draft for one in touchpoints]
        columns = {
            **{name: [getattr(draft, name) for draft in drafts] for name in _AS_DRAFTED},
            **{name: [getattr(one, name) for one in touchpoints] for name in _AS_ACCEPTED},
            "position": [one.position or one.touchpoint_id for one in touchpoints],
            "identifiers": [[seen.as_row for seen in one.seen] for one in touchpoints],
            "figures": [Written(told.as_json()) for told in figures],
            "state": ["live"] * len(touchpoints),
            "redacted": [()] * len(touchpoints),
        }
        await insert_columns(self._session, touchpoint, columns)

    async def find(self, touchpoint_id: UUID) -> Any:
        """The row; None where it never was, or its year of the log is gone."""
        query = select(touchpoint).where(touchpoint.c.touchpoint_id == touchpoint_id)
        return (await self._session.execute(query)).mappings().one_or_none()

    async def live(self, ids: Collection[UUID]) -> set[UUID]:
        """Those that still count."""
        query = select(touchpoint.c.touchpoint_id).where(
            among(touchpoint.c.touchpoint_id, ids), touchpoint.c.state == "live"
        )
        return set((await self._session.scalars(query)).all()) if ids else set()

    async def get(self, touchpoint_id: UUID) -> Any:
        """The row. Raises UnknownTouchpoint."""
        row = await self.find(touchpoint_id)
        if row is None:
            raise UnknownTouchpoint
        return row

    async def live_after(self, touchpoint_id: UUID, *, limit: int) -> list[Any]:
        """Live touchpoints in the order of recording, those after the one given."""
        c = touchpoint.c
        query = select(touchpoint).where(c.touchpoint_id > touchpoint_id, c.state == "live")
        return list((await self._session.execute(query.order_by(c.touchpoint_id).limit(limit))).mappings().all())

    async def change(self, touchpoint_id: UUID, **changes: Any) -> None:
        await self._session.execute(
            update(touchpoint).where(touchpoint.c.touchpoint_id == touchpoint_id).values(**changes)
        )

    async def live_identifiers(self, trace_id: UUID) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
        """The identifiers and the profile of each touchpoint of a trace that still counts, in the order of recording."""
        c = touchpoint.c
        query = select(c.identifiers, c.profile).where(c.trace_id == trace_id, c.state == "live").order_by(c.position)
        return [(row.identifiers, row.profile) for row in (await self._session.execute(query)).all()]

    async def any_recorded_until(self, moment: datetime, trace_id: UUID) -> bool:
        """Whether there is something on the trace that was recorded until a moment."""
        c = touchpoint.c
        query = select(c.touchpoint_id).where(c.trace_id == trace_id, c.recorded_at <= moment).limit(1)
        return (await self._session.execute(query)).first() is not None

    async def parked_with(self, source: str, external_id: str) -> list[Any]:
        """Parked bodies that came under the same external id."""
        c, written = parked_table.c, orjson.dumps(external_id).decode()
        place = func.strpos if self._session.get_bind().dialect.name == "postgresql" else func.instr
        query = select(c.id, c.body).where(c.kind == "touchpoint", c.origin == source[:200], place(c.body, written) > 0)
        return list((await self._session.execute(query)).all())

    async def empty_parked(self, parked_id: UUID, body: str) -> None:
        await self._session.execute(update(parked_table).where(parked_table.c.id == parked_id).values(body=body))


def _known(row: Any) -> KnownTrace:
    return KnownTrace(row.trace_id, row.customer_id, row.revision, row.proof, row.folded_name, tuple(row.documents))


def _follow(start: UUID, merged: Mapping[UUID, UUID | None]) -> UUID:
    at, seen = start, {start}
    while (after := merged.get(at)) is not None and after not in seen:
        seen.add(after)
        at = after
    return at


_AS_DRAFTED = (
    "source", "external_id", "kind", "channel", "direction", "site", "occurred_at", "actor_kind", "actor_id",
    "actor_name", "content", "language", "summary", "stop_point", "next_step", "outcome", "visibility", "partner",
    "backfill", "references", "payload", "profile", "facts",
)  # fmt: skip
_AS_ACCEPTED = (
    "touchpoint_id", "trace_id", "version", "corrects", "recorded_at", "topic", "continues", "case_number",
)  # fmt: skip
