"""Looking at customers again: the figures, the rules, what changed, and what the others are told of it."""

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from common.bulk import Written
from common.clock import Clock
from common.contracts.scoring import SignalMoved, TierChanged, TreatmentChanged, ValueChanged
from common.events import Told
from common.ids import new_id
from common.moments import written
from common.timers import Timer
from scoring.appraisals.domain import (
    Appraisal,
    Cause,
    Ruling,
    Subject,
    Yardstick,
    alerts_part,
    holdings_part,
    measure_alike,
    newly_raised,
    next_revision,
    still_holding,
    value_part,
)
from scoring.appraisals.repository import Ruled
from scoring.signals.domain import Cleared, Evidence, Raised, Signal, holding
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import Day

LOOK = "look"  # the timer that wakes a customer on the next day on which something could be another
AT_ONCE = 500
# A signal that these show to have held on goes on; by others it is news, or sets nothing off.
_LASTING = (Cause.LINKED, Cause.RECORDED)


@dataclass(frozen=True)
class Known:
    """What was said of a customer when he was last looked at."""

    standing: Any  # the row, or None
    signals: Mapping[UUID, Raised]
    cleared: Mapping[str, Cleared]  # the last of each that holds no more; asked where one of them holds again
    is_overdue: bool  # he should have been woken since; asked of whoever history is loaded for


@dataclass(frozen=True)
class Reappraisal:
    """One customer looked at again: what is said of him now, beside what was said before."""

    subject: Subject
    appraisal: Appraisal  # of him, or of another of whom the same is on record
    known: Known
    cause: Cause
    raised: Sequence[Raised]
    resumed: Sequence[Raised]  # what was cleared by what has been taken back since
    renewed: Mapping[UUID, Raised]
    cleared: Mapping[UUID, Raised]
    parts: Mapping[str, Any]

    @property
    def is_vacant(self) -> bool:
        return self.subject.traces == 0

    @cached_property
    def is_told_otherwise(self) -> bool:
        return self.known.standing is None or self.known.standing.parts != self.parts

    @cached_property
    def is_classed_otherwise(self) -> bool:
        before = self.known.standing
        return before is None or any(getattr(before, name) != value for name, value in self.classes.items())

    @cached_property
    def classes(self) -> dict[str, Any]:
        """Where he stands. Who is restricted is not moved from class to class: that catches up when the restriction is lifted."""
        before, said = self.known.standing, _class_columns(self.appraisal)
        if self.subject.restricted and before is not None:
            return {name: getattr(before, name) for name in said}
        return said


def _class_columns(said: Appraisal) -> dict[str, Any]:
    return {
        "tier": str(said.classified.tier),
        "abc": None if said.abc is None else str(said.abc),
        "lifecycle": str(said.lifecycle),
        "service_level": said.decision.treatment.service_level,
    }


async def yardstick(*, uow: ScoringUnitOfWork, now: datetime) -> Yardstick:
    """What everybody is measured by today."""
    rules, cuts = await uow.policies.in_force_with_cuts()
    return Yardstick.of(uow.books.day_of(now), rules=rules, cuts=cuts, books=uow.books)


async def reappraise(causes: Mapping[UUID, Cause], *, by: Yardstick, uow: ScoringUnitOfWork, now: datetime) -> bool:
    """Look at the customers again and tell what changed. Within the caller's transaction, who holds their locks.

    Gives whether any of them is one who is ranked among the others: who ever bought or returned anything.
    """
    wanted, is_ranked = sorted(causes, key=_number), False
    for start in range(0, len(wanted), AT_ONCE):
        chunk = wanted[start : start + AT_ONCE]
        is_ranked |= await _reappraise({each: causes[each] for each in chunk}, by=by, uow=uow, now=now)
    return is_ranked


_number = attrgetter("int")  # UUIDs in their order: objects are compared at ten times the price


async def _reappraise(causes: Mapping[UUID, Cause], *, by: Yardstick, uow: ScoringUnitOfWork, now: datetime) -> bool:
    days = await uow.values.days_of(causes)
    buyers = [each for each, some in days.items() if any(day.tally.purchases for day in some)]
    subjects, standings = await subjects_of(causes, buyers=buyers, uow=uow), await uow.standings.of(causes)
    # a signal that holds is told with the standing: of whoever has none there it need not be asked
    signals = await uow.signals.open_of([each for each, standing in standings.items() if standing.parts["alerts"]])
    loaded = [each for each, cause in causes.items() if cause is Cause.HISTORY and each in standings]
    overdue = await uow.timers.overdue(LOOK, loaded, now=now)
    appraisals = {each: measure_alike(subjects[each], days.get(each, []), by=by) for each in causes}
    anew = [
        each
        for each, cause in causes.items()
        if cause in _LASTING and len(appraisals[each].holding) > len(signals.get(each, {})) and each in standings
    ]
    cleared = await uow.signals.last_cleared_of(anew)
    again = [
        _look_again(
            subjects[each],
            days.get(each, []),
            appraisals[each],
            known=Known(standings.get(each), signals.get(each, {}), cleared.get(each, {}), str(each) in overdue),
            cause=cause,
            by=by,
        )
        for each, cause in causes.items()
        if each in standings or subjects[each].traces
    ]
    words = _Words()
    await _save(again, words, uow=uow, now=now)
    _tell(again, words, uow=uow, now=now)
    return any(each.appraisal.value.sums.tally.entries for each in again)


async def subjects_of(
    customers: Iterable[UUID], *, buyers: Collection[UUID], uow: ScoringUnitOfWork
) -> dict[UUID, Subject]:
    """What is on record of each customer beside his days; `buyers` are those of them who may have bought anything."""
    told, categories = await uow.links.subjects(customers), await uow.values.categories_of(buyers)
    return {
        each.customer_id: Subject(
            customer_id=each.customer_id,
            since=None if each.since is None else uow.books.day_of(each.since),
            kind=each.kind,
            state=each.state,
            key_account=each.key_account,
            open_complaints=each.open_complaints,
            traces=each.traces,
            categories=categories.get(each.customer_id, ()),
            restricted=each.restricted,
        )
        for each in told
    }


def _look_again(
    subject: Subject, days: Sequence[Day], appraisal: Appraisal, *, known: Known, cause: Cause, by: Yardstick
) -> Reappraisal:
    books, before = by.books, None
    if known.standing is not None:
        before = {}
        if cause is not Cause.TIME and appraisal.holding:
            then = _last_without_news(known, cause, by=by)
            before = holding(days, as_of=then, thresholds=by.rules.thresholds, books=books)
    holds = {} if subject.restricted else appraisal.holding
    resumed = _resumed(days, holds, known=known, by=by)
    held = {**known.signals, **resumed}
    raised = newly_raised(holds, known=list(held.values()), before=before, as_of=by.as_of)
    cleared = {row: each for row, each in held.items() if each.signal not in holds}
    still = {row: still_holding(each, holds) for row, each in held.items() if row not in cleared}
    parts = None if held else by.parts.get(id(appraisal))
    if parts is None:
        parts = _parts(appraisal, [*still.values(), *raised], by=by)
        if not held:  # so that nothing of him alone is in it
            by.parts[id(appraisal)] = parts
    renewed = {row: each for row, each in still.items() if each != known.signals.get(row)}
    again = [still[row] for row in resumed]
    return Reappraisal(subject, appraisal, known, cause, raised, again, renewed, cleared, parts)


def _resumed(
    days: Sequence[Day], holds: Mapping[Signal, Evidence], *, known: Known, by: Yardstick
) -> dict[UUID, Raised]:
    """The signals that, by what is known now, never ended: what had cleared them was taken back, as by the undo of a merge."""
    is_open = {each.signal for each in known.signals.values()}
    found: dict[UUID, Raised] = {}
    for name in holds:
        if (cleared := known.cleared.get(name)) is None or name in is_open:
            continue
        then = by.books.day_of(cleared.at)
        if name in holding(days, as_of=then, thresholds=by.rules.thresholds, books=by.books):
            found[cleared.row] = cleared.raised
    return found


def _last_without_news(known: Known, cause: Cause, *, by: Yardstick) -> date:
    """The last day of which nothing that holds is news.

    What history makes of today was due before it was recorded, unless he should have been woken since he was last looked at.
    """
    if cause is Cause.HISTORY and not known.is_overdue:
        return by.as_of
    looked_at = by.books.day_of(known.standing.appraised_at)
    # of today, what has just come is a part: a return this afternoon after a call this morning
    return looked_at if cause is Cause.HISTORY else min(looked_at, by.as_of - timedelta(days=1))


def _parts(appraisal: Appraisal, holding: Sequence[Raised], *, by: Yardstick) -> dict[str, Any]:
    subject, books = appraisal.subject, by.books
    unused = subject.traces == 0 or subject.restricted
    return {
        "value": {} if unused else value_part(appraisal, books),
        "treatment": {} if subject.restricted else by.treatment(appraisal.decision),
        "holdings": {} if unused else holdings_part(appraisal, books),
        "alerts": alerts_part(holding),
        "suppress_paid_outbound": appraisal.decision.treatment.suppress_paid_outbound,
    }


class _Words:
    """What is said of customers, as JSON: put into words once, however many it is said of, and whether it is told or kept."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[str, str]] = {}  # by the identity of what is said, which lives as long

    def of(self, parts: Mapping[str, Any]) -> tuple[str, str]:
        """The part that is the value, and the object of all others."""
        if (words := self._written.get(id(parts))) is None:
            others = {name: part for name, part in parts.items() if name != "value"}
            words = self._written[id(parts)] = (_dumped(parts["value"]), _dumped(others))
        return words

    def together(self, parts: Mapping[str, Any]) -> Written:
        value, others = self.of(parts)
        return Written(f'{{"value":{value},{others[1:]}')


def _dumped(part: Mapping[str, Any]) -> str:
    return orjson.dumps(part).decode()


async def _save(again: Sequence[Reappraisal], words: _Words, *, uow: ScoringUnitOfWork, now: datetime) -> None:
    await uow.standings.add([_standing_row(each, words, now) for each in again if each.known.standing is None])
    await uow.standings.save([_standing_row(each, words, now) for each in again if each.known.standing is not None])
    await uow.standings.add_changes([_change_row(each, now) for each in again if each.is_classed_otherwise])
    await uow.signals.add([(_id(each), raised) for each in again for raised in each.raised], at=now)
    await uow.signals.renew({row: signal for each in again for row, signal in each.renewed.items()})
    gone = {row: _cleared_evidence(each) for each in again for row in each.cleared}
    await uow.signals.clear(gone, at=now)
    await uow.timers.set_all(
        [
            Timer(LOOK, str(_id(each)), uow.books.start_of(each.appraisal.next_look), {})
            for each in again
            if each.appraisal.next_look is not None and not each.is_vacant
        ]
    )


def _tell(again: Sequence[Reappraisal], words: _Words, *, uow: ScoringUnitOfWork, now: datetime) -> None:
    as_of = written(now)
    for each in again:
        if each.is_told_otherwise:
            uow.outbox.add(_state(str(_id(each)), _revision(each, now), as_of, *words.of(each.parts)), at=now)
        for signal in (*each.raised, *each.resumed):
            if signal.announced:
                uow.outbox.add(_moved(each, signal, "raised", signal.evidence, now), at=now)
        for signal in each.cleared.values():
            if signal.announced:
                uow.outbox.add(_moved(each, signal, "cleared", _cleared_evidence(each), now), at=now)
        uow.outbox.add_all(_class_events(each, now), at=now)


def _state(customer: str, revision: int, as_of: str, value: str, others: str) -> Told:
    """The state of a customer in its final words. Of the value, where there is one, it is told as of when it is."""
    dated = f'"as_of":"{as_of}"'
    shown = value if value == "{}" else f"{{{dated},{value[1:]}"
    return Told(
        ValueChanged,
        customer,
        f'{{"customer_id":"{customer}","revision":{revision},{dated},"value":{shown},{others[1:]}',
    )


def _class_events(each: Reappraisal, now: datetime) -> Iterable[TierChanged | TreatmentChanged]:
    """News of a class: not of the first one that is given, and not of what loaded history makes of it."""
    before, appraisal = each.known.standing, each.appraisal
    if before is None or before.is_vacant or each.is_vacant or each.cause is Cause.HISTORY or each.subject.restricted:
        return ()
    return _news(before, appraisal, each.parts, now)


def _news(
    before: Any, said: Appraisal, parts: Mapping[str, Any], now: datetime
) -> Iterable[TierChanged | TreatmentChanged]:
    who = {"customer_id": before.customer_id, "at": now}
    if before.tier != str(said.classified.tier):
        yield TierChanged.model_validate(who | _tier_changed(before.tier, said))
    if before.parts["treatment"] != parts["treatment"]:
        yield TreatmentChanged.model_validate(who | _treatment_changed(said))


def _tier_changed(old: str, said: Appraisal | Ruling) -> dict[str, Any]:
    return {
        "old": old,
        "new": str(said.classified.tier),
        "reasons": list(said.classified.reasons),
        "rules_version": said.rules_version,
    }


def _treatment_changed(said: Appraisal | Ruling) -> dict[str, Any]:
    return {
        "service_level": said.decision.treatment.service_level,
        "policy_version": str(said.policy_version),
        "reasons": said.decision.reasons,
    }


def _moved(each: Reappraisal, signal: Raised, move: str, evidence: Mapping[str, Any], now: datetime) -> SignalMoved:
    return SignalMoved.model_validate(
        {"customer_id": _id(each), "signal": signal.signal, "move": move, "at": now, "evidence": dict(evidence)}
    )


def _cleared_evidence(each: Reappraisal) -> dict[str, Any]:
    last = each.appraisal.last_purchase
    return {"as_of": each.appraisal.as_of.isoformat(), "last_purchase": last.isoformat() if last else None}


def _id(each: Reappraisal) -> UUID:
    return each.subject.customer_id


def _revision(each: Reappraisal, now: datetime) -> int:
    """One more where something is told; a state event and its standing carry the same."""
    last = each.known.standing.revision if each.known.standing else None
    if last is not None and not each.is_told_otherwise:
        return int(last)
    return next_revision(last, now)


def _standing_row(each: Reappraisal, words: _Words, now: datetime) -> dict[str, Any]:
    appraisal = each.appraisal
    whole = appraisal.value
    return {
        "customer_id": _id(each),
        "revision": _revision(each, now),
        "appraised_at": now,
        "is_vacant": each.is_vacant,
        **each.classes,
        "frequency": whole.frequency,
        "revenue": whole.revenue,
        "profitability": whole.profitability,
        "contribution": whole.contribution,
        "contacts": whole.sums.tally.contacts,
        "contact_cost": whole.cost_to_serve,
        "suppress_paid_outbound": appraisal.decision.treatment.suppress_paid_outbound,
        "rules_version": appraisal.rules_version,
        "parts": words.together(each.parts),
    }


def _change_row(each: Reappraisal, now: datetime) -> dict[str, Any]:
    appraisal = each.appraisal
    return {
        "id": new_id(),
        "customer_id": _id(each),
        "at": now,
        **each.classes,
        "reasons": list(appraisal.classified.reasons),
        "profitability": appraisal.value.profitability,
        "contribution": appraisal.value.contribution,
        "rules_version": appraisal.rules_version,
    }


async def rule_anew(rulings: Mapping[UUID, Ruling], *, since: int, uow: ScoringUnitOfWork, now: datetime) -> set[UUID]:
    """Say of customers what other rules have made of figures that are as they were; gives those to whom it was said.

    `since`: the moment (`census.moment`) at which they were judged. Of whoever was looked at after it this says nothing:
    neither is right of him for certain. Within the caller's transaction, who holds their locks.
    """
    wanted, told, done = list(rulings.items()), _Retelling(now), set[UUID]()
    saying: asyncio.Task[list[Ruled]] | None = None
    try:
        for start in range(0, len(wanted) + AT_ONCE, AT_ONCE):
            rows = [] if saying is None else await saying
            some = dict(wanted[start : start + AT_ONCE])
            saying = asyncio.create_task(uow.standings.rule(some, since=since, now=now))
            await asyncio.sleep(0)  # it is sent: while the database writes them, those before them are put into words
            for ruled in rows:
                uow.outbox.add_all(told.of(ruled), at=now)
                done.add(ruled.customer_id)
    finally:
        if saying is not None:
            await saying
    return done


class _Retelling:
    """What is told of thousands at one moment: most words are the same for all who have the same ruling."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._as_of = written(now)
        self._said: dict[tuple[int, str], str] = {}

    def of(self, ruled: Ruled) -> Iterator[Told]:
        customer = str(ruled.customer_id)
        yield _state(customer, ruled.revision, self._as_of, ruled.value, ruled.other_parts)
        if ruled.old_tier != ruled.ruling.value["tier"]:
            yield self._news(TierChanged, customer, ruled.ruling, ruled.old_tier)
        if ruled.is_treated_otherwise:
            yield self._news(TreatmentChanged, customer, ruled.ruling, "")

    def _news(self, event: type[TierChanged | TreatmentChanged], customer: str, ruling: Ruling, old: str) -> Told:
        key = (id(ruling), old)
        if (words := self._said.get(key)) is None:
            said = _tier_changed(old, ruling) if event is TierChanged else _treatment_changed(ruling)
            words = self._said[key] = Told.of(event, "", said | {"at": self._now}).words
        return Told(event, customer, f'{{"customer_id":"{customer}",{words[1:]}')


async def look_again(due: Sequence[Timer], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
    """A timer's handler: what happens by absence. The rule is evaluated on the state of this moment."""
    customers = [UUID(timer.key) for timer in due]
    await uow.lock(customers)
    now = clock()
    by = await yardstick(uow=uow, now=now)
    await reappraise(dict.fromkeys(customers, Cause.TIME), by=by, uow=uow, now=now)


async def republish_values(*, uow: ScoringUnitOfWork, now: datetime) -> int:
    """Tell every present standing anew, under a revision of now; gives how many. Each page is a transaction of its own.

    The revision is a new one because whoever listens may hold a higher one than ours, of a state that a restored backup has lost.
    """
    told, after = 0, None
    while True:
        async with uow:
            ids = await uow.standings.all_ids(after=after, limit=AT_ONCE)
            await uow.lock(ids)
            rows = sorted((await uow.standings.of(ids)).items())
            revisions = {customer_id: next_revision(row.revision, now) for customer_id, row in rows}
            await uow.standings.set_revisions(revisions)
            words = _Words()
            for customer_id, row in rows:
                as_of = written(row.appraised_at)
                event = _state(str(customer_id), revisions[customer_id], as_of, *words.of(row.parts))
                uow.outbox.add(event, at=now)
            await uow.commit()
        told += len(rows)
        if len(ids) < AT_ONCE:
            return told
        after = ids[-1]
