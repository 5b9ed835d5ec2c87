"""Quiet times, consents and frequency, case by case."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interactions.contact.domain import Request, Talk, decide, wishes_of

# Friday 20 November 2026, 15:00 in Bogotá
NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
NIGHT = {"days": [1, 2, 3, 4, 5, 6, 7], "from": "21:00", "to": "07:00"}
YES = {"purpose": "marketing", "channel": "*", "granted": True, "at": "2026-01-01T00:00:00Z"}


def wishes(value: dict[str, Any] | None = None, **said: Any) -> Any:
    return wishes_of(said, value, time_zone="America/Bogota")


def bogota(hour: int, minute: int = 0, *, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("quiet", "at", "until"),
    [
        (NIGHT, bogota(20, 59), None),
        (NIGHT, bogota(21), bogota(7, day=21)),
        (NIGHT, bogota(2), bogota(7)),
        (NIGHT, bogota(7), None),
        ({"days": [6, 7], "from": "00:00", "to": "24:00"}, bogota(12, day=21), bogota(0, day=23)),
        ({"days": [6, 7], "from": "00:00", "to": "24:00"}, bogota(12), None),
        ({"days": [5], "from": "21:00", "to": "07:00"}, bogota(3, day=21), bogota(7, day=21)),
        ({"days": [5], "from": "21:00", "to": "07:00"}, bogota(3), None),
        ({"from": "12:00", "to": "14:00"}, bogota(13), bogota(14)),
        ({"from": "noon", "to": "14:00"}, bogota(13), None),
    ],
)
def test_quiet_times_hold_in_the_customers_own_time_zone(quiet, at, until):
    assert wishes(quiet_times=[quiet]).quiet_until(at) == until


def test_another_zone_moves_the_night():
    madrid = wishes(quiet_times=[NIGHT], time_zone="Europe/Madrid")
    assert madrid.quiet_until(bogota(15, 30)) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def test_in_the_hour_that_is_told_twice_his_quiet_time_ends_ahead():
    quiet = wishes(quiet_times=[{"from": "00:00", "to": "01:45"}], time_zone="America/New_York")
    once, twice = (datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))  # half past one, and again
    assert quiet.quiet_until(once) == once + timedelta(minutes=15)
    assert quiet.quiet_until(twice) == twice + timedelta(minutes=15)


def test_a_quota_counts_the_contacts_of_its_window():
    limited = wishes(max_contacts=2, per_days=7)
    outbound = (NOW - timedelta(days=1), NOW - timedelta(days=8))
    assert limited.quota_left(outbound, NOW) == 1
    assert wishes().quota_left(outbound, NOW) is None


def codes(request: Request, said: Any, talk: Talk | None = None, *, now: datetime = NOW) -> tuple[bool, list[str]]:
    decision = decide(request, said, talk or Talk(), now=now)
    return decision.allowed, [reason.code for reason in decision.reasons]


MARKETING = Request("whatsapp", "marketing", paid=True)
SERVICE = Request("whatsapp", "service", paid=True)


def test_marketing_needs_consent_and_service_does_not():
    assert codes(MARKETING, wishes()) == (False, ["consent-missing"])
    assert codes(MARKETING, wishes(consents=[YES])) == (True, [])
    assert codes(SERVICE, wishes()) == (True, [])


def test_the_latest_word_on_a_consent_counts_and_a_refusal_breaks_a_tie():
    withdrawn = {"purpose": "marketing", "channel": "whatsapp", "granted": False, "at": "2026-02-01T00:00:00Z"}
    assert codes(MARKETING, wishes(consents=[YES, withdrawn])) == (False, ["consent-withdrawn"])
    later = {**YES, "at": "2026-03-01T00:00:00+00:00"}
    assert codes(MARKETING, wishes(consents=[withdrawn, later])) == (True, [])
    at_once = {**YES, "at": withdrawn["at"]}
    assert codes(MARKETING, wishes(consents=[withdrawn, at_once])) == (False, ["consent-withdrawn"])
    elsewhere = {**withdrawn, "channel": "email"}
    assert codes(MARKETING, wishes(consents=[YES, elsewhere])) == (True, [])


def test_every_reason_is_told_not_only_the_first():
    said = wishes(
        {"suppress_paid_outbound": True}, do_not_contact=True, quiet_times=[{"from": "14:00", "to": "16:00"}], max_contacts=1,
        topics_out=["loyalty"],
    )  # fmt: skip
    request = Request("sms", "marketing", "loyalty", paid=True)
    allowed, found = codes(request, said, Talk(outbound=(NOW - timedelta(days=2),)))
    assert not allowed
    assert found == [
        "do-not-contact", "topic-unwanted", "consent-missing", "quiet-time", "frequency-reached", "paid-outbound-suppressed",
    ]  # fmt: skip


def test_who_was_archived_is_left_alone_unless_he_is_owed_an_answer():
    assert codes(MARKETING, wishes(consents=[YES]), Talk(archived=True)) == (False, ["archived"])
    assert codes(SERVICE, wishes(), Talk(archived=True)) == (False, ["archived"])
    assert codes(SERVICE, wishes(), Talk(archived=True, open=True)) == (
        True,
        ["archived", "reply-to-open-conversation"],
    )


def test_the_frequency_says_how_often_and_in_which_window():
    said = wishes(consents=[YES], max_contacts=1, per_days=7)
    decision = decide(MARKETING, said, Talk(outbound=(NOW - timedelta(days=2),)), now=NOW)
    assert decision.reasons[0].evidence == {"count": 1, "max_contacts": 1, "window_days": 7}


def test_an_open_conversation_is_answered_whatever_else_speaks_against_it():
    said = wishes(do_not_contact=True, max_contacts=0)
    assert codes(SERVICE, said)[0] is False
    allowed, found = codes(SERVICE, said, Talk(open=True))
    assert allowed
    assert found == ["do-not-contact", "frequency-reached", "reply-to-open-conversation"]
    assert codes(MARKETING, wishes(consents=[YES], do_not_contact=True), Talk(open=True))[0] is False


def test_his_quiet_time_waits_unless_he_wrote_himself_just_now():
    said = wishes(quiet_times=[NIGHT])
    late = bogota(23)
    assert codes(SERVICE, said, Talk(open=True), now=late)[0] is False
    assert codes(SERVICE, said, Talk(open=True, last_inbound=late - timedelta(minutes=5)), now=late)[0] is True
    assert codes(SERVICE, said, Talk(open=True, last_inbound=late - timedelta(hours=2)), now=late)[0] is False


def test_only_paid_marketing_is_suppressed_for_who_costs_more_than_he_brings():
    said = wishes({"suppress_paid_outbound": True}, consents=[YES])
    assert codes(MARKETING, said) == (False, ["paid-outbound-suppressed"])
    assert codes(Request("email", "marketing", paid=False), said) == (True, [])
    assert codes(SERVICE, said) == (True, [])
