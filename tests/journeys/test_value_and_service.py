"""What he is worth follows what he buys; how well we serve follows what we do."""

from .people import Person, ago
from .systems import until


def value_of(caller, customer):
    answer = caller.ask("GET", f"/scoring/v1/customers/{customer}/value")
    return answer.json() if answer.status_code == 200 else None


def test_a_purchase_is_in_his_value_and_his_tier_in_the_resume(caller):
    ana = Person.new(caller)
    ana.buys("129900.00", cost="80000.00")
    ana.buys("70100.00", cost="40000.00", occurred_at=ago(minutes=3))
    customer = until(ana.customer_id)
    figures = until(lambda: (v := value_of(caller, customer)) and v["revenue"]["amount"] == "200000.00" and v)
    assert figures["profitability"] == {"amount": "80000.00", "currency": "COP"}
    assert figures["tier"] in ("MVC", "GROWING", "STANDARD", "BELOW_ZERO")
    told = until(lambda: (r := ana.resume())["value"]["tier"] == value_of(caller, customer)["tier"] and r)
    assert told["holdings"]["last_purchases"][0]["amount"] == {"amount": "70100.00", "currency": "COP"}
    assert told["treatment"]["service_level"]


def test_a_purchase_is_counted_once_however_often_it_is_sent(caller):
    ana = Person.new(caller)
    body = ana.touchpoint(kind="purchase", channel="shop", payload={"amount": "50000.00", "currency": "COP"})
    for _ in range(3):
        caller.post("/interactions/v1/touchpoints", body)
    batch = caller.post("/interactions/v1/touchpoints:batch", [body] * 5)
    assert (batch["recorded"], batch["duplicate"]) == (0, 5)
    ana.buys("1000.00")  # when this one is counted, those before it are
    customer = until(ana.customer_id)
    fewer = ("0.00", "50000.00")
    figures = until(lambda: (v := value_of(caller, customer)) and v["revenue"]["amount"] not in fewer and v)
    assert figures["revenue"]["amount"] == "51000.00"


def test_a_retracted_purchase_is_taken_back_everywhere(caller):
    ana = Person.new(caller)
    kept = ana.buys("30000.00")
    wrong = ana.buys("9000000.00")
    customer = until(ana.customer_id)
    until(lambda: value_of(caller, customer)["revenue"]["amount"] == "9030000.00")
    caller.post(f"/interactions/v1/touchpoints/{wrong['touchpoint_id']}:retract", {"reason": "Typed twice"})
    until(lambda: value_of(caller, customer)["revenue"]["amount"] == "30000.00")
    held = until(lambda: (r := ana.resume())["holdings"]["last_purchases"] and r)["holdings"]["last_purchases"]
    assert [purchase["touchpoint_id"] for purchase in held] == [kept["touchpoint_id"]]


def test_a_complaint_is_a_case_with_a_deadline_and_evidence_of_how_it_was_answered(caller):
    ana = Person.new(caller)
    said = ana.does(
        kind="complaint", channel="web", topic="billing", payload={"severity": "high", "about": "double-charge"},
        summary="Charged twice", occurred_at=ago(hours=1),
    )  # fmt: skip
    case = said["case_number"]
    assert case
    told = ana.resume()  # at once
    assert [(c["number"], c["kind"], c["severity"]) for c in told["cases"]] == [(case, "complaint", "high")]
    assert told["cases"][0]["recovery_deadline"]
    customer = until(ana.customer_id)
    caller.post(f"/interactions/v1/cases/{case}:answer", {"text": "We have given the second charge back"})
    answered = until(
        lambda: [
            item
            for item in caller.get(f"/service-audit/v1/customers/{customer}/evidence")["items"]
            if item["moment"] == "complaint-answered" and item["met"] is not None
        ]
    )
    assert [item["met"] for item in answered] == [True], "answered within the hour: the standard says 24"
    caller.post(f"/interactions/v1/cases/{case}:verify", {"text": "She confirms", "recovered": True})


def test_a_complaint_that_nobody_answered_in_time_fails_its_moment_of_truth(caller):
    ana = Person.new(caller)
    ana.does(kind="complaint", channel="web", topic="billing", payload={"severity": "high"}, occurred_at=ago(hours=30))
    customer = until(ana.customer_id)
    evidence = f"/service-audit/v1/customers/{customer}/evidence"
    failed = until(lambda: [item for item in caller.get(evidence)["items"] if item["met"] is False])
    assert "complaint-answered" in {item["moment"] for item in failed}
    told = until(lambda: (r := ana.resume())["alerts"] and r)
    assert "moment-failed" in {alert["signal"] for alert in told["alerts"]}
    until(lambda: caller.get("/service-audit/v1/actions")["items"])


def test_history_sets_nothing_off(caller):
    ana = Person.new(caller)
    said = ana.does(
        kind="complaint", channel="web", topic="billing", occurred_at="2024-03-01T10:00:00-05:00", backfill=True,
        payload={"severity": "high"}, commitments=[{"by": "company", "text": "Call", "due_at": "2024-03-02T10:00:00-05:00"}],
    )  # fmt: skip
    assert said["status"] == "recorded"
    customer = until(ana.customer_id)
    ana.does(topic="delivery")  # when this has been seen everywhere, so has the history
    until(lambda: value_of(caller, customer))
    evidence = f"/service-audit/v1/customers/{customer}/evidence"
    judged = until(
        lambda: [item for item in caller.get(evidence)["items"] if item["case_number"] == said["case_number"]]
    )
    assert all(item["backfill"] for item in judged)
    assert ana.resume()["alerts"] == []


def test_another_standard_gives_other_results_without_a_line_of_code(caller):
    path = "/service-audit/v1/cycles/complaint-care"
    read = caller.ask("GET", path)
    cycle = {name: value for name, value in read.json().items() if name in caller_may_write(caller)}
    moment = next(m for m in cycle["moments"] if m["code"] == "complaint-answered")
    ana = Person.new(caller)
    said = ana.does(
        kind="complaint", channel="web", topic="billing", payload={"severity": "high"}, occurred_at=ago(hours=1)
    )
    customer = until(ana.customer_id)
    caller.post(f"/interactions/v1/cases/{said['case_number']}:answer", {"text": "Done"})

    def verdict():
        items = caller.get(f"/service-audit/v1/customers/{customer}/evidence")["items"]
        return [item["met"] for item in items if item["moment"] == "complaint-answered"]

    until(lambda: verdict() == [True])
    stricter = {**moment, "standard": {**moment["standard"], "hours": 0.5}}
    changed = {**cycle, "moments": [stricter if m["code"] == moment["code"] else m for m in cycle["moments"]]}
    etag = read.headers["etag"]
    try:
        put = caller.ask("PUT", path, json=changed, headers={"If-Match": etag})
        assert put.is_success, put.text
        etag = put.headers["etag"]
        until(lambda: verdict() == [False])
    finally:
        back = caller.ask("PUT", path, json=cycle, headers={"If-Match": etag})
    assert back.is_success, back.text
    until(lambda: verdict() == [True])


def caller_may_write(caller):
    """The fields of a cycle's body, as the service's own documentation says."""
    schemas = caller.get("/service-audit/openapi.json")["components"]["schemas"]
    return schemas["CycleBody"]["properties"]


def test_a_dissatisfied_survey_is_evidence_too(caller):
    ana = Person.new(caller)
    ana.does(
        kind="survey_response", channel="web", payload={"survey": "post-contact", "answers": {"satisfaction": 2}},
        occurred_at=ago(minutes=2),
    )  # fmt: skip
    customer = until(ana.customer_id)
    until(lambda: caller.get(f"/service-audit/v1/customers/{customer}/evidence")["items"])
    period = ago(minutes=2)[:7]
    card = until(lambda: caller.ask("GET", "/service-audit/v1/scorecards", params={"period": period}).json())
    assert card
