"""What the environment decides for identity."""

from pydantic import Field

from common.settings import Settings


class IdentitySettings(Settings):
    """The common settings, with this service's own database and port."""

    database_url: str = Field("sqlite+aiosqlite:///var/identity.db", repr=False)
    port: int = Field(8001, ge=0, le=65535)
