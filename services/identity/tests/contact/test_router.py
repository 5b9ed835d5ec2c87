"""Consents and preferences over HTTP: nothing is dated ahead, and what is refused names its field."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from ..conftest import ClientWith, Identity  # noqa: TID252

Customers = "/identity/v1/customers"


async def ana(client: httpx.AsyncClient) -> str:
    answer = await client.post(Customers, json={"profile": {"full_name": "Ana López"}})
    return f"{Customers}/{answer.json()['customer_id']}"


def told(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


async def test_a_consent_dated_ahead_would_stand_over_its_withdrawal(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    path = await ana(client)
    grant: dict[str, Any] = {"purpose": "marketing", "channel": "email", "granted": True, "evidence": "a form"}
    ahead = {"at": (identity.clock() + timedelta(days=30)).isoformat()}
    assert told(await client.post(f"{path}/consents", json=grant | ahead)) == [("/at", "occurred-in-future")]
    a_little = {"at": (identity.clock() + timedelta(minutes=2)).isoformat()}  # a clock that goes ahead
    assert (await client.post(f"{path}/consents", json=grant | a_little)).status_code == 201
    identity.clock.advance(timedelta(hours=1))
    assert (await client.post(f"{path}/consents", json=grant | {"granted": False})).status_code == 201
    held = (await client.get(f"{path}/preferences")).json()["consents"]
    assert [each["granted"] for each in held] == [False]


async def test_what_was_said_by_a_clock_that_goes_ahead_does_not_stand_over_what_is_said_next(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    path, ahead = await ana(client), (identity.clock() + timedelta(minutes=2)).isoformat()
    grant: dict[str, Any] = {"purpose": "marketing", "channel": "email", "granted": True, "evidence": "a form"}
    assert (await client.post(f"{path}/consents", json=grant | {"at": ahead})).status_code == 201
    fact = {"key": "hobby", "value": "chess"}
    assert (await client.post(f"{path}/facts", json=fact | {"observed_at": ahead})).status_code == 201
    identity.clock.advance(timedelta(minutes=1))
    assert (await client.post(f"{path}/consents", json=grant | {"granted": False})).status_code == 201
    right = {"key": "hobby", "value": "orchids", "reason": "He said so"}
    assert (await client.post(f"{path}:rectify", json=right)).status_code == 201
    held = (await client.get(f"{path}/preferences")).json()["consents"]
    assert [each["granted"] for each in held] == [False]
    assert [each["value"] for each in (await client.get(path)).json()["facts"]] == ["orchids"]


async def test_a_consent_for_a_channel_that_nobody_knows_would_never_hold(client: httpx.AsyncClient) -> None:
    path = await ana(client)
    withdrawn: dict[str, Any] = {"purpose": "marketing", "granted": False, "evidence": "a call"}
    answer = await client.post(f"{path}/consents", json=withdrawn | {"channel": "whatsap"})
    assert told(answer) == [("/channel", "unknown-channel")]
    assert "sms, social" in answer.json()["detail"]
    for channel in ("whatsapp", "*"):
        assert (await client.post(f"{path}/consents", json=withdrawn | {"channel": channel})).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"max_contacts": 2}, "/per_days"),
        ({"per_days": 30}, "/per_days"),
        ({"ranking": ["email", "email"]}, "/ranking"),
        ({"topics_out": ["loyalty", "loyalty"]}, "/topics_out"),
        ({"time_zone": "Mars/Base"}, "/time_zone"),
        ({"ranking": ["email", "whatsap"]}, "/ranking/1"),
        ({"ranking": ["*"]}, "/ranking/0"),
    ],
)
async def test_a_preference_that_cannot_be_kept_is_named(
    client: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    path = await ana(client)
    assert [where for where, _ in told(await client.put(f"{path}/preferences", json=body))] == [pointer]


async def test_topics_are_kept_by_their_codes_in_whatever_word_he_named_them(client: httpx.AsyncClient) -> None:
    path = await ana(client)
    wish = {"topics_out": ["Facturación", "factura", "loyalty", "cometas"]}
    kept = (await client.put(f"{path}/preferences", json=wish)).json()
    assert kept["topics_out"] == ["billing", "cometas", "loyalty"]


async def test_a_cap_is_kept_whole(client: httpx.AsyncClient) -> None:
    path = await ana(client)
    kept = (await client.put(f"{path}/preferences", json={"max_contacts": 2, "per_days": 30})).json()
    assert (kept["max_contacts"], kept["per_days"]) == (2, 30)


async def test_what_he_said_after_one_merge_outlives_the_next(identity: Identity, client: httpx.AsyncClient) -> None:
    one, other, third = [await ana(client) for _ in range(3)]
    grant: dict[str, Any] = {"purpose": "marketing", "channel": "*", "granted": True, "evidence": "a form"}

    async def merge(absorbed: str) -> str:
        identity.clock.advance(timedelta(seconds=1))
        pair = {"survivor": one.split("/")[-1], "absorbed": absorbed.rsplit("/", maxsplit=1)[-1], "reason": "one"}
        return str((await client.post("/identity/v1/merges", json=pair)).json()["merge_id"])

    async def told(path: str) -> tuple[bool, bool]:
        read = (await client.get(f"{path}/preferences")).json()
        return read["do_not_contact"], read["consents"][0]["granted"]

    await client.post(f"{other}/consents", json=grant | {"granted": False})
    await client.put(f"{other}/preferences", json={"do_not_contact": True})
    first = await merge(other)
    assert await told(one) == (True, False)
    identity.clock.advance(timedelta(seconds=1))
    await client.post(f"{one}/consents", json=grant)
    await client.put(f"{one}/preferences", json={"ranking": ["email"]})
    assert await told(one) == (False, True)
    await merge(third)
    assert await told(one) == (False, True)
    last = (await identity.told("contact-changed"))[-1]
    assert (last["do_not_contact"], [each["granted"] for each in last["consents"]]) == (False, [True])
    await client.post(f"/identity/v1/merges/{first}:undo", json={"reason": "two"})
    assert (await told(one), await told(other)) == ((False, True), (True, False))


async def test_a_restriction_is_refused_by_himself_and_lifted_by_staff(
    identity: Identity, client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    path = await ana(client)
    said = {"purpose": "processing", "channel": "email", "granted": False, "evidence": "his app"}
    async with client_with("consents:write", subject=f"customer:{path.rpartition('/')[2]}") as own:
        assert (await own.post(f"{path}/consents", json=said)).status_code == 201
        identity.clock.advance(timedelta(seconds=1))
        answer = await own.post(f"{path}/consents", json=said | {"granted": True, "channel": "*"})
        assert (answer.status_code, answer.json()["code"]) == (403, "for-staff-only")
    assert (await client.get(f"{path}/preferences")).json()["restricted"] is True
    assert (await client.post(f"{path}:lift", json={"reason": "The balance was put right"})).json()[
        "restricted"
    ] is False
    assert (await client.get(f"{path}/preferences")).json()["restricted"] is False


async def test_why_staff_restricted_him_is_not_for_himself(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    path = await ana(client)
    form = {"purpose": "marketing", "channel": "email", "granted": True, "evidence": "Form 7"}
    assert (await client.post(f"{path}/consents", json=form)).status_code == 201
    assert (await client.post(f"{path}:restrict", json={"reason": "We suspect fraud"})).status_code == 200
    async with client_with("customers:read", subject=f"customer:{path.rpartition('/')[2]}") as own:
        for reader, evidence in ((client, "We suspect fraud"), (own, "")):
            items = (await reader.get(f"{path}/consents")).json()["items"]
            assert [each["evidence"] for each in items] == [evidence, "Form 7"]
