"""An index of another form is made anew beside the work: slice by slice, through kills; it joins nobody by itself."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
import sqlalchemy as sa

from common.db import outbox_table
from common.service import Runtime
from common.testing import settings_for, woken
from common.timers import Timer
from common.upgrading import NEVER, WHOLE
from identity.linking.models import decision
from identity.matching import indexing
from identity.matching.blocking import keys_of
from identity.matching.indexing import MATCH_INDEX, index_if_other, index_on
from identity.matching.models import match_key, match_record
from identity.matching.records import FORM, written
from identity.settings import IdentitySettings
from identity.sightings.models import name_token, sighting
from identity.sightings.use_cases import see_people
from identity.worker import create_timers, prepare

from ..conftest import COMPANY, Identity, seen, unseen  # noqa: TID252
from .people import person

ANA = {"birth_date": "1984-03-02", "address": "Calle 93 # 11-26 apto 501", "city": "Bogotá"}
TABLES = (match_record, match_key, name_token)


def runtime(identity: Identity) -> Runtime:
    return Runtime(settings_for(IdentitySettings), identity.database, COMPANY, identity.clock)


async def noted(identity: Identity) -> Timer:
    async with identity.uow() as uow:
        found = await uow.timers.get(MATCH_INDEX, WHOLE)
    assert found is not None
    return found


# Wakes in which identifiers are renewed, which takes its turn beside the index: one, and one that finds no more.
OF_IDENTIFIERS = 2


async def slices(identity: Identity, most: int = 100) -> int:
    """The worker wakes as often as it is due, each time as one that was started anew; gives how often."""
    return await woken(lambda: create_timers(runtime(identity)), identity.clock, most=most)


async def make_anew(identity: Identity) -> None:
    await prepare(runtime(identity))
    await slices(identity)


async def take_away(identity: Identity) -> None:
    """As the first version left it: no index, and nothing noted of one, nor when anything came."""
    async with identity.uow() as uow:
        for table in TABLES:
            await uow.session.execute(sa.delete(table))
        await uow.session.execute(sa.update(sighting).values(came_at=None))
        await uow.commit()


async def index_of(identity: Identity) -> list[set[tuple[object, ...]]]:
    rows = [await identity.rows(table) for table in TABLES]
    return [
        {(row.trace_id, orjson.dumps({k: v for k, v in row.told.items() if k != "unasked"})) for row in rows[0]},
        *({tuple(row) for row in some} for some in rows[1:]),
    ]


def people(many: int) -> list[str]:
    names = ("Ana López", "Pedro Gil", "Rosa Mora", "Luis Cano", "Eva Paz", "Hugo Sanz", "Inés Roa", "Iván Sol")
    return [f"{names[n % len(names)]} {chr(65 + n // len(names))}ruz" for n in range(many)]


async def crowd(identity: Identity, many: int = 12) -> None:
    told = [seen(f"account:shop:c{n}", name=name, profile={"city": "Cali"}) for n, name in enumerate(people(many))]
    await identity.happen(*told)


async def test_who_was_told_of_before_there_was_an_index_is_found_by_a_newcomer(identity: Identity) -> None:
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    await identity.happen(first)
    await take_away(identity)
    await make_anew(identity)
    second = seen("phone:3001112233", name="LOPEZ RUIZ ANA", profile=ANA)
    await identity.happen(second)
    assert await identity.owner(first) == await identity.owner(second)


async def test_keys_of_an_older_form_are_put_right(identity: Identity) -> None:
    """A mailbox of Google's was once compared as it was spelt; and of another only what no key is made of was read otherwise."""
    old = seen("email:ana.lopez84+shop@gmail.com", name="Ana Maria Lopez Ruiz", profile={"city": "Cali"})
    other = seen("account:shop:1", name="Pedro Gil Mora", profile={"region": "Valle"})
    await identity.happen(old, other)
    right = await index_of(identity)
    spelt = replace(person("Ana Maria Lopez Ruiz", city="Cali"), identifiers=(("email", "ana.lopez84+shop@gmail.com"),))
    async with identity.uow() as uow:
        kept, _ = await uow.matching.records([other.trace_id])
        before = {old.trace_id: spelt, other.trace_id: replace(kept[other.trace_id], region="valle del cauca")}
        await uow.matching.keep(before, known=before)
        await uow.commit()
    assert not any(now == then for now, then in zip((await index_of(identity))[:2], right[:2], strict=True))
    await make_anew(identity)
    assert await index_of(identity) == right


async def test_what_is_made_anew_is_what_the_tellings_made(identity: Identity) -> None:
    account = "account:shop:1"
    await identity.happen(seen(account, "phone:3001112233", name="Ana López", profile={"city": "Cali"}))
    await identity.happen(
        seen(account, "email:ana.lopez84@example.com", name="Ana María López Ruiz", profile=ANA),
        seen(account, name="A. López", profile={"city": "Bogotá", "organisation": "Panadería El Trigal"}),
    )
    gone = seen(account, name="Beatriz Cano")
    await identity.happen(gone)
    await identity.happen(unseen(gone))
    told = await index_of(identity)
    await take_away(identity)
    await make_anew(identity)
    assert await index_of(identity) == told
    assert len(told[0]) == 1


async def test_the_long_story_of_one_is_read_in_parts(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(7):
        email = f"email:ana.lopez{day}@example.com"
        await identity.happen(seen("account:shop:1", email, name="Ana López", profile={"city": f"Villa {day}"}))
    for _ in range(4):  # nothing new in the last of the parts
        await identity.happen(seen("account:shop:1", name="Ana López", profile={"city": "Villa 6"}))
    told = await index_of(identity)
    await crowd(identity)
    monkeypatch.setattr(indexing, "TELLINGS_AT_ONCE", 2)
    await take_away(identity)
    await make_anew(identity)
    anew = await index_of(identity)
    assert all(some < all_ for some, all_ in zip(told, anew, strict=True))
    assert len(anew[0]) == 13


async def test_told_twice_it_changes_nothing(identity: Identity) -> None:
    await crowd(identity)
    await take_away(identity)
    await make_anew(identity)
    once = [await identity.rows(table) for table in TABLES]
    async with identity.uow() as uow:
        await uow.timers.cancel(MATCH_INDEX, WHOLE)
        await uow.commit()
    await make_anew(identity)
    assert [await identity.rows(table) for table in TABLES] == once
    assert (await noted(identity)).payload["traces"] == 12


async def test_killed_half_way_it_goes_on_where_it_was(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    await crowd(identity)
    told = await index_of(identity)
    await take_away(identity)
    monkeypatch.setattr(indexing, "TRACES_AT_ONCE", 2)
    await prepare(runtime(identity))
    wakes = OF_IDENTIFIERS + 3
    assert await slices(identity, most=wakes) == wakes
    half = await noted(identity)
    assert half.payload["traces"] == 6
    async with identity.uow() as uow:  # no commit: as if it was killed
        await index_on([half], uow=uow, clock=identity.clock, company=COMPANY)
    await prepare(runtime(identity))  # the start after that
    assert await noted(identity) == half
    assert await slices(identity) == 4  # three with two each, and one that finds no more
    assert await index_of(identity) == told
    done = await noted(identity)
    assert (done.due_at, done.payload["form"], done.payload["traces"]) == (NEVER, FORM, 12)


async def test_who_is_told_of_meanwhile_is_kept_as_he_was_told(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd(identity)
    monkeypatch.setattr(indexing, "TRACES_AT_ONCE", 5)
    await take_away(identity)
    await prepare(runtime(identity))
    await slices(identity, most=1)
    moved = [seen(f"account:shop:c{n}", name=name, profile={"city": "Pasto"}) for n, name in enumerate(people(14))]
    await identity.happen(*moved)
    await slices(identity)
    assert {row.told["city"] for row in await identity.rows(match_record)} == {"pasto"}
    assert len(await identity.rows(match_record)) == 14


async def test_it_waits_for_whoever_takes_in(identity: Identity) -> None:
    """What it read before would be put over what is being told."""
    if identity.database.dialect == "sqlite":
        pytest.skip("one writer: nobody is under way while another writes")
    await crowd(identity)
    await take_away(identity)
    await index_if_other(uow=identity.uow(), clock=identity.clock)
    moved = seen("account:shop:c3", name=people(4)[3], profile={"city": "Pasto"})
    async with identity.uow() as uow:
        await uow.lock_decisions()
        await see_people([moved], uow=uow, company=COMPANY, now=identity.clock())
        indexing_ = asyncio.create_task(create_timers(runtime(identity)).fire())
        await asyncio.sleep(0.5)
        await uow.commit()
    assert await indexing_ == 1
    await slices(identity)
    [row] = [row for row in await identity.rows(match_record) if row.trace_id == moved.trace_id]
    assert row.told["city"] == "pasto"


async def test_an_index_in_todays_form_is_left_alone(identity: Identity) -> None:
    await make_anew(identity)
    before = await noted(identity)
    await prepare(runtime(identity))
    assert await noted(identity) == before
    assert await slices(identity) == 0


async def test_another_form_begins_it_again(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    await crowd(identity)
    await make_anew(identity)
    monkeypatch.setattr(indexing, "FORM", FORM + 1)
    monkeypatch.setattr(indexing, "TRACES_AT_ONCE", 5)
    await prepare(runtime(identity))
    await slices(identity, most=1)
    half = await noted(identity)
    monkeypatch.setattr(
        indexing, "FORM", FORM
    )  # a worker of the version before still runs: it leaves it to the new one
    await slices(identity, most=1)
    assert (await noted(identity)).payload == half.payload
    monkeypatch.setattr(indexing, "FORM", FORM + 1)
    identity.clock.advance(timedelta(minutes=2))
    await slices(identity)
    assert (await noted(identity)).payload["traces"] == 12


async def test_nobody_is_joined_until_he_is_told_of_again(identity: Identity) -> None:
    """Both came before there was an index. Whoever comes again looks for the other as he would have had he come for the first time."""
    first = seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=ANA)
    second = seen("phone:3001112233", name="Ana Maria Lopez Ruiz", profile=ANA)
    await identity.happen(first)
    await take_away(identity)
    await identity.happen(second)
    await take_away(identity)
    owners, told = await identity.owners(), len(await identity.rows(outbox_table))
    await make_anew(identity)
    assert await identity.owners() == owners
    assert len(set(owners.values())) == 2
    assert len(await identity.rows(outbox_table)) == told
    assert {row.kind for row in await identity.rows(decision)} <= {"link"}
    await identity.happen(seen("phone:3001112233", name="Ana Maria Lopez Ruiz", profile=ANA))
    assert await identity.owner(first) == await identity.owner(second)
    [again] = [row for row in await identity.rows(match_record) if row.trace_id == second.trace_id]
    assert "unasked" not in again.told


async def test_what_staff_wrote_is_found_as_before(identity: Identity) -> None:
    await identity.happen(seen("account:shop:1", name="Ana López"))
    words = {row.token for row in await identity.rows(name_token)}
    [trace_id] = await identity.owners()
    async with identity.uow() as uow:
        await uow.sightings.write_profile(trace_id, {"preferred_name": "Anita"}, source="staff", at=identity.clock())
        await uow.session.execute(sa.update(name_token).where(name_token.c.token == "ana").values(token="aná"))
        await uow.commit()
    await make_anew(identity)
    assert {row.token for row in await identity.rows(name_token)} == words | {"anita"}


def test_who_changes_the_form_says_so() -> None:
    """Another digest: raise FORM in records.py, so that what was kept in the old form is made anew, and note it here."""
    samples = (
        person(
            "José María de la Peña Gómez", ids=("email:jose.pena+tienda@gmail.com", "phone:+573001112233"),
            birth_date="02/03/1984", address="Cra 7 # 45-10 apto 302", city="Bogotá D.C.", postcode="110231",
        ),
        person("Ruiz, Ana", ids=("document:co-cc:52123456", "account:shop:7"), organisation="Panadería El Trigal S.A.S."),
        person("Jhon Wilson Quintero Ospina", address="Calle de Alcalá 45, 3º B", country="ES", region="Madrid"),
        person("LOPEZ RUIZ PEPE", birth_date="1970-01-31"),
        person("Ma. Guadalupe Hdez. López", birth_date="19/03/1984", country="MX"),
        person("João da Silva Filho", birth_date="19/03/1984", country="BR"), person("ECHEVERRIA ROSSI ANA", birth_date="1970-01-31"),
        person("Rosario Carrillo de Ospina", ids=("document:~ecci:1820977164",)), person("RAMIREZ MILTON RAFAEL", birth_date="1970-01-31"),
    )  # fmt: skip
    told = orjson.dumps([[written(each), sorted(keys_of(each))] for each in samples], option=orjson.OPT_SORT_KEYS)
    assert (FORM, hashlib.md5(told, usedforsecurity=False).hexdigest()) == (5, "871077362a3523df16eba75d046d13b0")
