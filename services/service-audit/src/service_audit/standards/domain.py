"""What we agreed to: moments of truth (momentos de verdad) and their standards, compiled from documents that a company edits."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from common.errors import Conflict, FieldError, Invalid, NotFound, Stale, VersionMissing
from common.rules import Condition, InvalidCondition, compile_condition
from service_audit.observations.domain import ANSWERS, FIELDS, SUBJECTS, Observation, Source, SubjectKind

_HALF_OF_A_PAIR = re.compile(r"[\ud800-\udfff]")  # of UTF-16: it is no text, and cannot be written down

MomentKind = Literal[
    "ORDINARY", "BUY_DECISION", "VALUE_FOR_MONEY", "REPURCHASE_DECISION", "REFERRAL", "BAD_NEWS", "PERPETUAL"
]
MOMENT_KINDS: tuple[MomentKind, ...] = get_args(MomentKind)
DocumentKind = Literal["promise", "attributes", "cycle"]


class UnknownDocument(NotFound):
    code = "unknown-document"
    title = "No cycle, promise or attributes under that name"


class UnusableDocument(Invalid):
    code = "unusable-document"
    title = "The document contradicts itself, or what it refers to"


class StillInUse(Conflict):
    code = "still-in-use"
    title = "A moment of truth still refers to what would go"


class DocumentStale(Stale):
    code = "stale-version"
    title = "Somebody else wrote in between; read again"


class DocumentVersionMissing(VersionMissing):
    code = "version-missing"
    title = "Send If-Match with the ETag that was read"


@dataclass(frozen=True)
class Document:
    """One version of the promise, of the attributes or of a cycle. Versions are kept for ever."""

    kind: DocumentKind
    code: str
    version: int
    body: Mapping[str, Any]
    written_at: datetime
    written_by: str


@dataclass(frozen=True)
class Watch:
    """Which events are meant: those of one source that satisfy a condition over their fields."""

    source: Source
    matches: Condition

    def sees(self, observation: Observation) -> bool:
        return observation.source == self.source and self.matches(observation.fields)


@dataclass(frozen=True)
class AnsweredWithin:
    """From the trigger until another event on the same subject, within so many hours."""

    until: Watch
    within: timedelta

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (self.until,)


@dataclass(frozen=True)
class CountAtMost:
    """After the trigger no more than so many events on the same subject within so many hours."""

    of: Watch
    most: int
    within: timedelta

    @property
    def watches(self) -> tuple[Watch, ...]:
        return (self.of,)


@dataclass(frozen=True)
class Flag:
    """A field of the trigger itself must have one value. Where the field is not known, nothing was observed."""

    field: str
    equals: bool | str | float

    @property
    def watches(self) -> tuple[Watch, ...]:
        return ()


@dataclass(frozen=True)
class Rating:
    """A number of the trigger itself, on a scale, must reach a minimum."""

    field: str
    low: float
    high: float
    minimum: float

    @property
    def watches(self) -> tuple[Watch, ...]:
        return ()


Standard = AnsweredWithin | CountAtMost | Flag | Rating


@dataclass(frozen=True, eq=False)
class Moment:
    """A moment of truth (momento de verdad): when it is there, whose it is, and what is good enough. Compiled once, so one is one."""

    cycle: str
    version: int  # of the cycle's document
    code: str
    name: str
    critical: bool
    attribute: str
    owner_unit: str | None
    subject: SubjectKind
    once: bool
    trigger: Watch
    standard: Standard

    @property
    def needs_history(self) -> bool:
        """Whether other events of the subject decide, or the trigger alone."""
        return self.once or isinstance(self.standard, AnsweredWithin | CountAtMost)

    def scope(self, observation: Observation) -> str | None:
        """What has to be judged anew because of the observation: a subject, or the observation alone. None: nothing."""
        watches = (self.trigger, *self.standard.watches)
        if not any(watch.sees(observation) for watch in watches):
            return None
        return observation.subject(self.subject) if self.needs_history else f"observation:{observation.key}"


@dataclass(frozen=True)
class Attribute:
    """An attribute of the scorecard (atributo): a group of moments of truth with a weight and a target."""

    code: str
    name: str
    name_es: str | None
    weight: float
    target: float | None


def moments_of(document: Document) -> tuple[Moment, ...]:
    """The moments of a stored cycle; none of one that was put out of service. Raises UnusableDocument."""
    if not document.body["active"]:
        return ()
    compiler = _Compiler(document.code, document.version)
    moments = tuple(compiler.moment(raw, f"/moments/{at}") for at, raw in enumerate(document.body["moments"]))
    compiler.refuse_if_wrong()
    return tuple(moment for moment in moments if moment is not None)


def check_cycle(code: str, body: Mapping[str, Any], *, attributes: Iterable[str], pillars: Iterable[str]) -> None:
    """Raises UnusableDocument with a pointer for each thing that is wrong with the cycle."""
    compiler = _Compiler(code, 0)
    for at, raw in enumerate(body["moments"]):
        compiler.moment(raw, f"/moments/{at}")
    compiler.errors.extend(_repeated(body["moments"], "code"))
    compiler.errors.extend(_repeated(body["moments"], "sequence"))
    compiler.errors.extend(_dangling(body["moments"], "attribute", set(attributes)))
    compiler.errors.extend(_dangling(body["moments"], "pillar", set(pillars)))
    compiler.refuse_if_wrong()


def check_list(body: Mapping[str, Any], what: Literal["attributes", "pillars"], *, cycles: Iterable[Document]) -> None:
    """Raises UnusableDocument for a code that stands there twice, StillInUse where a moment refers to a code that is gone."""
    errors = list(_repeated(body[what], "code", f"/{what}"))
    if errors:
        raise UnusableDocument("See errors.", errors=errors)
    kept = {item["code"] for item in body[what]}
    field = what.removesuffix("s")
    for cycle in cycles:
        gone = {moment[field] for moment in cycle.body["moments"] if moment.get(field)} - kept
        if gone:
            raise StillInUse(f"The cycle {cycle.code} refers to {', '.join(sorted(gone))}.", pointer=f"/{what}")


def check_version(current: int | None, expected: int | None) -> None:
    """`expected` is the version that the writer read (If-Match), None where he named none."""
    if current is None and expected is None:
        return
    if expected is None:
        raise DocumentVersionMissing
    if expected != current:
        raise DocumentStale


class _Compiler:
    """Turns the parts of a cycle into what can be applied, and collects what is wrong on the way."""

    def __init__(self, cycle: str, version: int) -> None:
        self._cycle = cycle
        self._version = version
        self.errors: list[FieldError] = []

    def refuse_if_wrong(self) -> None:
        if self.errors:
            raise UnusableDocument("See errors.", errors=self.errors)

    def moment(self, raw: Mapping[str, Any], pointer: str) -> Moment | None:
        trigger = self._watch(raw["trigger"], f"{pointer}/trigger")
        standard = self._standard(raw["standard"], f"{pointer}/standard", raw["trigger"]["event"])
        if trigger is None or standard is None:
            return None
        for watch, at in ((trigger, "trigger"), *((w, "standard") for w in standard.watches)):
            if raw["subject"] not in SUBJECTS[watch.source]:
                words = f"A {watch.source} event speaks of {', '.join(sorted(SUBJECTS[watch.source]))}"
                self.errors.append(FieldError(f"{pointer}/subject", "subject-not-there", f"{words} (see {at})"))
        return Moment(
            cycle=self._cycle,
            version=self._version,
            code=raw["code"],
            name=raw["name"],
            critical=raw["critical"],
            attribute=raw["attribute"],
            owner_unit=raw.get("owner_unit"),
            subject=raw["subject"],
            once=raw["once"],
            trigger=trigger,
            standard=standard,
        )

    def _watch(self, raw: Mapping[str, Any], pointer: str) -> Watch | None:
        source: Source = raw["event"]
        fields = {**FIELDS[source], **(_answers_in(raw["when"]) if source == "touchpoint-recorded" else {})}
        try:
            return Watch(source, _lenient(compile_condition(raw["when"], fields=fields, pointer=f"{pointer}/when")))
        except InvalidCondition as error:
            self.errors.extend(error.errors)
            return None

    def _standard(self, raw: Mapping[str, Any], pointer: str, trigger: Source) -> Standard | None:
        match raw["measure"]:
            case "answered-within":
                until = self._watch(raw["until"], f"{pointer}/until")
                return None if until is None else AnsweredWithin(until, timedelta(hours=raw["hours"]))
            case "count-at-most":
                of = self._watch(raw["of"], f"{pointer}/of")
                return None if of is None else CountAtMost(of, raw["most"], timedelta(hours=raw["hours"]))
            case "flag":
                return self._flag(raw, pointer, trigger)
            case _:
                return self._rating(raw, pointer, trigger)

    def _flag(self, raw: Mapping[str, Any], pointer: str, trigger: Source) -> Flag | None:
        kind = self._field(raw["field"], f"{pointer}/field", trigger)
        if kind is None:
            return None
        equals = raw["equals"]
        number = isinstance(equals, int | float) and not isinstance(equals, bool)
        if kind is not object and not (isinstance(equals, kind) if kind in (bool, str) else number):
            words = f"The field {raw['field']} is compared with a value of type {kind.__name__}"
            self.errors.append(FieldError(f"{pointer}/equals", "wrong-type", words))
        return Flag(raw["field"], equals)

    def _rating(self, raw: Mapping[str, Any], pointer: str, trigger: Source) -> Rating | None:
        kind = self._field(raw["field"], f"{pointer}/field", trigger)
        low, high = raw["scale"]["low"], raw["scale"]["high"]
        if kind in (str, bool):
            self.errors.append(FieldError(f"{pointer}/field", "no-number", "A rating is a number"))
        if low >= high:
            self.errors.append(FieldError(f"{pointer}/scale", "empty-scale", "low must be less than high"))
        elif not low <= raw["minimum"] <= high:
            self.errors.append(FieldError(f"{pointer}/minimum", "outside-scale", "The minimum lies outside the scale"))
        return None if kind is None else Rating(raw["field"], low, high, raw["minimum"])

    def _field(self, name: str, pointer: str, source: Source) -> type | None:
        if source == "touchpoint-recorded" and name.startswith(ANSWERS) and len(name) > len(ANSWERS):
            return object  # a survey's answers are of the type that the survey gives them
        kind = FIELDS[source].get(name)
        if kind is None:
            words = f"A {source} event has the fields {', '.join(sorted(FIELDS[source]))}"
            self.errors.append(FieldError(pointer, "unknown-field", words))
        return kind


def _answers_in(condition: Any) -> dict[str, type]:
    """The answers that a condition names, each with the type of the value that it is compared with."""
    found: dict[str, type] = {}
    for part in _parts(condition):
        name, value = part.get("field"), part.get("value")
        if isinstance(name, str) and name.startswith(ANSWERS) and not _HALF_OF_A_PAIR.search(name):
            sample = value[0] if isinstance(value, list) and value else value
            kind = bool if isinstance(sample, bool) else str if isinstance(sample, str) else float
            if part.get("op") != "exists" or name not in found:
                found[name] = kind
    return found


def _parts(condition: Any) -> Iterator[Mapping[str, Any]]:
    pending = [condition]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            yield part
            pending.extend(part[word] for word in ("all", "any", "not") if word in part)


def _lenient(condition: Condition) -> Callable[[Mapping[str, Any]], bool]:
    """An answer that is of another type than the condition expects satisfies no comparison; it must not stop the consumer."""

    def matches(fields: Mapping[str, Any]) -> bool:
        try:
            return condition(fields)
        except TypeError:
            return False

    return matches


def _repeated(items: Iterable[Mapping[str, Any]], field: str, pointer: str = "/moments") -> Iterator[FieldError]:
    seen: set[Any] = set()
    for at, item in enumerate(items):
        if item[field] in seen:
            yield FieldError(f"{pointer}/{at}/{field}", "given-twice", f"Another one has the same {field}")
        seen.add(item[field])


def _dangling(moments: Iterable[Mapping[str, Any]], field: str, known: set[str]) -> Iterator[FieldError]:
    for at, moment in enumerate(moments):
        if moment.get(field) is not None and moment[field] not in known:
            words = f"Known are {', '.join(sorted(known)) or 'none'}"
            yield FieldError(f"/moments/{at}/{field}", f"unknown-{field}", words)
