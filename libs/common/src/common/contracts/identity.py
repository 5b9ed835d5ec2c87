"""What identity tells: who owns which trace, how a customer is known and wants to be treated, which credentials are valid."""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from common.events import EventData, register

TOPIC = "identity.v1"
PEOPLE = "identity.people.v1"


class Move(BaseModel):
    """One trace given to a customer. `proof` says on what ground: attested and person open a customer's own view, claimed does not."""

    model_config = ConfigDict(frozen=True)

    trace_id: UUID
    customer_id: UUID | None = None  # None: the trace belongs to nobody (any more)
    revision: int  # per trace; the highest wins
    proof: Literal["attested", "claimed", "person"] = "claimed"


class LinksChanged(EventData):
    """The one event of every link, merge and undo (at most 1,000 moves each; a decision may need several)."""

    type: ClassVar[str] = "identity.links-changed"
    topic: ClassVar[str] = TOPIC

    decision_id: UUID
    kind: Literal["link", "merge", "undo", "split", "republish", "erase"]
    moves: list[Move]

    def key(self) -> str:
        return str(self.decision_id)


class CustomerChanged(EventData):
    """A customer exists, or was absorbed and where he went. State event: the highest revision wins."""

    type: ClassVar[str] = "identity.customer-changed"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    revision: int
    kind: Literal["person", "organisation", "household"] = "person"
    state: Literal["active", "merged", "archived", "erased"]
    merged_into: UUID | None = None
    since: AwareDatetime | None = None
    key_account: bool = False

    def key(self) -> str:
        return str(self.customer_id)


class ContactChanged(EventData):
    """How a customer may be contacted: preferences and consents in codes. State event of all of it."""

    type: ClassVar[str] = "identity.contact-changed"
    topic: ClassVar[str] = TOPIC

    customer_id: UUID
    revision: int
    ranking: list[str] = []  # channels, the preferred one first
    max_contacts: int | None = None
    per_days: int | None = None
    quiet_times: list[
        dict[str, Any]
    ] = []  # {"days": [1..7], "from": "21:00", "to": "07:00"} in the customer's time zone
    time_zone: str | None = None
    do_not_contact: bool = False
    topics_out: list[str] = []  # topics that he does not want to hear of
    consents: list[
        dict[str, Any]
    ] = []  # {"purpose", "channel" ("*" for all), "granted": bool, "at"}: the latest of each
    restricted: bool = False  # his data are stored and not used: no signal, no contact, no resume
    visits: dict[str, Any] = {}  # how he wants to be visited: {"announce", "weekdays", "from", "to", "place", ...}

    def key(self) -> str:
        return str(self.customer_id)


class CustomerProfiled(EventData):
    """How a customer is known, ready for the resume: names, facts, the next questions, accounts, people around him, his network.

    People topic: kept for days, never replayed; identity republishes it. State event: the highest revision wins.
    """

    type: ClassVar[str] = "identity.customer-profiled"
    topic: ClassVar[str] = PEOPLE

    customer_id: UUID
    revision: int
    kind: str = "person"
    display_name: str | None = None
    preferred_name: str | None = None
    form_of_address: str | None = None
    known: list[
        dict[str, Any]
    ] = []  # {"key","value","as_of","source","confidence","expires_at","sensitivity": public|internal}; value null: taken away
    ask: list[dict[str, Any]] = []  # the next questions, best first: {"question_id","key","text","channels"}
    accounts: list[str] = []  # identifiers of scheme account, normalised text
    people: list[dict[str, Any]] = []  # {"role": "account_owner"|..., "staff_id","name","since","handover_note",
    # "previous": {"staff_id","name"} | null: who had the role before}
    # of an organisation its own people too: role "contact", with "customer_id","function","seniority","decision_role","confirmed_at"
    network: dict[
        str, Any
    ] = {}  # {"ties": [{"kind","given","count","others": [{"customer_id","since","status","decision_role"}]}],
    # "reference": {"uses_left","offerings","industry"} | null, "partner": {"kind","standing","active"} | null}; {}: nobody
    # others by their ids alone, at most five of a kind: whoever tells of them knows how they are called by now

    def key(self) -> str:
        return str(self.customer_id)


class CustomerErased(EventData):
    """A customer is to be forgotten: each service takes out what it has of these traces and customers, and says so.

    Whatever was recorded on them until `erased_at`, or occurred until then, is dropped wherever it turns up, a replay
    included. At most 1,000 traces each: a large customer has several parts.
    """

    type: ClassVar[str] = "identity.customer-erased"
    topic: ClassVar[str] = TOPIC

    erasure_id: UUID
    part: int = 0
    customer_id: UUID
    customers: list[UUID]  # himself, and those whom he absorbed
    traces: list[UUID]
    erased_at: AwareDatetime

    def key(self) -> str:
        return str(self.customer_id)


class GuardTripped(EventData):
    """A guard against false merges bit: too many share an identifier, a customer gathers too many, a number is another's.

    `figures` are counts and limits; no value of an identifier ever. Told once about the same thing.
    """

    type: ClassVar[str] = "identity.guard-tripped"
    topic: ClassVar[str] = TOPIC

    trip_id: UUID
    guard: Literal["shared-identifier", "gathers-too-many", "unique-identifier", "blocked-identifier"]
    scheme: str
    identifier_id: UUID | None = None
    customer_id: UUID | None = None
    trace_id: UUID | None = None
    figures: dict[str, Any] = {}
    at: AwareDatetime

    def key(self) -> str:
        return str(self.customer_id or self.identifier_id or self.trip_id)


class AccessChanged(EventData):
    """A credential was made or taken away. The hash, never the key. State event by key id."""

    type: ClassVar[str] = "identity.access-changed"
    topic: ClassVar[str] = TOPIC

    key_id: str
    revision: int
    hash: str
    scopes: list[str]
    source: str | None = None
    attests: list[str] = []  # schemes, or ["*"]
    subject: str | None = None  # "customer:<id>" or "partner:<name>"; none for staff and systems
    name: str = ""
    revoked: bool = False

    def key(self) -> str:
        return self.key_id


register(LinksChanged, CustomerChanged, ContactChanged, CustomerProfiled, CustomerErased, AccessChanged, GuardTripped)
