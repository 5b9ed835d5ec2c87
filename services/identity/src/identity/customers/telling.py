"""What the other services are told of customers: state events, each with everything, only when something changed."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from common.company import Company
from common.contracts.identity import ContactChanged, CustomerChanged, CustomerProfiled
from common.events import Told
from common.timers import Timer
from identity.contact.domain import contact_of
from identity.customers.domain import Asking, Customer, Dossier, changes_by_itself_at, profile_of
from identity.linking.domain import next_revision, together_by
from identity.relationships.domain import employers_of
from identity.uow import IdentityUnitOfWork

PROFILE_STALE = "profile-stale"


def changed(customer: Customer) -> Told:
    """That he exists, what he is and where he went: a CustomerChanged in its words."""
    him = str(customer.customer_id)
    told = {
        "customer_id": him, "revision": customer.revision, "kind": customer.kind, "state": customer.state,
        "merged_into": None if customer.merged_into is None else str(customer.merged_into), "since": customer.since,
        "key_account": customer.key_account,
    }  # fmt: skip
    return Told.of(CustomerChanged, him, told)


def profiled(customer_id: UUID, revision: int, content: Mapping[str, Any]) -> Told:
    """How he is known, by what `profile_of` gives: a CustomerProfiled in its words."""
    him = str(customer_id)
    return Told.of(CustomerProfiled, him, {"customer_id": him, "revision": revision, **content})


async def tell_profiles(
    customers: Collection[UUID], *, uow: IdentityUnitOfWork, company: Company, now: datetime, anew: bool = False
) -> int:
    """Tell how the customers are known by now. `anew`: even where nothing changed. Gives how many were told."""
    if not customers:
        return 0
    told: list[tuple[UUID, int, str]] = []
    timers: list[Timer] = []
    employers: set[UUID] = set()
    asking = Asking(company, now)
    for customer_id, dossier in sorted((await uow.customers.dossiers(customers)).items()):
        if dossier.customer.state != "active":
            continue
        content = profile_of(dossier, company, now=now, asking=asking)
        digest = _digest(content)
        if (again_at := changes_by_itself_at(dossier, now=now)) is not None:
            timers.append(Timer(PROFILE_STALE, str(customer_id), again_at, {}))
        if digest == dossier.customer.profile_digest and not anew:
            continue
        revision = next_revision(dossier.customer.profiled, now)
        told.append((customer_id, revision, digest))
        employers |= employers_of(customer_id, dossier.relations)
        uow.outbox.add(profiled(customer_id, revision, content), at=now)
    await uow.customers.told(told, revision="profiled", digest="profile_digest")
    # what is told of an organisation names its people: told by the worker, once for however many of them changed
    timers += [Timer(PROFILE_STALE, str(each), now, {}) for each in sorted(employers - set(customers))]
    await uow.timers.set_all(timers)
    return len(told)


def tell_newcomers(
    dossiers: Iterable[Dossier], *, uow: IdentityUnitOfWork, company: Company, now: datetime
) -> dict[UUID, Customer]:
    """Tell how those are known of whom nothing else is on record; gives them as they are to be kept.

    Of whom neither facts nor questions are told nothing changes by itself.
    """
    kept: dict[UUID, Customer] = {}
    asking, revision = Asking(company, now), next_revision(0, now)
    for dossier in dossiers:
        content = profile_of(dossier, company, now=now, asking=asking)
        him = dossier.customer
        uow.outbox.add(profiled(him.customer_id, revision, content), at=now)
        # `replace` costs three times as much
        kept[him.customer_id] = Customer(**{**vars(him), "profiled": revision, "profile_digest": _digest(content)})
    return kept


async def tell_those_beside(traces: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime) -> None:
    """Whose the traces are changes: those who are related to them are told anew by the worker, under whose id they now are."""
    await uow.timers.set_all(
        [Timer(PROFILE_STALE, str(each), now, {}) for each in await uow.relationships.beside(traces)]
    )


async def tell_contact(
    customers: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime, anew: bool = False
) -> int:
    """Tell how the customers may be contacted by now. Gives how many were told."""
    found = await uow.customers.get_all(customers)
    infos = await uow.customers.traces_of(found.keys()) if found else []
    owner = {info.trace_id: info.customer_id for info in infos}
    preferences = await uow.contact.preferences_of(owner) if owner else []
    consents = await uow.contact.consents_of(owner) if owner else []
    together = together_by(await uow.links.merges_beneath(found.keys()) if preferences or consents else ())
    told: list[tuple[UUID, int, str]] = []
    for customer_id, customer in sorted(found.items()):
        content = contact_of(
            [p for p in preferences if owner[p.trace_id] == customer_id],
            [c for c in consents if owner[c.trace_id] == customer_id],
            together=together,
        )
        digest = _digest(content)
        never = customer.contact_digest is None and not preferences and not consents
        # who was put aside is told of: what he refuses holds when he comes back
        gone = customer.state in ("merged", "erased")
        if gone or ((digest == customer.contact_digest or never) and not anew):
            continue
        revision = next_revision(customer.contacted, now)
        told.append((customer_id, revision, digest))
        uow.outbox.add(ContactChanged(customer_id=customer_id, revision=revision, **content), at=now)
    await uow.customers.told(told, revision="contacted", digest="contact_digest")
    return len(told)


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
