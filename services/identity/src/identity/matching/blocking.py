"""Which pairs are looked at: records that agree on one of several keys. What agrees on none is never compared."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from common.names import phonetic, phonetics
from identity.matching.columns import Columns
from identity.matching.records import GROUPS, Person, initials_of, mailboxes_of

Keys = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.signedinteger[Any]]

# Each rule forgives what the others rely on: a slip in the document, another telephone, a missing date of birth.
RULES: tuple[tuple[str, ...], ...] = (
    ("document",), ("account",), ("email",), ("phone",), ("mailbox",),
    ("given", "surname"), ("surname", "year"), ("given", "year"), ("birth", "initial"),
    ("building",), ("numbers", "initial"), ("numbers", "postcode"), ("given", "postcode"), ("surname", "postcode"),
    ("organisation",),
)  # fmt: skip
# A block that is too large is divided further by these, one after the other; what lacks the part leaves the block.
FINER = ("given", "surname", "year", "postcode", "city", "numbers", "birth")
LARGEST, SMALLEST = 50, 12  # records in a block, in small populations and in large ones
PAIRS_PER_RECORD = 10  # what a rule may cost where blocks are full
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(31))


def mixed(a: Keys, b: Keys) -> Keys:
    """Two keys made one (after the finaliser of splitmix64): the first is spread over all bits before the second comes to it."""
    told = ((a * _MIX[0]) ^ b) * _MIX[1]
    return told ^ (told >> _MIX[2])


class Parts:
    """What keys are made of: for each part a column per value that a record has for it; 0 where it has none.

    Several may ask at once: a part is read for the first of them.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._kept: dict[str, Numbers] = {}
        self._reading = Lock()

    def __getitem__(self, name: str) -> Numbers:
        with self._reading:
            if name not in self._kept:
                self._kept[name] = self._read(name)
            return self._kept[name]

    def _read(self, name: str) -> Numbers:
        table, numbered = self._columns.table, self._columns.numbered
        match name:
            case "given" | "surname":
                # numbered together, so that surnames in the place of given names sound alike
                sounds = numbered("word", phonetics)[table["names"]]
                return sounds[:, :2] if name == "given" else sounds[:, 2:]
            case "initial":
                return numbered("word", initials_of)[table["names"]]
            case "birth" | "year":
                return _birth_parts(table["birth"], whole=name == "birth")
            case "mailbox":
                return numbered("email", mailboxes_of)[table["email"]]
            case "numbers":
                return numbered("building", numbers_in)[table["building"]]
            case _:
                return table[name]


def numbers_in(buildings: Sequence[str]) -> list[str]:
    """The numbers of addresses, where one has more than a house's or a street's alone."""
    found = ((building, [piece for piece in building.split() if piece[0].isdigit()]) for building in buildings)
    return [
        " ".join(numbers) if len(numbers) > 1 or (numbers and len(building) > 8) else "" for building, numbers in found
    ]


def _birth_parts(births: npt.NDArray[np.int32], *, whole: bool) -> npt.NDArray[np.int64]:
    """The year, or the whole date with day and month in either order."""
    told = births.astype(np.int64)
    year, month, day = told // 10_000, told // 100 % 100, told % 100
    return (
        np.where(told > 0, year * 10_000 + np.minimum(month, day) * 100 + np.maximum(month, day), 0) if whole else year
    )


def candidate_pairs(columns: Columns, *, side: npt.NDArray[np.bool_] | None = None) -> tuple[Rows, Rows]:
    """All pairs (left < right) that agree on a key, each once. `side` tells two files apart: then across them only."""
    parts, count = Parts(columns), columns.count
    largest = int(np.clip(2 * PAIRS_PER_RECORD * 100_000 / max(count, 1), SMALLEST, LARGEST))
    found, more = np.zeros(0, dtype=np.int64), list[Rows]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # sorting lets go of the interpreter
        for rule, pairs in zip(
            RULES, pool.map(lambda rule: list(_pairs_of_rule(rule, parts, largest, side, count)), RULES), strict=True
        ):
            more += pairs
            if rule == RULES[-1] or 2 * sum(map(len, more)) > len(found):  # seldom: each time all are sorted
                found, more = distinct(np.concatenate([found, *more])), []
    return found // max(count, 1), found % max(count, 1)


def distinct(numbers: Rows) -> Rows:
    """Each number once, in order (those given are sorted); by sorting, which is ten times faster here than numpy's hashing."""
    numbers.sort()
    return numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])] if len(numbers) else numbers


def _pairs_of_rule(
    rule: Sequence[str], parts: Parts, largest: int, side: npt.NDArray[np.bool_] | None, count: int
) -> Iterator[Rows]:
    rows, keys = _keys_of_rule(rule, parts)
    finer = [name for name in FINER if name not in rule]
    while len(rows):
        order = np.argsort(keys)
        rows, keys = rows[order], keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        sizes = np.diff(np.append(starts, len(keys)))
        yield from _pairs_of_blocks(rows, starts, sizes, largest, side, count)
        large = np.repeat(sizes > largest, sizes)
        if not finer or not large.any():
            return
        rows, keys = _divided(rows[large], keys[large], parts[finer.pop(0)])


def _keys_of_rule(rule: Sequence[str], parts: Parts) -> tuple[Rows, Keys]:
    """Rows and keys; a record with two values of a part has a key for each."""
    first = parts[rule[0]]
    rows, keys = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64)
    for slot in range(first.shape[1]):
        given = np.flatnonzero(first[:, slot])
        rows, keys = np.append(rows, given), np.append(keys, first[given, slot].astype(np.uint64))
    for name in rule[1:]:
        if tuple(rule) == ("given", "surname"):
            rows, keys = _either_order(rows, keys, parts)
        else:
            rows, keys = _divided(rows, keys, parts[name])
    return rows, keys


def _either_order(rows: Rows, keys: Keys, parts: Parts) -> tuple[Rows, Keys]:
    """Surnames in the place of given names make the same key: sounds are numbered alike in both, and put in order."""
    sounds = parts["surname"]
    found: list[tuple[Rows, Keys]] = []
    for slot in range(sounds.shape[1]):
        other = sounds[rows, slot]
        told = other > 0
        mine, theirs = keys[told], other[told].astype(np.uint64)
        found.append((rows[told], mixed(np.minimum(mine, theirs), np.maximum(mine, theirs))))
    return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])


def _divided(rows: Rows, keys: Keys, part: Numbers) -> tuple[Rows, Keys]:
    found: list[tuple[Rows, Keys]] = []
    for slot in range(part.shape[1]):
        value = part[rows, slot]
        told = value > 0
        found.append((rows[told], mixed(keys[told], value[told].astype(np.uint64))))
    return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])


def _pairs_of_blocks(
    rows: Rows, starts: Rows, sizes: Rows, largest: int, side: npt.NDArray[np.bool_] | None, count: int
) -> Iterator[Rows]:
    for size in np.unique(sizes[(sizes > 1) & (sizes <= largest)]):
        blocks = starts[sizes == size][:, None] + np.arange(size)
        members = rows[blocks]
        first, second = np.triu_indices(size, k=1)
        a, b = members[:, first].ravel(), members[:, second].ravel()
        kept = a != b if side is None else (a != b) & (side[a] != side[b])
        a, b = a[kept], b[kept]
        yield np.minimum(a, b) * count + np.maximum(a, b)


# --- one record at a time ---------------------------------------------------------------------------------------------

# The same agreements, as few as find a person among millions: each row is paid for at every write.
ONLINE: tuple[tuple[str, ...], ...] = (
    *((group,) for group in GROUPS), ("mailbox",), ("building",), ("name",), ("name", "year"), ("name", "city"),
    ("birth", "initial"), ("given", "postcode"), ("surname", "postcode"),
)  # fmt: skip
MOST_KEYS = 40  # of one record


@lru_cache(maxsize=2_048)  # he is looked for under them, and then kept under them
def keys_of(person: Person) -> tuple[int, ...]:
    """The keys under which a record is found, hashed to 64 bits: a name in the index tells nobody the name."""
    parts = _parts_of(person)
    found: dict[int, None] = {}
    for rule in ONLINE:
        for values in product(*(parts[name] for name in rule)):
            text = "\0".join(("+".join(rule), *values))
            digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
            found[int.from_bytes(digest[:8], "big", signed=True)] = None
    return tuple(found)[:MOST_KEYS]


def _parts_of(person: Person) -> dict[str, list[str]]:
    given, surnames = ([phonetic(word) for word in words[:2]] for words in (person.given, person.surnames))
    # the first given name with either surname, the second with the first: enough to survive what is left out
    names = {tuple(sorted(pair)) for pair in product(given[:1], surnames)} | {
        tuple(sorted(pair)) for pair in product(given[1:], surnames[:1])
    }
    by_group = {group: [value for of, value in person.identifiers if of == group] for group in GROUPS}
    boxes = set(mailboxes_of(by_group["email"])) - {""}
    return by_group | {
        "given": given, "surname": surnames, "name": sorted(map(" ".join, names)), "mailbox": sorted(boxes),
        "year": [str(person.birth // 10_000)] if person.birth else [],
        "birth": [str(_either_order_of(person.birth))] if person.birth else [],
        "initial": sorted({word[:1] for word in (*person.given, *person.surnames)}),
        **{name: [value] if (value := getattr(person, name)) else [] for name in ("building", "city", "postcode")},
    }  # fmt: skip


def _either_order_of(birth: int) -> int:
    month, day = birth // 100 % 100, birth % 100
    return birth // 10_000 * 10_000 + min(month, day) * 100 + max(month, day)
