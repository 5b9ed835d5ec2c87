"""Which of two contradicting consents holds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from identity.contact.domain import Consent, Preference, contact_of, effective_consents

START = datetime(2026, 11, 1, tzinfo=UTC)
ANA, LUIS, EVA = UUID(int=1), UUID(int=2), UUID(int=3)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def never(_one: UUID, _other: UUID) -> datetime | None:
    return None


def eva_came_later(one: UUID, other: UUID) -> datetime:
    """Ana and Luis were merged on the fifth, Eva with both on the ninth."""
    return day(9) if EVA in (one, other) else day(5)


def said(trace: UUID, on: int, *, yes: bool, purpose: str = "marketing", channel: str = "*") -> Consent:
    return Consent(UUID(int=100 + on), trace, purpose, channel, yes, day(on), day(on), "shop", "form", "Marta")


@pytest.mark.parametrize(
    ("entries", "merged_on", "holds"),
    [
        ([said(ANA, 1, yes=True)], None, True),
        ([said(ANA, 1, yes=True), said(ANA, 2, yes=False)], None, False),
        ([said(ANA, 1, yes=False), said(ANA, 2, yes=True)], None, True),
        ([said(ANA, 3, yes=True), said(LUIS, 1, yes=True)], 5, True),
        ([said(ANA, 3, yes=True), said(LUIS, 1, yes=False)], 5, False),
        ([said(ANA, 1, yes=False), said(LUIS, 3, yes=True)], 5, False),
        ([said(ANA, 3, yes=True), said(LUIS, 1, yes=False), said(ANA, 7, yes=True)], 5, True),
        ([said(ANA, 3, yes=True), said(ANA, 7, yes=False)], 5, False),
        ([said(LUIS, 1, yes=False), said(LUIS, 2, yes=True), said(ANA, 3, yes=True)], 5, True),
    ],
)
def test_after_a_merge_the_more_restrictive_holds_until_he_grants_again(
    entries: list[Consent], merged_on: int | None, *, holds: bool
) -> None:
    merged_at = None if merged_on is None else day(merged_on)
    for order in (entries, entries[::-1]):
        assert [entry.granted for entry in effective_consents(order, together=lambda *_: merged_at)] == [holds]


def test_purposes_and_channels_are_separate() -> None:
    entries = [
        said(ANA, 1, yes=True),
        said(ANA, 2, yes=False, channel="sms"),
        said(ANA, 3, yes=False, purpose="surveys"),
    ]
    found = {(e.purpose, e.channel): e.granted for e in effective_consents(entries, together=never)}
    assert found == {("marketing", "*"): True, ("marketing", "sms"): False, ("surveys", "*"): False}


def test_do_not_contact_of_either_holds_until_he_says_otherwise_after_the_merge() -> None:
    quiet = Preference(LUIS, {"do_not_contact": True}, day(1), "Marta")
    open_ = Preference(ANA, {"do_not_contact": False, "ranking": ["email"]}, day(2), "Marta")
    together = contact_of([quiet, open_], [], together=lambda *_: day(5))
    assert (together["do_not_contact"], together["ranking"]) == (True, ["email"])
    later = Preference(ANA, {"do_not_contact": False}, day(6), "Marta")
    assert contact_of([quiet, open_, later], [], together=lambda *_: day(5))["do_not_contact"] is False


def test_who_wants_no_visits_has_none_after_a_merge_until_he_says_otherwise() -> None:
    none = Preference(LUIS, {"visits": {"announce": "no-visits"}}, day(1), "Marta")
    called = {"announce": "call-first", "days": [1]}
    for hers in ({}, {"visits": called}):
        newer = Preference(ANA, hers, day(2), "Marta")
        assert contact_of([none, newer], [], together=lambda *_: day(5))["visits"] == {"announce": "no-visits"}
    later = Preference(ANA, {"visits": called}, day(6), "Marta")
    assert contact_of([none, later], [], together=lambda *_: day(5))["visits"] == called


@pytest.mark.parametrize(
    ("refused", "granted"), [("*", "whatsapp"), ("whatsapp", "*"), ("*", "*"), ("whatsapp", "whatsapp")]
)
def test_after_a_merge_a_refusal_outlives_the_others_wider_or_narrower_grant(refused: str, granted: str) -> None:
    entries = [said(ANA, 1, yes=False, channel=refused), said(LUIS, 3, yes=True, channel=granted)]
    together = contact_of([], entries, together=lambda *_: day(5))["consents"]
    latest = max(together, key=lambda entry: (entry["at"], not entry["granted"]))
    assert latest["granted"] is False
    again = contact_of([], [*entries, said(ANA, 7, yes=True, channel="whatsapp")], together=lambda *_: day(5))[
        "consents"
    ]
    assert max(again, key=lambda entry: entry["at"])["granted"] is True


def test_after_a_merge_a_refusal_of_every_purpose_outlives_the_others_grant_of_one() -> None:
    entries = [said(ANA, 1, yes=False, purpose="*"), said(LUIS, 3, yes=True, channel="whatsapp")]
    (everything, one) = effective_consents(entries, together=lambda *_: day(5))
    assert (everything.granted, one.granted) == (False, True)
    assert everything.given_at == day(5), "the later one stands"
    (everything, one) = effective_consents(entries, together=never)
    assert everything.given_at == day(1)


def test_one_person_may_refuse_all_channels_and_then_grant_one() -> None:
    entries = [said(ANA, 1, yes=False), said(ANA, 3, yes=True, channel="whatsapp")]
    (everywhere, one) = contact_of([], entries, together=lambda *_: day(5))["consents"]
    assert (everywhere["granted"], one["granted"]) == (False, True)
    assert everywhere["at"] < one["at"]


def test_what_two_people_wished_before_a_merge_is_the_tighter_of_both_until_he_says_otherwise() -> None:
    night = {"days": [1], "from": "21:00", "to": "07:00"}
    his = Preference(
        LUIS, {"max_contacts": 1, "per_days": 30, "topics_out": ["loyalty"], "quiet_times": [night]}, day(1), "M"
    )
    hers = Preference(ANA, {"max_contacts": 2, "per_days": 7, "ranking": ["email"], "quiet_times": []}, day(2), "M")
    together = contact_of([his, hers], [], together=lambda *_: day(5))
    assert (together["max_contacts"], together["per_days"], together["ranking"]) == (1, 30, ["email"])
    assert (together["quiet_times"], together["topics_out"]) == ([night], ["loyalty"])
    later = Preference(ANA, {"max_contacts": 5, "per_days": 7}, day(6), "M")
    after = contact_of([his, hers, later], [], together=lambda *_: day(5))
    assert (after["max_contacts"], after["quiet_times"], after["topics_out"]) == (5, [], [])


def test_refusing_the_processing_restricts_the_use_of_everything_and_a_merge_keeps_it() -> None:
    entries = [said(ANA, 1, yes=False, purpose="processing"), said(LUIS, 3, yes=True, purpose="processing")]
    assert contact_of([], entries, together=lambda *_: day(5))["restricted"] is True
    assert (
        contact_of([], [*entries, said(LUIS, 6, yes=True, purpose="processing")], together=lambda *_: day(5))[
            "restricted"
        ]
        is False
    )
    assert contact_of([], [], together=never)["restricted"] is False


@pytest.mark.parametrize(
    ("refused", "granted", "restricted"),
    [("email", "*", False), ("*", "email", True), ("email", "sms", True), ("*", "*", False)],
)
def test_what_was_refused_on_one_channel_is_lifted_with_all(refused: str, granted: str, *, restricted: bool) -> None:
    no = said(ANA, 1, yes=False, purpose="processing", channel=refused)
    lifted = said(ANA, 3, yes=True, purpose="processing", channel=granted)
    assert contact_of([], [no], together=never)["restricted"] is True
    assert contact_of([], [no, lifted], together=never)["restricted"] is restricted
    theirs = said(LUIS, 3, yes=True, purpose="processing", channel=granted)
    assert contact_of([], [no, theirs], together=lambda *_: day(5))["restricted"] is True


def test_what_he_granted_again_after_a_merge_holds_through_the_next_one() -> None:
    entries = [said(ANA, 1, yes=True), said(LUIS, 2, yes=False), said(ANA, 7, yes=True)]
    assert [e.granted for e in effective_consents(entries, together=eva_came_later)] == [True]
    of_eva = [*entries, said(EVA, 8, yes=True)]
    assert [e.granted for e in effective_consents(of_eva, together=eva_came_later)] == [True]
    refused = [*entries, said(EVA, 3, yes=False)]
    assert [e.granted for e in effective_consents(refused, together=eva_came_later)] == [False]
    wide = [said(LUIS, 2, yes=False, channel="whatsapp"), said(ANA, 7, yes=True)]
    everywhere, one = effective_consents(wide, together=eva_came_later)
    assert (everywhere.granted, one.granted, one.given_at) == (True, False, day(2)), "the later one stands"


def test_what_he_wished_after_a_merge_holds_through_the_next_one() -> None:
    quiet = Preference(LUIS, {"do_not_contact": True}, day(2), "Marta")
    again = Preference(ANA, {"ranking": ["email"]}, day(7), "Marta")
    assert contact_of([quiet, again], [], together=eva_came_later)["do_not_contact"] is False
    of_eva = Preference(EVA, {"do_not_contact": True}, day(8), "Marta")
    assert contact_of([quiet, again, of_eva], [], together=eva_came_later)["do_not_contact"] is True
