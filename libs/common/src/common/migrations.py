"""Migrations: one runner for all services; each service ships its versions, and they run on both databases.

python -m common.migrations revise <package> "<message>"     writes the next version from the models
"""

import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, MetaData, create_engine, text

from common import access, erasure, idempotency  # noqa: F401 - they put their tables into COMMON
from common.db import COMMON, Database
from common.partitions import partition_names

# Two processes that start at once migrate one after the other.
_LOCK = text("SELECT pg_advisory_xact_lock(4849435)")
_TEMPLATE = '''"""${message}"""

import sqlalchemy as sa
from alembic import op

import common.db

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


def metadata_of(package: str) -> list[MetaData]:
    """The tables of a service: those of common, and its own (`<package>.tables.METADATA`)."""
    return [COMMON, importlib.import_module(f"{package}.tables").METADATA]


async def migrate(database: Database, package: str) -> None:
    """Bring a service's database to the newest version. Safe to call at every start and from several processes."""
    async with database.writer, database.engine.begin() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            await connection.execute(_LOCK)
        await connection.run_sync(_upgrade, package)


def _upgrade(connection: Connection, package: str) -> None:
    script = ScriptDirectory.from_config(_config(package))

    def steps(revision: Any, _: Any) -> Any:
        return script._upgrade_revs("heads", revision)  # noqa: SLF001 - what alembic's own command calls

    with EnvironmentContext(_config(package), script, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=metadata_of(package), render_as_batch=True)
        environment.run_migrations()


def drift(connection: Connection, package: str) -> list[Any]:
    """What the models say and the migrated database does not, or the other way round. Empty when they agree."""
    parts = partition_names(connection)
    known = lambda name, kind, _: kind != "table" or name not in parts  # noqa: E731
    context = MigrationContext.configure(connection, opts={"compare_type": False, "include_name": known})
    found: list[Any] = compare_metadata(context, _merged(package))
    return found


def revise(package: str, message: str) -> Path:
    """Write the next version of a service's migrations from its models, against a scratch SQLite."""
    config = _config(package)
    versions = Path(config.get_main_option("version_locations") or "")
    versions.mkdir(parents=True, exist_ok=True)
    number = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04d}"
    with _template_folder() as folder:
        config.set_main_option("script_location", str(folder))
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            config.attributes["package"] = package
            _upgrade(connection, package)  # before the command: alembic's proxies do not nest
            script = command.revision(config, message, autogenerate=True, rev_id=number)
    if script is None or isinstance(script, list):
        raise RuntimeError("one version was expected")
    return Path(script.path)


@contextmanager
def _template_folder() -> Iterator[Path]:
    """Alembic's command reads an env.py and a template from a folder; this is the smallest one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.py.mako").write_text(_TEMPLATE)
        (folder / "env.py").write_text("from common.migrations import _revise_environment\n_revise_environment()\n")
        yield folder


def _revise_environment() -> None:
    from alembic import context  # noqa: PLC0415 - a proxy that is bound only while the command runs

    package = context.config.attributes["package"]
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=_merged(package),
        user_module_prefix=None,
        render_as_batch=False,
        render_item=_rendered,
    )
    context.run_migrations()


def _rendered(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Json by its own name: its variants are not rendered in a form that can be run."""
    return "common.db.Json" if kind == "type" and isinstance(item, JSON) else False


def _merged(package: str) -> MetaData:
    merged = MetaData()
    for metadata in metadata_of(package):
        for table in metadata.sorted_tables:
            table.to_metadata(merged)
    return merged


def _config(package: str) -> Config:
    module = importlib.import_module(package)
    versions = Path(str(module.__file__)).parent / "migrations" / "versions"
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["revise", package, message]:
            sys.stdout.write(f"{revise(package, message)}\n")
        case _:
            sys.exit(__doc__)
