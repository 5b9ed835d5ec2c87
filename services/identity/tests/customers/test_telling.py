"""What is told in its final words is what the models of the contract would say, byte for byte."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import httpx
import pytest

from common.contracts.identity import CustomerChanged, CustomerProfiled
from common.db import outbox_table
from common.events import EventData, Told, decode
from common.ids import id_of
from identity.customers.domain import Customer
from identity.customers.telling import changed, profiled

from ..conftest import Identity, seen, unseen  # noqa: TID252

HIM, OTHER = UUID(int=9), UUID("018f6d1c-aaaa-7bbb-8ccc-000000000001")
WHOLE = datetime(2026, 11, 20, tzinfo=UTC)
MOMENTS = [
    WHOLE,
    WHOLE.replace(microsecond=5),
    WHOLE.replace(microsecond=120_000),
    WHOLE.astimezone(timezone(timedelta(hours=-5))),
    datetime(1970, 1, 1, tzinfo=UTC),
]
TEXTS = ["", "Ñandú «la» Ana", 'a "b" \\ c / <d> & e', "\x00\x1f\x7f\t\n", "\u2028\u2029", "李小龍 😀 e\u0301", "null"]
NUMBERS = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 0.0, -0.0, 0.1, 0.8, 1.0, 12.5, 1e-7, 0.00001, 1e16, 1e20, 1e300]
OTHERS = [None, True, False, [], {}, [None, {"key": None}], {"of": {"a": [1, "a", None]}}, *MOMENTS, date(2026, 2, 28)]


def same(told: Told, event: EventData) -> None:
    assert told.as_json() == event.as_json()
    assert (told.key(), told.type, told.topic) == (event.key(), event.type, event.topic)


def customer(**told: Any) -> Customer:
    plain = {"kind": "person", "state": "active", "merged_into": None, "key_account": False, "since": WHOLE}
    return Customer(customer_id=HIM, created_by="rules", **(plain | told))


def said(customer: Customer) -> CustomerChanged:
    return CustomerChanged(
        customer_id=customer.customer_id, revision=customer.revision, kind=customer.kind, state=customer.state,
        merged_into=customer.merged_into, since=customer.since, key_account=customer.key_account,
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        *({"since": moment} for moment in MOMENTS),
        *({"kind": kind} for kind in ("person", "organisation", "household")),
        *({"state": state} for state in ("active", "archived", "erased")),
        {"state": "merged", "merged_into": OTHER},
        {"state": "merged", "merged_into": id_of(OTHER.bytes)},  # of the driver's class
        {"key_account": True, "revision": 2**60},
    ],
)
def test_a_customer_is_told_as_the_model_says_it(told: dict[str, Any]) -> None:
    him = customer(**told)
    same(changed(him), said(him))


def content(**told: Any) -> dict[str, Any]:
    names = {"display_name": None, "preferred_name": None, "form_of_address": None}
    more: dict[str, Any] = {"known": [], "ask": [], "accounts": [], "people": [], "network": {}}
    return {"kind": "person", **names, **more} | told


@pytest.mark.parametrize("value", [*TEXTS, *NUMBERS, *OTHERS], ids=repr)
def test_a_profile_is_told_as_the_model_says_it_whatever_is_known(value: Any) -> None:
    known = content(
        known=[{"key": "hobby", "value": value, "confidence": 0.8, "expires_at": None}],
        ask=[{"question_id": "q", "text": value, "channels": ["call"]}],
        people=[{"role": "contact", "staff_id": None, "function": value}],
        network={"ties": [{"kind": "works-for", "others": [value]}], "reference": value, "partner": None},
    )
    same(profiled(HIM, 7, known), CustomerProfiled(customer_id=HIM, revision=7, **known))


@pytest.mark.parametrize("text", TEXTS)
def test_a_profile_is_told_as_the_model_says_it_whatever_he_is_called(text: str) -> None:
    named = content(
        kind="organisation",
        display_name=text,
        preferred_name=text,
        form_of_address=text,
        accounts=[text, "account:a:1"],
    )
    same(profiled(HIM, 7, named), CustomerProfiled(customer_id=HIM, revision=7, **named))
    same(profiled(id_of(HIM.bytes), 7, content()), CustomerProfiled(customer_id=HIM, revision=7, **content()))


async def test_whatever_happens_is_told_as_the_models_say_it(identity: Identity, client: httpx.AsyncClient) -> None:
    facts = [{"key": "hobby", "value": 'ajedrez "rápido" 😀'}, {"key": "sizes", "value": [0.1, 38, None]}]
    ana = seen(
        "phone:3001234567", name='Ñandú "la" Ana', attests=("phone",), profile={"birth_date": "1990-02-28"}, facts=facts
    )
    mail, shop = seen("email:ana@example.com", name="Ana López"), seen("account:shop:1", name="Ana López")
    await identity.happen(ana, mail, shop, seen("document:co-nit:800197268-4", profile={"organisation": "Peñas & Cía"}))
    both = seen("document:co-cc:52123456", "email:ana@example.com", "account:shop:1", name="Ana López")
    await identity.happen(both)  # two are one
    await identity.happen(unseen(both))  # and are not
    await identity.happen(unseen(ana))  # nothing is left
    path = f"/identity/v1/customers/{await identity.owner(mail)}"
    etag = (await client.get(path)).headers["etag"]
    marked = await client.patch(path, json={"full_name": "Añá", "key_account": True}, headers={"If-Match": etag})
    assert marked.status_code == 200
    told = await identity.rows(outbox_table)
    assert {row.type for row in told} >= {each.type for each in (CustomerChanged, CustomerProfiled)}
    for row in told:
        event = decode(row.payload)
        assert event is not None
        assert row.payload.endswith(f'"data":{event.data.as_json()}}}')
        assert (row.aggregateid, row.aggregatetype) == (event.data.key(), event.data.topic)
    states = {(each["state"], each["key_account"]) for each in await identity.told("customer-changed")}
    assert states == {("active", False), ("merged", False), ("archived", False), ("active", True)}
