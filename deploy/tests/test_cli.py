"""The command `hilo`, where what it needs is not there, or is somebody else's."""

import gc
import os
import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilo import cli
from hilo.cli import app, main
from hilo.embedded import only_one
from hilo.native.ports import LOOPBACK, free_port


@pytest.fixture(autouse=True)
def _as_before():
    """`hilo run` leaves no garbage collection and a strict umask behind: it is the last that its process does."""
    before = os.umask(0o077)
    os.umask(before)
    yield
    os.umask(before)
    gc.enable()


def said(monkeypatch, *arguments: str) -> str:
    """What the command says as it ends with 1."""
    monkeypatch.setattr(sys, "argv", ["hilo", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return str(end.value)


@pytest.mark.parametrize("command", [("parked", "list"), ("keys", "list"), ("export", "nobody"), ("demo",)])
def test_a_system_that_does_not_answer_is_told_in_one_line(monkeypatch, tmp_path, command):
    (tmp_path / "credential").write_text("a key")
    origin = f"http://127.0.0.1:{free_port()}"
    words = said(monkeypatch, *command, "--to", origin, "--key-file", str(tmp_path / "credential"))
    assert words == f"Nothing answers at {origin}: start it with `make run` or `make up`, or say where it is with --to."


def test_a_second_system_on_the_same_folder_does_not_start(tmp_path: Path):
    with only_one(tmp_path) or pytest.fail("nobody else has it"):
        assert only_one(tmp_path) is None
        started = CliRunner().invoke(app, ["run", "--var", str(tmp_path), "--port", str(free_port())])
    assert (started.exit_code, started.output) == (
        1,
        f"A system runs on {tmp_path} already: two would write to the same files\n",
    )
    with only_one(tmp_path) or pytest.fail("who had it has gone"):
        assert not list(tmp_path.glob("*.db"))


def test_a_port_that_another_program_has_is_named_before_anything_is_made(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(cli, "FREED_WITHIN", 0.0)
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        started = CliRunner().invoke(app, ["run", "--var", str(tmp_path), "--port", str(port)])
    assert started.exit_code == 1
    assert started.output == f"Port {port} is another program's: name another one with `hilo run --port`\n"
    assert not (tmp_path / "secret").exists()


def test_a_folder_that_cannot_be_one_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "var").write_text("a file")
    started = CliRunner().invoke(app, ["run", "--var", str(tmp_path / "var")])
    assert (started.exit_code, started.output) == (1, f"{tmp_path / 'var'} cannot be used: File exists\n")


def test_a_token_is_not_made_without_the_secret_of_a_system(tmp_path: Path):
    made = CliRunner().invoke(app, ["token", "--scope", "resume:read", "--var", str(tmp_path)])
    assert made.exit_code == 2  # 1 would be a traceback
