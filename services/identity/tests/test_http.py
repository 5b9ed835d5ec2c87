"""Identity over HTTP: the real application, real credentials, every refusal."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from common.auth import undeclared_routes
from common.http import ServiceApp
from common.openapi import openapi_gaps
from common.testing import client_for

from .conftest import ClientWith, Identity, case, seen, unseen

Customers = "/identity/v1/customers"
ANA = "Ana María López Ruiz"


async def new(client: httpx.AsyncClient, *identifiers: str, **profile: str) -> str:
    answer = await client.post(Customers, json={"identifiers": identifiers, "profile": profile})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["customer_id"])


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return dict(answer.json())


async def test_every_route_declares_its_scope_and_reads_well(app: ServiceApp) -> None:
    assert undeclared_routes(app) == []
    assert openapi_gaps(app) == []


async def test_a_customer_is_found_by_the_identifier_a_channel_gave(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen("phone:3001234567", name=ANA)
    await identity.happen(person)
    by_get = (await client.get(Customers, params={"identifier": "whatsapp:573001234567"})).json()
    by_post = (await client.post(f"{Customers}:search", json={"identifier": "phone:300 123 4567"})).json()
    assert by_get["recognised"] == by_post["recognised"] == "customer"
    assert by_get["items"][0]["customer_id"] == str(await identity.owner(person))
    assert by_post["asked_for"] == {"given": "phone:300 123 4567", "normalised": "phone:+573001234567"}


async def test_a_family_phone_gives_candidates(identity: Identity, client: httpx.AsyncClient) -> None:
    await identity.happen(seen("phone:3001234567", name=ANA), seen("phone:3001234567", name="Luis Pérez"))
    found = (await client.get(Customers, params={"identifier": "phone:3001234567"})).json()
    assert (found["recognised"], len(found["items"])) == ("candidates", 2)


async def test_nobody_is_unknown_and_not_a_refusal(client: httpx.AsyncClient) -> None:
    found = (await client.get(Customers, params={"identifier": "phone:3001234567"})).json()
    assert (found["recognised"], found["items"]) == ("unknown", [])


@pytest.mark.parametrize("q", ["lopez ana", "LÓP", "ana ruiz", "maría"])
async def test_a_customer_is_found_by_the_beginnings_of_his_names(client: httpx.AsyncClient, q: str) -> None:
    ana = await new(client, full_name=ANA)
    await new(client, full_name="Luis Pérez")
    assert [item["customer_id"] for item in (await client.get(Customers, params={"q": q})).json()["items"]] == [ana]


async def test_a_search_is_read_page_by_page(client: httpx.AsyncClient) -> None:
    everybody = {await new(client, full_name=f"Ana Numero{n}") for n in range(5)}
    found, cursor = set(), None
    for _ in range(3):
        page = (await client.post(f"{Customers}:search", json={"q": "ana", "limit": 2, "cursor": cursor})).json()
        found |= {item["customer_id"] for item in page["items"]}
        cursor = page["next"]
    assert (found, cursor) == (everybody, None)


async def test_a_search_needs_something_to_search(client: httpx.AsyncClient) -> None:
    refused(await client.get(Customers), 422, "nothing-to-search")
    refused(await client.get(Customers, params={"q": "a"}), 422, "nothing-to-search")
    refused(await client.get(Customers, params={"identifier": "phone:12"}), 422, "invalid-identifier")
    refused(await client.get(Customers, params={"q": "ana", "cursor": "x"}), 400, "invalid-cursor")
    assert (await client.post(f"{Customers}:search", json={})).status_code == 422


async def test_the_golden_record_says_where_each_value_is_from(identity: Identity, client: httpx.AsyncClient) -> None:
    person = seen("phone:3001234567", "email:ana@example.com", name=ANA, profile={"city": "Cali"}, attests=("*",))
    await identity.happen(person)
    answer = await client.get(f"{Customers}/{await identity.owner(person)}")
    record = answer.json()
    assert (record["display_name"], record["preferred_name"], record["state"]) == (ANA, "Ana", "active")
    assert {value["key"]: value["source"] for value in record["values"]} == {"full_name": "shop", "city": "shop"}
    assert [i["normalised"] for i in record["identifiers"]] == ["email:ana@example.com", "phone:+573001234567"]
    assert answer.headers["etag"]


async def test_what_staff_verified_stands_before_what_a_channel_saw(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    person = seen("phone:3001234567", name="ANNA LOPES", profile={"city": "Cali"})
    await identity.happen(person)
    path = f"{Customers}/{await identity.owner(person)}"
    etag = (await client.get(path)).headers["etag"]
    body = {"full_name": ANA, "city": None, "key_account": True}
    answer = await client.patch(path, json=body, headers={"If-Match": etag})
    assert answer.status_code == 200
    record = answer.json()
    assert (record["display_name"], record["key_account"]) == (ANA, True)
    assert [value["key"] for value in record["values"]] == ["full_name"]
    assert answer.headers["etag"] == (await client.get(path)).headers["etag"] != etag
    refused(await client.patch(path, json=body, headers={"If-Match": etag}), 412, "stale-version")
    refused(await client.patch(path, json=body), 428, "version-missing")


async def test_a_foreign_id_and_an_absent_one_answer_alike(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    ana, luis = await new(client, full_name=ANA), await new(client, full_name="Luis Pérez")
    async with client_with("customers:read", "customers:write", subject=f"customer:{ana}") as self_service:
        assert (await self_service.get(f"{Customers}/{ana}")).status_code == 200
        foreign = refused(await self_service.get(f"{Customers}/{luis}"), 404, "unknown-customer")
        absent = refused(await self_service.get(f"{Customers}/{uuid4()}"), 404, "unknown-customer")
        assert foreign | {"instance": None} == absent | {"instance": None}


async def test_a_customer_sees_only_what_is_proved_to_be_his(
    identity: Identity, client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    mail = seen("email:ana@example.com", name=ANA, attests=("email",))
    await identity.happen(mail)
    await identity.happen(seen("account:shop:1", "email:ana@example.com", profile={"city": "Cali"}))
    ana = await identity.owner(mail)
    assert {v["key"] for v in (await client.get(f"{Customers}/{ana}")).json()["values"]} == {"full_name", "city"}
    async with client_with("customers:read", subject=f"customer:{ana}") as self_service:
        record = (await self_service.get(f"{Customers}/{ana}")).json()
    assert {value["key"] for value in record["values"]} == {"full_name"}
    assert [i["normalised"] for i in record["identifiers"]] == ["email:ana@example.com"]
    assert record["traces"] == []


async def test_a_customer_is_not_told_what_we_tell_one_another_of_him(
    client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    path = f"{Customers}/{await new(client, full_name=ANA)}"
    for role in ("account_owner", "nanny", "team"):
        assigned = {"role": role, "staff_id": "s-1", "name": "Marta Gil", "handover_note": "Quarrelsome"}
        assert (await client.put(f"{path}/assignments", json=assigned)).status_code == 200
    read = await client.get(path)
    flagged = await client.patch(path, json={"key_account": True}, headers={"If-Match": read.headers["etag"]})
    assert (flagged.json()["key_account"], len(flagged.json()["people"])) == (True, 3)
    async with client_with(
        "customers:read", "customers:write", subject=path.replace(f"{Customers}/", "customer:")
    ) as own:
        answer = await own.get(path)
        assert answer.json()["key_account"] is False
        told = [(p["role"], p["name"], p["staff_id"], p["handover_note"]) for p in answer.json()["people"]]
        assert told == [("account_owner", "Marta Gil", None, None), ("nanny", "Marta Gil", None, None)]
        mended = await own.patch(path, json={"city": "Cali"}, headers={"If-Match": answer.headers["etag"]})
        assert (mended.status_code, mended.json()["people"]) == (200, answer.json()["people"])
    assert (await client.get(path)).json()["key_account"] is True


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{Customers}?q=ana"), ("GET", "/identity/v1/reviews"), ("GET", "/identity/v1/merges"),
        ("GET", "/identity/v1/access-keys"), ("GET", f"{Customers}/{UUID(int=1)}/facts"),
        ("GET", f"{Customers}/{UUID(int=1)}/relationships"), ("GET", f"{Customers}/{UUID(int=1)}/contacts"),
        ("GET", f"{Customers}/{UUID(int=1)}/roles"), ("GET", f"{Customers}/{UUID(int=1)}/referrals"),
        ("GET", f"{Customers}/{UUID(int=1)}/knowledge"), ("GET", "/identity/v1/parties?role=partner"),
        ("GET", "/identity/v1/staff"), ("GET", "/identity/v1/sites"),
    ],
)  # fmt: skip
async def test_lists_are_for_staff(client_with: ClientWith, method: str, path: str) -> None:
    async with client_with("customers:read", "keys:admin", subject=f"customer:{UUID(int=1)}") as self_service:
        refused(await self_service.request(method, path), 403, "for-staff-only")
    async with client_with("customers:read", "keys:admin", subject="partner:acme") as partner:
        refused(await partner.request(method, path), 403, "for-staff-only")


ROUTES = [
    ("GET", Customers), ("POST", f"{Customers}:search"), ("POST", Customers), ("GET", f"{Customers}/{UUID(int=1)}"),
    ("PATCH", f"{Customers}/{UUID(int=1)}"), ("POST", f"{Customers}/{UUID(int=1)}/identifiers"),
    ("POST", f"{Customers}/{UUID(int=1)}/facts"), ("GET", f"{Customers}/{UUID(int=1)}/facts"),
    ("GET", f"{Customers}/{UUID(int=1)}/questions"), ("POST", f"{Customers}/{UUID(int=1)}/questions/q-email:decline"),
    ("POST", f"{Customers}/{UUID(int=1)}/consents"), ("GET", f"{Customers}/{UUID(int=1)}/consents"),
    ("PUT", f"{Customers}/{UUID(int=1)}/preferences"), ("GET", f"{Customers}/{UUID(int=1)}/preferences"),
    ("PUT", f"{Customers}/{UUID(int=1)}/assignments"), ("GET", f"{Customers}/{UUID(int=1)}/assignments"),
    ("POST", "/identity/v1/merges:preview"), ("POST", "/identity/v1/merges"), ("GET", "/identity/v1/merges"),
    ("GET", f"/identity/v1/merges/{UUID(int=1)}"), ("POST", f"/identity/v1/merges/{UUID(int=1)}:undo"),
    ("POST", "/identity/v1/cannot-links:lift"), ("GET", "/identity/v1/reviews"), ("GET", f"/identity/v1/reviews/{UUID(int=1)}"),
    ("POST", f"/identity/v1/reviews/{UUID(int=1)}:decide"), ("POST", "/identity/v1/access-keys"),
    ("GET", "/identity/v1/access-keys"), ("DELETE", "/identity/v1/access-keys/0123456789ab"),
    ("GET", f"{Customers}/{UUID(int=1)}/assignments/history"), ("GET", f"{Customers}/{UUID(int=1)}/knowledge"),
    ("GET", f"{Customers}/{UUID(int=1)}/questions/record"), ("POST", "/identity/v1/relationships"),
    ("GET", f"{Customers}/{UUID(int=1)}/relationships"), ("POST", f"{Customers}/{UUID(int=1)}/contacts"),
    ("GET", f"{Customers}/{UUID(int=1)}/contacts"), ("PUT", f"{Customers}/{UUID(int=1)}/contacts/{UUID(int=2)}"),
    ("GET", f"{Customers}/{UUID(int=1)}/executive-counterparts"), ("GET", f"{Customers}/{UUID(int=1)}/referrals"),
    ("POST", f"{Customers}/{UUID(int=1)}/referrals"), ("POST", f"{Customers}/{UUID(int=1)}/referral-requests"),
    ("GET", f"{Customers}/{UUID(int=1)}/roles"), ("DELETE", f"{Customers}/{UUID(int=1)}/roles/partner"),
    ("PUT", f"{Customers}/{UUID(int=1)}/roles/reference"), ("PUT", f"{Customers}/{UUID(int=1)}/roles/target_account"),
    ("PUT", f"{Customers}/{UUID(int=1)}/roles/partner"), ("POST", f"{Customers}/{UUID(int=1)}/showings"),
    ("GET", "/identity/v1/parties"), ("GET", "/identity/v1/staff"), ("GET", "/identity/v1/staff/s-1"),
    ("PUT", "/identity/v1/staff/s-1"), ("GET", "/identity/v1/sites"), ("GET", "/identity/v1/sites/s-1"),
    ("PUT", "/identity/v1/sites/s-1"),
]  # fmt: skip


async def test_nobody_calls_without_a_credential_or_without_the_scope(app: ServiceApp, client_with: ClientWith) -> None:
    async with client_for(app, None) as stranger, client_with("parked:read") as other:
        for method, path in ROUTES:
            refused(await stranger.request(method, path), 401, "unauthenticated")
            refused(await other.request(method, path), 403, "scope-missing")


async def test_an_identifier_is_linked_by_hand(identity: Identity, client: httpx.AsyncClient) -> None:
    visitor = seen("device:9f31")
    await identity.happen(visitor)
    ana = await new(client, full_name=ANA)
    body = {"identifier": "device:9f31", "reason": "She showed her phone"}
    answer = await client.post(f"{Customers}/{ana}/identifiers", json=body)
    assert (answer.status_code, answer.json()["normalised"]) == (201, "device:9f31")
    assert str(await identity.owner(visitor)) == ana
    assert (await identity.told("links-changed"))[-1]["moves"][0]["proof"] == "person"


async def test_an_identifier_of_somebody_else_is_not_linked(client: httpx.AsyncClient) -> None:
    await new(client, "email:ana@example.com", full_name=ANA)
    luis = await new(client, "phone:3001234567", full_name="Luis Pérez")
    path = f"{Customers}/{luis}/identifiers"
    taken = refused(
        await client.post(path, json={"identifier": "email:ana@example.com", "reason": "x"}), 409, "identifier-taken"
    )
    assert "ana@example.com" not in str(taken)
    refused(await client.post(path, json={"identifier": f"customer:{luis}", "reason": "x"}), 422, "not-by-hand")
    refused(await client.post(Customers, json={"identifiers": ["email:ana@example.com"]}), 409, "identifier-taken")
    assert (await client.post(path, json={"identifier": "phone:3001234567", "reason": "x"})).status_code == 201


async def test_a_channel_meets_whom_staff_entered(identity: Identity, client: httpx.AsyncClient) -> None:
    ana = await new(client, "document:co-cc:52.123.456", "phone:300 123 4567", full_name=ANA)
    call = seen("phone:3001234567", name="ANA LOPEZ", attests=("phone",))
    await identity.happen(call)
    assert str(await identity.owner(call)) == ana


async def test_a_repeated_post_takes_effect_once(client: httpx.AsyncClient) -> None:
    sent = {"json": {"profile": {"full_name": ANA}}, "headers": {"Idempotency-Key": "k1"}}
    first, second = await client.post(Customers, **sent), await client.post(Customers, **sent)
    assert first.json() == second.json()
    refused(
        await client.post(Customers, json={"kind": "household"}, headers={"Idempotency-Key": "k1"}),
        422, "idempotency-key-reused",
    )  # fmt: skip
    fact = {"json": {"key": "hobby", "value": "ajedrez"}, "headers": {"Idempotency-Key": "k2"}}
    path = f"{Customers}/{first.json()['customer_id']}/facts"
    await client.post(path, **fact)
    await client.post(path, **fact)
    assert len((await client.get(path)).json()["items"]) == 1


async def test_a_repeated_post_is_answered_as_the_first_was_however_late_it_comes(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana, luis = await new(client, full_name=ANA), await new(client, full_name="Luis Vega")
    acme = (await client.post(Customers, json={"profile": {"full_name": "Acme"}, "kind": "organisation"})).json()
    asked = {
        f"{Customers}/{ana}/consents": {"purpose": "marketing", "granted": True, "evidence": "Form 7"},
        f"{Customers}/{ana}:restrict": {"reason": "He contests a balance"},
        f"{Customers}/{ana}/facts": {"key": "hobby", "value": "ajedrez"},
        f"{Customers}/{ana}:rectify": {"key": "hobby", "value": "orchids", "reason": "He said so"},
        "/identity/v1/relationships": {"from_id": ana, "to_id": luis, "kind": "relative_of"},
        f"{Customers}/{acme['customer_id']}/contacts": {"full_name": "Eva Ruiz"},
        f"{Customers}/{luis}/referrals": {"full_name": "Rosa Paz"},
        f"{Customers}/{luis}/referral-requests": {},
    }
    key = {"Idempotency-Key": "k1"}
    first = {path: await client.post(path, json=body, headers=key) for path, body in asked.items()}
    assert {answer.is_success for answer in first.values()} == {True}, [each.text for each in first.values()]
    identity.clock.advance(timedelta(hours=1))
    for path, body in asked.items():
        again = await client.post(path, json=body, headers=key)
        assert (again.status_code, again.json()) == (first[path].status_code, first[path].json())


async def test_facts_are_a_dated_series_of_which_the_latest_stands(
    identity: Identity, client: httpx.AsyncClient
) -> None:
    ana = await new(client, full_name=ANA)
    for hour, value in ((10, "mañana"), (12, "tarde"), (11, "mediodía")):
        body = {"key": "best_hour", "value": value, "observed_at": f"2026-11-20T{hour}:00:00-05:00", "confidence": 0.9}
        assert (await client.post(f"{Customers}/{ana}/facts", json=body)).status_code == 201
    record = (await client.get(f"{Customers}/{ana}")).json()
    assert [(fact["key"], fact["value"]) for fact in record["facts"]] == [("best_hour", "tarde")]
    assert record["facts"][0]["expires_at"] == "2027-11-20T17:00:00Z"
    series = (await client.get(f"{Customers}/{ana}/facts", params={"key": "best_hour", "limit": 2})).json()
    assert [fact["value"] for fact in series["items"]] == ["tarde", "mediodía"]
    rest = (await client.get(f"{Customers}/{ana}/facts", params={"cursor": series["next"]})).json()
    assert [fact["value"] for fact in rest["items"]] == ["mañana"]
    known = (await identity.told("customer-profiled"))[-1]["known"]
    assert [(each["key"], each["value"]) for each in known] == [("best_hour", "tarde")]


async def test_a_fact_that_makes_no_sense_is_refused(client: httpx.AsyncClient) -> None:
    path = f"{Customers}/{await new(client, full_name=ANA)}/facts"
    wrong = {"key": "hobby", "value": "x", "observed_at": "2026-11-20T10:00:00Z", "expires_at": "2026-11-19T10:00:00Z"}
    refused(await client.post(path, json=wrong), 422, "expires-before-observed")
    refused(
        await client.post(path, json={"key": "hobby", "value": "x", "question_id": "q-none"}), 404, "unknown-question"
    )
    refused(await client.post(path, json={"key": "Hobby!", "value": "x"}), 422, "invalid")
    refused(
        await client.post(f"{Customers}/{uuid4()}/facts", json={"key": "hobby", "value": "x"}), 404, "unknown-customer"
    )


@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", "123456789012345678901234567890"])
async def test_a_number_that_cannot_be_kept_takes_away_no_fact(client: httpx.AsyncClient, value: str) -> None:
    """Kept as null, it would say that what stood was wrong."""
    path = f"{Customers}/{await new(client, full_name=ANA)}"
    assert (await client.post(f"{path}/facts", json={"key": "hobby", "value": 7})).status_code == 201
    said = {"content": f'{{"key": "hobby", "value": {value}}}', "headers": {"Content-Type": "application/json"}}
    right = said | {"content": f'{{"key": "hobby", "value": {value}, "reason": "He said so"}}'}
    for answer in (await client.post(f"{path}/facts", **said), await client.post(f"{path}:rectify", **right)):
        refused(answer, 422, "invalid")
        assert {error["pointer"] for error in answer.json()["errors"]} == {"/value"}
    assert [fact["value"] for fact in (await client.get(path)).json()["facts"]] == [7]


async def test_at_most_two_questions_that_nobody_has_answered(identity: Identity, client: httpx.AsyncClient) -> None:
    person = seen("phone:3001234567", name=ANA, asked=["q-best-hour"])
    await identity.happen(person)
    ana = await identity.owner(person)
    path = f"{Customers}/{ana}/questions"

    async def asked() -> list[str]:
        return [
            item["question_id"] for item in (await client.get(path, params={"channel": "whatsapp"})).json()["items"]
        ]

    assert await asked() == ["q-email", "q-preferred-channel"]
    await client.post(f"{Customers}/{ana}/facts", json={"key": "email_address", "value": "ana@example.com"})
    assert (await client.post(f"{path}/q-preferred-channel:decline")).status_code == 204
    assert await asked() == ["q-preferred-name", "q-invoice-format"]
    refused(await client.post(f"{path}/q-none:decline"), 404, "unknown-question")


async def test_no_question_while_a_complaint_is_open(identity: Identity, client: httpx.AsyncClient) -> None:
    person = seen("phone:3001234567", name=ANA)
    await identity.happen(person, case(person, "opened", minute=1))
    path = f"{Customers}/{await identity.owner(person)}/questions"
    assert (await client.get(path)).json() == {"items": [], "none_because": "open-case"}
    await identity.happen(case(person, "closed", minute=9), case(person, "answered", minute=5))
    assert len((await client.get(path)).json()["items"]) == 2


async def test_consents_are_a_ledger_and_the_latest_holds(identity: Identity, client: httpx.AsyncClient) -> None:
    ana = await new(client, full_name=ANA)
    for granted in (True, False):
        body = {"purpose": "marketing", "channel": "whatsapp", "granted": granted, "evidence": "Form 1"}
        identity.clock.advance(timedelta(seconds=1))
        answer = await client.post(f"{Customers}/{ana}/consents", json=body)
        assert answer.status_code == 201
    ledger = (await client.get(f"{Customers}/{ana}/consents")).json()["items"]
    assert [entry["granted"] for entry in ledger] == [False, True]
    holds = (await client.get(f"{Customers}/{ana}/preferences")).json()["consents"]
    assert [(each["purpose"], each["channel"], each["granted"]) for each in holds] == [("marketing", "whatsapp", False)]
    assert (await identity.told("contact-changed"))[-1]["consents"][0]["granted"] is False
    refused(
        await client.post(f"{Customers}/{ana}/consents", json={"purpose": "marketing", "granted": True}), 422, "invalid"
    )


async def test_preferences_are_put_whole(identity: Identity, client: httpx.AsyncClient) -> None:
    path = f"{Customers}/{await new(client, full_name=ANA)}/preferences"
    body = {
        "ranking": ["whatsapp", "email"], "max_contacts": 2, "per_days": 30,
        "quiet_times": [{"days": [7], "from": "21:00", "to": "07:00"}], "time_zone": "America/Bogota",
    }  # fmt: skip
    assert (await client.put(path, json=body)).json()["ranking"] == ["whatsapp", "email"]
    assert (await identity.told("contact-changed"))[-1]["quiet_times"] == [
        {"days": [7], "from": "21:00", "to": "07:00"}
    ]
    whole_day = {"days": [7], "from": "00:00", "to": "24:00"}
    assert (await client.put(path, json={"quiet_times": [whole_day]})).status_code == 200
    for wrong in (
        {"max_contacts": 2}, {"time_zone": "Bogota"}, {"quiet_times": [{"from": "25:00", "to": "07:00"}]},
        {"quiet_times": [{"from": "24:00", "to": "07:00"}]}, {"quiet_times": [{"from": "07:00", "to": "07:00"}]},
    ):  # fmt: skip
        refused(await client.put(path, json=wrong), 422, "invalid")
    refused(await client.put(f"{Customers}/{uuid4()}/preferences", json=body), 404, "unknown-customer")


async def test_somebody_looks_after_him(identity: Identity, client: httpx.AsyncClient) -> None:
    ana = await new(client, full_name=ANA)
    path = f"{Customers}/{ana}/assignments"
    await client.put(
        path, json={"role": "account_owner", "staff_id": "s-1", "name": "Marta Gil", "handover_note": "Mornings"}
    )
    await client.put(path, json={"role": "nanny", "staff_id": "s-2", "name": "Juan Rey"})
    identity.clock.advance(timedelta(seconds=1))
    answer = await client.put(path, json={"role": "nanny", "staff_id": None})
    assert [(each["role"], each["name"]) for each in answer.json()["items"]] == [("account_owner", "Marta Gil")]
    assert (await client.get(path)).json() == answer.json()
    [owner] = (await identity.told("customer-profiled"))[-1]["people"]
    assert (owner["staff_id"], owner["handover_note"]) == ("s-1", "Mornings")


async def test_merge_preview_undo_and_their_record(client: httpx.AsyncClient) -> None:
    a, b = await new(client, "email:ana@example.com", full_name=ANA), await new(client, full_name="Ana Lopez")
    pair = {"survivor": a, "absorbed": b}
    preview = (await client.post("/identity/v1/merges:preview", json=pair)).json()
    assert (preview["objections"], preview["traces_moved"]) == ([], 1)
    answer = await client.post("/identity/v1/merges", json=pair | {"reason": "he says so"})
    assert answer.status_code == 201
    merge_id = answer.json()["merge_id"]
    gone = (await client.get(f"{Customers}/{b}")).json()
    assert (gone["state"], gone["merged_into"]) == ("merged", a)
    refused(await client.post("/identity/v1/merges", json=pair | {"reason": "again"}), 409, "customer-merged")
    undone = await client.post(f"/identity/v1/merges/{merge_id}:undo", json={"reason": "mother and daughter"})
    assert undone.status_code == 200
    assert (await client.get(f"{Customers}/{b}")).json()["state"] == "active"
    refused(await client.post(f"/identity/v1/merges/{merge_id}:undo", json={"reason": "again"}), 409, "already-undone")
    refused(await client.post("/identity/v1/merges", json=pair | {"reason": "x", "force": True}), 409, "kept-apart")
    [record] = (await client.get("/identity/v1/merges", params={"customer": b, "author": "first key"})).json()["items"]
    assert (record["merge_id"], record["undone_by"]) == (merge_id, undone.json()["decision_id"])
    one = (await client.get(f"/identity/v1/merges/{merge_id}")).json()
    assert one == record
    lifted = {"left_trace": one["left_trace"], "right_trace": one["right_trace"], "reason": "one after all"}
    assert (await client.post("/identity/v1/cannot-links:lift", json=lifted)).status_code == 204
    refused(await client.post("/identity/v1/cannot-links:lift", json=lifted), 404, "not-kept-apart")


async def test_merges_that_make_no_sense_are_refused(client: httpx.AsyncClient) -> None:
    a, b = await new(client, full_name=ANA), await new(client, full_name="Luis Pérez")
    merges = "/identity/v1/merges"
    refused(await client.post(merges, json={"survivor": a, "absorbed": a, "reason": "x"}), 422, "same-customer")
    refused(
        await client.post(merges, json={"survivor": a, "absorbed": str(uuid4()), "reason": "x"}),
        404,
        "unknown-customer",
    )
    refused(await client.post(merges, json={"survivor": a, "absorbed": b, "reason": "x"}), 409, "guard-objects")
    refused(await client.post(merges, json={"survivor": a, "absorbed": b}), 422, "invalid")
    refused(await client.get(f"{merges}/{uuid4()}"), 404, "unknown-merge")
    refused(await client.post(f"{merges}/{uuid4()}:undo", json={"reason": "x"}), 404, "unknown-merge")


async def doubtful(identity: Identity, client: httpx.AsyncClient) -> tuple[str, dict[str, Any]]:
    await identity.happen(seen("email:ana@example.com", name=ANA))
    await identity.happen(seen("account:shop:1", "email:ana@example.com", name="Luis Pérez"))
    [pair] = (await client.get("/identity/v1/reviews")).json()["items"]
    return f"/identity/v1/reviews/{pair['review_id']}", pair


async def test_a_pair_in_doubt_is_explained_and_found_to_be_one(identity: Identity, client: httpx.AsyncClient) -> None:
    path, pair = await doubtful(identity, client)
    assert (pair["explanation"]["shares"], pair["explanation"]["reasons"]) == ("email", ["other-name"])
    assert {pair["left"]["display_name"], pair["right"]["display_name"]} == {ANA, "Luis Pérez"}
    decided = (await client.post(f"{path}:decide", json={"verdict": "same", "reason": "he changed his name"})).json()
    assert (decided["state"], decided["decided_by"]) == ("same", "first key")
    assert len(set((await identity.owners()).values())) == 1
    refused(await client.post(f"{path}:decide", json={"verdict": "same", "reason": "again"}), 409, "already-decided")
    await client.post(f"/identity/v1/merges/{decided['decision_id']}:undo", json={"reason": "no"})
    assert (await client.get(path)).json()["state"] == "different"


async def test_a_pair_found_to_be_two_is_never_joined(identity: Identity, client: httpx.AsyncClient) -> None:
    path, pair = await doubtful(identity, client)
    decided = (await client.post(f"{path}:decide", json={"verdict": "different", "reason": "a couple"})).json()
    assert decided["state"] == "different"
    merge = {
        "survivor": pair["left"]["customer_id"],
        "absorbed": pair["right"]["customer_id"],
        "reason": "x",
        "force": True,
    }
    refused(await client.post("/identity/v1/merges", json=merge), 409, "kept-apart")
    assert (await client.get("/identity/v1/reviews")).json()["items"] == []


async def test_reviews_that_cannot_be_decided_are_refused(identity: Identity, client: httpx.AsyncClient) -> None:
    body = {"verdict": "same", "reason": "x"}
    refused(await client.post(f"/identity/v1/reviews/{uuid4()}:decide", json=body), 404, "unknown-review")
    refused(await client.get(f"/identity/v1/reviews/{uuid4()}"), 404, "unknown-review")
    path, _ = await doubtful(identity, client)
    refused(await client.post(f"{path}:decide", json={"verdict": "perhaps", "reason": "x"}), 422, "invalid")


async def test_a_pair_of_which_one_side_is_gone_is_not_decided(identity: Identity, client: httpx.AsyncClient) -> None:
    ana, luis = (
        seen("email:ana@example.com", name=ANA),
        seen("account:shop:1", "email:ana@example.com", name="Luis Pérez"),
    )
    await identity.happen(ana)
    await identity.happen(luis)
    await identity.happen(unseen(luis))
    [pair] = (await client.get("/identity/v1/reviews")).json()["items"]
    answer = await client.post(
        f"/identity/v1/reviews/{pair['review_id']}:decide", json={"verdict": "same", "reason": "x"}
    )
    refused(answer, 409, "nobody-there")


async def test_an_access_key_is_shown_once_works_and_is_revoked(
    identity: Identity, client: httpx.AsyncClient, app: ServiceApp
) -> None:
    body = {"name": "Agent desk", "scopes": ["customers:read"], "source": "desk", "attests": ["phone"]}
    made = (await client.post("/identity/v1/access-keys", json=body)).json()
    assert made["key"].startswith(f"hilo_{made['key_id']}_")
    [listed] = (await client.get("/identity/v1/access-keys")).json()["items"]
    assert listed == {key: value for key, value in made.items() if key != "key"}
    [told] = await identity.told("access-changed")
    assert made["key"] not in str(told)
    async with client_for(app, made["key"]) as desk:
        assert (await desk.get("/identity/v1/reviews")).status_code == 200
        refused(await desk.post("/identity/v1/access-keys", json=body), 403, "scope-missing")
        assert (await client.delete(f"/identity/v1/access-keys/{made['key_id']}")).status_code == 204
        refused(await desk.get("/identity/v1/reviews"), 401, "unauthenticated")
    assert (await client.delete(f"/identity/v1/access-keys/{made['key_id']}")).status_code == 204
    assert [each.get("revoked", False) for each in await identity.told("access-changed")] == [False, True]
    refused(await client.delete("/identity/v1/access-keys/0123456789ab"), 404, "unknown-access-key")


async def test_nobody_gives_out_more_than_he_has(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    keys = "/identity/v1/access-keys"
    async with client_with("keys:admin", "customers:read") as admin:
        assert (await admin.post(keys, json={"name": "x", "scopes": ["customers:read"]})).status_code == 201
        refused(await admin.post(keys, json={"name": "x", "scopes": ["merges:write"]}), 403, "scope-beyond-own")
        refused(
            await admin.post(keys, json={"name": "x", "scopes": ["customers:read"], "attests": ["phone"]}),
            403,
            "scope-beyond-own",
        )
    refused(await client.post(keys, json={"name": "x", "scopes": ["everything"]}), 422, "unknown-scope")
    refused(
        await client.post(keys, json={"name": "x", "scopes": ["customers:read"], "attests": ["aura"]}),
        422,
        "unknown-scheme",
    )
    refused(
        await client.post(keys, json={"name": "x", "scopes": ["customers:read"], "subject": "customer:7"}),
        422,
        "wrong-subject",
    )
