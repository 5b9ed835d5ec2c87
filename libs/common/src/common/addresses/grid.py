"""The Colombian grid: a way with its number, the way that it meets, and how far from there the door is."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from common.addresses.lexer import COMMA, DASH, DOT, NUMBER, SIGN, SLASH, WORD, Token, unpadded
from common.addresses.lexicon import ALONG, CORNERS, MEETS, OPPOSITE, QUADRANT_LETTERS, QUADRANTS, UNITS
from common.addresses.ways import LONGEST_NUMBER, NO_AXIS, Axis, name_set, read_axis, read_way, spelt

GLUED_PLATE = 4  # digits: 1230 after a carrera is 12-30
LONGEST_NAME = 7  # words of a way


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


@dataclass(slots=True)
class _Street:
    code: str
    word: str
    main: Axis
    cross: Axis = NO_AXIS
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


def _name_end(tokens: Sequence[Token], first: int) -> int:
    at = first
    while at < len(tokens) and at - first < LONGEST_NAME and (tokens[at].kind == WORD or _is_name(tokens, at + 1)):
        if at > first and tokens[at].word in CORNERS:
            break
        at += 1
    return at


def _is_name(tokens: Sequence[Token], at: int) -> bool:
    """Avenida 30 de Agosto, Calle 5 de Mayo: the number belongs to a name."""
    return at < len(tokens) and tokens[at].kind == WORD and tokens[at].word in {"de", "del"}


def _named(tokens: Sequence[Token], start: int, way: tuple[str, str, tuple[str, ...], int]) -> Found | None:
    """Avenida Boyacá # 12-30, Autopista Norte # 128-50, Vía Cuarenta."""
    code, word, doubts, at = way
    if doubts:
        return None
    first = at
    at = _name_end(tokens, first)
    name = tokens[first:at]
    if not name and code not in ("CV", "AU", "AN", "VT", "TC", "VI"):
        return None
    if any(token.word in MEETS or token.word in WAYS_IN_NAMES for token in name):
        return None
    street = _Street(code, word, Axis(name_set(name)), doubts=["named-way"], end=at, name=spelt(name))
    if corner := _meeting(tokens, street, start):
        return corner
    signed = at < len(tokens) and tokens[at].kind == SIGN
    complete = _crossing(tokens, street, start)
    unsure = complete is None or not {"no-plate", "two-readings"}.isdisjoint(complete.doubts)
    return None if unsure and not signed else complete


WAYS_IN_NAMES = frozenset({"calle", "carrera", "cra", "kra", "cll", "diagonal", "transversal", "km", "kilometro"})


def _meeting(tokens: Sequence[Token], street: _Street, start: int) -> Found | None:
    """Carrera 7 con Calle 72, Calle 26 x Cra 13, Cra 7 con 72: a corner, the same from either way."""
    at = street.end
    if at >= len(tokens) or (tokens[at].word not in MEETS and not _is_way(tokens, at)):
        return None
    while at < len(tokens) and tokens[at].word in MEETS:
        at += 1
    other = _other_way(tokens, street.code, at)
    if other is None:
        return None
    there, doubts, end = other
    if end < len(tokens) and tokens[end].kind in (DASH, SIGN, NUMBER):
        return None
    here = (f"{street.code} {street.main.key}", f"{street.word} {street.name or street.main.readable}")
    (first, said), (second, told) = sorted((here, there))
    doubts = (*street.doubts, *street.main.doubts, *doubts, "a-corner")
    return Found(f"{first} {second}", f"{said} con {told}", doubts, start, end)


def _is_way(tokens: Sequence[Token], at: int) -> bool:
    way = read_way(tokens, at)
    return way is not None and not way[2]


def _other_way(tokens: Sequence[Token], code: str, at: int) -> tuple[tuple[str, str], tuple[str, ...], int] | None:
    """The second way of a corner, numbered or named; a number alone is one of the ways that run across."""
    way = read_way(tokens, at)
    code, word = (way[0], way[1]) if way else OPPOSITE.get(code, ("", ""))
    read = read_axis(tokens, way[3] if way else at, main=True) if code else None
    if read is not None:
        axis, end = read
        return (f"{code} {axis.key}", f"{word} {axis.readable}"), axis.doubts, end
    if way is None:
        return None
    end = _name_end(tokens, way[3])
    name = tokens[way[3] : end]
    return ((f"{code} {name_set(name)}", f"{word} {spelt(name)}"), ("named-way",), end) if name else None


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
    if at + 1 >= len(tokens):
        return at
    following = tokens[at + 1]
    crossing = following.kind == SIGN or (following.kind == NUMBER and len(following.word) <= LONGEST_NUMBER)
    if tokens[at].kind == COMMA and crossing:
        return _past_signs(tokens, at + 1)
    return at + 1 if tokens[at].word in {"n", "con"} and following.kind == NUMBER else at


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
    street.plate = unpadded(tokens[at])
    at += 1
    letter = tokens[at].word if at < len(tokens) and tokens[at].kind == WORD and len(tokens[at].word) == 1 else ""
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    alone = following is None or following.kind == COMMA or following.word in UNITS
    before_words = alone or (following is not None and following.kind == WORD and tokens[at].glued)
    if letter and letter not in QUADRANT_LETTERS and before_words and (tokens[at].glued or letter in "abcdfgh"):
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
