"""Ranking the population: cut points computed when a timer says so, and whoever they move is looked at again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from common.bulk import insert_rows
from common.clock import Clock
from common.db import timer_table
from common.ids import new_id
from common.timers import Timer
from common.uow import LOCK_SLOTS
from scoring.appraisals.domain import Cause, Ruling, Windows, Yardstick, own_mvc_window, rules_version, windows_of
from scoring.appraisals.use_cases import AT_ONCE as LOOKED_AT
from scoring.appraisals.use_cases import reappraise, rule_anew, yardstick
from scoring.census.domain import (
    Column,
    Everybody,
    Figures,
    Rankings,
    Said,
    Spans,
    as_bytes,
    ids_of,
    judge,
    rankings_of,
    rulings_of,
)
from scoring.census.repository import Remembered, Stretch
from scoring.classes.domain import CutPoints, abc_cuts, mvc_cut, mvc_window, worst_cut
from scoring.policies.domain import RuleSet
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Sums, Value, Window, closed_fiscal_year, converted

RANK = "rank"  # the timer that computes cut points: key "soon" after changes, which hands over to "now"; "daily" in any case
WAVE = "wave"  # the timer that looks at many customers again, a slice at a time
SOON, NOW, DAILY = "soon", "now", "daily"
EVERYBODY, MISPLACED = "everybody", "misplaced"  # the keys of a wave
AT_ONCE = 2_000  # customers of a slice, of whom no more than LOOKED_AT are looked at: to be ruled anew takes less
# Customers: of more of them what is asked is found at a guess while it is looked for who is another.
GUESSED_OF = 20_000
SMALL, MIDDLING = 2_000, 20_000  # populations that are ranked within seconds, within a minute
RESTS = 4  # times as long as a ranking took, until changed figures bring the next: who bought paces it, all who are known cost

T = TypeVar("T")

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
class Verdicts:
    """What is to be said of those who were found, as long as the rules and lines by which they were are in force."""

    moment: int
    by: tuple[date, str, int]
    rulings: Sequence[Ruling]
    which: Column  # for each of those found: his ruling, -1 where he is to be looked at

    def of(self, ids: Sequence[UUID], start: int) -> dict[UUID, Ruling]:
        """The rulings of those who are found from the place `start` on."""
        which = self.which[start : start + len(ids)].tolist()
        return {each: self.rulings[at] for each, at in zip(ids, which, strict=True) if at >= 0}

    def reach(self, start: int) -> int:
        """How many from the place `start` on are a slice: as many of them are to be looked at as can be at once, or fewer."""
        to_look_at = np.flatnonzero(self.which[start : start + AT_ONCE] < 0)
        return int(to_look_at[LOOKED_AT]) if len(to_look_at) > LOOKED_AT else AT_ONCE


class Waves:
    """Ranking the population, and looking again at many, a slice at a time: at everybody, or at those who stand otherwise.

    How far a wave has come stands with its timer. Whom it concerns is found once and remembered; whoever does not remember,
    another worker or one that was started anew, finds it again.
    """

    def __init__(self) -> None:
        self._remembered: Remembered | None = None
        self._wave: str | None = None
        self._found: Column = np.zeros(0, "S16")
        self._verdicts: Verdicts | None = None
        self._rests_until: datetime | None = None

    async def rank(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
        """A timer's handler: compute the cut points, and have those looked at again whom they put elsewhere.

        Nobody is where the rules are the same and the lines as well: whoever has other figures was looked at with them.
        """
        now = clock()
        if any(timer.key == SOON for timer in due):
            if not await self._rests(due, uow=uow, now=now):
                await self._hand_over(due, uow=uow)
            return
        today = uow.books.day_of(now)
        before, rules = await uow.cuts.latest(), await uow.policies.in_force()
        cuts = await self._cut_points(uow=uow, rules=rules, as_of=today, now=now)
        is_moved = before is None or replace(cuts, version=before.version, computed_at=before.computed_at) != before
        if is_moved:
            await uow.cuts.add(cuts)
        await uow.timers.set(RANK, DAILY, uow.books.start_of(today + timedelta(days=1)))
        if not due or is_moved or any(timer.payload != _SAME_RULES for timer in due):
            await uow.timers.set(WAVE, MISPLACED, now, {"after": None})
        ended = clock()
        self._rests_until = ended + RESTS * (ended - now)

    async def _rests(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, now: datetime) -> bool:
        """Whether there is but the one timer of changed figures, too soon after the last ranking; then it is due later."""
        if self._rests_until is None or now >= self._rests_until or [timer.payload for timer in due] != [_SAME_RULES]:
            return False
        if await uow.timers.get(RANK, SOON, locked=True) in due:  # or else the rules were changed meanwhile
            await uow.timers.set(RANK, SOON, self._rests_until, _SAME_RULES)
        return True

    async def _hand_over(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork) -> None:
        """Rank in the next transaction, under another key: a change that it comes too early to see sets a wake-up of its own.

        Whoever is under way has found the one that there was, and set none: he is waited for, so that the ranking sees him.
        """
        await _wait_for_all(uow)
        asked = (*due, await uow.timers.get(RANK, NOW))
        same = all(timer is None or timer.payload == _SAME_RULES for timer in asked)
        await uow.timers.set(RANK, NOW, min(timer.due_at for timer in due), _SAME_RULES if same else {})

    async def _cut_points(self, *, uow: ScoringUnitOfWork, rules: RuleSet, as_of: date, now: datetime) -> CutPoints:
        windows = await _ranking_windows(uow=uow, rules=rules, as_of=as_of)

        def draw(everybody: Everybody) -> CutPoints:
            return _cut_points([rankings_of(everybody.figures)], windows, rules=rules, as_of=as_of, now=now)

        lines = await self._asked(draw, Spans.of(as_of, windows, rules.thresholds), rules=rules, uow=uow)
        return lines or await compute_cut_points(uow=uow, rules=rules, as_of=as_of, now=now)

    async def _asked(
        self, question: Callable[[Everybody], T], spans: Spans, *, rules: RuleSet, uow: ScoringUnitOfWork
    ) -> T | None:
        """What is to be found of everybody as he is now, who is remembered for the next time; None where `census.everybody` gives none.

        Of many it is found at a guess while the database looks for whoever is another than he was, and anew where anybody is.
        """
        before, guess, state = self._taken(), None, None
        if before is not None and before.spans == spans and len(before.everybody.customers) > GUESSED_OF:
            guess, state = asyncio.create_task(asyncio.to_thread(question, before.everybody)), before.everybody.state
        reading = uow.census.everybody(before, spans, rules=rules, books=uow.books, looking=guess)
        before = None  # there is no room for it beside everybody read anew
        try:
            self._remembered = await reading
        finally:
            answer = None if guess is None else await guess
        if self._remembered is None:
            return None
        everybody = self._remembered.everybody
        return answer if everybody.state is state else await asyncio.to_thread(question, everybody)

    def _taken(self) -> Remembered | None:
        """What is remembered, from now on by whoever brings it up to date: what he leaves half done is worth nothing."""
        remembered, self._remembered = self._remembered, None
        return remembered

    async def wave(self, due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
        """A timer's handler: look at the next slice of customers again, and come back for the rest."""
        for timer in due:
            after = None if (given := timer.payload.get("after")) is None else UUID(given)
            rulings: dict[UUID, Ruling] = {}
            if timer.key == EVERYBODY:
                ids = await uow.standings.all_ids(after=after, limit=LOOKED_AT)
                is_last = len(ids) < LOOKED_AT
            elif (wave := timer.payload.get("wave")) is None:
                await self._begin(timer, uow=uow, now=clock())
                continue
            else:
                ids, rulings, is_last = await self._next(after, wave=wave, uow=uow, now=clock())
            await uow.lock(ids)
            done, now = await self._rule_anew(rulings, uow=uow, now=clock()), clock()
            if left := {each: Cause.TIME for each in ids if each not in done}:
                await reappraise(left, by=await yardstick(uow=uow, now=now), uow=uow, now=now)
            if not is_last:
                await self._go_on(timer, {**timer.payload, "after": str(ids[-1])}, uow=uow, now=clock())

    async def _begin(self, timer: Timer, *, uow: ScoringUnitOfWork, now: datetime) -> None:
        """Wait for whoever is under way, nothing else: he may still go by the rules and cut points that were.

        Whoever comes after this transaction knows the new ones; so those whom the wave then does not find are not to be found.
        """
        await _wait_for_all(uow)
        await self._go_on(timer, {"after": None, "wave": str(new_id())}, uow=uow, now=now)

    async def _go_on(self, timer: Timer, payload: Mapping[str, Any], *, uow: ScoringUnitOfWork, now: datetime) -> None:
        """Come back, unless the wave was begun anew meanwhile: then that is where it goes on."""
        if await uow.timers.get(WAVE, timer.key, locked=True) in (None, timer):
            await uow.timers.set(WAVE, timer.key, now, payload)

    async def _next(
        self, after: UUID | None, *, wave: str, uow: ScoringUnitOfWork, now: datetime
    ) -> tuple[list[UUID], dict[UUID, Ruling], bool]:
        """The next slice of those concerned, in the order of their ids; what is to be said of whom, where that is known; whether it is the last."""
        if self._wave != wave:
            self._found, self._verdicts = await self._find(after, uow=uow, now=now)
            self._wave = wave
        start = 0 if after is None else int(np.searchsorted(self._found, after.bytes, side="right"))
        known = self._verdicts
        if known and known.by != _by(*await uow.policies.in_force_with_cuts(), on=uow.books.day_of(now)):
            known = None
        many = LOOKED_AT if known is None else known.reach(start)
        ids = [UUID(bytes=each.ljust(16, b"\0")) for each in self._found[start : start + min(many, AT_ONCE)].tolist()]
        rulings = known.of(ids, start) if known else {}
        is_last = start + len(ids) == len(self._found)
        if is_last:
            self._wave, self._found = None, self._found[:0].copy()
        return ids, rulings, is_last

    async def _find(
        self, after: UUID | None, *, uow: ScoringUnitOfWork, now: datetime
    ) -> tuple[Column, Verdicts | None]:
        """The ids, sorted, of those whom the wave concerns; and what is to be said of whom, where everybody is remembered."""
        self._verdicts = None
        rules, cuts = await uow.policies.in_force_with_cuts()

        def judge_all(everybody: Everybody) -> Said:
            return judge(everybody.figures, everybody.subjects, rules=rules, cuts=cuts, books=uow.books)

        say = await self._asked(judge_all, await _spans(uow=uow, now=now), rules=rules, uow=uow)
        if say is None or self._remembered is None:
            return await misplaced(after=after, uow=uow, now=now), None
        by = _by(rules, cuts, on=uow.books.day_of(now))
        return judged_anew(self._remembered, say, rules=rules, cuts=cuts, by=by)

    async def _rule_anew(self, rulings: Mapping[UUID, Ruling], *, uow: ScoringUnitOfWork, now: datetime) -> set[UUID]:
        if self._verdicts is None:
            return set()
        done = await rule_anew(rulings, since=self._verdicts.moment, uow=uow, now=now)
        if done and self._remembered is not None:
            self._remembered.everybody.is_said(ids_of(done), await uow.census.transaction())
        return done


async def _wait_for_all(uow: ScoringUnitOfWork) -> None:
    """Until nobody writes of a customer, and have whoever comes next wait for the end of this transaction."""
    await uow.lock(UUID(int=slot) for slot in range(LOCK_SLOTS))


def judged_anew(
    remembered: Remembered, say: Said, *, rules: RuleSet, cuts: CutPoints | None, by: tuple[date, str, int]
) -> tuple[Column, Verdicts]:
    """As `misplaced`, of everybody as he is remembered and of whom this is to be said; and what to those of whom nothing but the class is another."""
    everybody = remembered.everybody
    figures, said = everybody.figures, everybody.said
    places = said.otherwise(say)
    ids = as_bytes(figures.customers.ids[places])
    order = np.argsort(ids)
    ids, places = ids[order], places[order]
    rulings, which = rulings_of(say, places, rules=rules, cuts=cuts)
    # Of whom a signal is to be raised, of whom nothing is told, who has nothing: that takes a look at each.
    is_plain = (
        (said.signals[places] == say.signals[places]) & (figures.traces[places] > 0) & (say.treatment[places] >= 0)
    )
    everybody.say(say)
    return ids, Verdicts(remembered.moment, by, rulings, np.where(is_plain, which, -1))


def _by(rules: RuleSet, cuts: CutPoints | None, *, on: date) -> tuple[date, str, int]:
    """By which rules and lines, and on which day, something is said."""
    return on, rules_version(rules, cuts), rules.policy_version


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


async def judged(stretch: Stretch, *, uow: ScoringUnitOfWork, now: datetime) -> tuple[Figures, Said]:
    """The figures of a stretch of customers, and what the rules say of them today."""
    (rules, cuts), books = await uow.policies.in_force_with_cuts(), uow.books
    figures = await uow.census.figures(stretch, await _spans(uow=uow, now=now), books)
    subjects = await uow.census.subjects(figures, stretch, books)
    asked = partial(judge, figures, subjects, rules=rules, cuts=cuts, books=books)
    return figures, await asyncio.to_thread(asked)


async def _spans(*, uow: ScoringUnitOfWork, now: datetime) -> Spans:
    (rules, cuts), today = await uow.policies.in_force_with_cuts(), uow.books.day_of(now)
    ranked_in = own_mvc_window(today, cuts, uow.books)
    return Spans.of(
        today, windows_of(today, rules.thresholds, ranked_in, uow.books.fiscal_year_starts), rules.thresholds
    )
