"""`hilo match`: rows of files in, who is who out; no server, no labels, the same answer in whatever order the rows stand."""

import csv
import json
import random

import pytest
from typer.testing import CliRunner

from common.company import Company, IdentifierRules
from hilo import match
from hilo.cli import app
from hilo.embedded import embedded_runtimes
from hilo.load import LoadStopped
from hilo.mapping import FileMap
from identity.matching.use_cases import ENGINE, Engine
from identity.worker import create_consumer

MAP = """id = "{id}"
[touchpoint]
source = "crm"
kind = "note"
channel = "mail"
occurred_at = "2026-01-01"
identifiers = ["document:co-cc:{cc}", "phone:{phone}", "email:{email}"]
[profile]
full_name = "{name}"
birth_date = "{born}"
address = "{address}"
city = "{city}"
country = "CO"
[read]
date_format = "%m/%d/%Y"
"""
COLUMNS = ["id", "name", "born", "cc", "phone", "email", "address", "city"]
ANA = [
    "a1",
    "Ana María López Ruiz",
    "03/02/1984",
    "52123456",
    "300 111 2233",
    "ana.lopez84@example.com",
    "Cra 97 # 12-34 apto 501",
    "Bogotá",
]
AGAIN = ["a2", "LOPEZ RUIZ ANA", "02/03/1984", "52123465", "", "", "KR 97 12 34 Ap 501", ""]
PEDRO = ["p1", "Pedro López Ruiz", "", "79123456", "3001112233", "", "Cra 97 # 12-34 apto 501", "Bogotá"]
NOBODY = ["n1", "", "", "", "", "", "", ""]
GIVEN = ["Otilia", "Hernan", "Beatriz", "Jairo", "Ximena", "Oscar", "Fabiola", "Teresa", "Ruben", "Gladys"]
SURNAMES = ["Bahamon", "Quintana", "Urrego", "Tovar", "Zapata", "Lozano", "Pineda", "Salcedo", "Yepes", "Cifuentes"]


def crowd(count: int) -> list[list[str]]:
    draw = random.Random(1)
    return [
        [
            f"c{n:03}", f"{draw.choice(GIVEN)} {draw.choice(SURNAMES)} {draw.choice(SURNAMES)}",
            f"{draw.randint(1, 12):02}/{draw.randint(1, 28):02}/{draw.randint(1940, 2005)}", str(draw.randint(10**7, 10**9)),
            f"3{draw.randint(0, 10**9 - 1):09}", "", f"Calle {draw.randint(1, 180)} # {draw.randint(1, 99)}-{draw.randint(1, 99)}", "Cali",
        ]
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    (tmp_path / "map.toml").write_text(MAP)

    def write(name, rows):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        return tmp_path / name

    return write


def matched(tmp_path, *paths, more=()) -> list[dict[str, str]]:
    first, *second = map(str, paths)
    out = tmp_path / "out.csv"
    command = ["match", first, *second, "--map", str(tmp_path / "map.toml"), "--out", str(out), *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_has_its_row_and_one_person_has_one_cluster(tmp_path, files):
    rows = [ANA, AGAIN, PEDRO, NOBODY, *crowd(100)]
    found = matched(tmp_path, files("people.csv", rows))
    assert [row["record_id"] for row in found] == [row[0] for row in rows]
    cluster = {row["record_id"]: row["cluster_id"] for row in found}
    assert cluster["a1"] == cluster["a2"] == "a1"
    assert cluster["p1"] == "p1", "a relative of the same home and telephone"
    assert cluster["n1"] == "n1"
    assert len(set(cluster.values())) == len(rows) - 1
    assert all(0 <= float(row["probability"]) <= 1 for row in found)


def test_what_is_nobodys_identifier_makes_nobody_alike(tmp_path, files):
    """Beside the shipped list one of the company's own: its switchboard."""
    nobodys = ["3000000000", "300 000 0000", "+57 (300) 0000000", "6013456789", "601 345 6789"]
    rows = [
        [f"n{n}", f"{given} López", "", cc, phone, mail, "", ""]
        for n, (given, cc, phone, mail) in enumerate([
            *((GIVEN[0], "", phone, "sincorreo@gmail.com") for phone in nobodys),
            *((GIVEN[1], cc, "", mail) for cc, mail in (("0", "noreply@shop.example"), ("0", ""), ("123456", "NoReply@shop.example"))),
        ])
    ]  # fmt: skip
    company = Company.load(None)
    own = company.identifiers.model_dump() | {
        "blocked_patterns": (*company.identifiers.blocked_patterns, r"phone:\+57601.*")
    }
    company = company.model_copy(update={"identifiers": IdentifierRules.model_validate(own)})
    found = match.read([files("people.csv", [*rows, ANA, AGAIN])], FileMap.load(tmp_path / "map.toml"), company)
    for group in ("document", "email", "phone"):
        assert not found.columns.table[group][: len(rows)].any(), group
        assert found.columns.table[group][len(rows)].any(), group


def test_the_order_of_the_rows_changes_nothing(tmp_path, files):
    rows = [ANA, AGAIN, PEDRO, *crowd(100)]
    turned = rows[:]
    random.Random(2).shuffle(turned)
    one = {tuple(row.values()) for row in matched(tmp_path, files("one.csv", rows))}
    other = {tuple(row.values()) for row in matched(tmp_path, files("other.csv", turned))}
    assert one == other


def test_two_files_are_linked_and_an_id_that_both_use_is_told_apart(tmp_path, files):
    first, second = (
        files("crm.csv", [ANA, *crowd(60)]),
        files("shop.csv", [["a1", *AGAIN[1:]], ["x1", *AGAIN[1:]], PEDRO]),
    )
    found = matched(tmp_path, first, second)
    assert len(found) == 64
    assert [row["cluster_id"] for row in found[61:]] == ["a1", "a1", "p1"]


def test_each_pair_is_explained_field_by_field(tmp_path, files):
    explained = tmp_path / "why.ndjson"
    matched(tmp_path, files("people.csv", [ANA, AGAIN, *crowd(100)]), more=("--explain", str(explained)))
    [pair] = [json.loads(line) for line in explained.read_text().splitlines()]
    assert {pair["left"], pair["right"]} == {"a1", "a2"}
    assert (pair["verdict"], pair["one_cluster"]) == ("linked", True)
    levels = {bar["field"]: bar["level"] for bar in pair["waterfall"]}
    assert (levels["document"], levels["birth_date"], levels["address"]) == ("near", "near", "same")


def test_identity_weighs_by_what_was_learnt(tmp_path, files, monkeypatch):
    learnt = tmp_path / "weights.json"
    matched(tmp_path, files("people.csv", [ANA, AGAIN, *crowd(100)]), more=("--learn", str(learnt)))
    monkeypatch.setenv("HILO_MATCH_WEIGHTS", str(learnt))
    shipped = Engine()
    create_consumer(embedded_runtimes(tmp_path / "var")["identity"])
    try:
        assert ENGINE.weights.records == 102
        assert set(ENGINE.common) == {"given_names", "surnames", "city", "postcode"}
    finally:
        ENGINE.weigh_by(shipped.weights, shipped.common)


def test_a_file_of_no_rows_and_one_of_one_row_are_files(tmp_path, files):
    assert matched(tmp_path, files("none.csv", [])) == []
    assert [row["cluster_id"] for row in matched(tmp_path, files("one.csv", [ANA]))] == ["a1"]


def test_documents_and_rows_of_another_length_are_read_as_rows_are(tmp_path, files):
    rows = [ANA, AGAIN, PEDRO, *crowd(60)]
    plain = [row["cluster_id"] for row in matched(tmp_path, files("people.csv", rows))]
    ragged = files("ragged.csv", [[*rows[0], "too much"], rows[1][:7], *rows[2:]])
    assert [row["cluster_id"] for row in matched(tmp_path, ragged)] == plain
    documents = tmp_path / "people.ndjson"
    documents.write_text("".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows))
    assert [row["cluster_id"] for row in matched(tmp_path, documents)] == plain


SEVERAL = [
    "a3", "Ana M. López", "1984-03-02", "52123456", "300 111 2233 / 310 222 3344", "ANA.LOPEZ84+x@example.com ", "Calle 1\nno. 2", "BOGOTA D.C.",
]  # fmt: skip
HALVES = MAP.replace('full_name = "{name}"', 'given_names = "{name}"\nsurnames = "{city}"\nfull_name = "{name} {city}"')


@pytest.mark.parametrize("map_text", [MAP, HALVES])
def test_two_processes_tell_what_one_tells(tmp_path, files, map_text):
    (tmp_path / "map.toml").write_text(map_text)
    first, second = files("crm.csv", [ANA, PEDRO, NOBODY, *crowd(300)]), files("shop.csv", [AGAIN, SEVERAL, *crowd(40)])

    def told(processes: int) -> tuple[str, ...]:
        out, why, learnt = (tmp_path / name for name in ("out.csv", "why.ndjson", "learnt.json"))
        match.match(
            [first, second], FileMap.load(tmp_path / "map.toml"), out=out, explain=why, learnt=learnt, company=Company.load(None),
            processes=processes,
        )  # fmt: skip
        return tuple(path.read_text() for path in (out, why, learnt))

    assert told(1) == told(2)


@pytest.mark.parametrize(
    ("map_text", "father", "son"),
    [
        (MAP, ["Juan Pérez (padre)", "Bogotá"], ["Juan Pérez Jr.", "Bogotá"]),
        (HALVES, ["Juan", "Pérez Sr."], ["Juan", "Pérez hijo"]),
    ],
)
def test_a_suffix_is_read_wherever_the_name_stands(tmp_path, files, map_text, father, son):
    (tmp_path / "map.toml").write_text(map_text)
    told = ["", "", "300 111 2233", "perez@example.com", "Cra 97 # 12-34 apto 501"]
    rows = [[f"{who}{n}", name, *told, city] for n in (1, 2) for who, (name, city) in (("f", father), ("s", son))]
    cluster = {row["record_id"]: row["cluster_id"] for row in matched(tmp_path, files("people.csv", rows))}
    assert cluster["f1"] == cluster["f2"] != cluster["s1"] == cluster["s2"]


def test_what_cannot_be_read_by_the_other_process_stops_the_run(tmp_path, files):
    path = files("people.csv", crowd(300))
    path.write_bytes(path.read_bytes() + b"x,\xff\xfe,,,,,,\n")
    with pytest.raises(LoadStopped, match="is not in the encoding"):
        match.read([path], FileMap.load(tmp_path / "map.toml"), Company.load(None), processes=2)
