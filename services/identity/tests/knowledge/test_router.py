"""Facts with their sensitivity, what became of each question, and how well we know him: over HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from ..conftest import Identity, seen  # noqa: TID252

Customers = "/identity/v1/customers"


async def knowledge(client: httpx.AsyncClient, customer: Any) -> dict[str, Any]:
    answer = await client.get(f"{Customers}/{customer}/knowledge")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_fact_says_how_old_and_how_delicate_it_is(identity: Identity, client: httpx.AsyncClient) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    path = f"{Customers}/{made['customer_id']}/facts"
    for key in ("best_hour", "credit_note", "something_else"):
        assert (await client.post(path, json={"key": key, "value": "x"})).status_code == 201
    identity.clock.advance(timedelta(days=200))
    found = {each["key"]: (each["sensitivity"], each["stale"]) for each in (await client.get(path)).json()["items"]}
    assert found == {
        "best_hour": ("public", False), "credit_note": ("restricted", True), "something_else": ("internal", False),
    }  # fmt: skip


async def test_what_is_in_his_mind_is_found_by_what_it_tells(client: httpx.AsyncClient) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    path = f"{Customers}/{made['customer_id']}/facts"
    said = {"fears": ["to be without a car"], "desires": "a trip", "hobby": "chess", "something_else": "x"}
    for key, value in said.items():
        assert (await client.post(path, json={"key": key, "value": value})).status_code == 201
    every = (await client.get(path)).json()["items"]
    assert {each["key"]: each["category"] for each in every} == {
        "fears": "fear", "desires": "desire", "hobby": "taste", "something_else": None,
    }  # fmt: skip
    for asked, keys in (("category=fear", ["fears"]), ("category=doubt", []), ("category=fear&key=hobby", [])):
        assert [each["key"] for each in (await client.get(f"{path}?{asked}")).json()["items"]] == keys
    assert (await client.get(f"{path}?category=moon")).status_code == 422


async def test_a_question_is_put_declined_answered_and_never_forgotten(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen("phone:3001234567", name="Ana López", asked=["q-email", "q-best-hour"], at=identity.clock())
    await identity.happen(person)
    path = f"{Customers}/{await identity.owner(person)}/questions"
    identity.clock.advance(timedelta(days=1))
    await client.post(f"{path}/q-best-hour:decline")
    answer = {"key": "email_address", "value": "ana@example.com", "question_id": "q-email"}
    await client.post(path.replace("questions", "facts"), json=answer)
    identity.clock.advance(timedelta(days=40))
    again = seen("phone:3001234567", name="Ana López", asked=["q-email"], at=identity.clock())
    await identity.happen(again)
    record = {each["question_id"]: each for each in (await client.get(f"{path}/record")).json()["items"]}
    email, hour = record["q-email"], record["q-best-hour"]
    assert (email["state"], email["times_asked"], email["repeated"]) == ("answered", 2, 1)
    assert (hour["state"], hour["times_declined"], hour["repeated"]) == ("declined", 1, 0)
    assert hour["rests_until"] > identity.clock().isoformat()
    asked = (await client.get(path)).json()["items"]
    assert not {"q-email", "q-best-hour"} & {each["question_id"] for each in asked}


async def test_an_answer_to_another_question_would_leave_that_one_open(client: httpx.AsyncClient) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    path = f"{Customers}/{made['customer_id']}/facts"
    answer = await client.post(path, json={"key": "hobby", "value": "x", "question_id": "q-email"})
    assert (answer.status_code, answer.json()["code"]) == (422, "answers-another-question")
    assert answer.json()["errors"][0]["pointer"] == "/question_id"


async def test_a_fact_that_was_wrong_is_taken_away_and_asked_for_again(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    path = f"{Customers}/{made['customer_id']}"
    await client.post(f"{path}/facts", json={"key": "best_hour", "value": "6pm", "question_id": "q-best-hour"})
    identity.clock.advance(timedelta(hours=1))
    wrong = {"key": "best_hour", "value": None, "reason": "He never said so"}
    answer = await client.post(f"{path}:rectify", json=wrong)
    assert (answer.status_code, answer.json()["was"], answer.json()["value"]) == (201, "6pm", None), answer.text
    assert (await client.get(path)).json()["facts"] == []
    assert [each["value"] for each in (await client.get(f"{path}/facts")).json()["items"]] == [None, "6pm"]
    assert (await client.get(f"{path}/questions", params={"limit": 2})).json()["items"][1]["key"] == "best_hour"
    told = {each["key"]: each["value"] for each in (await identity.told("customer-profiled"))[-1]["known"]}
    assert told["best_hour"] is None


@pytest.mark.parametrize(
    ("key", "value", "pointer"),
    [
        ("full_name", "", "/value"),
        ("birth_date", "31/12/1980", "/value"),
        ("hobby", {"a": 1}, "/value"),
        ("hobby", [], "/value"),
        ("adress", "cra 97 # 12-34", "/key"),
        ("phone", "300 123 4567", "/key"),
    ],
)
async def test_what_cannot_stand_on_record_puts_nothing_right(
    client: httpx.AsyncClient, key: str, value: Any, pointer: str
) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    path = f"{Customers}/{made['customer_id']}"
    answer = await client.post(f"{path}:rectify", json={"key": key, "value": value, "reason": "x"})
    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}
    assert (await client.get(path)).json()["display_name"] == "Ana López"


async def test_who_is_reached_understood_and_bound_to_us_is_known(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen(
        "phone:3001234567", name="Ana López", attests=("*",), profile={"address": "Cra 97 # 12-34"}, at=identity.clock()
    )
    await identity.happen(person)
    ana = await identity.owner(person)
    first = await knowledge(client, ana)
    assert first["located"] == {"value": 0.75, "missing": ["email"]}
    assert first["understood"]["value"] == 0
    assert first["related"] == {"value": 0.25, "missing": ["links", "owner", "wishes"]}

    luis = (await client.post(Customers, json={"profile": {"full_name": "Luis"}})).json()["customer_id"]
    body = {"from_id": luis, "to_id": str(ana), "kind": "relative_of"}
    await client.post("/identity/v1/relationships", json=body)
    await client.put(f"{Customers}/{ana}/assignments", json={"role": "account_owner", "staff_id": "s-1"})
    await client.put(f"{Customers}/{ana}/preferences", json={"ranking": ["phone"]})
    await client.post(f"{Customers}/{ana}/facts", json={"key": "best_hour", "value": "tarde"})
    then = await knowledge(client, ana)
    assert then["related"] == {"value": 1.0, "missing": []}
    assert then["understood"]["value"] > 0
    assert then["index"] > first["index"]

    identity.clock.advance(timedelta(days=400))
    later = await knowledge(client, ana)
    assert later["related"]["missing"] == ["dialogue"]
    assert later["understood"]["value"] == 0


@pytest.mark.parametrize("value", ["", "  ", [], [""], None])
async def test_an_empty_answer_is_no_answer(client: httpx.AsyncClient, value: Any) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    body = {"key": "best_hour", "value": value, "question_id": "q-best-hour"}
    answer = await client.post(f"{Customers}/{made['customer_id']}/facts", json=body)
    assert answer.status_code == 422
    assert all(error["pointer"].startswith("/value") for error in answer.json()["errors"])


async def test_a_fact_dated_ahead_would_stand_over_what_he_says_until_then(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    made = (await client.post(Customers, json={"profile": {"full_name": "Ana López"}})).json()
    ahead = (identity.clock() + timedelta(days=30)).isoformat()
    body = {"key": "best_hour", "value": "after 18:00", "observed_at": ahead}
    answer = await client.post(f"{Customers}/{made['customer_id']}/facts", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "occurred-in-future")
    assert answer.json()["errors"][0]["pointer"] == "/observed_at"


async def test_what_is_put_right_stands_over_a_contact_by_a_clock_that_goes_ahead(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    told = [{"key": "hobby", "value": "chess", "confidence": 1.0}]
    call = seen("phone:3001234567", name="Ana López", facts=told, at=identity.clock() + timedelta(minutes=4))
    await identity.happen(call)
    path = f"/identity/v1/customers/{await identity.owner(call)}"
    right = {"key": "hobby", "value": "orchids", "reason": "She said so"}
    assert (await client.post(f"{path}:rectify", json=right)).status_code == 201
    assert [each["value"] for each in (await client.get(path)).json()["facts"]] == ["orchids"]
