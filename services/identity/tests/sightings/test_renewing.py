"""Identifiers that were taken in under an older normal form: the same raw number finds the same customer after the upgrade."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from common.identifiers import NORMALISATION, Identifier, identifier_id, trace_of
from common.service import Runtime
from common.testing import settings_for, woken
from common.timers import Timer
from common.upgrading import NEVER, WHOLE
from identity.linking.models import decision, trace
from identity.settings import IdentitySettings
from identity.sightings import renewing
from identity.sightings.models import identifier, sighting, trace_identifier
from identity.sightings.renewing import NORMAL_FORM, renew_on
from identity.worker import create_timers, prepare

from ..conftest import COMPANY, SECRET, Identity, seen, unseen  # noqa: TID252

ANA = "Ana María López"
# Raw, and what the first normal form made of it.
OLDER = [
    ("document:es-nif:12345678Z", "document:es-nif:12345678Z"),  # now under its own kind
    ("document:pe-dni:10117410-2", "document:pe-dni:101174102"),  # now without the check digit
    ("document:co-cedula:52123456", "document:co-cedula:52123456"),
    ("phone:310 123 4567 (casa)", "phone:~3101234567casa"),  # could not be read
    ("phone:+56 2 345 6789", "phone:~+5623456789"),
]


def taken_in(text: str, **more: Any) -> Any:
    """Somebody under an identifier in the form that the first version made."""
    scheme, _, value = text.partition(":")
    told = seen("device:none", name=ANA, **more)
    one = Identifier(scheme=scheme, value=value, given=text)
    found = trace_of([one], name=ANA, source="shop", external_id="1", secret=SECRET)
    carried = {"id": str(identifier_id(text, SECRET)), "scheme": scheme, "value": value, "attested": False}
    return told.model_copy(update={"trace_id": found.trace_id, "identifiers": [carried]})


def runtime(identity: Identity) -> Runtime:
    return Runtime(settings_for(IdentitySettings), identity.database, COMPANY, identity.clock)


async def upgraded(identity: Identity, most: int = 100) -> int:
    """A worker of this version starts and wakes as often as it is due; gives how often."""
    await prepare(runtime(identity))
    return await woken(lambda: create_timers(runtime(identity)), identity.clock, most=most)


async def noted(identity: Identity) -> Timer:
    async with identity.uow() as uow:
        found = await uow.timers.get(NORMAL_FORM, WHOLE)
    assert found is not None
    return found


async def who_has(client: httpx.AsyncClient, raw: str) -> list[str]:
    found = (await client.get("/identity/v1/customers", params={"identifier": raw})).json()["items"]
    return [one["customer_id"] for one in found]


@pytest.mark.parametrize(("raw", "older"), OLDER)
async def test_the_same_raw_number_finds_him_again_and_leads_to_him(
    identity: Identity, client: httpx.AsyncClient, raw: str, older: str
) -> None:
    his = taken_in(older)
    await identity.happen(his)
    customer_id = await identity.owner(his)
    assert customer_id is not None
    assert await who_has(client, raw) == []  # which is why
    before = [await identity.rows(table) for table in (trace, decision)]
    await upgraded(identity)
    assert await who_has(client, raw) == [str(customer_id)]
    assert [await identity.rows(table) for table in (trace, decision)] == before  # and nobody was joined
    again = seen(raw, "account:shop:9", name=ANA)
    await identity.happen(again)
    assert await identity.owner(again) == customer_id


async def test_what_is_in_todays_form_stays_as_it_is(identity: Identity) -> None:
    await identity.happen(seen("phone:3001112233", "email:ana@example.com", name=ANA))
    await identity.happen(seen("document:co-cc:52123456", "account:shop:1", name="Luis Vega"))
    before = [await identity.rows(table) for table in (identifier, trace_identifier, sighting)]
    await upgraded(identity)
    assert [await identity.rows(table) for table in (identifier, trace_identifier, sighting)] == before
    done = await noted(identity)
    assert (done.due_at, done.payload["form"], done.payload["renewed"]) == (NEVER, NORMALISATION, 0)


async def test_a_retraction_takes_both_forms_away(identity: Identity, client: httpx.AsyncClient) -> None:
    raw, older = OLDER[0]
    his = taken_in(older)
    await identity.happen(his)
    await upgraded(identity)
    assert len(await who_has(client, raw)) == 1
    await identity.happen(unseen(his))
    assert await who_has(client, raw) == []


async def test_killed_half_way_it_goes_on_where_it_was(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    await identity.happen(*(taken_in(older) for _, older in OLDER))
    monkeypatch.setattr(renewing, "AT_ONCE", 1)
    await upgraded(identity, most=2)
    half = await noted(identity)
    async with identity.uow() as uow:  # no commit: as if it was killed
        await renew_on([half], uow=uow, clock=identity.clock, company=COMPANY, secret=SECRET)
    await upgraded(identity)
    async with identity.uow() as uow:
        carried = (await uow.session.execute(sa.select(trace_identifier.c.identifier_id))).scalars().all()
    assert len(carried) == 2 * len(OLDER)
    assert {identifier_id(older, SECRET) for _, older in OLDER} < set(carried)
