"""HTTP bodies of the promise, the attributes and the cycles. A stored document is exactly such a body."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from common.rules import DEEPEST
from service_audit.observations.domain import Source, SubjectKind
from service_audit.standards.domain import Document, MomentKind
from service_audit.standards.shipped import shipped

Code = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60, description="kebab-case, stable")]
Words = Annotated[str, Field(min_length=1, max_length=500)]
Hours = Annotated[float, Field(gt=0, le=24 * 366 * 5, description="By the clock, not by office hours")]


class _Body(BaseModel):
    # 1e400 is read as infinity, which JSON cannot write: kept, the document could not be read again.
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Pillar(_Body):
    """A pillar of the promise (pilar de la promesa)."""

    code: Code
    name: Words
    name_es: Words | None = Field(None, description="In Spanish")
    definition: str = Field("", max_length=2000)
    dos: list[Words] = Field(default=[], max_length=50, description="What belongs to it")
    donts: list[Words] = Field(default=[], max_length=50, description="What does not")


class Promise(_Body):
    """The service promise (promesa de servicio) and its pillars."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": shipped("promise")})

    text: str = Field(min_length=1, max_length=2000)
    text_es: str | None = Field(None, max_length=2000)
    pillars: list[Pillar] = Field(max_length=50)


class AttributeBody(_Body):
    """An attribute of the scorecard (atributo): a group of moments of truth."""

    code: Code
    name: Words
    name_es: Words | None = Field(None, description="In Spanish")
    weight: float = Field(1, gt=0, le=1000, description="In the total")
    target: float | None = Field(None, ge=0, le=100, description="The score that was agreed")


class Attributes(_Body):
    """All attributes of the scorecard."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": shipped("attributes")})

    attributes: list[AttributeBody] = Field(min_length=1, max_length=100)


def _of_bearable_depth(condition: dict[str, Any]) -> dict[str, Any]:
    """What lies deeper than any condition may go could not even be written down; what else is wrong is told when it is compiled."""
    level: list[Any] = [condition]
    for _ in range(2 * DEEPEST + 1):  # an object and a list each, and in the last comparison a list of values
        level = [inner for part in level for inner in _parts_of(part)]
    if level:
        raise PydanticCustomError("condition-too-deep", "Conditions nest at most {deepest} deep", {"deepest": DEEPEST})
    return condition


def _parts_of(said: Any) -> Iterable[Any]:
    if isinstance(said, dict):
        return said.values()
    return said if isinstance(said, list) else ()


class WatchBody(_Body):
    """Events of one kind whose fields satisfy a condition."""

    event: Source
    when: Annotated[dict[str, Any], AfterValidator(_of_bearable_depth)] = Field(
        description='A condition over the fields: {"all": [..]}, {"any": [..]}, {"not": ..} or {"field", "op", "value"}; '
        'the answers of a survey are `answers.<question>`. {"all": []} is always true.'
    )


class AnsweredWithinBody(_Body):
    """From the trigger until another event on the same subject (plazo de respuesta)."""

    measure: Literal["answered-within"]
    hours: Hours
    until: WatchBody


class CountAtMostBody(_Body):
    """After the trigger no more than so many events on the same subject."""

    measure: Literal["count-at-most"]
    of: WatchBody
    most: int = Field(ge=0, le=10_000)
    hours: Hours


class FlagBody(_Body):
    """A field of the trigger must have one value; where the field is not known nothing was observed."""

    measure: Literal["flag"]
    field: str = Field(max_length=100)
    equals: bool | float | Annotated[str, Field(max_length=1000)] = True


class Scale(_Body):
    # sums over numbers that are hardly numbers any more are none, and no scorecard could be read
    low: float = Field(1, ge=-1e18, le=1e18)
    high: float = Field(5, ge=-1e18, le=1e18)


class RatingBody(_Body):
    """A number of the trigger, such as the answer to a survey's question (calificación), must reach a minimum."""

    measure: Literal["rating"]
    field: str = Field(max_length=100)
    scale: Scale = Scale()
    minimum: float


StandardBody = Annotated[AnsweredWithinBody | CountAtMostBody | FlagBody | RatingBody, Field(discriminator="measure")]


class MomentBody(_Body):
    """A moment of truth (momento de verdad): the customer meets us and forms an opinion."""

    code: Code
    name: Words
    name_es: Words | None = Field(None, description="In Spanish")
    sequence: int = Field(ge=1, le=10_000, description="Its place in the cycle, as the customer lives it")
    kind: MomentKind = "ORDINARY"
    critical: bool = Field(False, description="Its failure costs the loyalty: it opens an improvement action")
    pillar: Code | None = Field(None, description="Of the promise")
    attribute: Code = Field(description="Of the scorecard")
    owner_unit: str | None = Field(None, max_length=200, description="Who answers for it")
    subject: SubjectKind = Field("trace", description="What the trigger and the standard's event must have in common")
    once: bool = Field(
        False, description="One evidence for each subject, by its first trigger; otherwise one for each trigger"
    )
    trigger: WatchBody
    standard: StandardBody


class CycleBody(_Body):
    """A service cycle (ciclo de servicio): the moments of truth in the order in which the customer lives them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": shipped("complaint-care")})

    name: Words
    name_es: Words | None = Field(None, description="In Spanish")
    service_line: str | None = Field(None, max_length=200)
    active: bool = Field(True, description="A cycle that is not in service gives no evidence")
    moments: list[MomentBody] = Field(max_length=100)


_READ_ONLY = frozenset({"code", "version", "written_at", "written_by"})


def _without_read_only(body: Any) -> Any:
    return {name: said for name, said in body.items() if name not in _READ_ONLY} if isinstance(body, dict) else body


# As they are sent. What was read can be edited and sent back: which one, which version, when and by whom are passed over.
PromiseWrite = Annotated[Promise, BeforeValidator(_without_read_only)]
AttributesWrite = Annotated[Attributes, BeforeValidator(_without_read_only)]
CycleWrite = Annotated[CycleBody, BeforeValidator(_without_read_only)]


class Versioned(BaseModel):
    """Which version this is. The ETag is its number."""

    version: int
    written_at: AwareDatetime
    written_by: str


_FIRST: dict[str, Any] = {"version": 1, "written_at": "2026-11-01T05:00:00Z", "written_by": "hilo"}
_PROMISE: dict[str, Any] = {**_FIRST, **shipped("promise")}
_ATTRIBUTES: dict[str, Any] = {**_FIRST, **shipped("attributes")}
_CYCLE: dict[str, Any] = {"code": "complaint-care", **_FIRST, **shipped("complaint-care")}


class PromiseRead(Versioned, Promise):
    model_config = ConfigDict(json_schema_extra={"example": _PROMISE})


class AttributesRead(Versioned, Attributes):
    model_config = ConfigDict(json_schema_extra={"example": _ATTRIBUTES})


class CycleRead(Versioned, CycleBody):
    model_config = ConfigDict(json_schema_extra={"example": _CYCLE})

    code: str


class CycleSummary(Versioned):
    """One cycle in the list."""

    code: str
    name: str
    name_es: str | None
    active: bool
    moments: int


class CyclePage(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "items": [
                    {
                        "code": "complaint-care",
                        "name": "Complaint care",
                        "name_es": "Atención de quejas y reclamos",
                        "active": True,
                        "moments": 3,
                        "version": 1,
                        "written_at": "2026-11-01T05:00:00Z",
                        "written_by": "hilo",
                    }
                ],
                "next": None,
            }
        }
    )

    items: list[CycleSummary]
    next: str | None


class PromiseVersions(BaseModel):
    """Versions of the promise, the newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [_PROMISE], "next": None}})

    items: list[PromiseRead]
    next: str | None


class AttributesVersions(BaseModel):
    """Versions of the attributes, the newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [_ATTRIBUTES], "next": None}})

    items: list[AttributesRead]
    next: str | None


class VersionPage(BaseModel):
    """Versions of one cycle, the newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [_CYCLE], "next": None}})

    items: list[CycleRead]
    next: str | None


def read_of(document: Document) -> dict[str, Any]:
    """The stored document as it is answered."""
    versioned = {"version": document.version, "written_at": document.written_at, "written_by": document.written_by}
    return (
        {"code": document.code, **document.body, **versioned}
        if document.kind == "cycle"
        else {**document.body, **versioned}
    )


def summary_of(document: Document) -> CycleSummary:
    return CycleSummary(
        code=document.code,
        name=document.body["name"],
        name_es=document.body.get("name_es"),
        active=document.body["active"],
        moments=len(document.body["moments"]),
        version=document.version,
        written_at=document.written_at,
        written_by=document.written_by,
    )
