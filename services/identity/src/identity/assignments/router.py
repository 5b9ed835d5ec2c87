"""Who looks after a customer, over HTTP."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from common.auth import Principal, needs
from common.http import ClockOf, CompanyOf
from common.moments import OccurredInFuture
from common.pagination import Paging
from common.problems import problems_of
from identity.assignments.domain import HandoverNoteMissing, NannySells, StaffHasLeft, UnknownRole
from identity.assignments.schemas import Assign, AssignmentPage, AssignmentRead, PeopleAround
from identity.assignments.use_cases import assign
from identity.callers import Reading, Secret, Writing
from identity.customers.domain import Assigned, UnknownCustomer, people_around
from identity.customers.schemas import PersonAround
from identity.reach import ForStaffOnly, for_staff, visible

router = APIRouter(prefix="/identity/v1/customers/{customer_id}/assignments", tags=["people (quién lo atiende)"])
CanRead = Annotated[Principal, needs("customers:read")]
CanWrite = Annotated[Principal, needs("customers:write")]


@router.put(
    "",
    summary="Give somebody a role towards him",
    responses=problems_of(
        UnknownCustomer, UnknownRole, HandoverNoteMissing, NannySells, StaffHasLeft, OccurredInFuture, ForStaffOnly
    ),
)
async def put_assignment(
    customer_id: UUID, body: Assign, who: CanWrite, uow: Writing, clock: ClockOf, company: CompanyOf, secret: Secret
) -> PeopleAround:
    """The account owner, the nanny (niñera) of a complaint, the executive counterpart (ejecutivo homólogo).

    An owner who follows another needs a hand-over note (nota de entrega). Whoever had the role before stays in the history.
    """
    for_staff(who)
    people = await assign(
        customer_id=customer_id, **body.model_dump(), who=who, uow=uow, clock=clock, company=company, secret=secret
    )
    return _people(people)


@router.get("", summary="Who looks after him", responses=problems_of(UnknownCustomer, ForStaffOnly))
async def list_assignments(customer_id: UUID, who: CanRead, uow: Reading) -> PeopleAround:
    """By role, those who have it by now (responsables)."""
    for_staff(who)
    async with uow:
        found = await visible(customer_id, who, uow)
        infos = await uow.customers.traces_of([found.customer_id])
        return _people(people_around(await uow.assignments.of([info.trace_id for info in infos])))


@router.get(
    "/history",
    summary="Who looked after him, and when",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def list_history(
    customer_id: UUID,
    who: CanRead,
    uow: Reading,
    company: CompanyOf,
    page: Paging,
    role: Annotated[str | None, Query(max_length=40, description="One role only")] = None,
) -> AssignmentPage:
    """Every entry with its hand-over note (nota de entrega), the newest first."""
    for_staff(who)
    after = page.after(UUID)
    role = company.role_of(role) or role
    async with uow:
        found = await visible(customer_id, who, uow)
        traces = [info.trace_id for info in await uow.customers.traces_of([found.customer_id])]
        entries = await uow.assignments.series(traces, role=role, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(entries, key=lambda entry: (entry[0],))
    items = [
        AssignmentRead(
            role=a.role, staff_id=a.staff_id, name=a.name, since=a.since, handover_note=a.handover_note, by=a.by,
            recorded_at=a.at,
        )
        for _, a in kept
    ]  # fmt: skip
    return AssignmentPage(items=items, next=following)


def _people(people: Sequence[Assigned]) -> PeopleAround:
    return PeopleAround(
        items=[
            PersonAround(role=a.role, staff_id=a.staff_id, name=a.name, since=a.since, handover_note=a.handover_note)
            for a in people
        ]
    )
