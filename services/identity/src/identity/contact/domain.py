"""How a customer may be contacted: his preferences, his consents, and which of two contradicting ones holds."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from common.errors import Conflict, Invalid
from common.moments import written

EVERY = "*"  # channel, or purpose
NO_VISITS = "no-visits"


class UnknownChannel(Invalid):
    code = "unknown-channel"
    title = "The company has no such channel"


class UseRestricted(Conflict):
    code = "use-restricted"
    title = "The use of his data is restricted: they are stored, and nothing is done with them"


def check_channel(channel: str, known: Collection[str]) -> None:
    """What is withdrawn on a channel that nobody asks about would never hold. Raises UnknownChannel."""
    if channel != EVERY and channel not in known:
        raise UnknownChannel(f"The channels are {', '.join(sorted(known))}, and * for all of them", pointer="/channel")


def check_ranking(channels: Iterable[str], known: Collection[str]) -> None:
    """Raises UnknownChannel, naming the place: nobody would ever be contacted there."""
    for place, channel in enumerate(channels):
        if channel not in known:
            raise UnknownChannel(f"The channels are {', '.join(sorted(known))}", pointer=f"/ranking/{place}")


@dataclass(frozen=True)
class Preference:
    """What he asked for as of a moment, whole."""

    trace_id: UUID
    body: dict[str, Any]
    at: datetime
    by: str


@dataclass(frozen=True)
class Consent:
    """One entry of the ledger: given or withdrawn, for a purpose, on a channel (`*`: all)."""

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


PROCESSING = "processing"  # the purpose whose refusal restricts the use of everything that is on record


Together = Callable[
    [UUID, UUID], datetime | None
]  # when a merge made two traces one customer's; None: they always were


def effective_consents(entries: Iterable[Consent], *, together: Together) -> list[Consent]:
    """For each purpose and channel the entry that holds. Within one person's series the latest does.

    Where a merge brought two series together and one of them says no, no holds until he grants again after that merge; also
    where the one said it of all channels or purposes and the other granted a single one, or the other way round. A merge with somebody who
    said nothing of it changes nothing.
    """
    series: dict[tuple[str, str], list[Consent]] = {}
    for entry in sorted(entries, key=_order):
        series.setdefault((entry.purpose, entry.channel), []).append(entry)
    standing = {what: _not_outdated(said, together) for what, said in sorted(series.items())}
    holding = [next((e for e in reversed(said) if not e.granted), said[-1]) for said in standing.values()]
    said = [entry for left in standing.values() for entry in left]
    return [_tightened(entry, said, together) for entry in holding]


def _not_outdated(series: Sequence[Consent], together: Together) -> list[Consent]:
    """Of one purpose and channel, in order: what nobody took back who was the same customer by then."""
    return [
        entry for place, entry in enumerate(series)
        if not any(_were_one(entry, later, later.recorded_at, together) for later in series[place + 1 :])
    ]  # fmt: skip


def _were_one(one: Consent | Preference, other: Consent | Preference, moment: datetime, together: Together) -> bool:
    joined_at = None if one.trace_id == other.trace_id else together(one.trace_id, other.trace_id)
    return joined_at is None or moment > joined_at


def _order(entry: Consent) -> tuple[datetime, datetime, UUID]:
    return entry.given_at, entry.recorded_at, entry.consent_id


def _tightened(entry: Consent, said: Iterable[Consent], together: Together) -> Consent:
    """A refusal that the other's wider or narrower grant would outdate holds as of the merge."""
    if entry.granted:
        return entry
    merges = [
        joined_at
        for other in said
        if other.granted and other.trace_id != entry.trace_id and _order(other) > _order(entry) and _overlap(entry, other)
        and (joined_at := together(entry.trace_id, other.trace_id)) is not None
        and max(entry.recorded_at, other.recorded_at) <= joined_at
    ]  # fmt: skip
    return replace(entry, given_at=max(merges)) if merges else entry


def _overlap(one: Consent, other: Consent) -> bool:
    pairs = ((one.purpose, other.purpose), (one.channel, other.channel))
    return all(covers(mine, theirs) or covers(theirs, mine) for mine, theirs in pairs)


def covers(said: str, asked: str) -> bool:
    """Whether what was said of a purpose, or of a channel, was said of the one that is asked for."""
    return said in (asked, EVERY)


def contact_of(preferences: Iterable[Preference], consents: Iterable[Consent], *, together: Together) -> dict[str, Any]:
    """The content of ContactChanged. The latest preferences hold; what two people asked for before a merge, the tighter of both."""
    latest: dict[UUID, Preference] = {}
    for each in sorted(preferences, key=lambda p: p.at):
        latest[each.trace_id] = each
    newest = max(latest.values(), key=lambda p: p.at, default=None)
    body = dict(newest.body) if newest is not None else {}
    wishes = [
        wish.body
        for wish in latest.values()
        if not any(later.at > wish.at and _were_one(wish, later, later.at, together) for later in latest.values())
    ]
    holding = effective_consents(consents, together=together)
    return {
        "ranking": body.get("ranking") or [],
        **_tightest_frequency(wishes),
        "quiet_times": _each_once(quiet for wish in wishes for quiet in wish.get("quiet_times") or []),
        "time_zone": body.get("time_zone"),
        "do_not_contact": any(wish.get("do_not_contact") for wish in wishes),
        "topics_out": sorted({topic for wish in wishes for topic in wish.get("topics_out") or []}),
        "visits": _visits_refused(wishes) or body.get("visits") or {},
        "restricted": _is_restricted([e for e in holding if e.purpose == PROCESSING]),
        "consents": [
            {"purpose": e.purpose, "channel": e.channel, "granted": e.granted, "at": written(e.given_at)}
            for e in holding
        ],
    }


def _is_restricted(said: Collection[Consent]) -> bool:
    """Whether he refuses the processing, on whichever channel he said so; a grant for all channels lifts what was refused before."""
    lifted = [entry.given_at for entry in said if entry.granted and entry.channel == EVERY]
    return any(not entry.granted and all(entry.given_at >= at for at in lifted) for entry in said)


def _tightest_frequency(wishes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The fewest contacts a day that anybody asked for."""
    asked = [
        (w["max_contacts"], w["per_days"]) for w in wishes if w.get("max_contacts") is not None and w.get("per_days")
    ]
    most, days = min(asked, key=lambda wish: (wish[0] / wish[1], -wish[1]), default=(None, None))
    return {"max_contacts": most, "per_days": days}


def _visits_refused(wishes: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    asked = (wish.get("visits") or {} for wish in wishes)
    return next((visits for visits in asked if visits.get("announce") == NO_VISITS), None)


def _each_once(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
