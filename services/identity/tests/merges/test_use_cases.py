"""Merge and undo: the world after an undo is the world as if the merge had not been."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.auth import Principal
from identity.contact.domain import Consent
from identity.contact.use_cases import record_consent
from identity.customers.domain import CustomerGone
from identity.customers.models import customer
from identity.knowledge.use_cases import learn_fact
from identity.linking.models import cannot_link
from identity.merges.domain import AlreadyUndone, GuardObjects, KeptApart, UnknownMerge
from identity.merges.undoing import undo_merge
from identity.merges.use_cases import lift, merge_customers, preview_merge
from identity.reviews.models import review

from ..conftest import COMPANY, SECRET, ClientWith, Identity, seen, unseen  # noqa: TID252

MARTA = Principal("k", frozenset({"*"}), name="Marta Gil")
ANA = "Ana María López Ruiz"


async def owner(identity: Identity, *identifiers: str, name: str | None = ANA, **more: object) -> UUID:
    """Somebody new, and his customer."""
    person = seen(*identifiers, name=name, **more)  # type: ignore[arg-type]
    await identity.happen(person)
    found = await identity.owner(person)
    assert found is not None
    return found


async def merge(identity: Identity, survivor: UUID, absorbed: UUID, *, force: bool = False) -> UUID:
    identity.clock.advance(timedelta(seconds=1))
    return await merge_customers(
        survivor=survivor, absorbed=absorbed, reason="he says so", force=force, who=MARTA, attempt=None,
        uow=identity.uow(), clock=identity.clock, company=COMPANY,
    )  # fmt: skip


async def undo(identity: Identity, merge_id: UUID) -> UUID:
    identity.clock.advance(timedelta(seconds=1))
    return await undo_merge(
        merge_id=merge_id, reason="father and son", who=MARTA, attempt=None, uow=identity.uow(), clock=identity.clock,
        company=COMPANY,
    )  # fmt: skip


async def learn(identity: Identity, customer_id: UUID, key: str, value: str) -> None:
    await learn_fact(
        customer_id=customer_id, key=key, value=value, confidence=1.0, observed_at=None, expires_at=None, source=None,
        question_id=None, who=MARTA, attempt=None, uow=identity.uow(), clock=identity.clock, company=COMPANY, secret=SECRET,
    )  # fmt: skip


async def consent(identity: Identity, customer_id: UUID, *, granted: bool) -> None:
    identity.clock.advance(timedelta(seconds=1))
    now = identity.clock()
    entry = Consent(customer_id, customer_id, "marketing", "*", granted, now, now, "shop", "form 1", "")
    await record_consent(
        customer_id=customer_id,
        entry=entry,
        who=MARTA,
        attempt=None,
        uow=identity.uow(),
        clock=identity.clock,
        secret=SECRET,
    )


async def facts(identity: Identity, customer_id: UUID) -> set[str]:
    async with identity.uow() as uow:
        dossier = (await uow.customers.dossiers([customer_id]))[customer_id]
        return {str(fact.value) for fact in dossier.facts}


async def consents(identity: Identity, customer_id: UUID) -> list[bool]:
    """As they were last told."""
    told = [each for each in await identity.told("contact-changed") if each["customer_id"] == str(customer_id)]
    return [each["granted"] for each in told[-1]["consents"]]


async def test_a_merge_moves_what_the_absorbed_one_had_and_nothing_else(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    merge_id = await merge(identity, a, b)
    assert set((await identity.owners()).values()) == {a}
    told = (await identity.told("links-changed"))[-1]
    assert (told["decision_id"], told["kind"], len(told["moves"])) == (str(merge_id), "merge", 1)
    gone = (await identity.told("customer-changed"))[-1]
    assert (gone["customer_id"], gone["state"], gone["merged_into"]) == (str(b), "merged", str(a))


async def test_an_undo_gives_back_exactly_what_was_moved(identity: Identity) -> None:
    a = await owner(identity, "email:ana@example.com")
    b = await owner(identity, "account:shop:1", attests=("account",))
    before = await identity.owners()
    proofs = {m["trace_id"]: m["proof"] for e in await identity.told("links-changed") for m in e["moves"]}
    merge_id = await merge(identity, a, b)
    await undo(identity, merge_id)
    assert await identity.owners() == before
    told = (await identity.told("links-changed"))[-1]
    assert told["kind"] == "undo"
    assert all(move["proof"] == proofs[move["trace_id"]] for move in told["moves"])
    back = (await identity.told("customer-changed"))[-1]
    assert (back["customer_id"], back["state"]) == (str(b), "active")
    assert "merged_into" not in back


async def test_revisions_of_a_trace_only_grow(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await undo(identity, await merge(identity, a, b))
    series: dict[str, list[int]] = {}
    for told in await identity.told("links-changed"):
        for move in told["moves"]:
            series.setdefault(move["trace_id"], []).append(move["revision"])
    assert all(revisions == sorted(set(revisions)) for revisions in series.values())


async def test_what_came_while_the_merge_stood_goes_where_the_rules_send_it(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    merge_id = await merge(identity, a, b)
    to_a = seen("phone:3001112233", "email:ana@example.com", name=ANA)
    to_b = seen("partner:acme:7781", "account:shop:1", name=ANA)
    of_both = seen("document:co-cc:52123456", "email:ana@example.com", "account:shop:1", name=ANA)
    await identity.happen(to_b, of_both)
    await identity.happen(to_a)
    assert set((await identity.owners()).values()) == {a}
    await undo(identity, merge_id)
    assert await identity.owner(to_b) == b
    assert await identity.owner(to_a) == a
    assert await identity.owner(of_both) == b  # the account is the stronger of the two


async def test_what_the_rules_cannot_decide_after_an_undo_goes_to_review(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "email:ana@work.example.com")
    merge_id = await merge(identity, a, b)
    of_both = seen("document:co-cc:52123456", "email:ana@example.com", "email:ana@work.example.com", name=ANA)
    await identity.happen(of_both)
    await undo(identity, merge_id)
    assert await identity.owner(of_both) not in {a, b}
    assert [row.explanation["reasons"] for row in await identity.rows(review)] == [["several-customers"]] * 2


async def test_after_an_undo_evidence_joins_the_two_no_more(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await undo(identity, await merge(identity, a, b))
    await identity.happen(seen("document:co-cc:52123456", "email:ana@example.com", "account:shop:1", name=ANA))
    assert len(set((await identity.owners()).values())) == 2
    with pytest.raises(KeptApart):
        await merge(identity, a, b, force=True)
    [pair] = await identity.rows(cannot_link)
    await lift(
        one=pair.left_trace,
        other=pair.right_trace,
        reason="one after all",
        who=MARTA,
        uow=identity.uow(),
        clock=identity.clock,
    )
    await merge(identity, a, b)


async def test_what_is_written_to_a_customer_moves_and_comes_back_with_him(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await learn(identity, b, "hobby", "ajedrez")
    merge_id = await merge(identity, a, b)
    await learn(identity, b, "best_hour", "tarde")  # the old id: it is the survivor's by now
    assert await facts(identity, a) == {"ajedrez", "tarde"}
    await undo(identity, merge_id)
    assert (await facts(identity, a), await facts(identity, b)) == ({"tarde"}, {"ajedrez"})


async def test_what_he_says_himself_stays_his_when_he_was_merged_by_mistake(
    identity: Identity, client_with: ClientWith
) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await consent(identity, b, granted=True)
    merge_id = await merge(identity, a, b)
    identity.clock.advance(timedelta(seconds=1))
    his = f"/identity/v1/customers/{b}"
    said = {"purpose": "marketing", "granted": False, "evidence": "his app"}
    async with client_with("consents:write", "facts:write", subject=f"customer:{b}") as own:
        assert (await own.post(f"{his}/consents", json=said)).status_code == 201
        assert (await own.put(f"{his}/preferences", json={"do_not_contact": True})).status_code == 200
        assert (await own.post(f"{his}/facts", json={"key": "hobby", "value": "ajedrez"})).status_code == 201
    assert (await consents(identity, a), await facts(identity, a)) == ([False], {"ajedrez"})
    await undo(identity, merge_id)
    assert (await consents(identity, a), await facts(identity, a)) == ([], set())
    assert (await consents(identity, b), await facts(identity, b)) == ([False], {"ajedrez"})
    assert [each["do_not_contact"] for each in (await identity.told("contact-changed"))[-2:]] == [False, True]


async def test_the_more_restrictive_consent_holds_until_he_grants_again(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await consent(identity, b, granted=False)
    await consent(identity, a, granted=True)
    merge_id = await merge(identity, a, b)
    assert await consents(identity, a) == [False]
    await consent(identity, a, granted=True)
    assert await consents(identity, a) == [True]
    await undo(identity, merge_id)
    assert (await consents(identity, a), await consents(identity, b)) == ([True], [False])


async def test_an_undo_gives_back_the_consent_that_the_merge_took(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    await consent(identity, b, granted=False)
    await consent(identity, a, granted=True)
    await undo(identity, await merge(identity, a, b))
    assert (await consents(identity, a), await consents(identity, b)) == ([True], [False])


async def test_guards_object_and_a_person_may_overrule_them(identity: Identity) -> None:
    a = await owner(identity, "document:co-cc:52123456", attests=("document",))
    b = await owner(identity, "document:co-cc:79888777", name="Luis Pérez", attests=("document",))
    preview = await preview_merge(survivor=a, absorbed=b, uow=identity.uow(), clock=identity.clock, company=COMPANY)
    assert preview.objections == ["other-document", "other-name"]
    with pytest.raises(GuardObjects) as refusal:
        await merge(identity, a, b)
    assert [error.code for error in refusal.value.errors] == ["other-document", "other-name"]
    await merge(identity, a, b, force=True)


async def test_a_preview_says_what_would_win_and_changes_nothing(identity: Identity) -> None:
    a = await owner(identity, "email:ana@example.com", profile={"city": "Cali"})
    b = await owner(identity, "account:shop:1", profile={"city": "Pasto", "country": "CO"})
    before = await identity.owners()
    preview = await preview_merge(survivor=a, absorbed=b, uow=identity.uow(), clock=identity.clock, company=COMPANY)
    assert [trace.scheme for trace in preview.moves] == ["account"]
    assert preview.identifiers == ["account:shop:1"]
    assert {value.key for value in preview.values} == {"city", "country", "full_name"}
    assert await identity.owners() == before


async def test_a_merge_is_undone_once(identity: Identity) -> None:
    a, b = await owner(identity, "email:ana@example.com"), await owner(identity, "account:shop:1")
    merge_id = await merge(identity, a, b)
    with pytest.raises(CustomerGone):
        await merge(identity, a, b)
    await undo(identity, merge_id)
    with pytest.raises(AlreadyUndone):
        await undo(identity, merge_id)
    with pytest.raises(UnknownMerge):
        await undo(identity, UUID(int=1))


async def test_an_older_merge_is_undone_although_the_survivor_was_absorbed_since(identity: Identity) -> None:
    a = await owner(identity, "email:a@example.com", name="Ana Lopez")
    b = await owner(identity, "account:shop:1", name="Ana Lopez")
    c = await owner(identity, "document:co-cc:52123456", name="Ana Lopez")
    before = await identity.owners()
    first = await merge(identity, a, b)
    second = await merge(identity, c, a)
    await undo(identity, first)
    assert set((await identity.owners()).values()) == {b, c}
    await undo(identity, second)
    assert await identity.owners() == before


async def test_a_retraction_after_the_merge_is_taken_back_after_the_undo_as_well(identity: Identity) -> None:
    person = seen("email:ana@example.com", "phone:3001112233", name=ANA)
    await identity.happen(person)
    a = await identity.owner(person)
    b = await owner(identity, "account:shop:1")
    assert a is not None
    merge_id = await merge(identity, b, a)
    await identity.happen(unseen(person))
    await undo(identity, merge_id)
    assert b in set((await identity.owners()).values())


@pytest.mark.parametrize("survives", [True, False])
async def test_of_whom_nothing_is_left_an_undo_makes_nobody(identity: Identity, survives: bool) -> None:
    mistyped, other = seen("email:ana@example.com", name=ANA), await owner(identity, "account:shop:1")
    await identity.happen(mistyped)
    gone = await identity.owner(mistyped)
    assert gone is not None
    merge_id = await merge(identity, *((gone, other) if survives else (other, gone)))
    await identity.happen(unseen(mistyped))
    await undo(identity, merge_id)
    assert await identity.owner(mistyped) is None
    states = {row.customer_id: row.state for row in await identity.rows(customer)}
    assert states == {other: "active", gone: "archived"}


async def test_whom_a_mistake_led_to_another_is_himself_after_an_undo_as_well(identity: Identity) -> None:
    first, mistyped = seen("account:shop:1", name=ANA), seen("account:shop:1", "email:luis@example.com", name=ANA)
    others = seen("email:luis@example.com")
    for each in (first, mistyped, others):
        await identity.happen(each)
    ana, third = await identity.owner(first), await owner(identity, "document:co-cc:52123456")
    assert ana is not None
    assert await identity.owner(others) == ana
    merge_id = await merge(identity, third, ana)
    await identity.happen(unseen(mistyped))
    luis = await identity.owner(others)
    assert luis not in {ana, third}
    await undo(identity, merge_id)
    assert [await identity.owner(each) for each in (first, others)] == [ana, luis]


Steps = st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=10)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=Steps, order=st.randoms(use_true_random=False))
async def test_merges_undone_in_any_order_give_the_customers_of_before(identity: Identity, steps: list, order) -> None:  # type: ignore[no-untyped-def, type-arg]
    run = len(await identity.owners())
    people = [await owner(identity, f"account:run{run}:c{n}", name=None) for n in range(5)]
    before = await identity.owners()
    standing: list[UUID] = []
    for is_merge, x, y in steps:
        if is_merge:
            try:
                standing.append(await merge(identity, people[x], people[y]))
            except Exception as refusal:  # noqa: BLE001 - a pair that cannot be merged is passed over
                assert type(refusal).__name__ in {"CustomerGone", "SameCustomer", "KeptApart"}  # noqa: PT017
        elif standing:
            await undo(identity, standing.pop(order.randrange(len(standing))))
    order.shuffle(standing)
    for merge_id in standing:
        await undo(identity, merge_id)
    assert await identity.owners() == before
