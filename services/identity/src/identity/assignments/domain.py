"""Who of ours may take which role towards a customer, and what he must be told when he takes it over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from common.company import Company
from common.errors import Invalid
from identity.customers.domain import Assigned, people_around

OWNER, NANNY = "account_owner", "nanny"


class UnknownRole(Invalid):
    code = "unknown-role"
    title = "The company has no such role towards a customer"


class HandoverNoteMissing(Invalid):
    code = "handover-note-missing"
    title = "The customer has an owner: tell the next one what he must know"


class NannySells(Invalid):
    code = "nanny-sells"
    title = "A nanny is none of those who sell"


class ToHimself(Invalid):
    code = "hand-over-to-himself"
    title = "Somebody else has to take over"


class StaffHasLeft(Invalid):
    code = "staff-has-left"
    title = "He works for us no more"


def role_meant(word: str, *, so_far: Iterable[Assigned], company: Company) -> str:
    """The code of the role. One that somebody has is known whatever the company's file says by now: it can be ended. Raises UnknownRole."""
    if any(each.role == word for each in so_far):
        return word
    role = company.role_of(word)
    if role is None:
        raise UnknownRole(f"The roles are {', '.join(sorted(company.roles))}", pointer="/role")
    return role


def check_assignment(
    role: str,
    staff_id: str | None,
    handover_note: str | None,
    *,
    so_far: Iterable[Assigned],
    entry: Mapping[str, Any] | None,
) -> None:
    """Raises what forbids it. `entry`: what our directory says of him; None where he is not in it.

    An owner hands over with a note (nota de entrega); a nanny (niñera) is none of those who sell (S0-60).
    """
    if staff_id is not None and entry is not None and not entry.get("active", True):
        raise StaffHasLeft(pointer="/staff_id")
    if role == NANNY and staff_id is not None and entry is not None and entry.get("is_sales"):
        raise NannySells(pointer="/staff_id")
    owner = next((each for each in people_around(so_far) if each.role == role), None)
    if role == OWNER and owner is not None and owner.staff_id != staff_id and not (handover_note or "").strip():
        raise HandoverNoteMissing(pointer="/handover_note")


@dataclass(frozen=True)
class HandedOver:
    """What became of one role towards one customer. `refused`: why he keeps it."""

    customer_id: UUID
    role: str
    refused: Invalid | None = None


def roles_of(staff_id: str, assigned: Iterable[Assigned]) -> list[str]:
    """The roles that he has by now."""
    return [each.role for each in people_around(assigned) if each.staff_id == staff_id]
