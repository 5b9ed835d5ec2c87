"""Many rows in one statement, written or read: one parameter a column, and one plan whatever their number."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import JSON, BigInteger, Boolean, Date, Dialect, Float, Integer, String, Table, Text, Uuid, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from common.db import UtcDateTime, from_json
from common.statements import DirectSession, fetch

FEW = 12  # rows up to which an insert, prepared and one way there and back, is cheaper than a COPY
Conflict = Literal["fail", "nothing"] | Mapping[str, str]


class Written(str):
    """A value of a JSON column that was written as JSON before."""

    __slots__ = ()


class _Kind(NamedTuple):
    """How the values of a column type travel: PostgreSQL's name of it, and SQLite's form of a value, there and back."""

    postgresql: str
    to_sqlite: Callable[[Any], Any] | None = None
    from_sqlite: Callable[[Any], Any] | None = None


class _Plan(NamedTuple):
    """One statement for any number of rows of the same columns, and how to send and to read their values."""

    sql: str
    repeated: bool  # the statement takes one row, and the driver repeats it
    columns: tuple[str, ...]
    encoders: tuple[Callable[[Any], Any] | None, ...]
    decoders: tuple[Callable[[Any], Any] | None, ...]
    written: Callable[..., Any]


async def insert_rows(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    on_conflict: Conflict = "fail",
    keys: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> list[Any]:
    """Insert many rows in one statement; all rows have the same keys. Gives the `returning` columns of the rows written.

    `on_conflict`: "nothing" leaves the row that is there; a mapping column -> SQL expression (over `excluded.`) updates it;
    `keys` are the columns of the conflict, the primary key by default. No key may stand twice among rows that update.
    """
    if not rows:
        return []
    return await insert_columns(
        session, table, _by_column(rows), on_conflict=on_conflict, keys=keys, returning=returning
    )


def _by_column(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {column: [row[column] for row in rows] for column in rows[0]}


async def insert_columns(
    session: AsyncSession,
    table: Table,
    columns: Mapping[str, Sequence[Any]],
    *,
    on_conflict: Conflict = "fail",
    keys: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> list[Any]:
    """The same of rows that come by column: for each the values of all rows, in one order. Cheaper where there are thousands."""
    count = len(next(iter(columns.values())))
    if not count:
        return []
    dialect = session.get_bind().dialect.name
    conflict = on_conflict if isinstance(on_conflict, str) else tuple(on_conflict.items())
    plan = _plan(dialect, table, tuple(columns), conflict, tuple(keys), tuple(returning))
    if isinstance(session, DirectSession) and on_conflict == "fail" and not returning and count > FEW:
        await session.copy(table.name, plan.columns, zip(*_arrays(plan, columns), strict=True))
        return []
    written = await fetch(session, plan.sql, _parameters(plan, columns, dialect))
    return [plan.written(*_decoded(plan, row)) for row in written] if returning else []


def _arrays(plan: _Plan, columns: Mapping[str, Sequence[Any]]) -> list[Sequence[Any]]:
    """By column, each value as it travels."""
    return [
        values if encode is None else [None if value is None else encode(value) for value in values]
        for values, encode in zip(columns.values(), plan.encoders, strict=True)
    ]


def _parameters(
    plan: _Plan, columns: Mapping[str, Sequence[Any]], dialect: str
) -> tuple[Any, ...] | list[tuple[Any, ...]]:
    arrays = _arrays(plan, columns)
    if dialect == "postgresql":
        return tuple(arrays)
    by_row = list(zip(*arrays, strict=True))
    return by_row if plan.repeated else (orjson.dumps(by_row).decode(),)


def _decoded(plan: _Plan, row: Any) -> list[Any]:
    return [
        value if decode is None or value is None else decode(value)
        for value, decode in zip(row, plan.decoders, strict=True)
    ]


@lru_cache(maxsize=500)
def _plan(
    dialect: str,
    table: Table,
    columns: tuple[str, ...],
    conflict: str | tuple[tuple[str, str], ...],
    keys: tuple[str, ...],
    returning: tuple[str, ...],
) -> _Plan:
    kinds = [_kind(table.c[column].type) for column in columns]
    is_json = [isinstance(table.c[column].type, JSON) for column in columns]
    source, selected, encoders = _given(dialect, kinds, is_json)
    # SQLite's driver repeats a statement at half the price of reading JSON, but gives nothing back.
    repeated = dialect == "sqlite" and not returning
    one_row, all_rows = ", ".join("?" * len(columns)), ", ".join(selected)
    rows = f"VALUES ({one_row})" if repeated else f"SELECT {all_rows} FROM {source} WHERE true"  # noqa: S608
    sql = (
        f'INSERT INTO "{table.name}" ({", ".join(_quoted(columns))}) {rows}'
        + _conflict(conflict, keys or tuple(c.name for c in table.primary_key.columns))
        + (f" RETURNING {', '.join(_quoted(returning))}" if returning else "")
    )
    back = [_kind(table.c[column].type) for column in returning]
    decoders = tuple(None if dialect == "postgresql" else kind.from_sqlite for kind in back)
    return _Plan(sql, repeated, columns, encoders, decoders, namedtuple("Written", returning))  # noqa: PYI024 - made at run time


def _given(
    dialect: str, kinds: Sequence[_Kind], is_json: Sequence[bool]
) -> tuple[str, list[str], tuple[Callable[[Any], Any] | None, ...]]:
    """The rows that came as a table `a`, its columns, and how their values are sent."""
    if dialect == "postgresql":
        return *_unnested(kinds, is_json), tuple(
            _dumped if json else _aware if kind.postgresql == "timestamptz" else None
            for kind, json in zip(kinds, is_json, strict=True)
        )
    selected = [f"json_extract(a.value, '$[{i}]')" for i in range(len(kinds))]
    encoders = tuple(_dumped if json else kind.to_sqlite for kind, json in zip(kinds, is_json, strict=True))
    return "json_each(?) AS a", selected, encoders


def _unnested(kinds: Sequence[_Kind], is_json: Sequence[bool]) -> tuple[str, list[str]]:
    # One array a column, one plan for any number of rows: three to six times faster than a VALUES list.
    arrays = ", ".join(f"${i}::{kind.postgresql}[]" for i, kind in enumerate(kinds, start=1))
    names = ", ".join(f"c{i}" for i in range(len(kinds)))
    return f"unnest({arrays}) AS a({names})", [
        f"a.c{i}::jsonb" if json else f"a.c{i}" for i, json in enumerate(is_json)
    ]


def _conflict(conflict: str | tuple[tuple[str, str], ...], keys: Sequence[str]) -> str:
    if conflict == "fail":
        return ""
    target = f" ON CONFLICT ({', '.join(_quoted(keys))})"
    if isinstance(conflict, str):
        return f"{target} DO NOTHING"
    return f"{target} DO UPDATE SET " + ", ".join(f'"{column}" = {value}' for column, value in conflict)


def _quoted(columns: Sequence[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


def _dumped(value: Any) -> str:
    return value if value.__class__ is Written else orjson.dumps(value).decode()


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a moment without a zone is not stored")
    return value


def _moment(value: datetime) -> str:
    return _aware(value).astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _read_moment(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


# In the order of asking: a subclass before its base.
_KINDS: tuple[tuple[type[TypeEngine[Any]], _Kind], ...] = (
    (JSON, _Kind("text", None, from_json)),
    (Uuid, _Kind("uuid", attrgetter("hex"), UUID)),
    (UtcDateTime, _Kind("timestamptz", _moment, _read_moment)),
    (Boolean, _Kind("boolean", None, bool)),
    (Float, _Kind("double precision")),
    (Date, _Kind("date", lambda value: value.isoformat(), date.fromisoformat)),
    (BigInteger, _Kind("bigint")),
    (Integer, _Kind("integer")),
    (String, _Kind("text")),
    (Text, _Kind("text")),
)


def _kind(column_type: TypeEngine[Any]) -> _Kind:
    for known, kind in _KINDS:
        if isinstance(column_type, known):
            return kind
    raise TypeError(f"insert_rows does not know columns of type {column_type!r}")


async def reassign(session: AsyncSession, table: Table, column: str, moved: Mapping[Any, Any]) -> None:
    """Give every row whose `column` is a key of `moved` the value under it, in one statement and through an index."""
    if not moved:
        return
    kind, dialect = _kind(table.c[column].type), session.get_bind().dialect.name
    if dialect == "postgresql":
        await fetch(session, _reassigning(table.name, column, kind.postgresql), (list(moved), [*moved.values()]))
        return
    encode = kind.to_sqlite or (lambda value: value)
    pairs = [(encode(new), encode(old)) for old, new in moved.items()]
    await fetch(session, f'UPDATE "{table.name}" SET "{column}" = ? WHERE "{column}" = ?', pairs)  # noqa: S608


async def update_rows(
    session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str], where: str = "true"
) -> None:
    """Give each row that the `keys` of one of `rows` lead to that one's other values, in one statement and through an index.

    All of `rows` have the same columns and none the same keys; `where` is a condition of ours over the row `t` and the one that
    came, `a`. For whoever holds the rows' lock: what another transaction changes in the meantime is passed over.
    """
    if not rows:
        return
    dialect = session.get_bind().dialect.name
    plan = _updating(dialect, table, tuple(rows[0]), tuple(keys), where)
    await fetch(session, plan.sql, _parameters(plan, _by_column(rows), dialect))


@lru_cache
def _updating(dialect: str, table: Table, columns: tuple[str, ...], keys: tuple[str, ...], where: str) -> _Plan:
    kinds = [_kind(table.c[column].type) for column in columns]
    is_json = [isinstance(table.c[column].type, JSON) for column in columns]
    condition = " AND ".join([*(f't."{key}" = a."{key}"' for key in keys), f"({where})"])
    source, selected, encoders = _given(dialect, kinds, is_json)
    named = ", ".join(f'{value} AS "{column}"' for value, column in zip(selected, columns, strict=True))
    came = f"(SELECT {named} FROM {source}) a"  # noqa: S608
    changes = ", ".join(f'"{column}" = a."{column}"' for column in columns if column not in keys)
    if dialect == "postgresql":  # as in `_reassigning`
        found = f'SELECT ctid AS place FROM "{table.name}" t WHERE {condition} OFFSET 0'  # noqa: S608
        came = f"(SELECT a.*, r.place FROM {came} CROSS JOIN LATERAL ({found}) r) a"  # noqa: S608
        condition = "t.ctid = a.place"
    sql = f'UPDATE "{table.name}" AS t SET {changes} FROM {came} WHERE {condition}'  # noqa: S608
    return _Plan(sql, repeated=False, columns=columns, encoders=encoders, decoders=(), written=tuple)


@lru_cache
def _reassigning(table: str, column: str, kind: str) -> str:
    # The rows are found key by key and then by their place: a join would be planned for the size the table once had.
    found = (
        f"SELECT k.new, r.place FROM unnest($1::{kind}[], $2::{kind}[]) AS k(old, new) CROSS JOIN LATERAL "  # noqa: S608
        f'(SELECT ctid AS place FROM "{table}" WHERE "{column}" = k.old OFFSET 0) r'
    )
    return f'UPDATE "{table}" t SET "{column}" = f.new FROM ({found}) f WHERE t.ctid = f.place'  # noqa: S608


# --- reading ----------------------------------------------------------------------------------------------------------

KEY_PLACE = "key_place"


class _Question(NamedTuple):
    """One statement for any number of keys, and how to send them and to read the rows."""

    sql: str
    encoders: tuple[Callable[[Any], Any] | None, ...]
    decoders: tuple[Callable[[Any], Any] | None, ...]


async def find_rows(
    session: AsyncSession, table: Table, columns: Sequence[str], keys: Mapping[str, list[Any]], *, where: str = ""
) -> list[Any]:
    """For each key the `columns` of the rows that it leads to, as `find_tuples`; named tuples."""
    named = _named(tuple(columns))
    return [named(*row) for row in await find_tuples(session, table, columns, keys, where=where)]


@lru_cache(maxsize=200)
def _named(columns: tuple[str, ...]) -> Callable[..., Any]:
    return namedtuple("Found", columns)  # noqa: PYI024


async def find_tuples(
    session: AsyncSession, table: Table, columns: Sequence[str], keys: Mapping[str, list[Any]], *, where: str = ""
) -> Sequence[Sequence[Any]]:
    """For each key the `columns` of the rows that it leads to, through an index, in one statement.

    `keys`: by column as many values as there are keys. `where` is a condition of ours over the row `t` and the key `k`;
    without one all columns of the key are equal. A row that several keys lead to is given several times. `KEY_PLACE` among the
    columns is the place of the key, from 0: a number is read at a quarter of the price of an id.
    """
    values = list(keys.values())
    if not values or not values[0]:
        return []
    dialect = session.get_bind().dialect.name
    question = _question(dialect, table, tuple(columns), tuple(keys), where)
    rows = await _ask(session, question.sql, values, question.encoders)
    if dialect == "postgresql":
        return rows
    return [
        [v if d is None or v is None else d(v) for v, d in zip(row, question.decoders, strict=True)] for row in rows
    ]


@lru_cache(maxsize=200)
def _question(dialect: str, table: Table, columns: tuple[str, ...], keys: tuple[str, ...], where: str) -> _Question:
    shown = ", ".join("k.ordinal - 1" if column == KEY_PLACE else f't."{column}"' for column in columns)
    source, condition, encoders = _keyed(dialect, table, keys, where)
    decoders: list[Callable[[Any], Any] | None] = []
    if dialect == "postgresql":
        # OFFSET 0: key by key. A plan made while the table was small would read all of it for ever after.
        found = f'CROSS JOIN LATERAL (SELECT * FROM "{table.name}" t WHERE {condition} OFFSET 0) t'  # noqa: S608
        sql = f"SELECT {shown} FROM {source} {found}"  # noqa: S608
    else:
        sql = f'SELECT {shown} FROM {source} CROSS JOIN "{table.name}" t WHERE {condition}'  # noqa: S608
        decoders = [None if column == KEY_PLACE else _kind(table.c[column].type).from_sqlite for column in columns]
    return _Question(sql, encoders, tuple(decoders))


def _keyed(
    dialect: str, table: Table, keys: tuple[str, ...], where: str
) -> tuple[str, str, tuple[Callable[[Any], Any] | None, ...]]:
    """The keys as a table `k`, each with its `ordinal` from 1, the condition on a row `t`, and how the keys are sent."""
    asked, kinds = ", ".join(_quoted(keys)), [_kind(table.c[key].type) for key in keys]
    condition = where or " AND ".join(f't."{key}" = k."{key}"' for key in keys)
    if dialect == "postgresql":
        arrays = ", ".join(f"${i}::{kind.postgresql}[]" for i, kind in enumerate(kinds, start=1))
        return f"unnest({arrays}) WITH ORDINALITY AS k({asked}, ordinal)", condition, (None,) * len(keys)
    parts = ", ".join(f"json_extract(value, '$[{i}]') AS \"{key}\"" for i, key in enumerate(keys))
    source = f"(SELECT key + 1 AS ordinal, {parts} FROM json_each(?)) k"  # noqa: S608
    return source, condition, tuple(kind.to_sqlite for kind in kinds)


async def _ask(
    session: AsyncSession, sql: str, values: Sequence[list[Any]], encoders: Sequence[Callable[[Any], Any] | None]
) -> Sequence[Any]:
    arrays = [
        list(some) if encode is None else [None if one is None else encode(one) for one in some]
        for some, encode in zip(values, encoders, strict=True)
    ]
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    sent = tuple(arrays) if is_postgresql else (_dumped(list(zip(*arrays, strict=True))),)
    return await fetch(session, sql, sent)


async def without_row(
    session: AsyncSession, table: Table, keys: Mapping[str, list[Any]], *, where: str = ""
) -> list[int]:
    """The places, from 0, of those keys that lead to no row; `keys` and `where` as in `find_rows`."""
    values = list(keys.values())
    if not values or not values[0]:
        return []
    sql, encoders = _lacking(session.get_bind().dialect.name, table, tuple(keys), where)
    return [row[0] for row in await _ask(session, sql, values, encoders)]


@lru_cache(maxsize=200)
def _lacking(
    dialect: str, table: Table, keys: tuple[str, ...], where: str
) -> tuple[str, tuple[Callable[[Any], Any] | None, ...]]:
    source, condition, encoders = _keyed(dialect, table, keys, where)
    # LIMIT 1 OFFSET 0: key by key, as in `_question`.
    found = f'SELECT 1 FROM "{table.name}" t WHERE {condition} LIMIT 1 OFFSET 0'  # noqa: S608
    return f"SELECT k.ordinal - 1 FROM {source} WHERE NOT EXISTS ({found}) ORDER BY 1", encoders  # noqa: S608


class Many(TypeDecorator[Sequence[Any]]):
    """Many values as one parameter: an array on PostgreSQL, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(self.item) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        encode = _kind(self.item).to_sqlite
        return _dumped(list(value) if encode is None else [encode(one) for one in value])


class _Among(FunctionElement[bool]):
    """`column` is one of the values of a parameter."""

    type = Boolean()
    inherit_cache = True


@compiles(_Among, "postgresql")
def _among_array(element: Any, compiler: Any, **kwargs: Any) -> str:
    column, values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(_Among)
def _among_json(element: Any, compiler: Any, **kwargs: Any) -> str:
    column, values = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled clauses


def among(column: Any, values: Iterable[Any]) -> Any:
    """A condition: `column` is one of `values`. One parameter and one plan, however many there are.

    A list of parameters would be another statement, prepared and planned anew, for each length.
    """
    return _Among(column, bindparam(None, list(values), type_=Many(column.type), unique=True))


def among_given(column: Any, name: str) -> Any:
    """The same in a statement that is made once: the list of values is given under the name when it is executed."""
    return _Among(column, bindparam(name, type_=Many(column.type)))
