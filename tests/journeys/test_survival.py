"""Processes are killed while channels send blindly: nothing is lost, and nothing counts twice."""

import threading
import time
from typing import Any

import httpx

from .people import Person
from .systems import SERVICES, Caller, until

PRICE = 1_000
MOST_ROWS = 1_000  # of a batch


class Till(threading.Thread):
    """A point of sale that sends one purchase after another, each again and again until it is answered for."""

    def __init__(self, person: Person) -> None:
        super().__init__(daemon=True)
        self.person = person
        self.caller = Caller(person.caller.system)
        self.sent: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._closing = threading.Event()

    def run(self) -> None:
        while not self._closing.is_set():
            body = self.person.touchpoint(
                kind="purchase", channel="shop", payload={"amount": f"{PRICE}.00", "currency": "COP"},
                summary=f"Sale {len(self.sent)}",
            )  # fmt: skip
            self._send(body)
            self.sent.append(body)

    def _send(self, body: dict[str, Any]) -> None:
        while True:
            try:
                answer = self.caller.ask("POST", "/interactions/v1/touchpoints", json=body)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            except RuntimeError:
                return  # the story has ended while it waited
            if answer.is_success:
                return
            if answer.status_code < 500:
                self.refused.append(answer.text)
                return
            time.sleep(0.05)

    def sells(self, more: int) -> None:
        """Waits until so many more have been answered for."""
        wanted = len(self.sent) + more
        until(lambda: len(self.sent) >= wanted)

    def close(self) -> None:
        self._closing.set()
        self.join(timeout=30)
        self.caller.close()


def test_whatever_is_killed_nothing_is_lost_and_nothing_counts_twice(stack, caller):
    before = parked_events(caller)
    for name, blow in stack.blows():
        ana = Person.new(caller)
        till = Till(ana)
        till.start()
        try:
            till.sells(10)
            blow()
            till.sells(10)
        finally:
            till.close()
        assert till.refused == [], name
        told_of(caller, ana, till.sent, name)
    # an API that has slept through a restart of its database says "try again" once
    assert until(lambda: parked_events(caller)) == before


def told_of(caller: Caller, ana: Person, sent: list[dict[str, Any]], blow: str) -> None:
    """All of it is on record once, and worth what it is worth, also after everything was sent a second time."""
    customer = until(ana.customer_id)
    for first in range(0, len(sent), MOST_ROWS):  # while a blow lasts it sells, thousands on some days
        some = sent[first : first + MOST_ROWS]
        again = caller.post("/interactions/v1/touchpoints:batch", some)
        assert (again["recorded"], again["duplicate"], again["refused"]) == (0, len(some), 0), blow
    ana.buys(f"{PRICE}.00", summary="The last sale")  # when this one is counted, those before it are
    expected = f"{(len(sent) + 1) * PRICE}.00"
    value = f"/scoring/v1/customers/{customer}/value"
    until(lambda: caller.get(value)["revenue"]["amount"] == expected)
    assert sorted(timeline(caller, customer)) == sorted([*(body["summary"] for body in sent), "The last sale"]), blow


def timeline(caller: Caller, customer: str) -> list[str]:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = caller.get(f"/interactions/v1/customers/{customer}/timeline", limit=100, **more)
        seen += [entry["summary"] for entry in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return seen


def parked_events(caller: Caller) -> dict[str, list[str]]:
    return {
        service: [item["id"] for item in caller.get(f"/{service}/v1/parked", kind="event")["items"]]
        for service in SERVICES
    }
