"""What channels know of people can be told anew."""

import json
from typing import Any
from uuid import UUID

from common.db import outbox_table
from common.service import Runtime
from interactions.corrections.use_cases import retract
from interactions.republish import republish_people


async def told(world: Any) -> list[dict[str, Any]]:
    rows = await world.rows(outbox_table)
    return [json.loads(row["payload"])["data"] for row in rows if row["type"] == "interactions.person-seen"]


async def test_what_was_told_of_a_person_is_told_again_as_it_was(world: Any) -> None:
    await world.record(identifiers=["phone:3001234567"], profile={"full_name": "Ana López"})
    await world.record(
        identifiers=["email:ana@example.com", "phone:3001234567"], facts=[{"key": "best_hour", "value": "18:00"}]
    )
    await world.record(identifiers=[])
    first = await told(world)
    assert await republish_people(runtime_of(world)) == 2
    assert await told(world) == first * 2


async def test_what_was_retracted_is_not_told_again(world: Any) -> None:
    answer = await world.record(identifiers=["phone:3001234567"])
    await retract(UUID(answer["touchpoint_id"]), reason="a test", by="ana", desk=world.desk)
    assert await republish_people(runtime_of(world)) == 0


def runtime_of(world: Any) -> Runtime:
    return Runtime(world.settings, world.database, world.company, world.clock)
