"""What the trials found: a line of JSON for each, a file for all, and the table that people read."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

REPORT = Path("var/chaos/report.json")
FATES = ("lost", "twice", "missing", "wrong")


@dataclass
class Row:
    """What one trial did with one seed."""

    seed: int
    stack: str
    name: str
    words: str
    times: int
    taken: int  # touchpoints answered with a yes during it
    stored: int  # touchpoints in the log after it: of all trials so far
    events: int
    seconds: float
    fates: Mapping[str, int]
    findings: Sequence[str]
    figures: Mapping[str, Any]
    bars: Sequence[Mapping[str, Any]]
    notes: Sequence[str]
    answers: Mapping[str, int]
    p99: float
    slowest: float
    at: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    @property
    def kept(self) -> bool:
        return not self.findings and not self.notes and all(bar["kept"] for bar in self.bars)

    def line(self) -> str:
        return json.dumps({**asdict(self), "kept": self.kept}, default=str)


HEAD = f"{'fault':<52} {'times':>5} {'taken':>7} {'stored':>7} {'lost':>5} {'twice':>6} {'missing':>8} {'wrong':>6} {'s':>6}"


def told(row: Row) -> list[str]:
    """A trial as the terminal shows it: the row, what is wrong, the bars."""
    fates = "{:>5} {:>6} {:>8} {:>6}".format(*(row.fates.get(fate, 0) for fate in FATES))
    answers = ", ".join(
        f"{status if status != '0' else 'none'}: {count}" for status, count in sorted(row.answers.items())
    )
    first = f"{row.words:<52} {row.times:>5} {row.taken:>7} {row.stored:>7} {fates} {row.seconds:>6.0f}"
    lines = [
        f"{first}  {'kept' if row.kept else 'NOT KEPT'}; {answers}; p99 {row.p99:.2f} s, slowest {row.slowest:.1f} s"
    ]
    lines += [f"    {finding}" for finding in row.findings] + [f"    note: {note}" for note in row.notes]
    lines += [
        f"    {bar['name']}: {bar['value']:g} ({bar['bar']}){'' if bar['kept'] else ' MISSED'}" for bar in row.bars
    ]
    return lines


def keep(rows: Sequence[Row], *, report: Path = REPORT) -> None:
    """Put the rows into the report; those of an earlier run with the same seed, stack and name make room."""
    known = {(one["seed"], one["stack"], one["name"]): one for one in _trials(report)}
    for row in rows:
        known[row.seed, row.stack, row.name] = json.loads(row.line())
    report.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": _machine(), "trials": list(known.values())}
    report.write_text(json.dumps(content, indent=1) + "\n")


def _trials(report: Path) -> list[dict[str, Any]]:
    try:
        trials: list[dict[str, Any]] = json.loads(report.read_text())["trials"]
    except (OSError, ValueError, KeyError):
        return []
    return trials


def _machine() -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {"cores": os.cpu_count(), "python": platform.python_version(), "commit": commit.stdout.strip()}


def table(*, report: Path = REPORT) -> str:
    """The report as Markdown: a row for each trial over all its seeds, the worst of each figure that is judged."""
    trials = _trials(report)
    if not trials:
        return f"There is no report yet: {report}\n"
    lines = [
        "| stack | fault | seeds | times | taken | lost | twice | missing | wrong | measured (worst of the seeds) | kept |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in trials:
        groups.setdefault((one["stack"], one["name"]), []).append(one)
    for (stack, _), some in groups.items():
        fates = " | ".join(str(sum(one["fates"].get(fate, 0) for one in some)) for fate in FATES)
        seeds = ", ".join(str(seed) for seed in sorted({one["seed"] for one in some}))
        counts = f"{sum(one['times'] for one in some)} | {sum(one['taken'] for one in some):,}"
        kept = "yes" if all(one["kept"] for one in some) else "**no**"
        lines.append(f"| {stack} | {some[0]['words']} | {seeds} | {counts} | {fates} | {_measured(some)} | {kept} |")
    return "\n".join(lines) + "\n"


def _measured(some: Sequence[Mapping[str, Any]]) -> str:
    """Counts of deaths are summed into one phrase; of every other bar the worst value is told."""
    worst: dict[str, dict[str, Any]] = {}
    for bar in (bar for one in some for bar in one["bars"]):
        known = worst.get(bar["name"])
        further = max if bar["bar"].startswith("<=") else min
        if known is None or further(bar["value"], known["value"]) != known["value"] or not bar["kept"]:
            worst[bar["name"]] = bar
    clean = [name for name, bar in worst.items() if bar["bar"] == "<= 0" and bar["kept"]]
    told_bars = [
        f"{name} {bar['value']:g} ({bar['bar']}){'' if bar['kept'] else ' **missed**'}"
        for name, bar in worst.items()
        if name not in clean
    ]
    return "; ".join([*told_bars, *([f"none of: {', '.join(clean)}"] if clean else [])])
