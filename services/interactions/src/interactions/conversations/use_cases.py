"""What happens to threads: contacts are placed, people park and close, links change."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from common.clock import Clock
from common.contracts.interactions import ConversationMoved
from interactions.conversations.domain import (
    Act,
    ConversationClosed,
    ConversationParked,
    Entry,
    Placed,
    Thread,
    replay,
)
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork


async def place(
    entries: Mapping[UUID, Sequence[Entry]], *, uow: InteractionsUnitOfWork, window: timedelta
) -> tuple[dict[UUID, list[Placed]], set[UUID]]:
    """Continue or open each party's threads, and write who joined which. Call `save_threads` when promises are written.

    Gives the placed entries by party, and the parties whose order was broken: their new ids do not come after all that is
    on record (clocks of two processes differ), so their threads are to be computed from the whole history.
    """
    loaded = await uow.conversations.threads(entries, window=window)
    placed: dict[UUID, list[Placed]] = {}
    disordered: set[UUID] = set()
    for party, some in entries.items():
        threads = loaded[party]
        latest = max((thread.latest_position for thread in threads.threads.values()), default=None)
        if latest is not None and latest >= min(entry.position for entry in some):
            disordered.add(party)
        placed[party] = [threads.place(entry) for entry in some]
    await uow.conversations.join(placed)
    return placed, disordered


async def save_threads(
    placed: Mapping[UUID, Sequence[Placed]],
    *,
    disordered: Collection[UUID],
    uow: InteractionsUnitOfWork,
    window: timedelta,
) -> None:
    """Write the threads as they stand after the placed entries."""
    await uow.conversations.save(
        {party: {one.conversation_id: one.after for one in some}.values() for party, some in placed.items()}
    )
    if disordered:
        await recompute(disordered, uow=uow, window=window)


async def recompute(parties: Collection[UUID], *, uow: InteractionsUnitOfWork, window: timedelta) -> None:
    """Compute the parties' threads anew from their touchpoints and acts. Nothing is told: nothing happened."""
    traces = await uow.traces.ids_of(parties)
    histories = {party: await uow.conversations.history(ids) for party, ids in traces.items()}
    touched = {entry.touchpoint_id for entries, _ in histories.values() for entry in entries}
    await uow.conversations.clear(parties, touched)
    threads: dict[UUID, Collection[Thread]] = {}
    placed: dict[UUID, list[Placed]] = {}
    for party, (entries, acts) in histories.items():
        folded, placed[party] = replay(entries, acts, window=window)
        threads[party] = folded.threads.values()
    await uow.conversations.join(placed)
    await uow.conversations.save(threads)


async def act_on_conversation(
    conversation_id: UUID,
    act: Literal["park", "close"],
    *,
    reason: str,
    by: str,
    uow: InteractionsUnitOfWork,
    clock: Clock,
    window: timedelta,
) -> UUID:
    """Park or close a thread, named by any touchpoint in it; gives its present id. The next contact on it resumes it."""
    async with uow:
        row = await uow.conversations.get(conversation_id)
        touchpoint = await uow.touchpoints.get(row["conversation_id"])
        await uow.lock([touchpoint["trace_id"]], space=TRACES)
        row = await uow.conversations.get(conversation_id)  # from here on nobody can give the trace to another party
        await uow.lock([row["party_id"]], space=PARTIES)
        row = await uow.conversations.get(conversation_id)
        if row["state"] == "closed":
            raise ConversationClosed
        if row["state"] == "parked" and act == "park":
            raise ConversationParked
        now = clock()
        done = Act(uuid7(), touchpoint["touchpoint_id"], act, now)
        await uow.conversations.add_act(done, trace_id=touchpoint["trace_id"], by=by, reason=reason)
        await recompute([row["party_id"]], uow=uow, window=window)
        moved = ConversationMoved(
            conversation_id=row["conversation_id"],
            trace_id=touchpoint["trace_id"],
            move="closed" if act == "close" else "parked",
            channel=row["last_channel"],
            at=now,
        )
        uow.outbox.add(moved, at=now)
        await uow.commit()
    found: UUID = row["conversation_id"]
    return found


async def follow(changed: Mapping[UUID, tuple[UUID, UUID]], *, uow: InteractionsUnitOfWork, window: timedelta) -> None:
    """Traces went from one party to another (trace -> (old, new)): threads are as if they had always been there."""
    spoken = await uow.conversations.spoken(changed.keys())  # a trace without touchpoints moves nothing
    moved = {trace: pair for trace, pair in changed.items() if trace in spoken}
    parties = {party for pair in moved.values() for party in pair}
    holding = await uow.traces.ids_of(parties)
    renamed = _whole(moved, holding, spoken)
    await uow.conversations.rename(renamed)
    if anew := parties - renamed.keys() - set(renamed.values()):
        await recompute(anew, uow=uow, window=window)


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
