"""What storage and clocks do: a disk that is full, a file that is locked, cut or overwritten, a clock that is a day off."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from hilo.native.processes import wait_until

from .faults import Fault, Scene, heal
from .ledger import Reply
from .measures import share
from .probe import Probe

ROOM = 64  # MB that a small disk has beside half as much again as what lies on it
DAY = 86_400
TOO_EARLY = "occurred-in-future"
_LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@asynccontextmanager
async def watched(scene: Scene) -> AsyncIterator[dict[str, Probe]]:
    """Somebody records, and somebody asks whether interactions is ready, all the time."""
    origin = scene.arena.origins("interactions")[0]
    probes = {
        "recording": Probe(
            scene.arena, "POST", f"{origin}/interactions/v1/touchpoints", body=lambda: sent(scene), every=0.2
        ),
        "readiness": Probe(scene.arena, "GET", f"{origin}/interactions/readyz", every=0.5),
    }
    async with AsyncExitStack() as stack:
        for probe in probes.values():
            await stack.enter_async_context(probe.going())
        yield probes


def sent(scene: Scene) -> dict[str, Any]:
    body = scene.load.writer.touchpoint()
    scene.ledger.sent.add(body["external_id"])
    return body


def judge(scene: Scene, probes: dict[str, Probe], begun: float, ended: float, *, longest: float) -> None:
    """While it lasts: a refusal that says when to come again, no 500, no hang; readiness says no; after it: a yes, soon."""
    measures, recording = scene.measures, probes["recording"]
    during = [one for one in recording.replies if begun <= one.at < ended and one.at + one.seconds < ended]
    late = [one for one in recording.replies if begun <= one.at < ended]
    measures.tell(
        answers=dict(Counter(one.status for one in during)), codes={s: sorted(c) for s, c in recording.codes.items()}
    )
    measures.none("answers other than 2xx, 429, 503", [one.status for one in during if not _clear(one)])
    measures.none("503 without Retry-After", [one for one in during if one.status == 503 and not one.retry_after])
    measures.at_least("refusals", sum(one.status == 503 for one in during), 1)
    measures.tell(p50_of_refusals=share([one.seconds for one in during if one.status == 503], 0.5))
    measures.at_most("longest answer, s", max((one.seconds for one in late), default=0.0), longest)
    no = [one for one in probes["readiness"].replies if begun + 1 <= one.at < ended and one.status == 503]
    measures.at_least("readiness said no, times", len(no), 1)
    measures.at_most("first success after it, s", recording.first_success(ended), 5.0)


def _clear(reply: Reply) -> bool:
    return 200 <= reply.status < 300 or reply.status in (429, 503)


# --- a full disk ------------------------------------------------------------------------------------------------------


async def fill_disk(scene: Scene) -> int:
    """The files lie on a small disk, and something else fills it; then there is room again."""
    arena, kept = scene.arena, scene.arena.var.with_name("kept")
    await scene.do(lambda: arena.stop("hilo", within=20))
    shutil.copytree(arena.var, kept)
    held = sum(file.stat().st_size for file in kept.rglob("*") if file.is_file()) / 2**20
    with small_disk(arena.var, held) as disk:
        if not disk:
            scene.measures.tell(skipped="no small disk can be made here: mounting needs root")
        else:
            shutil.copytree(kept, arena.var, dirs_exist_ok=True)
            await scene.start("hilo")
            async with watched(scene) as probes:
                await asyncio.sleep(2)
                begun = time.monotonic()
                ballast = arena.var / "ballast"
                until = begun + scene.seconds
                while time.monotonic() < until:  # what is freed by others meanwhile is taken too
                    await scene.do(_fill, ballast)
                    await asyncio.sleep(0.2)
                ended = time.monotonic()
                ballast.unlink()
                await asyncio.sleep(6)
            judge(scene, probes, begun, ended, longest=5.0)
            await scene.do(lambda: arena.stop("hilo", within=20))
            shutil.rmtree(kept)
            shutil.copytree(arena.var, kept)
    shutil.copytree(kept, arena.var, dirs_exist_ok=True)
    shutil.rmtree(kept)
    await scene.start("hilo")
    return 1


@contextmanager
def small_disk(place: Path, megabytes: float, *, owner: str | None = None) -> Iterator[bool]:
    """A tmpfs over that folder, where the machine lets us; gives whether it is there."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1.5 + ROOM)}m", "hilo-chaos", str(place)]
    made = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    if made and owner is not None:
        shutil.chown(place, owner, owner)
        place.chmod(0o700)
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


async def fill_tablespace(scene: Scene) -> int:
    """PostgreSQL's disk for interactions is full: its tables and indexes lie on a small one, which something else fills."""
    arena, server = scene.arena, scene.arena.stack.postgres
    place = server.home / "small"
    roles = ["interactions-api", "interactions-worker"]
    held = int(server.query("select pg_database_size('interactions')")) / 2**20

    def moved(to: str) -> None:
        for role in roles:
            arena.stop(role, within=20)
        try:
            server.query(f"alter database interactions set tablespace {to}")
        finally:
            for role in reversed(roles):
                arena.start(role)

    with small_disk(place, held, owner=server.user) as disk:
        if not disk:
            scene.measures.tell(skipped="no small disk can be made here: mounting needs root")
            return 0
        data = place / "data"
        data.mkdir()
        shutil.chown(data, server.user, server.user)
        server.query(f"create tablespace small location '{data}'")
        await scene.do(moved, "small")
        async with watched(scene) as probes:
            await asyncio.sleep(2)
            begun = time.monotonic()
            ballast = place / "ballast"
            while time.monotonic() < begun + scene.seconds:
                await scene.do(_fill, ballast)
                await asyncio.sleep(0.2)
            ended = time.monotonic()
            ballast.unlink()
            await asyncio.sleep(6)
        judge(scene, probes, begun, ended, longest=5.0)
        await scene.do(moved, "pg_default")
        server.query("drop tablespace small")
    return 1


# --- the file ---------------------------------------------------------------------------------------------------------


async def lock_file(scene: Scene) -> int:
    """Another program holds the file of interactions for a while: an ill-behaved backup, somebody's shell."""
    command = [sys.executable, "-c", _LOCK, str(scene.arena.file("interactions")), str(scene.seconds)]
    async with watched(scene) as probes:
        await asyncio.sleep(1)
        holder = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert holder.stdout is not None
        await holder.stdout.readline()
        begun = time.monotonic()
        await holder.wait()
        ended = time.monotonic()
        await asyncio.sleep(6)
    judge(scene, probes, begun, ended, longest=5.0)
    return 1


async def spoil_file(scene: Scene) -> int:
    """The file of interactions is cut in half, or its beginning is overwritten: it does not start, or is not ready, and says why."""
    arena, file = scene.arena, scene.arena.file("interactions")
    kept = file.with_name("kept")
    await scene.do(lambda: arena.stop("hilo", within=20))
    _checkpoint(file)
    shutil.copy(file, kept)
    for how, spoil in _SPOILT.items():
        shutil.copy(kept, file)
        spoil(file)
        outcome, words = await _outcome(scene)
        scene.measures.tell(**{f"{how}: outcome": outcome, f"{how}: words": words[-300:]})
        clear = (
            outcome == "did not start" and str(file) in words and "hilo restore" in words and "Traceback" not in words
        )
        scene.measures.none(f"{how}: no clear refusal", [] if clear else [outcome])
        for beside in file.parent.glob(f"{file.name}-*"):
            beside.unlink()
    shutil.copy(kept, file)
    kept.unlink()
    await scene.start("hilo")
    return len(_SPOILT)


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _overwrite(file: Path) -> None:
    with file.open("r+b") as handle:
        handle.write(b"\xa5" * 4096)


def _scratch_pages(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as handle:
        handle.seek(4096)
        handle.write(os.urandom(min(size - 4096, 1 << 20)))


_SPOILT = {"cut in half": _cut, "its beginning overwritten": _overwrite, "pages overwritten": _scratch_pages}


def _checkpoint(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _outcome(scene: Scene) -> tuple[str, str]:
    """What becomes of a start: `did not start`, `not ready`, `ready`, and the words that tell why."""
    arena = scene.arena
    from_here = arena.log.stat().st_size
    process = await scene.do(arena.launch)
    await scene.do(lambda: wait_until(lambda: arena.is_ready() or not process.is_alive(), within=90))
    if not process.is_alive():
        return "did not start", arena.log.read_text(errors="replace")[from_here:].strip()
    try:
        async with httpx.AsyncClient(timeout=5, headers={"Authorization": f"Bearer {arena.key}"}) as client:
            origin = arena.origins("interactions")[0]
            ready = await client.get(f"{origin}/interactions/readyz")
            asked = await client.post(f"{origin}/interactions/v1/touchpoints", json=sent(scene))
    except httpx.HTTPError as error:
        return "not ready", f"no answer: {type(error).__name__}"
    else:
        return ("ready" if ready.status_code == 200 else "not ready"), f"{ready.text} {asked.status_code}"
    finally:
        await scene.do(lambda: arena.stop("hilo", within=15))


# --- the clock --------------------------------------------------------------------------------------------------------


def clock_off(*roles: str) -> Fault:
    """The clock of these roles is a day behind, then a day ahead, then right again."""

    async def fault(scene: Scene) -> int:
        refused: Counter[str] = Counter()
        scene.ledger.tolerated.add(TOO_EARLY)
        for seconds in (-DAY, DAY):
            for role in roles:
                scene.arena.sabotage(role, f"clock:{seconds}")
                await scene.do(lambda role=role: scene.arena.stop(role, within=15))
                await scene.start(role)
            refused.update(await _recorded_now(scene, seconds))
            await _told_by_readiness(scene, seconds)
            await asyncio.sleep(scene.seconds / 2)
        await heal(scene, roles)
        await asyncio.sleep(2)
        refused.update(await _recorded_now(scene, 0))
        await _sent_again(scene)
        scene.measures.tell(answers=dict(sorted(refused.items())))
        odd = [key for key in refused if key.split()[1] not in ("200", "201", "422", "503")]
        scene.measures.none("answers other than 2xx, 422", odd)
        scene.measures.none("refused with the right clock", [key for key in refused if key.startswith("0 4")])
        return 2

    return fault


async def _told_by_readiness(scene: Scene, off: int) -> None:
    """A clock that is behind is seen everywhere; one that is ahead where the server has a clock of its own."""
    origin = scene.arena.origins("interactions")[0]
    async with httpx.AsyncClient(timeout=10) as client:
        said = (await client.get(f"{origin}/interactions/readyz")).json()
    scene.measures.tell(**{f"readiness with the clock off by {off} s": said["checks"].get("clock")})
    if off < 0 or scene.arena.bootstrap is not None:
        told = "clock" in said["concerns"]
        scene.measures.none(f"readiness silent of a clock off by {off} s", [] if told else [said])


async def _recorded_now(scene: Scene, off: int) -> Counter[str]:
    """Contacts of this very moment: a clock that is behind takes them for the future, and says so."""
    origin, answers = scene.arena.origins("interactions")[0], Counter[str]()
    async with httpx.AsyncClient(timeout=10, headers={"Authorization": f"Bearer {scene.arena.key}"}) as client:
        for _ in range(10):
            body = scene.load.writer.touchpoint()
            body |= {"occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            scene.ledger.sent.add(body["external_id"])
            answer = await client.post(f"{origin}/interactions/v1/touchpoints", json=body)
            answers[f"{off} {answer.status_code} {answer.json().get('code', answer.json().get('status'))}"] += 1
            if answer.is_success:
                scene.ledger.take(body["external_id"], answer.json())
            elif answer.status_code == 422:
                scene.ledger.refuse(body["external_id"], answer.json()["code"])
    return answers


async def _sent_again(scene: Scene) -> None:
    """What was taken for the future is parked; with the right clock it is sent again from there, and recorded."""
    origin, outcomes = scene.arena.origins("interactions")[0], Counter[int]()
    url = f"{origin}/interactions/v1/parked"
    async with httpx.AsyncClient(timeout=10, headers={"Authorization": f"Bearer {scene.arena.key}"}) as client:
        answer = await client.get(url, params={"state": "parked", "code": TOO_EARLY, "limit": 200})
        for item in answer.json()["items"]:
            outcomes[(await client.post(f"{url}/{item['id']}:replay")).status_code] += 1
    for external_id in [one for one, code in scene.ledger.refused.items() if code == TOO_EARLY]:
        del scene.ledger.refused[external_id]  # it may be in the log now
    scene.measures.tell(sent_again_from_the_parked_store=dict(outcomes))
    outcomes[409] -= min(
        outcomes[409], scene.ledger.other_bodies_put_off
    )  # another body is refused again, as what it is
    scene.measures.none("parked and not recorded later", [status for status in outcomes.elements() if status != 200])
