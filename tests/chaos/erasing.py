"""Erasures under fire: processes end at the very places inside an erasure, and whoever asked for it is forgotten all the same."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from .arena import NAMES
from .doomed import Desk, Doomed, erase, live, once_more, some_doomed, touchpoint
from .faults import Fault, Scene, connected, dead, heal
from .remnants import Possessions, differing, kept_sums, left_of, possessions_of, unlisted

BEFORE, AFTER = (
    "die-in-erasure",
    "die-after-erasure",
)  # of the saboteur: before its commit, and after it with nobody told
COMPLETE_WITHIN = 90.0
AT_ONCE = 4  # lives that are lived beside each other
PLACES = (
    *((f"{name}-worker", f"{plan}:{name}") for name in NAMES for plan in (BEFORE, AFTER)),
    ("identity-api", f"{BEFORE}:api"), ("identity-api", f"{AFTER}:api"),
)  # fmt: skip
PLACES_ALONE = tuple(("hilo", plan) for _, plan in PLACES)


def erasing(places: Sequence[tuple[str, str]], *bystanders: str) -> Fault:
    """At each place a process dies, as often as told; then `bystanders` are killed at any moment while some are erased at once."""

    async def fault(scene: Scene) -> int:
        desk = Desk(scene)
        try:
            return await _erased_under_fire(scene, desk, places, bystanders)
        finally:
            await desk.close()

    return fault


async def _erased_under_fire(
    scene: Scene, desk: Desk, places: Sequence[tuple[str, str]], bystanders: Sequence[str]
) -> int:
    deaths = [place for place in places for _ in range(scene.times)]
    scene.random.shuffle(deaths)
    blows = scene.times + 1
    people = some_doomed(len(deaths) + 2 * blows, scene.random)
    before = await _lived(scene, desk, people)
    died: Counter[str] = Counter()
    for (role, plan), who in zip(deaths, people, strict=False):
        died[f"{plan} of {role}"] += await _death_within(scene, desk, role, plan, who)
    for blow in range(blows):
        some = people[len(deaths) + 2 * blow :][:2]
        await _blow(scene, desk, some, bystanders)
    for role, plan in places:
        scene.measures.at_least(f"{plan} of {role}", died[f"{plan} of {role}"], scene.times)
    await _judged(scene, desk, people, *before)
    return died.total() + blows


async def _lived(scene: Scene, desk: Desk, people: Sequence[Doomed]) -> tuple[list[Possessions], Counter[str]]:
    """Gives what lies in the databases of each, and of all who were erased before them."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(who: Doomed) -> None:
        async with turns:
            await live(who, desk, scene.random)

    await asyncio.gather(*map(one, people))
    await scene.checker.settled()
    async with scene.checker.databases() as databases:
        theirs = [await possessions_of(who, databases) for who in people]
        told, _ = await left_of(people, theirs, databases)
        unseen = [who.word for who in people if not any(f": {who.word} in " in one for one in told)]
        scene.measures.none("whose words are not found before", unseen)
        return theirs, await kept_sums(databases["scoring"])


async def _death_within(scene: Scene, desk: Desk, role: str, plan: str, who: Doomed) -> int:
    """He is erased while the role dies at that place, once or, as it is delivered again, twice; gives how often it did."""
    before = scene.arena.deaths_on_purpose(role)
    scene.arena.sabotage(role, plan)
    await scene.kill(role)
    await scene.launch(role)
    asked = asyncio.create_task(_erase(scene, desk, who))
    await dead(scene.arena.process(role), scene)
    if role != "identity-api" and not plan.endswith(":api") and scene.random.random() < 0.3:
        await scene.launch(role)
        await dead(scene.arena.process(role), scene)
    await heal(scene, [role])
    await asked
    return scene.arena.deaths_on_purpose(role) - before


async def _erase(scene: Scene, desk: Desk, who: Doomed) -> None:
    if scene.random.random() < 0.4:
        await once_more(who, desk)
    await erase(who, desk)


async def _blow(scene: Scene, desk: Desk, people: Sequence[Doomed], roles: Sequence[str]) -> None:
    """They are erased at once, and somewhere in the middle of it two of the roles, or a backend of the database, are killed."""
    asked = [asyncio.create_task(_erase(scene, desk, who)) for who in people]
    await scene.pause(0.0, 0.4)
    if scene.arena.bootstrap is not None and scene.random.random() < 0.5:
        await _kill_backend(scene)
    else:
        chosen = scene.random.sample(list(roles), k=min(2, len(roles)))
        for role in chosen:
            await scene.kill(role)
        await scene.do(scene.arena.start_all, chosen)
    await asyncio.gather(*asked)


async def _kill_backend(scene: Scene) -> None:
    connection = await connected(scene)
    rows = await connection.fetch(
        "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    await connection.close()
    if rows:
        with suppress(ProcessLookupError):
            os.kill(scene.random.choice(rows)["pid"], signal.SIGKILL)


# --- judged -----------------------------------------------------------------------------------------------------------


async def _judged(
    scene: Scene, desk: Desk, people: Sequence[Doomed], theirs: Sequence[Possessions], kept: Counter[str]
) -> None:
    certificates = [await _complete(desk, who) for who in people]
    await scene.checker.settled()
    for who in people:
        await erase(who, desk)  # asked once more
    measures = scene.measures
    measures.tell(erased=len(people), of_them_late=sum(1 for who in people if who.late))
    measures.none("certificates that are not complete", _not_complete(certificates))
    measures.none("persons with two erasures", await _more_than_one(desk, people))
    measures.none("figures of certificates that differ from what there was", [
        line for who, his, said in zip(people, theirs, certificates, strict=True) for line in differing(who, his, said)
    ])  # fmt: skip
    await _resent(scene, desk, people)
    async with scene.checker.databases() as databases:
        told, astray = await left_of(people, theirs, databases)
        measures.none("words of the erased that were left", told)
        measures.none("rows left that name the erased", astray)
        measures.none("not on a list of the erased", await unlisted(databases, theirs))
        measures.none("sums that were not kept", _not_kept(theirs, kept, await kept_sums(databases["scoring"]), people))
    measures.none("of others something is gone", await _harmed(desk, people))
    measures.none("who came back and is not new", await _back(scene, desk, people[:3]))


async def _complete(desk: Desk, who: Doomed) -> dict[str, Any]:
    """His certificate, when all four have confirmed, or as it is when that was waited for long enough."""
    deadline = time.monotonic() + COMPLETE_WITHIN
    while True:
        said: dict[str, Any] = await desk.ask("GET", f"/identity/v1/erasures/{who.erasure_id}")
        if said["state"] == "complete" or time.monotonic() > deadline:
            return said
        await asyncio.sleep(0.3)


def _not_complete(certificates: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f"{said['customer_id']} awaits {said['awaited']}"
        for said in certificates
        if said["state"] != "complete" or {line["service"] for line in said["services"]} != set(NAMES)
    ]


async def _more_than_one(desk: Desk, people: Sequence[Doomed]) -> list[str]:
    """Another certificate for the same person, in an answer or on the list."""
    listed: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        page = await desk.ask(
            "GET", "/identity/v1/erasures", params={"limit": 100} | ({"cursor": cursor} if cursor else {})
        )
        listed.update(one["customer_id"] for one in page["items"])
        if (cursor := page["next"]) is None:
            break
    told = [who.word for who in people if len({answer["erasure_id"] for answer in who.answers}) != 1]
    return told + [who.word for who in people if listed[who.customer_id] != 1]


def _not_kept(
    theirs: Sequence[Possessions], before: Counter[str], after: Counter[str], people: Sequence[Doomed]
) -> list[str]:
    """What they brought is kept to the cent; of a contact of the last moment scoring may have heard or not."""
    due: Counter[str] = Counter()
    for his in theirs:
        due.update(his.sums)
    late = sum(who.late for who in people)
    slack = {"contacts": late, "entries": late, "contact_cost": None}
    found = []
    for name, number in due.items():
        more = after[name] - before[name] - number
        most = slack.get(name, 0)
        if more < 0 or (most is not None and more > most):
            found.append(f"{name} should be {number}, is {after[name] - before[name]}")
    return found


async def _resent(scene: Scene, desk: Desk, people: Sequence[Doomed]) -> None:
    """History comes again: what was recorded is a duplicate, what was not is refused; nothing of it may be kept."""
    odd = []
    for who in people:
        again = scene.random.choice(who.bodies[:5])
        said = await desk.post("/interactions/v1/touchpoints", again)
        if said.get("status") != "duplicate":
            odd.append(f"{who.word}: {said}")
        history = touchpoint(who, who.email, external_id=f"h-{who.number}", backfill=True)
        said = await desk.post("/interactions/v1/touchpoints", history, fine=(409,))
        if said.get("code") != "erased":
            odd.append(f"{who.word}: {said}")
    scene.measures.none("history that was not refused", odd)
    await scene.checker.settled()


async def _harmed(desk: Desk, people: Sequence[Doomed]) -> list[str]:
    """Whoever stood beside an erased person is who he was, with what he said."""
    found = []
    for who in people:
        if not who.beside:
            continue
        packet = await desk.ask(
            "GET", "/interactions/v1/resume", params={"identifier": who.beside_email, "channel": "call"}
        )
        customer = await desk.customer(who.beside_email)
        named = packet["who"].get("display_name") or ""
        if (packet["who"]["customer_id"], [one["summary"] for one in packet["recap"]]) != (customer, ["Hello"]):
            found.append(f"beside {who.word}: {packet['who']} {packet['recap']}")
        elif who.beside not in named.casefold():
            found.append(f"beside {who.word}: called {named!r}")
    return found


async def _back(scene: Scene, desk: Desk, people: Sequence[Doomed]) -> list[str]:
    """Some come back with the same address: each is somebody new, of whom nothing is known but this."""
    for who in people:
        moment = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
        back = touchpoint(who, who.email, external_id=f"n-{who.number}", occurred_at=moment, summary="I am back")
        await desk.post("/interactions/v1/touchpoints", back)
    await scene.checker.settled()
    found = []
    for who in people:
        packet = await desk.ask("GET", "/interactions/v1/resume", params={"identifier": who.email, "channel": "call"})
        now = await desk.customer(who.email)
        if now == who.customer_id or [one["summary"] for one in packet["recap"]] != ["I am back"]:
            found.append(f"{who.word}: {now} {packet['recap']}")
    return found
