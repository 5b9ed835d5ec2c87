"""Judging what was seen: as it arrives, when a deadline passes, and when a standard has changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from common.clock import Clock
from common.contracts.service_audit import ActionMoved, EvidenceRecorded, MomentFailed
from common.timers import Timer
from service_audit.actions.domain import BY_ITSELF, action_for
from service_audit.evidence.domain import Change, Evidence, UnknownCustomer, compare, judge
from service_audit.evidence.repository import EvidenceFilter
from service_audit.observations.domain import Heard, Observation, elsewhere, keys_of, standing
from service_audit.standards.domain import Moment
from service_audit.uow import AuditUnitOfWork

DEADLINE = "deadline"
REJUDGE = "rejudge"
AT_ONCE = 1000  # observations, or evidence, that one step of judging anew looks at

Moments = Mapping[tuple[str, str], Moment]
Case = tuple[Moment, str]  # a moment and the scope in which it is to be judged


async def lock_scopes(
    heard: Heard, moments: Moments, *, uow: AuditUnitOfWork, beside: Collection[UUID] = ()
) -> Collection[Case]:
    """Hold the subjects on which two transactions must not judge at once; gives what will be judged.

    What is seen alone is told in order anyway.
    """
    # Where things were as well: of two that leave one thread at once, each would still find the other there.
    before = await uow.observations.known(heard.perhaps_known)
    moved = elsewhere(heard.seen, before)
    touched = [*before, *heard.seen, *moved, *await uow.observations.depending_on(heard.withdrawn)]
    cases = _cases(touched, moments)
    scopes = {scope for _, scope in cases if not scope.startswith("observation:")}
    # the traces as well: a person who is erased at this moment must not be taken note of anew
    await uow.lock({*scopes, *beside, *(one.trace_id for one in heard.seen)})
    return cases


async def catch_up(cases: Collection[Case], moments: Moments, *, uow: AuditUnitOfWork, now: datetime) -> None:
    """Judge first by its changed standard what comes after a longer past: only what is new may set anything off. Does not commit."""
    if cases and (anew := await uow.timers.keys(REJUDGE)):
        behind = [(moment, scope) for moment, scope in cases if moment.cycle in anew]
        await judge_cases(behind, moments, uow=uow, now=now, alarms=False)


async def take_note(heard: Heard, moments: Moments, *, uow: AuditUnitOfWork, now: datetime) -> None:
    """Keep what was heard, and judge what it touches. Does not commit."""
    new = await uow.observations.add(heard.seen)
    # What was told before of the same things: a later telling may take it out of a moment that it was in.
    before = await uow.observations.known(keys_of(heard.seen) - new)
    moved = elsewhere(heard.seen, before)
    await uow.observations.save([*(one for one in heard.seen if one.key not in new), *moved])
    await uow.observations.withdraw(heard.withdrawn)
    touched = [*before, *heard.seen, *moved, *await uow.observations.depending_on(heard.withdrawn)]
    await judge_cases(_cases(touched, moments), moments, uow=uow, now=now)


async def deadlines_passed(due: Sequence[Timer], *, uow: AuditUnitOfWork, clock: Clock) -> None:
    """Judge what the timers point at, on the state of this moment. Does not commit."""
    moments = await uow.standards.moments()
    cases = {
        (moment, str(timer.payload["scope"]))
        for timer in due
        if (moment := moments.get((timer.payload["cycle"], timer.payload["moment"]))) is not None
    }
    await uow.lock(scope for _, scope in cases)
    now = clock()
    await catch_up(cases, moments, uow=uow, now=now)
    await judge_cases(cases, moments, uow=uow, now=now)


async def judge_anew(
    cycle: str, version: int, *, after: tuple[str, str] | None, uow: AuditUnitOfWork, now: datetime
) -> tuple[str, str] | None:
    """One step of judging all of a cycle by its present standards, from kept observations; gives where to go on, None at the end.

    The past sets nothing off: no moment is told as failed, no action is opened, but for what had fallen due and was not looked
    at yet. What was told and is not so is taken back.
    The caller holds the cycle, so that no consumer judges by it meanwhile.
    """
    moments = await uow.standards.moments()
    mine = {key: moment for key, moment in moments.items() if moment.cycle == cycle}
    sources = sorted({moment.trigger.source for moment in mine.values()})
    page = await uow.observations.page(sources, after=after, limit=AT_ONCE) if sources else []
    await judge_cases(_cases(page, mine), mine, uow=uow, now=now, alarms=False)
    place = (page[-1].source, page[-1].key) if page else after or ("", "")
    if len(page) == AT_ONCE:
        return place
    outdated = await uow.evidence.judged_before(cycle, version, limit=AT_ONCE)
    gone = [Change(one, None, moments.get((one.cycle, one.moment))) for one in outdated]
    await _keep(gone, uow=uow, now=now, alarms=False)
    return place if len(outdated) == AT_ONCE else None


async def go_on_judging(due: Sequence[Timer], *, uow: AuditUnitOfWork, clock: Clock) -> None:
    """The next step for each cycle whose standards have changed. Does not commit."""
    for timer in due:
        version, after = int(timer.payload["version"]), timer.payload["after"]
        place = (str(after[0]), str(after[1]))
        present = await uow.standards.get("cycle", timer.key, locked=True)
        if present is None or present.version != version:
            continue  # written anew since the timer was read: judging began anew as well, with a timer of its own
        now = clock()
        further = await judge_anew(timer.key, version, after=place, uow=uow, now=now)
        if further is not None:
            await uow.timers.set(REJUDGE, timer.key, now, {"version": version, "after": list(further)})


async def republish_failures(*, uow: AuditUnitOfWork, now: datetime) -> int:
    """Tell anew every failure that was told and still stands; gives how many. Each page is a transaction of its own."""
    told, after = 0, None
    while True:
        async with uow:
            moments = await uow.standards.moments()
            page = await uow.evidence.raised_after(after, limit=AT_ONCE)
            for one in page:
                _tell_failure(one, moments.get((one.cycle, one.moment)), uow=uow, now=now)
            await uow.commit()
        told += len(page)
        if len(page) < AT_ONCE:
            return told
        after = page[-1].evidence_id


async def judge_cases(
    cases: Iterable[Case], moments: Moments, *, uow: AuditUnitOfWork, now: datetime, alarms: bool = True
) -> None:
    """Judge the moments in their scopes, keep what is otherwise than before, and tell of it. Does not commit."""
    wanted: dict[str, list[Moment]] = defaultdict(list)
    for moment, scope in dict.fromkeys(cases):
        wanted[scope].append(moment)
    if not wanted:
        return
    seen = await uow.observations.of_scopes(wanted)
    keys = {key for found in seen.values() for one in found for key in one.depends_on}
    withdrawn = await uow.observations.withdrawals(keys)
    judged: list[Evidence] = []
    for scope, mine in wanted.items():
        standing_ones = standing(seen.get(scope, ()), withdrawn)
        for moment in mine:
            judged.extend(judge(moment, scope, standing_ones, now=now))
    concerned = {(moment.cycle, moment.code, scope) for scope, mine in wanted.items() for moment in mine}
    before = {
        one.evidence_id: one
        for one in await uow.evidence.of_scopes(wanted.keys())
        if (one.cycle, one.moment, one.scope) in concerned
    }
    await _keep(compare(before, judged, moments), uow=uow, now=now, alarms=alarms)


async def survivor(customer_id: UUID, *, uow: AuditUnitOfWork) -> UUID:
    """The customer whose evidence is meant: himself, or who absorbed him. Raises UnknownCustomer."""
    found = await uow.customers.survivor_of(customer_id)
    if found is None:
        raise UnknownCustomer
    return found


async def customers_evidence(
    customer_id: UUID, wanted: EvidenceFilter, *, after: tuple[datetime, UUID] | None, limit: int, uow: AuditUnitOfWork
) -> tuple[UUID, list[Evidence]]:
    """The evidence of all traces that are the customer's today. Raises UnknownCustomer."""
    who = await survivor(customer_id, uow=uow)
    return who, await uow.evidence.page(replace(wanted, customer_id=who), after=after, limit=limit)


def _cases(touched: Iterable[Observation], moments: Moments) -> dict[Case, None]:
    by_source: dict[str, list[Moment]] = defaultdict(list)
    for moment in moments.values():
        for source in {watch.source for watch in (moment.trigger, *moment.standard.watches)}:
            by_source[source].append(moment)
    return {
        (moment, scope): None
        for one in touched
        for moment in by_source[one.source]
        if (scope := moment.scope(one)) is not None
    }


async def _keep(changes: Sequence[Change], *, uow: AuditUnitOfWork, now: datetime, alarms: bool) -> None:
    failures = [change for change in changes if change.fails_now and (alarms or change.fell_due)]
    raised = {change.now.evidence_id for change in failures if change.now is not None}
    kept = [
        replace(change.now, raised=True) if change.now.evidence_id in raised else change.now
        for change in changes
        if change.now is not None
    ]
    await uow.evidence.save(kept)
    await uow.evidence.drop([c.before.evidence_id for c in changes if c.now is None and c.before is not None])
    await uow.timers.set_all([_deadline(one) for one in kept if one.state == "waiting"])
    taken_back = [change for change in changes if change.taken_back]
    put_right = [change for change in changes if alarms and change.fails_otherwise]
    for change in changes:
        _tell(change, uow=uow, now=now)
    for change in [*failures, *put_right]:
        _tell_failure(change.now, change.moment, uow=uow, now=now)
    for change in taken_back:
        _tell_failure(change.before, change.moment, uow=uow, now=now, taken_back=True)
    moved = [change for change in put_right if change.moved]
    await _open_actions([*failures, *moved], uow=uow, now=now)
    await _withdraw_actions([*taken_back, *moved], uow=uow, now=now)


def _deadline(waiting: Evidence) -> Timer:
    assert waiting.due_at is not None  # noqa: S101 - what waits, waits until then
    payload = {"cycle": waiting.cycle, "moment": waiting.moment, "scope": waiting.scope}
    return Timer(DEADLINE, str(waiting.evidence_id), waiting.due_at, payload)


def _tell(change: Change, *, uow: AuditUnitOfWork, now: datetime) -> None:
    before, after = change.before, change.now
    counted = before is not None and before.counts
    if after is not None and after.counts:
        if before is None or before.verdict != after.verdict:
            uow.outbox.add(_recorded(after), at=now)
    elif counted and before is not None:
        uow.outbox.add(_recorded(before, taken_back=True), at=now)


def _recorded(one: Evidence, *, taken_back: bool = False) -> EvidenceRecorded:
    return EvidenceRecorded(
        evidence_id=one.evidence_id,
        trace_id=one.trace_id,
        cycle=one.cycle,
        moment=one.moment,
        met=one.state == "met",
        value=one.value,
        score=one.score,
        at=one.at,
        taken_back=taken_back,
    )


def _tell_failure(
    one: Evidence | None, moment: Moment | None, *, uow: AuditUnitOfWork, now: datetime, taken_back: bool = False
) -> None:
    if one is None:
        return
    failed = MomentFailed(
        evidence_id=one.evidence_id,
        trace_id=one.trace_id,
        cycle=one.cycle,
        moment=one.moment,
        name=one.moment if moment is None else moment.name,
        critical=moment is not None and moment.critical,
        at=one.at,
        detail=_detail(one),
        taken_back=taken_back,
    )
    uow.outbox.add(failed, at=now)


def _detail(one: Evidence) -> dict[str, object]:
    detail = {
        "case_number": one.case_number,
        "channel": one.channel,
        "value": one.value,
        "opened_at": one.opened_at.isoformat(),
        "due_at": None if one.due_at is None else one.due_at.isoformat(),
    }
    return {name: value for name, value in detail.items() if value is not None}


async def _open_actions(failures: Sequence[Change], *, uow: AuditUnitOfWork, now: datetime) -> None:
    actions = [
        action_for(change.now, change.moment, owner=change.moment.owner_unit, now=now)
        for change in failures
        if change.now is not None and change.moment is not None and change.moment.critical
    ]
    for action in await uow.actions.open(actions):
        moved = ActionMoved(action_id=action.action_id, move="opened", cycle=action.cycle, moment=action.moment, at=now)
        uow.outbox.add(moved, at=now)


async def _withdraw_actions(taken_back: Sequence[Change], *, uow: AuditUnitOfWork, now: datetime) -> None:
    """Close the actions of failures that were none, unless another failure of the same moment and trace still stands."""
    occasions = {(c.before.cycle, c.before.moment, c.before.trace_id) for c in taken_back if c.before is not None}
    groundless = occasions - await uow.evidence.still_failing(occasions)
    actions = await uow.actions.open_ones({f"{cycle}/{moment}/{trace}" for cycle, moment, trace in groundless})
    await uow.actions.close(
        [action.action_id for action in actions],
        result="withdrawn",
        reason="The moment did not fail after all",
        by=BY_ITSELF,
        at=now,
    )
    for action in actions:
        moved = ActionMoved(action_id=action.action_id, move="closed", cycle=action.cycle, moment=action.moment, at=now)
        uow.outbox.add(moved, at=now)
