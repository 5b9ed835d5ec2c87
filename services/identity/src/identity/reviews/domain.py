"""A pair in doubt: two traces that may be one person's, why one may think so, and why not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from common.errors import Conflict, NotFound


class UnknownReview(NotFound):
    code = "unknown-review"
    title = "There is no such review"


class AlreadyDecided(Conflict):
    code = "already-decided"
    title = "Somebody has decided on this pair"


ENTERED_AGAIN = "entered-again"  # a reason: by staff, under an identifier and a full name that somebody has already


@dataclass(frozen=True)
class Review:
    """The pair, keyed by traces: their customers are looked up when it is read."""

    review_id: UUID
    left_trace: UUID
    right_trace: UUID
    explanation: dict[str, Any]
    state: Literal["open", "same", "different"]
    opened_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    decision_id: UUID | None = None


class AlreadyOne(Conflict):
    code = "already-one"
    title = "Both traces are one customer's; undo the merge that joined them"


class NobodyThere(Conflict):
    code = "nobody-there"
    title = "One of the two traces is nobody's by now"
