"""Records are read into parts that can be compared, whatever form they came in."""

import pytest

from common.addresses import address_key
from identity.matching.columns import Columns
from identity.matching.records import address_form, birth_of, comparable, person_from, with_more, written

from .people import person


@pytest.mark.parametrize(
    ("text", "birth"),
    [
        ("1984-03-02", 19840302), ("19840302", 19840302), ("02/03/1984", 19840302), ("2-3-1984", 19840302),
        ("19/03/1984", 19840319), ("20-01-1990", 19900120), ("20.12.2001", 20011220), ("19031984", 19840319),
        ("20011990", 19900120), ("20121201", 20121201), ("1984/3/19", 19840319), ("12/31/1999", 19991231),
        ("19991399", 19991399), ("1984", 0), ("", 0), ("desconocido", 0), ("1984-03-02T00:00:00Z", 19840302),
    ],
)  # fmt: skip
def test_a_date_of_birth_is_read_however_it_was_written(text, birth):
    assert birth_of(text) == birth


@pytest.mark.parametrize(
    "name", ["Ma. Guadalupe Hdez. López", "MA GUADALUPE HDEZ LOPEZ", "María Guadalupe Hernández López"]
)
def test_names_that_are_written_short_are_compared_in_full(name):
    told = person(name)
    assert (told.given, told.surnames) == (("maria", "guadalupe"), ("hernandez", "lopez"))


@pytest.mark.parametrize(
    "text",
    [
        "Calle 93 # 11-26", "cra 97 # 12-34", "KRA 7A#45-10", "Diag 5 # 3B - 7", "Transv. 12 # 34-56", "TV 3 # 4-5",
        "Cl. 150 # 40-35", "carrera 1 # 2-3", "Diagonal 25C # 3-90",
    ],
)  # fmt: skip
def test_what_is_read_by_its_pattern_alone_is_read_as_the_grammar_reads_it(text):
    assert address_form(text, "CO") == (address_key(text, "CO").key, address_key(text, "CO").complement)


def test_a_letter_for_a_quadrant_is_the_quadrant():
    assert (
        address_form("Calle 45 S # 12-30", "CO")
        == address_form("Calle 45 Sur # 12-30", "CO")
        == ("CL 45 SUR 12 30", "")
    )


def test_streets_with_names_keep_the_order_of_their_words():
    assert address_form("7 Tullaroop Street, Willaroo", "AU") == ("7 tullaroop street willaroo", "")


def test_a_telephone_is_the_same_with_and_without_its_country():
    assert comparable([("phone", "+573001234567")]) == comparable([("phone", "3001234567")])


def test_an_email_is_the_same_with_and_without_its_tag():
    assert comparable([("email", "a.na.lopez+tienda@gmail.com")]) == comparable([("email", "analopez@googlemail.com")])
    assert comparable([("email", "a.na@correo.co")]) != comparable([("email", "ana@correo.co")])


def test_a_record_is_kept_and_read_again_as_it_was():
    told = person(
        "Ana Lopez Ruiz", ids=("email:ana@example.com", "document:co-cc:52123456"), address="Calle 1 # 2-3 apto 4"
    )
    assert person_from(written(told)) == told
    assert told.otherwise is not None


def test_what_is_told_later_adds_to_what_was_told_before():
    first = person("Ana Maria Lopez Ruiz", birth_date="1984-03-02", city="Cali")
    later = person("ANA LOPEZ", ids=("email:ana@example.com",), city="Bogota")
    both = with_more(first, later)
    assert (both.given, both.birth, both.city) == (("ana", "maria"), 19840302, "bogota")
    assert both.identifiers == (("email", "ana@example.com"),)


@pytest.mark.parametrize("nothing", ["N/A", "unknown", "Ninguno", "  ", "-"])
def test_a_word_for_nothing_is_nothing(nothing):
    assert person(given_names=nothing, surnames=nothing, city=nothing, address=nothing) == person()


def test_a_record_of_nothing_is_a_record():
    assert Columns.of([person(), person("Ana Lopez")]).count == 2
