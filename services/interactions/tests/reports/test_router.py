"""Whose bond is with one employee rather than with the company."""

from datetime import timedelta
from typing import Any

import pytest

REPORT = "/interactions/v1/reports/single-person-dependency"
MARTA = {"kind": "staff", "id": "s-17", "name": "Marta Gil"}
OTHER = {"kind": "staff", "id": "s-18", "name": "Luis Ruiz"}


async def contacts(world: Any, phone: str, *actors: dict[str, str] | None, **said: Any) -> Any:
    for actor in actors:
        await world.record(
            identifiers=[phone], channel="call", kind="call", **({"actor": actor} if actor else {}), **said
        )
    return await world.link(phone)


async def dependent(world: Any, query: str = "") -> dict[str, tuple[str, int, int]]:
    async with world.client() as client:
        answer = await client.get(f"{REPORT}?{query}")
    assert answer.status_code == 200, answer.text
    return {
        each["customer_id"]: (each["staff_id"], each["contacts_with_him"], each["contacts"])
        for each in answer.json()["items"]
    }


async def test_who_speaks_with_one_employee_only_is_found(world):
    bound = await contacts(world, "phone:3001110001", *[MARTA] * 5)
    await contacts(world, "phone:3001110002", *[MARTA] * 4, OTHER)  # four of five are not more than four fifths
    await contacts(world, "phone:3001110003", *[MARTA] * 4)  # too few to say anything
    await contacts(world, "phone:3001110004", *[MARTA] * 5, None, {"kind": "system", "id": "bot"})
    other = await contacts(world, "phone:3001110005", *[OTHER] * 9, MARTA)
    assert await dependent(world) == {str(bound): ("s-17", 5, 5), str(other): ("s-18", 9, 10)}
    assert set(await dependent(world, "staff_id=s-18")) == {str(other)}
    assert set(await dependent(world, "above=0.9")) == {str(bound)}
    assert len(await dependent(world, "fewest=4")) == 3


async def test_what_is_no_contact_or_old_or_taken_back_does_not_count(world):
    phone = "phone:3001110001"
    bound = await contacts(world, phone, *[MARTA] * 5)
    await contacts(world, phone, *[OTHER] * 3, direction="internal")
    await contacts(world, phone, *[OTHER] * 3, ago=timedelta(days=400))
    await world.record(identifiers=[phone], kind="note", channel="call", actor=OTHER)
    taken_back = await world.record(identifiers=[phone], kind="call", channel="call", actor=OTHER)
    await world.record(identifiers=[phone], kind="call", channel="call", actor=OTHER)
    async with world.client() as client:
        path = f"/interactions/v1/touchpoints/{taken_back['touchpoint_id']}:retract"
        assert (await client.post(path, json={"reason": "a test"})).status_code == 200
    assert await dependent(world) == {str(bound): ("s-17", 5, 6)}
    assert await dependent(world, "days=500") == {}


async def test_it_is_read_page_by_page(world):
    bound = {str(await contacts(world, f"phone:300111000{n}", *[MARTA] * 5)) for n in range(5)}
    found: list[str] = []
    cursor = ""
    async with world.client() as client:
        while True:
            page = (await client.get(f"{REPORT}?limit=2{cursor}")).json()
            found += [each["customer_id"] for each in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
    assert (set(found), found) == (bound, sorted(found))


@pytest.mark.parametrize("subject", ["customer:0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10", "partner:acme"])
async def test_it_is_for_staff(world, subject):
    async with world.client(hilo_subject=subject) as client:
        answer = await client.get(REPORT)
    assert (answer.status_code, answer.json()["code"]) == (403, "view-forbidden")
