"""What scoring does when something happens elsewhere."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from common.access import apply_access
from common.clock import Clock
from common.contracts import identity, interactions
from common.contracts.identity import AccessChanged, ContactChanged, CustomerChanged, CustomerErased, LinksChanged
from common.contracts.interactions import CaseMoved, Money, TouchpointFigures, TouchpointRecorded, TouchpointRetracted
from common.erasure import erased_among, note_erasures, without_erased
from common.events import Event
from scoring.appraisals.domain import Cause
from scoring.appraisals.use_cases import reappraise, yardstick
from scoring.classes.use_cases import rank_soon
from scoring.privacy.use_cases import forget
from scoring.uow import ScoringUnitOfWork
from scoring.values.domain import ANONYMOUS, Books, Figures, Tally, tallies

CONSUMER = "scoring"
TOPICS = (interactions.TOPIC, identity.TOPIC)
# All that counts here; how conversations and promises go on is told on the same topic, at least once for each touchpoint.
TYPES = frozenset(
    each.type
    for each in (
        TouchpointRecorded,
        TouchpointRetracted,
        CaseMoved,
        LinksChanged,
        CustomerChanged,
        ContactChanged,
        CustomerErased,
        AccessChanged,
    )
)
LOCK_ROUNDS = 5
_LOADED = (TouchpointRecorded, TouchpointRetracted, CaseMoved)  # what says whether it was loaded as history

# A later cause outweighs an earlier one where one batch brings several for the same customer.
_WEIGHT = [Cause.HISTORY, Cause.LINKED, Cause.RECORDED, Cause.TIME]


@dataclass
class Changes:
    """What a batch adds to the rows, all told, and whom it concerns."""

    tallies: dict[tuple[UUID, date, str], Tally] = field(default_factory=dict)
    categories: dict[tuple[UUID, str], int] = field(default_factory=dict)
    traces: dict[UUID, Cause] = field(default_factory=dict)

    def count(self, event: TouchpointFigures, *, books: Books, sign: int, cause: Cause) -> None:
        trace = ANONYMOUS if event.anonymous else event.trace_id
        day = books.day_of(event.occurred_at)
        for currency, tally in tallies(_figures(event), home=books.currency).items():
            slot, change = (trace, day, currency), tally if sign > 0 else -tally
            self.tallies[slot] = self.tallies[slot] + change if slot in self.tallies else change
        if event.category and event.kind == "purchase" and event.amount is not None and event.amount.minor > 0:
            bought = (trace, event.category[:200])
            self.categories[bought] = self.categories.get(bought, 0) + sign
        if not event.anonymous:
            self.touch(trace, cause)

    def touch(self, trace: UUID, cause: Cause) -> None:
        self.traces[trace] = _weightier(self.traces.get(trace), cause)

    @property
    def has_sales(self) -> bool:
        return any(tally.entries for tally in self.tallies.values())


async def consume(events: Sequence[Event], *, uow: ScoringUnitOfWork, clock: Clock) -> None:
    """One batch, one transaction. Figures add up in any order; links and customers go by revision."""
    now = clock()
    async with uow:
        await uow.inbox.enter()
        owners, concerned = await _lock(events, uow=uow)
        fresh = await uow.inbox.claim(events, consumer=CONSUMER)
        erasures = await note_erasures(fresh, uow.session)
        erased = await erased_among(uow.session, concerned | _anonymous(events))
        if erased:
            fresh = await without_erased(fresh, uow.session)
        await apply_access(fresh, uow.session)
        await forget(erasures, uow=uow, now=now)  # of what was; who comes back on the same trace is told of after it
        relinked = any(isinstance(event.data, LinksChanged) for event in fresh)
        for part in _history_first(fresh, owners):
            await _apply(part, owners, relinked=relinked, erased=erased, uow=uow, now=now)
        await uow.commit()


def _history_first(events: Sequence[Event], owners: Mapping[UUID, UUID]) -> list[Sequence[Event]]:
    """The events in two turns where they bring history and news of the same customer, else in one.

    What is news beside his history must not hang on whether both came in one batch: so it is looked at once that is known.
    """
    news = [event for event in events if _is_news(event.data)]
    history = [event for event in events if isinstance(event.data, _LOADED) and not _is_news(event.data)]
    concerned = ({owners.get(e.data.trace_id, e.data.trace_id) for e in some} for some in (news, history))
    if set.isdisjoint(*concerned):
        return [events]
    return [[event for event in events if not _is_news(event.data)], news]


def _is_news(data: object) -> bool:
    """What happens to a customer; that history is taken back is news as well."""
    return isinstance(data, TouchpointRetracted) or (isinstance(data, _LOADED) and not data.backfill)


async def _apply(
    events: Sequence[Event],
    owners: dict[UUID, UUID],
    *,
    relinked: bool,
    erased: Collection[UUID],
    uow: ScoringUnitOfWork,
    now: datetime,
) -> None:
    """Count, link, and look again at whoever is concerned. `owners`: whose the traces were, which is so still unless `relinked`."""
    data = [event.data for event in events]
    changes = _counted(data, books=uow.books)
    causes = await _relink(events, owners, uow=uow)
    await uow.values.add(changes.tallies)
    await uow.values.add_categories(changes.categories)
    linked = await uow.links.customers_of(changes.traces) if relinked else owners
    for trace, cause in changes.traces.items():
        if (customer_id := linked.get(trace)) is not None:
            causes[customer_id] = _weightier(causes.get(customer_id), cause)
    known = {each: cause for each, cause in causes.items() if each not in erased}
    is_otherwise = changes.has_sales or _left_alone(data)
    if known or is_otherwise:
        by = await yardstick(uow=uow, now=now)
        if await reappraise(known, by=by, uow=uow, now=now) or is_otherwise:
            await rank_soon(by, uow=uow, now=now)


async def _lock(events: Sequence[Event], *, uow: ScoringUnitOfWork) -> tuple[dict[UUID, UUID], set[UUID]]:
    """Hold every trace and customer that the batch concerns, before the first write; gives whose the traces are now, and all that is held.

    Who owns a trace may change until its lock is held, so it is read again until what was read is what is held.
    """
    traces, named = _concerned(event.data for event in events)
    held: set[UUID] = set()
    owners: dict[UUID, UUID] = {}
    for _ in range(LOCK_ROUNDS):
        owners = await uow.links.customers_of(traces)
        wanted = traces | named | set(owners.values())
        if wanted <= held:
            break
        await uow.lock(wanted)
        held |= wanted
    return owners, held


def _anonymous(events: Sequence[Event]) -> set[UUID]:
    """The traces that no lock is needed for: they never are anybody's."""
    told = (event.data for event in events)
    return {each.trace_id for each in told if isinstance(each, TouchpointFigures) and each.anonymous}


def _concerned(data: Iterable[object]) -> tuple[set[UUID], set[UUID]]:
    """The traces and the customers that events name."""
    traces: set[UUID] = set()
    customers: set[UUID] = set()
    for each in data:
        if isinstance(each, LinksChanged):
            traces.update(move.trace_id for move in each.moves)
            customers.update(move.customer_id for move in each.moves if move.customer_id is not None)
        elif isinstance(each, CustomerChanged | ContactChanged):
            customers.add(each.customer_id)
        elif isinstance(each, CustomerErased):
            traces.update(each.traces)
            customers.update(each.customers)
        elif isinstance(each, CaseMoved) or (isinstance(each, TouchpointFigures) and not each.anonymous):
            traces.add(each.trace_id)
    return traces, customers


def _counted(data: Iterable[object], *, books: Books) -> Changes:
    changes = Changes()
    for each in data:
        if isinstance(each, TouchpointRecorded):
            cause = Cause.HISTORY if each.backfill else Cause.RECORDED
            changes.count(each, books=books, sign=1, cause=cause)
        elif isinstance(each, TouchpointRetracted):
            # what a correction leaves is as if it had been recorded so; what a retraction leaves is news
            cause = Cause.RECORDED if each.reason_code == "corrected" else Cause.TIME
            changes.count(each, books=books, sign=-1, cause=cause)
        elif isinstance(each, CaseMoved):
            changes.touch(each.trace_id, Cause.HISTORY if each.backfill else Cause.RECORDED)
    return changes


async def _relink(events: Sequence[Event], owners: dict[UUID, UUID], *, uow: ScoringUnitOfWork) -> dict[UUID, Cause]:
    """Project links, customers and cases; gives the customers concerned, those who lost a trace included."""
    data = [event.data for event in events]
    moves = [move for each in data if isinstance(each, LinksChanged) for move in each.moves]
    customers = [each for each in data if isinstance(each, CustomerChanged)]
    await uow.links.apply_moves(moves)
    await uow.links.apply_customers(customers)
    await uow.links.apply_cases((event.id, event.data) for event in events if isinstance(event.data, CaseMoved))
    restricted = await uow.links.apply_restrictions(each for each in data if isinstance(each, ContactChanged))
    concerned = {owners[move.trace_id] for move in moves if move.trace_id in owners}
    concerned |= {move.customer_id for move in moves if move.customer_id is not None}
    concerned |= {each.customer_id for each in customers} | restricted
    return dict.fromkeys(concerned, Cause.LINKED)


def _left_alone(data: Iterable[object]) -> bool:
    """Whether a trace lost its customer: what it bought is ranked no more, and nobody has it who is looked at."""
    return any(move.customer_id is None for each in data if isinstance(each, LinksChanged) for move in each.moves)


def _weightier(first: Cause | None, second: Cause) -> Cause:
    return second if first is None else max(first, second, key=_WEIGHT.index)


def _figures(event: TouchpointFigures) -> Figures:
    return Figures(
        kind=event.kind,
        direction=event.direction,
        amount=_pair(event.amount),
        cost_of_goods=_pair(event.cost_of_goods),
        quantity=event.quantity,
        quote_answer=event.quote_answer,
        contact_cost=_pair(event.contact_cost),
    )


def _pair(money: Money | None) -> tuple[int, str] | None:
    return None if money is None else (money.minor, money.currency)
