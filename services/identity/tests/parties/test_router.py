"""References, target accounts, partners, and our own people and places: over HTTP, through merge and undo."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from ..conftest import Identity  # noqa: TID252

Customers = "/identity/v1/customers"
FIRST = {"If-Match": '"0"'}
REFERENCE = {"offerings": ["maintenance"], "industry": "hotels", "max_uses": 2}


async def new(client: httpx.AsyncClient, name: str, *, kind: str = "organisation") -> str:
    answer = await client.post(Customers, json={"kind": kind, "profile": {"full_name": name}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def has_role(client: httpx.AsyncClient, customer: str, role: str, body: dict[str, Any]) -> str:
    answer = await client.put(f"{Customers}/{customer}/roles/{role}", json=body, headers=FIRST)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    return str(answer.headers["etag"])


async def agrees(
    client: httpx.AsyncClient, customer: str, *, granted: bool = True, channel: str = "*", purpose: str = "reference"
) -> None:
    body = {"purpose": purpose, "channel": channel, "granted": granted, "evidence": "Form 7"}
    assert (await client.post(f"{Customers}/{customer}/consents", json=body)).status_code == 201


async def show(client: httpx.AsyncClient, customer: str, prospect: str) -> httpx.Response:
    return await client.post(f"{Customers}/{customer}/showings", json={"prospect_id": prospect})


async def roles(client: httpx.AsyncClient, customer: str) -> dict[str, Any]:
    return dict((await client.get(f"{Customers}/{customer}/roles")).json())


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_a_reference_is_shown_with_consent_until_it_is_used_up(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme, prospect = await new(client, "Acme S.A.S."), await new(client, "Hotel Sol")
    refused(await show(client, acme, prospect), 404, "no-such-role")
    await has_role(client, acme, "reference", REFERENCE)
    refused(await show(client, acme, prospect), 409, "no-consent-to-show")
    await agrees(client, acme)
    assert (await show(client, acme, prospect)).json()["uses_left"] == 1
    identity.clock.advance(timedelta(seconds=1))
    await agrees(client, acme, granted=False)
    refused(await show(client, acme, prospect), 409, "no-consent-to-show")
    identity.clock.advance(timedelta(seconds=1))
    await agrees(client, acme)
    assert (await show(client, acme, prospect)).json()["uses_left"] == 0
    refused(await show(client, acme, prospect), 409, "reference-used-up")
    refused(await show(client, acme, acme), 422, "related-to-himself")
    assert (await roles(client, acme))["uses_left"] == 0


async def test_who_takes_back_everything_is_shown_no_more_until_he_agrees_to_it_again(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme, prospect = await new(client, "Acme S.A.S."), await new(client, "Hotel Sol")
    await has_role(client, acme, "reference", REFERENCE)
    await agrees(client, acme, purpose="*")
    refused(await show(client, acme, prospect), 409, "no-consent-to-show")  # it asks for its own
    await agrees(client, acme)
    identity.clock.advance(timedelta(seconds=1))
    await agrees(client, acme, granted=False, purpose="*")
    refused(await show(client, acme, prospect), 409, "no-consent-to-show")
    identity.clock.advance(timedelta(seconds=1))
    await agrees(client, acme)
    assert (await show(client, acme, prospect)).json()["uses_left"] == 1


async def test_whose_data_are_restricted_is_neither_shown_nor_asked(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme, prospect = await new(client, "Acme S.A.S."), await new(client, "Hotel Sol")
    await has_role(client, acme, "reference", REFERENCE)

    async def agreed() -> list[bool]:
        found = (await client.get("/identity/v1/parties", params={"role": "reference"})).json()["items"]
        return [each["agreed"] for each in found]

    assert await agreed() == [False]
    await agrees(client, acme)
    assert await agreed() == [True]
    identity.clock.advance(timedelta(seconds=1))
    await client.post(f"{Customers}/{acme}:restrict", json={"reason": "He contests the balance"})
    assert await agreed() == [False]
    refused(await show(client, acme, prospect), 409, "use-restricted")
    refused(await client.post(f"{Customers}/{acme}/referral-requests"), 409, "use-restricted")
    referrals = (await client.get(f"{Customers}/{acme}/referrals")).json()
    assert (referrals["may_ask"], referrals["why_not"]) == (False, "use-restricted")
    questions = (await client.get(f"{Customers}/{acme}/questions")).json()
    assert questions == {"items": [], "none_because": "use-restricted"}
    identity.clock.advance(timedelta(seconds=1))
    await client.post(f"{Customers}/{acme}:lift", json={"reason": "It was right"})
    assert (await show(client, acme, prospect)).status_code == 201
    assert (await client.get(f"{Customers}/{acme}/questions")).json()["items"]


async def test_the_resume_is_told_what_he_is_to_us_and_how_often_he_may_still_be_shown(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    async def told() -> dict[str, Any]:
        return dict(
            [each for each in await identity.told("customer-profiled") if each["customer_id"] == acme][-1]["network"]
        )

    acme, prospect = await new(client, "Acme S.A.S."), await new(client, "Hotel Sol")
    assert await told() == {}
    etag = await has_role(client, acme, "reference", REFERENCE | {"testimonial": "They answered within the hour"})
    reference = {"uses_left": 2, "offerings": ["maintenance"], "industry": "hotels"}
    assert await told() == {"ties": [], "reference": reference, "partner": None}
    await agrees(client, acme)
    await show(client, acme, prospect)
    assert (await told())["reference"]["uses_left"] == 1
    await has_role(client, acme, "partner", {"kind": "ally", "standing": "watch"})
    assert (await told())["partner"] == {"kind": "ally", "standing": "watch", "active": True}
    assert (await client.delete(f"{Customers}/{acme}/roles/reference", headers={"If-Match": etag})).status_code == 204
    assert (await told())["reference"] is None


async def test_a_showing_that_is_sent_twice_is_one_use(client: httpx.AsyncClient) -> None:
    acme, prospect = await new(client, "Acme S.A.S."), await new(client, "Hotel Sol")
    await has_role(client, acme, "reference", REFERENCE)
    await agrees(client, acme)
    for _ in range(2):
        answer = await client.post(
            f"{Customers}/{acme}/showings", json={"prospect_id": prospect}, headers={"Idempotency-Key": "s-1"}
        )
        assert answer.json()["uses_left"] == 1
    assert (await roles(client, acme))["uses_left"] == 1


async def test_two_who_write_a_role_do_not_overwrite_each_other(client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.")
    path = f"{Customers}/{acme}/roles/reference"
    etag = await has_role(client, acme, "reference", REFERENCE)
    refused(await client.put(path, json=REFERENCE, headers=FIRST), 412, "stale-version")
    refused(await client.put(path, json=REFERENCE), 428, "version-missing")
    changed = await client.put(path, json=REFERENCE | {"max_uses": 9}, headers={"If-Match": etag})
    assert (await roles(client, acme))["uses_left"] == 9
    gone = await client.delete(path, headers={"If-Match": changed.headers["etag"]})
    assert gone.status_code == 204
    found = await roles(client, acme)
    assert (found["items"], found["uses_left"]) == ([], None)
    again = {"If-Match": f'"{found["versions"]["reference"]}"'}
    refused(await client.delete(path, headers=again), 404, "no-such-role")
    assert (await client.put(path, json=REFERENCE, headers=again)).status_code == 200


async def test_a_target_account_wants_three_names_and_says_what_is_missing(client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.")
    await has_role(client, acme, "target_account", {"reason": "Grows"})
    for contacts, complete, missing in (
        (0, False, ["3 more contacts", "who decides"]),
        (1, False, ["2 more contacts"]),
        (2, False, ["1 more contacts"]),
        (3, True, []),
    ):
        target = (await roles(client, acme))["target"]
        assert (target["contacts"], target["complete"], target["missing"]) == (contacts, complete, missing)
        line = (await client.get("/identity/v1/parties", params={"role": "target_account", "incomplete": True})).json()
        assert bool(line["items"]) is not complete
        body = {"full_name": f"Persona {contacts}", "function": "systems", "decision_role": "decider"}
        await client.post(f"{Customers}/{acme}/contacts", json=body)


async def test_whom_customers_regard_ill_is_no_active_ally(client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.")
    path, ill = f"{Customers}/{acme}/roles/partner", {"kind": "ally", "standing": "ill_regarded"}
    refused(await client.put(path, json=ill, headers=FIRST), 409, "partner-ill-regarded")
    await has_role(client, acme, "partner", ill | {"active": False})
    [partner] = (await client.get("/identity/v1/parties", params={"role": "partner"})).json()["items"]
    assert (partner["display_name"], partner["role"]["body"]["standing"]) == ("Acme S.A.S.", "ill_regarded")


async def test_references_are_found_by_what_they_can_speak_of_page_by_page(client: httpx.AsyncClient) -> None:
    names = {}
    for name, offerings, industry in (
        ("A", ["training"], "hotels"),
        ("B", ["maintenance"], "hotels"),
        ("C", ["maintenance"], None),
    ):
        customer = await new(client, name)
        names[customer] = name
        body = {"offerings": offerings, "max_uses": 1} | ({"industry": industry} if industry else {})
        await has_role(client, customer, "reference", body)

    async def found(**params: Any) -> list[str]:
        listed, cursor = [], None
        while True:
            asked = {"role": "reference", "limit": 1} | params | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/identity/v1/parties", params=asked)).json()
            listed += [names[each["customer_id"]] for each in page["items"]]
            if (cursor := page["next"]) is None:
                return sorted(listed)

    assert await found() == ["A", "B", "C"]
    assert await found(offering="maintenance") == ["B", "C"]
    assert await found(offering="maintenance", industry="hotels") == ["B"]


async def test_uses_and_consent_go_with_the_survivor_and_come_back_by_the_undo(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    one, other, prospect = [await new(client, name) for name in ("Acme S.A.S.", "Acme Ltda.", "Hotel Sol")]
    await has_role(client, one, "reference", REFERENCE)
    await agrees(client, one)
    await show(client, one, prospect)
    await has_role(client, other, "target_account", {"reason": "Grows"})
    await agrees(client, other, granted=False)
    before = {each: await roles(client, each) for each in (one, other)}
    identity.clock.advance(timedelta(seconds=1))
    body = {"survivor": other, "absorbed": one, "reason": "the same", "force": True}
    merge = (await client.post("/identity/v1/merges", json=body)).json()["merge_id"]

    together = await roles(client, other)
    assert [each["role"] for each in together["items"]] == ["reference", "target_account"]
    assert together["uses_left"] == 1
    refused(await show(client, one, prospect), 409, "no-consent-to-show")  # the more restrictive one wins

    identity.clock.advance(timedelta(seconds=1))
    await client.post(f"/identity/v1/merges/{merge}:undo", json={"reason": "two firms"})
    assert {each: await roles(client, each) for each in (one, other)} == before
    assert (await show(client, one, prospect)).json()["uses_left"] == 0


async def test_our_people_and_places_are_a_directory(client: httpx.AsyncClient) -> None:
    staff = {"name": "Marta Gil", "function": "systems", "seniority": "manager"}
    first = await client.put("/identity/v1/staff/s-17", json=staff, headers=FIRST)
    assert (first.status_code, first.headers["etag"], first.json()["active"]) == (200, '"1"', True)
    refused(await client.put("/identity/v1/staff/s-17", json=staff, headers=FIRST), 412, "stale-version")
    gone = await client.put("/identity/v1/staff/s-17", json=staff | {"active": False}, headers={"If-Match": '"1"'})
    assert gone.json()["version"] == "2"
    await client.put("/identity/v1/staff/s-18", json=staff, headers=FIRST)
    page = (await client.get("/identity/v1/staff", params={"limit": 1})).json()
    rest = (await client.get("/identity/v1/staff", params={"cursor": page["next"]})).json()
    assert [(e["staff_id"], e["active"]) for e in page["items"] + rest["items"]] == [("s-17", False), ("s-18", True)]
    assert (await client.get("/identity/v1/staff/s-17")).json() == page["items"][0]
    site = await client.put("/identity/v1/sites/chapinero", json={"name": "Chapinero", "kind": "branch"}, headers=FIRST)
    assert site.status_code == 200, site.text
    assert (await client.get("/identity/v1/sites")).json()["items"] == [site.json()]
    assert (await client.get("/identity/v1/sites/chapinero")).json() == site.json()
    refused(await client.get("/identity/v1/sites/nowhere"), 404, "unknown-directory-entry")
    refused(await client.get(f"{Customers}/{uuid4()}/roles"), 404, "unknown-customer")
