"""The file of weights that `hilo match --learn` writes: what must stand in it before anything is weighed by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from common.settings import UnusableSetting
from identity.matching.domain import AT, FIELDS, WIDEST, Common, Weights, learnt_from_file, shipped_weights

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
PerRecord = Annotated[float, Field(gt=0, allow_inf_nan=False)]
OfField = Annotated[list[Share], Field(min_length=WIDEST, max_length=WIDEST)]
OfAllFields = Annotated[list[OfField], Field(min_length=len(FIELDS), max_length=len(FIELDS))]


class BadWeights(UnusableSetting):
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
    def _with_levels_of_today(cls, told: Any) -> Any:
        """What was learnt before short forms and suffixes of names were levels of their own has what is shipped of them."""
        version = told.get("version") if isinstance(told, dict) else None
        if version not in ("learnt-1", "learnt-2"):
            return told
        shipped = vars(shipped_weights())
        tables = {name: told[name] for name in ("match", "stranger", "housemate") if isinstance(told.get(name), list)}
        if version == "learnt-1":
            tables = {name: _with_level(table, "short", shipped[name].tolist()) for name, table in tables.items()}
        # where the suffix stands stood two given names of which one agrees: they are two people's now
        return told | {
            name: _with_level(table, "suffix", shipped[name].tolist(), instead=True) for name, table in tables.items()
        }


def _with_level(table: list[Any], level: str, shipped: list[list[float]], *, instead: bool = False) -> list[Any]:
    """The table with a level of given names as shipped, `instead` of what stood in its place; else every row is longer by one."""
    told = [[*row, 1.0] if isinstance(row, list) and not instead else row for row in table]
    place, at = AT["given_names"], FIELDS[AT["given_names"]].place(level)
    if len(table) > place and isinstance(table[place], list):
        told[place] = [*table[place][:at], shipped[place][at], *table[place][at + instead :]]
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
