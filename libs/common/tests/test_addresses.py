"""Addresses: one place has one key in every spelling, other places have others, and doubt is told."""

import csv
import gzip
import re
import string
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common import addresses
from common.addresses import DOUBTS, address_key, plain_place
from common.addresses.lexicon import AREAS, CITIES, QUADRANTS, SHORT_WAYS, STREETS, UNITS, WAYS

DATA = Path(__file__).parents[3].parent / "shared" / "data"
GOLD = DATA / "colombian_addresses" / "address_gold.csv.gz"
PEOPLE = DATA / "colombian_identity"

ONE_PLACE = {
    "KR 97 12 34": [
        "cra 97 # 12-34",
        "Kra 97 12 34",
        "CARRERA 97 No. 12 - 34 apto 501",
        "Cra97#12-34",
        "K 97 Nº 12—34",
        "carerra 97 nro 12 34",
        "carrera noventa y siete No 12-34",
        "Bogotá, Cra. 97 # 12-34",
        "Apto 501 Torre 2, KR 97 12 34",
        "Carrera 97 (antes 96) # 12-34",
        "Carrera 97 Calle 12-34",
        "Carrera 97 con 12-34",
        "carrera 97 numero 12 guion 34",
        "CRA97N12-34",
        "Cra. 97 No. 12-34 B. La Flora",
    ],
    "CL 45 SUR 12 30": ["CL45SUR # 12-30", "Calle 45 S No 12-30", "Cll. 45 sur 12 30", "calle 45 # 12 - 30 sur"],
    "CL 12A BIS 4 5": ["Calle 12 A bis # 4-5", "Cl 12Abis 4 5", "cll 12 abis#4-5", "CALLE 12A BIS No 04-05"],
    "KR 12 BIS B SUR 4 5": ["Carrera 12 bis B sur # 4-5", "Kr 12BISB SUR 4 5"],
    "AK 68 12 30": ["AK 68 # 12-30", "Av Cra 68 # 12-30", "Avenida Carrera 68 No. 12-30", "Av. Kra. 68 12 30"],
    "AC 26 59 51": ["Av. Calle 26 # 59-51 of 301", "AC 26 59 51", "Avenida Cll 26 No. 59 - 51"],
    "KR 7 72 41": ["Carrera séptima # 72-41", "Carrera 7ª No. 72-41", "K7 # 72-41", "Cra. 7 No. 72-41 Piso 3"],
    "AV 6 NORTE 23 45": ["Avenida 6 Norte # 23-45", "Av. Sexta Norte No. 23-45", "av 6 n # 23-45", "Avenida 6N 23 45"],
    "KR 28D4 72L 15": ["Carrera 28D4 # 72L-15", "Kr 28 D4 # 72 L - 15", "KRA 28D4 72L 15"],
    "KR 28-3 72F 10": ["Carrera 28-3 # 72F-10", "Cra 28-3 No. 72 F - 10"],
    "TV 5 45 120": ["Transversal 5 # 45-120", "Trans. 5 # 45-120", "Tr 5 # 45-120", "tranversal 5 45 120"],
    "CQ 73 39B 115": ["Circular 73 # 39B-115", "Circ. 73 No. 39 B 115"],
    "KR 1 ESTE 18 30": ["Carrera 1 E # 18-30", "Kr 1 e 18 30", "Cra 1 # 18-30 Este", "Cra 1 Oriente # 18-30"],
    "KR 1E 18 30": ["Carrera 1E # 18-30", "Kr 1E 18 30", "Cra 1e No. 18-30", "Carrera 1-E # 18-30"],
    "KR 45A 12B 30": ["Carrera 45A # 12B-30", "Carrera 45-A # 12-B-30", "Cra. 45 - A # 12-B 30"],
    "KR 9 28 10": ["Carrera 9na # 28-10"],
    "CL 13 65 10": ["Calle 13 # 65-10 Apto-501", "Cl 13 65 10 apto - 501", "Cll 13 # 65-10 T-2 A-501"],
    "KR 43A 25B 10 SUR": ["Cra 43A # 25B Sur-10", "kr 43 A 25 B Sur - 10", "Carrera 43A No. 25B-10 Sur Envigado"],
    "KR 9 OESTE 28 10": ["Carrera 9W # 28-10", "Cra 9 Occ 28 10", "Cra 9 Oe # 28-10"],
    "CL 10 43D 45": ["Calle 10 # 43D-45 Int. 201", "calle 10 #43d-45, interior 201, El Poblado, Medellín"],
    "AV BOYACA 12 30": ["Avenida Boyacá # 12-30", "Av. Boyaca No 12 - 30 Local 5", "AV BOYACA 12 30"],
    "AU NORTE 128 50": ["Autopista Norte # 128-50", "Auto Norte No. 128-50"],
    "AV 30 AGOSTO 40 12": ["Avenida 30 de Agosto # 40-12", "Av 30 de Agosto 40 12"],
    "AV 1 MAYO 40 22 SUR": ["Av. Primero de Mayo # 40-22 Sur", "Avenida 1ra de mayo 40 22 sur"],
    "KM 2.176 AN": ["Anillo Vial Km 2.176", "Km 2,176 anillo vial"],
    "CL ARSENAL 8B 137": ["Calle del Arsenal # 8B-137", "Cl. del Arsenal No. 8B-137 Getsemaní, Cartagena"],
    "CL 72 KR 7": [
        "Carrera 7 con Calle 72",
        "Cl 72 esquina Kr 7",
        "Cra 7 x Cl 72",
        "Carrera 7 con 72",
        "Calle 72 Carrera 7",
    ],
    "AV BOYACA CL 80": ["Av Boyacá con Calle 80", "Calle 80 con Avenida Boyacá"],
    "JARDIN MZ 5 CA 12": [
        "Mz 5 Casa 12 Barrio El Jardín",
        "Manzana 5 # 12, B/ El Jardin",
        "Barrio El Jardín Mza 5 Ca 12, Pereira",
        "El Jardín Mz 5 Cs 12",
    ],
    "VD SALITRE FC ESPERANZA": [
        "Vereda El Salitre Finca La Esperanza",
        "Fca La Esperanza, vda. El Salitre, La Calera",
    ],
    "KM 5.5 CALERA": ["Km 5.5 vía La Calera", "Kilometro 5,5 via a La Calera"],
    "KM 19 AU NORTE": ["Autopista Norte Km 19", "Autop Norte km. 19 costado oriental"],
}


@pytest.mark.parametrize(("key", "spelling"), [(key, each) for key, all_ in ONE_PLACE.items() for each in all_])
def test_a_place_has_one_key_in_every_spelling(key, spelling):
    assert address_key(spelling).place == key


@pytest.mark.parametrize(
    ("raw", "readable", "complement", "locality"),
    [
        ("KRA 97 12 34", "Carrera 97 # 12-34", "", ""),
        ("cl 147 7 70 ap 302 bl 4", "Calle 147 # 7-70, Bloque 4, Apartamento 302", "BL 4 AP 302", ""),
        ("Dg 119 # 84-25 T9 Apto 203", "Diagonal 119 # 84-25, Torre 9, Apartamento 203", "TO 9 AP 203", ""),
        ("Calle 36 27-52 2do piso", "Calle 36 # 27-52, Piso 2", "PI 2", ""),
        ("cra 80 48a 13 apto 501-b", "Carrera 80 # 48A-13, Apartamento 501B", "AP 501B", ""),
        ("CL 10 5 51 LC 3-105", "Calle 10 # 5-51, Local 3-105", "LC 3-105", ""),
        ("Calle 93 # 11-26 PH", "Calle 93 # 11-26, Penthouse", "PH", ""),
        (
            "CRA 11 82 71 C.C. ANDINO LOCAL 305, BOGOTA D.C.",
            "Carrera 11 # 82-71, Local 305, Centro comercial Andino, Bogota D.C.",
            "LC 305",
            "Bogota D.C.",
        ),
        ("kr 43a 1 50 medellin antioquia", "Carrera 43A # 1-50, Medellin Antioquia", "", "Medellin Antioquia"),
    ],
)
def test_the_readable_form_follows_the_nomenclature(raw, readable, complement, locality):
    address = address_key(raw)
    assert (address.readable, address.complement, address.locality) == (readable, complement, locality)
    assert address.confidence == 1.0


def test_doors_of_one_place_differ_in_the_complement_alone():
    one, other = address_key("Calle 147 # 7-70 Apto 302"), address_key("Calle 147 # 7-70 Apto 303")
    assert one.key == other.key
    assert one.complement != other.complement
    assert address_key("Cl 147 7 70 bloque 4 ap 302").complement == address_key("Cl 147 7 70 apto 302 Bl 4").complement


def test_a_shop_or_an_office_is_a_place_of_its_own_and_a_flat_is_not():
    house, flat, shop = (address_key(f"Cra 97 # 12-34{door}") for door in ("", " torre 2 apto 501", " local 3"))
    assert house.key == flat.key == shop.place == "KR 97 12 34"
    assert shop.key == "KR 97 12 34 LC 3"
    assert shop.key != address_key("Cra 97 # 12-34 oficina 3").key


def test_different_places_have_different_keys():
    spellings = [
        "Calle 97 # 12-34",
        "Carrera 97 # 12-34",
        "Carrera 97A # 12-34",
        "Carrera 97 Bis # 12-34",
        "Carrera 97 # 12A-34",
        "Carrera 97 # 12-35",
        "Carrera 97 # 12-34 Sur",
        "Avenida Carrera 97 # 12-34",
        "Avenida 97 # 12-34",
        "Diagonal 97 # 12-34",
        "Transversal 97 # 12-34",
        "Km 5 vía Cali Jamundí",
        "Km 5 vía La Calera",
        "Mz 5 Casa 12 Barrio El Jardín",
        "Mz 5 Casa 12 Barrio Los Pinos",
    ]
    assert len({address_key(spelling).key for spelling in spellings}) == len(spellings)


@pytest.mark.parametrize(
    ("raw", "doubt"),
    [
        ("av 12 34", "no-plate"),
        ("Carrera 45 # 12", "no-plate"),
        ("Cra 45 # 123", "two-readings"),
        ("KR 45 1230", "two-readings"),
        ("K 7 12 34 5", "extra-number"),
        ("K 7 12 34", "short-way"),
        ("45 # 12-30", "no-way"),
        ("Calle 78 S # 20-15", "letter-for-quadrant"),
        ("Calle 78S # 20-15", "letter-or-quadrant"),
        ("carerra 45 # 12-30", "misspelt-way"),
        ("Calle 45", "no-crossing"),
        ("Carrera 7 con Calle 72", "a-corner"),
        ("Mz 5 Casa 12", "no-quarter"),
        ("Calle 45 # 12-30 donde Pepe", "unknown-words"),
        ("5 hola mundo", "words-alone"),
        ("hola mundo", "no-digits"),
        ("", "empty"),
        (" .. ", "empty"),
    ],
)
def test_what_is_ambiguous_says_so(raw, doubt):
    address = address_key(raw)
    assert doubt in address.doubts
    assert address.confidence < 1


def test_the_less_is_known_the_lower_the_confidence():
    ladder = ["Calle 45 # 12-30", "Calle 45 # 12", "45 # 12-30", "Calle 45", "5 hola mundo", "hola mundo", ""]
    confidences = [address_key(raw).confidence for raw in ladder]
    assert confidences == sorted(confidences, reverse=True)
    assert (confidences[0], confidences[-1]) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("country", "key", "spellings"),
    [
        ("ES", "CL MAYOR 12", ["Calle Mayor 12, 3º B", "C/ Mayor, 12", "calle mayor nº 12 3ºB"]),
        ("ES", "PS CASTELLANA 100", ["Pº de la Castellana, 100", "Paseo Castellana 100 Madrid"]),
        (
            "MX",
            "AV INSURGENTES SUR 1602",
            ["Av. Insurgentes Sur 1602 Int. 4", "Avenida Insurgentes Sur No. 1602, 03940"],
        ),
        ("MX", "CL 60 491", ["Calle 60 No. 491 x 57 y 59", "Calle 60 491"]),
        ("AR", "AV 9 JULIO 1234", ["Av. 9 de Julio 1234", "Avenida 9 de Julio N° 1234 piso 5 dpto B"]),
        (
            "PE",
            "JARDINES MZ C LT 12",
            ["Mz. C Lt. 12 Urb. Los Jardines", "Urbanización Los Jardines, Manzana C Lote 12"],
        ),
        ("EC", "AV AMAZONAS N34-120", ["Av. Amazonas N34-120 y Av. Atahualpa", "Avenida Amazonas N34-120"]),
        ("BR", "RUA AUGUSTA 1234", ["Rua Augusta, 1234 - apto 12 - Consolação", "R. Augusta 1234 ap 12"]),
        ("BR", "AV PAULISTA 1000", ["Av. Paulista, 1000, conj. 12", "AV PAULISTA N 1000", "Avenida Paulista nº 1000"]),
        ("BR", "TR COMERCIO 8", ["Travessa do Comércio 8", "Tv. do Comércio, 8", "TRAV DO COMERCIO N. 8"]),
        ("AU", "ST STIRLING 12", ["12 stirling street", "flat 3 12 Stirling St", "3/12 Stirling st, Kew"]),
        ("CO", "CL MAYOR 12", ["Calle Mayor 12, 3º B", "C/ Mayor, 12"]),
    ],
)
def test_streets_with_names_are_a_kind_a_set_of_words_and_a_number(country, key, spellings):
    addresses = [address_key(spelling, country) for spelling in spellings]
    assert {address.key for address in addresses} == {key}
    assert all(address.confidence < 1 for address in addresses)


def test_what_no_grammar_explains_is_its_words_in_any_order():
    one, other = address_key("Portal Norte, junto al CAI"), address_key("junto al CAI portal  norte")
    assert one.key == other.key == "AL CAI JUNTO NORTE PORTAL"
    assert one.readable == "Portal Norte, junto al CAI"


@pytest.mark.skipif(not GOLD.exists(), reason="the gold standard of Colombian addresses is not here")
def test_the_gold_standard_is_together_and_apart():
    groups, places = defaultdict(set), defaultdict(set)
    with gzip.open(GOLD, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            address = address_key(row["address_raw"])
            groups[row["group"]].add(address.key)
            if row["canonical_expected"]:
                places[address.key].add(row["canonical_expected"])
                assert (address.confidence == 1) == (row["confidence"] == "1.0"), row["address_raw"]
    assert [group for group, found in groups.items() if len(found) > 1] == []
    assert [expected for expected in places.values() if len(expected) > 1] == []


@pytest.mark.skipif(not PEOPLE.exists(), reason="the synthetic Colombian records are not here")
def test_every_address_of_the_colombian_records_is_its_canonical_place():
    with gzip.open(PEOPLE / "synthetic_co_gold.csv.gz", "rt", encoding="utf-8") as lines:
        canonical = {row["record_id"]: row["address_canonical"] for row in csv.DictReader(lines)}
    with gzip.open(PEOPLE / "synthetic_co_customers.csv.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["address"]]
    assert len(rows) > 3000
    for row in rows:
        place = re.split(r" (?:TO|APTO|CA) ", canonical[row["record_id"]])[0]
        assert address_key(row["address"]).place == place, row["address"]


WORDS = sorted({*WAYS, *UNITS, *AREAS, *QUADRANTS, *STREETS, *CITIES})
PIECES = (
    st.sampled_from(WORDS) | st.integers(0, 9999).map(str) | st.sampled_from(["#", "-", "bis", "a", "N", "con", "km"])
)
GAPS = st.sampled_from([" ", "", "-", ", ", " # ", " (", ") ", "/", ".", "º "])
ROWS = st.lists(st.tuples(PIECES, GAPS), max_size=9).map(lambda row: "".join(piece + gap for piece, gap in row))
LIKELY = st.builds(
    "{} {}{}{}{}-{} {}".format,
    st.sampled_from(sorted(WAYS)),
    st.integers(1, 200),
    st.sampled_from(["", "A", " b", " bis", "Bis A", " sur", "N", "a1"]),
    st.sampled_from([" # ", " No. ", "#", " ", " n "]),
    st.integers(1, 200),
    st.integers(1, 400),
    ROWS,
)


@example("dg) anillo seis#8 99-", "CO")
@example("cl 1 # 8/25 - d 94-b/ casa°zona°", "CO")
@given(LIKELY | ROWS | st.text(max_size=60), st.sampled_from(["CO", "ES", "MX", "BR"]))
def test_reading_the_readable_form_changes_nothing(raw, country):
    address = address_key(raw, country)
    again = address_key(address.readable, country)
    assert (again.key, again.readable) == (address.key, address.readable)
    assert 0 <= address.confidence <= 1
    assert not {"\t", "\n", "\r"}.intersection(address.key + address.readable)


PLAINEST = st.builds(
    "{}{}{}{}#{}{}-{}".format,
    st.sampled_from(
        ["Calle", "cll", "CL", "Carrera", "cra", "Kra", "KR", "diagonal", "Diag", "dg", "Transversal", "transv", "TV"]
    ),
    st.sampled_from([" ", "", ". "]),
    st.integers(1, 250),
    st.sampled_from([*string.ascii_letters, "", " "]),
    st.integers(1, 250),
    st.sampled_from([*string.ascii_letters, ""]),
    st.integers(1, 500),
)


@given(PLAINEST)
def test_the_plainest_addresses_are_read_at_once_as_the_grammar_reads_them(raw):
    at_once = addresses._read_plainest(raw)
    assert at_once is None or at_once == addresses._read(addresses.cleaned(raw), "CO")[0]


def test_most_addresses_are_of_the_plainest():
    assert addresses._read_plainest("Cra. 97A # 12-34") is not None
    assert addresses._read_plainest("Calle 45 S # 12-34") is None, "a quadrant is the grammar's"


SLIPPED = ["Calel", "Carera", "CARREAR", "diagonla", "Trasnversal", "Autopsta", "Avenda", "Circulvalar"]


@pytest.mark.parametrize("way", [*SLIPPED, *sorted(WAYS), "Valle", "Casa", "Numero", "Guion", "Barrio", "Calzada"])
def test_ways_are_told_at_once_as_the_grammar_tells_them(way):
    raw = f"{way} 45B # 12-34"
    at_once = addresses._read_plainest(raw)
    assert (at_once is not None) == (way in SLIPPED or way in WAYS.keys() - SHORT_WAYS)
    assert plain_place(raw) == (at_once and at_once.place)
    if at_once is not None:
        read, plain = addresses._read(addresses.cleaned(raw), "CO")
        assert at_once == read
        assert plain or addresses._read(read.readable, "CO")[0].key == read.key


@given(LIKELY)
def test_case_and_spaces_do_not_move_a_place(raw):
    assert address_key(raw.upper()).key == address_key(f"  {raw.lower()}  ").key


def test_every_doubt_lowers_the_confidence_or_leaves_it():
    assert all(0 < left <= 1 for left in DOUBTS.values())
