"""What the environment decides, read once at the start; a production start on a default secret is refused."""

import hashlib
import hmac
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

DEVELOPMENT_SECRET = "hilo-development-secret-that-production-refuses"  # noqa: S105 - refused outside development
SHORTEST_SECRET = 32
MEBIBYTE = 1024 * 1024


class UnusableSetting(Exception):  # noqa: N818 - the deployment cannot start, nobody was refused
    """What a setting names cannot be used; the message says which setting, where and why."""


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix `HILO_`. A service subclasses it and changes defaults."""

    # a wrong value is never repeated in the error: it may be the secret
    model_config = SettingsConfigDict(env_prefix="HILO_", extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    database_url: str = Field("sqlite+aiosqlite:///var/hilo.db", repr=False)
    kafka_bootstrap: str | None = None
    kafka_partitions: int = Field(12, ge=1)
    company_file: Path | None = None

    secret: str = Field(DEVELOPMENT_SECRET, repr=False)
    first_key_hash: str | None = Field(None, repr=False)
    jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    allow_dev_tokens: bool = True  # has effect in development only

    docs: bool = True
    cors_origins: list[str] = Field(
        [], description='Origins whose pages may ask from a browser, as JSON: ["https://desk.example"]'
    )
    max_body_bytes: int = Field(8 * MEBIBYTE, ge=1)
    most_requests: int = Field(
        512, ge=1, description="Requests in flight in one process; more are answered 503 overloaded"
    )
    most_request_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Bytes of the bodies of these requests")
    longest_wait_seconds: float = Field(
        2.0, gt=0, description="Where requests stay longer on average, no more are let in than leave in that time"
    )
    rate_limit: float = Field(5000, ge=0, description="Requests a second for one credential and process; 0: no limit")
    customer_rate_limit: float = Field(50, ge=0, description="The same for a credential that is bound to one customer")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # how long things may wait until a worker calls itself degraded
    outbox_late_seconds: float = Field(60, gt=0, description="Age of the oldest event that was not passed on")
    lag_late_seconds: float = Field(60, gt=0, description="Age of the oldest event that was not handled")
    timers_late_seconds: float = Field(300, gt=0, description="Since the oldest timer was due")
    parked_many: int = Field(100, ge=1, description="So many parked things are too many")

    outbox_retention_days: int = Field(14, ge=1)
    inbox_retention_days: int = Field(30, ge=1)

    @field_validator(
        "kafka_bootstrap", "company_file", "first_key_hash", "jwks_url", "jwt_issuer", "jwt_audience", mode="before"
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        if self.environment == "development":
            return self
        if self.secret == DEVELOPMENT_SECRET or len(self.secret) < SHORTEST_SECRET:
            raise ValueError(
                f"HILO_SECRET must be set to at least {SHORTEST_SECRET} characters of your own outside development"
            )
        return self

    @model_validator(mode="after")
    def _inbox_outlives_outbox(self) -> Self:
        # a replay of the kept log must find every event that it once handled still in the inbox
        if self.inbox_retention_days < self.outbox_retention_days:
            raise ValueError("HILO_INBOX_RETENTION_DAYS must not be less than HILO_OUTBOX_RETENTION_DAYS")
        return self

    @property
    def dev_tokens(self) -> bool:
        return self.allow_dev_tokens and self.environment == "development"

    def key_for(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose only, derived from the secret."""
        return derived_key(self.secret, purpose)


@lru_cache(maxsize=64)
def derived_key(secret: str, purpose: str) -> bytes:
    """Keys for different purposes tell nothing of each other, nor of the secret."""
    return hmac.digest(secret.encode(), f"hilo/{purpose}".encode(), hashlib.sha256)
