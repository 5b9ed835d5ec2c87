"""What a channel may send, and what is said of what it may not."""

import json
from typing import Any
from uuid import UUID

import pytest

from common.company import Company
from interactions.touchpoints.domain import Draft, Speaker, Unreadable
from interactions.touchpoints.schemas import EXAMPLE, read_body, read_document

COMPANY = Company.load()
ANYBODY = Speaker(by="test")
SHORT: dict[str, Any] = {
    "external_id": "1",
    "kind": "message",
    "channel": "call",
    "occurred_at": "2026-11-20T15:04:05-05:00",
}


def read(speaker: Speaker = ANYBODY, /, **said: Any) -> Draft:
    draft = read_document({**SHORT, **said}, speaker=speaker, company=COMPANY)
    assert isinstance(draft, Draft), draft
    return draft


def refused(speaker: Speaker = ANYBODY, /, **said: Any) -> tuple[str, list[str]]:
    found = read_document({**SHORT, **said}, speaker=speaker, company=COMPANY)
    assert isinstance(found, Unreadable), found
    return found.refusal.code, [error.pointer for error in found.refusal.errors]


def test_the_example_is_taken() -> None:
    assert isinstance(read_document(EXAMPLE, speaker=ANYBODY, company=COMPANY), Draft)


def test_four_fields_are_enough() -> None:
    draft = read()
    assert (draft.source, draft.direction, draft.visibility, draft.identifiers) == ("test", "inbound", "customer", ())


@pytest.mark.parametrize(
    ("credential", "said", "attested"),
    [
        ({"*"}, {}, {"*"}),
        ({"*"}, {"attests": ["email"]}, {"email"}),
        ({"*"}, {"attests": []}, set()),
        ({"phone"}, {"attests": ["phone", "email"]}, {"phone"}),
        (set(), {"attests": ["phone"]}, set()),
    ],
)
def test_a_contact_may_prove_less_than_its_credential_and_never_more(
    credential: set[str], said: dict[str, Any], attested: set[str]
) -> None:
    draft = read(Speaker(by="test", attests=frozenset(credential)), **said)
    assert draft.speaker.attests == attested


def test_what_a_contact_may_prove_are_the_schemes() -> None:
    assert refused(attests=["cedula"]) == ("invalid", ["/attests/0"])


@pytest.mark.parametrize("missing", ["external_id", "kind", "channel", "occurred_at"])
def test_and_fewer_are_not(missing: str) -> None:
    document = {key: value for key, value in SHORT.items() if key != missing}
    found = read_document(document, speaker=ANYBODY, company=COMPANY)
    assert isinstance(found, Unreadable)
    assert [error.pointer for error in found.refusal.errors] == [f"/{missing}"]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"kind": "telepathy"}, "/kind"),
        ({"external_id": "  "}, "/external_id"),
        ({"channel": " "}, "/channel"),
        ({"source": "\t"}, "/source"),
        ({"topic": " "}, "/topic"),
        ({"commitments": [{"by": "company", "text": " "}]}, "/commitments/0/text"),
        ({"facts": [{"key": " ", "value": 1}]}, "/facts/0/key"),
        ({"kind": "campaign_send"}, "/payload/campaign"),  # the pointer is into the payload that was not sent
        ({"kind": "purchase", "payload": {"amount": "1", "quantity": 1e15}}, "/payload/quantity"),
        ({"occurred_at": "2026-11-20T15:04:05"}, "/occurred_at"),  # no offset
        ({"occurred_at": "20261120"}, "/occurred_at"),  # no seconds since 1970
        ({"occurred_at": "45934"}, "/occurred_at"),
        ({"occurred_at": "1.7e9"}, "/occurred_at"),
        ({"occurred_at": 1_700_000_000}, "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"colour": "red"}, "/colour"),
        ({"commitments": [{"by": "company", "text": "x"}, {"by": "me", "text": "x"}]}, "/commitments/1/by"),
        ({"kind": "purchase"}, "/payload/amount"),
        ({"kind": "purchase", "payload": {"amount": "1.5.0"}}, "/payload/amount"),
        ({"kind": "purchase", "payload": {"amount": "1.234"}}, "/payload/amount"),
        ({"kind": "purchase", "payload": {"amount": "10", "colour": "red"}}, "/payload/colour"),
        ({"kind": "complaint", "payload": {"severity": "enormous"}}, "/payload/severity"),
        ({"kind": "campaign_response", "payload": {"campaign": "XMAS26"}}, "/payload/answer"),
        ({"kind": "survey_response", "payload": {"answers": {}}}, "/payload/survey"),
        ({"kind": "call", "payload": {"duration_s": -1}}, "/payload/duration_s"),
        ({"content": "a\x00b"}, "/content"),
        ({"payload": {"a": [{"b": "\x00"}]}}, "/payload/a/0/b"),
    ],
)
def test_a_refusal_points_at_the_field_and_does_not_repeat_the_value(said: dict[str, Any], pointer: str) -> None:
    code, pointers = refused(**said)
    assert pointers == [pointer]
    assert code in {"invalid", "invalid-money"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe", b"[1,2]", b"3", b"null", b'"text"', b"[" * 2_000 + b"]" * 2_000]
)
def test_what_is_no_touchpoint_at_all_is_kept_too(raw: bytes) -> None:
    assert isinstance(read_body(raw, speaker=ANYBODY, company=COMPANY), Unreadable)


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep = b'{"payload":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}"
    assert isinstance(read_body(deep, speaker=ANYBODY, company=COMPANY), Unreadable)


def test_the_same_body_written_otherwise_is_the_same_body() -> None:
    tidy = read_body(json.dumps(EXAMPLE), speaker=ANYBODY, company=COMPANY)
    loose = read_body(json.dumps(dict(reversed(EXAMPLE.items())), indent=3), speaker=ANYBODY, company=COMPANY)
    assert isinstance(tidy, Draft)
    assert isinstance(loose, Draft)
    assert tidy.body_hash == loose.body_hash


def test_a_source_that_is_only_implied_makes_no_other_body() -> None:
    speaker = Speaker(by="gateway", source="gateway")
    assert read(speaker).body_hash == read(speaker, source="gateway").body_hash


def test_a_bound_credential_does_not_speak_for_another_source() -> None:
    speaker = Speaker(by="gateway", source="gateway", bound=True)
    assert refused(speaker, source="portal") == ("foreign-source", ["/source"])


ME = UUID("0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10")


@pytest.mark.parametrize(
    ("speaker", "own"),
    [(Speaker(by="Ana", customer_id=ME), "Ana"), (Speaker(by="Ana", source="portal", customer_id=ME), "portal")],
)
def test_a_customer_takes_no_external_id_of_another_source(speaker: Speaker, own: str) -> None:
    assert (read(speaker).source, read(speaker, source=own).source) == (own, own)
    assert refused(speaker, source="pos") == ("foreign-source", ["/source"])
    found = read_document({**SHORT, "source": "pos"}, speaker=speaker, company=COMPANY)
    assert isinstance(found, Unreadable)
    assert found.origin == own  # it is parked as his


def test_a_customer_speaks_for_himself_alone() -> None:
    draft = read(
        Speaker(by="portal", customer_id=ME),
        identifiers=["customer:0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8dff", "email:a@example.com"],
        backfill=True,
        visibility="internal",
    )
    assert draft.identifiers == (f"customer:{ME}", "email:a@example.com")
    assert (draft.backfill, draft.visibility) == (False, "customer")


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (
            {
                "kind": "purchase",
                "payload": {"amount": "129900.00", "currency": "COP", "quantity": 3, "cost_of_goods": 80000},
            },
            {"amount": (12_990_000, "COP"), "cost_of_goods": (8_000_000, "COP"), "quantity": 3},
        ),
        ({"kind": "purchase", "payload": {"amount": "-5.50", "currency": "GBP"}}, {"amount": (-550, "GBP")}),
        (
            {"kind": "purchase", "payload": {"lines": [{"amount": "1.10"}, {"amount": "2.205"}]}},
            {"amount": (330, "COP")},
        ),
        ({"kind": "payment", "payload": {"amount": "7", "currency": "JPY"}}, {"amount": (7, "JPY")}),
        (
            {"kind": "quote", "payload": {"amount": "9", "answer": "won"}},
            {"amount": (900, "COP"), "quote_answer": "won"},
        ),
        (
            {"kind": "campaign_response", "payload": {"campaign": "XMAS26", "answer": "interested"}},
            {"campaign": "XMAS26", "campaign_answer": "interested"},
        ),
        (
            {
                "kind": "survey_response",
                "payload": {"survey": "s", "answers": {"score": 2, "why": "me trataron mal", "tag": "slow"}},
            },
            {"survey": "s", "survey_answers": {"score": 2, "tag": "slow"}},  # his own words stay here
        ),
    ],
)
def test_a_payload_is_counted_in_minor_units_and_codes(said: dict[str, Any], counted: dict[str, Any]) -> None:
    found = dict(read(**said).counted)
    for name in ("amount", "cost_of_goods"):
        if name in found:
            found[name] = (found[name].minor, found[name].currency)
    assert found == counted


def test_what_is_learnt_in_a_contact_fits_into_what_is_told_of_it() -> None:
    assert read(facts=[{"key": "hobby", "value": ["chess"] * 100}]).facts
    code, pointers = refused(facts=[{"key": "hobby", "value": "x" * 4_001}])
    assert (code, {pointer[:14] for pointer in pointers}) == ("invalid", {"/facts/0/value"})
    full = [{"key": f"k{number}", "value": ["x" * 4_000] * 10} for number in range(6)]
    assert refused(facts=full) == ("invalid", ["/facts"])
