"""Records laid out as columns of numbers: equal numbers are equal values, 0 is a value that is missing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from identity.matching.records import (
    GROUPS,
    PLACES,
    Identifiers,
    Person,
    address_of,
    birth_of,
    comparable,
    names_of,
    postcode_of,
    word_of,
)

Codes = npt.NDArray[np.int32]
Row = tuple[int, ...]
PartsOf = Callable[[Sequence[str]], Sequence[str]]  # a part of each of many words

MOST_VALUES = 2  # of one group that a record is compared by
# What is read together, and the columns that it gives: each with how many values a record has in it.
_OF_NAMES = {"names": 4, "otherwise": 4, "joined": 2}
_OF_ADDRESS = {"building": 1, "unit": 1}
_OF_IDENTIFIERS = dict.fromkeys(GROUPS, MOST_VALUES)
_WIDTHS = _OF_NAMES | {"birth": 1} | _OF_ADDRESS | {"organisation": 1} | dict.fromkeys(PLACES, 1) | _OF_IDENTIFIERS
_PLACE_OF = {group: MOST_VALUES * place for place, group in enumerate(GROUPS)}
_NO_NAME = (0, 0, 0, 0)


class Codebook:
    """The words of every column, numbered from 1 as they are met; 0 is no word."""

    def __init__(self) -> None:
        names = ("word", "building", "unit", "organisation", *PLACES, *GROUPS)
        self._codes: dict[str, dict[str, int]] = {name: {"": 0} for name in names}

    def close(self) -> dict[str, list[str]]:
        """The words of each vocabulary by their numbers, once no more are met."""
        return {name: list(self._codes.pop(name)) for name in list(self._codes)}

    def code(self, vocabulary: str, word: str) -> int:
        codes = self._codes[vocabulary]
        return codes.setdefault(word, len(codes))

    def names(
        self,
        given: Sequence[str],
        surnames: Sequence[str],
        otherwise: tuple[Sequence[str], Sequence[str]] | None,
    ) -> Row:
        """Two given names and two surnames, the same as they may be divided otherwise, and each of both as one word.

        What stands beyond the second tells little.
        """
        joined = self.code("word", "".join(given)), self.code("word", "".join(surnames))
        return (*self._four(given, surnames), *(self._four(*otherwise) if otherwise else _NO_NAME), *joined)

    def _four(self, given: Sequence[str], surnames: Sequence[str]) -> Row:
        codes = self._codes["word"]
        first, second, *_ = [*(codes.setdefault(word, len(codes)) for word in given[:2]), 0, 0]
        third, fourth, *_ = [*(codes.setdefault(word, len(codes)) for word in surnames[:2]), 0, 0]
        return first, second, third, fourth

    def address(self, building: str, unit: str) -> Row:
        return self.code("building", building), self.code("unit", unit)

    def identifiers(self, comparable: Iterable[tuple[str, str]]) -> Sequence[int]:
        """Of each group the first values: of a third one nothing is kept."""
        codes = [0] * (MOST_VALUES * len(GROUPS))
        for group, value in comparable:
            place = _PLACE_OF[group]
            if codes[place]:
                place += 1
            codes[place] = codes[place] or self.code(group, value)
        return codes

    def row(self, person: Person) -> Row:
        """All columns of one record, in their order."""
        return (
            *self.names(person.given, person.surnames, person.otherwise), person.birth,
            *self.address(person.building, person.unit), self.code("organisation", person.organisation),
            *(self.code(name, getattr(person, name)) for name in PLACES), *self.identifiers(person.identifiers),
        )  # fmt: skip


@dataclass
class Columns:
    """Records by columns, a row each, and the words that the numbers stand for."""

    count: int
    table: dict[str, Codes]
    vocabularies: dict[str, list[str]]
    _numbered: dict[tuple[str, PartsOf], Codes] = field(default_factory=dict)
    _texts: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    _lengths: dict[str, npt.NDArray[np.int16]] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Person]) -> "Columns":
        book = Codebook()
        rows = [book.row(person) for person in people]
        table = np.fromiter(chain.from_iterable(rows), dtype=np.int32).reshape(len(rows), sum(_WIDTHS.values()))
        return cls(len(rows), _divided(table, _WIDTHS), book.close())

    def in_order(self, order: npt.NDArray[np.int64]) -> "Columns":
        """The same records in another order."""
        return Columns(self.count, {name: codes[order] for name, codes in self.table.items()}, self.vocabularies)

    def words(self, name: str) -> list[str]:
        return self.vocabularies[name]

    def texts(self, name: str) -> npt.NDArray[np.object_]:
        """The words as an array, to be taken by their numbers."""
        if name not in self._texts:
            self._texts[name] = np.array(self.words(name), dtype=object)
        return self._texts[name]

    def lengths(self, name: str) -> npt.NDArray[np.int16]:
        """How many characters each word has."""
        if name not in self._lengths:
            self._lengths[name] = np.fromiter(map(len, self.words(name)), dtype=np.int16, count=len(self.words(name)))
        return self._lengths[name]

    def numbered(self, name: str, parts: PartsOf) -> Codes:
        """A number for each word of a vocabulary: equal where the part of it is, 0 where that is empty."""
        if (name, parts) not in self._numbered:
            numbers: dict[str, int] = {"": 0}
            told = parts(self.words(name))
            codes = (numbers.setdefault(part, len(numbers)) for part in told)
            self._numbered[name, parts] = np.fromiter(codes, dtype=np.int32, count=len(told))
        return self._numbered[name, parts]


def _divided(rows: Codes, widths: Mapping[str, int]) -> dict[str, Codes]:
    ends = np.cumsum(list(widths.values()))
    return {
        name: np.ascontiguousarray(rows[:, end - width : end])
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


# --- many rows at a time ------------------------------------------------------------------------------------------------


class Reader:
    """Reads a part of a record to the numbers of its columns, in the way in which a person is read."""

    def __init__(self, *, country: str) -> None:
        self._country = country
        self._book = Codebook()

    def names(self, given: str, surnames: str, full: str) -> Row:
        return self._book.names(*names_of(given, surnames, full))

    def birth(self, text: str) -> Row:
        return (birth_of(text),)

    def address(self, text: str, country: str) -> Row:
        return self._book.address(*address_of(text, country or self._country))

    def organisation(self, text: str) -> Row:
        return (self._book.code("organisation", word_of(text)),)

    def postcode(self, text: str) -> Row:
        return (self._book.code("postcode", postcode_of(text)),)

    def city(self, text: str) -> Row:
        return (self._book.code("city", word_of(text)),)

    def region(self, text: str) -> Row:
        return (self._book.code("region", word_of(text)),)

    def identifiers(self, told: Identifiers) -> Sequence[int]:
        return self._book.identifiers(comparable(told))

    def columns(self, count: int, parts: Mapping[str, Codes], identifiers: Sequence[Codes]) -> Columns:
        """All that was read: a row of numbers per record for each part, and for each column of identifiers."""
        table = {name: np.zeros((count, width), dtype=np.int32) for name, width in _WIDTHS.items()}
        for name, rows in parts.items():
            table |= _divided(rows, {"names": _OF_NAMES, "address": _OF_ADDRESS}.get(name, {name: 1}))
        for rows in identifiers:
            for group, codes in _divided(rows, _OF_IDENTIFIERS).items():
                for slot in range(MOST_VALUES):
                    _add(table[group], codes[:, slot])
        return Columns(count, table, self._book.close())


# The entries of a profile that each part is read from.
PARTS = {
    "names": ("given_names", "surnames", "full_name"), "birth": ("birth_date",), "address": ("address", "country"),
    **{name: (name,) for name in ("organisation", *PLACES)},
}  # fmt: skip


def _add(table: Codes, codes: Codes) -> None:
    """One more value for each record that has one; of a third one nothing is kept."""
    first, second = table[:, 0], table[:, 1]
    another = (codes > 0) & (first > 0) & (codes != first) & (second == 0)
    second[another] = codes[another]
    first[first == 0] = codes[first == 0]
