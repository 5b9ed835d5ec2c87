"""Whether a service is alive, and whether it is ready to be sent work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from common.db import Database

# Gives words on the state of a part; raises when the service should get no work because of it.
Check = Callable[[], Awaitable[str]]
PATIENCE_SECONDS = 2.0

log = structlog.get_logger()


class NotReady(Exception):  # noqa: N818 - a verdict of a check
    """The part works but the service should get no work yet; the message says why, in codes and numbers only."""


class Alive(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    """`checks` says of each part `ok`, figures, or why not."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ready", "checks": {"database": "ok"}}})

    status: Literal["ready", "not-ready"]
    checks: dict[str, str]


class Readings:
    """The checks of one service, asked all at once, each with a limit of time."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def read(self) -> Readiness:
        verdicts = await asyncio.gather(*(_verdict(name, check) for name, check in self._checks.items()))
        checks = {name: words for name, (_, words) in zip(self._checks, verdicts, strict=True)}
        return Readiness(status="ready" if all(ok for ok, _ in verdicts) else "not-ready", checks=checks)


async def _verdict(name: str, check: Check) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return True, await check()
    except NotReady as verdict:
        return False, str(verdict)
    except TimeoutError:
        return False, "no answer in time"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, the answer is "not ready"
        log.warning("check_failed", check=name, error=type(error).__name__)
        return False, type(error).__name__


def database_answers(database: Database) -> Check:
    """A check that asks the database the smallest question."""

    async def check() -> str:
        async with database.session(reading=True) as session:
            await session.execute(text("SELECT 1"))
        return "ok"

    return check
