"""Looking customers up: by an identifier, by words of their names, by their id."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from common.auth import Principal
from common.company import Company
from common.identifiers import identifier_id
from common.names import fold
from common.pagination import PageQuery
from identity.customers.domain import Dossier, NothingToSearch, display_name, preferred_name, survivors
from identity.customers.golden import Golden, golden_of
from identity.customers.schemas import AskedFor, CustomerFound, CustomersFound
from identity.customers.use_cases import identified
from identity.knowledge.domain import current_facts
from identity.reach import visible
from identity.uow import IdentityUnitOfWork


async def by_identifier(
    given: str, *, uow: IdentityUnitOfWork, company: Company, source: str | None, secret: bytes
) -> CustomersFound:
    """One customer, several candidates, or nobody; those seen last come first."""
    identifier = identified(given, pointer="/identifier", company=company, source=source)
    complete = True
    async with uow:
        if identifier.scheme == "customer":
            found = await uow.customers.resolve(UUID(identifier.value))
            ids = [found.customer_id] if found is not None else []
        else:
            ids, more = await uow.customers.carrying([identifier_id(identifier.text, secret)])
            complete = not more
        dossiers = await uow.customers.dossiers(ids)
    recognised: Literal["customer", "candidates", "unknown"] = "unknown"
    if ids:
        recognised = "customer" if len(ids) == 1 else "candidates"
    asked_for = AskedFor(given=given, normalised=identifier.text)
    return CustomersFound(
        recognised=recognised, asked_for=asked_for, complete=complete, items=_lines(ids, dossiers, company), next=None
    )


async def by_name(q: str, page: PageQuery, *, uow: IdentityUnitOfWork, company: Company) -> CustomersFound:
    """Customers each of whose searched words begins a word of their names."""
    words = fold(q).split()
    if not words or max(map(len, words)) < 2:
        raise NothingToSearch(pointer="/q")
    after = page.after(UUID)
    async with uow:
        found = await uow.customers.named(words[:6], after=after[0] if after else None, limit=page.fetch)
        kept, following = page.cut(found, key=lambda customer_id: (customer_id,))
        dossiers = await uow.customers.dossiers(kept)
    return CustomersFound(
        recognised="candidates" if kept else "unknown", asked_for=None, complete=True, items=_lines(kept, dossiers, company),
        next=following,
    )  # fmt: skip


def _lines(ids: Sequence[UUID], dossiers: dict[UUID, Dossier], company: Company) -> list[CustomerFound]:
    lines = []
    for customer_id in ids:
        dossier = dossiers[customer_id]
        values = survivors(dossier.values, company.survivorship)
        lines.append(
            CustomerFound(
                customer_id=customer_id, kind=dossier.customer.kind, display_name=display_name(values),
                preferred_name=preferred_name(values, current_facts(dossier.facts), dossier.customer.kind),
                city=values["city"].value if "city" in values else None, since=dossier.customer.since,
                # what staff or a clean-up wrote under his id is no contact with him
                last_seen=max((t.last_seen for t in dossier.traces if t.scheme != "customer"), default=None),
                key_account=dossier.customer.key_account,
            )
        )  # fmt: skip
    return lines


async def read_customer(customer_id: UUID, *, who: Principal, uow: IdentityUnitOfWork, company: Company) -> Golden:
    """The golden record; of an absorbed id, what it was and where it went."""
    async with uow:
        present = await visible(customer_id, who, uow)
        dossiers = await uow.customers.dossiers([customer_id])
    went_to = None if present.customer_id == customer_id else present.customer_id
    return golden_of(dossiers[customer_id], who, company.survivorship, went_to=went_to)
