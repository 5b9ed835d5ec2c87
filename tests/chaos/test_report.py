"""The report: trials of several seeds become one line, and a bar that was missed once is missed."""

from dataclasses import replace

from .measures import Measures, share
from .report import Row, keep, table, told


def row(seed=1, **other):
    given = {"seed": seed, "stack": "distributed", "name": "kill", "words": "kill -9", "times": 8, "taken": 1000}
    given |= {"stored": 900, "events": 5000, "seconds": 12.0, "fates": {"lost": 0}, "findings": [], "figures": {}}
    given |= {"bars": [], "notes": [], "answers": {"201": 7}, "p99": 0.1, "slowest": 0.2}
    return Row(**(given | other))


def bar(value, kept=True):
    return {"name": "p99 against before", "value": value, "bar": "<= 2", "kept": kept}


def test_the_worst_of_the_seeds_is_told(tmp_path):
    report = tmp_path / "report.json"
    keep([row(1, bars=[bar(1.1)]), row(2, bars=[bar(3.0, kept=False)])], report=report)
    line = table(report=report).splitlines()[2]
    assert "| 1, 2 | 16 | 2,000 |" in line
    assert "p99 against before 3 (<= 2) **missed**" in line
    assert line.endswith("**no** |")


def test_a_trial_that_is_run_again_takes_its_own_place(tmp_path):
    report = tmp_path / "report.json"
    keep([row(findings=["lost: 1"])], report=report)
    assert "**no**" in table(report=report)
    keep([row()], report=report)
    assert "**no**" not in table(report=report)


def test_a_finding_a_note_or_a_missed_bar_means_that_it_was_not_kept():
    assert row().kept
    assert not replace(row(), findings=["lost"]).kept
    assert not replace(row(), notes=["broke off"]).kept
    assert not replace(row(), bars=[bar(3.0, kept=False)]).kept
    assert any("MISSED" in line for line in told(replace(row(), bars=[bar(3.0, kept=False)])))


def test_bars_are_judged_at_their_border():
    measures = Measures()
    measures.at_most("most", 2.0, 2.0)
    measures.at_least("least", 1.9, 2.0)
    measures.none("nothing", [])
    assert [one.name for one in measures.missed] == ["least"]
    assert share([3.0, 1.0, 2.0], 0.5) == 2.0
    assert share([], 0.99) == 0.0
