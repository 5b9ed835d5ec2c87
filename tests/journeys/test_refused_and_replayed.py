"""One bad row does not spoil a batch; it is found, repaired, sent again, and counts once."""

import json

from .people import Person, ago
from .systems import until


def test_a_refused_row_is_found_repaired_and_recorded_once(caller):
    ana = Person.new(caller)
    good = [ana.touchpoint(topic="billing", summary=f"Message {n}") for n in range(3)]
    bad = ana.touchpoint(kind="purchase", payload={"amount": "a lot", "currency": "COP"}, summary="The bad one")
    answer = caller.post("/interactions/v1/touchpoints:batch", [good[0], bad, good[1], good[0], good[2]])
    assert (answer["recorded"], answer["duplicate"], answer["refused"]) == (3, 1, 1)
    assert [result["status"] for result in answer["results"]] == [
        "recorded", "refused", "recorded", "duplicate", "recorded",
    ]  # fmt: skip
    refused = answer["results"][1]
    assert refused["index"] == 1
    assert [error["pointer"] for error in refused["problem"]["errors"]] == ["/payload/amount"]
    assert "a lot" not in json.dumps(refused), "a refusal echoes no value"

    path = f"/interactions/v1/parked/{refused['parked_id']}"
    parked = caller.ask("GET", path)
    assert json.loads(parked.json()["body"])["external_id"] == bad["external_id"]
    assert refused["parked_id"] in [
        item["id"] for item in caller.get("/interactions/v1/parked", kind="touchpoint")["items"]
    ]

    mended = {**bad, "payload": {"amount": "5000.00", "currency": "COP"}}
    caller.put(path, {"body": mended}, **{"If-Match": parked.headers["etag"]})
    caller.post(f"{path}:replay")
    again = caller.ask("POST", f"{path}:replay")
    assert again.status_code in (200, 204, 409)
    assert caller.ask("POST", "/interactions/v1/touchpoints", json=mended).json()["status"] == "duplicate"
    recap = [entry["summary"] for entry in ana.resume()["recap"]]
    assert recap.count("The bad one") == 1
    assert caller.get(path)["state"] == "replayed"


def test_the_same_id_with_another_body_is_a_conflict_and_the_first_stays(caller):
    ana = Person.new(caller)
    body = ana.touchpoint(topic="billing", summary="The first")
    first = caller.post("/interactions/v1/touchpoints", body)
    other = caller.ask("POST", "/interactions/v1/touchpoints", json={**body, "summary": "Another"})
    assert (other.status_code, other.json()["code"]) == (409, "different-body")
    assert other.headers["content-type"].startswith("application/problem+json")
    same = caller.ask("POST", "/interactions/v1/touchpoints", json=body)
    assert (same.status_code, same.json()["status"]) == (200, "duplicate")
    assert same.json()["touchpoint_id"] == first["touchpoint_id"]
    assert [entry["summary"] for entry in ana.resume()["recap"]] == ["The first"]


def test_a_duplicate_is_told_the_first_answer_again(caller):
    ana = Person.new(caller)
    body = ana.touchpoint(
        kind="complaint", topic="billing", payload={"severity": "low"}, commitments=[{"by": "company", "text": "x"}]
    )
    first = caller.post("/interactions/v1/touchpoints", body)
    again = caller.post("/interactions/v1/touchpoints", body)
    assert first["case_number"]
    assert {**again, "status": "recorded"} == first


def test_lines_of_json_are_a_batch_too(caller):
    ana = Person.new(caller)
    lines = [json.dumps(ana.touchpoint(summary=f"Line {n}")) for n in range(2)]
    answer = caller.ask(
        "POST", "/interactions/v1/touchpoints:batch", content="\n".join([lines[0], "{no json", "", lines[1]]),
        headers={"Content-Type": "application/x-ndjson"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["recorded"], told["refused"]) == (2, 1)


def test_late_arrivals_take_their_place_in_time(caller):
    ana = Person.new(caller)
    ana.does(topic="billing", summary="Later", occurred_at=ago(minutes=5), stop_point="later")
    ana.does(topic="billing", summary="Earlier", occurred_at=ago(days=2), stop_point="earlier")
    told = ana.resume()
    assert told["resume_point"]["stop_point"] == "later"
    customer = until(ana.customer_id)
    page = caller.get(f"/interactions/v1/customers/{customer}/timeline")
    assert [entry["summary"] for entry in page["items"]] in (["Later", "Earlier"], ["Earlier", "Later"])


def test_the_timeline_pages_through_everything_once(caller):
    ana = Person.new(caller)
    batch = [ana.touchpoint(summary=f"Message {n}", occurred_at=ago(minutes=n + 1)) for n in range(25)]
    assert caller.post("/interactions/v1/touchpoints:batch", batch)["recorded"] == 25
    customer = until(ana.customer_id)
    seen, cursor = [], None
    for _ in range(10):
        page = caller.get(
            f"/interactions/v1/customers/{customer}/timeline", limit=10, **({"cursor": cursor} if cursor else {})
        )
        seen += [entry["summary"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"Message {n}" for n in range(25))


def test_what_was_redacted_is_gone_and_the_rest_stays(caller):
    ana = Person.new(caller)
    said = ana.does(topic="billing", content="My card is 4111 1111", summary="Asked about a charge")
    caller.post(
        f"/interactions/v1/touchpoints/{said['touchpoint_id']}:redact", {"pointers": ["/content"], "reason": "A card"}
    )
    read = caller.get(f"/interactions/v1/touchpoints/{said['touchpoint_id']}")
    assert "4111 1111" not in json.dumps(read)
    assert read["summary"] == "Asked about a charge"
