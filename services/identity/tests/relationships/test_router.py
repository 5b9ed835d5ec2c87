"""Organisations and their people, households, referrals: over HTTP, through merge and undo, up to the resume's event."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from common.http import ServiceApp
from common.openapi import openapi_gaps
from identity.consumers import profiles_stale

from ..conftest import Identity, case, seen  # noqa: TID252

Customers = "/identity/v1/customers"
Relationships = "/identity/v1/relationships"


async def new(client: httpx.AsyncClient, name: str, *, kind: str = "person") -> str:
    answer = await client.post(Customers, json={"kind": kind, "profile": {"full_name": name}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


async def relate(client: httpx.AsyncClient, one: str, other: str, kind: str, **more: Any) -> httpx.Response:
    return await client.post(Relationships, json={"from_id": one, "to_id": other, "kind": kind, **more})


async def merged(client: httpx.AsyncClient, identity: Identity, survivor: str, absorbed: str) -> str:
    identity.clock.advance(timedelta(seconds=1))
    body = {"survivor": survivor, "absorbed": absorbed, "reason": "one and the same", "force": True}
    answer = await client.post("/identity/v1/merges", json=body)
    assert answer.status_code == 201, answer.text
    identity.clock.advance(timedelta(seconds=1))
    return str(answer.json()["merge_id"])


async def wake(identity: Identity) -> None:
    """What the worker does when timers are due."""
    async with identity.uow() as uow:
        due = await uow.timers.due(now=identity.clock())
        await profiles_stale(due, uow=uow, clock=identity.clock, company=identity.company)
        await uow.timers.done(due)
        await uow.commit()


async def undone(client: httpx.AsyncClient, merge: str) -> None:
    answer = await client.post(f"/identity/v1/merges/{merge}:undo", json={"reason": "they are two"})
    assert answer.status_code < 300, answer.text


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    return dict(answer.json())


async def network(client: httpx.AsyncClient, customer: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"{Customers}/{customer}/relationships", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_everything_reads_well(app: ServiceApp) -> None:
    assert openapi_gaps(app) == []


async def test_a_household_is_seen_from_both_ends_and_ends_without_being_forgotten(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana, home = await new(client, "Ana López"), await new(client, "Hogar López Ruiz", kind="household")
    said = await relate(client, ana, home, "household_member", decision_role="decider", category="home")
    assert said.status_code == 201, said.text
    [from_ana], [from_home] = await network(client, ana), await network(client, home)
    assert from_ana == from_home == said.json()
    assert (from_ana["details"], from_ana["holds"]) == ({"decision_role": "decider", "category": "home"}, True)
    identity.clock.advance(timedelta(days=1))
    await relate(client, ana, home, "household_member", since=said.json()["since"], until=identity.clock().isoformat())
    assert [each["holds"] for each in await network(client, ana)] == [False]
    assert len(await network(client, ana, history=True)) == 2


async def test_what_cannot_be_is_refused(client: httpx.AsyncClient) -> None:
    ana, luis = await new(client, "Ana López"), await new(client, "Luis Mora")
    refused(await relate(client, ana, luis, "works_for"), 422, "wrong-kind-of-party")
    refused(await relate(client, ana, ana, "partner_of"), 422, "related-to-himself")
    for own in ("referred", "referred_by", "shown_to"):
        refused(await relate(client, ana, luis, own), 422, "kind-has-its-own-way")
    refused(await relate(client, ana, str(uuid4()), "partner_of"), 404, "unknown-customer")
    ended = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    refused(await relate(client, ana, luis, "partner_of", **ended), 422, "ends-before-it-began")


async def test_an_organisations_people_stand_in_its_resume_until_they_leave(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    body = {"full_name": "Carlos Peña", "function": "systems", "seniority": "manager", "decision_role": "decider"}
    entered = (await client.post(f"{Customers}/{acme}/contacts", json=body)).json()
    await client.post(f"{Customers}/{acme}/contacts", json={"full_name": "Rosa Díaz", "decision_role": "user"})
    [rosa, carlos] = (await client.get(f"{Customers}/{acme}/contacts")).json()["items"]
    assert (carlos["name"], carlos["person_id"]) == ("Carlos Peña", entered["person_id"])
    told = [each for each in await identity.told("customer-profiled") if each["customer_id"] == acme][-1]
    assert [(p["role"], p["name"], p["decision_role"]) for p in told["people"]] == [
        ("contact", "Carlos Peña", "decider"), ("contact", "Rosa Díaz", "user"),
    ]  # fmt: skip

    identity.clock.advance(timedelta(days=30))
    path = f"{Customers}/{acme}/contacts/{entered['person_id']}"
    refused(await client.put(path, json={"still_there": False}), 428, "version-missing")
    refused(await client.put(path, json={"still_there": False}, headers={"If-Match": '"1"'}), 412, "stale-version")
    left = await client.put(path, json={"still_there": False}, headers={"If-Match": f'"{carlos["version"]}"'})
    assert left.status_code == 200, left.text
    assert [each["name"] for each in (await client.get(f"{Customers}/{acme}/contacts")).json()["items"]] == [
        "Rosa Díaz"
    ]
    former = (await client.get(f"{Customers}/{acme}/contacts", params={"former": True})).json()["items"]
    assert [(p["name"], p["still_there"]) for p in former] == [("Carlos Peña", False), ("Rosa Díaz", True)]
    told = [each for each in await identity.told("customer-profiled") if each["customer_id"] == acme][-1]
    assert [p["name"] for p in told["people"]] == ["Rosa Díaz"]
    assert rosa["version"] != carlos["version"]


async def test_who_is_called_otherwise_by_now_is_called_so_by_his_organisation(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    entered = (await client.post(f"{Customers}/{acme}/contacts", json={"full_name": "C. Peña"})).json()
    path = f"{Customers}/{entered['person_id']}"
    etag = (await client.get(path)).headers["etag"]
    identity.clock.advance(timedelta(seconds=1))
    await client.patch(path, json={"full_name": "Carlos Peña Rojas"}, headers={"If-Match": etag})
    await wake(identity)
    told = [each for each in await identity.told("customer-profiled") if each["customer_id"] == acme][-1]
    assert [p["name"] for p in told["people"]] == ["Carlos Peña Rojas"]


async def test_the_list_of_contacts_is_read_page_by_page(identity: Identity, client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    for name in ("Ana", "Berta", "Clara"):
        identity.clock.advance(timedelta(seconds=1))
        await client.post(f"{Customers}/{acme}/contacts", json={"full_name": name})
    path, names, cursor = f"{Customers}/{acme}/contacts", [], None
    while True:
        page = (await client.get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        names += [each["name"] for each in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert names == ["Clara", "Berta", "Ana"]
    refused(await client.get(path, params={"cursor": "nonsense"}), 400, "invalid-cursor")


async def test_an_entry_that_is_sent_twice_enters_one_person(client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    path, key = f"{Customers}/{acme}/contacts", {"Idempotency-Key": "c-1"}
    first = await client.post(path, json={"full_name": "Rosa Díaz"}, headers=key)
    again = await client.post(path, json={"full_name": "Rosa Díaz"}, headers=key)
    assert first.json() == again.json()
    assert len((await client.get(path)).json()["items"]) == 1


async def test_executives_are_matched_with_ours_of_the_same_function_and_rank(client: httpx.AsyncClient) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    for name, function in (("Carlos Peña", "systems"), ("Rosa Díaz", "general_management")):
        await client.post(
            f"{Customers}/{acme}/contacts", json={"full_name": name, "function": function, "seniority": "executive"}
        )
    new_one = {"If-Match": '"0"'}
    for staff_id, more in (("s-1", {"active": False}), ("s-2", {}), ("s-3", {"seniority": "staff"})):
        body = {"name": f"Nuestra {staff_id}", "function": "systems", "seniority": "executive"} | more
        assert (await client.put(f"/identity/v1/staff/{staff_id}", json=body, headers=new_one)).status_code == 200
    found = (await client.get(f"{Customers}/{acme}/executive-counterparts")).json()
    assert {(c["function"], c["staff_id"]) for c in found["items"]} == {
        ("systems", "s-2"),
        ("general_management", None),
    }
    assert found["unmatched"] == 1


async def test_a_referral_is_asked_for_once_in_180_days(identity: Identity, client: httpx.AsyncClient) -> None:
    ana = await new(client, "Ana López")
    path = f"{Customers}/{ana}/referral-requests"
    first = await client.post(path)
    assert first.status_code == 201, first.text
    allowed_at = first.json()["next_allowed_at"]
    identity.clock.advance(timedelta(days=180) - timedelta(seconds=1))
    assert allowed_at in refused(await client.post(path), 409, "referral-limit")["detail"]
    state = (await client.get(f"{Customers}/{ana}/referrals")).json()
    assert (state["may_ask"], state["why_not"], state["next_allowed_at"]) == (False, "referral-limit", allowed_at)
    identity.clock.advance(timedelta(seconds=1))
    assert (await client.get(f"{Customers}/{ana}/referrals")).json()["may_ask"] is True
    assert (await client.post(path)).status_code == 201


async def test_a_channel_that_asked_counts_as_well(identity: Identity, client: httpx.AsyncClient) -> None:
    person = seen("phone:3001234567", name="Ana López", asked=["referral"], at=identity.clock())
    await identity.happen(person)
    path = f"{Customers}/{await identity.owner(person)}/referral-requests"
    refused(await client.post(path), 409, "referral-limit")


async def test_no_referral_is_asked_for_while_a_complaint_is_open(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen("phone:3001234567", name="Ana López")
    await identity.happen(person, case(person, "opened", minute=1))
    path = f"{Customers}/{await identity.owner(person)}/referral-requests"
    refused(await client.post(path), 409, "open-case")
    await identity.happen(case(person, "closed", minute=2))
    assert (await client.post(path)).status_code == 201


async def test_whom_he_sent_us_is_known_from_both_sides_with_its_status(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana = await new(client, "Ana López")
    body = {"full_name": "Luisa Ríos", "identifiers": ["phone:310 555 0199"]}
    luisa = (await client.post(f"{Customers}/{ana}/referrals", json=body)).json()["to_id"]
    identity.clock.advance(timedelta(days=9))
    again = {"customer_id": luisa, "status": "converted"}
    assert (await client.post(f"{Customers}/{ana}/referrals", json=again)).status_code == 201
    [given] = (await client.get(f"{Customers}/{ana}/referrals")).json()["given"]
    [received] = (await client.get(f"{Customers}/{luisa}/referrals")).json()["received"]
    assert (given["person_id"], given["status"]) == (luisa, "converted")
    assert (received["person_id"], received["status"]) == (ana, "converted")


async def test_what_is_said_again_began_when_it_was_said_first(identity: Identity, client: httpx.AsyncClient) -> None:
    ana, luis = await new(client, "Ana López"), await new(client, "Luis Mora")
    first = (await client.post(f"{Customers}/{ana}/referrals", json={"customer_id": luis})).json()
    kin = (await relate(client, ana, luis, "relative_of")).json()
    identity.clock.advance(timedelta(days=9))
    status = {"customer_id": luis, "status": "converted"}
    assert (await client.post(f"{Customers}/{ana}/referrals", json=status)).json()["since"] == first["since"]
    [given] = (await client.get(f"{Customers}/{ana}/referrals")).json()["given"]
    assert (given["at"], given["status"], given["status_at"] > given["at"]) == (first["since"], "converted", True)
    ended = await relate(client, luis, ana, "relative_of", until=kin["since"])  # mutual: from the other side
    assert (ended.status_code, ended.json()["since"], ended.json()["holds"]) == (201, kin["since"], False)
    identity.clock.advance(timedelta(days=1))
    assert (await relate(client, ana, luis, "relative_of")).json()["since"] > kin["since"]  # it had ended


async def test_relationships_go_with_the_survivor_and_come_back_by_the_undo(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    ana, am = await new(client, "Ana María López"), await new(client, "A. M. López")
    await relate(client, am, acme, "works_for")
    await relate(client, ana, am, "relative_of")
    await client.post(f"{Customers}/{am}/referral-requests")
    before = {each: await network(client, each) for each in (ana, am, acme)}

    merge = await merged(client, identity, ana, am)
    assert [(each["kind"], each["from_id"]) for each in await network(client, ana)] == [("works_for", ana)]
    assert (await client.get(f"{Customers}/{ana}/referrals")).json()["why_not"] == "referral-limit"
    home = await new(client, "Hogar", kind="household")
    await relate(client, am, home, "household_member")  # by his old id, which leads to her

    await undone(client, merge)
    await wake(identity)
    found = {each: await network(client, each) for each in (ana, am, acme)}
    assert found[am] == before[am]
    assert found[acme] == before[acme]
    assert [each["kind"] for each in found[ana]] == ["household_member", "relative_of"]
    assert (await client.get(f"{Customers}/{ana}/referrals")).json()["may_ask"] is True
    told = [each for each in await identity.told("customer-profiled") if each["customer_id"] == acme][-1]
    assert [p["customer_id"] for p in told["people"]] == [am]


async def test_the_name_of_an_erased_contact_leaves_his_organisation(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme = await new(client, "Acme S.A.S.", kind="organisation")
    entered = (await client.post(f"{Customers}/{acme}/contacts", json={"full_name": "Rosa Díaz"})).json()
    identity.clock.advance(timedelta(seconds=1))
    answer = await client.post(f"{Customers}/{entered['person_id']}:erase", json={"reason": "asked"})
    assert answer.status_code < 300, answer.text
    assert await network(client, acme) == []
    told = [each for each in await identity.told("customer-profiled") if each.get("customer_id") == acme]
    assert told[-1]["people"] == []
    assert "Rosa" not in str(told)


# --- what the resume is told of his network -----------------------------------------------------------------------------


async def told_network(identity: Identity, customer: str) -> dict[str, Any]:
    """As the worker and whoever acted have told it by now."""
    await wake(identity)
    told = [each for each in await identity.told("customer-profiled") if each.get("customer_id") == customer]
    return dict(told[-1]["network"])


async def told_ties(identity: Identity, customer: str) -> set[tuple[str, bool | None, str]]:
    network = await told_network(identity, customer)
    return {
        (tie["kind"], tie["given"], other["customer_id"]) for tie in network.get("ties", []) for other in tie["others"]
    }


async def test_a_referral_is_told_of_both_with_its_status_and_without_a_name(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana, rosa = await new(client, "Ana López"), await new(client, "Rosa Díaz")
    luisa = (await client.post(f"{Customers}/{ana}/referrals", json={"full_name": "Luisa Ríos"})).json()["to_id"]
    identity.clock.advance(timedelta(days=1))
    await client.post(f"{Customers}/{ana}/referrals", json={"customer_id": luisa, "status": "converted"})
    [given] = (await told_network(identity, ana))["ties"]
    assert (given["kind"], given["given"], given["count"]) == ("referred", True, 1)
    assert [(other["customer_id"], other["status"]) for other in given["others"]] == [(luisa, "converted")]
    assert await told_ties(identity, luisa) == {("referred", False, ana)}
    assert "Luisa" not in str(given)
    assert await told_network(identity, rosa) == {}


async def test_household_owner_and_partner_are_told_until_they_end_by_themselves(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme, other = (
        await new(client, "Acme S.A.S.", kind="organisation"),
        await new(client, "Ácme 2", kind="organisation"),
    )
    ana, dealer = await new(client, "Ana López"), await new(client, "Distribuidora Sol", kind="organisation")
    home = await new(client, "Hogar", kind="household")
    await relate(client, other, acme, "same_owner")
    await relate(client, ana, home, "household_member")
    ends = identity.clock() + timedelta(days=30)
    await relate(client, ana, dealer, "buys_through", until=ends.isoformat())
    await relate(client, ana, acme, "works_for")
    assert await told_ties(identity, acme) == {("same_owner", None, other)}  # whoever works there is among its people
    assert await told_ties(identity, dealer) == {("buys_through", False, ana)}
    lasting = {("household_member", True, home), ("works_for", True, acme)}
    assert await told_ties(identity, ana) == {*lasting, ("buys_through", True, dealer)}
    identity.clock.advance(timedelta(days=31))
    assert await told_ties(identity, ana) == lasting
    assert await told_network(identity, dealer) == {}


async def test_those_beside_one_who_is_merged_hear_of_the_survivor_and_of_him_again_after_the_undo(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    acme, ana, am = (
        await new(client, "Acme", kind="organisation"), await new(client, "Ana María López"), await new(client, "A. M. López")
    )  # fmt: skip
    far = await new(client, "Luis Mora")
    await relate(client, am, acme, "partner_of")
    await relate(client, ana, far, "relative_of")
    merge = await merged(client, identity, ana, am)
    assert await told_ties(identity, acme) == {("partner_of", None, ana)}
    assert await told_ties(identity, ana) == {("partner_of", None, acme), ("relative_of", None, far)}
    times = len([each for each in await identity.told("customer-profiled") if each["customer_id"] == far])
    assert times == 2  # as he came, and when he was related: of the survivor's own nothing has changed
    await undone(client, merge)
    assert await told_ties(identity, acme) == {("partner_of", None, am)}
    assert await told_ties(identity, am) == {("partner_of", None, acme)}
    assert await told_ties(identity, ana) == {("relative_of", None, far)}


async def test_those_beside_one_who_is_erased_are_told_without_him(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana, luis = await new(client, "Ana López"), await new(client, "Luis Mora")
    await relate(client, ana, luis, "relative_of")
    assert await told_ties(identity, ana) == {("relative_of", None, luis)}
    identity.clock.advance(timedelta(seconds=1))
    assert (await client.post(f"{Customers}/{luis}:erase", json={"reason": "asked"})).status_code < 300
    assert await told_network(identity, ana) == {}


async def test_channels_that_join_two_customers_are_heard_of_by_those_beside_them(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    one = seen("phone:3001234567", "document:co-cc:79456123", name="Ana López", attests=("*",))
    other = seen("email:ana@example.com", name="Ana López", attests=("*",))
    await identity.happen(one, other)
    ana, again, luis = str(await identity.owner(one)), str(await identity.owner(other)), await new(client, "Luis Mora")
    assert ana != again
    await relate(client, again, luis, "relative_of")
    identity.clock.advance(timedelta(seconds=1))
    both = seen("document:co-cc:79456123", "email:ana@example.com", name="Ana López", attests=("*",))
    await identity.happen(both)
    survivor = str(await identity.owner(other))
    assert survivor == ana
    assert await told_ties(identity, luis) == {("relative_of", None, ana)}


async def test_a_relationship_that_has_not_begun_is_refused(identity: Identity, client: httpx.AsyncClient) -> None:
    ana, home = await new(client, "Ana López"), await new(client, "Familia López", kind="household")
    since = (identity.clock() + timedelta(days=30)).isoformat()
    refusal = refused(await relate(client, ana, home, "household_member", since=since), 422, "occurred-in-future")
    assert refusal["errors"][0]["pointer"] == "/since"


async def test_who_is_named_again_with_his_phone_is_the_same_person(client: httpx.AsyncClient) -> None:
    ana, acme = await new(client, "Ana López"), await new(client, "Acme", kind="organisation")
    luisa = {"full_name": "Luisa Ríos", "identifiers": ["phone:310 555 0199"]}
    sent = (await client.post(f"{Customers}/{ana}/referrals", json=luisa)).json()["to_id"]
    again = {"full_name": "LUISA FERNANDA RIOS", "identifiers": ["whatsapp:573105550199"], "status": "contacted"}
    assert (await client.post(f"{Customers}/{ana}/referrals", json=again)).json()["to_id"] == sent
    given = (await client.get(f"{Customers}/{ana}/referrals")).json()["given"]
    assert [(each["person_id"], each["status"]) for each in given] == [(sent, "contacted")]
    assert (await client.post(f"{Customers}/{acme}/contacts", json=luisa)).json()["person_id"] == sent
    other = luisa | {"full_name": "Pedro Ríos Gil"}
    assert (await client.post(f"{Customers}/{acme}/contacts", json=other)).json()["person_id"] != sent


async def test_a_refusal_names_the_field_of_its_own_body(client: httpx.AsyncClient) -> None:
    ana, luis = await new(client, "Ana López"), await new(client, "Luis Pérez")
    himself = refused(
        await client.post(f"{Customers}/{ana}/referrals", json={"customer_id": ana}), 422, "related-to-himself"
    )
    assert himself["errors"][0]["pointer"] == "/customer_id"
    nowhere = refused(
        await client.post(f"{Customers}/{ana}/contacts", json={"customer_id": luis}), 422, "wrong-kind-of-party"
    )
    assert nowhere["errors"][0]["pointer"] == "/path/customer_id"


async def test_whoever_of_the_two_nobody_knows_is_named(client: httpx.AsyncClient) -> None:
    made = await client.post("/identity/v1/customers", json={"profile": {"full_name": "Ana López"}})
    ana, nobody = made.json()["customer_id"], str(uuid4())
    for ends, pointer in (((nobody, ana), "/from_id"), ((ana, nobody), "/to_id")):
        body = {"from_id": ends[0], "to_id": ends[1], "kind": "relative_of"}
        answer = await client.post("/identity/v1/relationships", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    answer = await client.post(f"/identity/v1/customers/{ana}/referrals", json={"customer_id": nobody})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/customer_id"]
