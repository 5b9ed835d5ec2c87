"""HTTP in, HTTP out: whom the caller means, which view his credential reaches, and the packet as it was composed."""

import time
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from common.auth import Principal, needs
from common.errors import Invalid
from common.http import made_once, metrics_of
from common.identifiers import InvalidIdentifier, blocked, identifier_id, read_identifiers
from common.ids import new_id
from common.problems import problems_of
from common.versions import etag_of, is_known
from interactions.journal import Journal, journal_of, keeping_journal
from interactions.readers import reader_of
from interactions.resume.domain import Question, Reader, View, ViewForbidden
from interactions.resume.models import resume_read
from interactions.resume.packet import as_json
from interactions.resume.repository import Resumes
from interactions.resume.schemas import EXAMPLE, GivenIdentifier, ResumeQuestion, ResumeRead
from interactions.resume.use_cases import Resumed, read_resume
from interactions.touchpoints.domain import channel_of
from interactions.touchpoints.router import DeskOf
from interactions.touchpoints.use_cases import Desk

router = APIRouter(prefix="/interactions/v1/resume", tags=["resume"], lifespan=keeping_journal)

CanRead = Annotated[Principal, needs("resume:read")]


class NobodyAsked(Invalid):
    code = "nobody-named"
    title = "Name an identifier or a customer_id"


def question_of(body: ResumeQuestion, *, who: Principal, desk: Desk, pointer: str = "/identifiers") -> Question:
    """What was asked, in our own ids. Identifiers that are nobody's (000000, noreply@) ask for nobody."""
    if not body.identifiers and body.customer_id is None and who.customer_id is None:
        raise NobodyAsked
    reading = read_identifiers(
        body.identifiers, default_region=desk.company.phone_region, source=who.source, pointer=pointer
    )
    named = [identifier for identifier in reading.identifiers if not blocked(identifier, desk.company)]
    chosen = [UUID(identifier.value) for identifier in named if identifier.scheme == "customer"]
    return Question(
        identifier_ids=frozenset(identifier_id(i.text, desk.secret) for i in named if i.scheme != "customer"),
        customer_ids=tuple(dict.fromkeys([*([body.customer_id] if body.customer_id else []), *chosen])),
        channel=channel_of(body.channel) if body.channel else None,
        topic=desk.company.topic_of(body.topic) or body.topic,
        asked=tuple({"given": i.given, "normalised": i.text} for i in reading.identifiers),
    )


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": ResumeRead, "content": {"application/json": {"example": EXAMPLE}}},
    **problems_of(ViewForbidden, NobodyAsked, InvalidIdentifier),
}


@router.get(
    "",
    summary="Pick up the thread with a customer",
    response_class=Response,
    responses={**_ANSWERS, 304: {"description": "Nothing has changed since the version in If-None-Match"}},
)
async def get_resume(
    request: Request,
    who: CanRead,
    desk: DeskOf,
    identifier: Annotated[
        Sequence[GivenIdentifier],
        Query(
            max_length=20,
            description="`scheme:value`, repeatable. A leading space is read as a lost +",
            examples=["phone:3001234567"],
        ),
    ] = (),
    customer_id: Annotated[UUID | None, Query(description="Instead of an identifier, or together with one")] = None,
    channel: Annotated[
        str | None, Query(max_length=60, description="The channel he is being served on (canal)", examples=["call"])
    ] = None,
    topic: Annotated[
        str | None, Query(max_length=100, description="What he comes about (tema)", examples=["factura"])
    ] = None,
    view: Annotated[
        View | None, Query(description="agent, partner or customer; by default what the credential sees")
    ] = None,
    partner: Annotated[
        str | None, Query(max_length=100, description="With view=partner, for staff: as this partner sees it")
    ] = None,
    if_none_match: Annotated[str | None, Header(description="The ETag of the packet that you have")] = None,  # noqa: ARG001 - `is_known` reads it; OpenAPI tells of it here
) -> Response:
    """The resume (retomar el hilo): all that is needed to go on where the last talk stopped, on whatever channel that was.

    It tells who he is and how sure we are, what is open and owed, what we know and must not ask, how to treat him. Always 200 for who may read: an unknown caller gets candidates, an anonymous history or an empty packet. What the view
    does not show is absent. Phones do not belong in access logs: prefer the POST form of this call.
    """
    body = ResumeQuestion(
        identifiers=list(identifier), customer_id=customer_id, channel=channel, topic=topic, view=view, partner=partner
    )
    question = question_of(body, who=who, desk=desk, pointer="/query/identifier")
    return await _resume(question, who, reader_of(who, view, partner=partner), desk, request)


@router.post(
    "", summary="Pick up the thread, without identifiers in the address", response_class=Response, responses=_ANSWERS
)
async def ask_resume(request: Request, body: ResumeQuestion, who: CanRead, desk: DeskOf) -> Response:
    """The same packet as by GET (retomar el hilo), asked for in a body, so that no access log ever holds a phone number."""
    question = question_of(body, who=who, desk=desk)
    return await _resume(question, who, reader_of(who, body.view, partner=body.partner), desk, request)


async def _resume(question: Question, who: Principal, reader: Reader, desk: Desk, request: Request) -> Response:
    """The answer, noted in the journal; to a GET that names the version it has, whether that still holds."""
    started = time.perf_counter()
    resumes = resumes_of(request, desk)
    resumed = await read_resume(
        question, reader, resumes=resumes, clock=desk.clock, company=desk.company, secret=desk.secret
    )
    unchanged = request.method == "GET" and is_known(request, _etag(resumed))
    _note(await journal_of(request), resumed, who, reader, question, unchanged=unchanged)
    response = _answer(resumed, unchanged=unchanged)
    metrics_of(request).resume.observe(time.perf_counter() - started)
    return response


def resumes_of(request: Request, desk: Desk) -> Resumes:
    """The application's look at the database: those who ask together share it."""
    return made_once(request, "resumes", lambda: Resumes(desk.database, desk.clock))


def _answer(resumed: Resumed, *, unchanged: bool) -> Response:
    headers = {"ETag": _etag(resumed)}
    if unchanged:
        return Response(status_code=304, headers=headers)
    # the packet is plain data already: a response model would parse and write it again, for three times the cost
    content = as_json(resumed.composed.packet)
    return Response(content, media_type="application/json", headers=headers)


def _etag(resumed: Resumed) -> str:
    """Weak: hours go by without a new version."""
    return f"W/{etag_of(resumed.composed.etag)}"


def _note(
    journal: Journal, resumed: Resumed, who: Principal, reader: Reader, question: Question, *, unchanged: bool
) -> None:
    journal.note(
        resume_read,
        {
            "read_id": new_id(),
            "at": resumed.at,
            "key_id": who.key_id[:200],
            "reader": (who.name or who.subject or who.key_id)[:200],
            "customer_id": resumed.who.customer_id,
            "recognised": resumed.who.recognised,
            "view": reader.view,
            "channel": question.channel,
            "version": resumed.composed.version,
            "unchanged": unchanged,
        },
    )
