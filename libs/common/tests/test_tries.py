"""What the database broke off for a reason that passes is begun anew, and nothing else is."""

import pytest

from common.db import tried_again


class Work:
    """Fails as often as it is told to, and counts."""

    def __init__(self, *fails: Exception) -> None:
        self.fails = list(fails)
        self.begun = 0

    async def __call__(self) -> str:
        self.begun += 1
        if self.fails:
            raise self.fails.pop(0)
        return "done"


async def test_it_is_begun_anew_until_it_is_done() -> None:
    work = Work(TimeoutError(), ConnectionError())
    assert await tried_again(work, pauses=(0, 0, 0)) == "done"
    assert work.begun == 3


async def test_the_last_try_tells_what_went_wrong() -> None:
    work = Work(TimeoutError(), TimeoutError(), ConnectionError("away"))
    with pytest.raises(ConnectionError, match="away"):
        await tried_again(work, pauses=(0, 0))
    assert work.begun == 3


async def test_what_does_not_pass_is_not_tried_again() -> None:
    work = Work(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await tried_again(work, pauses=(0, 0))
    assert work.begun == 1
