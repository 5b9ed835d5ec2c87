"""HTTP in, HTTP out: the promise, the attributes of the scorecard and the service cycles."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from common.http import ClockOf
from common.pagination import Paging
from common.problems import problems_of
from service_audit.callers import AuditWriter, ExpectedVersion, NotForCustomers, Reading, Writing
from service_audit.standards import use_cases
from service_audit.standards.domain import (
    Document,
    DocumentKind,
    DocumentStale,
    DocumentVersionMissing,
    StillInUse,
    UnknownDocument,
    UnusableDocument,
)
from service_audit.standards.schemas import (
    AttributesRead,
    AttributesVersions,
    AttributesWrite,
    CyclePage,
    CycleRead,
    CycleWrite,
    PromiseRead,
    PromiseVersions,
    PromiseWrite,
    VersionPage,
    read_of,
    summary_of,
)

router = APIRouter(prefix="/service-audit/v1", tags=["standards (estándares)"], responses=problems_of(NotForCustomers))
CycleCode = Annotated[
    str,
    Path(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60, description="Of the cycle", examples=["complaint-care"]),
]
WRITING = problems_of(DocumentStale, DocumentVersionMissing, UnusableDocument)


@router.get("/promise", summary="Read the promise", response_model=PromiseRead, responses=problems_of(UnknownDocument))
async def read_promise(uow: Reading, response: Response) -> dict[str, Any]:
    """The service promise (promesa de servicio) and its pillars (pilares), with its ETag."""
    async with uow:
        return _answer(await use_cases.document_of("promise", use_cases.PROMISE, uow=uow), response)


@router.put(
    "/promise", summary="Write the promise", response_model=PromiseRead, responses=WRITING | problems_of(StillInUse)
)
async def put_promise(
    body: PromiseWrite, who: AuditWriter, uow: Writing, clock: ClockOf, expected: ExpectedVersion, response: Response
) -> dict[str, Any]:
    """A new version; the former ones are kept. Send If-Match with the ETag that was read."""
    written = await use_cases.put_promise(
        body.model_dump(mode="json"), expected=expected, by=who.known_as, uow=uow, clock=clock
    )
    return _answer(written, response)


@router.get(
    "/promise/versions",
    summary="List the versions of the promise",
    response_model=PromiseVersions,
    responses=problems_of(UnknownDocument),
)
async def list_promise_versions(uow: Reading, page: Paging) -> dict[str, Any]:
    """Every promise that was ever in force, the newest first: by whom and since when."""
    return await _versions("promise", use_cases.PROMISE, uow, page)


@router.get(
    "/attributes",
    summary="Read the attributes of the scorecard",
    response_model=AttributesRead,
    responses=problems_of(UnknownDocument),
)
async def read_attributes(uow: Reading, response: Response) -> dict[str, Any]:
    """The attributes (atributos) that moments of truth feed, with weights and targets, and the ETag."""
    async with uow:
        return _answer(await use_cases.document_of("attributes", use_cases.ATTRIBUTES, uow=uow), response)


@router.put(
    "/attributes",
    summary="Write the attributes of the scorecard",
    response_model=AttributesRead,
    responses=WRITING | problems_of(StillInUse),
)
async def put_attributes(
    body: AttributesWrite, who: AuditWriter, uow: Writing, clock: ClockOf, expected: ExpectedVersion, response: Response
) -> dict[str, Any]:
    """A new version; scorecards show it at once. Send If-Match with the ETag that was read."""
    written = await use_cases.put_attributes(
        body.model_dump(mode="json"), expected=expected, by=who.known_as, uow=uow, clock=clock
    )
    return _answer(written, response)


@router.get(
    "/attributes/versions",
    summary="List the versions of the attributes",
    response_model=AttributesVersions,
    responses=problems_of(UnknownDocument),
)
async def list_attributes_versions(uow: Reading, page: Paging) -> dict[str, Any]:
    """Every list of attributes that was ever in force, the newest first: by whom and since when."""
    return await _versions("attributes", use_cases.ATTRIBUTES, uow, page)


@router.get("/cycles", summary="List the service cycles")
async def list_cycles(uow: Reading, page: Paging) -> CyclePage:
    """The service cycles (ciclos de servicio), by code."""
    after = page.after(str)
    async with uow:
        found = await uow.standards.page("cycle", after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda document: (document.code,))
    return CyclePage(items=[summary_of(document) for document in kept], next=following)


@router.get(
    "/cycles/{code}", summary="Read a service cycle", response_model=CycleRead, responses=problems_of(UnknownDocument)
)
async def read_cycle(code: CycleCode, uow: Reading, response: Response) -> dict[str, Any]:
    """The moments of truth (momentos de verdad) of the cycle and their standards (estándares), with the ETag."""
    async with uow:
        return _answer(await use_cases.document_of("cycle", code, uow=uow), response)


@router.get(
    "/cycles/{code}/versions",
    summary="List the versions of a cycle",
    response_model=VersionPage,
    responses=problems_of(UnknownDocument),
)
async def list_versions(code: CycleCode, uow: Reading, page: Paging) -> dict[str, Any]:
    """Every version that was ever in force, the newest first: by whom and since when."""
    return await _versions("cycle", code, uow, page)


@router.put("/cycles/{code}", summary="Write a service cycle", response_model=CycleRead, responses=WRITING)
async def put_cycle(
    code: CycleCode,
    body: CycleWrite,
    who: AuditWriter,
    uow: Writing,
    clock: ClockOf,
    expected: ExpectedVersion,
    response: Response,
) -> dict[str, Any]:
    """A new cycle, or a new version of one (then send If-Match with the ETag that was read).

    Everything that was seen so far is judged anew by it: evidence and scorecards change, without raising alarms about the past.
    A long history is judged step by step in the minutes after the answer.
    """
    written = await use_cases.put_cycle(
        code, body.model_dump(mode="json"), expected=expected, by=who.known_as, uow=uow, clock=clock
    )
    return _answer(written, response)


def _answer(document: Document, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{document.version}"'
    return read_of(document)


async def _versions(kind: DocumentKind, code: str, uow: Reading, page: Paging) -> dict[str, Any]:
    before = page.after(int)
    async with uow:
        await use_cases.document_of(kind, code, uow=uow)
        found = await uow.standards.versions(kind, code, before=before[0] if before else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda document: (document.version,))
    return {"items": [read_of(document) for document in kept], "next": following}
