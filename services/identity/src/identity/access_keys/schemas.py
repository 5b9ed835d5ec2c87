"""Bodies and answers about access keys."""

from pydantic import BaseModel, ConfigDict, Field

from common.contracts.identity import AccessChanged


class KeyCreate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "WhatsApp gateway", "scopes": ["touchpoints:write"], "source": "whatsapp-gateway",
                "attests": ["phone"],
            }
        },
    )  # fmt: skip

    name: str = Field(min_length=1, max_length=200)
    scopes: list[str] = Field(min_length=1, max_length=50)
    source: str | None = Field(None, min_length=1, max_length=100, description="For which source it speaks")
    attests: list[str] = Field([], max_length=10, description="Schemes of identifiers that the source proves; `*`: all")
    subject: str | None = Field(
        None, max_length=200, description="`customer:<id>` or `partner:<name>`: it sees his data alone"
    )


class KeyRead(BaseModel):
    """A credential, without the key itself, which is kept nowhere."""

    key_id: str = Field(examples=["9f31c2d4e5a6"])
    name: str = Field(examples=["WhatsApp gateway"])
    scopes: list[str] = Field(examples=[["touchpoints:write"]])
    source: str | None = Field(examples=["whatsapp-gateway"])
    attests: list[str] = Field(examples=[["phone"]])
    subject: str | None = Field(examples=[None])
    revoked: bool

    @classmethod
    def of(cls, change: AccessChanged) -> "KeyRead":
        return cls(**_told(change))


class KeyMade(KeyRead):
    """The key is in this answer and nowhere else."""

    key: str = Field(examples=["hilo_9f31c2d4e5a6_..."])

    @classmethod
    def shown(cls, change: AccessChanged, key: str) -> "KeyMade":
        return cls(key=key, **_told(change))


class KeyPage(BaseModel):
    items: list[KeyRead]
    next: str | None = Field(examples=[None])


def _told(change: AccessChanged) -> dict[str, object]:
    return {name: getattr(change, name) for name in KeyRead.model_fields}
