"""Ranking the population: cut points computed when a timer says so, and whoever they move is looked at again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import numpy as np
from uuid_utils.compat import uuid7

from common.bulk import insert_rows
from common.clock import Clock
from common.db import timer_table
from common.timers import Timer
from common.uow import LOCK_SLOTS
from scoring.appraisals.domain import Cause, own_mvc_window, windows_of
from scoring.appraisals.use_cases import AT_ONCE, reappraise
from scoring.census.domain import Column, Figures, Said, Spans, as_bytes, judge, rankings_of
from scoring.census.repository import Stretch
from scoring.classes.domain import CutPoints, abc_cuts, mvc_cut, mvc_window, worst_cut
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
    ranked_in = mvc_window(as_of, books=books, sold_in=lambda _: sold)
    windows = windows_of(as_of, thresholds, ranked_in, books.fiscal_year_starts)
    rankings = [
        rankings_of(await uow.census.figures(stretch, Spans.of_rankings(as_of, windows), books))
        for stretch in await uow.census.stretches()
    ]
    profits, active, contributed = (np.concatenate(parts) for parts in zip(*rankings, strict=True))
    a, b = abc_cuts(profits, a_share=thresholds.abc_a, b_share=thresholds.abc_b)
    return CutPoints(
        version=0,
        computed_at=now,
        as_of=as_of,
        thresholds_version=rules.thresholds_version,
        population=len(profits),
        abc_window=windows.profit,
        a=a,
        b=b,
        mvc_window=windows.ranked,
        mvc=mvc_cut(active, share=thresholds.mvc_share),
        active=len(active),
        worst_window=windows.contributed,
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
    await uow.timers.set(WAVE, MISPLACED, now, {"after": None})


async def rank_all_anew(*, everybody: bool, uow: ScoringUnitOfWork, now: datetime) -> None:
    """After changed rules: rank at once, and look again at those of whom they say something else; or at `everybody`.

    By timer and in slices, not in the request.
    """
    await uow.timers.set(RANK, SOON, now)
    if everybody:
        await uow.timers.set(WAVE, EVERYBODY, now, {"after": None})


class Waves:
    """Looking at many customers again, a slice at a time: at everybody, or at those of whom the rules now say something else.

    How far a wave has come stands with its timer. Whom it concerns is found once and remembered; whoever does not remember,
    another worker or one that was started anew, finds it again.
    """

    def __init__(self) -> None:
        self._wave: str | None = None
        self._found: Column = np.zeros(0, "S16")

    async def wave(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
        """A timer's handler: look at the next slice of customers again, and come back for the rest."""
        for timer in due:
            after = None if (given := timer.payload.get("after")) is None else UUID(given)
            if timer.key == EVERYBODY:
                ids = await uow.standings.all_ids(after=after, limit=AT_ONCE)
            elif (wave := timer.payload.get("wave")) is None:
                await self._begin(uow=uow, now=clock())
                continue
            else:
                ids = await self._next(after, wave=wave, uow=uow, now=clock())
            await uow.lock(ids)
            await reappraise(dict.fromkeys(ids, Cause.TIME), uow=uow, now=clock())
            if len(ids) == AT_ONCE:
                await uow.timers.set(WAVE, timer.key, clock(), {**timer.payload, "after": str(ids[-1])})

    async def _begin(self, *, uow: ScoringUnitOfWork, now: datetime) -> None:
        """Wait for whoever is under way, nothing else: he may still go by the rules and cut points that were.

        Whoever comes after this transaction knows the new ones; so those whom the wave then does not find are not to be found.
        """
        await uow.lock(UUID(int=slot) for slot in range(LOCK_SLOTS))
        await uow.timers.set(WAVE, MISPLACED, now, {"after": None, "wave": str(uuid7())})

    async def _next(self, after: UUID | None, *, wave: str, uow: ScoringUnitOfWork, now: datetime) -> list[UUID]:
        """The next slice of those concerned, in the order of their ids."""
        if self._wave != wave:
            self._found = await misplaced(after=after, uow=uow, now=now)
            self._wave = wave
        start = 0 if after is None else int(np.searchsorted(self._found, after.bytes, side="right"))
        ids = [UUID(bytes=each.ljust(16, b"\0")) for each in self._found[start : start + AT_ONCE].tolist()]
        if len(ids) < AT_ONCE:
            self._wave, self._found = None, self._found[:0]
        return ids


async def misplaced(*, after: UUID | None, uow: ScoringUnitOfWork, now: datetime) -> Column:
    """The ids, sorted, of those of whom something else was said than the rules say today: bytes of 16.

    Found without a lock, and so no more than a hint: what is said of each is decided when he is looked at again.
    """
    rules, found = await uow.policies.in_force(), [np.zeros(0, "S16")]
    for stretch in await uow.census.stretches(after=after):
        figures, now_said = await judged(stretch, uow=uow, now=now)
        said = await uow.census.said(figures, stretch, rules=rules)
        found.append(as_bytes(figures.customers.ids[said.otherwise(now_said)]))
    return np.sort(np.concatenate(found))


async def judged(stretch: Stretch, *, uow: ScoringUnitOfWork, now: datetime) -> tuple[Figures, Said]:
    """The figures of a stretch of customers, and what the rules say of them today."""
    rules, cuts, books = await uow.policies.in_force(), await uow.cuts.latest(), uow.books
    today, thresholds = books.day_of(now), rules.thresholds
    windows = windows_of(today, thresholds, own_mvc_window(today, cuts, books), books.fiscal_year_starts)
    figures = await uow.census.figures(stretch, Spans.of(today, windows, thresholds), books)
    subjects = await uow.census.subjects(figures, stretch, rules=rules, books=books)
    asked = partial(judge, figures, subjects, rules=rules, cuts=cuts, books=books)
    return figures, await asyncio.to_thread(asked)
