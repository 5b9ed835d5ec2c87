"""Who is meant, how sure we are, and what of his history each reader may see. Pure: rows in, rows out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from common.errors import Forbidden, NotFound
from interactions.parts.domain import FailedMoment, Part

View = Literal["agent", "partner", "customer"]
Recognised = Literal["customer", "candidates", "anonymous", "unknown"]

MOST_TRACES = 200  # looked at for one identifier; a switchboard's number reaches thousands
MOST_CANDIDATES = 20
EXCERPT = 200  # characters of what was said, where nobody summed it up
PERSONAL = frozenset({"document", "account", "email", "partner"})
PROVEN = frozenset({"attested", "person"})
PROVISIONAL = 0.9  # identity has not spoken yet: our own guess counts a little less

# How sure an identifier makes us of the person. Phones and devices are shared and change hands, whoever attests them.
# Whether it is personal, whether it is proven.
_CONFIDENCE: dict[tuple[bool, bool], float] = {
    (True, True): 1.0,
    (True, False): 0.9,
    (False, True): 0.9,
    (False, False): 0.7,
}
_CONFIDENCE_OF_DEVICE = 0.5


class ViewForbidden(Forbidden):
    code = "view-forbidden"
    title = "The credential does not reach this view"


class UnknownCustomer(NotFound):
    code = "unknown-customer"
    title = "No customer under that id"


@dataclass(frozen=True)
class Reader:
    """Who reads: the view, and whose data alone it shows. Staff that looks at a customer's view sees what he would see."""

    view: View
    bound: bool = False  # the credential itself is bound to a subject: what it does not reach does not exist for it
    customer_id: UUID | None = None
    partner: str | None = None
    source: str | None = None

    @property
    def internal(self) -> bool:
        return self.view == "agent"

    @property
    def restricted_to_partner(self) -> bool:
        return self.view == "partner" and (self.partner is not None or self.bound)


@dataclass(frozen=True)
class Question:
    """What the caller asked: by whom, on which channel, about which topic (our word for it)."""

    identifier_ids: frozenset[UUID] = frozenset()
    customer_ids: tuple[UUID, ...] = ()
    channel: str | None = None
    topic: str | None = None
    asked: tuple[Mapping[str, str], ...] = ()  # given and normalised, as they are answered


@dataclass(frozen=True)
class Reached:
    """A trace that carries one of the identifiers asked for, and whose it is."""

    identifier_id: UUID
    scheme: str
    trace_id: UUID
    customer_id: UUID | None
    revision: int
    proof: str | None
    absorbed: bool = False  # the customer went on as another one


@dataclass(frozen=True)
class Who:
    """The outcome of a lookup."""

    recognised: Recognised
    customer_id: UUID | None = None
    confidence: float = 0.0
    candidates: tuple[UUID, ...] = ()
    anonymous: tuple[UUID, ...] = ()  # the traces of nobody yet
    truncated: bool = False


# Ids of what is on record are text, as they are answered: they are told, compared, and never looked up.


@dataclass(frozen=True)
class Trace:
    """A trail of the customer's, and on what ground it is his."""

    trace_id: str
    proof: str | None
    revision: int

    @property
    def proven(self) -> bool:
        return self.proof in PROVEN


class Touchpoint(NamedTuple):  # not a dataclass: a dozen are made for every reading, and it is ten times as quick
    """One contact of the log, as far as a resume tells of it."""

    touchpoint_id: str
    trace_id: str
    kind: str
    channel: str
    direction: str
    site: str | None
    occurred_at: datetime
    recorded_at: datetime
    source: str
    partner: str | None
    actor_kind: str | None
    actor_id: str | None
    actor_name: str | None
    topic: str | None
    content: str | None
    summary: str | None
    stop_point: str | None
    next_step: str | None
    outcome: str | None
    visibility: str
    case_number: str | None
    payload: Mapping[str, Any]
    profile: Mapping[str, Any]
    facts: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]
    conversation_id: str | None


@dataclass(frozen=True)
class Thread:
    """A conversation that is not closed."""

    conversation_id: str
    topic: str | None
    state: str
    started_at: datetime
    last_at: datetime
    last_channel: str
    last_site: str | None
    stop_point: str | None
    next_step: str | None
    summary: str | None


@dataclass(frozen=True)
class Commitment:
    """A promise (compromiso) that is neither kept nor waived."""

    commitment_id: str
    trace_id: str
    touchpoint_id: str
    case_number: str | None
    by: str
    text: str
    owner: str | None
    owner_name: str | None
    channel: str
    visibility: str
    due_at: datetime | None
    state: str
    made_at: datetime
    moved_at: datetime
    backfill: bool
    earlier_dates: Sequence[Mapping[str, Any]] | None = None
    partner: str | None = None
    source: str | None = None
    recorded_at: datetime | None = None

    def alarms_at(self, now: datetime) -> bool:
        """A late promise of ours. What was due before history was loaded is shown as of its time and sets nothing off."""
        if self.by != "company" or self.state_at(now) not in {"late", "broken"}:
            return False
        known_at = self.recorded_at or self.moved_at
        return self.state == "broken" or not (self.backfill and self.due_at is not None and self.due_at <= known_at)

    def state_at(self, now: datetime) -> str:
        """Late as soon as its time has passed, whether its timer has fired or not."""
        return "late" if self.state == "open" and self.due_at is not None and self.due_at < now else self.state


@dataclass(frozen=True)
class CaseFile:
    """An open case (PQR), with the last step taken on it."""

    number: str
    trace_id: str
    kind: str
    severity: str
    about: str | None
    topic: str | None
    channel: str
    state: str
    occurred_at: datetime
    recovery_deadline: datetime | None
    verified_at: datetime | None
    recovered: bool | None
    contacts_count: int
    owner: str | None
    retention_critical: bool
    last_step: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LastContact:
    """When and how we last heard of somebody."""

    occurred_at: datetime
    channel: str
    kind: str
    topic: str | None


@dataclass(frozen=True)
class Candidate:
    """One of several customers whom the identifiers may mean, with what helps an agent to choose."""

    customer_id: UUID
    preferred_name: str | None
    display_name: str | None
    last_contact: LastContact | None


@dataclass(frozen=True)
class Memory:
    """All that is on record here of one party."""

    traces: tuple[Trace, ...] = ()
    touchpoints: tuple[Touchpoint, ...] = ()  # the latest first
    threads: tuple[Thread, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    cases: tuple[CaseFile, ...] = ()
    outbound: tuple[datetime, ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    moments: tuple[FailedMoment, ...] = ()
    key_account: bool = False
    since: datetime | None = None
    beside: Mapping[str, str | None] = field(default_factory=dict)  # how those of his network are called, by their ids
    linked: bool = False  # traces that were nobody's when they led here are somebody's by now
    # What was made of it, by reader: a memory that is changed is another one, of which nothing has been made.
    made: dict[Reader, dict[str, Any]] = field(default_factory=dict, init=False, compare=False, repr=False)


def recognise(reached: Sequence[Reached], *, truncated: bool = False) -> Who:
    """One customer: recognised. Several: candidates. None yet, but traces: an anonymous history. Nothing: unknown.

    Of several identifiers each narrows the choice: if together they leave one customer, he is meant.
    """
    owned = [trace for trace in reached if trace.customer_id is not None]
    if not owned:
        traces = tuple(dict.fromkeys(trace.trace_id for trace in reached))
        return Who("anonymous" if traces else "unknown", anonymous=traces, truncated=truncated)
    meant = _narrowed(owned)
    if len(meant) == 1:
        return Who("customer", meant[0], confidence_of(meant[0], owned), truncated=truncated)
    return Who(
        "candidates", candidates=tuple(meant[:MOST_CANDIDATES]), truncated=truncated or len(meant) > MOST_CANDIDATES
    )


def _narrowed(owned: Iterable[Reached]) -> list[UUID]:
    by_identifier: dict[UUID, dict[UUID, None]] = {}
    for trace in owned:
        if trace.customer_id is not None:
            by_identifier.setdefault(trace.identifier_id, {})[trace.customer_id] = None
    every = list(dict.fromkeys(customer for customers in by_identifier.values() for customer in customers))
    common = [customer for customer in every if all(customer in customers for customers in by_identifier.values())]
    return common or every


def confidence_of(customer_id: UUID, reached: Iterable[Reached]) -> float:
    """How sure the identifiers make us that it is he.

    1.0 for a personal identifier that is attested or that a person decided on, .9 where only one of the two holds, .7 for a
    claimed phone, .5 for a device; a provisional link counts .9 of that. Several identifiers: 1 - the product of the doubts.
    """
    best: dict[UUID, float] = {}
    for trace in reached:
        if trace.customer_id == customer_id:
            best[trace.identifier_id] = max(best.get(trace.identifier_id, 0.0), _certainty(trace))
    doubt = 1.0
    for certainty in best.values():
        doubt *= 1 - certainty
    return round(1 - doubt, 2)


def _certainty(trace: Reached) -> float:
    if trace.scheme == "customer":
        return 1.0
    if trace.scheme == "device":
        return _CONFIDENCE_OF_DEVICE
    certainty = _CONFIDENCE[trace.scheme in PERSONAL, trace.proof in PROVEN]
    return certainty if trace.revision > 0 else round(certainty * PROVISIONAL, 2)


def for_reader(memory: Memory, reader: Reader) -> Memory:
    """What of it this reader may see.

    An agent sees all; a customer what is proven to be his and meant for him; a partner what is meant for the customer and
    came through himself.
    """
    if reader.internal:
        return memory
    seen = _Seen(memory, reader)
    return replace(
        memory,
        touchpoints=tuple(filter(seen.touchpoint, memory.touchpoints)),
        threads=_retold(memory.threads, [t for t in memory.touchpoints if seen.touchpoint(t)]),
        commitments=tuple(filter(seen.commitment, memory.commitments)),
        # a case is meant for whom its complaint is, which only the statement knows: `memory` holds no other
        cases=tuple(case for case in memory.cases if case.trace_id in seen.traces),
        moments=(),
    )


class _Seen:
    def __init__(self, memory: Memory, reader: Reader) -> None:
        self._reader = reader
        proven_only = reader.view == "customer"
        self.traces = {trace.trace_id for trace in memory.traces if trace.proven or not proven_only}

    def touchpoint(self, contact: Touchpoint) -> bool:
        return self._shown(contact.trace_id, contact.visibility, contact.partner, contact.source)

    def commitment(self, promise: Commitment) -> bool:
        return self._shown(promise.trace_id, promise.visibility, promise.partner, promise.source)

    def _shown(self, trace_id: str, visibility: str, partner: str | None, source: str | None) -> bool:
        if visibility != "customer" or trace_id not in self.traces:
            return False
        return not self._reader.restricted_to_partner or came_through(self._reader, partner=partner, source=source)


def came_through(reader: Reader, *, partner: str | None, source: str | None) -> bool:
    """Whether something came through the partner who reads; where another partner is named, it did not."""
    if partner is not None:
        return partner == reader.partner
    return reader.source is not None and source == reader.source


def _retold(threads: Iterable[Thread], seen: Iterable[Touchpoint]) -> tuple[Thread, ...]:
    """The threads as the visible touchpoints alone tell them: what an internal note added stays out."""
    by_thread: dict[str, list[Touchpoint]] = {}
    for contact in seen:
        if contact.conversation_id is not None:
            by_thread.setdefault(contact.conversation_id, []).append(contact)
    return tuple(
        _as_told_by(thread, contacts) for thread in threads if (contacts := by_thread.get(thread.conversation_id))
    )


def _as_told_by(thread: Thread, contacts: Sequence[Touchpoint]) -> Thread:
    return replace(thread, **told_by(contacts, topic=thread.topic))


def told_by(contacts: Sequence[Any], *, topic: str | None) -> dict[str, Any]:
    """What some contacts of a thread, the latest first, tell of it by themselves; its topic only where one of them names it."""
    last = max(contacts, key=lambda contact: contact.occurred_at)
    told = next((contact for contact in contacts if contact.stop_point or contact.next_step), None)
    return {
        "topic": topic if any(contact.topic == topic for contact in contacts) else None,
        "last_at": last.occurred_at,
        "last_channel": last.channel,
        "last_site": last.site,
        "stop_point": told.stop_point if told else None,
        "next_step": told.next_step if told else None,
        "summary": next((contact.summary for contact in contacts if contact.summary), None),
    }
