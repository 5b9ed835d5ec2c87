"""What interactions does when something happens elsewhere, and when time has passed."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from common.access import apply_access
from common.clock import Clock
from common.company import Company
from common.contracts import identity, scoring, service_audit
from common.contracts.identity import CustomerChanged, CustomerErased, LinksChanged, Move
from common.erasure import note_erasures, without_erased
from common.events import Event
from common.revisions import latest, of_type
from interactions.conversations.use_cases import follow
from interactions.parts.use_cases import apply_parts
from interactions.privacy.use_cases import forget
from interactions.touchpoints.domain import KnownTrace
from interactions.uow import PARTIES, TRACES, InteractionsUnitOfWork

CONSUMER = "interactions"
TOPICS = (identity.TOPIC, identity.PEOPLE, scoring.TOPIC, service_audit.TOPIC)


async def consume(events: Sequence[Event], *, uow: InteractionsUnitOfWork, clock: Clock, company: Company) -> None:
    """Follow identity's links, customers and credentials; keep what the others say of customers, ready for the resume."""
    async with uow:
        await _lock(latest_moves(events), of_type(events, CustomerErased), uow=uow)
        fresh = await uow.inbox.claim(events, consumer=CONSUMER)
        now = clock()
        erasures = await note_erasures(fresh, uow.session)
        fresh = await without_erased(fresh, uow.session)
        moves = latest_moves(fresh)
        await uow.traces.save_customers(_customers(fresh))
        await link(list(moves.values()), erased=_erased_traces(fresh), uow=uow, company=company, now=now)
        await apply_access(fresh, uow.session)
        await apply_parts(fresh, uow=uow, now=now)
        await forget(erasures, uow=uow, now=now, company=company)
        await uow.commit()


async def keep_what_others_say(events: Sequence[Event], *, uow: InteractionsUnitOfWork, clock: Clock) -> None:
    """The part of it that is built from the events alone, and can be built anew: links and threads belong to our own log."""
    async with uow:
        fresh = await uow.inbox.claim(events, consumer=CONSUMER)
        await note_erasures(fresh, uow.session)
        fresh = await without_erased(fresh, uow.session)
        await uow.traces.save_customers(_customers(fresh))
        await apply_access(fresh, uow.session)
        await apply_parts(fresh, uow=uow, now=clock())
        await uow.commit()


async def link(
    moves: Sequence[Move],
    *,
    uow: InteractionsUnitOfWork,
    company: Company,
    now: datetime,
    erased: Collection[UUID] = (),
) -> None:
    """Give traces to customers, the highest revision of each; threads follow. Commitments and cases are keyed by trace: they move by themselves.

    Of traces that are nobody's because he was `erased` threads do not follow: they are taken out as they were told. What
    would be told of them anew came to the others as news, and took verdicts back that are to stay in the scores.
    """
    before = await uow.traces.known([move.trace_id for move in moves])
    newer = [move for move in moves if _is_newer(move, before.get(move.trace_id))]
    await uow.traces.assign([vars(move) for move in newer])
    changed = {
        move.trace_id: (_party(before.get(move.trace_id), move.trace_id), move.customer_id or move.trace_id)
        for move in newer
        if move.customer_id is not None or move.trace_id not in erased
    }
    moved = {trace: pair for trace, pair in changed.items() if pair[0] != pair[1]}
    await follow(moved, uow=uow, company=company, now=now)


def _erased_traces(events: Sequence[Event]) -> set[UUID]:
    told = (data for data in of_type(events, LinksChanged) if data.kind == "erase")
    return {move.trace_id for data in told for move in data.moves}


def latest_moves(events: Sequence[Event]) -> dict[UUID, Move]:
    """The latest decision on each trace."""
    moves = (move for data in of_type(events, LinksChanged) for move in data.moves)
    return latest(moves, key=lambda move: move.trace_id)


async def _lock(moves: dict[UUID, Move], erasures: Sequence[CustomerErased], *, uow: InteractionsUnitOfWork) -> None:
    """Before the first write: the traces, then all parties that lose or win them."""
    traces = {*moves, *(trace_id for each in erasures for trace_id in each.traces)}
    await uow.lock(traces, space=TRACES)
    known = await uow.traces.known(traces)
    losing = {_party(known.get(trace_id), trace_id) for trace_id in traces}
    losing |= {customer_id for each in erasures for customer_id in each.customers}
    await uow.lock(losing | {move.customer_id or move.trace_id for move in moves.values()}, space=PARTIES)


def _party(known: KnownTrace | None, trace_id: UUID) -> UUID:
    return known.party_id if known is not None else trace_id


def _is_newer(move: Move, known: KnownTrace | None) -> bool:
    return known is None or move.revision > known.revision


def _customers(events: Sequence[Event]) -> list[dict[str, object]]:
    told = latest(of_type(events, CustomerChanged), key=lambda change: change.customer_id)
    return [change.model_dump(exclude={"kind"}) for change in told.values()]
