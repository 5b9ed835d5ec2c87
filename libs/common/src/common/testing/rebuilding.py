"""What a rebuild that changes places asks of a consumer: to wait for it empty-handed."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import pytest
from sqlalchemy import text

from common.db import Database

_WAITING = text(
    "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def waits_empty_handed(database: Database, tables: Iterable[str], work: Coroutine[Any, Any, Any]) -> None:
    """While the inbox is held as a rebuild holds it, `work` begins and waits. The tables are to be had all the same: else this raises.

    On SQLite there is one writer, and nobody waits with anything in hand.
    """
    if database.dialect == "sqlite":
        work.close()
        pytest.skip("SQLite has one writer")
    async with database.engine.begin() as rebuild, asyncio.timeout(20):
        await rebuild.execute(text("LOCK TABLE inbox IN SHARE ROW EXCLUSIVE MODE"))
        working = asyncio.create_task(work)
        async with database.session(reading=True) as onlooker:
            while not await onlooker.scalar(_WAITING):
                pass  # each look is a round trip, so the others get their turn
        for table in tables:
            await rebuild.execute(text(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE NOWAIT'))
    await working
