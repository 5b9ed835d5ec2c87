"""Cursors lead to the next page, and to nothing else."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.pagination import InvalidCursor, PageQuery, decode_cursor, encode_cursor
from common.problems import status_of

AN_ID = UUID("0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10")
BOGOTA = timezone(timedelta(hours=-5))


def test_a_cursor_gives_back_what_it_was_made_of():
    moment = datetime(2026, 11, 20, 15, 4, 5, 123456, tzinfo=BOGOTA)
    cursor = encode_cursor(moment, AN_ID, "Bogotá", 7, 0.5)
    assert decode_cursor(cursor, datetime, UUID, str, int, float) == (moment, AN_ID, "Bogotá", 7, 0.5)


@given(st.text(max_size=60), st.integers(-(2**62), 2**62))
def test_any_text_and_number_survive(text, number):
    if "\x00" in text:
        return
    assert decode_cursor(encode_cursor(text, number), str, int) == (text, number)


@given(st.one_of(st.text(max_size=40), st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_whatever_else_is_sent_is_refused_as_a_cursor(text):
    try:
        decode_cursor(text, datetime, UUID)
    except InvalidCursor:
        return
    pytest.fail("taken")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%%%",
        "bm90IGpzb24",
        encode_cursor("only one"),
        encode_cursor("2026-11-20T00:00:00", str(AN_ID)),
        encode_cursor(5, str(AN_ID)),
        encode_cursor(datetime(2026, 11, 20, tzinfo=UTC), "no id"),
        "A" * 3000,
        base64.urlsafe_b64encode(b"[" * 1400).decode(),
    ],
)
def test_malformed_cursors_are_400(cursor):
    with pytest.raises(InvalidCursor) as refusal:
        decode_cursor(cursor, datetime, UUID)
    assert status_of(refusal.value) == 400


def test_a_cursor_of_text_that_cannot_be_written_is_refused():
    with pytest.raises(InvalidCursor):
        decode_cursor(base64.urlsafe_b64encode(b'["\\ud800"]').decode().rstrip("="), str)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2**64, int),
        (True, int),
        ("a\x00b", str),
        (1, str),
        *((None, kind) for kind in (int, str, bool, float, UUID, datetime)),
    ],
)
def test_a_forged_cursor_reaches_no_database(value, kind):
    with pytest.raises(InvalidCursor):
        decode_cursor(encode_cursor(value), kind)


def test_the_last_page_has_no_next():
    page = PageQuery(None, limit=2)
    assert page.fetch == 3
    assert page.after(int) is None
    assert page.cut([1, 2], key=lambda n: (n,)) == ([1, 2], None)


def test_pages_follow_each_other_without_a_gap():
    rows, seen, cursor = list(range(10)), [], None
    while True:
        page = PageQuery(cursor, limit=3)
        after = page.after(int)
        found = [n for n in rows if after is None or n > after[0]][: page.fetch]
        kept, cursor = page.cut(found, key=lambda n: (n,))
        seen += kept
        if cursor is None:
            break
    assert seen == rows


def test_an_empty_list_is_one_empty_page():
    assert PageQuery(None, limit=5).cut([], key=lambda row: (row,)) == ([], None)
