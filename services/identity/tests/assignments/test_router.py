"""Who looks after a customer: hand-over notes, history, and who may not be a nanny."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from identity.assignments.models import assignment

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
    refused(await client.put(path, json=following | {"handover_note": "  "}), 422, "handover-note-missing")
    refused(await client.put(path, json={"role": "account_owner", "staff_id": None}), 422, "handover-note-missing")
    assert (await client.put(path, json=OWNER)).status_code == 200  # the same one needs none
    identity.clock.advance(timedelta(seconds=1))
    told = await client.put(path, json=following | {"handover_note": "Mornings only"})
    assert [(p["name"], p["handover_note"]) for p in told.json()["items"]] == [("Juan Rey", "Mornings only")]
    first = (await client.get(f"{path}/history", params={"limit": 2, "role": "account_owner"})).json()
    rest = (await client.get(f"{path}/history", params={"cursor": first["next"]})).json()
    assert [each["staff_id"] for each in first["items"] + rest["items"]] == ["s-2", "s-1", "s-1"]
    assert (await client.get(f"{path}/history", params={"role": "nanny"})).json()["items"] == []


async def test_the_resume_is_told_the_note_and_who_had_the_role_before(
    identity: Identity, client: httpx.AsyncClient, path: str
) -> None:
    await client.put(path, json=OWNER)
    identity.clock.advance(timedelta(days=1))
    following = {"role": "owner", "staff_id": "s-2", "name": "Juan Rey", "handover_note": "Mornings only"}
    taken_over = (await client.put(path, json=following)).json()["items"][0]["since"]
    identity.clock.advance(timedelta(days=1))
    await client.put(path, json={"role": "owner", "staff_id": "s-2", "name": "Juan Rey Gil"})  # his name was wrong
    [owner] = (await identity.told("customer-profiled"))[-1]["people"]
    assert owner == {
        "role": "account_owner", "staff_id": "s-2", "name": "Juan Rey Gil", "since": taken_over,
        "handover_note": "Mornings only", "previous": {"staff_id": "s-1", "name": "Marta Gil"},
    }  # fmt: skip


async def test_whom_one_of_ours_looks_after_is_listed_until_it_is_handed_over(
    identity: Identity, client: httpx.AsyncClient, path: str
) -> None:
    async def his(staff_id: str) -> list[tuple[str, list[str]]]:
        page: dict[str, Any] = {"next": None}
        found = []
        for _ in range(9):
            cursor = {"cursor": page["next"]} if page["next"] else {}
            page = (await client.get(f"/identity/v1/staff/{staff_id}/customers", params={"limit": 1, **cursor})).json()
            found += [(each["display_name"], each["roles"]) for each in page["items"]]
            if page["next"] is None:
                break
        return found

    made = await client.post(Customers, json={"profile": {"full_name": "Luis Mora"}})
    luis = f"{Customers}/{made.json()['customer_id']}/assignments"
    for each in (path, luis):
        await client.put(each, json=OWNER)
    await client.put(luis, json=OWNER | {"role": "nanny"})
    assert await his("s-1") == [("Ana López", ["account_owner"]), ("Luis Mora", ["account_owner", "nanny"])]
    identity.clock.advance(timedelta(seconds=1))
    await client.put(path, json=OWNER | {"staff_id": "s-2", "handover_note": "Mornings only"})
    assert (await his("s-1"), await his("s-2")) == (
        [("Luis Mora", ["account_owner", "nanny"])], [("Ana López", ["account_owner"])],
    )  # fmt: skip
    assert await his("s-99") == []


async def test_a_nanny_is_none_of_those_who_sell(client: httpx.AsyncClient, path: str) -> None:
    await enter(client, "s-3", is_sales=True)
    refused(await client.put(path, json={"role": "nanny", "staff_id": "s-3"}), 422, "nanny-sells")
    assert (await client.put(path, json=OWNER | {"staff_id": "s-3"})).status_code == 200
    assert (await client.put(path, json={"role": "nanny", "staff_id": "s-4", "name": "Rosa"})).status_code == 200


async def test_a_role_is_one_of_the_companys_by_code_or_by_another_word_for_it(
    client: httpx.AsyncClient, path: str
) -> None:
    assert (await client.put(path, json=OWNER | {"role": "Owner"})).json()["items"][0]["role"] == "account_owner"
    told = await client.put(path, json={"role": "niñera", "staff_id": "s-2", "name": "Juan Rey"})
    assert [each["role"] for each in told.json()["items"]] == ["account_owner", "nanny"]
    assert len((await client.get(f"{path}/history", params={"role": "niñera"})).json()["items"]) == 1
    answer = await client.put(path, json=OWNER | {"role": "acount_owner"})
    refused(answer, 422, "unknown-role")
    assert answer.json()["errors"][0]["pointer"] == "/role"


async def test_a_role_that_is_no_longer_the_companys_can_be_ended(
    identity: Identity, client: httpx.AsyncClient, path: str
) -> None:
    await client.put(path, json=OWNER | {"role": "team"})
    async with identity.uow() as uow:
        await uow.session.execute(sa.update(assignment).values(role="godfather"))
        await uow.commit()
    told = await client.put(path, json={"role": "godfather", "staff_id": None})
    assert (told.status_code, told.json()["items"]) == (200, [])


@pytest.mark.parametrize("since", [1763650000, "1763650000", "20261120", "2126-11-20T15:04:05Z"])
async def test_a_role_begins_at_a_moment_that_has_been(client: httpx.AsyncClient, path: str, since: Any) -> None:
    answer = await client.put(path, json=OWNER | {"since": since})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/since"), answer.text


async def test_who_has_left_gets_no_role_and_who_is_known_needs_no_name(client: httpx.AsyncClient, path: str) -> None:
    await enter(client, "s-5", active=False)
    refused(await client.put(path, json={"role": "nanny", "staff_id": "s-5"}), 422, "staff-has-left")
    await enter(client, "s-6")
    told = await client.put(path, json={"role": "nanny", "staff_id": "s-6"})
    assert [p["name"] for p in told.json()["items"]] == ["Juan Rey"]


async def test_whoever_leaves_hands_over_all_his_customers_with_one_note(
    identity: Identity, client: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("identity.assignments.use_cases.AT_ONCE", 1)
    monkeypatch.setattr("identity.assignments.use_cases.MOST_HANDED_OVER", 2)
    made = await client.post(Customers, json={"profile": {"full_name": "Luis Mora"}})
    luis = f"{Customers}/{made.json()['customer_id']}/assignments"
    for each in (path, luis):
        await client.put(each, json=OWNER)
    await client.put(luis, json=OWNER | {"role": "nanny"})
    await client.put(path, json={"role": "team", "staff_id": "s-9", "name": "Rosa"})  # somebody else's stays hers
    await enter(client, "s-3", is_sales=True)
    identity.clock.advance(timedelta(days=1))
    over = {"to": "s-3", "handover_note": "Her notes are in the folder"}
    told = (await client.post("/identity/v1/staff/s-1:hand-over", json=over)).json()
    [kept] = told["kept"]
    assert (told["handed_over"], told["more"], kept["role"], kept["code"]) == (2, True, "nanny", "nanny-sells")
    [of_ana, of_luis] = [(await client.get(each)).json()["items"] for each in (path, luis)]
    assert [(p["role"], p["staff_id"], p["name"]) for p in of_ana] == [
        ("account_owner", "s-3", "Juan Rey"), ("team", "s-9", "Rosa"),
    ]  # fmt: skip
    assert [(p["role"], p["staff_id"]) for p in of_luis] == [("account_owner", "s-3"), ("nanny", "s-1")]
    assert of_ana[0]["handover_note"] == "Her notes are in the folder"
    [owner, _] = (await identity.told("customer-profiled"))[-2]["people"]
    assert (owner["staff_id"], owner["previous"]["staff_id"]) == ("s-3", "s-1")
    again = (await client.post("/identity/v1/staff/s-1:hand-over", json=over | {"to": "s-4", "name": "Ida"})).json()
    assert again == {"handed_over": 1, "kept": [], "more": False}, "what was kept, to somebody who may have it"
    assert (await client.get("/identity/v1/staff/s-1/customers")).json()["items"] == []


async def test_nobody_hands_over_to_himself_or_to_who_has_left_or_without_a_note(client: httpx.AsyncClient) -> None:
    await enter(client, "s-5", active=False)
    over: dict[str, Any] = {"to": "s-5", "handover_note": "All of them"}
    path = "/identity/v1/staff/s-1:hand-over"
    refused(await client.post(path, json=over), 422, "staff-has-left")
    refused(await client.post(path, json=over | {"to": "s-1"}), 422, "hand-over-to-himself")
    answer = await client.post(path, json={"to": "s-2"})
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/handover_note"]
    answer = await client.post(path, json={"to": "s-2", "handover_note": "  "})
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/handover_note"]
