"""All trials by name: what is done, on which stack, how often, and what it has to show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import erasing, faults, ordering, outages, poisoning, restoring, sending, storage
from .arena import APIS, SECOND_APIS, SECOND_WORKERS, WORKERS
from .faults import Fault


@dataclass(frozen=True)
class Trial:
    """One fault and its measure. `two`: roles of which a second one runs."""

    name: str  # as it is asked for on the command line
    words: str  # as the table tells it
    fault: Fault
    times: int = 8  # unless the command says how often
    seconds: float = 12.0
    two: tuple[str, ...] = ()
    load: bool = True  # under load, beside what the fault itself sends
    pace: float | None = None
    scale: Mapping[str, int] = field(default_factory=dict)


def _late(*roles: str) -> Mapping[str, str]:
    return dict.fromkeys(roles, "late-links:1000")


PLAN = (
    Trial("calm", "calm", faults.calm, seconds=8),
    Trial("kill-apis", "kill -9 of each API", faults.killing(*APIS)),
    Trial("kill-workers", "kill -9 of each worker", faults.killing(*WORKERS)),
    Trial("kill-backend", "kill -9 of a PostgreSQL backend", faults.kill_backends),
    Trial("kill-broker", "kill -9 of the broker", faults.killing("kafka")),
    Trial("publish-cursor", "death between publish and cursor", faults.dying("die-before-cursor", *WORKERS)),
    Trial("effect-offset", "death between effect and offset", faults.dying("die-before-offset", *WORKERS)),
    Trial("commit-answer", "death between commit and answer", faults.dying("die-after-commit", "interactions-api", "identity-api")),
    Trial("before-commit", "death before commit", faults.dying("die-before-commit", "interactions-api", *WORKERS)),
    Trial("slow-commits", "commits delayed by 0 to 500 ms in 64 writers", ordering.witnessed(faults.beside(faults.running("slow-commits:500", "interactions-api", "identity-api"), ordering.slow_writers)), seconds=20),
    Trial("late-links", "links a second late, merges, undos and retractions", faults.quarrelling(_late("interactions-worker", "scoring-worker", "service-audit-worker")), seconds=20),
    Trial("copies", "every event 2 to 5 times, and again 8 days later", sending.copies, two=("interactions-api-2", "interactions-worker-2"), load=False),
    Trial("other-body", "same source and id, another body", sending.contradictions, two=("interactions-api-2",)),
    Trial("poison", "poison among the good", poisoning.poison, load=False),
    Trial("poison-again", "poison delivered again", poisoning.poison_again),
    Trial("broken-handler", "a handler that fails on everything", poisoning.broken_handler, seconds=30),
    Trial("two-killed", "two of each: kill -9 of workers, order per key", ordering.witnessed(faults.killing(*WORKERS, *SECOND_WORKERS)), times=2, two=SECOND_WORKERS),
    Trial("two-frozen", "two of each: one frozen and thawed, order per key", ordering.witnessed(faults.freezing("scoring-worker", "interactions-worker-2", "identity-worker")), two=SECOND_WORKERS),
    Trial("broker-frozen", "broker frozen for 60 s", outages.freeze_broker, seconds=60),
    Trial("database-stopped", "database stopped for 30 s", outages.stop_database, seconds=30),
    Trial("terminate", "SIGTERM of each process", outages.terminate, times=2, two=(*SECOND_APIS, *SECOND_WORKERS)),
    Trial("overload", "three times the capacity for 60 s", outages.overload, seconds=60, load=False),
    Trial("disk-full", "PostgreSQL's disk is full", storage.fill_tablespace, seconds=15),
    Trial("clock-off", "a clock a day behind, then ahead", storage.clock_off(*APIS, *WORKERS), seconds=10),
    Trial("erasures", "death in the middle of an erasure", erasing.erasing(erasing.PLACES, *APIS, *WORKERS), times=2),
    Trial("restored", "scoring's database restored from a backup", restoring.restored("scoring"), seconds=10),
    Trial("empty", "scoring's database empty", restoring.emptied("scoring"), seconds=10),
    Trial("identity-restored", "identity's database restored from a backup", restoring.restored("identity"), seconds=10),
    Trial("audit-restored", "service-audit's database restored from a backup", restoring.restored("service-audit"), seconds=10),
    Trial("audit-empty", "service-audit's database empty", restoring.emptied("service-audit"), seconds=10),
    Trial("rebuilt", "projections of scoring and service-audit built anew", restoring.rebuilt("scoring", "service-audit"), seconds=10),
)  # fmt: skip

# The embedded stack: one process, four files, the local bus.
EMBEDDED = (
    Trial("calm", "calm", faults.calm, seconds=8),
    Trial("kill", "kill -9 of the process", faults.killing("hilo")),
    Trial("effect-offset", "death between effect and offset", faults.dying("die-before-offset", "hilo")),
    Trial("commit-answer", "death between commit and answer", faults.dying("die-after-commit", "hilo")),
    Trial("before-commit", "death before commit", faults.dying("die-before-commit", "hilo")),
    Trial("late-links", "links a second late, merges, undos and retractions", faults.quarrelling({"hilo": "late-links:1000"}), seconds=15),
    Trial("copies", "every event 2 to 5 times, and again 8 days later", sending.copies, load=False),
    Trial("other-body", "same source and id, another body", sending.contradictions),
    Trial("terminate", "SIGTERM of the process", outages.terminate_alone, times=3),
    Trial("disk-full", "the disk is full", storage.fill_disk, seconds=12),
    Trial("file-locked", "the file is locked by another program", storage.lock_file, seconds=12),
    Trial("file-spoilt", "the file is cut or overwritten", storage.spoil_file, load=False),
    Trial("clock-off", "a clock a day behind, then ahead", storage.clock_off("hilo"), seconds=10),
    Trial("erasures", "death in the middle of an erasure", erasing.erasing(erasing.PLACES_ALONE, "hilo"), times=1),
    Trial("restored", "scoring's database restored from a backup", restoring.restored_alone("scoring"), seconds=10),
    Trial("empty", "scoring's database empty", restoring.emptied_alone("scoring"), seconds=10),
    Trial("audit-restored", "service-audit's file restored from a backup", restoring.restored_alone("service-audit"), seconds=10),
    Trial("audit-empty", "service-audit's file gone", restoring.emptied_alone("service-audit"), seconds=10),
    Trial("rebuilt", "projections of scoring and service-audit built anew", restoring.rebuilt("scoring", "service-audit"), seconds=10),
)  # fmt: skip

# What fits into the test suite: every API and worker dies once, one dies at each place that matters, one backend goes.
SHORT = (
    Trial(
        "short",
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
SHORT_EMBEDDED = tuple(trial for trial in EMBEDDED if trial.name == "kill")


@dataclass(frozen=True)
class Planted:
    """A fault in the code: the plan, who runs it, how it is provoked, and which verdict must come of it."""

    name: str
    words: str
    fault: Fault
    betrayed_by: str  # the beginning of a finding that only this fault explains
    seconds: float = 15.0


SELFTEST = (
    Planted(
        "publish-before-commit", "publish before commit",
        faults.dying("publish-before-commit", "interactions-api"), "event recorded of nothing",
    ),
    Planted("no-claim", "no claim", faults.dying("no-claim,die-before-offset", "scoring-worker"), "sums of days in scoring"),
    Planted("offset-first", "offset before effect", faults.dying("offset-before-effect", "scoring-worker"), "effects in scoring"),
    Planted(
        "naive-cursor", "a naive cursor",
        faults.planted({"interactions-api": "slow-commits:500", "interactions-worker": "naive-cursor"}), "effects in",
    ),
    Planted(
        "early-answer", "acknowledgement before commit",
        faults.struck("acknowledge-before-commit", "interactions-api"), "acknowledged, not in the log",
    ),
    Planted(
        "revision-ignored", "a revision ignored",
        faults.quarrelling({"scoring-worker": "late-links:1500,revision-ignored"}), "links in scoring", seconds=25,
    ),
)  # fmt: skip

# A naive cursor and a publishing before the commit need two writers at once: SQLite has one.
SELFTEST_EMBEDDED = (
    Planted("no-claim", "no claim", faults.dying("no-claim,die-before-scorings-cursor", "hilo"), "sums of days in scoring"),
    Planted("offset-first", "offset before effect", faults.dying("offset-before-effect", "hilo"), "effects in"),
    Planted(
        "early-answer", "acknowledgement before commit",
        faults.struck("acknowledge-before-commit", "hilo"), "acknowledged, not in the log",
    ),
    Planted(
        "revision-ignored", "a revision ignored",
        faults.quarrelling({"hilo": "late-links:1500,revision-ignored"}), "links in scoring", seconds=25,
    ),
)  # fmt: skip
