"""Names of people as Spanish writes them: folded, compared in any order, split, and greeted."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from anyascii import anyascii
from rapidfuzz.distance import OSA, JaroWinkler

from common.name_words import GIVEN, SECOND_GIVEN, SURNAMES, SURNAMES_OF_SOME
from common.short_names import NAMES_OR_SHORT, SHORT_NAMES

PARTICLES = frozenset(
    {"de", "del", "la", "las", "lo", "los", "y", "e", "da", "das", "do", "dos", "van", "von", "di", "vda", "viuda"}
)
TITLES = frozenset(
    {"sr", "sra", "srta", "senor", "senora", "senorita", "dr", "dra", "doctor", "doctora", "don", "dona", "ing", "ingeniero",
     "ingeniera", "lic", "licenciado", "licenciada", "arq", "abg", "abogado", "abogada", "prof", "profesor", "profesora",
     "pbro", "mons", "mr", "mrs", "ms"}
)  # fmt: skip
SUFFIXES = frozenset({"jr", "ii", "iii", "iv"})
# What tells a son from his father of the same name, and which of them it is. Some are surnames too, and stay with them.
_GENERATIONS = {
    **dict.fromkeys(("jr", "jnr", "junior", "júnior", "hijo", "filho", "ii", "(h)", "(h.)", "h."), "junior"),
    **dict.fromkeys(("sr", "senior", "padre", "pai", "(p)", "(p.)"), "senior"),
    "iii": "third", "iv": "fourth", "neto": "neto", "sobrinho": "sobrinho", "bisneto": "bisneto",
}  # fmt: skip
_ALSO_SURNAMES = frozenset({"neto", "sobrinho"})

_WIDOWED = (["vda", "de"], ["viuda", "de"], ["vda"], ["viuda"])
# Behind another surname `de` is part of these more often than it tells a husband's.
_BORN_WITH_DE = frozenset(
    {"leon", "oca", "guevara", "cordoba", "souza", "sousa", "oliveira", "almeida", "lima", "freitas", "carvalho", "araujo",
     "andrade", "melo", "mello", "moura", "barros", "azevedo", "castro", "jesus", "paula", "moraes", "morais", "assis"}
)  # fmt: skip

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")
_APOSTROPHES = re.compile(r"(?<=\w)['’`´](?=\w)")
_CLOSE = 0.92

# How names are written short, in Mexico above all: Ma. Guadalupe Hdez. They say more than an initial, and greet nobody.
ABBREVIATED = {
    "ma": "maria", "fco": "francisco", "fca": "francisca", "gpe": "guadalupe", "gmo": "guillermo",
    "hdez": "hernandez", "hdz": "hernandez", "fdez": "fernandez", "fdz": "fernandez", "glez": "gonzalez", "gzlz": "gonzalez",
    "glz": "gonzalez", "mtz": "martinez", "mtnez": "martinez", "rdz": "rodriguez", "rdguez": "rodriguez", "rguez": "rodriguez",
    "rgz": "rodriguez", "dguez": "dominguez", "dgz": "dominguez", "jmnz": "jimenez", "jmz": "jimenez",
    "pz": "perez", "lpz": "lopez", "schz": "sanchez", "snchz": "sanchez", "vzqz": "vazquez", "rmz": "ramirez",
}  # fmt: skip

# Names that a typing error does not explain, although one letter parts them: brother and sister, not one person.
_PAIRS = """maria/marin maria/marina daniel/danilo nicolas/nicol jaime/jaira sara/sarai adriana/ariana fernandez/hernandez
    carmona/cardona cabrera/carrera valencia/palencia"""
_DIFFERENT = frozenset(frozenset(pair.split("/")) for pair in _PAIRS.split())
# Of known given names all others are two that a letter or two part, and so are known surnames: Mario and Marco, Herrera and Ferreira.
_ONE_NAME = """alejandra/alexandra angel/angelo janeth/yaneth jenny/yenny joana/juana johan/john johana/yohana juliana/yuliana
    marco/marcos miriam/mirian pablo/paulo paola/paula victor/vitor victoria/vitoria wilber/wilmer yamila/yamile
    batista/bautista cavalcante/cavalcanti correa/correia goncalves/gonsalves guaman/huaman guamani/huamani monteiro/montero
    moraes/morais oliveira/olivera palacio/palacios sosa/sousa sosa/souza vallejo/vallejos"""
_VARIANTS = frozenset(frozenset(pair.split("/")) for pair in _ONE_NAME.split())


@lru_cache(maxsize=65_536)
def fold(name: str) -> str:
    """Lower-case ASCII words with single spaces between: "  López-Ruiz, ANA " is "lopez ruiz ana". Order is kept."""
    ascii_name = anyascii(_APOSTROPHES.sub("", name)).lower()
    return _NOT_A_WORD.sub(" ", ascii_name).strip()


def tokens(name: str) -> tuple[str, ...]:
    """The folded words that tell people apart: no particles, no titles; all words where nothing else is left."""
    words = fold(name).split()
    telling = tuple(word for word in words if word not in PARTICLES and word not in TITLES)
    return telling or tuple(words)


# Order matters: soft c and g are read before the hard ones, the digraphs before their letters.
_SOUNDS = [
    (re.compile(pattern, re.MULTILINE), sound)
    for pattern, sound in (
        (r"^x(?=[ae]|im)", "j"), (r"ch", "C"), (r"ll", "y"), (r"qu(?=[ei])", "k"), (r"gu(?=[ei])", "G"), (r"c(?=[ei])|z|x", "s"), (r"g(?=[ei])", "j"),
        (r"[ckq]", "k"), (r"v|w", "b"), (r"ph", "f"), (r"h", ""), (r"(?<=[a-z])y(?![aeiou])", "i"), (r"n(?=[bp])", "m"), (r"^i(?=[aeou])", "y"), (r"([a-z])\1+", r"\1"),
    )
]  # fmt: skip


@lru_cache(maxsize=65_536)
def phonetic(token: str) -> str:
    """What a folded word sounds like in American Spanish: yepes and llepez, jimenez and gimenes, vargas and bargas agree."""
    return phonetics([token])[0]


def phonetics(folded: Sequence[str]) -> list[str]:
    """The same of many words: all in one text, a word a line, at a tenth of the cost."""
    text = "\n".join(folded)
    for pattern, sound in _SOUNDS:
        text = pattern.sub(sound, text)
    return text.lower().split("\n")


def compatible(a: str | None, b: str | None) -> bool:
    """Whether one may be the other, shortened, reordered, abbreviated or misspelt.

    Every word of the shorter name needs a word of its own in the longer one: equal, its initial, or nearly the same; and
    one of them is spelt out and is more than a shared first name. Of three words each, one may tell the second given name
    and the other the second surname. No name contradicts nothing, so it is compatible. Who is told to be a son (Jr., hijo) is not
    who is told to be the father, or neither.
    """
    (name, generation), (other, others) = _plain(a or ""), _plain(b or "")
    first, second = tokens(name), tokens(other)
    if not first or not second:
        return True
    shorter, longer = sorted((first, second), key=lambda words: (len(words), words))
    return generation == others and _agree(shorter, longer)


def compatible_as_called(a: str, b: str) -> bool:
    """Whether the two fit once what people are called is spelt out: Pepe López and José López, Mafe and María Fernanda.

    So does a name with Jr. and without. Weaker than `compatible`: at home it may be just what tells Pepe from his father José.
    """
    (name, generation), (other, others) = _plain(a), _plain(b)
    if bool(generation) != bool(others):
        return compatible(name, other) or compatible_as_called(name, other)
    return any(compatible(x, y) for x, y in [*((x, b) for x in _spelt_out(a, b)), *((a, y) for y in _spelt_out(b, a))])


def _plain(name: str) -> tuple[str, str]:
    """A name without its suffix, and which that was; one that is a surname too stays one."""
    rest, generation = without_generation(name, least=2)
    return rest, generation if rest != name else ""


def _spelt_out(name: str, other: str) -> list[str]:
    """The name with one short form in full, as often as there are names that it stands for; two in one word as the other tells them."""
    words, theirs = fold(name).split(), fold(other).split()
    apart = {f"{one}{two}": f"{one} {two}" for one, two in pairwise(theirs)}
    return [
        " ".join([*words[:place], apart.get(full, full), *words[place + 1 :]])
        for place, word in enumerate(words)
        for full in sorted(SHORT_NAMES.get(word, ()))
    ]


@lru_cache(maxsize=65_536)
def _agree(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    if _pairs_up(shorter, longer):
        return True
    return len(shorter) == len(longer) == 3 and (_leave_out(shorter, longer) or _leave_out(longer, shorter))


def _leave_out(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Yuli Lina Aguilar and Yuli Aguilar Pinzón: one tells the second given name, the other the second surname."""
    pairs = ((a, b), (a, b[2:] + b[:2]), (a[1:] + a[:1], b))  # as written, or one of them with its surnames in front
    return any(_same_word(x[0], y[0]) and _same_word(x[2], y[1]) and min(len(x[2]), len(y[1])) > 1 for x, y in pairs)


def _pairs_up(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    return _assign(shorter, longer, at=0, taken=0, anchored=False)


def _assign(shorter: tuple[str, ...], longer: tuple[str, ...], *, at: int, taken: int, anchored: bool) -> bool:
    """Whether the words of `shorter` from `at` on find partners; `taken` is a bit mask over `longer`."""
    if at == len(shorter):
        return anchored
    for place, candidate in enumerate(longer):
        if taken >> place & 1 or not _same_word(shorter[at], candidate):
            continue
        spelt_out = len(shorter[at]) > 1 and len(candidate) > 1
        anchors = spelt_out and (len(shorter) == 1 or at > 0 or place > 0)
        if _assign(shorter, longer, at=at + 1, taken=taken | 1 << place, anchored=anchored or anchors):
            return True
    return False


@lru_cache(maxsize=131_072)
def _same_word(a: str, b: str) -> bool:
    if a == b or ABBREVIATED.get(a) == b or ABBREVIATED.get(b) == a:
        return True
    if len(a) == 1 or len(b) == 1:
        return a[0] == b[0]
    if are_two_names(a, b):
        return False
    if phonetic(a) == phonetic(b):
        return True
    slips, length = OSA.distance(a, b), min(len(a), len(b))
    if slips == 1 and (length >= 7 or sorted(a) == sorted(b) or not (a.isalpha() and b.isalpha())):
        return True  # Sarvajal, Ujan, R1sa: slips near the front, which Jaro-Winkler weighs heavily
    return slips <= (2 if length >= 8 else 1) and JaroWinkler.similarity(a, b) >= _CLOSE


def are_two_names(a: str, b: str) -> bool:
    """Whether two folded words are names of two people although a letter parts them: Juan and Juana, Andrés and Andrea."""
    if _gendered(a, b) or (pair := frozenset((a, b))) in _DIFFERENT:
        return True
    known = pair <= GIVEN or pair <= SURNAMES
    return known and pair not in _VARIANTS and phonetic(a) != phonetic(b)


def _gendered(a: str, b: str) -> bool:
    """Juan and Juana, Mario and Maria: relatives who share a phone, not spellings of one name."""
    if a + "a" == b or b + "a" == a:
        return True
    return a[:-1] == b[:-1] and {a[-1], b[-1]} == {"a", "o"}


def split_name(full: str) -> tuple[str, str]:
    """Given names and surnames, as written. Two surnames are the rule; a comma says that surnames came first."""
    before, comma, after = full.partition(",")
    if comma and after.strip():
        return " ".join(_words(after)), " ".join(_words(before))
    groups = _with_particles(_words(full))
    folded = [fold(group) for group in groups]
    if surnames := _surnames_in_front(folded):
        return " ".join(groups[surnames:]), " ".join(groups[:surnames])
    given = _given_count(folded)
    return " ".join(groups[:given]), " ".join(groups[given:])


@lru_cache(maxsize=65_536)
def without_generation(name: str, *, least: int) -> tuple[str, str]:
    """A name without Jr., hijo, (padre) or Filho at its end or at that of its surnames, and what that says: `junior`, `senior`.

    Nothing where fewer than `least` other words are told: Junior may be all that somebody is called. Of what is a surname too
    (Neto) the name keeps the word. Juan Pérez h. is a son, and Juan Pérez H. has a second surname.
    """
    before, comma, after = name.partition(",")
    for part, rest in ((after, f"{before}{comma}"), (before, "")):
        words = part.split()
        generation = _generation(words[-1], name) if words else ""
        if generation and len(name.split()) > least:
            if words[-1].strip("().").lower() in _ALSO_SURNAMES:
                return name, generation
            kept = " ".join(words[:-1])
            return (f"{rest} {kept}".strip(" ,") if rest else f"{kept}{comma}{after}"), generation
    return name, ""


def _generation(word: str, name: str) -> str:
    if len(word.strip("().")) == 1:
        return _GENERATIONS.get(word, "") if word[0] == "(" or not name.islower() else ""
    return _GENERATIONS.get(word.strip("().").lower(), "")


def without_married_name(surnames: str) -> str:
    """The surnames that a woman was born with, where her husband's stands behind them: Carrillo of `Carrillo de Ospina`.

    As written where none does. `de la Cruz`, `Ponce de León` and `Pereira de Souza` are surnames of birth.
    """
    groups = _with_particles(_words(surnames))
    folded = [fold(group).split() for group in groups]
    if len(groups) < 2 or len(folded[-1]) < 2 or folded[-1][-1] in _BORN_WITH_DE:
        return surnames
    married = folded[-1][:-1] in (["de"], *_WIDOWED)
    return " ".join(groups[:-1]) if married else surnames


def greeting_name(full: str | None) -> str | None:
    """The first name to greet with, capitalised: "ANA M. LOPEZ RUIZ" is Ana. None where there is none but initials."""
    given, _ = split_name(full or "")
    words = [word for word in given.split() if len(fold(word)) > 1]
    spelt_out = [word for word in words if fold(word) not in PARTICLES | ABBREVIATED.keys()]
    chosen = (spelt_out or words)[:1]
    return "-".join(part.capitalize() for part in chosen[0].split("-")) if chosen else None


def _words(text: str) -> list[str]:
    words = [word.strip(".,;") for word in text.split()]
    telling = [word for word in words if fold(word) and fold(word) not in TITLES | SUFFIXES]
    return telling or [word for word in words if word]


def _with_particles(words: list[str]) -> list[str]:
    """Particles stay with the word that follows: ["Ana", "de la Cruz"]."""
    groups: list[str] = []
    pending: list[str] = []
    for word in words:
        pending.append(word)
        if fold(word) not in PARTICLES:
            groups.append(" ".join(pending))
            pending = []
    return [*groups, " ".join(pending)] if pending else groups


def _surnames_in_front(folded: list[str]) -> int:
    """How many surnames stand in front of the given names without a comma: two of LOPEZ RUIZ ANA MARIA, else none.

    Hardly anybody is called López: where a surname stands first, what follows the surnames is what he is called, Pepe as well
    as José. So what is known as neither is a surname where nothing but given names follow. Where the last word is a surname too,
    nothing but surnames may have been told.
    """
    if len(folded) < 2:
        return 0
    first, last = (group.rpartition(" ")[2] for group in (folded[0], folded[-1]))
    known = first in SURNAMES or folded[0].partition(" ")[0] in PARTICLES
    called = first in GIVEN or first in NAMES_OR_SHORT
    before_given = len(folded) > 2 and not called and GIVEN.issuperset(folded[2:])
    if last in SURNAMES or not (known or before_given):
        return 0
    if first in SURNAMES_OF_SOME and last not in GIVEN:
        return 0
    return 2 if len(folded) > 2 and folded[1] not in GIVEN else 1


def _given_count(folded: list[str]) -> int:
    """Of the groups, in the order of given names and surnames. A married name (de Ruiz) comes after the surnames of birth."""
    married = len(folded) > 3 and folded[-1].startswith(("de ", "vda ", "viuda ")) and folded[-2] not in SECOND_GIVEN
    if married and (len(folded) > 4 or folded[1].split()[-1] not in GIVEN):
        return _given_count(folded[:-1])
    if len(folded) <= 2:
        return min(1, len(folded))
    if len(folded) == 3:
        second = folded[1].split()[-1] if folded[1] else ""
        return 2 if len(second) <= 1 or second in SECOND_GIVEN else 1
    return len(folded) - 2
