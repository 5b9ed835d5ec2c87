"""What is left of whom: every row of the four databases that tells of an erased person, and what his certificate had to say."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from common.db import Database
from common.erasure import erased_table
from identity.customers.models import customer
from identity.linking.models import trace
from identity.sightings.models import sighting, trace_identifier
from interactions.cases.models import case_file
from interactions.commitments.models import commitment
from interactions.touchpoints.models import receipt, touchpoint
from scoring.values.domain import COUNTED
from scoring.values.models import day_value
from service_audit.evidence.models import evidence
from service_audit.observations.models import observation

from .checks import KEPT_SUMS
from .doomed import Doomed

Databases = Mapping[str, Database]
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_WORD = re.compile(r"[a-z]{6}zq|302[0-9]{5}77|108[0-9]{5}96")
# Where ids of his may stand, which tell nobody a phone number: lists of the erased, what a trace and a customer were by which
# revision, the log of what was told in ids, and the decisions that are others' as well.
IDS_STAY = {
    "identity": {"erased", "customer", "erasure", "outbox", "decision"},
    "interactions": {"erased", "customer", "trace", "outbox", "receipt"},
    "scoring": {"erased", "customer", "trace_link", "outbox"},
    "service-audit": {"erased", "customer", "link", "outbox"},
}


@dataclass
class Possessions:
    """What lies in the databases of one person before he is erased."""

    traces: set[UUID] = field(default_factory=set)
    customers: set[UUID] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)  # ids of those that nobody else carries
    counts: Counter[str] = field(default_factory=Counter)  # service/table -> rows
    sums: Counter[str] = field(default_factory=Counter)  # of what he brought and cost, by column


async def possessions_of(who: Doomed, databases: Databases) -> Possessions:
    """Read when all that is known of him has arrived everywhere."""
    his = Possessions()
    async with databases["identity"].session(reading=True) as session:
        asked = [UUID(who.customer_id)]
        while asked:
            his.customers |= set(asked)
            query = sa.select(customer.c.customer_id).where(customer.c.merged_into.in_(asked))
            asked = [one for one in (await session.scalars(query)).all() if one not in his.customers]
        query = sa.select(trace.c.trace_id).where(trace.c.customer_id.in_(his.customers))
        his.traces = set((await session.scalars(query)).all())
        carried = await session.execute(sa.select(trace_identifier.c.trace_id, trace_identifier.c.identifier_id))
        carriers = defaultdict(set)
        for row in carried.all():
            carriers[row.identifier_id].add(row.trace_id)
        his.identifiers = {one.hex for one, some in carriers.items() if some & his.traces and some <= his.traces}
    for service, table in (
        ("identity", sighting), ("interactions", touchpoint), ("scoring", day_value), ("service-audit", evidence),
        ("service-audit", observation),
    ):  # fmt: skip
        rows = await _rows(databases[service], table, table.c.trace_id.in_(his.traces))
        his.counts[f"{service}/{table.name}"] = len(rows)
        if table is touchpoint:
            ids = [row["touchpoint_id"] for row in rows]
        if table is day_value:
            his.sums = summed(rows)
    for hanging in (receipt, commitment, case_file):
        rows = await _rows(databases["interactions"], hanging, hanging.c.touchpoint_id.in_(ids))
        his.counts[f"interactions/{hanging.name}"] = len(rows)
    return his


def summed(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in rows:
        total.update({name: int(row[name]) for name in COUNTED})
    return total


async def kept_sums(database: Database) -> Counter[str]:
    """What all erased persons brought and cost: rows under random keys, which are of another version than ids of traces."""
    return summed(row for row in await _rows(database, day_value, sa.true()) if row["trace_id"].version == KEPT_SUMS)


async def _rows(database: Database, table: sa.Table, where: Any) -> list[dict[str, Any]]:
    async with database.session(reading=True) as session:
        return [dict(row) for row in (await session.execute(sa.select(table).where(where))).mappings().all()]


# --- afterwards -------------------------------------------------------------------------------------------------------


async def left_of(
    people: Sequence[Doomed], theirs: Sequence[Possessions], databases: Databases
) -> tuple[list[str], list[str]]:
    """Words of the erased that are found anywhere, and ids of theirs in tables that have no business with them.

    Of each table and word one, so that a few examples tell of all.
    """
    marks = {mark for who in people for mark in who.marks}
    words = marks | {one for his in theirs for one in his.identifiers}
    ids = {one.hex for his in theirs for one in (*his.traces, *his.customers)}
    told: dict[tuple[str, str], str] = {}
    astray: dict[tuple[str, str], str] = {}
    for service, database in databases.items():
        async for table, row in _everything(database):
            found = {*_WORD.findall(row), *(one.replace("-", "") for one in _ID.findall(row))}
            place = f"{service}.{table}"
            told |= {(place, word): f"{place}: {word} in {_about(row, word)}" for word in found & words}
            if table not in IDS_STAY[service]:
                astray |= {(place, one): f"{place}: {one} in {_about(row, one)}" for one in sorted(found & ids)[:1]}
    return list(told.values()), list(astray.values())


async def _everything(database: Database) -> Any:
    """Name of the table and its row as text, in lower case, of each row of each table. Partitions are read with their table."""
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        for name in sorted(names):
            if name.rstrip("0123456789").rstrip("_") in names and name[-1].isdecimal():
                continue
            for row in await connection.execute(sa.text(f'SELECT * FROM "{name}"')):
                yield name, repr(tuple(row)).casefold()


def _about(row: str, word: str) -> str:
    place = max(row.find(word), row.replace("-", "").find(word), 0)
    return f"{row[:120]} ... {row[max(0, place - 60) : place + 100]}"


async def unlisted(databases: Databases, theirs: Sequence[Possessions]) -> list[str]:
    """Traces and customers that are missing on a service's list of the erased: what comes late would be taken for somebody's."""
    missing = []
    for service, database in databases.items():
        listed = {row["subject_id"] for row in await _rows(database, erased_table, sa.true())}
        missing += [f"{service}: {one}" for his in theirs for one in (his.traces | his.customers) - listed]
    return missing


def differing(who: Doomed, his: Possessions, certificate: Mapping[str, Any]) -> list[str]:
    """What the certificate says, against what there was."""
    said = {line["service"]: line for line in certificate["services"]}
    told = {
        f"{service}/{way}/{name}": said.get(service, {}).get(way, {}).get(name, 0)
        for service, way, name in (
            ("identity", "removed", "sighting"), ("interactions", "removed", "touchpoint"), ("interactions", "removed", "commitment"),
            ("interactions", "removed", "case_file"), ("interactions", "kept", "receipts"), ("scoring", "kept", "day_value"),
            ("service-audit", "removed", "observation"),
        )
    }  # fmt: skip
    count = his.counts
    least = {
        "identity/removed/sighting": count["identity/sighting"],
        "interactions/removed/touchpoint": count["interactions/touchpoint"],
        "interactions/removed/commitment": count["interactions/commitment"],
        "interactions/removed/case_file": count["interactions/case_file"],
        "interactions/kept/receipts": count["interactions/receipt"],
        "scoring/kept/day_value": count["scoring/day_value"],
        "service-audit/removed/observation": count["service-audit/observation"],
    }
    lines = said.get("service-audit", {})
    told["service-audit/evidence"] = sum(lines.get(way, {}).get("evidence", 0) for way in ("removed", "kept"))
    least["service-audit/evidence"] = count["service-audit/evidence"]
    due = {name: (number, number) for name, number in least.items()}
    for name in ("interactions/removed/touchpoint", "interactions/kept/receipts"):
        due[name] = (least[name] + who.late, least[name] + who.late)
    if who.late:  # the others may have heard of it, or not
        due |= {
            name: (number, number + 4 * who.late)
            for name, (number, _) in due.items()
            if not name.startswith("interactions")
        }
    return [
        f"{who.word}: {name} should be {low}{'' if low == high else f' to {high}'}, is {told[name]}"
        for name, (low, high) in due.items()
        if not low <= told[name] <= high
    ]
