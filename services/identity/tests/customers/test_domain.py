"""Which value stands, what he is called, and what the customer himself may see."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from common.company import Company, Survivorship
from identity.customers.domain import Customer, Dossier, TraceInfo, preferred_name, profile_of, reason_of, survivors
from identity.knowledge.domain import Fact
from identity.sightings.domain import ProfileValue, clean_profile, name_in, search_words, with_name

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RULES = Company.load().survivorship
MINE, CLAIMED = UUID(int=1), UUID(int=2)
HIM = Customer(UUID(int=9), "person", "active", None, key_account=False, since=NOW, created_by="rules")


def value(key: str, text: str | None, *, days_ago: int = 1, verified: bool = False, trace: UUID = MINE) -> ProfileValue:
    at = NOW - timedelta(days=days_ago)
    return ProfileValue(trace, key, text, "shop", verified, at, at)


def info(trace: UUID, proof: str) -> TraceInfo:
    return TraceInfo(trace, HIM.customer_id, "email", proof, UUID(int=5), NOW, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "stands"),
    [
        ([value("city", "Cali", days_ago=2), value("city", "Pasto")], "Pasto"),
        ([value("city", "Cali", days_ago=9, verified=True), value("city", "Pasto")], "Cali"),
        ([value("city", None, verified=True), value("city", "Pasto")], None),
        ([value("city", None, days_ago=3, verified=True), value("city", "Cali", verified=True)], "Cali"),
    ],
)
def test_the_verified_value_stands_then_the_most_recent(values: list[ProfileValue], stands: str | None) -> None:
    for order in (values, values[::-1]):
        found = survivors(order, RULES).get("city")
        assert (found.value if found else None) == stands


@pytest.mark.parametrize(
    ("rule", "stands"),
    [
        ("most-recent", "A. M. LOPEZ"),
        ("most-complete", "ANA MARIA LOPEZ RUIZ"),
        ("longest", "ANA MARIA LOPEZ RUIZ"),
        ("most-trusted", "ANA LOPEZ"),
    ],
)
def test_each_attribute_has_a_rule_of_its_own_and_says_so(rule: str, stands: str) -> None:
    rules = Survivorship(rules={"full_name": rule}, trusted=("core", "shop"))  # type: ignore[dict-item]
    values = [
        value("full_name", "ANA MARIA LOPEZ RUIZ", days_ago=9),
        replace(value("full_name", "ANA LOPEZ", days_ago=5), source="core"),
        value("full_name", "A. M. LOPEZ"),
    ]
    for order in permutations(values):
        found = survivors(order, rules)["full_name"]
        assert (found.value, reason_of(found, rules)) == (stands, rule)


def test_what_staff_verified_last_stands_whatever_the_rule() -> None:
    rules = Survivorship(default="longest")
    values = [
        value("full_name", "ANA MARIA LOPEZ RUIZ", verified=True, days_ago=9), value("full_name", "ANA LOPEZ", verified=True),
        value("full_name", "ANA MARIA DEL PILAR LOPEZ RUIZ"),
    ]  # fmt: skip
    found = survivors(values, rules)["full_name"]
    assert (found.value, reason_of(found, rules)) == ("ANA LOPEZ", "verified")


def test_he_is_called_as_he_wants_else_by_his_first_name() -> None:
    values = survivors([value("full_name", "ANA M. LOPEZ RUIZ")], RULES)
    asked = {"preferred_name": Fact(UUID(int=1), MINE, "preferred_name", "Anita", "call", 1.0, NOW, None)}
    assert preferred_name(values, {}, "person") == "Ana"
    assert preferred_name(values, asked, "person") == "Anita"
    assert (
        preferred_name(values | survivors([value("preferred_name", "Doña Ana")], RULES), asked, "person") == "Doña Ana"
    )
    assert preferred_name(values, {}, "organisation") is None


@pytest.mark.parametrize("told", [["Anita"], 7, True, "", " "])
def test_what_is_no_name_is_not_what_he_is_called(told: object) -> None:
    values = survivors([value("full_name", "ANA M. LOPEZ RUIZ")], RULES)
    asked = {"preferred_name": Fact(UUID(int=1), MINE, "preferred_name", told, "call", 1.0, NOW, None)}
    assert preferred_name(values, asked, "person") == "Ana"


def test_what_hangs_on_a_claimed_trace_is_not_for_the_customers_own_eyes() -> None:
    facts = [
        Fact(UUID(int=n), trace, key, "x", "call", 1.0, NOW, None)
        for n, (trace, key) in enumerate(
            [(MINE, "best_hour"), (CLAIMED, "hobby"), (MINE, "household_size"), (MINE, "credit_note")]
        )
    ]
    dossier = Dossier(
        HIM, [info(MINE, "attested"), info(CLAIMED, "claimed")], [value("city", "Cali"), value("region", "Valle", trace=CLAIMED)],
        facts=facts, proven=frozenset({MINE}),
    )  # fmt: skip
    known = {each["key"]: each["sensitivity"] for each in profile_of(dossier, Company.load(), now=NOW)["known"]}
    assert known == {
        "best_hour": "public",
        "hobby": "internal",
        "household_size": "internal",
        "city": "public",
        "region": "internal",
    }
    own = dossier.of_proven_traces()
    assert ([v.key for v in own.values], [f.key for f in own.facts]) == (
        ["city"],
        ["best_hour", "household_size", "credit_note"],
    )


def test_a_profile_is_trimmed_and_a_full_name_put_together() -> None:
    raw = {"given_names": " Ana  María ", "surnames": "López", "city": "", "age": 40, "birth_date": "1984-03-02"}
    assert clean_profile(raw) == {
        "given_names": "Ana María",
        "surnames": "López",
        "birth_date": "1984-03-02",
        "full_name": "Ana María López",
    }
    assert name_in({"organisation": "Café S.A.S."}) == "cafe s a s"
    assert search_words({"full_name": "Sra. Ana de la Cruz"}) == {"ana", "cruz"}


def test_names_are_kept_in_any_order_without_their_shorter_forms() -> None:
    names: tuple[str, ...] = ()
    for name in ("ana lopez", "ana maria lopez", "luis perez", None, "lopez ana"):
        names = with_name(names, name)
    assert names == ("ana maria lopez", "luis perez")
