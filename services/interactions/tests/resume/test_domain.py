"""Who is meant and how sure we are, case by case."""

from uuid import UUID, uuid4

import pytest

from interactions.resume.domain import MOST_CANDIDATES, Reached, Reader, came_through, recognise

ANA, PEDRO = UUID(int=1), UUID(int=2)
PHONE, DOCUMENT, DEVICE = UUID(int=10), UUID(int=11), UUID(int=12)


def reached(
    customer: UUID | None, *, by: UUID = PHONE, scheme: str = "phone", proof: str | None = "attested", revision: int = 1
) -> Reached:
    return Reached(by, scheme, uuid4(), customer, revision, proof)


def test_one_customer_is_recognised_by_however_many_traces():
    who = recognise([reached(ANA), reached(ANA), reached(None)])
    assert (who.recognised, who.customer_id) == ("customer", ANA)


def test_several_customers_are_candidates_and_a_second_identifier_decides():
    family = [reached(ANA), reached(PEDRO)]
    assert recognise(family).candidates == (ANA, PEDRO)
    who = recognise([*family, reached(PEDRO, by=DOCUMENT, scheme="document")])
    assert (who.recognised, who.customer_id) == ("customer", PEDRO)


def test_identifiers_that_agree_on_nobody_leave_all_as_candidates():
    who = recognise([reached(ANA), reached(PEDRO, by=DOCUMENT, scheme="document")])
    assert (who.recognised, set(who.candidates)) == ("candidates", {ANA, PEDRO})


def test_traces_of_nobody_are_an_anonymous_history_and_nothing_is_unknown():
    nobodys = reached(None)
    assert recognise([nobodys]).anonymous == (nobodys.trace_id,)
    assert recognise([]).recognised == "unknown"


def test_more_candidates_than_anybody_can_choose_from_are_cut_and_told():
    who = recognise([reached(UUID(int=100 + n)) for n in range(MOST_CANDIDATES + 5)])
    assert len(who.candidates) == MOST_CANDIDATES
    assert who.truncated


@pytest.mark.parametrize(
    ("scheme", "proof", "revision", "confidence"),
    [
        ("document", "attested", 1, 1.0),
        ("email", "person", 1, 1.0),
        ("email", "claimed", 1, 0.9),
        ("phone", "attested", 1, 0.9),
        ("phone", "claimed", 1, 0.7),
        ("device", "attested", 1, 0.5),
        ("phone", None, 0, 0.63),
        ("customer", "person", 1, 1.0),
    ],
)
def test_how_sure_an_identifier_makes_us(scheme, proof, revision, confidence):
    assert recognise([reached(ANA, scheme=scheme, proof=proof, revision=revision)]).confidence == confidence


def test_two_weak_identifiers_make_us_surer_than_one():
    who = recognise([reached(ANA, proof="claimed"), reached(ANA, by=DEVICE, scheme="device")])
    assert who.confidence == 0.85


@pytest.mark.parametrize(
    ("partner", "source", "seen"),
    [
        ("acme", "acme", True),
        ("acme", "portal", True),
        (None, "acme", True),
        (None, "portal", False),
        ("rival", "acme", False),
    ],
)
def test_what_came_through_a_partner(partner, source, seen):
    acme = Reader("partner", bound=True, partner="acme", source="acme")
    assert came_through(acme, partner=partner, source=source) is seen


def test_a_partner_without_a_source_is_known_by_his_name_alone():
    assert not came_through(Reader("partner", bound=True, partner="acme"), partner=None, source=None)
