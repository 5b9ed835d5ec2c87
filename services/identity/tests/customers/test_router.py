"""Customers whom staff enters: what is refused names its field, and who may be the same is told."""

from typing import Any

import httpx
import pytest

from ..conftest import Identity, seen  # noqa: TID252

Customers = "/identity/v1/customers"
ANA = "Ana María López Ruiz"


async def entered(client: httpx.AsyncClient, name: str, *identifiers: str, **more: Any) -> dict[str, Any]:
    body = {"profile": {"full_name": name}, "identifiers": identifiers}
    answer = await client.post(Customers, json=body, **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize("body", [{}, {"kind": "person"}, {"profile": {}, "identifiers": []}])
async def test_of_nobody_there_is_nothing_to_enter(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert told(await client.post(Customers, json=body)) == [("/profile", "nothing-to-enter")]


@pytest.mark.parametrize("nothing", ["  ", "\0", "Ana\0"])
async def test_a_value_that_says_nothing_or_cannot_be_kept_is_named(client: httpx.AsyncClient, nothing: str) -> None:
    nameless = await client.post(Customers, json={"profile": {"full_name": nothing}})
    assert told(nameless) == [("/profile/full_name", "string-pattern-mismatch")]
    groundless = await client.post(Customers, json={"profile": {"full_name": "Ana\nLópez"}, "reason": nothing})
    assert told(groundless) == [("/reason", "string-pattern-mismatch")]


async def test_an_identifier_that_cannot_be_read_is_named(client: httpx.AsyncClient) -> None:
    body = {"profile": {"full_name": ANA}, "identifiers": ["phone:300 123 4567", "document:co-nit:800.197.268-3"]}
    assert told(await client.post(Customers, json=body)) == [("/identifiers/1", "wrong-check-digit")]
    ana = (await entered(client, ANA))["customer_id"]
    link = {"identifier": "phone:12", "reason": "he said so"}
    assert told(await client.post(f"{Customers}/{ana}/identifiers", json=link)) == [("/identifier", "not-a-phone")]
    assert told(await client.get(Customers, params={"identifier": "phone:12"})) == [("/identifier", "not-a-phone")]


async def test_who_may_have_been_entered_before_is_told(client: httpx.AsyncClient) -> None:
    first = await entered(client, ANA, "phone:300 123 4567")
    assert first["alike"] == []
    again = await entered(client, "ANA LOPEZ", "whatsapp:573001234567", headers={"Idempotency-Key": "k-1"})
    assert again["alike"] == [first["customer_id"]] != [again["customer_id"]]
    assert await entered(client, "ANA LOPEZ", "whatsapp:573001234567", headers={"Idempotency-Key": "k-1"}) == again


async def test_whether_who_was_entered_twice_is_one_is_asked_and_the_answer_merges_the_two(
    client: httpx.AsyncClient,
) -> None:
    first = await entered(client, ANA, "phone:300 123 4567", "document:co-cc:52123456")
    again = await entered(client, "ANA LOPEZ", "whatsapp:573001234567")
    [asked] = (await client.get("/identity/v1/reviews")).json()["items"]
    assert {asked[side]["customer_id"] for side in ("left", "right")} == {first["customer_id"], again["customer_id"]}
    assert (asked["explanation"]["shares"], asked["explanation"]["reasons"]) == ("phone", ["entered-again"])
    assert asked["explanation"]["words"] != asked["explanation"]["reasons"]
    decided = await client.post(
        f"/identity/v1/reviews/{asked['review_id']}:decide", json={"verdict": "same", "reason": "his card"}
    )
    assert decided.json()["state"] == "same"
    found = (await client.get(Customers, params={"identifier": "phone:3001234567"})).json()["items"]
    assert [each["customer_id"] for each in found] == [first["customer_id"]]


@pytest.mark.parametrize("name", ["Luis Pérez Gil", "Ana", "Ana López Gómez"])
async def test_relatives_on_one_phone_are_not_taken_for_one(client: httpx.AsyncClient, name: str) -> None:
    await entered(client, ANA, "phone:300 123 4567")
    assert (await entered(client, name, "phone:300 123 4567"))["alike"] == []


async def test_when_he_was_seen_last_is_told_of_his_contacts_not_of_our_own_writing(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen("phone:3001234567", name=ANA)
    await identity.happen(person)
    wish = {"do_not_contact": True}
    answer = await client.put(f"{Customers}/{await identity.owner(person)}/preferences", json=wish)
    assert answer.status_code == 200
    await entered(client, "Luis Mora")
    found = [(await client.get(Customers, params={"q": q})).json()["items"][0]["last_seen"] for q in ("ana", "luis")]
    assert found == ["2026-11-20T20:00:00Z", None]
