"""The command `hilo`, where what it needs is not there, or is somebody else's."""

import gc
import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from common.holds import hold
from hilo import cli
from hilo.cli import app, main
from hilo.embedded import RUNNING
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
    """What the command says as it ends, or its exit code where it has said it already."""
    monkeypatch.setattr(sys, "argv", ["hilo", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return str(end.value)


def unboxed(shown: str) -> str:
    """What stands in the frame that a wrong argument is answered in."""
    return " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize("command", [("parked", "list"), ("keys", "list"), ("export", "nobody"), ("demo",)])
def test_a_system_that_does_not_answer_is_told_in_one_line(monkeypatch, tmp_path, command):
    (tmp_path / "credential").write_text("a key")
    origin = f"http://127.0.0.1:{free_port()}"
    words = said(monkeypatch, *command, "--to", origin, "--key-file", str(tmp_path / "credential"))
    assert words == f"Nothing answers at {origin}: start it with `make run` or `make up`, or say where it is with --to."


def test_a_second_system_on_the_same_folder_does_not_start(tmp_path: Path):
    with hold(tmp_path / RUNNING):
        started = CliRunner().invoke(app, ["run", "--var", str(tmp_path), "--port", str(free_port())])
    assert (started.exit_code, started.output) == (
        1,
        f"A system runs on {tmp_path} already: two would write to the same files\n",
    )
    with hold(tmp_path / RUNNING):  # who had it has gone
        assert not list(tmp_path.glob("*.db"))


@pytest.mark.parametrize("as_setting", [False, True])
def test_a_port_that_another_program_has_is_named_before_anything_is_made(monkeypatch, tmp_path: Path, as_setting):
    monkeypatch.setattr(cli, "FREED_WITHIN", 0.0)
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        given = [] if as_setting else ["--port", str(port)]
        started = CliRunner().invoke(
            app, ["run", "--var", str(tmp_path), *given], env={"HILO_PORT": str(port)} if as_setting else {}
        )
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


@pytest.mark.parametrize("wrong", [["--scope", "nope"], ["--scope", "resume:read", "--subject", "customer:ana"]])
def test_a_token_is_not_made_with_what_no_service_knows(tmp_path: Path, wrong: list[str]):
    (tmp_path / "secret").write_text("s" * 40)
    made = CliRunner().invoke(app, ["token", *wrong, "--var", str(tmp_path)])
    assert (made.exit_code, made.stdout) == (2, "")
    assert wrong[-2] in made.stderr


@pytest.mark.parametrize("content", [b"\xff\xfe", "clé".encode(), b"one\ntwo", b""])
def test_what_is_no_key_is_refused_before_it_is_sent_and_not_repeated(monkeypatch, capsys, tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    assert said(monkeypatch, "keys", "list", "--key-file", str(tmp_path / "key")) == "2"
    shown = unboxed(capsys.readouterr().err)
    assert "holds no key: " in shown
    assert not {"one", "two"} & set(shown.split())


def test_a_stack_that_never_was_is_named_and_none_is_begun(monkeypatch, capsys, tmp_path):
    assert said(monkeypatch, "rebuild", "scoring", "--up", "--var", str(tmp_path / "none")) == "1"
    assert capsys.readouterr().err == f"{tmp_path / 'none'} holds no stack of `make up`: name its folder with --var\n"
    assert not (tmp_path / "none").exists()


def test_a_wrong_setting_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("HILO_PARKED_MANY", "some")
    words = said(monkeypatch, "run", "--var", str(tmp_path), "--port", str(free_port()))
    assert words == "HILO_PARKED_MANY: Input should be a valid integer, unable to parse string as an integer"


def test_a_mended_body_that_is_no_text_is_refused(monkeypatch, capsys, tmp_path):
    (tmp_path / "credential").write_text("a key")
    (tmp_path / "body").write_bytes(b"\xff\xfe")
    arguments = ["--body", str(tmp_path / "body"), "--key-file", str(tmp_path / "credential")]
    assert said(monkeypatch, "parked", "repair", "an id", *arguments) == "2"
    assert "cannot be read as text" in unboxed(capsys.readouterr().err)


def test_a_load_that_was_refused_rows_says_so_by_its_end(monkeypatch, capsys, tmp_path):
    (tmp_path / "map.toml").write_text(
        'id = "{id}"\n[touchpoint]\nkind = "note"\nchannel = "web"\noccurred_at = "{at}"\n'
    )
    (tmp_path / "rows.csv").write_text("id,at\n1,2026-11-20\n2,\n")
    (tmp_path / "credential").write_text("a key")

    def api(request: httpx.Request) -> httpx.Response:
        rows = [{"status": "recorded"} if "occurred_at" in row else REFUSED for row in json.loads(request.content)]
        counts = {"recorded": 0, "duplicate": 0, "refused": 0} | Counter(row["status"] for row in rows)
        return httpx.Response(200, json={**counts, "results": rows})

    monkeypatch.setattr(
        cli, "client_to", lambda *_: httpx.Client(base_url="http://here", transport=httpx.MockTransport(api))
    )
    given = "load", str(tmp_path / "rows.csv"), "--map", str(tmp_path / "map.toml")
    assert said(monkeypatch, *given, "--key-file", str(tmp_path / "credential"), "--to", "up") == "3"
    assert capsys.readouterr().out.splitlines()[-1] == "Read and repair the refused: hilo parked list --to up"
    (tmp_path / "rows.csv").write_text("id,at\n1,2026-11-20\n")
    assert said(monkeypatch, *given, "--key-file", str(tmp_path / "credential")) == "0"


REFUSED = {"status": "refused", "parked_id": "p1", "problem": {"code": "invalid", "errors": []}}
