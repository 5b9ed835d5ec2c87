"""The contracts on paper: event schemas, OpenAPI and AsyncAPI documents, written from the code and committed in `contracts/`.

Run it as `python -m hilo.contracts write` or `check`.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from common.asyncapi import event_schema
from common.company import Company
from common.db import Database
from common.events import VERSION, registered
from common.service import Runtime, Service, all_topics
from common.telemetry import configure_logging
from hilo.services import SERVICES

FOLDER = Path("contracts")
Document = Mapping[str, Any]


async def documents(services: Sequence[Service] = SERVICES) -> dict[str, Document]:
    """Every document under its path below `contracts/`. The same code gives the same documents, to the last byte."""
    found: dict[str, Document] = {
        f"events/{event.type}.{VERSION}.json": event_schema(event) for event in registered(all_topics())
    }
    with tempfile.TemporaryDirectory() as scratch:
        for service in services:
            found |= await _documents_of(service, Path(scratch))
    return found


def scratch_app(service: Service, folder: Path) -> FastAPI:
    """The service's application as it is made for its documents: nothing is started, and no environment changes it."""
    settings = service.settings().model_copy(
        update={
            "docs": True,
            "database_url": f"sqlite+aiosqlite:///{folder}/{service.package}.db",
            "company_file": None,
        }
    )
    return service.create_app(Runtime(settings, Database.connect(settings.database_url), Company.load(None)))


def rendered(document: Document) -> str:
    """The text of a document, with its keys sorted, so that a difference is a change."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write(folder: Path, found: Mapping[str, Document]) -> list[str]:
    """Bring the folder to what the code says; gives the paths that changed, the removed ones too."""
    changed = differing(folder, found)
    for path in changed:
        file = folder / path
        if path in found:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(rendered(found[path]), encoding="utf-8")
        else:
            file.unlink()
    return changed


def differing(folder: Path, found: Mapping[str, Document]) -> list[str]:
    """The paths whose committed text is not what the code says."""
    there = {str(file.relative_to(folder)): file.read_text("utf-8") for file in folder.rglob("*.json")}
    wanted = {path: rendered(document) for path, document in found.items()}
    return sorted(path for path in there.keys() | wanted.keys() if there.get(path) != wanted.get(path))


async def _documents_of(service: Service, folder: Path) -> dict[str, Document]:
    app = scratch_app(service, folder)
    try:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://documents") as client:
            events = await client.get(f"/{service.name}/asyncapi.json")
            return {
                f"{service.name}.openapi.json": app.openapi(),
                f"{service.name}.asyncapi.json": events.raise_for_status().json(),
            }
    finally:
        await app.state.database.dispose()


def main() -> None:
    """`write` brings the documents up to date; `check` ends with 1 where they are not."""
    parser = argparse.ArgumentParser(prog="python -m hilo.contracts", description="The contracts on paper.")
    parser.add_argument("command", choices=["write", "check"])
    command = parser.parse_args().command
    configure_logging("warning")
    found = asyncio.run(documents())
    changed = write(FOLDER, found) if command == "write" else differing(FOLDER, found)
    for path in changed:
        sys.stdout.write(f"{'written' if command == 'write' else 'differs'}: {FOLDER / path}\n")
    if command == "check" and changed:
        sys.exit("The documents are not what the code says: make contracts")


if __name__ == "__main__":
    main()
