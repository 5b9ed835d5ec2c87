"""The API by its real application: happy, unauthenticated, forbidden, invalid, and each refusal."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from common.auth import dev_token, undeclared_routes
from common.events import encode
from common.pagination import encode_cursor
from common.testing import TEST_SECRET, client_for
from scoring.main import create_app
from scoring.policies.domain import MOST, MOST_MINUTES, MOST_MONTHS

from .conftest import Scoring, contact, customer, linked, purchase, retraction, touchpoint

ANA, LUIS, EVA = UUID(int=0xA), UUID(int=0xB), UUID(int=0xC)
PHONE, MAIL, CARD = UUID(int=0x1), UUID(int=0x2), UUID(int=0x3)
V1 = "/scoring/v1"


@pytest.fixture
async def client(scoring: Scoring) -> AsyncIterator[httpx.AsyncClient]:
    await scoring.hear(
        customer(ANA), customer(LUIS), customer(EVA), linked((PHONE, ANA, 1), (MAIL, LUIS, 1), (CARD, EVA, 1))
    )
    await scoring.hear(
        purchase(PHONE, "2025-03-10", 1_000_000, cost_of_goods={"minor": 600_000, "currency": "COP"}),
        purchase(PHONE, "2026-11-10", 2_000_000, quantity=2, category="grocery"),
        purchase(MAIL, "2026-11-11", 100_000),
        purchase(MAIL, "2026-11-12", -150_000),
        touchpoint(CARD, "2026-11-12", kind="purchase", amount={"minor": 100, "currency": "USD"}),
        contact(PHONE, "2026-11-13", 80_000),
        purchase(UUID(int=0x9), "2026-11-12", 7_700, anonymous=True),
    )
    await scoring.wait()
    async with client_for(create_app(scoring.runtime)) as client:
        yield client


async def test_a_value_explains_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{V1}/customers/{ANA}/value")
    assert answer.status_code == 200
    value = answer.json()
    assert value["frequency"] == 2
    assert value["volume"] == {"amount": "15000.00", "currency": "COP"}
    assert value["revenue"]["amount"] == "30000.00"
    assert value["cost_of_sales"]["amount"] == "6000.00"
    assert value["profitability"]["amount"] == "24000.00"
    assert value["cost_to_serve"]["amount"] == "800.00"
    assert value["contribution"]["amount"] == "23200.00"
    assert (value["tier"], value["abc"], value["lifecycle"], value["tenure_months"]) == ("MVC", "A", "ACTIVE", 20)
    assert value["inputs"] == {
        "traces": 1, "days": 3, "first_purchase": "2025-03-10", "last_purchase": "2026-11-10", "purchase_days": 2,
        "open_complaints": 0, "categories": ["grocery"],
    }  # fmt: skip
    assert value["thresholds"]["mvc_share"] == 0.1
    assert value["rules_version"] == "thresholds-0.cuts-1"
    assert value["cut_points"]["mvc_window"]["kind"] == "fiscal-year"
    assert value["treatment"]["rule"] == "most-valuable"
    assert [year["revenue"]["amount"] for year in value["years"]] == ["20000.00", "10000.00"]


async def test_figures_of_another_day_and_of_another_window(client: httpx.AsyncClient) -> None:
    then = (await client.get(f"{V1}/customers/{ANA}/value", params={"as_of": "2025-12-31"})).json()
    assert (then["frequency"], then["profitability"]["amount"], then["as_of"]) == (1, "4000.00", "2025-12-31")
    assert then["cut_points"]["version"] == 0
    year = (await client.get(f"{V1}/customers/{ANA}/value", params={"window": "fiscal-year"})).json()
    assert year["window"] == {"kind": "fiscal-year", "from": "2025-01-01", "to": "2025-12-31"}
    assert year["revenue"]["amount"] == "10000.00"
    moment = (await client.get(f"{V1}/customers/{ANA}/value?as_of=2026-01-01T02:00:00+00:00")).json()
    assert moment["as_of"] == "2025-12-31"  # it was still the old year in Bogotá


async def test_foreign_money_is_shown_as_billed_and_converted(client: httpx.AsyncClient) -> None:
    value = (await client.get(f"{V1}/customers/{EVA}/value")).json()
    assert value["billed"] == [{"amount": "1.00", "currency": "USD"}]
    assert value["revenue"] == {"amount": "4000.00", "currency": "COP"}


async def test_an_absorbed_customer_leads_to_the_survivor(client: httpx.AsyncClient, scoring: Scoring) -> None:
    await scoring.hear(
        linked((MAIL, ANA, 2), kind="merge"), customer(LUIS, revision=2, state="merged", merged_into=ANA)
    )
    value = (await client.get(f"{V1}/customers/{LUIS}/value")).json()
    assert value["customer_id"] == str(ANA)
    assert value["merged_from"] == [str(LUIS)]
    assert value["revenue"]["amount"] == "29500.00"
    for part in ("history", "signals"):
        assert (await client.get(f"{V1}/customers/{LUIS}/{part}")).status_code == 200
    listed = (await client.get(f"{V1}/customers")).json()["items"]
    assert str(LUIS) not in [item["customer_id"] for item in listed]


async def test_lists_go_by_profitability_page_by_page(client: httpx.AsyncClient) -> None:
    first = (await client.get(f"{V1}/customers", params={"limit": 2})).json()
    second = (await client.get(f"{V1}/customers", params={"limit": 2, "cursor": first["next"]})).json()
    assert [item["customer_id"] for item in first["items"] + second["items"]] == [str(ANA), str(EVA), str(LUIS)]
    assert second["next"] is None


LISTS: list[tuple[dict[str, str], list[UUID]]] = [
    ({"tier": "MVC"}, [ANA]),
    ({"tier": "BELOW_ZERO"}, [LUIS]),
    ({"abc": "A"}, [ANA]),
    ({"signal": "dormant"}, []),
    ({"as_of": "2025-12-31"}, [ANA]),
    ({"as_of": "2026-11-11", "tier": "BELOW_ZERO"}, []),
    ({"as_of": "2026-11-12", "tier": "BELOW_ZERO"}, [LUIS]),
    ({"as_of": "2030-01-01", "signal": "long-dormant", "limit": "1"}, [ANA]),
]


async def test_a_list_goes_on_after_a_whole_place_only(client: httpx.AsyncClient) -> None:
    for place in ((None, None), (None, ANA), (1, None)):
        for more in ({}, {"as_of": "2026-11-15"}):
            answer = await client.get(f"{V1}/customers", params={"cursor": encode_cursor(*place)} | more)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor"), place


async def test_lists_show_whom_they_are_asked_for(client: httpx.AsyncClient) -> None:
    for query, expected in LISTS:
        items = (await client.get(f"{V1}/customers", params=query)).json()["items"]
        assert [item["customer_id"] for item in items] == [str(each) for each in expected], query


async def test_history_is_a_dated_series(client: httpx.AsyncClient, scoring: Scoring) -> None:
    await scoring.wait(timedelta(days=1))
    await scoring.hear(contact(PHONE, "2026-11-13", 5_000_000))
    items = (await client.get(f"{V1}/customers/{ANA}/history")).json()["items"]
    assert [item["tier"] for item in items][:2] == ["BELOW_ZERO", "MVC"]
    assert items[0]["reasons"] == ["contribution_below_zero"]


async def test_signals_are_shown_with_their_evidence(client: httpx.AsyncClient, scoring: Scoring) -> None:
    await scoring.wait(timedelta(days=365))
    items = (await client.get(f"{V1}/customers/{LUIS}/signals")).json()["items"]
    dormant = next(item for item in items if item["signal"] == "dormant")
    assert dormant["evidence"] == {"last_movement": "2026-11-12", "months": 12, "since": "2027-11-12"}
    assert dormant["announced"]


async def test_reports_add_up(client: httpx.AsyncClient) -> None:
    abc = (await client.get(f"{V1}/reports/abc")).json()
    assert [group["customers"] for group in abc["classes"]] == [1, 0, 2]
    assert abc["whole"]["customers"] == 3
    assert abc["sales"]["anonymous"]["revenue"]["amount"] == "77.00"
    assert abc["sales"]["all"]["entries"] == 6
    assert abc["window"] == {"kind": "to-date", "from": None, "to": "2026-11-20"}
    pareto = (await client.get(f"{V1}/reports/pareto", params={"share": 0.5})).json()
    assert pareto["top_by_profit"]["customers"] == 1
    assert pareto["curve"][-1] == {"customers_share": 1.0, "profit_share": 1.0}
    kpis = (await client.get(f"{V1}/reports/kpis")).json()
    assert kpis["tiers"] == {"MVC": 1, "BELOW_ZERO": 1, "STANDARD": 1}
    assert kpis["contribution_below_zero"] == 1


@pytest.mark.parametrize("together", [True, False])
async def test_of_whom_all_was_taken_back_nothing_is_on_record(scoring: Scoring, *, together: bool) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-10", 10_000))
    await scoring.hear(wrong := purchase(MAIL, "2026-11-10", 10_000), *([retraction(wrong)] if together else []))
    await scoring.hear(linked((MAIL, LUIS, 1)), *([] if together else [retraction(wrong)]))
    await scoring.wait()
    async with client_for(create_app(scoring.runtime)) as client:
        kpis = (await client.get(f"{V1}/reports/kpis")).json()
        listed = (await client.get(f"{V1}/customers", params={"as_of": "2026-11-15"})).json()["items"]
        value = (await client.get(f"{V1}/customers/{LUIS}/value")).json()
    assert (kpis["customers"], kpis["tiers"], kpis["lifecycle"]) == (1, {"MVC": 1}, {"ACTIVE": 1})
    assert [each["customer_id"] for each in listed] == [str(ANA)]
    assert value["inputs"]["days"] == 0


async def test_reports_of_nobody_are_empty_and_no_error(scoring: Scoring) -> None:
    async with client_for(create_app(scoring.runtime)) as client:
        for report in ("abc", "pareto", "kpis"):
            assert (await client.get(f"{V1}/reports/{report}")).status_code == 200
        assert (await client.get(f"{V1}/customers")).json() == {"items": [], "next": None}


async def test_changed_thresholds_concern_everybody(client: httpx.AsyncClient, scoring: Scoring) -> None:
    read = await client.get(f"{V1}/policies/thresholds")
    assert read.headers["ETag"] == '"0"'
    body = {**read.json(), "below_zero_window": "fiscal-year"}
    written = await client.put(f"{V1}/policies/thresholds", json=body, headers={"If-Match": read.headers["ETag"]})
    assert written.status_code == 200, written.text
    assert (written.headers["ETag"], written.json()["version"], written.json()["author"]) == ('"1"', 1, "first key")
    await scoring.wait()
    value = (await scoring.value(LUIS))["value"]
    assert (value["tier"], value["rules_version"]) == ("STANDARD", "thresholds-1.cuts-2")
    versions = (await client.get(f"{V1}/policies/thresholds/versions")).json()["items"]
    assert [version["version"] for version in versions] == [1, 0]
    page = (await client.get(f"{V1}/policies/thresholds/versions", params={"limit": 1})).json()
    rest = (await client.get(f"{V1}/policies/thresholds/versions", params={"limit": 1, "cursor": page["next"]})).json()
    assert [version["version"] for version in page["items"] + rest["items"]] == [1, 0]
    assert rest["next"] is None


async def test_a_changed_treatment_is_told_of_everybody_whom_it_concerns(
    client: httpx.AsyncClient, scoring: Scoring
) -> None:
    policy = {
        "rules": [{"name": "vip", "when": {"field": "tier", "op": "eq", "value": "MVC"}, "then": {"service_level": "vip", "attend_by": "owner"}}],
        "default": {"service_level": "standard", "attend_by": "any agent", "spend_limit": {"amount": "20000.00", "currency": "COP"}},
    }  # fmt: skip
    written = await client.put(f"{V1}/policies/treatment", json=policy, headers={"If-Match": '"0"'})
    assert written.status_code == 200, written.text
    await scoring.wait()
    changed = {each["customer_id"]: each["service_level"] for each in await scoring.told("treatment-changed")}
    assert changed[str(ANA)] == "vip"
    assert changed[str(LUIS)] == "standard"
    assert str(EVA) not in changed
    again = (await client.get(f"{V1}/policies/treatment")).json()
    assert again["rules"][0]["name"] == "vip"


REFUSED_RULES: list[tuple[str, dict[str, Any], dict[str, str], int, str]] = [
    ("thresholds", {}, {}, 428, "version-missing"),
    ("thresholds", {}, {"If-Match": '"7"'}, 412, "stale-version"),
    ("thresholds", {"mvc_share": 2}, {"If-Match": '"0"'}, 422, "invalid"),
    ("thresholds", {"mvc": 0.1}, {"If-Match": '"0"'}, 422, "invalid"),
    ("treatment", {"rules": []}, {"If-Match": '"0"'}, 422, "invalid"),
    (
        "treatment",
        {
            "rules": [
                {
                    "name": "x",
                    "when": {"field": "faith", "op": "eq", "value": 1},
                    "then": {"service_level": "x", "attend_by": "x"},
                }
            ],
            "default": {"service_level": "x", "attend_by": "x"},
        },
        {"If-Match": '"0"'},
        422,
        "invalid-condition",
    ),
    (
        "treatment",
        {
            "rules": [],
            "default": {"service_level": "x", "attend_by": "x", "spend_limit": {"amount": "-1", "currency": "COP"}},
        },
        {"If-Match": '"0"'},
        422,
        "invalid-treatment",
    ),
]


async def test_rules_that_cannot_be_used_are_refused(client: httpx.AsyncClient) -> None:
    for name, body, headers, status, code in REFUSED_RULES:
        answer = await client.put(f"{V1}/policies/{name}", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), body


UNWRITABLE = [
    ('{"field": "revenue", "op": "gt", "value": 1' + "0" * 30 + "}", "[]", "/rules/0/when/value"),
    ('{"field": "frequency", "op": "in", "value": [1, 1' + "0" * 30 + "]}", "[]", "/rules/0/when/value/1"),
    ('{"field": "revenue", "op": "lt", "value": 1e19}', "[]", "/rules/0/when/value"),
    ('{"field": "tier", "op": "eq", "value": "\\ud800"}', "[]", "/rules/0/when/value"),
    ('{"all": []}', '["\\ud800"]', "/rules/0/then/reasons/0"),
]


@pytest.mark.parametrize(("when", "reasons", "pointer"), UNWRITABLE)
async def test_a_policy_that_could_not_be_written_down_is_refused_where_it_is_wrong(
    client: httpx.AsyncClient, when: str, reasons: str, pointer: str
) -> None:
    then = f'{{"service_level": "x", "attend_by": "x", "reasons": {reasons}}}'
    body = f'{{"rules": [{{"name": "x", "when": {when}, "then": {then}}}], "default": {{"service_level": "x", "attend_by": "x"}}}}'
    headers = {"If-Match": '"0"', "Content-Type": "application/json"}
    answer = await client.put(f"{V1}/policies/treatment", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_the_greatest_number_that_a_policy_takes_is_read_as_it_was_written(
    client: httpx.AsyncClient, scoring: Scoring
) -> None:
    then = {"service_level": "x", "attend_by": "x"}
    when = {"field": "revenue", "op": "lt", "value": 9.2e18}
    policy = {"rules": [{"name": "all", "when": when, "then": then}], "default": then}
    written = await client.put(f"{V1}/policies/treatment", json=policy, headers={"If-Match": '"0"'})
    assert written.status_code == 200, written.text
    await scoring.wait()
    assert (await client.get(f"{V1}/customers/{ANA}/value")).json()["treatment"]["rule"] == "all"


UNREADABLE = [
    '{"growing_ratio": 1e400}',
    '{"drop_warning": NaN}',
    '{"long_dormant_months": 200000}',
    '{"below_zero_min_months": 10000000}',
    '{"cut_points_minutes": 1000000000000}',
    '{"mvc_share": true}',
]


@pytest.mark.parametrize("body", UNREADABLE)
async def test_thresholds_by_which_nobody_could_be_measured_are_not_put_into_force(
    client: httpx.AsyncClient, body: str
) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/json"}
    answer = await client.put(f"{V1}/policies/thresholds", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert (await client.get(f"{V1}/policies/thresholds")).headers["ETag"] == '"0"'


async def test_the_longest_thresholds_measure_everybody_on_the_last_day(
    client: httpx.AsyncClient, scoring: Scoring
) -> None:
    most = {"dormant_months": MOST_MONTHS, "long_dormant_months": MOST_MONTHS, "below_zero_min_months": MOST_MONTHS,
            "cut_points_minutes": MOST_MINUTES, "shortlist_quotes": MOST, "rejected_quotes": MOST, "growing_ratio": MOST,
            "declining_ratio": MOST, "drop_warning": MOST, "drop_critical": MOST, "drop_min_purchases": MOST}  # fmt: skip
    written = await client.put(f"{V1}/policies/thresholds", json=most, headers={"If-Match": '"0"'})
    assert written.status_code == 200, written.text
    await scoring.wait()
    for day in ("1900-01-01", "9000-12-31"):
        for path in (f"/customers/{ANA}/value", "/customers", "/reports/kpis", "/reports/abc", "/reports/pareto"):
            assert (await client.get(V1 + path, params={"as_of": day})).status_code == 200, (path, day)
    assert (await scoring.value(ANA))["value"]["rules_version"].startswith("thresholds-1.")


REFUSED_READINGS = [
    (f"/customers/{UUID(int=99)}/value", 404, "unknown-customer"),
    (f"/customers/{UUID(int=99)}/history", 404, "unknown-customer"),
    (f"/customers/{UUID(int=99)}/signals", 404, "unknown-customer"),
    ("/customers/somebody/value", 422, "invalid"),
    (f"/customers/{ANA}/value?as_of=yesterday", 422, "invalid-as-of"),
    (f"/customers/{ANA}/value?as_of=2026-01-01T00:00:00", 422, "invalid-as-of"),
    (f"/customers/{ANA}/value?window=week", 422, "invalid"),
    ("/customers?tier=BEST", 422, "invalid"),
    ("/customers?cursor=nonsense", 400, "invalid-cursor"),
    ("/reports/abc?as_of=2026-13-01", 422, "invalid-as-of"),
    ("/reports/abc?as_of=0001-01-01", 422, "invalid-as-of"),
    ("/reports/kpis?as_of=9999-12-31", 422, "invalid-as-of"),
    ("/customers?as_of=0001-01-01T00:00:00%2B14:00", 422, "invalid-as-of"),
    ("/reports/pareto?share=2", 422, "invalid"),
]


async def test_what_cannot_be_answered_is_refused(client: httpx.AsyncClient) -> None:
    for path, status, code in REFUSED_READINGS:
        answer = await client.get(V1 + path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


PATHS = [f"/customers/{ANA}/value", f"/customers/{ANA}/history", f"/customers/{ANA}/signals", "/customers", "/reports/abc",
         "/reports/pareto", "/reports/kpis", "/policies/thresholds", "/policies/treatment", "/policies/treatment/versions"]  # fmt: skip


async def test_nobody_sees_a_value_without_the_right_to(client: httpx.AsyncClient) -> None:
    def bearer(**claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {dev_token(TEST_SECRET, subject='x', **claims)}"}

    scopes = ["value:read", "policies:read"]
    for path in PATHS:
        assert (await client.get(V1 + path, headers={"Authorization": ""})).status_code == 401, path
        assert (await client.get(V1 + path, headers=bearer(scopes=["resume:read"]))).json()["code"] == "scope-missing"
        for subject in (f"customer:{ANA}", "partner:acme"):
            answer = await client.get(V1 + path, headers=bearer(scopes=scopes, hilo_subject=subject))
            assert (answer.status_code, answer.json()["code"]) == (403, "not-for-this-view"), path
        assert (await client.get(V1 + path, headers=bearer(scopes=scopes))).status_code == 200, path


async def test_a_parked_event_is_repaired_and_sent_again(client: httpx.AsyncClient, scoring: Scoring) -> None:
    whole = encode(purchase(MAIL, "2026-11-14", 900_000), at=scoring.clock())[1]
    await scoring.deliver(whole.replace(b'"2026-11-14T12:00:00Z"', b'"soon"'))
    (item,) = (await client.get(f"{V1}/parked")).json()["items"]
    path = f"{V1}/parked/{item['id']}"
    assert (await client.post(f"{path}:replay")).json()["code"] == "still-refused"
    repaired = await client.put(path, json={"body": whole.decode()}, headers={"If-Match": '"1"'})
    assert repaired.status_code == 200
    assert (await client.post(f"{path}:replay")).json()["state"] == "replayed"
    assert (await client.get(f"{V1}/customers/{LUIS}/value")).json()["revenue"]["amount"] == "8500.00"


async def test_every_route_declares_its_scope(scoring: Scoring) -> None:
    assert undeclared_routes(create_app(scoring.runtime)) == []


async def test_the_documents_can_be_read(client: httpx.AsyncClient) -> None:
    for path in ("openapi.json", "asyncapi.json", "healthz", "readyz", "metrics", "docs"):
        assert (await client.get(f"/scoring/{path}")).status_code == 200, path
