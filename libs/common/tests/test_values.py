"""Values: made like frozen dataclasses, equal and hashed by what they hold."""

from dataclasses import replace

import pytest

from common.values import value


@value(frozen=True)
class Place:
    """Somewhere."""

    name: str
    floor: int = 0


@value(frozen=True, slots=True)
class Small:
    """Something that there is much of."""

    name: str


def test_a_value_is_what_it_holds() -> None:
    assert Place("a", 1) == Place("a", floor=1) != Place("b", 1)
    assert {Place("a"), Place("a"), Place("b")} == {Place("a"), Place("b")}
    assert replace(Place("a"), floor=2) == Place("a", 2)
    assert {Small("a"), Small("a")} == {Small("a")}
    with pytest.raises(AttributeError):
        _ = Small("a").__dict__
