"""A resume is put together from two questions, and who is meant may become somebody's between them."""

import orjson
import pytest

from interactions.resume.domain import Memory, Question, Reader, Who
from interactions.resume.repository import Resumes
from interactions.resume.use_cases import read_resume

PHONE = "phone:300 123 4567"
EMAIL = "email:ana@example.com"


@pytest.mark.parametrize("before", ["a trace of nobody", "one of two traces of nobody", "another customer"])
async def test_whoever_is_linked_while_his_resume_is_put_together_is_shown_with_all_of_it(world, before, monkeypatch):
    await world.record(identifiers=[EMAIL, PHONE], summary="The meter was misread")
    if before == "one of two traces of nobody":
        await world.record(identifiers=[PHONE], summary="The bill came late")
    if before == "another customer":
        await world.link(PHONE)
    resumes, found = Resumes(world.database, world.clock), list[Who]()
    remember = resumes.remember

    async def linked_first(who: Who, reader: Reader) -> Memory:
        found.append(who)
        if len(found) == 1:
            await world.link(EMAIL, revision=2)
        return await remember(who, reader)

    monkeypatch.setattr(resumes, "remember", linked_first)
    question = Question(identifier_ids=frozenset(world.ids([PHONE])))
    resumed = await read_resume(
        question,
        Reader("agent"),
        resumes=resumes,
        clock=world.clock,
        company=world.company,
        secret=world.settings.identifier_secret,
    )
    assert "The meter was misread" in orjson.dumps(resumed.composed.packet, default=str).decode()
    assert len(found) == 2
    assert found[0] != found[1] == resumed.who
