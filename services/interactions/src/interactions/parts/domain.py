"""Which word of another service becomes which part of the resume."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.contracts.identity import ContactChanged, CustomerProfiled
from common.contracts.scoring import ValueChanged
from common.contracts.service_audit import MomentFailed
from common.events import Event

PROFILE = "identity"
CONTACT = "identity-contact"
VALUE = "scoring"
LONGEST_NAME = 200
_SOURCES: dict[type, str] = {CustomerProfiled: PROFILE, ContactChanged: CONTACT, ValueChanged: VALUE}


@dataclass(frozen=True)
class Part:
    """What one source says of one customer, as of when it said so and when it reached us."""

    customer_id: UUID
    source: str
    revision: int
    as_of: datetime
    received_at: datetime
    body: dict[str, Any]


@dataclass(frozen=True)
class Said:
    """The same as it has just been said: `body` is JSON as it will be stored, never taken apart."""

    customer_id: UUID
    source: str
    revision: int
    as_of: datetime
    received_at: datetime
    body: str


@dataclass(frozen=True)
class FailedMoment:
    """A moment of truth (momento de verdad) that missed its standard, or did not after all."""

    evidence_id: UUID
    trace_id: UUID
    cycle: str
    moment: str
    name: str
    critical: bool
    at: datetime
    detail: dict[str, Any]
    taken_back: bool
    told_at: datetime
    received_at: datetime


def parts_of(events: Iterable[Event], *, now: datetime) -> list[Said]:
    """The latest part of each customer and source among `events`, whatever their order."""
    latest: dict[tuple[UUID, str], Event] = {}
    for event in events:
        source = _SOURCES.get(type(event.data))
        if source is None:
            continue
        key = (event.data.customer_id, source)
        if key not in latest or latest[key].data.revision < event.data.revision:
            latest[key] = event
    return [_said(event, source, now) for (_, source), event in latest.items()]


def moments_of(events: Iterable[Event], *, now: datetime) -> list[FailedMoment]:
    """The latest verdict on each failed moment among `events`, whatever their order."""
    latest: dict[UUID, FailedMoment] = {}
    for event in events:
        if not isinstance(event.data, MomentFailed):
            continue
        said = _moment_of(event, event.data, now)
        if said.evidence_id not in latest or latest[said.evidence_id].told_at <= said.told_at:
            latest[said.evidence_id] = said
    return list(latest.values())


def _said(event: Event, source: str, now: datetime) -> Said:
    data = event.data
    as_of = data.as_of if isinstance(data, ValueChanged) else event.time
    body = data.model_dump_json(exclude={"customer_id", "revision", "as_of"})
    return Said(data.customer_id, source, data.revision, as_of, now, body)


def _moment_of(event: Event, data: MomentFailed, now: datetime) -> FailedMoment:
    return FailedMoment(
        evidence_id=data.evidence_id,
        trace_id=data.trace_id,
        cycle=data.cycle,
        moment=data.moment,
        name=data.name[:LONGEST_NAME],
        critical=data.critical,
        at=data.at,
        detail=data.detail,
        taken_back=data.taken_back,
        told_at=event.time,
        received_at=now,
    )
