"""What is remembered between two readings: the same words are not taken apart twice, and nobody's stay for ever."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from interactions.resume.domain import Memory, Reader, Who
from interactions.resume.repository import KEPT, MOST_WORDS, Resumes
from interactions.resume.sections import as_asked
from interactions.resume.statements import Shape, reading

PHONE, OTHER = "phone:300 123 4567", "phone:300 765 4321"
AGENT = Reader("agent")


async def test_a_party_that_is_told_of_in_the_same_words_is_remembered_until_a_word_changes(world):
    await world.record(identifiers=[PHONE], summary="First")
    resumes, ana = Resumes(world.database, world.clock), Who("customer", await world.link(PHONE), 1.0)

    async def read() -> Memory:
        return await resumes.remember(ana, AGENT)

    first = await read()
    assert await read() is first
    await world.record(identifiers=[PHONE], summary="Second")
    second = await read()
    assert [contact.summary for contact in second.touchpoints] == ["Second", "First"]
    assert await read() is second


async def test_nobody_is_remembered_for_long_nor_in_many_words(world):
    await world.record(identifiers=[PHONE], summary="Short")
    long = [{"key": f"said-{number}", "value": "x" * 900} for number in range(20)]
    await world.record(identifiers=[OTHER], facts=long)
    assert sum(len(fact["value"]) for fact in long) > MOST_WORDS
    resumes = Resumes(world.database, world.clock)
    ana, pedro = [Who("customer", await world.link(phone), 1.0) for phone in (PHONE, OTHER)]
    briefly, at_length = await resumes.remember(ana, AGENT), await resumes.remember(pedro, AGENT)
    assert await resumes.remember(pedro, AGENT) is not at_length
    assert await resumes.remember(ana, AGENT) is briefly
    world.clock.advance(KEPT + timedelta(seconds=1))
    assert await resumes.remember(ana, AGENT) is not briefly


async def test_twice_the_history_costs_no_more_than_twice_as_much(world):
    if world.database.dialect != "sqlite":
        pytest.skip("PostgreSQL finds the newest by an index, and tells no steps")

    await world.record(identifiers=[PHONE])
    customer = await world.link(PHONE)

    async def steps_with(pages: int) -> int:
        for hours in range(pages):
            await world.record(identifiers=[PHONE], kind="web", channel="web", ago=timedelta(hours=hours))
        asked = reading(Shape("sqlite", "customer", meant_for_customer=False, proven=False, through_partner=False))
        values = {"asked": as_asked("sqlite", [{"customer": customer}]), "since": "", "remembered": ""}
        steps: list[None] = []
        with closing(sqlite3.connect(world.database.engine.url.database)) as database:
            database.set_progress_handler(lambda: steps.append(None), 100)
            database.execute(asked.text, [values[name] for name in asked.names]).fetchall()
        return len(steps)

    first = await steps_with(100)
    assert await steps_with(100) < 2 * first
