"""Who looks after a customer: hand-over notes, history, and who may not be a nanny."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from ..conftest import Identity  # noqa: TID252

Customers = "/identity/v1/customers"
OWNER = {"role": "account_owner", "staff_id": "s-1", "name": "Marta Gil"}


@pytest.fixture
async def path(client: httpx.AsyncClient) -> str:
    made = await client.post(Customers, json={"profile": {"full_name": "Ana López"}})
    return f"{Customers}/{made.json()['customer_id']}/assignments"


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def enter(client: httpx.AsyncClient, staff_id: str, **more: Any) -> None:
    body = {"name": "Juan Rey"} | more
    answer = await client.put(f"/identity/v1/staff/{staff_id}", json=body, headers={"If-Match": '"0"'})
    assert answer.status_code == 200, answer.text


async def test_an_owner_is_followed_with_a_note_and_stays_in_the_history(
    identity: Identity, client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.put(path, json=OWNER)).status_code == 200
    identity.clock.advance(timedelta(seconds=1))
    following = OWNER | {"staff_id": "s-2", "name": "Juan Rey"}
    refused(await client.put(path, json=following), 422, "handover-note-missing")
    refused(await client.put(path, json={"role": "account_owner", "staff_id": None}), 422, "handover-note-missing")
    assert (await client.put(path, json=OWNER)).status_code == 200  # the same one needs none
    identity.clock.advance(timedelta(seconds=1))
    told = await client.put(path, json=following | {"handover_note": "Mornings only"})
    assert [(p["name"], p["handover_note"]) for p in told.json()["items"]] == [("Juan Rey", "Mornings only")]
    first = (await client.get(f"{path}/history", params={"limit": 2, "role": "account_owner"})).json()
    rest = (await client.get(f"{path}/history", params={"cursor": first["next"]})).json()
    assert [each["staff_id"] for each in first["items"] + rest["items"]] == ["s-2", "s-1", "s-1"]
    assert (await client.get(f"{path}/history", params={"role": "nanny"})).json()["items"] == []


async def test_a_nanny_is_none_of_those_who_sell(client: httpx.AsyncClient, path: str) -> None:
    await enter(client, "s-3", is_sales=True)
    refused(await client.put(path, json={"role": "nanny", "staff_id": "s-3"}), 422, "nanny-sells")
    assert (await client.put(path, json=OWNER | {"staff_id": "s-3"})).status_code == 200
    assert (await client.put(path, json={"role": "nanny", "staff_id": "s-4", "name": "Rosa"})).status_code == 200


async def test_who_has_left_gets_no_role_and_who_is_known_needs_no_name(client: httpx.AsyncClient, path: str) -> None:
    await enter(client, "s-5", active=False)
    refused(await client.put(path, json={"role": "nanny", "staff_id": "s-5"}), 422, "staff-has-left")
    await enter(client, "s-6")
    told = await client.put(path, json={"role": "nanny", "staff_id": "s-6"})
    assert [p["name"] for p in told.json()["items"]] == ["Juan Rey"]
