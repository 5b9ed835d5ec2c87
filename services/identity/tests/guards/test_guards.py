"""A guard bites, says so once, and what it bit proves less from then on."""

from datetime import timedelta
from typing import Any

import httpx

from identity.sightings.models import identifier

from ..conftest import Identity, seen  # noqa: TID252

NAMES = ("Ana Ruiz", "Luis Peña", "Eva Cano", "Iván Toro", "Sol Vega", "Gil Mora")
PHONE = "phone:3001112233"


async def told(identity: Identity) -> list[dict[str, Any]]:
    return await identity.told("guard-tripped")


async def test_a_phone_of_many_documents_proves_contact_only_and_says_so_once(identity: Identity) -> None:
    people = [seen(f"document:co-cc:5212345{n}", PHONE, name=name) for n, name in enumerate(NAMES)]
    await identity.happen(*people[:3])
    assert await told(identity) == []
    await identity.happen(*people[3:])
    [trip] = await told(identity)
    assert (trip["guard"], trip["scheme"]) == ("shared-identifier", "phone")
    assert trip["figures"] == {"customers": 4, "documents": 4, "limit": 3}
    assert "300111" not in str(trip), "an event tells nobody the number"
    assert [row.shared for row in await identity.rows(identifier) if row.scheme == "phone"] == [True]
    newcomer = seen(PHONE, "email:new@example.com", name="ANA RUIZ")
    await identity.happen(newcomer)
    assert await identity.owner(newcomer) not in {await identity.owner(each) for each in people}


async def test_many_documents_of_one_customer_on_one_phone_are_enough(identity: Identity) -> None:
    """They were joined by an account before anybody looked at the numbers: the phone is no less shared."""
    for n in range(4):
        await identity.happen(seen(f"document:co-cc:{n}2123456", PHONE, "account:shop:1"))
    assert "shared-identifier" in {trip["guard"] for trip in await told(identity)}


async def test_who_misspells_his_own_document_keeps_his_telephone(identity: Identity) -> None:
    """And his sister, whose number is the next one, is somebody else."""
    slips = [seen(f"document:co-cc:{number}", PHONE, name="Ana María Ruiz Gil") for number in
             ("52123456", "52123457", "92123456", "52213456", "5212345")]  # fmt: skip
    await identity.happen(*slips)
    assert {trip["guard"] for trip in await told(identity)} == {"gathers-too-many"}, (
        "of documents: somebody should look"
    )
    assert len({await identity.owner(each) for each in slips}) == 1
    others = [
        seen(f"document:co-cc:5212345{n}", PHONE, name=f"{given} Ruiz Gil")
        for n, given in ((0, "Rosa"), (1, "Iván"), (2, "Noé"))
    ]
    await identity.happen(*others)
    assert "shared-identifier" in {trip["guard"] for trip in await told(identity)}


async def test_whoever_gathers_too_many_new_phones_is_told_once_a_day(identity: Identity) -> None:
    for n in range(3):
        await identity.happen(seen("email:ana@example.com", f"phone:30011122{n}0", at=identity.clock()))
    assert await told(identity) == []
    for n in range(3, 6):
        await identity.happen(seen("email:ana@example.com", f"phone:30011122{n}0", at=identity.clock()))
    [trip] = await told(identity)
    assert (trip["guard"], trip["scheme"]) == ("gathers-too-many", "phone")
    assert trip["figures"] == {"count": 4, "at_most": 3, "days": 30}
    identity.clock.advance(timedelta(days=1))
    await identity.happen(seen("email:ana@example.com", "phone:3009998877", at=identity.clock()))
    assert len(await told(identity)) == 2


async def test_phones_gathered_over_years_are_nothing_to_look_at(identity: Identity) -> None:
    for n in range(6):
        identity.clock.advance(timedelta(days=40))
        await identity.happen(seen("email:ana@example.com", f"phone:30011122{n}0", at=identity.clock()))
    assert await told(identity) == []


async def test_two_attested_documents_are_two_persons_and_one_that_is_only_claimed_is_a_slip(
    identity: Identity,
) -> None:
    a = seen("document:co-cc:52123456", "email:ana@example.com", name=NAMES[0], attests=("*",))
    slip = seen("document:co-cc:52123457", "email:ana@example.com", name=NAMES[0])
    await identity.happen(a, slip)
    assert await identity.owner(a) == await identity.owner(slip), "one wrong digit in a claim is no proof of two"
    assert await told(identity) == []
    b = seen("document:co-cc:79888777", "email:ana@example.com", name=NAMES[0], attests=("*",))
    await identity.happen(b)
    assert await identity.owner(b) != await identity.owner(a)
    assert [trip["guard"] for trip in await told(identity)] == ["unique-identifier"]


async def test_what_is_on_the_block_list_joins_nobody_and_says_so(identity: Identity) -> None:
    a = seen("account:shop:17", "email:noreply@shop.co", name=NAMES[0])
    b = seen("account:shop:18", "email:noreply@shop.co", name=NAMES[0])
    await identity.happen(a, b)
    assert await identity.owner(a) != await identity.owner(b)
    assert [trip["guard"] for trip in await told(identity)] == ["blocked-identifier"]


async def test_who_gave_nothing_but_what_is_on_the_block_list_is_nobody_and_the_guard_says_so(
    identity: Identity,
) -> None:
    await identity.happen(seen("email:noreply@shop.co", name=NAMES[0]))
    assert [trip["guard"] for trip in await told(identity)] == ["blocked-identifier"]
    assert await identity.owners() == {}


async def test_what_bit_is_listed_by_guard_and_by_customer(identity: Identity, client: httpx.AsyncClient) -> None:
    people = [seen(f"document:co-cc:5212345{n}", PHONE, name=name) for n, name in enumerate(NAMES)]
    await identity.happen(*people)
    stranger = seen("email:other@example.com")
    await identity.happen(stranger)
    listed = (await client.get("/identity/v1/guard-trips", params={"guard": "shared-identifier"})).json()["items"]
    assert [each["scheme"] for each in listed] == ["phone"]
    assert "contact, not identity" in listed[0]["words"]
    mine = {"customer_id": str(await identity.owner(people[0]))}
    assert len((await client.get("/identity/v1/guard-trips", params=mine)).json()["items"]) == 1
    not_mine = {"customer_id": str(await identity.owner(stranger))}
    assert (await client.get("/identity/v1/guard-trips", params=not_mine)).json()["items"] == []


async def test_nobodys_identifier_is_not_linked_by_hand(identity: Identity, client: httpx.AsyncClient) -> None:
    person = seen("email:ana@example.com")
    await identity.happen(person)
    path = f"/identity/v1/customers/{await identity.owner(person)}/identifiers"
    refused = await client.post(path, json={"identifier": "email:noreply@shop.co", "reason": "he wrote from it"})
    assert (refused.status_code, refused.json()["code"]) == (422, "blocked-identifier")
