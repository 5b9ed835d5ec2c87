"""What happens to promises: made and kept in contacts, kept and waived by people, late by the passing of time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from common.clock import Clock
from common.contracts.interactions import CommitmentMoved
from common.ids import new_id
from common.timers import Timer
from interactions.commitments import domain
from interactions.commitments.domain import Commitment
from interactions.touchpoints.domain import Touchpoint
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork


async def make(
    touchpoints: Sequence[Touchpoint], *, uow: InteractionsUnitOfWork, now: datetime
) -> dict[UUID, list[UUID]]:
    """Note what was promised, wake when it falls due, and tell. Gives the commitment ids by touchpoint.

    A promise that a corrected contact tells of in the same words as before goes on, with what has become of it.
    """
    said = [one for touchpoint in touchpoints for one in _said(touchpoint)]
    if not said:
        return {}
    made = [one for one, before in said if before is None]
    going_on = [domain.corrected(before, one) for one, before in said if before is not None]
    await uow.commitments.add(made)
    await uow.commitments.save(going_on)
    await _wake([*made, *going_on], uow=uow)
    uow.outbox.add_all((domain.told(one, "made", at=one.made_at) for one in made), at=now)
    for one in going_on:
        uow.outbox.add_all(await _told_again(one, uow=uow), at=now)
    ids: dict[UUID, list[UUID]] = {}
    for one, before in said:
        ids.setdefault(one.touchpoint_id, []).append((before or one).commitment_id)
    return ids


def _said(touchpoint: Touchpoint) -> list[tuple[Commitment, Commitment | None]]:
    """What the contact promises, each with the promise before that it goes on with."""
    promises = touchpoint.draft.promises
    before = domain.going_on(touchpoint.its_promises, [(one.by, one.text) for one in promises])
    return [(_made(touchpoint, place), before[place]) for place in range(len(promises))]


async def _wake(owed: Sequence[Commitment], *, uow: InteractionsUnitOfWork) -> None:
    due = [(one, one.wakes_at()) for one in owed if one.state == "open"]
    await uow.timers.set_all([Timer(domain.DUE, str(one.commitment_id), at, {}) for one, at in due if at is not None])


async def _told_again(one: Commitment, *, uow: InteractionsUnitOfWork) -> list[CommitmentMoved]:
    kept_in = None if one.kept_by is None else await uow.touchpoints.find(one.kept_by)
    return domain.told_again(
        one,
        settled_at=kept_in["occurred_at"] if kept_in else one.moved_at,
        channel=kept_in["channel"] if kept_in else None,
    )


def _made(touchpoint: Touchpoint, place: int) -> Commitment:
    draft, promise = touchpoint.draft, touchpoint.draft.promises[place]
    return Commitment(
        commitment_id=new_id(),
        trace_id=touchpoint.trace_id,
        touchpoint_id=touchpoint.touchpoint_id,
        case_number=touchpoint.case_number,
        by=promise.by,
        text=promise.text,
        owner=draft.actor_id if promise.by == "company" else None,
        owner_name=draft.actor_name if promise.by == "company" else None,
        channel=draft.channel,
        visibility=draft.visibility,
        due_at=promise.due_at,
        state="open",
        made_at=draft.occurred_at,
        moved_at=touchpoint.recorded_at,
        moved_by=None,
        reason=None,
        kept_by=None,
        backfill=draft.backfill,
    )


async def keep_by(
    touchpoints: Sequence[Touchpoint], known: Mapping[UUID, Commitment], *, uow: InteractionsUnitOfWork, now: datetime
) -> list[UUID]:
    """Note what contacts kept (`known`: the commitments named); gives the touchpoints whose threads owe less now."""
    changed: dict[UUID, Commitment] = {}
    settled: list[UUID] = []
    for touchpoint in touchpoints:
        draft = touchpoint.draft
        for commitment_id in draft.keeps:
            before = changed.get(commitment_id) or known.get(commitment_id)
            if before is None or before.state not in domain.OWED:
                if before is not None and before.kept_by is not None:
                    changed[commitment_id] = domain.kept_also(before, touchpoint.touchpoint_id)
                continue  # the second word on it changes nothing, unless the first is taken back
            at = draft.occurred_at
            after = domain.kept(
                before, at=now, by=draft.speaker.by, reason=None, touchpoint_id=touchpoint.touchpoint_id
            )
            changed[commitment_id] = after
            settled.append(after.touchpoint_id)
            uow.outbox.add(domain.told(after, "kept", at=at, channel=draft.channel), at=now)
            await uow.timers.cancel(domain.DUE, commitment_id)
    await uow.commitments.save(list(changed.values()))
    return settled


async def lose_keeper(touchpoint_id: UUID, *, by: str, uow: InteractionsUnitOfWork, now: datetime) -> None:
    """The contact is taken back: what it kept was kept by the next that said so, or is owed again."""
    kept = await uow.commitments.kept_in(touchpoint_id)
    live = await uow.touchpoints.live({UUID(other) for one in kept for other in one.also_kept_by})
    left = [domain.without_keeper(one, live=live, at=now, by=by) for one in kept]
    await uow.commitments.save(left)
    await _wake(left, uow=uow)
    for one in left:
        owed = one.kept_by is None
        uow.outbox.add_all([domain.told(one, "made", at=now)] if owed else await _told_again(one, uow=uow), at=now)
    await uow.conversations.restate([one.touchpoint_id for one in left if one.kept_by is None])


async def settle(
    commitment_id: UUID,
    act: Literal["keep", "waive"],
    *,
    reason: str,
    by: str,
    uow: InteractionsUnitOfWork,
    clock: Clock,
) -> Commitment:
    """A person says that it was kept, or that it need not be. Raises UnknownCommitment or CommitmentSettled."""
    async with uow:
        before = await _held(commitment_id, uow=uow)
        now = clock()
        if act == "keep":
            after = domain.kept(before, at=now, by=by, reason=reason)
        else:
            after = domain.waived(before, at=now, by=by, reason=reason)
        await uow.commitments.save([after])
        await uow.timers.cancel(domain.DUE, commitment_id)
        await uow.conversations.restate([after.touchpoint_id])
        uow.outbox.add(domain.told(after, "kept" if act == "keep" else "waived", at=now), at=now)
        await uow.commit()
    return after


async def reschedule(
    commitment_id: UUID,
    due_at: datetime,
    *,
    reason: str,
    agreed_with: str | None,
    by: str,
    uow: InteractionsUnitOfWork,
    clock: Clock,
) -> Commitment:
    """Another date was agreed on; the date that it has already changes nothing. Raises UnknownCommitment, CommitmentSettled, DueInPast."""
    async with uow:
        before = await _held(commitment_id, uow=uow)
        if before.due_at == due_at and before.state in domain.OWED:
            return before
        now = clock()
        after = domain.rescheduled(before, due_at, at=now, by=by, reason=reason, agreed_with=agreed_with)
        await uow.commitments.save([after])
        await uow.timers.set(domain.DUE, commitment_id, due_at)
        uow.outbox.add(domain.told(after, "rescheduled", at=now), at=now)
        await uow.commit()
    return after


async def fall_due(due: Sequence[Timer], *, uow: InteractionsUnitOfWork, clock: Clock) -> None:
    """Timers of promises: whatever is still open is late now, and that is told once. In the caller's transaction."""
    now = clock()
    found = await uow.commitments.some([UUID(timer.key) for timer in due])
    await _lock(list(found.values()), uow=uow)
    found = await uow.commitments.some(list(found))
    late = [after for one in found.values() if (after := domain.fell_due(one, now=now)) is not None]
    await uow.commitments.save(late)
    for one in late:
        uow.outbox.add(domain.told(one, "broken", at=one.due_at or now), at=now)


async def _held(commitment_id: UUID, *, uow: InteractionsUnitOfWork) -> Commitment:
    found = await uow.commitments.get(commitment_id)
    await _lock([found], uow=uow)
    return await uow.commitments.get(commitment_id)  # as it is under the lock


async def _lock(commitments: Sequence[Commitment], *, uow: InteractionsUnitOfWork) -> None:
    traces = {one.trace_id for one in commitments}
    await uow.lock(traces, space=TRACES)
    known = await uow.traces.known(traces)
    await uow.lock({known[t].party_id if t in known else t for t in traces}, space=PARTIES)
