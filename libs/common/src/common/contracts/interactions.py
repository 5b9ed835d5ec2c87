"""What interactions tells: touchpoints, conversations, commitments and cases, in ids, times, kinds, amounts and codes.

No name, no phone, no content here. What identity needs of a person goes by `PersonSeen` on the people topic.
"""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from common.contracts.erasure import ErasureDone
from common.events import EventData, register

TOPIC = "interactions.v1"
PEOPLE = "interactions.people.v1"
ERASURES = "interactions.erasures.v1"  # few events, so that identity need not read all the others for them


class Money(BaseModel):
    """Minor units and an ISO currency."""

    model_config = ConfigDict(frozen=True)

    minor: int
    currency: str


class TouchpointFigures(EventData):
    """What all events on one touchpoint tell of it: everything that another service may count, and nothing personal."""

    topic: ClassVar[str] = TOPIC

    touchpoint_id: UUID
    trace_id: UUID
    source: str
    kind: str
    channel: str
    direction: Literal["inbound", "outbound", "internal"]
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime
    backfill: bool = False
    anonymous: bool = False  # no identifier at all: identity never stores the trace
    site: str | None = None
    topic_code: str | None = None  # the touchpoint's topic
    outcome: str | None = None
    actor_kind: str | None = None
    actor_id: str | None = None
    conversation_id: UUID | None = None
    case_number: str | None = None
    # purchase, payment and quote: net amount (a return is negative), in minor units
    amount: Money | None = None
    cost_of_goods: Money | None = None
    quantity: float | None = None
    category: str | None = None
    offering: str | None = None
    quote_answer: str | None = None  # open | won | lost
    contact_cost: Money | None = None  # by the company's channel table, outbound and inbound contacts alike
    # campaign_send, campaign_response, survey_response
    campaign: str | None = None
    campaign_answer: str | None = None
    survey: str | None = None
    survey_answers: dict[str, Any] | None = None  # numbers and codes only; free text stays in interactions

    def key(self) -> str:
        return str(self.trace_id)


class TouchpointRecorded(TouchpointFigures):
    """A touchpoint entered the log."""

    type: ClassVar[str] = "interactions.touchpoint-recorded"


class TouchpointRetracted(TouchpointFigures):
    """A touchpoint's effects are to be taken back: retracted, or replaced by a corrected version. Same figures as when recorded."""

    type: ClassVar[str] = "interactions.touchpoint-retracted"

    reason_code: Literal["retracted", "corrected"] = "retracted"


class PersonSeen(EventData):
    """What a channel knows of the person behind a touchpoint. People topic: kept for days, republished by the owner."""

    type: ClassVar[str] = "interactions.person-seen"
    topic: ClassVar[str] = PEOPLE

    touchpoint_id: UUID
    trace_id: UUID
    source: str
    channel: str
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime | None = None
    backfill: bool = False
    identifiers: list[
        dict[str, Any]
    ] = []  # {"id","scheme","value" (normalised, without the scheme),"attested": bool}; the strongest first
    profile: dict[str, Any] = {}  # api.md's `profile`, raw
    facts: list[dict[str, Any]] = []  # {"key","value","confidence","question_id"?}
    has_open_case: bool = False  # no drip question, no referral request while one is open
    asked: list[str] = []  # question ids that were asked in this contact

    def key(self) -> str:
        return str(self.trace_id)


class PersonUnseen(EventData):
    """A touchpoint was retracted or corrected: what it alone taught about the person goes as well."""

    type: ClassVar[str] = "interactions.person-unseen"
    topic: ClassVar[str] = PEOPLE

    touchpoint_id: UUID
    trace_id: UUID

    def key(self) -> str:
        return str(self.trace_id)


class ConversationMove(EventData):
    """What all events on one move of a thread tell of it."""

    topic: ClassVar[str] = TOPIC

    conversation_id: UUID
    trace_id: UUID
    move: Literal["opened", "continued", "resumed", "parked", "closed"]
    matched_by: str | None = None
    touchpoint_id: UUID | None = None
    kind: str | None = None  # of that touchpoint
    channel: str | None = None
    previous_channel: str | None = None
    gap_seconds: float | None = None
    at: AwareDatetime
    backfill: bool = False

    def key(self) -> str:
        return str(self.trace_id)


class ConversationMoved(ConversationMove):
    """A thread was opened, resumed (on the same or another channel), parked or closed."""

    type: ClassVar[str] = "interactions.conversation-moved"


class ConversationMoveRetracted(ConversationMove):
    """A move that was told is not so: threads were computed anew. Same figures as when told; what is so instead is told after it."""

    type: ClassVar[str] = "interactions.conversation-move-retracted"


class CommitmentMoved(EventData):
    """A promise was made, kept, broken (late), waived, put on another date (rescheduled) or taken back."""

    type: ClassVar[str] = "interactions.commitment-moved"
    topic: ClassVar[str] = TOPIC

    commitment_id: UUID
    trace_id: UUID
    touchpoint_id: UUID | None = None
    case_number: str | None = None
    move: Literal["made", "kept", "broken", "waived", "rescheduled", "retracted"]
    by: Literal["company", "customer"]
    made_at: AwareDatetime
    due_at: AwareDatetime | None = None
    at: AwareDatetime
    late_seconds: float | None = None  # on kept and broken; negative or null: in time
    channel: str | None = None
    backfill: bool = False

    def key(self) -> str:
        return str(self.trace_id)


class CaseMove(EventData):
    """What all events on one move of a case tell of it."""

    topic: ClassVar[str] = TOPIC

    case_number: str
    trace_id: UUID
    touchpoint_id: UUID | None = None
    kind: Literal["complaint", "claim", "petition", "suggestion", "compliment"]
    severity: str
    move: Literal[
        "opened", "contacted", "answered", "resolved", "verified", "reopened", "closed", "expired", "retracted"
    ]
    channel: str | None = None
    about: str | None = None
    occurred_at: AwareDatetime  # when the customer complained
    at: AwareDatetime  # when it moved
    hours_open: float | None = None
    contacts: int | None = None  # customer contacts on it so far
    first_contact: bool | None = None  # on resolved: no further contact on it on any channel within seven days
    recovered: bool | None = None  # on verified and closed
    timely: bool | None = None  # on answered: whether it was in time, where the source itself says so
    recovery_deadline: AwareDatetime | None = None
    backfill: bool = False

    def key(self) -> str:
        return str(self.trace_id)


class CaseMoved(CaseMove):
    """A complaint, claim, petition, suggestion or compliment (PQR) changed its state. What was told last, `contacted` and `expired` apart, says how it stands."""

    type: ClassVar[str] = "interactions.case-moved"


class CaseMoveRetracted(CaseMove):
    """A move that was told is not so: the contact is none on this case. Same figures as when told; what is so instead is told after it."""

    type: ClassVar[str] = "interactions.case-move-retracted"


class CustomerForgotten(ErasureDone):
    """All that was here of an erased customer has been taken out."""

    type: ClassVar[str] = "interactions.customer-forgotten"
    topic: ClassVar[str] = ERASURES


register(
    TouchpointRecorded,
    TouchpointRetracted,
    PersonSeen,
    PersonUnseen,
    ConversationMoved,
    ConversationMoveRetracted,
    CommitmentMoved,
    CaseMoved,
    CaseMoveRetracted,
    CustomerForgotten,
)
