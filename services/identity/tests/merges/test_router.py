"""Lists that people reviewed, the log of decisions, and what a preview says, over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from ..conftest import Identity, seen  # noqa: TID252
from .test_use_cases import ANA, owner

MERGES, DECISIONS = "/identity/v1/merges", "/identity/v1/decisions"


async def said(client: httpx.AsyncClient, path: str, body: Any = None, **params: Any) -> Any:
    answer = await (client.get(path, params=params) if body is None else client.post(path, json=body))
    assert answer.is_success, answer.text
    return answer.json()


async def test_a_reviewed_list_keeps_what_it_can_and_says_what_it_refused(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    a, b, c = [await owner(identity, f"account:shop:{n}1") for n in (1, 2, 3)]
    d = await owner(identity, "document:co-cc:52123456", name=ANA, attests=("*",))
    e = await owner(identity, "document:co-cc:79888777", name="Luis Pérez", attests=("*",))
    rows = [(a, b), (b, c), (b, a), (d, e), (a, uuid4()), (a, a)]
    body = {"reason": "reviewed", "merges": [{"survivor": str(x), "absorbed": str(y)} for x, y in rows]}
    answer = await said(client, f"{MERGES}:batch", body)
    fates = [each["status"] for each in answer["results"]]
    assert fates == ["merged", "merged", "known", "refused", "refused", "refused"]
    assert (answer["merged"], answer["known"], answer["refused"]) == (2, 1, 3)
    codes = [each["problem"]["code"] for each in answer["results"] if each["problem"]]
    assert codes == ["guard-objects", "unknown-customer", "same-customer"]
    assert set((await identity.owners()).values()) == {a, d, e}, "the second line's survivor stands for the first one's"
    again = await said(client, f"{MERGES}:batch", body)
    assert [each["status"] for each in again["results"][:3]] == ["known"] * 3
    undone = await said(client, f"{MERGES}/{answer['results'][1]['merge_id']}:undo", {"reason": "not her"})
    assert undone["merge_id"]
    assert set((await identity.owners()).values()) == {a, c, d, e}


async def test_the_log_tells_what_was_decided_by_whom_on_whom(identity: Identity, client: httpx.AsyncClient) -> None:
    a, b, c = [await owner(identity, f"account:shop:{n}1") for n in (1, 2, 3)]
    pair = {"survivor": str(a), "absorbed": str(b), "reason": "one"}
    merge_id = (await said(client, MERGES, pair))["merge_id"]
    await said(client, f"{MERGES}/{merge_id}:undo", {"reason": "two"})
    of_merge = await said(client, f"{MERGES}/{merge_id}")
    lifted = {"left_trace": of_merge["left_trace"], "right_trace": of_merge["right_trace"], "reason": "one after all"}
    assert (await client.post("/identity/v1/cannot-links:lift", json=lifted)).status_code == 204
    log = (await said(client, DECISIONS, customer_id=str(a)))["items"]
    assert [each["kind"] for each in log[:3]] == ["lift", "undo", "merge"]
    assert (log[1]["undoes"], log[2]["undone_by"]) == (merge_id, log[1]["decision_id"])
    assert {each["by"] for each in log[:3]} == {"first key"}
    assert [each["kind"] for each in (await said(client, DECISIONS, customer_id=str(c)))["items"]] == ["link"]
    by_rules = await said(client, DECISIONS, author="rules")
    assert {each["kind"] for each in by_rules["items"]} == {"link"}
    page = await said(client, DECISIONS, limit=2)
    following = await said(client, DECISIONS, limit=2, cursor=page["next"])
    seen = [each["decision_id"] for each in (*page["items"], *following["items"])]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 4
    assert [each["kind"] for each in (await said(client, DECISIONS, kind="undo"))["items"]] == ["undo"]


async def test_a_preview_names_the_rule_of_each_value_and_all_that_moves(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    a = await owner(identity, "email:ana@example.com", name="Ana María López Ruiz", profile={"city": "Cali"})
    b = await owner(identity, "account:shop:1", name="A. López", profile={"city": "Pasto"})
    told = await said(client, f"{MERGES}:preview", {"survivor": str(a), "absorbed": str(b)})
    assert [trace["scheme"] for trace in told["traces"]] == ["account"]
    assert (told["touchpoints_moved"], told["identifiers_gained"]) == (1, ["account:shop:1"])
    name = next(each for each in told["values"] if each["key"] == "full_name")
    assert (name["wins"], name["rule"]) == ("Ana María López Ruiz", "most-complete")
    city = next(each for each in told["values"] if each["key"] == "city")
    assert (city["rule"], city["source"], {city["survivor_has"], city["absorbed_has"]}) == (
        "most-recent", "shop", {"Cali", "Pasto"},
    )  # fmt: skip
    assert UUID(told["survivor"]) == a


async def test_the_preview_names_what_has_to_be_lifted_before_those_who_are_kept_apart_can_be_merged(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    a, b, c = [await owner(identity, f"account:shop:{n}1") for n in (1, 2, 3)]
    for other in (b, c):
        merge_id = (await said(client, MERGES, {"survivor": str(a), "absorbed": str(other), "reason": "one"}))[
            "merge_id"
        ]
        await said(client, f"{MERGES}/{merge_id}:undo", {"reason": "two"})
    pair = {"survivor": str(a), "absorbed": str(b), "reason": "one after all"}
    assert (await client.post(MERGES, json=pair)).json()["code"] == "kept-apart"
    preview = await said(client, f"{MERGES}:preview", pair)
    assert (preview["objections"], len(preview["kept_apart"])) == (["kept-apart"], 1)
    lift = preview["kept_apart"][0] | {"reason": "one after all"}
    assert (await client.post("/identity/v1/cannot-links:lift", json=lift)).status_code == 204
    assert (await said(client, f"{MERGES}:preview", pair))["kept_apart"] == []
    await said(client, MERGES, pair)


async def test_a_pair_in_doubt_is_in_doubt_again_when_the_verdict_on_it_is_lifted(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    for name in ("Marta Gil", "Hernando Páez"):
        document = f"document:co-cc:5212345{len(name)}"
        await identity.happen(seen(document, "email:casa@example.com", name=name, attests=("*",)))
    [pair] = (await said(client, "/identity/v1/reviews"))["items"]
    await said(
        client, f"/identity/v1/reviews/{pair['review_id']}:decide", {"verdict": "different", "reason": "a couple"}
    )
    traces = {"left_trace": pair["left"]["trace_id"], "right_trace": pair["right"]["trace_id"]}
    lift = traces | {"reason": "he showed his document"}
    assert (await client.post("/identity/v1/cannot-links:lift", json=lift)).status_code == 204
    assert (await said(client, "/identity/v1/reviews"))["items"] == [pair]
    await said(client, f"/identity/v1/reviews/{pair['review_id']}:decide", {"verdict": "same", "reason": "one person"})
    assert len(set((await identity.owners()).values())) == 1


async def test_a_reason_of_blanks_is_none(identity: Identity, client: httpx.AsyncClient) -> None:
    a, b = [await owner(identity, f"account:shop:{n}1") for n in (1, 2)]
    answer = await client.post(MERGES, json={"survivor": str(a), "absorbed": str(b), "reason": "  "})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reason")


async def test_who_was_erased_is_merged_with_nobody(identity: Identity, client: httpx.AsyncClient) -> None:
    a, b = [await owner(identity, f"account:shop:{n}1") for n in (1, 2)]
    assert (await client.post(f"/identity/v1/customers/{b}:erase", json={"reason": "asked"})).status_code == 202
    for survivor, absorbed, pointer in ((a, b, "/absorbed"), (b, a, "/survivor")):
        pair = {"survivor": str(survivor), "absorbed": str(absorbed), "reason": "one", "force": True}
        for path in (MERGES, f"{MERGES}:preview"):
            answer = await client.post(path, json=pair)
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer"), path
            assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_key_account_stays_one_when_it_is_absorbed_and_only_that_one_is_after_the_undo(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    stays, other = [await owner(identity, f"account:shop:{n}1") for n in (1, 2)]
    path = f"/identity/v1/customers/{other}"
    etag = (await client.get(path)).headers["ETag"]
    assert (await client.patch(path, json={"key_account": True}, headers={"If-Match": etag})).status_code == 200
    pair = {"survivor": str(stays), "absorbed": str(other), "reason": "one"}
    assert (await said(client, f"{MERGES}:preview", pair))["key_account"] is True
    merge_id = (await said(client, MERGES, pair))["merge_id"]
    assert (await said(client, f"/identity/v1/customers/{stays}"))["key_account"] is True
    assert (await identity.told("customer-changed"))[-1]["key_account"] is True
    await said(client, f"{MERGES}/{merge_id}:undo", {"reason": "two"})
    both = [(await said(client, f"/identity/v1/customers/{each}"))["key_account"] for each in (stays, other)]
    assert both == [False, True]
    assert {e["customer_id"]: e["key_account"] for e in await identity.told("customer-changed")}[str(stays)] is False


async def test_a_person_is_no_organisation_unless_somebody_insists(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = await owner(identity, "account:shop:11")
    made = await said(
        client, "/identity/v1/customers", {"kind": "organisation", "profile": {"organisation": "Acme S.A.S."}}
    )
    pair = {"survivor": made["customer_id"], "absorbed": str(person), "reason": "one"}
    assert (await said(client, f"{MERGES}:preview", pair))["objections"] == ["other-name", "other-kind"]
    answer = await client.post(MERGES, json=pair)
    assert (answer.json()["code"], answer.json()["errors"][-1]["code"]) == ("guard-objects", "other-kind")
    await said(client, MERGES, pair | {"force": True})


@pytest.mark.parametrize("came", [False, True])
@pytest.mark.parametrize("archived_survives", [False, True])
async def test_who_was_put_aside_is_about_while_he_is_one_with_somebody_who_is_and_no_longer(
    identity: Identity, client: httpx.AsyncClient, archived_survives: bool, came: bool
) -> None:
    gone, other = [await owner(identity, f"account:shop:{n}1") for n in (1, 2)]
    async with identity.uow() as uow:
        await uow.customers.change(gone, state="archived")
        await uow.commit()
    survivor, absorbed = (gone, other) if archived_survives else (other, gone)
    pair = {"survivor": str(survivor), "absorbed": str(absorbed), "reason": "one"}
    merge_id = (await said(client, MERGES, pair))["merge_id"]
    assert (await said(client, f"/identity/v1/customers/{survivor}"))["state"] == "active"
    if came:
        identity.clock.advance(timedelta(minutes=1))
        await identity.happen(seen("account:shop:11", at=identity.clock()))
    await said(client, f"{MERGES}/{merge_id}:undo", {"reason": "two"})
    states = [(await said(client, f"/identity/v1/customers/{each}"))["state"] for each in (gone, other)]
    assert states == ["active" if came else "archived", "active"]
    last = {e["customer_id"]: e["state"] for e in await identity.told("customer-changed")}
    assert (last[str(gone)], last[str(other)]) == tuple(states)


async def test_a_preview_says_of_facts_people_and_consents_what_then_holds(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    one, other = [f"/identity/v1/customers/{await owner(identity, f'account:shop:{n}1')}" for n in (1, 2)]
    said_by = {
        one: [("marketing", "whatsapp", True), ("surveys", "*", True), ("reference", "*", False)],
        other: [("marketing", "*", False), ("surveys", "email", False), ("reference", "*", True), ("processing", "*", False)],
    }  # fmt: skip
    for path, consents in said_by.items():
        identity.clock.advance(timedelta(minutes=1))
        for purpose, channel, granted in consents:
            consent = {"purpose": purpose, "channel": channel, "granted": granted, "evidence": "a form"}
            await said(client, f"{path}/consents", consent)
        await said(client, f"{path}/facts", {"key": "hobby", "value": f"of {path[-4:]}"})
        role = {"role": "account_owner", "staff_id": f"s-{path[-4:]}"}
        assert (await client.put(f"{path}/assignments", json=role)).status_code == 200
    pair = {"survivor": one.split("/")[-1], "absorbed": other.split("/")[-1], "reason": "one", "force": True}
    told = await said(client, f"{MERGES}:preview", pair)
    assert [(each["purpose"], each["channel"]) for each in told["consents_lost"]] == [
        ("marketing", "whatsapp"), ("reference", "*"), ("surveys", "email"),
    ]  # fmt: skip
    assert told["restricted"] is True
    [fact] = told["facts"]
    assert (fact["wins"], fact["survivor_has"]) == (f"of {other[-4:]}", f"of {one[-4:]}")
    await said(client, MERGES, pair)
    record = await said(client, one)
    assert [(each["key"], each["value"]) for each in record["facts"]] == [("hobby", fact["wins"])]
    assert (await said(client, f"{one}/assignments"))["items"] == told["people"]
    assert (await said(client, f"{one}/preferences"))["restricted"] is True


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
async def test_of_several_key_accounts_each_is_one_again_and_nobody_else(
    identity: Identity, client: httpx.AsyncClient, order: tuple[int, int, int]
) -> None:
    plain, one, other, last = [str(await owner(identity, f"account:shop:{n}1")) for n in range(1, 5)]
    for each in (one, other):
        etag = (await client.get(f"/identity/v1/customers/{each}")).headers["ETag"]
        patched = await client.patch(
            f"/identity/v1/customers/{each}", json={"key_account": True}, headers={"If-Match": etag}
        )
        assert patched.status_code == 200
    merges = []
    for survivor, absorbed in ((plain, one), (plain, other), (last, plain)):
        identity.clock.advance(timedelta(seconds=1))
        pair = {"survivor": survivor, "absorbed": absorbed, "reason": "one"}
        merges.append((await said(client, MERGES, pair))["merge_id"])
    for each in order:
        identity.clock.advance(timedelta(seconds=1))
        await said(client, f"{MERGES}/{merges[each]}:undo", {"reason": "two"})
    keys = [(await said(client, f"/identity/v1/customers/{each}"))["key_account"] for each in (plain, one, other, last)]
    assert keys == [False, True, True, False]
    told = {e["customer_id"]: e["key_account"] for e in await identity.told("customer-changed")}
    assert [told[each] for each in (plain, one, other, last)] == keys


async def test_a_preview_says_which_consents_a_refusal_of_every_purpose_takes(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    one, other = [await owner(identity, f"account:shop:{n}1") for n in (1, 2)]
    for customer, purpose, granted in ((one, "*", False), (other, "marketing", True)):
        identity.clock.advance(timedelta(minutes=1))
        consent = {"purpose": purpose, "granted": granted, "evidence": "a form"}
        await said(client, f"/identity/v1/customers/{customer}/consents", consent)
    pair = {"survivor": str(one), "absorbed": str(other), "reason": "one", "force": True}
    told = await said(client, f"{MERGES}:preview", pair)
    assert [(each["purpose"], each["channel"]) for each in told["consents_lost"]] == [("marketing", "*")]
