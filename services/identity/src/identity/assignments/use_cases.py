"""Somebody takes a role towards a customer, with a hand-over note for whoever comes next; or all the roles of who leaves."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.errors import Invalid
from common.moments import check_occurred
from identity.assignments.domain import HandedOver, StaffHasLeft, ToHimself, check_assignment, role_meant, roles_of
from identity.customers.domain import Assigned, people_around
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import own_trace
from identity.parties.domain import Entry
from identity.reach import held
from identity.uow import CUSTOMERS, IdentityUnitOfWork


async def assign(
    *,
    customer_id: UUID,
    role: str,
    staff_id: str | None,
    name: str | None,
    since: datetime | None,
    handover_note: str | None,
    who: Principal,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> list[Assigned]:
    """Gives who looks after him by now. No staff: nobody has the role any more. Said again of the same one, he has it since then.

    Raises UnknownRole, OccurredInFuture, and what `check_assignment` does.
    """
    now = clock()
    check_occurred(since or now, now=now, pointer="/since")
    async with uow:
        customer = await held(customer_id, who, uow)
        infos = await uow.customers.traces_of([customer.customer_id])
        so_far = await uow.assignments.of([info.trace_id for info in infos])
        role = role_meant(role, so_far=so_far, company=company)
        entry = await uow.parties.entry("staff", staff_id) if staff_id is not None else None
        check_assignment(role, staff_id, handover_note, so_far=so_far, entry=entry.body if entry else None)
        name = name or (str(entry.body["name"]) if entry else None)
        own = await own_trace(customer, uow=uow, secret=secret, by=who.known_as, now=now)
        said = Assigned(own, role, staff_id, name, since or now, handover_note, who.known_as, now)
        for present in people_around(so_far):
            if (present.role, present.staff_id) == (role, staff_id):
                said = replace(
                    said, name=name or present.name, since=since or present.since,
                    handover_note=handover_note or present.handover_note,
                )  # fmt: skip
        await uow.assignments.add(said)
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        infos = await uow.customers.traces_of([customer.customer_id])
        found = await uow.assignments.of([info.trace_id for info in infos])
        await uow.commit()
    return people_around(found)


AT_ONCE = 100  # customers of one transaction
MOST_HANDED_OVER = 1_000  # in one call


async def hand_over(
    *,
    staff_id: str,
    to: str,
    name: str | None,
    handover_note: str,
    who: Principal,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> tuple[list[HandedOver], bool]:
    """All roles that somebody of ours has go to another, a transaction for every hundred customers; and whether there are more.

    Whatever a rule forbids stays as it is and says so. Raises ToHimself, StaffHasLeft.
    """
    if to == staff_id:
        raise ToHimself(pointer="/to")
    fates: list[HandedOver] = []
    after: UUID | None = None
    while sum(fate.refused is None for fate in fates) < MOST_HANDED_OVER:
        async with uow:
            entry = await uow.parties.entry("staff", to)
            if entry is not None and not entry.active:
                raise StaffHasLeft(pointer="/to")
            customers = await uow.assignments.ever_with(staff_id, after=after, limit=AT_ONCE)
            his = await _still_his(customers, staff_id, uow)
            await uow.lock(his, space=CUSTOMERS)  # in one order, as all who lock several do
            taken = Assigned(
                UUID(int=0), "", to, name or _name_of(entry), clock(), handover_note, who.known_as, clock()
            )
            for customer_id in his:
                fates += await _hand_over(customer_id, staff_id, taken, entry, uow=uow, secret=secret)
            await tell_profiles(his, uow=uow, company=company, now=clock())
            await uow.commit()
        if len(customers) < AT_ONCE:
            return fates, False
        after = customers[-1]
    return fates, True


def _name_of(entry: Entry | None) -> str | None:
    return str(entry.body["name"]) if entry else None


async def _still_his(customers: Sequence[UUID], staff_id: str, uow: IdentityUnitOfWork) -> list[UUID]:
    """Those of the customers with whom he still has a role."""
    owner = {info.trace_id: info.customer_id for info in await uow.customers.traces_of(customers)}
    so_far: defaultdict[UUID, list[Assigned]] = defaultdict(list)
    for each in await uow.assignments.of(owner) if owner else ():
        so_far[owner[each.trace_id]].append(each)
    return [customer_id for customer_id in customers if roles_of(staff_id, so_far[customer_id])]


async def _hand_over(
    customer_id: UUID, staff_id: str, taken: Assigned, entry: Entry | None, *, uow: IdentityUnitOfWork, secret: bytes
) -> list[HandedOver]:
    """What becomes of his roles towards one customer. `taken`: what is written of each, but for the trace and the role."""
    customer = await uow.hold(customer_id)
    infos = await uow.customers.traces_of([customer.customer_id])
    so_far = await uow.assignments.of([info.trace_id for info in infos])
    fates: list[HandedOver] = []
    for role in roles_of(staff_id, so_far):
        try:
            check_assignment(
                role, taken.staff_id, taken.handover_note, so_far=so_far, entry=entry.body if entry else None
            )
        except Invalid as refusal:
            fates.append(HandedOver(customer.customer_id, role, refusal))
            continue
        own = await own_trace(customer, uow=uow, secret=secret, by=taken.by, now=taken.at)
        await uow.assignments.add(replace(taken, trace_id=own, role=role))
        fates.append(HandedOver(customer.customer_id, role))
    return fates
