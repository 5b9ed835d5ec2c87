"""What scoring tells: what the relationship is worth, how it moves, and how the customer is to be treated."""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from common.contracts.erasure import ErasureDone
from common.events import EventData, register

TOPIC = "scoring.v1"
ERASURES = "scoring.erasures.v1"  # few events, so that identity need not read all the others for them


class ValueChanged(EventData):
    """A customer's value, ready for the resume. State event: the highest revision wins; it holds all parts each time."""

    type: ClassVar[str] = "scoring.value-changed"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    revision: int
    as_of: AwareDatetime
    value: dict[str, Any] = {}  # resume R12: tier, abc, tenure_months, key figures, rules version, as_of
    treatment: dict[str, Any] = {}  # resume R14: service_level, attend_by, spend_limit, reasons
    holdings: dict[str, Any] = {}  # resume R18: usual_amount {amount,currency}, frequency, categories
    alerts: list[dict[str, Any]] = []  # resume R20: {"signal","level","since","evidence"}
    suppress_paid_outbound: bool = False  # below-zero customers: inbound is always served (S0-55)

    def key(self) -> str:
        return str(self.customer_id)


class TierChanged(EventData):
    """A customer moved between MVC, GROWING, STANDARD and BELOW_ZERO."""

    type: ClassVar[str] = "scoring.tier-changed"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    old: str | None = None
    new: str
    reasons: list[str] = []
    rules_version: str
    at: AwareDatetime

    def key(self) -> str:
        return str(self.customer_id)


class SignalMoved(EventData):
    """A signal (drop-warning, drop-critical, dormant, long-dormant) was raised or cleared, with its evidence."""

    type: ClassVar[str] = "scoring.signal-moved"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    signal: str
    move: Literal["raised", "cleared"]
    at: AwareDatetime
    evidence: dict[str, Any] = {}

    def key(self) -> str:
        return str(self.customer_id)


class TreatmentChanged(EventData):
    """The policy now says to treat this customer otherwise."""

    type: ClassVar[str] = "scoring.treatment-changed"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    service_level: str
    policy_version: str
    reasons: list[str] = []
    at: AwareDatetime

    def key(self) -> str:
        return str(self.customer_id)


class CustomerForgotten(ErasureDone):
    """All that was here of an erased customer has been taken out."""

    type: ClassVar[str] = "scoring.customer-forgotten"
    topic: ClassVar[str] = ERASURES


register(ValueChanged, TierChanged, SignalMoved, TreatmentChanged, CustomerForgotten)
