"""What the environment decides for service-audit."""

from pydantic import Field

from common.settings import Settings


class AuditSettings(Settings):
    """The common settings, with this service's own database and port."""

    database_url: str = Field("sqlite+aiosqlite:///var/service-audit.db", repr=False)
    port: int = Field(8004, ge=0, le=65535)
