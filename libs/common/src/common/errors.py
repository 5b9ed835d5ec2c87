"""Refusals, without HTTP: a rule says no, and says it in words that the caller can act on.

    Refusal
    ├── Invalid        the request contradicts itself or a rule
    ├── Unauthenticated  no credential, or one that is not known
    ├── Forbidden      the credential does not reach this
    ├── NotFound       nothing under that name that the caller may see
    ├── Conflict       true, but not with what is on record
    │   ├── Stale      somebody else wrote in between (If-Match)
    │   └── VersionMissing  the caller must say which version he read
    ├── TooMany        slow down
    └── Unavailable    a part of the system is away; the same call may work soon

A feature subclasses one family and gives it a stable kebab-case `code`. `problems.py` maps the families to HTTP, once.
`Transient` is no refusal: it tells a consumer that the same batch may succeed later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """Where in the body it went wrong (JSON pointer), the code, and words that never repeat the value."""

    pointer: str
    code: str
    detail: str


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an accident
    """A rule said no. `detail` is for people; it must not repeat a value that may be personal."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str = "", *, pointer: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        if pointer is not None:
            self.errors = (*self.errors, FieldError(pointer, self.code, self.detail))


class Invalid(Refusal):
    code = "invalid"
    title = "The request is not valid"


class Unauthenticated(Refusal):
    code = "unauthenticated"
    title = "A valid credential is needed"


class Forbidden(Refusal):
    code = "forbidden"
    title = "The credential does not reach this"


class NotFound(Refusal):
    code = "not-found"
    title = "Nothing here under that name"


class Conflict(Refusal):
    code = "conflict"
    title = "It contradicts what is on record"


class Stale(Conflict):
    code = "stale-version"
    title = "Somebody else wrote in between; read again"


class VersionMissing(Conflict):
    code = "version-missing"
    title = "Send If-Match with the version that was read"


class TooMany(Refusal):
    code = "too-many"
    title = "Too many requests"


class Unavailable(Refusal):
    code = "unavailable"
    title = "A part of the system is away; try again soon"


class Transient(Exception):  # noqa: N818
    """The database or the broker is away: nothing is wrong with the event, the same batch is tried again."""
