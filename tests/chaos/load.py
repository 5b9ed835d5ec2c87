"""The load: channel systems that retry blindly, send twice, contradict themselves, and people who merge, undo and retract."""

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from .arena import Arena
from .ledger import SOURCE, Ledger, Reply

TOPICS = ("billing", "delivery", "technical", "warranty", None, None)
CHANNELS = ("whatsapp", "call", "email", "web", "shop", "chat")
GIVEN = ("ANA", "LUIS", "MARIA", "CARLOS", "SOFIA", "JORGE", "ELENA", "PABLO", "ROSA", "DIEGO", "INES", "MARIO")
SURNAMES = ("LOPEZ", "RUIZ", "GOMEZ", "DIAZ", "ROJAS", "VEGA", "MORA", "CRUZ", "PEÑA", "SOTO", "LARA", "RIOS")
FEWEST_CUSTOMERS, MOST_CUSTOMERS = 600, 10_000
TIMEOUT = 10.0
TRIES = 12


@dataclass(frozen=True)
class Somebody:
    """A customer of the load, with the identifiers that his channels know."""

    name: str
    identifiers: tuple[str, ...]
    device: str  # which every fifth shares with another


class Writer:
    """Writes touchpoints, from a seed: the same seed gives the same bodies in the same order, but for the hour."""

    def __init__(self, seed: int, *, customers: int = FEWEST_CUSTOMERS) -> None:
        self.random = random.Random(seed)
        self._tag = f"{seed % 1000:03}"
        self._numbers = itertools.count(1)
        self.people = [self._somebody(n) for n in range(customers)]
        self._regulars = self.people[: max(1, customers // 24)]  # of whom three in ten contacts are

    def _somebody(self, number: int) -> Somebody:
        name = f"{self.random.choice(GIVEN)} {SURNAMES[number % 12]} {SURNAMES[number // 12 % 12]}"
        tail = f"{self._tag}{number:04}"
        return Somebody(
            name,
            (
                f"phone:+57 31{tail}1",
                f"email:chaos{tail}@example.com",
                f"document:co-cc:7{tail}3",
                f"account:billing:C-{tail}",
            ),
            self._device(number - (number % 5 == 4)),
        )

    def _device(self, number: int) -> str:
        return f"device:{self._tag}{number:04}"

    def touchpoint(self) -> dict[str, Any]:
        """One body. Who, on which channel, about what, and what came of it."""
        draw = self.random
        body: dict[str, Any] = {
            "source": SOURCE,
            "external_id": f"{self._tag}-{next(self._numbers):07}",
            "kind": "message",
            "channel": draw.choice(CHANNELS),
            "occurred_at": (datetime.now(UTC) - timedelta(minutes=draw.randrange(1, 60 * 24 * 20))).isoformat(),
            "topic": draw.choice(TOPICS),
            "content": f"Buenas, {draw.randrange(10**9)}",
            "summary": f"Talk {draw.randrange(10**6)}",
            "outcome": draw.choice(["pending", "pending", "resolved", None]),
        }
        match draw.randrange(20):
            case 0:
                return {**body, "identifiers": [], **self._purchase()}  # a cash sale
            case 1:
                return {**body, "identifiers": [self._device(draw.randrange(len(self.people)))], "kind": "web"}
        somebody = draw.choice(self._regulars if draw.random() < 0.3 else self.people)
        many = draw.choice([1, 1, 1, 2, 3])
        body["identifiers"] = draw.sample(somebody.identifiers, k=many)
        if draw.random() < 0.1:
            body["identifiers"].append(somebody.device)
        if draw.random() < 0.5:
            body["profile"] = {"full_name": somebody.name}
        return {**body, **self._kind()}

    def _kind(self) -> dict[str, Any]:
        draw = self.random
        match draw.randrange(10):
            case 0 | 1 | 2:
                return self._purchase()
            case 3:
                return {"kind": "complaint", "payload": {"severity": draw.choice(["low", "high"])}, "outcome": None}
            case 4:
                # late already, or long after the run: a promise that fell due while the books are read would look like an effect too many
                due = (datetime.now(UTC) + timedelta(hours=draw.choice([-2, 5, 9]))).isoformat()
                return {"commitments": [{"by": "company", "text": "Send one invoice", "due_at": due}]}
            case 5:
                return {"references": [f"invoice:F-{draw.randrange(400)}"]}
        return {"facts": [{"key": "best_hour", "value": f"after {draw.randrange(24)}:00", "confidence": 0.8}]}

    def _purchase(self) -> dict[str, Any]:
        draw = self.random
        amount = draw.choice([draw.randrange(1_000, 900_000), -draw.randrange(1_000, 50_000)])
        payload = {"amount": f"{amount}.00", "currency": draw.choice(["COP", "COP", "USD"]), "quantity": 1}
        return {"kind": "purchase", "channel": "shop", "outcome": None, "payload": {**payload, "category": "grocery"}}


@dataclass
class Recent:
    """What was acknowledged lately: to be sent again, contradicted, retracted."""

    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=400))
    touchpoints: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    conversations: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    commitments: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    merges: deque[str] = field(default_factory=lambda: deque(maxlen=50))
    cases: deque[str] = field(default_factory=lambda: deque(maxlen=100))
    follow_ups: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    open: deque[tuple[dict[str, Any], dict[str, Any]]] = field(
        default_factory=lambda: deque(maxlen=100)
    )  # contacts that opened a case or promised something, with their answers


class Load:
    """Sends at a pace until told to stop; `hush()` waits for what is under way. Every answer goes into the ledger."""

    def __init__(
        self,
        arena: Arena,
        ledger: Ledger,
        *,
        seed: int,
        pace: float = 150.0,
        customers: int = FEWEST_CUSTOMERS,
        people: bool = True,
    ) -> None:
        self.arena = arena
        self.ledger = ledger
        self.writer = Writer(seed, customers=customers)
        self.recent = Recent()
        self.pace = pace  # touchpoints a second
        self._people = people
        self._random = random.Random(seed + 1)
        self._running: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {arena.key}"},
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=48, max_keepalive_connections=48),
        )

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """Sends while inside; on leaving, everything has been answered or given up."""
        self._stop.clear()
        pacing = asyncio.create_task(self._go())
        try:
            yield
        finally:
            self._stop.set()
            await pacing
            while self._running:
                await asyncio.gather(*self._running)

    async def leave_people_alone(self) -> None:
        """From now on channel systems send, and people enter nothing; returns when what they have begun is answered."""
        self._people = False
        await asyncio.gather(*self._running)

    async def close(self) -> None:
        await self._client.aclose()

    async def _go(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            rows = self._next()
            due = max(due, time.monotonic() - 1.0) + rows / self.pace
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while len(self._running) >= 64 and not self._stop.is_set():
                await asyncio.sleep(0.02)

    def _next(self) -> int:
        """Start one thing; gives for how many touchpoints it stands."""
        draw = self._random.random()
        if draw < 0.30:
            follows_up = self.recent.open and self._random.random() < 0.25
            return self._begin(self._single(self._follow_up() if follows_up else self.writer.touchpoint(), copies=1), 1)
        if draw < 0.40:
            copies = self._random.randrange(2, 6)
            return self._begin(self._single(self.writer.touchpoint(), copies=copies), copies)
        if draw < 0.46 and self.recent.bodies:
            return self._begin(self._single(self._random.choice(self.recent.bodies), copies=1), 1)
        if draw < 0.50 and self.recent.bodies:
            other = {**self._random.choice(self.recent.bodies), "content": "Another body"}
            return self._begin(self._contradict(other), 1)
        if draw < 0.58 and self._people:
            return self._begin(self._person(), 1)
        most = self._random.choice(
            [4, 4, 40]
        )  # small ones run beside each other, large ones wait for each other's locks
        rows = [self.writer.touchpoint() for _ in range(self._random.randrange(2, most))]
        rows += self._random.sample(rows, k=len(rows) // 5)  # twice in one batch
        if self.recent.bodies:
            rows.append(self._random.choice(self.recent.bodies))
        return self._begin(self._batch(rows), len(rows))

    def _begin(self, work: Any, rows: int) -> int:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return rows

    # --- channel systems ----------------------------------------------------------------------------------------------

    async def _single(self, body: dict[str, Any], *, copies: int) -> None:
        self.ledger.sent.add(body["external_id"])
        await asyncio.gather(*(self._until_answered(body, place) for place in range(copies)))

    async def _until_answered(self, body: dict[str, Any], place: int) -> None:
        """As channel systems do: the same again until there is a yes or a no."""
        for attempt in range(TRIES):
            answer = await self._post("interactions", "/interactions/v1/touchpoints", body, spread=place + attempt)
            if answer is not None and answer.status_code in (200, 201):
                self._took(body, answer.json())
                return
            if answer is not None and 400 <= answer.status_code < 500 and answer.status_code != 429:
                self.ledger.refuse(body["external_id"], answer.json()["code"])
                return
            await asyncio.sleep(min(2.0, 0.1 * 2**attempt))

    async def _contradict(self, body: dict[str, Any]) -> None:
        answer = await self._post("interactions", "/interactions/v1/touchpoints", body)
        if answer is None or answer.status_code >= 500:
            return
        code = answer.json().get("code")
        if code in self.ledger.tolerated:
            self.ledger.other_bodies_put_off += 1
        elif answer.status_code != 409 or code != "different-body":
            self.ledger.oddities[f"another body was answered {answer.status_code}"] += 1
        else:
            self.ledger.different[body["external_id"]] += 1

    def _follow_up(self) -> dict[str, Any]:
        """A contact of ours that answers the case, and keeps the promises, that a contact had told of."""
        told, answer = self._random.choice(self.recent.open)
        ours = {"kind": "message", "direction": "outbound", "outcome": "resolved"}
        named = {"case": answer["case_number"], "keeps": answer["commitment_ids"]}
        new = {name: self.writer.touchpoint()[name] for name in ("source", "external_id", "channel", "topic")}
        moment = datetime.now(UTC).isoformat()
        return {**new, **ours, **named, "identifiers": told["identifiers"], "occurred_at": moment}

    async def _batch(self, rows: list[dict[str, Any]]) -> None:
        self.ledger.sent.update(row["external_id"] for row in rows)
        for attempt in range(TRIES):
            answer = await self._post(
                "interactions", "/interactions/v1/touchpoints:batch", rows, rows=len(rows), spread=attempt
            )
            if answer is not None and answer.status_code == 200:
                for row, result in zip(rows, answer.json()["results"], strict=True):
                    self._took(row, result)
                return
            if answer is not None and 400 <= answer.status_code < 500 and answer.status_code != 429:
                self.ledger.oddities[f"batch: {answer.status_code}"] += 1
                return
            await asyncio.sleep(min(2.0, 0.1 * 2**attempt))

    def _took(self, body: dict[str, Any], answer: dict[str, Any]) -> None:
        self.ledger.take(body["external_id"], answer)
        if answer["status"] == "recorded":
            self.recent.bodies.append(body)
            self.recent.touchpoints.append(answer["touchpoint_id"])
            self.recent.follow_ups.extend([answer["touchpoint_id"]] if "keeps" in body else [])
            self.recent.conversations.append(answer["conversation_id"])
            self.recent.commitments.extend(answer["commitment_ids"])
            self.recent.cases.extend([answer["case_number"]] if answer["case_number"] else [])
            if answer["case_number"] or answer["commitment_ids"]:
                self.recent.open.append((body, answer))

    # --- people -------------------------------------------------------------------------------------------------------

    async def _person(self) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self._merge, self._merge, self._undo, self._retract, self._close, self._keep, self._consent, self._prefer,
            self._learn, self._move_case,
        ]  # fmt: skip
        await self._random.choice(acts)()

    async def _merge(self) -> None:
        await self._two(undone=self._random.random() < 0.7)

    async def quarrel(self) -> None:
        """Two are one, and at once are not: two decisions on the same traces, in quick succession."""
        await self._two(undone=True)

    async def _two(self, *, undone: bool) -> None:
        one, other = self._random.sample(self.writer.people[:60], k=2)
        found = [await self._customer(each) for each in (one, other)]
        if None in found or found[0] == found[1]:
            return
        body = {"survivor": found[0], "absorbed": found[1], "reason": "The same person", "force": True}
        answer = await self._post("identity", "/identity/v1/merges", body)
        if answer is not None and answer.is_success:
            merge = answer.json()["merge_id"]
            self.ledger.merges.add(merge)
            self.recent.merges.append(merge)
            if undone:
                await self._undo()

    async def _undo(self) -> None:
        if self.recent.merges:
            merge = self.recent.merges.pop()
            answer = await self._post("identity", f"/identity/v1/merges/{merge}:undo", {"reason": "Sisters"})
            if answer is not None and answer.is_success:
                self.ledger.undone.add(merge)

    async def _retract(self) -> None:
        if self.recent.touchpoints:
            some = self.recent.follow_ups if self._random.random() < 0.5 else self.recent.touchpoints
            touchpoint = self._random.choice(some or self.recent.touchpoints)
            path = f"/interactions/v1/touchpoints/{touchpoint}:retract"
            answer = await self._post("interactions", path, {"reason": "By mistake"})
            if answer is not None and answer.is_success:
                self.ledger.retracted.add(touchpoint)

    async def _close(self) -> None:
        if self.recent.conversations:
            conversation = self._random.choice(self.recent.conversations)
            act = self._random.choice(["close", "park"])
            await self._post("interactions", f"/interactions/v1/conversations/{conversation}:{act}", {"reason": "Done"})

    async def _keep(self) -> None:
        if self.recent.commitments:
            commitment = self._random.choice(self.recent.commitments)
            await self._post("interactions", f"/interactions/v1/commitments/{commitment}:keep", {"reason": "Sent"})

    async def _move_case(self) -> None:
        if self.recent.cases:
            number = self._random.choice(self.recent.cases)
            act = self._random.choice(["answer", "answer", "verify", "reopen", "close"])
            words: dict[str, Any] = {"text": "Called him"} if act in ("answer", "verify") else {"reason": "He said so"}
            words |= {"recovered": self._random.random() < 0.5} if act == "verify" else {}
            await self._post("interactions", f"/interactions/v1/cases/{number}:{act}", words)

    async def _consent(self) -> None:
        """Given or withdrawn, by one of those who are merged and unmerged most."""
        draw = self._random
        body: dict[str, Any] = {
            "purpose": draw.choice(["marketing", "service"]),
            "channel": draw.choice(["*", "whatsapp", "email"]),
        }
        body |= {"granted": draw.random() < 0.5, "evidence": f"Form {draw.randrange(10**6)}"}
        if (answer := await self._of_somebody("POST", "consents", body)) is not None:
            self.ledger.consents.add(answer["consent_id"])

    async def _prefer(self) -> None:
        draw = self._random
        body = {"ranking": draw.sample(CHANNELS, k=2), "do_not_contact": draw.random() < 0.2}
        if await self._of_somebody("PUT", "preferences", body) is not None:
            self.ledger.preferences += 1

    async def _learn(self) -> None:
        draw = self._random
        body = {"key": draw.choice(["best_hour", "shoe_size", "pet"]), "value": f"{draw.randrange(10**6)}"}
        if (answer := await self._of_somebody("POST", "facts", body)) is not None:
            self.ledger.facts.add(answer["fact_id"])

    async def _of_somebody(self, method: str, what: str, body: Any) -> Any:
        """Write it to somebody; gives the answer, or None where it was not taken."""
        customer = await self._customer(self._random.choice(self.writer.people[:60]))
        if customer is None:
            return None
        answer = await self._post("identity", f"/identity/v1/customers/{customer}/{what}", body, method=method)
        return answer.json() if answer is not None and answer.is_success else None

    async def _customer(self, somebody: Somebody) -> str | None:
        identifier = self._random.choice(somebody.identifiers)
        try:
            answer = await self._client.get(
                f"{self.arena.origins('identity')[0]}/identity/v1/customers", params={"identifier": identifier}
            )
        except httpx.HTTPError:
            return None
        items = answer.json().get("items", []) if answer.status_code == 200 else []
        return items[0]["customer_id"] if items else None

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def _post(
        self,
        service: str,
        path: str,
        body: Any,
        *,
        rows: int = 1,
        spread: int = 0,
        method: str = "POST",
        again: bool = False,
    ) -> httpx.Response | None:
        """The answer, or None where there was none: then nobody knows what became of it."""
        origins = self.arena.origins(service)
        begun, what = time.monotonic(), path.split("/", 3)[3]
        try:
            answer = await self._client.request(method, origins[spread % len(origins)] + path, json=body)
        except httpx.HTTPError as error:
            nobody, seconds = isinstance(error, httpx.ConnectError), time.monotonic() - begun
            said = f"{type(error).__name__} {error} after {seconds:.3f} s"
            refused = nobody and not again  # who is refused by the other as well has nobody left to ask
            self.ledger.replies.append(Reply(begun, seconds, 0, rows, path=what, refused=refused, error=said))
            if nobody and len(origins) > 1 and not again:  # as a proxy does that has two of them
                return await self._post(service, path, body, rows=rows, spread=spread + 1, method=method, again=True)
            return None
        reply = Reply(
            begun, time.monotonic() - begun, answer.status_code, rows, "retry-after" in answer.headers, path=what
        )
        self.ledger.replies.append(reply)
        if answer.status_code >= 500 and answer.status_code != 503:
            self.ledger.oddities[f"{path.split('/')[3].split(':', maxsplit=1)[0]}: {answer.status_code}"] += 1
        if answer.status_code == 503 and not reply.retry_after:
            self.ledger.oddities["503 without Retry-After"] += 1
        return answer
