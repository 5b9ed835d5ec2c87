"""Who of ours may take which role towards a customer, and what he must be told when he takes it over."""

from collections.abc import Iterable, Mapping
from typing import Any

from common.errors import Invalid
from identity.customers.domain import Assigned, people_around

OWNER, NANNY = "account_owner", "nanny"


class HandoverNoteMissing(Invalid):
    code = "handover-note-missing"
    title = "The customer has an owner: tell the next one what he must know"


class NannySells(Invalid):
    code = "nanny-sells"
    title = "A nanny is none of those who sell"


class StaffHasLeft(Invalid):
    code = "staff-has-left"
    title = "He works for us no more"


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
    if role == OWNER and owner is not None and owner.staff_id != staff_id and not handover_note:
        raise HandoverNoteMissing(pointer="/handover_note")
