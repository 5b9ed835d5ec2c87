"""How alike two records are: a level for each field, for many pairs at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist as compare_pairs

from common.names import are_two_names, phonetics
from common.short_names import NAMES_OR_SHORT, SHORT_NAMES
from identity.matching.columns import Codes, Columns
from identity.matching.domain import AT, FIELDS, RAREST, WIDEST, Common, Floats, Levels, Weights, towards_match
from identity.matching.records import GROUPS, initials_of, mailboxes_of, says_more_than

Rows = npt.NDArray[np.int64]
Grades = npt.NDArray[np.int8]
Keys = npt.NDArray[np.uint64]
Nibbles = npt.NDArray[np.uint32]
UNASKED, MISSING, DIFFERENT, INITIAL, SHORT, NEAR, SAME = -2, -1, 0, 1, 2, 3, 4  # grades of two words
NAME_FIELDS, PLACES = ("given_names", "surnames"), ("postcode", "city")
PLACES_COMPARED = (*PLACES, "region")
MANY = 10_000  # pairs of words of which it pays to look at their characters first
FEW_WORDS = 300  # of which it pays to keep a table of the grades of every two
ROUNDED = 1e-6  # bits: more than sums in another order differ by
FEW = 20  # people who have a value that is told to others
READINGS = ("names", "otherwise")
_KINDS = ("document", "account")  # they are of a type, or of an issuer
_DIGITS = re.compile(r"[0-9]+")
_LAST_NUMBER = re.compile(r"[0-9]+(?=@)")
_LEVEL = {each.name: {level.name: each.place(level.name) for level in each.levels} for each in FIELDS}


@dataclass(frozen=True)
class Compared:
    """Pairs by fields: the level of each, and what the rarity of the value adds (bits)."""

    levels: Levels
    rarity: Floats

    @classmethod
    def nothing_of(cls, count: int) -> "Compared":
        """So many pairs of which nothing is compared yet; a field's levels lie side by side."""
        return cls(np.zeros((len(FIELDS), count), dtype=np.int8).T, np.zeros((len(FIELDS), count)).T)

    def of(self, places: Rows) -> "Compared":
        """Some of these pairs."""
        return Compared(self.levels.T[:, places].T, self.rarity.T[:, places].T)


class Comparer:
    """Compares the records of one set of columns. What values are common is learnt from `population`."""

    def __init__(self, columns: Columns, frequencies: "Frequencies | None" = None) -> None:
        self.columns = columns
        self.frequencies = frequencies or Frequencies.of(columns)
        self._words, self._lengths = columns.texts("word"), columns.lengths("word")
        self._sounds, self._initials = columns.numbered("word", phonetics), columns.numbered("word", initials_of)
        self._names, self._otherwise = (_Reading.of(columns.table[name], self._initials) for name in READINGS)
        self._told = {name for name, codes in columns.table.items() if codes.any()}
        self._grades = _no_grades(len(self._words)) if len(self._words) <= FEW_WORDS else None

    def compare(self, left: Rows, right: Rows) -> Compared:
        compared = Compared.nothing_of(len(left))
        for compare_some in (self._compare_what_identifies, self._compare_addresses, self._compare_names):
            compare_some(left, right, compared)
        return compared

    def compare_likely(self, left: Rows, right: Rows, weights: Weights, *, least: float) -> tuple[Rows, Compared]:
        """The same of those pairs that may score so many bits, with their places among all.

        What costs least is compared first. A pair that no agreement in the rest could lift to `least` is let go: few are left
        for the words of their names.
        """
        compared, kept = Compared.nothing_of(len(left)), np.arange(len(left))
        address = max(0.0, float(weights.bits[AT["address"]].max()))
        for compare_some, hope in (
            (self._compare_what_identifies, address),
            (self._compare_addresses, 0.0),
        ):
            compare_some(left, right, compared)
            best = towards_match(compared.levels, compared.rarity, weights) + self._hope_of_names(left, right, weights)
            likely = np.flatnonzero(best + hope >= least - ROUNDED)
            left, right, kept, compared = left[likely], right[likely], kept[likely], compared.of(likely)
        self._compare_names(left, right, compared)
        return kept, compared

    def _hope_of_names(self, left: Rows, right: Rows, weights: Weights) -> Floats:
        """The most that the names of pairs can say (bits)."""
        most = sum(max(0.0, float(weights.bits[AT[field]].max())) for field in NAME_FIELDS)
        given, surnames = (np.maximum(rarest[left], rarest[right]) for rarest in self._rarest)
        hope: Floats = given + surnames + most
        return hope

    @cached_property
    def _rarest(self) -> list[Floats]:
        """What the rarity of the names of either field may add for each record: at least nothing."""
        known, columns, found = self.frequencies, self.columns.table, []
        for place in range(len(NAME_FIELDS)):
            words, joined = columns["names"][:, 2 * place : 2 * place + 2], columns["joined"][:, place]
            told = [known.joined[place].bits(joined), *(known.words[place].bits(words[:, slot]) for slot in (0, 1))]
            found.append(np.where(joined > 0, np.maximum(0.0, np.maximum.reduce(told)), RAREST))
        return found

    def _compare_what_identifies(self, left: Rows, right: Rows, compared: Compared) -> None:
        levels = compared.levels
        levels[:, AT["birth_date"]] = births(self._of("birth", left), self._of("birth", right))
        for group in GROUPS:
            levels[:, AT[group]] = self._identifiers(group, left, right)
        if not self._told.isdisjoint(PLACES_COMPARED):
            self._compare_places(left, right, levels, compared.rarity)
        if "organisation" in self._told:
            levels[:, AT["organisation"]] = self._organisations(left, right)

    def _of(self, name: str, rows: Rows, slot: int = 0) -> Codes:
        codes: Codes = self.columns.table[name][rows, slot]
        return codes

    # --- names --------------------------------------------------------------------------------------------------------

    def _compare_names(self, left: Rows, right: Rows, told: Compared) -> None:
        levels, rarity = told.levels, told.rarity
        a, b = self.columns.table["names"][left], self.columns.table["names"][right]
        joined = self.columns.table["joined"]
        if self._grades is not None:
            self._ask_grades(self._grades, left, right)
        given, surnames = self._name_levels(a, b, joined[left], joined[right])
        self._try_other_readings(left, right, given, surnames)
        self._tell_generations(left, right, given)
        for place, (field, found) in enumerate((("given_names", given), ("surnames", surnames))):
            levels[:, AT[field]] = found
            rarity[:, AT[field]] = self._rarity_of_names(place, found, a, b, joined[left, place], joined[right, place])

    def _name_levels(self, a: Codes, b: Codes, joined_a: Codes | None, joined_b: Codes | None) -> tuple[Levels, Levels]:
        found = []
        for place, field in enumerate(("given_names", "surnames")):
            mine, theirs = a[:, 2 * place : 2 * place + 2], b[:, 2 * place : 2 * place + 2]
            level = self._level_of_words(mine, theirs, field)
            if joined_a is not None and joined_b is not None:
                self._forgive_spaces(level, mine, theirs, joined_a[:, place], joined_b[:, place], field)
            found.append(level)
        return found[0], found[1]

    def _level_of_words(self, a: Codes, b: Codes, field: str) -> Levels:
        """Two words each, in the order that fits better."""
        one, other = self.grade(a[:, 0], b[:, 0]), self.grade(a[:, 1], b[:, 1])
        several = (a[:, 1] > 0) | (b[:, 1] > 0)
        places = np.flatnonzero(several & _MAY_CROSS[one, other])
        crossed = self.grade(a[places, 0], b[places, 1]), self.grade(a[places, 1], b[places, 0])
        worth = _WORTH[field]
        fits = worth[crossed] > worth[one[places], other[places]]
        one[places[fits]], other[places[fits]] = crossed[0][fits], crossed[1][fits]
        level: Levels = _LEVEL_OF_GRADES[field][one, other, several.view(np.int8)]
        return level

    def _forgive_spaces(self, level: Levels, a: Codes, b: Codes, joined_a: Codes, joined_b: Codes, field: str) -> None:
        """Mary Ann and Maryann, Delacruz and Dela Cruz."""
        told = _LEVEL[field]
        divided = ((a[:, 1] > 0) | (b[:, 1] > 0)) & (level > told["near"])
        places = np.flatnonzero(divided & (joined_a > 0) & (joined_b > 0))
        grades = self.grade(joined_a[places], joined_b[places])
        level[places[grades == SAME]] = told["exact"]
        # of two words each the second tells people apart: José L. and José M. are no slip of a key
        slipped = (grades == NEAR) & ((a[places, 1] > 0) != (b[places, 1] > 0))
        level[places[slipped]] = told["near"]
        if "short" in told:  # Mafe and María Fernanda
            level[places[grades == SHORT]] = told["short"]

    def _try_other_readings(self, left: Rows, right: Rows, given: Levels, surnames: Levels) -> None:
        """Where two names disagree as read: another division of three words, surnames in front, or both.

        Of the readings the one with the least contradiction holds. Surnames that agree count before given names that
        do: where it cannot be told, two relatives are the careful reading.
        """
        names, otherwise = self._names, self._otherwise
        marks = self._marks_of_names
        left, right = np.where(marks[left] > marks[right], (right, left), (left, right))  # the same from both sides
        for mine, theirs in ((names, names), (otherwise, names), (names, otherwise), (otherwise, otherwise)):
            for turned in (False, True):
                if (mine is theirs is names and not turned) or not (mine.told.any() and theirs.told.any()):
                    continue
                places = np.flatnonzero(_DISAGREEMENT[given, surnames])
                places = places[mine.told[left[places]] & theirs.told[right[places]]]
                if mine is not theirs:
                    places = places[~self._end_alike(left[places], right[places])]
                if turned:
                    places = places[mine.may_be_turned(left[places], theirs, right[places])]
                if not len(places):
                    continue
                a, b = mine.codes[left[places]], theirs.codes[right[places]]
                for one, other in ((a, b), (b, a)) if turned else ((a, b),):  # it is one of the two that is turned
                    levels = self._turned_levels(one, other) if turned else self._name_levels(a, b, None, None)
                    fits = _GUESSED_DISAGREEMENT[levels] < _DISAGREEMENT[given[places], surnames[places]]
                    if not turned:  # a word of each left out, and a slip forgiven beside: that explains nothing
                        fits &= ~(_leave_each_other_out(a, b) & (levels[1] == _LEVEL["surnames"]["near"]))
                    given[places[fits]], surnames[places[fits]] = levels[0][fits], levels[1][fits]

    @cached_property
    def _marks_of_names(self) -> Rows:
        """A number for the names of each record that hangs on nothing but their words."""
        words = np.fromiter((crc32(word.encode()) for word in self.columns.words("word")), np.int64)
        names = words[self.columns.table["names"]]
        marks: Rows = (names * np.array([1, 3, 5, 7])).sum(axis=1)
        return marks

    def _tell_generations(self, left: Rows, right: Rows, given: Levels) -> None:
        """Father and son of one name: who is told to be the son is not who is told to be the father, and may be who is told to be neither."""
        told = _LEVEL["given_names"]
        a, b = self._of("generation", left), self._of("generation", right)
        called = (given > 0) & ((given <= told["short"]) | (given == told["swapped"])) & (a != b)
        given[called] = np.where((a[called] > 0) & (b[called] > 0), told["different"], told["suffix"])

    def _end_alike(self, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
        """Whether two names of three words are divided alike and end alike: Ana María López is no Ana with the surnames Lucía López."""
        alike = (self._otherwise.told[left] & self._otherwise.told[right]).astype(np.bool_)
        a, b = self._names.codes[left], self._names.codes[right]
        alike &= (a[:, 1] > 0) == (b[:, 1] > 0)
        last = (np.where(each[:, 3] > 0, each[:, 3], each[:, 2]) for each in (a, b))
        return alike & (self.grade(*last) >= NEAR)

    def _turned_levels(self, a: Codes, b: Codes) -> tuple[Levels, Levels]:
        """Levels when one of the two has its surnames in front. Where all agrees one level tells of both fields."""
        turned = b[:, [2, 3, 0, 1]]
        complete = (a[:, [0, 2]] > 0).all(axis=1) & (turned[:, [0, 2]] > 0).all(axis=1)
        given, surnames = self._name_levels(a, turned, None, None)
        given[~complete], surnames[~complete] = _LEVEL["given_names"]["different"], _LEVEL["surnames"]["different"]
        agree = (given <= _LEVEL["given_names"]["near"]) & (surnames <= _LEVEL["surnames"]["near"])
        # each leaves out a word of the other: the surnames of two relatives, dealt out over four places
        dealt = (given == _LEVEL["given_names"]["part"]) & (surnames == _LEVEL["surnames"]["part"])
        dealt |= agree & _leave_each_other_out(a, turned)
        agree &= ~dealt
        given[dealt] = _LEVEL["given_names"]["different"]
        given[agree], surnames[agree] = _LEVEL["given_names"]["swapped"], 0
        return given, surnames

    def grade(self, a: Codes, b: Codes) -> Grades:
        """How alike two words are, for many pairs: each pair of words is looked at once."""
        if self._grades is not None:
            asked: Grades = self._grades[a, b]
            return asked
        if not len(a):
            return np.zeros(0, dtype=np.int8)
        return _graded(a, b, self._grade_words)

    def _ask_grades(self, grades: Grades, left: Rows, right: Rows) -> None:
        """Have every grade at hand that the names of these pairs may be compared by.

        A few pairs are compared in as many steps as a million, and what each asks for itself costs more than all at once.
        """
        table, asked = self.columns.table, np.zeros(grades.shape, dtype=bool)
        names = np.hstack([table[name] for name in READINGS])
        names = names[:, names.any(axis=0)]
        asked[names[left][:, :, None], names[right][:, None, :]] = True
        asked[table["joined"][left], table["joined"][right]] = True
        a, b = np.nonzero(np.triu(asked | asked.T) & (grades == UNASKED))
        grades[a, b] = grades[b, a] = self._grade_words(a, b)

    def _grade_words(self, a: Rows, b: Rows) -> Grades:
        slips = self._slips("word", a, b)
        shorter = np.minimum(self._lengths[a], self._lengths[b])
        near = (slips <= 1) & (shorter >= 4) | (slips == 2) & (shorter >= 7)
        close = np.flatnonzero((slips == 2) & (shorter >= 4) & (shorter < 7))
        mine, theirs = self._words[a[close]], self._words[b[close]]
        near[close] = compare_pairs(mine, theirs, scorer=JaroWinkler.similarity, dtype=np.float32) >= 0.92
        near |= (self._sounds[a] == self._sounds[b]) & (shorter > 1)
        for place in np.flatnonzero(near):
            near[place] = not are_two_names(self._words[a[place]], self._words[b[place]])
        grades = np.where(near, NEAR, np.where(self._are_short(a, b), SHORT, DIFFERENT)).astype(np.int8)
        initial = (shorter == 1) & (self._initials[a] == self._initials[b])
        grades[shorter == 1] = np.where(initial[shorter == 1], INITIAL, DIFFERENT)
        return grades

    def _are_short(self, a: Rows, b: Rows) -> npt.NDArray[np.bool_]:
        """Whether one of two words is what bearers of the other are called; the smaller number stands in `a`."""
        told, pairs = self._short_names
        found: npt.NDArray[np.bool_] = told[a] & told[b]
        places = np.flatnonzero(found)
        found[places] = np.isin(a[places] << 32 | b[places], pairs)
        return found

    @cached_property
    def _short_names(self) -> tuple[npt.NDArray[np.bool_], Rows]:
        """Of the words those that are called otherwise, or are what others are called, and the pairs of the two."""
        met = {word: place for place, word in enumerate(self.columns.words("word")) if word in NAMES_OR_SHORT}
        told = np.zeros(len(self._words), dtype=bool)
        told[list(met.values())] = True
        pairs = [
            sorted((met[short], met[name])) for short in met.keys() & SHORT_NAMES.keys()
            for name in SHORT_NAMES[short] & met.keys()
        ]  # fmt: skip
        return told, np.array([one << 32 | other for one, other in pairs], dtype=np.int64)

    def _slips(self, vocabulary: str, a: Rows | Codes, b: Rows | Codes) -> Grades:
        """How many slips of the keyboard part two words, neighbours swapped being one; 3 where there are more than two."""
        lengths, texts = self.columns.lengths(vocabulary), self.columns.texts(vocabulary)
        slips = np.full(len(a), 3, dtype=np.int8)
        places = np.flatnonzero(np.abs(lengths[a] - lengths[b]) <= 2)
        if len(places) > MANY:  # what one has and the other lacks: a slip mends one character of it at most
            marks = self.columns.marks(vocabulary)
            one, other = marks[a[places]], marks[b[places]]
            lacking = np.maximum(np.bitwise_count(one & ~other), np.bitwise_count(other & ~one))
            places = places[lacking <= 2]
        mine, theirs = texts[a[places]], texts[b[places]]
        slips[places] = compare_pairs(mine, theirs, scorer=OSA.distance, score_cutoff=2, dtype=np.int8)
        return slips

    def _rarity_of_names(
        self, place: int, level: Levels, a: Codes, b: Codes, joined_a: Codes, joined_b: Codes
    ) -> Floats:
        """What agreement on a rare name adds, and on a common one takes away."""
        known = self.frequencies
        told = _LEVEL[("given_names", "surnames")[place]]
        rarity = np.zeros(len(level))
        exact = np.flatnonzero((level == told["exact"]) & (joined_a > 0) & (joined_b > 0))
        rarity[exact] = known.joined[place].commoner(joined_a[exact], joined_b[exact])  # the same words in two orders
        partly = np.flatnonzero((level == told["part"]) | (level == told.get("one-of-two", MISSING)))
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
                found = self._two_values(group, table[left, mine], table[right, theirs], (left, right))
                best = np.where((found > 0) & ((best == 0) | (found < best)), found, best)
        return best

    def _two_values(self, group: str, a: Codes, b: Codes, of: tuple[Rows, Rows]) -> Levels:
        told = _LEVEL[group]
        level = np.where(a == b, told["exact"], told["different"]).astype(np.int8)
        level[(a == 0) | (b == 0)] = 0
        unequal = np.flatnonzero(level == told["different"])
        if not len(unequal):
            return level
        if group in _KINDS:
            kinds = self.columns.numbered(group, _kinds_of)
            level[unequal[kinds[a[unequal]] != kinds[b[unequal]]]] = 0
            unequal = unequal[level[unequal] > 0]
        x, y = a[unequal], b[unequal]
        slips = self._slips(group, x, y)
        if group != "email":
            level[unequal[slips == 1]] = told["near"]
        if group == "document":
            level[unequal[slips == 2]] = told["partly"]
        if group == "email":
            level[unequal[(slips <= 2) & ~self._differ_in_digits(x, y, slips)]] = told["near"]
            boxes = self.columns.numbered("email", mailboxes_of)
            elsewhere = unequal[(boxes[x] == boxes[y]) & (boxes[x] > 0) & (level[unequal] == told["different"])]
            more = self._tell_more_than_names(a[elsewhere], of[0][elsewhere], of[1][elsewhere])
            level[elsewhere[more]] = told["near"]
        return level

    def _tell_more_than_names(self, emails: Codes, left: Rows, right: Rows) -> npt.NDArray[np.bool_]:
        """Whether what stands before the @ says more than the names of the two: at another provider ana.lopez is any Ana López."""
        words, names = self.columns.words("word"), self.columns.table["names"]
        found = np.zeros(len(emails), dtype=bool)
        for place, [box] in enumerate(map(mailboxes_of, zip(self.columns.texts("email")[emails]))):
            told = {words[code] for row in (left[place], right[place]) for code in names[row] if code}
            found[place] = says_more_than(box, told)
        return found

    def _differ_in_digits(self, a: Codes, b: Codes, slips: Grades) -> npt.NDArray[np.bool_]:
        """Whether two e-mails that are nearly the same have other numbers: user12 and user13 are two, and so are user72 and uzer27."""
        words, found = self.columns.words("email"), np.zeros(len(a), dtype=bool)
        for place in np.flatnonzero(slips <= 2):
            one, other = words[a[place]], words[b[place]]
            mine, theirs = _LAST_NUMBER.findall(one), _LAST_NUMBER.findall(other)
            found[place] = _DIGITS.sub("0", one) == _DIGITS.sub("0", other) or (mine and theirs and mine != theirs)
        return found

    # --- where --------------------------------------------------------------------------------------------------------

    def _compare_addresses(self, left: Rows, right: Rows, compared: Compared) -> None:
        told = _LEVEL["address"]
        a, b = self._of("building", left), self._of("building", right)
        level = np.where(a == b, told["same"], told["different"]).astype(np.int8)
        level[(a == 0) | (b == 0)] = 0
        units = self._of("unit", left), self._of("unit", right)
        level[(level == told["same"]) & (units[0] != units[1])] = told["building"]
        unequal = np.flatnonzero(level == told["different"])
        if len(unequal):
            words = self._squeezed("building")
            likeness = compare_pairs(
                words[a[unequal]], words[b[unequal]], scorer=fuzz.ratio, score_cutoff=70, dtype=np.float32
            )
            level[unequal[likeness >= 70]] = told["similar"]
            level[unequal[likeness >= 85]] = told["near"]
        compared.levels[:, AT["address"]] = level

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
            slips = compare_pairs(words[mine], words[theirs], scorer=OSA.distance, score_cutoff=2, dtype=np.int8)
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
            likeness = compare_pairs(
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


def _kinds_of(values: Sequence[str]) -> list[str]:
    """The type of a document, the issuer of an account."""
    return [value.rpartition(":")[0] for value in values]


def _digits_of(numbers: Codes) -> Nibbles:
    """The eight digits of each number, four bits each."""
    left, digits = numbers.astype(np.uint32), np.zeros(len(numbers), dtype=np.uint32)
    for place in range(8):
        left, digit = np.divmod(left, np.uint32(10))
        digits |= digit << np.uint32(4 * place)
    return digits


def births(a: Codes, b: Codes) -> Levels:
    """Levels of dates of birth (yyyymmdd): near is one digit, two neighbours swapped, or day and month swapped."""
    told = _LEVEL["birth_date"]
    level = np.where(a == b, told["exact"], told["different"]).astype(np.int8)
    level[(a == 0) | (b == 0)] = 0
    places = np.flatnonzero(level == told["different"])
    x, y = _digits_of(a[places]), _digits_of(b[places])
    apart = x ^ y
    wrong = (apart | apart >> 1 | apart >> 2 | apart >> 3) & 0x11111111  # a bit for each digit
    count = np.bitwise_count(wrong)
    pair = (wrong & wrong >> 4) * 0xF  # the right one of two neighbours
    neighbours = (count == 2) & (pair > 0) & (((x >> 4 ^ y) | (y >> 4 ^ x)) & pair == 0)
    turned = (apart >> 16 == 0) & (x >> 8 & 0xFF == y & 0xFF) & (y >> 8 & 0xFF == x & 0xFF)
    parts = [apart >> 16 > 0, apart >> 8 & 0xFF > 0, apart & 0xFF > 0]
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


def _no_grades(size: int) -> Grades:
    """The grades of every two of so many words, of which only those are known that need no look at them."""
    grades = np.full((size, size), UNASKED, dtype=np.int8)
    np.fill_diagonal(grades, SAME)
    grades[0] = grades[:, 0] = MISSING
    return grades


@dataclass(frozen=True)
class _Reading:
    """One way to read the names of all records: whether there is a name, and how its words begin (a bit for each initial)."""

    codes: Codes
    told: npt.NDArray[np.bool_]
    given: Keys
    surnames: Keys

    @classmethod
    def of(cls, codes: Codes, initials: Codes) -> "_Reading":
        begin = initials[codes].astype(np.uint64)
        bits: Keys = np.where(begin > 0, np.uint64(1) << (begin % np.uint64(64)), np.uint64(0))
        told = codes[:, 0] + codes[:, 2] > 0  # no second word without a first
        return cls(codes, told, bits[:, 0] | bits[:, 1], bits[:, 2] | bits[:, 3])

    def may_be_turned(self, mine: Rows, other: "_Reading", theirs: Rows) -> npt.NDArray[np.bool_]:
        """Whether some given name of the one begins as some surname of the other does: cheaper than comparing them."""
        shared = (self.given[mine] & other.surnames[theirs]) | (self.surnames[mine] & other.given[theirs])
        found: npt.NDArray[np.bool_] = shared > 0
        return found


# Two grades tell how well an order of the words fits; what is missing (the last place: -1) neither helps nor harms.
_GRADES = (DIFFERENT, INITIAL, SHORT, NEAR, SAME, MISSING)
_MAY_CROSS = np.array([[(one, other) not in {(SAME, SAME), (SAME, MISSING)} for other in _GRADES] for one in _GRADES])


def _level_of_grades(one: int, other: int, *, several: bool) -> str:
    better, worse = max(one, other), min(one, other)
    if worse == MISSING:
        alone = {
            SAME: "part" if several else "exact", NEAR: "near", SHORT: "short", INITIAL: "initial", MISSING: "missing",
        }  # fmt: skip
        return alone.get(better, "different")
    if better == SAME and worse in (SAME, DIFFERENT):
        return "exact" if worse == SAME else "one-of-two"
    if SHORT in (better, worse):
        return "short" if worse >= INITIAL else "different"
    if better >= NEAR and worse >= INITIAL:
        return "near" if worse >= NEAR else "part"
    return "initial" if worse == INITIAL else "different"


def _grades_of(field: str) -> list[int]:
    """What each grade counts as: only given names have short forms."""
    return [DIFFERENT if grade == SHORT and "short" not in _LEVEL[field] else grade for grade in _GRADES]


def _levels_of_grades(field: str) -> Levels:
    """The level of every two grades, by whether one of the two records has several words."""
    told, grades = _LEVEL[field] | {"missing": 0}, _grades_of(field)
    found = [
        [
            [told.get(_level_of_grades(one, other, several=several), told["different"]) for several in (False, True)]
            for other in grades
        ]
        for one in grades
    ]
    return np.array(found, dtype=np.int8)


def _worth_of_grades(field: str) -> Levels:
    """How well two grades together fit."""
    worth = [_WORTHS.get(grade, 0) for grade in _grades_of(field)]
    return np.array([[one + other for other in worth] for one in worth], dtype=np.int8)


_WORTHS = {INITIAL: 2, SHORT: 3, NEAR: 4, SAME: 6}  # two that are near fit better than one that is the same
_LEVEL_OF_GRADES = {field: _levels_of_grades(field) for field in NAME_FIELDS}
_WORTH = {field: _worth_of_grades(field) for field in NAME_FIELDS}


def _disagreements(*, guessed: bool) -> npt.NDArray[np.int8]:
    """How much two full names contradict each other, by the levels of both fields: 0 not at all. A guess must explain every word."""
    costs = np.zeros((2, WIDEST), dtype=np.int8)
    for row, (field, worst) in enumerate(zip(NAME_FIELDS, (3, 4), strict=True)):
        costs[row, _LEVEL[field]["different"]] = worst
        if "one-of-two" in _LEVEL[field]:
            costs[row, _LEVEL[field]["one-of-two"]] = worst if guessed else 1
        costs[row, _LEVEL[field]["initial"]] = worst if guessed else 0
        if "short" in _LEVEL[field]:
            costs[row, _LEVEL[field]["short"]] = worst if guessed else 0
    cost: npt.NDArray[np.int8] = costs[0][:, None] + costs[1]
    return cost


_DISAGREEMENT, _GUESSED_DISAGREEMENT = _disagreements(guessed=False), _disagreements(guessed=True)


def _leave_each_other_out(a: Codes, b: Codes) -> npt.NDArray[np.bool_]:
    """Whether of two names the one tells a given name more, and the other a surname more."""
    more = [(a[:, place] > 0).astype(np.int8) - (b[:, place] > 0) for place in (1, 3)]
    found: npt.NDArray[np.bool_] = more[0] * more[1] < 0
    return found


def _agreed(a: Codes, b: Codes) -> Codes:
    """The word that two pairs of words share."""
    first = np.where((a[:, 0] == b[:, 0]) | (a[:, 0] == b[:, 1]), a[:, 0], 0)
    last = np.where((a[:, 1] == b[:, 0]) | (a[:, 1] == b[:, 1]), a[:, 1], 0)
    return np.where(first > 0, first, last).astype(np.int32)
