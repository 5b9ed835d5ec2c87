"""Improvement actions: opened by a failed critical moment or by hand, closed with a result and a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from common.errors import Conflict, Invalid, NotFound
from common.ids import new_id
from service_audit.evidence.domain import Evidence
from service_audit.standards.domain import Document, Moment

Area = Literal["data", "product", "service", "communication"]
Horizon = Literal["short", "medium", "long"]
Result = Literal["done", "not-done", "not-needed", "withdrawn"]
BY_ITSELF = "service-audit"


class UnknownAction(NotFound):
    code = "unknown-action"
    title = "No improvement action under that id"


class UnknownMoment(Invalid):
    code = "unknown-moment"
    title = "An action names a service cycle that there is, and a moment of truth that stands in it"


class ActionClosed(Conflict):
    code = "action-closed"
    title = "The action was closed before"


@dataclass(frozen=True)
class Action:
    """Something that we do better because of something that we saw."""

    action_id: UUID
    source: Literal["moment", "hand"]
    title: str
    cycle: str | None
    moment: str | None
    trace_id: UUID | None
    evidence_id: UUID | None
    area: Area | None
    horizon: Horizon | None
    owner: str | None
    due_at: datetime | None
    state: Literal["open", "closed"]
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None = None
    closed_by: str | None = None
    result: Result | None = None
    reason: str | None = None

    @property
    def open_key(self) -> str | None:
        """The same for all failures of one moment and one trace while the action is open: one action for all of them."""
        if self.state == "closed" or self.source == "hand":
            return None
        return f"{self.cycle}/{self.moment}/{self.trace_id}"


def check_moment(cycle: Document | None, moment: str | None) -> None:
    """Raises UnknownMoment: under a name that is misspelt nobody would find the action again."""
    if cycle is None:
        raise UnknownMoment(pointer="/cycle")
    if moment is not None and moment not in {each["code"] for each in cycle.body["moments"]}:
        raise UnknownMoment(pointer="/moment")


def action_for(failed: Evidence, moment: Moment, *, owner: str | None, now: datetime) -> Action:
    """The action that a failed critical moment opens."""
    return Action(
        action_id=new_id(),
        source="moment",
        title=f"Critical moment of truth failed: {moment.name}",
        cycle=moment.cycle,
        moment=moment.code,
        trace_id=failed.trace_id,
        evidence_id=failed.evidence_id,
        area="service",
        horizon="short",
        owner=owner,
        due_at=None,
        state="open",
        opened_at=now,
        opened_by=BY_ITSELF,
    )
