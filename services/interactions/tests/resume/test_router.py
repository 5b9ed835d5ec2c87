"""The resume as callers get it: who may see what, and that it is never stale."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.contracts.identity import ContactChanged, CustomerProfiled
from common.contracts.scoring import ValueChanged
from common.contracts.service_audit import MomentFailed
from common.service import Runtime
from interactions.commitments.use_cases import reschedule
from interactions.corrections.use_cases import retract
from interactions.resume.models import resume_read
from interactions.resume.schemas import ResumeRead
from interactions.touchpoints.models import touchpoint
from interactions.uow import InteractionsUnitOfWork
from interactions.worker import create_timers

URL = "/interactions/v1/resume"
PHONE = "phone:300 123 4567"
AGENT_ONLY = {"value", "treatment", "alerts", "ask", "network"}
EVERY_KEY = {
    "who", "resume_point", "threads", "recap", "work_in_progress", "commitments", "cases", "suggestions", "known", "ask",
    "contact", "value", "treatment", "holdings", "offers", "alerts", "people", "network", "continuity",
}  # fmt: skip


async def resume(world: Any, claims: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    async with world.client(**(claims or {})) as client:
        answer = await client.get(URL, params=params)
        assert answer.status_code == 200, answer.text
        packet: dict[str, Any] = answer.json()
        ResumeRead.model_validate(packet)
        return packet


def of_customer(customer: Any) -> dict[str, Any]:
    return {"hilo_subject": f"customer:{customer}"}


def of_partner(name: str = "acme", **claims: Any) -> dict[str, Any]:
    return {"hilo_subject": f"partner:{name}", **claims}


async def test_a_call_picks_up_where_the_chat_stopped(world):
    said = await world.record(
        identifiers=[PHONE],
        topic="factura",
        summary="October invoice received twice",
        stop_point="He will send both invoices",
        next_step="We compare them",
        outcome="pending",
        site="bogota-chapinero",
        profile={"full_name": "Ana López Ruiz"},
        facts=[{"key": "best_hour", "value": "after 18:00", "confidence": 0.9}],
        commitments=[{"by": "company", "text": "Send one corrected invoice"}],
    )
    customer = await world.link(PHONE)
    packet = await resume(world, identifier=PHONE, channel="call")
    assert set(packet) == EVERY_KEY
    assert packet["who"]["recognised"] == "customer"
    assert packet["who"]["customer_id"] == str(customer)
    assert packet["who"]["preferred_name"] == "Ana"
    point = packet["resume_point"]
    assert point["touchpoint_id"] == said["touchpoint_id"]
    assert (point["channel"], point["topic"], point["stop_point"]) == (
        "whatsapp",
        "billing",
        "He will send both invoices",
    )
    (thread,) = packet["threads"]
    assert thread["suggested"]
    assert thread["state"] == "waiting-us"
    assert packet["continuity"]["conversation_id"] == said["conversation_id"]
    assert [(fact["key"], fact["category"]) for fact in packet["known"]] == [("best_hour", "preference")]
    assert [promise["text"] for promise in packet["commitments"]] == ["Send one corrected invoice"]
    assert packet["continuity"]["missing"] == ["identity", "scoring"]


async def test_a_touchpoint_is_in_the_resume_as_soon_as_it_is_recorded(world):
    await world.record(identifiers=[PHONE], summary="First")
    await world.link(PHONE)
    second = await world.record(
        identifiers=[PHONE],
        kind="call",
        channel="call",
        summary="Second",
        facts=[{"key": "hobby", "value": "chess"}, {"key": "our_own", "value": 1}],
    )
    packet = await resume(world, identifier=PHONE)
    assert packet["resume_point"]["touchpoint_id"] == second["touchpoint_id"]
    assert packet["recap"][-1]["summary"] == "Second"
    told = {fact["key"]: (fact["value"], fact["category"]) for fact in packet["known"]}
    assert told == {"hobby": ("chess", "taste"), "our_own": (1, None)}


async def test_what_arrives_late_does_not_move_the_resume_point(world):
    latest = await world.record(identifiers=[PHONE], summary="Today")
    await world.record(identifiers=[PHONE], summary="Last week", ago=timedelta(days=7))
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert packet["resume_point"]["touchpoint_id"] == latest["touchpoint_id"]
    assert [line["summary"] for line in packet["recap"]] == ["Last week", "Today"]


async def test_the_packet_is_the_same_whichever_channel_asks(world):
    await world.record(identifiers=[PHONE], topic="factura")
    await world.link(PHONE)
    by_call = await resume(world, identifier=PHONE, channel="call")
    by_shop = await resume(world, identifier=PHONE, channel="shop", topic="entrega")
    assert by_call["continuity"]["version"] == by_shop["continuity"]["version"]


async def test_asking_by_body_gives_the_same_packet(world):
    await world.record(identifiers=[PHONE], topic="factura")
    await world.link(PHONE)
    by_query = await resume(world, identifier=PHONE)
    async with world.client() as client:
        answer = await client.post(URL, json={"identifiers": [PHONE]})
    assert answer.status_code == 200
    assert answer.headers["etag"].startswith('W/"')
    assert answer.json()["continuity"]["version"] == by_query["continuity"]["version"]
    assert answer.json()["who"]["asked"] == [{"given": PHONE, "normalised": "phone:+573001234567"}]


async def test_who_has_the_newest_packet_is_answered_304_until_something_happens(world):
    await world.record(identifiers=[PHONE], topic="factura")
    await world.link(PHONE)
    async with world.client() as client:
        first = await client.get(URL, params={"identifier": PHONE})
        world.clock.advance(timedelta(minutes=10))
        again = await client.get(URL, params={"identifier": PHONE}, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        await world.record(identifiers=[PHONE], topic="factura", summary="New")
        changed = await client.get(URL, params={"identifier": PHONE}, headers={"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200


async def test_somebody_unknown_gets_an_empty_and_complete_packet(world):
    packet = await resume(world, identifier="phone:300 765 4321")
    assert set(packet) == EVERY_KEY
    assert packet["who"]["recognised"] == "unknown"
    assert packet["resume_point"] is None
    assert (await resume(world, customer_id=str(uuid4())))["who"]["recognised"] == "unknown"


async def test_a_visitor_has_an_anonymous_history(world):
    await world.record(
        identifiers=["device:9f31"], kind="web", channel="web", topic="precio", summary="Looked at prices"
    )
    packet = await resume(world, identifier="device:9f31")
    assert packet["who"]["recognised"] == "anonymous"
    assert [line["summary"] for line in packet["recap"]] == ["Looked at prices"]


async def test_a_family_that_shares_a_phone_is_a_choice_for_agents(world):
    await world.record(identifiers=[PHONE], profile={"full_name": "Ana López"}, topic="factura")
    ana = await world.link(PHONE)
    await world.say(CustomerProfiled(customer_id=ana, revision=1, preferred_name="Ana", display_name="Ana López"))
    await world.record(identifiers=[PHONE, "document:co-cc:79456123"], profile={"full_name": "Pedro Gómez"})
    pedro = await world.link("document:co-cc:79456123")
    packet = await resume(world, identifier=PHONE)
    assert packet["who"]["recognised"] == "candidates"
    assert {candidate["customer_id"] for candidate in packet["who"]["candidates"]} == {str(ana), str(pedro)}
    hint = next(c for c in packet["who"]["candidates"] if c["customer_id"] == str(ana))
    assert (hint["preferred_name"], hint["last_contact"]["topic"]) == ("Ana", "billing")
    assert packet["recap"] == []
    chosen = await resume(world, identifier=[PHONE, f"customer:{ana}"])
    assert chosen["who"]["customer_id"] == str(ana)
    both = await resume(world, identifier=[PHONE, "document:co-cc:79456123"])
    assert both["who"]["customer_id"] == str(pedro)
    as_seen_by_him = await resume(world, identifier=PHONE, view="customer")
    assert as_seen_by_him["who"]["recognised"] == "unknown"
    assert "candidates" not in as_seen_by_him["who"]


async def test_whoever_was_absorbed_is_found_under_either_id(world):
    await world.record(identifiers=[PHONE], topic="factura")
    await world.record(identifiers=["email:ana@example.com"], topic="entrega", channel="email")
    ana, other = await world.link(PHONE), await world.link("email:ana@example.com")
    await world.merge(ana, other)
    for params in ({"customer_id": str(other)}, {"customer_id": str(ana)}, {"identifier": "email:ana@example.com"}):
        packet = await resume(world, **params)
        assert packet["who"]["customer_id"] == str(ana)
        assert {thread["topic"] for thread in packet["threads"]} == {"billing", "delivery"}


@pytest.mark.parametrize("view", ["partner", "customer"])
async def test_other_views_lack_what_is_for_agents(world, view):
    await world.record(identifiers=[PHONE], topic="factura", summary="Said")
    await world.record(identifiers=[PHONE], kind="note", channel="call", summary="He is difficult", stop_point="Beware")
    await world.record(identifiers=[PHONE], kind="complaint", channel="web", payload={"severity": "high"})
    customer = await world.link(PHONE)
    await world.say(
        ValueChanged(
            customer_id=customer, revision=1, as_of=world.clock(), value={"tier": "MVC"}, alerts=[{"signal": "x"}]
        ),
        CustomerProfiled(
            customer_id=customer,
            revision=1,
            known=[
                {"key": "best_hour", "value": "18", "sensitivity": "public"},
                {"key": "other_suppliers", "value": "Rival", "sensitivity": "internal"},
            ],
            people=[{"role": "account_owner", "name": "Carlos"}, {"role": "backup", "name": "Luisa"}],
        ),
    )
    packet = await resume(world, identifier=PHONE, view=view)
    assert not AGENT_ONLY & set(packet)
    assert ("cases" in packet) is (view == "customer")
    assert "candidates" not in packet["who"]
    assert "difficult" not in str(packet)
    assert "Beware" not in str(packet)
    assert "Rival" not in str(packet)
    assert "MVC" not in str(packet)
    assert [person["name"] for person in packet["people"]] == ["Carlos"]
    agent = await resume(world, identifier=PHONE)
    assert agent["resume_point"]["summary"] != packet["resume_point"]["summary"] or agent["alerts"]
    assert agent["value"]["tier"] == "MVC"
    assert agent["ask"] == []


async def test_a_customer_sees_himself_and_nobody_else(world):
    await world.record(identifiers=[PHONE], topic="factura", summary="Mine")
    await world.record(identifiers=["email:other@example.com"], summary="Not mine")
    me, other = await world.link(PHONE), await world.link("email:other@example.com")
    mine = await resume(world, of_customer(me))
    assert mine["who"]["customer_id"] == str(me)
    assert mine["resume_point"]["summary"] == "Mine"
    assert (await resume(world, of_customer(me), identifier=PHONE))["who"]["recognised"] == "customer"
    foreign = await resume(world, of_customer(me), customer_id=str(other))
    by_foreign_address = await resume(world, of_customer(me), identifier="email:other@example.com")
    absent = await resume(world, of_customer(me), customer_id=str(uuid4()))
    nobodys = await resume(world, of_customer(me), identifier="email:nobody@example.com")
    assert foreign == by_foreign_address == absent == nobodys
    assert absent["who"]["recognised"] == "unknown"


async def test_a_customer_does_not_see_what_somebody_merely_claimed(world):
    await world.record(identifiers=[PHONE], summary="Proven")
    me = await world.link(PHONE)
    await world.record(identifiers=["email:typed@example.com"], summary="A stranger's", topic="entrega")
    await world.link("email:typed@example.com", customer=me, proof="claimed", revision=2)
    mine = await resume(world, of_customer(me))
    assert "A stranger's" not in str(mine)
    assert [thread["topic"] for thread in mine["threads"]] == [None]
    assert (await resume(world, of_customer(me), identifier="email:typed@example.com"))["who"][
        "recognised"
    ] == "unknown"
    assert "A stranger's" in str(await resume(world, customer_id=str(me)))


async def test_of_accounts_a_customer_sees_those_that_are_proven(world):
    await world.record(identifiers=["account:billing:A-1"])
    me = await world.link("account:billing:A-1")
    await world.record(identifiers=["account:billing:B-2"])
    await world.link("account:billing:B-2", customer=me, proof="claimed", revision=2)
    accounts = ["account:billing:A-1", "account:billing:B-2"]
    await world.say(CustomerProfiled(customer_id=me, revision=1, accounts=accounts))
    assert (await resume(world, customer_id=str(me)))["holdings"]["accounts"] == accounts
    assert (await resume(world, of_customer(me)))["holdings"]["accounts"] == ["account:billing:A-1"]


async def test_a_partner_sees_what_came_through_himself(world):
    partner = world_partner("acme")
    await world.record(identifiers=[PHONE], topic="pedido", summary="Ordered at Acme", source="acme", speaker=partner)
    await world.record(identifiers=[PHONE], topic="factura", summary="Told us directly")
    await world.record(identifiers=["email:direct@example.com"], summary="Never at Acme")
    customer, direct = await world.link(PHONE), await world.link("email:direct@example.com")
    packet = await resume(world, of_partner(source="acme"), identifier=PHONE)
    assert packet["who"]["customer_id"] == str(customer)
    assert [line["summary"] for line in packet["recap"]] == ["Ordered at Acme"]
    assert [thread["topic"] for thread in packet["threads"]] == ["order"]
    foreign = await resume(world, of_partner(source="acme"), customer_id=str(direct))
    absent = await resume(world, of_partner(source="acme"), customer_id=str(uuid4()))
    by_address = await resume(world, of_partner(source="acme"), identifier="email:direct@example.com")
    assert foreign == absent == by_address
    assert (await resume(world, of_partner("rival", source="rival"), identifier=PHONE))["who"][
        "recognised"
    ] == "unknown"
    as_staff = await resume(world, identifier=PHONE, view="partner", partner="acme")
    assert [line["summary"] for line in as_staff["recap"]] == ["Ordered at Acme"]


def world_partner(name: str) -> Any:
    from interactions.touchpoints.domain import Speaker

    return Speaker(by=name, source=name, bound=True, partner=name, attests=frozenset({"phone"}))


@pytest.mark.parametrize("claims", [of_customer(uuid4()), of_partner()])
async def test_a_bound_credential_cannot_ask_for_another_view(world, claims):
    async with world.client(**claims) as client:
        answer = await client.get(URL, params={"identifier": PHONE, "view": "agent"})
    assert (answer.status_code, answer.json()["code"]) == (403, "view-forbidden")


async def test_without_a_credential_or_without_its_scope_nothing_is_read(world):
    async with world.client() as client:
        del client.headers["Authorization"]
        assert (await client.get(URL, params={"identifier": PHONE})).status_code == 401
    async with world.client(scopes=["timeline:read"]) as client:
        assert (await client.get(URL, params={"identifier": PHONE})).status_code == 403


async def test_nobody_named_and_no_identifier_at_all_are_refused_without_an_echo(world):
    async with world.client() as client:
        nobody = await client.get(URL)
        assert (nobody.status_code, nobody.json()["code"]) == (422, "nobody-named")
        wrong = await client.post(URL, json={"identifiers": ["shoe-size:forty-two"]})
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/identifiers/0")
        assert "forty" not in wrong.text


async def test_promises_are_late_by_the_clock_and_come_first(world):
    due = world.clock() + timedelta(hours=2)
    promises = [
        {"by": "company", "text": "Some day"},
        {"by": "customer", "text": "Send papers", "due_at": (due + timedelta(days=1)).isoformat()},
        {"by": "company", "text": "Call back", "due_at": due.isoformat()},
    ]
    await world.record(identifiers=[PHONE], commitments=promises)
    await world.link(PHONE)
    world.clock.advance(timedelta(hours=3))
    packet = await resume(world, identifier=PHONE)
    assert [(p["text"], p["state"]) for p in packet["commitments"]] == [
        ("Call back", "late"),
        ("Send papers", "open"),
        ("Some day", "open"),
    ]
    assert [alert["signal"] for alert in packet["alerts"]] == ["promise-broken"]


async def test_a_late_promise_is_told_of_however_many_have_no_date(world):
    due = world.clock() + timedelta(hours=2)
    for _ in range(2):
        await world.record(identifiers=[PHONE], commitments=[{"by": "company", "text": "Some day"}] * 50)
    await world.record(
        identifiers=[PHONE], commitments=[{"by": "company", "text": "Call back", "due_at": due.isoformat()}]
    )
    await world.link(PHONE)
    world.clock.advance(timedelta(hours=3))
    packet = await resume(world, identifier=PHONE)
    assert packet["commitments"][0]["text"] == "Call back"
    assert [alert["signal"] for alert in packet["alerts"]] == ["promise-broken"]


async def test_an_open_complaint_counts_its_days_and_stops_all_questions(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    ask = [
        {"question_id": f"q-{n}", "key": f"k{n}", "text": "?", "channels": ["call"] if n == 0 else []} for n in range(4)
    ]
    await world.say(CustomerProfiled(customer_id=customer, revision=1, ask=ask))
    asked = await resume(world, identifier=PHONE, channel="whatsapp")
    assert [question["question_id"] for question in asked["ask"]] == ["q-1", "q-2"]
    complaint = await world.record(
        identifiers=[PHONE],
        kind="complaint",
        channel="web",
        payload={"severity": "high", "about": "double-charge"},
        ago=timedelta(hours=30),
    )
    packet = await resume(world, identifier=PHONE, channel="whatsapp")
    (case,) = packet["cases"]
    assert case["number"] == complaint["case_number"]
    assert (case["severity"], case["hours_open"], case["days_left"]) == ("high", 30.0, 29)
    assert packet["ask"] == []


async def test_suggestions_are_kept_apart_from_complaints(world):
    await world.record(identifiers=[PHONE], kind="suggestion", channel="web", payload={"about": "Open on Sundays"})
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert packet["cases"] == []
    assert [case["about"] for case in packet["suggestions"]] == ["Open on Sundays"]


@pytest.mark.parametrize("view", ["agent", "customer"])
@pytest.mark.parametrize(
    ("said", "channel"), [({}, "call"), ({"topic": "factura"}, "web"), ({"outcome": "abandoned"}, "web")]
)
async def test_a_page_that_was_merely_seen_does_not_hide_where_the_talk_stopped(world, said, channel, view):
    await world.record(identifiers=[PHONE], channel="call", stop_point="Waits for the invoice", ago=timedelta(hours=2))
    await world.record(identifiers=[PHONE], kind="web", channel="web", **said, ago=timedelta(hours=1))
    for _ in range(12):
        await world.record(identifiers=[PHONE], kind="web", channel="web")
    await world.link(PHONE)
    assert (await resume(world, identifier=PHONE, view=view))["resume_point"]["channel"] == channel


async def test_a_purchase_does_not_hide_where_the_talk_stopped(world):
    await world.record(identifiers=[PHONE], stop_point="He will send both invoices", ago=timedelta(hours=5))
    bought = await world.record(
        identifiers=[PHONE],
        kind="purchase",
        channel="shop",
        payload={"amount": "129900.00", "currency": "COP", "offering": "coffee-500g"},
    )
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert packet["resume_point"]["stop_point"] == "He will send both invoices"
    (purchase,) = packet["holdings"]["last_purchases"]
    assert purchase["touchpoint_id"] == bought["touchpoint_id"]
    assert purchase["amount"] == {"amount": "129900.00", "currency": "COP"}
    assert [line["kind"] for line in packet["recap"]] == ["message", "purchase"]


async def test_behind_a_long_history_purchases_and_quotes_are_still_found(world):
    await world.record(
        identifiers=[PHONE], kind="purchase", channel="shop", payload={"amount": "10.00"}, ago=timedelta(days=200)
    )
    await world.record(
        identifiers=[PHONE],
        kind="quote",
        channel="email",
        payload={"amount": "99.00", "offering": "plan"},
        ago=timedelta(days=190),
    )
    for hours in range(70):
        await world.record(identifiers=[PHONE], ago=timedelta(hours=hours))
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert len(packet["holdings"]["last_purchases"]) == 1
    assert [(offer["kind"], offer["answer"]) for offer in packet["offers"]] == [("quote", "open")]


async def test_an_unfinished_form_is_offered_with_what_was_filled_in(world):
    await world.record(
        identifiers=[PHONE],
        kind="web",
        channel="web",
        outcome="abandoned",
        payload={"form": "refund", "step": 2, "draft": {"iban": "x"}},
    )
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert [(w["form"], w["step"], w["draft"]) for w in packet["work_in_progress"]] == [("refund", 2, {"iban": "x"})]


@pytest.mark.parametrize(
    ("then", "left"),
    [
        ({"outcome": "resolved", "payload": {"form": "refund", "step": 3}}, []),
        ({"outcome": "abandoned", "payload": {"form": "refund", "step": 3}}, [("refund", 3)]),
        ({"outcome": "resolved", "payload": {"form": "address"}}, [("refund", 2)]),
        ({"outcome": "resolved", "payload": {"form": "refund"}, "topic": "warranty"}, [("refund", 2)]),
        ({"payload": {}}, [("refund", 2)]),
    ],
)
async def test_a_form_is_gone_on_with_by_whoever_fills_it_in_again(world, then, left):
    page = {"identifiers": [PHONE], "kind": "web", "channel": "web"}
    begun = {"outcome": "abandoned", "payload": {"form": "refund", "step": 2}}
    await world.record(**page, **begun, ago=timedelta(days=2))
    await world.record(**page, **then)
    await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert [(w["form"], w["step"]) for w in packet["work_in_progress"]] == left


async def test_an_answered_quote_is_open_no_more(world):
    async def quoted(days: int, **said: Any) -> None:
        topic = said.pop("topic", "precio")
        await world.record(
            identifiers=[PHONE], kind="quote", channel="visit", topic=topic, ago=timedelta(days=days), payload=said
        )

    await quoted(9, amount="99.00", offering="plan")
    await quoted(8, amount="90.00", offering="plan", valid_until="2026-12-24T00:00:00Z")
    await quoted(7, amount="50.00", offering="filters")
    await quoted(6, amount="99.00", offering="plan", topic="contrato")
    await quoted(5, answer="won", offering="plan")
    await world.link(PHONE)
    offers = (await resume(world, identifier=PHONE))["offers"]
    assert [(o["offering"], o["amount"]["amount"], o["answer"], o["valid_until"]) for o in offers] == [
        ("plan", "90.00", "won", "2026-12-24T00:00:00Z"),
        ("plan", "99.00", "open", None),
        ("filters", "50.00", "open", None),
    ]


async def test_campaigns_tell_what_he_answered(world):
    await world.record(
        identifiers=[PHONE],
        kind="campaign_send",
        channel="email",
        payload={"campaign": "XMAS26"},
        ago=timedelta(days=2),
    )
    await world.record(
        identifiers=[PHONE],
        kind="campaign_response",
        channel="web",
        payload={"campaign": "XMAS26", "answer": "interested"},
    )
    await world.link(PHONE)
    (offer,) = (await resume(world, identifier=PHONE))["offers"]
    assert (offer["campaign"], offer["answer"], offer["channel"]) == ("XMAS26", "interested", "email")


async def test_what_other_services_say_is_in_the_packet_with_its_freshness(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    now = world.clock()
    await world.say(
        ValueChanged(
            customer_id=customer,
            revision=3,
            as_of=now - timedelta(seconds=2),
            value={"tier": "MVC", "abc": "A", "tenure_months": 31},
            treatment={"service_level": "priority", "reasons": ["tier"]},
            holdings={"usual_amount": {"amount": "10.00", "currency": "COP"}},
            alerts=[{"signal": "drop-warning", "level": "warning", "since": now.isoformat(), "evidence": {}}],
        ),
        CustomerProfiled(customer_id=customer, revision=1, preferred_name="Anita"),
        ContactChanged(customer_id=customer, revision=1, ranking=["whatsapp"], max_contacts=3, per_days=30),
    )
    packet = await resume(world, identifier=PHONE)
    assert packet["who"]["preferred_name"] == "Anita"
    await world.say(CustomerProfiled(customer_id=customer, revision=2, kind="organisation", display_name="Beta Ltda"))
    assert (await resume(world, identifier=PHONE))["who"]["preferred_name"] == "Beta Ltda"  # it has no first name
    assert (packet["value"]["tier"], packet["treatment"]["service_level"]) == ("MVC", "priority")
    assert packet["holdings"]["usual_amount"] == {"amount": "10.00", "currency": "COP"}
    assert [alert["signal"] for alert in packet["alerts"]] == ["drop-warning"]
    assert (packet["contact"]["ranking"], packet["contact"]["quota_left"]) == (["whatsapp"], 3)
    assert {source["source"]: source["lag_seconds"] for source in packet["continuity"]["sources"]}["scoring"] == 2.0
    assert packet["continuity"]["missing"] == []


def tie(*others: UUID, kind: str = "referred", given: bool | None = True, count: int | None = None) -> dict[str, Any]:
    said = {"since": "2026-11-11T20:04:05Z", "status": "converted", "decision_role": None}
    named = [{"customer_id": str(other), **said} for other in others]
    return {"kind": kind, "given": given, "count": count or len(named), "others": named}


NOBODY = {"ties": [], "reference": None, "partner": None}


async def test_an_agent_sees_the_network_with_the_names_of_now_and_nobody_else_does(world):
    luisa = uuid4()
    await world.record(identifiers=[PHONE], source="acme", speaker=world_partner("acme"))
    ana = await world.link(PHONE)
    reference = {"uses_left": 3, "offerings": ["maintenance"], "industry": "hotels"}
    network = {"ties": [tie(luisa, count=7)], "reference": reference, "partner": None}
    await world.say(
        CustomerProfiled(customer_id=ana, revision=1, network=network),
        CustomerProfiled(customer_id=luisa, revision=1, display_name="Luisa R."),
    )
    before = await resume(world, identifier=PHONE)
    await world.say(CustomerProfiled(customer_id=luisa, revision=2, display_name="Luisa Ríos"))
    after = await resume(world, identifier=PHONE)
    for packet, name in ((before, "Luisa R."), (after, "Luisa Ríos")):
        assert packet["network"] == network | {"ties": [tie(luisa, count=7) | {"others": [
            {"display_name": name, **tie(luisa)["others"][0]}
        ]}]}  # fmt: skip
    assert before["continuity"]["version"] != after["continuity"]["version"]
    for packet in (
        await resume(world, identifier=PHONE, view="customer"),
        await resume(world, identifier=PHONE, view="partner"),
        await resume(world, of_customer(ana)),
        await resume(world, of_partner(), identifier=PHONE),
    ):
        assert packet["who"]["customer_id"] == str(ana)
        assert "network" not in packet
        assert "Luisa" not in str(packet)
        assert str(luisa) not in str(packet)


async def test_who_is_erased_or_restricted_is_counted_in_the_network_and_not_named(world):
    restricted, erased, free = uuid4(), uuid4(), uuid4()
    await world.record(identifiers=[PHONE])
    ana = await world.link(PHONE)
    await world.say(
        CustomerProfiled(customer_id=ana, revision=1, network={"ties": [tie(restricted, erased, free)]}),
        *(CustomerProfiled(customer_id=other, revision=1, display_name="Somebody") for other in (restricted, free)),
        ContactChanged(customer_id=restricted, revision=1, restricted=True),
        ContactChanged(customer_id=free, revision=1, restricted=False),
    )
    packet = await resume(world, identifier=PHONE)
    [referred] = packet["network"]["ties"]
    assert referred["count"] == 3
    assert [other["customer_id"] for other in referred["others"]] == [str(free)]
    assert str(restricted) not in str(packet)


async def test_of_somebody_whose_data_are_not_to_be_used_no_network_is_shown(world):
    await world.record(identifiers=[PHONE])
    ana, luisa = await world.link(PHONE), uuid4()
    await world.say(
        CustomerProfiled(customer_id=ana, revision=1, network={"ties": [tie(luisa)]}),
        CustomerProfiled(customer_id=luisa, revision=1, display_name="Luisa"),
    )
    assert (await resume(world, identifier=PHONE))["network"]["ties"]
    await world.say(ContactChanged(customer_id=ana, revision=1, restricted=True))
    assert (await resume(world, identifier=PHONE))["network"] == NOBODY


async def test_of_whom_identity_told_no_network_an_empty_one_is_shown(world):
    await world.record(identifiers=[PHONE])
    assert (await resume(world, identifier="phone:300 765 4321"))["network"] == NOBODY
    ana = await world.link(PHONE)
    assert (await resume(world, identifier=PHONE))["network"] == NOBODY
    await world.say(CustomerProfiled(customer_id=ana, revision=1, display_name="Ana"))
    assert (await resume(world, identifier=PHONE))["network"] == NOBODY


async def test_a_failed_moment_of_truth_is_an_alert_until_it_is_taken_back(world):
    said = await world.record(identifiers=[PHONE])
    await world.link(PHONE)
    (recorded,) = await world.rows(touchpoint)
    failed = MomentFailed(
        evidence_id=uuid4(), trace_id=recorded["trace_id"], cycle="complaint", moment="answer", name="Answered in a day",
        critical=True, at=world.clock(),
    )  # fmt: skip
    await world.say(failed)
    assert [a["evidence"]["name"] for a in (await resume(world, identifier=PHONE))["alerts"]] == ["Answered in a day"]
    await world.say(failed.model_copy(update={"taken_back": True}), at=world.clock() + timedelta(seconds=1))
    assert (await resume(world, identifier=PHONE))["alerts"] == []
    assert said["touchpoint_id"]


async def test_every_reading_is_written_down(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    async with world.client(scopes=["resume:read"], name="Marta, call centre") as client:
        first = await client.get(URL, params={"identifier": PHONE, "channel": "call"})
        await client.get(URL, params={"identifier": PHONE}, headers={"If-None-Match": first.headers["etag"]})
    (read, again) = sorted(await world.rows(resume_read), key=lambda row: row["read_id"])
    assert (read["reader"], read["customer_id"], read["view"], read["channel"]) == (
        "Marta, call centre",
        customer,
        "agent",
        "call",
    )
    assert read["version"] == first.json()["continuity"]["version"]
    assert (read["unchanged"], again["unchanged"]) == (False, True)


async def test_the_latency_of_a_resume_is_measured(world):
    async with world.client() as client:
        await client.get(URL, params={"identifier": PHONE})
        figures = (await client.get("/interactions/metrics")).text
    assert "hilo_resume_seconds_count 1.0" in figures


async def test_what_was_retracted_is_gone_from_the_resume(world):
    await world.record(identifiers=[PHONE], summary="Kept", ago=timedelta(hours=1))
    wrong = await world.record(identifiers=[PHONE], summary="Wrong", facts=[{"key": "hobby", "value": "golf"}])
    await world.link(PHONE)
    await retract(UUID(str(wrong["touchpoint_id"])), reason="another caller", by="tester", desk=world.desk)
    packet = await resume(world, identifier=PHONE)
    assert packet["resume_point"]["summary"] == "Kept"
    assert packet["known"] == []


async def test_a_fact_that_was_taken_away_is_not_learnt_again_from_the_touchpoint_that_taught_it(world):
    await world.record(identifiers=[PHONE], facts=[{"key": "hobby", "value": "chess"}])
    customer = await world.link(PHONE)
    gone = {"key": "hobby", "value": None, "as_of": world.clock().isoformat(), "sensitivity": "internal"}
    await world.say(CustomerProfiled(customer_id=customer, revision=1, known=[gone]))
    assert (await resume(world, identifier=PHONE))["known"] == []


async def test_a_restricted_fact_that_a_channel_learnt_is_shown_to_nobody(world):
    told = [{"key": "credit_note", "value": "in arrears"}, {"key": "hobby", "value": "chess"}]
    await world.record(identifiers=[PHONE], facts=told)
    await world.link(PHONE)
    for view in ("agent", "partner", "customer"):
        assert [fact["key"] for fact in (await resume(world, identifier=PHONE, view=view))["known"]] == ["hobby"]


@pytest.mark.parametrize("view", ["agent", "partner", "customer"])
async def test_whoever_is_read_again_is_told_of_as_if_for_the_first_time(world, view):
    """What is made of a memory is kept: what time or a write changes must not be of it."""
    now = world.clock()
    due = {"by": "company", "text": "Call back", "due_at": (now + timedelta(hours=2)).isoformat()}
    await world.record(identifiers=[PHONE], kind="complaint", topic="factura", summary="Twice", commitments=[due])
    await world.record(identifiers=[PHONE], facts=[{"key": "hobby", "value": "chess"}])
    customer = await world.link(PHONE)
    soon = (now + timedelta(hours=2)).isoformat()
    known = [
        {"key": "best_hour", "value": "evening", "as_of": now.isoformat(), "expires_at": soon, "sensitivity": "public"}
    ]
    await world.say(
        CustomerProfiled(customer_id=customer, revision=1, preferred_name="Ana", known=known),
        ContactChanged(
            customer_id=customer, revision=1, quiet_times=[{"from": "00:00", "to": "12:00"}], max_contacts=3
        ),
        ValueChanged(customer_id=customer, revision=1, as_of=now, value={"tier": "MVC"}),
    )
    params = {"identifier": PHONE, "view": view}
    async with world.client() as client:

        async def again() -> dict[str, Any]:
            packet: dict[str, Any] = (await client.get(URL, params=params)).json()
            assert packet == await resume(world, **params)  # an application that has just been started
            return packet

        first = await again()
        world.clock.advance(timedelta(hours=13))
        later = await again()
        assert (first["commitments"][0]["state"], later["commitments"][0]["state"]) == ("open", "late")
        assert (first["known"][0]["stale"], later["known"][0]["stale"]) == (False, True)
        assert first["contact"]["quiet"] is not later["contact"]["quiet"]
        wrong = await world.record(identifiers=[PHONE], summary="Anew")
        assert (await again())["recap"][-1]["summary"] == "Anew"
        await retract(UUID(str(wrong["touchpoint_id"])), reason="another caller", by="tester", desk=world.desk)
        assert (await again())["recap"] == later["recap"]
        await world.say(CustomerProfiled(customer_id=customer, revision=2, preferred_name="Anita"))
        assert (await again())["who"]["preferred_name"] == "Anita"


async def test_of_the_last_contacts_the_recap_takes_ten_and_the_sections_find_theirs_before_them(world):
    early = {"profile": {"full_name": "Ana López"}, "stop_point": "He sends papers", "next_step": "We look at them"}
    said = await world.record(identifiers=[PHONE], ago=timedelta(days=2), **early)
    await world.record(
        identifiers=[PHONE],
        ago=timedelta(days=1),
        kind="payment",
        payload={"amount": "1.00"},
        facts=[{"key": "hobby", "value": "chess"}],
    )
    for minute in range(12):
        await world.record(
            identifiers=[PHONE],
            ago=timedelta(minutes=60 - minute),
            kind="payment",
            payload={"amount": "1.00"},
            summary=f"Paid {minute}",
        )
    customer = await world.link(PHONE)
    packet = await resume(world, identifier=PHONE)
    assert [line["summary"] for line in packet["recap"]] == [f"Paid {minute}" for minute in range(2, 12)]
    assert packet["resume_point"]["touchpoint_id"] == said["touchpoint_id"]
    assert packet["resume_point"]["conversation_id"] == said["conversation_id"]
    assert packet["resume_point"]["stop_point"] == "He sends papers"
    assert packet["who"]["customer_id"] == str(customer)
    assert packet["who"]["preferred_name"] == "Ana"
    assert [fact["key"] for fact in packet["known"]] == ["hobby"]


CALL = {"kind": "message", "channel": "call"}
PAYMENT = {"kind": "payment", "payload": {"amount": "1.00"}}
LEARNT = [{"facts": [{"key": "hobby", "value": "chess"}]}]
TALK = [{"stop_point": "He sends papers"}]
SENDS = [{"kind": "campaign_send", "channel": "email", "payload": {"campaign": f"C{n}"}} for n in range(25)]


@pytest.mark.parametrize(
    ("first", "then", "found"),
    [
        (LEARNT, CALL, lambda packet: [fact["value"] for fact in packet["known"]] == ["chess"]),
        (TALK, PAYMENT, lambda packet: packet["resume_point"]["stop_point"] == "He sends papers"),
        (SENDS, CALL, lambda packet: {offer["campaign"] for offer in packet["offers"]} == {f"C{n}" for n in range(25)}),
    ],
    ids=["what he told of himself", "the last talk", "every offer"],
)
async def test_of_whom_identity_has_told_too_is_found_what_lies_before_the_last_ten(world, first, then, found):
    contacts = [*first, *[then] * 12]
    for place, contact in enumerate(contacts):
        await world.record(identifiers=[PHONE], ago=timedelta(hours=len(contacts) - place), **contact)
    customer = await world.link(PHONE)
    await world.say(CustomerProfiled(customer_id=customer, revision=1, preferred_name="Ana"))
    packet = await resume(world, identifier=PHONE)
    assert len(packet["recap"]) == 10
    assert found(packet)


async def test_facts_that_identity_knows_are_not_shadowed_by_older_ones_and_grow_stale(world):
    await world.record(identifiers=[PHONE], facts=[{"key": "best_hour", "value": "morning"}], ago=timedelta(days=2))
    customer = await world.link(PHONE)
    now = world.clock()
    known = [
        {
            "key": "best_hour",
            "value": "evening",
            "as_of": (now - timedelta(days=1)).isoformat(),
            "sensitivity": "public",
        },
        {
            "key": "hobby",
            "value": "chess",
            "as_of": now.isoformat(),
            "expires_at": (now + timedelta(days=1)).isoformat(),
        },
    ]
    ask = [{"question_id": "q", "key": "hobby", "text": "?"}]
    await world.say(CustomerProfiled(customer_id=customer, revision=1, known=known, ask=ask))
    packet = await resume(world, identifier=PHONE)
    assert {fact["key"]: (fact["value"], fact["stale"]) for fact in packet["known"]} == {
        "best_hour": ("evening", False),
        "hobby": ("chess", False),
    }
    assert packet["ask"] == []
    world.clock.advance(timedelta(days=2))
    later = await resume(world, identifier=PHONE)
    assert [fact["key"] for fact in later["known"] if fact["stale"]] == ["hobby"]
    assert [question["question_id"] for question in later["ask"]] == ["q"]


async def test_a_promise_of_history_that_falls_due_later_is_an_alert_before_and_after_its_timer(world):
    due = (world.clock() + timedelta(hours=24)).isoformat()
    promises = [{"by": "company", "text": "Call back", "due_at": due}]
    await world.record(identifiers=[PHONE], backfill=True, ago=timedelta(days=9), commitments=promises)
    await world.link(PHONE)
    world.clock.advance(timedelta(hours=25))
    for fired in (0, 1):
        packet = await resume(world, identifier=PHONE)
        assert [alert["signal"] for alert in packet["alerts"]] == ["promise-broken"], fired
        if not fired:
            assert await create_timers(Runtime(world.settings, world.database, world.company, world.clock)).drain() == 1


async def test_a_promise_shows_the_dates_that_it_had_and_to_the_customer_no_reasons(world):
    due = world.clock() + timedelta(hours=24)
    promises = [{"by": "company", "text": "Call back", "due_at": due.isoformat()}]
    taken = await world.record(identifiers=["email:ana@example.com"], commitments=promises)
    customer = await world.link("email:ana@example.com")
    uow, later = InteractionsUnitOfWork(world.database), due + timedelta(days=1)
    await reschedule(
        UUID(taken["commitment_ids"][0]),
        later,
        reason="no line",
        agreed_with="Ana",
        by="Luisa",
        uow=uow,
        clock=world.clock,
    )
    said = {
        "due_at": due.isoformat().replace("+00:00", "Z"),
        "moved_at": world.clock().isoformat().replace("+00:00", "Z"),
    }
    (agent,) = (await resume(world, customer_id=customer))["commitments"]
    assert agent["due_at"] == later.isoformat().replace("+00:00", "Z")
    assert agent["earlier_dates"] == [{**said, "moved_by": "Luisa", "agreed_with": "Ana", "reason": "no line"}]
    (his,) = (await resume(world, of_customer(customer)))["commitments"]
    assert his["earlier_dates"] == [{**said, "moved_by": None, "agreed_with": None, "reason": None}]


async def test_an_agent_sees_which_case_he_may_be_lost_over(world):
    payload = {"about": "double-charge", "retention_critical": True}
    await world.record(identifiers=["email:ana@example.com"], kind="complaint", channel="web", payload=payload)
    customer = await world.link("email:ana@example.com")
    (told,) = (await resume(world, customer_id=customer))["cases"]
    assert told["retention_critical"] is True
    (his,) = (await resume(world, of_customer(customer)))["cases"]
    assert "retention_critical" not in his


@pytest.mark.parametrize("kind", ["complaint", "suggestion"])
async def test_a_case_that_is_internal_is_for_agents_alone(world, kind):
    payload = {"about": "suspected fraud by him"}
    said = {"identifiers": ["email:ana@example.com"], "kind": kind, "channel": "web"}
    await world.record(**said, visibility="internal", payload=payload)
    await world.record(**said, payload={"about": "double-charge"}, ago=timedelta(hours=1))
    customer = await world.link("email:ana@example.com")
    section = "cases" if kind == "complaint" else "suggestions"
    agents = await resume(world, customer_id=customer)
    assert [case["about"] for case in agents[section]] == ["double-charge", "suspected fraud by him"]
    for his in (await resume(world, of_customer(customer)), await resume(world, customer_id=customer, view="customer")):
        assert [case["about"] for case in his[section]] == ["double-charge"]


async def test_the_topic_that_an_internal_note_gave_a_thread_is_for_agents_alone(world):
    said = await world.record(identifiers=[PHONE], content="Good morning")
    note = {"kind": "note", "channel": "call", "conversation_id": said["conversation_id"]}
    await world.record(identifiers=[PHONE], **note, topic="suspected fraud")
    customer = await world.link(PHONE)

    async def told(claims: dict[str, Any]) -> list[Any]:
        packet = await resume(world, claims, identifier=PHONE)
        async with world.client(**claims) as client:
            thread = (await client.get(f"/interactions/v1/conversations/{said['conversation_id']}")).json()
        return [packet["resume_point"]["topic"], packet["threads"][0]["topic"], thread["topic"]]

    assert await told({}) == ["suspected fraud"] * 3
    assert await told(of_customer(customer)) == [None] * 3
    await world.record(identifiers=[PHONE], topic="suspected fraud")
    for _ in range(70):
        await world.record(identifiers=[PHONE], conversation_id=said["conversation_id"])
    assert await told(of_customer(customer)) == ["suspected fraud"] * 3
