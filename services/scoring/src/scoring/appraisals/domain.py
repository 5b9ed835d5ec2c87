"""Everything the rules say of one customer on one day, from his days, the rules in force and the cut points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from common.money import from_minor
from scoring.classes.domain import (
    Abc,
    Classified,
    CutPoints,
    Standing,
    abc_of,
    tier_of,
)
from scoring.policies.domain import Decision, RuleSet, Thresholds
from scoring.signals.domain import Evidence, Raised, Signal, dormancy_level, drop_level, holding, next_look, outspoken
from scoring.values.domain import (
    Books,
    Day,
    Value,
    Window,
    WindowKind,
    closed_fiscal_year,
    first_day,
    months_after,
    months_between,
    purchase_days,
    to_date,
    totals,
    trailing_year,
    window_of,
)


class Lifecycle(StrEnum):
    """Where a customer stands in his life with us (A9); independent of the tier."""

    POTENTIAL = "POTENTIAL"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True)
class Subject:
    """What is on record of a customer beside his days."""

    customer_id: UUID
    since: date | None = None
    kind: str = "person"
    state: str = "active"
    key_account: bool = False
    open_complaints: int = 0
    traces: int = 0
    categories: tuple[tuple[str, int], ...] = ()  # category and purchases in it, the most bought first
    restricted: bool = False  # his data are stored and not used

    @property
    def record(self) -> tuple[Any, ...]:
        """All of it but who he is."""
        return _record(self)


_record = attrgetter(*(each.name for each in fields(Subject) if each.name != "customer_id"))


@dataclass(frozen=True)
class Appraisal:
    """The figures and what the rules make of them, all of one day."""

    subject: Subject
    as_of: date
    value: Value  # to date
    year: Value
    year_before: Value
    ranked: Value  # over the window of the MVC
    profit: Value  # over the window of ABC
    contributed: Value  # over the window of the worst share
    classified: Classified
    abc: Abc | None
    lifecycle: Lifecycle
    tenure_months: int | None
    first_purchase: date | None
    last_purchase: date | None
    purchase_days: int
    holding: Mapping[Signal, Evidence]
    decision: Decision
    rules_version: str
    policy_version: int
    next_look: date | None

    @property
    def dormancy(self) -> str:
        return dormancy_level(self.holding)

    @property
    def drop(self) -> str:
        return drop_level(self.holding)


@dataclass(frozen=True)
class Ruling:
    """What rules say of a customer's figures: all that other rules can change. An appraisal has it too, under the same names."""

    classified: Classified
    abc: Abc | None
    lifecycle: Lifecycle
    decision: Decision
    rules_version: str
    policy_version: int

    @cached_property
    def value(self) -> dict[str, Any]:
        """What of the value it decides; put together once for all of whom it is said."""
        return {
            "tier": str(self.classified.tier),
            "abc": None if self.abc is None else str(self.abc),
            "lifecycle": str(self.lifecycle),
            "reasons": list(self.classified.reasons),
            "rules_version": self.rules_version,
        }

    @cached_property
    def treatment(self) -> dict[str, Any]:
        return treatment_part(self.decision)


def rules_version(rules: RuleSet, cuts: CutPoints | None) -> str:
    """Which thresholds and which cut points gave a class."""
    return f"thresholds-{rules.thresholds_version}.cuts-{cuts.version if cuts else 0}"


@dataclass(frozen=True)
class Windows:
    """The days that each figure counts, all of them as they lie on one day."""

    whole: Window
    year: Window
    year_before: Window
    ranked: Window  # of the MVC
    profit: Window  # of ABC
    contributed: Window  # of the worst share

    @cached_property
    def different(self) -> tuple[Window, ...]:
        """Each window once: several figures count the same days."""
        return tuple(dict.fromkeys(self._all))

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Where each of them, in the order above, is among the different ones."""
        return tuple(map(self.different.index, self._all))

    @property
    def _all(self) -> tuple[Window, ...]:
        return self.whole, self.year, self.year_before, self.ranked, self.profit, self.contributed


@lru_cache(maxsize=16)
def windows_of(as_of: date, thresholds: Thresholds, ranked: Window, fiscal_year_starts: tuple[int, int]) -> Windows:
    def window(kind: str) -> Window:
        return window_of(kind, as_of, fiscal_year_starts=fiscal_year_starts)

    return Windows(
        whole=to_date(as_of),
        year=trailing_year(as_of),
        year_before=trailing_year(as_of, years_back=1),
        ranked=ranked,
        profit=window(thresholds.abc_window),
        contributed=window(thresholds.below_zero_window),
    )


@dataclass(frozen=True)
class Yardstick:
    """What everybody is measured by who is looked at on one day. Made once for many: what it says of one holds for the next.

    For as many as are looked at together: it remembers what it has said.
    """

    as_of: date
    rules: RuleSet
    cuts: CutPoints | None
    books: Books
    windows: Windows
    rules_version: str
    asked: tuple[str, ...]  # the facts that conditions of the policy look at
    measured: dict[tuple[Any, ...], Appraisal] = field(default_factory=dict)
    # By the appraisal's identity: `measured` keeps it.
    parts: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    decided: dict[tuple[Any, ...], Decision] = field(default_factory=dict)
    treatments: dict[int, dict[str, Any]] = field(
        default_factory=dict
    )  # by the decision's identity: `decided` keeps it

    @classmethod
    def of(cls, as_of: date, *, rules: RuleSet, cuts: CutPoints | None, books: Books) -> "Yardstick":
        ranked = own_mvc_window(as_of, cuts, books)
        windows = windows_of(as_of, rules.thresholds, ranked, books.fiscal_year_starts)
        return cls(as_of, rules, cuts, books, windows, rules_version(rules, cuts), tuple(sorted(rules.policy.asked)))

    def decide(self, facts: Mapping[str, Any]) -> Decision:
        """What the policy says. Asked once for each combination of facts that occurs."""
        key = tuple(facts[name] for name in self.asked)
        if (decision := self.decided.get(key)) is None:
            decision = self.decided[key] = self.rules.policy.decide(facts)
            self.treatments[id(decision)] = treatment_part(decision)
        return decision

    def treatment(self, decision: Decision) -> dict[str, Any]:
        """What is told of a decision of its own."""
        return self.treatments[id(decision)]


def appraise(
    subject: Subject, days: Sequence[Day], *, as_of: date, rules: RuleSet, cuts: CutPoints | None, books: Books
) -> Appraisal:
    """Pure: the same days, rules and cut points give the same answer. Days after `as_of` are not looked at."""
    return measure(subject, days, by=Yardstick.of(as_of, rules=rules, cuts=cuts, books=books))


def measure(subject: Subject, days: Sequence[Day], *, by: Yardstick) -> Appraisal:
    """What `appraise` gives, by a yardstick that is made once for many."""
    return replace(measure_alike(subject, days, by=by), subject=subject)


def measure_alike(subject: Subject, days: Sequence[Day], *, by: Yardstick) -> Appraisal:
    """The same of him or of somebody of whom the same is on record, as of newcomers: those are measured once."""
    same = (subject.record, *days)
    if (found := by.measured.get(same)) is None:
        found = by.measured[same] = _measured(subject, days, by=by)
    return found


def _measured(subject: Subject, days: Sequence[Day], *, by: Yardstick) -> Appraisal:
    as_of, rules, cuts, books = by.as_of, by.rules, by.cuts, by.books
    known = [each for each in days if each.day <= as_of]
    thresholds = rules.thresholds
    windows = by.windows
    values = list(map(Value, windows.different, totals(known, windows.different, books.exchange)))
    whole, year, year_before, ranked, profit, contributed = (values[place] for place in windows.places)
    bought = purchase_days(known)
    began = min(filter(None, (subject.since, first_day(known))), default=None)
    tenure = None if began is None else months_between(began, as_of)
    standing = Standing(
        ranked=ranked,
        contributed=contributed,
        year=year,
        year_before=year_before,
        has_bought=bool(bought),
        tenure_months=tenure or 0,
        is_customer=whole.sums.tally.entries > 0,
    )
    classified = tier_of(standing, thresholds=thresholds, cuts=cuts)
    active = subject.state == "active"  # a closed or deceased customer neither drops nor sleeps (A2)
    found = holding(known, as_of=as_of, thresholds=thresholds, books=books) if active else {}
    abc = abc_of(profit.profitability, cuts) if cuts is not None and profit.sums.tally.entries > 0 else None
    lifecycle = _lifecycle(standing, found)
    facts = _facts(
        subject,
        whole,
        year,
        classified=classified,
        abc=abc,
        lifecycle=lifecycle,
        found=found,
        tenure=tenure,
        by=by,
    )
    return Appraisal(
        subject=subject,
        as_of=as_of,
        value=whole,
        year=year,
        year_before=year_before,
        ranked=ranked,
        profit=profit,
        contributed=contributed,
        classified=classified,
        abc=abc,
        lifecycle=lifecycle,
        tenure_months=tenure,
        first_purchase=bought[0] if bought else None,
        last_purchase=bought[-1] if bought else None,
        purchase_days=len(bought),
        holding=found,
        decision=by.decide(facts),
        rules_version=by.rules_version,
        policy_version=rules.policy_version,
        next_look=next_look(
            days,
            as_of=as_of,
            thresholds=thresholds,
            others=_anniversaries(began, as_of, thresholds.below_zero_min_months),
        ),
    )


def own_mvc_window(as_of: date, cuts: CutPoints | None, books: Books) -> Window:
    """The window that the cut points ranked: the same fiscal year, or the trailing year as it lies on this day."""
    if cuts is not None and cuts.mvc_window.kind == WindowKind.TRAILING_YEAR:
        return trailing_year(as_of)
    return closed_fiscal_year(as_of, starts=books.fiscal_year_starts) if cuts is None else cuts.mvc_window


def _lifecycle(standing: Standing, found: Mapping[Signal, Evidence]) -> Lifecycle:
    potential, active = lives(standing, Signal.DORMANT in found)
    return Lifecycle.POTENTIAL if potential else Lifecycle.ACTIVE if active else Lifecycle.INACTIVE


def lives(standing: Standing, dormant: Any) -> tuple[Any, Any]:
    """Whether he is no customer yet, and whether he is an active one (A9): of one, or columns of many."""
    year = standing.year.sums.tally
    return standing.is_customer == False, ((year.entries > 0) | (year.payments > 0)) & (dormant == False)  # noqa: E712


def _anniversaries(began: date | None, as_of: date, months: int) -> tuple[date | None, ...]:
    """The day on which he is no new customer any more, and the next month of his tenure."""
    if began is None:
        return ()
    return months_after(began, months), months_after(began, months_between(began, as_of) + 1)


def _facts(
    subject: Subject,
    whole: Value,
    year: Value,
    *,
    classified: Classified,
    abc: Abc | None,
    lifecycle: Lifecycle,
    found: Mapping[Signal, Evidence],
    tenure: int | None,
    by: Yardstick,
) -> dict[str, Any]:
    """What the conditions of the treatment policy see; amounts to date, in whole units, where they look at any."""
    facts: dict[str, Any] = {
        "tier": str(classified.tier),
        "abc": None if abc is None else str(abc),
        "lifecycle": str(lifecycle),
        "dormancy": dormancy_level(found),
        "drop": drop_level(found),
        "key_account": subject.key_account,
        "tenure_months": tenure,
        "frequency": year.frequency,
        "open_complaints": subject.open_complaints,
    }
    return facts | {name: units(getattr(whole, name), by.books) for name in AMOUNTS if name in by.asked}


AMOUNTS = ("revenue", "profitability", "contribution")


def units(minor: int, books: Books) -> float:
    """An amount as conditions see it: in whole units of the company's currency."""
    return float(Decimal(from_minor(minor, books.currency)))


# --- signals: what is told and what is only found -------------------------------------------------------------------


class Cause(StrEnum):
    """Why a customer is looked at again; it decides whether a new signal is news."""

    RECORDED = "recorded"  # touchpoints as they happen
    HISTORY = "history"  # nothing but touchpoints loaded with `backfill`
    LINKED = "linked"  # his traces changed: merge, undo, link
    TIME = "time"  # a timer, a retraction, changed rules: what is found now, is so since now


def newly_raised(
    now: Mapping[Signal, Evidence], *, known: Sequence[Raised], before: Mapping[Signal, Evidence] | None, as_of: date
) -> list[Raised]:
    """The signals that hold and were not known. `before`: what held, by what is known today, when he was last looked at.

    What held already then was due before it was recorded: it becomes state and sets nothing off. None: he was never
    looked at, so nothing that is found is news.
    """
    names = {each.signal for each in known}
    return [
        Raised(
            signal=signal,
            since=_since(evidence, otherwise=as_of),
            evidence=evidence,
            announced=before is not None and signal not in before,
        )
        for signal, evidence in now.items()
        if signal not in names
    ]


def still_holding(raised: Raised, holds: Mapping[Signal, Evidence]) -> Raised:
    """The signal by what is known today: an older purchase that is heard of late, or one taken back, moves its day. No news."""
    evidence = holds[Signal(raised.signal)]
    return replace(raised, since=_since(evidence, otherwise=raised.since), evidence=evidence)


def _since(evidence: Evidence, *, otherwise: date) -> date:
    """A quiet has its own day; a drop is one since it was found."""
    return date.fromisoformat(evidence["since"]) if "since" in evidence else otherwise


# --- what the others are told ---------------------------------------------------------------------------------------


def value_part(appraisal: Appraisal, books: Books) -> dict[str, Any]:
    """R12 of the resume, with the figures behind it."""
    return {
        "tier": str(appraisal.classified.tier),
        "abc": None if appraisal.abc is None else str(appraisal.abc),
        "tenure_months": appraisal.tenure_months,
        "lifecycle": str(appraisal.lifecycle),
        "dormancy": appraisal.dormancy,
        "key_account": appraisal.subject.key_account,
        "reasons": list(appraisal.classified.reasons),
        "frequency": appraisal.year.frequency,
        "revenue": _money(appraisal.value.revenue, books),
        "profitability": _money(appraisal.value.profitability, books),
        "contribution": _money(appraisal.value.contribution, books),
        "rules_version": appraisal.rules_version,
    }


def treatment_part(decision: Decision) -> dict[str, Any]:
    """R14 of the resume."""
    treatment = decision.treatment
    return {
        "service_level": treatment.service_level,
        "attend_by": treatment.attend_by,
        "spend_limit": None if treatment.spend_limit is None else treatment.spend_limit.model_dump(),
        "modules": list(treatment.modules),
        "reasons": decision.reasons,
    }


def holdings_part(appraisal: Appraisal, books: Books) -> dict[str, Any]:
    """R18 of the resume: what he usually spends, how often, on what. Money in the currency that he is billed in."""
    recent = appraisal.year if appraisal.year.frequency else appraisal.value
    return {
        "usual_amount": _usual_amount(recent, books),
        "frequency": appraisal.year.frequency,
        "interval_days": _interval(appraisal),
        "last_purchase": appraisal.last_purchase.isoformat() if appraisal.last_purchase else None,
        "categories": [category for category, _ in appraisal.subject.categories[:5]],
    }


def alerts_part(raised: Sequence[Raised]) -> list[dict[str, Any]]:
    """R20 of the resume: one alert of each family, the graver."""
    levels = {Signal.DROP_CRITICAL: "critical", Signal.LONG_DORMANT: "critical"}
    return [
        {
            "signal": each.signal,
            "level": levels.get(Signal(each.signal), "warning"),
            "since": each.since.isoformat(),
            "evidence": dict(each.evidence),
        }
        for each in outspoken(sorted(raised, key=lambda each: each.signal))
    ]


def next_revision(last: int | None, now: datetime) -> int:
    """The greater of the last plus one and the clock in microseconds: it survives a restored backup."""
    clock = int(now.timestamp() * 1_000_000)
    return clock if last is None else max(last + 1, clock)


def _usual_amount(value: Value, books: Books) -> dict[str, str] | None:
    if not value.frequency:
        return None
    billed = [currency for currency, amount in value.sums.billed.items() if amount]
    if len(billed) == 1:
        return _in(value.sums.billed[billed[0]] // value.frequency, billed[0])
    return _in(value.revenue // value.frequency, books.currency)


def _interval(appraisal: Appraisal) -> float | None:
    """Mean days between days of purchase, to date."""
    first, last = appraisal.first_purchase, appraisal.last_purchase
    if first is None or last is None or appraisal.purchase_days < 2:
        return None
    return round((last - first) / timedelta(days=1) / (appraisal.purchase_days - 1), 1)


def _money(minor: int, books: Books) -> dict[str, str]:
    return _in(minor, books.currency)


def _in(minor: int, currency: str) -> dict[str, str]:
    return {"amount": from_minor(minor, currency), "currency": currency}
