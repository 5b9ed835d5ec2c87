"""What a second, third and fourth worker of one service brings on this machine."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .grounds import Grounds, Server
from .ingest import MANY, TOUCHPOINT, fire
from .machine import cpu_seconds
from .results import Report, plain, say

MOST = 4


def workers(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """POST batches of 100 to one to four processes of interactions on one database, in turn; a generator each."""
    environment = place.migrated("interactions")
    servers: list[Server] = []
    rows: list[list[Any]] = []
    for number in range(1, MOST + 1):
        servers.append(place.api("interactions", environment, name=f"hilo-{number}"))
        rates, worst, own, database = _together(place, servers, seconds)
        rows.append([f"{number} processes" if number > 1 else "1 process", sum(rates), worst, own, database])
        say(f"  {rows[-1]}")
    report = Report(
        "workers", "POST batches of 100 on 4 connections to each of one to four API processes over one PostgreSQL."
    )
    report.figures = [plain("two processes beside one, times", rows[1][1] / max(1e-9, rows[0][1]), digits=2)]
    report.table(["", "events/s", "p99 ms", "own CPU us/event", "PostgreSQL CPU us/event"], rows)
    return report


def _together(place: Grounds, servers: list[Server], seconds: float) -> tuple[list[float], float, float, float]:
    assert place.postgres.process is not None
    options = ["--batch", "100", "--connections", "4", "--seconds", str(seconds), "--warmup", "1", "--body", f"@{TOUCHPOINT}",
               "--header", place.authorization]  # fmt: skip
    pids = [server.pid for server in servers]
    before, postgres = sum(map(cpu_seconds, pids)), cpu_seconds(place.postgres.process.pid)
    with ThreadPoolExecutor(len(servers)) as pool:
        outcomes = list(pool.map(lambda server: fire(server.base + MANY, *options), servers))
    # the warm-up is in the CPU and not in the events: its share is taken off
    events = max(1.0, sum(one["accepted"] for one in outcomes) * (seconds + 1.0) / seconds)
    own = (sum(map(cpu_seconds, pids)) - before) / events * 1e6
    database = (cpu_seconds(place.postgres.process.pid) - postgres) / events * 1e6
    return [one["rate"] for one in outcomes], max(one["p99_ms"] for one in outcomes), own, database
