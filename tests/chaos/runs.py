"""The runs: which faults in which order, how each is judged, and the table that tells of it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from . import faults
from .arena import APIS, WORKERS, Alone, Distributed, hands
from .checks import Checker, Verdict
from .faults import Fault, Scene
from .ledger import Ledger, Reply
from .load import Load


@dataclass(frozen=True)
class Trial:
    """One fault and its measure. `two`: with a second worker of each service and a second API of interactions."""

    name: str
    fault: Fault
    times: int | None = None
    seconds: float = 12.0
    two: bool = False


PLAN = (
    Trial("calm", faults.calm, seconds=8),
    Trial("kill -9 of each API", faults.killing(*APIS)),
    Trial("kill -9 of each worker", faults.killing(*WORKERS)),
    Trial("kill -9 of a PostgreSQL backend", faults.kill_backends),
    Trial("kill -9 of the broker", faults.killing("kafka")),
    Trial("death between publish and cursor", faults.dying("die-before-cursor", *WORKERS)),
    Trial("death between effect and offset", faults.dying("die-before-offset", *WORKERS)),
    Trial("death between commit and answer", faults.dying("die-after-commit", "interactions-api", "identity-api")),
    Trial("death before commit", faults.dying("die-before-commit", "interactions-api", *WORKERS)),
    Trial("commits delayed by 0 to 500 ms", faults.running("slow-commits:500", "interactions-api", "identity-api"), seconds=20),
    Trial("links a second late, merges and undos", faults.quarrelling(dict.fromkeys(("interactions-worker", "scoring-worker", "service-audit-worker"), "late-links:1000")), seconds=20),
    Trial("poison in the topics", faults.poison),
    Trial("poison delivered again", faults.poison_again),
    Trial("two of each: kill -9 of workers", faults.killing(*WORKERS, *(f"{w}-2" for w in WORKERS)), times=2, two=True),
    Trial("two of each: one frozen and thawed", faults.freezing("scoring-worker", "interactions-worker-2"), two=True),
    Trial("broker frozen for 60 s", faults.freeze_broker, seconds=60),
    Trial("database stopped for 30 s", faults.stop_database, seconds=30),
    Trial("SIGTERM of each process", faults.terminate),
)  # fmt: skip


# What fits into the test suite: every API and worker dies once, one dies at each place that matters, one backend goes.
SHORT = (
    Trial(
        "every role once",
        faults.in_turn(
            faults.killing(*APIS, *WORKERS),
            faults.dying("die-before-cursor", "interactions-worker"),
            faults.dying("die-before-offset", "scoring-worker"),
            faults.kill_backends,
        ),
        times=1,
    ),
)


@dataclass
class Row:
    """What a trial did."""

    name: str
    times: int
    verdict: Verdict
    taken: int
    seconds: float
    statuses: Mapping[int, int]
    p99: float
    slowest: float
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        v = self.verdict
        told = ", ".join(f"{status or 'none'}: {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{self.name:<40} {self.times:>5} {self.taken:>7} {v.stored:>7} {v.of('lost'):>5} {v.of('twice'):>6} "
            f"{v.of('missing'):>8} {v.of('wrong'):>6} {self.seconds:>6.0f}  {told}; p99 {self.p99:.2f} s, slowest {self.slowest:.1f} s"
        )


HEAD = f"{'fault':<40} {'times':>5} {'taken':>7} {'stored':>7} {'lost':>5} {'twice':>6} {'missing':>8} {'wrong':>6} {'s':>6}  answers"


@dataclass
class Bench:
    """An arena with its load and its checker."""

    arena: Any
    load: Load
    checker: Checker
    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def of(cls, arena: Any, *, seed: int, pace: float) -> "Bench":
        ledger = Ledger()
        return cls(arena, Load(arena, ledger, seed=seed, pace=pace), Checker(arena, ledger), ledger)

    async def try_(self, trial: Trial, scene: Scene, *, within: float = 120.0) -> Row:
        scene = replace(
            scene,
            times=trial.times or scene.times,
            seconds=trial.seconds,
            notes=[],
            ledger=self.ledger,
            quarrel=self.load.quarrel,
        )
        before, begun = len(self.ledger.replies), time.monotonic()
        async with AsyncExitStack() as stack:
            if trial.two:
                await stack.enter_async_context(faults.doubled(scene))
            async with self.load.going():
                await asyncio.sleep(1)
                times = await trial.fault(scene)
                await asyncio.sleep(1)
        verdict = await self.checker.verdict(within=within)
        await faults.heal(scene, scene.arena.sabotaged)
        return _row(trial.name, times, verdict, self.ledger.replies[before:], begun, scene.notes)


def _row(name: str, times: int, verdict: Verdict, replies: Sequence[Reply], begun: float, notes: Sequence[str]) -> Row:
    answered = sorted(reply.seconds for reply in replies if 200 <= reply.status < 300)
    return Row(
        name=name,
        times=times,
        verdict=verdict,
        taken=sum(reply.rows for reply in replies if 200 <= reply.status < 300),
        seconds=time.monotonic() - begun,
        statuses=Counter(reply.status for reply in replies),
        p99=answered[int(len(answered) * 0.99)] if answered else 0.0,
        slowest=max((reply.seconds for reply in replies), default=0.0),
        notes=notes,
    )


async def run_plan(arena: Distributed, *, seed: int, times: int, pace: float, only: Sequence[str]) -> bool:
    """The whole plan on the distributed stack, in its order; the ledger and the databases are those of all trials so far."""
    trials = [trial for trial in PLAN if not only or trial.name.startswith(tuple(only))]
    return await run_trials(arena, trials, seed=seed, times=times, pace=pace)


async def run_trials(
    arena: Distributed, trials: Sequence[Trial], *, seed: int, times: int, pace: float, within: float = 120.0
) -> bool:
    bench = Bench.of(arena, seed=seed, pace=pace)
    clean = True
    _say(f"seed {seed}", HEAD)
    with hands() as executor:
        scene = Scene(arena, executor, random.Random(seed), times=times)
        for trial in trials:
            row = await bench.try_(trial, scene, within=within)
            clean &= _tell(row)
        await bench.load.close()
        await scene.do(arena.close)
    _say("said in the logs:", *(f"    {count:>6} {what}" for what, count in arena.complaints().most_common(40)))
    return clean


async def run_embedded(arena: Alone, *, seed: int, times: int, pace: float, only: Sequence[str]) -> bool:
    """kill -9 and SIGTERM of the one process, with SQLite and the local bus."""
    bench = Bench.of(arena, seed=seed, pace=pace)
    trials = (Trial("kill -9 of the process", faults.killing("hilo")),)
    clean = True
    _say(f"seed {seed}, embedded", HEAD)
    with hands() as executor:
        scene = Scene(arena, executor, random.Random(seed), times=times)  # type: ignore[arg-type]
        for trial in trials:
            clean &= _tell(await bench.try_(trial, scene))
        await bench.load.close()
        await scene.do(arena.close)
    return clean


@dataclass(frozen=True)
class Planted:
    """A fault in the code: the plan, who runs it, how it is provoked, and which verdict must come of it."""

    name: str
    fault: Fault
    betrayed_by: str  # the beginning of a finding that only this fault explains
    seconds: float = 15.0


SELFTEST = (
    Planted(
        "publish before commit", faults.dying("publish-before-commit", "interactions-api"), "event recorded of nothing"
    ),
    Planted("no claim", faults.dying("no-claim,die-before-offset", "scoring-worker"), "sums of days in scoring"),
    Planted("offset before effect", faults.dying("offset-before-effect", "scoring-worker"), "effects in scoring"),
    Planted(
        "a naive cursor",
        faults.planted({"interactions-api": "slow-commits:500", "interactions-worker": "naive-cursor"}),
        "effects in",
    ),
    Planted(
        "acknowledgement before commit",
        faults.struck("acknowledge-before-commit", "interactions-api"),
        "acknowledged, not in the log",
    ),
    Planted(
        "a revision ignored",
        faults.quarrelling({"scoring-worker": "late-links:1500,revision-ignored"}),
        "links in scoring",
        seconds=25,
    ),
)


async def run_selftest(arena: Distributed, *, seed: int, times: int, pace: float, only: Sequence[str]) -> bool:
    """Plants each fault and looks whether the checks find it: here a clean table is the failure.

    What one fault has broken stays broken: what counts are the findings that were not there before.
    """
    bench = Bench.of(arena, seed=seed, pace=pace)
    found_all = True
    known: Counter[str] = Counter()
    _say(f"seed {seed}, with planted faults", HEAD)
    with hands() as executor:
        scene = Scene(arena, executor, random.Random(seed), times=2)
        for planted in SELFTEST:
            if only and not planted.name.startswith(tuple(only)):
                continue
            row = await bench.try_(Trial(planted.name, planted.fault, seconds=planted.seconds), scene, within=60)
            counts = Counter({finding.what: finding.count for finding in row.verdict.findings})
            news, known = counts - known, counts
            _say(str(row), *(f"    found: {what}: {count}" for what, count in sorted(news.items())), *row.notes)
            if not any(what.startswith(planted.betrayed_by) for what in news):
                found_all = False
                _say("    NOT FOUND")
        await bench.load.close()
        await scene.do(arena.close)
    return found_all


def _tell(row: Row) -> bool:
    _say(
        str(row), *(f"    {finding}" for finding in row.verdict.findings), *(f"    note: {note}" for note in row.notes)
    )
    return row.verdict.clean and not row.notes


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)  # noqa: T201
