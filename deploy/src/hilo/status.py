"""One table over the running system: who is ready and who is not, and what waits where."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from hilo.client import SERVICE_PORTS, UP

DOORS = {"identity": 8011, "interactions": 8012, "scoring": 8013, "service-audit": 8014}
PATIENCE_SECONDS = 5.0
GONE = "unreachable"

# A figure's name -> its labels and value, one for each series.
Series = dict[str, list[tuple[dict[str, str], float]]]


@dataclass(frozen=True)
class Place:
    """One process of the system as it is asked: which service, in which part, at which address."""

    service: str
    role: str  # api | worker | all: both in one process
    url: str


@dataclass(frozen=True)
class Standing:
    """How one process stands. Ages in seconds; None where it has no such thing to tell."""

    service: str
    role: str
    state: str  # ready | degraded | not-ready | unreachable
    version: str = ""
    outbox: dict[str, int] = field(default_factory=dict)  # events before each of its readers
    outbox_seconds: float | None = None
    lag: dict[str, int] = field(default_factory=dict)  # events of each topic before its consumer
    lag_seconds: float | None = None
    parked: dict[str, int] = field(default_factory=dict)  # by kind/code
    timers_overdue: int | None = None  # None: nothing of this can be told now, what is parked neither
    concerns: dict[str, str] = field(default_factory=dict)  # part -> why it is not well

    @property
    def is_well(self) -> bool:
        return self.state == "ready"


def places(to: str) -> list[Place]:
    """The processes at `to`: an origin that answers for all four services, or `up` for the distributed stack."""
    if to != UP:
        return [Place(service, "all", f"{to.rstrip('/')}/{service}") for service in SERVICE_PORTS]
    return [
        Place(service, role, f"http://127.0.0.1:{port}/{service}")
        for role, ports in (("api", SERVICE_PORTS), ("worker", DOORS))
        for service, port in ports.items()
    ]


def look(asked: Iterable[Place], *, client: httpx.Client | None = None) -> list[Standing]:
    """Ask each process how it stands. Health and figures are open: no credential is needed."""
    with client or httpx.Client(timeout=PATIENCE_SECONDS) as http:
        return [_standing(place, http) for place in asked]


def table(standings: Sequence[Standing]) -> str:
    """For a terminal, and under it why somebody is not well and what is parked."""
    heads = ("service", "role", "state", "version", "outbox", "oldest", "lag", "oldest", "parked", "timers due")
    rows = [heads, *(_row(each) for each in standings)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for each in standings:
        lines += [f"! {each.service} {each.role}: {', '.join(parts)}: {why}" for why, parts in _by_reason(each)]
    return "\n".join([*lines, *_parked_lines(standings)])


def _by_reason(each: Standing) -> list[tuple[str, list[str]]]:
    """Where the database is away that is why of nearly every part: it is said once."""
    found: dict[str, list[str]] = {}
    for part, why in each.concerns.items():
        found.setdefault(why, []).append(part)
    return list(found.items())


def as_json(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    return [asdict(each) for each in standings]


def _standing(place: Place, http: httpx.Client) -> Standing:
    try:
        ready = http.get(f"{place.url}/readyz")
        told = ready.json()
        figures = _figures(http.get(f"{place.url}/metrics").text)
        state, checks = str(told["status"]), dict(told["checks"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return Standing(place.service, place.role, GONE, concerns={"process": type(error).__name__})
    ages = figures.get("hilo_outbox_age_seconds", [])
    lags = figures.get("hilo_consumer_lag_seconds", [])
    return Standing(
        service=place.service,
        role="api" if place.role == "all" and "consumer" not in checks else place.role,
        state=state,
        version=str(told.get("version", "")),
        outbox=_counts(figures, "hilo_outbox_waiting_events", "reader"),
        outbox_seconds=max((age for _, age in ages), default=None),
        lag=_counts(figures, "hilo_consumer_lag_events", "topic"),
        lag_seconds=max((age for _, age in lags), default=None),
        parked=_counts(figures, "hilo_parked", "kind", "code"),
        timers_overdue=next(
            (int(count) for _, count in figures.get("hilo_timers_overdue", []) if not math.isnan(count)), None
        ),
        concerns={part: checks[part] for part in told.get("concerns", []) if part in checks},
    )


def _figures(text: str) -> Series:
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def _counts(figures: Series, name: str, *labels: str) -> dict[str, int]:
    return {
        "/".join(given[label] for label in labels): int(value)
        for given, value in figures.get(name, [])
        if int(value) or name != "hilo_parked"
    }


def _row(each: Standing) -> tuple[str, ...]:
    return (
        each.service,
        each.role,
        each.state,
        each.version or "-",
        _sum(each.outbox),
        _age(each.outbox_seconds),
        _sum(each.lag),
        _age(each.lag_seconds),
        *(("-", "-") if each.timers_overdue is None else (str(sum(each.parked.values())), str(each.timers_overdue))),
    )


def _parked_lines(standings: Sequence[Standing]) -> list[str]:
    """Once for each service: its API and its worker look into the same store."""
    parked = {each.service: each.parked for each in standings if each.parked}
    return [
        f"parked in {service}: " + ", ".join(f"{count} {what}" for what, count in sorted(mine.items()))
        for service, mine in parked.items()
    ]


def _sum(counts: dict[str, int]) -> str:
    return str(sum(counts.values())) if counts else "-"


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"
