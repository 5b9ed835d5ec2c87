"""The ledger: what the system has promised us. Every external id that it took, refused, or left us unsure of."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

SOURCE = "chaos"


@dataclass
class Reply:
    """One answer, or none (`status` 0), as the sender saw it."""

    at: float
    seconds: float
    status: int
    rows: int
    retry_after: bool = False
    path: str = ""  # after the version: `touchpoints`, `touchpoints:batch`, `merges`
    refused: bool = False  # nobody listened there: the request was never under way
    error: str = ""  # where there was no answer: what the client says of it


@dataclass
class Ledger:
    """Kept by the senders, read by the checks. Keys are external ids of the one source that the load uses."""

    acknowledged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # id -> touchpoints told of
    sent: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # id -> code, where it was refused for good
    different: Counter[str] = field(default_factory=Counter)  # id -> refusals of another body under it
    commitments: set[str] = field(default_factory=set)  # ids that answers gave out
    retracted: set[str] = field(default_factory=set)  # touchpoints whose retraction was acknowledged
    merges: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    consents: set[str] = field(default_factory=set)  # ids of entries that were acknowledged
    facts: set[str] = field(default_factory=set)
    preferences: int = 0  # how often one was acknowledged: it has no id
    poison: Counter[str] = field(default_factory=Counter)  # consumer -> unreadable records sent that it must park
    # Codes of refusals that a trial asks for; whoever follows up may name what was taken back meanwhile.
    tolerated: set[str] = field(default_factory=lambda: {"unknown-case", "unknown-commitment"})
    other_bodies_put_off: int = 0  # refused for what the trial asks for: what they are is seen when they are sent again
    postponed: Counter[str] = field(default_factory=Counter)  # code -> how often somebody was told to come again
    poison_bodies: int = 0  # touchpoints sent to the channels' topic that interactions must park
    # service -> events that it told before its database was lost: others know them, its own log does not
    retold: dict[str, set[Any]] = field(default_factory=lambda: defaultdict(set))
    replies: list[Reply] = field(default_factory=list)
    oddities: Counter[str] = field(default_factory=Counter)  # answers that nobody should get

    @property
    def unsure(self) -> set[str]:
        """Sent, and never answered with a yes or a no: they may be stored or not, but once at most."""
        return self.sent - self.acknowledged.keys() - self.refused.keys()

    def take(self, external_id: str, answer: dict[str, Any]) -> None:
        """One row's answer: recorded and duplicate are promises, refused is a no."""
        if answer["status"] in ("recorded", "duplicate"):
            self.acknowledged[external_id].add(answer["touchpoint_id"])
            self.commitments.update(answer.get("commitment_ids", ()))
            self.refused.pop(external_id, None)
        else:
            self.refuse(external_id, answer["problem"]["code"])

    def refuse(self, external_id: str, code: str) -> None:
        if code == "different-body":
            self.different[external_id] += 1
        elif external_id not in self.acknowledged:
            self.refused[external_id] = code
            if code not in self.tolerated:
                self.oddities[f"refused: {code}"] += 1
