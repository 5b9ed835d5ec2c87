"""How a moment is written: RFC 3339 in UTC, ending in Z, in all answers and events alike; how one is read that is told."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_BEGINS_WITH_A_DAY = re.compile(r"[0-9]{4}-")


def _told_as_text(told: object) -> object:
    # Pydantic takes any numeral for seconds since 1970: 20251004 and 45934, days as files write them, would be days of that year.
    if not isinstance(told, str) or not _BEGINS_WITH_A_DAY.match(told):
        raise ValueError("A moment is an RFC 3339 text with an offset")
    return told


def _in_history(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 9000:
        raise ValueError("The year is out of range")
    return moment


# What somebody tells us of a moment, in a body.
Moment = Annotated[AwareDatetime, BeforeValidator(_told_as_text), AfterValidator(_in_history)]


@lru_cache(maxsize=256)  # all that one transaction tells happened at one moment
def written(moment: datetime) -> str:
    """The text of an aware moment."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
