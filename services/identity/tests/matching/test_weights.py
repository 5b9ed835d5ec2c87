"""Weights learnt elsewhere: identity weighs by the file that its settings name, and refuses one that it cannot weigh by."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.mishaps import words_for
from common.service import Runtime
from common.testing import settings_for
from identity.linking.models import decision
from identity.main import create_app
from identity.matching.bulk import match
from identity.matching.columns import Columns
from identity.matching.comparing import Frequencies
from identity.matching.domain import AT, FIELDS, learnt_document, shipped_weights
from identity.matching.schemas import BadWeights, learnt_in
from identity.matching.use_cases import ENGINE, Engine
from identity.settings import IdentitySettings
from identity.worker import create_consumer

from ..conftest import COMPANY, Identity, seen  # noqa: TID252
from .test_bulk import stranger

PROFILE = {"birth_date": "1984-03-02", "address": "Calle 93 # 11-26 apto 501", "city": "Bogotá"}


@pytest.fixture(autouse=True)
def as_shipped() -> Iterator[None]:
    yield
    shipped = Engine()
    ENGINE.weigh_by(shipped.weights, shipped.common)


@pytest.fixture
def learnt(tmp_path: Path) -> Path:
    """As a run over 321 records learns it."""
    draw = random.Random(1)
    people = [stranger(draw, n) for n in range(200)]
    columns = Columns.of([*people, *people[:121]])
    weights = match(columns).weights
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(learnt_document(weights, Frequencies.of(columns).common(columns))))
    return path


def runtime(identity: Identity, file: Path | str | None) -> Runtime:
    return Runtime(settings_for(IdentitySettings, match_weights=file), identity.database, COMPANY, identity.clock)


async def joined_because(identity: Identity) -> str:
    """The reason for which two who are alike were joined."""
    await identity.happen(seen("email:ana.lopez84@example.com", name="Ana Maria Lopez Ruiz", profile=PROFILE))
    await identity.happen(seen("phone:3001112233", name="Ana Lopez Ruiz", profile=PROFILE))
    [merge] = [row for row in await identity.rows(decision) if row.kind == "merge"]
    return str(merge.reason)


async def test_a_started_identity_weighs_by_the_file_of_its_settings(identity: Identity, learnt: Path) -> None:
    create_consumer(runtime(identity, learnt))
    assert "prior one in 321" in await joined_because(identity)


@pytest.mark.parametrize(("version", "later"), [("learnt-1", ["short", "suffix"]), ("learnt-2", ["suffix"])])
def test_a_file_that_was_learnt_before_a_level_of_names_was_one_has_what_is_shipped_of_it(
    learnt: Path, version: str, later: list[str]
) -> None:
    weights, _ = learnt_in(learnt)
    document = json.loads(learnt.read_text())
    row, short = AT["given_names"], FIELDS[AT["given_names"]].place("short")
    places = [FIELDS[row].place(level) for level in later]
    for table in (document["weights"][name] for name in ("match", "stranger", "housemate")):
        table[row][places[-1]] = 0.0625  # of two given names, of which one agreed
        if short in places:
            table[:] = [[*each[:short], *each[short + 1 :]] if n == row else each[:-1] for n, each in enumerate(table)]
    learnt.write_text(json.dumps(document | {"weights": document["weights"] | {"version": version}}))
    older, shipped = learnt_in(learnt)[0], shipped_weights()
    assert (older.bits[row, places] == shipped.bits[row, places]).all()
    assert (older.home_bits[row, places] == shipped.home_bits[row, places]).all()
    others = np.ones_like(older.bits, dtype=bool)
    others[row, places] = False
    assert (older.bits[others] == weights.bits[others]).all()


@pytest.mark.parametrize("file", [None, ""])
async def test_without_a_file_it_weighs_as_shipped(identity: Identity, learnt: Path, file: str | None) -> None:
    create_app(runtime(identity, learnt))
    create_app(runtime(identity, file))
    assert "prior one in 1000000" in await joined_because(identity)


def test_the_environment_names_the_file(monkeypatch: pytest.MonkeyPatch, learnt: Path) -> None:
    monkeypatch.setenv("HILO_MATCH_WEIGHTS", str(learnt))
    assert IdentitySettings().match_weights == learnt


def change(learnt: Path, *path: str | int, value: Any) -> None:
    document = json.loads(learnt.read_text())
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    learnt.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("weights", "match"), [], "weights.match: "),
        (("weights", "stranger", 2), [1.0, 0.5], "weights.stranger.2: "),
        (("weights", "housemate", 0, 1), 0.0, "weights.housemate.0.1: "),
        (("weights", "match", 0, 1), float("nan"), "weights.match.0.1: "),
        (("weights", "records"), "many", "weights.records: "),
        (("weights",), None, "weights: "),
        (("common", "surnames", "share"), {"lopez": 2.0}, "common.surnames.share.lopez: "),
        (("common", "favourite_colour"), {"mean": 1.0, "share": {}}, "common.favourite_colour"),
    ],
)
async def test_a_file_that_cannot_be_weighed_by_is_refused_at_the_start(
    identity: Identity, learnt: Path, path: tuple[str | int, ...], value: Any, where: str
) -> None:
    change(learnt, *path, value=value)
    for create in (create_app, create_consumer):
        with pytest.raises(BadWeights) as refused:
            create(runtime(identity, learnt))
        said = str(refused.value)
        assert said.startswith(f"HILO_MATCH_WEIGHTS: {learnt}: {where}")
        assert "\n" not in said
        assert words_for(refused.value) == said


@pytest.mark.parametrize("text", ["", "{", "[]", '"weights"'])
def test_what_is_no_such_document_is_refused_with_the_name_of_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "weights.json").write_text(text)
    with pytest.raises(BadWeights, match=r"HILO_MATCH_WEIGHTS: .*weights\.json: the whole: "):
        learnt_in(tmp_path / "weights.json")


async def test_a_file_that_is_not_there_is_refused_at_the_start(identity: Identity, tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match=r"nowhere\.json cannot be read: No such file"):
        create_consumer(runtime(identity, tmp_path / "nowhere.json"))
