"""The database of one service: PostgreSQL or SQLite, the same statements, and the few places where they differ."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import orjson
import structlog
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from common.partitions import INBOX, OUTBOX, declared
from common.sqlite import BEGIN, connecting
from common.statements import DirectSession, InLoopSession

Done = TypeVar("Done")

log = structlog.get_logger()

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
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _TransactionId(FunctionElement[int]):
    """The number of the transaction that writes the row; 0 on SQLite, where writes are serial."""

    inherit_cache = True


@compiles(_TransactionId)
def _no_transaction_id(*_: Any, **__: Any) -> str:
    return "0"


@compiles(_TransactionId, "postgresql")
def _transaction_id(*_: Any, **__: Any) -> str:
    return "pg_current_xact_id()::text::bigint"


outbox_table = Table(
    "outbox",
    COMMON,
    # The columns aggregatetype, aggregateid, type and payload are those of Debezium's outbox router.
    Column("seq", AutoBigInt, primary_key=True, autoincrement=True),
    Column("xid", BigInteger, nullable=False, server_default=_TransactionId()),
    Column("id", Uuid, nullable=False),
    Column("aggregatetype", String(100), nullable=False),  # the topic
    Column("aggregateid", String(200), nullable=False),  # the record's key
    Column("type", String(100), nullable=False),
    Column("payload", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_outbox_cursor", "xid", "seq"),
    sqlite_autoincrement=True,
)

declared(outbox_table, OUTBOX)

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

declared(inbox_table, INBOX)

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


PATIENCE_SECONDS = 4.0  # for a connection, or for the lock of a file that another process writes
REFUSAL_REMEMBERED = 10.0  # seconds for which a refused write is told: then work may come again, and shows


class Database:
    """The engine of one service in one process. Connect once, dispose at the end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if engine.dialect.name == "sqlite" else "postgresql"
        self.reading = engine.execution_options(hilo_reading=True)  # for what writes nothing
        if self.dialect == "postgresql":
            # Each statement by itself: what is read needs no transaction, and BEGIN and ROLLBACK are two ways there and back of three.
            self.reading = self.reading.execution_options(isolation_level="AUTOCOMMIT")
        self._probing = create_async_engine(engine.url, poolclass=NullPool)  # not of the pool: that may be used up
        self.is_shared = True  # others write here as well
        # SQLite has one writer: those of this process queue here in order, instead of polling the file's lock.
        self.writer = asyncio.Lock()
        self._on_commit: list[Callable[[], None]] = []
        self._refused: tuple[float, str] | None = None  # when a write was, and why

    @classmethod
    def connect(cls, url: str, *, pool_size: int = 16, patience: float = PATIENCE_SECONDS) -> "Database":
        """`sqlite+aiosqlite:///path` or `postgresql+asyncpg://user:password@host/name`.

        `patience` is for how many seconds a connection, or the lock of a file that another process writes, is waited for.
        """
        engine = _sqlite(url, patience) if url.startswith("sqlite") else _postgresql(url, pool_size, patience)
        return cls(engine)

    def beside(self, file: str | None, *, search_path: str, attached: str | None = None) -> "Database":
        """A second database for one writer alone, who needs no locks: a schema of this one, or on SQLite a file.

        `search_path` are PostgreSQL's schemas, the first of them written to; `attached` is a file that is read as `live`.
        """
        if self.dialect == "sqlite":
            shadow = Database(_sqlite(f"sqlite+aiosqlite:///file:{file}?uri=true", PATIENCE_SECONDS, attached=attached))
        else:
            url = self.engine.url.render_as_string(hide_password=False)
            shadow = Database(_postgresql(url, 2, PATIENCE_SECONDS, search_path=search_path))
        shadow.is_shared = False
        return shadow

    def session(self, *, reading: bool = False) -> AsyncSession:
        return self.session_on(self.reading if reading else self.engine)

    def session_on(self, bind: AsyncEngine | AsyncConnection) -> AsyncSession:
        """A session of this database's kind, on one of its connections for instance."""
        # Whoever listens to an engine hears of each statement: then they all take SQLAlchemy's way.
        straight = DirectSession if self.dialect == "postgresql" else InLoopSession
        is_heard = bool(self.engine.sync_engine.dispatch.before_cursor_execute)
        return (AsyncSession if is_heard else straight)(bind, expire_on_commit=False, autoflush=False)

    def on_commit(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit in this process: how the embedded consumers learn of news at once."""
        self._on_commit.append(wake)

    def committed(self) -> None:
        self._refused = None
        for wake in self._on_commit:
            wake()

    def broke_off(self, error: BaseException) -> None:
        """A transaction that was to write has ended with this."""
        if isinstance(error, DBAPIError) and (why := _why_no_write(error.orig)) is not None:
            self._refused = (time.monotonic(), why)

    @property
    def takes_no_writes(self) -> str | None:
        """Why the last write was refused, if that was a moment ago and none was taken since: a full disk, for instance."""
        if self._refused is None or time.monotonic() - self._refused[0] > REFUSAL_REMEMBERED:
            return None
        return self._refused[1]

    async def answers(self, within: float) -> bool:
        """Whether the server takes a new connection and answers on it within so many seconds. A file does, unless another holds it."""
        if self.dialect == "sqlite":
            return self.takes_no_writes != _HELD
        try:
            async with asyncio.timeout(within), self._probing.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except Exception as error:  # noqa: BLE001 - whatever is wrong, it does not answer
            return str(getattr(getattr(error, "orig", error), "sqlstate", "")).startswith("53")  # there, and full
        return True

    async def dispose(self) -> None:
        await self.engine.dispose()


def _sqlite(url: str, patience: float, *, attached: str | None = None) -> AsyncEngine:
    # isolation_level None hands BEGIN to us. The driver's deferred BEGIN loses updates between processes.
    creator = connecting(patience)
    engine = create_async_engine(
        url, connect_args={"isolation_level": None, "async_creator_fn": creator}, hide_parameters=True, **_json()
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _: object) -> None:
        said = [
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "PRAGMA foreign_keys=ON",
            "PRAGMA secure_delete=ON",
        ]
        if attached is not None:
            said.append("ATTACH 'file:{}?mode=ro' AS live".format(attached.replace("'", "''")))
        connection.run_async(lambda driver: driver.configure(said))

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("hilo_reading", False)
        driver: Any = connection.connection.driver_connection
        if not driver.begins(reading=reading):
            connection.exec_driver_sql("BEGIN" if reading else BEGIN)

    return engine


def _postgresql(url: str, pool_size: int, patience: float, *, search_path: str = "") -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # an error that ends a process is logged with its words
        pool_size=pool_size,
        max_overflow=0,  # a connection beyond the pool would be made and thrown away for one request
        pool_use_lifo=True,  # the fewest that will do, with their statements prepared
        pool_timeout=patience,
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            # However long: beyond 15 KB the driver would have the server plan a statement anew at each of its runs.
            "max_cacheable_statement_size": 0,
            # Short transactions keep the outbox's reading bound young; one that hangs is ended by the server.
            "server_settings": {
                "idle_in_transaction_session_timeout": "30000",
                "timezone": "UTC",
                "jit": "off",
                "random_page_cost": "1.1",  # what is asked often lies in memory, and no disk of today seeks
                **({"search_path": search_path} if search_path else {}),
            },
        },
        **_json(),
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _refuse_the_dead(connection: Any, *_: object) -> None:
        # A server that went away has closed its sockets: that is known without asking, and the pool connects anew.
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError

    return engine


def _json() -> dict[str, Any]:
    return {"json_serializer": lambda value: orjson.dumps(value).decode(), "json_deserializer": from_json}


def from_json(value: Any) -> Any:
    """A stored JSON value. SQLite gives back a number that stands alone as a number."""
    return value if isinstance(value, int | float) else orjson.loads(value)


def upsert(table: Table, dialect: str) -> Any:
    """The dialect's `insert(table)`, which knows `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


_HELD = "another program holds its file"
# By asyncpg's code and by SQLite's words.
_NO_WRITES = {
    "53100": "its disk is full",
    "25006": "it is read-only",
    "database or disk is full": "its disk is full",
    "attempt to write a readonly database": "it is read-only",
    "database is locked": _HELD,  # for longer than we waited
    "database disk image is malformed": "its file is damaged",
}


def _why_no_write(error: BaseException | None) -> str | None:
    """In words, where it is the database's own state for which it takes nothing."""
    return _NO_WRITES.get(str(getattr(error, "sqlstate", error)))


# SQLSTATE classes and codes under which the same statement may succeed later.
_VICTIM_STATES = ("40001", "40P01")
_TRANSIENT_STATES = ("08", "53", "57P01", "57P02", "57P03", *_VICTIM_STATES, "55P03", "25P03", "25006")
PAUSES = (0.5, 0.5, 0.5, 0.5)  # seconds


def is_victim(error: BaseException) -> bool:
    """Whether PostgreSQL ended the transaction so that others could go on (deadlock, serialization): all of it was undone."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _VICTIM_STATES


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: the database is away, restarting, too busy, or chose us as a deadlock's victim."""
    if isinstance(error, (ConnectionError, TimeoutError, asyncio.TimeoutError)):
        return True
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError) or type(error).__name__ == "TimeoutError"
    if error.connection_invalidated:
        return True
    if (state := _state_of(error)) is not None:
        return state.startswith(_TRANSIENT_STATES)
    if isinstance(error, (OperationalError, InterfaceError)):
        return not misfits(error)
    return "connection" in str(error.orig).lower()


def misfits(error: BaseException) -> bool:
    """Whether the statement does not fit the tables, as of a process whose version is not theirs: no fault of what it was given."""
    if not isinstance(error, DBAPIError):
        return False
    if (state := _state_of(error)) is not None:
        return state.startswith("42")  # "syntax error or access rule violation"
    # Of SQLite alone: what a driver says of a value that it cannot send may quote the value.
    words = str(error.orig).lower() if isinstance(error, (OperationalError, InterfaceError)) else ""
    return any(known in words for known in ("no such", "syntax error", "has no column"))


def _state_of(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return None if state is None else str(state)


async def tried_again(
    work: Callable[[], Awaitable[Done]],
    *,
    when: Callable[[BaseException], bool] = is_transient,
    pauses: Sequence[float] = PAUSES,
) -> Done:
    """What `work` gives; begun anew after each of the pauses (seconds) where it failed for a reason that may pass."""
    for pause in pauses:
        try:
            return await work()
        except Exception as error:
            if not when(error):
                raise
            log.warning("tried_again", reason=type(error).__name__)
        await asyncio.sleep(pause)
    return await work()
