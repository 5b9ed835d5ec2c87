"""Of which traces anything new is told: the many that carry all of it already are told apart at once, and none is lost."""

from datetime import timedelta
from itertools import product

import pytest

from common.contracts.interactions import PersonSeen
from identity.sightings.domain import sighting_of

from ..conftest import COMPANY, Identity, seen  # noqa: TID252

AT = seen("phone:3001234567").occurred_at
CLAIMED, ATTESTED = "phone:3001234567", "phone:3017654321"
EARLIER, LATER = AT - timedelta(days=1), AT + timedelta(days=1)


async def news(identity: Identity, *told: PersonSeen) -> set[int]:
    """The places of those with news among what is told in one batch, which is not taken in."""
    async with identity.uow() as uow:
        traces = await uow.links.with_news([sighting_of(each, COMPANY) for each in told])
    return {place for place, each in enumerate(told) if each.trace_id in traces}


async def test_nothing_told_is_no_news(identity: Identity) -> None:
    assert await news(identity) == set()


async def test_what_is_carried_already_is_no_news(identity: Identity) -> None:
    await identity.happen(seen("phone:3001234567"))
    assert await news(identity, seen("phone:3001234567"), seen("phone:3001234567", at=LATER)) == set()


async def test_whoever_is_in_the_batch_with_one_seen_before_is_judged_by_his_own_moment(identity: Identity) -> None:
    await identity.happen(seen("phone:3001234567"), seen("email:ana@example.com", at=EARLIER))
    assert await news(identity, seen("phone:3001234567"), seen("email:ana@example.com", at=EARLIER)) == set()


async def test_whoever_is_in_the_batch_with_one_attested_is_judged_by_his_own_attestation(identity: Identity) -> None:
    attested = seen("email:ana@example.com", attests=("email",))
    await identity.happen(seen("phone:3001234567"), attested)
    assert await news(identity, seen("phone:3001234567"), attested) == set()


async def test_an_identifier_that_the_trace_does_not_carry_yet_is_news(identity: Identity) -> None:
    known = seen("document:co-cc:52123456")
    await identity.happen(known, seen("phone:3001234567"))
    more = seen("document:co-cc:52123456", "phone:3001234567")
    assert more.trace_id == known.trace_id
    assert await news(identity, seen("phone:3001234567"), more) == {1}


@pytest.mark.parametrize("beside", ["nobody", "old", "sure", "plain", "old sure plain"])
async def test_seen_earlier_or_attested_at_last_is_news_and_nothing_else_is(identity: Identity, beside: str) -> None:
    people = {
        "old": seen("email:old@example.com", at=EARLIER),
        "sure": seen("email:sure@example.com", attests=("email",)),
        "plain": seen("email:plain@example.com"),
    }
    await identity.happen(*people.values(), seen(CLAIMED), seen(ATTESTED, attests=("phone",)))
    others = [one for name, one in people.items() if name in beside]
    for of, attests, at in product((CLAIMED, ATTESTED), ((), ("phone",)), (EARLIER, AT, LATER)):
        told = seen(of, attests=attests, at=at)
        is_news = at < AT or (of == CLAIMED and attests != ())
        assert await news(identity, told, *others) == ({0} if is_news else set()), (of, attests, at)
