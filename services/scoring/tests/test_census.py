"""Everybody at once: whoever is found to stand otherwise is whoever each alone would, on random days, over both databases."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from common.contracts.identity import ContactChanged
from common.contracts.interactions import CaseMoved
from scoring.appraisals.domain import Appraisal, appraise
from scoring.appraisals.use_cases import subjects_of
from scoring.census.domain import Ids
from scoring.classes.domain import abc_cuts, mvc_cut, worst_cut
from scoring.classes.use_cases import EVERYBODY, WAVE, compute_cut_points, misplaced
from scoring.policies.domain import RuleSet, Thresholds, shipped_policy
from scoring.policies.repository import THRESHOLDS, TREATMENT, PolicyVersion
from scoring.policies.use_cases import replace_policy
from scoring.values.domain import Tally

from .conftest import Scoring, customer, linked

TODAY = date(2026, 11, 20)
CUSTOMERS = 120
CURRENCIES = ["COP"] * 8 + ["USD", "EUR", "XAU"]  # the last has no rate

OTHER_THRESHOLDS: list[dict[str, Any]] = [
    {},
    {"mvc_share": 0.4, "abc_a": 0.5, "below_zero_share": 0.5},
    {"abc_window": "fiscal-year", "below_zero_window": "trailing-year", "below_zero_min_months": 1},
    {"growing_ratio": 1.01, "declining_ratio": 3.0, "shortlist_quotes": 1, "rejected_quotes": 1},
    {"drop_window_days": 33, "drop_baseline_windows": 7, "drop_measure": "purchases", "drop_warning": 0.9},
    {"dormant_months": 3, "long_dormant_months": 7, "drop_min_purchases": 1, "drop_critical": 0.6},
]
OTHER_POLICY = {
    "rules": [
        {
            "name": name,
            "when": when,
            "then": {"service_level": name, "attend_by": "x", "modules": ["a b", "ñ"], "suppress_paid_outbound": True},
        }
        for name, when in (
            ("quiet", {"field": "dormancy", "op": "ne", "value": "none"}),
            ("old and rich", {"all": [{"field": "tenure_months", "op": "ge", "value": 20}, {"field": "revenue", "op": "gt", "value": 900.5}]}),
            ("falling", {"not": {"field": "drop", "op": "eq", "value": "none"}}),
            ("new", {"field": "tenure_months", "op": "exists", "value": False}),
            ("loved", {"any": [{"field": "abc", "op": "in", "value": ["A", "B"]}, {"field": "key_account", "op": "eq", "value": True}]}),
            ("busy", {"any": [{"field": "frequency", "op": "gt", "value": 2}, {"field": "lifecycle", "op": "eq", "value": "POTENTIAL"}]}),
        )
    ],
    "default": {"service_level": "standard", "attend_by": "y"},
}  # fmt: skip


def _tally(draw: random.Random) -> Tally:
    kind = draw.choice(["bought", "bought", "bought", "returned", "contact", "quote", "paid", "nothing", "taken back"])
    amount = int(draw.lognormvariate(9, 3)) * draw.choice([1, 1, 10**6])
    return {
        "bought": Tally(entries=1, purchases=1, quantity=1000, revenue=amount, cost_of_goods=int(amount * draw.uniform(0.2, 1.3)), contact_cost=amount // 9),
        "returned": Tally(entries=1, returns=1, revenue=-amount),
        "contact": Tally(contacts=1, contact_cost=amount // 5),
        "quote": Tally(quotes=draw.randint(0, 2), quotes_won=draw.randint(0, 1), quotes_lost=draw.randint(0, 2)),
        "paid": Tally(payments=1, paid=amount),
        "nothing": Tally(contacts=1),
        "taken back": Tally(entries=-1, purchases=-1, revenue=-amount),
    }[kind]  # fmt: skip


async def _fill(scoring: Scoring, seed: int) -> None:
    """Customers with any number of traces, some merged away, archived, restricted, complaining; days of four years, some to come."""
    draw = random.Random(seed)
    events: list[Any] = []
    days: dict[tuple[UUID, date, str], Tally] = {}
    for number in range(CUSTOMERS):
        owner = UUID(int=draw.getrandbits(128))
        if draw.random() < 0.8:
            since = datetime(2026, 11, 20, 3, tzinfo=UTC) - timedelta(hours=draw.randint(0, 40_000))
            state = draw.choice(["active"] * 6 + ["archived"])
            events.append(customer(owner, state=state, since=since, key_account=draw.random() < 0.1))
        if draw.random() < 0.1:
            events.append(ContactChanged(customer_id=owner, revision=1, restricted=True))
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            trace = UUID(int=draw.getrandbits(128))
            events.append(linked((trace, owner, 1)))
            if number % 20 == 0:
                events.append(linked((trace, None, 2)))  # taken back: he stands there without a trace
            if draw.random() < 0.1:
                at = datetime(2026, 11, 1, tzinfo=UTC)
                case = {"case_number": f"Q-{trace}", "trace_id": trace, "severity": "low", "occurred_at": at, "at": at}
                events.append(CaseMoved.model_validate(case | {"kind": "complaint", "move": "opened"}))
            center = draw.randint(0, 1200)
            for _ in range(draw.choice([0, 1, 2, 4, 9])):
                day = TODAY - timedelta(days=max(-40, center + draw.randint(-400, 400)))
                slot = (trace, day, draw.choice(CURRENCIES))
                days[slot] = days.get(slot, Tally()) + _tally(draw)
    stray = UUID(int=draw.getrandbits(128))
    days[stray, TODAY, "COP"] = Tally(entries=1, purchases=1, revenue=10**9)  # nobody's
    await scoring.hear(*events)
    async with scoring.uow(reading=False) as uow:
        await uow.values.add(days)
        await uow.timers.set(WAVE, EVERYBODY, scoring.clock(), {"after": None})
        await uow.commit()
    await scoring.wait()


def _verdict(appraisal: Appraisal) -> tuple[Any, ...]:
    return (
        appraisal.classified,
        appraisal.abc,
        appraisal.lifecycle,
        frozenset(appraisal.holding),
        (appraisal.decision.treatment, appraisal.decision.rule),
    )


def _is_otherwise(before: Appraisal, now: Appraisal) -> bool:
    was, is_ = _verdict(before), _verdict(now)
    if before.subject.restricted:  # of him nothing is told and nothing is raised
        return was[1:3] != is_[1:3] or was[0].tier != is_[0].tier
    if not before.subject.traces:
        return (was[0].tier, *was[1:]) != (is_[0].tier, *is_[1:])
    return was != is_


@pytest.mark.parametrize("seed", [1, 2])
async def test_everybody_at_once_finds_whom_other_rules_concern(scoring: Scoring, seed: int) -> None:
    await _fill(scoring, seed)
    now = scoring.clock()
    async with scoring.uow() as uow:
        ids = await uow.standings.all_ids(after=None, limit=1000)
        subjects, days = await subjects_of(ids, buyers=ids, uow=uow), await uow.values.days_of(ids)
        old, old_cuts = await uow.policies.in_force(), await uow.cuts.latest()
        assert len(await misplaced(after=None, uow=uow, now=now)) == 0, "whoever was just looked at stands right"
    concerned = 0
    for number, thresholds in enumerate(OTHER_THRESHOLDS):
        policy = shipped_policy("COP") if number % 2 else type(old.policy).model_validate(OTHER_POLICY)
        rules = RuleSet(Thresholds.model_validate(thresholds), 1, policy, 1)
        async with scoring.uow() as uow:
            cuts = await compute_cut_points(uow=uow, rules=rules, as_of=TODAY, now=now)

        def verdict(each: UUID, by: RuleSet, lines: Any) -> Appraisal:
            return appraise(subjects[each], days.get(each, []), as_of=TODAY, rules=by, cuts=lines, books=uow.books)

        expected = {each for each in ids if _is_otherwise(verdict(each, old, old_cuts), verdict(each, rules, cuts))}
        found = await _found_by(scoring, rules, cuts)
        assert found == expected, thresholds
        concerned += len(expected)
    assert CUSTOMERS < concerned < len(OTHER_THRESHOLDS) * CUSTOMERS


async def _found_by(scoring: Scoring, rules: RuleSet, cuts: Any) -> set[UUID]:
    """As if these were in force; nothing stays."""
    async with scoring.uow(reading=False) as uow:
        for name, body in ((THRESHOLDS, rules.thresholds), (TREATMENT, rules.policy)):
            await uow.policies.add(PolicyVersion(name, 1, body.model_dump(mode="json"), "x", scoring.clock()))
        await uow.cuts.add(cuts)
        found = await misplaced(after=None, uow=uow, now=scoring.clock())
        return {UUID(bytes=each.ljust(16, b"\0")) for each in found.tolist()}


async def _all_standings(scoring: Scoring) -> dict[UUID, tuple[Any, ...]]:
    """What is said of each of whom anything is told; but when, and by which version of the rules."""
    async with scoring.uow() as uow:
        ids = await uow.standings.all_ids(after=None, limit=1000)
        rows = await uow.standings.of(ids)
    by_whom = ("revision", "appraised_at", "rules_version", "parts")
    return {
        each: (
            [value for name, value in row._mapping.items() if name not in by_whom],
            row.parts | {"value": {**row.parts["value"], "rules_version": None}},
        )
        for each, row in rows.items()
        if row.parts["treatment"]
    }


async def test_what_changed_rules_say_of_many_is_what_a_look_at_each_says(scoring: Scoring) -> None:
    await _fill(scoring, 5)
    changed = 0
    for number, (name, body) in enumerate(
        [
            (THRESHOLDS, OTHER_THRESHOLDS[1]),
            (TREATMENT, OTHER_POLICY),
            (THRESHOLDS, OTHER_THRESHOLDS[3]),
            (THRESHOLDS, {"drop_warning": 0.9, "drop_critical": 0.6}),
        ]
    ):
        before = await _all_standings(scoring)
        async with scoring.uow() as uow:
            read = (await uow.policies.latest(name)).version
        uow = scoring.uow(reading=False)
        await replace_policy(name, body, read=read, author="x", uow=uow, clock=scoring.clock)
        await scoring.wait()
        after = await _all_standings(scoring)
        changed += sum(after[each] != before[each] for each in after)
        async with scoring.uow(reading=False) as uow:
            await uow.timers.set(WAVE, EVERYBODY, scoring.clock(), {"after": None})
            await uow.commit()
        await scoring.wait()
        assert await _all_standings(scoring) == after, number
        news = [each for kind in ("tier-changed", "treatment-changed") for each in await scoring.told(kind)]
        assert len({(each["customer_id"], each["at"], "new" in each) for each in news}) == len(news), "told once"
    assert changed > CUSTOMERS


async def test_the_lines_through_the_population_are_those_of_each_alone(scoring: Scoring) -> None:
    await _fill(scoring, 3)
    async with scoring.uow() as uow:
        rules, books = await uow.policies.in_force(), uow.books
        cuts = await compute_cut_points(uow=uow, rules=rules, as_of=TODAY, now=scoring.clock())
        ids = await uow.standings.all_ids(after=None, limit=1000)
        subjects, days = await subjects_of(ids, buyers=ids, uow=uow), await uow.values.days_of(ids)
    each_alone = [
        appraise(subjects[each], days.get(each, []), as_of=TODAY, rules=rules, cuts=cuts, books=books) for each in ids
    ]
    profits = [one.profit.profitability for one in each_alone if one.profit.sums.tally.entries > 0]
    active = [one.ranked for one in each_alone if one.ranked.sums.tally.entries > 0 and one.ranked.frequency > 0]
    contributed = [one.contributed.contribution for one in each_alone if one.contributed.sums.tally.entries > 0]
    assert (cuts.population, cuts.active) == (len(profits), len(active))
    assert (cuts.a, cuts.b) == abc_cuts(profits, a_share=0.8, b_share=0.95)
    assert cuts.mvc == mvc_cut([one.profitability for one in active], share=0.1)
    assert cuts.worst == worst_cut(contributed, share=0.2)


async def test_customers_are_read_in_stretches_that_leave_nobody_out(scoring: Scoring) -> None:
    await _fill(scoring, 4)
    async with scoring.uow() as uow:
        whole = await uow.census.stretches()
        parts = await uow.census.stretches(size=7)
        assert len(whole) == 1
        assert len(parts) > 5
        owners = await uow.values.customer_ids(after=None, limit=1000)
        for each in owners:
            assert sum((p.after is None or p.after < each) and (p.upto is None or each <= p.upto) for p in parts) == 1


def test_ids_are_found_again_and_strangers_are_not() -> None:
    draw = np.random.default_rng(1)
    ids = draw.integers(0, 2**64, (1000, 2), dtype=np.uint64)
    known = Ids(np.concatenate([ids, ids[:10]]))
    assert len(known) == 1000
    assert (known.ids[known.find(ids)] == ids).all()
    assert (known.find(ids ^ np.uint64(1)) == -1).all()


def test_ids_that_share_a_key_are_told_apart() -> None:
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        ids = np.array([[1, multiplier], [2, 0], [0, multiplier * np.uint64(2)]], np.uint64)  # one key for all three
    known = Ids(ids)
    assert sorted(known.find(ids).tolist()) == [0, 1, 2]
    assert Ids(ids[:1]).find(ids).tolist() == [0, -1, -1]
