"""The bell between a service's processes: whoever has committed rings it, and the relay, wherever it runs, looks at once."""

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.db import Database
from common.statements import fetch_alone

CHANNEL = "hilo_outbox"
BETWEEN_RINGS = 0.02  # seconds: what is committed meanwhile shares the next
_RING = f"SELECT pg_notify('{CHANNEL}', '')"


class Bell:
    """Rung through the database that the processes share, after the commit: within it, commits would wait for each other.

    Nothing depends on it. Where it cannot be rung, what was told is found when the relay looks by itself.
    """

    def __init__(self, database: Database) -> None:
        self._has_bell = database.dialect == "postgresql"
        self._engine = database.reading  # each statement by itself
        self._news = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Returns at once; rings while one is under way are one."""
        self._news = True
        if self._ringing is None and self._has_bell:
            self._ringing = asyncio.get_running_loop().create_task(self._ring())

    async def ended(self) -> None:
        """Wait until nothing rings any more, so that the connection is given back."""
        while self._ringing is not None:
            await self._ringing

    async def _ring(self) -> None:
        try:
            async with self._engine.connect() as connection:
                while self._news:
                    self._news = False
                    await fetch_alone(connection, _RING, ())
                    await asyncio.sleep(BETWEEN_RINGS)
        except Exception:  # noqa: BLE001 - whatever it is, those who write hear of it themselves
            self._news = False
        self._ringing = None
        if self._news:  # since the last look, while the connection was given back
            self.ring()


async def hear(connection: AsyncConnection, news: asyncio.Event) -> None:
    """Have `news` set whenever the bell is rung, for as long as the connection lasts."""

    def heard(*_: Any) -> None:
        news.set()

    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.add_listener(CHANNEL, heard)
