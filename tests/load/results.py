"""What the benchmarks found: figures beside their bars, kept as JSON, and the page that is written from them."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Figure:
    """One figure beside its bar. `met` None: there is no bar, it is told for what it says."""

    what: str
    value: str
    bar: str = ""
    met: bool | None = None


def at_least(what: str, value: float, bar: float, *, unit: str = "", digits: int = 2) -> Figure:
    return Figure(what, _written(value, digits, unit), f">= {bar:,g}{unit}", value >= bar)


def at_most(what: str, value: float, bar: float, *, unit: str = "", digits: int = 1) -> Figure:
    return Figure(what, _written(value, digits, unit), f"<= {bar:,g}{unit}", value <= bar)


def plain(what: str, value: float | str, *, unit: str = "", digits: int = 1) -> Figure:
    return Figure(what, value if isinstance(value, str) else _written(value, digits, unit))


def _written(value: float, digits: int, unit: str) -> str:
    return f"{value:,.{digits}f}{unit}"


@dataclass
class Report:
    """What one benchmark found: its figures, a table of the rounds or sizes, and words on what they mean."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns = list(columns)
        self.rows = [[_cell(cell) for cell in row] for row in rows]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def say(words: str) -> None:
    """What a long run tells while it is under way."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values)) if values else 0.0


# --- the page ---------------------------------------------------------------------------------------------------------


def keep(report: Report, *, machine: dict[str, str], command: str, date: str) -> None:
    """Put the report in the place of an earlier one of its name, and write the page anew."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[report.name] = asdict(report) | {"machine": machine, "command": command, "date": date}
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(kept))


HEAD = """# Benchmarks

Written by `make bench ARGS="--write"`; each section names its command, its day and its machine. Servers, database, broker and load generator
share that one machine. Absolute figures move by a fifth to a half from machine to machine and hour to hour; ratios are taken in one run, round by round in
turn with what they are measured against, and are medians. CPU is that of the processes named, per event accepted. PostgreSQL runs with
fsync and synchronous commit; Apache Kafka is the real broker. `docs/benchmarks.json` holds the same figures for programs.
"""


def page(kept: dict[str, Any]) -> str:
    lines = [HEAD, "| measured | figure | bar | met |", "|---|---:|---:|---|"]
    lines += [
        f"| [{each['name']}](#{each['name']}) {one['what']} | {one['value']} | {one['bar']} | {_met(one)} |"
        for each in kept.values()
        for one in each["figures"]
        if one["met"] is not None
    ]
    for each in kept.values():
        lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _section(each: dict[str, Any]) -> list[str]:
    machine = ", ".join(f"{key} {value}" for key, value in each["machine"].items())
    lines = [f"## {each['name']}", "", each["title"], "", f"`{each['command']}`, {each['date']}; {machine}.", ""]
    lines += ["| figure | value | bar | met |", "|---|---:|---:|---|"]
    lines += [f"| {one['what']} | {one['value']} | {one['bar']} | {_met(one)} |" for one in each["figures"]]
    if each["columns"]:
        lines += ["", f"| {' | '.join(each['columns'])} |", f"|{'---|' * len(each['columns'])}"]
        lines += [f"| {' | '.join(row)} |" for row in each["rows"]]
    return lines + [line for note in each["notes"] for line in ("", note)]


def _met(one: dict[str, Any]) -> str:
    return "" if one["met"] is None else "yes" if one["met"] else "**no**"
