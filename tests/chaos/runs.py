"""The runs: which trials in which order, how each is judged, and what is told of it."""

import asyncio
import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import faults, report
from .arena import hands
from .checks import Checker, Verdict
from .faults import Scene
from .ledger import Ledger
from .load import FEWEST_CUSTOMERS, MOST_CUSTOMERS, Load
from .measures import Measures, share
from .report import FATES, HEAD, Row
from .trials import EMBEDDED, PLAN, SELFTEST, SELFTEST_EMBEDDED, Planted, Trial


@dataclass(frozen=True)
class Wanted:
    """How much of everything, as the command says."""

    seed: int = 1
    times: int | None = None  # of each trial; None: as the trial says
    pace: float = 120.0
    only: Sequence[str] = ()
    seconds: float | None = None  # of a fault that lasts; None: as the trial says
    scale: Mapping[str, int] = field(default_factory=dict)
    longest: float = 900.0  # a trial that takes longer is broken off
    within: float = 120.0  # for the effects, at the end of a trial

    def chosen(self, trials: Sequence[Any]) -> list[Any]:
        """Those that are asked for by name or by its beginning; all where none is."""
        exact = {one.name for one in trials}
        beginnings = tuple(name for name in self.only if name not in exact)
        return [
            one
            for one in trials
            if not self.only or one.name in self.only or one.name.startswith(beginnings or ("\0",))
        ]


@dataclass
class Bench:
    """An arena with its load and its checker; the ledger and the databases are those of all trials so far."""

    arena: Any
    wanted: Wanted
    load: Load
    checker: Checker
    scene: Scene

    @classmethod
    def of(cls, arena: Any, executor: Any, wanted: Wanted) -> "Bench":
        ledger = Ledger()
        # people with more open complaints than anybody has would have each contact told of every one of them
        customers = min(MOST_CUSTOMERS, max(FEWEST_CUSTOMERS, wanted.scale.get("among", 0) // 10))
        load = Load(arena, ledger, seed=wanted.seed, pace=wanted.pace, customers=customers)
        checker = Checker(arena, ledger)
        scene = Scene(arena, executor, random.Random(wanted.seed), load, checker)
        return cls(arena, wanted, load, checker, scene)

    async def try_(self, trial: Trial, *, within: float | None = None) -> Row:
        wanted = self.wanted
        scene = replace(
            self.scene,
            times=wanted.times or trial.times,
            seconds=wanted.seconds or trial.seconds,
            within=wanted.within,
            notes=[],
            measures=Measures(),
            scale={**trial.scale, **wanted.scale},
        )
        self.load.pace = trial.pace or wanted.pace
        first, begun = len(self.load.ledger.replies), time.monotonic()
        async with AsyncExitStack() as stack:
            if trial.two:
                await stack.enter_async_context(faults.doubled(scene, trial.two))
            if trial.load:
                await stack.enter_async_context(self.load.going())
                await asyncio.sleep(1)
            try:
                async with asyncio.timeout(wanted.longest):
                    times = await trial.fault(scene)
            except Exception as error:  # noqa: BLE001 - the other trials are run all the same
                times = 0
                scene.notes.append(f"the trial broke off: {error!r}")
                _say(traceback.format_exc())
            await asyncio.sleep(1)
        verdict = await self.checker.verdict(within=within or wanted.within)
        await faults.heal(scene, self.arena.sabotaged)
        return self._row(trial, scene, times, verdict, first, begun)

    def _row(self, trial: Trial, scene: Scene, times: int, verdict: Verdict, first: int, begun: float) -> Row:
        replies = self.load.ledger.replies[first:]
        answered = [reply.seconds for reply in replies if 200 <= reply.status < 300]
        idle = ["nothing of the load was taken"] if trial.load and not answered else []
        return Row(
            seed=self.wanted.seed,
            stack=self.arena.name,
            name=trial.name,
            words=trial.words,
            times=times,
            taken=sum(reply.rows for reply in replies if 200 <= reply.status < 300),
            stored=verdict.stored,
            events=verdict.events,
            seconds=round(time.monotonic() - begun, 1),
            fates={fate: verdict.of(fate) for fate in FATES},
            findings=[str(finding) for finding in verdict.findings],
            figures={
                **scene.measures.figures,
                "postponed": dict(self.load.ledger.postponed),
                "load_of_the_machine": round(os.getloadavg()[1], 1),  # over five minutes: whoever else was at work
            },
            bars=[asdict(bar) for bar in scene.measures.bars],
            notes=[*scene.notes, *idle],
            answers={str(status): count for status, count in Counter(reply.status for reply in replies).items()},
            p99=round(share(answered, 0.99), 3),
            slowest=round(max((reply.seconds for reply in replies), default=0.0), 2),
        )


async def run_plan(arena: Any, wanted: Wanted) -> bool:
    """The plan of the arena's stack, in its order."""
    return await run_trials(arena, wanted.chosen(EMBEDDED if arena.bootstrap is None else PLAN), wanted, kept=True)


async def run_trials(arena: Any, trials: Sequence[Trial], wanted: Wanted, *, kept: bool = False) -> bool:
    """Every trial, a line of JSON for each; `kept`: in the report too. Gives whether all held what they have to."""
    _say(f"seed {wanted.seed}, {arena.name}", HEAD)
    good = True
    with hands() as executor:
        bench = Bench.of(arena, executor, wanted)
        for trial in trials:
            row = await bench.try_(trial)
            _say(*report.told(row), row.line())
            if kept:
                report.keep([row])
            good &= row.kept
        await bench.load.close()
        await bench.scene.do(arena.close)
    _say("said in the logs:", *(f"    {count:>6} {what}" for what, count in arena.complaints().most_common(40)))
    return good


async def run_selftest(arena: Any, wanted: Wanted) -> bool:
    """Plants each fault and looks whether the checks find it: here a clean table is the failure.

    What one fault has broken stays broken: what counts are the findings that were not there before.
    """
    found_all = True
    known: Counter[str] = Counter()
    _say(f"seed {wanted.seed}, {arena.name}, with planted faults", HEAD)
    with hands() as executor:
        # The embedded process has four consumers: it takes more deaths until the right one has died.
        bench = Bench.of(arena, executor, replace(wanted, times=4 if arena.bootstrap is None else 2))
        every = wanted.chosen(SELFTEST_EMBEDDED if arena.bootstrap is None else SELFTEST)
        for planted in every:
            row, found, known = await _planted(bench, planted, known)
            report.keep([row])
            found_all &= found
        await bench.load.close()
        await bench.scene.do(arena.close)
    return found_all


async def _planted(bench: Bench, planted: Planted, known: Counter[str]) -> tuple[Row, bool, Counter[str]]:
    """One planted fault, tried twice at most: the row, whether it was found, and all that is wrong by now."""
    runs, found = 0, False
    while not found and runs < 2:
        runs += 1
        trial = Trial(f"planted {planted.name}", f"planted: {planted.words}", planted.fault, seconds=planted.seconds)
        row = await bench.try_(trial, within=60)
        counts = bench.checker.counts()
        news, known = counts - known, counts
        found = any(what.startswith(planted.betrayed_by) for what in news)
        _say(
            *report.told(row)[:1], *(f"    found: {what}: {count}" for what, count in sorted(news.items())), *row.notes
        )
    if not found:
        _say("    NOT FOUND")
    # here a finding is the success
    row = replace(row, findings=[], notes=[] if found else ["not found"], figures={**row.figures, "found": dict(news)})
    row.bars = [{"name": "found in run", "value": runs if found else 3, "bar": "<= 2", "kept": found}]
    row.fates = {}
    return row, found, known


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201
