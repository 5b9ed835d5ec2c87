"""What a caller can ask for: the resume of whomever he means, as far as he may see it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from common.clock import Clock
from common.company import Company
from common.identifiers import identifier_id
from interactions.parts.domain import PROFILE
from interactions.resume.domain import Memory, Question, Reached, Reader, Who, for_reader, recognise
from interactions.resume.packet import Composed, compose
from interactions.resume.repository import Resumes
from interactions.resume.scene import Scene

NOBODY = Who("unknown")


@dataclass(frozen=True)
class Resumed:
    """The packet that was composed, and of whom."""

    who: Who
    composed: Composed
    at: datetime


async def read_resume(
    question: Question, reader: Reader, *, resumes: Resumes, clock: Clock, company: Company, secret: bytes
) -> Resumed:
    """The packet, always: for somebody unknown, or whom the reader may not know of, a complete and empty one."""
    now = clock()
    who = await _find(question, reader, resumes)
    memory = await resumes.remember(who, reader)
    if _may_have_moved(who, memory) and (now_meant := await _find(question, reader, resumes)) != who:
        who, memory = now_meant, await resumes.remember(now_meant, reader)
    memory = for_reader(memory, reader)
    who, memory = _as_far_as_known(who, memory, reader)
    memory = await _with_own_accounts(memory, who, reader, resumes, secret)
    memory = await _with_names(memory, reader, resumes)
    candidates = await resumes.candidates(who.candidates) if reader.internal and who.candidates else []
    return Resumed(who, compose(Scene(who, memory, question, reader, company, now), candidates), now)


def _may_have_moved(who: Who, memory: Memory) -> bool:
    """Whether a link, a merge or an undo came between the two questions: then what is his is under another name by now."""
    return memory.linked or (who.recognised == "customer" and not memory.touchpoints)


async def _find(question: Question, reader: Reader, resumes: Resumes) -> Who:
    if reader.bound and reader.customer_id is not None:
        return await _find_himself(question, reader, resumes)
    reached, truncated = await resumes.reached_by(question.identifier_ids, reader)
    for named in question.customer_ids:
        if (customer_id := await resumes.existing(named)) is not None:
            reached.append(_named(customer_id))
    who = recognise(reached, truncated=truncated)
    # who may not choose among candidates is not told that there are several
    return who if reader.internal or who.recognised != "candidates" else NOBODY


async def _find_himself(question: Question, reader: Reader, resumes: Resumes) -> Who:
    """A customer's own token reaches himself and nobody else; a stranger and somebody who does not exist are the same."""
    himself = await resumes.existing(reader.customer_id) if reader.customer_id else None
    if himself is None:
        return NOBODY
    for named in question.customer_ids:
        if await resumes.existing(named) != himself:
            return NOBODY
    if question.identifier_ids:
        reached, _ = await resumes.reached_by(question.identifier_ids, replace(reader, customer_id=himself))
        if {trace.identifier_id for trace in reached} != set(question.identifier_ids):
            return NOBODY
    return Who("customer", himself, 1.0)


def _named(customer_id: UUID) -> Reached:
    return Reached(customer_id, "customer", customer_id, customer_id, 1, "person")


def _as_far_as_known(who: Who, memory: Memory, reader: Reader) -> tuple[Who, Memory]:
    """A partner knows of nobody who never came through him."""
    if reader.restricted_to_partner and not memory.touchpoints:
        return NOBODY, Memory()
    return who, memory


async def _with_own_accounts(memory: Memory, who: Who, reader: Reader, resumes: Resumes, secret: bytes) -> Memory:
    """Outside the agent's view only accounts that lie on traces which the reader may see: a claimed one may be a stranger's."""
    profile = memory.parts.get(PROFILE)
    if reader.internal or profile is None or who.customer_id is None:
        return memory
    ids = {identifier_id(account, secret): account for account in profile.body.get("accounts") or []}
    visible = await resumes.accounts_on(who.customer_id, ids, reader) if ids else set()
    body: Mapping[str, object] = {
        **profile.body,
        "accounts": [account for key, account in ids.items() if key in visible],
    }
    return replace(memory, parts={**memory.parts, PROFILE: replace(profile, body=dict(body))})


async def _with_names(memory: Memory, reader: Reader, resumes: Resumes) -> Memory:
    """How those of his network are called by now: identity tells of them by their ids."""
    profile = memory.parts.get(PROFILE)
    if not reader.internal or profile is None:
        return memory
    ties = (profile.body.get("network") or {}).get("ties") or []
    ids = {UUID(other["customer_id"]) for tie in ties for other in tie["others"]}
    if not ids:
        return memory
    names = await resumes.names_of(ids)
    return replace(memory, beside={str(customer_id): name for customer_id, name in names.items()})
