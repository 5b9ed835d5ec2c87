"""What is written down after the answer has left is not lost while the database is away."""

from typing import Any
from uuid import uuid4

import pytest

from interactions.contact.models import contact_decision
from interactions.journal import Journal


def decision(world: Any) -> dict[str, Any]:
    return {
        "decision_id": uuid4(), "customer_id": uuid4(), "channel": "email", "purpose": "service", "allowed": True,
        "reasons": [], "at": world.clock(), "asked_by": "somebody",
    }  # fmt: skip


async def test_what_waits_is_written_when_the_process_ends(world):
    journal = Journal(world.database)
    for _ in range(3):
        journal.note(contact_decision, decision(world))
    await journal.close()
    assert len(await world.rows(contact_decision)) == 3


class Away(Journal):
    """A journal whose database is away for the first two tries."""

    tries = 0

    async def _write(self, batch: Any) -> None:
        self.tries += 1
        if self.tries < 3:
            raise ConnectionError
        await super()._write(batch)


async def test_rows_stay_while_the_database_is_away_and_are_written_once(world):
    journal = Away(world.database)
    journal.note(contact_decision, decision(world))
    with pytest.raises(ConnectionError):
        await journal.flush()
    await journal.close()
    await journal.flush()
    assert len(await world.rows(contact_decision)) == 1
