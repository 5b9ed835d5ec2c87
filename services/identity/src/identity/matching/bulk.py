"""A whole file at once: find candidate pairs, learn the weights, score, and put records together into persons."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import log2
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from identity.matching.blocking import candidate_pairs
from identity.matching.clustering import clusters
from identity.matching.columns import Columns
from identity.matching.comparing import Comparer
from identity.matching.domain import FIELDS, LINKED, REVIEW, Floats, Levels, Scored, Weights, score
from identity.matching.learning import Seen, learn

T = TypeVar("T")
Rows = npt.NDArray[np.int64]
CHUNK = 250_000  # pairs compared at a time: memory is bounded by it, not by the file
LEARNT_FROM = 200_000  # pairs
RANDOM_PAIRS = 200_000
SEED = 5


class Progress(Protocol):
    """Is told of every step: how many pairs of it are done."""

    def __call__(self, step: str, done: int, total: int, /) -> None: ...


@dataclass(frozen=True)
class Matched:
    """Who is who: for each record its cluster and how sure that is; and the pairs that were linked or are in doubt."""

    cluster: Rows
    probability: Floats
    left: Rows
    right: Rows
    score: Floats
    weights: Weights
    compared: int


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""


def match(
    columns: Columns,
    *,
    side: npt.NDArray[np.bool_] | None = None,
    weights: Weights | None = None,
    progress: Progress = silent,
) -> Matched:
    """Match all records with each other, or, with `side`, those of one file with those of the other.

    Deterministic; the order of the records changes nothing when it is that of their contents. Without `weights` they are
    learnt from these records.
    """
    progress("finding pairs", 0, 1)
    with ThreadPoolExecutor(1) as beside:  # words are made ready while numbers are sorted
        coming = beside.submit(Comparer, columns)
        left, right = candidate_pairs(columns, side=side)
        comparer = coming.result()
    progress("finding pairs", 1, 1)
    weights = weights or learn_from(comparer, left, right, progress=progress)
    kept_left, kept_right, kept = _worth_keeping(comparer, left, right, weights, progress)
    linked = kept.probability >= LINKED
    known = weights

    def scored(a: Rows, b: Rows) -> Floats:
        compared = comparer.compare(a, b)
        return score(compared.levels, compared.rarity, known).score

    def again(a: Rows, b: Rows) -> Floats:
        return np.concatenate([np.zeros(0), *_in_chunks(scored, a, b)])

    found = clusters(columns.count, kept_left[linked], kept_right[linked], score=again)
    sure = _sureness(found, kept_left, kept_right, kept.probability)
    return Matched(found, sure, kept_left, kept_right, kept.score, weights, len(left))


def learn_from(comparer: Comparer, left: Rows, right: Rows, *, progress: Progress = silent) -> Weights:
    """Weights from the candidate pairs (a sample where they are many) and from random pairs, without labels."""
    count = comparer.columns.count
    draw = np.random.default_rng(SEED)
    if len(left) > LEARNT_FROM:
        sample = np.sort(draw.choice(len(left), LEARNT_FROM, replace=False))
        portion, left, right = len(left) / LEARNT_FROM, left[sample], right[sample]
    else:
        portion = 1.0
    first, second = _random_pairs(count, draw)
    progress("learning weights", 0, 1)
    levels = _levels(comparer, np.append(left, first), np.append(right, second))
    progress("learning weights", 1, 1)
    return learn(Seen.of(levels[: len(left)]).times(portion), Seen.of(levels[len(left) :]), records=count)


def _levels(comparer: Comparer, left: Rows, right: Rows) -> Levels:
    chunks = _in_chunks(lambda a, b: comparer.compare(a, b).levels, left, right)
    return np.concatenate([np.zeros((0, len(FIELDS)), dtype=np.int8), *chunks])


def _random_pairs(count: int, draw: np.random.Generator) -> tuple[Rows, Rows]:
    if count * (count - 1) // 2 <= RANDOM_PAIRS:
        first, second = np.triu_indices(count, k=1)
        return first.astype(np.int64), second.astype(np.int64)
    first = draw.integers(0, count, RANDOM_PAIRS)
    second = draw.integers(0, count - 1, RANDOM_PAIRS)
    return first, second + (second >= first)


def _in_chunks(do: Callable[[Rows, Rows], T], left: Rows, right: Rows) -> Iterator[T]:
    """Chunk after chunk, in order; as many at a time as there are cores, for numpy and rapidfuzz let go of the interpreter."""

    def do_next(start: int) -> T:
        return do(left[start : start + CHUNK], right[start : start + CHUNK])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(do_next, range(0, len(left), CHUNK))


def _worth_keeping(
    comparer: Comparer, left: Rows, right: Rows, weights: Weights, progress: Progress
) -> tuple[Rows, Rows, Scored]:
    """The pairs that are linked or in doubt; all others are forgotten chunk by chunk."""

    def likely(a: Rows, b: Rows) -> tuple[Rows, Scored]:
        places, compared = comparer.compare_likely(a, b, weights, least=log2(REVIEW / (1 - REVIEW)))
        told = score(compared.levels, compared.rarity, weights)
        kept = np.flatnonzero(told.probability >= REVIEW)
        return places[kept], Scored(told.score[kept], told.probability[kept])

    kept, scores, chances = [np.zeros(0, dtype=np.int64)], [np.zeros(0)], [np.zeros(0)]
    for number, (places, told) in enumerate(_in_chunks(likely, left, right)):
        kept.append(places + number * CHUNK)
        scores.append(told.score)
        chances.append(told.probability)
        progress("comparing pairs", min((number + 1) * CHUNK, len(left)), len(left))
    rows = np.concatenate(kept)
    return left[rows], right[rows], Scored(np.concatenate(scores), np.concatenate(chances))


def _sureness(cluster: Rows, left: Rows, right: Rows, probability: Floats) -> Floats:
    """How sure each record stands where it stands: with the best of its cluster, or, alone, not with the best of the others."""
    together = cluster[left] == cluster[right]
    best, other = np.zeros(len(cluster)), np.zeros(len(cluster))
    for rows in (left, right):
        np.maximum.at(best, rows[together], probability[together])
        np.maximum.at(other, rows[~together], probability[~together])
    alone = np.bincount(cluster, minlength=len(cluster))[cluster] == 1
    return np.where(alone, 1.0 - other, best)
