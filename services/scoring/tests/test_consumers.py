"""What scoring makes of the others' events: redelivered, out of order, unreadable; merged, undone and retracted exactly."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import event, select

from common.access import access_key_table
from common.contracts.identity import AccessChanged, ContactChanged, CustomerErased
from common.contracts.interactions import CaseMoved
from common.contracts.scoring import ValueChanged
from common.db import parked_table
from common.events import encode
from common.ids import new_id
from scoring.consumers import consume
from scoring.uow import ScoringUnitOfWork
from scoring.values.models import day_value
from scoring.worker import republish

from .conftest import Scoring, contact, customer, event_of, linked, purchase, retraction, touchpoint

ANA, LUIS = UUID(int=0xA), UUID(int=0xB)
PHONE, MAIL, DEVICE = UUID(int=0x1), UUID(int=0x2), UUID(int=0x3)


async def rows(scoring: Scoring) -> list[tuple[Any, ...]]:
    """All that is counted, without the days on which nothing is left."""
    async with scoring.uow() as uow:
        found = (await uow.session.execute(select(day_value))).all()
    return sorted(tuple(row) for row in found if any(row[3:]))


async def figures(scoring: Scoring, customer_id: UUID) -> tuple[str, int] | None:
    value = (await scoring.value(customer_id))["value"]
    return (value["profitability"]["amount"], value["frequency"]) if value else None


async def test_of_whoever_never_bought_and_is_new_it_is_not_asked_what_he_buys_nor_what_is_alarming(
    scoring: Scoring,
) -> None:
    statements: list[str] = []
    engine = scoring.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await scoring.hear(linked((PHONE, ANA, 1)), customer(ANA), contact(PHONE, "2026-11-10", 500))
    assert [each for each in statements if "category_value" in each or "signal" in each] == []
    assert sum("policy" in each or "cut_points" in each for each in statements) == 1
    await scoring.hear(purchase(PHONE, "2026-11-10", 100, category="grocery"))
    assert (await scoring.value(ANA))["holdings"]["categories"] == ["grocery"]


async def test_a_purchase_becomes_value_for_whoever_owns_the_trace(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)))
    await scoring.hear(
        purchase(
            PHONE, "2026-11-10", 12_990_000, cost_of_goods={"minor": 8_000_000, "currency": "COP"}, category="grocery"
        )
    )
    told = await scoring.value(ANA)
    assert told["value"]["profitability"] == {"amount": "49900.00", "currency": "COP"}
    assert told["value"]["lifecycle"] == "ACTIVE"
    assert told["holdings"] == {
        "usual_amount": {"amount": "129900.00", "currency": "COP"},
        "frequency": 1,
        "interval_days": None,
        "last_purchase": "2026-11-10",
        "categories": ["grocery"],
    }
    assert told["treatment"]["service_level"] == "standard"


async def test_a_purchase_that_comes_before_its_link_counts_once_it_is_linked(scoring: Scoring) -> None:
    await scoring.hear(purchase(PHONE, "2026-11-10", 10_000))
    assert await scoring.told("value-changed") == []
    await scoring.hear(linked((PHONE, ANA, 1)))
    assert await figures(scoring, ANA) == ("100.00", 1)


async def test_redelivered_events_count_once(scoring: Scoring) -> None:
    batch = await scoring.hear(
        linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-10", 10_000), contact(PHONE, "2026-11-11", 500)
    )
    before, told = await rows(scoring), await scoring.told("value-changed")
    await scoring.hear(*batch)
    await scoring.hear(*reversed(batch), *batch)
    assert await rows(scoring) == before
    assert await scoring.told("value-changed") == told


async def test_events_give_the_same_in_every_order(scoring: Scoring) -> None:
    bought, returned = purchase(PHONE, "2026-11-10", 10_000), purchase(PHONE, "2026-11-12", -2_000)
    story = [linked((PHONE, LUIS, 1)), linked((PHONE, ANA, 2)), bought, returned, retraction(bought)]
    for nr, order in enumerate(itertools.permutations(range(len(story)))):
        if nr % 17:
            continue
        ana, luis, phone = UUID(int=1000 + nr), UUID(int=2000 + nr), UUID(int=3000 + nr)
        owners = {LUIS: luis, ANA: ana}
        for at in order:
            event = story[at].model_copy(update={"trace_id": phone})
            if at < 2:
                moves = [
                    m.model_copy(update={"trace_id": phone, "customer_id": owners[m.customer_id]})
                    for m in story[at].moves
                ]  # type: ignore[attr-defined]
                event = story[at].model_copy(update={"moves": moves})
            await scoring.hear(event)
        assert await figures(scoring, ana) == ("-20.00", 0), order
        standing = await scoring.standing(luis)
        assert standing is None or standing.is_vacant


async def test_what_is_unreadable_is_parked_and_holds_up_nobody(scoring: Scoring) -> None:
    good = encode(purchase(PHONE, "2026-11-10", 10_000), at=datetime(2026, 11, 20, tzinfo=UTC))[1]
    await scoring.deliver(b"{", good.replace(b'"2026-11-10T12:00:00Z"', b'"soon"'), good, good.replace(b".v1", b".v9"))
    async with scoring.uow() as uow:
        codes = list((await uow.session.scalars(select(parked_table.c.code))).all())
    assert sorted(codes) == ["bad-json", "bad-schema", "unknown-version"]
    assert len(await rows(scoring)) == 1


async def test_a_merge_moves_all_and_an_undo_restores_exactly(scoring: Scoring) -> None:
    await scoring.hear(customer(ANA), customer(LUIS), linked((PHONE, ANA, 1), (MAIL, LUIS, 1)))
    await scoring.hear(
        purchase(PHONE, "2026-11-10", 10_000), purchase(MAIL, "2026-11-11", 3_000), contact(MAIL, "2026-11-11", 500)
    )
    before = [(await scoring.value(each))["value"] for each in (ANA, LUIS)]
    await scoring.hear(
        linked((MAIL, ANA, 2), kind="merge"), customer(LUIS, revision=2, state="merged", merged_into=ANA)
    )
    assert await figures(scoring, ANA) == ("130.00", 2)
    assert (await scoring.value(LUIS))["value"] == {}
    assert (await scoring.standing(LUIS)).is_vacant
    await scoring.hear(linked((MAIL, LUIS, 3), kind="undo"), customer(LUIS, revision=3))
    assert [(await scoring.value(each))["value"] for each in (ANA, LUIS)] == before


async def test_a_purchase_during_a_merge_stays_with_its_trace(scoring: Scoring) -> None:
    await scoring.hear(
        linked((PHONE, ANA, 1), (MAIL, LUIS, 1)), linked((MAIL, ANA, 2)), purchase(MAIL, "2026-11-11", 3_000)
    )
    await scoring.hear(linked((MAIL, LUIS, 3)))
    assert await figures(scoring, LUIS) == ("30.00", 1)
    assert await figures(scoring, ANA) == ("0.00", 0)


async def test_an_older_link_that_comes_late_changes_nothing(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 5)), purchase(PHONE, "2026-11-11", 3_000))
    await scoring.hear(linked((PHONE, LUIS, 4)))
    assert await figures(scoring, ANA) == ("30.00", 1)
    assert await scoring.standing(LUIS) is None


async def test_a_retraction_takes_everything_back(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-01", 500))
    before = await rows(scoring)
    bought = purchase(
        PHONE, "2026-11-10", 10_000, quantity=0.1, category="grocery", cost_of_goods={"minor": 1, "currency": "USD"},
        contact_cost={"minor": 5, "currency": "COP"},
    )  # fmt: skip
    await scoring.hear(bought)
    await scoring.hear(retraction(bought))
    assert await rows(scoring) == before
    assert await figures(scoring, ANA) == ("5.00", 1)
    assert (await scoring.value(ANA))["holdings"]["categories"] == []


async def test_anonymous_sales_are_counted_and_belong_to_nobody(scoring: Scoring) -> None:
    await scoring.hear(*(purchase(new_id(), "2026-11-10", 100, anonymous=True) for _ in range(3)))
    (together,) = await rows(scoring)
    assert together[3:5] == (3, 3)
    async with scoring.uow() as uow:
        assert await uow.values.customer_ids(after=None, limit=10) == []


async def test_two_workers_at_once_lose_nothing(scoring: Scoring) -> None:
    traces = [UUID(int=100 + number) for number in range(12)]
    await scoring.hear(linked(*((trace, ANA, 1) for trace in traces)))
    await asyncio.gather(*(scoring.hear(purchase(trace, "2026-11-10", 1_000)) for trace in traces))
    assert await figures(scoring, ANA) == ("120.00", 12)
    assert (await scoring.standing(ANA)).frequency == 12


async def test_a_merge_at_the_same_moment_as_purchases_loses_nothing(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1), (MAIL, LUIS, 1)))
    purchases = [scoring.hear(purchase(MAIL, "2026-11-10", 1_000)) for _ in range(6)]
    await asyncio.gather(*purchases[:3], scoring.hear(linked((MAIL, ANA, 2))), *purchases[3:])
    assert await figures(scoring, ANA) == ("60.00", 6)
    assert (await scoring.standing(LUIS)).is_vacant


async def test_revisions_rise_even_where_the_clock_stands_still(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)))
    for amount in (100, 200, 300):
        await scoring.hear(purchase(PHONE, "2026-11-10", amount))
    revisions = [each["revision"] for each in await scoring.told("value-changed", ANA)]
    assert len(revisions) == 4
    assert revisions == sorted(set(revisions))


async def test_a_key_is_known_as_soon_as_identity_tells(scoring: Scoring) -> None:
    await scoring.hear(AccessChanged(key_id="abc", revision=1, hash="x", scopes=["value:read"]))
    async with scoring.uow() as uow:
        assert (await uow.session.execute(select(access_key_table.c.key_id))).scalar_one() == "abc"


@pytest.mark.parametrize("together", [True, False])
async def test_what_is_told_after_an_erasure_on_the_same_trace_is_of_whoever_comes_back(
    scoring: Scoring, *, together: bool
) -> None:
    phone = UUID("00000000-0000-8000-8000-000000000001")  # of a trace: a random key is of version 4
    await scoring.hear(linked((phone, ANA, 1)), customer(ANA), purchase(phone, "2026-11-10", 1_000))
    erased = CustomerErased(
        erasure_id=new_id(), customer_id=ANA, customers=[ANA], traces=[phone], erased_at=scoring.clock()
    )
    scoring.clock.advance(timedelta(minutes=10))
    now = scoring.clock()
    story = [
        erased, linked((phone, LUIS, 2)), customer(LUIS),
        purchase(phone, "2026-11-20", 5_000, occurred_at=now, recorded_at=now, category="grocery"),
    ]  # fmt: skip
    for batch in [story] if together else [[each] for each in story]:
        await scoring.hear(*batch)
    assert await figures(scoring, LUIS) == ("50.00", 1)
    assert (await scoring.value(LUIS))["holdings"]["categories"] == ["grocery"]
    assert await scoring.standing(ANA) is None
    assert sum(row[7] for row in await rows(scoring)) == 6_000


async def test_of_whoever_is_erased_nothing_is_said_though_a_link_of_before_is_heard_after_it(scoring: Scoring) -> None:
    await scoring.hear(
        CustomerErased(erasure_id=new_id(), customer_id=ANA, customers=[ANA], traces=[PHONE], erased_at=scoring.clock())
    )
    for late in (linked((PHONE, ANA, 1)), customer(ANA), linked((PHONE, None, 2))):
        await scoring.hear(late)
        assert await scoring.standing(ANA) is None
    assert await scoring.told("value-changed") == []


# --- classes ----------------------------------------------------------------------------------------------------------


async def test_the_population_is_ranked_soon_after_a_change(scoring: Scoring) -> None:
    for number in range(1, 11):
        trace, owner = UUID(int=100 + number), UUID(int=200 + number)
        await scoring.hear(linked((trace, owner, 1)), purchase(trace, "2026-11-10", 1_000 * number))
    assert (await scoring.value(UUID(int=210)))["value"]["abc"] is None
    await scoring.wait()
    best, worst = await scoring.value(UUID(int=210)), await scoring.value(UUID(int=201))
    assert (best["value"]["tier"], best["value"]["abc"]) == ("MVC", "A")
    assert best["treatment"]["service_level"] == "preferential"
    assert (worst["value"]["tier"], worst["value"]["abc"]) == ("STANDARD", "C")
    assert [each["new"] for each in await scoring.told("tier-changed")] == ["MVC"]
    assert best["value"]["rules_version"] == "thresholds-0.cuts-1"
    # and ranking again what did not change tells nothing
    told = await scoring.told("value-changed")
    await scoring.hear(touchpoint(UUID(int=101), "2026-11-10", kind="note"))
    await scoring.wait()
    assert await scoring.told("value-changed") == told


async def test_who_costs_more_than_he_brings_is_below_zero_and_not_called(scoring: Scoring) -> None:
    await scoring.hear(
        linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-10", 1_000), contact(PHONE, "2026-11-11", 1_001)
    )
    told = await scoring.value(ANA)
    assert told["value"]["tier"] == "BELOW_ZERO"
    assert told["value"]["reasons"] == ["contribution_below_zero"]
    assert told["suppress_paid_outbound"]


async def test_courting_a_prospect_does_not_put_him_below_zero(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), contact(PHONE, "2026-11-11", 1_001))
    value = (await scoring.value(ANA))["value"]
    assert (value["tier"], value["lifecycle"]) == ("STANDARD", "POTENTIAL")


async def test_a_valuable_customer_who_complains_is_treated_as_one(scoring: Scoring) -> None:
    await scoring.hear(customer(ANA, key_account=True), linked((PHONE, ANA, 1)))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    case = CaseMoved(
        case_number="Q-1", trace_id=PHONE, kind="complaint", severity="high", move="opened", occurred_at=at, at=at
    )
    await scoring.hear(case)
    assert "nanny" in (await scoring.value(ANA))["treatment"]["modules"]
    later = at + timedelta(hours=3)
    await scoring.hear(
        case.model_copy(update={"move": "resolved", "at": later}), case.model_copy(update={"move": "contacted"})
    )
    assert "nanny" not in (await scoring.value(ANA))["treatment"]["modules"]


COMPLAINED = datetime(2026, 11, 19, 15, tzinfo=UTC)


def _complaint(move: str, at: datetime = COMPLAINED) -> CaseMoved:
    return CaseMoved.model_validate(
        {
            "case_number": "Q-1", "trace_id": PHONE, "kind": "complaint", "severity": "high",
            "move": move, "occurred_at": COMPLAINED, "at": at,
        }
    )  # fmt: skip


async def _complaints(scoring: Scoring) -> int:
    async with scoring.uow() as uow:
        return (await uow.links.subjects([ANA]))[0].open_complaints


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
@pytest.mark.parametrize("together", [True, False])
async def test_a_complaint_that_is_solved_at_once_is_not_open_however_it_is_told(
    scoring: Scoring, order: tuple[int, ...], *, together: bool
) -> None:
    told = [event_of(_complaint(move)) for move in ("opened", "answered")]
    batches = [[told[at] for at in order]] if together else [[told[at]] for at in order]
    await scoring.hear(linked((PHONE, ANA, 1)))
    for batch in batches:
        await scoring.hear(*batch)
    assert await _complaints(scoring) == 0
    await scoring.hear(_complaint("opened"))  # corrected: it was not solved
    assert await _complaints(scoring) == 1
    await scoring.hear(*told)
    assert await _complaints(scoring) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_what_was_told_last_of_a_complaint_holds_whenever_it_was_so(
    scoring: Scoring, order: tuple[int, ...]
) -> None:
    days = {"opened": 0, "reopened": 5, "answered": 3}  # the answer is heard of last: whoever answered had no network
    told = [event_of(_complaint(move, COMPLAINED + timedelta(days=after))) for move, after in days.items()]
    await scoring.hear(linked((PHONE, ANA, 1)))
    for at in order:
        await scoring.hear(told[at])
    assert await _complaints(scoring) == 0


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_an_answer_that_was_given_in_time_and_is_heard_of_late_closes_the_complaint(
    scoring: Scoring, order: tuple[int, ...]
) -> None:
    days = {"opened": 0, "expired": 30, "answered": 29}
    told = [event_of(_complaint(move, COMPLAINED + timedelta(days=after))) for move, after in days.items()]
    await scoring.hear(linked((PHONE, ANA, 1)))
    for at in order:
        await scoring.hear(told[at])
    assert await _complaints(scoring) == 0


async def test_a_complaint_that_is_told_anew_with_its_answer_stays_answered(scoring: Scoring) -> None:
    """Its words were corrected; the answer, another contact, is as it was: what holds is told last."""
    await scoring.hear(linked((PHONE, ANA, 1)), _complaint("opened"))
    answered = _complaint("answered", COMPLAINED + timedelta(days=1))
    await scoring.hear(answered)
    await scoring.hear(_complaint("opened"), answered)
    assert await _complaints(scoring) == 0


# --- signals ----------------------------------------------------------------------------------------------------------

HABIT = ("2025-12-15", "2026-03-10", "2026-06-05", "2026-08-10", "2026-08-30")


async def _habit(scoring: Scoring, **more: Any) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), *(purchase(PHONE, day, 10_000, **more) for day in HABIT))


async def test_a_drop_happens_by_absence_and_is_told_with_its_evidence(scoring: Scoring) -> None:
    await _habit(scoring)
    assert await scoring.told("signal-moved") == []
    await scoring.days(12)
    moved = await scoring.told("signal-moved", ANA)
    assert [(each["signal"], each["move"], each["at"][:10]) for each in moved] == [
        ("drop-warning", "raised", "2026-11-28"),
        ("drop-critical", "raised", "2026-11-28"),
    ]
    assert moved[0]["evidence"]["ratio"] == 0.0
    assert [each["signal"] for each in (await scoring.value(ANA))["alerts"]] == ["drop-critical"]


async def test_a_purchase_clears_the_drop_and_tells_it(scoring: Scoring) -> None:
    await _habit(scoring)
    await scoring.days(12)
    await scoring.hear(purchase(PHONE, "2026-12-01", 30_000))
    moves = [(each["signal"], each["move"]) for each in await scoring.told("signal-moved", ANA)]
    assert sorted(moves[2:]) == [("drop-critical", "cleared"), ("drop-warning", "cleared")]
    assert (await scoring.value(ANA))["alerts"] == []


async def test_a_drop_that_a_merge_had_cleared_goes_on_when_that_is_undone(scoring: Scoring) -> None:
    await scoring.hear(linked((MAIL, LUIS, 1)), *(purchase(MAIL, day, 500_000) for day in ("2026-10-18", "2026-11-18")))
    await _habit(scoring)
    await scoring.days(14)
    (drop,) = (await scoring.value(ANA))["alerts"]
    await scoring.hear(linked((MAIL, ANA, 2), kind="merge"))
    assert (await scoring.value(ANA))["alerts"] == []
    await scoring.days(3)
    await scoring.hear(linked((MAIL, LUIS, 3), kind="undo"))
    (again,) = (await scoring.value(ANA))["alerts"]
    assert (again["signal"], again["since"]) == (drop["signal"], drop["since"]) == ("drop-critical", "2026-11-28")
    moves = [each["move"] for each in await scoring.told("signal-moved", ANA) if each["signal"] == "drop-critical"]
    assert moves == ["raised", "cleared", "raised"]
    async with scoring.uow() as uow:
        rows = await uow.signals.page(ANA, after=None, limit=9)
    assert sorted((row.signal, row.cleared_at) for row in rows) == [("drop-critical", None), ("drop-warning", None)]
    await scoring.hear(purchase(PHONE, "2026-12-06", 90_000))
    assert (await scoring.value(ANA))["alerts"] == []


async def test_history_that_was_a_drop_already_becomes_state_without_an_event(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), *(purchase(PHONE, day, 10_000, backfill=True) for day in HABIT[:4]))
    assert await scoring.told("signal-moved") == []
    assert [each["signal"] for each in (await scoring.value(ANA))["alerts"]] == ["drop-critical"]
    # what falls due later is told: a year after the last purchase, 2026-08-10
    await scoring.wait(timedelta(days=255))
    assert await scoring.told("signal-moved", ANA) == []
    await scoring.days(10)
    moves = [(each["signal"], each["move"], each["at"][:10]) for each in await scoring.told("signal-moved", ANA)]
    assert moves == [("dormant", "raised", "2027-08-10")]


async def test_history_for_a_customer_who_is_known_sets_nothing_off_either(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), contact(PHONE, "2026-11-20", 500))
    await scoring.wait(timedelta(hours=30))
    await scoring.hear(*(purchase(PHONE, day, 10_000, backfill=True) for day in HABIT[:4]))
    assert await scoring.told("signal-moved") == []
    assert (await scoring.value(ANA))["alerts"] != []


async def test_history_sets_nothing_off_that_was_due_since_he_was_last_looked_at(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), contact(PHONE, "2026-11-20", 500))
    await scoring.days(20)
    await scoring.hear(purchase(PHONE, "2025-12-01", 10_000, backfill=True))
    assert await scoring.told("signal-moved") == []
    assert [each["since"] for each in (await scoring.value(ANA))["alerts"]] == ["2026-12-01"]


async def test_what_fell_due_while_nobody_was_woken_is_news_whatever_history_comes_first(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), purchase(PHONE, "2025-12-01", 10_000))
    scoring.clock.advance(timedelta(days=20))
    await scoring.hear(purchase(PHONE, "2024-12-01", 10_000, backfill=True))
    await scoring.wait()
    assert [each["signal"] for each in await scoring.told("signal-moved")] == ["dormant"]


async def test_a_retraction_that_leaves_a_drop_is_news(scoring: Scoring) -> None:
    last = purchase(PHONE, "2026-11-15", 10_000)
    await _habit(scoring)
    await scoring.hear(last)
    await scoring.days(10)
    assert await scoring.told("signal-moved") == []
    await scoring.hear(retraction(last), retraction(purchase(PHONE, "2026-08-30", 10_000)))
    assert {each["signal"] for each in await scoring.told("signal-moved", ANA)} == {"drop-warning", "drop-critical"}


@pytest.mark.parametrize("together", [True, False])
async def test_whether_something_is_news_does_not_hang_on_what_history_came_with_it(
    scoring: Scoring, *, together: bool
) -> None:
    """Beside a retraction of his, and beside a call of one who is to be the best by what he once bought."""
    await scoring.hear(linked((PHONE, ANA, 1), (MAIL, LUIS, 1)), wrong := contact(PHONE, "2026-11-01", 100))
    await scoring.hear(purchase(DEVICE, "2026-11-01", 1_000), linked((DEVICE, UUID(int=0xC), 1)))
    await scoring.wait()
    await scoring.hear(contact(MAIL, "2026-11-01", 0))
    scoring.clock.advance(timedelta(days=1))
    told = await scoring.told("tier-changed")
    history = [purchase(PHONE, "2024-01-01", 1_000, backfill=True), purchase(MAIL, "2026-10-01", 9_000, backfill=True)]
    news = [retraction(wrong), contact(MAIL, "2026-11-20", 0)]
    for batch in ([*news, *history],) if together else (history, news):
        await scoring.hear(*batch)
    assert await scoring.told("signal-moved") == []
    assert await scoring.told("tier-changed") == told
    assert [each["signal"] for each in (await scoring.value(ANA))["alerts"]] == ["long-dormant"]


async def test_a_return_that_leaves_a_drop_is_news_though_he_called_the_same_day(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)))
    days = ("2026-02-10", "2026-04-10", "2026-06-10", "2026-07-30", "2026-11-10")
    await scoring.hear(*(purchase(PHONE, day, 1_000_000) for day in days))
    scoring.clock.advance(timedelta(days=1))
    today = scoring.clock().date().isoformat()
    await scoring.hear(contact(PHONE, today, 100))
    assert await scoring.told("signal-moved") == []
    await scoring.hear(purchase(PHONE, today, -900_000))
    moves = {(each["signal"], each["move"]) for each in await scoring.told("signal-moved", ANA)}
    assert moves == {("drop-warning", "raised"), ("drop-critical", "raised")}


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_since_when_a_signal_holds_follows_from_what_is_known(scoring: Scoring, order: tuple[int, ...]) -> None:
    bought = [purchase(PHONE, "2024-06-01", 1_000, backfill=True), purchase(MAIL, "2025-03-01", 1_000, backfill=True)]
    await scoring.hear(linked((PHONE, ANA, 1), (MAIL, ANA, 1)))
    for at in order:
        await scoring.hear(bought[at])
    (alert,) = (await scoring.value(ANA))["alerts"]
    assert (alert["signal"], alert["since"]) == ("dormant", "2026-03-01")
    assert alert["evidence"]["last_movement"] == "2025-03-01"
    async with scoring.uow() as uow:
        (held,) = (await uow.signals.open_of([ANA]))[ANA].values()
    assert (held.since.isoformat(), held.evidence) == (alert["since"], alert["evidence"])
    assert await scoring.told("signal-moved") == []


async def test_an_archived_customer_raises_nothing(scoring: Scoring) -> None:
    await _habit(scoring)
    await scoring.hear(customer(ANA, state="archived"))
    await scoring.days(14)
    assert await scoring.told("signal-moved") == []


async def test_who_is_restricted_keeps_his_class_and_is_moved_when_that_is_lifted(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1), (MAIL, LUIS, 1)), purchase(PHONE, "2026-11-01", 10_000))
    await scoring.hear(purchase(MAIL, "2026-11-01", 5_000))
    await scoring.wait()
    await scoring.hear(ContactChanged(customer_id=ANA, revision=1, restricted=True))
    told = await scoring.told("tier-changed")
    await scoring.hear(contact(PHONE, "2026-11-10", 1_000_000))
    await scoring.wait()
    assert (await scoring.standing(ANA)).tier == "MVC"
    assert await scoring.told("tier-changed", ANA) == [each for each in told if each["customer_id"] == str(ANA)]
    await scoring.hear(ContactChanged(customer_id=ANA, revision=2, restricted=False))
    assert (await scoring.standing(ANA)).tier == "BELOW_ZERO"
    (*_, last) = await scoring.told("tier-changed", ANA)
    assert (last["old"], last["new"]) == ("MVC", "BELOW_ZERO")
    async with scoring.uow() as uow:
        assert [row.tier for row in await uow.standings.changes(ANA, after=None, limit=2)] == ["BELOW_ZERO", "MVC"]


# --- telling again ----------------------------------------------------------------------------------------------------


async def test_values_can_be_told_again_as_they_are_and_win_over_what_was_told_before(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-10", 10_000))
    told = await scoring.value(ANA)
    assert await republish(scoring.runtime) == 1
    again = (await scoring.told("value-changed", ANA))[-1]
    assert again.pop("revision") > told.pop("revision")
    assert again == told


async def test_news_after_a_telling_anew_win_over_it(scoring: Scoring) -> None:
    await scoring.hear(linked((PHONE, ANA, 1)), purchase(PHONE, "2026-11-10", 10_000))
    await republish(scoring.runtime)
    again = (await scoring.value(ANA))["revision"]
    await scoring.hear(purchase(PHONE, "2026-11-11", 70_000))
    assert (await scoring.value(ANA))["revision"] > again
    assert (await scoring.standing(ANA)).revision == (await scoring.value(ANA))["revision"]


class BrokenAtTheEnd(ScoringUnitOfWork):
    async def commit(self) -> None:
        raise RuntimeError


async def test_what_fails_before_the_commit_leaves_nothing_behind(scoring: Scoring) -> None:
    event = event_of(purchase(PHONE, "2026-11-10", 10_000))
    broken = BrokenAtTheEnd(scoring.database, books=scoring.uow().books)
    with pytest.raises(RuntimeError):
        await consume([event], uow=broken, clock=scoring.clock)
    assert await rows(scoring) == []
    await scoring.hear(event)
    assert len(await rows(scoring)) == 1


async def test_of_customers_with_the_same_days_each_is_told_what_is_said_of_him(scoring: Scoring) -> None:
    """They are measured and put into words together: a twin, one who bought otherwise, one who is restricted, one in alarm."""
    people = {UUID(int=0x100 + number): UUID(int=0x200 + number) for number in range(5)}
    ana, twin, other, locked, asleep = people.values()
    links = [linked(*((trace, who, 1) for trace, who in people.items()))]
    bought = [purchase(trace, "2026-11-10", 7_000 if who is other else 5_000) for trace, who in people.items()]
    old = [purchase(trace, "2024-05-01", 5_000) for trace, who in people.items() if who is asleep]
    await scoring.hear(ContactChanged(customer_id=locked, revision=1, restricted=True), *links, *bought, *old)
    said = {who: await scoring.value(who) for who in people.values()}
    for who, state in said.items():
        standing = await scoring.standing(who)
        assert (state["customer_id"], state["revision"]) == (str(who), standing.revision)
        value = {name: part for name, part in state["value"].items() if name != "as_of"}
        assert {**{name: state[name] for name in standing.parts}, "value": value} == standing.parts
        assert orjson.loads(ValueChanged.model_validate(state).as_json()) == state
    assert {name: said[ana][name] for name in ("value", "holdings", "alerts", "treatment")} == {
        name: said[twin][name] for name in ("value", "holdings", "alerts", "treatment")
    }
    assert [each["value"].get("frequency") for each in said.values()] == [1, 1, 1, None, 1]
    assert said[other]["value"]["revenue"] != said[ana]["value"]["revenue"]
    assert (said[locked]["value"], said[locked]["treatment"]) == ({}, {})
