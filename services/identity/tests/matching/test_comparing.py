"""How alike two records are, field by field."""

import random

import numpy as np
import pytest
from rapidfuzz.distance import OSA

from common.identifiers import read_identifiers
from identity.matching import comparing
from identity.matching.blocking import candidate_pairs
from identity.matching.clustering import CONTRADICTION
from identity.matching.columns import Columns, marks_of
from identity.matching.comparing import Comparer
from identity.matching.domain import score, shipped_weights, verdict_of

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
        ("Pepe Lopez Ruiz", "José López Ruiz", "short", "exact"),
        ("Pepe Lopez Ruiz", "Juan José López", "short", "part"),
        ("Pepe Luis Gil Roa", "José Luis Gil Roa", "short", "exact"),
        ("Mafe López", "María Fernanda Lopes", "short", "near"),
        ("Bob Smith", "Robert Smith", "short", "exact"),
        ("Chucho Gil Pepe", "Chucho Gil José", "exact", "one-of-two"),
        ("Juan Pérez Gómez", "Juan Pérez Gómez Jr.", "suffix", "exact"),
        ("Juan Pérez (padre)", "Juan Pérez Gómez, hijo", "different", "part"),
        ("João da Silva Filho", "Silva Filho, João", "exact", "exact"),
        ("ECHEVERRIA ROSSI VALENTINA", "Valentina Echeverría", "exact", "part"),
        ("Rosario Carrillo de Ospina", "Rosario Carrillo Díaz", "exact", "part"),
        ("Castrillón de Barrios Deicy María", "DEICY MARIA CASTRILLON MONSALVE", "exact", "part"),
        ("Rosario Carrillo de Ospina", "Rosario Carrillo de Ospina", "exact", "exact"),
        ("Beatriz Torilla Monilla", "Beatriz Torilla Yepes", "exact", "one-of-two"),
        ("RAMIREZ MILTON RAFAEL", "Milton Rafael Ramírez V.", "exact", "part"),
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
        ("Ana María López Ruiz", "Ana Lucía López Ruiz"), ("JUAN D. LOPEZ RUIZ", "Juan Carlos López"),
        ("José L. Gil Paz", "José M. Gil Paz"), ("Mario Gil Paz", "Marco Gil Paz"), ("Mariana Gil Paz", "Adriana Gil"),
        ("Carlos Gil Paz", "Camilo Gil Paz"), ("VIDAL ZAPATA DAVID", "Vidal Zapata, Daniel"),
        ("Julian Rodriguez Gomez", "Rodriguez Javier"), ("Pepe Lopez Ruiz", "Josefa Lopez Ruiz"), ("Juanito Gil Paz", "Pepe Gil Paz"),
        ("Magnolia Fernández de Blanso", "Diana Blanco Fernández"), ("ITRENE GONZÁLEZ DE HERNÁNDEZ", "Graciela Hernándes Gonsález"),
        ("ALBARADO LICETH ALIX", "Angie Inés Alvarado Pérez"),
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


def test_a_mailbox_that_repeats_the_name_is_anybodys_of_that_name_at_another_provider():
    for name, box, level in (
        ("Ricardo Morales", "moralesricardo", "different"), ("Ricardo Morales", "rmorales", "different"),
        ("Ricardo Morales", "ricardo_morales", "different"), ("Ricardo Morales", "ricardomorales71", "near"),
        ("Ricardo Morales", "tigrenegro", "near"),
    ):  # fmt: skip
        one, other = (person(name, ids=(f"email:{box}@{at}.com",)) for at in ("gmail", "hotmail"))
        assert levels(one, other)["email"] == level, box


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("gustavo.gil27", "gustavo.gil72", "different"), ("gustavo.gil27", "gustavoz.gil72", "different"),
        ("gustavo.gil27", "gustavoz.gil27", "near"), ("gustavomosquera47", "gustavom0squera47", "near"),
    ],
)  # fmt: skip
def test_another_number_is_another_mailbox(one, other, level):
    mine, theirs = (person("A B", ids=(f"email:{box}@example.com",)) for box in (one, other))
    assert levels(mine, theirs)["email"] == level


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("ec-ci:182-0977864", "ec-cedula:1820977164"), ("cl-rut:12.345.678-5", "cl-rut:12.345.678-9"),
        ("br-cpf:371.352.138-74", "br-cpf:37135213875"), ("es-nif:75460971-N", "es-nif:75460971A"),
        ("mx-curp:BADD110313HCMLNS09", "mx-curp:BADD110313HCMLNS08"), ("co-nit:800.197.268-4", "co-nit:800.197.268-5"),
    ],
)  # fmt: skip
def test_a_document_with_a_wrong_check_digit_is_a_slip_of_the_right_one(right, wrong):
    mine, theirs = (person("A B", ids=(_told(f"document:{number}"),)) for number in (right, wrong))
    assert mine.identifiers != theirs.identifiers
    assert levels(mine, theirs)["document"] == "near"


def _told(identifier: str) -> str:
    [found] = read_identifiers([identifier], default_region="CO").identifiers
    return found.text


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


def test_a_father_and_a_son_who_is_called_by_the_short_form_of_his_name_are_for_a_person_to_decide():
    jose, pepe = (person(f"{name} Lopez Ruiz", ids=("phone:3001112233",), **HOME) for name in ("Jose", "Pepe"))
    bits, bars = judged(jose, pepe)
    assert verdict_of(probability(bits)) == "review"
    assert ("given_names", "short") in [(bar.field, bar.level) for bar in bars]
    born = [person(f"{name} Lopez Ruiz", ids=("phone:3001112233",), birth_date=day, **HOME) for name, day in SEEN]
    assert verdict_of(probability(judged(*born)[0])) == "nothing"


SEEN = (("Jose", "1954-11-20"), ("Pepe", "1984-03-02"))


TWINS = (("Ana María", "Ana Lucía"), ("Juan David", "Juan Diego"), ("Carlos", "Camilo"), ("Mario", "Marco"))
SHARED = ("phone:3001112233", "email:lopezruiz@example.com")


@pytest.mark.parametrize(("one", "other"), TWINS)
@pytest.mark.parametrize(
    ("form", "written"), [("{} Lopez Ruiz",) * 2, ("{} Lopez Ruiz", "LOPEZ RUIZ {}"), ("{} Lopez",) * 2]
)
def test_twins_of_one_home_are_two_and_each_of_them_is_one(one, other, form, written):
    told = {"birth_date": "1984-03-02", "ids": SHARED, **HOME}
    mine, theirs = person(form.format(one), **told), person(written.format(other), **told)
    bits, bars = judged(mine, theirs)
    assert bits < 0
    assert "may be twins" in [bar.level for bar in bars]
    assert bits == pytest.approx(sum(bar.weight for bar in bars))
    assert verdict_of(probability(judged(mine, person(written.format(one), **told))[0])) == "linked"


def test_of_whoever_is_called_otherwise_his_document_says_that_he_is_the_same():
    told = {"birth_date": "1984-03-02", **HOME, "ids": (*SHARED, "document:co-cc:52123456")}
    maria, fernanda = (person(f"{given} Lopez Ruiz", **told) for given in ("Maria", "Fernanda"))
    assert verdict_of(probability(judged(maria, fernanda)[0])) == "linked"


def test_a_twin_who_tells_one_of_two_names_and_a_document_of_his_own_is_not_the_other():
    told = {"birth_date": "1984-03-02", **HOME}
    ana = person("Ana Lopez Ruiz", ids=(*SHARED, "document:co-cc:52123456"), **told)
    lucia = person("Ana Lucia Lopez Ruiz", ids=(*SHARED, "document:co-cc:1019876543"), **told)
    assert verdict_of(probability(judged(ana, lucia)[0])) == "nothing"


def test_father_and_son_with_two_second_surnames_are_two_and_a_birth_date_says_that_they_are_not():
    told = {"ids": SHARED, **HOME}
    father, son = person("Juan Perez Gomez", **told), person("Juan Perez Lopez", **told)
    bits, bars = judged(father, son)
    assert bits < CONTRADICTION
    assert bars[-1].level == "may be namesakes"
    in_part = person("Juan Carlos Perez Lopez", **told)
    assert judged(father, in_part)[0] < CONTRADICTION
    married = [person(f"Ana Perez {name}", birth_date="1984-03-02", **told) for name in ("Gomez", "Lopez")]
    assert verdict_of(probability(judged(*married)[0])) == "linked"


@pytest.mark.parametrize(
    "son", ["Juan Pérez Gómez Jr.", "PEREZ GOMEZ, JUAN (HIJO)", "Juan Pérez Gómez h.", "Juan Pérez Gómez, Junior"]
)
def test_who_is_told_to_be_the_son_is_not_his_father_and_may_be_who_is_told_to_be_neither(son):
    told = {"ids": SHARED, **HOME}
    junior, senior, either = (person(name, **told) for name in (son, "Juan Pérez Gómez (padre)", "Juan Pérez Gómez"))
    assert judged(junior, senior)[0] < CONTRADICTION
    assert verdict_of(probability(judged(junior, either)[0])) == "review"
    assert verdict_of(probability(judged(junior, junior)[0])) == "linked"
    born = [person(name, birth_date="1984-03-02", **told) for name in (son, "Juan Pérez Gómez")]
    assert verdict_of(probability(judged(*born)[0])) == "linked"


def probability(bits: float) -> float:
    return 1 / (1 + 2**-bits)


def test_one_person_with_one_mailbox_whom_some_call_by_the_short_form_of_his_name_is_one():
    jose, pepe = (person(f"{name} Lopez Ruiz", ids=("email:jose.lopez84@example.com",)) for name in ("Jose", "Pepe"))
    assert verdict_of(probability(judged(jose, pepe)[0])) == "linked"


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


# --- many pairs -------------------------------------------------------------------------------------------------------


def slipped(draw: random.Random, word: str) -> str:
    """With up to three slips of the keyboard."""
    for _ in range(draw.randint(0, 3)):
        at = draw.randrange(len(word)) if word else 0
        other = draw.choice("abcz019@.ñß")
        word = draw.choice(
            (word[:at] + word[at + 1 :], word[:at] + other + word[at + 1 :], word[:at] + other + word[at:],
             word[:at] + word[at : at + 2][::-1] + word[at + 2 :])
        )  # fmt: skip
    return word


def test_what_one_word_lacks_of_another_is_never_more_than_the_slips_between_them():
    draw = random.Random(1)
    words = ["".join(draw.choices("abc019@.ñ", k=draw.randint(0, 12))) for _ in range(2_000)]
    others = [slipped(draw, word) for word in words]
    one, other = marks_of(words), marks_of(others)
    lacking = np.maximum(np.bitwise_count(one & ~other), np.bitwise_count(other & ~one))
    slips = [OSA.distance(a, b) for a, b in zip(words, others, strict=True)]
    assert (lacking <= slips).all()
    assert (lacking == 3).any(), "slips that can be seen by the characters alone"


def crowd(count: int) -> Columns:
    """People of few names, each told of twice, with slips and gaps; some names in one piece."""
    draw, people = random.Random(2), []
    for number in range(count):
        given, surnames = (" ".join(draw.choices(names, k=2)) for names in (GIVEN, SURNAMES))
        full = (
            given,
            surnames,
            f"{draw.randint(1950, 2000)}-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}",
            str(10**8 + number * 7919),
        )
        for told in (full, [slipped(draw, each) if draw.random() < 0.3 else each for each in full]):
            name = (
                {"given_names": told[0], "surnames": told[1]}
                if draw.random() < 0.5
                else {"full_name": f"{told[0]} {told[1].split(' ')[0]}"}
            )
            ids = (f"document:co-cc:{told[3]}",) if draw.random() < 0.5 else ()
            home = (
                f"Calle {draw.randint(1, 40)} # {draw.randint(1, 9)}-{draw.randint(1, 9)}"
                if draw.random() < 0.5
                else ""
            )
            people.append(person(**name, birth_date=told[2] if draw.random() < 0.6 else "", address=home, ids=ids))
    return Columns.of(people)


GIVEN = ("ana", "maria", "juan", "jose", "pepe", "hernan", "ernan", "gonzalo", "otilia", "yenifer", "jennifer")
SURNAMES = ("lopez", "ruiz", "gomez", "gonzalez", "velasquez", "belasques", "diaz", "dias", "hernan", "bahamon")


def test_pairs_that_are_let_go_early_would_have_been_let_go_at_the_end():
    columns = crowd(1_500)
    comparer, weights = Comparer(columns), shipped_weights(columns.count)
    left, right = candidate_pairs(columns)
    whole = comparer.compare(left, right)
    scores = score(whole.levels, whole.rarity, weights).score
    for least in (0.0, 10.0, 20.0):
        kept, compared = comparer.compare_likely(left, right, weights, least=least)
        assert np.isin(np.flatnonzero(scores >= least), kept).all()
        assert (compared.levels == whole.levels[kept]).all()
        assert (compared.rarity == whole.rarity[kept]).all()
    assert len(kept) < len(left) / 2


def test_many_words_are_compared_as_few_are(monkeypatch):
    columns = crowd(600)
    left, right = candidate_pairs(columns)
    few = Comparer(columns).compare(left, right)
    monkeypatch.setattr(comparing, "MANY", 0)
    many = Comparer(columns).compare(left, right)
    assert (few.levels == many.levels).all()


def test_words_that_are_graded_all_at_once_are_graded_as_one_by_one(monkeypatch):
    columns = crowd(30)
    left, right = np.triu_indices(columns.count, k=1)
    assert len(columns.words("word")) <= comparing.FEW_WORDS
    assert columns.table["otherwise"].any()
    at_once = Comparer(columns)
    found = [at_once.compare(left[some], right[some]).levels for some in (slice(100), slice(100, None))]
    monkeypatch.setattr(comparing, "FEW_WORDS", 0)
    assert (np.concatenate(found) == Comparer(columns).compare(left, right).levels).all()


def test_two_records_are_as_alike_whichever_stands_first():
    columns = crowd(60)
    left, right = np.triu_indices(columns.count, k=1)
    comparer = Comparer(columns)
    assert (comparer.compare(left, right).levels == comparer.compare(right, left).levels).all()
    pairs = [
        ("ANDRESITO DUARTE", "DUARTE RUIZ ANDRÉZ"),
        ("Miguel Flórez", "JAVIER MIJUEL CASTILLO"),
        ("Molano Kevin", "ESTER MOLANO HERNÁNDEZ"),
    ]
    for one, other in pairs:
        assert levels(person(one), person(other)) == levels(person(other), person(one))


def test_how_rare_a_name_is_does_not_hang_on_who_stands_first_in_the_file():
    one, other = person("Ana Maria Lopez Ruiz"), person("Maria Ana Ruiz Lopez")
    many = [person("Maria Ana Ruiz Lopez")] * 5 + [person("Otilia Bahamon")] * 5
    first = Comparer(Columns.of([one, other, *many])).compare(np.array([0]), np.array([1]))
    last = Comparer(Columns.of([*many, other, one])).compare(np.array([11]), np.array([10]))
    assert (first.levels == last.levels).all()
    assert first.rarity.any()
    assert (first.rarity == last.rarity).all()
