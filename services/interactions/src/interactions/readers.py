"""Which view a credential reaches: its subject decides, a parameter may only narrow what staff sees."""

from common.auth import Principal
from interactions.resume.domain import Reader, View, ViewForbidden


def reader_of(who: Principal, view: View | None, *, partner: str | None = None) -> Reader:
    """A customer's and a partner's credential have one view each; staff and systems may ask for any."""
    if who.customer_id is not None:
        _only(view, "customer")
        return Reader("customer", bound=True, customer_id=who.customer_id)
    if who.subject is not None:
        _only(view, "partner")
        return Reader("partner", bound=True, partner=who.partner, source=who.source)
    return Reader(view or "agent", partner=partner if view == "partner" else None)


def _only(asked: View | None, allowed: View) -> None:
    if asked not in (None, allowed):
        raise ViewForbidden(f"This credential sees the view {allowed} only.")
