"""Ranking the population: cut points computed when a timer says so, and whoever they move is looked at again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from common.bulk import insert_rows
from common.clock import Clock
from common.db import timer_table
from common.timers import Timer
from scoring.appraisals.domain import Cause
from scoring.appraisals.use_cases import AT_ONCE, reappraise
from scoring.classes.domain import CutPoints, abc_cuts, abc_window, mvc_cut, mvc_window, worst_cut, worst_window
from scoring.policies.domain import RuleSet
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Sums, Value, Window, closed_fiscal_year, converted

RANK = "rank"  # the timer that computes cut points: key "soon" after changes, "daily" in any case
WAVE = "wave"  # the timer that looks at many customers again, a slice at a time
SOON, DAILY = "soon", "daily"
EVERYBODY, MISPLACED = "everybody", "misplaced"  # the keys of a wave
SMALL, MIDDLING = 2_000, 20_000  # populations that are ranked within seconds, within a minute


async def compute_cut_points(*, uow: ScoringUnitOfWork, rules: RuleSet, as_of: date, now: datetime) -> CutPoints:
    """The lines through the population as it stood on a day, from the rows. Not stored: version 0."""
    thresholds, books = rules.thresholds, uow.books
    sold = await uow.values.is_sold_in(closed_fiscal_year(as_of, starts=books.fiscal_year_starts))
    windows = {
        "abc": abc_window(as_of, thresholds=thresholds, books=books),
        "mvc": mvc_window(as_of, books=books, sold_in=lambda _: sold),
        "worst": worst_window(as_of, thresholds=thresholds, books=books),
    }
    sums = {window: await population_values(window, uow=uow) for window in set(windows.values())}
    ranked = [value.profitability for value in sums[windows["abc"]].values()]
    active = [value.profitability for value in sums[windows["mvc"]].values() if value.frequency > 0]
    contributed = [value.contribution for value in sums[windows["worst"]].values()]
    a, b = abc_cuts(ranked, a_share=thresholds.abc_a, b_share=thresholds.abc_b)
    return CutPoints(
        version=0,
        computed_at=now,
        as_of=as_of,
        thresholds_version=rules.thresholds_version,
        population=len(ranked),
        abc_window=windows["abc"],
        a=a,
        b=b,
        mvc_window=windows["mvc"],
        mvc=mvc_cut(active, share=thresholds.mvc_share),
        active=len(active),
        worst_window=windows["worst"],
        worst=worst_cut(contributed, share=thresholds.below_zero_share),
    )


async def population_values(window: Window, *, uow: ScoringUnitOfWork) -> Mapping[UUID, Value]:
    """The figures of every customer who bought or returned anything in the window."""
    values: dict[UUID, Value] = {}
    for customer_id, by_currency in (await uow.values.population(window)).items():
        sums: Sums = converted(by_currency, uow.books.exchange)
        if sums.tally.entries > 0:
            values[customer_id] = Value(window, sums)
    return values


async def rank_soon(*, uow: ScoringUnitOfWork, now: datetime) -> None:
    """Have the population ranked after a change: within seconds while it is small, by the company's interval when large."""
    latest = await uow.cuts.latest()
    wait = timedelta(seconds=1)
    if latest is not None and latest.population > MIDDLING:
        wait = timedelta(minutes=(await uow.policies.in_force()).thresholds.cut_points_minutes)
    elif latest is not None and latest.population > SMALL:
        wait = timedelta(minutes=1)
    # A timer that is set already stays as it is: a steady stream of changes must not put it off for ever.
    row = {"name": RANK, "key": SOON, "due_at": now + wait, "payload": {}}
    await insert_rows(uow.session, timer_table, [row], on_conflict="nothing")


async def rank(due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:  # noqa: ARG001
    """A timer's handler: compute the cut points, and look again at those whom they move."""
    now, books = clock(), uow.books
    today = books.day_of(now)
    before, rules = await uow.cuts.latest(), await uow.policies.in_force()
    cuts = await compute_cut_points(uow=uow, rules=rules, as_of=today, now=now)
    if before is None or replace(cuts, version=before.version, computed_at=before.computed_at) != before:
        cuts = await uow.cuts.add(cuts)
    else:
        cuts = before
    await uow.timers.set(RANK, DAILY, books.start_of(today + timedelta(days=1)))
    await _start_wave(everybody=before is None or _windows_moved(before, cuts), uow=uow, now=now)


def _windows_moved(before: CutPoints, cuts: CutPoints) -> bool:
    """Other kinds of windows, or another fiscal year: then the figures kept with the standings are of no use."""

    def moved(old: Window, new: Window) -> bool:
        return old.kind != new.kind or (new.kind == "fiscal-year" and old.first != new.first)

    return (
        before.thresholds_version != cuts.thresholds_version
        or moved(before.abc_window, cuts.abc_window)
        or moved(before.mvc_window, cuts.mvc_window)
        or moved(before.worst_window, cuts.worst_window)
    )


async def rank_all_anew(*, uow: ScoringUnitOfWork, now: datetime) -> None:
    """After changed rules: rank at once, and look at everybody again, in slices by timer and not in the request."""
    await uow.timers.set(RANK, SOON, now)
    await _start_wave(everybody=True, uow=uow, now=now)


async def _start_wave(*, everybody: bool, uow: ScoringUnitOfWork, now: datetime) -> None:
    key = EVERYBODY if everybody else MISPLACED
    await uow.timers.set(WAVE, key, now, {"after": None})


async def wave(due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
    """A timer's handler: look at the next slice of customers again, and come back for the rest."""
    for timer in due:
        given = timer.payload.get("after")
        after = None if given is None else UUID(given)
        cuts = await uow.cuts.latest()
        if timer.key == EVERYBODY:
            ids = await uow.standings.all_ids(after=after, limit=AT_ONCE)
        else:
            ids = [] if cuts is None else await uow.standings.misplaced(cuts, after=after, limit=AT_ONCE)
        await uow.lock(ids)
        await reappraise(dict.fromkeys(ids, Cause.TIME), uow=uow, now=clock())
        if len(ids) == AT_ONCE:
            await uow.timers.set(WAVE, timer.key, clock(), {"after": str(ids[-1])})
