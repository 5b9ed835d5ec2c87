"""What the routes of this service ask for: a caller who is not a customer or a partner, and the version that he read."""

from typing import Annotated

from fastapi import Depends, Header

from common.auth import Principal, needs
from common.errors import Forbidden
from common.http import DatabaseOf
from service_audit.standards.domain import DocumentStale
from service_audit.uow import AuditUnitOfWork


class NotForCustomers(Forbidden):
    code = "not-for-customers"
    title = "Audit results are for staff: a credential that is bound to a customer or a partner does not reach them"


async def _reader(who: Annotated[Principal, needs("audit:read")]) -> Principal:
    return _staff(who)


async def _writer(who: Annotated[Principal, needs("audit:write")]) -> Principal:
    return _staff(who)


def _staff(who: Principal) -> Principal:
    if who.subject is not None:
        raise NotForCustomers
    return who


AuditReader = Annotated[Principal, Depends(_reader)]
AuditWriter = Annotated[Principal, Depends(_writer)]


async def _reading(database: DatabaseOf, who: AuditReader) -> AuditUnitOfWork:  # noqa: ARG001 - who may not read gets none
    return AuditUnitOfWork(database, reading=True)


async def _writing(database: DatabaseOf, who: AuditWriter) -> AuditUnitOfWork:  # noqa: ARG001 - who may not write gets none
    return AuditUnitOfWork(database)


Reading = Annotated[AuditUnitOfWork, Depends(_reading)]
Writing = Annotated[AuditUnitOfWork, Depends(_writing)]


async def _expected(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match", max_length=100, description="The ETag that was read; left out when nothing is there yet"
        ),
    ] = None,
) -> int | None:
    if if_match is None:
        return None
    number = if_match.removeprefix("W/").strip('"')
    if not number.isdecimal() or len(number) > 9:
        raise DocumentStale
    return int(number)


ExpectedVersion = Annotated[int | None, Depends(_expected)]
