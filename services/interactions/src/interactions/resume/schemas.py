"""The bodies of the resume. Sections that a view does not show are absent from it, not null."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.company import FactCategory
from interactions.commitments.schemas import EarlierDate
from interactions.resume.domain import Recognised, View

EXAMPLE: dict[str, Any] = {
    "who": {
        "recognised": "customer",
        "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10",
        "confidence": 1.0,
        "preferred_name": "Ana",
        "display_name": "Ana María López Ruiz",
        "form_of_address": "usted",
        "kind": "person",
        "candidates": [],
        "asked": [{"given": "phone:300 123 4567", "normalised": "phone:+573001234567"}],
    },
    "resume_point": {
        "touchpoint_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
        "conversation_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
        "occurred_at": "2026-11-20T20:04:05Z",
        "channel": "whatsapp",
        "direction": "inbound",
        "kind": "message",
        "site": "bogota-chapinero",
        "attended_by": None,
        "topic": "billing",
        "summary": "October invoice received twice",
        "stop_point": "He will send both invoices",
        "next_step": "We compare them",
        "outcome": "pending",
    },
    "threads": [
        {
            "conversation_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
            "topic": "billing",
            "state": "waiting-us",
            "started_at": "2026-11-20T20:04:05Z",
            "last_at": "2026-11-20T20:04:05Z",
            "age_hours": 20.1,
            "last_channel": "whatsapp",
            "last_site": "bogota-chapinero",
            "summary": "October invoice received twice",
            "stop_point": "He will send both invoices",
            "next_step": "We compare them",
            "suggested": True,
        }
    ],
    "recap": [
        {
            "touchpoint_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
            "occurred_at": "2026-11-20T20:04:05Z",
            "channel": "whatsapp",
            "kind": "message",
            "direction": "inbound",
            "topic": "billing",
            "summary": "October invoice received twice",
            "outcome": "pending",
            "visibility": "customer",
        }
    ],
    "work_in_progress": [],
    "commitments": [
        {
            "commitment_id": "0198f6c2-9c22-7b02-8c11-1b1f0f5f8d12",
            "by": "company",
            "text": "Send one corrected invoice",
            "due_at": "2026-11-22T22:00:00Z",
            "state": "open",
            "made_at": "2026-11-20T20:04:05Z",
            "channel": "whatsapp",
            "owner": None,
            "case_number": None,
            "earlier_dates": [],
        }
    ],
    "cases": [],
    "suggestions": [],
    "known": [
        {
            "key": "best_hour",
            "category": "preference",
            "value": "after 18:00",
            "as_of": "2026-11-20T20:04:05Z",
            "source": "whatsapp",
            "confidence": 0.9,
            "expires_at": "2027-11-20T20:04:05Z",
            "stale": False,
        }
    ],
    "ask": [{"question_id": "q-preferred-name", "key": "preferred_name", "text": "¿Cómo le gusta que lo llamemos?"}],
    "contact": {
        "ranking": ["whatsapp"],
        "quota_left": None,
        "max_contacts": None,
        "per_days": None,
        "quiet": False,
        "quiet_until": None,
        "quiet_times": [],
        "time_zone": "America/Bogota",
        "consents": [],
        "do_not_contact": False,
        "topics_out": [],
        "visits": {},
        "restricted": False,
    },
    "value": {"tier": "MVC", "abc": "A", "tenure_months": 31, "as_of": "2026-11-21T05:00:00Z", "key_account": False},
    "treatment": {"service_level": "priority", "attend_by": "senior-agent", "spend_limit": None, "reasons": ["tier is MVC"]},
    "holdings": {"accounts": ["account:billing:A-1009"], "last_purchases": [], "usual_amount": None},
    "offers": [],
    "alerts": [],
    "people": [
        {
            "role": "account_owner",
            "staff_id": "s-17",
            "name": "Carlos Peña",
            "since": "2026-01-10T15:00:00Z",
            "handover_note": "Prefers to be visited in the morning",
            "previous": {"staff_id": "s-04", "name": "Marta Gil"},
        }
    ],
    "network": {
        "ties": [
            {
                "kind": "referred",
                "given": True,
                "count": 1,
                "others": [
                    {
                        "customer_id": "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d20",
                        "display_name": "Luisa Ríos",
                        "since": "2026-11-11T20:04:05Z",
                        "status": "converted",
                        "decision_role": None,
                    }
                ],
            }
        ],
        "reference": {"uses_left": 3, "offerings": ["maintenance"], "industry": "hotels"},
        "partner": None,
    },
    "continuity": {
        "as_of": "2026-11-21T16:10:00Z",
        "version": "5f0c1f6f0f0a4c1d9d0e",
        "conversation_id": "0198f6c2-8a11-7b02-8c11-1b1f0f5f8d11",
        "sources": [
            {"source": "interactions", "as_of": "2026-11-21T16:10:00Z", "lag_seconds": 0.0},
            {"source": "identity", "as_of": "2026-11-20T20:04:05Z", "lag_seconds": 0.2},
            {"source": "scoring", "as_of": "2026-11-21T05:00:00Z", "lag_seconds": 0.2},
        ],
        "missing": [],
        "truncated": False,
        "limits": {"traces": 200, "candidates": 20},
    },
}  # fmt: skip


GivenIdentifier = Annotated[str, Field(max_length=300)]  # as long as one may be, in a query as in a body


class ResumeQuestion(BaseModel):
    """Whom it is about, and how he is being served now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"identifiers": ["phone:300 123 4567"], "channel": "call", "topic": "factura", "view": "agent"}
            ]
        },
    )

    identifiers: list[GivenIdentifier] = Field(
        default=[],
        max_length=20,
        description="What the channel knows of him, `scheme:value`. Several narrow the choice",
    )
    customer_id: UUID | None = Field(default=None, description="Where he has been chosen or is known already")
    channel: str | None = Field(
        default=None, max_length=60, description="The channel that he is being served on (canal)"
    )
    topic: str | None = Field(
        default=None, max_length=100, description="What he comes about (tema): helps to choose the thread"
    )
    view: View | None = Field(
        default=None, description="Who is to see it; what the credential does not reach is refused"
    )
    partner: str | None = Field(
        default=None, max_length=100, description="With view=partner, for staff: as this partner would see it"
    )


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Asked(_Section):
    given: str
    normalised: str


class LastContact(_Section):
    occurred_at: datetime
    channel: str
    kind: str
    topic: str | None


class CandidateRead(_Section):
    """One of several whom the identifiers may mean: ask, then choose with `customer:<id>`."""

    customer_id: UUID
    preferred_name: str | None
    display_name: str | None
    last_contact: LastContact | None


class WhoRead(_Section):
    """R1. Who is speaking, and how sure we are."""

    recognised: Recognised
    customer_id: UUID | None
    confidence: float = Field(description="0 to 1: 1.0 when he is proven, lower for a phone only or for a claim")
    preferred_name: str | None
    display_name: str | None
    form_of_address: str | None
    kind: str | None
    candidates: list[CandidateRead] = Field(default=[], description="Agents only: at most 20")
    asked: list[Asked] = Field(default=[], description="Agents only: the identifiers as given and as we read them")


class AttendedBy(_Section):
    kind: str
    id: str | None
    name: str | None


class ResumePoint(_Section):
    """R2. Where the last talk stopped, over all channels (punto de reanudación)."""

    touchpoint_id: UUID
    conversation_id: UUID | None
    occurred_at: datetime
    channel: str
    direction: str
    kind: str
    site: str | None
    attended_by: AttendedBy | None
    topic: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    outcome: str | None


class ThreadRead(_Section):
    """R3. A conversation that is not closed (hilo abierto)."""

    conversation_id: UUID
    topic: str | None
    state: str = Field(description="waiting-us, waiting-customer or parked")
    started_at: datetime
    last_at: datetime
    age_hours: float = Field(description="Since it was opened")
    last_channel: str
    last_site: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    suggested: bool = Field(description="The one to go on with")


class RecapLine(_Section):
    """R4. One of the last ten contacts, the oldest first (recuento)."""

    touchpoint_id: UUID
    occurred_at: datetime
    channel: str
    kind: str
    direction: str
    topic: str | None
    summary: str | None
    outcome: str | None
    visibility: str | None = Field(default=None, description="Agents only")


class WorkInProgress(_Section):
    """R5. A form or session that he did not finish (trámite sin terminar)."""

    touchpoint_id: UUID
    conversation_id: UUID | None
    occurred_at: datetime
    channel: str
    form: str | None
    step: str | int | None
    draft: Any = Field(description="What he had filled in already")
    outcome: str | None


class CommitmentRead(_Section):
    """R6. What was promised, late ones first (compromiso)."""

    commitment_id: UUID
    by: str = Field(description="company or customer")
    text: str
    due_at: datetime | None
    state: str = Field(description="open, late or broken")
    made_at: datetime
    channel: str
    owner: str | None = Field(description="Who promised it")
    case_number: str | None
    earlier_dates: list[EarlierDate] = Field(description="By when it had been promised before, the first date first")


class CaseRead(_Section):
    """R7, R8. An open case (queja, reclamo, petición, sugerencia, felicitación)."""

    number: str
    kind: str
    severity: str
    about: str | None
    topic: str | None
    state: str
    channel: str
    occurred_at: datetime
    hours_open: float
    recovery_deadline: datetime | None
    days_left: int | None = Field(description="Of the thirty days in which he can be won back")
    last_step: dict[str, Any] | None
    verified_at: datetime | None
    recovered: bool | None
    nanny: str | None = Field(description="Who looks after him until it is well (niñera)")
    contacts: int | None = Field(default=None, description="Agents only: how often he had to contact us about it")
    owner: str | None = Field(default=None, description="Agents only")
    retention_critical: bool | None = Field(
        default=None, description="Agents only: the channel says that he may be lost over it"
    )


class KnownFact(_Section):
    """R9, R16. What we know and do not ask again (dato conocido), and what is in his mind."""

    key: str
    category: FactCategory | None = Field(description="What of him it tells: `need`, `fear`, `preference`")
    value: Any
    as_of: datetime | None
    source: str | None
    confidence: float | None
    expires_at: datetime | None
    stale: bool = Field(description="May be confirmed anew")


class Ask(_Section):
    """R10. A question of the drip dialogue (diálogo por goteo)."""

    question_id: str | None
    key: str | None
    text: str | None


class ContactRead(_Section):
    """R11. How he wants to be contacted (preferencias y consentimientos)."""

    ranking: list[str]
    quota_left: int | None
    max_contacts: int | None
    per_days: int | None
    quiet: bool
    quiet_until: datetime | None
    quiet_times: list[dict[str, Any]]
    time_zone: str
    consents: list[dict[str, Any]]
    do_not_contact: bool
    topics_out: list[str]
    visits: dict[str, Any]
    restricted: bool = Field(description="His data are stored and not used (tratamiento limitado)")


class OtherRead(_Section):
    customer_id: UUID
    display_name: str | None
    since: datetime
    status: str | None = Field(description="Of a referral: new, contacted, converted or declined")
    decision_role: str | None = Field(description="Who decides (quién decide)")


class TieRead(_Section):
    kind: str = Field(
        description="referred (referido), household_member (hogar), same_owner (mismo dueño), buys_through (compra por medio de), "
        "works_for (trabaja en), partner_of (socio de), relative_of (pariente), or a word of your own"
    )
    given: bool | None = Field(
        description="true: from him to the others (whom he sent us, through whom he buys); false: from them to him; null: mutual"
    )
    count: int
    others: list[OtherRead] = Field(description="The newest five; not who was erased, or whose data are not to be used")


class ReferenceRead(_Section):
    """He may be shown to prospects (cliente "show-room")."""

    uses_left: int
    offerings: list[str]
    industry: str | None


class PartnerRead(_Section):
    """A partner of ours (aliado), and how customers regard it."""

    kind: str | None
    standing: str | None
    active: bool | None


class NetworkRead(_Section):
    """R25. Whom he is tied to, and what he is to us himself (red de relaciones)."""

    ties: list[TieRead]
    reference: ReferenceRead | None
    partner: PartnerRead | None


class Freshness(_Section):
    source: str
    as_of: datetime
    lag_seconds: float = Field(description="How long its word took to reach us")


class Continuity(_Section):
    """R29. How fresh it is, and the conversation to continue."""

    as_of: datetime
    version: str = Field(description="The same whichever channel asks")
    conversation_id: UUID | None = Field(
        description="Send it with the touchpoint that goes on with the suggested thread"
    )
    sources: list[Freshness]
    missing: list[str] = Field(description="Services that have not spoken of him yet")
    truncated: bool = Field(description="An identifier reaches more than was looked at")
    limits: dict[str, int]


class ResumeRead(_Section):
    """All that is needed to pick up the thread (retomar el hilo)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    who: WhoRead
    resume_point: ResumePoint | None
    threads: list[ThreadRead]
    recap: list[RecapLine]
    work_in_progress: list[WorkInProgress]
    commitments: list[CommitmentRead]
    cases: list[CaseRead] = Field(default=[], description="Not in the partner view")
    suggestions: list[CaseRead] = Field(default=[], description="Not in the partner view")
    known: list[KnownFact]
    ask: list[Ask] = Field(default=[], description="Agent view only; at most two, none while a complaint is open")
    contact: ContactRead
    value: dict[str, Any] = Field(default={}, description="R12, agent view only: tier, ABC, tenure (valor)")
    treatment: dict[str, Any] = Field(default={}, description="R14, agent view only: how to treat him (trato)")
    holdings: dict[str, Any] = Field(description="R18. What he has and buys (lo que tiene y compra)")
    offers: list[dict[str, Any]] = Field(description="R19. Campaigns and quotes, and what he said to them (ofertas)")
    alerts: list[dict[str, Any]] = Field(default=[], description="R20, agent view only (alertas)")
    people: list[dict[str, Any]] = Field(description="R21. Who of us looks after him (personas a su lado)")
    network: NetworkRead | None = Field(
        default=None, description="R25, agent view only: referrals, household, owners, partners (red de relaciones)"
    )
    continuity: Continuity
