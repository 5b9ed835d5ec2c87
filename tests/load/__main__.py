"""make bench ARGS="[--only NAME ...] [--rounds N] [--quick] [--write]": figures beside their bars, measured on this machine."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from importlib import import_module

from .grounds import Grounds, grounds
from .machine import facts
from .results import Report, keep, say

# Name -> module and function; each gets a place of its own, so that none finds another's tables.
BENCHES = {
    "batch": ("ingest", "batch"),
    "single": ("ingest", "single"),
    "through": ("pipeline", "through"),
    "visible": ("visible", "visible"),
    "resume": ("reading", "resume"),
    "identity": ("resolving", "identity"),
    "matching": ("matching", "matching"),
    "newcomer": ("matching", "newcomer"),
    "rescoring": ("rescoring", "rescoring"),
    "embedded": ("alone", "alone"),
    "workers": ("scaling", "workers"),
}
SCALED = {"resume", "identity", "matching", "newcomer", "rescoring"}
QUICK_SCALE = 40_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(BENCHES), choices=list(BENCHES), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender; ratios are medians over them")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn")
    parser.add_argument(
        "--scale", type=int, help="the largest log (resume), the people (identity), the customers (rescoring)"
    )
    parser.add_argument("--quick", action="store_true", help="one short round: whether it runs, not how fast")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    given = parser.parse_args()
    # The servers outlive a process that is killed: told to end, it ends them first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scale = given.scale or (QUICK_SCALE if given.quick else None)
    rounds, seconds = (1, 3.0) if given.quick else (given.rounds, given.seconds)
    for name in given.only:
        say(f"{name}:")
        module, function = BENCHES[name]
        # Only now: what one of them needs may not be there, or be broken, and the others still run.
        bench = getattr(import_module(f"tests.load.{module}"), function)
        with grounds() as place:
            scaled = {"scale": scale} if scale and name in SCALED else {}
            report: Report = bench(place, rounds=rounds, seconds=seconds, **scaled)
            machine = facts() | servers(place)
        show(report)
        if given.write:
            size = f" --scale {scale}" if scaled else ""
            command = f'make bench ARGS="--only {name} --rounds {rounds} --seconds {seconds:g}{size}"'
            keep(report, machine=machine, command=command, date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    return 0


def servers(place: Grounds) -> dict[str, str]:
    return {"postgresql": place.postgres.query("show server_version").partition(" ")[0]}


def show(report: Report) -> None:
    for one in report.figures:
        met = "" if one.met is None else "met" if one.met else "NOT MET"
        say(f"  {one.what:45} {one.value:>14} {one.bar:>14} {met}")
    if report.columns:
        say("  " + " | ".join(report.columns))
        for row in report.rows:
            say("  " + " | ".join(row))
    for note in report.notes:
        say(f"  {note}")


if __name__ == "__main__":
    sys.exit(main())
