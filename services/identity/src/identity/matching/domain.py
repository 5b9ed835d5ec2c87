"""What likeness weighs: fields, levels and weights of Fellegi and Sunter, and the verdict that follows with its waterfall.

Three kinds of pairs are told apart, not two. *Matches* are two records of one person. *Housemates* are two persons of one
home: surname, address, place and telephone agree as in a match, the given name, the date of birth and the documents as
between strangers. All others are *strangers*. A model of matches and strangers alone takes every family for one person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import log2
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Verdict = Literal["linked", "review", "nothing"]
Floats = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
Mask = npt.NDArray[np.bool_]

BY_MATCHING = "matching"  # who decided, where likeness did
LINKED = 0.95  # probability from which two records are linked
REVIEW = 0.50  # probability from which a person looks at them
MISSING = 0  # the level of a field that one of the two records does not give: it says nothing
RAREST = 8.0  # bits that a rare value may add, or a common one take away


@dataclass(frozen=True)
class Level:
    """A degree of likeness, and how often it is met: among matches, among strangers, among housemates (None: as strangers)."""

    name: str
    match: float
    stranger: float
    housemate: float | None = None


@dataclass(frozen=True)
class Field:
    """What is compared, its levels from the strongest to `different`. The frequencies are what is shipped: the prior of learning."""

    name: str
    levels: tuple[Level, ...]

    @property
    def at_home(self) -> bool:
        """Whether people of one home share it. Of a field that they do not share a level may be met among them all the same."""
        return self.levels[0].housemate is not None

    def place(self, level: str) -> int:
        """The number of a level, from 1; 0 stands for missing."""
        return next(at for at, each in enumerate(self.levels, start=1) if each.name == level)


def _field(name: str, **levels: tuple[float, ...]) -> Field:
    return Field(name, tuple(Level(each.replace("_", "-"), *figures) for each, figures in levels.items()))


FIELDS = (
    _field(
        "given_names", exact=(0.68, 0.005), part=(0.12, 0.004), near=(0.08, 0.003), short=(0.01, 0.001, 0.01),
        initial=(0.02, 0.02), suffix=(0.01, 0.0005, 0.01), swapped=(0.02, 0.00002), different=(0.06, 0.9665),
    ),
    _field(
        "surnames", exact=(0.68, 0.004, 0.45), part=(0.13, 0.006, 0.20), near=(0.08, 0.003, 0.06),
        initial=(0.005, 0.01, 0.005), one_of_two=(0.03, 0.008, 0.15), different=(0.075, 0.969, 0.135),
    ),
    _field(
        "birth_date", exact=(0.88, 0.00005), near=(0.05, 0.003), partly=(0.03, 0.03), different=(0.04, 0.96695),
    ),
    _field(
        "document", exact=(0.84, 0.000001), near=(0.09, 0.00002), partly=(0.03, 0.0008), different=(0.04, 0.999179),
    ),
    _field("account", exact=(0.70, 0.000002), near=(0.04, 0.0003), different=(0.26, 0.999698)),
    _field("email", exact=(0.66, 0.000002, 0.04), near=(0.06, 0.0002, 0.01), different=(0.28, 0.999798, 0.95)),
    _field("phone", exact=(0.62, 0.000003, 0.45), near=(0.04, 0.00005, 0.01), different=(0.34, 0.999947, 0.54)),
    _field(
        "address", same=(0.50, 0.00001, 0.62), building=(0.12, 0.00002, 0.14), near=(0.14, 0.002, 0.10),
        similar=(0.06, 0.02, 0.04), different=(0.18, 0.97797, 0.10),
    ),
    _field(
        "place", same=(0.72, 0.03, 0.82), near=(0.08, 0.01, 0.05), partly=(0.08, 0.03, 0.05), region=(0.05, 0.13, 0.04),
        different=(0.07, 0.80, 0.04),
    ),
    _field("organisation", exact=(0.65, 0.0005, 0.15), near=(0.12, 0.003, 0.03), different=(0.23, 0.9965, 0.82)),
)  # fmt: skip
NAMES = tuple(each.name for each in FIELDS)
AT = {name: place for place, name in enumerate(NAMES)}
WIDEST = max(len(each.levels) for each in FIELDS) + 1
MATCHES_PER_RECORD = 0.5  # as shipped: every second record has a double
HOUSEMATES_PER_RECORD = 0.5

# How common names and cities are, per thousand people who have one: Colombia, the frequent ones. A name that is not here adds nothing.
_GIVEN = """maria:46 jose:24 andres:20 luis:19 carlos:19 luz:17 juan:16 patricia:12 alberto:11 david:10 ana:10 antonio:10
    fernando:10 andrea:9 jorge:8 jesus:8 diana:8 alexander:8 sandra:8 enrique:8 martha:7 javier:7 paola:7 manuel:7
    carmen:7 eduardo:7 marcela:7 isabel:7 jhon:6 milena:6 lucia:6 cecilia:6 diego:6 claudia:6 carolina:6 gloria:6
    rosa:6 camilo:6 alejandro:6 liliana:6 oscar:5 daniel:5 miguel:5 elena:5 felipe:5 alejandra:5 jairo:5 mauricio:5
    adriana:5 laura:5 cesar:5 alfonso:4 rafael:4 fernanda:4 marina:4 cristian:4 ines:4 sebastian:4 lorena:4 angel:4"""
_SURNAMES = """rodriguez:27 gomez:20 martinez:20 garcia:19 lopez:19 gonzalez:18 hernandez:17 sanchez:17 perez:16 diaz:15
    ramirez:15 rojas:13 torres:12 moreno:11 vargas:11 munoz:11 ortiz:10 castro:9 gutierrez:9 jimenez:9 suarez:8
    alvarez:8 ruiz:8 valencia:8 quintero:8 herrera:7 romero:7 mosquera:7 morales:7 arias:6 rivera:6 florez:6
    giraldo:6 medina:6 castillo:6 parra:6 pena:6 guerrero:5 salazar:5 osorio:5 mejia:5 mendoza:5 marin:5 cardona:5
    cardenas:5 cruz:5 restrepo:5 correa:5 ortega:5 acosta:5 ramos:5 reyes:5 rincon:5 zapata:4 sierra:4 mora:4
    palacios:4 molina:4 delgado:4 guzman:4"""
_CITIES = "bogota:150 medellin:50 cali:45 barranquilla:25 cartagena:20 soacha:15 cucuta:15"


REACHED_BY = ("phone", "email")


@dataclass(frozen=True)
class Common:
    """How common each value of a kind is, and the probability that two strangers agree on any (the sum of squares)."""

    share: Mapping[str, float]
    mean: float


def _common(text: str, mean: float) -> Common:
    return Common(
        {word: int(figure) / 1000 for word, _, figure in (each.partition(":") for each in text.split())}, mean
    )


SHIPPED_COMMON: Mapping[str, Common] = {
    "given_names": _common(_GIVEN, 0.0076), "surnames": _common(_SURNAMES, 0.0074), "city": _common(_CITIES, 0.03),
}  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """A versioned set of frequencies. Each table has a row per field and a column per level, column 0 (missing) being 1."""

    version: str
    match: Floats
    stranger: Floats
    housemate: Floats
    matches_per_record: float
    housemates_per_record: float
    records: int  # of the population in which the pair is looked for

    @property
    def prior(self) -> float:
        """Log odds (bits) that two records drawn by chance are one person's."""
        return log2(2 * self.matches_per_record / max(self.records - 1, 1))

    @property
    def housemate_prior(self) -> float:
        """Log odds (bits) that two records drawn by chance are of one home."""
        return log2(2 * self.housemates_per_record / max(self.records - 1, 1))

    @cached_property
    def bits(self) -> Floats:
        """What each level says for a match against strangers."""
        told: Floats = np.log2(self.match / self.stranger)
        return told

    @cached_property
    def home_bits(self) -> Floats:
        """What each level says for housemates against strangers; 0 where a home has no part in it."""
        told: Floats = np.log2(self.housemate / self.stranger)
        return told

    @cached_property
    def beyond_home(self) -> Floats:
        """What each level says for a match against housemates."""
        told: Floats = self.bits - self.home_bits
        return told

    def for_population(self, records: int) -> "Weights":
        """The same weights where the pair is looked for among so many records."""
        return Weights(
            self.version, self.match, self.stranger, self.housemate, self.matches_per_record,
            self.housemates_per_record, max(records, 2),
        )  # fmt: skip

    def as_document(self) -> dict[str, object]:
        """For keeping: plain numbers, read by `weights_from`."""
        return {
            "version": self.version, "match": self.match.tolist(), "stranger": self.stranger.tolist(),
            "housemate": self.housemate.tolist(), "matches_per_record": self.matches_per_record,
            "housemates_per_record": self.housemates_per_record, "records": self.records,
        }  # fmt: skip


def shipped_weights(records: int = 1_000) -> Weights:
    """What holds before anything was learnt, in a population of so many records."""
    tables = [np.ones((len(FIELDS), WIDEST)) for _ in range(3)]
    for row, each in enumerate(FIELDS):
        for column, level in enumerate(each.levels, start=1):
            told = level.stranger if level.housemate is None else level.housemate
            tables[0][row, column], tables[1][row, column], tables[2][row, column] = level.match, level.stranger, told
    match, stranger, housemate = tables
    return Weights("shipped-3", match, stranger, housemate, MATCHES_PER_RECORD, HOUSEMATES_PER_RECORD, max(records, 2))


@dataclass(frozen=True)
class Evidence:
    """One bar of the waterfall: a field, how alike it is, and what that says (bits; positive: for one person)."""

    field: str
    level: str
    weight: float


@dataclass(frozen=True)
class Scored:
    """The verdict on each of many pairs."""

    score: Floats  # log odds, bits
    probability: Floats


def score(levels: Levels, rarity: Floats, weights: Weights) -> Scored:
    """Log odds and probability of many pairs: `levels` and `rarity` (bits, added where values agree) are pairs by fields."""
    home_bits = weights.home_bits
    towards_home = np.full(len(levels), weights.housemate_prior)
    for row, each in enumerate(FIELDS):
        if home_bits[row].any():
            towards_home += home_bits[row][levels[:, row]]
        if each.at_home:
            towards_home += rarity[:, row]
    towards = towards_match(levels, rarity, weights) - sum(only_shared(levels, rarity, weights).values())
    total = towards - np.logaddexp2(0.0, towards_home)
    return Scored(total, 1.0 / (1.0 + np.exp2(-total)))


@cache
def _are(field: str, *names: str) -> Mask:
    """Of the levels of a field those of these names."""
    told = np.zeros(WIDEST, dtype=np.bool_)
    told[[FIELDS[AT[field]].place(name) for name in names]] = True
    return told


@dataclass(frozen=True)
class _Relatives:
    """Which pairs the names, the dates of birth and the numbers tell to be two of one family, each as a mask of all pairs.

    A number of his own (`own`) says of whoever is called otherwise that he is the same.
    """

    twins: Mask  # called otherwise, or in part alike under two documents: one date of birth is no wonder
    namesakes: Mask  # father and son, with two second surnames
    in_doubt: Mask  # one is told to be the son, or they have other surnames: who shares the rest may be either
    two: Mask  # the first two, and whoever was born on another day or has another document

    @classmethod
    def of(cls, levels: Levels) -> "_Relatives":
        def are(field: str, *names: str) -> Mask:
            found: Mask = _are(field, *names)[levels[:, AT[field]]]
            return found

        own = are("document", "exact", "near") | are("account", "exact")  # one wrong digit is a slip
        other_number = are("document", "different") & ~are("account", "exact")
        one_day = are("birth_date", "exact")
        twins = (are("given_names", "different") & ~own) | (
            are("given_names", "part", "short", "initial", "suffix") & other_number
        )
        family = ~own & ~one_day
        namesakes = family & are("surnames", "one-of-two") & are("given_names", "exact", "part", "near")
        in_doubt = family & (are("given_names", "suffix") | are("surnames", "different"))
        other_day = are("birth_date", "different") & ~own
        return cls(twins, namesakes, in_doubt, twins | namesakes | other_day | (other_number & ~one_day))


def only_shared(levels: Levels, rarity: Floats, weights: Weights) -> Mapping[str, Floats]:
    """What agrees in one family as well (bits), by the words with which the waterfall takes it back.

    A family has one mailbox and one telephone, twins have one date of birth, a son has his father's name. Whoever is told to be
    another is linked by none of these; and where that is in doubt, mailbox and telephone say no more than that two live together.
    """
    found = _Relatives.of(levels)

    def says(field: str, bits: Floats) -> Floats:
        told: Floats = np.maximum(bits[AT[field]], 0.0)[levels[:, AT[field]]]
        return told

    reached, beyond = (sum(says(field, bits) for field in REACHED_BY) for bits in (weights.bits, weights.beyond_home))
    called = says("given_names", weights.bits) + np.maximum(rarity[:, AT["given_names"]], 0.0)
    return {
        "reached by two people": np.where(found.two, reached, np.where(found.in_doubt, beyond, 0.0)),
        "may be twins": np.where(found.twins, says("birth_date", weights.bits), 0.0),
        "may be namesakes": np.where(found.namesakes, called, 0.0),
    }


def towards_match(levels: Levels, rarity: Floats, weights: Weights) -> Floats:
    """Log odds of one person against strangers: no pair scores more."""
    bits, told = weights.bits, np.full(len(levels), weights.prior)
    for row in range(len(FIELDS)):  # field by field: a table of all pairs by all fields would not fit in the cache
        if levels[:, row].any():
            told += bits[row][levels[:, row]] + rarity[:, row]
    return told


def waterfall(levels: Sequence[int], rarity: Sequence[float], weights: Weights) -> list[Evidence]:
    """The bars of one pair: they add up to its score. `one-home` takes back what only says that two share a home."""
    bars = [Evidence("prior", f"one in {weights.records}", weights.prior)]
    towards_home = weights.housemate_prior
    for row, (level, rare) in enumerate(zip(levels, rarity, strict=True)):
        if level != MISSING:
            told = float(weights.bits[row, level]) + rare
            bars.append(Evidence(FIELDS[row].name, FIELDS[row].levels[level - 1].name, told))
            towards_home += float(weights.home_bits[row, level]) + (rare if FIELDS[row].at_home else 0.0)
    bars.append(Evidence("one-home", "may be relatives", -float(np.logaddexp2(0.0, towards_home))))
    shared = only_shared(np.array([levels], dtype=np.int8), np.array([rarity]), weights)
    return bars + [Evidence("one-home", words, -float(told[0])) for words, told in shared.items() if told[0]]


def verdict_of(probability: float) -> Verdict:
    """What follows from a probability, by the two thresholds that are shipped for all data."""
    return "linked" if probability >= LINKED else "review" if probability >= REVIEW else "nothing"


# Where likeness may act by itself. Numbers that are given out in a row are near misses of each other, and a namesake's are no
# slips of mine: without one thing that agrees as it stands, the weights of another population prove nothing.
GROUNDS = frozenset(
    {("birth_date", "exact"), ("document", "exact"), ("account", "exact"), ("email", "exact"), ("phone", "exact")}
    | {("address", "same")}
)
SLIPS = frozenset({("document", "near"), ("email", "near"), ("birth_date", "near")})


def grounds_of(bars: Sequence[Evidence]) -> Literal["agree", "slip", "none"]:
    """What likeness rests on beside names and places: something that agrees, at least a slip, or nothing."""
    told = {(bar.field, bar.level) for bar in bars}
    return "agree" if told & GROUNDS else "slip" if told & SLIPS else "none"


def weights_from(document: Mapping[str, object]) -> Weights:
    """Weights that were kept as a document."""
    match, stranger, housemate = (
        np.array(document[name], dtype=np.float64) for name in ("match", "stranger", "housemate")
    )
    matches, housemates = (float(str(document[name])) for name in ("matches_per_record", "housemates_per_record"))
    return Weights(
        str(document["version"]), match, stranger, housemate, matches, housemates, int(str(document["records"]))
    )


def learnt_document(weights: Weights, common: Mapping[str, Common]) -> dict[str, object]:
    """What a run in bulk learnt, to be used for one record at a time: read by `learnt_from_file`."""
    shares = {kind: {"mean": each.mean, "share": dict(each.share)} for kind, each in common.items()}
    return {"weights": weights.as_document(), "common": shares}


def learnt_from_file(document: Mapping[str, Any]) -> tuple[Weights, Mapping[str, Common]]:
    """Weights and what is common, as `learnt_document` wrote them."""
    common = {kind: Common(each["share"], float(each["mean"])) for kind, each in document["common"].items()}
    return weights_from(document["weights"]), common
