"""Every service knows the access keys by itself: a projection of identity's events, read through a short memory."""

import time
from collections.abc import Callable, Iterable

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncSession

from common.auth import AccessKey, Principal
from common.bulk import insert_rows
from common.contracts.identity import AccessChanged
from common.db import COMMON, Database, Json
from common.events import Event
from common.revisions import if_newer, latest

# A revocation is in force at most this long after its event has arrived; with the way of the event under ten seconds.
KNOWN_SECONDS = 5.0
UNKNOWN_SECONDS = 1.0
MOST_REMEMBERED = 10_000

access_key_table = Table(
    "access_key",
    COMMON,
    Column("key_id", String(100), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("source", String(200), nullable=True),
    Column("attests", Json, nullable=False),
    Column("subject", String(200), nullable=True),
    Column("name", Text, nullable=False),
    Column("revoked", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

_COLUMNS = [column.name for column in access_key_table.columns]


async def apply_access(events: Iterable[Event | AccessChanged], session: AsyncSession) -> None:
    """Project AccessChanged events; others are passed over. In any order: the highest revision of each key wins."""
    told = (event.data if isinstance(event, Event) else event for event in events)
    changes = latest((one for one in told if isinstance(one, AccessChanged)), key=lambda change: change.key_id)
    rows = [change.model_dump(include=set(_COLUMNS)) for change in changes.values()]
    newer = if_newer("access_key", [name for name in _COLUMNS if name != "key_id"])
    await insert_rows(session, access_key_table, rows, on_conflict=newer)


class AccessKeys:
    """Looks keys up, and remembers for a few seconds what it found and what it did not."""

    def __init__(self, database: Callable[[], Database], clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._remembered: dict[str, tuple[float, AccessKey | None]] = {}

    async def find(self, key_id: str) -> AccessKey | None:
        remembered = self._remembered  # what `forget` overtakes while it is read is not remembered
        until, found = remembered.get(key_id, (float("-inf"), None))
        if self._clock() < until:
            return found
        found = await self._read(key_id)
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        remembered[key_id] = (self._clock() + (KNOWN_SECONDS if found else UNKNOWN_SECONDS), found)
        return found

    def forget(self) -> None:
        """Ask the database next time: for whoever has just changed a key in this process."""
        self._remembered = {}

    async def _read(self, key_id: str) -> AccessKey | None:
        statement = select(access_key_table).where(access_key_table.c.key_id == key_id)
        async with self._database().session(reading=True) as session:
            row = (await session.execute(statement)).one_or_none()
        if row is None:
            return None
        principal = Principal(
            row.key_id, frozenset(row.scopes), row.source, frozenset(row.attests), row.subject, row.name
        )
        return AccessKey(row.hash, row.revoked, principal)
