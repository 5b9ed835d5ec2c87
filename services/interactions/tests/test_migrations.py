"""The migrated database is what the models say."""

from collections.abc import Awaitable, Callable

from common.db import Database
from common.migrations import drift


async def test_the_migrations_make_what_the_models_say(make_database: Callable[[str], Awaitable[Database]]) -> None:
    database = await make_database("interactions")
    async with database.engine.connect() as connection:
        assert await connection.run_sync(drift, "interactions") == []
