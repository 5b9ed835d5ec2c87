"""The whole application over HTTP: taken, read, moved, and refused to whom it is not his."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from common.auth import dev_token
from common.direct import direct_routes
from common.service import Runtime
from common.testing import FIRST_KEY, TEST_SECRET, client_for
from interactions.main import create_app
from interactions.touchpoints.domain import Speaker
from interactions.touchpoints.models import touchpoint

V1 = "/interactions/v1"
SCOPES = (
    "touchpoints:write",
    "touchpoints:read",
    "timeline:read",
    "commitments:write",
    "cases:write",
    "conversations:write",
)
PHONE = ["phone:300 123 4567"]


def app_of(world: Any) -> Any:
    return create_app(Runtime(world.settings, world.database, world.company, world.clock))


def client(world: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    return client_for(app_of(world), FIRST_KEY)


def bound(world: Any, subject: str | None = None, **claims: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    of_customer = {"source": "test"} if subject and subject.startswith("customer:") else {}
    claims = {"scopes": SCOPES, **of_customer, **claims}
    token = dev_token(TEST_SECRET, subject="somebody", hilo_subject=subject, **claims)
    return client_for(app_of(world), token)


def body(world: Any, number: object = 1, **said: Any) -> dict[str, Any]:
    return {
        "source": "test",
        "external_id": f"r-{number}",
        "kind": "message",
        "channel": "whatsapp",
        "occurred_at": world.clock().isoformat(),
        "identifiers": PHONE,
        **said,
    }


def test_what_is_asked_most_goes_the_short_way(world: Any) -> None:
    short = {f"{method} {path}" for method, path in direct_routes(app_of(world))}
    assert short >= {f"GET {V1}/resume", f"POST {V1}/touchpoints", f"POST {V1}/touchpoints:batch"}


async def test_taken_once_and_then_known(world: Any) -> None:
    async with client(world) as http:
        first = await http.post(f"{V1}/touchpoints", json=body(world))
        again = await http.post(f"{V1}/touchpoints", json=body(world))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "status": "duplicate"}
    assert set(first.json()) == {
        "status", "touchpoint_id", "conversation_id", "matched_by", "customer_id", "case_number", "commitment_ids", "warnings",
    }  # fmt: skip


async def test_a_refusal_is_kept_repaired_and_sent_again(world: Any) -> None:
    async with client(world) as http:
        refused = await http.post(f"{V1}/touchpoints", json=body(world, kind="telepathy"))
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/kind"]
        parked = f"{V1}/parked/{refused.json()['parked_id']}"
        assert (await http.post(f"{parked}:replay")).status_code == 409
        mended = {"body": json.dumps(body(world))}
        assert (await http.put(parked, json=mended, headers={"If-Match": '"1"'})).status_code == 200
        assert (await http.post(f"{parked}:replay")).status_code == 200
        listed = (await http.get(f"{V1}/parked")).json()
        known = await http.post(f"{V1}/touchpoints", json=body(world))
    assert listed["items"] == []  # what is still refused is not parked a second time
    assert known.json()["status"] == "duplicate"


async def test_another_body_is_a_conflict(world: Any) -> None:
    async with client(world) as http:
        await http.post(f"{V1}/touchpoints", json=body(world))
        answer = await http.post(f"{V1}/touchpoints", json=body(world, content="else"))
    assert (answer.status_code, answer.json()["code"]) == (409, "different-body")


@pytest.mark.parametrize("lines", [False, True])
async def test_a_batch_takes_what_is_good(world: Any, lines: bool) -> None:
    rows = [body(world, 1), body(world, 2, kind="telepathy"), body(world, 1), body(world, 3)]
    text = "\n".join(json.dumps(row) for row in rows) + "\n\n" if lines else json.dumps(rows)
    kind = "application/x-ndjson" if lines else "application/json"
    async with client(world) as http:
        answer = await http.post(f"{V1}/touchpoints:batch", content=text, headers={"content-type": kind})
    found = answer.json()
    assert (answer.status_code, found["recorded"], found["duplicate"], found["refused"]) == (200, 2, 1, 1)
    assert [row["index"] for row in found["results"]] == [0, 1, 2, 3]
    assert found["results"][1]["problem"]["errors"][0]["pointer"] == "/kind"
    assert found["results"][1]["parked_id"]
    assert found["results"][2]["touchpoint_id"] == found["results"][0]["touchpoint_id"]


async def test_a_row_of_an_array_whose_text_was_cut_off_within_a_sign_is_refused_alone_and_kept(world: Any) -> None:
    rows = [body(world, 1), body(world, 2, content="Gracias \ud83d"), body(world, 3)]
    async with client(world) as http:
        answer = (await http.post(f"{V1}/touchpoints:batch", content=json.dumps(rows))).json()
        refused = answer["results"][1]
        parked = (await http.get(f"{V1}/parked/{refused['parked_id']}")).json()
    assert [one["status"] for one in answer["results"]] == ["recorded", "refused", "recorded"]
    assert (refused["problem"]["code"], json.loads(parked["body"])) == ("malformed", rows[1])


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [("{}", 422, "invalid"), ("[", 400, "malformed"), (json.dumps([1] * 1001), 422, "batch-too-large")],
)
async def test_what_is_no_batch_is_refused_whole(world: Any, content: str, status: int, code: str) -> None:
    async with client(world) as http:
        answer = await http.post(f"{V1}/touchpoints:batch", content=content)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await http.get(f"{V1}/parked")).json()["items"] == []


async def test_a_touchpoint_is_read_corrected_redacted_and_retracted(world: Any) -> None:
    async with client(world) as http:
        taken = (await http.post(f"{V1}/touchpoints", json=body(world, content="4111", topic="billing"))).json()
        at = f"{V1}/touchpoints/{taken['touchpoint_id']}"
        read = (await http.get(at)).json()
        assert (read["content"], read["conversation_id"], read["matched_by"]) == (
            "4111",
            taken["conversation_id"],
            "new",
        )
        redacted = await http.post(f"{at}:redact", json={"pointers": ["/content"], "reason": "a card"})
        assert (redacted.status_code, redacted.json()["content"]) == (200, None)
        wrong = await http.post(f"{at}:redact", json={"pointers": ["/kind"], "reason": "x"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "not-redactable")
        corrected = await http.post(f"{at}:correct", json=body(world, topic="delivery"))
        assert corrected.status_code == 201
        new = f"{V1}/touchpoints/{corrected.json()['touchpoint_id']}"
        assert (await http.get(at)).json()["corrected_by"] == corrected.json()["touchpoint_id"]
        retracted = await http.post(f"{new}:retract", json={"reason": "a test"})
        assert (retracted.status_code, retracted.json()["retraction"]["reason"]) == (200, "a test")
        assert (await http.post(f"{new}:retract", json={"reason": "a test"})).status_code == 409
        assert (await http.get(f"{V1}/touchpoints/{uuid4()}")).status_code == 404


async def test_a_thread_pages_parks_and_closes(world: Any) -> None:
    async with client(world) as http:
        ids = []
        for number in range(5):
            world.clock.advance(timedelta(minutes=1))
            ids.append((await http.post(f"{V1}/touchpoints", json=body(world, number))).json()["touchpoint_id"])
        first = (await http.get(f"{V1}/conversations/{ids[3]}", params={"limit": 3})).json()
        rest = (await http.get(f"{V1}/conversations/{ids[0]}", params={"limit": 3, "cursor": first["next"]})).json()
        assert [one["touchpoint_id"] for one in first["items"] + rest["items"]] == ids[::-1]
        assert (first["state"], rest["next"]) == ("waiting-us", None)
        parked = await http.post(f"{V1}/conversations/{ids[2]}:park", json={"reason": "the bank"})
        assert (parked.status_code, parked.json()["state"]) == (200, "parked")
        assert (await http.post(f"{V1}/conversations/{ids[2]}:park", json={"reason": "x"})).status_code == 409
        closed = await http.post(f"{V1}/conversations/{ids[2]}:close", json={"reason": "done"})
        assert (closed.status_code, closed.json()["state"]) == (200, "closed")
        assert (await http.post(f"{V1}/conversations/{ids[2]}:close", json={"reason": "done"})).status_code == 409
        assert (await http.get(f"{V1}/conversations/{uuid4()}")).status_code == 404


async def test_promises_are_listed_kept_and_waived(world: Any) -> None:
    due = (world.clock() + timedelta(hours=1)).isoformat()
    promises = [{"by": "company", "text": "a", "due_at": due}, {"by": "customer", "text": "b"}]
    async with client(world) as http:
        taken = (await http.post(f"{V1}/touchpoints", json=body(world, commitments=promises))).json()
        world.clock.advance(timedelta(hours=2))
        late = (await http.get(f"{V1}/commitments", params={"state": "late"})).json()["items"]
        assert [(one["commitment_id"], one["state"]) for one in late] == [(taken["commitment_ids"][0], "late")]
        kept = await http.post(f"{V1}/commitments/{taken['commitment_ids'][0]}:keep", json={"reason": "sent"})
        waived = await http.post(f"{V1}/commitments/{taken['commitment_ids'][1]}:waive", json={"text": "no need"})
        assert [kept.json()["state"], waived.json()["state"]] == ["kept", "waived"]
        page = (await http.get(f"{V1}/commitments", params={"limit": 1})).json()
        rest = (await http.get(f"{V1}/commitments", params={"limit": 1, "cursor": page["next"]})).json()
        assert {page["items"][0]["by"], rest["items"][0]["by"]} == {"company", "customer"}
        assert (await http.post(f"{V1}/commitments/{uuid4()}:keep", json={"reason": "x"})).status_code == 404


async def test_a_list_of_promises_says_to_whom_they_were_made(world: Any) -> None:
    async with client(world) as http:
        promise = {"commitments": [{"by": "company", "text": "a"}]}
        taken = await world.record(identifiers=["phone:300 123 4567"], **promise)
        nobodys = await world.record(identifiers=[], **promise)
        customer = await world.link("phone:300 123 4567")
        listed = {
            one["commitment_id"]: one["customer_id"] for one in (await http.get(f"{V1}/commitments")).json()["items"]
        }
        assert listed == {taken["commitment_ids"][0]: str(customer), nobodys["commitment_ids"][0]: None}
        waived = await http.post(f"{V1}/commitments/{taken['commitment_ids'][0]}:waive", json={"reason": "no need"})
        assert waived.json()["customer_id"] == str(customer)


async def test_a_case_goes_its_way_over_http(world: Any) -> None:
    async with client(world) as http:
        taken = await http.post(
            f"{V1}/touchpoints",
            json=body(world, kind="complaint", payload={"severity": "high", "about": "double-charge"}),
        )
        at = f"{V1}/cases/{taken.json()['case_number']}"
        assert (await http.post(f"{at}:close", json={"reason": "x"})).json()["code"] == "case-state"
        for act, given, state in (
            ("answer", {"text": "returned"}, "answered"),
            ("verify", {"text": "he says so", "recovered": True}, "verified"),
            ("reopen", {"reason": "again"}, "reopened"),
            ("answer", {"reason": "returned again"}, "answered"),
            ("close", {"text": "done"}, "closed"),
        ):
            answer = await http.post(f"{at}:{act}", json=given)
            assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        read = (await http.get(at)).json()
        assert [step["move"] for step in read["steps"]] == [
            "opened",
            "answered",
            "verified",
            "reopened",
            "answered",
            "closed",
        ]
        assert (read["severity"], read["about"]) == ("high", "double-charge")
        listed = (await http.get(f"{V1}/cases", params={"state": ["closed", "received"]})).json()["items"]
        assert [one["number"] for one in listed] == [read["number"]]
        assert (await http.get(at.lower().replace("/pqr", "/Pqr"))).json()["number"] == read["number"]
        again = await http.post(f"{V1}/touchpoints", json=body(world, 2, case=read["number"].lower()))
        assert again.json()["case_number"] == read["number"]
        assert (await http.get(f"{V1}/cases/PQR-1999-000001")).status_code == 404


async def test_a_customer_reaches_his_own_and_nothing_else(world: Any) -> None:
    mine = await world.record(
        kind="complaint", identifiers=["email:ana@example.com"], commitments=[{"by": "company", "text": "x"}]
    )
    ana = await world.link("email:ana@example.com")
    his = await world.record(
        kind="complaint", identifiers=["email:his@example.com"], commitments=[{"by": "company", "text": "y"}]
    )
    await world.link("email:his@example.com")
    async with bound(world, f"customer:{ana}") as http:
        for path in ("touchpoints/{touchpoint_id}", "conversations/{conversation_id}", "cases/{case_number}"):
            assert (await http.get(f"{V1}/{path.format(**mine)}")).status_code == 200
            foreign = await http.get(f"{V1}/{path.format(**his)}")
            absent = await http.get(
                f"{V1}/{path.format(touchpoint_id=uuid4(), conversation_id=uuid4(), case_number='PQR-1')}"
            )
            assert foreign.status_code == 404
            assert {**foreign.json(), "instance": 0} == {**absent.json(), "instance": 0}
        assert [one["text"] for one in (await http.get(f"{V1}/commitments")).json()["items"]] == ["x"]
        assert [one["number"] for one in (await http.get(f"{V1}/cases")).json()["items"]] == [mine["case_number"]]
        his_case = f"{V1}/cases/{his['case_number']}"
        assert (await http.post(f"{his_case}:answer", json={"text": "x"})).status_code == 404
        his_promise = f"{V1}/commitments/{his['commitment_ids'][0]}"
        assert (await http.post(f"{his_promise}:keep", json={"reason": "x"})).status_code == 404
        at = f"{V1}/touchpoints/{mine['touchpoint_id']}"
        assert (await http.post(f"{at}:retract", json={"reason": "x"})).status_code == 403


async def test_a_thread_tells_what_its_contacts_speak_of_while_they_stand(world: Any) -> None:
    spoken = (["invoice:F-1"], [], ["invoice:F-2", "invoice:F-1"], ["order:7"])
    async with client(world) as http:
        ids = []
        for number, references in enumerate(spoken):
            sent = body(world, number, topic="billing", references=references)
            ids.append((await http.post(f"{V1}/touchpoints", json=sent)).json()["touchpoint_id"])
        page = (await http.get(f"{V1}/conversations/{ids[0]}", params={"limit": 1})).json()
        taken_back = await http.post(f"{V1}/touchpoints/{ids[2]}:retract", json={"reason": "another customer's"})
        after = (await http.get(f"{V1}/conversations/{ids[0]}")).json()
    assert page["references"] == ["invoice:F-1", "invoice:F-2", "order:7"]
    assert taken_back.status_code == 200
    assert after["references"] == ["invoice:F-1", "order:7"]


async def test_a_customer_cannot_claim_his_way_into_anothers_thread(world: Any) -> None:
    his = await world.record(identifiers=["email:his@example.com"])
    ana = uuid4()
    async with bound(world, f"customer:{ana}") as http:
        said = body(world, identifiers=["email:his@example.com"], conversation_id=his["conversation_id"])
        answer = await http.post(f"{V1}/touchpoints", json=said)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-conversation")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"kind": "purchase", "payload": {"amount": "99999999.00"}}, "/kind"),
        ({"kind": "payment", "payload": {"amount": "5.00"}}, "/kind"),
        ({"kind": "quote", "payload": {"amount": "5.00", "answer": "won"}}, "/kind"),
        ({"kind": "campaign_send", "payload": {"campaign": "X"}}, "/kind"),
        ({"kind": "note"}, "/kind"),
        ({"direction": "outbound"}, "/direction"),
        ({"actor": {"kind": "staff", "id": "agent-7"}}, "/actor/kind"),
        ({"commitments": [{"by": "customer", "text": "a"}, {"by": "company", "text": "b"}]}, "/commitments/1/by"),
        ({"kind": "complaint", "outcome": "resolved"}, "/outcome"),
        ({"kind": "complaint", "payload": {"timely": True}}, "/payload/timely"),
        ({"kind": "claim", "payload": {"answered_at": "2020-01-01T00:00:00Z"}}, "/payload/answered_at"),
        ({"kind": "petition", "payload": {"owner": "ceo"}}, "/payload/owner"),
    ],
)
async def test_a_customer_does_not_speak_for_the_company(world: Any, said: dict[str, Any], pointer: str) -> None:
    async with bound(world, f"customer:{uuid4()}") as http:
        answer = await http.post(f"{V1}/touchpoints", json=body(world, **said))
        batch = (await http.post(f"{V1}/touchpoints:batch", json=[body(world, 1), body(world, 2, **said)])).json()
    assert (answer.status_code, answer.json()["code"]) == (403, "not-for-customers")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (batch["recorded"], batch["refused"]) == (1, 1)
    assert batch["results"][1]["problem"]["code"] == "not-for-customers"


async def test_a_customer_tells_of_himself_what_he_likes(world: Any) -> None:
    said = [
        body(world, 1, actor={"kind": "customer"}, direction="inbound", commitments=[{"by": "customer", "text": "a"}]),
        body(world, 2, kind="complaint", outcome="pending", payload={"severity": "high", "about": "double-charge"}),
        body(world, 3, kind="campaign_response", payload={"campaign": "XMAS26", "answer": "interested"}),
        body(world, 4, kind="survey_response", payload={"survey": "x", "answers": {"satisfaction": 2}}),
        body(world, 5, kind="web", actor={"kind": "system"}, outcome="abandoned", payload={"form": "claim"}),
    ]
    async with bound(world, f"customer:{uuid4()}") as http:
        assert (await http.post(f"{V1}/touchpoints:batch", json=said)).json()["recorded"] == 5


async def test_a_customer_answers_no_case_and_settles_only_what_he_was_promised(world: Any) -> None:
    due = (world.clock() + timedelta(days=1)).isoformat()
    promises = [{"by": "company", "text": "a", "due_at": due}, {"by": "customer", "text": "b", "due_at": due}]
    mine = await world.record(kind="complaint", identifiers=["email:ana@example.com"], commitments=promises)
    ana = await world.link("email:ana@example.com")
    ours, his = (f"{V1}/commitments/{one}" for one in mine["commitment_ids"])
    later = {"due_at": (world.clock() + timedelta(days=2)).isoformat(), "reason": "x"}
    async with bound(world, f"customer:{ana}") as http:
        refused = [
            await http.post(f"{V1}/cases/{mine['case_number']}:answer", json={"text": "x"}),
            await http.post(f"{his}:waive", json={"reason": "x"}),
            await http.post(f"{his}:reschedule", json=later),
            await http.post(f"{ours}:reschedule", json=later),
        ]
        assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "not-for-customers")] * 4
        assert (await http.post(f"{ours}:waive", json={"reason": "x"})).json()["state"] == "waived"
        assert (await http.get(his)).json()["state"] == "open"


async def test_a_promise_is_put_on_another_date_and_read(world: Any) -> None:
    due, later = (world.clock() + timedelta(days=days) for days in (1, 3))
    promises = [{"by": "company", "text": "a", "due_at": due.isoformat()}]
    taken = await world.record(identifiers=PHONE, commitments=promises)
    at = f"{V1}/commitments/{taken['commitment_ids'][0]}"
    async with client(world) as http:
        past = await http.post(f"{at}:reschedule", json={"due_at": world.clock().isoformat(), "reason": "x"})
        assert (past.status_code, past.json()["code"]) == (422, "due-in-past")
        assert [error["pointer"] for error in past.json()["errors"]] == ["/due_at"]
        said = {"due_at": later.isoformat(), "reason": "approved anew", "agreed_with": "Ana"}
        moved = (await http.post(f"{at}:reschedule", json=said)).json()
        assert (await http.get(at)).json() == moved
        assert (await http.post(f"{at}:reschedule", json=said)).json() == moved
        assert (await http.get(f"{V1}/commitments")).json()["items"] == [moved]
        assert [(one["reason"], one["agreed_with"]) for one in moved["earlier_dates"]] == [("approved anew", "Ana")]
        assert (await http.get(f"{V1}/commitments/{uuid4()}")).status_code == 404


async def test_a_customer_proves_nothing_but_himself_whatever_his_credential_attests(world: Any) -> None:
    async with bound(world, f"customer:{uuid4()}", attests=["email"]) as http:
        answer = await http.post(f"{V1}/touchpoints", json=body(world, identifiers=["email:his@example.com"]))
    assert answer.status_code == 201
    (row,) = await world.rows(touchpoint)
    assert {one["scheme"]: one["attested"] for one in row["identifiers"]} == {"customer": True, "email": False}


@pytest.mark.parametrize("written", ["customer:{}", " customer:{}", "CUSTOMER :{}", "cu\u017ftomer:{}"])
async def test_a_customer_speaks_for_no_other_however_he_writes_that_ones_id(world: Any, written: str) -> None:
    himself, other = uuid4(), uuid4()
    async with bound(world, f"customer:{himself}") as http:
        answer = await http.post(f"{V1}/touchpoints", json=body(world, identifiers=[written.format(other)]))
    assert answer.status_code == 201
    (row,) = await world.rows(touchpoint)
    assert [one["normalised"] for one in row["identifiers"]] == [f"customer:{himself}"]


async def test_what_a_customer_sends_never_stands_in_for_what_a_source_will_send(world: Any) -> None:
    async with bound(world, f"customer:{uuid4()}", source=None) as http:
        squat = await http.post(f"{V1}/touchpoints", json=body(world))
        own = await http.post(f"{V1}/touchpoints", json=body(world, source=None))
    assert (squat.status_code, squat.json()["code"], own.status_code) == (403, "foreign-source", 201)
    async with client(world) as http:
        sale = body(world, kind="purchase", payload={"amount": "10.00"})
        assert (await http.post(f"{V1}/touchpoints", json=sale)).status_code == 201


async def test_a_claimed_trace_opens_nothing_to_him(world: Any) -> None:
    claimed = await world.record(identifiers=["email:ana@example.com"])
    ana = await world.link("email:ana@example.com", proof="claimed")
    async with bound(world, f"customer:{ana}") as http:
        assert (await http.get(f"{V1}/touchpoints/{claimed['touchpoint_id']}")).status_code == 404


async def test_a_partner_sees_what_came_through_himself(world: Any) -> None:
    async with bound(world, "partner:acme") as http:
        own = await http.post(f"{V1}/touchpoints", json=body(world, 1))
        other = await world.record(identifiers=PHONE, source="pbx", summary="said to us alone", channel="call")
        assert (await http.get(f"{V1}/touchpoints/{own.json()['touchpoint_id']}")).status_code == 200
        assert (await http.get(f"{V1}/touchpoints/{other['touchpoint_id']}")).status_code == 404
        thread = (await http.get(f"{V1}/conversations/{own.json()['conversation_id']}")).json()
    assert [one["touchpoint_id"] for one in thread["items"]] == [own.json()["touchpoint_id"]]
    assert (thread["summary"], thread["last_channel"]) == (None, "whatsapp")


async def test_without_a_credential_or_its_scope_nothing_is_taken(world: Any) -> None:
    async with client_for(app_of(world), None) as http:
        assert (await http.post(f"{V1}/touchpoints", json=body(world))).status_code == 401
    async with bound(world, scopes=("resume:read",)) as http:
        assert (await http.post(f"{V1}/touchpoints", json=body(world))).status_code == 403
    async with bound(world, source="gateway") as http:
        foreign = await http.post(f"{V1}/touchpoints", json=body(world))
        assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign-source")


async def test_the_document_of_the_api_shows_bodies_with_examples(world: Any) -> None:
    async with client(world) as http:
        document = (await http.get("/interactions/openapi.json")).json()
    for path in (f"{V1}/touchpoints", f"{V1}/touchpoints:batch"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        assert content["example"]
        assert "$ref" not in json.dumps(content["schema"])


async def test_an_absorbed_id_finds_what_its_survivor_has_and_his_credential_still_reads_it(world: Any) -> None:
    mail, other = ["email:ana@example.com"], ["email:a.lopez@example.com"]
    his = await world.record(identifiers=mail, kind="complaint", commitments=[{"by": "company", "text": "call"}])
    await world.record(identifiers=other)
    absorbed, survivor = await world.link(*mail), await world.link(*other)
    await world.merge(survivor, absorbed)

    async def found(http: httpx.AsyncClient, *params: dict[str, Any]) -> list[int]:
        lists = [await http.get(f"{V1}/{each}", params=one) for each in ("cases", "commitments") for one in params]
        return [len(one.json()["items"]) for one in lists]

    either = {"customer_id": str(absorbed)}, {"customer_id": str(survivor)}
    async with client(world) as http:
        assert await found(http, *either) == [1, 1, 1, 1]
    for customer in (absorbed, survivor):
        async with bound(world, f"customer:{customer}") as http:
            assert await found(http, {}, *either) == [1] * 6
            assert await found(http, {"customer_id": str(uuid4())}) == [0, 0]
            for path in ("touchpoints/{touchpoint_id}", "conversations/{conversation_id}", "cases/{case_number}"):
                assert (await http.get(f"{V1}/{path.format(**his)}")).status_code == 200
            assert (await http.get(f"{V1}/commitments/{his['commitment_ids'][0]}")).status_code == 200


async def test_notes_of_ours_do_not_hide_a_customers_own_thread_from_him(world: Any) -> None:
    mail = ["email:ana@example.com"]
    mine = await world.record(identifiers=mail, topic="billing", summary="mine")
    ana = await world.link(*mail)
    world.clock.advance(timedelta(minutes=1))
    notes = [body(world, n, kind="note", topic="billing", summary="ours", identifiers=mail) for n in range(51)]
    async with client(world) as http:
        assert (await http.post(f"{V1}/touchpoints:batch", json=notes)).json()["recorded"] == 51
    at = f"{V1}/conversations/{mine['conversation_id']}"
    async with bound(world, f"customer:{ana}") as http:
        for params in ({}, {"limit": 1}):
            thread = (await http.get(at, params=params)).json()
            assert [one["summary"] for one in thread["items"]] == ["mine"]
            assert (thread["last_touchpoint_id"], thread["next"]) == (mine["touchpoint_id"], None)
        assert (await http.post(f"{at}:park", json={"reason": "I call again"})).json()["state"] == "parked"
        assert (await http.post(f"{at}:close", json={"reason": "It is well"})).json()["state"] == "closed"


@pytest.mark.parametrize("subject", ["customer", "partner"])
async def test_a_thread_is_told_alike_on_every_page_from_all_that_its_reader_may_see(world: Any, subject: str) -> None:
    mail = ["email:ana@example.com"]
    said: tuple[dict[str, Any], ...] = (
        {"kind": "note", "summary": "ours", "references": ["file:1"]},
        {"summary": "asked", "references": ["invoice:F-1"]},
        {"channel": "call", "stop_point": "He looks for it", "references": ["invoice:F-2"]},
        {"channel": "email", "site": "bogota", "next_step": "We compare them"},
        {"channel": "web"},
        {"kind": "note", "channel": "call", "stop_point": "ours too"},
    )
    acme = Speaker(by="acme", source="test", attests=frozenset({"email"}), partner="acme")
    taken = []
    for one in said:
        taken.append(await world.record(speaker=acme, identifiers=mail, topic="billing", **one))
        world.clock.advance(timedelta(minutes=1))
    reader = f"customer:{await world.link(*mail)}" if subject == "customer" else "partner:acme"
    at, pages, cursor = f"{V1}/conversations/{taken[0]['conversation_id']}", [], None
    async with bound(world, reader) as http:
        while not pages or cursor:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            pages.append((await http.get(at, params=params)).json())
            cursor = pages[-1]["next"]
    ids = [one["touchpoint_id"] for page in pages for one in page["items"]]
    assert ids == [one["touchpoint_id"] for one in reversed(taken[1:5])]
    told = [{key: value for key, value in page.items() if key not in {"items", "next"}} for page in pages]
    assert told == [told[0]] * 2
    assert (told[0]["summary"], told[0]["stop_point"], told[0]["next_step"]) == ("asked", None, "We compare them")
    assert (told[0]["last_channel"], told[0]["last_site"], told[0]["last_touchpoint_id"]) == ("web", None, ids[0])
    assert told[0]["references"] == ["invoice:F-1", "invoice:F-2"]


@pytest.mark.parametrize("subject", ["customer", "partner"])
async def test_what_is_for_staff_is_told_to_nobody_else_wherever_it_is_read(world: Any, subject: str) -> None:
    mail = ["email:ana@example.com"]
    acme = Speaker(by="acme", source="acme", attests=frozenset({"email"}), partner="acme")
    taken = await world.record(
        speaker=acme,
        source="acme",
        identifiers=mail,
        kind="complaint",
        payload={"about": "double-charge", "owner": "agent-6", "retention_critical": True},
        actor={"kind": "staff", "id": "agent-7", "name": "Luisa"},
        facts=[{"key": "other_suppliers", "value": "Rival"}],
        commitments=[{"by": "company", "text": "call"}],
    )
    reader = f"customer:{await world.link(*mail)}" if subject == "customer" else "partner:acme"
    paths = [
        f"{V1}/touchpoints/{taken['touchpoint_id']}",
        f"{V1}/conversations/{taken['conversation_id']}",
        f"{V1}/cases/{taken['case_number']}",
        f"{V1}/cases",
        f"{V1}/commitments/{taken['commitment_ids'][0]}",
        f"{V1}/commitments",
    ]
    async with client(world) as http:
        await http.post(f"{paths[2]}:answer", json={"text": "said in the house"})
        await http.post(f"{paths[2]}:reopen", json={"reason": "said in the house too"})
        await http.post(f"{paths[4]}:waive", json={"reason": "said in the house as well"})
        agents = [(await http.get(path)).json() for path in paths]
    async with bound(world, reader) as http:
        touchpoint_read, thread, case, cases, promise, promises = his = [(await http.get(p)).json() for p in paths]
    for word in ("agent-6", "agent-7", "Rival", "said in the house", "retention_critical", "contacts_count"):
        assert word in str(agents)
        assert word not in str(his)
    assert touchpoint_read["actor"] == thread["items"][0]["actor"] == {"kind": "staff", "id": None, "name": "Luisa"}
    hidden = {"source", "external_id", "recorded_at", "visibility", "backfill", "payload", "facts", "redacted"}
    assert agents[0].keys() - touchpoint_read.keys() == hidden
    assert agents[1]["items"][0].keys() - thread["items"][0].keys() == {"visibility"}
    assert [step["move"] for step in case["steps"]] == ["opened", "answered", "reopened"]
    assert all(step.keys() == {"move", "at", "touchpoint_id", "channel"} for step in case["steps"])
    assert [{**one, "steps": case["steps"]} for one in cases["items"]] == [case]
    assert (promise["owner_name"], promises["items"]) == ("Luisa", [promise])


async def test_a_partner_reads_what_came_from_his_own_source_unless_another_partner_is_named(world: Any) -> None:
    own = await world.record(identifiers=PHONE, source="acme")
    others = await world.record(
        identifiers=PHONE, source="acme", speaker=Speaker(by="rival", source="acme", partner="rival")
    )
    async with bound(world, "partner:acme", source="acme") as http:
        for path in ("touchpoints/{touchpoint_id}", "conversations/{conversation_id}"):
            assert (await http.get(f"{V1}/{path.format(**own)}")).status_code == 200
        assert (await http.get(f"{V1}/touchpoints/{others['touchpoint_id']}")).status_code == 404


async def test_a_list_holds_what_can_be_read_one_by_one(world: Any) -> None:
    said = {"kind": "complaint", "commitments": [{"by": "company", "text": "call"}], "source": "acme"}
    own = await world.record(identifiers=PHONE, **said)
    await world.record(identifiers=PHONE, **said, speaker=Speaker(by="rival", source="acme", partner="rival"))
    async with bound(world, "partner:acme", source="acme") as http:
        cases = (await http.get(f"{V1}/cases")).json()["items"]
        promises = (await http.get(f"{V1}/commitments")).json()["items"]
        assert [one["number"] for one in cases] == [own["case_number"]]
        assert [one["commitment_id"] for one in promises] == own["commitment_ids"]
        assert (await http.get(f"{V1}/cases/{own['case_number']}")).status_code == 200
        assert (await http.get(f"{V1}/commitments/{own['commitment_ids'][0]}")).status_code == 200
