"""HTTP bodies of the scorecard."""

from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service_audit.scorecards.domain import AttributeScore, MomentScore, Score, Scorecard
from service_audit.scorecards.repository import Publication

_COUNTS: dict[str, Any] = {"score": 90.0, "n": 20, "met": 18, "failed": 2, "excluded": 1, "rating": None}
_MOMENT: dict[str, Any] = {
    "cycle": "complaint-care",
    "moment": "complaint-answered",
    "name": "A complaint is answered within 24 hours",
    "name_es": "La queja se responde en 24 horas",
    "kind": "ORDINARY",
    "critical": True,
    "pillar": "responsive",
    "owner_unit": "customer-care",
    "sequence": 1,
    **_COUNTS,
}
_ATTRIBUTE: dict[str, Any] = {
    "code": "responsiveness",
    "name": "Responsiveness",
    "name_es": "Capacidad de respuesta",
    "weight": 3.0,
    "target": 95.0,
    "reached": False,
    "delta": -4.0,
    "previous": 94.0,
    **_COUNTS,
    "moments": [_MOMENT],
}


class ScoreRead(BaseModel):
    """A score and what it rests on."""

    score: float | None = Field(description="0-100; null without evidence")
    n: int = Field(description="The sample: how much evidence counts")
    met: int
    failed: int
    excluded: int = Field(description="Errors of the data, not counted")
    rating: float | None = Field(
        description="The mean answer on the scale 1-5 (calificación), where customers answered"
    )


class MomentScoreRead(ScoreRead):
    """How one moment of truth went."""

    cycle: str
    moment: str
    name: str
    name_es: str | None
    kind: str
    critical: bool
    pillar: str | None
    owner_unit: str | None
    sequence: int

    @classmethod
    def of(cls, scored: MomentScore) -> Self:
        body = scored.body
        names = ("name", "name_es", "kind", "critical", "pillar", "owner_unit", "sequence")
        described = {name: body.get(name) for name in names}
        return cls(cycle=scored.cycle, moment=body["code"], **described, **_counts(scored.result))


class AttributeScoreRead(ScoreRead):
    """How one attribute went (puntaje del atributo)."""

    code: str
    name: str
    name_es: str | None
    weight: float
    target: float | None
    reached: bool | None = Field(description="Whether the target was reached")
    delta: float | None = Field(description="Points against the period before")
    previous: float | None
    moments: list[MomentScoreRead]

    @classmethod
    def of(cls, scored: AttributeScore) -> Self:
        a = scored.attribute
        return cls(
            code=a.code,
            name=a.name,
            name_es=a.name_es,
            weight=a.weight,
            target=a.target,
            reached=scored.reached,
            delta=scored.delta,
            previous=scored.previous,
            moments=[MomentScoreRead.of(moment) for moment in scored.moments],
            **_counts(scored.result),
        )


class PublicationRead(BaseModel):
    """What was told when the month had ended."""

    total: float | None
    at: AwareDatetime


class ScorecardRead(BaseModel):
    """The scorecard (tablero de servicio) of a period."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "period": "2026-11",
                "since": "2026-11-01T05:00:00Z",
                "until": "2026-12-01T05:00:00Z",
                "total": 90.0,
                "delta": -4.0,
                "n": 20,
                "attributes": [_ATTRIBUTE],
                "published": None,
                "as_of": "2026-11-22T15:00:00Z",
            }
        }
    )

    period: str
    since: AwareDatetime
    until: AwareDatetime
    total: float | None = Field(
        description="Mean of the attributes that have evidence, by weight (puntaje total), 0-100"
    )
    delta: float | None
    n: int
    attributes: list[AttributeScoreRead]
    published: PublicationRead | None = Field(
        description="As it was told when the month had ended; late evidence may differ"
    )
    as_of: AwareDatetime

    @classmethod
    def of(
        cls, card: Scorecard, bounds: tuple[datetime, datetime], publication: Publication | None, as_of: datetime
    ) -> Self:
        return cls(
            period=card.period.label,
            since=bounds[0],
            until=bounds[1],
            total=card.total,
            delta=card.delta,
            n=card.n,
            attributes=[AttributeScoreRead.of(attribute) for attribute in card.attributes],
            published=None if publication is None else PublicationRead(total=publication.total, at=publication.at),
            as_of=as_of,
        )


class CycleMapRead(BaseModel):
    """The map of a service cycle (mapa del ciclo): its moments in order, each with its score."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"cycle": "complaint-care", "period": "2026-11", "moments": [_MOMENT]}}
    )

    cycle: str
    period: str
    moments: list[MomentScoreRead]


def _counts(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in ScoreRead.model_fields}
