"""Which of two contradicting consents holds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from identity.contact.domain import Consent, Preference, contact_of, effective_consents

START = datetime(2026, 11, 1, tzinfo=UTC)
ANA, LUIS = UUID(int=1), UUID(int=2)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


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
        assert [entry.granted for entry in effective_consents(order, merged_at=merged_at)] == [holds]


def test_purposes_and_channels_are_separate() -> None:
    entries = [
        said(ANA, 1, yes=True),
        said(ANA, 2, yes=False, channel="sms"),
        said(ANA, 3, yes=False, purpose="surveys"),
    ]
    found = {(e.purpose, e.channel): e.granted for e in effective_consents(entries, merged_at=None)}
    assert found == {("marketing", "*"): True, ("marketing", "sms"): False, ("surveys", "*"): False}


def test_do_not_contact_of_either_holds_until_he_says_otherwise_after_the_merge() -> None:
    quiet = Preference(LUIS, {"do_not_contact": True}, day(1), "Marta")
    open_ = Preference(ANA, {"do_not_contact": False, "ranking": ["email"]}, day(2), "Marta")
    together = contact_of([quiet, open_], [], merged_at=day(5))
    assert (together["do_not_contact"], together["ranking"]) == (True, ["email"])
    later = Preference(ANA, {"do_not_contact": False}, day(6), "Marta")
    assert contact_of([quiet, open_, later], [], merged_at=day(5))["do_not_contact"] is False
