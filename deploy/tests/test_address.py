"""`hilo address`: an address a line in, a tab-separated line out."""

from typer.testing import CliRunner

from hilo.address import normalised
from hilo.cli import app


def test_each_line_becomes_raw_key_readable_and_confidence():
    lines = ["cra 97 # 12-34\n", "K 97 12 34\r\n", "\n"]
    assert list(normalised(lines, "CO")) == [
        "cra 97 # 12-34\tKR 97 12 34\tCarrera 97 # 12-34\t1.00",
        "K 97 12 34\tKR 97 12 34\tCarrera 97 # 12-34\t0.90",
        "\t\t\t0.00",
    ]


def test_a_tab_in_the_raw_text_makes_no_column():
    (line,) = normalised(["Calle 1\t# 2-3"], "CO")
    assert line.split("\t") == ["Calle 1 # 2-3", "CL 1 2 3", "Calle 1 # 2-3", "1.00"]


def test_the_command_reads_standard_input_and_knows_countries():
    spanish = CliRunner().invoke(app, ["address", "--country", "ES"], input="C/ Mayor, 12, 3º B\n".encode())
    assert spanish.exit_code == 0
    assert spanish.output == "C/ Mayor, 12, 3º B\tCL MAYOR 12\tCalle Mayor 12, 3 B\t0.90\n"
    assert CliRunner().invoke(app, ["address"], input=b"\xff # 1\n").exit_code == 0
