"""How long is waited between turns."""

import pytest

from common.bus.waiting import FEW, MOST_REST, rest_after


@pytest.mark.parametrize(
    ("done", "took", "rest"),
    [
        (0, 0.01, 0.0),
        (3, 0.01, 0.01),
        (3, 0.0001, 0.0001),
        (FEW - 1, 10.0, MOST_REST),
        (FEW, 0.01, 0.0),
    ],
)
def test_after_a_few_as_long_is_waited_as_they_took_and_never_long(done: int, took: float, rest: float) -> None:
    assert rest_after(done, took) == rest
