"""What happens to threads: contacts are placed, people park and close, links change."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.ids import new_id
from interactions.cases.use_cases import follow_threads
from interactions.conversations.domain import (
    Act,
    ConversationClosed,
    ConversationParked,
    Entry,
    History,
    Moves,
    Placed,
    Thread,
    Threads,
    UnknownConversation,
    retold,
)
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork


async def place(
    entries: Mapping[UUID, Sequence[Entry]], *, uow: InteractionsUnitOfWork, window: timedelta
) -> tuple[dict[UUID, list[Placed]], set[UUID]]:
    """Continue or open each party's threads. Write who `join`s which, and `save_threads` when promises are written.

    Gives the placed entries by party, and the parties whose order was broken: their new ids do not come after all that is
    on record (clocks of two processes differ), so their threads are to be computed from the whole history.
    """
    loaded = await uow.conversations.threads(entries, window=window)
    placed: dict[UUID, list[Placed]] = {}
    disordered: set[UUID] = set()
    for party, some in entries.items():
        threads = loaded[party]
        latest = max((thread.latest_position for thread in threads.threads.values()), default=None)
        corrected = any(entry.corrects is not None for entry in some)  # it takes the place of what it corrects
        if corrected or (latest is not None and latest >= min(entry.position for entry in some)):
            disordered.add(party)
        placed[party] = [threads.place(entry) for entry in some]
    return placed, disordered


async def save_threads(
    placed: Mapping[UUID, Sequence[Placed]],
    *,
    disordered: Collection[UUID],
    uow: InteractionsUnitOfWork,
    company: Company,
    now: datetime,
) -> None:
    """Write the threads as they stand after the placed entries, of which the moves were told."""
    await uow.conversations.save(
        {party: {one.conversation_id: one.after for one in some}.values() for party, some in placed.items()},
        opened={one.conversation_id for some in placed.values() for one in some if one.before is None},
    )
    if disordered:
        traces = await uow.traces.ids_of(disordered)
        history = await uow.conversations.history(_every(traces))
        fresh = {one.entry.touchpoint_id for party in disordered for one in placed[party]}
        before = _moves(history, traces.values(), company=company, without=fresh)
        for party in disordered:
            before |= history.moves(Threads(company.conversation_window), placed[party])
        await _refold(traces, history, before, uow=uow, company=company, now=now)


async def told_of(parties: Collection[UUID], *, uow: InteractionsUnitOfWork, company: Company) -> Moves:
    """What has been told of the parties' threads: to be taken before that changes which they are computed from."""
    traces = await uow.traces.ids_of(parties)
    return _moves(await uow.conversations.history(_every(traces)), traces.values(), company=company)


async def recompute(
    parties: Collection[UUID], *, told: Moves, uow: InteractionsUnitOfWork, company: Company, now: datetime
) -> None:
    """Compute the parties' threads anew from their touchpoints and acts, and with them what came back on their cases.

    Of what was `told` until now, what is otherwise is taken back and told as it is; the rest is not told again.
    """
    traces = await uow.traces.ids_of(parties)
    history = await uow.conversations.history(_every(traces))
    await _refold(traces, history, told, uow=uow, company=company, now=now)


async def _refold(
    traces: Mapping[UUID, Collection[UUID]],
    history: History,
    told: Moves,
    *,
    uow: InteractionsUnitOfWork,
    company: Company,
    now: datetime,
) -> None:
    touched = {one.touchpoint_id for some in history.entries.values() for one in some}
    await uow.conversations.clear(traces.keys(), touched)
    threads: dict[UUID, Collection[Thread]] = {}
    placed: dict[UUID, list[Placed]] = {}
    moves: Moves = {}
    for party, held in traces.items():
        folded, placed[party] = history.replay(held, window=company.conversation_window)
        threads[party] = folded.threads.values()
        moves |= history.moves(folded, placed[party])
    await uow.conversations.join(placed)
    await uow.conversations.save(threads)
    uow.outbox.add_all(retold(told, moves, standing=history.standing), at=now)
    await follow_threads(await uow.cases.of_traces(_every(traces)), uow=uow, company=company, now=now)


def _moves(
    history: History, parties: Collection[Collection[UUID]], *, company: Company, without: Collection[UUID] = ()
) -> Moves:
    """The moves of the parties' threads; a party is the traces that it holds."""
    moves: Moves = {}
    for held in parties:
        moves |= history.moves(*history.replay(held, window=company.conversation_window, without=without))
    return moves


def _every(traces: Mapping[UUID, Collection[UUID]]) -> set[UUID]:
    return {trace for held in traces.values() for trace in held}


async def act_on_conversation(
    conversation_id: UUID,
    act: Literal["park", "close"],
    *,
    reason: str,
    by: str,
    uow: InteractionsUnitOfWork,
    clock: Clock,
    company: Company,
) -> UUID:
    """Park or close a thread, named by any touchpoint in it; gives its present id. The next contact on it resumes it."""
    async with uow:
        row = await uow.conversations.get(conversation_id)
        touchpoint = await uow.touchpoints.find(await _named(conversation_id, row, uow=uow))
        if touchpoint is None:  # with a year of the log go its threads
            raise UnknownConversation
        await uow.lock([touchpoint["trace_id"]], space=TRACES)
        row = await uow.conversations.get(conversation_id)  # from here on nobody can give the trace to another party
        await uow.lock([row["party_id"]], space=PARTIES)
        row = await uow.conversations.get(conversation_id)
        if row["state"] == "closed":
            raise ConversationClosed
        if row["state"] == "parked" and act == "park":
            raise ConversationParked
        now = clock()
        done = Act(new_id(), touchpoint["touchpoint_id"], act, now)
        told = await told_of([row["party_id"]], uow=uow, company=company)
        await uow.conversations.add_act(done, trace_id=touchpoint["trace_id"], by=by, reason=reason)
        await recompute([row["party_id"]], told=told, uow=uow, company=company, now=now)  # which tells of it
        await uow.commit()
    found: UUID = row["conversation_id"]
    return found


async def _named(touchpoint_id: UUID, thread: Any, *, uow: InteractionsUnitOfWork) -> UUID:
    """By which touchpoint he knows the thread: where threads part again, what he did goes with it. The first, where that one was corrected."""
    held = await uow.conversations.holding([touchpoint_id])
    here = touchpoint_id in held and held[touchpoint_id][0] == thread["conversation_id"]
    named: UUID = touchpoint_id if here else thread["conversation_id"]
    return named


async def follow(
    changed: Mapping[UUID, tuple[UUID, UUID]], *, uow: InteractionsUnitOfWork, company: Company, now: datetime
) -> None:
    """Traces went from one party to another (trace -> (old, new)): threads are as if they had always been there."""
    spoken = await uow.conversations.spoken(changed.keys())  # a trace without touchpoints moves nothing
    moved = {trace: pair for trace, pair in changed.items() if trace in spoken}
    parties = {party for pair in moved.values() for party in pair}
    holding = await uow.traces.ids_of(parties)
    renamed = _whole(moved, holding, spoken)
    await uow.conversations.rename(renamed)
    if anew := parties - renamed.keys() - set(renamed.values()):
        traces = {party: holding[party] for party in anew}
        history = await uow.conversations.history(_every(traces))
        told = _moves(history, _before(moved, traces).values(), company=company)
        await _refold(traces, history, told, uow=uow, company=company, now=now)


def _before(moved: Mapping[UUID, tuple[UUID, UUID]], holding: Mapping[UUID, Collection[UUID]]) -> dict[UUID, set[UUID]]:
    """Which traces each party held before some moved."""
    held = {party: set(traces) - moved.keys() for party, traces in holding.items()}
    for trace, (old, _) in moved.items():
        if old in held:
            held[old].add(trace)
    return held


def _whole(
    moved: Mapping[UUID, tuple[UUID, UUID]], holding: Mapping[UUID, Sequence[UUID]], spoken: Collection[UUID]
) -> dict[UUID, UUID]:
    """Old party -> new, where one simply became the other, with all it had and nothing else: a new customer's first trace."""
    coming: dict[UUID, set[UUID]] = {}
    olds: dict[UUID, set[UUID]] = {}
    news: dict[UUID, set[UUID]] = {}
    for trace, (old, new) in moved.items():
        coming.setdefault(new, set()).add(trace)
        olds.setdefault(new, set()).add(old)
        news.setdefault(old, set()).add(new)
    return {
        old: new
        for new, (old, *others) in olds.items()
        if not others
        and news[old] == {new}
        and set(holding[old]) <= coming[new] == set(holding[new])
        and coming[new] <= set(spoken)
    }
