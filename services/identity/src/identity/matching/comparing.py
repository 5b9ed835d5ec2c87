"""How alike two records are: a level for each field, for many pairs at once."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist as compare_pairs

from common.names import are_two_names
from identity.matching.columns import Codes, Columns
from identity.matching.domain import AT, FIELDS, RAREST, Common, Floats, Levels
from identity.matching.records import GROUPS, mailbox_of, sound_of

Rows = npt.NDArray[np.int64]
Grades = npt.NDArray[np.int8]
MISSING, DIFFERENT, INITIAL, NEAR, SAME = -1, 0, 1, 2, 3  # grades of two words
NAME_FIELDS, PLACES = ("given_names", "surnames"), ("postcode", "city")
MANY = 10_000  # pairs from which it is worth starting threads
FEW = 20  # people who have a value that is told to others
_LEVEL = {each.name: {level.name: each.place(level.name) for level in each.levels} for each in FIELDS}


@dataclass(frozen=True)
class Compared:
    """Pairs by fields: the level of each, and what the rarity of the value adds (bits)."""

    levels: Levels
    rarity: Floats


class Comparer:
    """Compares the records of one set of columns. What values are common is learnt from `population`."""

    def __init__(self, columns: Columns, frequencies: "Frequencies | None" = None) -> None:
        self.columns = columns
        self.frequencies = frequencies or Frequencies.of(columns)
        self._words = np.array(columns.words("word"), dtype=object)
        self._lengths = np.fromiter(map(len, self._words), dtype=np.int16, count=len(self._words))
        self._sounds = _numbered(self, "sound", [sound_of(word) for word in self._words])
        self._initials = _numbered(self, "initial", [word[:1] for word in self._words])

    def compare(self, left: Rows, right: Rows) -> Compared:
        levels = np.zeros((len(left), len(FIELDS)), dtype=np.int8)
        rarity = np.zeros((len(left), len(FIELDS)), dtype=np.float64)
        self._compare_names(left, right, levels, rarity)
        levels[:, AT["birth_date"]] = births(self._of("birth", left), self._of("birth", right))
        for group in GROUPS:
            levels[:, AT[group]] = self._identifiers(group, left, right)
        levels[:, AT["address"]] = self._addresses(left, right)
        self._compare_places(left, right, levels, rarity)
        levels[:, AT["organisation"]] = self._organisations(left, right)
        return Compared(levels, rarity)

    def _of(self, name: str, rows: Rows, slot: int = 0) -> Codes:
        codes: Codes = self.columns.table[name][rows, slot]
        return codes

    # --- names --------------------------------------------------------------------------------------------------------

    def _compare_names(self, left: Rows, right: Rows, levels: Levels, rarity: Floats) -> None:
        a, b = self.columns.table["names"][left], self.columns.table["names"][right]
        joined = self.columns.table["joined"]
        given, surnames = self._name_levels(a, b, joined[left], joined[right])
        self._try_other_readings(left, right, given, surnames)
        for place, (field, found) in enumerate((("given_names", given), ("surnames", surnames))):
            levels[:, AT[field]] = found
            rarity[:, AT[field]] = self._rarity_of_names(place, found, a, b, joined[left, place], joined[right, place])

    def _name_levels(self, a: Codes, b: Codes, joined_a: Codes | None, joined_b: Codes | None) -> tuple[Levels, Levels]:
        found = []
        for place, field in enumerate(("given_names", "surnames")):
            first, last = slice(2 * place, 2 * place + 1), slice(2 * place + 1, 2 * place + 2)
            mine, theirs = np.hstack([a[:, first], a[:, last]]), np.hstack([b[:, first], b[:, last]])
            level = self._level_of_words(mine, theirs, field)
            if joined_a is not None and joined_b is not None:
                self._forgive_spaces(level, mine, theirs, joined_a[:, place], joined_b[:, place], field)
            found.append(level)
        return found[0], found[1]

    def _level_of_words(self, a: Codes, b: Codes, field: str) -> Levels:
        """Two words each, in the order that fits better."""
        straight = self.grade(a[:, 0], b[:, 0]), self.grade(a[:, 1], b[:, 1])
        better, worse = straight
        several = (a[:, 1] > 0) | (b[:, 1] > 0)
        if several.any():
            places = np.flatnonzero(several)
            crossed = self.grade(a[places, 0], b[places, 1]), self.grade(a[places, 1], b[places, 0])
            fits = _worth(*crossed) > _worth(straight[0][places], straight[1][places])
            better, worse = better.copy(), worse.copy()
            better[places[fits]], worse[places[fits]] = crossed[0][fits], crossed[1][fits]
        return _level_of_grades(better, worse, several, _LEVEL[field])

    def _forgive_spaces(self, level: Levels, a: Codes, b: Codes, joined_a: Codes, joined_b: Codes, field: str) -> None:
        """Mary Ann and Maryann, Delacruz and Dela Cruz."""
        told = _LEVEL[field]
        divided = ((a[:, 1] > 0) | (b[:, 1] > 0)) & (level > told["near"])
        places = np.flatnonzero(divided & (joined_a > 0) & (joined_b > 0))
        grades = self.grade(joined_a[places], joined_b[places])
        level[places[grades == SAME]] = told["exact"]
        level[places[grades == NEAR]] = told["near"]

    def _try_other_readings(self, left: Rows, right: Rows, given: Levels, surnames: Levels) -> None:
        """Where two names disagree as read: another division of three words, surnames in front, or both.

        Of the readings the one with the least contradiction holds. Surnames that agree count before given names that
        do: where it cannot be told, two relatives are the careful reading.
        """
        names, otherwise = self.columns.table["names"], self.columns.table["otherwise"]
        for mine, theirs in ((names, names), (otherwise, names), (names, otherwise), (otherwise, otherwise)):
            for turned in (False, True):
                doubtful = np.flatnonzero(_disagreement(given, surnames) > 0)
                told = mine[left[doubtful]].any(axis=1) & theirs[right[doubtful]].any(axis=1)
                places = doubtful[told]
                if turned:
                    places = places[self._may_be_turned(mine[left[places]], theirs[right[places]])]
                if not len(places) or (mine is theirs is names and not turned):
                    continue
                a, b = mine[left[places]], theirs[right[places]]
                levels = self._turned_levels(a, b) if turned else self._name_levels(a, b, None, None)
                fits = _disagreement(*levels, guessed=True) < _disagreement(given[places], surnames[places])
                given[places[fits]], surnames[places[fits]] = levels[0][fits], levels[1][fits]

    def _may_be_turned(self, a: Codes, b: Codes) -> npt.NDArray[np.bool_]:
        """Whether some given name of the one begins as some surname of the other does: cheaper than comparing them."""
        x, y = self._initials[a], self._initials[b]
        crossed = [(x[:, i] == y[:, j]) & (a[:, i] > 0) for i, j in ((0, 2), (0, 3), (1, 2), (1, 3))]
        crossed += [(x[:, j] == y[:, i]) & (a[:, j] > 0) for i, j in ((0, 2), (0, 3), (1, 2), (1, 3))]
        found: npt.NDArray[np.bool_] = np.any(crossed, axis=0)
        return found

    def _turned_levels(self, a: Codes, b: Codes) -> tuple[Levels, Levels]:
        """Levels when one of the two has its surnames in front. Where all agrees one level tells of both fields."""
        turned = b[:, [2, 3, 0, 1]]
        complete = (a[:, [0, 2]] > 0).all(axis=1) & (turned[:, [0, 2]] > 0).all(axis=1)
        given, surnames = self._name_levels(a, turned, None, None)
        given[~complete], surnames[~complete] = _LEVEL["given_names"]["different"], _LEVEL["surnames"]["different"]
        agree = (given <= _LEVEL["given_names"]["near"]) & (surnames <= _LEVEL["surnames"]["near"])
        # each leaves out a word of the other: the surnames of two relatives, dealt out over four places
        dealt = (given == _LEVEL["given_names"]["part"]) & (surnames == _LEVEL["surnames"]["part"])
        agree &= ~dealt
        given[dealt] = _LEVEL["given_names"]["different"]
        given[agree], surnames[agree] = _LEVEL["given_names"]["swapped"], 0
        return given, surnames

    def grade(self, a: Codes, b: Codes) -> Grades:
        """How alike two words are, for many pairs: each pair of words is looked at once."""
        return _graded(a, b, self._grade_words)

    def _grade_words(self, a: Rows, b: Rows) -> Grades:
        mine, theirs = self._words[a], self._words[b]
        slips = _compared(mine, theirs, scorer=OSA.distance, score_cutoff=2, dtype=np.int8)
        shorter = np.minimum(self._lengths[a], self._lengths[b])
        near = (slips <= 1) & (shorter >= 4) | (slips == 2) & (shorter >= 7)
        close = np.flatnonzero((slips == 2) & (shorter >= 4) & (shorter < 7))
        near[close] = _compared(mine[close], theirs[close], scorer=JaroWinkler.similarity, dtype=np.float32) >= 0.92
        near |= (self._sounds[a] == self._sounds[b]) & (shorter > 1)
        for place in np.flatnonzero(near):
            near[place] = not are_two_names(mine[place], theirs[place])
        grades = np.where(near, NEAR, DIFFERENT).astype(np.int8)
        initial = (shorter == 1) & (self._initials[a] == self._initials[b])
        grades[shorter == 1] = np.where(initial[shorter == 1], INITIAL, DIFFERENT)
        return grades

    def _rarity_of_names(
        self, place: int, level: Levels, a: Codes, b: Codes, joined_a: Codes, joined_b: Codes
    ) -> Floats:
        """What agreement on a rare name adds, and on a common one takes away."""
        known = self.frequencies
        told = _LEVEL[("given_names", "surnames")[place]]
        rarity = np.zeros(len(level))
        exact = level == told["exact"]
        rarity[exact] = known.joined[place].bits(np.minimum(joined_a[exact], joined_b[exact]))
        partly = np.flatnonzero((level == told["part"]) | (level == told["one-of-two"]))
        rarity[partly] = known.words[place].bits(
            _agreed(a[partly][:, 2 * place : 2 * place + 2], b[partly][:, 2 * place : 2 * place + 2])
        )
        near = np.flatnonzero(level == told["near"])
        rarity[near] = known.joined[place].commoner(joined_a[near], joined_b[near])
        return rarity

    # --- what identifies ----------------------------------------------------------------------------------------------

    def _identifiers(self, group: str, left: Rows, right: Rows) -> Levels:
        """The best that any two values of the group say. Documents of two types, accounts of two issuers say nothing."""
        table = self.columns.table[group]
        best = np.zeros(len(left), dtype=np.int8)
        used = [slot for slot in range(table.shape[1]) if table[:, slot].any()]
        for mine in used:
            for theirs in used:
                found = self._two_values(group, table[left, mine], table[right, theirs])
                best = np.where((found > 0) & ((best == 0) | (found < best)), found, best)
        return best

    def _two_values(self, group: str, a: Codes, b: Codes) -> Levels:
        told = _LEVEL[group]
        level = np.where(a == b, told["exact"], told["different"]).astype(np.int8)
        level[(a == 0) | (b == 0)] = 0
        unequal = np.flatnonzero(level == told["different"])
        if not len(unequal):
            return level
        words = self.columns.words(group)
        kinds = self._kinds(group)
        level[unequal[kinds[a[unequal]] != kinds[b[unequal]]]] = 0
        unequal = np.flatnonzero(level == told["different"])
        mine, theirs = [words[code] for code in a[unequal]], [words[code] for code in b[unequal]]
        slips = _compared(mine, theirs, scorer=OSA.distance, score_cutoff=2, dtype=np.int8)
        level[unequal[slips == 1]] = told["near"]
        if group == "document":
            level[unequal[slips == 2]] = told["partly"]
        if group == "email":
            level[unequal[slips == 2]] = told["near"]
            bare = self._without_digits()
            level[unequal[bare[a[unequal]] == bare[b[unequal]]]] = told["different"]  # user12 and user13 are two
            boxes = self._mailboxes()
            level[unequal[(boxes[a[unequal]] == boxes[b[unequal]]) & (boxes[a[unequal]] > 0)]] = told["near"]
        return level

    def _kinds(self, group: str) -> npt.NDArray[np.int64]:
        """The type of a document, the issuer of an account."""
        if group not in ("document", "account"):
            return np.zeros(len(self.columns.words(group)), dtype=np.int64)
        return _numbered(self, f"kind of {group}", [word.rpartition(":")[0] for word in self.columns.words(group)])

    def _mailboxes(self) -> npt.NDArray[np.int64]:
        return _numbered(self, "mailbox", [mailbox_of(word) for word in self.columns.words("email")])

    def _without_digits(self) -> npt.NDArray[np.int64]:
        return _numbered(
            self, "e-mail without digits", [re.sub(r"[0-9]+", "0", w) for w in self.columns.words("email")]
        )

    # --- where --------------------------------------------------------------------------------------------------------

    def _addresses(self, left: Rows, right: Rows) -> Levels:
        told = _LEVEL["address"]
        a, b = self._of("building", left), self._of("building", right)
        level = np.where(a == b, told["same"], told["different"]).astype(np.int8)
        level[(a == 0) | (b == 0)] = 0
        units = self._of("unit", left), self._of("unit", right)
        level[(level == told["same"]) & (units[0] != units[1])] = told["building"]
        unequal = np.flatnonzero(level == told["different"])
        if len(unequal):
            words = self._squeezed("building")
            likeness = _compared(
                words[a[unequal]], words[b[unequal]], scorer=fuzz.ratio, score_cutoff=70, dtype=np.float32
            )
            level[unequal[likeness >= 70]] = told["similar"]
            level[unequal[likeness >= 85]] = told["near"]
        return level

    def _compare_places(self, left: Rows, right: Rows, levels: Levels, rarity: Floats) -> None:
        """Postcode, city and region together: who lives in one of them lives in the others, so they are one witness."""
        told = _LEVEL["place"]
        post, city = (self._likeness_of_place(name, left, right) for name in ("postcode", "city"))
        a, b = self._of("region", left), self._of("region", right)
        region = np.where((a == 0) | (b == 0), MISSING, np.where(a == b, SAME, DIFFERENT))
        level = np.zeros(len(left), dtype=np.int8)
        level[region == SAME] = told["region"]
        level[region == DIFFERENT] = told["different"]
        better, worse = (
            np.maximum(post, city),
            np.where(post < 0, city, np.where(city < 0, post, np.minimum(post, city))),
        )
        level[better == DIFFERENT] = np.where(region[better == DIFFERENT] == SAME, told["region"], told["different"])
        level[better >= NEAR] = told["partly"]
        level[(better >= NEAR) & (worse >= NEAR)] = told["near"]
        level[(worse == SAME)] = told["same"]
        levels[:, AT["place"]] = level
        for name, agrees in (("city", city == SAME), ("postcode", post == SAME)):  # the postcode is the finer one
            places = np.flatnonzero(agrees & (level > 0))
            rarity[places, AT["place"]] = self.frequencies.places[name].bits(self._of(name, left)[places])

    def _likeness_of_place(self, name: str, left: Rows, right: Rows) -> Grades:
        words, most = self._squeezed(name), 1 if name == "postcode" else 2

        def slipped(mine: Rows, theirs: Rows) -> Grades:
            slips = _compared(words[mine], words[theirs], scorer=OSA.distance, score_cutoff=2, dtype=np.int8)
            return np.where(slips <= most, NEAR, DIFFERENT).astype(np.int8)

        return _graded(self._of(name, left), self._of(name, right), slipped)

    def _organisations(self, left: Rows, right: Rows) -> Levels:
        told = _LEVEL["organisation"]
        a, b = self._of("organisation", left), self._of("organisation", right)
        level = np.where(a == b, told["exact"], told["different"]).astype(np.int8)
        level[(a == 0) | (b == 0)] = 0
        unequal = np.flatnonzero(level == told["different"])
        if len(unequal):
            words = self._squeezed("organisation")
            likeness = _compared(
                words[a[unequal]], words[b[unequal]], scorer=fuzz.ratio, score_cutoff=88, dtype=np.float32
            )
            level[unequal[likeness > 0]] = told["near"]
        return level

    def _squeezed(self, name: str) -> npt.NDArray[np.object_]:
        kept = self.__dict__.setdefault("_kept", {})
        if name not in kept:
            kept[name] = np.array([word.replace(" ", "") for word in self.columns.words(name)], dtype=object)
        found: npt.NDArray[np.object_] = kept[name]
        return found


def _compared(a: Any, b: Any, **how: Any) -> Any:
    """Pairs of texts by a measure of rapidfuzz, on all cores where there are many."""
    return compare_pairs(a, b, workers=-1 if len(a) > MANY else 1, **how)


def births(a: Codes, b: Codes) -> Levels:
    """Levels of dates of birth (yyyymmdd): near is one digit, two neighbours swapped, or day and month swapped."""
    told = _LEVEL["birth_date"]
    level = np.where(a == b, told["exact"], told["different"]).astype(np.int8)
    level[(a == 0) | (b == 0)] = 0
    places = np.flatnonzero(level == told["different"])
    x, y = (np.stack([side[places] // 10**k % 10 for k in range(7, -1, -1)], axis=1) for side in (a, b))
    wrong = x != y
    count = wrong.sum(axis=1)
    neighbours = (count == 2) & (wrong[:, :-1] & wrong[:, 1:] & (x[:, :-1] == y[:, 1:]) & (x[:, 1:] == y[:, :-1])).any(
        axis=1
    )
    turned = (
        (x[:, :4] == y[:, :4]).all(axis=1) & (x[:, 4:6] == y[:, 6:]).all(axis=1) & (x[:, 6:] == y[:, 4:6]).all(axis=1)
    )
    parts = [wrong[:, :4].any(axis=1), wrong[:, 4:6].any(axis=1), wrong[:, 6:].any(axis=1)]
    partly = (count == 2) | (np.sum(parts, axis=0) == 1)
    level[places[partly]] = told["partly"]
    level[places[(count == 1) | neighbours | turned]] = told["near"]
    return level


# --- how common a value is --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shares:
    """How often each value of a vocabulary is met, and how often two strangers agree on any (the sum of squares)."""

    share: Floats
    mean: float

    @classmethod
    def counted(cls, codes: Codes, size: int) -> "Shares":
        """As the records themselves show it."""
        counts = np.bincount(codes[codes > 0], minlength=size).astype(np.float64)
        share = counts / max(counts.sum(), 1.0)
        return cls(share, float((share**2).sum()) or 1.0)

    @classmethod
    def known(cls, words: list[str], common: Common | None) -> "Shares":
        """As it was learnt elsewhere: a value of which nothing is known counts as one of middling rarity."""
        if common is None:
            return cls(np.ones(len(words)), 1.0)
        told = (common.share.get(word, common.mean) for word in words)
        return cls(np.fromiter(told, dtype=np.float64, count=len(words)), common.mean)

    def bits(self, codes: Codes) -> Floats:
        """What agreement on these values adds to that on any."""
        share = np.maximum(self.share[codes], 1e-9)
        told: Floats = np.where(codes > 0, np.clip(np.log2(self.mean / share), -RAREST, RAREST), 0.0)
        return told

    def commoner(self, a: Codes, b: Codes) -> Floats:
        """The same for values that nearly agree: the commoner of the two counts."""
        share = np.maximum(np.maximum(self.share[a], self.share[b]), 1e-9)
        told: Floats = np.clip(np.log2(self.mean / share), -RAREST, RAREST)
        return told


@dataclass(frozen=True)
class Frequencies:
    """How common names and places are in a population; names by the word, and by all words of the field together."""

    words: tuple[Shares, Shares]
    joined: tuple[Shares, Shares]
    places: dict[str, Shares]

    @classmethod
    def of(cls, columns: Columns) -> "Frequencies":
        """As the records themselves show it."""
        names, joined, size = columns.table["names"], columns.table["joined"], len(columns.words("word"))
        return cls(
            (Shares.counted(names[:, :2].ravel(), size), Shares.counted(names[:, 2:].ravel(), size)),
            (Shares.counted(joined[:, 0], size), Shares.counted(joined[:, 1], size)),
            {name: Shares.counted(columns.table[name][:, 0], len(columns.words(name))) for name in PLACES},
        )

    @classmethod
    def known(cls, columns: Columns, common: Mapping[str, Common]) -> "Frequencies":
        """As it was learnt elsewhere."""
        words = columns.words("word")
        given, surnames = (Shares.known(words, common.get(field)) for field in NAME_FIELDS)
        places = {name: Shares.known(columns.words(name), common.get(name)) for name in PLACES}
        return cls((given, surnames), (given, surnames), places)

    def common(self, columns: Columns, most: int = 2_000) -> dict[str, Common]:
        """The most common values, for others to know: a value that stands for few people is left out."""
        told = [(field, "word", shares) for field, shares in zip(NAME_FIELDS, self.joined, strict=True)]
        told += [(name, name, shares) for name, shares in self.places.items()]
        return {
            kind: Common(
                {columns.words(of)[code]: float(shares.share[code]) for code in np.argsort(-shares.share)[:most]
                 if shares.share[code] * columns.count > FEW},
                shares.mean,
            )
            for kind, of, shares in told
        }  # fmt: skip


# --- words ------------------------------------------------------------------------------------------------------------


def _each_once(numbers: Rows) -> tuple[Rows, Rows]:
    """The distinct numbers, and the place of each number among them."""
    order = np.argsort(numbers)
    inorder = numbers[order]
    first = np.concatenate([[True], inorder[1:] != inorder[:-1]])
    place = np.empty(len(numbers), dtype=np.int64)
    place[order] = np.cumsum(first) - 1
    return inorder[first], place


def _graded(a: Codes, b: Codes, grade_pairs: Callable[[Rows, Rows], Grades]) -> Grades:
    """SAME, MISSING, or what `grade_pairs` says of two that differ: each pair of words is given to it once."""
    grades = np.where(a == b, SAME, DIFFERENT).astype(np.int8)
    grades[(a == 0) | (b == 0)] = MISSING
    unequal = np.flatnonzero(grades == DIFFERENT)
    if len(unequal):
        low, high = np.minimum(a[unequal], b[unequal]), np.maximum(a[unequal], b[unequal])
        pairs, place = _each_once(low.astype(np.int64) << 32 | high)
        grades[unequal] = grade_pairs(pairs >> 32, pairs & 0xFFFFFFFF)[place]
    return grades


def _worth(one: Grades, other: Grades) -> Rows:
    """How well an order of the words fits; what is missing neither helps nor harms."""
    worth: Rows = np.maximum(one, 0).astype(np.int64) + np.maximum(other, 0)
    return worth


def _level_of_grades(one: Grades, other: Grades, several: npt.NDArray[np.bool_], told: dict[str, int]) -> Levels:
    better, worse = np.maximum(one, other), np.minimum(one, other)
    level = np.full(len(one), told["different"], dtype=np.int8)
    level[better == MISSING] = 0
    alone = worse == MISSING
    level[alone & (better == SAME)] = told["exact"]
    level[alone & (better == SAME) & several] = told["part"]
    level[alone & (better == NEAR)] = told["near"]
    level[alone & (better == INITIAL)] = told["initial"]
    level[(better == SAME) & (worse == SAME)] = told["exact"]
    level[(better >= NEAR) & (worse == NEAR)] = told["near"]
    level[(better >= NEAR) & (worse == INITIAL)] = told["part"]
    level[(better == INITIAL) & (worse == INITIAL)] = told["initial"]
    level[(better == SAME) & (worse == DIFFERENT)] = told["one-of-two"]
    return level


def _disagreement(given: Levels, surnames: Levels, *, guessed: bool = False) -> Rows:
    """How much two full names contradict each other: 0 not at all. A reading that is a guess must explain every word."""
    costs = np.zeros((2, 8), dtype=np.int64)
    for row, (field, worst) in enumerate((("given_names", 3), ("surnames", 4))):
        costs[row, _LEVEL[field]["different"]] = worst
        costs[row, _LEVEL[field]["one-of-two"]] = worst if guessed else 1
        costs[row, _LEVEL[field]["initial"]] = worst if guessed else 0
    cost: Rows = costs[0, given] + costs[1, surnames]
    return cost


def _agreed(a: Codes, b: Codes) -> Codes:
    """The word that two pairs of words share."""
    first = np.where((a[:, 0] == b[:, 0]) | (a[:, 0] == b[:, 1]), a[:, 0], 0)
    last = np.where((a[:, 1] == b[:, 0]) | (a[:, 1] == b[:, 1]), a[:, 1], 0)
    return np.where(first > 0, first, last).astype(np.int32)


def _numbered(keeper: object, name: str, words: list[str]) -> npt.NDArray[np.int64]:
    kept: dict[str, npt.NDArray[np.int64]] = keeper.__dict__.setdefault("_kept", {})
    if name not in kept:
        numbers: dict[str, int] = {}
        kept[name] = np.fromiter((numbers.setdefault(w, len(numbers)) for w in words), dtype=np.int64, count=len(words))
    return kept[name]
