"""Made-up records of people, and a look at how they compare."""

import numpy as np

from identity.matching.columns import Columns
from identity.matching.comparing import Comparer, Frequencies
from identity.matching.domain import FIELDS, SHIPPED_COMMON, Evidence, score, shipped_weights, waterfall
from identity.matching.records import Person, read_person


def person(name: str = "", *, ids: tuple[str, ...] = (), **profile: str) -> Person:
    """A record; identifiers as `scheme:value` in normal form."""
    told = {"full_name": name, "country": "CO"} | profile
    return read_person(told, [tuple(each.split(":", 1)) for each in ids], country="CO")  # type: ignore[misc]


def levels(a: Person, b: Person) -> dict[str, str]:
    """The level of each field of which both tell."""
    compared = Comparer(Columns.of([a, b])).compare(np.array([0]), np.array([1])).levels[0]
    return {field.name: field.levels[level - 1].name for field, level in zip(FIELDS, compared, strict=True) if level}


def judged(a: Person, b: Person) -> tuple[float, list[Evidence]]:
    """Bits and waterfall by the shipped weights, among a million records."""
    columns, weights = Columns.of([a, b]), shipped_weights(1_000_000)
    compared = Comparer(columns, Frequencies.known(columns, SHIPPED_COMMON)).compare(np.array([0]), np.array([1]))
    bits = float(score(compared.levels, compared.rarity, weights).score[0])
    return bits, waterfall(compared.levels[0].tolist(), compared.rarity[0].tolist(), weights)
