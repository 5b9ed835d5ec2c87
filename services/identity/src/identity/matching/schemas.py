"""The file of weights that `hilo match --learn` writes: what must stand in it before anything is weighed by it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from identity.matching.domain import FIELDS, WIDEST, Common, Weights, learnt_from_file

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
        text = file.read_bytes()
        Learnt.model_validate_json(text)
    except OSError as error:
        raise BadWeights(f"HILO_MATCH_WEIGHTS: {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "the whole"
        raise BadWeights(f"HILO_MATCH_WEIGHTS: {file}: {where}: {wrong['msg']}") from None
    return learnt_from_file(json.loads(text))
