"""Records as the comparison needs them: read into comparable parts."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from common.addresses import address_key, plain_place
from common.emails import mailbox
from common.identifiers import document_as_told
from common.names import (
    ABBREVIATED,
    PARTICLES,
    TITLES,
    fold,
    split_name,
    tokens,
    without_generation,
    without_married_name,
)

Identifiers = Iterable[tuple[str, str]]

SCHEMES = {"document": "document", "account": "account", "partner": "account", "email": "email", "phone": "phone"}
# Raised with every change of what is compared of a person, of the keys under which he is found, or of how words are folded:
# the index is then made anew.
FORM = 5
GROUPS = ("document", "account", "email", "phone")  # of identifiers, each a field
MOST_KEPT = 8  # identifiers of one trace that it is compared by
PHONE_DIGITS = 9  # from the right: with and without country code, trunk zero or area prefix
TELLING_BOX = 7  # characters
_NO_VALUE = frozenset(
    {"n a", "na", "none", "null", "unknown", "ninguno", "ninguna", "no aplica", "sin dato", "desconocido"}
)
PLACES = ("postcode", "city", "region")
_WORDS = (*PLACES, "organisation", "generation")  # told by one word each; of two tellings the latter counts


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
    generation: str = ""  # junior, senior: of whom bears a relative's name

    @property
    def tells_enough(self) -> bool:
        """Whether he can be looked for: a name, and something beside it that few people share."""
        beside = self.birth or self.identifiers or self.building or self.postcode
        return bool((self.given and self.surnames) and beside)


def read_person(profile: Mapping[str, str], identifiers: Identifiers, *, country: str) -> Person:
    """What a profile (keys as in the API) and identifiers in normal form tell. `country` is where an address is that names none."""

    def told(name: str) -> str:
        return profile.get(name) or ""

    return Person(
        *names_of(told("given_names"), told("surnames"), told("full_name")), birth_of(told("birth_date")),
        comparable(identifiers), *address_of(told("address"), told("country") or country),
        postcode_of(told("postcode")), word_of(told("city")), word_of(told("region")), word_of(told("organisation")),
        generation_of(told("given_names"), told("surnames"), told("full_name")),
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
        *(str(told.get(name, "")) for name in ("building", "unit", *_WORDS)),
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
        *(getattr(told, name) or getattr(known, name) for name in _WORDS),
    )  # fmt: skip


def comparable(identifiers: Identifiers) -> tuple[tuple[str, str], ...]:
    """Group and value of what identifies.

    A telephone by its last digits, so that national and international forms agree; an e-mail by the mailbox behind it.
    """
    told = ((SCHEMES.get(scheme), value) for scheme, value in identifiers)
    found = ((group, comparable_value(group, value)) for group, value in told if group is not None)
    return tuple(dict.fromkeys(each for each in found if each[1]))


def comparable_value(group: str, value: str) -> str:
    """What identifies within its group; empty where it is too short to."""
    told = value.lstrip("~")
    if group == "document":
        told = document_as_told(value)
    elif group == "phone":
        told = (told if told.isdecimal() else re.sub(r"\D", "", told))[-PHONE_DIGITS:]
    elif group == "email":
        told = mailbox(told)
    return told if len(told) > 2 else ""


def comparable_values(group: str, values: Sequence[str]) -> list[str]:
    """The same of many plain values, of phones their digits; nothing stays nothing."""
    if group == "phone":
        return [value[-PHONE_DIGITS:] for value in values]
    return [comparable_value(group, value) if value else "" for value in values]


def birth_of(text: str) -> int:
    """A date of birth as yyyymmdd, whether it stood so, with separators or as day, month, year; 0 where it is none.

    Days and months are not checked: 19991399 is a slip, and told as it stands.
    """
    if len(text) == 10 and text[4] == text[7] == "-" and (plain := text[:4] + text[5:7] + text[8:]).isdecimal():
        return int(plain)
    told = text[:10].strip()
    parts = re.split(r"\D+", told)
    if len(parts) == 3 and all(parts):
        digits = "".join(part.zfill(2) for part in parts)
        return _in_order(digits, year_last=len(parts[2]) == 4) if len(digits) == 8 else 0
    digits = "".join(parts)
    if len(digits) != 8:
        return 0
    # 19031984 is the 19th of March: no year begins with its own month and day
    years = [1850 <= int(each) <= 2100 for each in (digits[:4], digits[4:])]
    first = years[0] and (not years[1] or _is_day(digits[6:], digits[4:6]) or not _is_day(digits[:2], digits[2:4]))
    return _in_order(digits, year_last=years[1] and not first)


def _in_order(digits: str, *, year_last: bool) -> int:
    if not year_last:
        return int(digits)
    day, month = digits[:2], digits[2:4]
    if not _is_day(day, month) and _is_day(month, day):  # 12/31/1999, as it is written in the United States
        day, month = month, day
    return int(digits[4:] + month + day)


def _is_day(day: str, month: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


@lru_cache(maxsize=16_384)
def word_of(text: str) -> str:
    """A city, a region, an organisation: folded; empty where it is a word for nothing."""
    told = fold(text) if text else ""
    return "" if told in _NO_VALUE else told


def postcode_of(text: str) -> str:
    """A postcode, with and without the space within it."""
    return word_of(text).replace(" ", "")


Words = tuple[str, ...]
Split = tuple[Words, Words, tuple[Words, Words] | None]


def names_of(given: str, surnames: str, full: str) -> Split:
    """Given names, surnames, and how else they may be read; a full name counts where neither stands by itself."""
    if given or surnames:
        first, born = words_of(given), words_born_with(surnames)
        return first, words_of(surnames), (first, born) if born else None
    return _split(full)


def generation_of(given: str, surnames: str, full: str) -> str:
    """Whether he is told to be the son or the father of somebody who bears his name; empty where nothing says so."""
    if given or surnames:
        return without_generation(surnames, least=1)[1] or without_generation(given, least=1)[1]
    return without_generation(full, least=2)[1]


_UNTELLING = PARTICLES | TITLES


@lru_cache(maxsize=65_536)
def words_of(name: str) -> tuple[str, ...]:
    """The folded words of a name that tell people apart, those written short in full; none where it is a word for nothing."""
    plain, _ = without_generation(name, least=1)
    return tuple([ABBREVIATED.get(word, word) for word in _telling_words(plain)])


def _telling_words(name: str) -> Sequence[str]:
    if name.isascii() and name.replace(" ", "").isalpha() and (told := name.lower()) not in _NO_VALUE:
        words = told.split()  # folded already, but for capitals
        telling = words if _UNTELLING.isdisjoint(words) else [word for word in words if word not in _UNTELLING]
        return telling or words
    return tokens(name) if word_of(name) else ()


@lru_cache(maxsize=65_536)
def words_born_with(surnames: str) -> Words:
    """The words of the surnames without a husband's; none where none is told."""
    born = without_married_name(surnames)
    return words_of(born) if born != surnames else ()


@lru_cache(maxsize=65_536)
def _split(full: str) -> Split:
    """Where a name of three words is divided is a guess: the other way is kept beside it; so is a name without the husband's."""
    first, second = split_name(without_generation(full, least=2)[0])
    given, surnames = words_of(first), words_of(second)
    if born := words_born_with(second):
        return given, surnames, (given, born)
    if len(given) + len(surnames) != 3 or "," in full:
        return given, surnames, None
    if words_of(full)[:1] != given[:1]:  # surnames in front
        turned = surnames + given
        return given, surnames, ((turned[1:], turned[:1]) if len(given) == 1 else (turned[2:], turned[:2]))
    words = given + surnames
    return given, surnames, ((words[:1], words[1:]) if len(given) == 2 else (words[:2], words[2:]))


# --- addresses --------------------------------------------------------------------------------------------------------

GRID = frozenset({"CO"})  # countries whose streets have numbers: their addresses have a key that can be relied on
SURE = 0.5  # confidence from which a key stands for the place
_PIECES = re.compile(r"[a-z]+|[0-9]+")


def address_of(text: str, country: str) -> tuple[str, str]:
    """The building and the door within it of an address of this country; both empty where none was told."""
    return address_form(text, country.upper()) if text else ("", "")


def address_form(text: str, country: str) -> tuple[str, str]:
    """The building, and the door within it, as words that can be compared; both empty where nothing was told.

    Where streets have names the words stay in their order: slips are forgiven when they are compared.
    """
    if country in GRID:
        if (place := plain_place(text)) is not None:
            return place, ""
        address = address_key(text, country)
        if address.confidence >= SURE:
            return address.place, address.complement
    return " ".join(_PIECES.findall(word_of(text))), ""


# --- what else words tell -----------------------------------------------------------------------------------------------


def initials_of(words: Sequence[str]) -> list[str]:
    """How words begin."""
    return [word[:1] for word in words]


def mailboxes_of(emails: Sequence[str]) -> list[str]:
    """What stands before the @, where it is long enough to tell of a person: not `ana` or `info`. Of Google's no dots are kept."""
    boxes = (email.partition("@")[0].replace(".", "") for email in emails)
    return [box if len(box) >= TELLING_BOX else "" for box in boxes]


def says_more_than(box: str, names: Collection[str]) -> bool:
    """Whether a mailbox says more of a person than these words of his name and their initials: anything but `alopez` of Ana López."""
    for word in sorted(names, key=len, reverse=True):
        if len(word) > 1:
            box = box.replace(word, "", 1)
    return not {word[0] for word in names} | {"_", "-"} >= set(box)
