"""Ids of the driver's class are ids like all others."""

import copy
import pickle
import sys
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID, uuid4

import asyncpg.pgproto.pgproto
import pytest

from common.ids import id_at, id_of, new_id, read_id


@pytest.fixture(params=["driver", "library"])
def made_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[UUID]:
    """Whose class the ids of the test are of."""
    if request.param == "driver":
        return asyncpg.pgproto.pgproto.UUID
    monkeypatch.delitem(sys.modules, "asyncpg.pgproto.pgproto")
    return UUID


def test_ids_are_made_in_order_and_of_version_7(made_by: type[UUID]) -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == 1_000
    assert {(type(each), each.version) for each in made} == {(made_by, 7)}


def test_the_id_of_a_name_is_the_same_each_time_and_stands_at_its_moment(made_by: type[UUID]) -> None:
    moment, names = datetime.now(UTC), [uuid4() for _ in range(50)]
    made = [id_at(moment, name) for name in names]
    assert made == [id_at(moment, name) for name in names]
    assert len(set(made)) == 50
    assert {(type(each), each.version, each.variant) for each in made} == {(made_by, 7, RFC_4122)}
    assert max(made) < min(id_at(moment + timedelta(microseconds=1), name) for name in names)
    assert max(made) < id_at(moment + timedelta(seconds=5), names[0])
    before, after = new_id(), new_id()
    assert before < id_at(datetime.now(UTC) + timedelta(milliseconds=5), names[0])
    assert id_at(moment - timedelta(milliseconds=5), names[0]) < after


def test_an_id_is_equal_to_the_librarys_and_found_where_that_one_lies(made_by: type[UUID]) -> None:
    sixteen = bytes(range(16))
    ours, librarys = id_of(sixteen), UUID(bytes=sixteen)
    assert type(ours) is made_by
    assert isinstance(ours, UUID)
    assert ours == librarys
    assert {librarys: "x"}[ours] == {ours: "x"}[librarys] == "x"
    assert (str(ours), ours.int, ours.hex) == (str(librarys), librarys.int, librarys.hex)
    assert copy.deepcopy(ours) == pickle.loads(pickle.dumps(ours)) == librarys


def test_an_id_is_read_as_it_is_written(made_by: type[UUID]) -> None:
    made = new_id()
    assert (type(read_id(str(made))), read_id(str(made))) == (made_by, made)
    with pytest.raises(ValueError, match="UUID"):
        read_id("nobody's")
