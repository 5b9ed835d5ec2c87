"""Changed rules: everybody's figures and classes anew, beside polars on the same transactions.

python -m tests.load.rescoring polars FILE | timers: the two sides, each in a process of its own.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import numpy as np
import polars as pl

from hilo.native.processes import launch

from .grounds import ROOT, Grounds
from .machine import cpu_seconds, peak_bytes
from .results import Report, at_most, plain, say

CUSTOMERS = 1_000_000
EACH = 5  # transactions of a customer, on average
SEED = 20261121
PATIENCE = 300.0  # seconds after which what is left is told by proportion
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
    asyncio.run(_first_standing(place))
    names = place.postgres.query(
        "select string_agg(column_name, ',' order by ordinal_position) from information_schema.columns "
        "where table_name = 'standing' and column_name <> 'customer_id' and is_generated = 'NEVER'",
        database="scoring",
    )
    place.postgres.query(
        f"insert into standing (customer_id, {names}) select {_CUSTOMER}, {names} "
        f"from (select * from standing limit 1) s, generate_series(1, {customers - 1}) g; delete from timer",
        database="scoring",
    )
    place.postgres.query("vacuum analyze", database="scoring")


async def _copy(place: Grounds, file: Path) -> None:
    connection = await asyncpg.connect(place.postgres.url("scoring", driver="postgresql"))
    await connection.copy_to_table("day_value", source=file, columns=DAY_COLUMNS, format="csv", timeout=3600)
    await connection.close()


async def _first_standing(place: Grounds) -> None:
    """One customer looked at by the service itself; the others get a copy, which is another's and so told anew in any case."""
    from common.clock import utc_now
    from common.company import Company
    from common.db import Database
    from scoring.appraisals.domain import Cause
    from scoring.appraisals.use_cases import reappraise
    from scoring.books import books_of
    from scoring.uow import ScoringUnitOfWork

    database = Database.connect(place.postgres.url("scoring"))
    async with ScoringUnitOfWork(database, books=books_of(Company.load(None))) as uow:
        await reappraise({UUID("00000000-0000-7000-8000-000000000001"): Cause.LINKED}, uow=uow, now=utc_now())
        await uow.commit()
    await database.dispose()


async def timers() -> None:
    """Scoring's timers alone, as its worker runs them, without a bus."""
    from common.service import runtime_of
    from scoring.service import SERVICE

    await SERVICE.create_timers(runtime_of(SERVICE)).run(asyncio.Event())


# --- the two side by side ---------------------------------------------------------------------------------------------


def rescoring(place: Grounds, *, rounds: int, seconds: float, scale: int = CUSTOMERS) -> Report:
    """PUT other thresholds, until the last customer has been looked at again."""
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
        polars = sorted((_polars(file) for _ in range(max(rounds, 3))), key=lambda one: one["seconds"])[1]
        before = cpu_seconds(worker.pid)
        moment = place.postgres.query("select now()", database="scoring")
        _change_rules(api.base, place)
        took, ranked, done = _until_done(place, moment, scale)
        used, peak = cpu_seconds(worker.pid) - before, peak_bytes(worker.pid)
    finally:
        worker.stop()
    whole = ranked + (took - ranked) * scale / max(1, done)
    report = Report(
        "rescoring",
        f"PUT thresholds with {scale:,} customers and {scale * EACH:,} transactions, until everybody has been looked at again.",
    )
    report.figures = [
        at_most("times polars on the same parquet", whole / polars["seconds"], 4),
        at_most("memory of the worker at its highest", peak / 1e6, 500, unit=" MB", digits=0),
        plain("seconds until everybody was looked at", whole, unit=" s"),
        plain("of them until the population was ranked", ranked, unit=" s"),
        plain("customers a second", done / max(1e-9, took - ranked), digits=0),
        plain("worker's CPU a customer", used / max(1, done) * 1e6, unit=" us", digits=0),
        plain("polars", polars["seconds"], unit=" s", digits=2),
        plain("polars' memory at its highest", polars["peak"] / 1e6, unit=" MB", digits=0),
    ]
    report.notes = [
        (
            "polars computes the classes of everybody from a file and keeps them in memory. Scoring reads its rows from PostgreSQL, compares each customer "
            "with what was said of him, writes the standing, the dated change and the event for the others."
        )
    ]
    if done < scale:
        report.notes.append(f"Stopped after {took:.0f} s and {done:,} customers; the whole is told by proportion.")
    return report


def _polars(file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.load.rescoring", "polars", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    outcome: dict[str, float] = json.loads(done.stdout)
    return outcome


def _change_rules(base: str, place: Grounds) -> None:
    url = f"{base}/scoring/v1/policies/thresholds"
    with httpx.Client(headers={"Authorization": place.authorization.partition(": ")[2]}, timeout=120) as client:
        read = client.get(url)
        body = read.json() | {"mvc_share": 0.07}
        client.put(url, json=body, headers={"If-Match": read.headers["ETag"]}).raise_for_status()


def _until_done(place: Grounds, moment: str, scale: int) -> tuple[float, float, int]:
    """Seconds until done (or out of patience), seconds until the ranking was there, customers looked at."""
    begun = time.perf_counter()
    ranked = 0.0
    while True:
        due, cuts, done = (
            int(each)
            for each in place.postgres.query(
                "select (select count(*) from timer where name in ('rank', 'wave') and due_at < now() + interval '10 s'), "
                f"(select count(*) from cut_points where computed_at > '{moment}'), "
                f"(select count(*) from standing where appraised_at > '{moment}')",
                database="scoring",
            ).split("|")
        )
        passed = time.perf_counter() - begun
        if cuts and not ranked:
            ranked = passed
        if (not due and ranked and done >= scale) or passed > PATIENCE:
            return passed, ranked, done
        time.sleep(1.0)


def main() -> None:
    if sys.argv[1] == "polars":
        sys.stdout.write(json.dumps(polars_side(Path(sys.argv[2]))))
    else:
        asyncio.run(timers())


if __name__ == "__main__":
    main()
