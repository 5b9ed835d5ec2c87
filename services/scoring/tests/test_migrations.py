"""The migrated database is the one that the models describe, on both kinds."""

from common.migrations import drift

from .conftest import Scoring


async def test_models_and_migrations_agree(scoring: Scoring) -> None:
    async with scoring.database.engine.connect() as connection:
        assert await connection.run_sync(drift, "scoring") == []
