"""Weights learnt without labels: expectation maximisation over the pairs that keys bring together and over random pairs.

After Winkler (1988) and Splink: how often strangers agree is learnt from random pairs, how often matches do from the pairs
that agree on a key. What is shipped counts as so many pairs seen before, so that a small file does not lead astray.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from identity.matching.domain import AT, FIELDS, WIDEST, Floats, Levels, Weights, only_shared, shipped_weights

MATCHES_SHIPPED = 60.0  # pairs that the shipped frequencies among matches stand for
STRANGERS_SHIPPED = 20_000.0
RECORDS_SHIPPED = 50.0  # records that the shipped numbers of matches and housemates per record stand for
FEWEST_HOUSEMATES = 0.2  # per record: families are there even where a file shows none
# What tells one person from his family differs in few of his own records, whatever the file.
MOST_DIFFERENT = {"given_names": 0.15, "birth_date": 0.12, "document": 0.12}
# A child who bears a parent's name is called by its short form, or Junior: of these a home shows as many as one person does.
NAMESAKES = tuple((AT["given_names"], FIELDS[AT["given_names"]].place(level)) for level in ("short", "suffix"))
ROUNDS = 25
STILL = 1e-4  # change of the match frequencies at which learning ends


@dataclass(frozen=True)
class Seen:
    """Patterns of levels, and how many pairs show each."""

    patterns: Levels
    counts: Floats

    @classmethod
    def of(cls, levels: Levels) -> "Seen":
        if not len(levels):
            return cls(np.zeros((0, len(FIELDS)), dtype=np.int8), np.zeros(0))
        code = np.zeros(len(levels), dtype=np.int64)
        for field in range(levels.shape[1]):
            code = code * WIDEST + levels[:, field]
        order = np.argsort(code, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(code[order]) != 0]))
        return cls(levels[order[starts]], np.diff(np.append(starts, len(code))).astype(np.float64))

    def times(self, factor: float) -> "Seen":
        """The same patterns where the pairs were a sample."""
        return Seen(self.patterns, self.counts * factor)


def learn(blocked: Seen, random: Seen, *, records: int) -> Weights:
    """Weights for a population of so many records, from the patterns of its candidate pairs and of random pairs of it."""
    shipped = shipped_weights(records)
    weights = replace(shipped, version="learnt-3")
    for _ in range(ROUNDS):
        matches, housemates, _ = _shares(blocked.patterns, weights)
        strangers = _shares(random.patterns, weights)[2]
        after = replace(
            weights,
            match=_bounded(_frequencies(blocked, matches, shipped.match, MATCHES_SHIPPED)),
            stranger=_frequencies(random, strangers, shipped.stranger, STRANGERS_SHIPPED),
            matches_per_record=_per_record(blocked, matches, shipped.matches_per_record, records),
            housemates_per_record=max(
                FEWEST_HOUSEMATES, _per_record(blocked, housemates, shipped.housemates_per_record, records)
            ),
        )
        after = replace(after, housemate=_housemates(after, shipped))
        moved = float(np.abs(after.match - weights.match).max())
        weights = after
        if moved < STILL:
            break
    return weights


def _shares(patterns: Levels, weights: Weights) -> tuple[Floats, Floats, Floats]:
    """The probability that each pattern is of matches, of housemates, of strangers."""
    rows = np.arange(len(FIELDS))
    match = weights.prior + np.log2(weights.match[rows, patterns]).sum(axis=1)
    home = weights.housemate_prior + np.log2(weights.housemate[rows, patterns]).sum(axis=1)
    stranger = np.log2(weights.stranger[rows, patterns]).sum(axis=1)
    match -= sum(only_shared(patterns, np.zeros_like(patterns, dtype=np.float64), weights).values())
    total = np.logaddexp2(np.logaddexp2(match, home), stranger)
    return np.exp2(match - total), np.exp2(home - total), np.exp2(stranger - total)


def _frequencies(seen: Seen, shares: Floats, shipped: Floats, strength: float) -> Floats:
    table = np.ones_like(shipped)
    weight = seen.counts * shares
    for row, field in enumerate(FIELDS):
        levels = len(field.levels)
        counted = np.bincount(seen.patterns[:, row], weights=weight, minlength=levels + 1)[1 : levels + 1]
        expected = shipped[row, 1 : levels + 1] * strength
        table[row, 1 : levels + 1] = (counted + expected) / (counted.sum() + expected.sum())
    return table


def _bounded(match: Floats) -> Floats:
    """Where a file holds families and no doubles, learning must not come to call a family a match."""
    for field, most in MOST_DIFFERENT.items():
        row, last = AT[field], len(FIELDS[AT[field]].levels)
        if match[row, last] > most:
            match[row, 1:last] *= (1 - most) / match[row, 1:last].sum()
            match[row, last] = most
    return match


def _housemates(learnt: Weights, shipped: Weights) -> Floats:
    """What a home shares is shipped, and what it shows as a match does is as learnt of these; else its people are strangers to each other."""
    at_home = np.array([field.at_home for field in FIELDS])[:, None]
    found: npt.NDArray[np.float64] = np.where(at_home, shipped.housemate, learnt.stranger)
    for row, column in NAMESAKES:
        found[row, column] = learnt.match[row, column]
    return found


def _per_record(seen: Seen, shares: Floats, shipped: float, records: int) -> float:
    return float((seen.counts @ shares + shipped * RECORDS_SHIPPED) / (records + RECORDS_SHIPPED))
