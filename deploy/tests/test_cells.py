"""The cells of a file by columns are those that Python's own reader gives row by row, whatever the file looks like."""

import csv
import gzip
import random

import numpy as np
import pytest

from hilo import cells
from hilo.cells import Rows, Table, blocks_of
from hilo.load import LoadStopped
from hilo.mapping import FileMap

HEADER = ["id", "name", "note", "last"]


def file_map(**read) -> FileMap:
    return FileMap(id="{id}", touchpoint={}, **read)


def by_rows(path, encoding="utf-8-sig", delimiter=",") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        header, *rows = filter(None, csv.reader(file, delimiter=delimiter))
    return [(row + [""] * len(header))[: len(header)] for row in rows]


def by_columns(path, **read) -> tuple[list[list[str]], set[type]]:
    """All rows, put together from each way in which a block tells them; and what the blocks were."""
    rows, kinds = [], set()
    for block in blocks_of(path, file_map(**read), HEADER):
        texts = list(map(list, zip(*map(block.texts, HEADER), strict=True)))
        assert block.texts("row") == [str(len(rows) + 1 + at) for at in range(block.count)]
        for names in (HEADER, HEADER[:2], ["note"], ["last", "row"]):
            told, places = block.values(names)
            assert len(set(zip(*told, strict=True))) == len(told[0]), "each once"
            assert np.array_equal(np.unique(places, return_index=True)[0], np.arange(len(told[0])))
            assert (np.diff(np.unique(places, return_index=True)[1]) > 0).all(), "in the order in which they are met"
            whole = list(map(list, zip(*(map(column.__getitem__, places) for column in told), strict=True)))
            assert whole == list(map(list, zip(*map(block.texts, names), strict=True)))
        rows += texts
        kinds.add(type(block))
    return rows, kinds


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(cells, "BYTES_AT_ONCE", 64)
    monkeypatch.setattr(cells, "LOOKED_AT", 16)
    monkeypatch.setattr(cells, "ROWS_AT_ONCE", 3)


PLAIN = "id,name,note,last\n1,Ana,,x\n2,Ana,Muñoz,\n3,,,\n4,Ana,a text that is longer than eight bytes,y\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.rstrip("\n"),
        PLAIN.replace("Ana", '"Ana"'),
        PLAIN.replace("Ana", '"An, ""a"" \r\n,\n"'),
        PLAIN.replace("Ana", '""'),
        PLAIN.replace(",x", ',"x"').replace(",y", ',"y"').replace("\n", "\r\n"),
        PLAIN.replace("Ana", "Zoë" * 40),
    ],
)
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_well_formed_rows_are_told_from_their_bytes(tmp_path, text, bom):
    path = tmp_path / "file.csv"
    path.write_text(bom + text, encoding="utf-8", newline="")
    assert by_columns(path) == (by_rows(path), {Table})


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("Ana", '5" pipe'),
        PLAIN.replace("Ana", '"Ana" x'),
        PLAIN.replace("2,Ana", "2,\x00"),
        PLAIN.replace("3,,,", ""),
        PLAIN.replace("3,,,", "3,,,,,"),
        PLAIN.replace("3,,,", "3"),
        PLAIN + '5,"a row that the file ends in,',
        PLAIN.replace("\n", "\n\n"),
    ],
)
def test_what_is_not_well_formed_is_read_as_ever(tmp_path, text):
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8", newline="")
    rows, kinds = by_columns(path)
    assert rows == by_rows(path)
    assert Rows in kinds


def test_returns_alone_end_lines(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(PLAIN.replace("\n", "\r"), encoding="utf-8", newline="")
    assert by_columns(path)[0] == by_rows(path)


@pytest.mark.usefixtures("small_blocks")
def test_any_file_gives_the_rows_that_it_gives_row_by_row(tmp_path):
    draw, path, kinds = random.Random(4), tmp_path / "file.csv", set()
    odd = [
        "",
        "a",
        "Ana",
        "ñandú",
        '"',
        '""',
        '"b"',
        '"c,\n"',
        "d\r\n",
        ",",
        "\n",
        "\n\n",
        "x" * 9,
        "y" * 70,
        ' "z"',
        '"1""2"',
    ]
    for number in range(400):
        lines = ["id,name,note,last"]
        for _ in range(draw.randrange(12)):
            told = draw.choices(odd, [1, 9, 9, 9, *([draw.choice((0, 0, 0.2))] * (len(odd) - 4))], k=4)
            lines.append(",".join(told))
        text = draw.choice(["\n", "\r\n"]).join(lines) + draw.choice(["", "\n"])
        path.write_text(text, encoding="utf-8", newline="")
        rows, of_this = by_columns(path)
        assert rows == by_rows(path), number
        kinds.update(of_this)
    assert kinds == {Rows, Table}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("read", [{"encoding": "latin-1", "delimiter": ";"}, {"encoding": "utf-16", "delimiter": ","}])
def test_other_encodings_and_separators_are_read_too(tmp_path, read):
    path = tmp_path / "file.csv"
    path.write_text(PLAIN.replace(",", read["delimiter"]), encoding=read["encoding"], newline="")
    rows, kinds = by_columns(path, **read)
    assert rows == by_rows(path, **read)
    assert kinds == ({Table} if read["encoding"] == "latin-1" else {Rows})


def test_packed_files_and_files_of_nothing_are_files(tmp_path):
    packed, empty, headed = (tmp_path / name for name in ("file.csv.gz", "empty.csv", "headed.csv"))
    with gzip.open(packed, "wt", encoding="utf-8", newline="") as file:
        file.write(PLAIN)
    (tmp_path / "file.csv").write_text(PLAIN, encoding="utf-8")
    assert by_columns(packed)[0] == by_rows(tmp_path / "file.csv")
    empty.touch()
    headed.write_text("id,name,note,last\n")
    assert by_columns(empty)[0] == by_columns(headed)[0] == []


def test_a_column_that_the_file_does_not_have_is_empty(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(PLAIN, encoding="utf-8")
    [block] = blocks_of(path, file_map(), ["id", "none"])
    assert block.texts("none") == [""] * 4
    assert block.values(["none", "name"])[0] == [["", ""], ["Ana", ""]]


def test_a_byte_that_is_no_character_stops_the_reading(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(PLAIN.encode() + b"5,\xff,,\n")
    with pytest.raises(LoadStopped, match="is not in the encoding"):
        list(blocks_of(path, file_map(), HEADER))


def test_cells_that_are_mixed_to_the_same_number_stay_two(tmp_path):
    """The mixing can be turned round: for two beginnings an end of the second is found that makes their numbers equal."""
    multiplier, word = int(cells._MIX[0]), lambda text: int.from_bytes(text.encode(), "little")
    one = "abcdefgh", "ijklmnop"
    wanted = word(one[0]) * multiplier % 2**64 ^ word(one[1])
    beginnings = (f"{number:08x}"[::-1] for number in range(1 << 32))
    ends = ((begun, (wanted ^ word(begun) * multiplier % 2**64).to_bytes(8, "little")) for begun in beginnings)
    begun, end = next(
        (begun, end)
        for begun, end in ends
        if end.isascii() and end.decode().isprintable() and not set(end) & set(b',"')
    )
    other = begun, end.decode()
    path = tmp_path / "file.csv"
    path.write_text(
        "id,name,note,last\n" + "".join(f"1,{''.join(each)},,\n" for each in (one, other, one)), encoding="utf-8"
    )
    told, places = next(blocks_of(path, file_map(), HEADER)).values(["name"])
    assert (told, places.tolist()) == ([["".join(one), "".join(other)]], [0, 1, 0])
