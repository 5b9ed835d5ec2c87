"""Streets with names, as most countries have them: the kind of street, its name as a set of words, the number."""

from collections.abc import Sequence

from common.addresses.grid import Found
from common.addresses.lexer import COMMA, DASH, NUMBER, SIGN, SLASH, WORD, Token, unpadded
from common.addresses.lexicon import COMPASS, ENGLISH, STREET_WORDS, STREETS, STREETS_OF, WAYS
from common.addresses.rest import starts_part
from common.addresses.ways import name_set, spelt

LONGEST_SHORT_FORM = 4  # letters: st, road; street and avenue are told in full
LONGEST_NAME = 8  # words


def read_street(tokens: Sequence[Token], country: str) -> Found | None:
    """Calle Mayor 12; Av. Insurgentes Sur 1602; Rua Augusta, 1234; 12 Stirling Street.

    None where neither a kind of street nor a number is told.
    """
    return _number_first(tokens) or _kind_first(tokens, country)


def token_set(tokens: Sequence[Token]) -> str:
    """The folded words and numbers in alphabetical order, each once; kinds of streets by their code."""
    words = {
        WAYS[token.word][0] if len(token.word) > 1 and token.word in WAYS else token.word.upper()
        for token in tokens
        if token.kind in (WORD, NUMBER)
    }
    return " ".join(sorted(words))


def _kind_first(tokens: Sequence[Token], country: str) -> Found | None:
    kinds = {**STREETS, **STREETS_OF.get(country, {})}
    code = kinds.get(tokens[0].word, "") if tokens[0].kind == WORD else ""
    at = 1 if code else 0
    while at < len(tokens) and tokens[at].kind == SLASH:  # C/ Mayor
        at += 1
    start = at
    at = _name_end(tokens, start)
    name = tokens[start:at]
    number, end = _house_number(tokens, at)
    numbered = all(token.kind == NUMBER for token in name)
    if not name or not (code or number) or (numbered and not (code and number)):
        return None
    return _found(code, name, number, end, country)


def _found(code: str, name: Sequence[Token], number: str, end: int, country: str) -> Found:
    doubts = ["a-street-name"]
    doubts += [] if code else ["no-way-word"]
    doubts += [] if number else ["no-number"]
    doubts += ["two-readings"] if all(token.kind == NUMBER for token in name) and country == "CO" else []
    sign = " # " if name[-1].kind == NUMBER else " "
    readable = f"{STREET_WORDS.get(code, '')} {spelt(name)}{sign if number else ''}{number}".strip()
    return Found(" ".join(part for part in (code, name_set(name), number) if part), readable, tuple(doubts), 0, end)


def _name_end(tokens: Sequence[Token], start: int) -> int:
    at = start
    while at < len(tokens) and at - start < LONGEST_NAME:
        token = tokens[at]
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.kind == NUMBER:
            in_name = following is not None and following.word in {"de", "del"}
            is_name = at == start and following is not None and following.kind in (NUMBER, SIGN)
            if not in_name and not is_name:
                break
        elif token.kind != WORD or _numbered(tokens, at) or (at > start and _ends_name(tokens, at)):
            break
        at += 1
    return at


def _numbered(tokens: Sequence[Token], at: int) -> bool:
    """N34-120 of Quito, and s/n."""
    if at + 1 >= len(tokens) or len(tokens[at].word) != 1:
        return False
    following = tokens[at + 1]
    return (following.kind == NUMBER and following.glued) or (tokens[at].word == "s" and following.kind == SLASH)


def _ends_name(tokens: Sequence[Token], at: int) -> bool:
    return _is_sign(tokens, at) or starts_part(tokens, at)


def _is_sign(tokens: Sequence[Token], at: int) -> bool:
    """The N of Av. Paulista N 1000."""
    return tokens[at].kind == SIGN or (
        tokens[at].word == "n" and at + 1 < len(tokens) and tokens[at + 1].kind == NUMBER and not tokens[at + 1].glued
    )


def _house_number(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    start = at
    while at < len(tokens) and (tokens[at].kind == COMMA or _is_sign(tokens, at)):
        at += 1
    if at >= len(tokens):
        return "", start
    prefix = ""
    if tokens[at].kind == WORD and _numbered(tokens, at):
        if tokens[at + 1].kind == SLASH:
            return "", min(at + 3, len(tokens))
        prefix, at = tokens[at].word.upper(), at + 1
    if tokens[at].kind != NUMBER:
        return "", start
    number, at = prefix + (unpadded(tokens[at])), at + 1
    if [(token.kind, token.glued) for token in tokens[at : at + 2]] == [(DASH, True), (NUMBER, True)]:
        number, at = f"{number}-{unpadded(tokens[at + 1])}", at + 2
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    letter = at < len(tokens) and tokens[at].kind == WORD and len(tokens[at].word) == 1
    if letter and (tokens[at].glued or following is None or following.kind == COMMA):
        number, at = number + tokens[at].word.upper(), at + 1
    return number, at


def _number_first(tokens: Sequence[Token]) -> Found | None:
    at = next((place for place, token in enumerate(tokens[:6]) if token.kind == NUMBER), None)
    if at is None:
        return None
    while at + 1 < len(tokens) and tokens[at + 1].kind in (NUMBER, SLASH):  # unit 3 12 smith st, 3/12 smith st
        at += 1
    if tokens[at].kind != NUMBER:
        return None
    for end in range(at + 2, min(len(tokens), at + 6)):
        if tokens[end].kind != WORD:
            return None
        kind = ENGLISH.get(tokens[end].word)
        if kind is not None and (end + 1 == len(tokens) or _ends_street(tokens, end)):
            name, number = tokens[at + 1 : end], unpadded(tokens[at])
            readable = f"{number} {spelt(name)} {tokens[end].text.capitalize()}"
            return Found(f"{kind} {name_set(name)} {number}", readable, ("a-street-name",), at, end + 1)
    return None


def _ends_street(tokens: Sequence[Token], at: int) -> bool:
    """Whether the kind of street is told to its end here, and no part of the name as in St Kilda Road."""
    return tokens[at + 1].kind == COMMA or tokens[at + 1].word in COMPASS or len(tokens[at].word) > LONGEST_SHORT_FORM
