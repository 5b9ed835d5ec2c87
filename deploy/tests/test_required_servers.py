"""A test run without a real server: a skip with its reason, or a failure where the server is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hilo.native import postgres
from hilo.native.errors import NativeError

ROOT = Path(__file__).parents[2]
NEEDS_KAFKA = "deploy/tests/test_native_kafka.py::test_no_topic_is_made_by_asking_for_it"


def run_without_java(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", NEEDS_KAFKA]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HILO_", "PYTEST_"))}
    told = kept | {"PATH": "/nowhere"} | environment
    return subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)


def test_a_server_that_cannot_be_had_is_a_skip_that_says_why():
    run = run_without_java()
    assert run.returncode == 0
    assert "1 skipped" in run.stdout
    assert "Java is needed to run Apache Kafka" in run.stdout


def test_a_server_that_is_required_and_cannot_be_had_is_a_failure_that_says_why():
    run = run_without_java(HILO_REQUIRE_REAL="1")
    assert run.returncode == 1
    assert "Java is needed to run Apache Kafka" in run.stdout


def test_without_postgresql_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres, "INSTALLED", ())
    with pytest.raises(NativeError, match="make deps"):
        postgres.find_binaries()


def test_the_newest_installed_postgresql_is_taken(monkeypatch, tmp_path):
    for version in ("9.6", "15", "16"):
        binaries = tmp_path / version / "bin"
        binaries.mkdir(parents=True)
        for name in ("initdb", "postgres", "psql"):
            (binaries / name).touch()
    (tmp_path / "17" / "bin").mkdir(parents=True)  # client only
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(postgres, "INSTALLED", ((tmp_path, "*/bin"),))
    assert postgres.find_binaries() == tmp_path / "16" / "bin"
