"""What stands beside the street of an address: parts of the building, quarters, the city, remarks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from common.addresses.lexer import COMMA, DASH, NUMBER, SIGN, WORD, Token, unpadded
from common.addresses.lexicon import (
    ALONE,
    AMBIGUOUS_CITIES,
    AREA_ORDER,
    AREA_PAIRS,
    AREAS,
    CITIES,
    FLOOR,
    LONGEST_CITY,
    NUMBER_WORDS,
    PARTICLES,
    REFERENCES,
    TWO_UNITS,
    UNIT_LETTERS,
    UNIT_ORDER,
    UNITS,
)
from common.addresses.ways import spelt

POSTCODE = 6  # digits


@dataclass(frozen=True, slots=True)
class Part:
    """A labelled part: `AP`, `Apartamento`, `501`; of a quarter the key is its name without particles."""

    code: str
    word: str
    value: str
    key: str

    @property
    def readable(self) -> str:
        return f"{self.word} {self.value}".strip()


def in_order(areas: Sequence[Part]) -> list[Part]:
    """The narrowest first: a building, an estate, a quarter, a hamlet."""
    return sorted(areas, key=lambda part: AREA_ORDER.get(part.code, len(AREA_ORDER)))


@dataclass(slots=True)
class Rest:
    """All of it, in the order of nature: building, quarter, remarks, city."""

    units: list[Part] = field(default_factory=list)
    areas: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    city: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    of_place: list[Part] = field(default_factory=list)  # those of the units that are part of the key

    @property
    def complement(self) -> str:
        """The parts of the building in one form, whatever their order: BL 4 AP 302."""
        return " ".join(self.parts())

    def parts(self, codes: Collection[str] | None = None) -> list[str]:
        """The parts of the building that are not part of the place already; only those of the codes where given."""
        units = [part for part in self._ordered_units() if part not in self.of_place]
        wanted = [part for part in units if codes is None or part.code in codes]
        return list(dict.fromkeys(f"{part.code} {part.key}".strip() for part in wanted))

    def _ordered_units(self) -> list[Part]:
        return sorted(self.units, key=lambda part: UNIT_ORDER[part.code])

    @property
    def locality(self) -> str:
        return ", ".join(self.city)

    def readable(self, place: str) -> str:
        """The whole address with this place in front."""
        areas = in_order(self.areas)
        units = [part.readable for part in self._ordered_units()]
        parts = [place, *units, *(part.readable for part in areas), *self.notes, *self.city]
        return ", ".join(dict.fromkeys(part for part in parts if part))


def read_rest(tokens: Sequence[Token], into: Rest, *, after_place: bool) -> Rest:
    """Reads the row of tokens to its end; whatever it does not know becomes a remark."""
    at, fresh = 0, not after_place  # fresh: at the beginning of a part, where a comma or the text's start stood
    while at < len(tokens):
        token = tokens[at]
        if token.kind in (COMMA, DASH):
            at, fresh = at + 1, True
            continue
        after = _labelled(tokens, at, into)
        if after is None:
            after = _remark(tokens, at, into, fresh=fresh)
        at, fresh = after, False
    return into


def _labelled(tokens: Sequence[Token], at: int, into: Rest) -> int | None:
    read = read_unit(tokens, at)
    if read is not None:
        into.doubts += ["two-units"] if tokens[at].word in TWO_UNITS else []
        part, at = read
        into.units.append(part)
        return at
    read = read_area(tokens, at)
    if read is not None:
        part, at = read
        into.areas.append(part)
        return at
    return None


# --- parts of a building ----------------------------------------------------------------------------------------------


def read_unit(tokens: Sequence[Token], at: int) -> tuple[Part, int] | None:
    """Apto 501, T9, Torre A-5, 3er piso, segundo piso, PH."""
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if following is not None and following.word in FLOOR and following.kind == WORD:
        floor = token.word.lstrip("0") if token.kind == NUMBER else NUMBER_WORDS.get(token.word)
        if floor and not _has_value(tokens, at + 2):
            code, word = UNITS[following.word]
            return Part(code, word, floor, floor), at + 2
    if token.kind != WORD:
        return None
    known = UNITS.get(token.word)
    if known is None or len(token.word) == 1:
        full = UNIT_LETTERS.get(token.word)
        if full is None or not (_has_value(tokens, at + 1) or _is_dashed_number(tokens, at + 1)):
            return None
        known = UNITS[full]
    code, word = known
    value, after = _value(tokens, at + 1)
    if not value and code not in ALONE:
        return None
    return Part(code, word, value, value), after


def _has_value(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].kind in (NUMBER, SIGN)


def _is_dashed_number(tokens: Sequence[Token], at: int) -> bool:
    """Apto-501, T - 2: the dash only parts the number from what it is of."""
    return [token.kind for token in tokens[at : at + 2]] == [DASH, NUMBER]


def _value(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """501, 501B, 3-402, A, A12, A-5; letters and numbers in one piece."""
    while at < len(tokens) and (tokens[at].kind == SIGN or _is_dashed_number(tokens, at)):
        at += 1
    pieces: list[str] = []
    start = at
    while at < len(tokens):
        token, joined = tokens[at], False
        if token.kind == DASH and pieces and at + 1 < len(tokens):
            joined, at = True, at + 1
            token = tokens[at]
        piece = _piece(tokens, at, first=at == start, joined=joined, pieces=pieces)
        if piece is None:
            at -= joined
            break
        if joined and pieces and piece.isdigit() and pieces[-1][-1:].isdigit():
            pieces.append("-")
        pieces.append(piece)
        at += 1
    return "".join(pieces), at


def _piece(tokens: Sequence[Token], at: int, *, first: bool, joined: bool, pieces: list[str]) -> str | None:
    token = tokens[at]
    if token.kind == NUMBER:
        apart = pieces and pieces[-1].isdigit()
        return None if apart and not joined else unpadded(token)
    if token.kind != WORD:
        return None
    if len(token.word) == 1:
        if pieces and pieces[-1].isalpha():
            return None
        starts_another = token.word in UNIT_LETTERS and _has_value(tokens, at + 1) and not first
        return None if starts_another and not (token.glued and tokens[at + 1].glued) else token.word.upper()
    if first and token.word in NUMBER_WORDS and token.word not in {"una", "uno"}:
        return NUMBER_WORDS[token.word]
    return None


# --- quarters, estates, hamlets ---------------------------------------------------------------------------------------


def read_area(tokens: Sequence[Token], at: int) -> tuple[Part, int] | None:
    """Barrio San Diego, Conj. Los Pinos, CC Andino, Vereda El Salitre."""
    token = tokens[at]
    if token.kind != WORD:
        return None
    pair = AREA_PAIRS.get((token.word, tokens[at + 1].word)) if at + 1 < len(tokens) else None
    known = pair or AREAS.get(token.word)
    if token.word == "b" and at + 1 < len(tokens) and tokens[at + 1].kind == WORD and len(tokens[at + 1].word) > 1:
        known = AREAS["barrio"]  # B. La Flora
    if known is None:
        return None
    start = at + (2 if pair else 1)
    end = _name_end(tokens, start)
    if end == start:
        return None
    name = tokens[start:end]
    code, word = known
    return Part(code, word, spelt(name), name_key(name)), end


def name_key(name: Sequence[Token]) -> str:
    """A name folded, without its particles: the same for El Jardín and JARDIN."""
    words = [token.word.upper() for token in name if token.kind in (WORD, NUMBER)]
    return " ".join([word for word in words if word.lower() not in PARTICLES] or words)


def _name_end(tokens: Sequence[Token], start: int) -> int:
    """Where a name ends: at a comma, at the next labelled part, before the city."""
    at = start
    while at < len(tokens) and tokens[at].kind in (WORD, NUMBER):
        if at > start and (starts_part(tokens, at) or _city_length(tokens, at) == len(_words_ahead(tokens, at))):
            break
        at += 1
    return at


def starts_part(tokens: Sequence[Token], at: int) -> bool:
    return read_unit(tokens, at) is not None or _starts_area(tokens, at)


def _starts_area(tokens: Sequence[Token], at: int) -> bool:
    if tokens[at].kind != WORD or at + 1 >= len(tokens):
        return False
    pair = AREA_PAIRS.get((tokens[at].word, tokens[at + 1].word))
    return pair is not None or (tokens[at].word in AREAS and tokens[at + 1].kind in (WORD, NUMBER))


# --- cities and remarks -----------------------------------------------------------------------------------------------


def _words_ahead(tokens: Sequence[Token], at: int) -> list[str]:
    words = []
    while at < len(tokens) and tokens[at].kind in (WORD, NUMBER):
        words.append(tokens[at].word)
        at += 1
    return words


def _city_length(tokens: Sequence[Token], at: int) -> int:
    """How many words from here on are names of cities, departments and the country."""
    words, taken = _words_ahead(tokens, at), 0
    while taken < len(words):
        longest = max(
            (
                n
                for n in range(1, LONGEST_CITY + 1)
                if " ".join(words[taken : taken + n]) in CITIES and taken + n <= len(words)
            ),
            default=0,
        )
        if not longest:
            break
        taken += longest
    if taken and " ".join(words[:taken]) in AMBIGUOUS_CITIES and at and tokens[at - 1].kind not in (COMMA, NUMBER):
        return 0
    return taken


def _remark(tokens: Sequence[Token], at: int, into: Rest, *, fresh: bool) -> int:
    start = at
    while at < len(tokens) and tokens[at].kind != COMMA:
        if at > start and tokens[at].kind == DASH and not (tokens[at].glued and _has_value(tokens, at + 1)):
            break
        taken = _city_length(tokens, at) if tokens[at].kind == WORD else 0
        if taken and at + taken <= len(tokens) and taken == len(_words_ahead(tokens, at)):
            _say(tokens[start:at], into, fresh=fresh)
            into.city.append(spelt(tokens[at : at + taken]))
            return at + taken
        if at > start and tokens[at].kind == WORD and starts_part(tokens, at):
            break
        at += 1
    _say(tokens[start:at], into, fresh=fresh)
    return at


def _say(tokens: Sequence[Token], into: Rest, *, fresh: bool) -> None:
    if not tokens:
        return
    words = [token for token in tokens if token.kind == WORD]
    into.notes.append(written(tokens))
    if not words:
        if not (len(tokens) == 1 and len(tokens[0].word) == POSTCODE):
            into.doubts.append("extra-number")
    elif not fresh and words[0].word not in REFERENCES:
        into.doubts.append("unknown-words")


def written(tokens: Sequence[Token]) -> str:
    """The tokens as text that reads back as the same tokens."""
    text = ""
    for place, token in enumerate(tokens):
        text += token.text if token.glued or not place else f" {token.text}"
    return text.strip()
