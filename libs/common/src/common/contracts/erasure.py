"""What every service says when it has taken out what it had of an erased person: the lines of his certificate."""

from uuid import UUID

from pydantic import AwareDatetime

from common.events import EventData


class ErasureDone(EventData):
    """One service has taken out one part. Counts by kind of thing; `kept` are sums under a random key, and receipts."""

    erasure_id: UUID
    part: int
    removed: dict[str, int]
    kept: dict[str, int]
    found: list[UUID] = []  # traces that this service had given to him, and identity had not heard of
    at: AwareDatetime

    def key(self) -> str:
        return str(self.erasure_id)
