"""A database that comes back as it was a while ago, or empty, and projections that are built anew, with the tools that operators have."""

import asyncio
import importlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.db import inbox_table, outbox_table

from .faults import Fault, Scene
from .outages import QUESTIONS
from .probe import Probe

# What each listens to that can be replayed; who has told identity of people tells it anew.
TOPICS = {
    "identity": ("interactions.v1",),
    "scoring": ("identity.v1", "interactions.v1"),
    "service-audit": ("identity.v1", "interactions.v1"),
}
NEW_MEMBER = 3.0  # seconds that a group takes to give a place to its worker


def restored(service: str) -> Fault:
    """A backup is taken, work goes on, and the database comes back as it was in the backup.

    What people enter into identity meanwhile would be lost with it, as docs/operations.md says: they rest.
    """

    async def fault(scene: Scene) -> int:
        if service == "identity":
            await scene.load.leave_people_alone()
        backup, taken_at = scene.arena.stack.var / f"{service}.backup", datetime.now(UTC)
        await scene.do(_dump, scene, service, backup)
        await asyncio.sleep(scene.seconds)
        await _replaced(scene, service, backup)
        await _replayed(scene, service, taken_at - timedelta(minutes=1))
        await _told_anew(scene, service)
        await asyncio.sleep(scene.seconds)
        return 1

    return fault


def emptied(service: str) -> Fault:
    """The database is lost, and there is no backup: a new one is made, empty."""

    async def fault(scene: Scene) -> int:
        await asyncio.sleep(scene.seconds)
        await _replaced(scene, service, None)
        await _replayed(scene, service, None)
        await _told_anew(scene, service)
        await asyncio.sleep(scene.seconds)
        return 1

    return fault


def restored_alone(service: str) -> Fault:
    """The same with the embedded stack's own tools: a copy of all files, of which one comes back."""

    async def fault(scene: Scene) -> int:
        backup = scene.arena.var.parent / "backup"
        await scene.do(_hilo, scene, "backup", backup)
        await asyncio.sleep(scene.seconds)
        await _swapped(scene, service, lambda: _hilo(scene, "restore", backup, "--service", service))
        return 1

    return fault


def emptied_alone(service: str) -> Fault:
    """The service's file is lost, and there is no backup."""

    async def fault(scene: Scene) -> int:
        await asyncio.sleep(scene.seconds)
        await _swapped(scene, service, lambda: _remove(scene.arena.file(service)))
        return 1

    return fault


async def _swapped(scene: Scene, service: str, swap: Callable[[], Any]) -> None:
    """While it is down, the file is changed; it starts, hears again what it lacks, and with its rebuild tells its state anew."""
    assert await scene.do(lambda: scene.arena.stop("hilo", within=20))
    await _note_told(scene, service)
    await scene.do(swap)
    await scene.start("hilo")
    await asyncio.sleep(scene.seconds)
    said = await scene.do(_command, scene, service, "rebuild")
    scene.measures.tell(rebuilt=said.strip()[-120:])
    await asyncio.sleep(scene.seconds / 2)


def _remove(file: Path) -> None:
    for each in (file, *file.parent.glob(f"{file.name}-*")):
        each.unlink()


def rebuilt(*services: str) -> Fault:
    """The projections are built anew from the log while the load goes on and somebody asks all the time."""

    async def fault(scene: Scene) -> int:
        await asyncio.sleep(scene.seconds / 2)
        probes = {
            name: Probe(scene.arena, "GET", scene.arena.origins(name)[0] + QUESTIONS[name], every=0.2)
            for name in services
        }
        async with AsyncExitStack() as stack:
            for probe in probes.values():
                await stack.enter_async_context(probe.going())
            for name in services:
                begun = time.monotonic()
                said = await scene.do(_command, scene, name, "rebuild")
                scene.measures.tell(
                    **{f"{name}: rebuilt in, s": time.monotonic() - begun, f"{name}: said": said[-200:]}
                )
                events = re.search(r"rebuilt from (\d+) events", said)
                scene.measures.at_least(f"{name}: rebuilt from events", int(events[1]) if events else 0, 1)
        for name, probe in probes.items():
            odd = [one.status for one in probe.replies if not 200 <= one.status < 300]
            scene.measures.tell(**{f"{name}: questions meanwhile": len(probe.replies)})
            scene.measures.none(f"{name}: questions without an answer", odd)
        await asyncio.sleep(scene.seconds / 2)
        return len(services)

    return fault


async def _replaced(scene: Scene, service: str, backup: Path | None) -> None:
    arena = scene.arena
    for role in (f"{service}-worker", f"{service}-api"):
        await scene.do(lambda role=role: arena.stop(role, within=20))
    await _note_told(scene, service)
    before = await _claims(scene, service)
    await scene.do(_replace, scene, service, backup)
    scene.measures.at_least("claims lost with the database", before - await _claims(scene, service), 1)
    for role in (f"{service}-api", f"{service}-worker"):
        await scene.start(role)
    await asyncio.sleep(NEW_MEMBER)


async def _claims(scene: Scene, service: str) -> int:
    async with scene.checker.databases() as databases, databases[service].session(reading=True) as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(inbox_table)) or 0


async def _note_told(scene: Scene, service: str) -> None:
    """What others may have heard, and its own log may soon not hold."""
    async with scene.checker.databases() as databases, databases[service].session(reading=True) as session:
        scene.ledger.retold[service].update((await session.scalars(sa.select(outbox_table.c.id))).all())


async def _replayed(scene: Scene, service: str, since: datetime | None) -> None:
    for topic in TOPICS[service]:
        start = ["--from", since.isoformat()] if since is not None else []
        said = await scene.do(_command, scene, service, "replay", "--topic", topic, *start)
        scene.measures.tell(**{f"replay of {topic}": said.strip()[-120:]})
    if service == "identity":
        said = await scene.do(_command, scene, "interactions", "republish", "people")
        scene.measures.tell(**{"republished people": said.strip()})


async def _told_anew(scene: Scene, service: str) -> None:
    """What the lost end of its log had told others is put right: they hear its state once more."""
    its = next(each for each in scene.arena.stack.services if each.name == service)
    for kind in importlib.import_module(f"{its.package}.service").SERVICE.republish:
        said = await scene.do(_command, scene, service, "republish", kind)
        scene.measures.tell(**{f"republished {kind}": said.strip()})


def _command(scene: Scene, service: str, *words: str) -> str:
    """`python -m <service> ...` on the distributed stack, `hilo ...` on the embedded one; gives what it said. Raises when it failed."""
    arena = scene.arena
    if arena.bootstrap is None:
        return _hilo(scene, words[0], service, *words[1:])
    its = next(each for each in arena.stack.services if each.name == service)
    return _said([sys.executable, "-m", its.package, *words], arena.stack.environment(its))


def _hilo(scene: Scene, *words: str | Path) -> str:
    return _said([Path(sys.executable).with_name("hilo"), *words, "--var", scene.arena.var], None)


def _said(command: Sequence[str | Path], environment: Mapping[str, str] | None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        words = " ".join(str(word) for word in command[1:])
        raise RuntimeError(f"{words} failed: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def _dump(scene: Scene, service: str, to: Path) -> None:
    its = next(each for each in scene.arena.stack.services if each.name == service)
    _with_postgres(scene, "pg_dump", "--format", "custom", "--file", to, "--dbname", its.database)


def _replace(scene: Scene, service: str, backup: Path | None) -> None:
    arena = scene.arena
    server, its = arena.stack.postgres, next(each for each in arena.stack.services if each.name == service)
    server.drop_database(its.database)
    server.create_database(its.database)
    if backup is not None:
        _with_postgres(scene, "pg_restore", "--exit-on-error", "--dbname", its.database, backup)
    _command(scene, service, "migrate")


def _with_postgres(scene: Scene, program: str, *arguments: Any) -> None:
    server = scene.arena.stack.postgres
    address = ["-h", "127.0.0.1", "-p", server.port, "-U", "hilo"]
    command = [server.binaries / program, *address, *arguments]
    environment = {"PGPASSWORD": server.password, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr.strip()[-500:]}")
