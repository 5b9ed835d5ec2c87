"""How a moment is written: RFC 3339 in UTC, ending in Z, in all answers and events alike."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=256)  # all that one transaction tells happened at one moment
def written(moment: datetime) -> str:
    """The text of an aware moment."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
