"""Whole files: known data, small files, files without doubles, families; whatever the order of the rows."""

import csv
import gzip
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from identity.matching.bulk import match
from identity.matching.clustering import CONTRADICTION
from identity.matching.columns import Columns
from identity.matching.records import Person

from .people import judged, person

FEBRL = Path(__file__).parents[4].parent / "shared" / "data" / "febrl"
NAMES = [
    f"{a}{b}"
    for a in ("bar", "cel", "dom", "fer", "gal", "mon", "tor", "ver")
    for b in ("ano", "eta", "illa", "ona", "uel", "ivia")
]
GIVEN = [
    "Ana",
    "Pedro",
    "Lucia",
    "Hernan",
    "Beatriz",
    "Jairo",
    "Ximena",
    "Oscar",
    "Fabiola",
    "Ivan",
    "Teresa",
    "Ruben",
    "Gladys",
    "Wilson",
    "Nubia",
    "Edgar",
]


def stranger(draw: random.Random, number: int) -> Person:
    return person(
        given_names=draw.choice(NAMES), surnames=f"{draw.choice(NAMES)} {draw.choice(NAMES)}",
        birth_date=f"{draw.randint(1940, 2005)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        ids=(f"document:co-cc:{draw.randint(10**7, 10**9)}", f"phone:3{draw.randint(0, 10**9 - 1):09}"),
        address=f"Calle {draw.randint(1, 180)} # {draw.randint(1, 99)}-{draw.randint(1, 99)}", city=draw.choice(("Cali", "Bogota")),
    )  # fmt: skip


def sizes(people: list[Person]) -> Counter[int]:
    return Counter(Counter(match(Columns.of(people)).cluster.tolist()).values())


@pytest.mark.parametrize(("number", "fewest"), [(1, 0.995), (2, 0.995), (3, 0.995)])
def test_febrl_is_told_apart_by_the_shipped_thresholds(number, fewest):
    path = FEBRL / f"dataset{number}.csv.gz"
    if not path.exists():
        pytest.skip("the data set is not here")
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    people = [
        person(
            given_names=r["given_name"], surnames=r["surname"], birth_date=r["date_of_birth"], city=r["suburb"],
            region=r["state"], postcode=r["postcode"], country="AU",
            address=f"{r['street_number']} {r['address_1']} {r['address_2']}",
            ids=(f"document:au-ssn:{r['soc_sec_id']}",) if r["soc_sec_id"] else (),
        )
        for r in rows
    ]  # fmt: skip
    cluster, entity = match(Columns.of(people)).cluster.tolist(), [r["entity"] for r in rows]
    right, told, true = (pairs(each) for each in (zip(cluster, entity, strict=True), cluster, entity))
    assert 2 * right / (told + true) >= fewest


def pairs(labels) -> int:
    return sum(count * (count - 1) // 2 for count in Counter(labels).values())


def test_where_nobody_stands_twice_nobody_is_joined():
    draw = random.Random(1)
    assert sizes([stranger(draw, n) for n in range(1_500)]) == {1: 1_500}


def test_families_stay_families():
    """Four people of one home, with its telephone, its address and its surname, in every one of 150 homes."""
    draw = random.Random(2)
    people = []
    for n in range(150):
        home = stranger(draw, n)
        for given in draw.sample(GIVEN, 4):
            birth = f"{draw.randint(1940, 2005)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
            people.append(
                person(
                    given_names=given, surnames=" ".join(home.surnames), birth_date=birth, address=home.building,
                    ids=(f"phone:{home.identifiers[1][1]}",), city=home.city,
                )
            )  # fmt: skip
    assert sizes(people) == {1: 600}


def test_families_with_one_mailbox_stay_families_and_each_of_them_is_found_again():
    """Three people of one home, each of them told of twice, half of the time without a date of birth, in every one of 150 homes."""
    draw, people, who = random.Random(11), [], []
    for n in range(150):
        home = stranger(draw, n)
        told = {"address": home.building, "city": home.city}
        ids = (f"phone:{home.identifiers[1][1]}", f"email:{home.surnames[0]}{n}@example.com")
        for given in draw.sample(GIVEN, 3):
            birth = f"{draw.randint(1940, 2005)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
            for day in (birth, draw.choice((birth, ""))):
                people.append(
                    person(given_names=given, surnames=" ".join(home.surnames), birth_date=day, ids=ids, **told)
                )
                who.append((n, given))
    cluster = match(Columns.of(people)).cluster.tolist()
    assert pairs(zip(cluster, who, strict=True)) == pairs(cluster) == pairs(who)


TWINS = (("Ana María", "Ana Lucía"), ("Juan David", "Juan Diego"), ("Carlos", "Camilo"), ("Mariana", "Adriana"))


def test_twins_with_one_telephone_one_mailbox_and_one_address_stay_two_and_each_of_them_is_found_again():
    """Born on one day, each of them told of three times in another spelling, in every one of 100 homes."""
    draw, people, who = random.Random(13), [], []
    for n in range(100):
        home = stranger(draw, n)
        surnames = " ".join(home.surnames)
        ids = (f"phone:{home.identifiers[1][1]}", f"email:{home.surnames[0]}{n}@example.com")
        told = {"address": home.building, "city": home.city, "ids": ids, "birth_date": str(home.birth)}
        for given in draw.choice(TWINS):
            for name in (f"{given} {surnames}", f"{surnames.upper()}, {given.upper()}", f"{given} {home.surnames[0]}"):
                people.append(person(name, **told))
                who.append((n, given))
    cluster = match(Columns.of(people)).cluster.tolist()
    assert pairs(zip(cluster, who, strict=True)) == pairs(cluster) == pairs(who)


def test_fathers_and_sons_of_one_name_are_told_apart_by_the_second_surname_or_a_suffix():
    """In every one of 150 homes, of which a file tells no date of birth; beside people who stand in it twice."""
    draw = random.Random(17)
    people = [stranger(draw, n) for n in range(300)]
    people += people[:100]
    for n in range(150):
        home, given = stranger(draw, n), draw.choice(GIVEN)
        family, other = home.surnames[0], draw.choice(("Quispe", "Yepes", "Jimenez", "Uribe"))
        told = {"address": home.building, "city": home.city, "ids": (f"phone:{home.identifiers[1][1]}",)}
        both = draw.choice(
            ((f"{family} {home.surnames[1]}", f"{family} {other}"), (f"{family} (padre)", f"{family} Jr."))
        )
        people += [person(f"{given} {surnames}", **told) for surnames in both]
    assert sizes(people) == {2: 100, 1: 500}


def test_what_two_people_are_reached_by_is_taken_back_in_the_waterfall():
    told = {
        "address": "Calle 93 # 11-26 apto 501",
        "city": "Bogota",
        "ids": ("phone:3001112233", "email:lopezruiz@example.com"),
    }
    ana, eva = (person(f"{given} Lopez Ruiz", **told) for given in ("Ana", "Eva"))
    bits, bars = judged(ana, eva)
    assert bits < CONTRADICTION
    assert sum(bar.weight for bar in bars) == pytest.approx(bits)
    assert [bar.level for bar in bars if bar.field == "one-home"] == ["may be relatives", "reached by two people"]
    assert "reached by two people" not in [bar.level for bar in judged(ana, ana)[1]]


def test_fathers_and_sons_of_one_name_are_not_joined_however_many_of_them_call_the_son_by_its_short_form():
    """In every one of 150 homes, of which a file tells no date of birth; beside people who stand in it twice."""
    draw = random.Random(7)
    people = [stranger(draw, n) for n in range(300)]
    people += people[:100]
    for n in range(150):
        home, (name, short) = (
            stranger(draw, n),
            draw.choice((("Jose", "Pepe"), ("Ignacio", "Nacho"), ("Jesus", "Chucho"))),
        )
        told = {"address": home.building, "city": home.city, "ids": (f"phone:{home.identifiers[1][1]}",)}
        people += [person(given_names=given, surnames=" ".join(home.surnames), **told) for given in (name, short)]
    assert sizes(people) == {2: 100, 1: 500}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_handful_of_records_is_no_special_case(count):
    ana = person("Ana Maria Lopez Ruiz", ids=("document:co-cc:52123456", "phone:3001112233"), birth_date="1984-03-02")
    found = match(Columns.of([ana] * count))
    assert len(found.cluster) == count
    assert set(found.cluster.tolist()) <= {0}


def test_a_chain_that_contradicts_itself_is_cut():
    """A record that tells little stands between two people: it does not make them one."""
    draw = random.Random(3)
    crowd = [stranger(draw, n) for n in range(300)]
    home = {"address": "Calle 93 # 11-26 apto 501", "city": "Bogota"}
    ana = person("Ana Lopez Ruiz", ids=("phone:3001112233", "document:co-cc:52123456"), birth_date="1984-03-02", **home)
    pedro = person(
        "Pedro Lopez Ruiz", ids=("phone:3001112233", "document:co-cc:79123456"), birth_date="1981-07-19", **home
    )
    between = person("A P Lopez Ruiz", ids=("phone:3001112233",), **home)
    found = match(Columns.of([ana, pedro, between, *crowd])).cluster
    assert found[0] != found[1]


def test_who_may_be_either_of_two_twins_stands_alone():
    draw = random.Random(5)
    crowd = [stranger(draw, n) for n in range(300)]
    told = {"address": "Calle 93 # 11-26 apto 501", "city": "Bogota"}
    sofia, marcela = (
        person(
            f"Laura {second} Hernandez Gil",
            ids=("phone:3001112233", f"document:co-cc:{number}"),
            birth_date="1990-05-05",
            **told,
        )
        for second, number in (("Sofia", "1019876541"), ("Marcela", "1152345678"))
    )
    either = person("Laura Hernandez", ids=("phone:3001112233",), **told)
    found = match(Columns.of([sofia, marcela, either, *crowd]))
    assert len(set(found.cluster[:3].tolist())) == 3
    assert found.probability[2] < 0.1, "he hardly stands alone for sure"


def test_the_order_of_the_values_of_a_column_changes_nothing():
    draw = random.Random(4)
    people = [stranger(draw, n) for n in range(200)]
    people += [person(" ".join((*p.given, *p.surnames)), ids=(f"phone:{p.identifiers[1][1]}",)) for p in people[:80]]
    plain = Columns.of(people)
    order = np.random.default_rng(1).permutation(len(people))
    turned = Columns.of(people[i] for i in order).in_order(np.argsort(order))
    assert (match(plain).cluster == match(turned).cluster).all()


def test_two_files_are_linked_across_only():
    draw = random.Random(5)
    first = [stranger(draw, n) for n in range(150)]
    people = [*first, *first, *first[:20]]
    side = np.array([False] * 150 + [True] * 170)
    found = match(Columns.of(people), side=side)
    assert (side[found.left] != side[found.right]).all()
    assert (found.cluster[150:300] == np.arange(150)).all()


def test_how_sure_a_record_stands_is_told_for_each():
    draw = random.Random(6)
    people = [stranger(draw, n) for n in range(100)]
    found = match(Columns.of([*people, people[0]]))
    assert found.probability[0] == found.probability[100] > 0.99
    assert (found.probability[1:100] > 0.5).all()
