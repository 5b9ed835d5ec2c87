"""Everybody at once: whoever is found to stand otherwise is whoever each alone would, on random days, over both databases."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar
from uuid import UUID

import numpy as np
import orjson
import pytest
import sqlalchemy as sa

from common.contracts.identity import ContactChanged, CustomerErased
from common.contracts.interactions import CaseMoved
from common.contracts.scoring import TierChanged, TreatmentChanged, ValueChanged
from common.events import EventData
from common.worker import TimerLoop
from scoring.appraisals.domain import Appraisal, Cause, appraise, windows_of
from scoring.appraisals.use_cases import LOOK, look_again, reappraise, subjects_of, yardstick
from scoring.census.domain import Everybody, Ids, Spans, as_bytes
from scoring.census.repository import Remembered
from scoring.classes import use_cases
from scoring.classes.domain import abc_cuts, mvc_cut, worst_cut
from scoring.classes.use_cases import EVERYBODY, RANK, WAVE, Waves, compute_cut_points, misplaced
from scoring.links.models import trace_link
from scoring.policies.domain import RuleSet, Thresholds, shipped_policy
from scoring.policies.repository import THRESHOLDS, TREATMENT, PolicyVersion
from scoring.policies.use_cases import replace_policy
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Tally, trailing_year

from .conftest import Scoring, contact, customer, linked, purchase

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
    if before.subject.restricted:  # of him nothing is told, nothing is raised, and he keeps his class
        return False
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


async def test_what_is_told_of_many_reads_as_what_is_told_of_one(scoring: Scoring) -> None:
    await _fill(scoring, 6)
    events: tuple[type[ValueChanged | TierChanged | TreatmentChanged], ...] = (
        ValueChanged,
        TierChanged,
        TreatmentChanged,
    )
    before = {event: len(await _told(scoring, event)) for event in events}
    uow = scoring.uow(reading=False)
    await replace_policy(THRESHOLDS, {"mvc_share": 0.4}, read=0, author="x", uow=uow, clock=scoring.clock)
    await scoring.wait()
    for event in events:
        news = (await _told(scoring, event))[before[event] :]
        assert news
        for data in news:
            assert orjson.loads(event.model_validate(data).as_json()) == data
    state = (await _told(scoring, ValueChanged))[-1]
    standing = await scoring.standing(UUID(state["customer_id"]))
    assert (state["revision"], state["value"]["as_of"]) == (standing.revision, state["as_of"])
    parts = {name: state[name] for name in standing.parts}
    assert standing.parts == parts | {"value": {name: each for name, each in state["value"].items() if name != "as_of"}}


async def _told(scoring: Scoring, event: type[EventData]) -> list[dict[str, Any]]:
    return await scoring.told(event.type.partition(".")[2])


# --- everybody remembered -----------------------------------------------------------------------------------------------


@pytest.fixture
def remembering(scoring: Scoring) -> Scoring:
    """A service whose database tells which transaction wrote a row."""
    if scoring.database.dialect == "sqlite":
        pytest.skip("SQLite's rows do not tell who wrote them: everybody is read each time")
    return scoring


async def _everybody(scoring: Scoring, before: Remembered | None = None) -> Remembered:
    async with scoring.uow() as uow:
        return await _read(uow, before)


async def _read(uow: Any, before: Remembered | None = None) -> Remembered:
    windows = windows_of(TODAY, Thresholds(), trailing_year(TODAY), uow.books.fiscal_year_starts)
    rules = await uow.policies.in_force()
    found = await uow.census.everybody(before, Spans.of(TODAY, windows, Thresholds()), rules=rules, books=uow.books)
    assert found is not None
    return found  # type: ignore[no-any-return]


def _in_order(everybody: Everybody) -> list[list[Any]]:
    ids = as_bytes(everybody.customers.ids)
    order = np.argsort(ids)
    return [column[order].tolist() for column in (ids, *everybody.columns())]


async def _is_right(scoring: Scoring, remembered: Remembered) -> bool:
    return _in_order(remembered.everybody) == _in_order((await _everybody(scoring)).everybody)


class _Town:
    """Customers to whom things happen."""

    def __init__(self, scoring: Scoring, seed: int) -> None:
        self._scoring = scoring
        self._draw = random.Random(seed)
        self._revision = 100

    async def happen(self, *, erasing: bool = False) -> None:
        """A few things at once: purchases and contacts, a newcomer, a merge, a case, restrictions, an erasure."""
        draw = self._draw
        self._revision += 1
        async with self._scoring.uow() as uow:
            links = (await uow.session.execute(sa.select(trace_link.c.trace_id, trace_link.c.customer_id))).all()
        owned = sorted((trace, owner) for trace, owner in links if owner is not None)
        events: list[Any] = []
        for trace, _ in draw.sample(owned, 4):
            day = str(TODAY - timedelta(days=draw.randint(0, 900)))
            amount = int(draw.lognormvariate(9, 3))
            events += [purchase(trace, day, amount) if draw.random() < 0.7 else contact(trace, day, amount)]
        newcomer = (UUID(int=draw.getrandbits(128)), UUID(int=draw.getrandbits(128)))
        events += [linked((*newcomer, 1)), purchase(newcomer[0], str(TODAY), 5_000)]
        (moved, _), (_, into), (_, noted), (_, locked) = draw.sample(owned, 4)
        events += [linked((moved, draw.choice([into, None]), self._revision))]
        events += [
            customer(noted, revision=self._revision, key_account=True, state=draw.choice(["active", "archived"]))
        ]
        events += [ContactChanged(customer_id=locked, revision=self._revision, restricted=draw.random() < 0.5)]
        if erasing:
            _, gone = draw.choice(owned)
            traces = [trace for trace, owner in owned if owner == gone]
            events = [CustomerErased(erasure_id=UUID(int=draw.getrandbits(128)), customer_id=gone, customers=[gone], traces=traces, erased_at=self._scoring.clock())]  # fmt: skip
        await self._scoring.hear(*events)


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_everybody_who_is_remembered_is_as_if_all_were_read_again(remembering: Scoring, seed: int) -> None:
    await _fill(remembering, seed)
    town, remembered = _Town(remembering, seed), await _everybody(remembering)
    for number in range(6):
        before = remembered.everybody
        await town.happen(erasing=number == 3)
        remembered = await _everybody(remembering, remembered)
        assert (remembered.everybody is before) == (number != 3), "read again are those who were looked at, not all"
        assert await _is_right(remembering, remembered)


async def test_what_was_read_of_a_transaction_that_is_taken_back_is_not_remembered(remembering: Scoring) -> None:
    await _fill(remembering, 14)
    now = remembering.clock()
    async with remembering.uow(reading=False) as uow:
        ids = (await uow.standings.all_ids(after=None, limit=1000))[:20]
        await uow.policies.add(
            PolicyVersion(THRESHOLDS, 1, Thresholds(mvc_share=0.9).model_dump(mode="json"), "x", now)
        )
        await uow.cuts.add(await compute_cut_points(uow=uow, rules=await uow.policies.in_force(), as_of=TODAY, now=now))
        by = await yardstick(uow=uow, now=now)
        await reappraise(dict.fromkeys(ids, Cause.TIME), by=by, uow=uow, now=now)
        remembered = await _read(uow)
        await uow.rollback()
    assert not await _is_right(remembering, remembered), "what was read was never so"
    remembered = await _everybody(remembering, remembered)
    assert await _is_right(remembering, remembered)


async def test_tables_in_the_place_of_others_are_read_again(remembering: Scoring) -> None:
    await _fill(remembering, 15)
    remembered = await _everybody(remembering)
    async with remembering.database.engine.begin() as connection:
        for statement in (
            "create table other (like day_value including all)",
            "insert into other select * from day_value where revenue <= 0",
            "drop table day_value",
            "alter table other rename to day_value",
        ):
            await connection.exec_driver_sql(statement)
    before = remembered.everybody
    remembered = await _everybody(remembering, remembered)
    assert remembered.everybody is not before
    assert await _is_right(remembering, remembered)


@pytest.mark.parametrize(("seed", "guessed_of"), [(21, use_cases.GUESSED_OF), (22, use_cases.GUESSED_OF), (21, 0)])
async def test_rules_that_change_again_and_again_leave_nobody_where_he_was(
    scoring: Scoring, seed: int, guessed_of: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random rules, of which some concern few and some nearly all, while customers go on buying; one in three slices breaks off."""
    monkeypatch.setattr(use_cases, "GUESSED_OF", guessed_of)
    await _fill(scoring, seed)
    draw, town = random.Random(seed), _Town(scoring, seed)
    timers = _breaking_timers(scoring, draw)
    for number in range(8):
        name, body = draw.choice([(THRESHOLDS, _other_thresholds(draw)), (TREATMENT, _other_policy(draw))])
        async with scoring.uow() as uow:
            read = (await uow.policies.latest(name)).version
        await replace_policy(name, body, read=read, author="x", uow=scoring.uow(reading=False), clock=scoring.clock)
        scoring.clock.advance(timedelta(seconds=2))
        while await _fire(timers):
            if draw.random() < 0.3:
                await town.happen(erasing=draw.random() < 0.2)
        async with scoring.uow() as uow:
            wrong = await misplaced(after=None, uow=uow, now=scoring.clock())
        assert len(wrong) == 0, (number, name, body)
    told: dict[str, list[tuple[str, str]]] = {}
    for each in await scoring.told("tier-changed"):
        told.setdefault(each["customer_id"], []).append((each["old"], each["new"]))
    assert sum(map(len, told.values())) > CUSTOMERS / 4
    assert not [moves for moves in told.values() for move, again in pairwise(moves) if move == again], "told once"


async def test_rules_that_are_taken_back_concern_the_same_customers_once_more(scoring: Scoring) -> None:
    await _fill(scoring, 16)
    moved = []
    for number, share in enumerate([0.4, 0.1, 0.4, 0.1]):
        uow = scoring.uow(reading=False)
        await replace_policy(THRESHOLDS, {"mvc_share": share}, read=number, author="x", uow=uow, clock=scoring.clock)
        before = len(await scoring.told("tier-changed"))
        await scoring.wait()
        moved.append({each["customer_id"] for each in (await scoring.told("tier-changed"))[before:]})
        async with scoring.uow() as uow:
            assert len(await misplaced(after=None, uow=uow, now=scoring.clock())) == 0
    assert moved[0] == moved[1] == moved[2] == moved[3] != set()


class _Breaking(ScoringUnitOfWork):
    """One transaction in three breaks off where all of it is done but the commit."""

    draw: ClassVar[random.Random]

    async def commit(self) -> None:
        if self.draw.random() < 1 / 3:
            raise ConnectionError
        await super().commit()


def _breaking_timers(scoring: Scoring, draw: random.Random) -> TimerLoop:
    waves, clock = Waves(), scoring.clock
    _Breaking.draw = draw
    return TimerLoop(
        scoring.database,
        {
            LOOK: lambda due, uow: look_again(due, uow=uow, clock=clock),
            RANK: lambda due, uow: waves.rank(due, uow=uow, clock=clock),
            WAVE: lambda due, uow: waves.wave(due, uow=uow, clock=clock),
        },
        unit_of_work=lambda: _Breaking(scoring.database, books=scoring.uow().books),
        clock=clock,
    )


async def _fire(timers: TimerLoop) -> bool:
    try:
        return bool(await timers.fire())
    except ConnectionError:
        return True


def _other_thresholds(draw: random.Random) -> dict[str, Any]:
    others: list[dict[str, Any]] = [
        {"mvc_share": draw.uniform(0.01, 0.9)},
        {"abc_a": draw.uniform(0.1, 0.5), "abc_b": draw.uniform(0.5, 1.0)},
        {"below_zero_share": draw.uniform(0, 1)},
        {"growing_ratio": draw.uniform(0.5, 3), "declining_ratio": draw.uniform(0.1, 2)},
        {"shortlist_quotes": draw.randint(1, 4), "rejected_quotes": draw.randint(1, 4)},
        {"abc_window": draw.choice(["to-date", "trailing-year", "fiscal-year"])},
        {"drop_warning": draw.uniform(0.5, 1), "drop_critical": draw.uniform(0, 0.5)},
        {"dormant_months": draw.randint(1, 12), "drop_window_days": draw.randint(20, 100)},
    ]
    return draw.choice(others)


def _other_policy(draw: random.Random) -> dict[str, Any]:
    rules = OTHER_POLICY["rules"]
    return OTHER_POLICY | {"rules": draw.sample(rules, draw.randint(0, len(rules)))}  # type: ignore[arg-type]
