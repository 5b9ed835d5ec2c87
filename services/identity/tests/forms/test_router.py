"""A form is filled in with what is on record; only what is not is asked."""

from datetime import timedelta
from typing import Any

import httpx

from ..conftest import ClientWith, Identity, seen  # noqa: TID252

ANA = "Ana María López Ruiz"
Customers = "/identity/v1/customers"


async def fields(client: httpx.AsyncClient, customer: Any, form: str) -> dict[str, tuple[str, Any]]:
    answer = await client.get(f"{Customers}/{customer}/prefill?form={form}")
    assert answer.status_code == 200, answer.text
    return {field["key"]: (field["state"], field["value"]) for field in answer.json()["fields"]}


async def test_what_any_channel_told_is_not_asked_again(identity: Identity, client: httpx.AsyncClient) -> None:
    called = seen(
        "phone:3001234567", "email:ana@example.com", name=ANA, profile={"city": "Cali", "birth_date": "1984-03-19"},
        facts=[{"key": "best_hour", "value": "after 18:00"}],
    )  # fmt: skip
    await identity.happen(called)
    ana = await identity.owner(called)
    assert await fields(client, ana, "registration") == {
        "full_name": ("known", ANA), "document": ("ask", None), "phone": ("known", "+573001234567"),
        "email_address": ("known", "ana@example.com"), "birthday": ("known", "1984-03-19"), "city": ("known", "Cali"),
        "preferred_channel": ("ask", None), "best_hour": ("known", "after 18:00"),
    }  # fmt: skip
    told = (await client.get(f"{Customers}/{ana}/prefill?form=registration")).json()
    assert (told["form"], told["label"]) == ("registration", "Registro de cliente")
    assert {field["source"] for field in told["fields"] if field["state"] == "known"} == {"shop"}
    assert all(field["as_of"] for field in told["fields"] if field["state"] == "known")
    identity.clock.advance(timedelta(days=400))
    assert (await fields(client, ana, "registration"))["best_hour"] == ("confirm", "after 18:00")


async def test_of_two_answers_the_later_is_filled_in_and_a_fresh_one_before_a_stale_one(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    mailed = seen("email:old@example.com", name=ANA)
    await identity.happen(mailed)
    ana = await identity.owner(mailed)
    identity.clock.advance(timedelta(days=1))
    said = {"key": "email_address", "value": "new@example.com"}
    assert (await client.post(f"{Customers}/{ana}/facts", json=said)).status_code == 201
    assert (await fields(client, ana, "petition"))["email_address"] == ("known", "new@example.com")
    identity.clock.advance(timedelta(days=800))
    assert (await fields(client, ana, "petition"))["email_address"] == ("known", "old@example.com")


async def test_a_phone_of_his_own_comes_before_a_shared_one(identity: Identity, client: httpx.AsyncClient) -> None:
    shop = [
        seen("phone:3110000001", f"document:co-cc:5212345{n}", name=f"Cliente Numero{n}", attests=("document",))
        for n in range(6)
    ]
    await identity.happen(*shop)
    await identity.happen(seen("document:co-cc:52123450", "phone:3001234567", attests=("document",)))
    identity.clock.advance(timedelta(days=1))
    await identity.happen(
        seen("document:co-cc:52123450", "phone:3110000001", attests=("document",), at=identity.clock())
    )
    assert (await fields(client, await identity.owner(shop[0]), "delivery"))["phone"] == ("known", "+573001234567")


async def test_the_customer_himself_has_what_is_proved_to_be_his_and_public(
    identity: Identity, client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    his = seen("email:ana@example.com", name=ANA, facts=[{"key": "best_hour", "value": "noon"}], attests=("email",))
    await identity.happen(his)
    await identity.happen(seen("account:shop:1", "email:ana@example.com", profile={"city": "Cali"}))
    ana = await identity.owner(his)
    assert (await fields(client, ana, "registration"))["city"] == ("known", "Cali")
    async with client_with("customers:read", subject=f"customer:{ana}") as self_service:
        told = await fields(self_service, ana, "registration")
    assert {key: value for key, (state, value) in told.items() if state == "known"} == {
        "full_name": ANA, "email_address": "ana@example.com", "best_hour": "noon",
    }  # fmt: skip


async def test_a_form_that_is_not_there_and_a_customer_whose_data_rest(client: httpx.AsyncClient) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": ANA}})).json()
    path = f"{Customers}/{made['customer_id']}"
    answer = await client.get(f"{path}/prefill?form=moon")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-form")
    assert "registration" in answer.json()["detail"]
    assert (await client.post(f"{path}:restrict", json={"reason": "He contests it"})).status_code < 300
    answer = await client.get(f"{path}/prefill?form=registration")
    assert (answer.status_code, answer.json()["code"]) == (409, "use-restricted")
