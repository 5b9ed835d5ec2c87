"""What only an operator can mend is told in a line, without a secret; what is ours keeps its traceback."""

from pathlib import Path
from socket import gaierror

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from common.company import Company
from common.db import Database
from common.mishaps import told_in_a_line, words_for
from common.settings import Settings

SECRET = "do-not-tell-this-word"


class DriverError(Exception):
    def __init__(self, words: str, sqlstate: str) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


def start() -> None:
    Database.connect(Settings().database_url)
    Company.load(Settings().company_file)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"HILO_PORT": "abc"}, "HILO_PORT: Input should be a valid integer, unable to parse string as an integer"),
        (
            {"HILO_ENVIRONMENT": "production", "HILO_SECRET": SECRET},
            "HILO_SECRET must be set to at least 32 characters of your own outside development",
        ),
        (
            {"HILO_CORS_ORIGINS": SECRET},
            'HILO_CORS_ORIGINS: a list is written as JSON, such as ["one", "two"]',
        ),
        ({"HILO_DATABASE_URL": SECRET}, "HILO_DATABASE_URL cannot be read as a URL"),
        (
            {"HILO_COMPANY_FILE": "/nowhere.toml"},
            "HILO_COMPANY_FILE cannot be used: /nowhere.toml: [Errno 2] No such file or directory: '/nowhere.toml'",
        ),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Exception) as error:  # noqa: PT011 - whichever it is, it is looked at
        start()
    assert words_for(error.value) == words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "The database does not answer: [Errno 111] refused"),
        (TimeoutError(), "The database does not answer: TimeoutError"),
        (
            gaierror(-2, "Name or service not known"),
            "The database does not answer: [Errno -2] Name or service not known",
        ),
        (FileNotFoundError(2, "No such file", "/weights"), "[Errno 2] No such file: '/weights'"),
        (
            DBAPIError("", {}, DriverError("password refused", "28P01")),
            "The database does not let us in: password refused",
        ),
        (OperationalError("", {}, DriverError("starting up", "57P03")), "The database does not let us in: starting up"),
        (DBAPIError("", {}, DriverError("deadlock", "40P01")), "The database broke it off, give it again: deadlock"),
    ],
)
def test_who_does_not_answer_is_named_and_the_process_ends_with_a_line(error: Exception, words: str) -> None:
    for each in (error, ExceptionGroup("two parts of a worker", [error, error])):
        with pytest.raises(SystemExit) as end, told_in_a_line():
            raise each
        assert end.value.code == words


async def test_a_spoilt_file_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "spoilt.db").write_text("no database at all, but long enough to be one" * 100)
    database = Database.connect(f"sqlite+aiosqlite:///{tmp_path / 'spoilt.db'}")
    with pytest.raises(DBAPIError) as error:
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT * FROM outbox"))
    await database.dispose()
    assert words_for(error.value) == "The database's file is spoilt, put the last copy back: file is not a database"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    class Body(BaseModel):
        one: int

    with pytest.raises(ValidationError) as invalid:
        Body.model_validate({})
    ours = [
        RuntimeError("ours"),
        ProgrammingError("", {}, DriverError("no such column", "42703")),
        invalid.value,
        ExceptionGroup("mixed", [ConnectionRefusedError(), RuntimeError("ours")]),
    ]
    for error in ours:
        with pytest.raises(type(error)), told_in_a_line():
            raise error
