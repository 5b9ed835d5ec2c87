"""Changed rules: whom they concern is looked at again, nobody else; through restarts, two workers and whoever is under way."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from common.contracts.identity import LinksChanged
from common.timers import Timer
from scoring.appraisals.domain import Cause
from scoring.appraisals.use_cases import reappraise, yardstick
from scoring.classes import use_cases
from scoring.classes.domain import CutPoints
from scoring.classes.use_cases import MISPLACED, NOW, RANK, RESTS, SOON, WAVE, Waves, rank_soon
from scoring.policies.repository import THRESHOLDS
from scoring.policies.use_cases import replace_policy
from scoring.values.domain import Tally
from scoring.worker import create_timers

from .conftest import Scoring, linked, purchase

CUSTOMERS = 20


def _id(number: int) -> UUID:
    return UUID(int=1000 + number * 7)


async def _shop(scoring: Scoring) -> None:
    """Twenty customers who bought more and more, two of them among the best tenth."""
    links: list[LinksChanged] = [linked((UUID(int=number), _id(number), 1)) for number in range(1, CUSTOMERS + 1)]
    await scoring.hear(*links, *(purchase(UUID(int=n), "2026-11-10", 1_000 * n) for n in range(1, CUSTOMERS + 1)))
    await scoring.wait()


async def _put(scoring: Scoring, read: int = 0, **thresholds: Any) -> None:
    uow = scoring.uow(reading=False)
    await replace_policy(THRESHOLDS, thresholds, read=read, author="x", uow=uow, clock=scoring.clock)


async def _tiers(scoring: Scoring) -> dict[UUID, str]:
    async with scoring.uow() as uow:
        ids = await uow.standings.all_ids(after=None, limit=100)
        return {each: row.tier for each, row in (await uow.standings.of(ids)).items()}


async def _cuts(scoring: Scoring) -> CutPoints:
    async with scoring.uow() as uow:
        found = await uow.cuts.latest()
    assert found is not None
    return found


async def _best(scoring: Scoring) -> set[UUID]:
    return {each for each, tier in (await _tiers(scoring)).items() if tier == "MVC"}


async def test_other_shares_concern_only_those_whom_they_move(scoring: Scoring) -> None:
    await _shop(scoring)
    assert await _best(scoring) == {_id(19), _id(20)}
    told = len(await scoring.told("value-changed"))
    async with scoring.uow() as uow:
        before = {each: row.appraised_at for each, row in (await uow.standings.of(map(_id, range(1, 21)))).items()}
    await _put(scoring, mvc_share=0.2)
    await scoring.wait()
    assert await _best(scoring) == {_id(17), _id(18), _id(19), _id(20)}
    news = (await scoring.told("value-changed"))[told:]
    assert {each["customer_id"] for each in news} == {str(_id(17)), str(_id(18))}
    assert {each["value"]["rules_version"] for each in news} == {"thresholds-1.cuts-2"}
    assert [each["new"] for each in await scoring.told("tier-changed")][-2:] == ["MVC", "MVC"]
    async with scoring.uow() as uow:
        again = {each for each, row in (await uow.standings.of(before)).items() if row.appraised_at != before[each]}
    assert again == {_id(17), _id(18)}


async def test_other_days_of_waking_concern_everybody(scoring: Scoring) -> None:
    await _shop(scoring)
    async with scoring.uow() as uow:
        due = {each.key: each.due_at for each in await uow.timers.due(now=scoring.clock() + timedelta(days=900))}
    await _put(scoring, drop_window_days=15)
    await scoring.wait()
    async with scoring.uow() as uow:
        later = await uow.timers.due(now=scoring.clock() + timedelta(days=900))
        now = {each.key: each.due_at for each in later if each.name == "look"}
    assert len(now) == CUSTOMERS
    assert all(now[key] < due[key] for key in now)


async def test_another_policy_concerns_those_whom_it_treats_otherwise(scoring: Scoring) -> None:
    await _shop(scoring)
    told = len(await scoring.told("treatment-changed"))
    async with scoring.uow() as uow:
        body = (await uow.policies.latest("treatment")).body
    body["rules"][1]["then"]["attend_by"] = "the manager himself"  # of the rule for the most valuable
    uow = scoring.uow(reading=False)
    await replace_policy("treatment", body, read=0, author="x", uow=uow, clock=scoring.clock)
    await scoring.wait()
    assert {each["customer_id"] for each in (await scoring.told("treatment-changed"))[told:]} == {
        str(_id(19)),
        str(_id(20)),
    }
    assert (await scoring.value(_id(20)))["treatment"]["attend_by"] == "the manager himself"


@pytest.mark.parametrize("same_process", [True, False])
async def test_a_wave_goes_on_where_it_was(
    scoring: Scoring, same_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each slice the worker is another one, who remembers nothing; or the same."""
    await _shop(scoring)
    monkeypatch.setattr(use_cases, "AT_ONCE", 2)
    await _put(scoring, mvc_share=0.5)
    scoring.clock.advance(timedelta(seconds=2))
    timers, turns = scoring.timers, 0
    while await timers.fire():
        turns += 1
        if not same_process:
            timers = create_timers(scoring.runtime)
    assert turns > 5
    assert len(await _best(scoring)) == 10
    moved = [each["customer_id"] for each in await scoring.told("tier-changed")]
    assert len(moved) == len(set(moved)) == 10  # each once


async def test_a_slice_that_breaks_off_is_done_again(scoring: Scoring) -> None:
    await _shop(scoring)
    await _put(scoring, mvc_share=0.5)
    scoring.clock.advance(timedelta(seconds=2))
    waves = Waves()
    async with scoring.uow(reading=False) as uow:
        await waves.rank([], uow=uow, clock=scoring.clock)
        await waves.wave([Timer(WAVE, MISPLACED, scoring.clock(), {"after": None})], uow=uow, clock=scoring.clock)
        await uow.commit()
    async with scoring.uow(reading=False) as uow:
        due = [each for each in await uow.timers.due(now=scoring.clock()) if each.name == WAVE]
        await waves.wave(due, uow=uow, clock=scoring.clock)  # no commit: as if it was killed
    assert len(await _best(scoring)) == 2
    await scoring.timers.drain()
    assert len(await _best(scoring)) == 10
    assert len(await scoring.told("tier-changed")) == 10


async def test_changed_figures_wait_for_as_long_as_a_ranking_takes_and_changed_rules_do_not(scoring: Scoring) -> None:
    await _shop(scoring)
    waves, second = Waves(), timedelta(seconds=1)
    moment = scoring.clock()

    async def ranked(after: timedelta, **payload: str) -> datetime | None:
        """A ranking that is due at that time and takes a second; gives for when it is put off."""
        due = Timer(RANK, SOON, moment + after, payload)
        looks = iter([moment + after, moment + after, moment + after + second])
        async with scoring.uow(reading=False) as uow:
            await uow.timers.set_all([due])
            await uow.commit()
        for key in (SOON, NOW):
            async with scoring.uow(reading=False) as uow:
                fired = [timer for timer in [await uow.timers.get(RANK, key)] if timer is not None]
                if fired:
                    await waves.rank(fired, uow=uow, clock=lambda: next(looks))
                await uow.timers.done(fired)
                await uow.commit()
        async with scoring.uow() as uow:
            later = await uow.timers.get(RANK, SOON)
        return None if later is None else later.due_at

    soonest = moment + second * (1 + RESTS)
    assert await ranked(timedelta(0), rules="same") is None
    assert await ranked(2 * second, rules="same") == soonest
    assert await ranked(3 * second) is None
    assert await ranked(timedelta(hours=1), rules="same") is None


async def test_what_waits_does_not_put_off_rules_that_were_changed_meanwhile(scoring: Scoring) -> None:
    waves, second, moment = Waves(), timedelta(seconds=1), scoring.clock()
    looks = iter([moment, moment + second, moment + 2 * second])
    seen = Timer(RANK, SOON, moment, {"rules": "same"})
    async with scoring.uow(reading=False) as uow:
        await waves.rank([], uow=uow, clock=lambda: next(looks))
        await uow.timers.set(RANK, SOON, moment + second)
        await uow.commit()
    async with scoring.uow(reading=False) as uow:
        await waves.rank([seen], uow=uow, clock=lambda: next(looks))
        await uow.timers.done([seen])
        await uow.commit()
    async with scoring.uow() as uow:
        assert await uow.timers.get(RANK, SOON) == Timer(RANK, SOON, moment + second, {})


async def test_who_buys_while_the_population_is_ranked_is_ranked_after_it(scoring: Scoring) -> None:
    """It finds no wake-up that is about to be taken away: that one has handed over."""
    if scoring.database.dialect == "sqlite":
        pytest.skip("one writer: nobody buys while another writes")
    await _shop(scoring)
    await scoring.hear(linked((UUID(int=21), _id(21), 1)), purchase(UUID(int=20), "2026-11-11", 100))
    scoring.clock.advance(timedelta(seconds=2))
    await scoring.timers.fire()
    async with scoring.uow(reading=False) as uow:
        due = await uow.timers.due(now=scoring.clock())
        await Waves().rank(due, uow=uow, clock=scoring.clock)
        await scoring.hear(purchase(UUID(int=21), "2026-11-11", 21_000))
        await uow.timers.done(due)
        await uow.commit()
    assert (await _cuts(scoring)).population == 20
    await scoring.wait()
    assert (await _cuts(scoring)).population == 21


async def test_a_ranking_waits_for_whoever_found_that_it_was_due_already(scoring: Scoring) -> None:
    if scoring.database.dialect == "sqlite":
        pytest.skip("one writer: nobody is under way while another writes")
    await _shop(scoring)
    await scoring.hear(linked((UUID(int=21), _id(21), 1)), purchase(UUID(int=20), "2026-11-11", 100))
    scoring.clock.advance(timedelta(seconds=2))
    async with scoring.uow(reading=False) as uow:
        await uow.lock([_id(21)])
        await uow.values.add({(UUID(int=21), date(2026, 11, 11), "COP"): Tally(entries=1, purchases=1, revenue=21_000)})
        await rank_soon(await yardstick(uow=uow, now=scoring.clock()), uow=uow, now=scoring.clock())
        waking = asyncio.create_task(scoring.timers.drain())
        await asyncio.sleep(0.5)
        await uow.commit()
    await waking
    assert (await _cuts(scoring)).population == 21


async def test_rules_that_were_changed_are_still_told_of_where_a_ranking_by_them_failed(scoring: Scoring) -> None:
    waves, moment = Waves(), scoring.clock()
    async with scoring.uow(reading=False) as uow:
        await uow.timers.set(RANK, NOW, moment + timedelta(minutes=5))
        await waves.rank([Timer(RANK, SOON, moment, {"rules": "same"})], uow=uow, clock=scoring.clock)
        assert await uow.timers.get(RANK, NOW) == Timer(RANK, NOW, moment, {})


async def test_a_wave_that_is_begun_anew_leaves_nobody_behind(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules change while the wave of others is half way: ranking and the old wave are due at the same moment."""
    await _shop(scoring)
    monkeypatch.setattr(use_cases, "AT_ONCE", 2)
    await _put(scoring, mvc_share=0.8)
    scoring.clock.advance(timedelta(seconds=2))
    for _ in range(7):
        await scoring.timers.fire()
    assert 2 < len(await _best(scoring)) < 16
    await _put(scoring, read=1, mvc_share=0.15)
    await scoring.wait()
    assert await _best(scoring) == {_id(18), _id(19), _id(20)}


@pytest.mark.parametrize("guessed_of", [use_cases.GUESSED_OF, 0])
async def test_who_buys_between_ranking_and_the_wave_stands_by_the_new_lines(
    scoring: Scoring, guessed_of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read for the ranking is asked again for the wave: whoever was looked at since is not judged by it."""
    monkeypatch.setattr(use_cases, "GUESSED_OF", guessed_of)
    await _shop(scoring)
    async with scoring.uow() as uow:
        old = await yardstick(uow=uow, now=scoring.clock())
    await _put(scoring, mvc_share=0.2)
    scoring.clock.advance(timedelta(seconds=2))
    for _ in range(2):
        await scoring.timers.fire()  # only the ranking: the wave comes next
    async with scoring.uow(reading=False) as uow:
        bought = Tally(entries=1, purchases=1, revenue=1_600)  # of the class that he was of, and now among the best
        await uow.values.add({(UUID(int=16), date(2026, 11, 11), "COP"): bought})
        await reappraise({_id(16): Cause.RECORDED}, by=old, uow=uow, now=scoring.clock())
        await uow.commit()
    await scoring.timers.drain()
    assert _id(16) in await _best(scoring)


async def test_who_buys_while_the_wave_is_under_way_stands_by_what_he_has_then(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He was judged with the others before, and his turn comes after."""
    await _shop(scoring)
    monkeypatch.setattr(use_cases, "AT_ONCE", 2)
    await _put(scoring, mvc_share=0.5)
    scoring.clock.advance(timedelta(seconds=2))
    for _ in range(4):
        await scoring.timers.fire()  # handing over, ranking, waiting, the first slice
    assert await _best(scoring) == {_id(11), _id(12), _id(19), _id(20)}
    await scoring.hear(purchase(UUID(int=18), "2026-11-11", -17_500))  # he brings nearly everything back
    await scoring.timers.drain()
    assert await _best(scoring) == {_id(number) for number in (11, 12, 13, 14, 15, 16, 17, 19, 20)}
    assert (await scoring.value(_id(18)))["value"]["revenue"]["amount"] == "5.00"


async def test_a_wave_waits_for_whoever_goes_by_the_old_rules(scoring: Scoring) -> None:
    """A consumer has read the rules, they are changed, and only then it writes: by its days he is found, by those before not."""
    if scoring.database.dialect == "sqlite":
        pytest.skip("one writer: nobody is under way while another writes")
    await _shop(scoring)
    async with scoring.uow(reading=False) as uow:
        await uow.lock([_id(1)])
        old = await yardstick(uow=uow, now=scoring.clock())
        await _put(scoring, mvc_share=0.2)
        scoring.clock.advance(timedelta(seconds=2))
        waking = asyncio.create_task(scoring.timers.drain())
        await asyncio.sleep(0.5)
        bought = Tally(entries=1, purchases=1, revenue=16_600)
        await uow.values.add({(UUID(int=1), date(2026, 11, 11), "COP"): bought})
        await reappraise({_id(1): Cause.RECORDED}, by=old, uow=uow, now=scoring.clock())
        await uow.commit()
    await waking
    assert _id(1) in await _best(scoring)
