"""Figures of a trial, and the bars that some of them have to meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .ledger import Reply

INGEST = "touchpoints"  # the path of what is recorded; everything else is people's work


@dataclass(frozen=True)
class Bar:
    """What was promised of one figure, and whether it was kept."""

    name: str
    value: float
    bar: str
    kept: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g} ({self.bar}){'' if self.kept else ' MISSED'}"


@dataclass
class Measures:
    """What one trial measured. `figures` are told; `bars` are judged."""

    figures: dict[str, Any] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)

    def tell(self, **figures: Any) -> None:
        self.figures |= {
            name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()
        }

    def at_most(self, name: str, value: float, most: float) -> None:
        self.bars.append(Bar(name, round(value, 3), f"<= {most:g}", value <= most))

    def at_least(self, name: str, value: float, least: float) -> None:
        self.bars.append(Bar(name, round(value, 3), f">= {least:g}", value >= least))

    def none(self, name: str, some: Iterable[Any]) -> None:
        """Nothing of the kind may be there; a few examples are kept."""
        every = list(some)
        self.at_most(name, len(every), 0)
        if every:
            self.figures[f"{name}: examples"] = [str(one)[:200] for one in every[:5]]

    @property
    def missed(self) -> list[Bar]:
        return [bar for bar in self.bars if not bar.kept]


def share(values: Sequence[float], part: float) -> float:
    """The value below which `part` of all lie (0.99: p99); 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def between(replies: Iterable[Reply], begun: float, ended: float, *, ingest: bool = True) -> list[Reply]:
    """The requests that were sent in that time, on the monotonic clock."""
    return [one for one in replies if begun <= one.at < ended and (not ingest or one.path.startswith(INGEST))]


def taken(replies: Iterable[Reply]) -> list[Reply]:
    return [one for one in replies if 200 <= one.status < 300]


def p99(replies: Iterable[Reply]) -> float:
    """Seconds, of the requests that were taken."""
    return share([one.seconds for one in taken(replies)], 0.99)


def rate(replies: Iterable[Reply], seconds: float) -> float:
    """Touchpoints a second that were taken."""
    return sum(one.rows for one in taken(replies)) / seconds
