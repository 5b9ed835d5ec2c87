"""Forgetting a person of whom something is still on its way."""

from datetime import timedelta
from uuid import UUID

import httpx

from common.http import ServiceApp
from common.testing import client_for
from identity.linking.models import decision, trace
from identity.privacy.use_cases import Certificate, certificate_of, erase_customer

from ..conftest import COMPANY, SECRET, Identity, seen  # noqa: TID252
from ..merges.test_use_cases import MARTA, merge, undo  # noqa: TID252

ANA = "Ana María López"
EMAIL, CARD = "email:ana@example.com", "account:club:7788"


async def erased(identity: Identity, customer_id: UUID) -> Certificate:
    return await erase_customer(
        customer_id=customer_id, reason="Request 88", who=MARTA, uow=identity.uow(), clock=identity.clock,
        company=COMPANY, secret=SECRET,
    )  # fmt: skip


async def test_what_was_recorded_before_and_is_heard_of_since_is_one_more_part_and_nobodys(identity: Identity) -> None:
    """On a trace that nobody knew, by an identifier that only he carried: other services may have it already."""
    first = seen(EMAIL, name=ANA)
    await identity.happen(first)
    late = seen(CARD, EMAIL, name=ANA, recorded_at=identity.clock())
    identity.clock.advance(timedelta(minutes=1))
    customer_id = await identity.owner(first)
    assert customer_id is not None
    erasure = (await erased(identity, customer_id)).erasure
    await identity.happen(late)
    assert await identity.rows(trace) == []
    parts = await identity.told("customer-erased")
    assert [(one["part"], one["traces"]) for one in parts][1:] == [(1, [str(late.trace_id)])]
    found = await certificate_of(erasure.erasure_id, uow=identity.uow())
    assert (found.erasure.parts, found.erasure.state) == (2, "under-way")
    await identity.happen(late.model_copy(update={"touchpoint_id": first.touchpoint_id}))
    assert len(await identity.told("customer-erased")) == 2


async def test_what_is_recorded_since_and_what_is_only_like_him_is_somebodys(identity: Identity) -> None:
    first = seen(EMAIL, "phone:3001112233", name=ANA)
    await identity.happen(first)
    before = identity.clock()
    customer_id = await identity.owner(first)
    assert customer_id is not None
    identity.clock.advance(timedelta(minutes=1))
    await erased(identity, customer_id)
    other = seen("account:club:1", "phone:3001112233", name="Luis Vega", recorded_at=before)  # who shares the phone
    again = seen(CARD, EMAIL, name=ANA, recorded_at=identity.clock() + timedelta(minutes=1))
    await identity.happen(other, again)
    owners = await identity.owners()
    assert set(owners) == {other.trace_id, again.trace_id}
    assert None not in owners.values()
    assert len(await identity.told("customer-erased")) == 1


async def test_a_merge_of_others_can_be_undone_after_whoever_was_one_with_them_once_is_erased(
    identity: Identity,
) -> None:
    """In the before-image of the second merge stands what belonged to the first one's survivor by mistake."""
    theirs = [seen(f"account:shop:{n}1", name=name) for n, name in enumerate((ANA, "Berta Gil", "Luis Vega"))]
    await identity.happen(*theirs)
    ana, berta, luis = [await identity.owner(each) for each in theirs]
    assert ana
    assert berta
    assert luis
    by_mistake = await merge(identity, ana, luis, force=True)
    second = await merge(identity, ana, berta, force=True)
    await undo(identity, by_mistake)
    await erased(identity, luis)
    left = [row.before for row in await identity.rows(decision)]
    assert str(theirs[2].trace_id) not in str(left)
    assert str(luis) not in str(left)
    await undo(identity, second)
    assert [await identity.owner(each) for each in theirs[:2]] == [ana, berta]
    async with identity.uow() as uow:
        apart = await uow.links.kept_apart([each.trace_id for each in theirs])
    assert len(apart) == 1


async def test_asked_again_for_whoever_had_been_absorbed_it_is_the_same_certificate(identity: Identity) -> None:
    theirs = [seen(f"account:shop:{n}1", name=name) for n, name in enumerate((ANA, "Berta Gil"))]
    await identity.happen(*theirs)
    ana, berta = [await identity.owner(each) for each in theirs]
    assert ana
    assert berta
    await merge(identity, ana, berta, force=True)
    first = await erased(identity, berta)
    again = await erased(identity, berta)
    assert (again.erasure, again.lines) == (first.erasure, first.lines)
    assert first.erasure.customer_id == ana


async def test_his_own_credential_is_revoked_and_says_no_more_what_it_was_called(
    identity: Identity, client: httpx.AsyncClient, app: ServiceApp
) -> None:
    keys = "/identity/v1/access-keys"
    theirs = [seen(f"account:shop:{n}1", name=name) for n, name in enumerate((ANA, "Berta Gil", "Luis Vega"))]
    await identity.happen(*theirs)
    ana, berta, luis = [await identity.owner(each) for each in theirs]
    assert ana
    assert berta
    await merge(identity, ana, berta, force=True)
    made = [
        (await client.post(keys, json={"name": f"App of {each}", "scopes": ["facts:write"], "subject": f"customer:{each}"})).json()
        for each in (ana, berta, luis)
    ]  # fmt: skip
    fact = {"key": "hobby", "value": "chess"}

    async def learns(place: int) -> int:
        async with client_for(app, made[place]["key"]) as own:
            return (await own.post(f"/identity/v1/customers/{(ana, berta, luis)[place]}/facts", json=fact)).status_code

    assert [await learns(place) for place in range(3)] == [201, 201, 201]
    await client.post(f"/identity/v1/customers/{ana}:erase", json={"reason": "Request 88"})
    assert [await learns(place) for place in range(3)] == [401, 401, 201]
    told = {each["key_id"]: each for each in await identity.told("access-changed")}
    assert [(told[key["key_id"]]["revoked"], told[key["key_id"]]["name"]) for key in made[:2]] == [(True, "")] * 2
    assert [each["name"] for each in (await client.get(keys)).json()["items"] if each["name"]] == [f"App of {luis}"]
