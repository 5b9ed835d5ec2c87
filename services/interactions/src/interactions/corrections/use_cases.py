"""What people do to what was recorded: retract, correct, redact. Each with author and reason, nothing overwritten."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from common.behind import Behind
from common.contracts.interactions import PersonUnseen, TouchpointRetracted
from common.ids import new_id
from common.moments import written
from common.names import fold
from interactions.cases import domain as case_domain
from interactions.cases import use_cases as cases
from interactions.commitments import domain as commitment_domain
from interactions.commitments import use_cases as commitments
from interactions.commitments.domain import Commitment
from interactions.conversations import use_cases as conversations
from interactions.touchpoints import domain
from interactions.touchpoints.domain import Draft, Touchpoint, Unreadable
from interactions.touchpoints.use_cases import (
    Desk,
    Outcome,
    Recorded,
    Refused,
    append,
    checked,
    lock_keys,
    named_by,
    parties_of,
    party_of,
    receipt_of,
    traces_of,
    unerased,
)
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork


async def retract(touchpoint_id: UUID, *, reason: str, by: str, desk: Desk) -> None:
    """Take a touchpoint's effects back everywhere; what it said stays in the log, marked."""
    async with InteractionsUnitOfWork(desk.database) as uow:
        row = await _held(touchpoint_id, uow=uow)
        now = desk.clock()
        parties = [await party_now(row["trace_id"], uow=uow)]
        told = await conversations.told_of(parties, uow=uow, company=desk.company)
        await _take_back(row, state="retracted", reason=reason, by=by, now=now, uow=uow)
        await conversations.recompute(parties, told=told, uow=uow, company=desk.company, now=now)
        await _recount(touchpoint_id, now=now, desk=desk, uow=uow)
        await uow.commit()


async def correct(touchpoint_id: UUID, draft: Draft, *, by: str, reason: str, desk: Desk) -> Recorded:
    """Put a new version beside the old one: the old one's effects are taken back, the new one gets the trace of its own content.

    On the same trace a case goes on under its number, and promises told of in the same words under their ids. What was proved
    in the contact, and through which partner it came, is as before. The same body again is a duplicate and gets the first answer.
    """
    accepted = domain.accept(draft, now=desk.clock(), company=desk.company, secret=desk.secret)
    async with InteractionsUnitOfWork(desk.database) as uow:
        row = await uow.touchpoints.get(touchpoint_id)
        accepted = domain.proved_as_before(accepted, row)
        theirs = await _concerned(touchpoint_id, uow=uow) | (await named_by([accepted], uow=uow)).traces
        await uow.lock({row["trace_id"], *lock_keys([accepted]), *theirs}, space=TRACES)
        traces = await traces_of([accepted], uow=uow)
        old_party = await party_now(row["trace_id"], uow=uow)
        parties = {old_party, *(trace.party_id for trace in traces.values())}
        await uow.lock(parties | await parties_of(theirs, uow=uow), space=PARTIES)
        row = await uow.touchpoints.get(touchpoint_id)
        if (row["source"], row["external_id"]) != accepted.key:
            raise domain.AnotherExternalId(pointer="/external_id")
        if (answer := await _answered_before(row, draft, uow=uow)) is not None:
            return Recorded("duplicate", answer)
        row = await _must_be_live(touchpoint_id, uow=uow)
        accepted = await _without_its_own(accepted, row, uow=uow)
        outcomes: dict[int, Outcome | Unreadable] = {}
        kept = await unerased({0: accepted}, {0: accepted}, outcomes, desk=desk, uow=uow)
        fresh, _ = await checked(kept, traces, outcomes, uow=uow)
        _raise_refusal(outcomes)
        now = desk.clock()
        new = replace(
            domain.minted(fresh[0], new_id(), at=now),
            version=row["version"] + 1,
            position=row["position"],
            corrects=touchpoint_id,
        )
        new = await _going_on(new, row, uow=uow)
        told = await conversations.told_of(parties, uow=uow, company=desk.company)
        await _take_back(row, state="corrected", reason=reason, by=by, now=now, uow=uow, corrected_by=new)
        await conversations.recompute(parties, told=told, uow=uow, company=desk.company, now=now)
        await _recount(touchpoint_id, now=now, desk=desk, uow=uow)
        traces = await traces_of([new], uow=uow)  # taking back has changed what is on record of them
        # and of the promise that it keeps, the case that it answers: what went with the version before cannot be named
        _, named = await checked({0: new}, traces, outcomes, uow=uow)
        _raise_refusal(outcomes)
        async with Behind() as behind:
            answers = await append([new], traces, named, desk=desk, uow=uow, now=now, behind=behind)
        thread = await uow.conversations.get(new.touchpoint_id)
        answer = answers[new.touchpoint_id] | {"conversation_id": str(thread["conversation_id"])}
        await uow.receipts.replace(receipt_of(new, answer))
        await uow.commit()
    return Recorded("recorded", answer)


async def _answered_before(
    row: Mapping[str, Any], draft: Draft, *, uow: InteractionsUnitOfWork
) -> dict[str, Any] | None:
    """The answer to this same body: that of the correction, or of the touchpoint itself where the log says just that."""
    receipt = (await uow.receipts.known({(draft.source, draft.external_id)})).get((draft.source, draft.external_id))
    if receipt is None or receipt.body_hash != draft.body_hash:
        return None
    return receipt.answer if receipt.touchpoint_id in (row["touchpoint_id"], row["corrected_by"]) else None


async def _without_its_own(new: Touchpoint, row: Mapping[str, Any], *, uow: InteractionsUnitOfWork) -> Touchpoint:
    """The new version where it names, as they are read, the case or thread that the one before opened: it is no further contact.

    On the same trace a thread that it names is one to stay in, whatever the topic is now.
    """
    draft = new.draft
    if draft.case in {case.number for case in await uow.cases.opened_in(row["touchpoint_id"])}:
        draft = replace(draft, case=None)
    if new.trace_id != row["trace_id"] and draft.conversation_id in (row["touchpoint_id"], row["position"]):
        draft = replace(draft, conversation_id=None)
    return replace(new, draft=draft)


def _raise_refusal(outcomes: Mapping[int, Outcome | Unreadable]) -> None:
    if isinstance(refused := outcomes.get(0), Unreadable | Refused):
        raise refused.refusal


async def _going_on(new: Touchpoint, row: Mapping[str, Any], *, uow: InteractionsUnitOfWork) -> Touchpoint:
    """The new version with the case and the promises that go on with it: of the same person, and told of by both."""
    if new.trace_id != row["trace_id"]:
        return new
    opened = [case for case in await uow.cases.opened_in(row["touchpoint_id"]) if case.state != "retracted"]
    made = [one for one in await uow.commitments.made_in(row["touchpoint_id"]) if one.state != "retracted"]
    same = commitment_domain.going_on(made, [(one.by, one.text) for one in new.draft.promises])
    return replace(
        new,
        its_case=opened[0] if opened and cases.opens_case(new) else None,
        its_promises=tuple(one for one in same if one is not None),
    )


async def redact(touchpoint_id: UUID, pointers: Sequence[str], *, reason: str, by: str, desk: Desk) -> None:
    """Empty what the pointers name, for good: in the log, in threads computed from it, and in bodies parked under its id."""
    async with InteractionsUnitOfWork(desk.database) as uow:
        row = await uow.touchpoints.get(touchpoint_id)
        await uow.lock([row["trace_id"]], space=TRACES)
        party = await party_now(row["trace_id"], uow=uow)
        await uow.lock([party], space=PARTIES)
        row = await uow.touchpoints.get(touchpoint_id)
        changes = domain.redacted(row, pointers)
        promised = await _promised_in(row, uow=uow)
        await uow.commitments.save(
            [replace(promised[one], text="") for one in domain.promises_named(pointers, promised)]
        )
        now = desk.clock()
        told = await conversations.told_of([party], uow=uow, company=desk.company)
        marks = [{"pointer": one, "at": written(now), "by": by, "reason": reason} for one in pointers]
        await uow.touchpoints.change(touchpoint_id, **changes, redacted=[*row["redacted"], *marks])
        await _redact_parked(row, pointers, uow=uow)
        if "payload" in changes:
            opened = await uow.cases.opened_in(touchpoint_id)
            await uow.cases.put([replace(case, about=changes["payload"].get("about")) for case in opened])
        await conversations.recompute([party], told=told, uow=uow, company=desk.company, now=now)
        await uow.commit()


async def _promised_in(row: Mapping[str, Any], *, uow: InteractionsUnitOfWork) -> list[Commitment]:
    """What the touchpoint promises, in the order of its body."""
    made = {one.commitment_id: one for one in await uow.commitments.made_in(row["touchpoint_id"])}
    key = (row["source"], row["external_id"])
    receipt = (await uow.receipts.known({key})).get(key)
    ids = [UUID(one) for one in receipt.answer["commitment_ids"]] if receipt else []
    return [made[one] for one in (ids if set(ids) == made.keys() else sorted(made))]


async def _redact_parked(row: Mapping[str, Any], pointers: Sequence[str], *, uow: InteractionsUnitOfWork) -> None:
    for parked in await uow.touchpoints.parked_with(row["source"], row["external_id"]):
        try:
            body = orjson.loads(parked.body)
        except orjson.JSONDecodeError:
            body = None
        if isinstance(body, dict) and body.get("external_id") == row["external_id"]:
            domain.empty(body, pointers)
            await uow.touchpoints.empty_parked(parked.id, orjson.dumps(body).decode())


async def _held(touchpoint_id: UUID, *, uow: InteractionsUnitOfWork) -> Any:
    row = await uow.touchpoints.get(touchpoint_id)
    traces = {row["trace_id"]} | await _concerned(touchpoint_id, uow=uow)
    await uow.lock(traces, space=TRACES)
    await uow.lock(await parties_of(traces, uow=uow), space=PARTIES)
    return await _must_be_live(touchpoint_id, uow=uow)


async def _concerned(touchpoint_id: UUID, *, uow: InteractionsUnitOfWork) -> set[UUID]:
    """On which traces the cases are that it moved, and the promises that it kept: others may be at work on them."""
    moved, kept = await uow.cases.moved_in(touchpoint_id), await uow.commitments.kept_in(touchpoint_id)
    return {one.trace_id for one in moved} | {one.trace_id for one in kept}


async def _must_be_live(touchpoint_id: UUID, *, uow: InteractionsUnitOfWork) -> Any:
    row = await uow.touchpoints.get(touchpoint_id)
    if row["state"] != "live":
        raise domain.TouchpointNotLive(f"It is {row['state']}.")
    return row


async def party_now(trace_id: UUID, *, uow: InteractionsUnitOfWork) -> UUID:
    return party_of(trace_id, await uow.traces.known([trace_id]))


async def _take_back(
    row: Mapping[str, Any],
    *,
    state: str,
    reason: str,
    by: str,
    now: datetime,
    uow: InteractionsUnitOfWork,
    corrected_by: Touchpoint | None = None,
) -> None:
    """Mark the version, and take back what it promised, kept, opened, and taught about the person."""
    touchpoint_id: UUID = row["touchpoint_id"]
    await uow.touchpoints.change(
        touchpoint_id,
        state=state,
        corrected_by=corrected_by.touchpoint_id if corrected_by else None,
        retracted_at=now,
        retracted_by=by,
        retracted_reason=reason,
    )
    code = "corrected" if state == "corrected" else "retracted"
    uow.outbox.add(TouchpointRetracted(**row["figures"], reason_code=code), at=now)
    if row["identifiers"]:
        uow.outbox.add(PersonUnseen(touchpoint_id=touchpoint_id, trace_id=row["trace_id"]), at=now)
        await relearn(row["trace_id"], uow=uow)
    going_on = {one.commitment_id for one in corrected_by.its_promises} if corrected_by else set()
    await _take_back_promises(touchpoint_id, by=by, now=now, uow=uow, but=going_on)
    if corrected_by is None or corrected_by.its_case is None:
        await _take_back_cases(touchpoint_id, by=by, now=now, uow=uow)


async def relearn(trace_id: UUID, *, uow: InteractionsUnitOfWork) -> None:
    """What a trace carries, from those of its touchpoints that still count."""
    live = await uow.touchpoints.live_identifiers(trace_id)
    known = (await uow.traces.known([trace_id]))[trace_id]
    carried = {(trace_id, UUID(one["id"]), one["scheme"]) for some, _ in live for one in some}
    documents = tuple(dict.fromkeys(o["normalised"] for some, _ in live for o in some if o["scheme"] == "document"))
    names = [fold(name) for _, profile in live if (name := domain.name_of(profile))]
    await uow.traces.forget(trace_id)
    await uow.traces.carry(carried)
    await uow.traces.save([replace(known, documents=documents, folded_name=names[-1] if names else None)])


async def _take_back_promises(
    touchpoint_id: UUID, *, by: str, now: datetime, uow: InteractionsUnitOfWork, but: Collection[UUID]
) -> None:
    promised = await uow.commitments.made_in(touchpoint_id)
    made = [one for one in promised if one.state != "retracted" and one.commitment_id not in but]
    await uow.commitments.save([commitment_domain.taken_back(one, at=now, by=by) for one in made])
    for one in made:
        await uow.timers.cancel(commitment_domain.DUE, one.commitment_id)
        uow.outbox.add(commitment_domain.told(one, "retracted", at=now), at=now)
    await commitments.lose_keeper(touchpoint_id, by=by, uow=uow, now=now)


async def _take_back_cases(touchpoint_id: UUID, *, by: str, now: datetime, uow: InteractionsUnitOfWork) -> None:
    opened = [case for case in await uow.cases.opened_in(touchpoint_id) if case.state != "retracted"]
    steps = [case_domain.retracted(case, at=now, by=by) for case in opened]
    await uow.cases.save(steps)
    for step in steps:
        await uow.timers.cancel(case_domain.SETTLED, step.case.number)
        await uow.timers.cancel(case_domain.EXPIRY, step.case.number)
        uow.outbox.add(case_domain.told(step), at=now)


async def _recount(touchpoint_id: UUID, *, now: datetime, desk: Desk, uow: InteractionsUnitOfWork) -> None:
    """What it did to cases that it named and that are another party's: only its own party's are counted with the threads."""
    moved = await uow.cases.moved_in(touchpoint_id)
    await cases.follow_threads(moved, uow=uow, company=desk.company, now=now)
