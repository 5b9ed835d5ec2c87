"""Who may know whom: services nothing of each other, rules nothing of frameworks, and imports point down."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from .modules import ROOT, SERVICES, Module, modules

# From the top to the bottom, as the house style says: a module imports from its own line and from below.
ORDER = (
    {"__main__"},
    {"service"},
    {"main", "worker"},
    {"router", "consumers"},
    {"schemas"},
    {"use_cases"},
    {"uow"},
    {"repository"},
    {"models"},
    {"domain", "settings", "tables"},
)
MODULES = {module.name for module in modules(*SERVICES)}
IN_AND_OUT = (
    "fastapi", "starlette", "sqlalchemy", "sqlmodel", "alembic", "aiosqlite", "asyncpg", "aiokafka", "httpx", "uvicorn",
    "structlog", "asyncio", "socket", "os", "random", "secrets", "time",
)  # fmt: skip
OF_DATABASES = ("sqlalchemy", "sqlmodel", "aiosqlite", "asyncpg", "alembic")


def test_the_contracts_between_the_packages_hold():
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def named(*stems: str) -> list[Module]:
    return [module for module in modules(*SERVICES) if module.stem in stems]


def ids(module: Module) -> str:
    return module.name


@pytest.mark.parametrize("module", named("domain"), ids=ids)
def test_rules_do_no_input_or_output(module):
    assert [package for package in IN_AND_OUT if module.reaches(package)] == []
    assert not module.reaches("common.clock"), "time is an argument"
    assert not [node for node in ast.walk(module.tree) if isinstance(node, ast.Await)], "a rule waits for nothing"


@pytest.mark.parametrize("module", named("router", "schemas", "use_cases"), ids=ids)
def test_routes_bodies_and_use_cases_hold_no_queries(module):
    assert [package for package in OF_DATABASES if module.reaches(package)] == []


@pytest.mark.parametrize("module", named("use_cases", "repository", "models", "domain", "consumers"), ids=ids)
def test_what_is_below_the_routes_knows_no_http(module):
    assert [package for package in ("fastapi", "starlette", "httpx", "common.http") if module.reaches(package)] == []


@pytest.mark.parametrize("module", named("repository"), ids=ids)
def test_a_repository_never_commits(module):
    assert ".commit(" not in module.path.read_text("utf-8")


@pytest.mark.parametrize("module", named(*(stem for line in ORDER for stem in line)), ids=ids)
def test_imports_point_down(module):
    mine = rank_of(module.stem)
    upwards = {name for name in module.imports if own(module, name) and rank_of(last(name)) < mine}
    assert upwards == set()


def rank_of(stem: str) -> int:
    """The line on which a file stands; one outside the house's list has its reason, and no line."""
    return next((line for line, stems in enumerate(ORDER) if stem in stems), len(ORDER))


def own(module: Module, name: str) -> bool:
    """Whether it is a module of the same service, and not a name inside one."""
    return name.startswith(f"{module.package}.") and name in MODULES


def last(name: str) -> str:
    return name.rpartition(".")[2]
