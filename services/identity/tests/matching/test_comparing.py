"""How alike two records are, field by field."""

import pytest

from .people import judged, levels, person


@pytest.mark.parametrize(
    ("a", "b", "given", "surnames"),
    [
        ("Ana Maria Lopez Ruiz", "ana maría lópez ruíz", "exact", "exact"),
        ("Ana Maria Lopez Ruiz", "Ana Lopez", "part", "part"),
        ("Ana M. Lopez Ruiz", "Ana Maria Lopez Ruiz", "part", "exact"),
        ("Ana Maria Lopez Ruiz", "Lopez Ruiz Ana Maria", "exact", "exact"),
        ("Otilia Bahamon", "Bahamon Otilia", "swapped", None),
        ("Ana Maria Lopez Ruiz", "Maria Ana Ruiz Lopez", "exact", "exact"),
        ("Jennifer Velasquez Rojas", "Yenifer Belasques Rojas", "near", "near"),
        ("Gonzalo Jimenez Diaz", "Gonzalo Gimenes Dias", "exact", "near"),
        ("Yuli Lina Aguilar", "Yuli Aguilar Pinzon", "part", "part"),
    ],
)  # fmt: skip
def test_names_are_compared_in_every_form_they_are_written_in(a, b, given, surnames):
    found = levels(person(a), person(b))
    assert (found.get("given_names"), found.get("surnames")) == (given, surnames)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Juan Lopez Ruiz", "Juana Lopez Ruiz"), ("Mario Perez Gil", "Maria Perez Gil"), ("Ana Lopez Ruiz", "Pedro Lopez Ruiz"),
        ("Vilma Martinez Martinez", "Arley Martinez Martinez"), ("Patricia Villamizar Salas", "Leidy Salas Villamizar"),
        ("Julian Rodriguez Gomez", "Rodriguez Javier"),
    ],
)  # fmt: skip
def test_relatives_have_another_given_name_in_whatever_order_it_stands(a, b):
    assert levels(person(a), person(b))["given_names"] == "different"


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("1984-03-02", "1984-03-02", "exact"), ("1984-03-02", "1984-02-03", "near"), ("1984-03-02", "1948-03-02", "near"),
        ("1984-03-02", "1984-03-12", "near"), ("1984-03-02", "1984-11-02", "partly"), ("1984-03-02", "1957-11-28", "different"),
    ],
)  # fmt: skip
def test_a_date_of_birth_forgives_one_slip(a, b, level):
    assert levels(person("A B", birth_date=a), person("A B", birth_date=b))["birth_date"] == level


def test_documents_of_two_types_say_nothing_and_one_wrong_digit_says_little():
    cedula = person("A B", ids=("document:co-cc:52123456",))
    assert "document" not in levels(cedula, person("A B", ids=("document:co-pp:AB12345",)))
    assert levels(cedula, person("A B", ids=("document:co-cc:52123465",)))["document"] == "near"
    assert levels(cedula, person("A B", ids=("document:co-cc:79999999",)))["document"] == "different"


def test_the_best_of_several_telephones_counts():
    one = person("A B", ids=("phone:+573001112233", "phone:+573009998877"))
    assert levels(one, person("A B", ids=("phone:3009998877",)))["phone"] == "exact"


def test_a_short_mailbox_at_another_provider_is_another_address():
    ana = person("A B", ids=("email:ana@example.com",))
    assert levels(ana, person("A B", ids=("email:ana@work.example.com",)))["email"] == "different"
    long = person("A B", ids=("email:ana.lopez84@gmail.com",))
    assert levels(long, person("A B", ids=("email:ana.lopez84@hotmail.com",)))["email"] == "near"


def test_one_building_is_not_one_door():
    one = person("A B", address="Calle 93 # 11-26 apto 501")
    assert levels(one, person("A B", address="CL 93 No. 11 - 26 Apartamento 501"))["address"] == "same"
    assert levels(one, person("A B", address="Calle 93 # 11-26 apto 302"))["address"] == "building"
    assert levels(one, person("A B", address="Carrera 15 # 80-20"))["address"] == "different"


def test_what_a_record_does_not_tell_says_nothing():
    assert levels(person("Ana Lopez"), person("Ana Lopez", ids=("phone:3001112233",), city="Cali")).keys() == {
        "given_names", "surnames",
    }  # fmt: skip


# --- what follows -------------------------------------------------------------------------------------------------------

HOME = {"address": "Calle 93 # 11-26 apto 501", "city": "Bogota"}


def test_relatives_who_share_telephone_address_and_surnames_are_two():
    ana = person("Ana Lopez Ruiz", ids=("phone:3001112233",), **HOME)
    bits, bars = judged(ana, person("Pedro Lopez Ruiz", ids=("phone:3001112233",), **HOME))
    assert bits < -3
    assert bars[-1].field == "one-home"
    assert bars[-1].weight < -15, "what a home shares is taken back"


def test_one_person_seen_twice_is_one():
    ana = person(
        "Ana Maria Lopez Ruiz", ids=("document:co-cc:52123456", "phone:3001112233"), birth_date="1984-03-02", **HOME
    )
    again = person(
        "LOPEZ RUIZ ANA", ids=("document:co-cc:52123465",), birth_date="1984-02-03", address="cl 93 11 26 ap 501"
    )
    assert judged(ana, again)[0] > 8


def test_the_bars_add_up_to_the_score():
    bits, bars = judged(
        person("Ana Lopez", birth_date="1984-03-02", **HOME), person("Ana Lopes", birth_date="1984-03-02", **HOME)
    )
    assert sum(bar.weight for bar in bars) == pytest.approx(bits)


def test_a_common_name_says_less_than_a_rare_one():
    common = judged(
        person("Maria Rodriguez", birth_date="1984-03-02"), person("Maria Rodriguez", birth_date="1984-03-02")
    )
    rare = judged(person("Otilia Bahamon", birth_date="1984-03-02"), person("Otilia Bahamon", birth_date="1984-03-02"))
    assert rare[0] > common[0] + 3
