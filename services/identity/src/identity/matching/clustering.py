"""From pairs to persons: linked records are one person's, unless the chain that joins them contradicts itself."""

from collections.abc import Callable
from functools import lru_cache
from math import log2

import numpy as np
import numpy.typing as npt

from identity.matching.domain import LINKED, Floats

Rows = npt.NDArray[np.int64]
Score = Callable[[Rows, Rows], Floats]  # log odds (bits) of pairs

CONTRADICTION = -3.0  # bits below which two records of a chain speak against each other
LOUDEST = 12.0  # bits with which one pair counts where chains are weighed
LINKED_BITS = log2(LINKED / (1 - LINKED))
TIE = 1.0  # bits: of two persons the one is not twice as probable as the other
LONGEST = 400  # records of a chain of which every pair is looked at


def clusters(count: int, left: Rows, right: Rows, *, score: Score) -> Rows:
    """The number of the cluster of each record: that of its first member. The pairs given are those that are linked."""
    roots = _joined(count, left, right)
    chains = _chains(roots, left)
    if not chains:
        return roots
    first, second, chain = _pairs_within(chains)
    told = score(first, second)
    worst = np.full(len(chains), np.inf)
    np.minimum.at(worst, chain, told)
    starts = np.searchsorted(chain, np.arange(len(chains) + 1))
    for place in np.flatnonzero(worst < CONTRADICTION):
        part = slice(starts[place], starts[place + 1])
        for group in weighed(chains[place], first[part], second[part], told[part]):
            roots[group] = group.min()
    return roots


def _joined(count: int, left: Rows, right: Rows) -> Rows:
    """Connected components: the smallest number of each, by label propagation with pointer jumping."""
    roots = np.arange(count, dtype=np.int64)
    while True:
        a, b = roots[left], roots[right]
        apart = a != b
        if not apart.any():
            return roots
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        np.minimum.at(roots, high, low)
        while True:
            jumped = roots[roots]
            if (jumped == roots).all():
                break
            roots = jumped


def _chains(roots: Rows, left: Rows) -> list[Rows]:
    """The components in which some pair was not linked directly, each in order."""
    sizes = np.bincount(roots, minlength=len(roots))
    edges = np.bincount(roots[left], minlength=len(roots))
    doubtful = (sizes > 2) & (edges < sizes * (sizes - 1) // 2)
    members = np.flatnonzero(doubtful[roots])
    if not len(members):
        return []
    members = members[np.argsort(roots[members], kind="stable")]
    return np.split(members, np.flatnonzero(np.diff(roots[members])) + 1)


def _pairs_within(chains: list[Rows]) -> tuple[Rows, Rows, Rows]:
    """Every pair of every chain, chain after chain. Of a chain that is too long only neighbours: it is no person."""
    pairs = [_places_within(len(each)) for each in chains]
    first = np.concatenate([each[a] for each, (a, _) in zip(chains, pairs, strict=True)])
    second = np.concatenate([each[b] for each, (_, b) in zip(chains, pairs, strict=True)])
    return first, second, np.repeat(np.arange(len(chains)), [len(a) for a, _ in pairs])


@lru_cache(maxsize=32)  # most chains are short
def _places_within(size: int) -> tuple[Rows, Rows]:
    if size <= LONGEST:
        return np.triu_indices(size, k=1)
    a = np.repeat(np.arange(size), LONGEST // 4)
    b = a + np.tile(np.arange(1, LONGEST // 4 + 1), size)
    return a[b < size], b[b < size]


def weighed(members: Rows, left: Rows, right: Rows, weight: Floats) -> list[Rows]:
    """The persons in a chain: groups are joined from the strongest pair down while what speaks for it outweighs the rest.

    Correlation clustering, greedy: the sum over all pairs between two groups decides, not the best pair alone.
    """
    at = {int(member): place for place, member in enumerate(members)}
    size = len(members)
    between = np.zeros((size, size))
    rows = np.array([at[int(each)] for each in left]), np.array([at[int(each)] for each in right])
    between[rows] = np.clip(weight, -LOUDEST, LOUDEST)
    between += between.T
    raw = np.full((size, size), -np.inf)
    raw[rows] = weight
    raw = np.maximum(raw, raw.T)
    groups = {place: [place] for place in range(size)}
    while True:
        np.fill_diagonal(between, -np.inf)
        mean = between / np.outer(*2 * [np.array([len(groups.get(place, "x")) for place in range(size)])])
        best = int(np.argmax(mean))
        keep, gone = sorted(divmod(best, size))
        if mean.flat[best] <= 0:
            return [members[sorted(group)] for group in _without_torn(list(groups.values()), raw)]
        groups[keep] += groups.pop(gone)
        between[keep] += between[gone]
        between[:, keep] = between[keep]
        between[gone] = between[:, gone] = -np.inf


def _without_torn(groups: list[list[int]], weight: Floats) -> list[list[int]]:
    """The groups, without records that are as surely of another that contradicts them: nothing tells whose they are."""
    best = np.stack([weight[:, group].max(axis=1) for group in groups], axis=1)
    kept = [
        [each for each in group if not _is_torn(each, place, groups, best, weight)]
        for place, group in enumerate(groups)
    ]
    at_home = {each for group in kept for each in group}
    return [group for group in kept if group] + [[each] for group in groups for each in group if each not in at_home]


def _is_torn(record: int, place: int, groups: list[list[int]], best: Floats, weight: Floats) -> bool:
    """Whether the record is linked to its group, hardly weaker to a second, and nobody else of its own is like any of the second."""
    others = [each for each in groups[place] if each != record]
    rivals = np.flatnonzero(best[record] > max(best[record, place] - TIE, LINKED_BITS)).tolist()
    return best[record, place] >= LINKED_BITS and any(
        weight[np.ix_(others, groups[rival])].max() < CONTRADICTION for rival in rivals if rival != place and others
    )
