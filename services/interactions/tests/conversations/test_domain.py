"""How a contact finds its thread."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions.conversations.domain import Act, Entry, Placed, Threads, replay, state_of

WINDOW = timedelta(hours=72)
MONDAY = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)


def entry(number: int, *, hours: float = 0, **said: Any) -> Entry:
    given = {"kind": "message", "channel": "whatsapp", "direction": "inbound", **said}
    at = given.pop("at", MONDAY + timedelta(hours=hours))
    return Entry(touchpoint_id=UUID(int=number), position=UUID(int=number), occurred_at=at, **given)


def placed(*entries: Entry, acts: tuple[Act, ...] = ()) -> list[Placed]:
    return replay(entries, acts, window=WINDOW)[1]


def state(one: Placed, promises: int = 0) -> str:
    return state_of(one.after.posture, promises=promises)


def test_a_contact_without_topic_continues_the_most_recent_open_thread_within_the_window() -> None:
    first, second = placed(entry(1), entry(2, hours=71, channel="call"))
    assert (second.conversation_id, second.matched_by) == (first.conversation_id, "recent")
    assert second.moves == ("resumed",)  # on another channel
    assert second.gap_seconds == 71 * 3600


def test_after_the_window_a_contact_without_topic_opens_a_thread_of_its_own() -> None:
    _, second = placed(entry(1), entry(2, hours=73))
    assert (second.conversation_id, second.matched_by, second.moves) == (UUID(int=2), "new", ("opened",))


def test_a_topic_finds_its_open_thread_however_old_and_past_a_more_recent_one() -> None:
    _, _, third = placed(
        entry(1, topic="billing"), entry(2, hours=900, topic="delivery"), entry(3, hours=901, topic="billing")
    )
    assert (third.conversation_id, third.matched_by) == (UUID(int=1), "topic")


def test_a_closed_subject_that_comes_back_is_resumed() -> None:
    _, closing, again = placed(
        entry(1, topic="billing"),
        entry(2, hours=1, topic="billing", direction="outbound", outcome="resolved"),
        entry(3, hours=400, topic="billing"),
    )
    assert closing.moves == ("continued", "closed")
    assert (again.conversation_id, again.matched_by, again.moves) == (UUID(int=1), "resumed-closed", ("resumed",))
    assert state(again) == "waiting-us"


def test_what_a_contact_names_goes_before_its_topic() -> None:
    _, _, third = placed(
        entry(1, topic="billing"), entry(2, topic="delivery"), entry(3, topic="delivery", continues=UUID(int=1))
    )
    assert (third.conversation_id, third.matched_by) == (UUID(int=1), "reference")
    assert third.warnings == ("open-thread-same-topic",)


def test_any_touchpoint_of_a_thread_names_it() -> None:
    *_, last = placed(entry(1), entry(2), entry(3, hours=500), entry(4, hours=501, continues=UUID(int=2)))
    assert last.conversation_id == UUID(int=1)


def test_a_shared_reference_finds_the_thread_even_of_a_purchase() -> None:
    _, second = placed(
        entry(1, kind="purchase", references=("order:1",)),
        entry(2, hours=300, topic="delivery", references=("order:1",)),
    )
    assert (second.conversation_id, second.matched_by) == (UUID(int=1), "reference")
    assert state(second) == "waiting-us"


@pytest.mark.parametrize("kind", ["purchase", "payment", "web", "campaign_send"])
def test_what_is_no_dialogue_stands_alone_and_draws_nobody(kind: str) -> None:
    alone, message = placed(entry(1, kind=kind), entry(2, hours=1))
    assert (state(alone), alone.moves) == ("closed", ())
    assert (message.conversation_id, message.matched_by) == (UUID(int=2), "new")


@pytest.mark.parametrize("kind", ["note", "survey_response"])
def test_notes_and_surveys_join_but_make_nobody_wait(kind: str) -> None:
    _, answered, quiet = placed(entry(1), entry(2, direction="outbound"), entry(3, kind=kind))
    assert quiet.conversation_id == UUID(int=1)
    assert state(answered) == state(quiet) == "waiting-customer"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "waiting-us"),
        ({"direction": "outbound"}, "waiting-customer"),
        ({"outcome": "resolved"}, "closed"),
        ({"outcome": "declined"}, "closed"),
        ({"outcome": "informed"}, "closed"),
        ({"outcome": "abandoned"}, "waiting-us"),
        ({"direction": "outbound", "outcome": "unreachable"}, "waiting-us"),
        ({"direction": "outbound", "outcome": "pending"}, "waiting-customer"),
    ],
)
def test_whose_turn_it_is_follows_from_the_latest_contact(said: dict[str, Any], expected: str) -> None:
    assert state(placed(entry(1, **said))[0]) == expected


def test_an_open_promise_of_the_company_keeps_the_thread_with_us() -> None:
    (one,) = placed(entry(1, direction="outbound"))
    assert state(one, promises=1) == "waiting-us"


def test_a_late_arrival_joins_without_moving_what_is_newer() -> None:
    _, late = placed(
        entry(1, stop_point="he sends both", summary="two invoices"),
        entry(2, hours=-5, channel="call", stop_point="he will call", outcome="resolved"),
    )
    thread = late.after
    assert (thread.stop_point, thread.last_channel, thread.posture) == ("he sends both", "whatsapp", "us")
    assert (thread.entries, thread.started_at) == (2, MONDAY - timedelta(hours=5))


def test_an_internal_note_does_not_show_through() -> None:
    _, note = placed(entry(1, stop_point="a"), entry(2, hours=1, kind="note", visibility="internal", stop_point="b"))
    assert (note.conversation_id, note.after.stop_point) == (UUID(int=1), "a")


def test_parked_until_the_next_contact() -> None:
    park = Act(UUID(int=2), UUID(int=1), "park", MONDAY + timedelta(hours=1))
    threads, _ = replay([entry(1)], [park], window=WINDOW)
    assert threads.threads[UUID(int=1)].posture == "parked"
    again = threads.place(entry(3, hours=2))
    assert (again.conversation_id, again.moves, state(again)) == (UUID(int=1), ("resumed",), "waiting-us")


def test_an_act_counts_from_its_time_for_contacts_that_arrive_late() -> None:
    close = Act(UUID(int=2), UUID(int=1), "close", MONDAY + timedelta(hours=10))
    threads, _ = replay([entry(1, topic="billing")], [close], window=WINDOW)
    late = threads.place(entry(3, hours=5, topic="billing"))
    assert (late.conversation_id, state(late)) == (UUID(int=1), "closed")


def test_a_retracted_first_contact_keeps_its_place_and_says_nothing() -> None:
    first, second = placed(
        entry(1, topic="billing", live=False, summary="x"), entry(2, continues=UUID(int=1), summary="y")
    )
    assert second.conversation_id == first.conversation_id == UUID(int=1)
    assert (second.after.entries, second.after.summary, second.before and second.before.entries) == (1, "y", 0)
    assert first.moves == ()


def test_a_thread_of_which_all_was_retracted_draws_nobody() -> None:
    _, second = placed(entry(1, topic="billing", live=False), entry(2, topic="billing"))
    assert (second.conversation_id, second.matched_by) == (UUID(int=2), "new")


def test_what_a_retracted_contact_spoke_of_leads_nobody_to_its_thread() -> None:
    billing, retracted, about = placed(
        entry(1, topic="billing"),
        entry(2, topic="delivery", references=("invoice:F-1",), live=False),
        entry(3, topic="billing", references=("invoice:F-1",)),
    )
    assert (about.conversation_id, about.matched_by) == (billing.conversation_id, "topic")
    assert retracted.conversation_id == UUID(int=2)


def test_a_name_that_leads_to_another_party_is_passed_over() -> None:
    (one,) = placed(entry(1, continues=UUID(int=99)))
    assert one.matched_by == "new"


KINDS = st.sampled_from(["message", "call", "purchase", "note", "complaint"])
ENTRIES = st.lists(
    st.builds(
        lambda kind, topic, hours, direction, outcome, reference, back: (
            kind,
            topic,
            hours,
            direction,
            outcome,
            reference,
            back,
        ),
        KINDS,
        st.sampled_from([None, "billing", "delivery"]),
        st.integers(-200, 200),
        st.sampled_from(["inbound", "outbound"]),
        st.sampled_from([None, "resolved", "pending"]),
        st.sampled_from([(), ("order:1",)]),
        st.integers(0, 3),
    ),
    max_size=12,
)


@given(ENTRIES)
def test_extending_is_the_same_as_replaying(drawn: list[Any]) -> None:
    entries = [
        entry(
            n + 1,
            hours=hours,
            kind=kind,
            topic=topic,
            direction=direction,
            outcome=outcome,
            references=reference,
            continues=UUID(int=back) if 0 < back <= n else None,
        )
        for n, (kind, topic, hours, direction, outcome, reference, back) in enumerate(drawn)
    ]
    threads = Threads(WINDOW)
    one_by_one = [threads.place(one) for one in entries]
    again, at_once = replay(reversed(entries), [], window=WINDOW)
    assert one_by_one == at_once
    assert again.threads == threads.threads


def test_the_order_in_which_the_log_is_read_does_not_matter() -> None:
    entries = [entry(1, topic="billing"), entry(2), entry(3, hours=90, topic="delivery"), entry(4, hours=91)]
    folds = [replay(order, [], window=WINDOW)[0].threads for order in permutations(entries)]
    assert all(fold == folds[0] for fold in folds)
