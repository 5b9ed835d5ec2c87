"""Changed rules: everybody's figures and classes anew, beside polars on the same transactions.

python -m tests.load.rescoring polars FILE | timers: the two sides, each in a process of its own.
"""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import numpy as np
import polars as pl

from common.ids import new_id
from hilo.native.processes import launch
from scoring.appraisals.domain import Lifecycle
from scoring.census.domain import BELOW_ZERO_REASONS, CLASSES, treatments
from scoring.classes.domain import WEAKNESSES, Tier
from scoring.policies.domain import RuleSet
from scoring.signals.domain import Signal

from .grounds import ROOT, Grounds
from .machine import cpu_seconds, peak_bytes
from .results import Report, at_most, median, plain, say

CUSTOMERS = 1_000_000
EACH = 5  # transactions of a customer, on average
SEED = 20261121
PATIENCE = 900.0  # seconds
DAY_COLUMNS = (
    "trace_id", "day", "currency", "entries", "purchases", "returns", "quantity", "revenue", "cost_of_goods", "contacts",
    "contact_cost", "quotes", "quotes_won", "quotes_lost", "payments", "paid",
)  # fmt: skip
_CUSTOMER = "(lpad(to_hex(g), 8, '0') || '-0000-7000-8000-000000000001')::uuid"
_TRACE = "(lpad(to_hex(g), 8, '0') || '-0000-7000-8000-000000000002')::uuid"


# --- the transactions -------------------------------------------------------------------------------------------------


def transactions(customers: int) -> pl.DataFrame:
    """Three years of purchases: some buy often, amounts are spread over orders of magnitude."""
    draw = np.random.default_rng(SEED)
    count = customers * EACH
    who = (draw.power(0.6, count) * customers).astype(np.int64) % customers
    revenue = np.exp(draw.normal(11.5, 1.2, count)).astype(np.int64) * 100
    today = datetime.now(UTC).date()
    return pl.DataFrame(
        {
            "customer": who,
            "day": pl.Series(np.datetime64(today) - draw.integers(1, 3 * 365, count).astype("timedelta64[D]")).cast(
                pl.Date
            ),
            "revenue": revenue,
            "cost": (revenue * draw.uniform(0.4, 1.1, count)).astype(np.int64),
            "contact_cost": draw.integers(0, 300_000, count),
        }
    )


def polars_side(file: Path) -> dict[str, float]:
    """Figures to date, of this year and of the year before; profit's ABC; the best tenth; tiers and dormancy; in seconds."""
    begun, today = time.perf_counter(), datetime.now(UTC).date()
    year, before = today - timedelta(days=365), today - timedelta(days=730)
    profit = pl.col("revenue") - pl.col("cost") - pl.col("contact_cost")
    figures = (
        pl.scan_parquet(file)
        .group_by("customer")
        .agg(
            pl.len().alias("frequency"),
            pl.col("revenue").sum(),
            profit.sum().alias("profit"),
            pl.col("revenue").filter(pl.col("day") > year).sum().alias("year"),
            pl.col("revenue").filter((pl.col("day") > before) & (pl.col("day") <= year)).sum().alias("year_before"),
            profit.filter(pl.col("day") > year).sum().alias("year_profit"),
            pl.col("day").max().alias("last"),
            pl.col("day").min().alias("first"),
        )
        .collect()
        .sort("profit", descending=True)
    )
    positive = pl.col("profit").clip(lower_bound=0)
    classed = figures.with_columns(share=positive.cum_sum() / positive.sum()).with_columns(
        abc=pl.when(pl.col("share") <= 0.8).then(pl.lit("A")).when(pl.col("share") <= 0.95).then(pl.lit("B")).otherwise(pl.lit("C")),
        tier=pl.when(pl.col("year_profit") >= pl.col("year_profit").quantile(0.9)).then(pl.lit("MVC"))
        .when(pl.col("profit") <= pl.col("profit").quantile(0.2)).then(pl.lit("BELOW_ZERO"))
        .when(pl.col("year") >= 1.2 * pl.col("year_before")).then(pl.lit("GROWING")).otherwise(pl.lit("STANDARD")),
        dormant=pl.col("last") < pl.lit(date.fromordinal(year.toordinal())),
    )  # fmt: skip
    return {"seconds": time.perf_counter() - begun, "customers": classed.height, "peak": peak_bytes(os.getpid())}


# --- the same in scoring's tables -------------------------------------------------------------------------------------


def fill(place: Grounds, given: pl.DataFrame, customers: int, folder: Path) -> None:
    """Scoring's tables as the consumers would have left them: days, links, customers, and a standing of everybody."""
    days = (
        given.group_by("customer", "day")
        .agg(pl.len().alias("purchases"), pl.col("revenue", "cost", "contact_cost").sum())
        .sort("customer", "day")
        .select(
            pl.concat_str(
                pl.col("customer").map_elements(lambda n: f"{n:08x}", return_dtype=pl.String),
                pl.lit("-0000-7000-8000-000000000002"),
            ).alias("trace_id"),
            "day",
            pl.lit("COP").alias("currency"),
            pl.col("purchases").alias("entries"),
            "purchases",
            pl.lit(0).alias("returns"),
            (pl.col("purchases") * 1000).alias("quantity"),
            "revenue",
            pl.col("cost").alias("cost_of_goods"),
            pl.col("purchases").alias("contacts"),
            "contact_cost",
            *(pl.lit(0).alias(name) for name in DAY_COLUMNS[11:]),
        )
    )
    file = folder / "days.csv"
    days.select(DAY_COLUMNS).write_csv(file, include_header=False)
    asyncio.run(_copy(place, file))
    many = f"generate_series(0, {customers - 1}) g"
    for statement in (
        f"insert into trace_link (trace_id, customer_id, revision) select {_TRACE}, {_CUSTOMER}, 1 from {many}",
        (
            "insert into customer (customer_id, revision, kind, state, since, key_account) "
            f"select {_CUSTOMER}, 1, 'person', 'active', now() - (g % 2000) * interval '1 day', false from {many}"
        ),
    ):
        place.postgres.query(statement, database="scoring")
    asyncio.run(_standings(place, folder))
    place.postgres.query("delete from timer", database="scoring")
    place.postgres.query("vacuum analyze", database="scoring")


async def _copy(place: Grounds, file: Path) -> None:
    connection = await asyncpg.connect(place.postgres.url("scoring", driver="postgresql"))
    await connection.copy_to_table("day_value", source=file, columns=DAY_COLUMNS, format="csv", timeout=3600)
    await connection.close()


async def _standings(place: Grounds, folder: Path) -> None:
    """What the rules say of everybody stands there, in all that other rules could change; the cut points as well."""
    from common.clock import utc_now
    from common.company import Company
    from common.db import Database
    from scoring.books import books_of
    from scoring.classes.use_cases import compute_cut_points, judged, misplaced
    from scoring.uow import ScoringUnitOfWork

    database = Database.connect(place.postgres.url("scoring"))
    now, books = utc_now(), books_of(Company.load(None))
    async with ScoringUnitOfWork(database, books=books) as uow:
        rules = await uow.policies.in_force()
        await uow.cuts.add(await compute_cut_points(uow=uow, rules=rules, as_of=books.day_of(now), now=now))
        (stretch,) = await uow.census.stretches()
        figures, said = await judged(stretch, uow=uow, now=now)
        await uow.commit()
    columns = np.stack([said.tier, said.reasons, said.abc, said.lifecycle, said.treatment], axis=1)
    kinds, kind = np.unique(columns, axis=0, return_inverse=True)
    ids = [UUID(bytes=each.tobytes()) for each in figures.customers.ids.astype(">u8")]
    (folder / "kinds.csv").write_text("".join(_kind(nr, each.tolist(), rules) for nr, each in enumerate(kinds)))
    (folder / "standings.csv").write_text(
        "".join(f"{each},{nr}\n" for each, nr in zip(ids, kind.ravel().tolist(), strict=True))
    )
    holding = np.flatnonzero(said.signals).tolist()
    (folder / "signals.csv").write_text(
        "".join(
            f"{new_id()},{ids[at]},{name}\n"
            for at in holding
            for bit, name in enumerate(Signal)
            if said.signals[at] >> bit & 1
        )
    )
    await _load(place, folder)
    async with ScoringUnitOfWork(database, books=books, reading=True) as uow:
        wrong = await misplaced(after=None, uow=uow, now=now)
        if len(wrong):
            raise RuntimeError(f"{len(wrong)} standings were not filled as the rules say")
    await database.dispose()


def _kind(number: int, said: Sequence[int], rules: RuleSet) -> str:
    tier, reasons, abc, lifecycle, treatment = said
    codes = [*BELOW_ZERO_REASONS, *WEAKNESSES]
    part = treatments(rules)[treatment]
    amount = {"amount": "1234567.00", "currency": "COP"}
    figures = {"tenure_months": 20, "dormancy": "none", "key_account": False, "frequency": 3, "rules_version": "x"}
    parts = {
        "value": {
            **figures,
            **dict.fromkeys(("revenue", "profitability", "contribution"), amount),
            "tier": list(Tier)[tier],
            "abc": CLASSES[abc] if abc >= 0 else None,
            "lifecycle": list(Lifecycle)[lifecycle],
            "reasons": [code for at, code in enumerate(codes) if reasons >> at & 1],
        },
        "treatment": part,
        "holdings": {
            "usual_amount": amount,
            "frequency": 3,
            "interval_days": 31.5,
            "last_purchase": "2026-01-02",
            "categories": [],
        },
        "alerts": [],
    }
    row = [
        number,
        list(Tier)[tier],
        CLASSES[abc] if abc >= 0 else "",
        list(Lifecycle)[lifecycle],
        part["service_level"],
    ]
    text = io.StringIO()
    csv.writer(text).writerow([*row, json.dumps(parts | {"suppress_paid_outbound": False, "more": "." * 100})])
    return text.getvalue()


async def _load(place: Grounds, folder: Path) -> None:
    connection = await asyncpg.connect(place.postgres.url("scoring", driver="postgresql"))
    await connection.execute(
        "create temp table kinds (nr int, tier text, abc text, lifecycle text, level text, parts jsonb);"
        "create temp table standings (customer_id uuid, nr int); create temp table signals (id uuid, customer_id uuid, signal text)"
    )
    for name in ("kinds", "standings", "signals"):
        await connection.copy_to_table(name, source=folder / f"{name}.csv", format="csv", timeout=3600)
    figures = "frequency, revenue, profitability, contribution, contacts, contact_cost, abc_profit, ranked_profit, contributed"
    await connection.execute(
        "insert into standing (customer_id, revision, appraised_at, is_vacant, is_ranked, tier, abc, lifecycle, in_best, in_worst, "
        f"{figures}, service_level, suppress_paid_outbound, rules_version, parts) select customer_id, 1, now(), false, true, tier, abc, "
        f"lifecycle, false, false, {', '.join('0' * 9)}, level, false, 'x', parts from standings join kinds using (nr)",
        timeout=3600,
    )
    await connection.execute(
        "insert into signal (id, customer_id, signal, since, raised_at, announced, evidence) "
        "select id, customer_id, signal, current_date, now(), false, '{}' from signals",
        timeout=3600,
    )
    await connection.close()


async def timers() -> None:
    """Scoring's timers alone, as its worker runs them, without a bus."""
    from common.service import runtime_of, tune_garbage_collection
    from scoring.service import SERVICE

    tune_garbage_collection()  # as the worker does when it has started
    await SERVICE.create_timers(runtime_of(SERVICE)).run(asyncio.Event())


# --- the two side by side ---------------------------------------------------------------------------------------------


def rescoring(place: Grounds, *, rounds: int, seconds: float, scale: int = CUSTOMERS) -> Report:
    """PUT other thresholds, until whoever they concern has been looked at again."""
    environment = place.migrated("scoring")
    given = transactions(scale)
    file = place.folder / "transactions.parquet"
    given.write_parquet(file)
    begun = time.perf_counter()
    fill(place, given, scale, place.folder)
    say(f"  filled in {time.perf_counter() - begun:.0f} s")
    api = place.api("scoring", environment)
    command = [sys.executable, "-m", "tests.load.rescoring", "timers"]
    worker = launch(command, log=place.folder / "timers.log", environment=environment, directory=ROOT, when_orphaned=signal.SIGTERM)  # fmt: skip
    try:
        time.sleep(3.0)
        first = _changed(place, api.base, worker.pid, {"mvc_share": 0.07})
        say(f"  first  {first}")
        beside: list[dict[str, float]] = []
        changes: list[Changed] = []
        for number in range(max(rounds, 3)):
            beside.append(_polars(file))
            share = 0.10 if number % 2 == 0 else 0.07
            changes.append(_changed(place, api.base, worker.pid, {"mvc_share": share}))
            say(f"  polars {beside[-1]['seconds']:.2f} s  {changes[-1]}")
        steeper = _changed(place, api.base, worker.pid, {"growing_ratio": 1.3})
        say(f"  growing_ratio {steeper}")
        peak = peak_bytes(worker.pid)
    finally:
        worker.stop()
    return _reported(scale, beside, first, changes, steeper, peak)


@dataclass(frozen=True)
class Changed:
    """One change of rules: seconds until nobody was left, until the population was ranked; who was looked at; CPU in seconds."""

    took: float
    ranked: float
    concerned: int
    worker: float
    postgres: float


def _changed(place: Grounds, base: str, worker: int, other: Mapping[str, float]) -> Changed:
    server = place.postgres.process.pid if place.postgres.process else 0
    before = cpu_seconds(worker), cpu_seconds(server)
    moment = place.postgres.query("select now()", database="scoring")
    begun = time.perf_counter()
    _change_rules(base, place, other)
    took, ranked = _until_done(place, moment, begun)
    used = cpu_seconds(worker) - before[0], cpu_seconds(server) - before[1]
    concerned = place.postgres.query(
        f"select count(*) from standing where appraised_at > '{moment}'", database="scoring"
    )
    return Changed(took, ranked, int(concerned), *used)


def _reported(
    scale: int, beside: list[dict[str, float]], first: Changed, changes: list[Changed], steeper: Changed, peak: int
) -> Report:
    report = Report(
        "rescoring",
        f"PUT another mvc_share with {scale:,} customers and {scale * EACH:,} transactions, until whoever it concerns has been looked at again.",
    )
    polars = median([one["seconds"] for one in beside])
    report.figures = [
        at_most(
            "times polars on the same parquet",
            median([one.took / each["seconds"] for one, each in zip(changes, beside, strict=True)]),
            4,
        ),
        at_most("memory of the worker at its highest", peak / 1e6, 500, unit=" MB", digits=0),
        plain("seconds until nobody was left", median([one.took for one in changes]), unit=" s"),
        plain("of them until the population was ranked", median([one.ranked for one in changes]), unit=" s"),
        plain("customers concerned", median([one.concerned for one in changes]), digits=0),
        plain("worker's CPU", median([one.worker for one in changes]), unit=" s"),
        plain("PostgreSQL's CPU", median([one.postgres for one in changes]), unit=" s"),
        plain("the first change after the worker's start: seconds", first.took, unit=" s"),
        plain("worker's CPU for that", first.worker, unit=" s"),
        plain("PostgreSQL's CPU for that", first.postgres, unit=" s"),
        plain("another growing_ratio instead: seconds", steeper.took, unit=" s"),
        plain("customers concerned by that", steeper.concerned, digits=0),
        plain("polars", polars, unit=" s", digits=2),
        plain("polars' memory at its highest", median([one["peak"] for one in beside]) / 1e6, unit=" MB", digits=0),
    ]
    report.notes = [
        (
            "polars computes the classes of everybody from a file and keeps them in memory. Scoring asks its rules of columns of everybody's figures, "
            "beside what stands of each, and for whoever is to be told otherwise writes the standing, the dated change and the events. The worker "
            "remembers the figures since it last ranked the population, which it does daily and after purchases: PostgreSQL tells it who was looked at "
            "since, and only they are read again. The first change after its start, or after midnight, reads everybody's rows. Days of waking (windows of the drop, months of dormancy, months that spare the young) concern everybody: they are "
            "looked at one by one."
        )
    ]
    return report


def _polars(file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.load.rescoring", "polars", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    outcome: dict[str, float] = json.loads(done.stdout)
    return outcome


def _change_rules(base: str, place: Grounds, other: Mapping[str, float]) -> None:
    url = f"{base}/scoring/v1/policies/thresholds"
    with httpx.Client(headers={"Authorization": place.authorization.partition(": ")[2]}, timeout=120) as client:
        read = client.get(url)
        client.put(url, json=read.json() | other, headers={"If-Match": read.headers["ETag"]}).raise_for_status()


def _until_done(place: Grounds, moment: str, begun: float) -> tuple[float, float]:
    """Seconds until nothing of it is due any more, and until the ranking was there."""
    ranked = 0.0
    while True:
        due, cuts = (
            int(each)
            for each in place.postgres.query(
                "select (select count(*) from timer where name in ('rank', 'wave') and due_at < now() + interval '10 s'), "
                f"(select count(*) from cut_points where computed_at > '{moment}')",
                database="scoring",
            ).split("|")
        )
        passed = time.perf_counter() - begun
        ranked = ranked or passed * bool(cuts)
        if not due and ranked:
            return passed, ranked
        if passed > PATIENCE:
            raise TimeoutError("nobody waits that long for other rules")
        time.sleep(0.1)


def main() -> None:
    if sys.argv[1] == "polars":
        sys.stdout.write(json.dumps(polars_side(Path(sys.argv[2]))))
    else:
        asyncio.run(timers())


if __name__ == "__main__":
    main()
