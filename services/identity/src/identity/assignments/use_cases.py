"""Somebody takes a role towards a customer, with a hand-over note for whoever comes next."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.moments import check_occurred
from identity.assignments.domain import check_assignment, role_meant
from identity.customers.domain import Assigned, people_around
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import own_trace
from identity.reach import held
from identity.uow import IdentityUnitOfWork


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
