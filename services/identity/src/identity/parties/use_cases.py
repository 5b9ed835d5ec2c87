"""What a caller can ask for about parties: give and end a role, show a reference to a prospect, keep the directory."""

from typing import Any
from uuid import UUID

from common.errors import Stale
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from identity.contact.domain import UseRestricted
from identity.contact.use_cases import holding_of
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import own_trace
from identity.parties.domain import (
    PARTNER,
    REFERENCE,
    Entry,
    NoSuchRole,
    PartyRole,
    check_partner,
    check_use,
    latest_of_each,
    uses_left,
)
from identity.reach import held
from identity.relationships.domain import SHOWN_TO, Relationship, times_shown
from identity.relationships.use_cases import Tools, both
from identity.uow import IdentityUnitOfWork


async def put_role(
    *, customer_id: UUID, role: str, body: dict[str, Any] | None, version: int, tools: Tools
) -> PartyRole:
    """The role as of now, whole; None ends it. `version`: of what was read, 0 where there was none. Raises Stale."""
    if role == PARTNER and body is not None:
        check_partner(body)
    now, by = tools.clock(), tools.who.known_as
    async with tools.uow as uow:
        customer = await held(customer_id, tools.who, uow)
        present = (await roles_of(customer.customer_id, uow)).get(role)
        if (present.version if present else 0) != version:
            raise Stale
        if body is None and (present is None or present.body is None):
            raise NoSuchRole
        own = await own_trace(customer, uow=uow, secret=tools.secret, by=by, now=now)
        said = PartyRole(new_id(), own, role, body, by, now)
        await uow.parties.add_role(said)
        await tell_profiles([customer.customer_id], uow=uow, company=tools.company, now=now)
        await uow.commit()
    return said


async def roles_of(customer_id: UUID, uow: IdentityUnitOfWork) -> dict[str, PartyRole]:
    """What was said last of each role of a customer, by whichever of his traces."""
    traces = [info.trace_id for info in await uow.customers.traces_of([customer_id])]
    return latest_of_each(await uow.parties.roles_of(traces))


async def show_reference(
    *, customer_id: UUID, prospect_id: UUID, note: str | None, attempt: Attempt | None, tools: Tools
) -> tuple[UUID, int]:
    """He is shown to a prospect: one use less. Gives the showing and how many are left. Raises NoSuchRole, UseRestricted and what `check_use` does."""
    now, by = tools.clock(), tools.who.known_as
    async with tools.uow as uow:
        if (known := await recall(uow, attempt, tools.who)) is not None:
            return UUID(known["relationship_id"]), int(known["left"])
        him, prospect = await both(customer_id, prospect_id, tools, pointer="/prospect_id")
        reference = (await roles_of(him.customer_id, uow)).get(REFERENCE)
        if reference is None or reference.body is None:
            raise NoSuchRole
        traces = [info.trace_id for info in await uow.customers.traces_of([him.customer_id])]
        used = times_shown(him.customer_id, await uow.relationships.of(traces))
        holding = (await holding_of([him.customer_id], uow))[him.customer_id]
        if holding["restricted"]:
            raise UseRestricted
        check_use(reference.body, used=used, consents=holding["consents"])
        ends = [await own_trace(each, uow=uow, secret=tools.secret, by=by, now=now) for each in (him, prospect)]
        body = {"note": note} if note is not None else {}
        showing = Relationship(
            new_id(), ends[0], ends[1], SHOWN_TO, body, now, now, tools.who.source or "staff", by, now
        )
        await uow.relationships.add(showing)
        await tell_profiles([him.customer_id], uow=uow, company=tools.company, now=now)
        left = uses_left(reference.body, used + 1)
        answer = {"relationship_id": str(showing.relationship_id), "left": left}
        await remember(uow, attempt, tools.who, answer, at=now)
        await uow.commit()
    return showing.relationship_id, left


async def put_entry(*, kind: str, code: str, body: dict[str, Any], version: int, tools: Tools) -> Entry:
    """Somebody or some place of ours, whole. `version` 0 enters it. Raises Stale."""
    async with tools.uow as uow:
        await uow.lock([f"{kind}:{code}"], space=_DIRECTORY)
        present = await uow.parties.entry(kind, code)
        if (present.version if present else 0) != version:
            raise Stale
        entry = Entry(kind, code, body, version + 1, tools.who.known_as, tools.clock())
        await uow.parties.put_entry(entry)
        await uow.commit()
    return entry


_DIRECTORY = 3  # lock space, after those of decisions and customers
