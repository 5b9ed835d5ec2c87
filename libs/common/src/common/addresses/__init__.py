"""Postal addresses: one key for one place, however it is written, and how sure one may be of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod

from common.addresses.grid import Found, read_grid, read_way_alone
from common.addresses.lexer import NUMBER, Token, cleaned, tokens_of, without_asides
from common.addresses.lexicon import SHORT_WAYS, WAYS
from common.addresses.outside import read_outside
from common.addresses.rest import Rest, read_rest
from common.addresses.streets import read_street, token_set
from common.addresses.ways import misspelt_way

COLOMBIA = "CO"
# Parts of a building that are places of their own: people of one house write its tower and its flat or leave them out, but
# a shop's address is not that of the shop beside it.
PREMISES = frozenset({"LC", "OF", "CS", "BG", "PI"})
BLOCKS = frozenset({"mz", "mza", "manzana"})

# What a doubt leaves of the confidence.
DOUBTS = {
    "short-way": 0.9,
    "misspelt-way": 0.95,
    "no-way": 0.5,
    "named-way": 1.0,
    "a-street-name": 0.9,
    "a-block": 0.9,
    "a-kilometre": 0.7,
    "crossing-named": 0.9,
    "letter-for-quadrant": 0.95,
    "letter-or-quadrant": 0.95,
    "two-readings": 0.8,
    "two-units": 0.95,
    "no-plate": 0.8,
    "no-crossing": 0.4,
    "a-corner": 0.7,
    "extra-number": 0.85,
    "unknown-words": 0.9,
    "no-street": 0.6,
    "no-quarter": 0.5,
    "no-number": 0.6,
    "no-way-word": 0.5,
    "words-alone": 0.3,
    "no-digits": 0.5,
}


@dataclass(frozen=True, slots=True)
class Address:
    """What is known of an address. Equal keys are one place: a shop or an office is one of its own, a tower or a flat is not.

    `place` is the key without premises: way, crossing and plate. `complement` are all those parts, in one
    order: they tell shops, towers and doors behind one plate apart. `readable` follows the nomenclature and reads back as the same address. `confidence` is 1.0 where there is one reading
    only; `doubts` say in kebab-case why it is less. `locality` is the city as far as it was told; it is not in the key.
    """

    key: str
    readable: str
    confidence: float
    complement: str = ""
    locality: str = ""
    doubts: tuple[str, ...] = ()
    place: str = ""


@lru_cache(maxsize=65_536)
def address_key(raw: str, country: str = COLOMBIA) -> Address:
    """Any text as an address of this country (ISO 3166, two letters); it never fails.

    Reading `readable` again gives the same key and the same readable form. What no grammar explains comes back as its
    folded words in alphabetical order, with a confidence that says so.
    """
    if country.upper() == COLOMBIA and (at_once := _read_plainest(raw)) is not None:
        return at_once
    text = cleaned(raw)
    found, plain = _read(text, country)
    if plain:
        return found
    again, _ = _read(found.readable, country)
    if (again.key, again.readable) == (found.key, found.readable):
        return found
    return _as_words(text, tokens_of(text))


# What most addresses of the grid look like. Letters that may stand for a quadrant (n, s, e, o, w) are the grammar's.
_PLAINEST = re.compile(
    r"\s*([a-z]{2,})\.?\s*([1-9]\d{0,2}[a-df-mp-rt-vx-z]?)"
    r"\s*#\s*([1-9]\d{0,2}[a-df-mp-rt-vx-z]?)\s*-\s*([1-9]\d{0,2})\s*",
    re.IGNORECASE | re.ASCII,
)


def plain_place(raw: str) -> str | None:
    """The place of a Colombian address that leaves hardly a doubt, at once; None where only `address_key` can tell."""
    told = _told_plainly(raw)
    return f"{told[0]} {told[2]} {told[3]} {told[4]}" if told is not None else None


def _read_plainest(raw: str) -> Address | None:
    """The plainest addresses at once, as the grammar reads them: going through it costs twenty times as much."""
    told = _told_plainly(raw)
    if told is None:
        return None
    code, word, street, crossing, plate, *doubts = told
    key = f"{code} {street} {crossing} {plate}"
    return Address(key, f"{word} {street} # {crossing}-{plate}", _confidence(doubts), doubts=tuple(doubts), place=key)


def _told_plainly(raw: str) -> tuple[str, ...] | None:
    """The code and the word of the way, its number, the crossing, the plate, and what makes one doubt them."""
    found = _PLAINEST.fullmatch(raw)
    if found is None:
        return None
    word, numbers = found[1].lower(), (found[2].upper(), found[3].upper(), found[4])
    if (way := WAYS.get(word)) is not None and word not in SHORT_WAYS:
        return *way, *numbers
    slipped = misspelt_way(word)
    return (*slipped, *numbers, "misspelt-way") if slipped is not None else None


def _read(text: str, country: str) -> tuple[Address, bool]:
    """The address, and whether it is so plain that its readable form needs no second reading."""
    tokens = without_asides(tokens_of(text))
    if not tokens:
        return Address("", text, 0.0, doubts=("empty",)), True
    if country.upper() == COLOMBIA:
        found = read_grid(tokens)
        if found is not None:
            return _around(found, tokens, premises=PREMISES)
    if country.upper() == COLOMBIA or any(token.word in BLOCKS for token in tokens):
        outside = read_outside(tokens)
        if outside is not None:
            return _address(*outside)
    street = read_street(tokens, country.upper())
    if street is None and country.upper() == COLOMBIA:
        street = read_way_alone(tokens)
    return _around(street, tokens) if street is not None else (_as_words(text, tokens), True)


def _around(found: Found, tokens: Sequence[Token], *, premises: frozenset[str] = frozenset()) -> tuple[Address, bool]:
    rest = read_rest(tokens[: found.start], Rest(), after_place=False)
    return _address(found, read_rest(tokens[found.end :], rest, after_place=True), premises)


def _address(found: Found, rest: Rest, premises: frozenset[str] = frozenset()) -> tuple[Address, bool]:
    doubts = tuple(dict.fromkeys((*found.doubts, *rest.doubts)))
    key = " ".join([found.key, *rest.parts(premises)])
    readable = rest.readable(found.readable)
    address = Address(key, readable, _confidence(doubts), rest.complement, rest.locality, doubts, found.key)
    return address, not doubts and not rest.notes


def _as_words(text: str, tokens: Sequence[Token]) -> Address:
    has_digits = any(token.kind == NUMBER for token in tokens)
    doubts = ("words-alone",) if has_digits else ("words-alone", "no-digits")
    words = token_set(tokens)
    return Address(words, text, _confidence(doubts), doubts=doubts, place=words)


def _confidence(doubts: Sequence[str]) -> float:
    return round(prod((DOUBTS[doubt] for doubt in doubts), start=1.0), 2)
