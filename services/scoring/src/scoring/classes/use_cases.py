"""Ranking the population: cut points computed when a timer says so, and whoever they move is looked at again."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from uuid_utils.compat import uuid7

from common.bulk import insert_rows
from common.clock import Clock
from common.db import timer_table
from common.timers import Timer
from common.uow import LOCK_SLOTS
from scoring.appraisals.domain import Cause, Ruling, Windows, Yardstick, own_mvc_window, rules_version, windows_of
from scoring.appraisals.use_cases import AT_ONCE, reappraise, rule_anew, yardstick
from scoring.census.domain import Column, Figures, Rankings, Said, Spans, as_bytes, judge, rankings_of, rulings_of
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


_SAME_RULES = {"rules": "same"}  # the payload of a ranking that changed figures ask for, and not changed rules


async def compute_cut_points(*, uow: ScoringUnitOfWork, rules: RuleSet, as_of: date, now: datetime) -> CutPoints:
    """The lines through the population as it stood on a day, from the rows. Not stored: version 0."""
    windows = await _ranking_windows(uow=uow, rules=rules, as_of=as_of)
    spans = Spans.of_rankings(as_of, windows)
    rankings = [
        rankings_of(await uow.census.figures(stretch, spans, uow.books)) for stretch in await uow.census.stretches()
    ]
    return _cut_points(rankings, windows, rules=rules, as_of=as_of, now=now)


async def _ranking_windows(*, uow: ScoringUnitOfWork, rules: RuleSet, as_of: date) -> Windows:
    books = uow.books
    sold = await uow.values.is_sold_in(closed_fiscal_year(as_of, starts=books.fiscal_year_starts))
    ranked_in = mvc_window(as_of, books=books, sold_in=lambda _: sold)
    return windows_of(as_of, rules.thresholds, ranked_in, books.fiscal_year_starts)


def _cut_points(
    rankings: Sequence[Rankings], windows: Windows, *, rules: RuleSet, as_of: date, now: datetime
) -> CutPoints:
    thresholds = rules.thresholds
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


async def rank_soon(by: Yardstick, *, uow: ScoringUnitOfWork, now: datetime) -> None:
    """Have the population ranked after a change: within seconds while it is small, by the company's interval when large."""
    latest, wait = by.cuts, timedelta(seconds=1)
    if latest is not None and latest.population > MIDDLING:
        wait = timedelta(minutes=by.rules.thresholds.cut_points_minutes)
    elif latest is not None and latest.population > SMALL:
        wait = timedelta(minutes=1)
    # A timer that is set already stays as it is: a steady stream of changes must not put it off for ever.
    row = {"name": RANK, "key": SOON, "due_at": now + wait, "payload": _SAME_RULES}
    await insert_rows(uow.session, timer_table, [row], on_conflict="nothing")


async def rank_all_anew(*, everybody: bool, uow: ScoringUnitOfWork, now: datetime) -> None:
    """After changed rules: rank at once, and look again at those of whom they say something else; or at `everybody`.

    By timer and in slices, not in the request.
    """
    await uow.timers.set(RANK, SOON, now)
    if everybody:
        await uow.timers.set(WAVE, EVERYBODY, now, {"after": None})


@dataclass(frozen=True)
class Survey:
    """Everybody's figures as they were read at a moment, to be asked again when the cut points are in force."""

    wave: str
    moment: int
    spans: Spans
    figures: Figures


@dataclass(frozen=True)
class Verdicts:
    """What is to be said of those who were found by a survey, as long as the rules and lines of it are in force."""

    moment: int
    by: tuple[date, str, int]
    rulings: Sequence[Ruling]
    which: Column  # for each of those found: his ruling, -1 where he is to be looked at

    def of(self, ids: Sequence[UUID], start: int, *, by: tuple[date, str, int]) -> dict[UUID, Ruling]:
        """The rulings of those who are found from the place `start` on."""
        if by != self.by:
            return {}
        which = self.which[start : start + len(ids)].tolist()
        return {each: self.rulings[at] for each, at in zip(ids, which, strict=True) if at >= 0}


class Waves:
    """Ranking the population, and looking again at many, a slice at a time: at everybody, or at those who stand otherwise.

    How far a wave has come stands with its timer. Whom it concerns is found once and remembered; whoever does not remember,
    another worker or one that was started anew, finds it again.
    """

    def __init__(self) -> None:
        self._survey: Survey | None = None
        self._wave: str | None = None
        self._found: Column = np.zeros(0, "S16")
        self._verdicts: Verdicts | None = None

    async def rank(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
        """A timer's handler: compute the cut points, and have those looked at again whom they put elsewhere.

        Nobody is where the rules are the same and the lines as well: whoever has other figures was looked at with them.
        """
        now, wave = clock(), str(uuid7())
        today = uow.books.day_of(now)
        before, rules = await uow.cuts.latest(), await uow.policies.in_force()
        cuts = await self._cut_points(wave, uow=uow, rules=rules, as_of=today, now=now)
        is_moved = before is None or replace(cuts, version=before.version, computed_at=before.computed_at) != before
        if is_moved:
            await uow.cuts.add(cuts)
        await uow.timers.set(RANK, DAILY, uow.books.start_of(today + timedelta(days=1)))
        if due and not is_moved and all(timer.payload == _SAME_RULES for timer in due):
            self._survey = None
            return
        await uow.timers.set(WAVE, MISPLACED, now, {"after": None, "next": wave})

    async def _cut_points(
        self, wave: str, *, uow: ScoringUnitOfWork, rules: RuleSet, as_of: date, now: datetime
    ) -> CutPoints:
        """What was read for it is kept for the wave that follows, where it is not too much, and where it can be told what has passed since."""
        self._survey = None
        moment, stretches = await uow.census.moment(), await uow.census.stretches()
        if moment is None or len(stretches) > 1:
            return await compute_cut_points(uow=uow, rules=rules, as_of=as_of, now=now)
        windows = await _ranking_windows(uow=uow, rules=rules, as_of=as_of)
        spans = Spans.of(as_of, windows, rules.thresholds)
        figures = await uow.census.figures(stretches[0], spans, uow.books)
        self._survey = Survey(wave, moment, spans, figures)
        return _cut_points([rankings_of(figures)], windows, rules=rules, as_of=as_of, now=now)

    async def wave(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
        """A timer's handler: look at the next slice of customers again, and come back for the rest."""
        for timer in due:
            after = None if (given := timer.payload.get("after")) is None else UUID(given)
            rulings: dict[UUID, Ruling] = {}
            if timer.key == EVERYBODY:
                ids = await uow.standings.all_ids(after=after, limit=AT_ONCE)
            elif (wave := timer.payload.get("wave")) is None:
                await self._begin(timer, uow=uow, now=clock())
                continue
            else:
                ids, rulings = await self._next(after, wave=wave, uow=uow, now=clock())
            await uow.lock(ids)
            done, now = await self._rule_anew(rulings, uow=uow, now=clock()), clock()
            if left := {each: Cause.TIME for each in ids if each not in done}:
                await reappraise(left, by=await yardstick(uow=uow, now=now), uow=uow, now=now)
            if len(ids) == AT_ONCE:
                await self._go_on(timer, {**timer.payload, "after": str(ids[-1])}, uow=uow, now=clock())

    async def _begin(self, timer: Timer, *, uow: ScoringUnitOfWork, now: datetime) -> None:
        """Wait for whoever is under way, nothing else: he may still go by the rules and cut points that were.

        Whoever comes after this transaction knows the new ones; so those whom the wave then does not find are not to be found.
        """
        await uow.lock(UUID(int=slot) for slot in range(LOCK_SLOTS))
        wave = timer.payload.get("next") or str(uuid7())
        await self._go_on(timer, {"after": None, "wave": wave}, uow=uow, now=now)

    async def _go_on(self, timer: Timer, payload: Mapping[str, Any], *, uow: ScoringUnitOfWork, now: datetime) -> None:
        """Come back, unless the wave was begun anew meanwhile: then that is where it goes on."""
        if await uow.timers.get(WAVE, timer.key, locked=True) in (None, timer):
            await uow.timers.set(WAVE, timer.key, now, payload)

    async def _next(
        self, after: UUID | None, *, wave: str, uow: ScoringUnitOfWork, now: datetime
    ) -> tuple[list[UUID], dict[UUID, Ruling]]:
        """The next slice of those concerned, in the order of their ids; and what is to be said of whom, where that is known."""
        if self._wave != wave:
            survey, self._survey, self._verdicts = self._survey, None, None
            if survey is not None and (survey.wave != wave or survey.spans != await _spans(uow=uow, now=now)):
                survey = None
            if survey is None:
                self._found = await misplaced(after=after, uow=uow, now=now)
            else:
                self._found, self._verdicts = await judged_anew(survey, uow=uow, now=now)
            self._wave = wave
        start = 0 if after is None else int(np.searchsorted(self._found, after.bytes, side="right"))
        ids = [UUID(bytes=each.ljust(16, b"\0")) for each in self._found[start : start + AT_ONCE].tolist()]
        known = self._verdicts.of(ids, start, by=await _by(uow=uow, now=now)) if self._verdicts else {}
        if len(ids) < AT_ONCE:
            self._wave, self._found = None, self._found[:0].copy()
        return ids, known

    async def _rule_anew(self, rulings: Mapping[UUID, Ruling], *, uow: ScoringUnitOfWork, now: datetime) -> set[UUID]:
        return await rule_anew(rulings, since=self._verdicts.moment, uow=uow, now=now) if self._verdicts else set()


async def judged_anew(survey: Survey, *, uow: ScoringUnitOfWork, now: datetime) -> tuple[Column, Verdicts]:
    """As `misplaced`, of surveyed figures; and what is to be said of those of whom nothing but the class is another.

    Whoever was looked at since the survey is given as well, since his figures may be others: without a verdict.
    """
    rules, cuts = await uow.policies.in_force_with_cuts()
    figures, say = await judged(Stretch(), uow=uow, now=now, figures=survey.figures)
    said, touched = await uow.census.said(figures.customers, Stretch(), rules=rules, since=survey.moment)
    places = said.otherwise(say)
    rulings, which = rulings_of(say, places, rules=rules, cuts=cuts)
    # Of whom a signal is to be raised, of whom nothing is told, who has nothing: that takes a look at each.
    is_plain = (
        (said.signals[places] == say.signals[places]) & (figures.traces[places] > 0) & (say.treatment[places] >= 0)
    )
    which = np.where(is_plain, which, -1)
    found = as_bytes(figures.customers.ids[places])
    ids = np.unique(np.concatenate([found, as_bytes(touched)]))
    of_all = np.full(len(ids), -1)
    of_all[np.searchsorted(ids, found)] = which
    return ids, Verdicts(survey.moment, await _by(uow=uow, now=now), rulings, of_all)


async def _by(*, uow: ScoringUnitOfWork, now: datetime) -> tuple[date, str, int]:
    """By which rules and lines, and on which day, something is said."""
    rules, cuts = await uow.policies.in_force_with_cuts()
    return uow.books.day_of(now), rules_version(rules, cuts), rules.policy_version


async def misplaced(*, after: UUID | None, uow: ScoringUnitOfWork, now: datetime) -> Column:
    """The ids, sorted, of those of whom something else was said than the rules say today: bytes of 16.

    Found without a lock, and so no more than a hint: what is said of each is decided when he is looked at again.
    """
    rules, found = await uow.policies.in_force(), [np.zeros(0, "S16")]
    for stretch in await uow.census.stretches(after=after):
        figures, now_said = await judged(stretch, uow=uow, now=now)
        said, _ = await uow.census.said(figures.customers, stretch, rules=rules)
        found.append(as_bytes(figures.customers.ids[said.otherwise(now_said)]))
    return np.unique(np.concatenate(found))


async def judged(
    stretch: Stretch, *, uow: ScoringUnitOfWork, now: datetime, figures: Figures | None = None
) -> tuple[Figures, Said]:
    """The figures of a stretch of customers, and what the rules say of them today."""
    (rules, cuts), books = await uow.policies.in_force_with_cuts(), uow.books
    figures = figures or await uow.census.figures(stretch, await _spans(uow=uow, now=now), books)
    subjects = await uow.census.subjects(figures, stretch, rules=rules, books=books)
    asked = partial(judge, figures, subjects, rules=rules, cuts=cuts, books=books)
    return figures, await asyncio.to_thread(asked)


async def _spans(*, uow: ScoringUnitOfWork, now: datetime) -> Spans:
    (rules, cuts), today = await uow.policies.in_force_with_cuts(), uow.books.day_of(now)
    ranked_in = own_mvc_window(today, cuts, uow.books)
    return Spans.of(
        today, windows_of(today, rules.thresholds, ranked_in, uow.books.fiscal_year_starts), rules.thresholds
    )
