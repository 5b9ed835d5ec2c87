"""How a moment is written: RFC 3339 in UTC, ending in Z, in all answers and events alike."""

from datetime import UTC, datetime


def written(moment: datetime) -> str:
    """The text of an aware moment."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
