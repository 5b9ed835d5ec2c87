"""Every query that takes a person out of identity's tables, and those on the certificates."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from common.belonging import Subjects, belongs, rows_where
from common.bulk import among, insert_rows
from identity import tables
from identity.customers.domain import UnknownCustomer
from identity.customers.models import customer
from identity.customers.repository import Customers
from identity.linking.models import decision, trace
from identity.privacy.domain import RECTIFY, Erasure, Line, without_him
from identity.privacy.models import erasure, erasure_line
from identity.sightings.models import identifier, sighting, trace_identifier

# Not taken out row by row: that there was such a customer stays, a decision may be somebody else's as well.
_SEEN_TO_APART = frozenset({"customer", "decision", "erasure"})


# Pairs in doubt and pairs kept apart tell of others as well.
OF_TWO_PERSONS = frozenset({"review", "cannot_link"})


async def find_subjects(session: AsyncSession, customer_id: UUID) -> Subjects:
    """The person behind the id. Raises UnknownCustomer."""
    found = await Customers(session).resolve(customer_id)
    if found is None:
        raise UnknownCustomer
    customers = [found.customer_id, *await Erasures(session).absorbed_by(found.customer_id)]
    traces = (await session.scalars(sa.select(trace.c.trace_id).where(among(trace.c.customer_id, customers)))).all()
    return Subjects(found.customer_id, customers, list(traces))


async def identifiers_and_decisions(
    session: AsyncSession, records: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """His identifiers in clear, and what was decided on him, without the before-images, which name others' traces."""
    carried = {UUID(row["identifier_id"]) for row in records["trace_identifier"]}
    customers = {UUID(row["customer_id"]) for row in records["customer"]}
    his = among(decision.c.survivor, customers) | among(decision.c.absorbed, customers)
    decided = await rows_where(session, decision, his)
    shown = ("decision_id", "kind", "by", "reason", "at", "undone_by")
    return {
        "identifier": await rows_where(session, identifier, among(identifier.c.identifier_id, carried)),
        "decision": [
            {name: row[name] for name in shown} | ({"value": row["before"]} if row["kind"] == RECTIFY else {})
            for row in decided
        ],
    }


class Erasures:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    # --- certificates -------------------------------------------------------------------------------------------------

    async def add(self, one: Erasure) -> None:
        await insert_rows(self._session, erasure, [vars(one)])

    async def change(self, erasure_id: UUID, **values: Any) -> None:
        await self._session.execute(sa.update(erasure).where(erasure.c.erasure_id == erasure_id).values(**values))

    async def get(self, erasure_id: UUID, *, locked: bool = False) -> Erasure | None:
        query = sa.select(erasure).where(erasure.c.erasure_id == erasure_id)
        row = (await self._session.execute(query.with_for_update() if locked else query)).one_or_none()
        return None if row is None else Erasure(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access

    async def of_customer(self, customer_id: UUID) -> Erasure | None:
        row = (
            await self._session.execute(sa.select(erasure).where(erasure.c.customer_id == customer_id))
        ).one_or_none()
        return None if row is None else Erasure(**row._mapping)  # noqa: SLF001

    async def newest(self) -> Erasure | None:
        """The one that was begun last."""
        found = await self.page(after=None, limit=1)
        return found[0] if found else None

    async def of_moments(self, moments: Collection[datetime]) -> dict[datetime, Erasure]:
        """The erasures of the moments that the list of the erased names."""
        rows = (await self._session.execute(sa.select(erasure).where(erasure.c.at.in_(moments)))).all()
        return {row.at: Erasure(**row._mapping) for row in rows}  # noqa: SLF001

    async def page(self, *, after: UUID | None, limit: int) -> list[Erasure]:
        """The newest first."""
        query = sa.select(erasure).order_by(erasure.c.erasure_id.desc()).limit(limit)
        if after is not None:
            query = query.where(erasure.c.erasure_id < after)
        return [Erasure(**row._mapping) for row in (await self._session.execute(query)).all()]  # noqa: SLF001

    async def add_lines(self, lines: Iterable[Line]) -> None:
        """What was confirmed; a second confirmation of the same says nothing new."""
        rows = [vars(line) | {"removed": dict(line.removed), "kept": dict(line.kept)} for line in lines]
        await insert_rows(self._session, erasure_line, rows, on_conflict="nothing")

    async def lines(self, erasures: Collection[UUID]) -> list[Line]:
        query = sa.select(erasure_line).where(among(erasure_line.c.erasure_id, erasures))
        rows = (await self._session.execute(query.order_by(erasure_line.c.service, erasure_line.c.part))).all()
        return [Line(**row._mapping) for row in rows]  # noqa: SLF001

    async def rectifications(self, customers: Collection[UUID], *, after: UUID | None, limit: int) -> list[Any]:
        """Rows of decisions by which a value of the customers was put right, the newest first."""
        d = decision.c
        query = sa.select(decision).where(d.kind == RECTIFY, among(d.survivor, customers))
        if after is not None:
            query = query.where(d.decision_id < after)
        return list((await self._session.execute(query.order_by(d.decision_id.desc()).limit(limit))).all())

    # --- taking out ---------------------------------------------------------------------------------------------------

    async def absorbed_by(self, customer_id: UUID) -> list[UUID]:
        """Everybody who went into the customer, by whatever way."""
        found, asked = [], [customer_id]
        while asked:
            query = sa.select(customer.c.customer_id).where(among(customer.c.merged_into, asked))
            asked = list((await self._session.scalars(query)).all())
            found += asked
        return found

    async def identifiers_of(self, traces: Collection[UUID]) -> list[Any]:
        """Rows of identifier_id, scheme, value: each identifier that the traces carry, and `elsewhere`: another's trace does too."""
        ti, i = trace_identifier.c, identifier.c
        other = trace_identifier.alias()
        elsewhere = sa.exists().where(other.c.identifier_id == i.identifier_id, ~among(other.c.trace_id, traces))
        query = (
            sa.select(i.identifier_id, i.scheme, i.value, elsewhere.label("elsewhere"))
            .where(i.identifier_id.in_(sa.select(ti.identifier_id).where(among(ti.trace_id, traces))))
            .order_by(i.identifier_id)
        )
        return list((await self._session.execute(query)).all())

    async def names_of(self, traces: Collection[UUID]) -> set[str]:
        """The folded names that the traces went by."""
        rows = (await self._session.scalars(sa.select(trace.c.names).where(among(trace.c.trace_id, traces)))).all()
        return {name for names in rows for name in names}

    async def known_traces(self, traces: Collection[UUID]) -> set[UUID]:
        query = sa.select(trace.c.trace_id).where(among(trace.c.trace_id, traces))
        return set((await self._session.scalars(query)).all())

    async def seen_until(self, moment: datetime, traces: Collection[UUID]) -> list[tuple[UUID, UUID]]:
        """Touchpoint and trace of what was seen on the traces until a moment."""
        s = sighting.c
        query = sa.select(s.touchpoint_id, s.trace_id).where(
            among(s.trace_id, traces), s.occurred_at <= moment, ~s.unseen
        )
        return [(row.touchpoint_id, row.trace_id) for row in (await self._session.execute(query)).all()]

    async def take_out(
        self, traces: Collection[UUID], customers: Collection[UUID], identifiers: Collection[UUID]
    ) -> dict[str, int]:
        """Delete whatever hangs on the traces and customers, in every table there is, and the identifiers; gives counts of rows."""
        removed = {"identifier": await self._gone(identifier, among(identifier.c.identifier_id, identifiers))}
        for table in tables.METADATA.sorted_tables:
            if table.name in _SEEN_TO_APART:
                continue
            ways = [] if (his := belongs(table, traces, customers)) is None else [his]
            if "identifier_id" in table.columns:
                ways.append(among(table.c.identifier_id, identifiers))
            if ways and table.name not in removed:
                removed[str(table.name)] = await self._gone(table, sa.or_(*ways))
        return removed

    async def once_one_with(self, customers: Collection[UUID], traces: Collection[UUID]) -> set[UUID]:
        """Others to whom one of the traces belonged for a while, or who were merged with the customers."""
        d = decision.c
        his = among(d.survivor, customers) | among(d.absorbed, customers) | self._pictures(traces)
        rows = (await self._session.execute(sa.select(d.survivor, d.absorbed).where(his))).all()
        return {each for row in rows for each in row if each is not None} - set(customers)

    async def take_out_decisions(self, customers: Collection[UUID], traces: Collection[UUID]) -> dict[str, int]:
        """Decisions on him alone go; of those that concern others as well the words go, and he from the before-image."""
        d = decision.c
        pairs = among(d.left_trace, traces) | among(d.right_trace, traces)
        his = among(d.survivor, customers) | among(d.absorbed, customers) | pairs
        alone = (d.survivor.is_(None) | among(d.survivor, customers)) & (
            d.absorbed.is_(None) | among(d.absorbed, customers)
        )
        removed = await self._gone(decision, his & alone)
        wanted = sa.select(d.decision_id, d.before, d.left_trace, d.right_trace).where(his | self._pictures(traces))
        others = (await self._session.execute(wanted)).all()
        for row in others:
            left, right = (None if each in traces else each for each in (row.left_trace, row.right_trace))
            values = {"before": without_him(row.before or {}, {*traces, *customers}), "reason": ""}
            await self._session.execute(
                sa.update(decision)
                .where(d.decision_id == row.decision_id)
                .values(**values, left_trace=left, right_trace=right)
            )
        return {"decisions": removed, "before_images": len(others)}

    def _pictures(self, traces: Collection[UUID]) -> sa.ColumnElement[bool]:
        """Before-images of others in which one of the traces stands: it was theirs once, by mistake."""
        text = sa.cast(decision.c.before, sa.Text)
        named = [text.contains(str(trace_id)) for trace_id in sorted(traces)]
        return sa.and_(decision.c.kind.in_(("merge", "undo")), sa.or_(*named)) if named else sa.false()

    async def blank_customers(self, customers: Mapping[UUID, int]) -> None:
        """Of the customers only stays that there were such; `customers`: id -> the revision of that."""
        for customer_id, revision in sorted(customers.items()):
            await self._session.execute(
                sa.update(customer)
                .where(customer.c.customer_id == customer_id)
                .values(state="erased", merged_into=None, key_account=False, revision=revision, profile_digest=None, contact_digest=None)
            )  # fmt: skip

    async def _gone(self, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
        result = await self._session.execute(sa.delete(table).where(where))
        return int(getattr(result, "rowcount", 0))
