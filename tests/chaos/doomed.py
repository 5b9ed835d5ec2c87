"""People who will ask to be forgotten: what each of them leaves behind in the four services, and what is known of it beforehand."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from .faults import Scene

SOURCE = "lives"  # not the load's: what the ledger was promised is not taken out
TRIES = 240


@dataclass
class Doomed:
    """Somebody with words that only he brings: whichever is found after his erasure, something of him was left.

    `beside`: another person, who stays, shares his phone and was one with him for a while.
    """

    number: int
    token: str
    given: str
    beside: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    customer_id: str = ""
    erasure_id: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)  # to his erasure, asked for again and again
    late: int = 0  # touchpoints of his that identity may not have heard of when he was erased

    @property
    def word(self) -> str:
        return f"{self.token}zq"

    @property
    def name(self) -> str:
        return f"{self.given} {self.word.capitalize()}"

    @property
    def phone(self) -> str:
        return f"302{self.number:05}77"

    @property
    def document(self) -> str:
        return f"108{self.number:05}96"

    @property
    def email(self) -> str:
        return f"email:{self.word}@example.org"

    @property
    def identifiers(self) -> list[str]:
        return [f"phone:{self.phone}", self.email, f"document:co-cc:{self.document}", f"account:shop:{self.word}"]

    @property
    def marks(self) -> set[str]:
        """What tells of him wherever it stands, in lower case."""
        return {self.word, self.document} | (set() if self.beside else {self.phone})

    @property
    def beside_email(self) -> str:
        return f"email:{self.beside}qz@example.org"

    @property
    def beside_name(self) -> str:
        return f"Rita {self.beside.capitalize()}qz"


def some_doomed(count: int, draw: random.Random, *, first: int = 0) -> list[Doomed]:
    """Every third one has somebody beside him."""

    def token() -> str:
        return "".join(draw.choices("bcdfglmnprstv", k=3)) + "".join(draw.choices("aeiou", k=3))

    start = first + draw.randrange(90_000)
    return [
        Doomed(start + place, token(), draw.choice(["Ana", "Luis", "Sofia", "Pablo"]), token() if place % 3 == 0 else "")
        for place in range(count)
    ]  # fmt: skip


class Desk:
    """Asks the stack for things until they are done, whatever dies meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._client = httpx.AsyncClient(headers={"Authorization": f"Bearer {scene.arena.key}"}, timeout=15)

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, *, fine: tuple[int, ...] = (), **more: Any) -> Any:
        """The body of the first answer that is a yes, or of a status that is `fine`. What is asked for must bear being asked twice."""
        told = "nobody answered"
        for _ in range(TRIES):
            origin = self._scene.arena.origins(path.split("/")[1])[0]
            try:
                answer = await self._client.request(method, origin + path, **more)
            except httpx.HTTPError as error:
                told = repr(error)
            else:
                if answer.is_success or answer.status_code in fine:
                    return answer.json()
                told = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code < 500 and answer.status_code not in (404, 429):
                    break
            await asyncio.sleep(0.25)
        raise RuntimeError(f"{method} {path}: {told}")

    async def post(self, path: str, body: Any, **more: Any) -> Any:
        return await self.ask("POST", path, json=body, **more)

    async def customer(self, identifier: str) -> str:
        """Who has it: identity may have to hear of him yet."""
        for _ in range(TRIES):
            found = (await self.ask("GET", "/identity/v1/customers", params={"identifier": identifier}))["items"]
            if len(found) == 1:
                return str(found[0]["customer_id"])
            await asyncio.sleep(0.25)
        raise RuntimeError(f"nobody has {identifier}")


def touchpoint(who: Doomed, *identifiers: str, **more: Any) -> dict[str, Any]:
    """One of his, and kept in mind."""
    body = {
        "source": SOURCE, "external_id": f"t-{who.number}-{len(who.bodies)}", "kind": "message", "channel": "whatsapp",
        "occurred_at": (datetime.now(UTC) - timedelta(hours=30)).isoformat(), "identifiers": list(identifiers),
        "profile": {"full_name": who.name, "address": f"Calle {who.word} 4"}, "content": f"My {who.word} is lost",
        "summary": f"About {who.word}", "stop_point": f"{who.word} reached", **more,
    }  # fmt: skip
    who.bodies.append(body)
    return body


async def live(who: Doomed, desk: Desk, draw: random.Random) -> None:
    """Contacts on four traces, a case, a promise, a survey, money, facts, consents, parked bodies, answers that are remembered."""
    due = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    paid = {"amount": f"{draw.randrange(1_000, 90_000)}.00", "currency": "COP", "category": "grocery"}
    asked = {"survey": "nps", "answers": {"score": 3, "why": f"Because of {who.word}"}}
    bodies = [
        touchpoint(who, *who.identifiers),
        touchpoint(who, who.email, kind="purchase", channel="shop", payload=paid),
        touchpoint(
            who, f"phone:{who.phone}", kind="complaint", channel="call", payload={"severity": "high", "about": "double-charge"},
            commitments=[{"by": "company", "text": f"Bring the {who.word}", "due_at": due}],
            facts=[{"key": "hobby", "value": f"{who.word} races"}],
        ),
        touchpoint(who, who.email, kind="survey_response", channel="web", payload=asked),
        touchpoint(who, f"email:other-{who.word}@example.org", occurred_at=(datetime.now(UTC) - timedelta(hours=3)).isoformat()),
    ]  # fmt: skip
    results = (await desk.post("/interactions/v1/touchpoints:batch", bodies))["results"]
    if who.beside:
        hers = {"external_id": f"b-{who.number}", "profile": {"full_name": who.beside_name}, "summary": "Hello"}
        hers |= {"identifiers": [f"phone:{who.phone}", who.beside_email], "content": "Hello", "stop_point": None}
        await desk.post("/interactions/v1/touchpoints", {**bodies[0], **hers})
    who.customer_id = await desk.customer(who.email)
    await _decided(who, desk, draw)
    await _written(who, desk, results)


async def _decided(who: Doomed, desk: Desk, draw: random.Random) -> None:
    """He was one with the person beside him and is not any more; he is one with himself under another address."""
    if who.beside:
        pair = [who.customer_id, await desk.customer(who.beside_email)]
        draw.shuffle(pair)
        if pair[0] != pair[1]:
            merge = await _merged(who, desk, *pair)
            await asyncio.sleep(0.5)
            await desk.post(f"/identity/v1/merges/{merge}:undo", {"reason": f"{who.word} again"}, fine=(409,))
            await asyncio.sleep(0.5)
        who.customer_id = await desk.customer(who.email)
    other = await desk.customer(f"email:other-{who.word}@example.org")
    if other != who.customer_id:
        pair = [who.customer_id, other]
        draw.shuffle(pair)
        await _merged(who, desk, *pair)
        who.customer_id = pair[0]


async def _merged(who: Doomed, desk: Desk, survivor: str, absorbed: str) -> str:
    body = {"survivor": survivor, "absorbed": absorbed, "reason": f"{who.word} says so", "force": True}
    headers = {"Idempotency-Key": f"{who.word}-{survivor[-6:]}-{absorbed[-6:]}"}
    return str((await desk.post("/identity/v1/merges", body, headers=headers))["merge_id"])


async def _written(who: Doomed, desk: Desk, results: list[dict[str, Any]]) -> None:
    """What people write to him and about him."""
    mine = f"/identity/v1/customers/{who.customer_id}"
    consent = {"purpose": "marketing", "channel": "whatsapp", "granted": True, "evidence": f"He said {who.word}"}
    await desk.post(f"{mine}/consents", consent, headers={"Idempotency-Key": f"{who.word}-consent"})
    await desk.ask("PUT", f"{mine}/preferences", json={"ranking": ["whatsapp", "call"]})
    linked = {"identifier": f"account:shop:{who.word}-2", "reason": f"{who.word} showed it"}
    await desk.post(f"{mine}/identifiers", linked, headers={"Idempotency-Key": f"{who.word}-linked"})
    right = {"key": "city", "value": f"{who.word.capitalize()} City", "reason": f"{who.word} lives there"}
    await desk.post(f"{mine}:rectify", right, headers={"Idempotency-Key": f"{who.word}-rectified"})
    parked = {**who.bodies[0], "content": f"{who.word} two"}
    await desk.post("/interactions/v1/touchpoints", parked, fine=(409,))
    unreadable = {
        **who.bodies[0],
        "external_id": f"x-{who.number}",
        "kind": "zebra",
        "identifiers": [f"phone:{who.phone}"],
    }
    if not who.beside:
        await desk.post("/interactions/v1/touchpoints", unreadable, fine=(422,))
    for result in results:
        if number := result.get("case_number"):
            await desk.post(f"/interactions/v1/cases/{number}:answer", {"text": f"{who.word} comes back"}, fine=(409,))
    talk = results[0]["conversation_id"]
    await desk.post(
        f"/interactions/v1/conversations/{talk}:park", {"reason": f"{who.word} rests"}, fine=(404, 409, 422)
    )
    await desk.ask("GET", "/interactions/v1/resume", params={"customer_id": who.customer_id, "channel": "call"})
    may = {"channel": "whatsapp", "purpose": "marketing"}
    await desk.ask("GET", f"/interactions/v1/customers/{who.customer_id}/may-contact", params=may)


async def once_more(who: Doomed, desk: Desk) -> None:
    """A contact of this moment, under a reference that nobody knows yet, before identity can have heard of it."""
    late = touchpoint(who, f"account:club:{who.word}-late", who.email, occurred_at=datetime.now(UTC).isoformat())
    answer = await desk.post("/interactions/v1/touchpoints", late)
    assert answer["status"] in ("recorded", "duplicate"), answer
    who.late += 1


async def erase(who: Doomed, desk: Desk) -> None:
    """Ask until there is a yes; what was said before an answer was lost nobody knows."""
    answer = await desk.post(f"/identity/v1/customers/{who.customer_id}:erase", {"reason": f"Request {who.number}"})
    who.answers.append(answer)
    who.erasure_id = answer["erasure_id"]
