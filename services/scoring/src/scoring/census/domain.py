"""The figures of all customers in columns, and what the rules for one customer make of them; whose standing is another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from scoring.appraisals.domain import AMOUNTS, Lifecycle, Ruling, Windows, lives, rules_version, treatment_part, units
from scoring.classes.domain import (
    TIER_RULES,
    WEAKNESSES,
    Abc,
    Classified,
    CutPoints,
    Standing,
    Tier,
    abc_rules,
    tier_conditions,
    weaknesses,
)
from scoring.policies.domain import FIELDS, Decision, RuleSet, Thresholds
from scoring.signals.domain import Signal, dormancies, dormancy_level, drop_level, drops, is_habit, trend_begins
from scoring.values.domain import COUNTED, MONEY, Books, Sums, Tally, Value, Window, months_between

Column = npt.NDArray[Any]
Columns = Mapping[str, Column]
Figure = npt.NDArray[np.int64]
Rankings = tuple[Figure, Figure, Figure]

EPOCH = date(1970, 1, 1).toordinal()  # columns of days count from here
NEVER = np.iinfo(np.int32).max  # a day that is not known
SIGNALS = tuple(Signal)
CLASSES = ("A", "B", "C")
BELOW_ZERO_REASONS = ("contribution_below_zero", "worst_share")
MONEY_COLUMNS = frozenset(COUNTED[at] for at in MONEY)
_BOUGHT = "bought"  # what the trend compares: revenue in the company's currency, or purchases
# What of each day is read: what some rule looks at.
READ = (
    "entries", "purchases", "revenue", "cost_of_goods", "contact_cost", "quotes", "quotes_won", "quotes_lost", "payments",
)  # fmt: skip


def day_number(day: date) -> int:
    return day.toordinal() - EPOCH


def day_of(number: int) -> date:
    return date.fromordinal(int(number) + EPOCH)


class Ids:
    """Many UUIDs, each once, and where each of them is. A UUID is two numbers of 64 bits: shape (n, 2)."""

    def __init__(self, ids: Column) -> None:
        for multiplier in range(0x9E3779B97F4A7C15, 2**64, 2):  # until no two different ids make the same key
            self._multiplier = np.uint64(multiplier)
            keys = self._keys(ids)
            order = np.argsort(keys)
            keys, upper = keys[order], ids[order, 0]
            again = keys[1:] == keys[:-1]
            if not (again & (upper[1:] != upper[:-1])).any():
                break
        first = np.concatenate([np.ones(min(1, len(keys)), bool), ~again])
        self.ids = ids[order][first]
        self._sorted = keys[first]

    def __len__(self) -> int:
        return len(self._sorted)

    def find(self, ids: Column) -> Column:
        """The place of each id, -1 where it is not among them."""
        if not len(self):
            return np.full(len(ids), -1, np.int32)
        keys = self._keys(ids)
        order = np.argsort(
            keys
        )  # looked for in their order, neighbours are found where the last was: four times faster
        places = np.empty(len(ids), np.int32)
        places[order] = np.searchsorted(self._sorted, keys[order])
        np.minimum(places, len(self) - 1, out=places)
        places[(self.ids[places] != ids).any(axis=1)] = -1
        return places

    def _keys(self, ids: Column) -> Column:
        return ids[:, 0] * self._multiplier + ids[:, 1]


def ids_of(customers: Iterable[UUID]) -> Column:
    """UUIDs as they travel: two numbers each, shape (n, 2)."""
    together = b"".join(each.bytes for each in customers)
    return np.frombuffer(together, ">u8").astype(np.uint64).reshape(-1, 2)


def as_bytes(ids: Column) -> Column:
    """UUIDs as texts of 16 bytes, which sort as UUIDs do. A text that is taken out has lost the zeros at its end."""
    return ids.astype(">u8").view("S16").reshape(-1)


@dataclass(frozen=True)
class Spans:
    """Which figures are wanted over which days."""

    as_of: date
    windows: Windows
    current: Window | None = None
    baseline: Window | None = None
    by_purchases: bool = False

    @classmethod
    def of(cls, as_of: date, windows: Windows, thresholds: Thresholds) -> "Spans":
        baseline_first, first = trend_begins(as_of, thresholds)
        return cls(
            as_of,
            windows,
            Window("current", first, as_of),
            Window("baseline", baseline_first, first - timedelta(days=1)),
            thresholds.drop_measure == "purchases",
        )

    @classmethod
    def of_rankings(cls, as_of: date, windows: Windows) -> "Spans":
        """Only what customers are ranked by."""
        return cls(as_of, windows)

    def wanted(self) -> dict[Window, set[str]]:
        """The columns of each window that some rule looks at."""
        windows, whole = self.windows, ("entries", "revenue", "cost_of_goods", "contact_cost")
        asked: list[tuple[Window, tuple[str, ...]]] = [
            (windows.ranked, ("entries", "purchases", "revenue", "cost_of_goods")),
            (windows.profit, whole[:3]),
            (windows.contributed, whole),
        ]
        if self.current is not None and self.baseline is not None:
            year = ("entries", "purchases", "revenue", "quotes", "quotes_won", "quotes_lost", "payments")
            asked += [(windows.whole, whole), (windows.year, year), (windows.year_before, ("revenue",))]
            asked += [(self.current, (_BOUGHT,)), (self.baseline, (_BOUGHT, "purchases"))]
        found: dict[Window, set[str]] = {}
        for window, columns in asked:
            found.setdefault(window, set()).update(columns)
        return found

    def read(self) -> list[str]:
        """The columns of the rows of days that are needed for it."""
        summed = set[str]().union(*self.wanted().values())
        return [
            name for name in READ if name in summed or (self.current and name in ("entries", "purchases", "payments"))
        ]


def _type_of(name: str) -> Any:
    """Of what is no money nobody has as much as 31 bits hold."""
    return np.int64 if name in MONEY_COLUMNS or name == _BOUGHT else np.int32


class _Sums:
    """Sums over windows, a place for each customer."""

    def __init__(self, places: int, wanted: Mapping[Window, set[str]]) -> None:
        self.of = {
            window: {name: np.zeros(places, _type_of(name)) for name in sorted(names)}
            for window, names in wanted.items()
        }
        self._spans = {window: (day_number(window.first), day_number(window.last)) for window in wanted}

    def add(self, place: Column, days: Columns) -> None:
        day = days["day"]
        for window, sums in self.of.items():
            first, last = self._spans[window]
            inside = np.flatnonzero((day >= first) & (day <= last))
            if len(inside):
                where = place if len(inside) == len(place) else place[inside]
                for name, column in sums.items():
                    given = days[name] if len(inside) == len(place) else days[name][inside]
                    if given.any():
                        np.add.at(column, where, given.astype(column.dtype, copy=False))

    def convert_into(self, home: "_Sums", place: Column, exchange: Callable[[int], int | None]) -> None:
        """Add to others at `place`; money is converted, each sum once."""
        for window, sums in self.of.items():
            for name, column in sums.items():
                whole = np.array([exchange(each) or 0 for each in column.tolist()]) if name in MONEY_COLUMNS else column
                home.of[window][name][place] += whole


class Figures:
    """What all customers' days come to, as rows of days are added. Exact, in any order; days after `as_of` are not looked at."""

    def __init__(self, customers: Ids, spans: Spans, books: Books) -> None:
        self.customers = customers
        self.spans = spans
        self._books = books
        self._sums = _Sums(len(customers), spans.wanted())
        self._foreign: dict[bytes, list[tuple[Column, Columns]]] = {}
        self.first = np.full(len(customers), NEVER, np.int32)  # the first day on which anything is left
        self.moved = np.full(len(customers), -NEVER, np.int32)
        self.has_bought = np.zeros(len(customers), bool)
        self.traces = np.zeros(len(customers), np.int32)

    def add(self, place: Column, rows: Columns) -> None:
        """Rows of days, each with the place of its customer; those without one (-1) are left out."""
        known = np.flatnonzero((place >= 0) & (rows["day"] <= day_number(self.spans.as_of)))
        days = dict(rows) if len(known) == len(place) else _those(rows, known)
        place = place[known].astype(np.intp)  # of any other type, adding up is several times slower
        days[_BOUGHT] = days["purchases" if self.spans.by_purchases else "revenue"]
        if self.spans.current is not None:
            self._note(place, days)
        at_home = days["currency"] == self._books.currency.encode()
        if at_home.all():
            self._sums.add(place, days)
            return
        self._sums.add(place[at_home], _those(days, at_home))
        for currency in np.unique(days["currency"][~at_home]):
            those = days["currency"] == currency
            self._foreign.setdefault(bytes(currency), []).append((place[those], _those(days, those)))

    def _note(self, place: Column, days: Columns) -> None:
        np.minimum.at(self.first, place, days["day"])
        moves = (days["entries"] > 0) | (days["payments"] > 0)
        np.maximum.at(self.moved, place[moves], days["day"][moves])
        self.has_bought[place[days["purchases"] > 0]] = True

    def finish(self) -> None:
        """Convert what was in other currencies. To be called once, after the last rows."""
        for currency, parts in self._foreign.items():
            place = np.concatenate([part for part, _ in parts])
            days = {name: np.concatenate([columns[name] for _, columns in parts]) for name in parts[0][1]}
            exchange = self._exchange(currency.decode())
            if not self.spans.by_purchases:
                days[_BOUGHT] = np.array([exchange(each) or 0 for each in days["revenue"].tolist()])  # row by row
            those, slot = np.unique(place, return_inverse=True)
            sums = _Sums(len(those), self.spans.wanted())
            sums.add(slot, days)
            sums.convert_into(self._sums, those, exchange)
        self._foreign.clear()

    def _exchange(self, currency: str) -> Callable[[int], int | None]:
        return lambda minor: self._books.exchange(minor, currency)

    def columns(self) -> Iterator[Column]:
        """Every column, in an order that is the same for the same spans."""
        yield from (self.first, self.moved, self.has_bought, self.traces)
        for sums in self._sums.of.values():
            yield from sums.values()

    def make_room(self, customers: Ids, where: Column) -> None:
        """Be of more customers, of whom those until now are at `where`; the others have nothing yet."""
        self.customers = customers
        for name in ("first", "moved", "has_bought", "traces"):
            setattr(self, name, _spread(getattr(self, name), where, len(customers)))
        for sums in self._sums.of.values():
            for name, column in sums.items():
                sums[name] = _spread(column, where, len(customers))

    def value(self, window: Window) -> Value:
        """The figures of everybody over a window: a value whose numbers are columns."""
        columns: Mapping[str, Any] = self._sums.of[window]
        return Value(window, Sums(Tally(**{name: columns[name] for name in columns if name != _BOUGHT})))

    def trend(self) -> tuple[Figure, Figure, Figure]:
        """What was bought now, what in the windows before, and in how many purchases."""
        if self.spans.current is None or self.spans.baseline is None:
            raise ValueError("only what customers are ranked by was read")
        before = self._sums.of[self.spans.baseline]
        return self._sums.of[self.spans.current][_BOUGHT], before[_BOUGHT], before["purchases"]


def rankings_of(figures: Figures) -> Rankings:
    """The profit of whoever bought or returned anything, that of whoever bought, and contributions: each in its window."""
    windows = figures.spans.windows
    profit, ranked, contributed = (
        figures.value(each) for each in (windows.profit, windows.ranked, windows.contributed)
    )
    has_entries: list[Any] = [each.sums.tally.entries > 0 for each in (profit, ranked, contributed)]
    profits, active, contributions = (
        np.asarray(each) for each in (profit.profitability, ranked.profitability, contributed.contribution)
    )
    return profits[has_entries[0]], active[has_entries[1] & (ranked.frequency > 0)], contributions[has_entries[2]]


@dataclass(frozen=True)
class Subjects:
    """What is on record of each customer beside his days, in columns."""

    since: Column  # the day's number; NEVER where it is not known
    active: Column
    key_account: Column
    restricted: Column
    open_complaints: Column


@dataclass(frozen=True)
class Said:
    """What is said of each customer, as numbers: all that a change of the rules can change."""

    known: Column  # whether anything was ever said of him
    tier: Column  # the place in Tier
    reasons: Column  # bits: those of below zero, then the weaknesses; nothing for other tiers, whose reason is always the same
    abc: Column  # the place in CLASSES, -1 without
    lifecycle: Column  # the place in Lifecycle
    signals: Column  # bits in the order of SIGNALS
    treatment: Column  # the place in the policy's rules, of its default after them; -1 for another or none

    def otherwise(self, now: "Said") -> Column:
        """The places of those of whom something was said that is not what is to be said now; who is restricted keeps his class."""
        differs, moves = np.zeros(len(self.known), bool), now.treatment >= 0
        for name in ("tier", "abc", "lifecycle"):
            differs |= (getattr(self, name) != getattr(now, name)) & moves
        for name in ("reasons", "signals", "treatment"):
            differs |= getattr(self, name) != getattr(now, name)
        return np.flatnonzero(differs & self.known)


class Everybody:
    """All customers as they were read: their figures, what else is on record, what stands of each.

    To be kept from one change of the rules to the next: of whoever was looked at meanwhile the rows are `put` anew.
    """

    def __init__(self, figures: Figures, subjects: Subjects, said: Said) -> None:
        self.figures = figures
        self.subjects = subjects
        self.said = said
        self.state = object()  # another as soon as the figures of anybody are
        self._written: Column | None = None  # for each the transaction in which we said of him what follows
        self._saying: Said | None = None

    @property
    def customers(self) -> Ids:
        return self.figures.customers

    def put(self, those: "Everybody") -> None:
        """Some as they are now, in the place of what they were; strangers are added. Figures are of the same spans."""
        if (self.customers.find(those.customers.ids) < 0).any():
            self._make_room(Ids(np.concatenate([self.customers.ids, those.customers.ids])))
        places = self.customers.find(those.customers.ids)
        for mine, theirs in zip(self.columns(), those.columns(), strict=True):
            mine[places] = theirs
        self.state = object()

    def say(self, said: Said) -> None:
        """What is to be said of them from now on, of whoever it is then said to."""
        self._saying, self._written = said, np.zeros(len(self.customers), np.uint32)

    def is_said(self, ids: Column, transaction: int) -> None:
        """Those (ids as they travel) were told so in a transaction, if it is committed."""
        if self._written is not None:
            self._written[self.customers.find(ids)] = transaction

    def settle(self, ids: Column, transactions: Column) -> Column:
        """Of those whose standings are by these transactions: note what was said of them by us; whether each is another.

        Nothing else of him is another then: it was said of whoever nobody had looked at since he was read.
        """
        if self._written is None or self._saying is None:
            return np.ones(len(ids), bool)
        places = self.customers.find(ids)
        is_ours: Column = (places >= 0) & (self._written[places] == transactions)
        for stands, said in zip(_columns_of(self.said), _columns_of(self._saying), strict=True):
            stands[places[is_ours]] = said[places[is_ours]]
        self._saying, self._written = None, None
        return ~is_ours

    def columns(self) -> Iterator[Column]:
        yield from self.figures.columns()
        yield from _columns_of(self.subjects)
        yield from _columns_of(self.said)

    def _make_room(self, customers: Ids) -> None:
        where, many = customers.find(self.customers.ids), len(customers)
        self.figures.make_room(customers, where)
        self.subjects = Subjects(*(_spread(column, where, many) for column in _columns_of(self.subjects)))
        self.said = Said(*(_spread(column, where, many) for column in _columns_of(self.said)))


def _columns_of(record: Subjects | Said) -> list[Column]:
    return [getattr(record, each.name) for each in fields(record)]


def _spread(column: Column, where: Column, many: int) -> Column:
    spread = np.zeros(many, column.dtype)
    spread[where] = column
    return spread


def rulings_of(said: Said, places: Column, *, rules: RuleSet, cuts: CutPoints | None) -> tuple[list[Ruling], Column]:
    """What the rules say of those at the places, in words: the rulings that occur, and which of them is whose."""
    names = ("tier", "reasons", "abc", "lifecycle", "treatment")
    columns = np.stack([getattr(said, name)[places].astype(np.int64) for name in names], axis=1)
    kinds, which = np.unique(columns, axis=0, return_inverse=True)
    decisions = _decisions(rules)
    return [
        Ruling(
            _in_words(list(Tier)[tier], reasons),
            Abc(CLASSES[abc]) if abc >= 0 else None,
            list(Lifecycle)[lifecycle],
            decisions[treatment],
            rules_version(rules, cuts),
            rules.policy_version,
        )
        for tier, reasons, abc, lifecycle, treatment in kinds.tolist()
    ], which.reshape(-1)


def _in_words(tier: Tier, reasons: int) -> Classified:
    if tier is not Tier.BELOW_ZERO:
        return Classified(tier, tuple(reason for each, reason in TIER_RULES if each is tier and reason is not None))
    codes = (*BELOW_ZERO_REASONS, *WEAKNESSES)
    return Classified(tier, tuple(code for at, code in enumerate(codes) if reasons >> at & 1))


def judge(figures: Figures, subjects: Subjects, *, rules: RuleSet, cuts: CutPoints | None, books: Books) -> Said:
    """What the rules say of everybody on the figures' day: the same as they say of each alone."""
    windows, thresholds = figures.spans.windows, rules.thresholds
    year, profit = figures.value(windows.year), figures.value(windows.profit)
    whole, tenure = figures.value(windows.whole), _tenure(figures, subjects)
    standing = Standing(
        ranked=figures.value(windows.ranked),
        contributed=figures.value(windows.contributed),
        year=year,
        year_before=figures.value(windows.year_before),
        has_bought=figures.has_bought,  # type: ignore[arg-type]
        tenure_months=np.maximum(tenure, 0),  # type: ignore[arg-type]
        is_customer=whole.sums.tally.entries > 0,
    )
    weak = weaknesses(standing, thresholds=thresholds)
    tier = _first(tier_conditions(standing, weak, thresholds=thresholds, cuts=cuts), len(figures.customers))
    signals = np.where(subjects.active, _signals(figures, thresholds), 0)
    abc = np.full(len(figures.customers), -1, np.int8)
    if cuts is not None:
        classed = _first([holds for _, holds in abc_rules(profit.profitability, cuts)], len(abc))
        abc = np.where(profit.sums.tally.entries > 0, classed, -1)
    dormant = (signals & _bit(Signal.DORMANT)) != 0
    potential, active = lives(standing, dormant)
    lifecycle = np.select(
        [potential, active], [_life(Lifecycle.POTENTIAL), _life(Lifecycle.ACTIVE)], _life(Lifecycle.INACTIVE)
    ).astype(np.int8)
    facts = {
        "tier": tier,
        "abc": abc,
        "lifecycle": lifecycle,
        "dormancy": signals,
        "drop": signals,
        "key_account": subjects.key_account,
        "tenure_months": tenure,
        "frequency": year.frequency,
        "open_complaints": subjects.open_complaints,
    }
    facts |= {name: getattr(whole, name) for name in AMOUNTS if name in rules.policy.asked}
    told = (figures.traces > 0) & ~subjects.restricted  # of others no reasons are
    parts = treatments(rules)
    same = np.array([parts.index(part) for part in parts])  # two rules may say the same
    return Said(
        known=np.ones(len(abc), bool),
        tier=np.array([list(Tier).index(tier) for tier, _ in TIER_RULES])[tier],
        reasons=np.where(told, _reasons(tier, weak), 0),
        abc=abc,
        lifecycle=lifecycle,
        signals=np.where(subjects.restricted, 0, signals),
        treatment=np.where(subjects.restricted, -1, same[_decide(facts, rules, books, len(abc))]),
    )


def _reasons(tier: Column, weak: Sequence[Any]) -> Column:
    """The bits of the reasons of who is below zero."""
    found = np.zeros(len(tier), np.int16)
    for at, (_, reason) in enumerate(TIER_RULES):
        if reason in BELOW_ZERO_REASONS:
            found[tier == at] = 1 << BELOW_ZERO_REASONS.index(reason)
    below = found != 0
    for at, holds in enumerate(weak, start=len(BELOW_ZERO_REASONS)):
        found[below & holds] += 1 << at
    return found


def _decide(facts: Mapping[str, Any], rules: RuleSet, books: Books, customers: int) -> Column:
    """Which rule of the policy applies to each. Asked once for each combination of what its conditions look at."""
    asked = sorted(rules.policy.asked)
    code, combined = np.zeros(customers, np.int64), 1
    for name in asked:
        values, place = _distinct(facts[name])
        code, combined = code * len(values) + place, combined * len(values)
        if combined > customers:
            values, code = _distinct(code)
            combined = len(values)
    values, place = _distinct(code)
    first = np.zeros(len(values), np.intp)
    first[place] = np.arange(customers)  # any one of those who have it
    names = [rule.name for rule in rules.policy.rules]
    decided = []
    for at in first:
        told = {name: _READ_AS[name](facts[name][at], books) if name in asked else None for name in FIELDS}
        rule = next((nr for nr, matches in enumerate(rules.policy.conditions) if matches(told)), len(names))
        decided.append(rule)
    return np.array(decided, np.int64)[place] if decided else np.zeros(0, np.int64)


def _life(lifecycle: Lifecycle) -> int:
    return list(Lifecycle).index(lifecycle)


def _bit(signal: Signal) -> int:
    return 1 << SIGNALS.index(signal)


def _named(signals: int) -> list[Signal]:
    return [signal for signal in SIGNALS if signals & _bit(signal)]


def _amount(minor: Any, books: Books) -> float:
    return units(int(minor), books)


# How conditions read a number of a column.
_READ_AS: Mapping[str, Callable[[Any, Books], Any]] = {
    "tier": lambda each, _: str(TIER_RULES[each][0]),
    "abc": lambda each, _: CLASSES[each] if each >= 0 else None,
    "lifecycle": lambda each, _: str(list(Lifecycle)[each]),
    "dormancy": lambda each, _: dormancy_level(_named(each)),
    "drop": lambda each, _: drop_level(_named(each)),
    "key_account": lambda each, _: bool(each),
    "tenure_months": lambda each, _: int(each) if each >= 0 else None,
    "frequency": lambda each, _: int(each),
    "revenue": _amount,
    "profitability": _amount,
    "contribution": _amount,
    "open_complaints": lambda each, _: int(each),
}


def treatments(rules: RuleSet) -> list[dict[str, Any]]:
    """What is told of each rule of the policy, and of its default after them."""
    return [treatment_part(decision) for decision in _decisions(rules)]


def _decisions(rules: RuleSet) -> list[Decision]:
    policy = rules.policy
    return [*(Decision(rule.then, rule.name) for rule in policy.rules), Decision(policy.default, "default")]


def _signals(figures: Figures, thresholds: Thresholds) -> Column:
    current, before, purchases = figures.trend()
    habit = is_habit(before, purchases, thresholds)
    warning, critical = drops(current, before, thresholds)
    found = np.zeros(len(figures.customers), np.int16)
    found[habit & warning] += _bit(Signal.DROP_WARNING)
    found[habit & critical] += _bit(Signal.DROP_CRITICAL)
    as_of = figures.spans.as_of

    def quiet(moved: int) -> int:
        if moved == -NEVER:
            return 0
        return sum(map(_bit, dormancies(day_of(moved), as_of=as_of, thresholds=thresholds)))

    return found + _by_value(figures.moved, quiet)


def _tenure(figures: Figures, subjects: Subjects) -> Column:
    """Whole months since he was first heard of; -1 where he never was."""
    began, as_of = np.minimum(figures.first, subjects.since), figures.spans.as_of
    return _by_value(began, lambda day: -1 if day == NEVER else months_between(day_of(day), as_of))


def _by_value(column: Column, told: Callable[[int], int]) -> Column:
    """The rule for one, asked once for each number that occurs."""
    values, place = _distinct(column)
    return np.array([told(int(each)) for each in values], np.int16)[place] if len(values) else np.zeros(0, np.int16)


def _distinct(column: Column) -> tuple[Column, Column]:
    """The different values in their order, and which of them each is. Without sorting where they lie close to each other."""
    if not len(column):
        return column, np.zeros(0, np.intp)
    numbers = column.astype(np.int64)
    lowest = int(numbers.min())
    if column.dtype.kind not in "bi" or int(numbers.max()) - lowest > len(column):
        return np.unique(column, return_inverse=True)
    numbers -= lowest
    occurs = np.zeros(int(numbers.max()) + 1, bool)
    occurs[numbers] = True
    values = np.flatnonzero(occurs)
    places = np.zeros(len(occurs), np.intp)
    places[values] = np.arange(len(values))
    return (values + lowest).astype(column.dtype), places[numbers]


def _first(conditions: Sequence[Any], customers: int) -> Column:
    """The place of the first condition that holds; the last one always does."""
    found = np.full(customers, len(conditions) - 1, np.int8)
    for at in range(len(conditions) - 2, -1, -1):
        found[np.broadcast_to(conditions[at], customers)] = at
    return found


def _those(columns: Columns, those: Column) -> dict[str, Column]:
    return {name: column[those] for name, column in columns.items()}
