"""A run of cleaning up: found page by page, approved by a person, done item by item, taken back as a whole."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.errors import Refusal
from common.idempotency import Attempt, recall, remember
from common.identifiers import customer_trace
from common.ids import new_id
from common.timers import Timer
from identity.cleanup.domain import (
    SHIPPED,
    Cleanup,
    Item,
    NotInThatState,
    NotProposed,
    State,
    UnknownCleanup,
    condition_of,
    figures_of,
    figures_of_pair,
)
from identity.contact.domain import Preference
from identity.customers.domain import Customer, UnknownCustomer
from identity.customers.telling import changed, tell_contact, tell_profiles
from identity.customers.use_cases import own_trace
from identity.linking.domain import next_revision
from identity.merges.undoing import take_back
from identity.merges.use_cases import merge_now
from identity.uow import CUSTOMERS, IdentityUnitOfWork

STEP = "cleanup"  # the timer that takes a run one step further
LOOKED_AT = 500
DONE_AT_ONCE = 50
Counted = tuple[Cleanup, dict[str, int]]  # a run, and how many of its items stand where


@dataclass(frozen=True)
class Tools:
    """What a step needs beside its run."""

    uow: IdentityUnitOfWork
    company: Company
    secret: bytes
    now: datetime


async def start_cleanup(
    *,
    rule: str | Mapping[str, Any],
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
) -> Counted:
    """A new run, which begins to look for what its rule describes. Raises InvalidCondition."""
    wanted = SHIPPED[rule] if isinstance(rule, str) else rule
    condition_of(wanted)
    now = clock()
    run = Cleanup(new_id(), wanted, wanted["do"], reason, "finding", who.known_as, now)
    async with uow:
        if (answer := await recall(uow, attempt, who)) is not None:
            return await counted(await _known(UUID(answer["cleanup_id"]), uow), uow)
        await uow.cleanups.add(run)
        await uow.timers.set(STEP, run.cleanup_id, now)
        await remember(uow, attempt, who, {"cleanup_id": str(run.cleanup_id)}, at=now)
        await uow.commit()
    return run, {}


async def counted(run: Cleanup, uow: IdentityUnitOfWork) -> Counted:
    """The run with its items by state."""
    return run, (await uow.cleanups.counts([run.cleanup_id])).get(run.cleanup_id, {})


async def approve_cleanup(
    cleanup_id: UUID, *, leave_out: set[UUID], who: Principal, uow: IdentityUnitOfWork, clock: Clock
) -> Counted:
    """Let it act on what it proposes, `leave_out` excepted. Raises UnknownCleanup, NotInThatState, NotProposed."""
    async with uow:
        run = await _known(cleanup_id, uow, expected=("proposed",))
        now = clock()
        if await uow.cleanups.leave_out(cleanup_id, leave_out) < len(leave_out):
            raise NotProposed(pointer="/leave_out")  # or it would be done what he meant to leave out
        approved = {"state": "acting", "approved_by": who.known_as, "approved_at": now}
        await uow.cleanups.change(cleanup_id, **approved)
        await uow.timers.set(STEP, cleanup_id, now)
        found = await counted(replace(run, **approved), uow)  # type: ignore[arg-type]
        await uow.commit()
    return found


async def undo_cleanup(
    cleanup_id: UUID, *, reason: str, who: Principal, uow: IdentityUnitOfWork, clock: Clock
) -> Counted:
    """Take back all that it did, or what it proposes. Raises UnknownCleanup, NotInThatState."""
    async with uow:
        run = await _known(cleanup_id, uow, expected=("proposed", "acting", "done"))
        now = clock()
        undone = {"state": "undoing", "undone_by": who.known_as, "undone_at": now, "undo_reason": reason}
        await uow.cleanups.change(cleanup_id, **undone)
        await uow.timers.set(STEP, cleanup_id, now)
        found = await counted(replace(run, **undone), uow)  # type: ignore[arg-type]
        await uow.commit()
    return found


async def _known(cleanup_id: UUID, uow: IdentityUnitOfWork, *, expected: Collection[str] = ()) -> Cleanup:
    run = await uow.cleanups.get(cleanup_id, locked=bool(expected))
    if run is None:
        raise UnknownCleanup
    if expected and run.state not in expected:
        raise NotInThatState(f"It is {run.state}.")
    return run


# --- one step ---------------------------------------------------------------------------------------------------------


async def go_on(
    due: Sequence[Timer], *, uow: IdentityUnitOfWork, clock: Clock, company: Company, secret: bytes
) -> None:
    """The next step of each run that is under way; a run that is killed goes on where its last step ended. Does not commit."""
    tools = Tools(uow, company, secret, clock())
    for timer in due:
        run = await uow.cleanups.get(UUID(timer.key), locked=True)
        if run is None or run.state not in _STEPS:
            continue
        step, after = _STEPS[run.state]
        if run.state != "finding":
            await uow.lock_decisions()
        if await step(run, tools):
            await uow.timers.set(STEP, run.cleanup_id, tools.now)
        else:
            await uow.cleanups.change(run.cleanup_id, state=after)


async def _find(run: Cleanup, tools: Tools) -> bool:
    found, place, more = await (_pairs(run, tools) if run.action == "merge" else _records(run, tools))
    await tools.uow.cleanups.propose(found)
    if place is not None:
        await tools.uow.cleanups.change(run.cleanup_id, place=place)
    return more


async def _records(run: Cleanup, tools: Tools) -> tuple[list[Item], UUID | None, bool]:
    ids = await tools.uow.cleanups.active_after(run.place, limit=LOOKED_AT)
    condition = run.condition
    dossiers = await tools.uow.customers.dossiers(ids) if ids else {}
    figures = {each: figures_of(dossiers[each], now=tools.now) for each in ids}
    items = [Item(new_id(), run.cleanup_id, each, None, figures[each]) for each in ids if condition(figures[each])]
    return items, ids[-1] if ids else None, len(ids) == LOOKED_AT


async def _pairs(run: Cleanup, tools: Tools) -> tuple[list[Item], UUID | None, bool]:
    pairs = await tools.uow.cleanups.pairs_after(run.place, limit=LOOKED_AT)
    owners = await tools.uow.links.owners_of_traces({t for pair in pairs for t in (pair.left_trace, pair.right_trace)})
    customers = await tools.uow.customers.get_all({owner for owner in owners.values() if owner is not None})
    condition, items, seen = run.condition, [], set()
    for pair in pairs:
        figures = figures_of_pair(pair, now=tools.now)
        both = {owners.get(pair.left_trace), owners.get(pair.right_trace)} - {None}
        if len(both) != 2 or frozenset(both) in seen or not condition(figures):
            continue
        seen.add(frozenset(both))
        elder, younger = sorted((customers[each] for each in both if each), key=lambda c: (c.since, c.customer_id))
        items.append(Item(new_id(), run.cleanup_id, younger.customer_id, elder.customer_id, figures))
    return items, pairs[-1].review_id if pairs else None, len(pairs) == LOOKED_AT


async def _act(run: Cleanup, tools: Tools) -> bool:
    items = await tools.uow.cleanups.items(run.cleanup_id, state="proposed", limit=DONE_AT_ONCE)
    for item in items:
        note: str | None = None
        outcome: UUID | None = None
        try:
            outcome = await _ACTS[run.action](run, item, tools)
        except Refusal as refusal:
            note = refusal.code
        state = "done" if note is None else "not-possible"
        await tools.uow.cleanups.move([item.item_id], state=state, note=note, outcome=outcome, moved_at=tools.now)
    return len(items) == DONE_AT_ONCE


async def _take_back(run: Cleanup, tools: Tools) -> bool:
    """The last first: what was merged into somebody who was merged later comes out before him."""
    items = [
        item
        for state in ("done", "proposed")
        for item in await tools.uow.cleanups.items(run.cleanup_id, state=state, limit=DONE_AT_ONCE, last_first=True)
    ]
    for item in items:
        note: str | None = None
        try:
            if item.state == "done":
                await _UNDOES[run.action](run, item, tools)
        except Refusal as refusal:
            note = refusal.code
        await tools.uow.cleanups.move([item.item_id], state="taken-back", note=note, moved_at=tools.now)
    return len(items) >= DONE_AT_ONCE


# --- the acts ---------------------------------------------------------------------------------------------------------


async def _held(customer_id: UUID, tools: Tools) -> Customer:
    """Himself, not whoever absorbed him since: of him nothing was proposed. Raises UnknownCustomer."""
    await tools.uow.lock([customer_id], space=CUSTOMERS)
    found = await tools.uow.customers.get(customer_id)
    if found is None or found.state in ("merged", "erased"):
        raise UnknownCustomer
    return found


async def _still_meant(run: Cleanup, item: Item, tools: Tools) -> Customer:
    """The customer, held. Raises NotInThatState where the rule no longer says it of him: the proposal may have waited for weeks."""
    found = await _held(item.customer_id, tools)
    dossier = (await tools.uow.customers.dossiers([item.customer_id]))[item.customer_id]
    figures = figures_of(dossier, now=tools.now)
    if figures["days_since_seen"] < item.figures["days_since_seen"] or not run.condition(figures):
        raise NotInThatState
    return found


async def _archive(run: Cleanup, item: Item, tools: Tools) -> None:
    found = await _still_meant(run, item, tools)
    await _move_to("archived", found, tools)


async def _unarchive(_: Cleanup, item: Item, tools: Tools) -> None:
    """He is active again, unless nothing of him is left; whoever was merged meanwhile, when that is undone."""
    await tools.uow.lock([item.customer_id], space=CUSTOMERS)
    found = await tools.uow.customers.get(item.customer_id)
    if found is None or found.state == "erased":
        raise UnknownCustomer
    await tools.uow.links.picture_active(item.customer_id)
    if found.state == "archived" and await tools.uow.customers.traces_of([found.customer_id]):
        await _move_to("active", found, tools)
        await tell_profiles([found.customer_id], uow=tools.uow, company=tools.company, now=tools.now, anew=True)


async def _move_to(state: Any, found: Customer, tools: Tools) -> None:
    moved = replace(found, state=state, revision=next_revision(found.revision, tools.now))
    await tools.uow.customers.change(found.customer_id, state=state, revision=moved.revision)
    tools.uow.outbox.add(changed(moved), at=tools.now)


async def _merge(run: Cleanup, item: Item, tools: Tools) -> UUID:
    if item.other_id is None:
        raise UnknownCustomer
    return await merge_now(
        survivor=item.other_id, absorbed=item.customer_id, reason=run.reason, force=False, by=run.signature,
        uow=tools.uow, company=tools.company, now=tools.now,
    )  # fmt: skip


async def _unmerge(run: Cleanup, item: Item, tools: Tools) -> None:
    merge = await tools.uow.links.decision(item.outcome) if item.outcome is not None else None
    if merge is None or merge.undone_by is not None:
        raise NotInThatState
    touched = await take_back(
        merge,
        uow=tools.uow,
        company=tools.company,
        now=tools.now,
        by=run.signature,
        reason=run.undo_reason or run.reason,
    )
    await tell_profiles(touched, uow=tools.uow, company=tools.company, now=tools.now)


async def _silence(run: Cleanup, item: Item, tools: Tools) -> None:
    found = await _still_meant(run, item, tools)
    own = await own_trace(found, uow=tools.uow, secret=tools.secret, by=run.signature, now=tools.now)
    his = [info.trace_id for info in await tools.uow.customers.traces_of([found.customer_id])]
    wished = max(await tools.uow.contact.preferences_of(his), key=lambda wish: wish.at, default=None)
    body = {**(wished.body if wished else {}), "do_not_contact": True}
    await tools.uow.contact.add_preference(Preference(own, body, tools.now, run.signature))
    await tell_contact([found.customer_id], uow=tools.uow, now=tools.now)


async def _unsilence(run: Cleanup, item: Item, tools: Tools) -> None:
    """What the run wished for him is gone, whoever he was merged with since; what he wished himself stands as it did."""
    own = customer_trace(item.customer_id, tools.secret)
    owner = (await tools.uow.links.owners_of_traces([own])).get(own)
    if owner is None:
        raise UnknownCustomer
    found = await tools.uow.hold(owner)
    await tools.uow.cleanups.forget_wishes(own, by=run.signature)
    await tell_contact([found.customer_id], uow=tools.uow, now=tools.now)


Act = Callable[[Cleanup, Item, Tools], Awaitable[UUID | None]]
_ACTS: Mapping[str, Act] = {"archive": _archive, "merge": _merge, "do-not-contact": _silence}
_UNDOES: Mapping[str, Act] = {"archive": _unarchive, "merge": _unmerge, "do-not-contact": _unsilence}
_STEPS: Mapping[str, tuple[Callable[[Cleanup, Tools], Awaitable[bool]], State]] = {
    "finding": (_find, "proposed"), "acting": (_act, "done"), "undoing": (_take_back, "undone"),
}  # fmt: skip
