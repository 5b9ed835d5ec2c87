"""Whose trace is it: the rules, case by case."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid5

import pytest

from common.company import IdentifierRules
from identity.guards.domain import too_common
from identity.linking.domain import (
    Carried,
    Trail,
    Verdict,
    World,
    compare_documents,
    decide,
    next_revision,
    persona_of,
    settle,
)

SPACE = UUID(int=7)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
ANA, LUIS = "ana maria lopez ruiz", "luis carlos perez"


def carried(text: str) -> Carried:
    """`scheme:value`, attested where a `!` follows."""
    plain = text.removesuffix("!")
    scheme, _, value = plain.partition(":")
    return Carried(uuid5(SPACE, plain), scheme, value, text.endswith("!"))


class Town:
    """People come one after the other; each is decided on what is known by then."""

    def __init__(self) -> None:
        self.world = World()
        self.verdicts: list[Verdict] = []
        self._numbers = count(1)

    def come(self, *identifiers: str, name: str | None = None) -> UUID | None:
        everything = {c.identifier_id: c for c in map(carried, identifiers)}
        first = carried(identifiers[0])
        number = next(self._numbers)
        trail = Trail(
            uuid5(SPACE, f"{first.identifier_id}{name}{number}"), first.scheme, (name,) if name else (), everything
        )
        self.world.put(trail)
        verdict = decide(trail, self.world, mint=lambda: UUID(int=1000 + number))
        settle(verdict, self.world, at=NOW + timedelta(minutes=number))
        self.verdicts.append(verdict)
        return verdict.customer_id

    @property
    def doubts(self) -> list[tuple[str, ...]]:
        return [doubt.reasons for verdict in self.verdicts for doubt in verdict.doubts]

    @property
    def merges(self) -> int:
        return sum(len(verdict.merges) for verdict in self.verdicts)


@pytest.mark.parametrize(
    "identifier",
    ["document:co-cc:52123456", "email:ana@x.co", "account:billing:1", "partner:acme:1", "phone:+573001234567"],
)
def test_who_is_known_by_a_personal_identifier_or_a_phone_is_a_customer_at_once(identifier: str) -> None:
    assert Town().come(identifier) is not None


def test_a_trace_is_proved_whatever_the_order_in_which_its_identifiers_are_read() -> None:
    """Of two e-mails either may come first from the database; beside an attested one its own is attested."""
    for identifiers in (("email:ana@x.co!", "email:am@x.co"), ("email:am@x.co", "email:ana@x.co!")):
        town = Town()
        town.come(*identifiers)
        assert town.verdicts[-1].proof == "attested"


def test_a_device_alone_stays_anonymous() -> None:
    assert Town().come("device:9f31") is None


def test_a_device_proves_no_identity() -> None:
    town = Town()
    assert town.come("email:ana@x.co", "device:d1") != town.come("email:luis@x.co", "device:d1")
    assert town.merges == 0


@pytest.mark.parametrize(
    "shared", ["email:ana@x.co", "document:co-cc:52123456", "account:billing:7", "phone:+573001234567"]
)
def test_a_second_trace_joins_the_one_customer_whom_it_reaches(shared: str) -> None:
    town = Town()
    assert town.come(shared, name=ANA) == town.come("account:web:1", shared, name="ana lopez")


def test_relatives_on_one_phone_stay_two() -> None:
    town = Town()
    assert town.come("phone:+573001234567", name=ANA) != town.come("phone:+573001234567", name=LUIS)
    assert town.doubts == []


def test_spellings_of_one_name_on_one_phone_are_one() -> None:
    town = Town()
    spellings = [ANA, "ana lopez", "lopez ruiz ana maria", "ana m lopez ruiz", "anna lopez ruiz"]
    assert len({town.come("phone:+573001234567", name=name) for name in spellings}) == 1


def test_a_phone_without_a_name_joins_the_only_one_who_uses_it() -> None:
    town = Town()
    assert town.come("phone:+573001234567", name=ANA) == town.come("phone:+573001234567")


def test_a_phone_without_a_name_that_several_use_is_nobody_of_them_and_goes_to_review() -> None:
    town = Town()
    ana, luis = town.come("phone:+573001234567", name=ANA), town.come("phone:+573001234567", name=LUIS)
    assert town.come("phone:+573001234567") not in {ana, luis}
    assert town.merges == 0
    assert town.doubts == [("several-customers",), ("several-customers",)]


def test_a_strong_identifier_joins_two_customers_when_nothing_contradicts() -> None:
    town = Town()
    town.come("email:ana@x.co", name="ana lopez")
    elder = town.world.trails[town.verdicts[0].trace_id].customer_id
    town.come("account:shop:1", name=ANA)
    joined = town.come("document:co-cc:52123456", "email:ana@x.co", "account:shop:1", name=ANA)
    assert town.merges == 1
    assert joined == elder
    assert {trail.customer_id for trail in town.world.trails.values()} == {elder}


def test_a_nameless_phone_is_too_weak_to_join_two_customers() -> None:
    town = Town()
    town.come("email:ana@x.co", name=ANA)
    town.come("phone:+573001234567")
    town.come("account:shop:1", "email:ana@x.co", "phone:+573001234567", name=ANA)
    assert town.merges == 0
    assert town.doubts == [("weak-evidence",)]


def test_another_name_on_the_same_document_goes_to_review() -> None:
    town = Town()
    assert town.come("document:co-cc:52123456", name=ANA) != town.come(
        "account:x:1", "document:co-cc:52123456", name=LUIS
    )
    assert town.doubts == [("other-name",)]


def test_one_wrong_digit_is_evidence_and_not_another_person() -> None:
    town = Town()
    ana = town.come("document:co-cc:52123456", "phone:+573001234567", name=ANA)
    assert town.come("document:co-cc:52123457", "phone:+573001234567", name="ana lopez ruiz") == ana


def test_one_wrong_digit_without_a_name_goes_to_review() -> None:
    town = Town()
    ana = town.come("document:co-cc:52123456", "phone:+573001234567", name=ANA)
    assert town.come("document:co-cc:52123457", "phone:+573001234567") != ana
    assert town.doubts == [("document-one-digit-off",)]


def test_two_attested_documents_of_one_type_are_two_persons() -> None:
    town = Town()
    ana = town.come("document:co-cc:52123456!", "email:home@x.co", name=ANA)
    assert town.come("document:co-cc:52123457!", "email:home@x.co", name=ANA) != ana
    assert town.doubts == [("other-document",)]


@pytest.mark.parametrize(
    ("number", "name", "doubts"),
    [
        ("52123457", ANA, [("other-document",)]),
        ("52123457", LUIS, []),  # a couple's numbers may be neighbours
        ("79888777", ANA, []),
    ],
)
def test_two_attested_documents_one_digit_apart_are_a_riddle_where_the_name_is_the_same(
    number: str, name: str, doubts: list[tuple[str, ...]]
) -> None:
    town = Town()
    ana = town.come("document:co-cc:52123456!", "phone:+573001234567", name=ANA)
    assert town.come(f"document:co-cc:{number}!", "phone:+573001234567", name=name) != ana
    assert town.doubts == doubts


def test_documents_of_two_types_contradict_nothing() -> None:
    town = Town()
    ana = town.come("document:co-cc:52123456!", "email:ana@x.co", name=ANA)
    assert town.come("document:co-pp:AB12345!", "email:ana@x.co", name=ANA) == ana


def test_a_cannot_link_holds_whatever_evidence_comes() -> None:
    town = Town()
    ana = town.come("email:ana@x.co", name=ANA)
    other = town.come("phone:+573001234567", name=ANA)
    town.world.keep_apart(town.verdicts[0].trace_id, town.verdicts[1].trace_id)
    found = town.come("document:co-cc:52123456", "email:ana@x.co", "phone:+573001234567", name=ANA)
    assert ana != other
    assert found == ana
    assert town.merges == 0


def test_a_trace_that_names_the_customer_is_his_whatever_its_name() -> None:
    town = Town()
    ana = town.come("email:ana@x.co", name=ANA)
    assert town.come(f"customer:{ana}!", name=LUIS) == ana
    assert town.verdicts[-1].proof == "attested"


def test_a_customer_id_that_was_never_given_out_makes_no_customer() -> None:
    assert Town().come(f"customer:{UUID(int=5)}") is None


def test_an_absorbed_id_leads_to_the_survivor() -> None:
    town = Town()
    ana = town.come("email:ana@x.co", name=ANA)
    other = town.come("account:shop:1", name=ANA)
    town.come("document:co-cc:1!", "email:ana@x.co", "account:shop:1", name=ANA)
    assert town.come(f"customer:{other}") == ana


@pytest.mark.parametrize(
    ("first", "second", "proof"),
    [
        ("email:ana@x.co!", "email:ana@x.co!", "attested"),
        ("email:ana@x.co!", "email:ana@x.co", "claimed"),
        ("email:ana@x.co", "email:ana@x.co!", "claimed"),
    ],
)
def test_a_link_is_proved_only_where_both_sources_attest(first: str, second: str, proof: str) -> None:
    town = Town()
    town.come(first, name=ANA)
    town.come("account:shop:1!", second, name=ANA)
    assert town.verdicts[-1].proof == proof


def test_two_customers_with_proofs_of_their_own_are_not_joined_on_a_claim() -> None:
    town = Town()
    town.come("email:ana@x.co!", name=ANA)
    town.come("account:shop:1!", name=ANA)
    town.come("document:co-cc:52123456", "email:ana@x.co", "account:shop:1", name=ANA)
    assert town.merges == 0
    assert town.doubts == [("claimed-only",)]


def test_an_identifier_that_reaches_too_many_proves_contact_only() -> None:
    town = Town()
    for number in range(5):
        town.come("phone:+573001234567", name=f"{'abcde'[number] * 6} {'vwxyz'[number] * 7}")
    phone = carried("phone:+573001234567")
    assert too_common(phone, town.world, IdentifierRules(limits={"phone": 3}))
    town.world.barred.add(phone.identifier_id)
    assert town.come("account:a:1", "phone:+573001234567", name="aaaaaa vvvvvvv") not in {
        v.customer_id for v in town.verdicts[:-1]
    }


def test_what_was_attested_for_one_person_stays_his_whoever_types_it() -> None:
    town = Town()
    town.come("document:co-cc:52123456!", name=ANA)
    town.come("account:x:1", "document:co-cc:52123456", name=LUIS)
    assert not too_common(
        carried("document:co-cc:52123456"),
        town.world,
        IdentifierRules(limits={"document": 1}, unique_once_attested=frozenset({"document"})),
    )


def test_documents_compare_by_type() -> None:
    def one(text: str) -> Trail:
        each = carried(text)
        return Trail(UUID(int=1), each.scheme, (), {each.identifier_id: each})

    compare = [
        compare_documents(persona_of([one(a)]), persona_of([one(b)]))
        for a, b in [
            ("document:co-cc:52123456", "document:co-cc:52123456!"),
            ("document:co-cc:52123456!", "document:co-cc:52123465"),
            ("document:co-cc:52123456!", "document:co-cc:79888777"),
            ("document:co-cc:52123456!", "document:co-cc:52123457!"),
            ("document:co-cc:52123456!", "document:co-pp:52123457!"),
        ]
    ]
    assert compare == ["same", "slip", "unclear", "differ", "none"]


def test_revisions_never_run_behind_the_clock_nor_behind_themselves() -> None:
    micros = int(NOW.timestamp() * 1_000_000)
    assert next_revision(0, NOW) == micros
    assert next_revision(micros, NOW) == micros + 1


def test_who_is_called_by_a_short_name_is_known_by_his_email_and_not_by_the_phone_of_a_home() -> None:
    town = Town()
    jose = town.come("email:jl@x.co", name="jose lopez ruiz")
    assert town.come("email:jl@x.co", name="pepe lopez") == jose
    home = Town()
    father = home.come("phone:+573001234567", name="jose lopez ruiz")
    assert home.come("phone:+573001234567", name="pepe lopez") != father
    assert town.doubts == home.doubts == []
