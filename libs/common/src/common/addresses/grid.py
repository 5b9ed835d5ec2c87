"""The Colombian grid: a way with its number, the way that it meets, and how far from there the door is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from rapidfuzz.distance import OSA

from common.addresses.lexer import COMMA, DASH, DOT, NUMBER, SIGN, SLASH, WORD, Token
from common.addresses.lexicon import (
    ALONG,
    AVENUES_OF,
    MEETS,
    NUMBER_WORDS,
    OPPOSITE,
    PARTICLES,
    QUADRANT_LETTERS,
    QUADRANTS,
    SHORT_WAYS,
    WAYS,
)

GLUED_PLATE = 4  # digits: 1230 after a carrera is 12-30
LONGEST_NUMBER = 3  # digits of a way


@dataclass(frozen=True, slots=True)
class Axis:
    """A numbered way without its kind: 12A Bis B Sur."""

    number: str
    bis: str = ""
    quadrant: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return " ".join(part for part in (self.number, self.bis.upper(), self.quadrant) if part)

    @property
    def readable(self) -> str:
        return " ".join(part for part in (self.number, self.bis, self.quadrant.capitalize()) if part)


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a row of tokens: its key, its readable form, what makes one doubt it, and where it begins and ends."""

    key: str
    readable: str
    doubts: tuple[str, ...]
    start: int
    end: int


def read_grid(tokens: Sequence[Token]) -> Found | None:
    """The first complete grid address of the row, or else the first that lacks its plate."""
    partial: Found | None = None
    for at, token in enumerate(tokens):
        if token.kind == WORD:
            found = _street(tokens, at)
        elif at == 0 and token.kind == NUMBER:
            found = _without_kind(tokens)
        else:
            continue
        if found is None:
            continue
        if "no-plate" not in found.doubts:
            return found
        partial = partial or found
    return partial


# --- the way ----------------------------------------------------------------------------------------------------------


def read_way(tokens: Sequence[Token], at: int) -> tuple[str, str, tuple[str, ...], int] | None:
    """The kind of way at this place: its code, its word, doubts about it, and what follows it."""
    if at >= len(tokens) or tokens[at].kind != WORD:
        return None
    word, doubts = tokens[at].word, list[str]()
    known = WAYS.get(word)
    at += 1
    if known is None:
        known = _misspelt_way(word) if at < len(tokens) and tokens[at].kind in (NUMBER, SIGN) else None
        doubts.append("misspelt-way")
    if known is None:
        return None
    code, readable = known
    if word in SHORT_WAYS:
        doubts.append("short-way")
    if code == "AV" and at < len(tokens) and tokens[at].kind == WORD:
        second = WAYS.get(tokens[at].word)
        if second is not None and second[0] in AVENUES_OF:
            code, readable = AVENUES_OF[second[0]]
            at += 1
    return code, readable, tuple(doubts), at


@lru_cache(maxsize=4_096)
def _misspelt_way(word: str) -> tuple[str, str] | None:
    """The kind of way whose full name is one slip of the keyboard away; two of the long names."""
    if len(word) < 4 or word in NO_WAYS:
        return None
    slips, full = min((OSA.distance(word, full), full) for full in FULL_WAYS)
    return WAYS[full] if slips <= (2 if len(full) > 8 else 1) else None


def read_axis(tokens: Sequence[Token], at: int, *, main: bool) -> tuple[Axis, int] | None:
    """A number with its letters, bis and quadrant; numbers in words too, where a way has just been named."""
    if at >= len(tokens):
        return None
    token = tokens[at]
    number, at = (token.word, at + 1) if token.kind == NUMBER else _in_words(tokens, at) if main else ("", at)
    if not number or len(number.lstrip("0")) > LONGEST_NUMBER:
        return None
    return _suffixes(tokens, at, Axis(number.lstrip("0") or "0"), main=main)


def _in_words(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """Séptima, once, cuarenta y cinco."""
    number = NUMBER_WORDS.get(tokens[at].word, "")
    if number.endswith("0") and at + 2 < len(tokens) and tokens[at + 1].word == "y":
        units = NUMBER_WORDS.get(tokens[at + 2].word, "")
        if len(units) == 1:
            return str(int(number) + int(units)), at + 3
    return number, at + 1


def _suffixes(tokens: Sequence[Token], at: int, axis: Axis, *, main: bool) -> tuple[Axis, int]:
    if main and at + 2 < len(tokens) and tokens[at].kind == DASH and tokens[at + 1].kind == NUMBER:
        if tokens[at + 2].kind == SIGN and len(tokens[at + 1].word) < LONGEST_NUMBER:  # Carrera 28-3 # 72F-10
            axis = replace(axis, number=f"{axis.number}-{tokens[at + 1].word.lstrip('0') or '0'}")
            at += 2
    while at < len(tokens) and tokens[at].kind == WORD and not axis.quadrant:
        grown = _with_suffix(axis, tokens, at, main=main)
        if grown is None:
            break
        axis, at = grown
    return axis, at


def _with_suffix(axis: Axis, tokens: Sequence[Token], at: int, *, main: bool) -> tuple[Axis, int] | None:
    word = tokens[at].word
    if word in QUADRANTS:
        return replace(axis, quadrant=QUADRANTS[word]), at + 1
    if word == "bis":
        return (replace(axis, bis="Bis"), at + 1) if not axis.bis else None
    if word in QUADRANT_LETTERS and not _is_number_sign(tokens, at, main=main):
        quadrant = QUADRANT_LETTERS[word]
        return replace(axis, quadrant=quadrant, doubts=(*axis.doubts, "letter-for-quadrant")), at + 1
    if len(word) == 1 or (len(word) == 2 and word[0] == word[1]):
        return _with_letter(axis, tokens, at, word, main=main)
    return _with_run(axis, tokens, at) if tokens[at].glued or "bis" in word else None


def _is_number_sign(tokens: Sequence[Token], at: int, *, main: bool) -> bool:
    """N may be No. (Calle 50 N 10-20) or Norte (Avenida 6N 23N 45)."""
    if tokens[at].word != "n" or not main or at + 1 >= len(tokens):
        return False
    following = tokens[at + 1]
    return following.kind == NUMBER and (following.glued or not tokens[at].glued)


def _with_letter(
    axis: Axis, tokens: Sequence[Token], at: int, letter: str, *, main: bool
) -> tuple[Axis, int] | None:
    if axis.bis:
        return (replace(axis, bis=f"{axis.bis} {letter.upper()}"), at + 1) if axis.bis == "Bis" else None
    if axis.number[-1].isalpha() or (letter == "n" and main) or _is_meeting(tokens, at):
        return None
    grown, after = replace(axis, number=axis.number + letter.upper()), at + 1
    if after < len(tokens) and _is_sub_number(tokens, after, main=main):  # Calle 13A1
        grown, after = replace(grown, number=grown.number + (tokens[after].word.lstrip("0") or "0")), after + 1
    return grown, after


def _is_meeting(tokens: Sequence[Token], at: int) -> bool:
    """Cra 7 x Cl 72: the letter stands between two ways."""
    if tokens[at].word not in MEETS or tokens[at].glued or at + 1 >= len(tokens):
        return False
    return tokens[at + 1].word in WAYS or tokens[at + 1].kind == NUMBER


def _is_sub_number(tokens: Sequence[Token], at: int, *, main: bool) -> bool:
    token = tokens[at]
    if token.kind != NUMBER or not token.glued or len(token.word) > 2:
        return False
    dash_follows = at + 1 < len(tokens) and tokens[at + 1].kind == DASH
    more = sum(following.kind == NUMBER for following in tokens[at + 1 : at + 8])
    return more >= (2 if main else 1) and not (main and dash_follows)


def _with_run(axis: Axis, tokens: Sequence[Token], at: int) -> tuple[Axis, int] | None:
    """Letters, bis and quadrant written in one go: 24ABIS, 45ASUR, 6AN."""
    word, letters, bis, quadrant = tokens[at].word, "", "", ""
    doubts = axis.doubts
    for spelling, code in QUADRANTS.items():
        if len(spelling) > 2 and word.endswith(spelling):
            word, quadrant = word[: -len(spelling)], code
            break
    if not quadrant and len(word) > 1 and word[-1] in QUADRANT_LETTERS and word[0] != word[-1] and word != "bis":
        if not word.endswith("bis"):
            word, quadrant, doubts = word[:-1], QUADRANT_LETTERS[word[-1]], (*doubts, "letter-for-quadrant")
    letters, found, tail = word.partition("bis")
    if found:
        bis = f"Bis {tail.upper()}".strip()
    if len(letters) > 2 or len(tail) > 1 or (axis.number[-1].isalpha() and letters) or (axis.bis and found):
        return None
    if letters and len(letters) == 2 and letters[0] != letters[1]:
        return None
    if axis.bis and letters:
        return None
    return replace(axis, number=axis.number + letters.upper(), bis=bis or axis.bis, quadrant=quadrant, doubts=doubts), at + 1


# --- way, crossing and plate ------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Street:
    code: str
    word: str
    main: Axis
    cross: Axis | None = None
    cross_way: tuple[str, str] | None = None
    plate: str = ""
    trailing: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    end: int = 0
    name: str = ""  # of a way that has a name in the place of a number

    def found(self, start: int) -> Found:
        main, trailing = self.main, list[str]()
        for quadrant in self.trailing:
            if not main.quadrant and not self.name and self.code in ALONG[quadrant]:
                main = replace(main, quadrant=quadrant)
            elif quadrant not in trailing:
                trailing.append(quadrant)
        assert self.cross is not None
        doubts = (*self.doubts, *main.doubts, *self.cross.doubts)
        parts = (self.code, main.key, self.cross.key, self.plate.upper(), *trailing)
        readable = f"{self.word} {self.name or main.readable} # {self.cross.readable}"
        if self.plate:
            readable += f"-{self.plate}"
        readable = " ".join([readable.strip(), *(quadrant.capitalize() for quadrant in trailing)])
        return Found(" ".join(part for part in parts if part), readable, doubts, start, self.end)


def _street(tokens: Sequence[Token], start: int) -> Found | None:
    way = read_way(tokens, start)
    if way is None:
        return None
    code, word, doubts, at = way
    while at < len(tokens) and tokens[at].kind == SIGN:
        at += 1
    read = read_axis(tokens, at, main=True)
    if read is None or _is_name(tokens, read[1]):
        return _named(tokens, start, way)
    street = _Street(code, word, read[0], doubts=list(doubts), end=read[1])
    return _meeting(tokens, street, start) or _crossing(tokens, street, start)


def _is_name(tokens: Sequence[Token], at: int) -> bool:
    """Avenida 30 de Agosto, Calle 5 de Mayo: the number belongs to a name."""
    return at < len(tokens) and tokens[at].kind == WORD and tokens[at].word in {"de", "del"}


def _named(tokens: Sequence[Token], start: int, way: tuple[str, str, tuple[str, ...], int]) -> Found | None:
    """Avenida Boyacá # 12-30, Autopista Norte # 128-50, Vía Cuarenta."""
    code, word, doubts, at = way
    if doubts:
        return None
    first = at
    while at < len(tokens) and at - first < 7 and (tokens[at].kind == WORD or _is_name(tokens, at + 1)):
        at += 1
    name = tokens[first:at]
    if not name and code not in ("CV", "AU", "AN", "VT", "TC", "VI"):
        return None
    if any(token.word in MEETS or token.word in WAYS_IN_NAMES for token in name):
        return None
    telling = [token.word.upper() for token in name if token.word not in PARTICLES] or [token.word.upper() for token in name]
    street = _Street(code, word, Axis(" ".join(sorted(telling))), doubts=["named-way"], end=at, name=spelt(name))
    signed = at < len(tokens) and tokens[at].kind == SIGN
    complete = _crossing(tokens, street, start)
    if complete is None or ("no-plate" in complete.doubts and not signed):
        return None
    return complete


FULL_WAYS = ("calle", "carrera", "avenida", "diagonal", "transversal", "autopista", "circular", "circunvalar", "carretera")
NO_WAYS = frozenset({"valle", "carretas", "callao", "calles", "calls", "piscular", "vallas"})
WAYS_IN_NAMES = frozenset({"calle", "carrera", "cra", "kra", "cll", "diagonal", "transversal", "km", "kilometro"})


def spelt(tokens: Sequence[Token]) -> str:
    """A name as it is read aloud: capitals in front alone, unless the writer mixed them."""
    return " ".join(_capitalised(token, place) for place, token in enumerate(tokens))


def _capitalised(token: Token, place: int) -> str:
    if place and token.word in PARTICLES:
        return token.text.lower()
    return token.text.capitalize() if token.text.isupper() or token.text.islower() else token.text


def _meeting(tokens: Sequence[Token], street: _Street, start: int) -> Found | None:
    """Carrera 7 con Calle 72, Calle 26 x Cra 13, Cra 7 con 72: a corner, the same from either way."""
    at = street.end
    if at >= len(tokens) or tokens[at].word not in MEETS:
        return None
    while at < len(tokens) and tokens[at].word in MEETS:
        at += 1
    way = read_way(tokens, at)
    code, word = (way[0], way[1]) if way else OPPOSITE.get(street.code, ("", ""))
    read = read_axis(tokens, way[3] if way else at, main=True)
    if read is None or not code:
        return None
    other, end = read
    here = (f"{street.code} {street.main.key}", f"{street.word} {street.main.readable}")
    there = (f"{code} {other.key}", f"{word} {other.readable}")
    if end < len(tokens) and tokens[end].kind in (DASH, SIGN, NUMBER):
        return None
    (first, said), (second, told) = sorted((here, there))
    doubts = (*street.doubts, *street.main.doubts, *other.doubts, "a-corner")
    return Found(f"{first} {second}", f"{said} con {told}", doubts, start, end)


def _crossing(tokens: Sequence[Token], street: _Street, start: int) -> Found | None:
    at = _past_signs(tokens, street.end)
    way = read_way(tokens, at)
    if way is not None and way[0] != street.code:
        at = _past_signs(tokens, way[3])
    elif way is not None:
        return None
    if at < len(tokens) and tokens[at].kind == NUMBER and len(tokens[at].word) >= GLUED_PLATE:
        return _glued(tokens, street, at, start)
    read = read_axis(tokens, at, main=False)
    if read is None:
        return None
    street.cross, street.end = read
    if way is not None:
        street.doubts.append("crossing-named")
    return _plate(tokens, street, start)


def _past_signs(tokens: Sequence[Token], at: int) -> int:
    while at < len(tokens) and tokens[at].kind in (SIGN, DASH, DOT):
        at += 1
    if at < len(tokens) and tokens[at].kind == COMMA and at + 1 < len(tokens):
        if tokens[at + 1].kind == SIGN or (tokens[at + 1].kind == NUMBER and len(tokens[at + 1].word) <= LONGEST_NUMBER):
            return _past_signs(tokens, at + 1)
    if at + 1 < len(tokens) and tokens[at].word == "n" and tokens[at + 1].kind == NUMBER:
        return at + 1
    return at


def _glued(tokens: Sequence[Token], street: _Street, at: int, start: int) -> Found | None:
    digits = tokens[at].word
    following = at + 1 < len(tokens) and tokens[at + 1].kind in (DASH, NUMBER)
    if len(digits) != GLUED_PLATE or digits.startswith("0") or following:
        return None
    street.cross, street.plate, street.end = Axis(digits[:2]), digits[2:].lstrip("0") or "0", at + 1
    street.doubts.append("two-readings")
    street.trailing, street.end = _quadrants(tokens, street.end)
    return street.found(start)


def _plate(tokens: Sequence[Token], street: _Street, start: int) -> Found:
    """How far from the crossing. A quadrant of the crossing is told at the end, as the cadastre does."""
    assert street.cross is not None
    if street.cross.quadrant:
        street.trailing.append(street.cross.quadrant)
        if street.cross.quadrant == "NORTE" and street.code == "AV" and _was_sign(tokens, street, start):
            street.main = replace(street.main, quadrant="NORTE")
        street.cross = replace(street.cross, quadrant="")
    at = street.end
    while at < len(tokens) and tokens[at].kind in (DASH, SIGN, DOT, SLASH):
        at += 1
    if at >= len(tokens) or tokens[at].kind != NUMBER or len(tokens[at].word) > GLUED_PLATE:
        street.doubts += ["no-plate"] if len(street.cross.number) < LONGEST_NUMBER else ["no-plate", "two-readings"]
        return street.found(start)
    street.plate = tokens[at].word.lstrip("0") or "0"
    at += 1
    letter = tokens[at].word if at < len(tokens) and tokens[at].kind == WORD and len(tokens[at].word) == 1 else ""
    alone = at + 1 >= len(tokens) or tokens[at + 1].kind not in (NUMBER, SIGN)
    if letter and letter not in QUADRANT_LETTERS and alone and (tokens[at].glued or letter in "abcdfgh"):
        street.plate += letter.upper()
        at += 1
    more, street.end = _quadrants(tokens, at)
    street.trailing += more
    return street.found(start)


def _was_sign(tokens: Sequence[Token], street: _Street, start: int) -> bool:
    """Av 6 N 23 N 45: of two letters N the first is no number sign either."""
    return any(token.word == "n" for token in tokens[start : start + 4]) and not street.main.quadrant


def _quadrants(tokens: Sequence[Token], at: int) -> tuple[list[str], int]:
    found: list[str] = []
    while at < len(tokens) and tokens[at].kind == WORD:
        word = tokens[at].word
        code = QUADRANTS.get(word)
        if code is None and not (at + 1 < len(tokens) and tokens[at + 1].kind == NUMBER):
            code = QUADRANT_LETTERS.get(word)
        if code is None:
            break
        found.append(code)
        at += 1
    return found, at


def _without_kind(tokens: Sequence[Token]) -> Found | None:
    """45 # 12-30: a grid address that forgot to say whether it is a calle or a carrera."""
    read = read_axis(tokens, 0, main=True)
    if read is None or read[1] >= len(tokens) or tokens[read[1]].kind not in (SIGN, NUMBER):
        return None
    found = _crossing(tokens, _Street("", "", read[0], doubts=["no-way"], end=read[1]), 0)
    if found is None or "no-plate" in found.doubts:
        return None
    return replace(found, readable=found.readable.strip())


def read_way_alone(tokens: Sequence[Token]) -> Found | None:
    """Calle 45: a way and nothing that it meets."""
    for start in range(len(tokens)):
        way = read_way(tokens, start)
        read = read_axis(tokens, way[3], main=True) if way else None
        if way and read:
            axis, end = read
            doubts = (*way[2], *axis.doubts, "no-crossing")
            return Found(f"{way[0]} {axis.key}", f"{way[1]} {axis.readable}", doubts, start, end)
    return None
