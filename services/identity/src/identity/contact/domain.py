"""How a customer may be contacted: his preferences, his consents, and which of two contradicting ones holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from common.moments import written


@dataclass(frozen=True)
class Preference:
    """What he asked for as of a moment, whole."""

    trace_id: UUID
    body: dict[str, Any]
    at: datetime
    by: str


@dataclass(frozen=True)
class Consent:
    """One entry of the ledger: given or withdrawn, for a purpose, on a channel ("*": all)."""

    consent_id: UUID
    trace_id: UUID
    purpose: str
    channel: str
    granted: bool
    given_at: datetime
    recorded_at: datetime
    source: str
    evidence: str
    by: str


def effective_consents(entries: Iterable[Consent], *, merged_at: datetime | None) -> list[Consent]:
    """For each purpose and channel the entry that holds. Within one person's series the latest does.

    Where a merge brought two series together and one of them says no, no holds until he grants again after the merge.
    """
    series: dict[tuple[str, str], dict[UUID, Consent]] = {}
    for entry in sorted(entries, key=lambda e: (e.given_at, e.recorded_at, e.consent_id)):
        series.setdefault((entry.purpose, entry.channel), {})[entry.trace_id] = entry
    return [_holding(list(latest.values()), merged_at) for _, latest in sorted(series.items())]


def _holding(latest: Sequence[Consent], merged_at: datetime | None) -> Consent:
    newest = max(latest, key=lambda e: (e.given_at, e.recorded_at, e.consent_id))
    refusals = [entry for entry in latest if not entry.granted]
    if not refusals or not newest.granted:
        return newest
    refused = max(refusals, key=lambda e: (e.given_at, e.recorded_at, e.consent_id))
    granted_again = merged_at is None or newest.recorded_at > merged_at
    return newest if granted_again else refused


def contact_of(
    preferences: Iterable[Preference], consents: Iterable[Consent], *, merged_at: datetime | None
) -> dict[str, Any]:
    """The content of ContactChanged. The latest preferences hold; "do not contact" holds until he says otherwise himself."""
    latest: dict[UUID, Preference] = {}
    for each in sorted(preferences, key=lambda p: p.at):
        latest[each.trace_id] = each
    newest = max(latest.values(), key=lambda p: p.at, default=None)
    body = dict(newest.body) if newest is not None else {}
    since_merge = newest is not None and (merged_at is None or newest.at > merged_at)
    refused = any(each.body.get("do_not_contact") for each in latest.values())
    return {
        "ranking": body.get("ranking") or [],
        "max_contacts": body.get("max_contacts"),
        "per_days": body.get("per_days"),
        "quiet_times": body.get("quiet_times") or [],
        "time_zone": body.get("time_zone"),
        "do_not_contact": bool(body.get("do_not_contact")) if since_merge else refused,
        "consents": [
            {"purpose": e.purpose, "channel": e.channel, "granted": e.granted, "at": written(e.given_at)}
            for e in effective_consents(consents, merged_at=merged_at)
        ],
    }
