"""python -m tests.chaos [--seed N] [--times N] [--only NAME] [--selftest]: faults under load, and a table of what they did."""

import argparse
import asyncio
import sys

from .arena import alone, distributed
from .runs import run_embedded, run_plan, run_selftest


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="*", default=[1], help="one run for each")
    parser.add_argument("--times", type=int, default=8, help="how often each process dies")
    parser.add_argument("--pace", type=float, default=120.0, help="touchpoints a second")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults, or their beginnings")
    parser.add_argument("--selftest", action="store_true", help="plant faults in the code, and see that each is found")
    parser.add_argument("--embedded", action="store_true", help="the same checks on the embedded stack")
    arguments = parser.parse_args()
    failed = False
    for seed in arguments.seed:
        with alone() if arguments.embedded else distributed() as arena:
            run = run_embedded if arguments.embedded else run_selftest if arguments.selftest else run_plan
            failed |= not asyncio.run(
                run(arena, seed=seed, times=arguments.times, pace=arguments.pace, only=arguments.only)
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
