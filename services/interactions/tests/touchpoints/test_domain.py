"""When a touchpoint is taken, and whose it may be."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from common.company import Company
from common.identifiers import InvalidIdentifier
from common.moments import OccurredInFuture
from interactions.touchpoints import domain
from interactions.touchpoints.domain import Draft, KnownTrace, Speaker, Touchpoint

COMPANY = Company.load()
SECRET = b"s" * 32
NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def accept(*identifiers: str, attests: str = "*", **said: Any) -> Touchpoint:
    draft = Draft(
        speaker=Speaker(by="test", attests=frozenset({attests})),
        source=said.pop("source", "test"),
        external_id=said.pop("external_id", "1"),
        kind=said.pop("kind", "message"),
        channel=said.pop("channel", "call"),
        direction="inbound",
        occurred_at=said.pop("occurred_at", NOW),
        body="{}",
        body_hash="0",
        identifiers=identifiers,
        **said,
    )
    return domain.accept(draft, now=NOW, company=COMPANY, secret=SECRET)


def test_clocks_of_channels_may_go_ahead_five_minutes_and_no_more() -> None:
    assert accept(occurred_at=NOW + timedelta(minutes=5)).draft.occurred_at == NOW
    with pytest.raises(OccurredInFuture) as refusal:
        accept(occurred_at=NOW + timedelta(minutes=5, seconds=1))
    assert refusal.value.errors[0].pointer == "/occurred_at"


def test_a_complaint_was_not_answered_in_the_future_either() -> None:
    def answered(after: timedelta) -> Touchpoint:
        return accept(kind="complaint", payload={"answered_at": (NOW + after).isoformat()}, occurred_at=NOW)

    answered(timedelta(minutes=5))
    with pytest.raises(OccurredInFuture) as refusal:
        answered(timedelta(days=1))
    assert refusal.value.errors[0].pointer == "/payload/answered_at"


def test_the_strongest_identifier_names_the_trace_and_comes_first() -> None:
    one = accept("phone:300 123 4567", "email:Ana@Example.com", profile={"full_name": "Ana"})
    other = accept("email:ana@example.com", external_id="2")
    assert one.trace_id == other.trace_id
    assert [seen.identifier.text for seen in one.seen] == ["email:ana@example.com", "phone:+573001234567"]


def test_a_cash_sale_has_a_trace_of_its_own() -> None:
    one, other = accept(), accept(external_id="2")
    assert one.anonymous
    assert one.trace_id != other.trace_id


def test_what_is_nobodys_is_dropped_with_a_warning() -> None:
    one = accept("email:noreply@example.com", "phone:300 123 4567")
    assert [seen.identifier.scheme for seen in one.seen] == ["phone"]
    assert [seen.identifier.text for seen in one.nobodys] == ["email:noreply@example.com"]
    assert "blocked-identifier" in one.warnings
    assert one.trace_id == accept("phone:300 123 4567", external_id="2").trace_id


def test_an_unknown_scheme_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        accept("phone:300 123 4567", "horoscope:leo")
    assert refusal.value.errors[0].pointer == "/identifiers/1"


def test_a_source_attests_what_its_credential_says() -> None:
    one = accept("email:ana@example.com", "phone:300 123 4567", attests="email")
    assert {seen.identifier.scheme: seen.attested for seen in one.seen} == {"email": True, "phone": False}


def test_what_was_read_of_identifiers_is_read_anew_for_another_name_source_credential_secret_or_company() -> None:
    given = ("phone:300 123 4567", "account:9", "email:ana@example.com")
    rules = COMPANY.identifiers.model_dump() | {"blocked": frozenset({"email:ana@example.com"})}
    stricter = Company.model_validate(COMPANY.model_dump() | {"identifiers": rules})
    abroad = Company.model_validate(COMPANY.model_dump() | {"phone_region": "MX"})

    def read(*identifiers: str, **said: Any) -> tuple[Any, ...]:
        company, secret = said.pop("company", COMPANY), said.pop("secret", SECRET)
        one = domain.accept(accept(*identifiers, **said).draft, now=NOW, company=company, secret=secret)
        return (
            one.trace_id,
            [(seen.identifier_id, seen.identifier.text, seen.attested) for seen in one.seen],
            one.warnings,
        )

    told = [
        read(*given),
        read(*given[:1]),
        read(*given[:1], profile={"full_name": "Ana"}),
        read(*given[:1], profile={"full_name": "Luis"}),
        read(*given, source="shop"),
        read(*given, attests="phone"),
        read(*given, secret=b"t" * 32),
        read(*given, company=stricter),
        read(*given[:1], company=abroad),
    ]
    assert [told.count(each) for each in told] == [1] * len(told)
    assert read(*given) == told[0]


def test_topics_are_the_companys_words_and_unknown_ones_are_kept() -> None:
    assert accept(topic="Facturación").topic == "billing"
    strange = accept(topic="astrology", channel="smoke-signals")
    assert strange.topic == "astrology"
    assert set(strange.warnings) == {"unknown-topic", "unknown-channel"}


ANA = uuid4()


def reaching(one: Touchpoint, *customers: UUID) -> dict[UUID, set[UUID]]:
    return {one.seen[0].identifier_id: set(customers)}


def trace(**known: Any) -> KnownTrace:
    return KnownTrace(uuid4(), ANA, **known)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], ANA),
        ([trace(folded_name="ana lopez ruiz")], ANA),
        ([trace(folded_name="pedro gomez")], None),
        ([trace(documents=("document:co-cc:52123456",))], ANA),
        ([trace(documents=("document:co-cc:1010",))], None),
        ([trace(documents=("document:co-pp:AB123",))], ANA),  # a passport beside an identity card
    ],
)
def test_an_identifier_that_reaches_one_customer_links_unless_something_contradicts(
    known: list[KnownTrace], expected: UUID | None
) -> None:
    one = accept("document:co-cc:52.123.456", "phone:3001234567", profile={"full_name": "Ana Lopez"})
    assert domain.provisional_customer(one, reached=reaching(one, ANA), traces_of={ANA: known}) == expected


def test_an_identifier_that_several_share_links_nobody() -> None:
    one = accept("phone:3001234567")
    assert domain.provisional_customer(one, reached=reaching(one, ANA, uuid4()), traces_of={}) is None


def test_a_device_alone_proves_nothing() -> None:
    one = accept("device:9f31")
    assert domain.provisional_customer(one, reached=reaching(one, ANA), traces_of={}) is None


def test_redaction_empties_what_is_named_and_nothing_else() -> None:
    row = {"content": "4111", "payload": {"a": {"b": 1, "c": 2}}, "facts": [{"value": "x"}], "profile": {}}
    assert domain.redacted(row, ["/content", "/payload/a/b", "/payload/a/c", "/facts/0/value"]) == {
        "content": None,
        "payload": {"a": {"b": None, "c": None}},
        "facts": [{"value": None}],
    }


LISTS = {"references": [f"r:{n}" for n in range(12)], "facts": [{"key": "a", "value": ["x", "y"]}, {"key": "b"}]}


@pytest.mark.parametrize(
    ("pointers", "left"),
    [
        (["/references/0"], {"references": LISTS["references"][1:]}),
        (["/references/2", "/references/10", "/references/2"], {"references": [f"r:{n}" for n in (0, 1, 3, 4, 5, 6, 7, 8, 9, 11)]}),
        (["/facts/0"], {"facts": [{"key": "b"}]}),
        (["/facts/0", "/facts/1"], {"facts": []}),
        (["/facts/0", "/facts/0/value/1", "/facts/1/key"], {"facts": [{"key": None}]}),
        (["/facts/0/value/0"], {"facts": [{"key": "a", "value": ["y"]}, {"key": "b"}]}),
        (["/facts", "/facts/0"], {"facts": []}),
    ],
)  # fmt: skip
def test_an_item_of_a_list_is_taken_out_wherever_the_others_are_named(
    pointers: list[str], left: dict[str, Any]
) -> None:
    for named in (pointers, pointers[::-1]):
        assert domain.redacted(LISTS, named) == left


def test_a_parked_body_loses_what_is_named_where_it_is_there() -> None:
    body = {"references": ["a", "b", "c"], "facts": [{"key": "a", "value": 1}], "payload": "none", "content": "4111"}
    named = ["/references/0", "/references/1", "/references/7", "/references/²", "/facts/0", "/payload/x/0", "/content"]
    domain.empty(body, [*named, "/facts/0/value", "/summary", "/references/x/y"])
    assert body == {"references": ["c"], "facts": [], "payload": "none"}


@pytest.mark.parametrize(
    "pointer",
    ["/kind", "/payload/missing", "/occurred_at", "/facts/3", "/facts/²", "/facts/00", "/facts/٠", "/facts/-1"],
)
def test_the_skeleton_of_the_log_is_not_redactable(pointer: str) -> None:
    with pytest.raises(domain.NotRedactable):
        domain.redacted({"payload": {}, "facts": [{"key": "a"}]}, [pointer])
