"""The witness itself: what a relay skipped or shipped out of order is found, a second copy is none."""

from .ordering import compare

LOG = [("1", "t", "a"), ("2", "t", "a"), ("3", "t", "b"), ("4", "t", "a")]


def test_a_topic_that_holds_every_row_in_order_is_clean_though_some_come_twice():
    assert compare(LOG, {"t": {"a": ["1", "2", "1", "2", "4"], "b": ["3"]}}) == ([], [])


def test_a_row_that_was_skipped_is_found():
    assert compare(LOG, {"t": {"a": ["1", "4"], "b": ["3"]}}) == (["2"], [])


def test_first_copies_in_another_order_are_found_by_their_key():
    assert compare(LOG, {"t": {"a": ["2", "1", "4"], "b": ["3"]}}) == ([], ["t a"])


def test_poison_of_others_under_the_same_key_is_no_disorder():
    assert compare(LOG, {"t": {"a": ["9", "1", "2", "4"], "b": ["3"]}}) == ([], [])
