"""Who may reach whom: agents by scope, a customer himself alone, a partner nobody."""

from uuid import UUID

from common.auth import Principal
from common.errors import Forbidden
from identity.customers.domain import Customer, UnknownCustomer
from identity.uow import IdentityUnitOfWork


class ForStaffOnly(Forbidden):
    code = "for-staff-only"
    title = "A credential that is bound to a customer or a partner does not reach this"


def for_staff(who: Principal) -> None:
    """Raises ForStaffOnly: lists of customers, merges and reviews are for staff."""
    if who.subject is not None:
        raise ForStaffOnly


async def visible(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> Customer:
    """The customer, or whoever absorbed him. To a caller bound to a subject everybody else is as good as absent."""
    found = await uow.customers.resolve(customer_id)
    if found is None:
        raise UnknownCustomer
    if who.subject is not None:
        own = await uow.customers.resolve(who.customer_id) if who.customer_id is not None else None
        if own is None or own.customer_id != found.customer_id:
            raise UnknownCustomer
    return found


async def held(customer_id: UUID, who: Principal, uow: IdentityUnitOfWork) -> Customer:
    """The same, locked for writing."""
    await visible(customer_id, who, uow)
    return await uow.hold(customer_id)
