"""Records are found by rules, proposed, approved, cleaned up, and all of it is taken back as a whole."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from .worlds import World, a_world


@pytest.fixture
async def world(tmp_path: Path, make_database: Any) -> AsyncIterator[World]:
    async with a_world(tmp_path / "world", make=make_database) as found:
        yield found


def seen(world: World, number: int, *identifiers: str, days: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "source": "till", "external_id": f"s-{number}", "kind": "message", "channel": "whatsapp",
        "identifiers": list(identifiers), "occurred_at": (world.clock() - timedelta(days=days, hours=1)).isoformat(),
        "backfill": days > 1, **more,
    }  # fmt: skip


async def cleaned(world: World, rule: Any) -> dict[str, Any]:
    """A run of the rule, when it has looked through everything."""
    run = await world.post("/identity/v1/cleanups", {"rule": rule, "reason": "Spring"})
    await world.settle()
    found: dict[str, Any] = await world.get(f"/identity/v1/cleanups/{run['cleanup_id']}")
    found["proposals"] = await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items")
    return found


async def customer_of(world: World, identifier: str) -> dict[str, Any]:
    found = await world.get("/identity/v1/customers", identifier=identifier)
    customer: dict[str, Any] = await world.get(f"/identity/v1/customers/{found['items'][0]['customer_id']}")
    return customer


async def test_stale_records_are_archived_after_approval_and_back_after_undo(world):
    await world.record(
        seen(world, 1, "email:old@example.com", days=1500),
        seen(world, 2, "email:older@example.com", days=2000),
        seen(world, 3, "email:new@example.com"),
    )
    run = await cleaned(world, "stale")
    assert (run["state"], run["items"]) == ("proposed", {"proposed": 2})
    assert (await customer_of(world, "email:old@example.com"))["state"] == "active"  # nothing before approval
    left_out = next(item["item_id"] for item in run["proposals"] if item["figures"]["days_since_seen"] >= 2000)
    approve = f"/identity/v1/cleanups/{run['cleanup_id']}:approve"
    strange = await world.ask("POST", approve, json={"leave_out": [left_out, run["cleanup_id"]]})
    assert (strange.status_code, strange.json()["code"]) == (422, "not-proposed")
    approved = await world.post(approve, {"leave_out": [left_out, left_out]})
    assert (approved["state"], approved["items"]) == ("acting", {"proposed": 1, "left-out": 1})
    await world.settle()
    done = await world.get(f"/identity/v1/cleanups/{run['cleanup_id']}")
    assert (done["state"], done["items"]) == ("done", {"done": 1, "left-out": 1})
    assert (await customer_of(world, "email:old@example.com"))["state"] == "archived"
    assert (await customer_of(world, "email:older@example.com"))["state"] == "active"
    again = await world.ask("POST", f"/identity/v1/cleanups/{run['cleanup_id']}:approve", json={})
    assert (again.status_code, again.json()["code"]) == (409, "not-in-that-state")

    undoing = await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "Too wide"})
    assert (undoing["state"], undoing["items"]) == ("undoing", {"done": 1, "left-out": 1})
    await world.settle()
    undone = await world.get(f"/identity/v1/cleanups/{run['cleanup_id']}")
    assert (undone["state"], undone["items"]) == ("undone", {"taken-back": 1, "left-out": 1})
    assert (await customer_of(world, "email:old@example.com"))["state"] == "active"


async def test_who_comes_back_is_active_again_and_is_not_archived_by_an_old_proposal(world):
    await world.record(
        seen(world, 1, "email:old@example.com", days=1500), seen(world, 2, "email:two@example.com", days=1500)
    )
    run = await cleaned(world, "stale")
    await world.record(seen(world, 3, "email:two@example.com"))
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    assert (await world.get(f"/identity/v1/cleanups/{run['cleanup_id']}"))["items"] == {"done": 1, "not-possible": 1}
    await world.record(seen(world, 4, "email:old@example.com"))
    assert (await customer_of(world, "email:old@example.com"))["state"] == "active"


async def test_who_can_be_reached_by_now_is_not_silenced_by_an_old_proposal(world):
    await world.record(
        seen(world, 1, "document:co-cc:52123456", days=400), seen(world, 2, "document:co-cc:79555111", days=400)
    )
    run = await cleaned(world, "unreachable")
    await world.record(seen(world, 3, "document:co-cc:52123456", "phone:3001234567"))
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    back, silent = [await customer_of(world, f"document:co-cc:{number}") for number in (52123456, 79555111)]
    items = {
        item["customer_id"]: item for item in await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items")
    }
    assert items[silent["customer_id"]]["state"] == "done"
    kept = items[back["customer_id"]]
    assert (kept["state"], kept["note"]) == ("not-possible", "not-in-that-state")
    assert not (await world.get(f"/identity/v1/customers/{back['customer_id']}/preferences"))["do_not_contact"]


async def test_a_key_account_is_not_put_aside_by_a_proposal_from_before_he_was_one(world):
    await world.record(seen(world, 1, "email:old@example.com", days=1500))
    run = await cleaned(world, "stale")
    customer = await customer_of(world, "email:old@example.com")
    path = f"/identity/v1/customers/{customer['customer_id']}"
    read = await world.ask("GET", path)
    changed = await world.ask("PATCH", path, json={"key_account": True}, headers={"If-Match": read.headers["etag"]})
    assert changed.status_code == 200, changed.text
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    assert (await customer_of(world, "email:old@example.com"))["state"] == "active"


async def test_of_whom_nothing_is_left_meanwhile_the_undo_makes_nobody(world):
    (told,) = await world.record(seen(world, 1, "email:old@example.com", days=1500))
    customer_id = (await customer_of(world, "email:old@example.com"))["customer_id"]
    run = await cleaned(world, "stale")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    await world.post(f"/interactions/v1/touchpoints/{told['touchpoint_id']}:retract", {"reason": "A mistake"})
    await world.settle()
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "Too wide"})
    await world.settle()
    assert (await world.get(f"/identity/v1/customers/{customer_id}"))["state"] == "archived"


async def test_likely_duplicates_are_merged_and_come_apart_again(world):
    his = {"birth_date": "1970-01-02"}
    await world.record(
        seen(world, 1, "phone:3001234567", days=9, profile={"full_name": "Pedro Jose Gomez Paz", **his}),
        seen(world, 2, "email:pgomez@example.com", profile={"full_name": "Pedro Gomez Paz", **his}),
        seen(world, 3, "email:ana@example.com", "document:co-cc:52123456", profile={"full_name": "Ana Lopez Ruiz"}),
        seen(world, 4, "email:ana@example.com", "document:co-cc:79555111", profile={"full_name": "Ana Lopez Ruiz"}),
    )
    assert len(await world.all_of("/identity/v1/reviews", state="open")) == 2
    elder, younger = await customer_of(world, "phone:3001234567"), await customer_of(world, "email:pgomez@example.com")
    run = await cleaned(world, "duplicate")  # of the other pair nobody said how likely it is
    assert [(item["customer_id"], item["other_id"]) for item in run["proposals"]] == [
        (younger["customer_id"], elder["customer_id"])
    ]
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    assert (await customer_of(world, "email:pgomez@example.com"))["customer_id"] == elder["customer_id"]
    (item,) = await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items", state="done")
    assert item["outcome"] is not None
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "Two persons"})
    await world.settle()
    assert (await customer_of(world, "email:pgomez@example.com"))["customer_id"] == younger["customer_id"]


async def test_a_pair_that_a_guard_keeps_apart_is_not_merged_and_the_item_says_why(world):
    await world.record(
        seen(world, 1, "email:ana@example.com", "document:co-cc:52123456", profile={"full_name": "Ana Lopez Ruiz"}),
        seen(world, 2, "email:ana@example.com", "document:co-cc:79555111", profile={"full_name": "Ana Lopez Ruiz"}),
    )
    run = await cleaned(world, {"when": {"field": "shares", "op": "eq", "value": "email"}, "do": "merge"})
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    (item,) = await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items")
    assert (item["state"], item["note"]) == ("not-possible", "guard-objects")


async def test_unreachable_ones_are_not_contacted_until_it_is_taken_back(world):
    await world.record(seen(world, 1, "document:co-cc:52123456", days=400))
    customer_id = (await customer_of(world, "document:co-cc:52123456"))["customer_id"]
    await world.put(f"/identity/v1/customers/{customer_id}/preferences", {"ranking": ["email"]})
    await world.later(minutes=1)
    run = await cleaned(world, "unreachable")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    wishes = f"/identity/v1/customers/{customer_id}/preferences"
    during = await world.get(wishes)
    assert (during["do_not_contact"], during["ranking"]) == (True, ["email"])
    await world.later(minutes=1)
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "He wrote"})
    await world.settle()
    after = await world.get(wishes)
    assert (after["do_not_contact"], after["ranking"]) == (False, ["email"])


async def test_a_rule_that_cannot_be_read_is_refused_with_its_place(world):
    rule = {"when": {"all": [{"field": "colour", "op": "eq", "value": "red"}]}, "do": "archive"}
    answer = await world.ask("POST", "/identity/v1/cleanups", json={"rule": rule, "reason": "Spring"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-condition")
    assert answer.json()["errors"][0]["pointer"] == "/rule/when/all/0/field"


async def test_dead_ones_are_found_by_the_fact(world):
    await world.record(
        seen(world, 1, "email:dead@example.com", facts=[{"key": "deceased", "value": True}]),
        seen(world, 2, "email:alive@example.com"),
    )
    run = await cleaned(world, "dead")
    assert [item["figures"]["deceased"] for item in run["proposals"]] == [True]
    his, ask = run["proposals"][0]["customer_id"], {"channel": "email", "purpose": "marketing"}
    consent = {"purpose": "marketing", "channel": "*", "granted": True, "evidence": "a form"}
    await world.post(f"/identity/v1/customers/{his}/consents", consent)
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    answer = await world.get(f"/interactions/v1/customers/{his}/may-contact", **ask)
    assert (answer["allowed"], [reason["code"] for reason in answer["reasons"]]) == (False, ["archived"])
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "He lives"})
    await world.settle()
    assert (await world.get(f"/interactions/v1/customers/{his}/may-contact", **ask))["allowed"]


async def test_what_he_wished_before_he_was_merged_stands_again_when_the_silence_is_taken_back(world):
    await world.record(
        seen(world, 1, "document:co-cc:52123456", days=400), seen(world, 2, "document:co-ce:451277", days=400)
    )
    stays, absorbed = [
        (await customer_of(world, each))["customer_id"] for each in ("document:co-cc:52123456", "document:co-ce:451277")
    ]
    wishes = f"/identity/v1/customers/{stays}/preferences"
    wish = {"ranking": ["email"], "max_contacts": 1, "per_days": 30}
    await world.put(f"/identity/v1/customers/{absorbed}/preferences", wish)
    await world.later(minutes=1)
    await world.post("/identity/v1/merges", {"survivor": stays, "absorbed": absorbed, "reason": "One"})
    before = await world.get(wishes)
    run = await cleaned(world, "unreachable")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.later(minutes=1)
    during = await world.get(wishes)
    assert (during["do_not_contact"], during["ranking"]) == (True, ["email"])
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "He wrote"})
    await world.settle()
    assert await world.get(wishes) == before


async def test_a_silence_is_taken_back_although_he_was_merged_meanwhile(world):
    await world.record(seen(world, 1, "document:co-cc:52123456", days=400), seen(world, 2, "email:ana@example.com"))
    silent, stays = [
        (await customer_of(world, each))["customer_id"] for each in ("document:co-cc:52123456", "email:ana@example.com")
    ]
    run = await cleaned(world, "unreachable")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    await world.post("/identity/v1/merges", {"survivor": stays, "absorbed": silent, "reason": "One"})
    wishes = f"/identity/v1/customers/{stays}/preferences"
    assert (await world.get(wishes))["do_not_contact"]
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "He wrote"})
    await world.settle()
    assert not (await world.get(wishes))["do_not_contact"]
    (item,) = await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items")
    assert (item["state"], item["note"]) == ("taken-back", None)


async def test_what_he_refuses_while_he_is_put_aside_holds_when_he_comes_back(world):
    await world.record(seen(world, 1, "email:old@example.com", days=1500))
    his = (await customer_of(world, "email:old@example.com"))["customer_id"]
    run = await cleaned(world, "stale")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    await world.put(f"/identity/v1/customers/{his}/preferences", {"do_not_contact": True})
    await world.record(seen(world, 2, "email:old@example.com"))
    await world.later(days=30)  # nothing is owed to him
    answer = await world.get(
        f"/interactions/v1/customers/{his}/may-contact", channel="email", purpose="service", topic="loyalty"
    )
    assert "do-not-contact" in [reason["code"] for reason in answer["reasons"]]


@pytest.mark.parametrize("archived_survives", [False, True])
async def test_who_was_put_aside_and_merged_is_active_when_both_are_taken_back(world, archived_survives):
    await world.record(seen(world, 1, "email:old@example.com", days=1500), seen(world, 2, "email:new@example.com"))
    old, new = [(await customer_of(world, f"email:{each}@example.com"))["customer_id"] for each in ("old", "new")]
    run = await cleaned(world, "stale")
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:approve", {})
    await world.settle()
    survivor, absorbed = (old, new) if archived_survives else (new, old)
    pair = {"survivor": survivor, "absorbed": absorbed, "reason": "One"}
    merge_id = (await world.post("/identity/v1/merges", pair))["merge_id"]
    await world.post(f"/identity/v1/cleanups/{run['cleanup_id']}:undo", {"reason": "Too wide"})
    await world.settle()
    (item,) = await world.all_of(f"/identity/v1/cleanups/{run['cleanup_id']}/items")
    assert (item["state"], item["note"]) == ("taken-back", None)
    await world.post(f"/identity/v1/merges/{merge_id}:undo", {"reason": "Two"})
    await world.settle()
    assert [(await customer_of(world, f"email:{each}@example.com"))["state"] for each in ("old", "new")] == [
        "active"
    ] * 2
