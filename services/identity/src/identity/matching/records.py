"""Records as the comparison needs them: read into comparable parts, then laid out as columns of numbers."""

import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from common.addresses import address_key
from common.names import PARTICLES, TITLES, fold, phonetic, split_name, tokens

Codes = npt.NDArray[np.int32]
Identifiers = Iterable[tuple[str, str]]

SCHEMES = {"document": "document", "account": "account", "partner": "account", "email": "email", "phone": "phone"}
GROUPS = ("document", "account", "email", "phone")  # of identifiers, each a field
MOST_KEPT = 8  # identifiers of one trace that it is compared by
MOST_VALUES = 2  # of one group that a record is compared by
PHONE_DIGITS = 9  # from the right: with and without country code, trunk zero or area prefix
TELLING_BOX = 7  # characters
_NO_VALUE = frozenset(
    {"n a", "na", "none", "null", "unknown", "ninguno", "ninguna", "no aplica", "sin dato", "desconocido"}
)
_PLACES = ("postcode", "city", "region")


@dataclass(frozen=True, slots=True)
class Person:
    """What one record tells of a person, in comparable form; what it does not tell is empty."""

    given: tuple[str, ...] = ()
    surnames: tuple[str, ...] = ()
    otherwise: tuple[tuple[str, ...], tuple[str, ...]] | None = None  # how else the full name may be split
    birth: int = 0  # yyyymmdd
    identifiers: tuple[tuple[str, str], ...] = ()  # group and value
    building: str = ""
    unit: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    organisation: str = ""

    @property
    def tells_enough(self) -> bool:
        """Whether he can be looked for: a name, and something beside it that few people share."""
        beside = self.birth or self.identifiers or self.building or self.postcode
        return bool((self.given and self.surnames) and beside)


def read_person(profile: Mapping[str, str], identifiers: Identifiers, *, country: str) -> Person:
    """What a profile (keys as in the API) and identifiers in normal form tell. `country` is where an address is that names none."""
    given, surnames, otherwise = _names_of(profile)
    address = profile.get("address")
    building, unit = address_form(address, (profile.get("country") or country).upper()) if address else ("", "")
    return Person(
        given, surnames, otherwise, birth_of(profile.get("birth_date") or ""), comparable(identifiers), building, unit,
        _folded(profile.get("postcode")).replace(" ", ""), _folded(profile.get("city")), _folded(profile.get("region")),
        _folded(profile.get("organisation")),
    )  # fmt: skip


def written(person: Person) -> dict[str, Any]:
    """For keeping: what is told and nothing else, read by `person_from`."""
    return {name: value for name in Person.__slots__ if (value := getattr(person, name))}


def person_from(told: Mapping[str, Any]) -> Person:
    """A record that was kept."""
    otherwise = told.get("otherwise")
    return Person(
        tuple(told.get("given", ())), tuple(told.get("surnames", ())),
        (tuple(otherwise[0]), tuple(otherwise[1])) if otherwise else None, int(told.get("birth", 0)),
        tuple((group, value) for group, value in told.get("identifiers", ())),
        *(str(told.get(name, "")) for name in ("building", "unit", "postcode", "city", "region", "organisation")),
    )  # fmt: skip


def with_more(known: Person | None, told: Person) -> Person:
    """One trace told of twice: the fuller name, all identifiers up to a bound, and of the rest what was told last."""
    if known is None:
        return told
    fuller = max((told, known), key=lambda each: len(each.given) + len(each.surnames))
    at = told if told.building else known
    return Person(
        fuller.given, fuller.surnames, fuller.otherwise, told.birth or known.birth,
        tuple(dict.fromkeys((*told.identifiers, *known.identifiers)))[:MOST_KEPT], at.building, at.unit,
        *(getattr(told, name) or getattr(known, name) for name in ("postcode", "city", "region", "organisation")),
    )  # fmt: skip


def comparable(identifiers: Identifiers) -> tuple[tuple[str, str], ...]:
    """Group and value of what identifies; a telephone by its last digits, so that national and international forms agree."""
    found: dict[tuple[str, str], None] = {}
    for scheme, value in identifiers:
        group = SCHEMES.get(scheme)
        if group is None or not value:
            continue
        told = value.lstrip("~")
        if group == "phone":
            told = (told if told.isdecimal() else re.sub(r"\D", "", told))[-PHONE_DIGITS:]
        if len(told) > 2:
            found[group, told] = None
    return tuple(found)


def birth_of(text: str) -> int:
    """A date of birth as yyyymmdd, whether it stood so, with separators or as day, month, year; 0 where it is none.

    Days and months are not checked: 19991399 is a slip, and told as it stands.
    """
    if len(text) == 10 and text[4] == text[7] == "-" and (plain := text[:4] + text[5:7] + text[8:]).isdecimal():
        return int(plain)
    digits = re.sub(r"\D", "", text[:10])
    if len(digits) != 8:
        parts = re.split(r"\D+", text[:10].strip())
        if len(parts) != 3 or not all(parts):
            return 0
        digits = "".join(part.zfill(2) for part in parts)
        if len(digits) != 8:
            return 0
    year_first = 1850 <= int(digits[:4]) <= 2100
    year_last = 1850 <= int(digits[4:]) <= 2100 and not year_first
    return int(digits[4:] + digits[2:4] + digits[:2]) if year_last else int(digits)


def _folded(text: str | None) -> str:
    return _fold(text) if text else ""


@lru_cache(maxsize=16_384)
def _fold(text: str) -> str:
    told = fold(text)
    return "" if told in _NO_VALUE else told


Split = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]] | None]


def _names_of(profile: Mapping[str, str]) -> Split:
    given, surnames = profile.get("given_names") or "", profile.get("surnames") or ""
    if given or surnames:
        return _words(given), _words(surnames), None
    return _split(profile.get("full_name") or "")


@lru_cache(maxsize=65_536)
def _words(name: str) -> tuple[str, ...]:
    if name.isascii() and name.replace(" ", "").isalpha() and name.lower() not in _NO_VALUE:
        words = tuple(name.lower().split())  # folded already, but for capitals
        return tuple(word for word in words if word not in PARTICLES and word not in TITLES) or words
    return tokens(name) if _folded(name) else ()


@lru_cache(maxsize=65_536)
def _split(full: str) -> Split:
    """Where a name of three words is divided is a guess: the other way is kept beside it."""
    first, second = split_name(full)
    given, surnames = _words(first), _words(second)
    if len(given) + len(surnames) != 3 or "," in full:
        return given, surnames, None
    words = given + surnames
    return given, surnames, ((words[:1], words[1:]) if len(given) == 2 else (words[:2], words[2:]))


# --- addresses --------------------------------------------------------------------------------------------------------

GRID = frozenset({"CO"})  # countries whose streets have numbers: their addresses have a key that can be relied on
SURE = 0.5  # confidence from which a key stands for the place
_PIECES = re.compile(r"[a-z]+|[0-9]+")


@lru_cache(maxsize=65_536)
def address_form(text: str, country: str) -> tuple[str, str]:
    """The building, and the door within it, as words that can be compared; both empty where nothing was told.

    Where streets have names the words stay in their order: slips are forgiven when they are compared.
    """
    if country in GRID:
        address = address_key(text, country)
        if address.confidence >= SURE:
            return address.place, address.complement
    return " ".join(_PIECES.findall(_folded(text))), ""


# --- columns ----------------------------------------------------------------------------------------------------------


class Vocabulary:
    """Words and their numbers, from 1; 0 is no word."""

    def __init__(self) -> None:
        self.words: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}

    def code(self, word: str) -> int:
        known = self._codes.get(word)
        if known is None:
            known = self._codes[word] = len(self.words)
            self.words.append(word)
        return known

    def forget_codes(self) -> None:
        """Nothing is added any more: the words alone are kept."""
        self._codes = {}


class Columns:
    """Records laid out as columns of numbers: equal numbers are equal values, 0 is a value that is missing."""

    def __init__(self) -> None:
        self.count = 0
        self.vocabularies = {
            name: Vocabulary() for name in ("word", "building", "unit", "organisation", *_PLACES, *GROUPS)
        }
        self._draft = array("i")  # a row of codes for each record

    def add(self, person: Person) -> None:
        known = self.vocabularies
        word = known["word"].code
        given, surnames = person.given, person.surnames
        codes = [*_name_codes(given, surnames, word)]
        codes += _name_codes(*person.otherwise, word) if person.otherwise else _NO_NAME
        codes += (
            word(given[0] if len(given) == 1 else "".join(given)),
            word(surnames[0] if len(surnames) == 1 else "".join(surnames)),
            person.birth, known["building"].code(person.building), known["unit"].code(person.unit),
            known["organisation"].code(person.organisation), known["postcode"].code(person.postcode),
            known["city"].code(person.city), known["region"].code(person.region),
        )  # fmt: skip
        values = [0] * (MOST_VALUES * len(GROUPS))
        for group, value in person.identifiers:
            place = MOST_VALUES * GROUPS.index(group)
            if values[place]:
                place += 1  # of a third one nothing is kept
            values[place] = values[place] or known[group].code(value)
        self._draft.extend(codes + values)
        self.count += 1

    def close(self) -> "Columns":
        """No record follows: the columns can be read."""
        rows = np.frombuffer(self._draft, dtype=np.int32) if self.count else np.zeros(0, dtype=np.int32)
        rows = rows.reshape(self.count, sum(_WIDTHS.values()))
        self.table: dict[str, Codes] = {}
        start = 0
        for name, width in _WIDTHS.items():
            self.table[name] = np.ascontiguousarray(rows[:, start : start + width])
            start += width
        self._draft = array("i")
        for vocabulary in self.vocabularies.values():
            vocabulary.forget_codes()
        return self

    def in_order(self, order: npt.NDArray[np.int64]) -> "Columns":
        """The same records in another order."""
        self.table = {name: codes[order] for name, codes in self.table.items()}
        return self

    def words(self, name: str) -> list[str]:
        return self.vocabularies[name].words

    @classmethod
    def of(cls, people: Iterable[Person]) -> "Columns":
        columns = cls()
        for person in people:
            columns.add(person)
        return columns.close()


_NO_NAME = (0, 0, 0, 0)
# The columns in the order of a row, and how many values each has.
_WIDTHS = {
    "names": 4, "otherwise": 4, "joined": 2, "birth": 1, "building": 1, "unit": 1, "organisation": 1,
    **dict.fromkeys(_PLACES, 1), **dict.fromkeys(GROUPS, MOST_VALUES),
}  # fmt: skip


def _name_codes(given: Sequence[str], surnames: Sequence[str], code: Callable[[str], int]) -> tuple[int, int, int, int]:
    """First and second given name, first and second surname: what stands beyond them tells little."""
    first, second, *_ = [*map(code, given[:2]), 0, 0]
    third, fourth, *_ = [*map(code, surnames[:2]), 0, 0]
    return first, second, third, fourth


@lru_cache(maxsize=65_536)
def sound_of(word: str) -> str:
    """What a folded word sounds like; used to find candidates and to forgive spelling."""
    return phonetic(word)


def mailbox_of(email: str) -> str:
    """What stands before the @, where it is long enough to tell of a person: not `ana` or `info`."""
    box = email.partition("@")[0]
    return box if len(box) >= TELLING_BOX else ""
