"""Moments: written in one way, and read from RFC 3339 and nothing that only looks like a number."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from common.moments import Moment, written

TOLD = TypeAdapter(Moment)


def test_a_moment_is_written_in_utc():
    assert written(datetime.fromisoformat("2026-11-20T15:04:05-05:00")) == "2026-11-20T20:04:05Z"


def test_a_moment_is_read_with_its_offset():
    assert TOLD.validate_python("2026-11-20T15:04:05-05:00") == datetime(2026, 11, 20, 20, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [1763650000, 1763650000.5, "1763650000", "20261120", "45934", "1.7e9", "-1", "2026-11-20T15:04:05", "2026-11-20", "",
     "1066-10-14T09:00:00Z", None],
)  # fmt: skip
def test_what_tells_no_day_time_and_offset_is_no_moment(told):
    with pytest.raises(ValidationError):
        TOLD.validate_python(told)
