"""Putting a value right: the new one stands beside the old, with who changed it and why."""

from typing import Any
from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import PROFILE_KEYS, Company
from common.errors import Invalid
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from identity.customers.domain import Dossier, survivors
from identity.customers.telling import tell_profiles
from identity.customers.use_cases import STAFF, own_trace, write_profile
from identity.knowledge.domain import Fact, current_facts
from identity.linking.repository import Decision
from identity.privacy.domain import RECTIFY
from identity.reach import held
from identity.uow import IdentityUnitOfWork


class NotText(Invalid):
    code = "not-text"
    title = "A value of the profile is a text, or null to take it away"


class UnknownKey(Invalid):
    code = "unknown-key"
    title = "Neither a value of the profile, nor a fact that the company or he has. Identifiers have calls of their own"


async def rectify(
    *,
    customer_id: UUID,
    key: str,
    value: Any,
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
    secret: bytes,
) -> Decision:
    """Put a value of the profile, or a fact, right; what stood before stays in its series. Raises NotText, UnknownKey."""
    if key in PROFILE_KEYS and not isinstance(value, str | None):
        raise NotText(pointer="/value")
    now, by = clock(), who.known_as
    async with uow:
        answer = await recall(uow, attempt, who)
        customer = await held(customer_id, who, uow)
        if answer is not None and (known := await uow.links.decision(UUID(answer["decision_id"]))) is not None:
            return known
        dossier = (await uow.customers.dossiers([customer.customer_id]))[customer.customer_id]
        if key not in PROFILE_KEYS and company.fact(key) is None and all(fact.key != key for fact in dossier.facts):
            raise UnknownKey(pointer="/key")
        own = await own_trace(customer, uow=uow, secret=secret, by=by, now=now)
        if key in PROFILE_KEYS:
            await write_profile(own, {key: value}, uow=uow, source=STAFF, now=now)
        else:
            validity = company.valid_for(key)
            expires_at = now + validity if validity and value is not None else None
            # a contact by a clock that goes ahead may have told what is wrong as of a little later
            at = max([now, *(fact.observed_at for fact in dossier.facts if fact.key == key)])
            await uow.knowledge.add([Fact(new_id(), own, key, value, STAFF, 1.0, at, expires_at, None, None, by)])
        change = {"key": key, "was": _standing(dossier, key, company), "is": value}
        decision = Decision(new_id(), RECTIFY, by, reason, now, customer.customer_id, before=change)
        await uow.links.record([decision])
        await tell_profiles([customer.customer_id], uow=uow, company=company, now=now)
        await remember(uow, attempt, who, {"decision_id": str(decision.decision_id)}, at=now)
        await uow.commit()
    return decision


def _standing(dossier: Dossier, key: str, company: Company) -> Any:
    if key in PROFILE_KEYS:
        found = survivors(dossier.values, company.survivorship).get(key)
        return None if found is None else found.value
    fact = current_facts(dossier.facts).get(key)
    return None if fact is None else fact.value
