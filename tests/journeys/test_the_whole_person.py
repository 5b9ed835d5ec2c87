"""An organisation's people stand in the resume of whoever calls for it, follow a merge, and are there again after its undo."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from .worlds import World, a_world


@pytest.fixture
async def world(tmp_path: Path, make_database: Any) -> AsyncIterator[World]:
    async with a_world(tmp_path / "world", make=make_database) as found:
        yield found


async def people(world: World, customer_id: str, **how: Any) -> list[tuple[str, str | None]]:
    await world.settle()
    packet = await world.get("/interactions/v1/resume", identifier=f"customer:{customer_id}", **how)
    return [(each["role"], each["name"]) for each in packet["people"]]


async def entered(world: World, name: str, *, kind: str = "person") -> str:
    made = await world.post("/identity/v1/customers", {"kind": kind, "profile": {"full_name": name}})
    return str(made["customer_id"])


async def test_whoever_calls_for_an_organisation_meets_its_people_in_the_resume(world):
    acme, twin = [await entered(world, name, kind="organisation") for name in ("Acme S.A.S.", "Acme Ltda.")]
    for firm, name in ((acme, "Carlos Peña"), (twin, "Rosa Díaz")):
        body = {"full_name": name, "function": "systems", "decision_role": "decider"}
        await world.post(f"/identity/v1/customers/{firm}/contacts", body)
    assert await people(world, acme) == [("contact", "Carlos Peña")]
    assert await people(world, acme, view="customer") == []

    merge = await world.post(
        "/identity/v1/merges", {"survivor": acme, "absorbed": twin, "reason": "one firm", "force": True}
    )
    assert {name for _, name in await people(world, twin)} == {"Carlos Peña", "Rosa Díaz"}
    await world.post(f"/identity/v1/merges/{merge['merge_id']}:undo", {"reason": "two firms"})
    assert await people(world, acme) == [("contact", "Carlos Peña")]
    assert await people(world, twin) == [("contact", "Rosa Díaz")]
