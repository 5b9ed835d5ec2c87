from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Integer, MetaData, String, Table, Uuid, delete, select

from common.bulk import FEW, Written, among, among_given, insert_columns, insert_rows, update_rows, without_row
from common.db import Database, Json, UtcDateTime
from common.uow import UnitOfWork

METADATA = MetaData()
thing = Table(
    "thing",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("name", String(50)),
    Column("big", BigInteger),
    Column("small", Integer),
    Column("share", Float),
    Column("good", Boolean),
    Column("day", Date),
    Column("at", UtcDateTime),
    Column("body", Json),
)


def row(number: int, **changes: Any) -> dict[str, Any]:
    given = {
        "id": UUID(int=number),
        "name": "Ñandú 'quoted' \"twice\" {braces} $1 ?",
        "big": 2**62 + number,
        "small": -number,
        "share": 0.1,
        "good": True,
        "day": date(2026, 11, 20),
        "at": datetime(2026, 11, 20, 10, 0, 0, 123, tzinfo=timezone(timedelta(hours=-5))),
        "body": {"a": [1, None, "x"], "b": {"c": True}},
    }
    return given | changes


@pytest.fixture
async def things(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    return database


async def stored(database: Database) -> list[Any]:
    async with UnitOfWork(database, reading=True) as uow:
        return [dict(r._mapping) for r in (await uow.session.execute(select(thing).order_by(thing.c.id))).all()]


async def test_every_type_comes_back_as_it_was_given(things: Database) -> None:
    empty = dict.fromkeys(row(2)) | {"id": UUID(int=2)}
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(1), empty])
        await uow.commit()
    first, second = await stored(things)
    assert first == row(1) | {"at": row(1)["at"].astimezone(UTC)}
    assert second == empty


async def test_what_is_there_stays_and_only_new_rows_are_returned(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(1, name="first")])
        written = await insert_rows(
            uow.session, thing, [row(1, name="second"), row(2)], on_conflict="nothing", returning=["id", "at", "body"]
        )
        await uow.commit()
    assert [(w.id, w.at, w.body) for w in written] == [(UUID(int=2), row(2)["at"], row(2)["body"])]
    assert (await stored(things))[0]["name"] == "first"


async def test_what_is_there_can_be_updated_from_what_came(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(1, small=1)])
        await insert_rows(uow.session, thing, [row(1, small=5)], on_conflict={"small": "thing.small + excluded.small"})
        await uow.commit()
    assert (await stored(things))[0]["small"] == 6


async def test_a_moment_without_a_zone_is_refused(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        with pytest.raises(ValueError, match="zone"):
            await insert_rows(uow.session, thing, [row(1, at=datetime(2026, 1, 1))])  # noqa: DTZ001


async def test_a_thousand_rows_are_one_statement(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        written = await insert_rows(uow.session, thing, [row(n) for n in range(1, 1001)], returning=["id"])
        await uow.commit()
    assert len(written) == 1000


async def test_any_number_of_values_is_one_condition(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(n, name=f"name {n}") for n in range(1, 51)])
        await uow.commit()
    async with UnitOfWork(things, reading=True) as uow:

        async def found(column: Any, values: Any) -> int:
            return len((await uow.session.execute(select(thing.c.id).where(among(column, values)))).all())

        assert await found(thing.c.id, [UUID(int=n) for n in range(40, 60)]) == 11
        assert await found(thing.c.name, {"name 1", "name 2", "it's another"}) == 2
        assert await found(thing.c.big, [2**62 + 7]) == 1
        assert await found(thing.c.id, []) == 0
        assert await found(thing.c.id, [UUID(int=n) for n in range(1, 40_000)]) == 50


async def test_a_question_that_is_made_once_is_asked_with_any_values(things: Database) -> None:
    known = select(thing.c.id).where(among_given(thing.c.name, "names"))
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(n, name=f"name {n}") for n in range(1, 6)])
        for names, found in ((["name 1", "name 4", "else"], 2), ([], 0), (["name 5"], 1)):
            assert len((await uow.session.execute(known, {"names": names})).all()) == found


@pytest.mark.parametrize("count", [1, FEW + 1])
async def test_rows_that_come_by_column_are_written_like_others(things: Database, count: int) -> None:
    rows = [row(n, name=None if n % 2 else f"name {n}") for n in range(1, count + 1)]
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, rows)
        await uow.commit()
    wanted = await stored(things)
    columns = {name: tuple(each[name] for each in rows) for name in reversed(rows[0])}
    columns["body"] = tuple(Written(orjson.dumps(body).decode()) for body in columns["body"])
    async with UnitOfWork(things) as uow:
        await uow.session.execute(delete(thing))
        await insert_columns(uow.session, thing, columns)
        await insert_columns(uow.session, thing, dict.fromkeys(columns, ()))
        await uow.commit()
    assert await stored(things) == wanted


async def test_known_rows_take_what_came_and_only_where_the_condition_holds(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(n, small=n) for n in range(1, 6)])
        came = [
            {"id": UUID(int=n), "small": 3, "name": f"new {n}", "good": False, "at": None, "body": {"n": n}}
            for n in (1, 2, 3, 4, 99)
        ]
        await update_rows(uow.session, thing, came, keys=["id"], where="t.small < a.small")
        await update_rows(uow.session, thing, [], keys=["id"])
        await uow.commit()
    rows = await stored(things)
    assert [(each["small"], each["name"][:3]) for each in rows] == [
        (3, "new"), (3, "new"), (3, "Ñan"), (4, "Ñan"), (5, "Ñan"),
    ]  # fmt: skip
    assert (rows[0]["good"], rows[0]["at"], rows[0]["body"], rows[0]["big"]) == (False, None, {"n": 1}, 2**62 + 1)


async def test_keys_that_lead_to_no_row_are_told_by_their_places(things: Database) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(1, good=True), row(2, good=False)])
        ids = [UUID(int=n) for n in (3, 1, 2, 4)]
        assert await without_row(uow.session, thing, {"id": ids}) == [0, 3]
        good = "t.id = k.id AND (t.good OR NOT k.good)"
        assert await without_row(uow.session, thing, {"id": ids, "good": [False, True, True, True]}, where=good) == [
            0,
            2,
            3,
        ]
        assert await without_row(uow.session, thing, {"id": []}) == []


@pytest.mark.parametrize("value", [2, 0.5, -7, True, "2", [2]])
async def test_a_json_value_may_be_a_number_alone(things: Database, value: Any) -> None:
    async with UnitOfWork(things) as uow:
        await insert_rows(uow.session, thing, [row(1, body=value)])
        await uow.commit()
    assert [each["body"] for each in await stored(things)] == [value]
