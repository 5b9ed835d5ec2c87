"""The timeline as callers get it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from common.pagination import encode_cursor
from interactions.touchpoints.domain import Speaker

PHONE = "phone:300 123 4567"


def url(customer):
    return f"/interactions/v1/customers/{customer}/timeline"


async def page(world, customer, claims=None, **params):
    async with world.client(**(claims or {})) as client:
        answer = await client.get(url(customer), params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


def told(answer):
    return [item["summary"] for item in answer["items"]]


async def test_pages_go_through_everything_newest_first_and_skip_nothing(world):
    for number in range(7):
        await world.record(identifiers=[PHONE], summary=f"n{number}", ago=timedelta(hours=number // 2))
    await world.record(identifiers=["email:ana@example.com"], channel="email", summary="by mail", ago=timedelta(days=1))
    customer = await world.link(PHONE, "email:ana@example.com")
    seen, cursor = [], None
    while True:
        answer = await page(world, customer, limit=3, **({"cursor": cursor} if cursor else {}))
        seen += told(answer)
        cursor = answer["next"]
        if cursor is None:
            break
    assert sorted(seen) == ["by mail", *(f"n{number}" for number in range(7))]
    assert seen[-1] == "by mail"
    assert seen[:2] in (["n1", "n0"], ["n0", "n1"])


async def test_it_can_be_narrowed_by_kind_channel_topic_and_time(world):
    await world.record(identifiers=[PHONE], summary="chat", topic="factura", ago=timedelta(hours=3))
    await world.record(identifiers=[PHONE], summary="call", kind="call", channel="call", ago=timedelta(hours=2))
    await world.record(
        identifiers=[PHONE], summary="bought", kind="purchase", channel="shop", payload={"amount": "5.00"}
    )
    customer = await world.link(PHONE)
    assert told(await page(world, customer, kind=["call", "purchase"])) == ["bought", "call"]
    assert told(await page(world, customer, channel="whatsapp")) == ["chat"]
    assert told(await page(world, customer, topic="cobro")) == ["chat"]
    assert told(await page(world, customer, since=(world.clock() - timedelta(hours=1)).isoformat())) == ["bought"]
    assert told(await page(world, customer, until=(world.clock() - timedelta(hours=1)).isoformat())) == ["call", "chat"]
    amounts = [item["amount"] for item in (await page(world, customer))["items"]]
    assert amounts == [{"amount": "5.00", "currency": "COP"}, None, None]


async def test_an_absorbed_id_leads_to_the_whole_timeline(world):
    await world.record(identifiers=[PHONE], summary="one")
    await world.record(identifiers=["email:ana@example.com"], summary="two")
    ana, other = await world.link(PHONE), await world.link("email:ana@example.com")
    await world.merge(ana, other)
    assert sorted(told(await page(world, other))) == ["one", "two"]


async def test_a_customer_sees_what_is_meant_for_him_and_proven_to_be_his(world):
    await world.record(identifiers=[PHONE], summary="said")
    await world.record(identifiers=[PHONE], kind="note", summary="internal note")
    me = await world.link(PHONE)
    await world.record(identifiers=["email:typed@example.com"], summary="claimed")
    await world.link("email:typed@example.com", customer=me, proof="claimed", revision=2)
    mine = await page(world, me, {"hilo_subject": f"customer:{me}"})
    assert told(mine) == ["said"]
    assert "internal" not in mine["items"][0]
    agents = await page(world, me)
    assert sorted(told(agents)) == ["claimed", "internal note", "said"]
    assert agents["items"][0]["internal"]["source"] == "test"


async def test_a_partner_sees_what_came_through_himself(world):
    acme = Speaker(by="acme", source="acme", bound=True, partner="acme", attests=frozenset({"phone"}))
    await world.record(identifiers=[PHONE], summary="at acme", source="acme", speaker=acme)
    await world.record(identifiers=[PHONE], summary="elsewhere")
    customer = await world.link(PHONE)
    assert told(await page(world, customer, {"hilo_subject": "partner:acme", "source": "acme"})) == ["at acme"]


@pytest.mark.parametrize("subject", ["customer", "partner"])
async def test_a_foreign_id_and_an_absent_one_answer_alike(world, subject):
    await world.record(identifiers=[PHONE])
    await world.record(identifiers=["email:other@example.com"])
    me, other = await world.link(PHONE), await world.link("email:other@example.com")
    claims = {"hilo_subject": f"customer:{me}" if subject == "customer" else "partner:acme"}
    async with world.client(**claims) as client:
        foreign, absent = await client.get(url(other)), await client.get(url(uuid4()))
    assert foreign.status_code == absent.status_code == 404
    assert {**foreign.json(), "instance": None} == {**absent.json(), "instance": None}


@pytest.mark.parametrize(
    "cursor", [["2026-11-20T20:00:00+00:00", None], [None, "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"], [None, None]]
)
async def test_a_place_that_no_contact_has_is_no_cursor(world, cursor):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    async with world.client() as client:
        answer = await client.get(url(customer), params={"cursor": encode_cursor(*cursor)})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


async def test_the_scope_is_needed_and_a_cursor_must_be_ours(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    async with world.client(scopes=["resume:read"]) as client:
        assert (await client.get(url(customer))).status_code == 403
    async with world.client() as client:
        assert (await client.get(url(customer), params={"cursor": "x"})).json()["code"] == "invalid-cursor"
        del client.headers["Authorization"]
        assert (await client.get(url(customer))).status_code == 401


async def test_a_channel_is_found_however_it_is_written_and_a_number_is_no_moment(world):
    await world.record(identifiers=[PHONE], channel="WhatsApp", summary="here")
    customer = await world.link(PHONE)
    assert told(await page(world, customer, channel="WhatsApp")) == ["here"]
    async with world.client() as client:
        for said in ({"since": "1700000000"}, {"until": "2026"}):
            answer = await client.get(url(customer), params=said)
            assert answer.status_code == 422, said
            assert answer.json()["errors"][0]["pointer"].startswith(f"/query/{next(iter(said))}")
