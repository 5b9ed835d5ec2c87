"""May I contact him now? As callers get it."""

from datetime import timedelta
from uuid import uuid4

from common.contracts.identity import ContactChanged
from common.contracts.scoring import ValueChanged
from interactions.contact.models import contact_decision

PHONE = "phone:300 123 4567"


def url(customer):
    return f"/interactions/v1/customers/{customer}/may-contact"


async def ask(world, customer, **params):
    async with world.client() as client:
        answer = await client.get(url(customer), params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_marketing_without_consent_is_refused_and_a_reply_is_not(world):
    await world.record(identifiers=[PHONE], topic="factura")
    customer = await world.link(PHONE)
    marketing = await ask(world, customer, channel="whatsapp", purpose="marketing")
    assert (marketing["allowed"], [r["code"] for r in marketing["reasons"]]) == (False, ["consent-missing"])
    service = await ask(world, customer, channel="whatsapp")
    assert (service["allowed"], [r["code"] for r in service["reasons"]]) == (True, ["reply-to-open-conversation"])


async def test_our_own_contacts_in_the_log_use_up_his_quota(world):
    await world.record(identifiers=[PHONE], outcome="resolved", ago=timedelta(days=3))
    customer = await world.link(PHONE)
    yes = {"purpose": "marketing", "channel": "*", "granted": True, "at": "2026-01-01T00:00:00Z"}
    await world.say(ContactChanged(customer_id=customer, revision=1, max_contacts=2, per_days=7, consents=[yes]))
    await world.record(identifiers=[PHONE], direction="outbound", ago=timedelta(days=1), outcome="informed")
    first = await ask(world, customer, channel="email", purpose="marketing")
    assert (first["allowed"], first["quota_left"]) == (True, 1)
    await world.record(identifiers=[PHONE], kind="campaign_send", channel="email", payload={"campaign": "XMAS26"})
    second = await ask(world, customer, channel="email", purpose="marketing")
    assert (second["allowed"], second["quota_left"]) == (False, 0)
    assert second["reasons"][0]["evidence"] == {"count": 2, "max_contacts": 2, "window_days": 7}


async def test_whoever_accepts_many_contacts_is_not_written_to_more_often(world):
    await world.record(identifiers=[PHONE], outcome="resolved")
    customer = await world.link(PHONE)
    yes = {"purpose": "marketing", "channel": "*", "granted": True, "at": "2026-01-01T00:00:00Z"}
    await world.say(ContactChanged(customer_id=customer, revision=1, max_contacts=250, per_days=366, consents=[yes]))
    sent = {"kind": "campaign_send", "channel": "email", "identifiers": [PHONE], "payload": {"campaign": "DAILY"}}
    for days in range(250):
        await world.record(**sent, ago=timedelta(days=days))
    answer = await ask(world, customer, channel="email", purpose="marketing")
    assert (answer["allowed"], answer["quota_left"]) == (False, 0)
    async with world.client() as client:
        resume = await client.get("/interactions/v1/resume", params={"customer_id": str(customer)})
    assert resume.json()["contact"]["quota_left"] == 0


async def test_what_we_sent_by_a_clock_that_goes_ahead_uses_up_his_quota_at_once(world):
    await world.record(identifiers=[PHONE], outcome="resolved")
    customer = await world.link(PHONE)
    yes = {"purpose": "marketing", "channel": "*", "granted": True, "at": "2026-01-01T00:00:00Z"}
    await world.say(ContactChanged(customer_id=customer, revision=1, max_contacts=1, per_days=7, consents=[yes]))
    sent = {"kind": "campaign_send", "channel": "email", "identifiers": [PHONE], "payload": {"campaign": "XMAS26"}}
    await world.record(**sent, ago=-timedelta(minutes=3))
    answer = await ask(world, customer, channel="email", purpose="marketing")
    assert (answer["allowed"], answer["quota_left"]) == (False, 0)


async def test_in_his_quiet_time_it_says_when_to_ask_again(world):
    await world.record(identifiers=[PHONE], outcome="resolved", ago=timedelta(days=3))
    customer = await world.link(PHONE)
    local = world.clock() - timedelta(hours=5)
    window = {"from": f"{local - timedelta(hours=1):%H:%M}", "to": f"{local + timedelta(hours=1):%H:%M}"}
    await world.say(ContactChanged(customer_id=customer, revision=1, quiet_times=[window]))
    answer = await ask(world, customer, channel="call")
    assert not answer["allowed"]
    assert answer["not_before"] is not None


async def test_paid_marketing_is_suppressed_below_zero(world):
    await world.record(identifiers=[PHONE], outcome="resolved")
    customer = await world.link(PHONE)
    yes = {"purpose": "marketing", "channel": "*", "granted": True, "at": "2026-01-01T00:00:00Z"}
    await world.say(
        ContactChanged(customer_id=customer, revision=1, consents=[yes]),
        ValueChanged(customer_id=customer, revision=1, as_of=world.clock(), suppress_paid_outbound=True),
    )
    assert not (await ask(world, customer, channel="sms", purpose="marketing"))["allowed"]
    assert (await ask(world, customer, channel="email", purpose="marketing"))["allowed"]


async def test_an_absorbed_id_is_answered_for_who_he_is_now(world):
    await world.record(identifiers=[PHONE])
    await world.record(identifiers=["email:ana@example.com"])
    ana, other = await world.link(PHONE), await world.link("email:ana@example.com")
    await world.merge(ana, other)
    assert (await ask(world, other, channel="email"))["customer_id"] == str(ana)


async def test_nobody_under_that_id_is_a_404_and_the_decision_of_others_is_kept(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    async with world.client() as client:
        assert (await client.get(url(uuid4()), params={"channel": "email"})).json()["code"] == "unknown-customer"
        await client.get(url(customer), params={"channel": "email", "purpose": "marketing"})
    (kept,) = await world.rows(contact_decision)
    assert (kept["customer_id"], kept["allowed"], kept["reasons"]) == (customer, False, ["consent-missing"])


async def test_only_staff_with_the_scope_may_ask(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    for claims in (
        {"hilo_subject": f"customer:{customer}"},
        {"hilo_subject": "partner:acme"},
        {"scopes": ["resume:read"]},
    ):
        async with world.client(**claims) as client:
            assert (await client.get(url(customer), params={"channel": "email"})).status_code == 403
    async with world.client() as client:
        del client.headers["Authorization"]
        assert (await client.get(url(customer), params={"channel": "email"})).status_code == 401
    async with world.client() as client:
        assert (await client.get(url(customer))).status_code == 422


async def test_what_he_consented_to_counts_however_the_channel_and_the_purpose_are_written(world):
    await world.record(identifiers=[PHONE], outcome="resolved", ago=timedelta(days=3))
    customer = await world.link(PHONE)
    yes = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "at": "2026-01-01T00:00:00Z"}
    await world.say(ContactChanged(customer_id=customer, revision=1, consents=[yes]))
    answer = await ask(world, customer, channel="WhatsApp", purpose="Marketing")
    assert (answer["allowed"], answer["channel"], answer["purpose"]) == (True, "whatsapp", "marketing")


async def test_a_channel_that_is_none_of_the_companys_is_refused(world):
    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)
    no = {"purpose": "service", "channel": "whatsapp", "granted": False, "at": "2026-01-01T00:00:00Z"}
    await world.say(ContactChanged(customer_id=customer, revision=1, consents=[no]))
    async with world.client() as client:
        for channel in ("whatsap", "*"):  # allowed, where nobody knows that whatsapp is meant, which he does not want
            answer = await client.get(url(customer), params={"channel": channel})
            assert (answer.status_code, answer.json()["code"]) == (422, "unknown-channel")
            assert [error["pointer"] for error in answer.json()["errors"]] == ["/query/channel"]
    assert await world.rows(contact_decision) == []
