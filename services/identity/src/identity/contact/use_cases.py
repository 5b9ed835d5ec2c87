"""What a caller can ask for about contact: record a consent, say how he wants to be contacted."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from common.moments import check_occurred
from identity.contact.domain import Consent, Preference, contact_of
from identity.customers.telling import tell_contact
from identity.customers.use_cases import own_trace
from identity.linking.domain import together_by
from identity.reach import held
from identity.uow import IdentityUnitOfWork


async def holding_of(customers: Collection[UUID], uow: IdentityUnitOfWork) -> dict[UUID, dict[str, Any]]:
    """What holds of each customer by now, as `contact_of` gives it: wishes, consents, whether the use of his data is restricted."""
    owner = {info.trace_id: info.customer_id for info in await uow.customers.traces_of(customers)}
    preferences, consents = await uow.contact.preferences_of(owner), await uow.contact.consents_of(owner)
    together = together_by(await uow.links.merges_beneath(customers))
    return {
        each: contact_of(
            [p for p in preferences if owner[p.trace_id] == each], [c for c in consents if owner[c.trace_id] == each],
            together=together,
        )
        for each in customers
    }  # fmt: skip


async def is_restricted(customer_id: UUID, uow: IdentityUnitOfWork) -> bool:
    """Whether his data are only stored, and nothing is done with them."""
    return bool((await holding_of([customer_id], uow))[customer_id]["restricted"])


async def record_consent(
    *,
    customer_id: UUID,
    entry: Consent,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    secret: bytes,
) -> Consent:
    """One more entry of the ledger; nothing in it is ever changed. Raises OccurredInFuture."""
    now = clock()
    check_occurred(entry.given_at, now=now, pointer="/at")
    async with uow:
        answer = await recall(uow, attempt, who)
        customer = await held(customer_id, who, uow)
        if answer is not None and (known := await uow.contact.entry(UUID(answer["consent_id"]))) is not None:
            return known
        own = await own_trace(customer, uow=uow, secret=secret, by=who.known_as, now=now, himself=who.customer_id)
        said_at = min(entry.given_at, now)  # by a clock that goes ahead: what he says next must not be outdated by it
        entry = replace(entry, consent_id=new_id(), trace_id=own, given_at=said_at, recorded_at=now, by=who.known_as)
        await uow.contact.add_consent(entry)
        await tell_contact([customer.customer_id], uow=uow, now=now)
        await remember(uow, attempt, who, {"consent_id": str(entry.consent_id)}, at=now)
        await uow.commit()
    return entry


async def prefer(
    *, customer_id: UUID, body: dict[str, Any], who: Principal, uow: IdentityUnitOfWork, clock: Clock, secret: bytes
) -> None:
    """How he wants to be contacted from now on, whole; what he wanted before stays on record."""
    now = clock()
    async with uow:
        customer = await held(customer_id, who, uow)
        own = await own_trace(customer, uow=uow, secret=secret, by=who.known_as, now=now, himself=who.customer_id)
        await uow.contact.add_preference(Preference(own, body, now, who.known_as))
        await tell_contact([customer.customer_id], uow=uow, now=now)
        await uow.commit()
