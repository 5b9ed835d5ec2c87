"""What happens to cases: opened and come back on in contacts, answered and verified by people, settled by time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.contracts.interactions import CaseMoved, CaseMoveRetracted
from common.timers import Timer
from interactions.cases import domain
from interactions.cases.domain import CaseFile, Step
from interactions.touchpoints.domain import Touchpoint
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork


async def number(
    touchpoints: Sequence[Touchpoint], *, uow: InteractionsUnitOfWork, company: Company, now: datetime
) -> list[Touchpoint]:
    """The touchpoints with the number of the case that each opens or speaks of."""
    opening = [one for one in touchpoints if _opens_another(one)]
    given = iter(await uow.cases.numbers(company.local_date(now).year, len(opening)) if opening else [])
    numbered: list[Touchpoint] = []
    for one in touchpoints:
        known = one.its_case.number if one.its_case else one.draft.case
        number = next(given) if _opens_another(one) else known
        numbered.append(one if number is None else replace(one, case_number=number))
    return numbered


def opens_case(touchpoint: Touchpoint) -> bool:
    """A complaint that names a case is a further contact on that one."""
    return touchpoint.draft.kind in domain.KINDS and touchpoint.draft.case is None


def _opens_another(touchpoint: Touchpoint) -> bool:
    """A corrected complaint goes on with its case."""
    return opens_case(touchpoint) and touchpoint.its_case is None


async def move_by(
    touchpoints: Sequence[Touchpoint],
    threads: Mapping[UUID, UUID],
    named: Mapping[str, CaseFile],
    *,
    uow: InteractionsUnitOfWork,
    company: Company,
    now: datetime,
) -> None:
    """Open the cases that the touchpoints open, and note on the others that the customer came back, or was answered.

    `threads`: touchpoint -> conversation; `named`: the cases that the touchpoints speak of.
    """
    steps = [step for one in touchpoints if _opens_another(one) for step in _opened(one, company=company, now=now)]
    await uow.cases.save(steps)
    talking = [one for one in touchpoints if one.draft.kind in domain.TALKS or one.draft.case is not None]
    standing: dict[str, CaseFile] = dict(named)
    by_thread: dict[UUID, list[str]] = {}
    for thread, case in await uow.cases.in_threads({threads[one.touchpoint_id] for one in talking}):
        standing[case.number] = case
        by_thread.setdefault(thread, []).append(case.number)
    further = _further(talking, threads, by_thread, standing, settling=_settling(company, now))
    await uow.cases.save(further)
    await _tell([*steps, *further], uow=uow, company=company, now=now)
    for one in touchpoints:
        if one.its_case is not None:
            await _go_on(one, one.its_case, uow=uow, company=company, now=now)


async def _go_on(
    touchpoint: Touchpoint, case: CaseFile, *, uow: InteractionsUnitOfWork, company: Company, now: datetime
) -> None:
    """The case of a corrected complaint: as the complaint tells of it now, with what was done on it since. Told anew."""
    log = (await uow.cases.logs([case]))[case.number]
    opening = _opened(touchpoint, company=company, now=case.opened_at)
    anew = replace(opening[0].case, recovered=case.recovered)
    since = [done for done in log if done.touchpoint_id != case.touchpoint_id and domain.still_so(done, anew, now=now)]
    own = [domain.Done.of(step, log[0].position, case.opened_at) for step in opening]
    before = domain.replay(case, log, settling=None)
    after = domain.replay(anew, [*own, *since], settling=None)
    await _rewrite(log, after, gone=[done for done in log if done not in since], uow=uow)
    wrong, right = domain.retold(before, after)
    # what was told with the version before was taken back with it
    uow.outbox.add_all((_not_so(one) for one in wrong if one.touchpoint_id != case.touchpoint_id), at=now)
    uow.outbox.add_all(right, at=now)
    await uow.cases.put([after[-1].case])
    await _set_timers(after[-1:], uow=uow, company=company, now=now)


async def follow_threads(
    cases: Sequence[CaseFile], *, uow: InteractionsUnitOfWork, company: Company, now: datetime
) -> None:
    """What came back on the cases, from their threads as these stand now; what was told otherwise is told anew.

    What people did on a case stays. A contact that lies in another thread now, or was taken back, is none on it; one that
    has come into its thread is one, unless it had been known by then that the answer held.
    """
    logs = await uow.cases.logs(cases)
    contacts = await uow.cases.contacts_by_thread(cases)
    changed: list[Step] = []
    for case in cases:
        log = logs[case.number]
        kept = [done for done in log if done.stands and not done.computed]
        before = domain.replay(case, log, settling=None)
        anew = sorted([*kept, *contacts[case.number]], key=_in_order)
        after = domain.replay(case, anew, settling=_settling(company, now))
        wrong, right = domain.retold(before, after)
        if wrong or right or replace(after[-1].case, moved_at=case.moved_at) != case:
            await _rewrite(log, after, gone=[done for done in log if done.computed or not done.stands], uow=uow)
            gone = {
                done.touchpoint_id for done in log if not done.stands
            }  # with the touchpoint its moves were taken back
            uow.outbox.add_all((_not_so(one) for one in wrong if one.touchpoint_id not in gone), at=now)
            uow.outbox.add_all(right, at=now)
            changed.append(after[-1])
    await uow.cases.put([step.case for step in changed])
    await _set_timers(changed, uow=uow, company=company, now=now)


def _in_order(done: domain.Done) -> tuple[UUID, UUID]:
    return done.position, done.step_id or done.position


def _not_so(told: CaseMoved) -> CaseMoveRetracted:
    return CaseMoveRetracted(**vars(told))


async def _rewrite(
    log: Sequence[domain.Done], after: Sequence[Step], *, gone: Collection[domain.Done], uow: InteractionsUnitOfWork
) -> None:
    """Drop what is gone of the log, and write what is not on record yet, each step between the others where it belongs.

    A corrected contact's step is written anew as well: it came with the correction, and belongs where the contact was
    recorded first. What people did stays under its id, which is its place.
    """
    dropped = [done.step_id for done in gone if done.step_id]
    known = [step.step_id for step in after]
    written: list[tuple[UUID, Step]] = []
    place = UUID(int=min(done.step_id.int for done in log if done.step_id) - 1)
    for number, step in enumerate(after):
        step_id = step.step_id
        if step_id is not None and not place < step_id <= min(one for one in known[number:] if one is not None):
            dropped.append(step_id)
            step_id = None
        place = step_id or UUID(int=place.int + 1)  # ids are minted in order and far apart
        if step_id is None:
            written.append((place, step))
    await uow.cases.rewrite(dropped, written)


def _settling(company: Company, now: datetime) -> domain.Settling:
    return domain.Settling(now, company.first_contact_span)


def _opened(touchpoint: Touchpoint, *, company: Company, now: datetime) -> list[Step]:
    draft = touchpoint.draft
    return domain.opened(
        number=touchpoint.case_number or "",
        trace_id=touchpoint.trace_id,
        touchpoint_id=touchpoint.touchpoint_id,
        kind=draft.kind,
        payload=dict(draft.payload),
        topic=touchpoint.topic,
        channel=draft.channel,
        outcome=draft.outcome,
        occurred_at=draft.occurred_at,
        now=now,
        by=draft.speaker.by,
        backfill=draft.backfill,
        recovery=timedelta(days=company.recovery_days),
    )


def _further(
    talking: Sequence[Touchpoint],
    threads: Mapping[UUID, UUID],
    by_thread: Mapping[UUID, list[str]],
    standing: dict[str, CaseFile],
    *,
    settling: domain.Settling,
) -> list[Step]:
    steps: list[Step] = []
    for touchpoint in talking:
        on = [touchpoint.draft.case] if touchpoint.draft.case else by_thread.get(threads[touchpoint.touchpoint_id], [])
        for one in on:
            for step in _steps_of(touchpoint, standing[one], settling) if one in standing else ():
                standing[one] = step.case
                steps.append(step)
    return steps


def _steps_of(touchpoint: Touchpoint, case: CaseFile, settling: domain.Settling) -> list[Step]:
    """What the touchpoint does to the case, after what time alone has done until now."""
    if touchpoint.touchpoint_id <= case.touchpoint_id:  # of one batch, recorded before the complaint; or this itself
        return []
    if touchpoint.its_case is not None and touchpoint.its_case.number == case.number:
        return []
    held = domain.settled(case, now=settling.now, within=settling.within)
    now_standing = held.case if held else case
    step = None
    if touchpoint.draft.case is not None or now_standing.first_contact is None:
        step = _step_of(touchpoint, now_standing, now=settling.now)
    return [one for one in (held, step) if one is not None]


def _step_of(touchpoint: Touchpoint, case: CaseFile, *, now: datetime) -> Step | None:
    draft = touchpoint.draft
    if draft.direction == "inbound" and draft.kind in domain.TALKS:
        return domain.contacted(
            case,
            at=draft.occurred_at,
            by=draft.source,
            touchpoint_id=touchpoint.touchpoint_id,
            channel=draft.channel,
            now=now,
        )
    answers = draft.direction == "outbound" and draft.outcome in domain.ANSWERS and draft.case is not None
    if answers and case.state in {"received", "reopened"}:
        return domain.answered(
            case,
            at=draft.occurred_at,
            now=now,
            by=draft.speaker.by,
            touchpoint_id=touchpoint.touchpoint_id,
            channel=draft.channel,
        )
    return None


async def act_on_case(
    number: str,
    act: domain.Act,
    *,
    text: str,
    by: str,
    recovered: bool = True,
    uow: InteractionsUnitOfWork,
    clock: Clock,
    company: Company,
) -> CaseFile:
    """Answer, verify, reopen or close a case. Raises UnknownCase or CaseNotThere."""
    async with uow:
        await _lock([await uow.cases.get(number)], uow=uow)
        now, case = clock(), await uow.cases.get(number)
        held = domain.settled(case, now=now, within=company.first_contact_span)
        step = domain.acted(held.case if held else case, act, at=now, by=by, text=text, recovered=recovered)
        steps = [held, step] if held else [step]
        await _take(steps, uow=uow, company=company, now=now)
        await uow.commit()
    return step.case


async def settle(due: Sequence[Timer], *, uow: InteractionsUnitOfWork, clock: Clock, company: Company) -> None:
    """Timers of the seven days: nobody came back on what was answered. In the caller's transaction."""
    now = clock()
    steps = [domain.settled(case, now=now, within=company.first_contact_span) for case in await _held(due, uow=uow)]
    await _take([step for step in steps if step is not None], uow=uow, company=company, now=now)


async def expire(due: Sequence[Timer], *, uow: InteractionsUnitOfWork, clock: Clock, company: Company) -> None:
    """Timers of the thirty days. In the caller's transaction."""
    now = clock()
    steps = [domain.expired(case, now=now) for case in await _held(due, uow=uow)]
    await _take([step for step in steps if step is not None], uow=uow, company=company, now=now)


async def _take(steps: Sequence[Step], *, uow: InteractionsUnitOfWork, company: Company, now: datetime) -> None:
    """Write the steps and tell of them."""
    await uow.cases.save(steps)
    await _tell(steps, uow=uow, company=company, now=now)


async def _tell(steps: Sequence[Step], *, uow: InteractionsUnitOfWork, company: Company, now: datetime) -> None:
    """Tell what moved, and wake when time alone may move it further."""
    uow.outbox.add_all((domain.told(step) for step in steps), at=now)
    await _set_timers(steps, uow=uow, company=company, now=now)


async def _set_timers(steps: Sequence[Step], *, uow: InteractionsUnitOfWork, company: Company, now: datetime) -> None:
    latest = {step.case.number: step.case for step in steps}
    timers = [timer for case in latest.values() for timer in _timers(case, company=company, now=now)]
    await uow.timers.set_all(timers)


def _timers(case: CaseFile, *, company: Company, now: datetime) -> list[Timer]:
    settles = case.settles_at(company.first_contact_span)
    waiting = case.state in {"received", "reopened"} and case.expired_at is None
    expires = case.recovery_deadline if waiting else None
    wanted = ((domain.SETTLED, settles), (domain.EXPIRY, expires))
    # What was due before history was loaded sets nothing off.
    return [
        Timer(name, case.number, at, {}) for name, at in wanted if at is not None and not (case.backfill and at <= now)
    ]


async def _held(due: Sequence[Timer], *, uow: InteractionsUnitOfWork) -> Collection[CaseFile]:
    numbers = [timer.key for timer in due]
    await _lock(list((await uow.cases.some(numbers)).values()), uow=uow)
    return (await uow.cases.some(numbers)).values()  # as they are under the lock


async def _lock(cases: Sequence[CaseFile], *, uow: InteractionsUnitOfWork) -> None:
    traces = {one.trace_id for one in cases}
    await uow.lock(traces, space=TRACES)
    known = await uow.traces.known(traces)
    await uow.lock({known[t].party_id if t in known else t for t in traces}, space=PARTIES)
