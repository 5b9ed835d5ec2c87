"""Commands on the files of a running system: they wait their turn, where a caller would be told to come again."""

from pathlib import Path

import pytest
from sqlalchemy import text

from common.db import PATIENCE_SECONDS
from hilo.again import _ground, republish_embedded
from hilo.embedded import embedded_app


async def test_a_command_waits_much_longer_for_a_file_that_is_held_than_a_caller_does(tmp_path: Path) -> None:
    async with embedded_app(tmp_path)._lifespan(None):  # type: ignore[arg-type]
        pass  # its databases are made
    async with _ground(tmp_path, "scoring") as scoring:
        for runtime in scoring.runtimes.values():
            async with runtime.database.session(reading=True) as session:
                assert await session.scalar(text("PRAGMA busy_timeout")) >= 10 * PATIENCE_SECONDS * 1000


async def test_a_service_of_the_embedded_stack_tells_its_state_anew(tmp_path: Path) -> None:
    async with embedded_app(tmp_path)._lifespan(None):  # type: ignore[arg-type]
        pass
    assert await republish_embedded(tmp_path, "identity", "links") == 0
    with pytest.raises(LookupError, match="identity tells no values anew: access, contact, customers, links, profiles"):
        await republish_embedded(tmp_path, "identity", "values")
    with pytest.raises(LookupError, match="holds no data of scoring"):
        await republish_embedded(tmp_path / "elsewhere", "scoring", "values")
