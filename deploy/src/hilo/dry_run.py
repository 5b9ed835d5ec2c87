"""A load without sending: every row is rendered and checked against the API's own schema."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from interactions.touchpoints.schemas import TouchpointCreate


def check(touchpoints: Iterable[dict[str, Any]], *, total: int) -> str:
    """How many rows would be taken as they are, and what is wrong with the others, by field."""
    good = 0
    wrong: Counter[str] = Counter()
    for touchpoint in tqdm(touchpoints, total=total, unit=" touchpoints"):
        try:
            TouchpointCreate.model_validate(touchpoint)
            good += 1
        except ValidationError as error:
            for problem in error.errors(include_input=False):
                wrong[f"/{'/'.join(map(str, problem['loc']))}: {problem['msg']}"] += 1
    lines = [f"{good} of {total} would be taken; identifiers are checked when they are sent"]
    return "\n".join([*lines, *(f"  {count:>7}  {words}" for words, count in wrong.most_common(20))])
