"""The database of one service: PostgreSQL or SQLite, the same statements, and the few places where they differ."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    Uuid,
    bindparam,
    event,
    text,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.sql.base import Executable
from sqlalchemy.types import TypeDecorator, TypeEngine

COMMON = MetaData()

Json = JSON().with_variant(JSONB(), "postgresql")
AutoBigInt = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC. SQLite keeps no zone, so it is put back when read."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone is not stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


outbox_table = Table(
    "outbox",
    COMMON,
    # The columns aggregatetype, aggregateid, type and payload are those of Debezium's outbox router.
    Column("seq", AutoBigInt, primary_key=True, autoincrement=True),
    Column("xid", BigInteger, nullable=False),  # PostgreSQL's transaction id; 0 on SQLite, where writes are serial
    Column("id", Uuid, nullable=False),
    Column("aggregatetype", String(100), nullable=False),  # the topic
    Column("aggregateid", String(200), nullable=False),  # the record's key
    Column("type", String(100), nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_outbox_cursor", "xid", "seq"),
    sqlite_autoincrement=True,
)

cursor_table = Table(
    "cursor",
    COMMON,
    Column("reader", String(100), primary_key=True),
    Column("xid", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("last_id", Uuid, nullable=True),
    Column("moved_at", UtcDateTime, nullable=False),
)

inbox_table = Table(
    "inbox",
    COMMON,
    Column("event_id", Uuid, primary_key=True),
    Column("consumer", String(60), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

timer_table = Table(
    "timer",
    COMMON,
    Column("name", String(60), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("due_at", UtcDateTime, nullable=False, index=True),
    Column("payload", Json, nullable=False),
)

parked_table = Table(
    "parked",
    COMMON,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(20), nullable=False),  # touchpoint | event
    Column("origin", String(200), nullable=False),  # a source, or the topic it came by
    Column("code", String(60), nullable=False),
    Column("problem", Json, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(20), nullable=False),  # parked | replayed | dropped
    Column("parked_at", UtcDateTime, nullable=False),
    Column("moved_at", UtcDateTime, nullable=True),
    Column("moved_by", String(200), nullable=True),
    Column("reason", Text, nullable=True),
    Column("version", Integer, nullable=False, default=1),
    Index("ix_parked_state", "state", "id"),
)


class Database:
    """The engine of one service in one process. Connect once, dispose at the end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        self._reading = engine.execution_options(hilo_reading=True)
        # SQLite has one writer: those of this process queue here in order, instead of polling the file's lock.
        self.writer = asyncio.Lock()
        self._on_commit: list[Callable[[], None]] = []

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 10) -> "Database":
        """`sqlite+aiosqlite:///path` or `postgresql+asyncpg://user:password@host/name`."""
        engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(url, pool_size)
        return cls(engine)

    def session(self, *, reading: bool = False) -> AsyncSession:
        return AsyncSession(self._reading if reading else self.engine, expire_on_commit=False, autoflush=False)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit in this process: how the embedded consumers learn of news at once."""
        self._on_commit.append(wake)

    def committed(self) -> None:
        for wake in self._on_commit:
            wake()

    async def dispose(self) -> None:
        await self.engine.dispose()


def _sqlite(url: str) -> AsyncEngine:
    # isolation_level None hands BEGIN to us. The driver's deferred BEGIN loses updates between processes.
    engine = create_async_engine(url, connect_args={"isolation_level": None, "timeout": 10}, **_json())

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("hilo_reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            # Short transactions keep the outbox's reading bound young; one that hangs is ended by the server.
            "server_settings": {"idle_in_transaction_session_timeout": "30000", "timezone": "UTC", "jit": "off"},
        },
        **_json(),
    )


def _json() -> dict[str, Any]:
    return {"json_serializer": lambda value: orjson.dumps(value).decode(), "json_deserializer": orjson.loads}


def upsert(table: Table, dialect: str) -> Any:
    """The dialect's `insert(table)`, which knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


async def insert_rows(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    on_conflict: Literal["fail", "nothing"] | Mapping[str, str] = "fail",
    keys: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> list[Any]:
    """Insert many rows in one statement; all rows have the same keys. Gives the `returning` columns of the rows written.

    `on_conflict`: "nothing" leaves the row that is there; a mapping column -> SQL expression (over `excluded.`) updates it;
    `keys` are the columns of the conflict, the primary key by default.
    """
    if not rows:
        return []
    columns = list(rows[0])
    dialect = session.get_bind().dialect.name
    tail = _conflict(on_conflict, keys or [c.name for c in table.primary_key.columns])
    if returning:
        tail += f" RETURNING {', '.join(returning)}"
    head = f'INSERT INTO "{table.name}" ({", ".join(_quoted(columns))})'
    if dialect == "postgresql":
        return await _insert_unnest(session, table, rows, columns, head, tail, returning)
    return await _insert_values(session, table, rows, columns, head, tail, returning)


def _quoted(columns: Sequence[str]) -> list[str]:
    return [f'"{column}"' for column in columns]


def _conflict(on_conflict: str | Mapping[str, str], keys: Sequence[str]) -> str:
    if on_conflict == "fail":
        return ""
    target = f" ON CONFLICT ({', '.join(_quoted(keys))})"
    if on_conflict == "nothing" or isinstance(on_conflict, str):
        return f"{target} DO NOTHING"
    return f"{target} DO UPDATE SET " + ", ".join(f'"{column}" = {value}' for column, value in on_conflict.items())


async def _insert_unnest(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    columns: list[str],
    head: str,
    tail: str,
    returning: Sequence[str],
) -> list[Any]:
    # One array a column, one plan for any number of rows: three to six times faster than a VALUES list.
    types = [_array_type(table.c[column].type) for column in columns]
    selected = [f"{f'a.c{i}'}::jsonb" if is_json else f"a.c{i}" for i, (_, is_json) in enumerate(types)]
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    arrays = ", ".join(f":p{i}" for i in range(len(columns)))
    statement = text(
        f"{head} SELECT {', '.join(selected)} FROM unnest({arrays}) AS a({names}) WHERE true{tail}"  # noqa: S608
    ).bindparams(*(bindparam(f"p{i}", type_=ARRAY(kind)) for i, (kind, _) in enumerate(types)))
    values: dict[str, Any] = {}
    for i, column in enumerate(columns):
        is_json = types[i][1]
        values[f"p{i}"] = [_dumped(row[column]) if is_json else row[column] for row in rows]
    if not returning:
        await session.execute(statement, values)
        return []
    return list((await session.execute(_typed(statement, table, returning), values)).all())


async def _insert_values(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    columns: list[str],
    head: str,
    tail: str,
    returning: Sequence[str],
) -> list[Any]:
    types = {column: table.c[column].type for column in columns}
    if not returning:
        names = ", ".join(f":{column}" for column in columns)
        statement = text(f"{head} VALUES ({names}) {tail}").bindparams(
            *(bindparam(column, type_=kind) for column, kind in types.items())
        )
        await session.execute(statement, [dict(row) for row in rows])
        return []
    written: list[Any] = []
    size = 30_000 // len(columns)  # SQLite's limit of bound values in one statement
    for start in range(0, len(rows), size):
        chunk = rows[start : start + size]
        groups = ", ".join("(" + ", ".join(f":{column}_{r}" for column in columns) + ")" for r in range(len(chunk)))
        statement = text(f"{head} VALUES {groups} {tail}").bindparams(
            *(
                bindparam(f"{column}_{r}", value=row[column], type_=types[column])
                for r, row in enumerate(chunk)
                for column in columns
            )
        )
        written.extend((await session.execute(_typed(statement, table, returning))).all())
    return written


def _typed(statement: TextClause, table: Table, returning: Sequence[str]) -> Executable:
    """The statement with the types of what it returns: raw SQL alone would give SQLite's text for an id."""
    return statement.columns(*(sql_column(name, table.c[name].type) for name in returning))


def _array_type(kind: TypeEngine[Any]) -> tuple[TypeEngine[Any], bool]:
    """The element type of the array that carries a column, and whether it is JSON (sent as text, cast by the server)."""
    if isinstance(kind, JSON):
        return Text(), True
    for known in (Uuid, UtcDateTime, Boolean, Float, Date, BigInteger, Integer, Text, String):
        if isinstance(kind, known):
            return kind, False
    raise TypeError(f"insert_rows does not know columns of type {kind!r}")


def _dumped(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


# SQLSTATE classes and codes under which the same statement may succeed later.
_TRANSIENT_STATES = ("08", "53", "57P01", "57P02", "57P03", "40001", "40P01", "55P03", "25P03", "25006")


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: the database is away, restarting, too busy, or chose us as a deadlock's victim."""
    if isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError)):
        return True
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError) or type(error).__name__ == "TimeoutError"
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_STATES)
    words = str(error.orig).lower()
    if isinstance(error, (OperationalError, InterfaceError)):
        return not any(known in words for known in ("no such", "syntax error", "has no column"))
    return "connection" in words
