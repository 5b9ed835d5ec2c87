"""What the environment decides for scoring."""

from common.settings import Settings as CommonSettings


class Settings(CommonSettings):
    """Scoring's own port and database file."""

    port: int = 8003
    database_url: str = "sqlite+aiosqlite:///var/scoring.db"
