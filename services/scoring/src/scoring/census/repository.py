"""Every query on everybody at once: whole tables, read as columns of numbers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from common.db import UtcDateTime
from scoring.appraisals.domain import Lifecycle
from scoring.appraisals.models import standing
from scoring.appraisals.repository import WRITTEN_SINCE
from scoring.census.domain import (
    BELOW_ZERO_REASONS,
    CLASSES,
    EPOCH,
    MONEY_COLUMNS,
    NEVER,
    SIGNALS,
    Column,
    Columns,
    Everybody,
    Figures,
    Ids,
    Said,
    Spans,
    Subjects,
    day_number,
    ids_of,
    treatments,
)
from scoring.classes.domain import WEAKNESSES, Tier
from scoring.links.models import customer, open_case, restriction, trace_link
from scoring.policies.domain import RuleSet
from scoring.signals.models import signal as signal_table
from scoring.values.domain import COUNTED, Books
from scoring.values.models import day_value

AT_ONCE = 1_000_000  # customers whose figures are held at once: 250 bytes each
FEW = 100  # customers who are read again by themselves, however few there are in all
_PIECE = 2**20  # bytes that are worth a look
_ROWS = 50_000
_POSTGRESQL_EPOCH = date(2000, 1, 1).toordinal() - EPOCH
_HEAD, _TAIL = 19, 2  # bytes before the first row and after the last one
# A server that was started anew, and a table in another's place, may hold less than we have seen.
_ORIGIN = "concat_ws(' ', pg_postmaster_start_time(), 'standing'::regclass::oid, 'day_value'::regclass::oid)"
_TOLD_SINCE = (
    f"SELECT {_ORIGIN} AS origin, count(*) AS many, coalesce(string_agg(uuid_send(customer_id) || xidsend(xmin), ''::bytea) "  # noqa: S608 - our own words
    f"FILTER (WHERE {WRITTEN_SINCE}), ''::bytea) AS told FROM standing"
)


@dataclass(frozen=True)
class Stretch:
    """Customers by id: those after the one, up to and with the other. None: no end."""

    after: UUID | None = None
    upto: UUID | None = None

    def holds(self, column: Any) -> sa.ColumnElement[bool]:
        above = sa.true() if self.after is None else column > self.after
        return sa.and_(above, sa.true() if self.upto is None else column <= self.upto)


@dataclass(frozen=True)
class Those:
    """Customers by name: PostgreSQL's, which takes any number of them within a text. Shape (n, 2), as ids travel."""

    ids: Column

    def holds(self, column: Any) -> sa.ColumnElement[bool]:
        return _any_of(column, self.ids)


@dataclass(frozen=True)
class Remembered:
    """Everybody as he was read, and what tells whether that still is what it was."""

    everybody: Everybody
    spans: Spans
    parts: Sequence[Mapping[str, Any]]  # what treatments were told by, in the order of their numbers
    origin: str  # of the tables: others after a rebuild, a restored backup, on another server
    moment: int
    doubtful: Column  # ids of whom what was read may not have been committed


class CensusRepository:
    """Reads straight through: no row becomes an object, and no table is joined to another by the database."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def moment(self) -> int | None:
        """Where PostgreSQL's transactions are; None on SQLite, whose rows do not tell who wrote them."""
        if self._session.get_bind().dialect.name != "postgresql":
            return None
        oldest = sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot())
        return await self._session.scalar(sa.select(sa.cast(sa.cast(oldest, sa.Text), sa.BigInteger)))

    async def transaction(self) -> int:
        """The number of this transaction, as the rows that it writes carry it."""
        number = await self._session.scalar(sa.text("SELECT pg_current_xact_id()::text::bigint"))
        return int(number) % 2**32

    async def everybody(
        self,
        before: Remembered | None,
        spans: Spans,
        *,
        rules: RuleSet,
        books: Books,
        looking: Awaitable[Any] | None = None,
    ) -> Remembered | None:
        """Everybody as he is now. Of whoever was not looked at since `before`, which is used up, nothing is read again.

        Whatever changes anything of a customer writes his standing in the same transaction; where one was taken away, or
        there are many to be read, all are read. None where there are too many, or where nobody can tell what has passed.
        Nothing is changed of `before` until whoever is still `looking` at it is done.
        """
        moment = await self.moment()
        if moment is None:
            return None
        if before is not None and before.spans == spans:
            found = await self._renewed(before, moment, rules=rules, books=books, looking=looking)
            if found is not None:
                return found if len(found.everybody.customers) <= AT_ONCE else None
        before = None  # there is no room for both
        if len(await self.stretches()) > 1:
            return None
        origin = await self._session.scalar(sa.text(f"SELECT {_ORIGIN}"))
        read, doubtful = await self._read_all(Stretch(), spans, since=moment, rules=rules, books=books)
        return Remembered(read, spans, treatments(rules), str(origin), moment, doubtful)

    async def _renewed(
        self, before: Remembered, moment: int, *, rules: RuleSet, books: Books, looking: Awaitable[Any] | None
    ) -> Remembered | None:
        """What is remembered with those read again who were looked at since; None where all are to be read."""
        everybody, doubtful, parts = before.everybody, before.doubtful[:0], treatments(rules)
        origin, many, ids, transactions = await self._told_since(before.moment)
        if looking is not None:
            await looking
        if origin != before.origin:
            return None
        again = np.concatenate([ids[everybody.settle(ids, transactions)], before.doubtful])
        if len(again) > max(FEW, len(everybody.customers) // 16):
            return None
        if len(again):
            those, doubtful = await self._read_all(Those(again), before.spans, since=moment, rules=rules, books=books)
            await asyncio.to_thread(everybody.put, those)
        if parts != before.parts:
            everybody.said, doubtful = await self.said(everybody.customers, Stretch(), rules=rules, since=moment)
        if np.count_nonzero(everybody.said.known) != many:
            return None
        return replace(before, parts=parts, moment=moment, doubtful=doubtful)

    async def _read_all(
        self, stretch: "Stretch | Those", spans: Spans, *, since: int, rules: RuleSet, books: Books
    ) -> tuple[Everybody, Column]:
        figures = await self.figures(stretch, spans, books)
        subjects = await self.subjects(figures, stretch, books)
        said, touched = await self.said(figures.customers, stretch, rules=rules, since=since)
        return Everybody(figures, subjects, said), touched

    async def _told_since(self, moment: int) -> tuple[str, int, Column, Column]:
        """Where the tables come from, how many standings there are, and of those written since: whose, and by which transactions."""
        row = (await self._session.execute(sa.text(_TOLD_SINCE.format(moment % 2**32)))).one()
        told = np.frombuffer(row.told, np.dtype([("id", ">u8", (2,)), ("by", ">u4")]))
        return row.origin, row.many, told["id"].astype(np.uint64), told["by"].astype(np.uint32)

    async def stretches(self, *, after: UUID | None = None, size: int = AT_ONCE) -> list[Stretch]:
        """All customers after one, in stretches of so many."""
        found: list[Stretch] = []
        owner = trace_link.c.customer_id
        while True:
            query = sa.select(owner).where(owner.is_not(None), Stretch(after).holds(owner)).distinct()
            last = (await self._session.scalars(query.order_by(owner).offset(size - 1).limit(2))).all()
            if len(last) < 2:  # the last of all, or nobody: the rest goes together
                return [*found, Stretch(after)]
            found.append(Stretch(after, last[0]))
            after = last[0]

    async def figures(self, stretch: Stretch | Those, spans: Spans, books: Books) -> Figures:
        """What the days of these customers come to. The day of who has none is not read anew: he is there with nothing."""
        owner = trace_link.c.customer_id
        links = await self._whole(
            sa.select(trace_link.c.trace_id, owner).where(owner.is_not(None), stretch.holds(owner))
        )
        gone = await self._whole(
            sa.select(standing.c.customer_id).where(standing.c.is_vacant, stretch.holds(standing.c.customer_id))
        )
        customers = Ids(np.concatenate([links["customer_id"], gone["customer_id"]]))
        traces = Ids(links["trace_id"])
        owned_by = np.empty(len(traces) + 1, np.int32)
        owned_by[-1] = -1  # what is not found is found in the last place
        owned_by[traces.find(links["trace_id"])] = customers.find(links["customer_id"])
        figures = Figures(customers, spans, books)
        figures.traces += np.bincount(owned_by[:-1], minlength=len(customers))
        reached = sa.true() if isinstance(stretch, Stretch) else _any_of(day_value.c.trace_id, links["trace_id"])
        del links, gone
        money = [day_value.c[name] for name in spans.read() if name in MONEY_COLUMNS]
        counts = [name for name in spans.read() if name not in MONEY_COLUMNS]
        pairs = list(zip(counts[::2], counts[1::2], strict=True))  # how many there are is even
        left = sa.or_(*(day_value.c[name] != 0 for name in COUNTED))
        query = sa.select(
            day_value.c.trace_id,
            day_value.c.day,
            sa.cast(day_value.c.currency, sa.CHAR(3)).label("currency"),
            *(_paired(*pair) for pair in pairs),
            *money,
        )

        def add(rows: Columns) -> None:
            figures.add(owned_by[traces.find(rows["trace_id"])], _unpaired(rows, pairs))

        await self._read(query.where(left, reached), add)
        await asyncio.to_thread(figures.finish)
        return figures

    async def subjects(self, figures: Figures, stretch: Stretch | Those, books: Books) -> Subjects:
        """What is on record of the customers."""
        customers, c = figures.customers, customer.c
        many = len(customers)
        since, active = np.full(many, NEVER, np.int32), np.ones(many, bool)
        key_account, restricted = np.zeros(many, bool), np.zeros(many, bool)

        def begin(told: Columns) -> None:
            _put(since, customers.find(told["customer_id"]), _local_days(told["since"], books))

        known = sa.select(c.customer_id, c.since).where(c.since.is_not(None), stretch.holds(c.customer_id))
        await self._read(known, begin)
        other = sa.select(c.customer_id, c.key_account, (c.state == "active").label("active"))
        told = await self._whole(other.where(sa.or_(c.key_account, c.state != "active"), stretch.holds(c.customer_id)))
        _put(active, customers.find(told["customer_id"]), told["active"])
        _put(key_account, customers.find(told["customer_id"]), told["key_account"])
        told = await self._whole(sa.select(restriction.c.customer_id).where(restriction.c.restricted))
        _put(restricted, customers.find(told["customer_id"]), np.ones(len(told["customer_id"]), bool))
        complaints = np.zeros(many, np.int32)
        cases = sa.select(trace_link.c.customer_id).join(open_case, open_case.c.trace_id == trace_link.c.trace_id)
        told = await self._whole(cases.where(open_case.c.is_open, trace_link.c.customer_id.is_not(None)))
        places = customers.find(told["customer_id"])
        np.add.at(complaints, places[places >= 0], 1)
        return Subjects(since, active, key_account, restricted, complaints)

    async def said(
        self, customers: Ids, stretch: Stretch | Those, *, rules: RuleSet, since: int | None = None
    ) -> tuple[Said, Column]:
        """What was last said of the customers, in the form of verdicts; and the ids of those who were looked at since a `moment`.

        That is by a transaction that had not ended at the moment, or began after it.
        """
        s = standing.c
        reasons = self._which(s.parts[("value", "reasons")], _REASONS, none=0)
        parts = treatments(rules)
        spoken = sorted(
            ((part, parts.index(part)) for part in parts), key=lambda pair: -pair[1]
        )  # the default is common
        is_touched = (
            sa.false() if since is None else sa.literal_column(WRITTEN_SINCE.format(since % 2**32), sa.Boolean())
        )
        query = sa.select(
            s.customer_id,
            _code(s.tier, list(Tier)).label("tier"),
            sa.case((s.tier == str(Tier.BELOW_ZERO), reasons), else_=0).label("reasons"),
            _code(s.abc, CLASSES).label("abc"),
            _code(s.lifecycle, list(Lifecycle)).label("lifecycle"),
            self._which(s.parts["treatment"], spoken, none=-1).label("treatment"),
            is_touched.label("touched"),
        ).where(stretch.holds(s.customer_id))
        names = ("tier", "reasons", "abc", "lifecycle", "treatment")
        columns = {name: np.full(len(customers), -1, np.int16) for name in names}
        known, signals = np.zeros(len(customers), bool), np.zeros(len(customers), np.int16)
        touched = [np.zeros((0, 2), np.uint64)]

        def take(told: Columns) -> None:
            places = customers.find(told["customer_id"])
            for name, column in columns.items():
                _put(column, places, told[name])
            known[places[places >= 0]] = True
            touched.append(told["customer_id"][told["touched"]])

        await self._read(query, take)
        open_ = sa.select(signal_table.c.customer_id, _code(signal_table.c.signal, SIGNALS).label("signal"))

        def raise_(told: Columns) -> None:
            places = customers.find(told["customer_id"])
            bits = np.left_shift(1, told["signal"]).astype(np.int16)
            np.bitwise_or.at(signals, places[places >= 0], bits[places >= 0])

        await self._read(
            open_.where(signal_table.c.cleared_at.is_(None), stretch.holds(signal_table.c.customer_id)), raise_
        )
        return Said(known=known, signals=signals, **columns), np.concatenate(touched)

    def _which(self, column: Any, told: Iterable[tuple[Any, int]], *, none: int) -> sa.ColumnElement[int]:
        """The number of what a part of a document says. SQLite has only its text, with the keys as we write them."""
        texts = [(orjson.dumps(part).decode(), number) for part, number in told]
        if self._session.get_bind().dialect.name == "sqlite":
            return sa.case(dict(texts), value=column.as_string(), else_=none)
        # asked for its value once, and not with each comparison: to look into a document costs more than to compare
        return sa.case({sa.cast(sa.literal(t, sa.Text()), JSONB): n for t, n in texts}, value=column, else_=none)

    async def _whole(self, query: sa.Select[Any]) -> dict[str, Column]:
        """All rows of a query that gives a few numbers for each."""
        pieces: list[Columns] = []
        await self._read(query, pieces.append)
        if not pieces:
            return {column.name: _as_column([], column.type) for column in query.selected_columns}
        return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}

    async def _read(self, query: sa.Select[Any], take: Callable[[Columns], None]) -> None:
        """Hand the rows over in pieces, in a thread: while one is looked at, the next is on its way. No column may be null."""
        waiting: asyncio.Task[None] | None = None

        async def hand_over(columns: Columns) -> None:
            nonlocal waiting
            if waiting is not None:
                await waiting
            waiting = asyncio.create_task(asyncio.to_thread(take, columns))

        if self._session.get_bind().dialect.name == "postgresql":
            await self._copy(query, hand_over)
        else:
            await self._fetch(query, hand_over)
        if waiting is not None:
            await waiting

    async def _copy(self, query: sa.Select[Any], hand_over: Callable[[Columns], Any]) -> None:
        """PostgreSQL's binary form: rows of one length, which are an array as they come."""
        layout = _layout(query)
        waiting: list[bytes] = []  # joined when they are worth a look: to add to one text would copy it again and again
        size, head = 0, _HEAD

        async def take(data: bytes) -> None:
            nonlocal size
            waiting.append(data)
            size += len(data)
            if size >= _PIECE:
                await look()

        async def look() -> None:
            nonlocal size, head
            come = b"".join(waiting)
            whole = (len(come) - head) // layout.itemsize
            if whole > 0:
                await hand_over(_columns(np.frombuffer(come, layout, whole, head), query))
                come, head = come[head + whole * layout.itemsize :], 0
            waiting[:], size = [come], len(come)

        connection = await self._session.connection()
        raw = (await connection.get_raw_connection()).driver_connection
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        await raw.copy_from_query(str(compiled), output=take, format="binary", timeout=3600)  # type: ignore[union-attr]
        await look()
        if size - head != _TAIL:
            raise ValueError(f"rows of another length than {layout.itemsize} in {compiled}")

    async def _fetch(self, query: sa.Select[Any], hand_over: Callable[[Columns], Any]) -> None:
        columns = list(query.selected_columns)
        async for rows in (await self._session.stream(query)).partitions(_ROWS):
            values = zip(*rows, strict=True)
            await hand_over(
                {column.name: _as_column(some, column.type) for column, some in zip(columns, values, strict=True)}
            )


# --- how columns travel -----------------------------------------------------------------------------------------------

_FORMS: tuple[tuple[type[Any], str, tuple[int, ...]], ...] = (
    (sa.Uuid, ">u8", (2,)),
    (UtcDateTime, ">i8", ()),
    (sa.Date, ">i4", ()),
    (sa.Boolean, "?", ()),
    (sa.BigInteger, ">i8", ()),
    (sa.Integer, ">i4", ()),
    (sa.String, "S3", ()),
)


def _layout(query: sa.Select[Any]) -> np.dtype[Any]:
    """A row: how many columns, and for each its length and its value."""
    fields: list[Any] = [("columns", ">i2")]
    for at, column in enumerate(query.selected_columns):
        form, shape = next((form, shape) for kind, form, shape in _FORMS if isinstance(column.type, kind))
        fields += [(f"length{at}", ">i4"), (f"value{at}", form, shape)]
    return np.dtype(fields)


def _columns(rows: Column, query: sa.Select[Any]) -> Columns:
    """The values of rows as they came, in this machine's form."""
    columns: dict[str, Column] = {}
    for at, column in enumerate(query.selected_columns):
        lengths, values = rows[f"length{at}"], rows[f"value{at}"]
        if (lengths != rows.dtype[f"value{at}"].itemsize).any():
            raise ValueError(f"{column.name} holds values of different lengths")
        # numpy's own type, not merely one that is equal to it: it adds up fifty times faster
        columns[column.name] = values.astype(values.dtype.newbyteorder("=").str)
        if isinstance(column.type, sa.Date):
            columns[column.name] += _POSTGRESQL_EPOCH
        elif isinstance(column.type, UtcDateTime):
            columns[column.name] += _POSTGRESQL_EPOCH * 86_400_000_000
    return columns


def _paired(upper: str, lower: str) -> sa.ColumnElement[int]:
    """Two counts of a day in one column: of each day there are fewer than 31 bits hold, and every column costs its way."""
    return (day_value.c[upper] * 2**32 + day_value.c[lower]).label(f"{upper}_{lower}")


def _unpaired(rows: Columns, pairs: Iterable[tuple[str, str]]) -> Columns:
    """The rows with the two counts of each pair, which may be below zero, as columns of their own."""
    columns = dict(rows)
    for upper, lower in pairs:
        both = columns.pop(f"{upper}_{lower}")
        columns[lower] = ((both + 2**31) & (2**32 - 1)) - 2**31
        columns[upper] = (both - columns[lower]) >> 32
    return columns


def _as_column(values: Sequence[Any], kind: Any) -> Column:
    """The same from objects."""
    if isinstance(kind, sa.Uuid):
        return ids_of(values)
    if isinstance(kind, UtcDateTime):
        return np.array([(each - _START) // timedelta(microseconds=1) for each in values], np.int64)
    if isinstance(kind, sa.Date):
        return np.array([day_number(each) for each in values], np.int32)
    if isinstance(kind, sa.Boolean):
        return np.array(values, bool)
    if isinstance(kind, sa.Integer):
        return np.array(values, np.int64)
    return np.array([each.encode() for each in values], "S3")


def _any_of(column: Any, ids: Column) -> sa.ColumnElement[bool]:
    """PostgreSQL's condition, with the ids in its text: a COPY takes no parameters."""
    text = ids.astype(">u8").tobytes().hex()
    named = ",".join(text[at : at + 32] for at in range(0, len(text), 32))
    return sa.literal_column(f"{column} = ANY ('{{{named}}}'::uuid[])", sa.Boolean())


_START = datetime(1970, 1, 1, tzinfo=UTC)

# What is said of whoever is below zero: one reason, and any of the weaknesses in their order; with its bits.
_CODES = (*BELOW_ZERO_REASONS, *WEAKNESSES)
_REASONS = [
    ([reason, *weak], sum(1 << _CODES.index(code) for code in (reason, *weak)))
    for reason in BELOW_ZERO_REASONS
    for many in range(len(WEAKNESSES) + 1)
    for weak in combinations(WEAKNESSES, many)
]


def _code(column: Any, names: Sequence[str]) -> sa.ColumnElement[int]:
    """A name as its place among all of them; -1 for none."""
    return sa.case({str(name): at for at, name in enumerate(names)}, value=column, else_=-1)


def _put(column: Column, places: Column, values: Column) -> None:
    known = places >= 0
    column[places[known]] = values[known]


def _local_days(moments: Column, books: Books) -> Column:
    """The company's days of moments (microseconds), each different one asked once."""
    values, place = np.unique(moments, return_inverse=True)
    days = [day_number(books.day_of(_START + timedelta(microseconds=int(each)))) for each in values]
    return np.array(days, np.int32)[place]
