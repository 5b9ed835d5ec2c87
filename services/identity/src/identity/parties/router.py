"""Roles of parties, showings of references, our own people and places over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from common.auth import Principal, needs
from common.errors import Stale, VersionMissing
from common.http import ClockOf, CompanyOf
from common.idempotency import AttemptOf, KeyReused
from common.pagination import PageQuery, Paging
from common.problems import problems_of
from common.versions import ExpectedVersion, etag_of
from identity.assignments.domain import StaffHasLeft, ToHimself, roles_of
from identity.assignments.use_cases import hand_over
from identity.callers import Reading
from identity.contact.domain import UseRestricted
from identity.contact.use_cases import holding_of
from identity.customers.domain import Dossier, UnknownCustomer, display_name, survivors
from identity.parties.domain import (
    REFERENCE,
    TARGET,
    TARGET_NAMES,
    Entry,
    NoConsentToShow,
    NoSuchRole,
    PartnerIllRegarded,
    PartyRole,
    UnknownEntry,
    UsedUp,
    consents_to_be_shown,
    latest_of_each,
    uses_left,
)
from identity.parties.schemas import (
    Completeness,
    HandOver,
    HandOverMade,
    LookedAfter,
    LookedAfterPage,
    Partner,
    PartyLine,
    PartyPage,
    Reference,
    RoleName,
    RoleRead,
    Roles,
    Showing,
    Shown,
    SitePage,
    SitePut,
    SiteRead,
    StaffPage,
    StaffPut,
    StaffRead,
    TargetAccount,
)
from identity.parties.use_cases import put_entry, put_role, show_reference
from identity.reach import ForStaffOnly, for_staff, visible
from identity.relationships.domain import RelatedToHimself, Relationship, contacts_of, gaps_of_target, times_shown
from identity.relationships.router import With
from identity.relationships.use_cases import Tools
from identity.uow import IdentityUnitOfWork

TAG = "parties (qué es para nosotros)"
router = APIRouter(prefix="/identity/v1", tags=[TAG])
CanRead = Annotated[Principal, needs("customers:read")]
Known = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.-]+$")]
Named = Annotated[str, Path(min_length=1, max_length=100, description="As assignments name him")]
_ROLE_REFUSALS = (UnknownCustomer, Stale, VersionMissing, ForStaffOnly)


@router.put(
    "/customers/{customer_id}/roles/reference",
    summary="Make him a reference",
    responses=problems_of(*_ROLE_REFUSALS),
)
async def put_reference(
    customer_id: UUID, body: Reference, tools: With, version: ExpectedVersion, response: Response
) -> RoleRead:
    """A customer whom prospects may be shown (cliente "show-room"), for what, and how often at most.

    His consent is an entry of the ledger of consents, purpose `reference`: without it he is not shown. If-Match: the version read, `"0"` for the first time.
    """
    return await _put(customer_id, "reference", body.model_dump(exclude_none=True), version, tools, response)


@router.put(
    "/customers/{customer_id}/roles/target_account",
    summary="Flag an organisation that we want",
    responses=problems_of(*_ROLE_REFUSALS),
)
async def put_target(
    customer_id: UUID, body: TargetAccount, tools: With, version: ExpectedVersion, response: Response
) -> RoleRead:
    """A target account (cuenta objetivo); complete once at least three names there are known. If-Match: the version read, `"0"` for the first time."""
    return await _put(customer_id, "target_account", body.model_dump(exclude_none=True), version, tools, response)


@router.put(
    "/customers/{customer_id}/roles/partner",
    summary="Say what partner it is, and how it is regarded",
    responses=problems_of(*_ROLE_REFUSALS, PartnerIllRegarded),
)
async def put_partner(
    customer_id: UUID, body: Partner, tools: With, version: ExpectedVersion, response: Response
) -> RoleRead:
    """A partner (aliado) with its standing (reputación). Whom customers regard ill is no active ally. If-Match: the version read, `"0"` for the first time."""
    return await _put(customer_id, "partner", body.model_dump(exclude_none=True), version, tools, response)


@router.delete(
    "/customers/{customer_id}/roles/{role}",
    status_code=204,
    summary="End a role",
    responses=problems_of(*_ROLE_REFUSALS, NoSuchRole),
)
async def end_role(customer_id: UUID, role: RoleName, tools: With, version: ExpectedVersion) -> None:
    """He is it no more; that he was stays on record (historia)."""
    await put_role(customer_id=customer_id, role=role, body=None, version=version, tools=tools)


@router.get(
    "/customers/{customer_id}/roles",
    summary="What the party is to us",
    responses=problems_of(UnknownCustomer, ForStaffOnly),
)
async def read_roles(customer_id: UUID, who: CanRead, uow: Reading, clock: ClockOf) -> Roles:
    """Reference, target account, partner (rol): uses left of the one, what is missing of the other."""
    for_staff(who)
    async with uow:
        found = await visible(customer_id, who, uow)
        dossier = (await uow.customers.dossiers([found.customer_id]))[found.customer_id]
    roles = latest_of_each(dossier.roles)
    present = {name: said for name, said in roles.items() if said.body is not None}
    return Roles(
        items=[RoleRead.of(present[name]) for name in sorted(present)],
        versions={name: str(said.version) for name, said in roles.items()},
        uses_left=_uses_left(present.get(REFERENCE), dossier.relations, found.customer_id),
        target=_completeness(found.customer_id, dossier.relations, clock()) if TARGET in present else None,
    )


@router.get("/parties", summary="Who has a role", responses=problems_of(ForStaffOnly))
async def list_parties(
    who: CanRead,
    uow: Reading,
    clock: ClockOf,
    company: CompanyOf,
    page: Paging,
    role: Annotated[RoleName, Query(description="reference, target_account or partner")],
    offering: Annotated[str | None, Query(max_length=60, description="References who can speak of it")] = None,
    industry: Annotated[str | None, Query(max_length=60, description="References of that industry")] = None,
    incomplete: Annotated[bool, Query(description="Target accounts of which something is missing")] = False,
) -> PartyPage:
    """References to match a prospect (show-room), target accounts with what is missing, partners. A page may be shorter than asked for: go on while there is a `next`."""
    for_staff(who)
    after, now = page.after(UUID), clock()
    async with uow:
        found = await uow.parties.ever(role, after=after[0] if after else None, limit=page.fetch)
        kept, following = page.cut(found, key=lambda customer_id: (customer_id,))
        dossiers = await uow.customers.dossiers(kept)
        holding = await holding_of(kept, uow) if role == REFERENCE else {}
    items = []
    for customer_id in kept:
        dossier = dossiers[customer_id]
        his = latest_of_each(dossier.roles).get(role)
        if his is None or his.body is None or not _suits(his.body, offering, industry):
            continue
        target = _completeness(customer_id, dossier.relations, now) if role == TARGET else None
        if incomplete and target is not None and not target.missing:
            continue
        name = display_name(survivors(dossier.values, company.survivorship))
        items.append(_line(dossier, his, target, name, holding.get(customer_id)))
    return PartyPage(items=items, next=following)


def _line(
    dossier: Dossier, his: PartyRole, target: Completeness | None, name: str | None, holding: dict[str, Any] | None
) -> PartyLine:
    him = dossier.customer
    agreed = holding and consents_to_be_shown(holding["consents"]) and not holding["restricted"]
    left = _uses_left(his, dossier.relations, him.customer_id) if his.role == REFERENCE else None
    return PartyLine(
        customer_id=him.customer_id, kind=him.kind, display_name=name, role=RoleRead.of(his), uses_left=left,
        agreed=agreed, target=target,
    )  # fmt: skip


def _suits(body: Mapping[str, Any], offering: str | None, industry: str | None) -> bool:
    return offering in (None, *body.get("offerings", ())) and industry in (None, body.get("industry"))


def _uses_left(reference: PartyRole | None, said: Sequence[Relationship], customer_id: UUID) -> int | None:
    if reference is None or reference.body is None:
        return None
    return uses_left(reference.body, times_shown(customer_id, said))


def _completeness(customer_id: UUID, said: Sequence[Relationship], now: Any) -> Completeness:
    contacts = contacts_of(customer_id, said, now=now)
    return Completeness(
        contacts=len(contacts), needed=TARGET_NAMES, complete=len(contacts) >= TARGET_NAMES,
        missing=gaps_of_target(contacts, needed=TARGET_NAMES),
    )  # fmt: skip


@router.post(
    "/customers/{customer_id}/showings",
    status_code=201,
    summary="Show him to a prospect",
    responses=problems_of(
        UnknownCustomer,
        NoSuchRole,
        UseRestricted,
        NoConsentToShow,
        UsedUp,
        RelatedToHimself,
        ForStaffOnly,
        KeyReused,
    ),
)
async def show(customer_id: UUID, body: Showing, attempt: AttemptOf, tools: With) -> Shown:
    """One use of a reference (show-room): refused where he has not agreed, took it back, or has been shown often enough."""
    showing_id, left = await show_reference(
        customer_id=customer_id, prospect_id=body.prospect_id, note=body.note, attempt=attempt, tools=tools
    )
    return Shown(showing_id=showing_id, uses_left=left)


async def _put(
    customer_id: UUID, role: str, body: dict[str, Any], version: int, tools: Tools, response: Response
) -> RoleRead:
    said = await put_role(customer_id=customer_id, role=role, body=body, version=version, tools=tools)
    response.headers["ETag"] = etag_of(said.version)
    return RoleRead.of(said)


# --- our own people and places ------------------------------------------------------------------------------------------


@router.put(
    "/staff/{staff_id}",
    summary="Enter or change one of our people",
    responses=problems_of(Stale, VersionMissing, ForStaffOnly),
)
async def put_staff(
    staff_id: Known, body: StaffPut, tools: With, version: ExpectedVersion, response: Response
) -> StaffRead:
    """Staff (personal), under the id that touchpoints and assignments name. If-Match: the version read, `"0"` for the first time."""
    entry = await put_entry(kind="staff", code=staff_id, body=body.model_dump(), version=version, tools=tools)
    response.headers["ETag"] = etag_of(entry.version)
    return StaffRead.of(entry)


@router.get("/staff/{staff_id}", summary="One of our people", responses=problems_of(UnknownEntry, ForStaffOnly))
async def read_staff(staff_id: Known, who: CanRead, uow: Reading, response: Response) -> StaffRead:
    """What the directory (directorio) has of him."""
    return StaffRead.of(await _entry("staff", staff_id, who, uow, response))


@router.get("/staff", summary="Our people", responses=problems_of(ForStaffOnly))
async def list_staff(who: CanRead, uow: Reading, page: Paging) -> StaffPage:
    """The directory of our people (personal), by id; those who left stay in it."""
    kept, following = await _entries("staff", who, uow, page)
    return StaffPage(items=[StaffRead.of(entry) for entry in kept], next=following)


@router.get(
    "/staff/{staff_id}/customers",
    summary="Whom he looks after",
    responses=problems_of(ForStaffOnly),
)
async def list_looked_after(
    staff_id: Named, who: CanRead, uow: Reading, company: CompanyOf, page: Paging
) -> LookedAfterPage:
    """His customers (cartera), with his roles; `:hand-over` gives them to another at once. A page may be shorter than asked for: go on while there is a `next`."""
    for_staff(who)
    after = page.after(UUID)
    async with uow:
        found = await uow.assignments.ever_with(staff_id, after=after[0] if after else None, limit=page.fetch)
        kept, following = page.cut(found, key=lambda customer_id: (customer_id,))
        dossiers = await uow.customers.dossiers(kept)
    items = []
    for customer_id in kept:
        his = dossiers[customer_id]
        roles = roles_of(staff_id, his.assigned)
        name = display_name(survivors(his.values, company.survivorship))
        if roles:
            items.append(LookedAfter(customer_id=customer_id, kind=his.customer.kind, display_name=name, roles=roles))
    return LookedAfterPage(items=items, next=following)


@router.post(
    "/staff/{staff_id}:hand-over",
    summary="Hand over all his customers",
    responses=problems_of(ToHimself, StaffHasLeft, ForStaffOnly),
)
async def hand_over_all(staff_id: Named, body: HandOver, tools: With) -> HandOverMade:
    """Whoever leaves us hands over his customers (entrega de cartera): each role that he has goes to the other, with one note for all.

    What a rule forbids stays his and is named. Sent again it goes on with what is left, so it can be repeated after a failure.
    """
    fates, more = await hand_over(
        staff_id=staff_id, **body.model_dump(), who=tools.who, uow=tools.uow, clock=tools.clock, company=tools.company,
        secret=tools.secret,
    )  # fmt: skip
    return HandOverMade.of(fates, more)


@router.put(
    "/sites/{site}",
    summary="Enter or change a place of ours",
    responses=problems_of(Stale, VersionMissing, ForStaffOnly),
)
async def put_site(site: Known, body: SitePut, tools: With, version: ExpectedVersion, response: Response) -> SiteRead:
    """A site (sede), under the code that touchpoints name. If-Match: the version read, `"0"` for the first time."""
    entry = await put_entry(kind="site", code=site, body=body.model_dump(), version=version, tools=tools)
    response.headers["ETag"] = etag_of(entry.version)
    return SiteRead.of(entry)


@router.get("/sites/{site}", summary="A place of ours", responses=problems_of(UnknownEntry, ForStaffOnly))
async def read_site(site: Known, who: CanRead, uow: Reading, response: Response) -> SiteRead:
    """What the directory has of the site (sede)."""
    return SiteRead.of(await _entry("site", site, who, uow, response))


@router.get("/sites", summary="Our places", responses=problems_of(ForStaffOnly))
async def list_sites(who: CanRead, uow: Reading, page: Paging) -> SitePage:
    """The directory of our sites (sedes), by code."""
    kept, following = await _entries("site", who, uow, page)
    return SitePage(items=[SiteRead.of(entry) for entry in kept], next=following)


async def _entry(kind: str, code: str, who: Principal, uow: IdentityUnitOfWork, response: Response) -> Entry:
    for_staff(who)
    async with uow:
        entry = await uow.parties.entry(kind, code)
    if entry is None:
        raise UnknownEntry
    response.headers["ETag"] = etag_of(entry.version)
    return entry


async def _entries(
    kind: str, who: Principal, uow: IdentityUnitOfWork, page: PageQuery
) -> tuple[Sequence[Entry], str | None]:
    for_staff(who)
    after = page.after(str)
    async with uow:
        found = await uow.parties.entries(kind, after=after[0] if after else None, limit=page.fetch)
    return page.cut(found, key=lambda entry: (entry.code,))
