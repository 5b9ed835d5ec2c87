"""Statements straight to the driver, in the transaction of their session: SQLAlchemy compiles each of them once.

It would make a cursor, a context and two switches of stack for each of them, at two to four times the price of the driver's work.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.sql.sqltypes import NumericCommon
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

_NOTHING = SimpleResultMetaData([])


class _Plan(NamedTuple):
    """A statement as the driver takes it, how its values are sent, and the shape of the rows that it gives."""

    compiled: Any
    sends: list[tuple[str, Callable[[Any], Any] | None]]
    shape: SimpleResultMetaData | None  # none where the text alone knows
    counts: bool  # it changes rows, and gives how many

    def values(self, params: dict[str, Any], key: Any) -> list[Any]:
        given = self.compiled.construct_params(
            params, extracted_parameters=key.bindparams, escape_names=False, _collected_params=key.params
        )
        return [given[name] if send is None else send(given[name]) for name, send in self.sends]


class _Written(IteratorResult[Any]):
    """The result of a statement that gives no rows."""

    def __init__(self, rowcount: int) -> None:
        super().__init__(_NOTHING, iter(()))
        self.rowcount = rowcount


class _Held(NamedTuple):
    """What a session's transaction runs on: the driver's connection and the two in which SQLAlchemy has wrapped it."""

    transaction: Any
    connection: Any
    adapted: Any
    driver: Any


class StraightSession(AsyncSession):
    """A session whose statements skip most of SQLAlchemy. What fails, fails as it does there, and leaves the same.

    `execute`, `scalar` and `scalars` are used as ever. What is not plain (lists of parameters or of values within the text,
    inserts, rows given back by changes) takes SQLAlchemy's way, in the same transaction.
    """

    _held: _Held | None = None

    async def execute(self, statement: Any, params: Any = None, **options: Any) -> Any:
        planned = None if options or isinstance(params, list) else _planned(statement, params or {}, self._dialect)
        if planned is None:
            return await super().execute(statement, params, **options)
        plan, values = planned
        if plan.counts:
            return _Written(await self._change(plan.compiled.string, values))
        rows, names = await self._ask(plan.compiled.string, tuple(values))
        return IteratorResult(plan.shape or (SimpleResultMetaData(names) if names else _NOTHING), iter(rows))

    async def scalar(self, statement: Any, params: Any = None, **options: Any) -> Any:
        return (await self.execute(statement, params, **options)).scalar()

    async def scalars(self, statement: Any, params: Any = None, **options: Any) -> Any:
        return (await self.execute(statement, params, **options)).scalars()

    async def fetch(self, sql: str, values: Any) -> list[Any]:
        """The rows that a text gives, with parameters as its driver writes them, as the driver has them: tuples of its types."""
        return (await self._ask(sql, values))[0]

    async def _ask(self, sql: str, values: Any) -> tuple[list[Any], Sequence[str]]:
        """The rows that a statement gives, and the names of their columns."""
        raise NotImplementedError

    async def _change(self, sql: str, values: Any) -> int:
        """How many rows a statement has changed."""
        raise NotImplementedError

    @property
    def _dialect(self) -> Any:
        bind: Any = self.sync_session.bind
        return bind.dialect

    async def _run(self, what: str, subject: str, *values: Any, **named: Any) -> Any:
        held = self._held
        if held is None or held.transaction is not _transaction(self.sync_session):
            held = self._held = await self.run_sync(_hold)
        try:
            await self._begin(held)
            return await getattr(held.driver, what)(subject, *values, **named)
        except BaseException as error:
            self._held = None
            raised = error  # the name ends with this block
            await self.run_sync(lambda _: _fail(raised, held, subject))
            raise

    async def _begin(self, held: _Held) -> None: ...


class DirectSession(StraightSession):
    """On PostgreSQL, whose texts have `$1`, `$2`."""

    async def _ask(self, sql: str, values: Sequence[Any]) -> tuple[list[Any], Sequence[str]]:
        rows = await self._run("fetch", sql, *values)
        return rows, list(rows[0].keys()) if rows else ()

    async def _change(self, sql: str, values: Sequence[Any]) -> int:
        status = await self._run("execute", sql, *values)
        return int(status.rpartition(" ")[2])

    async def copy(self, table: str, columns: Sequence[str], rows: Any) -> None:
        """COPY the rows into a table: many cost two thirds of an insert's price."""
        await self._run("copy_records_to_table", table, columns=columns, records=rows)

    async def _begin(self, held: _Held) -> None:
        if held.adapted._transaction is None:  # noqa: SLF001 - SQLAlchemy begins with the first statement, and is to end it
            await held.adapted._start_transaction()  # noqa: SLF001


class InLoopSession(StraightSession):
    """On SQLite, whose texts have `?`, by a connection that is `InLoop`. A list of values repeats its statement."""

    async def _ask(self, sql: str, values: Any) -> tuple[list[Any], Sequence[str]]:
        rows, cursor = await self._run("fetch", sql, values)
        return rows, [column[0] for column in cursor.description or ()]

    async def _change(self, sql: str, values: Any) -> int:
        _, cursor = await self._run("fetch", sql, tuple(values))
        return int(cursor.rowcount)


def _transaction(session: Session) -> Any:
    # a savepoint is made when the connection is first asked for within it
    return session.get_nested_transaction() or session.get_transaction()


def _hold(session: Session) -> _Held:
    connection = session.connection()
    adapted: Any = connection.connection.dbapi_connection
    return _Held(_transaction(session), connection, adapted, adapted.driver_connection)


def _fail(error: BaseException, held: _Held, sql: str) -> None:
    """As SQLAlchemy ends a statement that failed: its own errors, and a connection that is lost or was left is not used again."""
    if isinstance(error, Exception):
        try:
            held.adapted._handle_exception(error)  # noqa: SLF001 - raises the driver's error by its name in SQLAlchemy
        except Exception as translated:  # noqa: BLE001 - that one
            error = translated
    # Of a COPY: values of an insert are refused by the driver.
    if isinstance(error, ValueError | TypeError | OverflowError) and held.connection.dialect.name == "postgresql":
        raise DBAPIError(sql, None, error, hide_parameters=True) from error
    is_known = isinstance(error, held.connection.dialect.loaded_dbapi.Error)
    try:
        raise error  # noqa: TRY301 - it is taken from where errors stand that are raised
    except BaseException as failed:  # noqa: BLE001 - a task that is cancelled leaves a connection that is not to be used
        held.connection._handle_dbapi_exception(failed, sql if is_known else None, None, None, None)  # noqa: SLF001 - raises


_PLANS: LRUCache[Any, _Plan | None] = LRUCache(1_000)


def _planned(statement: Any, params: dict[str, Any], dialect: Any) -> tuple[_Plan, list[Any]] | None:
    key = statement._generate_cache_key()  # noqa: SLF001 - as SQLAlchemy knows statements again
    if key is None or not isinstance(params, dict):
        return None
    known = dialect.name, key.key, tuple(params)
    if known in _PLANS:
        plan = _PLANS[known]
    else:
        plan = _PLANS[known] = _plan(statement, key, list(params), dialect)
    return None if plan is None else (plan, plan.values(params, key))


def _plan(statement: Any, key: Any, names: list[str], dialect: Any) -> _Plan | None:
    compiled = statement._compiler(  # noqa: SLF001
        dialect, cache_key=key, column_keys=names, for_executemany=False, schema_translate_map=None
    )
    if not _is_plain(compiled):
        return None
    columns, sends = compiled._result_columns, compiled._bind_processors  # noqa: SLF001
    readers: list[Any] = [_reader(each.type, dialect) for each in columns]
    shape = SimpleResultMetaData(
        [each.keyname for each in columns],
        [tuple(each.objects) for each in columns],
        _processors=readers if any(readers) else None,
    )
    return _Plan(
        compiled,
        [(name, sends.get(name)) for name in compiled.positiontup or ()],
        shape if columns else None,
        counts=compiled.isupdate or compiled.isdelete,
    )


def _is_plain(compiled: Any) -> bool:
    if compiled.isinsert or compiled.literal_execute_params or compiled.post_compile_params:
        return False
    if compiled.isupdate or compiled.isdelete:
        return not (compiled.update_prefetch or compiled._result_columns)  # noqa: SLF001
    return not any(_asks_for_oid(each.type) for each in compiled._result_columns)  # noqa: SLF001


def _asks_for_oid(kind: TypeEngine[Any]) -> bool:
    """Whether how a value is read depends on what the server calls it, which only a cursor tells."""
    inner: Any = getattr(kind, "impl_instance", kind)
    return isinstance(inner, NumericCommon) and (inner is not kind or bool(inner.asdecimal))


def _reader(kind: TypeEngine[Any], dialect: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, NumericCommon):
        return _as_float
    read: Callable[[Any], Any] | None = kind._cached_result_processor(dialect, None)  # noqa: SLF001
    return read


def _as_float(value: Any) -> float | None:
    return None if value is None else float(value)


async def fetch_alone(connection: AsyncConnection, sql: str, values: Sequence[Any]) -> list[Any]:
    """The rows that a text with `$1`, `$2` gives on PostgreSQL by itself, on a connection that begins no transaction.

    What fails, fails as SQLAlchemy has it fail; whoever listens to the engine hears of it.
    """
    if connection.sync_engine.dispatch.before_cursor_execute:
        return list((await connection.exec_driver_sql(sql, tuple(values))).all())
    adapted: Any = (await connection.get_raw_connection()).dbapi_connection
    try:
        rows: list[Any] = await adapted.driver_connection.fetch(sql, *values)
    except BaseException as error:
        raised = error  # the name ends with this block
        await connection.run_sync(
            lambda held: _fail(raised, _Held(None, held, adapted, adapted.driver_connection), sql)
        )
        raise
    return rows


async def fetch(session: AsyncSession, sql: str, values: Any) -> list[Any]:
    """The rows that a text gives in the session's transaction, with parameters as its driver writes them."""
    if isinstance(session, StraightSession):
        return await session.fetch(sql, values)
    result = await (await session.connection()).exec_driver_sql(sql, values)
    return list(result.all()) if result.returns_rows else []
