"""Records laid out as columns of numbers: equal numbers are equal values, 0 is a value that is missing."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from threading import RLock

import numpy as np
import numpy.typing as npt

from identity.matching.records import (
    GROUPS,
    PLACES,
    SCHEMES,
    Identifiers,
    Person,
    address_of,
    birth_of,
    comparable,
    comparable_values,
    generation_of,
    names_of,
    postcode_of,
    word_of,
    words_born_with,
    words_of,
)

Codes = npt.NDArray[np.int32]
Row = tuple[int, ...]
PartsOf = Callable[[Sequence[str]], Sequence[str]]  # a part of each of many words

WORDS_AT_ONCE = 50_000
CLASSES, TIMES = 21, 3  # of characters, and how many of each class are told apart: together no more than 64 bits
MOST_VALUES = 2  # of one group that a record is compared by
# What is read together, and the columns that it gives: each with how many values a record has in it.
_OF_NAMES = {"names": 4, "otherwise": 4, "joined": 2, "generation": 1}
_OF_ADDRESS = {"building": 1, "unit": 1}
_OF_IDENTIFIERS = dict.fromkeys(GROUPS, MOST_VALUES)
_WIDTHS = _OF_NAMES | {"birth": 1} | _OF_ADDRESS | {"organisation": 1} | dict.fromkeys(PLACES, 1) | _OF_IDENTIFIERS
_PLACE_OF = {group: MOST_VALUES * place for place, group in enumerate(GROUPS)}
_VOCABULARIES = ("word", "generation", "building", "unit", "organisation", *PLACES, *GROUPS)
_NO_NAME = (0, 0, 0, 0)
_MAKING = RLock()  # of what is made of all words, where several would make the same


class Codebook:
    """The words of every column, numbered from 1 as they are met; 0 is no word."""

    def __init__(self) -> None:
        self._codes = {name: defaultdict(count(1).__next__, {"": 0}) for name in _VOCABULARIES}

    def close(self) -> dict[str, list[str]]:
        """The words of each vocabulary by their numbers, once no more are met."""
        return {name: list(self._codes.pop(name)) for name in list(self._codes)}

    def vocabulary(self, name: str) -> Mapping[str, int]:
        """The numbers of its words; one that is not met yet is given the next."""
        return self._codes[name]

    def code(self, vocabulary: str, word: str) -> int:
        return self._codes[vocabulary][word]

    def codes(self, vocabulary: str, words: Collection[str]) -> Codes:
        """The number of each of many words."""
        return np.fromiter(map(self._codes[vocabulary].__getitem__, words), dtype=np.int32, count=len(words))

    def names(
        self,
        given: Sequence[str],
        surnames: Sequence[str],
        otherwise: tuple[Sequence[str], Sequence[str]] | None,
        generation: str,
    ) -> Row:
        """Two given names and two surnames, the same as they may be divided otherwise, each of both as one word, and the suffix.

        What stands beyond the second tells little.
        """
        word = self._codes["word"]
        other = (*_two(word, otherwise[0]), *_two(word, otherwise[1])) if otherwise else _NO_NAME
        joined = word["".join(given)], word["".join(surnames)]
        return *_two(word, given), *_two(word, surnames), *other, *joined, self.code("generation", generation)

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
        codes = self._codes
        return (
            *self.names(person.given, person.surnames, person.otherwise, person.generation), person.birth,
            codes["building"][person.building], codes["unit"][person.unit], codes["organisation"][person.organisation],
            codes["postcode"][person.postcode], codes["city"][person.city], codes["region"][person.region],
            *self.identifiers(person.identifiers),
        )  # fmt: skip


def _two(codes: Mapping[str, int], words: Sequence[str]) -> tuple[int, int]:
    """The numbers of the first two of some words."""
    if len(words) > 1:
        return codes[words[0]], codes[words[1]]
    return (codes[words[0]], 0) if words else (0, 0)


@dataclass
class Columns:
    """Records by columns, a row each, and the words that the numbers stand for."""

    count: int
    table: dict[str, Codes]
    vocabularies: dict[str, list[str]]
    _numbered: dict[tuple[str, PartsOf], Codes] = field(default_factory=dict)
    _texts: dict[str, npt.NDArray[np.object_]] = field(default_factory=dict)
    _lengths: dict[str, npt.NDArray[np.int16]] = field(default_factory=dict)
    _marks: dict[str, npt.NDArray[np.uint64]] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Person]) -> "Columns":
        book = Codebook()
        rows = [book.row(person) for person in people]
        table = np.fromiter(chain.from_iterable(rows), dtype=np.int32).reshape(len(rows), sum(_WIDTHS.values()))
        return cls(len(rows), _divided(table, _WIDTHS), book.close())

    @classmethod
    def together(cls, some: Sequence["Columns"]) -> "Columns":
        """The same records, of which each has read other parts; what none has read is missing."""
        [count] = {each.count for each in some}
        table = {name: np.zeros((count, width), dtype=np.int32) for name, width in _WIDTHS.items()}
        words = {name: [""] for name in _VOCABULARIES}
        for each in some:
            table |= each.table
            words |= {name: known for name, known in each.vocabularies.items() if len(known) > 1}
        return cls(count, table, words)

    def in_order(self, order: npt.NDArray[np.int64]) -> "Columns":
        """The same records in another order."""
        table = {name: codes[order] if codes.any() else codes for name, codes in self.table.items()}
        return Columns(self.count, table, self.vocabularies)

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

    def marks(self, name: str) -> npt.NDArray[np.uint64]:
        """Which characters each word has: of each class of them a bit for the first, the second and the third."""
        with _MAKING:
            if name not in self._marks:
                words = self.words(name)
                some = (words[start : start + WORDS_AT_ONCE] for start in range(0, len(words), WORDS_AT_ONCE))
                self._marks[name] = np.concatenate([marks_of(each) for each in some])
            return self._marks[name]

    def numbered(self, name: str, parts: PartsOf) -> Codes:
        """A number for each word of a vocabulary: equal where the part of it is, 0 where that is empty."""
        with _MAKING:
            if (name, parts) not in self._numbered:
                numbers = defaultdict(count(1).__next__, {"": 0})
                told = parts(self.words(name))
                self._numbered[name, parts] = np.fromiter(map(numbers.__getitem__, told), np.int32, count=len(told))
            return self._numbered[name, parts]


def marks_of(words: Sequence[str]) -> npt.NDArray[np.uint64]:
    """See `Columns.marks`."""
    letters = np.array(words, dtype=np.str_)
    marks, one = np.zeros(len(words), dtype=np.uint64), np.uint64(1)
    for letter in letters.view(np.uint32).reshape(len(words), -1).T if letters.itemsize else ():
        first = np.where(letter > 0, one << (letter % CLASSES * TIMES).astype(np.uint64), np.uint64(0))
        second, third = first << one, first << one << one
        marks |= np.where(marks & first == 0, first, np.where(marks & second == 0, second, third))
    return marks


def _divided(rows: Codes, widths: Mapping[str, int]) -> dict[str, Codes]:
    ends = np.cumsum(list(widths.values()))
    return {
        name: np.ascontiguousarray(rows[:, end - width : end])
        for (name, width), end in zip(widths.items(), ends, strict=True)
    }


# --- many rows at a time ------------------------------------------------------------------------------------------------


class Reader:
    """Reads a part of many records to the numbers of its columns, in the way in which a person is read: a row for each.

    It is given what is told once only; which record tells it is the caller's to keep.
    """

    def __init__(self, *, country: str) -> None:
        self._country = country
        self._book = Codebook()

    def given(self, texts: Sequence[str]) -> Codes:
        """Two words, both as one, the suffix, and whether anything was told."""
        read = [words_of(text) for text in texts]
        first = self._book.codes("word", [words[0] if words else "" for words in read])
        second = self._book.codes("word", [words[1] if len(words) > 1 else "" for words in read])
        joined = self._book.codes("word", ["".join(words) for words in read])
        generation = self._book.codes("generation", [generation_of(text, "", "") for text in texts])
        told = np.fromiter(map(bool, texts), dtype=np.int32, count=len(texts))
        return np.column_stack([first, second, joined, generation, told])

    def surnames(self, texts: Sequence[str]) -> Codes:
        """The same, and two words of what is left without a husband's name."""
        born = [_two(self._book.vocabulary("word"), words_born_with(text)) for text in texts]
        return np.column_stack([self.given(texts), _rows(born, 2)])

    def full(self, texts: Sequence[str]) -> Codes:
        return _rows(
            [self._book.names(*names_of("", "", text), generation_of("", "", text)) for text in texts],
            sum(_OF_NAMES.values()),
        )

    def birth(self, texts: Sequence[str]) -> Codes:
        return _rows([(birth_of(text),) for text in texts], 1)

    def address(self, texts: Sequence[str], countries: Sequence[str]) -> Codes:
        told = zip(texts, countries, strict=True)
        buildings, units = zip(*[address_of(text, country or self._country) for text, country in told], strict=True)
        return np.column_stack([self._book.codes("building", buildings), self._book.codes("unit", units)])

    def organisation(self, texts: Sequence[str]) -> Codes:
        return self._book.codes("organisation", [word_of(text) for text in texts])[:, None]

    def postcode(self, texts: Sequence[str]) -> Codes:
        return self._book.codes("postcode", [postcode_of(text) for text in texts])[:, None]

    def city(self, texts: Sequence[str]) -> Codes:
        return self._book.codes("city", [word_of(text) for text in texts])[:, None]

    def region(self, texts: Sequence[str]) -> Codes:
        return self._book.codes("region", [word_of(text) for text in texts])[:, None]

    def identifiers(
        self, texts: Sequence[str], plain: Mapping[str, Sequence[str]], read: Callable[[str], Identifiers]
    ) -> Codes:
        """Of each group the first values.

        Most tell one identifier, and plainly: these are given by scheme, one for each text, or nothing. The others are read.
        """
        rows = np.zeros((len(texts), sum(_OF_IDENTIFIERS.values())), dtype=np.int32)
        for scheme, values in plain.items():
            group = SCHEMES[scheme]
            rows[:, _PLACE_OF[group]] = self._book.codes(group, comparable_values(group, values))
        for place in np.flatnonzero(~rows.any(axis=1)).tolist():
            if texts[place]:
                rows[place] = self._book.identifiers(comparable(read(texts[place])))
        return rows

    def columns(self, count: int, parts: Mapping[str, Codes], identifiers: Sequence[Codes]) -> Columns:
        """All that was read: a row of numbers per record for each part, and for each column of identifiers."""
        table: dict[str, Codes] = {}
        if not parts.keys().isdisjoint(("given", "surnames", "full")):
            table |= _names_of(count, parts)
        for name, rows in parts.items():
            if name not in ("given", "surnames", "full"):
                table |= _divided(rows, {"address": _OF_ADDRESS}.get(name, {name: 1}))
        for rows in identifiers:
            for group in GROUPS:
                codes = rows[:, _PLACE_OF[group] : _PLACE_OF[group] + MOST_VALUES]
                if codes.any():
                    known = table.setdefault(group, np.zeros((count, MOST_VALUES), dtype=np.int32))
                    for slot in range(MOST_VALUES):
                        _add(known, codes[:, slot])
        return Columns(count, table, self._book.close())


# The entries of a profile that each part is read from.
PARTS = {
    "given": ("given_names",), "surnames": ("surnames",), "full": ("full_name",), "birth": ("birth_date",),
    "address": ("address", "country"), **{name: (name,) for name in ("organisation", *PLACES)},
}  # fmt: skip


def _rows(rows: Sequence[Row], width: int) -> Codes:
    return np.array(rows, dtype=np.int32).reshape(len(rows), width)


def _names_of(count: int, parts: Mapping[str, Codes]) -> dict[str, Codes]:
    """The columns of names: a full name counts where neither given names nor surnames stand by themselves."""
    nothing = np.zeros((count, 7), dtype=np.int32)
    given, surnames = parts.get("given", nothing), parts.get("surnames", nothing)
    generation = np.where(surnames[:, 3] > 0, surnames[:, 3], given[:, 3])
    born = surnames[:, 5:7]
    first = np.where(born[:, :1] > 0, given[:, :2], 0)
    rows = np.column_stack([given[:, :2], surnames[:, :2], first, born, given[:, 2], surnames[:, 2], generation])
    if "full" in parts:
        alone = (given[:, 4] == 0) & (surnames[:, 4] == 0)
        rows[alone] = parts["full"][alone]
    return _divided(rows, _OF_NAMES)


def _add(table: Codes, codes: Codes) -> None:
    """One more value for each record that has one; of a third one nothing is kept."""
    first, second = table[:, 0], table[:, 1]
    another = (codes > 0) & (first > 0) & (codes != first) & (second == 0)
    second[another] = codes[another]
    first[first == 0] = codes[first == 0]
