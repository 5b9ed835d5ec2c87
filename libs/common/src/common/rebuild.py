"""Rebuild: projections made anew from the log beside the ones that answer, and put in their place in one transaction.

The same consumer works over a *shadow*: on PostgreSQL a schema that stands first in the search path, on SQLite a second file
to which the live one is attached for reading. What the shadow has no table for is owned and read from the live side. Whatever
breaks off leaves the shadow behind and the live side untouched; the next rebuild begins with an empty one.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import TextClause

from common.bulk import among
from common.bus.delivery import Consumer, Delivery, Record
from common.bus.history import History, id_of, moment_of
from common.clock import Clock
from common.db import Database, inbox_table, tried_again
from common.errors import Conflict, Transient
from common.holds import hold
from common.migrations import metadata_of, migrate
from common.parked import Parked, ParkedItem

SHADOW, OLD = "rebuild", "rebuild_old"
# The log of what was handled and told has to be the shadow's own; so does the list of the erased, which begins as the live one.
APART = ("inbox", "outbox", "cursor", "timer", "parked", "erased")
STRETCH_SECONDS = 3600
NEARLY_THERE = 2_000  # events behind the live side at which the places are changed
_TRY_ALONE = text("SELECT pg_try_advisory_lock(hashtext('hilo-rebuild'))")
_NO_LONGER_ALONE = text("SELECT pg_advisory_unlock(hashtext('hilo-rebuild'))")
_CHANGED = text(f"SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = '{OLD}')")  # noqa: S608 - our own name
MISSED_AFTER = timedelta(hours=1)  # what the live consumer has not handled by then, it has missed: it is handled here


class NothingToRebuild(Conflict):
    code = "nothing-to-rebuild"
    title = "This service has no projection of that name"


class LogTooShort(Conflict):
    code = "log-too-short"
    title = "The log no longer begins at its beginning; what it has lost cannot be built from it"


class RebuildUnderWay(Conflict):
    code = "rebuild-under-way"
    title = "Another rebuild of this service is under way; wait for its end, or end it"


@dataclass(frozen=True)
class Wake:
    """A timer that is set when the places have been changed."""

    name: str
    key: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Projections:
    """What of a service is built from the events of others, and can be built anew from them.

    `replaced` tables are exchanged for the shadow's: sums and sets, which need the whole log. `states` keep the latest word on
    each subject: exchanged as well while the log is whole; else what the shadow has is put over what is there, and the rest
    stays. Of `filled` ones the shadow's rows are added where they are missing: what was derived, and is derived again when
    `wakes` fire. `apart` are owned tables that the consumer writes on the way and whose shadow is thrown away: series of what
    was once told. `kept` names for a replaced table the column whose random keys (UUID version 4) mark rows that no event can
    give back: the sums of the erased. All other tables are owned: read, never written.
    """

    states: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    wakes: tuple[Wake, ...] = ()
    claims: bool = (
        True  # whether all that the consumer does is done in the shadow: then what it claimed there is claimed
    )

    @property
    def shadowed(self) -> frozenset[str]:
        return frozenset((*self.states, *self.replaced, *self.filled, *self.apart, *APART))

    def when_whole(self) -> "Projections":
        """The whole log is there: states are exchanged as well."""
        return replace(self, states=(), replaced=(*self.states, *self.replaced))

    def when_short(self) -> "Projections":
        """The log has lost its beginning: what needs all of it stays as it is."""
        dropped = (*self.replaced, *self.filled, *self.apart)
        return replace(self, replaced=(), filled=(), kept={}, apart=dropped, wakes=(), claims=False)


@dataclass(frozen=True)
class Progress:
    """How far a rebuild is: events handled, and how many remain as far as is known."""

    handled: int
    remaining: int
    words: str = "building"


class HistoryClock:
    """Tells the moment of the events that are being handled, so that what is dated by hearing is dated as it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.moment: datetime | None = None

    def __call__(self) -> datetime:
        return self.moment or self._clock()


Make = Callable[[Database, Clock], Consumer]
Tell = Callable[[Progress], None]


async def rebuild(
    database: Database,
    package: str,
    projections: Projections,
    history: History,
    make_consumer: Make,
    *,
    clock: Clock,
    finish: Callable[[Database], Any] | None = None,
    tell: Tell = lambda _: None,
    short_log: bool = False,
) -> int:
    """Build the projections anew and put them in place; gives how many events it took.

    `history` stands at its beginning; `finish` is awaited on the shadow when all is handled. Where the log has lost its
    beginning, LogTooShort is raised if anything needs the whole of it; with `short_log` only the states are mended. Raises
    ConsumerStopped when most events fail, RebuildUnderWay where one is. The live side is untouched then.
    """
    async with alone(database):
        lost = await history.reaches_back()
        if lost and projections.replaced and not short_log:
            raise LogTooShort(f"{', '.join(lost)}: older events were dropped by retention")
        projections = projections.when_short() if lost else projections.when_whole()
        async with _laid_out(database, package, projections) as shadow:
            builder = _Builder(database, shadow, history, make_consumer, clock=clock, tell=tell)
            while True:
                await builder.catch_up()
                if await history.remaining() <= NEARLY_THERE:
                    break
            await tried_again(
                lambda: _swap(database, shadow, builder, package, projections, finish, clock=clock)
            )  # readers who came at a bad moment
            return builder.handled


class _Builder:
    """Delivers history to the consumer over the shadow; what the live consumer has still to handle is left to it.

    Such an event is handled here as soon as it is claimed there, so that all it sets off is told once, by the live side.
    """

    def __init__(
        self, live: Database, shadow: Database, history: History, make_consumer: Make, *, clock: Clock, tell: Tell
    ) -> None:
        self._clock = HistoryClock(clock)
        self._live = live
        self._delivery = Delivery(make_consumer(shadow, self._clock), shadow, clock=self._clock)
        self._history = history
        self._tell = tell
        self._recent = (clock() - MISSED_AFTER).timestamp()
        self._left: list[Record] = []
        self.handled = 0

    async def catch_up(self, words: str = "building") -> None:
        """Handle what was left and what has come since. Broken off, it may be called again: what was not handled comes again."""
        remaining = await self._history.remaining()
        self._left = await self._handle(self._left)
        async for records in self._history.batches():
            self._left += await self._handle(records)
            remaining = max(0, remaining - len(records))
            self._tell(Progress(self.handled, remaining, words))
        self._clock.moment = None

    async def make_up_for_parked(self) -> None:
        """Handle what was parked and has had its effect since: the log has it as it came, not as it was mended."""
        after: UUID | None = None
        while some := await self._replayed(after):
            await self._handle([Record(each.origin, each.problem.get("key", ""), each.body.encode()) for each in some])
            after = some[-1].id
        self._clock.moment = None

    async def _replayed(self, after: UUID | None) -> list[ParkedItem]:
        async with self._live.session(reading=True) as session:
            return await Parked(session).page(state="replayed", kind="event", code=None, after=after, limit=500)

    async def _handle(self, records: Sequence[Record]) -> list[Record]:
        """Gives those that are left to the live consumer."""
        theirs = await self._unclaimed(records)
        mine, left = list(records), list[Record]()
        if theirs:  # as a rule nothing is: then no record is read for its id
            mine = [record for record in records if id_of(record.body) not in theirs]
            left = [record for record in records if id_of(record.body) in theirs]
        for stretch in _stretches(mine):
            self._clock.moment = _moment(stretch)
            await self._deliver(stretch)
        self.handled += len(mine)
        return left

    async def _unclaimed(self, records: Sequence[Record]) -> set[UUID]:
        """The recent events that the live consumer did not handle yet. One may stand in the log twice."""
        recent = {
            event_id
            for record in records
            if moment_of(record.body) > self._recent and (event_id := id_of(record.body)) is not None
        }
        if not recent:
            return set()
        c = inbox_table.c
        query = select(c.event_id).where(among(c.event_id, recent), c.consumer == self._delivery.consumer.name)
        async with self._live.session(reading=True) as session:
            return recent - set((await session.scalars(query)).all())

    async def _deliver(self, records: Sequence[Record]) -> None:
        await tried_again(
            lambda: self._delivery.deliver(records),
            when=lambda error: isinstance(error, Transient),
            pauses=(0.1, 0.5, 2.0),
        )


def _stretches(records: Sequence[Record]) -> list[list[Record]]:
    """The records in order, cut where more than an hour lies between the first and the next: each has one moment."""
    cut: list[list[Record]] = []
    begun = 0.0
    for record in records:
        moment = moment_of(record.body)
        if not cut or moment > begun + STRETCH_SECONDS:
            cut.append([])
            begun = moment
        cut[-1].append(record)
    return cut


def _moment(records: Sequence[Record]) -> datetime | None:
    latest = max((moment_of(record.body) for record in records), default=0.0)
    return datetime.fromtimestamp(latest, UTC) if latest else None


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[None]:
    """Two at once would share the shadow, and the first to end would put the other's half in place. Raises RebuildUnderWay."""
    if database.dialect == "sqlite":
        try:
            alone = hold(Path(f"{_shadow_file(database)}.lock"))
        except BlockingIOError:
            raise RebuildUnderWay from None
        with alone:
            yield
        return
    async with database.engine.connect() as connection:
        await connection.execution_options(
            isolation_level="AUTOCOMMIT"
        )  # held for as long as it takes, in no transaction
        if not (await connection.execute(_TRY_ALONE)).scalar():
            raise RebuildUnderWay
        try:
            yield
        finally:
            await connection.execute(_NO_LONGER_ALONE)


# --- the shadow -------------------------------------------------------------------------------------------------------


async def clear(database: Database) -> None:
    """Take away what a rebuild has left behind."""
    if database.dialect == "sqlite":
        _unlink(_shadow_file(database))
        return
    async with database.engine.begin() as connection:
        for schema in (SHADOW, OLD):
            await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))


def _unlink(file: str) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


@asynccontextmanager
async def _laid_out(database: Database, package: str, projections: Projections) -> AsyncIterator[Database]:
    """The shadow, empty; at the end it is taken away, whatever became of it."""
    await clear(database)
    await _lay_out(database, package, projections)
    try:
        async with _shadow(database) as shadow:
            yield shadow
    finally:
        await tried_again(lambda: clear(database))


async def _lay_out(database: Database, package: str, projections: Projections) -> None:
    """The shadow's tables, made by the service's own migrations so that they are the same to the name of each index."""
    if database.dialect == "postgresql":
        async with database.engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {SHADOW}"))
            await connection.execute(text(f"CREATE SCHEMA {OLD}"))
    bare = database.beside(_place(database), search_path=SHADOW)
    try:
        await migrate(bare, package)
        names = {table.name for metadata in metadata_of(package) for table in metadata.sorted_tables}
        async with bare.engine.begin() as connection:
            for name in [*sorted(names - projections.shadowed), "alembic_version"]:
                await connection.execute(text(f'DROP TABLE IF EXISTS "{name}"'))
    finally:
        await bare.dispose()
    live = "live" if database.dialect == "sqlite" else "public"
    async with _shadow(database) as shadow, shadow.engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO erased SELECT * FROM {live}.erased"))  # noqa: S608 - our own names


@asynccontextmanager
async def _shadow(database: Database) -> AsyncIterator[Database]:
    shadow = database.beside(_place(database), search_path=f"{SHADOW},public", attached=_live_file(database))
    try:
        yield shadow
    finally:
        await shadow.dispose()


def _place(database: Database) -> str | None:
    return _shadow_file(database) if database.dialect == "sqlite" else None


def _shadow_file(database: Database) -> str:
    return f"{Path(str(database.engine.url.database)).resolve()}.{SHADOW}"


def _live_file(database: Database) -> str | None:
    return str(Path(str(database.engine.url.database)).resolve()) if database.dialect == "sqlite" else None


# --- changing places --------------------------------------------------------------------------------------------------


async def _swap(
    database: Database,
    shadow: Database,
    builder: _Builder,
    package: str,
    projections: Projections,
    finish: Callable[[Database], Any] | None,
    *,
    clock: Clock,
) -> None:
    """Hold the live consumers for a moment, handle what they have handled meanwhile, and change places."""
    async with database.writer, database.engine.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            # every consumer claims before it has an effect: none begins one while this lock is held
            await connection.execute(text("LOCK TABLE inbox IN SHARE ROW EXCLUSIVE MODE"))
            # An earlier try was committed and not answered: the shadow's consumer would write to what is in place now.
            if await connection.scalar(_CHANGED):
                return
        await builder.catch_up("the last ones")
        await builder.make_up_for_parked()
        if finish is not None:
            await finish(shadow)
        await shadow.dispose()
        await _change_places(connection, database, package, projections, now=clock())
    database.committed()


async def _change_places(
    connection: AsyncConnection, database: Database, package: str, projections: Projections, *, now: datetime
) -> None:
    sqlite = database.dialect == "sqlite"
    live = "main" if sqlite else "public"
    if sqlite:
        await connection.run_sync(
            Connection.detach
        )  # from the pool: whoever got it next would have the shadow attached
        await connection.exec_driver_sql(f"ATTACH '{_shadow_file(database)}' AS {SHADOW}")
    for statement in _merging(live, projections, sqlite=sqlite):
        await connection.execute(statement)
    tables = {table.name: table for metadata in metadata_of(package) for table in metadata.sorted_tables}
    for table in projections.states:
        await connection.execute(_put_over(live, tables[table]))
    for table in projections.replaced:
        if sqlite:
            await connection.execute(text(f'DELETE FROM {live}."{table}"'))  # noqa: S608 - our own names
            await connection.execute(text(f'INSERT INTO {live}."{table}" SELECT * FROM {SHADOW}."{table}"'))  # noqa: S608
        else:
            await connection.execute(text(f'ALTER TABLE {live}."{table}" SET SCHEMA {OLD}'))
            await connection.execute(text(f'ALTER TABLE {SHADOW}."{table}" SET SCHEMA {live}'))
    for wake in projections.wakes:
        await connection.execute(_woken(live, wake, now, sqlite=sqlite))


def _merging(live: str, projections: Projections, *, sqlite: bool) -> list[TextClause]:
    """What the shadow knows and the live side does not: claims, timers, parked events, derived rows; and what is kept."""
    nothing = "WHERE true ON CONFLICT DO NOTHING"
    words = []
    if projections.claims:
        words += [f"INSERT INTO {live}.inbox SELECT * FROM {SHADOW}.inbox {nothing}"]  # noqa: S608 - our own names throughout
        words += [f"INSERT INTO {live}.timer SELECT * FROM {SHADOW}.timer {nothing}"]  # noqa: S608
    place = "json_extract({}.problem, '$.position')" if sqlite else "{}.problem ->> 'position'"
    is_mended = f"old.version > 1 AND {place.format('old')} = {place.format('new')}"  # its body is another one by now
    known = f"SELECT 1 FROM {live}.parked AS old WHERE old.origin = new.origin AND (old.body = new.body OR {is_mended})"  # noqa: S608
    words += [f"INSERT INTO {live}.parked SELECT * FROM {SHADOW}.parked AS new WHERE NOT EXISTS ({known})"]  # noqa: S608
    words += [f'INSERT INTO {live}."{name}" SELECT * FROM {SHADOW}."{name}" {nothing}' for name in projections.filled]  # noqa: S608
    for name, column in projections.kept.items():
        random = f"substr({column}, 13, 1) = '4'" if sqlite else f"substr({column}::text, 15, 1) = '4'"
        words += [f'DELETE FROM {SHADOW}."{name}" WHERE {random}']  # noqa: S608
        words += [f'INSERT INTO {SHADOW}."{name}" SELECT * FROM {live}."{name}" WHERE {random}']  # noqa: S608
    return [text(each) for each in words]


def _put_over(live: str, table: Table) -> TextClause:
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return text(
        f'INSERT INTO {live}."{table.name}" ({", ".join(names)}) SELECT {", ".join(names)} FROM {SHADOW}."{table.name}" '  # noqa: S608
        f"WHERE true ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


def _woken(live: str, wake: Wake, now: datetime, *, sqlite: bool) -> TextClause:
    due_at: object = now.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds") if sqlite else now
    payload = "CAST(:payload AS jsonb)" if not sqlite else ":payload"
    return text(
        f"INSERT INTO {live}.timer (name, key, due_at, payload) VALUES (:name, :key, :due_at, {payload}) "  # noqa: S608
        "ON CONFLICT (name, key) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload"
    ).bindparams(name=wake.name, key=wake.key, due_at=due_at, payload=orjson.dumps(dict(wake.payload)).decode())
