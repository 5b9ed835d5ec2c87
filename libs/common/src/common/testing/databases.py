"""Migrated databases for tests: migrated once for each service and kind, then copied for each test."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg

from common.db import Database
from common.migrations import migrate

_numbers = itertools.count(1)


class Databases:
    """Makes databases of one kind. `url_of` gives the SQLAlchemy URL of a PostgreSQL database's name; None for SQLite."""

    def __init__(self, folder: Path, url_of: Callable[[str], str] | None) -> None:
        self.kind = "sqlite" if url_of is None else "postgresql"
        self._folder = folder
        self._url_of = url_of
        self._templates: set[str] = set()

    async def make(self, package: str) -> Database:
        """A fresh database of the service, at its newest version. The caller gives it to `drop`."""
        if package not in self._templates:
            await self._make_template(package)
            self._templates.add(package)
        name = f"{package}_{next(_numbers)}"
        if self._url_of is None:
            shutil.copy(self._folder / f"{package}.db", self._folder / f"{name}.db")
            return Database.connect(f"sqlite+aiosqlite:///{self._folder}/{name}.db")
        await self._administer(f'CREATE DATABASE "{name}" TEMPLATE "template_{package}"')
        return Database.connect(self._url_of(name))

    async def drop(self, database: Database) -> None:
        """At once: those of a whole run would take twenty gigabytes, and minutes in the end."""
        await database.dispose()
        name = str(database.engine.url.database)
        if self._url_of is None:
            for file in self._folder.glob(f"{Path(name).name}*"):  # SQLite keeps more beside it
                file.unlink()
        await self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _make_template(self, package: str) -> None:
        if self._url_of is None:
            template = Database.connect(f"sqlite+aiosqlite:///{self._folder}/{package}.db")
        else:
            await self._administer(f'DROP DATABASE IF EXISTS "template_{package}"')
            await self._administer(f'CREATE DATABASE "template_{package}"')
            template = Database.connect(self._url_of(f"template_{package}"))
        await migrate(template, package)
        await template.dispose()

    async def _administer(self, statement: str) -> None:
        if self._url_of is None:
            return
        url = self._url_of("postgres").replace("postgresql+asyncpg://", "postgresql://")
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
