"""Partitions on PostgreSQL: long tables are cut into ranges, so that what is too old is dropped as a whole and never row by row.

A default partition takes whatever lies outside the ranges: no insert ever fails for want of one. Every step is a short
transaction that gives up rather than make writers wait. SQLite has no partitions: there nothing here has an effect.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from uuid import UUID

from sqlalchemy import DDL, Connection, Table, event, text

Span = Literal["rows", "week", "year"]

# Writers queue behind a lock that we wait for: after so long we let them pass, and try again in the next round.
LOCK_TIMEOUT = "200ms"
FEWEST_ROWS = 100_000  # of a range by number: less is not worth a table of its own
MOST_ROWS = 20_000_000
AHEAD = 3  # how many ranges by number lie ready: at the pace of the days before, so many days
MOVED_AT_ONCE = 20_000  # rows that are carried from the default partition into a new one; more stay where they are
_ONE_AT_A_TIME = text("SELECT pg_try_advisory_xact_lock(hashtext('hilo-partitions'))")
_BOUND = re.compile(r"FROM \((.+)\) TO \((.+)\)")


@dataclass(frozen=True)
class Partitioned:
    """A table that PostgreSQL cuts into ranges of `column`: numbers as they are given out, or UUIDv7s, which begin with a moment.

    `moment` is the column that says how old a row is.
    """

    table: str
    column: str
    moment: str
    span: Span

    @property
    def default(self) -> str:
        return f"{self.table}_default"

    def literal(self, bound: int) -> str:
        """A bound as SQL. Bounds are whole numbers here, those of UUIDs as well."""
        return str(bound) if self.span == "rows" else f"'{UUID(int=bound)}'"

    def within(self, low: int, high: int) -> str:
        return f"{self.column} >= {self.literal(low)} AND {self.column} < {self.literal(high)}"


KeptLog = tuple[Partitioned, timedelta | None]  # with how long it is kept; None: for ever
OUTBOX = Partitioned("outbox", "seq", "at", "rows")
INBOX = Partitioned("inbox", "event_id", "at", "week")


@dataclass(frozen=True)
class Partition:
    """A range from `low` on to before `high`; None is without end. The default partition has neither."""

    name: str
    low: int | None = None
    high: int | None = None
    is_default: bool = False

    def covers(self, low: int, high: int) -> bool:
        reaches = self.high is None or self.high >= high
        return not self.is_default and reaches and (self.low is None or self.low <= low)


def declared(table: Table, plan: Partitioned) -> Table:
    """Say of a model's table that it is partitioned: where it is made from the model, it has its default partition."""
    table.kwargs["postgresql_partition_by"] = f"RANGE ({plan.column})"
    event.listen(table, "after_create", DDL(_DEFAULT.format(plan=plan)).execute_if(dialect="postgresql"))  # type: ignore[no-untyped-call]
    return table


_DEFAULT = "CREATE TABLE {plan.default} PARTITION OF {plan.table} DEFAULT"


def first_id_of(at: datetime) -> int:
    """The least UUIDv7 of a moment, as a number: those before it are smaller, those from it on are not."""
    return max(0, int(at.timestamp() * 1000)) << 80


def partitions_of(connection: Connection, plan: Partitioned) -> list[Partition]:
    """The partitions of a table in the order of their ranges, the default last; none where it is not partitioned."""
    if connection.dialect.name != "postgresql":
        return []
    query = text(
        "SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) AS bound FROM pg_inherits"
        " JOIN pg_class child ON child.oid = inhrelid WHERE inhparent = to_regclass(:table)"
    )
    found = [_partition(row.relname, row.bound) for row in connection.execute(query, {"table": plan.table})]
    return sorted(found, key=lambda one: (one.is_default, one.low is not None, one.low or 0))


def partition_names(connection: Connection) -> set[str]:
    """The names of all partitions: tables that no model knows of."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition AND relkind IN ('r', 'p')")))


def _partition(name: str, bound: str) -> Partition:
    ends = _BOUND.search(bound)
    return Partition(name, is_default=True) if ends is None else Partition(name, _number(ends[1]), _number(ends[2]))


def _number(written: str) -> int | None:
    if written in ("MINVALUE", "MAXVALUE"):
        return None
    bare = written.strip("'")
    return int(bare) if bare.isdigit() else UUID(bare).int


# --- made ahead -------------------------------------------------------------------------------------------------------


def wanted(connection: Connection, plan: Partitioned, now: datetime) -> list[tuple[int, int]]:
    """The ranges that should be there and are not: that of the present, and those that will be needed next."""
    there = partitions_of(connection, plan)
    if not there:
        return []
    if plan.span == "rows":
        return _next_numbers(connection, plan, max([one.high for one in there if one.high is not None], default=1))
    ranges = pairwise(first_id_of(each) for each in _starts(plan.span, now))
    return [each for each in ranges if not any(one.covers(*each) for one in there)]


def _starts(span: Span, now: datetime) -> list[datetime]:
    """Where the present week or year begins, and the next ones."""
    if span == "year":
        return [datetime(now.year + more, 1, 1, tzinfo=UTC) for more in range(3)]
    monday = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=now.weekday())
    return [monday + timedelta(weeks=more) for more in range(3)]


def _next_numbers(connection: Connection, plan: Partitioned, end: int) -> list[tuple[int, int]]:
    """Ranges from `end` on; where numbers have run past it, the rows since then stay in the default partition if they are many."""
    last, size = _last_number(connection, plan), _rows_a_day(connection, plan)
    if _more_than(connection, MOVED_AT_ONCE, f"{plan.default} WHERE {plan.column} >= {end}"):
        end = last + size
    starts = range(end, max(end, last) + AHEAD * size, size)
    return [(start, start + size) for start in starts if start <= last + (AHEAD - 1) * size]


def _last_number(connection: Connection, plan: Partitioned) -> int:
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": plan.table, "c": plan.column})
    found = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))  # noqa: S608
    return int(found or 0)


def _rows_a_day(connection: Connection, plan: Partitioned) -> int:
    """How many rows came in a day, over the time that the table reaches back."""
    ends = f"SELECT {plan.column}, {plan.moment} FROM {plan.table} ORDER BY {plan.column}"  # noqa: S608 - our own names
    first = connection.execute(text(f"{ends} LIMIT 1")).one_or_none()
    last = connection.execute(text(f"{ends} DESC LIMIT 1")).one_or_none()
    if first is None or last is None:
        return FEWEST_ROWS
    days = max(1.0, (last[1] - first[1]) / timedelta(days=1))
    return int(min(MOST_ROWS, max(FEWEST_ROWS, (last[0] - first[0]) / days)))


def attach(connection: Connection, plan: Partitioned, low: int, high: int) -> bool:
    """Add the range [low, high), with what the default partition holds of it. False: another is at it, or it holds too much.

    Readers and writers wait meanwhile: for milliseconds, and no longer than `LOCK_TIMEOUT` before it begins.
    """
    return _alone(connection) and _attached(connection, plan, low, high)


def _attached(connection: Connection, plan: Partitioned, low: int, high: int) -> bool:
    name, within = f"{plan.table}_{_label(plan, low)}", plan.within(low, high)
    # ATTACH itself asks for less. But a row on its way to the default partition would then be refused by that partition; and
    # a reader who has his list of partitions already would find the rows in neither, and pass over them for ever.
    connection.execute(text(f"LOCK TABLE ONLY {plan.table} IN ACCESS EXCLUSIVE MODE"))
    connection.execute(text(f"LOCK TABLE {plan.default} IN ACCESS EXCLUSIVE MODE"))
    overlapping = any(one.name == name or one.covers(low, high) for one in partitions_of(connection, plan))
    if overlapping or _more_than(connection, MOVED_AT_ONCE, f"{plan.default} WHERE {within}"):
        return False
    connection.execute(text(f"CREATE TABLE {name} (LIKE {plan.table})"))
    moved = f"WITH moved AS (DELETE FROM {plan.default} WHERE {within} RETURNING *)"  # noqa: S608 - our own names
    connection.execute(text(f"{moved} INSERT INTO {name} SELECT * FROM moved"))  # noqa: S608
    bounds = f"FROM ({plan.literal(low)}) TO ({plan.literal(high)})"
    connection.execute(text(f"ALTER TABLE {plan.table} ATTACH PARTITION {name} FOR VALUES {bounds}"))
    return True


def _label(plan: Partitioned, low: int) -> str:
    if plan.span == "rows":
        return str(low)
    begins = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=low >> 80)
    return begins.strftime("%Y%m%d" if plan.span == "week" else "%Y")


def _more_than(connection: Connection, count: int, among: str) -> bool:
    found = text(f"SELECT count(*) FROM (SELECT 1 FROM {among} LIMIT {count + 1}) AS counted")  # noqa: S608
    return int(connection.scalar(found) or 0) > count


def _alone(connection: Connection) -> bool:
    """Whether no other worker is at it; until this transaction ends none will be. From here on no lock is waited for long."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    return bool(connection.scalar(_ONE_AT_A_TIME))


# --- dropped ----------------------------------------------------------------------------------------------------------


def passed(connection: Connection, plan: Partitioned, before: datetime, *, unread: str = "false") -> list[Partition]:
    """The ranges in which nothing is as young as `before`, and of which nobody has anything still to read.

    `unread` is a condition on rows that must stay. A range that is still being written, or not yet, is not among them.
    """
    there = [one for one in partitions_of(connection, plan) if one.high is not None]
    if not there:
        return []
    reached = _last_number(connection, plan) + 1 if plan.span == "rows" else first_id_of(before)
    over = [one for one in there if one.high is not None and one.high <= reached]
    return [
        one for one in over if not _holds_young(connection, plan, one, before) and not _any(connection, one, unread)
    ]


def _holds_young(connection: Connection, plan: Partitioned, one: Partition, before: datetime) -> bool:
    # The last of it tells mostly; only where they are old as well, all are looked at, once, before it goes.
    newest = f"(SELECT {plan.moment} FROM {one.name} ORDER BY {plan.column} DESC LIMIT 100) AS newest"  # noqa: S608
    young = f"SELECT EXISTS (SELECT 1 FROM {{}} WHERE {plan.moment} >= :before)"  # noqa: S608
    return any(connection.scalar(text(young.format(some)), {"before": before}) for some in (newest, one.name))


def _any(connection: Connection, one: Partition, condition: str) -> bool:
    return bool(connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {one.name} WHERE {condition})")))  # noqa: S608


def drop(connection: Connection, plan: Partitioned, one: Partition, *, unread: str = "false") -> bool:
    """Drop a partition, unless meanwhile somebody has something to read in it. False: it stays for now.

    The table is locked for the blink in which its list of partitions changes; the file goes after the lock.
    """
    if not _alone(connection):
        return False
    connection.execute(text(f"LOCK TABLE ONLY {plan.table} IN ACCESS EXCLUSIVE MODE"))
    if one not in partitions_of(connection, plan) or _any(connection, one, unread):
        return False
    connection.execute(text(f"DROP TABLE {one.name}"))
    return True


def forget_oldest(connection: Connection, plan: Partitioned, before: datetime, *, limit: int = 2_000) -> int:
    """The same for a table that is not partitioned: the oldest rows of whole years that ended before; gives how many."""
    end = UUID(int=first_id_of(_starts(plan.span, before)[0])).hex
    oldest = f"SELECT {plan.column} FROM {plan.table} WHERE {plan.column} < '{end}' ORDER BY 1 LIMIT {limit}"  # noqa: S608
    return connection.execute(text(f"DELETE FROM {plan.table} WHERE {plan.column} IN ({oldest})")).rowcount  # noqa: S608


# --- migrations -------------------------------------------------------------------------------------------------------


def divide(connection: Connection, plan: Partitioned, now: datetime) -> None:
    """Turn a table into a partitioned one. What it holds becomes its first partition as it lies there: no row is copied."""
    if connection.dialect.name != "postgresql":
        return
    table, first = plan.table, f"{plan.table}_first"
    indexes = _set_aside(connection, table, first)
    connection.execute(
        text(f"CREATE TABLE {table} (LIKE {first} INCLUDING DEFAULTS) PARTITION BY RANGE ({plan.column})")
    )
    _take_over(connection, plan, table, first, indexes)
    connection.execute(text(_DEFAULT.format(plan=plan)))
    if connection.scalar(text(f"SELECT EXISTS (SELECT 1 FROM {first})")):  # noqa: S608
        end = plan.literal(_first_end(connection, plan, now))
        beyond = f"WITH beyond AS (DELETE FROM {first} WHERE {plan.column} >= {end} RETURNING *)"  # noqa: S608
        connection.execute(text(f"{beyond} INSERT INTO {plan.default} SELECT * FROM beyond"))  # noqa: S608
        connection.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({end})"))
    else:
        connection.execute(text(f"DROP TABLE {first}"))
    for low, high in wanted(connection, plan, now):
        _attached(connection, plan, low, high)


def unite(connection: Connection, plan: Partitioned) -> None:
    """Turn a partitioned table into a plain one again, by copying its rows."""
    if connection.dialect.name != "postgresql":
        return
    table, parts = plan.table, f"{plan.table}_parts"
    indexes = _set_aside(connection, table, parts)
    connection.execute(text(f"CREATE TABLE {table} (LIKE {parts} INCLUDING DEFAULTS)"))
    connection.execute(text(f"INSERT INTO {table} SELECT * FROM {parts}"))  # noqa: S608
    _take_over(connection, plan, table, parts, indexes)
    connection.execute(text(f"DROP TABLE {parts}"))


def _first_end(connection: Connection, plan: Partitioned, now: datetime) -> int:
    if plan.span == "rows":
        return _last_number(connection, plan) + 1
    return first_id_of(_starts(plan.span, now)[1])


def _set_aside(connection: Connection, table: str, aside: str) -> list[str]:
    """Rename a table and its indexes; gives the statements that make the indexes anew under their own names."""
    query = text(
        "SELECT index.relname AS name, pg_get_indexdef(indexrelid) AS made, pg_get_constraintdef(con.oid) AS key"
        " FROM pg_index JOIN pg_class index ON index.oid = indexrelid"
        " LEFT JOIN pg_constraint con ON con.conindid = indexrelid WHERE indrelid = to_regclass(:table)"
    )
    found = connection.execute(query, {"table": table}).all()
    connection.execute(text(f"ALTER TABLE {table} RENAME TO {aside}"))
    for row in found:
        connection.execute(text(f"ALTER INDEX {row.name} RENAME TO {row.name}_{aside.removeprefix(table + '_')}"))
    keyed = f"ALTER TABLE {table} ADD CONSTRAINT {{0.name}} {{0.key}}"
    return [row.made.replace(" ON ONLY ", " ON ") if row.key is None else keyed.format(row) for row in found]


def _take_over(connection: Connection, plan: Partitioned, table: str, former: str, indexes: list[str]) -> None:
    for statement in indexes:
        connection.execute(text(statement))
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": former, "c": plan.column})
    if sequence is not None:  # or it would go with the table that it came with
        connection.execute(text(f"ALTER SEQUENCE {sequence} OWNED BY {table}.{plan.column}"))
