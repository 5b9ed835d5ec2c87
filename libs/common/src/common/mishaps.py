"""What only an operator can mend, said in a line: settings that cannot be read, a database or a broker that lets nobody in."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import gaierror

from aiokafka.errors import KafkaConnectionError
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ArgumentError, DBAPIError

from common.company import UnusableCompanyFile
from common.db import is_transient
from common.settings import UnusableSetting

_NOT_LET_IN = ("28", "3D000", "53300", "57P03")  # SQLSTATE: password or role, no such database, too many, starting up

_SPOILT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """Ends the process with 1 and a line where the error is of this kind. Any other is ours, and keeps its traceback."""
    try:
        yield
    except Exception as error:
        words = {words_for(each) for each in _singly(error)}
        if None in words:
            raise
        sys.exit("; ".join(sorted(str(each) for each in words)))


def words_for(error: BaseException) -> str | None:
    """In a line what is to be mended, without any secret; None where it is nothing that an operator could mend."""
    return _of_settings(error) or _of_parts(error)


def _of_settings(error: BaseException) -> str | None:
    match error:
        case ValidationError() if error.title.endswith("Settings"):
            return "; ".join(_setting(each["loc"], each["msg"]) for each in error.errors())
        case SettingsError():
            return f'HILO_{_named_in(error).upper()}: a list is written as JSON, such as ["one", "two"]'
        case ArgumentError():
            return "HILO_DATABASE_URL cannot be read as a URL"
        case UnusableCompanyFile():
            return f"HILO_COMPANY_FILE cannot be used: {error}"
        case UnusableSetting():
            return str(error)
    return None


def _of_parts(error: BaseException) -> str | None:
    words = None
    match error:
        case KafkaConnectionError():
            words = f"The broker of HILO_KAFKA_BOOTSTRAP does not answer: {error}"
        case DBAPIError() if _state(error).startswith(_NOT_LET_IN):
            words = f"The database does not let us in: {error.orig}"
        case DBAPIError() if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _SPOILT:
            words = f"The database's file is spoilt, put the last copy back: {error.orig}"
        case DBAPIError() if is_transient(error):
            words = f"The database broke it off, give it again: {error.orig}"
        case ConnectionError() | TimeoutError() | gaierror():
            words = f"The database does not answer: {str(error) or type(error).__name__}"
        case OSError():
            words = str(error)  # names the file
    return words


def _setting(place: Sequence[str | int], message: str) -> str:
    said = message.removeprefix("Value error, ")
    return f"HILO_{str(place[0]).upper()}: {said}" if place else said


def _named_in(error: SettingsError) -> str:
    """The field whose text is no JSON: pydantic-settings tells it in its words alone."""
    return str(error).partition('"')[2].partition('"')[0]


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _singly(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _singly(each)
    else:
        yield error
