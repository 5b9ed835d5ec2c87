"""python -m tests.chaos [--seed N ...] [--times N] [--only NAME ...]: faults under load, and what they did."""

import argparse
import asyncio
import sys

from . import report
from .arena import alone, distributed
from .runs import Wanted, run_plan, run_selftest
from .trials import EMBEDDED, PLAN, SELFTEST, SELFTEST_EMBEDDED


def main() -> int:
    arguments = _arguments()
    if arguments.list:
        for stack, trials in (("distributed", PLAN), ("embedded", EMBEDDED)):
            print(f"{stack}:", *(f"    {trial.name:<16} {trial.words}" for trial in trials), sep="\n")  # noqa: T201
        for stack, planted in (("distributed", SELFTEST), ("embedded", SELFTEST_EMBEDDED)):
            print(f"{stack}, --selftest:", *(f"    {one.name:<22} {one.words}" for one in planted), sep="\n")  # noqa: T201
        return 0
    if arguments.table:
        print(report.table(), end="")  # noqa: T201
        return 0
    failed = False
    for seed in arguments.seed:
        wanted = Wanted(
            seed=seed, times=arguments.times, pace=arguments.pace, only=tuple(arguments.only), seconds=arguments.seconds,
            longest=arguments.longest, within=arguments.within,
            scale={name: value for name in ("poison", "among", "copies") if (value := getattr(arguments, name)) is not None},
        )  # fmt: skip
        with alone() if arguments.embedded else distributed() as arena:
            failed |= not asyncio.run((run_selftest if arguments.selftest else run_plan)(arena, wanted))
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="*", default=[1], help="one run for each")
    parser.add_argument(
        "--times", type=int, help="how often each process dies; without it as often as the trial says: 8, mostly"
    )
    parser.add_argument("--pace", type=float, default=120.0, help="touchpoints a second")
    parser.add_argument("--seconds", type=float, help="how long a fault lasts that has a length")
    parser.add_argument("--longest", type=float, default=900.0, help="seconds after which a trial is broken off")
    parser.add_argument("--within", type=float, default=120.0, help="seconds that effects are waited for after a trial")
    parser.add_argument("--poison", type=int, help="poison events (1000 in the full run)")
    parser.add_argument("--among", type=int, help="good events that they are among (100000 in the full run)")
    parser.add_argument("--copies", type=int, help="events that are sent 2 to 5 times")
    parser.add_argument("--only", nargs="*", default=[], help="names of trials, or their beginnings")
    parser.add_argument("--list", action="store_true", help="tell the names")
    parser.add_argument("--selftest", action="store_true", help="plant faults in the code, and see that each is found")
    parser.add_argument("--embedded", action="store_true", help="on the embedded stack")
    parser.add_argument("--table", action="store_true", help="the report as a table in Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
