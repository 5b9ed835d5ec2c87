"""What a caller can ask of the log: record one, a thousand, or what the bus brings. One function, one transaction."""

import asyncio
import hashlib
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from common.behind import Behind, by_slices
from common.clock import Clock
from common.company import Company
from common.db import Database, is_transient, is_victim, tried_again
from common.erasure import erased_among
from common.errors import Invalid, Refusal
from common.events import Following, Told, following
from common.ids import id_at, new_id
from common.problems import problem_of
from common.values import value
from interactions.cases import use_cases as cases
from interactions.cases.domain import CaseFile
from interactions.commitments import use_cases as commitments
from interactions.commitments.domain import Commitment
from interactions.conversations import use_cases as conversations
from interactions.conversations.domain import Entry, Placed, told_moves
from interactions.touchpoints import domain
from interactions.touchpoints.domain import (
    DifferentBody,
    Draft,
    KnownTrace,
    PersonErased,
    Touchpoint,
    Unreadable,
    Unstorable,
)
from interactions.touchpoints.repository import Receipt, ReceiptTaken
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork, refused_by_database


@value(frozen=True)
class Recorded:
    """It is in the log: for the first time, or since before (`duplicate`, with the first answer)."""

    status: str
    answer: Mapping[str, Any]

    def as_body(self) -> dict[str, Any]:
        return {"status": self.status, **self.answer}


@dataclass(frozen=True)
class Refused:
    """It was not taken; it is kept in the parked store, can be repaired there and sent again."""

    refusal: Refusal
    parked_id: UUID | None

    def as_body(self) -> dict[str, Any]:
        return {"status": "refused", "parked_id": self.parked_as, "problem": problem_of(self.refusal)}

    @property
    def parked_as(self) -> str | None:
        return None if self.parked_id is None else str(self.parked_id)


Outcome = Recorded | Refused
REFUSED = "interactions:refused"  # the name under which refusals are claimed, so that each is parked once


@dataclass(frozen=True)
class Desk:
    """What recording needs beside what is recorded."""

    database: Database
    clock: Clock
    company: Company
    secret: bytes


async def record_touchpoints(given: Sequence[Draft | Unreadable], *, desk: Desk, park: bool = True) -> list[Outcome]:
    """Record them all, in one transaction; for each what became of it, in the order given.

    A resend is a duplicate and gets the first answer. What is refused is parked (unless `park` is false: it is in the
    parked store already) and the others are recorded. A row that the database refuses is found by halving.
    """
    return await _write(await _accepted(given, desk=desk), desk=desk, park=park)


Taken = Touchpoint | Unreadable  # what the rules take, and what they refuse


async def _accepted(given: Sequence[Draft | Unreadable], *, desk: Desk) -> list[Taken]:
    now, part_of = desk.clock(), following()
    return await by_slices(lambda one: _accept(one, now=now, part_of=part_of, desk=desk), given)


def _accept(one: Draft | Unreadable, *, now: datetime, part_of: Following, desk: Desk) -> Taken:
    if isinstance(one, Unreadable):
        return one
    try:
        return domain.accept(one, now=now, company=desk.company, secret=desk.secret, part_of=part_of)
    except Refusal as refusal:
        return Unreadable(one.source, one.body, refusal, one.speaker)


async def _write(taken: Sequence[Taken], *, desk: Desk, park: bool = True) -> list[Outcome]:
    if not taken:
        return []
    try:
        return await _record_through_deadlocks(taken, desk=desk, park=park)
    except ReceiptTaken:
        return await _write(taken, desk=desk, park=park)  # now it is known
    except Exception as error:
        if not refused_by_database(error):
            raise
        if len(taken) == 1:
            return await _record_through_deadlocks([_unstorable(taken[0])], desk=desk, park=park)
    half = len(taken) // 2
    return [
        *await _write(taken[:half], desk=desk, park=park),
        *await _write(taken[half:], desk=desk, park=park),
    ]


def _unstorable(one: Taken) -> Unreadable:
    return one if isinstance(one, Unreadable) else _refused(one, Unstorable())


def _refused(one: Touchpoint, refusal: Refusal) -> Unreadable:
    return Unreadable(one.draft.source, one.draft.body, refusal, one.draft.speaker)


PAUSES_OF_A_VICTIM = (0.05, 0.25)  # seconds before each further try; the server itself takes one to see a deadlock


async def _record_through_deadlocks(taken: Sequence[Taken], *, desk: Desk, park: bool) -> list[Outcome]:
    """As `_record`, and again where PostgreSQL ended it so that others could go on: then nothing of it was written."""
    return await tried_again(lambda: _record(taken, desk=desk, park=park), when=is_victim, pauses=PAUSES_OF_A_VICTIM)


async def _record(taken: Sequence[Taken], *, desk: Desk, park: bool) -> list[Outcome]:
    outcomes: dict[int, Outcome | Unreadable] = {
        place: one for place, one in enumerate(taken) if isinstance(one, Unreadable)
    }
    accepted = {place: one for place, one in enumerate(taken) if isinstance(one, Touchpoint)}
    async with InteractionsUnitOfWork(desk.database) as uow:
        theirs = (await named_by(accepted.values(), uow=uow)).traces
        # before the first write, or order per key is lost
        await uow.lock(lock_keys(accepted.values()) | theirs, space=TRACES)
        unknown = await _unknown(accepted, outcomes, uow=uow)
        fresh = await unerased(unknown, accepted, outcomes, desk=desk, uow=uow)
        traces = await traces_of(list(fresh.values()), uow=uow)
        parties = {trace.party_id for trace in traces.values()} | await parties_of(theirs, uow=uow)
        await uow.lock(parties, space=PARTIES)
        fresh, named = await checked(fresh, traces, outcomes, uow=uow)
        now = desk.clock()
        ready = {place: domain.minted(one, new_id(), at=now) for place, one in _firsts(fresh, outcomes).items()}
        async with Behind() as behind:
            some = list(ready.values())
            answers = await append(some, traces, named, desk=desk, uow=uow, now=now, behind=behind)
            await behind.send(uow.receipts.claim, [receipt_of(one, answers[one.touchpoint_id]) for one in some])
            outcomes |= {place: Recorded("recorded", answers[one.touchpoint_id]) for place, one in ready.items()}
        settled = await _settled(outcomes, taken, park=park, now=now, uow=uow)
        await uow.commit()
    return settled


def lock_keys(touchpoints: Any) -> set[UUID]:
    some = list(touchpoints)
    return {one.trace_id for one in some} | {seen.identifier_id for one in some for seen in one.seen}


async def _unknown(
    accepted: Mapping[int, Touchpoint], outcomes: dict[int, Outcome | Unreadable], *, uow: InteractionsUnitOfWork
) -> dict[int, Touchpoint]:
    """Those whose external id was never recorded. The others are duplicates, or say something else than before."""
    known = await uow.receipts.known({one.key for one in accepted.values()})
    fresh: dict[int, Touchpoint] = {}
    for place, one in accepted.items():
        if (receipt := known.get(one.key)) is None:
            fresh[place] = one
        elif receipt.body_hash != one.draft.body_hash:
            outcomes[place] = _another_body(one, on_record=receipt.body_hash)
        else:
            outcomes[place] = Recorded("duplicate", receipt.answer)
    return fresh


def _firsts(fresh: Mapping[int, Touchpoint], outcomes: dict[int, Outcome | Unreadable]) -> dict[int, Touchpoint]:
    """Of those under one external id the first. It has been checked: one that is refused leaves the id to the next."""
    first: dict[tuple[str, str], Touchpoint] = {}
    for place, one in fresh.items():
        taken = first.setdefault(one.key, one)
        if taken.draft.body_hash != one.draft.body_hash:
            outcomes[place] = _another_body(one, on_record=taken.draft.body_hash)
        elif taken is not one:
            outcomes[place] = Recorded("duplicate", {})  # filled in when the first is answered
    return {place: one for place, one in fresh.items() if place not in outcomes}


def _another_body(one: Touchpoint, *, on_record: str) -> Unreadable:
    hashes = f"on record {on_record[:16]}, sent {one.draft.body_hash[:16]}"
    return _refused(one, DifferentBody(f"Another body ({hashes})."))


async def unerased(
    fresh: dict[int, Touchpoint],
    accepted: Mapping[int, Touchpoint],
    outcomes: dict[int, Outcome | Unreadable],
    *,
    desk: Desk,
    uow: InteractionsUnitOfWork,
) -> dict[int, Touchpoint]:
    """Those whose person was not erased after they occurred. The others are refused, and nothing of them is kept."""
    named = {
        place: domain.traces_it_names(one, company=desk.company, secret=desk.secret) for place, one in accepted.items()
    }
    erased = await erased_among(uow.session, set().union(*named.values()))
    for place, one in accepted.items() if erased else ():
        new = place in fresh or isinstance(outcomes.get(place), Unreadable)
        since = {trace_id: erased[trace_id] for trace_id in named[place] & erased.keys()}
        if new and await _is_of_erased(one, since, uow=uow):
            outcomes[place] = Refused(PersonErased(), None)
    return {place: one for place, one in fresh.items() if place not in outcomes}


async def _is_of_erased(one: Touchpoint, since: Mapping[UUID, datetime], *, uow: InteractionsUnitOfWork) -> bool:
    """Whether it occurred before somebody was erased whose trace it is on, or whose identifier alone has led it elsewhere.

    `since`: of the traces that it names the erased ones. A trace that was there beside him, and was not erased with him, is
    somebody else's, who may have left an identifier of his; who has come since may be himself, but never under the id that he had.
    """
    if one.customer_named is not None and one.trace_id in since:
        return True
    moments = {trace_id: at for trace_id, at in since.items() if one.draft.occurred_at <= at}
    if not moments or one.trace_id in moments:
        return bool(moments)
    return not await uow.touchpoints.any_recorded_until(min(moments.values()), one.trace_id)


async def traces_of(touchpoints: Sequence[Touchpoint], *, uow: InteractionsUnitOfWork) -> dict[UUID, KnownTrace]:
    """What is known of the touchpoints' traces; for new ones with the customer that their identifiers reach, provisionally."""
    known = await uow.traces.known({one.trace_id for one in touchpoints})
    new = [one for one in touchpoints if one.trace_id not in known and not one.anonymous]
    reached = await uow.traces.reached({seen.identifier_id for one in new for seen in one.seen})
    survivors = await uow.traces.survivors({one.customer_named for one in new if one.customer_named})
    candidates = {customer for some in reached.values() if len(some) == 1 for customer in some}
    known_of = await uow.traces.of_customers(candidates)
    found = dict(known)
    for one in touchpoints:
        if one.trace_id not in found:
            found[one.trace_id] = _new_trace(one, reached, survivors, known_of)
    return found


def _new_trace(
    one: Touchpoint,
    reached: Mapping[UUID, set[UUID]],
    survivors: Mapping[UUID, UUID],
    traces_of: Mapping[UUID, Sequence[KnownTrace]],
) -> KnownTrace:
    if one.customer_named is not None:
        customer_id = survivors.get(one.customer_named)
        return KnownTrace(one.trace_id, customer_id, proof="attested" if customer_id else None, new=True)
    customer_id = domain.provisional_customer(one, reached=reached, traces_of=traces_of)
    attested = any(seen.attested for seen in one.seen if customer_id in reached.get(seen.identifier_id, ()))
    proof = None if customer_id is None else "attested" if attested else "claimed"
    return KnownTrace(one.trace_id, customer_id, proof=proof, new=True)


@value(frozen=True)
class Named:
    """What touchpoints name by id, and whose it is."""

    commitments: Mapping[UUID, Commitment]
    cases: Mapping[str, CaseFile]

    @property
    def traces(self) -> set[UUID]:
        """On which traces they are: to be locked with the contact's own, since each is written whole.

        Whoever answers or waives one on another trace meanwhile would overwrite the contact, or the contact him.
        """
        return {one.trace_id for one in self.commitments.values()} | {one.trace_id for one in self.cases.values()}


async def named_by(touchpoints: Iterable[Touchpoint], *, uow: InteractionsUnitOfWork) -> Named:
    """The cases and promises that the touchpoints name, whoseever they are; where none is named nothing is asked."""
    drafts = [one.draft for one in touchpoints]
    return Named(
        await uow.commitments.some({one for draft in drafts for one in draft.keeps}),
        await uow.cases.some({draft.case for draft in drafts if draft.case}),
    )


async def parties_of(traces: Collection[UUID], *, uow: InteractionsUnitOfWork) -> set[UUID]:
    """Whose the traces are by now."""
    known = await uow.traces.known(traces)
    return {party_of(one, known) for one in traces}


async def checked(
    fresh: Mapping[int, Touchpoint],
    traces: Mapping[UUID, KnownTrace],
    outcomes: dict[int, Outcome | Unreadable],
    *,
    uow: InteractionsUnitOfWork,
) -> tuple[dict[int, Touchpoint], Named]:
    """Those that name only what is the same customer's, each with the touchpoint whose thread it continues."""
    some = [one for one in fresh.values() if _names(one.draft)]
    if not some:
        return dict(fresh), Named({}, {})
    named = await named_by(some, uow=uow)
    held = await uow.conversations.holding({t.draft.conversation_id for t in some if t.draft.conversation_id})
    known = {**await uow.traces.known(named.traces), **traces}
    led_to = await uow.traces.parties({s.identifier_id for t in some for s in t.seen})
    kept: dict[int, Touchpoint] = {}
    for place, one in fresh.items():
        parties = _may_name(one, traces[one.trace_id].party_id, led_to)
        try:
            continues = _continued(one, parties, known, held, named)
        except Refusal as refusal:
            outcomes[place] = _refused(one, refusal)
        else:
            kept[place] = one if continues is None else replace(one, continues=continues)
    return kept, named


def _names(draft: Draft) -> bool:
    return draft.conversation_id is not None or draft.case is not None or bool(draft.keeps)


def _may_name(one: Touchpoint, party: UUID, led_to: Mapping[UUID, set[UUID]]) -> set[UUID]:
    """Whose threads, cases and promises it may name: his own, and those that its identifiers lead to.

    A contact that brings one more identifier has a trace of its own, and identity needs a moment to say that both are one
    person. A customer's own credential may claim any e-mail, so that claim opens nothing.
    """
    if one.draft.speaker.customer_id is not None:
        return {party}
    return {party, *(other for seen in one.seen for other in led_to.get(seen.identifier_id, ()))}


def _continued(
    one: Touchpoint,
    parties: set[UUID],
    known: Mapping[UUID, KnownTrace],
    held: Mapping[UUID, tuple[UUID, UUID]],
    named: Named,
) -> UUID | None:
    """The touchpoint whose thread it continues. Raises for ids that are not the customer's: foreign and absent answer alike."""
    draft, found = one.draft, []
    if draft.conversation_id is not None:
        if draft.conversation_id not in held or held[draft.conversation_id][1] not in parties:
            raise domain.UnknownThread(pointer="/conversation_id")
        found.append(draft.conversation_id)
    if draft.case is not None:
        case = named.cases.get(draft.case)
        if case is None or case.state == "retracted" or party_of(case.trace_id, known) not in parties:
            raise domain.UnknownCaseNumber(pointer="/case")
        found.append(case.touchpoint_id)
    for place, commitment_id in enumerate(draft.keeps):
        commitment = named.commitments.get(commitment_id)
        if commitment is None or commitment.state == "retracted" or party_of(commitment.trace_id, known) not in parties:
            raise domain.UnknownPromise(pointer=f"/keeps/{place}")
        found.append(commitment.touchpoint_id)
    return found[0] if found else None


def party_of(trace_id: UUID, known: Mapping[UUID, KnownTrace]) -> UUID:
    return known[trace_id].party_id if trace_id in known else trace_id


async def append(
    touchpoints: Sequence[Touchpoint],
    traces: Mapping[UUID, KnownTrace],
    named: Named,
    *,
    desk: Desk,
    uow: InteractionsUnitOfWork,
    now: datetime,
    behind: Behind,
) -> dict[UUID, dict[str, Any]]:
    """Write the touchpoints and all that follows from them, and tell the others. Gives the answer to each.

    The last of it is still being written then, `behind` whoever called.
    """
    if not touchpoints:
        return {}
    ready = await cases.number(touchpoints, uow=uow, company=desk.company, now=now)
    parties = {one.touchpoint_id: traces[one.trace_id].party_id for one in ready}
    placed, disordered = await conversations.place(
        _entries(ready, parties), uow=uow, window=desk.company.conversation_window
    )
    where = {one.entry.touchpoint_id: one for some in placed.values() for one in some}
    threads = {touchpoint_id: one.conversation_id for touchpoint_id, one in where.items()}
    await behind.send(uow.conversations.join, placed)
    figures = [domain.recorded(one, conversation_id=threads[one.touchpoint_id], company=desk.company) for one in ready]
    # The slowest: behind it most of the rest is put into words.
    await behind.send(uow.touchpoints.append, ready, figures)
    for one, told in zip(ready, figures, strict=True):
        uow.outbox.add(told, at=now, part_of=one.part_of)
        if one.seen or one.nobodys:
            uow.outbox.add(_person(one), at=now, part_of=one.part_of)
    richer, moves = _richer_traces(ready, traces), [_moves(one, where[one.touchpoint_id]) for one in ready]
    await behind.send(uow.traces.save, richer)
    await behind.send(
        uow.traces.carry,
        {(one.trace_id, seen.identifier_id, seen.identifier.scheme) for one in ready for seen in one.seen},
    )
    await behind.done()
    promised = await commitments.make(ready, uow=uow, now=now)
    less_owed = await commitments.keep_by(ready, named.commitments, uow=uow, now=now)
    await cases.move_by(ready, threads, named.cases, uow=uow, company=desk.company, now=now)
    for one, some in zip(ready, moves, strict=True):
        for moved in some:
            uow.outbox.add(moved, at=now, part_of=one.part_of)
    await behind.send(uow.outbox.flush)
    answers = {
        one.touchpoint_id: _answer(one, where[one.touchpoint_id], traces[one.trace_id], promised) for one in ready
    }
    await behind.send(conversations.save_threads, placed, disordered=disordered, uow=uow, company=desk.company, now=now)
    if less_owed:
        await behind.send(uow.conversations.restate, less_owed)
    return answers


def _moves(one: Touchpoint, placed: Placed) -> list[Told]:
    return told_moves(placed, trace_id=one.trace_id, backfill=one.draft.backfill)


def _entries(touchpoints: Sequence[Touchpoint], parties: Mapping[UUID, UUID]) -> dict[UUID, list[Entry]]:
    found: dict[UUID, list[Entry]] = {}
    for one in touchpoints:
        found.setdefault(parties[one.touchpoint_id], []).append(_entry(one))
    return found


def _entry(one: Touchpoint) -> Entry:
    draft = one.draft
    return Entry(
        touchpoint_id=one.touchpoint_id,
        position=one.position or one.touchpoint_id,
        kind=draft.kind,
        channel=draft.channel,
        direction=draft.direction,
        occurred_at=draft.occurred_at,
        site=draft.site,
        topic=one.topic,
        outcome=draft.outcome,
        visibility=draft.visibility,
        summary=draft.summary,
        stop_point=draft.stop_point,
        next_step=draft.next_step,
        references=draft.references,
        continues=one.continues,
        corrects=one.corrects,
    )


def _richer_traces(touchpoints: Sequence[Touchpoint], traces: Mapping[UUID, KnownTrace]) -> list[KnownTrace]:
    """The traces to which the touchpoints add something: new ones, a name, a document."""
    after: dict[UUID, KnownTrace] = {}
    for one in touchpoints:
        if not one.anonymous:
            after[one.trace_id] = _richer(after.get(one.trace_id) or traces[one.trace_id], one)
    return [trace for key, trace in after.items() if trace.new or trace is not traces[key]]


def _richer(trace: KnownTrace, one: Touchpoint) -> KnownTrace:
    name, more = one.folded_name or trace.folded_name, one.documents
    documents = tuple(dict.fromkeys((*trace.documents, *more))) if more else trace.documents
    if name == trace.folded_name and documents == trace.documents:
        return trace
    return replace(trace, folded_name=name, documents=documents)


def _person(one: Touchpoint) -> Told:
    draft = one.draft
    said = {
        "touchpoint_id": one.touchpoint_id,
        "trace_id": one.trace_id,
        "source": draft.source,
        "channel": draft.channel,
        "occurred_at": draft.occurred_at,
        "recorded_at": one.recorded_at,
        "backfill": draft.backfill,
        "profile": draft.profile,
        "facts": draft.facts,
        "kind": draft.kind,
    }
    return domain.person_of(said, identifiers=[seen.as_row for seen in (*one.seen, *one.nobodys)], asked=draft.asked)


def _answer(
    one: Touchpoint, placed: Placed, trace: KnownTrace, promised: Mapping[UUID, Sequence[UUID]]
) -> dict[str, Any]:
    return {
        "touchpoint_id": str(one.touchpoint_id),
        "conversation_id": str(placed.conversation_id),
        "matched_by": placed.matched_by,
        "customer_id": str(trace.customer_id) if trace.customer_id else None,
        "case_number": one.case_number,
        "commitment_ids": [str(commitment_id) for commitment_id in promised.get(one.touchpoint_id, ())],
        "warnings": [*one.warnings, *placed.warnings],
    }


def receipt_of(one: Touchpoint, answer: dict[str, Any]) -> Receipt:
    return Receipt(*one.key, one.draft.body_hash, one.touchpoint_id, one.trace_id, answer)


async def _settled(
    outcomes: Mapping[int, Outcome | Unreadable],
    taken: Sequence[Taken],
    *,
    park: bool,
    now: datetime,
    uow: InteractionsUnitOfWork,
) -> list[Outcome]:
    """The outcomes in the order given: refusals parked, duplicates of one in this transaction with the answer of that one."""
    answers: dict[tuple[str, str], Mapping[str, Any]] = {}
    for place, one in outcomes.items():
        touchpoint = taken[place]
        if isinstance(one, Recorded) and one.answer and isinstance(touchpoint, Touchpoint):
            answers[touchpoint.key] = one.answer
    refused = {place: one for place, one in outcomes.items() if isinstance(one, Unreadable) and park}
    kept_under = await _kept_under(refused, uow=uow)
    settled: list[Outcome] = []
    for place, touchpoint in enumerate(taken):
        one = outcomes[place]
        if isinstance(one, Unreadable):
            parked_id = await _park(one, under=kept_under.get(place), now=now, uow=uow) if park else None
            settled.append(Refused(one.refusal, parked_id))
        elif isinstance(one, Recorded) and not one.answer and isinstance(touchpoint, Touchpoint):
            settled.append(Recorded("duplicate", answers[touchpoint.key]))
        else:
            settled.append(one)
    return settled


async def _kept_under(refused: Mapping[int, Unreadable], *, uow: InteractionsUnitOfWork) -> dict[int, UUID]:
    """The ids of refusals that are known again: a file that is loaded once more parks nothing that was parked before."""
    names = {place: name for place, one in refused.items() if (name := _name_of(one)) is not None}
    since = await uow.inbox.claimed_at(set(names.values()), consumer=REFUSED)
    return {place: id_at(since[name], name) for place, name in names.items()}


def _name_of(one: Unreadable) -> UUID | None:
    """By what the same touchpoint of the same speaker, refused for the same reason, is known again.

    None: it names no external id, and may be another one in the same words; or the refusal is not of its own words alone.
    """
    if not isinstance(one.refusal, Invalid) or not _external_id(one.body):
        return None
    spoken = [one.origin, one.refusal.code, one.speaker.as_row(), one.body]
    return uuid5(NAMESPACE_URL, hashlib.blake2b(orjson.dumps(spoken)).hexdigest())


def _external_id(body: str) -> str:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    found = said.get("external_id") if isinstance(said, dict) else None
    return found if isinstance(found, str) else ""


async def _park(one: Unreadable, *, under: UUID | None, now: datetime, uow: InteractionsUnitOfWork) -> UUID:
    return await uow.parked.park(
        kind="touchpoint",
        origin=one.origin,
        body=one.body,
        code=one.refusal.code,
        problem={**problem_of(one.refusal), "speaker": one.speaker.as_row()},
        at=now,
        under=under,
    )


# --- group commit -----------------------------------------------------------------------------------------------------


@value(frozen=True)
class _Waiting:
    """What one request brought, and where its outcomes are awaited."""

    taken: Sequence[Taken]
    outcomes: asyncio.Future[list[Outcome]]


class Recorder:
    """What arrives while a transaction is under way shares the next one: no timer, one commit for many requests.

    Two transactions side by side would gain nothing: of a hundred rows each they meet in some lock as a rule.
    """

    def __init__(self, desk: Desk, *, largest: int = 500) -> None:
        self._desk = desk
        self._largest = largest  # rows of a transaction; a single request may bring more
        self._waiting: deque[_Waiting] = deque()
        self._flusher: asyncio.Task[None] | None = None

    async def record(self, given: Sequence[Draft | Unreadable]) -> list[Outcome]:
        """As `record_touchpoints`, in a transaction that other requests may share."""
        taken = await _accepted(given, desk=self._desk)  # while the database works for others
        one = _Waiting(taken, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return await one.outcomes

    async def _flush(self) -> None:
        # No await may stand between "nothing is waiting" and the flusher's end, or a request would wait for ever.
        while self._waiting:
            group = self._next_group()
            try:
                await self._write(group)
            except BaseException as error:  # noqa: BLE001 - the flusher outlives a database that restarts
                _fail(group, error)
                if isinstance(error, asyncio.CancelledError):
                    break
        self._flusher = None

    def _next_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        rows = len(group[0].taken)
        while self._waiting and rows + len(self._waiting[0].taken) <= self._largest:
            group.append(self._waiting.popleft())
            rows += len(group[-1].taken)
        return group

    async def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            outcomes = iter(await _write([one for each in group for one in each.taken], desk=self._desk))
        except Exception as error:
            if len(group) == 1 or is_transient(error):
                raise
            for each in group:  # what breaks one request is not to break the others
                await self._write_alone(each)
            return
        for each in group:
            told = list(islice(outcomes, len(each.taken)))
            if not each.outcomes.done():  # its caller has hung up
                each.outcomes.set_result(told)

    async def _write_alone(self, one: _Waiting) -> None:
        try:
            await self._write([one])
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            _fail([one], error)


def _fail(group: Sequence[_Waiting], error: BaseException) -> None:
    for one in group:
        if not one.outcomes.done():
            one.outcomes.set_exception(error if isinstance(error, Exception) else ConnectionError("stopped"))
