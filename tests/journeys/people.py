"""The people of the journeys: each story has its own, so that stories do not meet in one memory."""

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .systems import Caller

_people, _contacts = itertools.count(1), itertools.count(1)
_run = random.SystemRandom().randrange(1_000)


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def ahead(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def number() -> str:
    """Seven digits that no other story of this run has: three of the run's own, and four that are counted."""
    return f"{_run:03}{next(_people):04}"


@dataclass
class Person:
    """Somebody with a phone, an e-mail address and a document, and the channels' views of him."""

    caller: Caller
    full_name: str
    tag: str

    @classmethod
    def new(cls, caller: Caller, full_name: str = "ANA MARIA LOPEZ RUIZ") -> "Person":
        return cls(caller, full_name, number())

    @property
    def phone(self) -> str:
        return f"phone:301 {self.tag}"

    @property
    def email(self) -> str:
        return f"email:persona{self.tag}@Example.com"

    @property
    def document(self) -> str:
        return f"document:co-cc:52{self.tag}"

    def touchpoint(self, *, by: str | None = None, **fields: Any) -> dict[str, Any]:
        """The body of one touchpoint of his: a message on WhatsApp by phone, unless told otherwise."""
        return {
            "source": "journey",
            "external_id": f"{self.tag}-{next(_contacts)}",
            "kind": "message",
            "channel": "whatsapp",
            "occurred_at": ago(minutes=30),
            "identifiers": [by or self.phone],
            "profile": {"full_name": self.full_name},
            **fields,
        }

    def does(self, *, by: str | None = None, **fields: Any) -> dict[str, Any]:
        """Records one touchpoint and gives the answer."""
        answer: dict[str, Any] = self.caller.post("/interactions/v1/touchpoints", self.touchpoint(by=by, **fields))
        return answer

    def buys(self, amount: str, *, cost: str | None = None, by: str | None = None, **fields: Any) -> dict[str, Any]:
        payload = {"amount": amount, "currency": "COP", "category": "grocery", "offering": "coffee-500g"}
        if cost is not None:
            payload["cost_of_goods"] = cost
        return self.does(by=by, kind="purchase", channel="shop", payload=payload, **fields)

    def resume(self, *, by: str | None = None, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.caller.get(
            "/interactions/v1/resume", identifier=by or self.phone, **{"channel": "call", **params}
        )
        return answer

    def customer_id(self, *, by: str | None = None) -> str | None:
        """Who identity says he is; None until it has spoken."""
        who = self.resume(by=by)["who"]
        return who["customer_id"] if who["recognised"] == "customer" else None
