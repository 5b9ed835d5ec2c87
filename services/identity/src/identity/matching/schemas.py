"""The file of weights that `hilo match --learn` writes: what must stand in it before anything is weighed by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from identity.matching.domain import AT, FIELDS, WIDEST, Common, Weights, learnt_from_file, shipped_weights

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
PerRecord = Annotated[float, Field(gt=0, allow_inf_nan=False)]
OfField = Annotated[list[Share], Field(min_length=WIDEST, max_length=WIDEST)]
OfAllFields = Annotated[list[OfField], Field(min_length=len(FIELDS), max_length=len(FIELDS))]


class BadWeights(Exception):  # noqa: N818 - told to whoever starts the service
    """The file that `HILO_MATCH_WEIGHTS` names cannot be weighed by; the message says which, where and why."""


class LearntWeights(BaseModel):
    """Frequencies of levels, a row for each field, as `Weights` has them."""

    version: Annotated[str, Field(min_length=1)]
    match: OfAllFields
    stranger: OfAllFields
    housemate: OfAllFields
    matches_per_record: PerRecord
    housemates_per_record: PerRecord
    records: Annotated[int, Field(ge=2)]

    @model_validator(mode="before")
    @classmethod
    def _with_short_names(cls, told: Any) -> Any:
        """What was learnt before short forms of names were a level of their own has what is shipped of it."""
        if not isinstance(told, dict) or told.get("version") != "learnt-1":
            return told
        at, shipped = FIELDS[AT["given_names"]].place("short"), vars(shipped_weights())
        tables = (name for name in ("match", "stranger", "housemate") if isinstance(told.get(name), list))
        return told | {name: _with_level(told[name], at, shipped[name].tolist()) for name in tables}


def _with_level(table: list[Any], at: int, shipped: list[list[float]]) -> list[Any]:
    """Every row with a place more: that of given names where its new level stands, the others at their end."""
    told = [[*row, 1.0] if isinstance(row, list) else row for row in table]
    place = AT["given_names"]
    if len(table) > place and isinstance(table[place], list):
        told[place] = [*table[place][:at], shipped[place][at], *table[place][at:]]
    return told


class LearntShares(BaseModel):
    """How common values are."""

    mean: Share
    share: dict[str, Share]


class Learnt(BaseModel):
    """The whole file."""

    weights: LearntWeights
    common: dict[Literal["given_names", "surnames", "city", "postcode"], LearntShares]


def learnt_in(file: Path) -> tuple[Weights, Mapping[str, Common]]:
    """Weights and what is common. Raises BadWeights for a file that is not there, or not as it was learnt."""
    try:
        learnt = Learnt.model_validate_json(file.read_bytes())
    except OSError as error:
        raise BadWeights(f"HILO_MATCH_WEIGHTS: {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the whole"
        raise BadWeights(f"HILO_MATCH_WEIGHTS: {file}: {where}: {wrong['msg']}") from None
    return learnt_from_file(learnt.model_dump())
