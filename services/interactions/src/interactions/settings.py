"""What the environment decides for interactions."""

from pydantic import Field

from common.settings import Settings


class InteractionsSettings(Settings):
    """The settings of every service, and what only this one asks."""

    database_url: str = Field("sqlite+aiosqlite:///var/interactions.db", repr=False)
    port: int = Field(8002, ge=0, le=65535)
    kafka_attests: list[str] = Field([], description="Schemes that producers of channels.touchpoints.v1 prove")

    log_retention_years: int | None = Field(
        None, ge=1, description="Whole years for which touchpoints are kept; none: for ever"
    )

    @property
    def identifier_secret(self) -> bytes:
        """Under which ids of identifiers and traces are computed: the same in every service of a deployment."""
        return self.key_for("identifiers")
