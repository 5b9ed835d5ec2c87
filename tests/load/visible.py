"""How soon what was posted shows in the resume: interactions' own part at once, the others' parts by way of the topics."""

import asyncio
import itertools
import json
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from .generator import percentile
from .grounds import Grounds
from .ingest import ONE, TOUCHPOINT, fire
from .pipeline import Watch, Whole, whole
from .results import Report, at_most, plain, say

RATES = {500: 60.0, 2000: 120.0}  # events a second -> the bar of the 99th percentile, in milliseconds
# One probe costs the machine as much as ten events of a batch, and each look as much as another: sixteen a second that looked every
# 10 ms took what was left of two cores, and saw twice the delay. So many, one of four of them of a newcomer.
PROBES_A_SECOND = 4
OF_NEWCOMERS = 4
FEWEST_KNOWN = 200  # of known customers at each rate, for a 99th percentile
LOOK_AGAIN = 0.02  # what is seen a look later than it was there is told as later
GIVEN_UP = 20.0
SHED = (429, 503)  # asked again: he who looks sees it later
WARM_UP = 2.0  # seconds of the load before it is counted
LEAD_IN = 3.0  # seconds of the load alone before the first probe


def body(phone: int, *, amount: int = 100_000) -> dict[str, Any]:
    """A purchase: it changes what scoring says of its customer."""
    return {
        "source": "shop", "external_id": secrets.token_hex(12), "kind": "purchase", "channel": "shop", "direction": "inbound",
        "occurred_at": datetime.now(UTC).isoformat(), "identifiers": [f"phone:31{phone:08}"], "topic": "sales",
        "payload": {"amount": f"{amount}.00", "currency": "COP", "quantity": 1, "category": "grocery"},
    }  # fmt: skip


@dataclass
class Seen:
    """Seconds from POST to visible, of all probes so far."""

    own: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)
    missing: int = 0


class Prober:
    """Posts purchases at a steady pace, each of another customer, and asks for his resume until it tells of it."""

    def __init__(self, client: httpx.AsyncClient, base: str, seen: Seen) -> None:
        self._client, self._base, self._seen = client, base, seen
        self._phones = itertools.count(secrets.randbelow(90_000_000))
        self._customers: deque[tuple[int, Any]] = deque()  # whom nobody probes just now, and what scoring said of him

    async def run(self, until: float) -> None:
        """Whether or not those before have ended: a way that is slow is probed as often as one that is fast."""
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                at = begun + number / PROBES_A_SECOND
                if at > until:
                    return
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                is_new = number % OF_NEWCOMERS == 0 or not self._customers
                phone, said = (next(self._phones), None) if is_new else self._customers.popleft()
                group.create_task(self._probe(phone, said, self._seen.new if is_new else self._seen.known))

    async def _probe(self, phone: int, before: Any, found: list[float]) -> None:
        begun = time.perf_counter()
        answer = await self._client.post(self._base + ONE, json=body(phone))
        answered = time.perf_counter()
        if answer.status_code != 201:
            self._seen.missing += 1
            return
        packet = await self._resume(phone)
        if packet["resume_point"] and packet["resume_point"]["touchpoint_id"] == answer.json()["touchpoint_id"]:
            self._seen.own.append(answered - begun)
        else:
            self._seen.missing += 1
        while _said_by_scoring(packet) == before:
            if time.perf_counter() > begun + GIVEN_UP:
                self._seen.missing += 1
                return
            await asyncio.sleep(LOOK_AGAIN)
            packet = await self._resume(phone)
        found.append(time.perf_counter() - begun)
        self._customers.append((phone, _said_by_scoring(packet)))

    async def _resume(self, phone: int) -> Mapping[str, Any]:
        asked = f"{self._base}/interactions/v1/resume?identifier=phone:31{phone:08}&channel=call"
        while (answer := await self._client.get(asked)).status_code in SHED:
            await asyncio.sleep(LOOK_AGAIN)
        answer.raise_for_status()
        packet: dict[str, Any] = answer.json()
        return packet


def _said_by_scoring(packet: Mapping[str, Any]) -> Any:
    """His revenue as scoring told it: each purchase moves it."""
    return (packet.get("value") or {}).get("revenue")


@dataclass
class Spent:
    """Load that was accepted, and the CPU of all processes until nothing was under way."""

    rate: float
    events: float
    cpu: float


async def measured(stack: Whole, *, rate: int, seconds: float, seen: Seen | None) -> Spent:
    """The open loop in batches of ten at `rate` events a second, and the probes beside it unless there are none to be `seen`."""
    headers = {"Authorization": stack.place.authorization.partition(": ")[2]}
    options = [
        "--rate", str(rate / 10), "--batch", "10", "--connections", "16", "--seconds", str(seconds), "--warmup", str(WARM_UP),
        "--body", f"@{TOUCHPOINT}", "--header", stack.place.authorization,
    ]  # fmt: skip
    before, own = sum(stack.used().values()), time.process_time()
    load = asyncio.create_task(asyncio.to_thread(fire, stack.interactions + ONE + ":batch", *options))
    if seen is not None:
        async with httpx.AsyncClient(headers=headers, timeout=30.0) as client:
            await asyncio.sleep(LEAD_IN)
            await Prober(client, stack.interactions, seen).run(time.perf_counter() + seconds + WARM_UP - LEAD_IN)
    outcome = await load
    async with Watch(stack) as watch:
        await watch.quiet()
    used = sum(stack.used().values()) - before + time.process_time() - own
    events = outcome["accepted"] * (seconds + WARM_UP) / seconds  # of the warm-up none are counted
    return Spent(outcome["rate"], events, used)


def visible(place: Grounds, *, rounds: int, seconds: float) -> Report:
    """POST to visible, at 500 and at 2,000 events a second."""
    stack = whole(place)
    known_a_second = PROBES_A_SECOND * (1 - 1 / OF_NEWCOMERS)
    lasts = max(seconds, FEWEST_KNOWN / known_a_second / rounds + LEAD_IN)
    report = Report(
        "visible",
        f"Touchpoints in batches of ten at a steady pace; beside them {PROBES_A_SECOND} purchases a second, each of another customer, whose resume is asked for at once and "
        f"then every {LOOK_AGAIN * 1000:.0f} ms until scoring's part has moved. For a customer who is known that is interactions, Kafka, scoring, Kafka, interactions; "
        "one who is new goes by identity first. The broker is warm.",
    )
    rows: list[list[Any]] = []
    for rate, bar in RATES.items():
        asyncio.run(measured(stack, rate=rate, seconds=3.0, seen=None))  # warm
        seen, alone, beside = Seen(), list[Spent](), list[Spent]()
        for _ in range(rounds):
            alone.append(asyncio.run(measured(stack, rate=rate, seconds=4.0, seen=None)))
            beside.append(asyncio.run(measured(stack, rate=rate, seconds=lasts, seen=seen)))
        for name, some in (
            ("own part, with the answer", seen.own),
            ("scoring's, known customer", seen.known),
            ("scoring's, new customer", seen.new),
        ):
            ordered = sorted(some)
            figures = [percentile(ordered, share) * 1000 for share in (0.5, 0.9, 0.99)]
            rows.append([f"{rate:,} ev/s: {name}", *figures, len(ordered)])
        p99 = percentile(sorted(seen.known), 0.99) * 1000
        posted = min(one.rate for one in beside)
        report.figures += [
            at_most(f"p99 of the others' parts at {rate:,} ev/s", p99, bar, unit=" ms"),
            plain(f"own part not there at once, or never told, at {rate:,} ev/s", seen.missing, digits=0),
            plain(f"load accepted while asked for {rate:,} ev/s", posted, unit=" ev/s", digits=0),
            plain(f"the probes' share of all CPU at {rate:,} ev/s", 100 * _share(alone, beside), unit=" %", digits=0),
        ]
        say(f"  {rate}: {json.dumps(rows[-3:])} missing {seen.missing} posted {posted}")
    report.table(["", "p50 ms", "p90 ms", "p99 ms", "probes"], rows)
    return report


def _share(alone: list[Spent], beside: list[Spent]) -> float:
    """What was spent beyond the load's own price, as it was without probes."""
    price = sum(one.cpu for one in alone) / sum(one.events for one in alone)
    spent, events = sum(one.cpu for one in beside), sum(one.events for one in beside)
    return max(0.0, 1.0 - price * events / spent)
