"""What service-audit tells: what was observed at each moment of truth, what failed, and what was done about it."""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from common.contracts.erasure import ErasureDone
from common.events import EventData, register

TOPIC = "service-audit.v1"
ERASURES = "service-audit.erasures.v1"  # few events, so that identity need not read all the others for them


class EvidenceRecorded(EventData):
    """A moment of truth was observed against its standard."""

    type: ClassVar[str] = "service-audit.evidence-recorded"
    topic: ClassVar[str] = TOPIC

    evidence_id: UUID
    trace_id: UUID
    cycle: str
    moment: str
    met: bool
    value: float | None = None
    score: float | None = None  # 0-100
    at: AwareDatetime
    taken_back: bool = False  # it does not count after all: what it rested on was retracted, or the standard changed

    def key(self) -> str:
        return str(self.trace_id)


class MomentFailed(EventData):
    """A moment of truth missed its standard (or, `taken_back`, did not after all)."""

    type: ClassVar[str] = "service-audit.moment-failed"
    topic: ClassVar[str] = TOPIC

    evidence_id: UUID
    trace_id: UUID
    cycle: str
    moment: str
    name: str
    critical: bool
    at: AwareDatetime
    detail: dict[str, Any] = {}
    taken_back: bool = False

    def key(self) -> str:
        return str(self.trace_id)


class ScorecardPublished(EventData):
    """The scores of a period, attribute by attribute, with sample sizes."""

    type: ClassVar[str] = "service-audit.scorecard-published"
    topic: ClassVar[str] = TOPIC

    period: str
    total: float | None = None
    attributes: list[dict[str, Any]] = []
    at: AwareDatetime

    def key(self) -> str:
        return self.period


class ActionMoved(EventData):
    """An improvement action was opened or closed."""

    type: ClassVar[str] = "service-audit.action-moved"
    topic: ClassVar[str] = TOPIC

    action_id: UUID
    move: Literal["opened", "closed"]
    cycle: str | None = None
    moment: str | None = None
    at: AwareDatetime

    def key(self) -> str:
        return str(self.action_id)


class CustomerForgotten(ErasureDone):
    """All that was here of an erased customer has been taken out."""

    type: ClassVar[str] = "service-audit.customer-forgotten"
    topic: ClassVar[str] = ERASURES


register(EvidenceRecorded, MomentFailed, ScorecardPublished, ActionMoved, CustomerForgotten)
