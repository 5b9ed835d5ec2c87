"""POST touchpoints, in batches and one by one, beside the ORM twin and the floor, in turns."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .grounds import ROOT, Grounds, Server
from .results import Report, at_least, at_most, median, plain, say

BODIES = Path(__file__).with_name("bodies")
TOUCHPOINT = BODIES / "touchpoint.json"
ONE = "/interactions/v1/touchpoints"
MANY = "/interactions/v1/touchpoints:batch"
Outcome = dict[str, Any]


def fire(url: str, *options: str, pids: Mapping[str, int] | None = None) -> Outcome:
    """The load generator in a process of its own."""
    counted = [part for name, pid in (pids or {}).items() for part in ("--pid", f"{name}={pid}")]
    command = [sys.executable, "-m", "tests.load.generator", "--url", url, *options, *counted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    outcome: Outcome = json.loads(done.stdout)
    return outcome


def contenders(place: Grounds, *names: str) -> dict[str, Server]:
    """Hilo, the twin, the floor: each with a database of its own on the same server."""
    made: dict[str, Server] = {}
    for name in names:
        if name == "hilo":
            made[name] = place.api("interactions", place.migrated("interactions"), name="hilo")
        elif name == "floor":
            environment = place.migrated("interactions", database="floor")
            environment["LOAD_DATABASE_URL"] = place.postgres.url("floor", driver="postgresql")
            made[name] = place.uvicorn("tests.load.twin.floor", environment, name="floor")
        else:
            place.postgres.create_database("twin")
            environment = place.environment("twin")
            environment["LOAD_DATABASE_URL"] = place.postgres.url("twin")
            made[name] = place.uvicorn("tests.load.twin.orm", environment, name="twin")
    return made


def in_turns(
    place: Grounds, servers: Mapping[str, Server], path: str, options: Sequence[str], *, rounds: int
) -> dict[str, list[Outcome]]:
    """Round by round, each server once a round; the database's checkpoint lies between the turns, not in them."""
    postmaster = place.postgres.process
    assert postmaster is not None
    found: dict[str, list[Outcome]] = {name: [] for name in servers}
    for each in range(rounds):
        order = list(servers) if each % 2 == 0 else list(reversed(servers))
        for name in order:
            place.postgres.query("checkpoint")
            server = servers[name]
            pids = {name: server.pid, "postgres": postmaster.pid}
            options_ = [*options, "--header", place.authorization, "--body", f"@{TOUCHPOINT}"]
            outcome = fire(server.base + path, *options_, pids=pids)
            found[name].append(outcome)
            say(f"  {name:12} {outcome['rate']:>9,.0f} ev/s  p50 {outcome['p50_ms']:.1f}  p99 {outcome['p99_ms']:.1f} ms  "
                  f"cpu {outcome['cpu_us_an_event']}  {outcome['refused'] or ''}")  # fmt: skip
    return found


def ratio(found: Mapping[str, Sequence[Outcome]], one: str, other: str) -> float:
    return median([a["rate"] / b["rate"] for a, b in zip(found[one], found[other], strict=True)])


def summary(found: Mapping[str, Sequence[Outcome]]) -> tuple[list[str], list[list[Any]]]:
    """Medians over the rounds, a line for each contender."""
    columns = ["", "events/s", "p50 ms", "p99 ms", "own CPU us/event", "PostgreSQL CPU us/event", "refused"]
    rows = [
        [
            name,
            median([o["rate"] for o in some]),
            median([o["p50_ms"] for o in some]),
            median([o["p99_ms"] for o in some]),
            median([o["cpu_us_an_event"].get(name, 0.0) for o in some]),
            median([o["cpu_us_an_event"].get("postgres", 0.0) for o in some]),
            sum(sum(o["refused"].values()) + o["broken"] for o in some),
        ]
        for name, some in found.items()
    ]
    return columns, rows


def batch(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """Batches of 100 on eight connections."""
    servers = contenders(place, "hilo", "twin", "floor")
    options = ["--batch", "100", "--connections", "8", "--seconds", str(seconds), "--warmup", "2"]
    found = in_turns(place, servers, MANY, options, rounds=rounds)
    hilo = found["hilo"]
    report = Report("batch", "POST batches of 100 touchpoints on 8 connections, stored with conversation and outbox.")
    report.figures = [
        at_least("times the ORM twin", ratio(found, "hilo", "twin"), 4),
        at_least("times the hand-tuned floor", ratio(found, "hilo", "floor"), 0.5),
        plain("events a second", median([o["rate"] for o in hilo]), digits=0),
    ]
    report.table(*summary(found))
    for server in servers.values():
        place.stop(server)
    return report


def single(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """One touchpoint a request on 64 connections, and on 256."""
    servers = contenders(place, "hilo", "twin", "floor")
    options = ["--connections", "64", "--seconds", str(seconds), "--warmup", "2"]
    found = in_turns(place, servers, ONE, options, rounds=rounds)
    wide = in_turns(place, {"hilo": servers["hilo"]}, ONE, ["--connections", "256", *options[2:]], rounds=1)
    report = Report("single", "POST single touchpoints on 64 connections that are kept open.")
    report.figures = [
        at_least("times the ORM twin", ratio(found, "hilo", "twin"), 8),
        at_most("p99", median([o["p99_ms"] for o in found["hilo"]]), 20, unit=" ms"),
        plain("times the hand-tuned floor", ratio(found, "hilo", "floor"), digits=2),
        plain("requests a second", median([o["rate"] for o in found["hilo"]]), digits=0),
        plain("requests a second on 256 connections", median([o["rate"] for o in wide["hilo"]]), digits=0),
    ]
    columns, rows = summary(found)
    report.table(columns, [*rows, ["hilo, 256 connections", *summary(wide)[1][0][1:]]])
    for server in servers.values():
        place.stop(server)
    return report
