"""The routes: happy, unauthenticated, forbidden, invalid, and each refusal."""

import json
from itertools import product
from uuid import uuid4

import pytest

from common.access import apply_access
from common.auth import dev_token, make_key, undeclared_routes
from common.contracts.identity import AccessChanged
from common.openapi import openapi_gaps
from common.testing import TEST_SECRET
from service_audit.main import create_app
from service_audit.standards.shipped import shipped

V1 = "/service-audit/v1"
SURVEYED = {"event": "touchpoint-recorded", "when": {"field": "kind", "op": "eq", "value": "survey_response"}}
READS = [
    "/promise",
    "/promise/versions",
    "/attributes",
    "/attributes/versions",
    "/cycles",
    "/cycles/complaint-care",
    "/cycles/complaint-care/versions",
    "/cycles/complaint-care/map?period=2026-11",
    "/scorecards?period=2026-11",
    "/evidence",
    f"/customers/{uuid4()}/evidence",
    "/actions",
    f"/actions/{uuid4()}",
    "/parked",
]
WRITES = [
    ("PUT", "/promise", shipped("promise")),
    ("PUT", "/attributes", shipped("attributes")),
    ("PUT", "/cycles/complaint-care", shipped("complaint-care")),
    ("POST", "/actions", {"title": "Call back"}),
    ("POST", f"/actions/{uuid4()}:close", {"result": "done", "reason": "Called"}),
]


def bearer(*scopes, subject=None):
    token = dev_token(TEST_SECRET, subject="someone", scopes=scopes, hilo_subject=subject)
    return {"Authorization": f"Bearer {token}"}


async def test_every_route_declares_its_scope_and_is_described(audit):
    app = create_app(audit.runtime)
    assert undeclared_routes(app) == []
    assert openapi_gaps(app) == []


async def test_nobody_reads_without_a_credential_or_the_scope(client):
    for path in READS:
        assert (await client.get(V1 + path, headers={"Authorization": ""})).status_code == 401, path
        refused = await client.get(V1 + path, headers=bearer("value:read"))
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing"), path


async def test_nobody_writes_without_the_scope(client):
    for method, path, body in WRITES:
        assert (await client.request(method, V1 + path, json=body, headers={"Authorization": ""})).status_code == 401
        assert (await client.request(method, V1 + path, json=body, headers=bearer("audit:read"))).status_code == 403


async def test_audit_results_are_not_for_customers_and_partners(client):
    for subject, path in product([f"customer:{uuid4()}", "partner:acme"], READS[:-1]):
        refused = await client.get(V1 + path, headers=bearer("audit:read", subject=subject))
        assert (refused.status_code, refused.json()["code"]) == (403, "not-for-customers"), path


async def test_a_key_that_identity_made_works_here_until_it_is_revoked(audit, client):
    key_id, key, digest = make_key(TEST_SECRET)
    made = AccessChanged(key_id=key_id, revision=1, hash=digest, scopes=["audit:read"])
    await audit.hears(made)
    headers = {"Authorization": f"Bearer {key}"}
    assert (await client.get(f"{V1}/cycles", headers=headers)).status_code == 200
    async with audit.uow() as uow:
        await apply_access([made.model_copy(update={"revision": 2, "revoked": True})], uow.session)
        await uow.commit()
    client._transport.app.state.access_keys.forget()
    assert (await client.get(f"{V1}/cycles", headers=headers)).status_code == 401


async def test_the_shipped_promise_is_read_and_rewritten(client):
    read = await client.get(f"{V1}/promise")
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')
    assert [p["code"] for p in read.json()["pillars"]] == ["responsive", "effective", "reliable", "continuous"]
    body = shipped("promise") | {"text": "We remember."}
    written = await client.put(f"{V1}/promise", json=body, headers={"If-Match": '"1"'})
    assert (written.status_code, written.headers["etag"], written.json()["text"]) == (200, '"2"', "We remember.")
    assert (await client.put(f"{V1}/promise", json=body, headers={"If-Match": '"1"'})).status_code == 412
    assert (await client.put(f"{V1}/promise", json=body)).status_code == 428
    gone = await client.put(f"{V1}/promise", json=body | {"pillars": []}, headers={"If-Match": '"2"'})
    assert (gone.status_code, gone.json()["code"]) == (409, "still-in-use")


async def test_attributes_carry_weights_and_targets(client):
    body = shipped("attributes")
    body["attributes"][0]["target"] = 50
    written = await client.put(f"{V1}/attributes", json=body, headers={"If-Match": '"1"'})
    assert written.json()["attributes"][0]["target"] == 50
    gone = await client.put(
        f"{V1}/attributes", json={"attributes": body["attributes"][1:]}, headers={"If-Match": '"2"'}
    )
    assert gone.status_code == 409


async def test_cycles_are_listed_page_by_page(client):
    codes, cursor = [], None
    while True:
        page = (await client.get(f"{V1}/cycles", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        codes += [item["code"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert codes == ["complaint-care", "contact", "promises", "resumption"]
    assert (await client.get(f"{V1}/cycles", params={"cursor": "nonsense!"})).status_code == 400


async def test_a_cycle_is_written_read_and_kept_in_every_version(client):
    new = await client.put(f"{V1}/cycles/vip-care", json=shipped("complaint-care"))
    assert (new.status_code, new.headers["etag"], new.json()["code"]) == (200, '"1"', "vip-care")
    again = await client.put(
        f"{V1}/cycles/vip-care", json=shipped("contact"), headers={"If-Match": new.headers["etag"]}
    )
    assert again.headers["etag"] == '"2"'
    read = await client.get(f"{V1}/cycles/vip-care")
    assert (read.json()["name"], read.headers["etag"]) == ("Contact", '"2"')
    versions = (await client.get(f"{V1}/cycles/vip-care/versions")).json()["items"]
    assert [(v["version"], v["name"]) for v in versions] == [(2, "Contact"), (1, "Complaint care")]
    assert versions[0]["written_by"] == "first key"
    assert (await client.put(f"{V1}/cycles/vip-care", json=shipped("contact"))).status_code == 428
    stale = await client.put(f"{V1}/cycles/vip-care", json=shipped("contact"), headers={"If-Match": "W/x"})
    assert stale.status_code == 412


async def test_what_the_api_answers_can_be_put_again(client):
    for path in ("/cycles/complaint-care", "/promise", "/attributes"):
        read = await client.get(V1 + path)
        written = await client.put(V1 + path, json=read.json(), headers={"If-Match": read.headers["etag"]})
        assert (written.status_code, written.headers["etag"]) == (200, '"2"'), written.text
        kept = {
            name: said for name, said in written.json().items() if name not in ("version", "written_at", "written_by")
        }
        assert kept.items() <= read.json().items()
    former = (await client.get(f"{V1}/cycles/complaint-care/versions")).json()["items"][-1]
    back = await client.put(f"{V1}/cycles/complaint-care", json=former, headers={"If-Match": '"2"'})
    assert (back.status_code, back.json()["version"]) == (200, 3)


async def test_every_version_of_the_promise_and_the_attributes_can_be_read(client):
    for path, field in (("/promise", "pillars"), ("/attributes", "attributes")):
        read = await client.get(V1 + path)
        await client.put(V1 + path, json=read.json(), headers={"If-Match": read.headers["etag"]})
        first = (await client.get(f"{V1}{path}/versions", params={"limit": 1})).json()
        rest = (await client.get(f"{V1}{path}/versions", params={"limit": 1, "cursor": first["next"]})).json()
        assert [each["version"] for each in first["items"] + rest["items"]] == [2, 1]
        assert rest["items"][0][field] == read.json()[field]
        assert rest["next"] is None


@pytest.mark.parametrize(
    "standard",
    [
        '{"measure": "rating", "field": "answers.satisfaction", "minimum": 4, "scale": {"low": 1, "high": 1e400}}',
        '{"measure": "flag", "field": "answers.satisfaction", "equals": 1e400}',
        '{"measure": "rating", "field": "answers.satisfaction", "minimum": NaN}',
    ],
)
async def test_a_number_that_could_not_be_read_again_is_not_kept(client, standard):
    body = shipped("complaint-care")
    body["moments"] = [body["moments"][0] | {"trigger": SURVEYED, "subject": "touchpoint", "standard": "HERE"}]
    headers = {"Content-Type": "application/json"}
    refused = await client.put(
        f"{V1}/cycles/walk", content=json.dumps(body).replace('"HERE"', standard), headers=headers
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    assert (await client.get(f"{V1}/cycles/walk")).status_code == 404


async def test_an_unusable_cycle_is_refused_at_the_place(client):
    unknown = {"event": "case-moved", "when": {"field": "x", "op": "eq", "value": 1}}
    for changes, pointer in (
        ({"attribute": "beauty"}, "/moments/0/attribute"),
        ({"trigger": unknown}, "/moments/0/trigger/when/field"),
        ({"standard": {"measure": "answered-within", "hours": -1, "until": None}}, "/moments/0/standard/hours"),
        ({"colour": "blue"}, "/moments/0/colour"),
    ):
        body = shipped("complaint-care")
        body["moments"][0] |= changes
        refused = await client.put(f"{V1}/cycles/complaint-care", json=body, headers={"If-Match": '"1"'})
        assert refused.status_code == 422
        assert pointer in [error["pointer"] for error in refused.json()["errors"]]


async def test_by_a_scale_on_which_nothing_can_be_counted_nothing_is_judged(audit, telling, client):
    await audit.hears(telling.survey(3), telling.survey(1.6e308))
    body = shipped("contact")
    for scale, status in (({"low": -1.7e308, "high": 1.7e308}, 422), ({"low": -1e18, "high": 1e18}, 200)):
        body["moments"][0]["standard"] |= {"scale": scale, "minimum": 0}
        assert (await client.put(f"{V1}/cycles/contact", json=body, headers={"If-Match": '"1"'})).status_code == status
        assert (await client.get(f"{V1}/scorecards", params={"period": "2026"})).json()["n"] == 1


@pytest.mark.parametrize(
    ("part", "said", "field"),
    [
        (
            "trigger",
            {"event": "touchpoint-recorded", "when": {"field": "answers.\ud800", "op": "exists"}},
            "when/field",
        ),
        ("standard", {"measure": "flag", "field": "answers.satisfaction", "equals": "\ud800"}, "equals"),
    ],
)
async def test_half_of_a_pair_of_utf_16_is_refused_at_its_field(client, part, said, field):
    body = shipped("contact")
    body["moments"][0][part] = said
    headers = {"If-Match": '"1"', "Content-Type": "application/json"}
    refused = await client.put(f"{V1}/cycles/contact", content=json.dumps(body), headers=headers)
    assert refused.status_code == 422
    assert f"/moments/0/{part}/{field}" in {error["pointer"] for error in refused.json()["errors"]}


@pytest.mark.parametrize(
    ("depth", "pointer"), [(8, f"/trigger/when{'/not' * 8}"), (17, "/trigger/when"), (300, "/trigger/when")]
)
async def test_a_condition_that_nests_too_deep_is_refused_at_its_field(client, depth, pointer):
    body, deep = shipped("contact"), {"all": []}
    for _ in range(depth):
        deep = {"not": deep}
    body["moments"][0]["trigger"]["when"] = deep
    refused = await client.put(f"{V1}/cycles/contact", json=body, headers={"If-Match": '"1"'})
    assert (refused.status_code, [e["pointer"] for e in refused.json()["errors"]]) == (422, [f"/moments/0{pointer}"])


async def test_a_condition_may_nest_as_deep_as_conditions_may(client):
    body = shipped("contact")
    deepest = {"field": "kind", "op": "in", "value": ["survey_response"]}
    for _ in range(7):  # it is the eighth itself
        deepest = {"any": [deepest]}
    body["moments"][0]["trigger"]["when"] = deepest
    assert (await client.put(f"{V1}/cycles/contact", json=body, headers={"If-Match": '"1"'})).status_code == 200


async def test_unknown_things_are_not_found_and_bad_input_is_invalid(client):
    for path in (
        "/cycles/nothing",
        "/cycles/nothing/map?period=2026-11",
        "/cycles/nothing/versions",
        f"/actions/{uuid4()}",
    ):
        assert (await client.get(V1 + path)).status_code == 404
    for path in (
        "/scorecards?period=2026-13",
        "/scorecards",
        "/evidence?period=x",
        "/cycles/Bad%20Code",
        "/evidence?met=x",
        "/evidence?met=true&state=failed",
    ):
        assert (await client.get(V1 + path)).status_code == 422


async def test_the_scorecard_lists_scores_with_their_samples(audit, telling, client):
    await audit.hears(*(telling.survey(answer) for answer in (5, 5, 4, 2)), telling.case("opened"))
    await audit.passes(hours=25)
    card = (await client.get(f"{V1}/scorecards", params={"period": "2026-11"})).json()
    by_code = {a["code"]: a for a in card["attributes"]}
    satisfaction = by_code["satisfaction"]
    assert (satisfaction["score"], satisfaction["n"], satisfaction["rating"]) == (75.0, 4, 4.0)
    assert (by_code["responsiveness"]["score"], by_code["responsiveness"]["n"]) == (0.0, 1)
    assert by_code["continuity"]["score"] is None
    assert card["total"] == (2 * 75 + 3 * 0) / 5
    cycle = (await client.get(f"{V1}/cycles/complaint-care/map", params={"period": "2026-11"})).json()
    assert [(m["moment"], m["n"]) for m in cycle["moments"]] == [
        ("complaint-answered", 1),
        ("solved-at-first-contact", 0),
        ("complainer-recovered", 0),
        ("timely-by-its-source", 0),
    ]


async def test_failed_moments_are_listed_page_by_page(audit, telling, client):
    await audit.hears(*(telling.survey(answer) for answer in (1, 2, 1, 2, 5)))
    found, cursor = [], None
    while True:
        params = {"met": "false", "period": "2026-11", "limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(f"{V1}/evidence", params=params)).json()
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({item["evidence_id"] for item in found}) == 4
    assert {(item["met"], item["name_es"]) for item in found} == {
        (False, "El cliente queda satisfecho después del contacto")
    }
    nothing = await client.get(f"{V1}/evidence", params={"met": "false", "period": "2025"})
    assert nothing.json() == {"items": [], "next": None}


async def test_an_action_is_opened_by_a_failed_critical_moment_and_closed_once(audit, telling, client):
    await audit.hears(telling.case("opened"))
    await audit.passes(hours=25)
    [action] = (await client.get(f"{V1}/actions", params={"state": "open"})).json()["items"]
    assert (action["source"], action["moment"]) == ("moment", "complaint-answered")
    close = f"{V1}/actions/{action['action_id']}:close"
    closed = await client.post(close, json={"result": "done", "reason": "Called back"})
    assert (closed.status_code, closed.json()["state"], closed.json()["closed_by"]) == (200, "closed", "first key")
    again = await client.post(close, json={"result": "done", "reason": "Called back"})
    assert (again.status_code, again.json()["code"]) == (409, "action-closed")
    await audit.hears(telling.case("opened", number="PQR-2", occurred_at=audit.clock.now, at=audit.clock.now))
    await audit.passes(hours=25)
    assert len((await client.get(f"{V1}/actions", params={"state": "open"})).json()["items"]) == 1


async def test_an_action_by_hand_is_opened_once_under_its_key(client):
    headers = {"Idempotency-Key": "k1"}
    body = {"title": "Templates", "due_at": "2026-12-15T17:00:00-05:00"}
    first = await client.post(f"{V1}/actions", json=body, headers=headers)
    again = await client.post(f"{V1}/actions", json=body, headers=headers)
    assert (first.status_code, first.json()) == (201, again.json())
    other = await client.post(f"{V1}/actions", json={"title": "Other"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len((await client.get(f"{V1}/actions")).json()["items"]) == 1
    read = await client.get(f"{V1}/actions/{first.json()['action_id']}")
    assert (read.json()["source"], read.json()["title"]) == ("hand", "Templates")
    assert (await client.post(f"{V1}/actions", json={"title": ""})).status_code == 422
    for due_at in (1763650000, "1763650000", "20261120", "2026-11-20T15:04:05"):
        told = await client.post(f"{V1}/actions", json={"title": "Templates", "due_at": due_at})
        assert (told.status_code, told.json()["errors"][0]["pointer"]) == (422, "/due_at")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"title": " \t "}, "/title"),
        ({"cycle": "complaint-cares"}, "/cycle"),
        ({"cycle": "complaint-care", "moment": "complaint-answerd"}, "/moment"),
        ({"moment": "complaint-answered"}, "/cycle"),
    ],
)
async def test_an_action_that_nobody_would_find_again_is_not_opened(client, said, pointer):
    refused = await client.post(f"{V1}/actions", json={"title": "Templates", **said})
    assert (refused.status_code, [error["pointer"] for error in refused.json()["errors"]]) == (422, [pointer])
    assert (await client.get(f"{V1}/actions")).json()["items"] == []
    taken = await client.post(f"{V1}/actions", json={"title": "Templates", "cycle": "complaint-care"})
    assert taken.status_code == 201


async def test_a_customers_actions_follow_him(audit, telling, client):
    ana, bea = uuid4(), uuid4()
    await audit.hears(telling.commitment("broken"), telling.links(ana, telling.trace, revision=1))
    await audit.hears(telling.customer(bea, revision=2, merged_into=ana))
    for who, count in ((ana, 1), (bea, 1), (uuid4(), 0)):
        found = (await client.get(f"{V1}/actions", params={"customer_id": str(who)})).json()["items"]
        assert len(found) == count
