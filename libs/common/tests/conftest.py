"""Databases with the tables of common alone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from common import access  # noqa: F401
from common.db import COMMON, Database
from common.ids import new_id


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    made = Database.connect(_url(request, tmp_path))
    async with made.engine.begin() as connection:
        await connection.run_sync(COMMON.create_all)
    yield made
    await made.dispose()


def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/common.db"
    server: Any = request.getfixturevalue("postgres_server")
    name = f"common_{new_id().hex}"
    server.create_database(name)
    return str(server.url(name))
