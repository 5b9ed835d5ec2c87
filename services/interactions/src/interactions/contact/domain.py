"""Whether we may contact a customer now: his wishes, his consents, his quiet times, and how often we wrote already."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from common.errors import Invalid

# Purposes that serve what the customer himself began or is owed; every other one needs his consent.
SERVING = frozenset({"service", "transactional", "legal"})
# What counts as our having contacted him; a receipt or a note does not.
CONTACTS = ("message", "call", "visit", "campaign_send")
MOST_CONTACTS = 1_000  # as many as somebody may say that he accepts: no more of them are counted
DEFAULT_WINDOW_DAYS = 30
LIVE_TALK = timedelta(hours=1)  # he wrote himself just now: an answer does not disturb his quiet time
EVERY_DAY = frozenset(range(1, 8))


class UnknownChannel(Invalid):
    code = "unknown-channel"
    title = "The company has no such channel"


def check_channel(channel: str, known: Collection[str]) -> None:
    """What he withdrew on a channel would not hold for one that is only spelt otherwise. Raises UnknownChannel."""
    if channel not in known:
        raise UnknownChannel(f"The channels are {', '.join(sorted(known))}", pointer="/query/channel")


@dataclass(frozen=True)
class QuietTime:
    """From when to when, on which days (1 is Monday), he does not want to be disturbed. It may pass midnight."""

    days: frozenset[int]
    start: time
    end: time

    def end_at(self, local: datetime) -> datetime | None:
        """When the quiet time that holds at `local` ends; None when none holds."""
        begin = self._began(local)
        if begin is None:
            return None
        following = self.end <= self.start
        return datetime.combine(begin.date() + timedelta(days=following), self.end, tzinfo=local.tzinfo)

    def _began(self, local: datetime) -> datetime | None:
        moment, yesterday = local.time().replace(tzinfo=None), local - timedelta(days=1)
        overnight = self.end <= self.start
        if local.isoweekday() in self.days and self.start <= moment and (overnight or moment < self.end):
            return local
        if overnight and yesterday.isoweekday() in self.days and moment < self.end:
            return yesterday
        return None


@dataclass(frozen=True)
class Consent:
    """He granted or withdrew the use of a channel (`*`: all) for a purpose."""

    purpose: str
    channel: str
    granted: bool
    at: datetime

    def covers(self, purpose: str, channel: str) -> bool:
        return self.purpose in (purpose, "*") and self.channel in (channel, "*")


@dataclass(frozen=True)
class Wishes:
    """How a customer wants to be contacted (preferencias de contacto), and what his value means for what we pay."""

    time_zone: str
    ranking: tuple[str, ...] = ()
    max_contacts: int | None = None
    per_days: int = DEFAULT_WINDOW_DAYS
    quiet_times: tuple[QuietTime, ...] = ()
    do_not_contact: bool = False
    consents: tuple[Consent, ...] = ()
    topics_out: frozenset[str] = frozenset()
    suppress_paid_outbound: bool = False
    restricted: bool = False  # his data are stored and not used

    def quiet_until(self, now: datetime) -> datetime | None:
        """When his present quiet time ends, in UTC; None when we may disturb him. Windows that touch are one."""
        local = now.astimezone(_zone(self.time_zone))
        until: datetime | None = None
        for _ in range(14):
            ends = [end for quiet in self.quiet_times if (end := quiet.end_at(until or local)) is not None]
            if not ends:
                break
            until = _after(until or local, max(ends))
        return None if until is None else until.astimezone(UTC)

    def contacts_in_window(self, outbound: Sequence[datetime], now: datetime) -> int:
        return sum(now - timedelta(days=self.per_days) < at <= now for at in outbound)

    def quota_left(self, outbound: Sequence[datetime], now: datetime) -> int | None:
        """How many contacts of ours he still accepts in his window; None when he set no limit."""
        if self.max_contacts is None:
            return None
        return max(0, self.max_contacts - self.contacts_in_window(outbound, now))

    def consent(self, purpose: str, channel: str) -> bool | None:
        """His latest word on it; None when he never said. Of two at once the refusal counts."""
        said = [consent for consent in self.consents if consent.covers(purpose, channel)]
        if not said:
            return None
        return max(said, key=lambda consent: (consent.at, not consent.granted)).granted


def _after(moment: datetime, end: datetime) -> datetime:
    """The end of a window that holds at the moment: in the night in which an hour is told twice, the second of its two."""
    return end if end.astimezone(UTC) > moment.astimezone(UTC) else end.replace(fold=1)


@dataclass(frozen=True)
class Talk:
    """What is going on with him now: whether a thread or a case is open, and when he last wrote himself."""

    open: bool = False
    last_inbound: datetime | None = None
    outbound: tuple[datetime, ...] = ()
    archived: bool = False  # put aside as dead or long gone, until he comes back himself


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against the contact (`blocks`), or that allows it in spite of it."""

    code: str
    detail: str
    blocks: bool
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Request:
    """Somebody wants to contact him by a channel, for a purpose, perhaps about a topic."""

    channel: str
    purpose: str
    topic: str | None = None
    paid: bool = False  # our start of a contact on this channel is paid to a carrier


def wishes_of(contact: Mapping[str, Any] | None, value: Mapping[str, Any] | None, *, time_zone: str) -> Wishes:
    """From what identity and scoring said of him; `time_zone` is the company's, where he has none of his own."""
    said = contact or {}
    return Wishes(
        time_zone=said.get("time_zone") or time_zone,
        ranking=tuple(said.get("ranking") or ()),
        max_contacts=said.get("max_contacts"),
        per_days=said.get("per_days") or DEFAULT_WINDOW_DAYS,
        quiet_times=tuple(quiet for raw in said.get("quiet_times") or () if (quiet := _quiet(raw)) is not None),
        do_not_contact=bool(said.get("do_not_contact")),
        consents=tuple(_consent(raw) for raw in said.get("consents") or ()),
        topics_out=frozenset(said.get("topics_out") or ()),
        restricted=bool(said.get("restricted")),
        suppress_paid_outbound=bool((value or {}).get("suppress_paid_outbound")),
    )


def decide(request: Request, wishes: Wishes, talk: Talk, *, now: datetime) -> Decision:
    """Yes or no, and every reason.

    An answer within an open conversation is service: it needs no marketing consent, his frequency does not hold it up, and
    it is given even to who wants no contact. Only his quiet time still holds, unless he wrote himself just now.
    """
    reply = request.purpose in SERVING and talk.open
    reasons = [
        *_forbidden(request, wishes, talk, reply=reply),
        *_consents(request, wishes, reply=reply),
        *_quiet_now(wishes, talk, now, reply=reply),
        *_frequency(wishes, talk, now, reply=reply),
        *_value(request, wishes),
    ]
    if reply:
        reasons.append(
            Reason(
                "reply-to-open-conversation",
                "A conversation or case of his is open: he is owed an answer",
                blocks=False,
            )
        )
    return Decision(not any(reason.blocks for reason in reasons), tuple(reasons))


def _forbidden(request: Request, wishes: Wishes, talk: Talk, *, reply: bool) -> list[Reason]:
    reasons = []
    if talk.archived:
        reasons.append(Reason("archived", "His record was archived: he is dead or long gone", blocks=not reply))
    if wishes.restricted:
        reasons.append(
            Reason("restricted", "The use of his data is restricted: they are only stored", blocks=not reply)
        )
    if wishes.do_not_contact:
        reasons.append(Reason("do-not-contact", "He asked not to be contacted", blocks=not reply))
    if request.topic is not None and request.topic in wishes.topics_out:
        reasons.append(Reason("topic-unwanted", "He does not want to hear of this topic", blocks=not reply))
    return reasons


def _consents(request: Request, wishes: Wishes, *, reply: bool) -> list[Reason]:
    granted = wishes.consent(request.purpose, request.channel)
    if granted is False:
        return [Reason("consent-withdrawn", "He withdrew his consent for this purpose and channel", blocks=not reply)]
    if granted is None and request.purpose not in SERVING:
        return [Reason("consent-missing", "He never consented to this purpose on this channel", blocks=True)]
    return []


def _quiet_now(wishes: Wishes, talk: Talk, now: datetime, *, reply: bool) -> list[Reason]:
    until = wishes.quiet_until(now)
    if until is None:
        return []
    live = reply and talk.last_inbound is not None and now - talk.last_inbound <= LIVE_TALK
    evidence = {"until": until, "time_zone": wishes.time_zone}
    return [Reason("quiet-time", "It is his quiet time", blocks=not live, evidence=evidence)]


def _frequency(wishes: Wishes, talk: Talk, now: datetime, *, reply: bool) -> list[Reason]:
    if wishes.max_contacts is None or wishes.quota_left(talk.outbound, now):
        return []
    evidence = {
        "count": wishes.contacts_in_window(talk.outbound, now),
        "max_contacts": wishes.max_contacts,
        "window_days": wishes.per_days,
    }
    return [Reason("frequency-reached", "We contacted him as often as he accepts", blocks=not reply, evidence=evidence)]


def _value(request: Request, wishes: Wishes) -> list[Reason]:
    if not wishes.suppress_paid_outbound or not request.paid or request.purpose in SERVING:
        return []
    words = "Paid contacts that we start are suppressed for this customer; his own are always served"
    return [Reason("paid-outbound-suppressed", words, blocks=True)]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _quiet(raw: Mapping[str, Any]) -> QuietTime | None:
    try:
        days = frozenset(int(day) for day in raw.get("days") or EVERY_DAY)
        return QuietTime(days, _hour(raw["from"]), _hour(raw["to"]))
    except (KeyError, TypeError, ValueError):
        return None  # a window that cannot be read is no window


def _hour(text: str) -> time:
    return time.fromisoformat("00:00" if text.startswith("24") else text).replace(tzinfo=None)


def _consent(raw: Mapping[str, Any]) -> Consent:
    return Consent(
        purpose=str(raw.get("purpose")),
        channel=str(raw.get("channel") or "*"),
        granted=raw.get("granted") is True,
        at=_moment(raw.get("at")),
    )


def _moment(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
