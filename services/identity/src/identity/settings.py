"""What the environment decides for identity."""

from pathlib import Path

from pydantic import Field, field_validator

from common.settings import Settings


class IdentitySettings(Settings):
    """The common settings, with this service's own database and port, and what likeness is weighed by."""

    database_url: str = Field("sqlite+aiosqlite:///var/identity.db", repr=False)
    port: int = Field(8001, ge=0, le=65535)
    match_weights: Path | None = Field(
        None, description="What `hilo match --learn` wrote; none: likeness is weighed as shipped"
    )

    @field_validator("match_weights", mode="before")
    @classmethod
    def _empty_is_no_file(cls, value: object) -> object:
        return None if value == "" else value
