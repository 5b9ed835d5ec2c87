"""What hangs on a person: every row that names one of his traces or him, in whichever table, by the names of columns."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from common.auth import Principal, needs
from common.bulk import among
from common.errors import Forbidden, Refusal
from common.http import ClockOf, DatabaseOf
from common.problems import problems_of
from common.uow import UnitOfWork

_CUSTOMERS = frozenset({"customer_id", "other_id", "party_id"})


@dataclass(frozen=True)
class Subjects:
    """A person as one service knows him: the customer who is meant, those whom he absorbed, and his traces."""

    customer_id: UUID
    customers: Collection[UUID]
    traces: Collection[UUID]


def belongs(table: sa.Table, traces: Collection[UUID], customers: Collection[UUID]) -> sa.ColumnElement[bool] | None:
    """The condition under which a row of the table is his; None for a table that knows no persons."""
    ways = [among(column, traces) for column in table.columns if _is_trace(column)]
    ways += [among(column, customers) for column in table.columns if _is_customer(column)]
    return sa.or_(*ways) if ways else None


def _is_trace(column: sa.Column[Any]) -> bool:
    return column.name == "trace_id" or column.name.endswith("_trace")


def _is_customer(column: sa.Column[Any]) -> bool:
    return column.name in _CUSTOMERS or column.name.endswith("_customer")


async def rows_where(session: AsyncSession, table: sa.Table, where: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    """The rows as JSON values, in the order of the table's key."""
    found = await session.execute(sa.select(table).where(where).order_by(*table.primary_key.columns))
    return [{name: _plain(value) for name, value in row.items()} for row in found.mappings().all()]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID | Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime | date) else value


# --- over HTTP --------------------------------------------------------------------------------------------------------

Find = Callable[[AsyncSession, UUID], Awaitable[Subjects]]
More = Callable[[AsyncSession, Mapping[str, list[dict[str, Any]]]], Awaitable[dict[str, list[dict[str, Any]]]]]


class ExportForStaff(Forbidden):
    code = "for-staff-only"
    title = "A credential that is bound to a customer or a partner does not reach this"


class ExportRead(BaseModel):
    """All that one service has on record of a person."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "service": "identity", "customer_id": "0192f0c1-0000-7000-8000-000000000001",
                "as_of": "2026-11-20T20:04:05Z",
                "records": {"fact": [{"key": "best_hour", "value": "after 18:00", "source": "whatsapp"}]},
            }
        }
    )  # fmt: skip

    service: str
    customer_id: UUID = Field(description="Who is meant: an absorbed id leads to whoever he is now")
    as_of: AwareDatetime
    records: dict[str, list[dict[str, Any]]] = Field(description="Rows by kind, with their dates and sources, as kept")


def export_router(
    service: str,
    find: Find,
    metadata: Callable[[], sa.MetaData],
    *,
    unknown: type[Refusal],
    leave_out: Collection[str] = (),
    more: More | None = None,
) -> APIRouter:
    """The route by which a service gives out all that it has of a person. `more` adds what hangs on him by other ways."""
    router = APIRouter(prefix=f"/{service}/v1/customers", tags=["privacy (datos personales)"])

    @router.get(
        "/{customer_id}/export",
        summary="Export everything that is on record of a person",
        responses=problems_of(unknown, ExportForStaff),
    )
    async def export(
        customer_id: UUID, who: Annotated[Principal, needs("customers:export")], database: DatabaseOf, clock: ClockOf
    ) -> ExportRead:
        """His right to know (derecho de acceso): what this service keeps, whole and as it is kept.

        Each service gives out its own; `hilo export` joins the four into one document.
        """
        if who.subject is not None:
            raise ExportForStaff
        async with UnitOfWork(database, reading=True) as uow:
            his = await find(uow.session, customer_id)
            records: dict[str, list[dict[str, Any]]] = {}
            for table in metadata().sorted_tables:
                where = belongs(table, his.traces, his.customers)
                if where is not None and table.name not in leave_out:
                    records[str(table.name)] = await rows_where(uow.session, table, where)
            if more is not None:
                records |= await more(uow.session, records)
        return ExportRead(service=service, customer_id=his.customer_id, as_of=clock(), records=records)

    return router
