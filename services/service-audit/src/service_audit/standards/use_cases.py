"""Writing down what we agreed to. A changed standard judges the past anew, from what was seen and kept."""

from collections.abc import Mapping
from typing import Any

from common.clock import Clock
from service_audit.evidence.use_cases import REJUDGE, judge_anew
from service_audit.standards.domain import (
    Document,
    DocumentKind,
    UnknownDocument,
    check_cycle,
    check_list,
    check_version,
)
from service_audit.standards.shipped import CYCLES, shipped
from service_audit.uow import AuditUnitOfWork

# There is one promise and one list of attributes.
PROMISE = "promise"
ATTRIBUTES = "attributes"
SHIPPER = "hilo"


async def put_promise(
    body: Mapping[str, Any], *, expected: int | None, by: str, uow: AuditUnitOfWork, clock: Clock
) -> Document:
    """A new version of the promise. A pillar that a moment refers to cannot go."""
    async with uow:
        # Locked first: a cycle that is being written refers to this version or waits for the next.
        known = await uow.standards.get("promise", PROMISE, locked=True)
        check_list(body, "pillars", cycles=await uow.standards.all("cycle"))
        written = await _write("promise", PROMISE, body, known, expected=expected, by=by, uow=uow, clock=clock)
        await uow.commit()
    return written


async def put_attributes(
    body: Mapping[str, Any], *, expected: int | None, by: str, uow: AuditUnitOfWork, clock: Clock
) -> Document:
    """A new version of the scorecard's attributes. One that a moment feeds cannot go."""
    async with uow:
        # Locked first: a cycle that is being written refers to this version or waits for the next.
        known = await uow.standards.get("attributes", ATTRIBUTES, locked=True)
        check_list(body, "attributes", cycles=await uow.standards.all("cycle"))
        written = await _write("attributes", ATTRIBUTES, body, known, expected=expected, by=by, uow=uow, clock=clock)
        await uow.commit()
    return written


async def put_cycle(
    code: str, body: Mapping[str, Any], *, expected: int | None, by: str, uow: AuditUnitOfWork, clock: Clock
) -> Document:
    """A new version of a cycle, and the first step of judging anew what it concerns; a timer does the further steps."""
    async with uow:
        if await uow.standards.get("cycle", code) is None:
            # A batch under way has not read it: what that has seen is there before all is judged by the new cycle.
            await uow.inbox.enter()
            await uow.standards.hold()
        attributes = await uow.standards.get("attributes", ATTRIBUTES, locked=True)
        promise = await uow.standards.get("promise", PROMISE, locked=True)
        check_cycle(code, body, attributes=_codes(attributes, "attributes"), pillars=_codes(promise, "pillars"))
        known = await uow.standards.get("cycle", code, locked=True)
        written = await _write("cycle", code, body, known, expected=expected, by=by, uow=uow, clock=clock)
        now = clock()
        further = await judge_anew(code, written.version, after=None, uow=uow, now=now)
        if further is None:
            await uow.timers.cancel(REJUDGE, code)
        else:
            await uow.timers.set(REJUDGE, code, now, {"version": written.version, "after": list(further)})
        await uow.commit()
    return written


async def ship_defaults(*, uow: AuditUnitOfWork, clock: Clock) -> None:
    """Promise, attributes and cycles that come with the service, where none was written under their names."""
    async with uow:
        now = clock()
        documents = [
            Document("promise", PROMISE, 1, shipped("promise"), now, SHIPPER),
            Document("attributes", ATTRIBUTES, 1, shipped("attributes"), now, SHIPPER),
            *(Document("cycle", code, 1, shipped(code), now, SHIPPER) for code in CYCLES),
        ]
        await uow.standards.save_where_absent(documents)
        await uow.commit()


async def document_of(kind: DocumentKind, code: str, *, uow: AuditUnitOfWork) -> Document:
    """The present version. Raises UnknownDocument."""
    document = await uow.standards.get(kind, code)
    if document is None:
        raise UnknownDocument
    return document


async def _write(
    kind: DocumentKind,
    code: str,
    body: Mapping[str, Any],
    known: Document | None,
    *,
    expected: int | None,
    by: str,
    uow: AuditUnitOfWork,
    clock: Clock,
) -> Document:
    check_version(None if known is None else known.version, expected)
    written = Document(kind, code, 1 if known is None else known.version + 1, dict(body), clock(), by)
    await uow.standards.save(written)
    return written


def _codes(document: Document | None, what: str) -> list[str]:
    return [] if document is None else [item["code"] for item in document.body[what]]
