"""Matching in bulk beside Splink, on the same made-up file in the same run; and one record against many customers.

`python -m tests.load.matching splink FILE OUT` is the peer's process: each is measured with its own memory.
"""

import asyncio
import csv
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from common.db import Database
from identity.matching.blocking import keys_of
from identity.matching.domain import SHIPPED_COMMON
from identity.matching.records import Person, read_person, written
from identity.matching.use_cases import Told, compare_with_all
from identity.uow import IdentityUnitOfWork

from .grounds import ROOT, Grounds
from .results import Report, at_most, plain

RECORDS = 1_000_000
BETWEEN_LOOKS = 0.2  # seconds between two looks at the memory
CITIES = (
    "Bogota",
    "Medellin",
    "Cali",
    "Barranquilla",
    "Cartagena",
    "Cucuta",
    "Pereira",
    "Manizales",
    "Ibague",
    "Neiva",
)
COLUMNS = (
    "record_id", "entity", "given_names", "surnames", "birth_date", "document", "phone", "email", "address", "city",
)  # fmt: skip
MAP = """id = "{record_id}"
[touchpoint]
source = "bench"
kind = "note"
channel = "call"
occurred_at = "2026-01-01"
identifiers = ["document:co-cc:{document}", "phone:{phone}", "email:{email}"]
[profile]
given_names = "{given_names}"
surnames = "{surnames}"
birth_date = "{birth_date}"
address = "{address}"
city = "{city}"
country = "CO"
"""


# --- a file of people ---------------------------------------------------------------------------------------------------


class People:
    """Families with a home and a telephone; their people with names, some with an e-mail; seen one to five times, with slips."""

    def __init__(self, seed: int = 7) -> None:
        self.draw = random.Random(seed)
        self.given, self.given_weights = self._names("given_names", 3_000)
        self.surnames, self.surname_weights = self._names("surnames", 12_000)

    def _names(self, kind: str, rare: int) -> tuple[list[str], list[float]]:
        """The common names as shipped, and a long tail of rare ones."""
        common = SHIPPED_COMMON[kind].share
        parts = (
            "ba",
            "ce",
            "di",
            "fo",
            "gu",
            "la",
            "me",
            "ni",
            "pa",
            "que",
            "ri",
            "so",
            "ta",
            "va",
            "ze",
            "mon",
            "ber",
            "cal",
        )
        tail = {"".join(self.draw.choices(parts, k=self.draw.choice((2, 3, 3)))) for _ in range(rare)} - common.keys()
        left = 1 - sum(common.values())
        weights = [1 / (place + 20) for place in range(len(tail))]
        return [*common, *sorted(tail)], [*common.values(), *(left * w / sum(weights) for w in weights)]

    def records(self, count: int) -> Iterator[tuple[str, ...]]:
        number = entity = 0
        while number < count:
            first, second = self.draw.choices(self.surnames, self.surname_weights, k=2)
            home = f"{self.draw.choice(('Calle', 'Carrera', 'Diagonal'))} {self.draw.randint(1, 180)} # {self.draw.randint(1, 130)}-{self.draw.randint(1, 99)}"
            city, phone = self.draw.choice(CITIES), f"3{self.draw.randint(0, 10**9 - 1):09}"
            for _ in range(self.draw.choice((1, 1, 1, 2, 3))):
                entity += 1
                person = self._person(entity, first, second, phone, home, city)
                for _ in range(self.draw.choice((1, 1, 1, 2, 2, 3, 5))):
                    number += 1
                    yield (f"r{number:08}", str(entity), *self._seen(person))

    def _person(self, entity: int, first: str, second: str, phone: str, home: str, city: str) -> list[str]:
        given = " ".join(self.draw.choices(self.given, self.given_weights, k=self.draw.choice((1, 2))))
        birth = f"{self.draw.randint(1940, 2006)}-{self.draw.randint(1, 12):02}-{self.draw.randint(1, 28):02}"
        own = f"3{self.draw.randint(0, 10**9 - 1):09}" if self.draw.random() < 0.7 else phone
        mail = (
            f"{given.split()[0]}.{first}{entity % 9973}@{self.draw.choice(('gmail.com', 'hotmail.com', 'outlook.com'))}"
        )
        return [given, f"{first} {second}", birth, str(self.draw.randint(10**7, 12 * 10**8)), own, mail, home, city]

    def _seen(self, person: Sequence[str]) -> list[str]:
        missing = (0.0, 0.0, 0.4, 0.3, 0.2, 0.4, 0.3, 0.15)
        told = ["" if self.draw.random() < share else value for value, share in zip(person, missing, strict=True)]
        if self.draw.random() < 0.3:
            told[1] = told[1].split()[0]
        return [self._slip(value) if value and self.draw.random() < 0.06 else value for value in told]

    def _slip(self, value: str) -> str:
        at = self.draw.randrange(len(value))
        other = self.draw.choice("0123456789" if value[at].isdigit() else "aeiourslnt")
        return self.draw.choice(
            (
                value[:at] + value[at + 1 :],
                value[:at] + other + value[at + 1 :],
                value[:at] + value[at : at + 2][::-1] + value[at + 2 :],
            )
        )


def write_people(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, record in enumerate(People().records(count)):
            if number == count:
                break
            writer.writerow(record)


# --- the two contenders -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a process took, and how well it told who is who, pair by pair."""

    seconds: float
    cpu: float
    megabytes: float
    precision: float
    recall: float


def measured(command: Sequence[str], gold: Path, out: Path) -> Run:
    """CPU and memory are those of the process and of all that it starts."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with ThreadPoolExecutor(1) as pool:
        peak = pool.submit(_peak, process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak.result(), *_precision_and_recall(gold, out))


def _peak(pid: int) -> float:
    """The most megabytes that a process and its children held at once, looked at until it is no more."""
    most = 0.0
    while told := sum(map(_megabytes, (pid, *_children(pid)))):
        most = max(most, told)
        time.sleep(BETWEEN_LOOKS)
    return most


def _children(pid: int) -> list[int]:
    try:
        found = [int(child) for of in Path(f"/proc/{pid}/task").glob("*/children") for child in of.read_text().split()]
    except OSError:  # it ended meanwhile
        return []
    return [*found, *(each for child in found for each in _children(child))]


def _megabytes(pid: int) -> float:
    """Of its own memory, and of what it shares its part (PSS); 0 of a process that is no more."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _precision_and_recall(gold: Path, out: Path) -> tuple[float, float]:
    with gold.open(encoding="utf-8") as file:
        entity = {row["record_id"]: row["entity"] for row in csv.DictReader(file)}
    with out.open(encoding="utf-8") as file:
        cluster = {row["record_id"]: row["cluster_id"] for row in csv.DictReader(file)}
    both = _pairs(Counter((cluster[each], entity[each]) for each in entity))
    found, true = _pairs(Counter(cluster.values())), _pairs(Counter(entity.values()))
    return both / max(found, 1), both / max(true, 1)


def _pairs(counts: "Counter[Any]") -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())


def splink(path: Path, out: Path) -> None:
    """The peer, as its documentation sets it up: comparisons of its library, weights by its EM, clusters at its threshold."""
    import duckdb
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    api = DuckDBAPI(connection=duckdb.connect())
    api._con.execute("set threads to 2")
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    told = ", ".join(f"nullif({name}, '') as {name}" for name in COLUMNS if name != "record_id")
    api._con.execute(
        f"create table people as select record_id as unique_id, {told}, split_part(surnames, ' ', 1) as surname, "
        f"split_part(given_names, ' ', 1) as first_name from read_csv('{path}', header=true, columns={{{types}}})"
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("document"), block_on("phone"), block_on("email"), block_on("birth_date", "first_name"),
            block_on("birth_date", "surname"), block_on("address", "first_name"), block_on("given_names", "surnames"),
        ],
        comparisons=[
            cl.NameComparison("given_names").configure(term_frequency_adjustments=True),
            cl.NameComparison("surnames").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("document", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("phone", 1), cl.EmailComparison("email"),
            cl.JaroWinklerAtThresholds("address", [0.95, 0.88]),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        ],
    )  # fmt: skip
    linker = Linker(api.register("people"), settings)
    linker.training.estimate_probability_two_random_records_match([block_on("document")], recall=0.5)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in (block_on("document"), block_on("birth_date", "first_name")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    predictions = linker.inference.predict(threshold_match_probability=0.5)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, 0.95)
    api._con.execute(
        f"copy (select unique_id as record_id, cluster_id from {clusters.physical_name}) to '{out}' (header, delimiter ',')"
    )


def matching(place: Grounds, *, rounds: int, seconds: float, scale: int = RECORDS) -> Report:
    """Both read the same CSV and write who is who; whole processes, one after the other, round by round."""
    path, map_file = place.folder / "people.csv", place.folder / "people.toml"
    write_people(path, scale)
    map_file.write_text(MAP)
    ours, theirs = place.folder / "ours.csv", place.folder / "theirs.csv"
    hilo = [str(Path(sys.executable).with_name("hilo")), "match", str(path), "--map", str(map_file), "--out", str(ours)]
    peer = [sys.executable, "-m", "tests.load.matching", "splink", str(path), str(theirs)]
    runs = [(measured(hilo, path, ours), measured(peer, path, theirs)) for _ in range(rounds)]
    mine, other = ([pair[side] for pair in runs] for side in (0, 1))
    report = Report(
        "matching",
        f"A file of {scale:,} records of people and families with slips and gaps, matched by `hilo match` and by Splink 5 on DuckDB.",
    )
    report.figures = [
        at_most("seconds, in shares of Splink's", _middle(mine, "seconds") / _middle(other, "seconds"), 1, digits=2),
        plain("CPU seconds, in shares of Splink's", _middle(mine, "cpu") / _middle(other, "cpu"), digits=2),
        at_most("memory, in shares of Splink's", _middle(mine, "megabytes") / _middle(other, "megabytes"), 1, digits=2),
        plain("pairs told right of those told", _middle(mine, "precision"), digits=4),
        plain("pairs found of those there are", _middle(mine, "recall"), digits=4),
    ]
    report.table(
        ["", "seconds", "CPU seconds", "MB", "precision", "recall"],
        [
            [
                name,
                round(each.seconds, 1),
                round(each.cpu, 1),
                round(each.megabytes),
                f"{each.precision:.4f}",
                f"{each.recall:.4f}",
            ]
            for pair in runs
            for name, each in zip(("Hilo", "Splink"), pair, strict=True)
        ],
    )
    report.notes = [
        "Memory is the most that all processes of a run held at once.",
        "Neither saw a label. Splink's rules for blocking and comparing are written for this file; Hilo's are the shipped ones.",
    ]
    return report


# --- one record at a time -----------------------------------------------------------------------------------------------


POPULATIONS = (10_000, 100_000, 1_000_000)
NEWCOMERS = 500
WARMING = 20  # newcomers of whom each round takes no note


async def _fill(database: Database, count: int) -> list[Person]:
    """Customers with what is compared of them, as identity keeps it; written by COPY. Gives a sample of them."""
    people, sample = People().records(10**9), list[Person]()
    connection = await asyncpg.connect(
        database.engine.url.render_as_string(hide_password=False).replace("+asyncpg", "")
    )
    try:
        records, keys = [], []
        for number in range(count):
            person, trace_id = _person(next(people)), UUID(int=number + 1)
            records.append((trace_id, orjson.dumps(written(person)).decode()))
            keys += [(key, trace_id) for key in keys_of(person)]
            if number * NEWCOMERS // count > (number - 1) * NEWCOMERS // count:
                sample.append(person)
            if len(records) == 20_000 or number == count - 1:
                await connection.copy_records_to_table("match_record", records=records, columns=["trace_id", "told"])
                await connection.copy_records_to_table("match_key", records=keys, columns=["key", "trace_id"])
                records, keys = [], []
        await connection.execute("VACUUM ANALYZE match_key")
        await connection.execute("VACUUM ANALYZE match_record")
    finally:
        await connection.close()
    return sample


def _person(record: Sequence[str]) -> Person:
    told = dict(zip(COLUMNS, record, strict=True))
    schemes = {"document": "co-cc:", "phone": "+57", "email": ""}
    carried = [(scheme, prefix + told[scheme]) for scheme, prefix in schemes.items() if told[scheme]]
    return read_person(told, carried, country="CO")


async def _milliseconds(person: Person, newcomer: UUID, uow: IdentityUnitOfWork) -> tuple[float, float]:
    """What it takes to find, read and weigh all that may be a newcomer; and our own CPU of it."""
    begun, busy = time.perf_counter(), time.thread_time()
    await compare_with_all([Told(newcomer, newcomer, person)], {}, uow=uow)
    return (time.perf_counter() - begun) * 1000, (time.thread_time() - busy) * 1000


async def _online(urls: Mapping[int, str], rounds: int) -> dict[int, list[tuple[float, float]]]:
    """By how many are known: milliseconds and CPU of each newcomer. The sizes take turns, newcomer by newcomer."""
    databases = {size: Database.connect(url) for size, url in urls.items()}
    try:
        samples = {size: await _fill(database, size) for size, database in databases.items()}
        taken: dict[int, list[tuple[float, float]]] = {size: [] for size in urls}
        async with AsyncExitStack() as opened:
            uows = {
                size: await opened.enter_async_context(IdentityUnitOfWork(database))
                for size, database in databases.items()
            }
            for number in [*range(WARMING), *range(NEWCOMERS)] * rounds:
                for size, uow in uows.items():
                    told = await _milliseconds(samples[size][number], UUID(int=2**100 + number), uow)
                    taken[size].append(told)
    finally:
        for database in databases.values():
            await database.dispose()
    turn = WARMING + NEWCOMERS
    return {size: [told for at, told in enumerate(all_) if at % turn >= WARMING] for size, all_ in taken.items()}


def newcomer(place: Grounds, *, rounds: int, seconds: float, scale: int = POPULATIONS[-1]) -> Report:
    """One record against many customers, on PostgreSQL: from its keys to the verdict on every candidate."""
    sizes = [*(size for size in POPULATIONS if size < scale), scale]
    for size in sizes:
        place.migrated("identity", database=f"customers_{size}")
    found = asyncio.run(_online({size: place.postgres.url(f"customers_{size}") for size in sizes}, rounds))
    report = Report(
        "newcomer",
        f"One record compared with all who are known; {NEWCOMERS} of them one after the other, most of them known already.",
    )
    times = {size: [_percentile([whole for whole, _ in found[size]], share) for share in (0.5, 0.99)] for size in sizes}
    smallest, largest = times[sizes[0]], times[scale]
    report.figures = [
        at_most(f"p99 of one record against {scale:,} customers", largest[1], 20, unit=" ms"),
        at_most(f"of that against {sizes[0]:,}, times", largest[1] / smallest[1], 1.3, digits=2),
        plain(f"p50 of that against {sizes[0]:,}, times", largest[0] / smallest[0], digits=2),
    ]
    report.table(
        ["customers", "p50 ms", "p99 ms", "p50 CPU ms", "p99 CPU ms"],
        [
            [size, *(round(_percentile(each, share), 2) for each in zip(*taken, strict=True) for share in (0.5, 0.99))]
            for size, taken in found.items()
        ],
    )
    report.notes = ["The sizes take turns, newcomer by newcomer, each in a database of its own."]
    return report


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _middle(runs: Sequence[Run], name: str) -> float:
    return float(statistics.median(getattr(run, name) for run in runs))


if __name__ == "__main__" and sys.argv[1] == "splink":
    splink(Path(sys.argv[2]), Path(sys.argv[3]))
