"""A way of the Colombian grid by itself: its kind, its number with letters, bis and quadrant; or its name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz.distance import OSA

from common.addresses.lexer import DASH, NUMBER, SIGN, WORD, Token, unpadded
from common.addresses.lexicon import (
    ATTACHED_LETTERS,
    AVENUES_OF,
    FULL_WAYS,
    MEETS,
    NO_WAYS,
    NUMBER_WORDS,
    PARTICLES,
    QUADRANT_LETTERS,
    QUADRANTS,
    SHORT_WAYS,
    WAYS,
)

LONGEST_NUMBER = 3  # digits of a way
ATTACHED = "letter-or-quadrant"


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


NO_AXIS = Axis("")


def read_way(tokens: Sequence[Token], at: int) -> tuple[str, str, tuple[str, ...], int] | None:
    """The kind of way at this place: its code, its word, doubts about it, and what follows it."""
    if at >= len(tokens) or tokens[at].kind != WORD:
        return None
    word, doubts = tokens[at].word, list[str]()
    known = WAYS.get(word)
    at += 1
    if known is None:
        known = misspelt_way(word) if at < len(tokens) and tokens[at].kind in (NUMBER, SIGN) else None
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
    if code == "AN" and at < len(tokens) and tokens[at].word == "vial":
        at += 1
    return code, readable, tuple(doubts), at


@lru_cache(maxsize=4_096)
def misspelt_way(word: str) -> tuple[str, str] | None:
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
    if main and [token.kind for token in tokens[at : at + 3]] == [DASH, NUMBER, SIGN]:  # Carrera 28-3 # 72F-10
        axis = replace(axis, number=f"{axis.number}-{unpadded(tokens[at + 1])}")
        at += 2
    at += _is_dashed_letter(tokens, at, main=main)
    while at < len(tokens) and tokens[at].kind == WORD and not axis.quadrant:
        grown = _with_suffix(axis, tokens, at, main=main)
        if grown is None:
            break
        axis, at = grown
    if axis.quadrant and axis.number[-1].isalpha():  # 78E Sur: the quadrant is told, so that the letter is none
        axis = replace(axis, doubts=tuple(doubt for doubt in axis.doubts if doubt != ATTACHED))
    return axis, at


def _is_dashed_letter(tokens: Sequence[Token], at: int, *, main: bool) -> bool:
    """Carrera 45-A # 12-30, Calle 45 # 12-A-30: the dash only parts a letter from its number."""
    if [token.kind for token in tokens[at : at + 2]] != [DASH, WORD] or at + 2 >= len(tokens):
        return False
    letter, following = tokens[at + 1].word, tokens[at + 2].kind
    told = len(letter) == 1 and letter not in QUADRANT_LETTERS.keys() - ATTACHED_LETTERS
    return told and following in (SIGN if main else DASH, NUMBER)


def _with_suffix(axis: Axis, tokens: Sequence[Token], at: int, *, main: bool) -> tuple[Axis, int] | None:
    word = tokens[at].word
    if word in QUADRANTS:
        return replace(axis, quadrant=QUADRANTS[word]), at + 1
    if word == "bis":
        return (replace(axis, bis="Bis"), at + 1) if not axis.bis else None
    if word in ATTACHED_LETTERS and tokens[at].glued and axis.number.isdecimal() and not axis.bis:
        # 78S is a letter by the nomenclature, which writes quadrants apart; a Bogotano may have meant 78 Sur
        doubtful = replace(axis, doubts=(*axis.doubts, ATTACHED))
        return _with_letter(doubtful, tokens, at, word, main=main)
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


def _with_letter(axis: Axis, tokens: Sequence[Token], at: int, letter: str, *, main: bool) -> tuple[Axis, int] | None:
    if axis.bis:
        return (replace(axis, bis=f"{axis.bis} {letter.upper()}"), at + 1) if axis.bis == "Bis" else None
    if axis.number[-1].isalpha() or (letter == "n" and main) or _is_meeting(tokens, at):
        return None
    grown, after = replace(axis, number=axis.number + letter.upper()), at + 1
    if after < len(tokens) and _is_sub_number(tokens, after, main=main):  # Calle 13A1
        grown, after = replace(grown, number=grown.number + (unpadded(tokens[after]))), after + 1
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
    word, bis, quadrant, doubts = tokens[at].word, "", "", axis.doubts
    for spelling, code in QUADRANTS.items():
        if len(spelling) > 2 and word.endswith(spelling):
            word, quadrant = word[: -len(spelling)], code
            break
    if not quadrant and word[-1] in QUADRANT_LETTERS and word[0] != word[-1] and not word.endswith("bis"):
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
    return replace(
        axis, number=axis.number + letters.upper(), bis=bis or axis.bis, quadrant=quadrant, doubts=doubts
    ), at + 1


def spelt(tokens: Sequence[Token]) -> str:
    """A name as it is read aloud: capitals in front alone, unless the writer mixed them."""
    return " ".join(_capitalised(token, place) for place, token in enumerate(tokens))


def _capitalised(token: Token, place: int) -> str:
    if token.word in {"de", "del"} or (place and token.word in PARTICLES):
        return token.text.lower()
    if token.word == "dc":
        return "D.C."
    return token.text.capitalize() if token.text.isupper() or token.text.islower() else token.text


def _in_figures(name: Sequence[Token], place: int) -> str:
    """Avenida Primero de Mayo is Avenida 1 de Mayo."""
    word = name[place].word
    dated = place + 1 < len(name) and name[place + 1].word == "de"
    return NUMBER_WORDS.get(word, word) if dated else word


def name_set(name: Sequence[Token]) -> str:
    """A name as the set of its folded words, in alphabetical order, without particles."""
    words = [_in_figures(name, place).upper() for place in range(len(name))]
    return " ".join(sorted([word for word in words if word.lower() not in PARTICLES] or words))
