"""Who calls, and who may see what: strangers, families, customers themselves, partners."""

import uuid

import pytest

from .people import Person, ago
from .systems import until

NOT_FOR_HIM = ("value", "treatment", "alerts", "ask")


def test_nobody_knows_this_caller_and_that_is_an_answer(caller):
    stranger = Person.new(caller)
    told = stranger.resume()
    assert told["who"]["recognised"] == "unknown"
    assert told["who"]["customer_id"] is None
    assert (told["threads"], told["recap"], told["commitments"], told["cases"]) == ([], [], [], [])
    assert not told["resume_point"]


def test_a_visitor_without_a_name_has_a_history_all_the_same(caller):
    visitor = Person.new(caller)
    device = f"device:{uuid.uuid4().hex}"
    seen = visitor.does(by=device, kind="web", channel="web", profile={}, topic="precio", summary="Looked at prices")
    told = visitor.resume(by=device)
    assert told["who"]["recognised"] == "anonymous"
    assert told["recap"][0]["summary"] == "Looked at prices"
    assert seen["customer_id"] is None


def test_what_a_visitor_did_is_on_record_once_he_says_who_he_is_and_shown_to_staff_alone(caller):
    ana = Person.new(caller)
    device = f"device:{uuid.uuid4().hex}"
    ana.does(by=device, kind="web", channel="web", profile={}, topic="precio", summary="Looked at prices")
    ana.does(identifiers=[ana.email, device], channel="web", topic="delivery", summary="Asked for delivery")
    both = {"Looked at prices", "Asked for delivery"}
    told = until(lambda: (r := ana.resume(by=ana.email)) and both <= {e["summary"] for e in r["recap"]} and r)
    assert told["who"]["customer_id"] == until(lambda: ana.resume(by=device)["who"]["customer_id"])
    own = ana.resume(by=ana.email, view="customer")
    assert {entry["summary"] for entry in own["recap"]} == {"Asked for delivery"}
    luis = Person.new(caller, "LUIS EDUARDO PEREZ GOMEZ")
    luis.does(identifiers=[luis.email, device], channel="web", topic="billing", summary="Asked for his invoice")
    until(lambda: both - {e["summary"] for e in ana.resume(by=ana.email)["recap"]})
    assert "Looked at prices" not in {entry["summary"] for entry in luis.resume(by=luis.email)["recap"]}


def test_a_familys_phone_gives_candidates_to_agents_only(caller):
    mother = Person.new(caller, "MARTA LUCIA GOMEZ PARRA")
    son = Person(caller, "ANDRES FELIPE TORRES GOMEZ", mother.tag)
    mother.does(identifiers=[mother.phone, f"email:marta{mother.tag}@example.com"], topic="billing", outcome="pending")
    son.does(identifiers=[mother.phone, f"email:andres{mother.tag}@example.com"], topic="delivery", outcome="pending")
    told = until(lambda: (r := mother.resume())["who"]["recognised"] == "candidates" and r)
    assert len(told["who"]["candidates"]) == 2
    assert told["who"]["customer_id"] is None
    own = until(lambda: mother.customer_id(by=f"email:marta{mother.tag}@example.com"))
    chosen = caller.get("/interactions/v1/resume", customer_id=own)
    assert chosen["who"]["recognised"] == "customer"
    assert {thread["topic"] for thread in chosen["threads"]} == {"billing"}


@pytest.fixture
def ana(caller):
    """Known by her e-mail, which an attesting channel proved, with something internal on record."""
    ana = Person.new(caller)
    ana.does(by=ana.email, channel="email", topic="billing", summary="Two invoices", outcome="pending")
    ana.does(by=ana.email, kind="note", channel="call", visibility="internal", summary="Sounds angry", content="secret")
    until(lambda: ana.customer_id(by=ana.email))
    until(lambda: ana.resume(by=ana.email)["value"]["tier"])
    return ana


def key_for(caller, subject, *scopes):
    made = caller.post(
        "/identity/v1/access-keys", {"name": "journey", "scopes": list(scopes), "subject": subject, "attests": []}
    )
    return caller.as_(made["key"])


def test_a_customers_own_token_sees_himself_and_nothing_that_is_ours(caller, ana):
    customer = ana.customer_id(by=ana.email)
    herself = key_for(caller, f"customer:{customer}", "resume:read", "timeline:read", "touchpoints:write")
    query = {"customer_id": customer, "channel": "web"}
    told = until(lambda: herself.get("/interactions/v1/resume", **query))
    asked_for_more = herself.ask("GET", "/interactions/v1/resume", params={**query, "view": "agent"})
    assert asked_for_more.status_code == 403, "the credential decides on the view, not the parameter"
    assert [part for part in NOT_FOR_HIM if part in told] == []
    assert "candidates" not in told["who"]
    assert [entry["summary"] for entry in told["recap"]] == ["Two invoices"]
    page = until(lambda: herself.get(f"/interactions/v1/customers/{customer}/timeline"))
    assert "Sounds angry" not in str(page)
    assert "secret" not in str(page)


def test_a_stranger_and_nobody_are_answered_alike(caller, ana):
    other = Person.new(caller, "PEDRO ROJAS")
    other.does(topic="billing")
    stranger, nobody = until(other.customer_id), str(uuid.uuid4())
    herself = key_for(caller, f"customer:{ana.customer_id(by=ana.email)}", "resume:read", "timeline:read")
    until(lambda: herself.ask("GET", "/interactions/v1/resume", params={"customer_id": nobody}).status_code != 401)

    def answers(customer):
        resume = herself.ask("GET", "/interactions/v1/resume", params={"customer_id": customer})
        timeline = herself.ask("GET", f"/interactions/v1/customers/{customer}/timeline")
        for answer in (resume, timeline):
            told = {key: value for key, value in answer.json().items() if key not in ("instance", "continuity")}
            yield answer.status_code, told

    of_a_stranger, of_nobody = list(answers(stranger)), list(answers(nobody))
    assert of_a_stranger == of_nobody
    assert "Pedro" not in str(of_a_stranger)
    assert "billing" not in str(of_a_stranger)


def test_what_a_customer_writes_is_his_own_whatever_he_claims(caller, ana):
    other = Person.new(caller, "PEDRO ROJAS")
    other.does(topic="billing", outcome="pending", summary="Pedro's own")
    until(other.customer_id)
    customer = ana.customer_id(by=ana.email)
    herself = key_for(caller, f"customer:{customer}", "touchpoints:write", "resume:read")
    body = ana.touchpoint(
        by=other.phone, source=None, channel="web", topic="billing", summary="Typed by Ana", occurred_at=ago(minutes=1)
    )
    until(lambda: herself.ask("POST", "/interactions/v1/touchpoints", json=body).status_code in (200, 201))
    assert "Typed by Ana" not in str(other.resume())
    assert "Typed by Ana" in str(caller.get("/interactions/v1/resume", customer_id=customer))
    told = herself.get("/interactions/v1/resume", customer_id=customer)
    assert "Pedro's own" not in str(told)


def test_a_revoked_key_is_refused_everywhere_within_seconds(caller):
    made = caller.post("/identity/v1/access-keys", {"name": "gone", "scopes": ["resume:read"], "attests": []})
    gone = caller.as_(made["key"])
    query = {"identifier": "phone:3009998877"}
    until(lambda: gone.ask("GET", "/interactions/v1/resume", params=query).status_code == 200)
    read = caller.ask("DELETE", f"/identity/v1/access-keys/{made['key_id']}")
    assert read.is_success
    until(lambda: gone.ask("GET", "/interactions/v1/resume", params=query).status_code == 401)


def test_without_the_scope_nothing_and_without_a_key_nothing(caller, stack):
    import httpx

    made = caller.post("/identity/v1/access-keys", {"name": "narrow", "scopes": ["audit:read"], "attests": []})
    narrow = caller.as_(made["key"])
    answer = until(
        lambda: (
            (a := narrow.ask("GET", "/interactions/v1/resume", params={"identifier": "phone:3009998877"})).status_code
            != 401
            and a
        )
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert httpx.get(f"{stack.origin('interactions')}/interactions/v1/cases").status_code == 401
