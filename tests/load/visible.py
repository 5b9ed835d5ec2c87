"""How soon what was posted shows in the resume: interactions' own part at once, the others' parts by way of the topics."""

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from .generator import percentile
from .grounds import Grounds
from .ingest import ONE, TOUCHPOINT, fire
from .pipeline import Watch, Whole, whole
from .results import Report, at_most, plain, say

RATES = {500: 60.0, 2000: 120.0}  # events a second -> the bar of the 99th percentile, in milliseconds
PROBERS = 4
GIVEN_UP = 20.0
LOOK_AGAIN = 0.004


def body(phone: int, *, amount: int = 100_000) -> dict[str, Any]:
    """A purchase: it changes what scoring says of its customer."""
    return {
        "source": "shop", "external_id": secrets.token_hex(12), "kind": "purchase", "channel": "shop", "direction": "inbound",
        "occurred_at": datetime.now(UTC).isoformat(), "identifiers": [f"phone:31{phone:08}"], "topic": "sales",
        "payload": {"amount": f"{amount}.00", "currency": "COP", "quantity": 1, "category": "grocery"},
    }  # fmt: skip


class Prober:
    """Posts a purchase of a customer, and asks for his resume until it tells of it."""

    def __init__(self, client: httpx.AsyncClient, base: str, phones: Any) -> None:
        self._client, self._base, self._phones = client, base, phones
        self.own: list[float] = []
        self.known: list[float] = []
        self.new: list[float] = []
        self.missing = 0

    async def run(self, until: float) -> None:
        while time.perf_counter() < until:
            phone = next(self._phones)
            await self._probe(phone, self.new)
            for _ in range(3):
                await self._probe(phone, self.known)

    async def _probe(self, phone: int, found: list[float]) -> None:
        before = _said_by_scoring(await self._resume(phone))
        purchase = body(phone)
        begun = time.perf_counter()
        answer = await self._client.post(self._base + ONE, json=purchase)
        if answer.status_code != 201:
            self.missing += 1
            await asyncio.sleep(0.1)
            return
        answered = time.perf_counter()
        packet = await self._resume(phone)
        if packet["resume_point"] and packet["resume_point"]["touchpoint_id"] == answer.json()["touchpoint_id"]:
            self.own.append(answered - begun)
        else:
            self.missing += 1
        while _said_by_scoring(packet) == before:
            if time.perf_counter() > begun + GIVEN_UP:
                self.missing += 1
                return
            await asyncio.sleep(LOOK_AGAIN)
            packet = await self._resume(phone)
        found.append(time.perf_counter() - begun)

    async def _resume(self, phone: int) -> Mapping[str, Any]:
        answer = await self._client.get(
            f"{self._base}/interactions/v1/resume", params={"identifier": f"phone:31{phone:08}", "channel": "call"}
        )
        answer.raise_for_status()
        packet: dict[str, Any] = answer.json()
        return packet


def _said_by_scoring(packet: Mapping[str, Any]) -> Any:
    """His revenue as scoring told it: each purchase moves it."""
    return (packet.get("value") or {}).get("revenue")


async def measured(stack: Whole, *, rate: int, seconds: float) -> tuple[list[Prober], dict[str, Any]]:
    """The open loop in batches of ten at `rate` events a second, and probes beside it."""
    headers = {"Authorization": stack.place.authorization.partition(": ")[2]}
    phones = itertools.count(secrets.randbelow(90_000_000))
    async with httpx.AsyncClient(headers=headers, timeout=30.0) as client:
        probers = [Prober(client, stack.interactions, phones) for _ in range(PROBERS)]
        options = [
            "--rate", str(rate / 10), "--batch", "10", "--connections", "16", "--seconds", str(seconds), "--warmup", "2",
            "--body", f"@{TOUCHPOINT}", "--header", stack.place.authorization,
        ]  # fmt: skip
        load = asyncio.create_task(asyncio.to_thread(fire, stack.interactions + ONE + ":batch", *options))
        await asyncio.sleep(3.0)
        until = time.perf_counter() + seconds - 1.0
        await asyncio.gather(*(one.run(until) for one in probers))
        outcome = await load
    return probers, outcome


async def _quiet(stack: Whole) -> None:
    async with Watch(stack) as watch:
        await watch.quiet()


def visible(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """POST to visible, at 500 and at 2,000 events a second."""
    stack = whole(place)
    report = Report(
        "visible",
        f"Touchpoints in batches of ten at a steady pace; beside them {PROBERS} callers that each post a purchase and ask for the customer's resume every "
        f"{LOOK_AGAIN * 1000:.0f} ms until scoring's part has moved. For a customer who is known that is interactions, Kafka, scoring, Kafka, interactions; "
        "one who is new goes by identity first. The probes are load too, and the broker is warm.",
    )
    rows: list[list[Any]] = []
    for rate, bar in RATES.items():
        asyncio.run(measured(stack, rate=rate, seconds=3.0))  # warm
        asyncio.run(_quiet(stack))
        own, known, new, missing, posted = [], [], [], 0, 0.0
        for _ in range(rounds):
            probers, outcome = asyncio.run(measured(stack, rate=rate, seconds=seconds))
            asyncio.run(_quiet(stack))
            own += [each for one in probers for each in one.own]
            known += [each for one in probers for each in one.known]
            new += [each for one in probers for each in one.new]
            missing += sum(one.missing for one in probers)
            posted = outcome["rate"]
        for name, some in (
            ("own part, with the answer", own),
            ("scoring's, known customer", known),
            ("scoring's, new customer", new),
        ):
            ordered = sorted(some)
            figures = [percentile(ordered, share) * 1000 for share in (0.5, 0.9, 0.99)]
            rows.append([f"{rate:,} ev/s: {name}", *figures, len(ordered)])
        p99 = percentile(sorted(known), 0.99) * 1000
        report.figures += [
            at_most(f"p99 of the others' parts at {rate:,} ev/s", p99, bar, unit=" ms"),
            plain(f"own part not there at once, or never told, at {rate:,} ev/s", missing, digits=0),
            plain(f"load accepted while asked for {rate:,} ev/s", posted, unit=" ev/s", digits=0),
        ]
        say(f"  {rate}: {json.dumps(rows[-3:])} missing {missing} posted {posted}")
    report.table(["", "p50 ms", "p90 ms", "p99 ms", "probes"], rows)
    return report
