"""Backups of the embedded stack: of one moment, whole, and put back only where that does no harm."""

import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilo.backup import SERVICES, BackupRefused, back_up, restore
from hilo.cli import app

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def var(tmp_path: Path) -> Path:
    made = tmp_path / "var"
    made.mkdir()
    (made / "secret").write_text("one\n")
    (made / "credential").write_text("key\n")
    for service in SERVICES:
        with closing(opened(made, service)) as connection:
            connection.execute("CREATE TABLE told (number integer)")
    return made


def opened(var: Path, service: str) -> sqlite3.Connection:
    connection = sqlite3.connect(var / f"{service}.db", timeout=10, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def tell(var: Path, number: int, services: tuple[str, ...] = SERVICES) -> None:
    for service in services:
        with closing(opened(var, service)) as connection:
            connection.execute("INSERT INTO told VALUES (?)", (number,))


def told(folder: Path, service: str) -> list[int]:
    with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM told ORDER BY number")]


@contextmanager
def no_file_longer_than(most: int) -> Iterator[None]:
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_copy_taken_while_others_read_and_write_holds_what_was_committed(var, tmp_path):
    tell(var, 1)
    with closing(opened(var, "scoring")) as busy:
        busy.execute("INSERT INTO told VALUES (2)")  # committed, and still in the file beside
        back_up(var, tmp_path / "copy", now=NOW)
        busy.execute("INSERT INTO told VALUES (3)")
    assert told(tmp_path / "copy", "scoring") == [1, 2]
    assert told(var, "scoring") == [1, 2, 3]
    assert sorted(each.name for each in (tmp_path / "copy").iterdir()) == sorted(
        [*(f"{service}.db" for service in SERVICES), "credential", "manifest.json", "secret"]
    )


def test_the_four_are_copied_as_of_one_moment(var, tmp_path):
    for service in SERVICES:
        with closing(opened(var, service)) as connection:  # long enough to copy that much happens meanwhile
            connection.execute("CREATE TABLE ballast AS SELECT zeroblob(10000000) AS filler")
    closing_time = threading.Event()

    def causes_then_effects() -> None:
        with closing(opened(var, "identity")) as cause, closing(opened(var, "service-audit")) as effect:
            number = 0
            while not closing_time.is_set():
                number += 1
                cause.execute("INSERT INTO told VALUES (?)", (number,))
                effect.execute("INSERT INTO told VALUES (?)", (number,))

    writer = threading.Thread(target=causes_then_effects)
    writer.start()
    try:
        for copy in range(3):
            back_up(var, tmp_path / f"copy{copy}", now=NOW)
    finally:
        closing_time.set()
        writer.join()
    for copy in range(3):
        causes, effects = (told(tmp_path / f"copy{copy}", each) for each in ("identity", "service-audit"))
        assert len(causes) - len(effects) in (0, 1)


def test_a_copy_is_for_the_systems_user_alone(var, tmp_path):
    back_up(var, tmp_path / "copy", now=NOW)
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "copy").glob("*.db"))
    assert (tmp_path / "copy" / "secret").stat().st_mode & 0o077 == 0


def test_all_is_put_back_and_what_was_there_lies_beside(var, tmp_path):
    tell(var, 1)
    back_up(var, tmp_path / "copy", now=NOW)
    tell(var, 2)
    aside = restore(tmp_path / "copy", var, now=NOW)
    assert [told(var, service) for service in SERVICES] == [[1]] * 4
    assert [told(aside, service) for service in SERVICES] == [[1, 2]] * 4


def test_one_service_is_put_back_and_the_others_stay(var, tmp_path):
    tell(var, 1)
    back_up(var, tmp_path / "copy", now=NOW)
    tell(var, 2)
    restore(tmp_path / "copy", var, services=["scoring"], now=NOW)
    assert {service: told(var, service) for service in SERVICES} == {
        "identity": [1, 2], "interactions": [1, 2], "scoring": [1], "service-audit": [1, 2],
    }  # fmt: skip


def test_nothing_is_put_back_under_a_running_system(var, tmp_path):
    back_up(var, tmp_path / "copy", now=NOW)
    with closing(opened(var, "interactions")) as running:
        running.execute("SELECT * FROM told").fetchall()
        with pytest.raises(BackupRefused, match="stop the system"):
            restore(tmp_path / "copy", var, services=["scoring"], now=NOW)
    assert not list(var.glob("replaced-*"))


def test_a_copy_that_was_changed_since_is_refused(var, tmp_path):
    back_up(var, tmp_path / "copy", now=NOW)
    with (tmp_path / "copy" / "identity.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\x00\x01")
    with pytest.raises(BackupRefused, match=r"identity\.db"):
        restore(tmp_path / "copy", var, now=NOW)


def test_one_service_of_another_secret_is_refused_and_all_four_bring_theirs(var, tmp_path):
    back_up(var, tmp_path / "copy", now=NOW)
    (var / "secret").write_text("two\n")
    with pytest.raises(BackupRefused, match="secret"):
        restore(tmp_path / "copy", var, services=["scoring"], now=NOW)
    restore(tmp_path / "copy", var, now=NOW)
    assert (var / "secret").read_text() == "one\n"


def test_the_first_service_put_into_a_new_folder_brings_the_secret_and_the_next_is_of_the_same(var, tmp_path):
    back_up(var, tmp_path / "copy", now=NOW)
    new = tmp_path / "new"
    restore(tmp_path / "copy", new, services=["scoring"], now=NOW)
    assert (new / "secret").read_text() == "one\n"
    restore(tmp_path / "copy", new, services=["identity"], now=NOW.replace(minute=1))


def test_a_folder_in_use_is_not_written_into(var, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "notes").write_text("mine")
    with pytest.raises(BackupRefused, match="not empty"):
        back_up(var, tmp_path / "copy", now=NOW)


def test_what_cannot_be_copied_is_told_and_what_was_begun_is_no_backup(var, tmp_path):
    (var / "scoring.db").write_text("no database")
    for each in ("scoring.db-wal", "scoring.db-shm"):
        (var / each).unlink(missing_ok=True)
    with pytest.raises(BackupRefused, match=r"not a database\. What .* holds is no backup"):
        back_up(var, tmp_path / "copy", now=NOW)
    with pytest.raises(BackupRefused, match="cannot be read"):
        restore(tmp_path / "copy", var, now=NOW)


def test_a_copy_for_which_there_is_no_room_leaves_everything_where_it_was(var, tmp_path):
    with closing(opened(var, "scoring")) as connection:
        connection.execute("CREATE TABLE ballast AS SELECT zeroblob(1000000) AS filler")
    tell(var, 1)
    back_up(var, tmp_path / "copy", now=NOW)
    tell(var, 2)
    before = sorted(each.name for each in var.iterdir())
    with no_file_longer_than(500_000), pytest.raises(OSError, match="too large"):
        restore(tmp_path / "copy", var, now=NOW)
    assert sorted(each.name for each in var.iterdir()) == before
    assert [told(var, service) for service in SERVICES] == [[1, 2]] * len(SERVICES)


def test_a_database_that_is_gone_is_put_back(var, tmp_path):
    tell(var, 1)
    back_up(var, tmp_path / "copy", now=NOW)
    (var / "scoring.db").unlink()
    restore(tmp_path / "copy", var, services=["scoring"], now=NOW)
    assert told(var, "scoring") == [1]


def test_the_command_says_why_it_refuses(var, tmp_path):
    runner = CliRunner()
    taken = runner.invoke(app, ["backup", str(tmp_path / "copy"), "--var", str(var)])
    assert taken.exit_code == 0, taken.output
    again = runner.invoke(app, ["backup", str(tmp_path / "copy"), "--var", str(var)])
    assert (again.exit_code, "not empty" in again.output) == (1, True)
    back = runner.invoke(app, ["restore", str(tmp_path / "copy"), "--service", "scoring", "--var", str(var)])
    assert (back.exit_code, "restored scoring" in back.output) == (0, True)
    unknown = runner.invoke(app, ["restore", str(tmp_path / "copy"), "--service", "billing", "--var", str(var)])
    assert unknown.exit_code == 2
