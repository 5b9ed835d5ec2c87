"""The Makefile tells what it can do, and the integration run does what a person would."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not there")


def make(*arguments: str) -> str:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@needs_make
def test_make_alone_names_every_target_that_a_person_would_call():
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split()
    assert re.findall(r"^  make ([a-z]+) ", make(), re.MULTILINE) == targets


@needs_make
def test_make_test_runs_the_checks_before_the_tests():
    planned = make("--dry-run", "test")
    order = [planned.index(step) for step in ("ruff check", "ruff format --check", "mypy", "lint-imports", "pytest")]
    assert order == sorted(order)


def test_the_integration_run_requires_the_real_servers_and_ends_with_the_tests():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "HILO_REQUIRE_REAL=1 make test"


def test_installing_changes_nothing_where_everything_is_there():
    if any(shutil.which(name) is None for name in ("make", "java", "mvn", "postgres", "python3")):
        pytest.skip("something that would be installed is missing here")
    run = subprocess.run(["bash", "deploy/install_servers.sh"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == ""
