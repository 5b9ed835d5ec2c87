"""What identity does when a channel sees somebody: redelivered, out of order, taken back, many at once."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from common.bus.delivery import Delivery, Record
from common.db import inbox_table, outbox_table, parked_table
from common.events import encode
from common.service import Runtime
from common.testing import settings_for
from identity.consumers import consume
from identity.customers.models import customer
from identity.customers.telling import tell_profiles
from identity.guards.models import guard_trip
from identity.knowledge.models import fact
from identity.linking.models import trace
from identity.reviews.models import review
from identity.settings import IdentitySettings
from identity.sightings.models import identifier, profile_value, sighting, trace_identifier
from identity.uow import IdentityUnitOfWork
from identity.worker import create_consumer

from .conftest import COMPANY, SECRET, Identity, event, seen, unseen

ANA = "Ana María López Ruiz"
EARLY = datetime.fromisoformat("2026-11-01T10:00:00-05:00")


async def test_somebody_new_becomes_a_customer_and_everybody_is_told(identity: Identity) -> None:
    whatsapp = seen("phone:300 123 4567", name=ANA, attests=("phone",))
    await identity.happen(whatsapp)
    owner = await identity.owner(whatsapp)
    assert owner is not None
    [links] = await identity.told("links-changed")
    assert links["kind"] == "link"
    assert links["moves"][0]["trace_id"] == str(whatsapp.trace_id)
    assert links["moves"][0]["customer_id"] == str(owner)
    assert links["moves"][0]["proof"] == "attested"
    [changed] = await identity.told("customer-changed")
    assert (changed["customer_id"], changed["state"], changed["kind"]) == (str(owner), "active", "person")
    [profiled] = await identity.told("customer-profiled")
    assert (profiled["display_name"], profiled["preferred_name"]) == (ANA, "Ana")
    assert [each["question_id"] for each in profiled["ask"]][:2] == ["q-email", "q-best-hour"]


async def test_the_second_channel_is_the_same_person(identity: Identity) -> None:
    whatsapp = seen("phone:300 123 4567", name=ANA)
    mail = seen("email:ana@example.com", "phone:3001234567", name="ANA LOPEZ")
    await identity.happen(whatsapp)
    await identity.happen(mail)
    assert await identity.owner(whatsapp) == await identity.owner(mail)
    assert len(await identity.rows(customer)) == 1


async def test_a_whole_history_in_one_batch_is_decided_like_one_by_one(identity: Identity) -> None:
    people = [seen(f"account:shop:c{n % 40}", name=f"Cliente{n % 40} Numero{n % 40}") for n in range(120)]
    await identity.happen(*people)
    assert len(await identity.rows(customer)) == 40
    [links] = await identity.told("links-changed")
    assert len(links["moves"]) == 40


async def test_a_redelivered_event_counts_once(identity: Identity) -> None:
    once = event(seen("phone:3001234567", name=ANA, facts=[{"key": "hobby", "value": "ajedrez"}]))
    await identity.handle(once)
    await identity.handle(once)
    assert len(await identity.rows(fact)) == 1
    assert len(await identity.told("links-changed")) == 1
    assert [(row.event_id, row.consumer) for row in await identity.rows(inbox_table)] == [(once.id, "identity")]


async def test_a_republished_touchpoint_teaches_nothing_twice(identity: Identity) -> None:
    told = seen("phone:3001234567", name=ANA, facts=[{"key": "hobby", "value": "ajedrez"}])
    await identity.happen(told)
    await identity.happen(told)
    assert len(await identity.rows(fact)) == 1


async def test_who_is_seen_waits_for_a_decision_that_is_under_way(identity: Identity) -> None:
    """Decided side by side, two would link the same traces by what neither of them knows of the other."""
    if identity.database.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
    async with identity.uow() as deciding:
        await deciding.lock_decisions()
        seeing = asyncio.create_task(identity.happen(seen("phone:3001234567", name=ANA)))
        while not await deciding.session.scalar(waiting):
            assert not seeing.done()
    await seeing


async def test_out_of_order_the_most_recent_value_stands_whichever_came_last(identity: Identity) -> None:
    await identity.happen(seen("phone:3001234567", profile={"city": "Cali"}))
    await identity.happen(seen("phone:3001234567", profile={"city": "Pasto"}, at=EARLY))
    assert [known["value"] for known in (await identity.told("customer-profiled"))[-1]["known"]] == ["Cali"]


async def test_what_was_taken_back_before_it_came_teaches_nothing(identity: Identity) -> None:
    told = seen("phone:3001234567", name=ANA)
    await identity.happen(unseen(told))
    await identity.happen(told)
    assert await identity.rows(customer) == []


async def test_a_retracted_touchpoint_takes_what_it_alone_taught(identity: Identity) -> None:
    stays = seen("email:ana@example.com", name=ANA, profile={"city": "Cali"})
    goes = seen(
        "email:ana@example.com",
        "phone:3001234567",
        profile={"city": "Pasto"},
        facts=[{"key": "hobby", "value": "ajedrez"}],
    )
    await identity.happen(stays, goes)
    owner = await identity.owner(stays)
    await identity.happen(unseen(goes))
    assert await identity.owner(stays) == owner
    assert len(await identity.rows(trace_identifier)) == 1
    assert {row.value for row in await identity.rows(profile_value)} == {ANA, "Cali"}
    assert await identity.rows(fact) == []
    assert [known["value"] for known in (await identity.told("customer-profiled"))[-1]["known"]] == ["Cali"]


async def test_a_trace_whose_connection_was_retracted_is_decided_anew(identity: Identity) -> None:
    ana = seen("phone:3001234567", name=ANA)
    mistyped = seen("account:shop:1", "phone:3001234567")
    await identity.happen(ana)
    await identity.happen(mistyped)
    again = seen("account:shop:1")
    await identity.happen(again)
    assert await identity.owner(mistyped) == await identity.owner(ana)
    await identity.happen(unseen(mistyped))
    assert await identity.owner(again) not in {None, await identity.owner(ana)}


async def test_a_customer_of_whom_nothing_is_left_is_archived(identity: Identity) -> None:
    mistyped = seen("phone:3001234567", name=ANA)
    await identity.happen(mistyped)
    await identity.happen(unseen(mistyped))
    assert await identity.owner(mistyped) is None
    assert [row.state for row in await identity.rows(customer)] == ["archived"]
    assert (await identity.told("links-changed"))[-1]["moves"][0].get("customer_id") is None


async def test_a_merge_by_rules_falls_with_the_touchpoint_it_was_made_on(identity: Identity) -> None:
    mail, shop = seen("email:ana@example.com", name=ANA), seen("account:shop:1", name=ANA)
    await identity.happen(mail, shop)
    both = seen("document:co-cc:52123456", "email:ana@example.com", "account:shop:1", name=ANA)
    await identity.happen(both)
    assert await identity.owner(mail) == await identity.owner(shop)
    assert {e["kind"] for e in await identity.told("links-changed")} == {"link", "merge"}
    await identity.happen(unseen(both))
    assert await identity.owner(mail) != await identity.owner(shop)


async def test_nothing_is_told_of_a_customer_of_whom_nothing_changed(identity: Identity) -> None:
    await identity.happen(seen("phone:3001234567", name=ANA))
    before = len(await identity.told("customer-profiled"))
    await identity.happen(seen("phone:3001234567", name=ANA, at=EARLY + timedelta(days=30)))
    assert len(await identity.told("customer-profiled")) == before
    assert len(await identity.told("links-changed")) == 1


async def test_of_whom_the_same_is_told_again_is_not_worked_out_anew_how_he_is_known(identity: Identity) -> None:
    said = {"city": "Cali"}
    await identity.happen(seen("phone:3001234567", name=ANA, profile=said))
    identity.company = COMPANY.model_copy(
        update={"questions": ()}
    )  # whoever is worked out anew by this file is asked nothing
    await identity.happen(seen("phone:3001234567", name=ANA, profile=said))
    assert len(await identity.told("customer-profiled")) == 1
    identity.compared.clear()  # as a process that has just started with it
    await identity.happen(seen("phone:3001234567", name=ANA, profile=said))
    assert [bool(told["ask"]) for told in await identity.told("customer-profiled")] == [True, False]
    await identity.happen(seen("phone:3001234567", name=ANA, profile=said))
    assert len(await identity.told("customer-profiled")) == 2


async def test_of_whom_nothing_could_be_committed_nobody_remembers_that_he_was_worked_out(identity: Identity) -> None:
    class Away(IdentityUnitOfWork):
        async def commit(self) -> None:
            raise ConnectionError

    told = event(seen("phone:3001234567", name=ANA, profile={"city": "Cali"}))
    given = {"clock": identity.clock, "company": identity.company, "secret": SECRET}
    with pytest.raises(ConnectionError):
        await consume([told], uow=Away(identity.database), compared=identity.compared, **given)
    assert identity.compared == set()
    await identity.handle(told)
    assert len(identity.compared) == 1


async def test_a_value_that_comes_again_after_another_stands_again(identity: Identity) -> None:
    for day, city in enumerate(("Cali", "Pasto", "Pasto", "Cali", "Cali")):
        at = EARLY + timedelta(days=day)
        await identity.happen(seen("phone:3001234567", name=ANA, profile={"city": city}, at=at))
    told = await identity.told("customer-profiled")
    assert [known["value"] for each in told for known in each["known"]] == ["Cali", "Pasto", "Cali"]


async def test_a_value_under_one_identifier_gives_way_to_that_under_another(identity: Identity) -> None:
    await identity.happen(seen("email:ana@example.com", "phone:3001234567", name=ANA))
    for day, (over, city) in enumerate((("phone:3001234567", "Cali"), ("email:ana@example.com", "Pasto")) * 2):
        at = EARLY + timedelta(days=day)
        await identity.happen(seen(over, name=ANA, profile={"city": city}, at=at))
    assert len(await identity.rows(customer)) == 1
    told = await identity.told("customer-profiled")
    assert [known["value"] for each in told for known in each["known"]] == ["Cali", "Pasto", "Cali", "Pasto"]


async def test_a_value_told_before_makes_what_is_known_older(identity: Identity) -> None:
    await identity.happen(seen("phone:3001234567", name=ANA, profile={"city": "Cali"}))
    await identity.happen(seen("phone:3001234567", name=ANA, profile={"city": "Cali"}, at=EARLY))
    [known] = (await identity.told("customer-profiled"))[-1]["known"]
    assert datetime.fromisoformat(known["as_of"]) == EARLY


async def test_a_value_told_by_another_source_as_well_is_weighed(identity: Identity) -> None:
    first = seen("phone:3001234567", name=ANA, profile={"city": "Cali"}, at=EARLY)
    later = seen("phone:3001234567", name=ANA, profile={"city": "Cali"}).model_copy(update={"source": "desk"})
    await identity.happen(first)
    await identity.happen(later)
    assert [known["source"] for known in (await identity.told("customer-profiled"))[-1]["known"]] == ["desk"]


async def test_a_blocked_identifier_is_nobody(identity: Identity) -> None:
    await identity.happen(seen("email:noreply@example.com", name=ANA))
    assert await identity.rows(customer) == []


async def test_a_device_is_kept_and_stays_anonymous(identity: Identity) -> None:
    visitor = seen("device:9f31")
    await identity.happen(visitor)
    assert await identity.owners() == {visitor.trace_id: None}
    assert await identity.told("links-changed") == []


async def test_a_phone_of_too_many_proves_contact_only_from_then_on(identity: Identity) -> None:
    names = ["Pedro Gomez", "Lucia Vargas", "Hernan Castro", "Beatriz Molina", "Jairo Quintero"]
    await identity.happen(*(seen("phone:6013456789", name=name) for name in names))
    assert [row.shared for row in await identity.rows(identifier)] == [True]
    late = seen("email:pedro@example.com", "phone:6013456789", name="Pedro Gomez")
    await identity.happen(late)
    owners = await identity.owners()
    assert len(set(owners.values())) == 6


async def test_what_is_not_certain_goes_to_review_once(identity: Identity) -> None:
    await identity.happen(seen("email:ana@example.com", name=ANA))
    await identity.happen(seen("account:shop:1", "email:ana@example.com", name="Luis Pérez"))
    await identity.happen(seen("account:shop:1", "email:ana@example.com", name="Luis Alberto Pérez"))
    [pair] = await identity.rows(review)
    assert pair.explanation["reasons"] == ["other-name"]
    assert "ana@example.com" not in str(pair.explanation)


async def test_a_link_is_proved_when_its_source_attests_it_later(identity: Identity) -> None:
    await identity.happen(seen("email:ana@example.com", name=ANA))
    await identity.happen(seen("email:ana@example.com", name=ANA, attests=("email",)))
    proofs = [move["proof"] for links in await identity.told("links-changed") for move in links["moves"]]
    revisions = [move["revision"] for links in await identity.told("links-changed") for move in links["moves"]]
    assert proofs == ["claimed", "attested"]
    assert revisions == sorted(revisions)


async def test_a_claim_beside_a_proof_proves_nothing(identity: Identity) -> None:
    victim = seen("email:ana@example.com", name=ANA, attests=("email",))
    await identity.happen(victim)
    await identity.happen(seen("email:ana@example.com", "phone:3009998877", attests=("phone",)))
    caller = seen("phone:3009998877", attests=("phone",))
    await identity.happen(caller)
    proofs = {
        move["trace_id"]: move["proof"] for links in await identity.told("links-changed") for move in links["moves"]
    }
    assert proofs[str(victim.trace_id)] == "attested"
    assert proofs[str(caller.trace_id)] == "claimed"


async def test_an_unreadable_event_is_parked_and_the_others_are_handled(identity: Identity) -> None:
    consumer = create_consumer(Runtime(settings_for(IdentitySettings), identity.database, COMPANY, identity.clock))
    good = seen("phone:3001234567", name=ANA)
    bad = encode(seen("phone:3007654321"), at=identity.clock())[1].replace(b'"trace_id":"', b'"trace_id":"x')
    records = [Record(good.topic, "1", bad), Record(good.topic, "2", encode(good, at=identity.clock())[1])]
    await Delivery(consumer, identity.database, clock=identity.clock).deliver(records)
    assert await identity.owner(good) is not None
    assert [row.code for row in await identity.rows(parked_table)] == ["bad-schema"]


async def test_a_customer_named_by_his_id_is_found_even_after_he_was_absorbed(identity: Identity) -> None:
    mail, shop = seen("email:ana@example.com", name=ANA), seen("account:shop:1", name=ANA)
    await identity.happen(mail)
    await identity.happen(shop)
    younger = await identity.owner(shop)
    await identity.happen(seen("document:co-cc:52123456", "email:ana@example.com", "account:shop:1", name=ANA))
    note = seen(f"customer:{younger}")
    await identity.happen(note)
    assert await identity.owner(note) == await identity.owner(mail)


async def test_an_id_that_was_never_given_out_is_nobody(identity: Identity) -> None:
    note = seen(f"customer:{UUID(int=9)}")
    await identity.happen(note)
    assert await identity.owner(note) is None


@pytest.mark.parametrize("reverse", [False, True])
async def test_the_order_of_arrival_does_not_decide_who_is_one(identity: Identity, reverse: bool) -> None:
    arrivals = [
        seen("phone:3001234567", name=ANA),
        seen("phone:3001234567", name="Luis Pérez"),
        seen("email:ana@example.com", "phone:3001234567", name="ANA LOPEZ RUIZ"),
        seen("document:co-cc:52123456", "email:ana@example.com", name="Ana Lopez"),
    ]
    for each in reversed(arrivals) if reverse else arrivals:
        await identity.happen(each)
    owners = [await identity.owner(each) for each in arrivals]
    assert owners[0] == owners[2] == owners[3]
    assert owners[1] != owners[0]


async def test_a_known_person_who_comes_again_is_seen_later_and_nothing_is_told(identity: Identity) -> None:
    first = seen("account:shop:c1", "email:ana@example.com", name=ANA, attests=("*",))
    await identity.happen(first)
    told = await identity.rows(outbox_table)
    again = seen("account:shop:c1", name=ANA, attests=("account",), at=first.occurred_at + timedelta(days=2))
    later = seen("account:shop:c1", at=first.occurred_at + timedelta(days=1))
    await identity.happen(again, later)
    [known] = await identity.rows(trace)
    assert (known.first_seen, known.last_seen) == (first.occurred_at, again.occurred_at)
    carried = {row.identifier_id: row.last_seen for row in await identity.rows(trace_identifier)}
    assert sorted(carried.values()) == [first.occurred_at, again.occurred_at]
    assert len(await identity.rows(sighting)) == 3
    assert await identity.rows(outbox_table) == told


async def test_what_a_known_person_told_before_we_knew_him_makes_everything_older(identity: Identity) -> None:
    first = seen("account:shop:c1", name=ANA)
    await identity.happen(first)
    await identity.happen(seen("account:shop:c1", at=EARLY))
    [known], [carried], [found] = [await identity.rows(each) for each in (trace, trace_identifier, identifier)]
    assert known.first_seen == carried.first_seen == found.first_seen == EARLY
    assert known.last_seen == carried.last_seen == first.occurred_at


async def test_how_a_newcomer_is_told_is_how_he_is_on_record(identity: Identity) -> None:
    """Told from what came, not from what was written: told anew from the record it would be the same."""
    one, other = (
        seen("account:shop:c1", "email:ana@example.com", name=ANA),
        seen("account:shop:c1", profile={"city": "Cali"}),
    )
    await identity.happen(one, other, seen("phone:3001234568", facts=[{"key": "hobby", "value": "ajedrez"}]))
    told = await identity.told("customer-profiled")
    assert len(told) == 2
    async with identity.uow() as uow:
        every = [each.customer_id for each in await uow.customers.page(after=None, limit=10)]
        assert await tell_profiles(every, uow=uow, company=COMPANY, now=identity.clock()) == 0
        assert await tell_profiles(every, uow=uow, company=COMPANY, now=identity.clock(), anew=True) == 2
        await uow.commit()
    anew = (await identity.told("customer-profiled"))[2:]
    plain = [{name: value for name, value in each.items() if name != "revision"} for each in (*told, *anew)]
    assert sorted(map(str, plain[:2])) == sorted(map(str, plain[2:]))


async def test_a_newcomer_whose_touchpoint_is_taken_back_at_once_is_told_as_he_is_in_the_end(
    identity: Identity,
) -> None:
    kept, gone = seen("account:shop:c1", name=ANA), seen("account:shop:c1", profile={"city": "Cali"})
    await identity.happen(kept, gone, unseen(gone))
    [told] = await identity.told("customer-profiled")
    assert told["known"] == []


async def test_a_device_is_counted_with_all_who_come_with_it(identity: Identity) -> None:
    people = [seen(f"account:shop:c{n}", "device:tablet-1", name=f"Cliente Numero{n}") for n in range(5)]
    await identity.happen(*people)
    last = seen("account:shop:c9", "device:tablet-1", name="Otro Cliente")
    again = [seen(f"account:shop:c{n}", "device:tablet-1") for n in range(5)]
    await identity.happen(*again, last)
    [bitten] = await identity.rows(guard_trip)
    assert (bitten.guard, bitten.scheme, bitten.figures["customers"]) == ("shared-identifier", "device", 6)
