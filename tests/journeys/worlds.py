"""A whole system in this process, on a clock that stands still: what is said to it twice alike, it takes twice alike."""

import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from common.auth import hash_of
from common.bus.local import LocalReader, sources_of
from common.company import Company
from common.db import Database
from common.service import Runtime, make_ready
from common.testing import FIRST_KEY, TEST_SECRET, FakeClock, client_for
from common.worker import TimerLoop
from hilo.services import SERVICES

PAGE = 200
_MINTED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")  # of ids that nothing names


@dataclass
class World:
    """Four services, their consumers and their timers, driven by hand. Traces have the same ids in every world."""

    clock: FakeClock
    runtimes: dict[str, Runtime]
    clients: dict[str, httpx.AsyncClient]
    readers: Sequence[LocalReader]
    timers: Sequence[TimerLoop]
    names: dict[str, str] = field(default_factory=dict)  # an id of this world -> its name in every world
    keys: dict[str, str] = field(default_factory=dict)  # of those who send, by name

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.clients[path.split("/")[1]].request(method, path, **more)

    async def get(self, path: str, **params: Any) -> Any:
        return _read(await self.ask("GET", path, params=params))

    async def post(self, path: str, body: Any = None) -> Any:
        return _read(await self.ask("POST", path, json={} if body is None else body))

    async def put(self, path: str, body: Any) -> Any:
        return _read(await self.ask("PUT", path, json=body))

    async def all_of(self, path: str, **params: Any) -> list[Any]:
        """Every page of a list."""
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = await self.get(path, limit=PAGE, **params, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            if (cursor := page["next"]) is None:
                return items

    async def record(self, *bodies: Mapping[str, Any], key: str = FIRST_KEY) -> list[dict[str, Any]]:
        """Touchpoints in one batch, sent by whoever has the key, and all that follows from them."""
        sender = {"Authorization": f"Bearer {key}"}
        sent = await self.ask("POST", "/interactions/v1/touchpoints:batch", json=list(bodies), headers=sender)
        answer = _read(sent)
        assert answer["recorded"] == len(bodies), answer
        for body, result in zip(bodies, answer["results"], strict=True):
            self.names[result["touchpoint_id"]] = f"touchpoint {body['external_id']}"
            for place, commitment in enumerate(result.get("commitment_ids") or []):
                self.names[commitment] = f"commitment {body['external_id']}.{place}"
            if result.get("case_number"):
                self.names.setdefault(result["case_number"], f"case {body['external_id']}")
        await self.settle()
        results: list[dict[str, Any]] = answer["results"]
        return results

    async def settle(self) -> None:
        """Until nothing is on its way and nothing is due."""
        while sum([await part.drain() for part in (*self.readers, *self.timers)]):
            pass

    async def later(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
        await self.settle()

    def in_words_of_every_world(self, said: Any, *, without: Iterable[str] = ()) -> Any:
        """What was read, with the names of things in place of this world's ids."""
        text = json.dumps(_without(said, frozenset(without)), sort_keys=True)
        for known in sorted(self.names, key=len, reverse=True):
            text = text.replace(known, self.names[known])
        return json.loads(_MINTED.sub("somebody", text))


@asynccontextmanager
async def a_world(var: Path, *, make: Callable[[str], Awaitable[Database]] | None = None) -> AsyncIterator[World]:
    """A system of its own in the folder `var`; `make` gives the database of a package, a file where left out."""
    var.mkdir(parents=True)  # noqa: ASYNC240 - before anything else runs
    clock = FakeClock()
    runtimes = {}
    for service in SERVICES:
        settings = service.settings().model_copy(
            update={
                "database_url": f"sqlite+aiosqlite:///{var}/{service.name}.db", "secret": TEST_SECRET,
                "first_key_hash": hash_of(FIRST_KEY, TEST_SECRET), "rate_limit": 0,
            }
        )  # fmt: skip
        database = await make(service.package) if make else Database.connect(settings.database_url)
        runtimes[service.name] = Runtime(settings, database, Company.load(), clock)
    databases = {name: runtime.database for name, runtime in runtimes.items()}
    async with AsyncExitStack() as stack:
        clients, readers, timers = {}, [], []
        for service in SERVICES:
            runtime = runtimes[service.name]
            stack.push_async_callback(runtime.database.dispose)
            await make_ready(service, runtime)
            clients[service.name] = await stack.enter_async_context(client_for(service.create_app(runtime)))
            consumer = service.create_consumer(runtime)
            readers.append(LocalReader(consumer, runtime.database, sources_of(consumer.topics, databases), clock=clock))
            timers.append(service.create_timers(runtime))
        yield World(clock, runtimes, clients, readers, timers)


def _read(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def _without(said: Any, names: frozenset[str]) -> Any:
    if isinstance(said, dict):
        return {name: _without(part, names) for name, part in said.items() if name not in names}
    if isinstance(said, list):
        return [_without(part, names) for part in said]
    return said


def shuffled(seed: int) -> random.Random:
    """Chance that falls alike in every world."""
    return random.Random(seed)
