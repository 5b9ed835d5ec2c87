"""Names as Spanish writes them: the same person in any spelling and order, relatives apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.name_words import GIVEN, SECOND_GIVEN, SURNAMES, SURNAMES_OF_SOME
from common.names import (
    are_two_names,
    compatible,
    compatible_as_called,
    fold,
    greeting_name,
    phonetic,
    phonetics,
    split_name,
    tokens,
    without_generation,
    without_married_name,
)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("  López-Ruiz,  ANA ", "lopez ruiz ana"),
        ("María Ñáñez", "maria nanez"),
        ("O’Brien D'Angelo", "obrien dangelo"),
        ("ANA M. LOPEZ RUIZ", "ana m lopez ruiz"),
        ("...", ""),
        ("", ""),
    ],
)
def test_folding_leaves_lower_case_words(name, folded):
    assert fold(name) == folded


def test_particles_and_titles_tell_nobody_apart():
    assert tokens("Sra. María de la Cruz y Ríos") == ("maria", "cruz", "rios")
    assert tokens("De la") == ("de", "la")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("yepes", "llepez"),
        ("jimenez", "gimenes"),
        ("vargas", "bargas"),
        ("hernandez", "ernandes"),
        ("quintero", "kintero"),
        ("ximena", "jimena"),
        ("leydi", "leidy"),
        ("mayra", "maira"),
        ("canpo", "campo"),
        ("jhon", "john"),
    ],
)
def test_words_that_sound_alike_have_one_key(one, other):
    assert phonetic(one) == phonetic(other)


def test_words_that_sound_different_have_different_keys():
    assert len({phonetic(word) for word in ("lopez", "ruiz", "chaves", "casas", "guerra", "gerra", "gara")}) == 7


def test_many_words_sound_as_each_does_alone():
    words = ["ximena", "yepes", "llepez", "", "hielo", "quintero", "ny", "i", "guerra"]
    assert phonetics(words) == [phonetic(word) for word in words]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ANA M. LOPEZ RUIZ", "Ana Lopez"),
        ("ANA M. LOPEZ RUIZ", "Ana María López Ruiz"),
        ("López Ruiz, Ana", "Ana Lopez Ruiz"),
        ("A. Lopez", "Ana Lopez"),
        ("Ana", "Ana Lopez"),
        ("Ana de la Cruz", "ANA CRUZ"),
        ("Jorge Yepes", "JORGE LLEPEZ"),
        ("Fernando Osorio", "EFRNANDO OSORIO"),
        ("Juan Campo", "UJAN CAMPO"),
        ("Rosa Perez Parra", "R1sa Perez"),
        ("Jaime Carvajal Avila", "Jaime Sarvajal"),
        ("Yuli Lina Aguilar", "Yuli Aguilar Pinzón"),
        ("AGUILAR YULI LINA", "Yuli Aguilar Pinzón"),
        ("PATRICIA J. HERNADEZ", "Patricia Hernández Herrera"),
        ("Juan Carlos", "Juan Carlos Perez"),
        ("Ma. Guadalupe Hdez.", "María Guadalupe Hernández"),
        ("Juan Perez Jr.", "PEREZ GOMEZ, JUAN (HIJO)"),
        ("João Silva Neto", "João Silva"),
        ("FCO JAVIER RDZ", "Francisco Javier Rodríguez Vega"),
        ("", "Ana Lopez"),
        (None, "Ana Lopez"),
        (None, None),
        ("...", "Ana"),
    ],
)
def test_these_may_be_one_person(one, other):
    assert compatible(one, other)
    assert compatible(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Juan Lopez", "Ana Lopez"),
        ("Juan Lopez", "Juana Lopez"),
        ("Mario Gomez", "María Gómez"),
        ("Andres Ruiz", "Andrea Ruiz"),
        ("Jose Perez", "Josué Perez"),
        ("Ana Lopez Ruiz", "Ana Lopez Perez"),
        ("Ana Lopez", "Ana Ruiz"),
        ("Ana Hernandez", "Ana Fernandez"),
        ("Juliana Gonzalez Vargas", "César Vargas González"),
        ("Dora Gutierrez Bautista", "Miguel Bautista Gutiérrez"),
        ("A. L.", "Ana Lopez"),
        ("Ma. Guadalupe Hdez.", "Mario Guadalupe Hernández"),
        ("Ana M.", "Ana Maria Lopez"),
        ("Lopez Lopez Ana", "Ana Lopez Ruiz"),
        ("Acme S.A.S.", "Ana Lopez"),
        ("Julia Gomez", "Julián Gómez"),
        ("Lucia Perez", "Lucila Perez"),
        ("Juan Perez hijo", "Juan Perez padre"),
    ],
)
def test_these_are_two_people(one, other):
    assert not compatible(one, other)
    assert not compatible(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pepe López Ruiz", "José López"),
        ("MAFE RODRIGUEZ", "María Fernanda Rodríguez Gómez"),
        ("Kike Gómez", "Enrique Gómez"),
        ("Beto Ruiz Mora", "RUIZ MORA ALBERTO"),
        ("Juan Perez Gomez Jr.", "JUAN PEREZ"),
        ("Pepe Perez", "Jose Perez (hijo)"),
    ],
)
def test_these_fit_once_what_people_are_called_is_spelt_out(one, other):
    assert not compatible(one, other)
    assert compatible_as_called(one, other)
    assert compatible_as_called(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Pepe López", "José Ruiz"),
        ("Mafe Rodríguez", "María Rodríguez"),
        ("Juan López", "José López"),
        ("Juan López Jr.", "Juan López (padre)"),
        ("Juan López Jr.", "José López"),
    ],
)
def test_a_short_form_alone_fits_nobody_else(one, other):
    assert not compatible_as_called(one, other)


def test_each_word_needs_a_partner_of_its_own():
    assert not compatible("Lopez Lopez", "Ana Lopez")
    assert compatible("Ana Lopez Lopez", "Lopez Ana Lopez")


@pytest.mark.parametrize(
    ("full", "given_names", "surnames", "greeting"),
    [
        ("ANA M. LOPEZ RUIZ", "ANA M", "LOPEZ RUIZ", "Ana"),
        ("Juan Carlos Rodriguez Gomez", "Juan Carlos", "Rodriguez Gomez", "Juan"),
        ("Diana Adriana Naranjo", "Diana Adriana", "Naranjo", "Diana"),
        ("Blanca Pineda Arias", "Blanca", "Pineda Arias", "Blanca"),
        ("Jesus Torres", "Jesus", "Torres", "Jesus"),
        ("María de la Cruz Ríos", "María", "de la Cruz Ríos", "María"),
        ("LÓPEZ RUIZ, ANA MARÍA", "ANA MARÍA", "LÓPEZ RUIZ", "Ana"),
        ("Sr. J. Carlos Gómez Paz", "J Carlos", "Gómez Paz", "Carlos"),
        ("MARTÍN", "MARTÍN", "", "Martín"),
        ("anne-marie roux", "anne-marie", "roux", "Anne-Marie"),
        ("Dra.", "Dra", "", "Dra"),
        ("LOPEZ RUIZ ANA MARIA", "ANA MARIA", "LOPEZ RUIZ", "Ana"),
        ("GOMEZ PEREZ JUAN", "JUAN", "GOMEZ PEREZ", "Juan"),
        ("Martínez Juan Carlos", "Juan Carlos", "Martínez", "Juan"),
        ("LOPEZ ANA", "ANA", "LOPEZ", "Ana"),
        ("De la Cruz Pérez Juan", "Juan", "De la Cruz Pérez", "Juan"),
        ("LOPEZ RUIZ PEPE", "PEPE", "LOPEZ RUIZ", "Pepe"),
        ("GARCIA MAFE", "MAFE", "GARCIA", "Mafe"),
        ("PEREZ GOMEZ YUBERLY ANDREA", "YUBERLY ANDREA", "PEREZ GOMEZ", "Yuberly"),
        ("PEREZ GOMEZ JOSE DE JESUS", "JOSE DE JESUS", "PEREZ GOMEZ", "Jose"),
        ("GARCIA LOPEZ MARIA DE LA LUZ", "MARIA DE LA LUZ", "GARCIA LOPEZ", "Maria"),
        ("Quispe Mamani Rosa Elvira", "Rosa Elvira", "Quispe Mamani", "Rosa"),
        ("SOUZA ANA PAULA", "ANA PAULA", "SOUZA", "Ana"),
        ("VARGAS DE RUIZ", "VARGAS", "DE RUIZ", "Vargas"),
        ("Franco Mastantuono", "Franco", "Mastantuono", "Franco"),
        ("FRANCO GOMEZ ANA", "ANA", "FRANCO GOMEZ", "Ana"),
        ("Vera Kowalski", "Vera", "Kowalski", "Vera"),
        ("María de los Ángeles Rodríguez", "María de los Ángeles", "Rodríguez", "María"),
        ("Maria Aparecida dos Santos", "Maria Aparecida", "dos Santos", "Maria"),
        ("Ma. Guadalupe Hernández", "Ma Guadalupe", "Hernández", "Guadalupe"),
        ("Ma. del Carmen López", "Ma del Carmen", "López", "Carmen"),
        ("LOPEZ-RUIZ ANA", "ANA", "LOPEZ-RUIZ", "Ana"),
        ("Leydi Santiago", "Leydi", "Santiago", "Leydi"),
        ("Ana López de Ruiz", "Ana", "López de Ruiz", "Ana"),
        ("Ana López Gómez de Ruiz", "Ana", "López Gómez de Ruiz", "Ana"),
        ("Ana María López Gómez de Ruiz", "Ana María", "López Gómez de Ruiz", "Ana"),
        ("Ana López vda. de Ruiz", "Ana", "López vda de Ruiz", "Ana"),
        ("María del Carmen López", "María del Carmen", "López", "María"),
        ("María José del Carmen López Ruiz", "María José del Carmen", "López Ruiz", "María"),
        ("Juan Sebastián De La Espriella Gómez", "Juan Sebastián", "De La Espriella Gómez", "Juan"),
        ("Luis Carlos da Silva Jr.", "Luis Carlos", "da Silva", "Luis"),
        ("Ana López-Ruiz", "Ana", "López-Ruiz", "Ana"),
        ("ECHEVERRIA ROSSI VALENTINA", "VALENTINA", "ECHEVERRIA ROSSI", "Valentina"),
        ("OYARZUN CANTU JOSE MANUEL", "JOSE MANUEL", "OYARZUN CANTU", "Jose"),
        ("Chucho Gil José", "Chucho", "Gil José", "Chucho"),
        ("", "", "", None),
        (" , ", "", "", None),
        ("* López Ana", "Ana", "López", "Ana"),
        ("* ?", "*", "?", None),
        ("A. M. López", "A M", "López", None),
    ],
)
def test_a_name_is_split_and_greeted(full, given_names, surnames, greeting):
    assert split_name(full) == (given_names, surnames)
    assert greeting_name(full) == greeting


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mario", "marco"), ("mariana", "adriana"), ("catalina", "carolina"), ("alberto", "roberto"), ("juan", "juana"),
        ("patricio", "mauricio"), ("herrera", "ferreira"), ("pereira", "ferreira"), ("marquez", "vasquez"),
    ],
)  # fmt: skip
def test_two_known_names_are_no_slip_of_one_another(one, other):
    assert are_two_names(one, other)
    assert are_two_names(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jhon", "john"),
        ("marco", "marcos"),
        ("victor", "vitor"),
        ("ximena", "jimena"),
        ("mario", "maryo"),
        ("luis", "luiz"),
        ("velasquez", "belasques"),
        ("huaman", "guaman"),
        ("herrera", "herrrea"),
    ],
)
def test_spellings_of_one_name_are_not_two(one, other):
    assert not are_two_names(one, other)


@pytest.mark.parametrize(
    ("name", "rest", "generation"),
    [
        ("Juan Pérez Jr.", "Juan Pérez", "junior"),
        ("Juan Pérez, Jr", "Juan Pérez", "junior"),
        ("Pérez Jr., Juan", "Pérez, Juan", "junior"),
        ("JUAN PEREZ (HIJO)", "JUAN PEREZ", "junior"),
        ("Juan Pérez h.", "Juan Pérez", "junior"),
        ("Juan Pérez (h)", "Juan Pérez", "junior"),
        ("Juan Pérez II", "Juan Pérez", "junior"),
        ("João Silva Filho", "João Silva", "junior"),
        ("João Silva Júnior", "João Silva", "junior"),
        ("Juan Pérez (padre)", "Juan Pérez", "senior"),
        ("Juan Pérez Sr.", "Juan Pérez", "senior"),
        ("João Silva Neto", "João Silva Neto", "neto"),
        ("Juan Pérez H.", "Juan Pérez H.", ""),
        ("juan perez h.", "juan perez h.", ""),
        ("Sr. Juan Pérez", "Sr. Juan Pérez", ""),
        ("García, Sr. Juan", "García, Sr. Juan", ""),
        ("Carlos Junior", "Carlos Junior", ""),
        ("João Neto", "João Neto", ""),
        ("Jr.", "Jr.", ""),
        ("", "", ""),
        (" , ", " , ", ""),
    ],
)
def test_a_name_tells_whether_he_is_the_son_or_the_father(name, rest, generation):
    assert without_generation(name, least=2) == (rest, generation)


def test_nobody_is_greeted_by_no_name():
    assert greeting_name(None) is None


WORDS_OF_NAMES = (
    st.permutations(sorted(GIVEN)).map(lambda names: names[:2]),
    st.permutations(sorted(SURNAMES)).map(lambda names: names[:2]),
)


@given(*WORDS_OF_NAMES, st.integers(1, 2))
def test_the_order_in_which_a_name_is_written_does_not_matter(given_names, surnames, count):
    first, last = " ".join(given_names[:count]), " ".join(surnames)
    for written in (f"{last}, {first}", f"{last} {first}", f"{last} {first}".upper()):
        assert tuple(map(fold, split_name(written))) == (first, last)


def test_no_word_is_a_given_name_and_a_surname_alone():
    assert not GIVEN & SURNAMES
    assert GIVEN > SECOND_GIVEN
    assert SURNAMES > SURNAMES_OF_SOME


NAMES = st.text(max_size=30) | st.lists(
    st.sampled_from(["Ana", "María", "M.", "López", "Lopes", "Ruiz", "de la", "Cruz", "Juan", "Juana", "y", "Yepes"]),
    max_size=6,
).map(" ".join)


@given(NAMES, NAMES)
def test_compatibility_has_no_direction(one, other):
    assert compatible(one, other) == compatible(other, one)


@given(NAMES)
def test_folding_twice_is_folding_once(name):
    assert fold(fold(name)) == fold(name)


@given(NAMES)
def test_any_text_can_be_split_and_greeted(name):
    given_names, surnames = split_name(name)
    assert greeting_name(name) is None or given_names or surnames


@pytest.mark.parametrize(
    ("surnames", "born"),
    [
        ("Carrillo de Ospina", "Carrillo"), ("LÓPEZ GÓMEZ DE RUIZ", "LÓPEZ GÓMEZ"), ("López vda. de Ruiz", "López"),
        ("López Ruiz", "López Ruiz"), ("de la Cruz Ríos", "de la Cruz Ríos"), ("Ríos de la Cruz", "Ríos de la Cruz"),
        ("de Ruiz", "de Ruiz"), ("Ponce de León", "Ponce de León"), ("Pereira de Souza", "Pereira de Souza"), ("", ""),
    ],
)  # fmt: skip
def test_a_husbands_name_is_no_surname_of_birth(surnames, born):
    assert without_married_name(surnames) == born
