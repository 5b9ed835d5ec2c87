"""Names by which people are called instead of their own."""

import pytest

from common.name_words import GIVEN, SURNAMES
from common.names import fold
from common.short_names import NAMES_OR_SHORT, SHORT_NAMES, is_short_for

CALLED = """pepe/José paco/Francisco lupe/Guadalupe chucho/Jesús nacho/Ignacio bea/Beatriz memo/Guillermo beto/Alberto beto/Roberto
    concha/Concepción lola/Dolores quique/Enrique kike/Enrique charo/Rosario chelo/Consuelo tere/Teresa fer/Fernando fer/Fernanda
    dani/Daniel alex/Alejandra santi/Santiago seba/Sebastián bob/Robert bill/William liz/Elizabeth mike/Michael"""


@pytest.mark.parametrize("pair", [*CALLED.split(), "Toño/Antonio", "Mafe/MaríaFernanda", "Juanca/JuanCarlos"])
def test_whom_people_call_so_bears_the_name(pair):
    short, name = (fold(word) for word in pair.split("/"))
    assert is_short_for(short, name)
    assert is_short_for(name, short)


@pytest.mark.parametrize(
    "pair", ["jose/josefa", "pepe/pepe", "pepe/chepe", "juanito/juan", "anita/ana", "daniel/daniela", "rosa/rosario"]
)
def test_other_names_and_what_tells_a_child_from_its_parent_are_none(pair):
    assert not is_short_for(*pair.split("/"))


def test_all_are_folded_words_of_three_letters_and_none_is_a_name_in_its_own_right():
    assert [word for word in NAMES_OR_SHORT if fold(word) != word or " " in word] == []
    assert [word for word in SHORT_NAMES if len(word) < 3] == []
    names = NAMES_OR_SHORT - SHORT_NAMES.keys()
    assert SHORT_NAMES.keys() & (names | GIVEN | SURNAMES) == set()
    assert names == set().union(*SHORT_NAMES.values())
