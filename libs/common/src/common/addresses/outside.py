"""Colombian addresses beside the grid: manzana and casa, kilometre of a road, vereda and finca, a building by its name."""

from collections.abc import Sequence

from common.addresses.grid import Found
from common.addresses.lexer import COMMA, DASH, DOT, NUMBER, PLUS, SIGN, WORD, Token, tokens_of, unpadded
from common.addresses.lexicon import COUNTRYSIDE, KILOMETRES, WAYS
from common.addresses.rest import Part, Rest, in_order, name_key, read_rest, read_unit, starts_part
from common.addresses.ways import spelt

TOWARDS = frozenset({"a", "al", "de", "la", "en", "hacia", "que", "conduce"})
BLOCK, HOUSES = ("SM", "MZ"), ("CA", "LT")  # in this order they make a place of a quarter without streets


def read_outside(tokens: Sequence[Token]) -> tuple[Found, Rest] | None:
    """The place, and all that stands beside it; None where nothing is labelled."""
    road = _road(tokens)
    around = [*tokens[: road.start], *tokens[road.end :]] if road else list(tokens)
    rest = read_rest(_houses_spelt_out(around), Rest(), after_place=False)
    if road is not None:
        hamlets = _hamlets(rest)
        return Found(" ".join([road.key, *hamlets]), road.readable, road.doubts, 0, len(tokens)), rest
    if any(part.code == "MZ" for part in rest.units):
        return _block(rest)
    if any(part.code in COUNTRYSIDE for part in rest.areas):
        return Found(" ".join(_hamlets(rest)), "", ("no-street",), 0, 0), rest
    return _building(rest) if rest.areas else None


def _houses_spelt_out(tokens: Sequence[Token]) -> list[Token]:
    """In Manzana 5 # 12 the sign stands for the house."""
    found: list[Token] = []
    for at, token in enumerate(tokens):
        after_block = at >= 2 and tokens[at - 2].kind == WORD and (unit := read_unit(tokens, at - 2)) is not None
        if token.kind == SIGN and after_block and unit is not None and unit[0].code == "MZ" and unit[1] == at:
            found.append(Token(WORD, "Casa", "casa", glued=False))
        else:
            found.append(token)
    return found


def _block(rest: Rest) -> tuple[Found, Rest] | None:
    first = {part.code: part for part in reversed(rest.units)}
    house = next((first[code] for code in HOUSES if code in first), None)
    names = [part.key for part in in_order(rest.areas)[:1]] or _folded_notes(rest)[:1]
    doubts = ["a-block"] if names and house else ["no-quarter"]
    chosen = [first[code] for code in BLOCK if code in first] + ([house] if house else [])
    key = " ".join([*names, *(f"{part.code} {part.key}" for part in chosen)])
    return Found(key, "", tuple(doubts), 0, 0), _without(rest, chosen)


def _without(rest: Rest, chosen: Sequence[Part]) -> Rest:
    """What tells the place is no complement of it, but stays in the readable form."""
    rest.of_place = [*chosen]
    return rest


def _building(rest: Rest) -> tuple[Found, Rest]:
    names = [part.key for part in in_order(rest.areas)[:1]]
    house = [part for part in rest.units if part.code in HOUSES][:1]
    key = " ".join([*names, *(f"{part.code} {part.key}" for part in house)])
    return Found(key, "", ("no-street",), 0, 0), _without(rest, house)


def _folded_notes(rest: Rest) -> list[str]:
    return [name_key(tokens_of(note)) for note in rest.notes]


def _hamlets(rest: Rest) -> list[str]:
    return list(dict.fromkeys(f"{part.code} {part.key}" for part in in_order(rest.areas) if part.code in COUNTRYSIDE))


# --- kilometres -------------------------------------------------------------------------------------------------------


def _road(tokens: Sequence[Token]) -> Found | None:
    """Km 5 vía Cali Jamundí, Autopista Norte Km 19, Kilómetro 5.5 + 300."""
    for at, token in enumerate(tokens):
        if token.word in KILOMETRES and at + 1 < len(tokens):
            start = at + 1 if tokens[at + 1].kind == NUMBER else at + 2
            if start < len(tokens) and tokens[start].kind == NUMBER:
                return _from_kilometre(tokens, at, start)
    return None


def _from_kilometre(tokens: Sequence[Token], at: int, number_at: int) -> Found:
    figure, end = _figure(tokens, number_at)
    start, name = at, _road_name(tokens, end)
    if name is None:
        start, name = _road_before(tokens, at)
    else:
        end = name[2]
    code, named, _ = name or ("", [], end)
    word = dict(WAYS.values()).get(code, "")
    key = " ".join(part for part in ("KM", figure, "" if code in {"", "VI", "CT"} else code, name_key(named)) if part)
    readable = " ".join(part for part in ("Kilómetro", figure, word, spelt(named)) if part)
    return Found(key, readable, ("a-kilometre",) if name else ("no-quarter",), start, end)


def _figure(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    figure, at = unpadded(tokens[at]), at + 1
    if at + 1 < len(tokens) and tokens[at + 1].kind == NUMBER:
        if tokens[at].kind == PLUS:
            return f"{figure}+{tokens[at + 1].word}", at + 2
        if tokens[at].kind == DOT or (tokens[at].kind == COMMA and tokens[at].glued and tokens[at + 1].glued):
            return f"{figure}.{tokens[at + 1].word}", at + 2
    return figure, at


def _road_name(tokens: Sequence[Token], at: int) -> tuple[str, list[Token], int] | None:
    """The road's name behind its kilometre: vía Cali - Jamundí."""
    while at < len(tokens) and (tokens[at].kind == COMMA or tokens[at].word in TOWARDS):
        at += 1
    if at >= len(tokens) or tokens[at].kind != WORD or tokens[at].word not in WAYS:
        return None
    code, start, named = WAYS[tokens[at].word][0], at + 1, list[Token]()
    while start < len(tokens) and tokens[start].word in TOWARDS:
        start += 1
    at = start
    while at < len(tokens) and (tokens[at].kind in (WORD, DASH)) and not (at > start and starts_part(tokens, at)):
        if tokens[at].kind == WORD:
            named.append(tokens[at])
        at += 1
    return _told(code, named, at)


def _told(code: str, named: list[Token], end: int) -> tuple[str, list[Token], int] | None:
    """The anillo vial of a city needs no other name."""
    named = [token for token in named if token.word != "vial" or code != "AN"]
    return (code, named, end) if named or code == "AN" else None


def _road_before(tokens: Sequence[Token], at: int) -> tuple[int, tuple[str, list[Token], int] | None]:
    """The road's name in front of its kilometre: Autopista Norte Km 19."""
    for start in range(at - 1, -1, -1):
        if tokens[start].kind == WORD and tokens[start].word in WAYS and len(tokens[start].word) > 1:
            named = [token for token in tokens[start + 1 : at] if token.kind == WORD]
            told = _told(WAYS[tokens[start].word][0], named, at)
            return (start, told) if told else (at, None)
    return at, None
