"""The text of an address as a row of words, numbers and signs."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from anyascii import anyascii

from common.addresses.lexicon import NUMBER_SIGNS, ORDINAL_ENDINGS

LONGEST = 400  # characters; nobody lives further away

SLASHED = {"c": "calle", "b": "barrio", "br": "barrio", "cl": "calle", "cra": "carrera"}  # C/ Mayor, B/ San Fernando

WORD, NUMBER, SIGN, DASH, COMMA, SLASH, PLUS, DOT = "word", "number", "sign", "dash", "comma", "slash", "plus", "dot"


class Token(NamedTuple):
    """One piece: what it is, as it was written, folded, and whether no space stands in front of it."""

    kind: str
    text: str
    word: str
    glued: bool


def unpadded(number: Token) -> str:
    """Its digits without zeros in front."""
    return number.word.lstrip("0") or "0"


_ORDINAL = re.compile(r"(?<=[0-9])\s?[ºª°˚]")
_DASHES = re.compile(r"[‐‑‒–—―−﹘﹣－_~]+")
_INITIALS = re.compile(r"\b(?:(?:[^\W\d_]\.\s?){2,}|(?:[^\W\d_]\.)+[^\W\d_]\b)")
_PIECES = re.compile(
    r"(?P<number>[0-9]+)|(?P<word>[^\W\d_]+(?:['’`´][^\W\d_]+)*)|(?P<sign>#+)|(?P<dash>-+)|(?P<comma>[,;|()\[\]{}:]+)"
    r"|(?P<slash>/)|(?P<plus>\+)|(?P<dot>(?<=[0-9])\.(?=[0-9]))"
)
_NOT_ASCII_WORD = re.compile(r"[^a-z0-9]+")


def cleaned(raw: str) -> str:
    """One form for each character, single spaces; cleaning twice is cleaning once."""
    text = raw[:LONGEST]
    if not text.isascii():
        text = _ORDINAL.sub(" ", text)
        text = unicodedata.normalize("NFKC", text)
        text = _DASHES.sub("-", text).replace("°", "o").replace("ª", " ").replace("º", "o")
        text = "".join(_plain(character) for character in text)
        text = unicodedata.normalize("NFC", text)
    elif "_" in text or "~" in text:
        text = _DASHES.sub("-", text)
    return " ".join(text.replace("\x00", " ").split())[:LONGEST].strip()


def _plain(character: str) -> str:
    if character < "\x80":
        return character
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.digit(character))
    return "" if kind == "Cf" else " " if kind[0] in "CZ" else character


def tokens_of(text: str) -> list[Token]:
    """The pieces of a cleaned text. Number signs (#, No., Nro., num) are one sign; endings of ordinals (3er, 2da) are gone."""
    if "." in text:
        text = _INITIALS.sub(_joined, text)
    found: list[Token] = []
    end = 0
    for match in _PIECES.finditer(text):
        kind, piece, start = match.lastgroup or "", match.group(), match.start()
        word = fold_word(piece) if kind == WORD else piece
        glued = start == end and start > 0
        end = match.end()
        if kind == SLASH and glued and found and found[-1].word in SLASHED and not found[-1].glued:
            full = SLASHED[found[-1].word]
            found[-1] = Token(WORD, full.capitalize(), full, False)
            continue
        if kind == WORD:
            if not word or (glued and word in ORDINAL_ENDINGS and found and found[-1].kind == NUMBER):
                continue
            if word == "guion":
                kind, piece, word = DASH, "-", "-"
            if word in NUMBER_SIGNS:
                kind, piece, word = SIGN, "#", "#"
        found.append(Token(kind, piece, word, glued))
    return found


def _joined(match: re.Match[str]) -> str:
    """C.C. and P.H. are one word, but K. C. is not where a number follows at once: that is left to the reader."""
    return match.group().replace(".", "").replace(" ", "") + " "


@lru_cache(maxsize=16_384)
def fold_word(word: str) -> str:
    """Lower-case ASCII letters and digits of one word."""
    if word.isascii():
        return _NOT_ASCII_WORD.sub("", word.lower())
    return _NOT_ASCII_WORD.sub("", anyascii(word).lower())


def without_asides(tokens: list[Token]) -> list[Token]:
    """What stands in brackets is told behind the rest: Transversal 60 (Av Suba) # 115-58."""
    if not any(token.kind == COMMA and token.text[-1] in "([{" for token in tokens):
        return tokens
    told: list[Token] = []
    asides: list[Token] = []
    inside = False
    for token in tokens:
        if token.kind == COMMA:
            opens = token.text[-1] in "([{"
            asides += [token] if opens or inside else []
            told += [] if opens or inside or token.text[0] in ")]}" else [token]
            inside = opens
        else:
            (asides if inside else told).append(token)
    return told + asides
