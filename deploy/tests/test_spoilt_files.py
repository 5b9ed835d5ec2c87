"""A file that cannot be read stops the start with words that name it and say what to do."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilo.cli import app
from hilo.embedded import spoilt_files

PAGE = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "scoring.db"
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("CREATE TABLE standing (id INTEGER PRIMARY KEY, words TEXT)")
        connection.executemany("INSERT INTO standing (words) VALUES (?)", [("x" * 1000,)] * 1000)
        connection.commit()
    return made


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def overwrite_its_beginning(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.write(b"\xa5" * PAGE)


def overwrite_pages(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.seek(PAGE)
        handle.write(b"\xa5" * PAGE * 20)


@pytest.mark.parametrize("spoil", [cut, overwrite_its_beginning, overwrite_pages])
def test_a_spoilt_file_stops_the_start_and_is_named_with_what_to_do(file: Path, spoil) -> None:
    spoil(file)
    started = CliRunner().invoke(app, ["run", "--var", str(file.parent)])
    assert started.exit_code == 1
    [said] = started.output.splitlines()
    assert said.startswith(f"{file} cannot be read: ")
    assert said.endswith("Put the last copy back: hilo restore FOLDER --service scoring")


def test_files_that_can_be_read_and_those_that_are_not_there_yet_are_well(file: Path) -> None:
    file.with_name("identity.db").touch()
    assert spoilt_files(file.parent) == {}


def test_a_file_that_another_program_holds_is_not_spoilt(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode=WAL")
        holder.execute("BEGIN EXCLUSIVE")
        assert spoilt_files(file.parent) == {}
