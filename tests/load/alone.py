"""The embedded stack: how soon it is ready, what it holds, what it takes in."""

import os
import signal
import sys
import time
from pathlib import Path

from hilo.native.ports import LOOPBACK, free_port
from hilo.native.processes import Process, launch
from hilo.native.roles import SERVICES, is_ready

from .grounds import ROOT, Grounds
from .ingest import MANY, ONE, TOUCHPOINT, fire
from .machine import memory_bytes, peak_bytes
from .results import Report, at_least, at_most, median, plain, say

READY_WITHIN = 120.0
MEGABYTE = 1_000_000


def _start(folder: Path, log: Path) -> tuple[Process, int, float]:
    port = free_port()
    environment = dict(os.environ) | {"HILO_RATE_LIMIT": "0", "PYTHONPYCACHEPREFIX": str(log.with_name("bytecode"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [Path(sys.executable).with_name("hilo"), "run", "--var", folder, "--port", str(port)]
    begun = time.perf_counter()
    process = launch(command, log=log, environment=environment, directory=ROOT, when_orphaned=signal.SIGTERM)
    urls = [f"http://{LOOPBACK}:{port}/{service.name}/readyz" for service in SERVICES]
    while not all(is_ready(url) for url in urls):
        if time.perf_counter() - begun > READY_WITHIN or not process.is_alive():
            raise RuntimeError(log.read_text()[-2000:])
        time.sleep(0.01)
    return process, port, time.perf_counter() - begun


def alone(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """`hilo run`: one process, four SQLite files, consumers and timers inside."""
    first, again, rates, singles, at_rest, loaded, peaks, p99s = [], [], [], [], [], [], [], []
    process, _, _ = _start(place.folder / "alone-before", place.folder / "alone.log")
    process.stop()  # compiled by now, as an installed system is, whatever the environment says of writing bytecode
    for each in range(rounds):
        folder = place.folder / f"alone-{each}"
        process, _, took = _start(folder, place.folder / "alone.log")
        first.append(took)
        process.stop()
        process, port, took = _start(folder, place.folder / "alone.log")
        again.append(took)
        at_rest.append(memory_bytes(process.pid) / MEGABYTE)
        authorization = f"Authorization: Bearer {(folder / 'credential').read_text().strip()}"
        base = f"http://{LOOPBACK}:{port}"
        options = ["--body", f"@{TOUCHPOINT}", "--header", authorization, "--seconds", str(seconds), "--warmup", "1"]
        batch = fire(base + MANY, "--batch", "100", "--connections", "4", *options, pids={"hilo": process.pid})
        single = fire(base + ONE, "--connections", "64", *options, pids={"hilo": process.pid})
        rates.append(batch["rate"])
        p99s.append(batch["p99_ms"])
        singles.append(single["rate"])
        loaded.append(memory_bytes(process.pid) / MEGABYTE)
        peaks.append(peak_bytes(process.pid) / MEGABYTE)
        say(f"  first {first[-1]:.2f} s  again {again[-1]:.2f} s  {at_rest[-1]:.0f} / {peaks[-1]:.0f} MB  batch {rates[-1]:,.0f} ev/s "
              f"{batch['cpu_us_an_event']} {batch['refused']}  single {singles[-1]:,.0f} {single['refused']}")  # fmt: skip
        process.stop()
    report = Report(
        "embedded",
        "`hilo run`: one process, four SQLite files (WAL, synchronous FULL), its own consumers working beside the load.",
    )
    report.figures = [
        at_most("start to all four ready", median(again), 2, unit=" s", digits=2),
        plain("the very first start, which makes the databases", median(first), unit=" s", digits=2),
        at_most("memory after the load", median(loaded), 250, unit=" MB", digits=0),
        plain("memory at rest", median(at_rest), unit=" MB", digits=0),
        plain("memory at its highest", median(peaks), unit=" MB", digits=0),
        at_least("POST batches of 100 on 4 connections", median(rates), 8000, unit=" ev/s", digits=0),
        plain("p99 of a batch", median(p99s), unit=" ms"),
        plain("POST single on 64 connections", median(singles), unit=" ev/s", digits=0),
    ]
    return report
