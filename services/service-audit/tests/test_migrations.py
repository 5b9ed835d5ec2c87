"""The migrated database is what the models say."""

from common.migrations import drift


async def test_models_and_migrations_agree(audit):
    async with audit.runtime.database.engine.connect() as connection:
        assert await connection.run_sync(drift, "service_audit") == []
