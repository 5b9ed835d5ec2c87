"""The checks: what lies in the databases against what was promised, and every projection against a pure recomputation."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

import identity.consumers
import interactions.consumers
import scoring.consumers
import service_audit.consumers
from common.company import Company
from common.contracts.identity import ContactChanged, CustomerProfiled, LinksChanged
from common.contracts.interactions import (
    CaseMoved,
    CommitmentMoved,
    PersonSeen,
    TouchpointFigures,
    TouchpointRecorded,
    TouchpointRetracted,
)
from common.contracts.scoring import ValueChanged
from common.db import Database, inbox_table, outbox_table, parked_table, timer_table
from common.erasure import erased_table
from common.events import Event, decode, registered
from common.partitions import first_id_of
from identity.contact.domain import Consent, Preference, contact_of
from identity.contact.models import consent, preference
from identity.customers.domain import Dossier, profile_of
from identity.customers.models import customer as identity_customer
from identity.knowledge.models import fact
from identity.linking.domain import Carried, Decision, Trail, World, is_visitor, together_by, user_of
from identity.linking.models import cannot_link, decision
from identity.linking.models import trace as identity_trace
from identity.sightings.models import identifier, sighting, trace_identifier
from identity.uow import IdentityUnitOfWork
from interactions.cases.models import case_file
from interactions.commitments.domain import DUE
from interactions.commitments.models import commitment
from interactions.conversations.domain import Act, Entry, replay, state_of
from interactions.conversations.models import conversation, conversation_act, conversation_entry
from interactions.parts.models import part
from interactions.touchpoints.models import customer, receipt, touchpoint, trace
from scoring.appraisals.domain import Cause
from scoring.appraisals.models import standing
from scoring.books import books_of
from scoring.consumers import Changes
from scoring.links.models import customer as scoring_customer
from scoring.links.models import open_case, trace_link
from scoring.links.repository import COMPLAINTS, UNMOVED
from scoring.values.domain import COUNTED, Tally, converted
from scoring.values.models import day_value
from service_audit.customers.models import link as audit_link
from service_audit.observations.domain import Observation, hear
from service_audit.observations.models import observation

from .arena import NAMES, Arena
from .ledger import SOURCE, Ledger

HEARS = {
    "identity": identity.consumers,
    "interactions": interactions.consumers,
    "scoring": scoring.consumers,
    "service-audit": service_audit.consumers,
}
# What was parked is claimed under a name of its own: those are no events.
KEPT_SUMS = (
    4  # the version of the keys under which scoring keeps what the erased brought: ids of traces are of version 8
)
EMPTIED = '"hilo.erased.v1"'  # in the content of an event of an erased person
_CLAIMS = sa.select(inbox_table.c.event_id).where(inbox_table.c.consumer.not_like("%:%"))  # nor parked, nor refused
Fate = Literal["lost", "twice", "missing", "wrong"]
Key = Any


@dataclass(frozen=True)
class Finding:
    """Something that should not be: of what sort, how often, and a few examples."""

    fate: Fate
    what: str
    count: int
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.fate}: {self.what}: {self.count} ({', '.join(self.examples)})"


@dataclass
class Verdict:
    """All findings of one look at the databases."""

    findings: list[Finding] = field(default_factory=list)
    stored: int = 0
    events: int = 0

    def add(self, fate: Fate, what: str, some: Iterable[Key]) -> None:
        every = list(some)
        if every:
            self.findings.append(Finding(fate, what, len(every), tuple(str(one) for one in every[:3])))

    def compare(self, what: str, expected: Mapping[Key, Any], found: Mapping[Key, Any]) -> None:
        """A projection against what it should be: absent is missing, another value is wrong, one too many is wrong."""
        self.add("missing", what, [key for key in expected if key not in found])
        self.add("wrong", f"{what}, too many", [key for key in found if key not in expected])
        differing = [key for key in expected if key in found and expected[key] != found[key]]
        self.add("wrong", what, [f"{key}: {_differing(expected[key], found[key])}" for key in differing])

    def of(self, fate: str) -> int:
        return sum(finding.count for finding in self.findings if finding.fate == fate)

    @property
    def clean(self) -> bool:
        return not self.findings


def _differing(expected: Any, found: Any) -> str:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        names = [name for name in expected if expected[name] != found.get(name)]
        return "; ".join(f"{name} should be {expected[name]!r}, is {found.get(name)!r}" for name in names)
    return f"should be {expected!r}, is {found!r}"


@dataclass
class Books:
    """Everything that the checks read."""

    until: UUID  # events from here on were told while it was read
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)  # by the service that told them
    told: dict[str, Counter[UUID]] = field(default_factory=dict)
    claimed: dict[str, set[UUID]] = field(default_factory=dict)
    parked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dossiers: dict[UUID, Dossier] = field(default_factory=dict)  # what identity knows of each active customer
    erased: dict[UUID, datetime] = field(default_factory=dict)  # traces and customers, each with the moment
    emptied: set[UUID] = field(
        default_factory=set
    )  # events on the erased that lost their content: claimed before, or never

    def heard(self, service: str) -> list[Event]:
        """What a service told, without what was before somebody's erasure: nobody may have kept anything of that."""
        return [event for event in self.events[service] if not self.is_erased(event)]

    def is_erased(self, event: Event) -> bool:
        """Whether it tells of a trace, or of a customer, before the erasure: by the earliest moment that it names."""
        at = self.erased.get(getattr(event.data, "trace_id", None) or getattr(event.data, "customer_id", None))
        if at is None or not hasattr(event.data, "trace_id"):
            return at is not None
        named = (getattr(event.data, name, None) for name in ("recorded_at", "occurred_at", "made_at", "at"))
        return min([moment for moment in named if moment is not None] or [event.time]) <= at


class Checker:
    """Reads the four databases directly; no API is asked."""

    def __init__(self, arena: Arena, ledger: Ledger) -> None:
        self.arena = arena
        self.ledger = ledger
        self.company = Company.load(None)
        self._last = Verdict()

    async def verdict(self, *, within: float = 90.0) -> Verdict:
        """Waits until all events have had their effects, or nothing moves any more, and looks.

        The four databases are not read at one moment, and timers go off meanwhile: what is wrong must be so a second time.
        """
        async with self.databases() as databases:
            await self._settled(databases, within=within)
            verdict: Verdict = await _patiently(lambda: self._look(databases))
            for _ in range(2):
                if verdict.clean:
                    break
                await asyncio.sleep(3)
                await self._settled(databases, within=30)  # a timer may have told something as we looked
                verdict = await _patiently(lambda: self._look(databases))
        self._last = verdict
        return verdict

    def counts(self) -> Counter[str]:
        """What the last look found, by its words."""
        return Counter({finding.what: finding.count for finding in self._last.findings})

    async def settled(self, *, within: float = 60.0) -> None:
        """Waits until all events have had their effects, or nothing moves any more."""
        async with self.databases() as databases:
            await self._settled(databases, within=within)

    async def told_and_claimed(self, service: str) -> tuple[int, int]:
        """How many events concern its consumer, and how many of them it has claimed."""
        async with self.databases() as databases:
            return (await _patiently(lambda: backlog(databases)))[service]

    async def _look(self, databases: Mapping[str, Database]) -> Verdict:
        books = await self._read(databases)
        verdict = Verdict()
        for check in (
            log,
            others_effects,
            links,
            conversations,
            figures,
            standings,
            cases,
            promises,
            observations,
            parts,
            values,
            people,
        ):
            check(books, self.ledger, self.company, verdict)
        verdict.events = sum(len(events) for events in books.events.values())
        verdict.stored = len(books.tables["touchpoint"])
        return verdict

    @asynccontextmanager
    async def databases(self) -> AsyncIterator[dict[str, Database]]:
        databases = {name: Database.connect(self.arena.url(name), pool_size=1) for name in NAMES}
        try:
            yield databases
        finally:
            for database in databases.values():
                await database.dispose()

    async def _settled(self, databases: Mapping[str, Database], *, within: float, stuck_after: float = 25.0) -> None:
        """Returns when every consumer has claimed all that concerns it, twice in a row, or when nothing moves."""
        deadline = time.monotonic() + within
        last: Any = None
        moved_at = time.monotonic()
        quiet = 0
        while time.monotonic() < deadline and quiet < 3:
            standing_now = await _patiently(lambda: backlog(databases))
            if standing_now != last:
                last, moved_at, quiet = standing_now, time.monotonic(), 0
            elif all(told == claimed for told, claimed in standing_now.values()):
                quiet += 1
            elif time.monotonic() - moved_at > stuck_after:
                return
            await asyncio.sleep(0.4)

    async def _read(self, databases: Mapping[str, Database]) -> Books:
        books = Books(until=UUID(int=first_id_of(datetime.now(UTC))))
        for name, database in databases.items():
            async with database.session(reading=True) as session:
                rows = (await session.execute(sa.select(outbox_table.c.id, outbox_table.c.payload))).all()
                events = [decode(row.payload) for row in rows]
                books.told[name] = Counter(row.id for row in rows)
                books.events[name] = [event for event in events if event is not None]
                books.emptied |= {row.id for row in rows if EMPTIED in row.payload}
                books.claimed[name] = set((await session.scalars(_CLAIMS)).all())
                for key, table in _TABLES[name].items():
                    found = (await session.execute(sa.select(table))).mappings().all()
                    books.tables[key] = [dict(row) for row in found]
                found = (await session.execute(sa.select(parked_table))).mappings().all()
                books.parked[name] = [dict(row) for row in found]
        async with IdentityUnitOfWork(databases["identity"], reading=True) as uow:
            books.erased = {row[0]: row[1] for row in (await uow.session.execute(sa.select(erased_table))).all()}
            active = [r["customer_id"] for r in books.tables["identity.customer"] if r["state"] == "active"]
            books.dossiers = await uow.customers.dossiers(active)
        return books


_TABLES: Mapping[str, Mapping[str, sa.Table]] = {
    "identity": {
        "identity.trace": identity_trace, "identity.customer": identity_customer, "sighting": sighting,
        "identifier": identifier, "carried": trace_identifier, "apart": cannot_link, "decision": decision, "consent": consent, "preference": preference, "fact": fact,
    },
    "interactions": {
        "touchpoint": touchpoint, "receipt": receipt, "trace": trace, "customer": customer, "part": part,
        "conversation": conversation, "entry": conversation_entry, "act": conversation_act, "commitment": commitment,
        "case": case_file, "timer": timer_table,
    },
    "scoring": {
        "day_value": day_value, "scoring.link": trace_link, "standing": standing, "scoring.customer": scoring_customer,
        "open_case": open_case,
    },
    "service-audit": {"observation": observation, "audit.link": audit_link},
}  # fmt: skip


async def _patiently(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The database may be on its way up again."""
    for _ in range(50):
        try:
            return await ask()
        except (sa.exc.DBAPIError, OSError):
            await asyncio.sleep(0.5)
    return await ask()


async def backlog(databases: Mapping[str, Database]) -> dict[str, tuple[int, int]]:
    """For each consumer how many events concern it, and how many it has claimed; what an erasure emptied is not looked at."""
    told: Counter[str] = Counter()
    emptied: list[UUID] = []
    claimed: dict[str, int] = {}
    by_kind = sa.select(outbox_table.c.type, sa.func.count()).group_by(outbox_table.c.type)
    without = sa.select(outbox_table.c.id, outbox_table.c.type).where(outbox_table.c.payload.contains(EMPTIED))
    for database in databases.values():
        async with database.session(reading=True) as session:
            told.update({row[0]: row[1] for row in (await session.execute(by_kind)).all()})
            gone = (await session.execute(without)).all()
            told.subtract(row.type for row in gone)
            emptied += [row.id for row in gone]
    for name, database in databases.items():
        async with database.session(reading=True) as session:
            claims = _CLAIMS.where(inbox_table.c.event_id.not_in(emptied))
            claimed[name] = int(await session.scalar(claims.with_only_columns(sa.func.count())) or 0)
    return {name: (sum(told[kind] for kind in wanted(name)), claimed[name]) for name in databases}


def wanted(consumer: str) -> set[str]:
    module = HEARS[consumer]
    return set(getattr(module, "TYPES", None) or {cls.type for cls in registered(module.TOPICS)})


# --- what was promised ------------------------------------------------------------------------------------------------


def log(books: Books, ledger: Ledger, _: Company, verdict: Verdict) -> None:
    """Acknowledged is stored; nothing is stored twice; every touchpoint is told once; nobody got two answers."""
    stored = [row for row in books.tables["touchpoint"] if row["source"] == SOURCE]
    first = Counter(row["external_id"] for row in stored if row["corrects"] is None)
    receipts = {
        row["external_id"]: str(row["touchpoint_id"]) for row in books.tables["receipt"] if row["source"] == SOURCE
    }
    by_id = {str(row["touchpoint_id"]): row for row in stored}
    verdict.add("lost", "acknowledged, not in the log", ledger.acknowledged.keys() - first.keys())
    verdict.add("lost", "acknowledged, without receipt", ledger.acknowledged.keys() - receipts.keys())
    verdict.add(
        "lost", "promises told of", ledger.commitments - {str(r["commitment_id"]) for r in books.tables["commitment"]}
    )
    verdict.add(
        "lost", "retractions", [t for t in ledger.retracted if t not in by_id or by_id[t]["state"] != "retracted"]
    )
    decisions = {str(row["decision_id"]): row for row in books.tables["decision"]}
    verdict.add("lost", "merges", ledger.merges - decisions.keys())
    for what, table in (("consent", "consent"), ("fact", "fact")):
        kept = {str(row[f"{what}_id"]) for row in books.tables[table]}
        verdict.add("lost", f"{what}s", getattr(ledger, f"{what}s") - kept)
    verdict.add("lost", "preferences", range(max(0, ledger.preferences - len(books.tables["preference"]))))
    verdict.add("lost", "undos", [m for m in ledger.undone if m in decisions and decisions[m]["undone_by"] is None])
    verdict.add("twice", "in the log", [key for key, count in first.items() if count > 1])
    verdict.add(
        "twice", "answered with two touchpoints", [k for k, told in ledger.acknowledged.items() if len(told) > 1]
    )
    verdict.add("wrong", "in the log, never sent", first.keys() - ledger.sent)
    verdict.add("wrong", "receipt of another touchpoint", [
        key for key, told in ledger.acknowledged.items() if key in receipts and receipts[key] not in told
    ])  # fmt: skip
    verdict.add("wrong", "refused, yet in the log", ledger.refused.keys() & first.keys())
    for odd, count in ledger.oddities.items():
        verdict.findings.append(Finding("wrong", odd, count))
    _told_once(books, verdict)
    _parked(books, ledger, verdict)


def _told_once(books: Books, verdict: Verdict) -> None:
    for name, ids in books.told.items():
        verdict.add("twice", f"events of {name} under one id", [one for one, count in ids.items() if count > 1])
    told: dict[type, Counter[UUID]] = defaultdict(Counter)
    for event in books.heard("interactions"):
        if isinstance(event.data, TouchpointRecorded | TouchpointRetracted):
            told[type(event.data)][event.data.touchpoint_id] += 1
    rows = books.tables["touchpoint"]
    kept = {row["touchpoint_id"] for row in rows}
    gone = {row["touchpoint_id"] for row in rows if row["state"] != "live"}
    for kind, due, what in ((TouchpointRecorded, kept, "recorded"), (TouchpointRetracted, gone, "retracted")):
        verdict.add("missing", f"event {what}", due - told[kind].keys())
        verdict.add("twice", f"event {what}", [one for one, count in told[kind].items() if count > 1])
        verdict.add("wrong", f"event {what} of nothing", told[kind].keys() - due)


def _parked(books: Books, ledger: Ledger, verdict: Verdict) -> None:
    """Every refusal that was told is parked. A refusal whose answer was lost may be parked besides."""
    codes = Counter(row["code"] for row in books.parked["interactions"] if row["kind"] == "touchpoint")
    missing = ledger.different.total() - codes["different-body"]
    verdict.add("lost", "other bodies told as parked", range(max(0, missing)))


# --- what follows from it ---------------------------------------------------------------------------------------------


def others_effects(books: Books, ledger: Ledger, _: Company, verdict: Verdict) -> None:
    """Every event is claimed by every consumer that it concerns, and nothing else is."""
    events = [event for some in books.events.values() for event in some]
    gone = set().union(*ledger.retold.values())
    for name in HEARS:
        types = wanted(name)
        due = {event.id for event in events if event.type in types and event.id < books.until}
        parked = {row["body"] for row in books.parked[name] if row["kind"] == "event" and row["state"] == "parked"}
        unhandled = {event.id for event in (_decoded(body) for body in parked) if event is not None}
        again = _heard_again(books, ledger) if name == "identity" else set()
        verdict.add("missing", f"effects in {name}", due - books.claimed[name] - unhandled - again)
        verdict.add("missing", f"events parked by {name}", unhandled & due)
        verdict.add(
            "wrong",
            f"claimed by {name}, told by nobody",
            _until(books.until, books.claimed[name]) - due - gone - books.emptied,
        )
        rows = [row for row in books.parked[name] if row["kind"] == "event" and _decoded_id(row) not in due]
        verdict.add("lost", f"poison parked by {name}", range(max(0, ledger.poison[name] - len(rows))))
        verdict.add("twice", f"poison parked by {name}", range(max(0, len(rows) - ledger.poison[name])))
        untyped = [row["id"] for row in rows if not row["code"] or row["code"] == "unknown"]
        verdict.add("wrong", f"parked by {name} without a reason", untyped)


def _heard_again(books: Books, ledger: Ledger) -> set[UUID]:
    """What identity had heard of people and lost with its database, where it has been told the same once more."""
    if not ledger.retold["identity"]:
        return set()
    seen = {
        event.id: event.data.touchpoint_id
        for event in books.events["interactions"]
        if isinstance(event.data, PersonSeen)
    }
    heard = {touchpoint for event_id, touchpoint in seen.items() if event_id in books.claimed["identity"]}
    return {event_id for event_id, touchpoint in seen.items() if touchpoint in heard}


def _until(moment: UUID, ids: Iterable[UUID]) -> set[UUID]:
    """What was told before the books were opened: they are read one after the other, and timers go on."""
    return {each for each in ids if each < moment}


def _decoded(body: str) -> Event | None:
    try:
        return decode(body)
    except Exception:  # noqa: BLE001 - poison is parked too
        return None


def _decoded_id(row: Mapping[str, Any]) -> UUID | None:
    event = _decoded(row["body"])
    return None if event is None else event.id


def links(books: Books, ledger: Ledger, _: Company, verdict: Verdict) -> None:
    """Identity's links are those that it has told last; every projection of them is the same."""
    last: dict[UUID, Any] = {}
    for event in books.events["identity"]:
        if isinstance(event.data, LinksChanged):
            for move in event.data.moves:
                if move.trace_id not in last or move.revision > last[move.trace_id].revision:
                    last[move.trace_id] = move
    told = {
        key: (move.customer_id, move.revision)
        for key, move in last.items()
        if not nobodys(books, key, move.customer_id)
    }
    own = {r["trace_id"]: (r["customer_id"], r["revision"]) for r in books.tables["identity.trace"] if r["revision"]}
    verdict.compare("links told by identity", own, told)
    for name, table in (("interactions", "trace"), ("scoring", "scoring.link"), ("service-audit", "audit.link")):
        found = {
            r["trace_id"]: (r["customer_id"], r["revision"])
            for r in books.tables[table]
            if r["revision"] and not nobodys(books, r["trace_id"], r["customer_id"])
        }
        verdict.compare(f"links in {name}", own, found)
    customers = {
        r["customer_id"]: (r["state"], r["merged_into"], r["revision"]) for r in books.tables["identity.customer"]
    }
    for name, table in (("interactions", "customer"), ("scoring", "scoring.customer")):
        theirs = {r["customer_id"]: (r["state"], r["merged_into"], r["revision"]) for r in books.tables[table]}
        if ledger.retold["identity"]:  # who became a customer since the backup is one under another id
            theirs = {key: said for key, said in theirs.items() if key in customers}
        verdict.compare(f"customers in {name}", customers, theirs)
    _everyone_known(books, own, verdict)
    _visitors(books, verdict)


def nobodys(books: Books, trace_id: UUID, customer_id: UUID | None) -> bool:
    """An erased person's, of which only stays by which decision it is nobody's."""
    return customer_id is None and trace_id in books.erased


def _everyone_known(books: Books, own: Mapping[UUID, Any], verdict: Verdict) -> None:
    """Who left more than a device's trail is somebody's."""
    seen = {row["touchpoint_id"]: row for row in books.tables["sighting"]}
    personal = {"customer", "document", "account", "email", "partner", "phone"}
    for row in books.tables["touchpoint"]:
        if not row["identifiers"]:
            continue
        if row["touchpoint_id"] not in seen and row["state"] == "live":
            verdict.add("missing", "sightings in identity", [row["touchpoint_id"]])
        schemes = {one["scheme"] for one in row["identifiers"]}
        if row["state"] == "live" and schemes & personal and own.get(row["trace_id"], (None,))[0] is None:
            verdict.add("missing", "customer of a live trace", [row["trace_id"]])


def _visitors(books: Books, verdict: Verdict) -> None:
    """Whoever is known by a device alone is whose the rest of the device is, if that is one customer."""
    known = {row["identifier_id"]: row for row in books.tables["identifier"]}
    carried: dict[UUID, dict[UUID, Carried]] = defaultdict(dict)
    for row in books.tables["carried"]:
        of = known[row["identifier_id"]]
        carried[row["trace_id"]][row["identifier_id"]] = Carried(row["identifier_id"], of["scheme"], of["value"])
    world = World()
    world.barred = {key for key, row in known.items() if row["shared"]}
    for row in books.tables["identity.trace"]:
        link = row["customer_id"], row["proof"], row["via"], row["revision"]
        world.put(Trail(row["trace_id"], row["scheme"], tuple(row["names"]), carried[row["trace_id"]], *link))
    for row in books.tables["apart"]:
        if row["lifted_at"] is None:
            world.keep_apart(row["left_trace"], row["right_trace"])
    visitors = [trail for trail in world.trails.values() if is_visitor(trail)]
    found = {trail.trace_id: trail.customer_id for trail in visitors}
    verdict.compare("whom visitors follow", {trail.trace_id: user_of(trail, world)[0] for trail in visitors}, found)


def conversations(books: Books, _: Ledger, company: Company, verdict: Verdict) -> None:
    """The threads are the pure fold over each party's touchpoints and acts."""
    party_of = {row["trace_id"]: row["customer_id"] or row["trace_id"] for row in books.tables["trace"]}
    entries: dict[UUID, list[Entry]] = defaultdict(list)
    acts: dict[UUID, list[Act]] = defaultdict(list)
    for row in books.tables["touchpoint"]:
        entries[party_of.get(row["trace_id"], row["trace_id"])].append(_entry(row))
    for row in books.tables["act"]:
        party = party_of.get(row["trace_id"], row["trace_id"])
        acts[party].append(Act(row["act_id"], row["touchpoint_id"], row["act"], row["at"]))
    owed = _owed(books)
    window = timedelta(hours=company.conversation_window_hours)
    joined: dict[UUID, tuple[UUID, UUID, str]] = {}
    threads: dict[UUID, dict[str, Any]] = {}
    for party, some in entries.items():
        folded, placed = replay(some, acts[party], window=window)
        holding = {one.entry.touchpoint_id: one.conversation_id for one in placed}
        promises = Counter(holding[touchpoint_id] for touchpoint_id in owed & holding.keys())
        joined |= {one.entry.touchpoint_id: (one.conversation_id, party, one.matched_by) for one in placed}
        for thread in folded.threads.values():
            state = state_of(thread.posture, promises=promises[thread.conversation_id])
            threads[thread.conversation_id] = {**_plain(vars(thread)), "party_id": party, "state": state}
    found = {r["touchpoint_id"]: (r["conversation_id"], r["party_id"], r["matched_by"]) for r in books.tables["entry"]}
    verdict.compare("entries of conversations", joined, found)
    names = next(iter(threads.values()), {}).keys()
    rows = {r["conversation_id"]: _plain({name: r[name] for name in names}) for r in books.tables["conversation"]}
    verdict.compare("conversations", threads, rows)


_FOLDED = (
    "touchpoint_id", "position", "kind", "channel", "direction", "occurred_at", "site", "topic", "outcome",
    "visibility", "summary", "stop_point", "next_step", "continues", "corrects",
)  # fmt: skip


def _entry(row: Mapping[str, Any]) -> Entry:
    plain = {name: row[name] for name in _FOLDED}
    return Entry(**plain, references=tuple(row["references"]), live=row["state"] == "live")


def _owed(books: Books) -> set[UUID]:
    return {
        row["touchpoint_id"]
        for row in books.tables["commitment"]
        if row["by"] == "company" and row["state"] in ("open", "late")
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(sorted(value)) if isinstance(value, list | tuple) else value for name, value in row.items()}


def figures(books: Books, _: Ledger, company: Company, verdict: Verdict) -> None:
    """Scoring's sums of days are those of the log's live figures."""
    changes = Changes()
    for row in books.tables["touchpoint"]:
        if row["state"] == "live":
            changes.count(_figures(row), books=books_of(company), sign=1, cause=Cause.RECORDED)
    due = {key: tally for key, tally in changes.tallies.items() if not tally.is_nothing}
    found = {
        (row["trace_id"], row["day"], row["currency"]): Tally(*(row[name] for name in COUNTED))
        for row in books.tables["day_value"]
        if row["trace_id"].version != KEPT_SUMS
    }
    verdict.compare(
        "sums of days in scoring", due, {key: tally for key, tally in found.items() if not tally.is_nothing}
    )


def _figures(row: Mapping[str, Any]) -> TouchpointFigures:
    return TouchpointRecorded.model_validate(row["figures"])


def standings(books: Books, _: Ledger, company: Company, verdict: Verdict) -> None:
    """What scoring says of each customer is the fold over the days of his traces."""
    owner = {row["trace_id"]: row["customer_id"] for row in books.tables["scoring.link"] if row["customer_id"]}
    by_customer: dict[UUID, dict[str, Tally]] = defaultdict(dict)
    for row in books.tables["day_value"]:
        if (who := owner.get(row["trace_id"])) is not None:
            held = by_customer[who]
            held[row["currency"]] = held.get(row["currency"], Tally()) + Tally(*(row[name] for name in COUNTED))
    rules = books_of(company)
    due = {}
    for who in set(owner.values()):
        tally = converted(by_customer[who], rules.exchange).tally
        due[who] = (tally.purchases, tally.revenue, tally.contacts)
    said = {
        row["customer_id"]: (row["frequency"], row["revenue"], row["contacts"])
        for row in books.tables["standing"]
        if not row["is_vacant"]
    }
    verdict.compare("standings in scoring", due, said)


_CASE = {
    "opened": "received",
    "resolved": "answered",
}  # how it stands after a move, where that is not the move's own word
_PROMISE = {"made": "open", "rescheduled": "open", "broken": "late"}


def cases(books: Books, _: Ledger, __: Company, verdict: Verdict) -> None:
    """A case stands as was told of it last, and scoring knows which complaints are open."""
    rows = {row["number"]: row for row in books.tables["case"]}
    moves = (event for event in books.heard("interactions") if isinstance(event.data, CaseMoved))
    told = _told_last((event.data.case_number, event) for event in moves if event.data.move not in UNMOVED)
    due = {number: _CASE.get(move, move) for number, move in told.items()}
    verdict.compare("cases as told", due, {number: row["state"] for number, row in rows.items()})
    complaints = {number: row for number, row in rows.items() if row["kind"] in COMPLAINTS}
    still = {number: row["state"] in ("received", "reopened") for number, row in complaints.items()}
    known = {row["case_number"]: row["is_open"] for row in books.tables["open_case"]}
    verdict.compare("open complaints in scoring", still, known)


def promises(books: Books, _: Ledger, __: Company, verdict: Verdict) -> None:
    """A promise stands as was told of it last, and what is owed by a certain time somebody is woken for."""
    rows = {row["commitment_id"]: row for row in books.tables["commitment"]}
    moves = (event for event in books.heard("interactions") if isinstance(event.data, CommitmentMoved))
    told = _told_last((event.data.commitment_id, event) for event in moves)
    due = {one: _PROMISE.get(move, move) for one, move in told.items()}
    verdict.compare("promises as told", due, {one: row["state"] for one, row in rows.items()})
    owed = {str(one): row["due_at"] for one, row in rows.items() if row["state"] == "open" and row["due_at"]}
    timers = {row["key"]: row["due_at"] for row in books.tables["timer"] if row["name"] == DUE}
    verdict.compare("timers of promises", owed, timers)


def _told_last(moves: Iterable[tuple[Key, Event]]) -> dict[Key, str]:
    last: dict[Key, Event] = {}
    for key, event in moves:
        last[key] = max(last.get(key, event), event, key=lambda each: each.id)
    return {key: event.data.move for key, event in last.items()}


def observations(books: Books, _: Ledger, __: Company, verdict: Verdict) -> None:
    """Service-audit has seen everything that interactions told, each once, and every touchpoint in the conversation that was told last."""
    latest: dict[str, Observation] = {}
    for one in hear(books.heard("interactions"), noted_at=datetime.now(UTC)).seen:
        if one.key not in latest or one.told > latest[one.key].told:
            latest[one.key] = one
    found = {row["key"]: row for row in books.tables["observation"]}
    others = {key: one.told for key, one in latest.items() if one.source != "touchpoint-recorded"}
    verdict.compare("observations", dict.fromkeys(latest, True), dict.fromkeys(found, True))
    verdict.compare("tellings seen last", others, {key: found[key]["told"] for key in others if key in found})
    places = {key: _place(one, latest) for key, one in latest.items() if key not in others}
    seen = {key: found[key]["conversation_id"] for key in places if key in found}
    verdict.compare("conversations of observed touchpoints", places, seen)


def _place(one: Observation, latest: Mapping[str, Observation]) -> UUID | None:
    joined = latest.get(f"conversation:{one.touchpoint_id}:in")
    return joined.conversation_id if joined is not None and joined.told > one.told else one.conversation_id


def parts(books: Books, ledger: Ledger, _: Company, verdict: Verdict) -> None:
    """The resume's parts are what their owners have said last."""
    sources: dict[Any, str] = {
        CustomerProfiled: "identity",
        ContactChanged: "identity-contact",
        ValueChanged: "scoring",
    }
    due: dict[tuple[UUID, str], int] = {}
    for event in [*books.heard("identity"), *books.heard("scoring")]:
        if (source := sources.get(type(event.data))) is not None:
            key = (event.data.customer_id, source)
            due[key] = max(event.data.revision, due.get(key, 0))
    found = {(row["customer_id"], row["source"]): row["revision"] for row in books.tables["part"]}
    if ledger.retold[
        "scoring"
    ]:  # it was lost and read again: of who owns nothing by now it has nothing to say any more
        owners = {row["customer_id"] for row in books.tables["scoring.link"]}
        found = {key: said for key, said in found.items() if key in due or key[0] in owners or key[1] != "scoring"}
    if ledger.retold["identity"]:  # of whoever is no customer any more it says nothing
        there = {r["customer_id"] for r in books.tables["identity.customer"] if r["state"] != "merged"}
        due, found = (
            {key: said for key, said in some.items() if key[0] in there or not key[1].startswith("identity")}
            for some in (due, found)
        )
    verdict.compare("parts of the resume", due, found)


def values(books: Books, _: Ledger, __: Company, verdict: Verdict) -> None:
    """What the resume says of a customer's value is what scoring says of him now, whatever was told on the way."""
    due = {
        row["customer_id"]: _undated(
            ValueChanged.model_validate({**_of_nobody, **row["parts"]}).model_dump(mode="json")
        )
        for row in books.tables["standing"]
    }
    said = {row["customer_id"]: _undated(row["body"]) for row in books.tables["part"] if row["source"] == "scoring"}
    verdict.compare("values in the resume", due, {who: value for who, value in said.items() if who in due})


_of_nobody = {"customer_id": UUID(int=0), "revision": 0, "as_of": datetime(2026, 1, 1, tzinfo=UTC)}


def _undated(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without whose it is and when it was said: a standing that is looked at again and stays as it is is not told again."""
    parts = {name: part for name, part in value.items() if name not in _of_nobody}
    return {**parts, "value": {name: one for name, one in parts["value"].items() if name != "as_of"}}


def people(books: Books, _: Ledger, company: Company, verdict: Verdict) -> None:
    """What the resume says of a person is what his own traces carry: no consent, preference or fact is another's."""
    owner = {row["trace_id"]: row["customer_id"] for row in books.tables["identity.trace"] if row["customer_id"]}
    said = {(row["customer_id"], row["source"]): row["body"] for row in books.tables["part"]}
    consents, wishes = defaultdict(list), defaultdict(list)
    for row in books.tables["consent"]:
        consents[owner.get(row["trace_id"])].append(Consent(**row))
    for row in books.tables["preference"]:
        wishes[owner.get(row["trace_id"])].append(Preference(row["trace_id"], row["body"], row["at"], row["by"]))
    merges: dict[UUID | None, list[Decision]] = defaultdict(list)
    for row in books.tables["decision"]:
        if row["kind"] == "merge" and row["undone_by"] is None:
            merges[row["survivor"]].append(Decision(**row))

    def beneath(survivor: UUID | None) -> list[Decision]:
        return [each for merge in merges[survivor] for each in (merge, *beneath(merge.absorbed))]

    contact, found = {}, {}
    for who in books.dossiers:
        if consents[who] or wishes[who] or (who, "identity-contact") in said:
            contact[who] = contact_of(wishes[who], consents[who], together=together_by(beneath(who)))
            body = said.get((who, "identity-contact"), {})
            found[who] = {name: body.get(name) for name in contact[who]}
    verdict.compare("consents and preferences", contact, found)
    now = datetime.now(UTC)
    profiles = {who: profile_of(dossier, company, now=now) for who, dossier in books.dossiers.items() if dossier.traces}
    for name in ("known", "display_name", "accounts"):
        due = {who: profile[name] for who, profile in profiles.items()}
        verdict.compare(
            f"{name} of persons",
            due,
            {who: said[who, "identity"].get(name) for who in due if (who, "identity") in said},
        )
