"""HTTP in, HTTP out: the rules, read and replaced."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response

from common.auth import Principal
from common.errors import Stale, VersionMissing
from common.http import ClockOf
from common.pagination import Paging
from common.problems import problems_of
from common.rules import InvalidCondition
from common.versions import ExpectedVersion
from scoring.access import NotForThisView, Reading, Writing, own_people
from scoring.policies.domain import InvalidTreatment
from scoring.policies.repository import THRESHOLDS, TREATMENT, PolicyVersion
from scoring.policies.schemas import (
    PolicyVersionPage,
    PolicyVersionRead,
    ThresholdsRead,
    ThresholdsWrite,
    TreatmentPolicyRead,
    TreatmentPolicyWrite,
)
from scoring.policies.use_cases import replace_policy

router = APIRouter(prefix="/scoring/v1/policies", tags=["policies (políticas)"])

CanRead = Annotated[Principal, own_people("policies:read")]
CanWrite = Annotated[Principal, own_people("policies:write")]


@router.get("/thresholds", summary="The thresholds in force", responses=problems_of(NotForThisView))
async def read_thresholds(who: CanRead, uow: Reading, response: Response) -> ThresholdsRead:  # noqa: ARG001
    """Every number that the rules use (umbrales): shares, ratios, windows, months. ETag is the version."""
    async with uow:
        latest = await uow.policies.latest(THRESHOLDS)
    return ThresholdsRead.model_validate(_tagged(latest, response))


@router.put(
    "/thresholds", summary="Replace the thresholds", responses=problems_of(NotForThisView, Stale, VersionMissing)
)
async def replace_thresholds(
    body: ThresholdsWrite,
    who: CanWrite,
    version: ExpectedVersion,
    uow: Writing,
    clock: ClockOf,
    response: Response,
) -> ThresholdsRead:
    """Put thresholds into force as a new version. The population is ranked and every customer looked at again right after."""
    replaced = await replace_policy(
        THRESHOLDS, body.model_dump(mode="json"), read=version, author=who.name, uow=uow, clock=clock
    )
    return ThresholdsRead.model_validate(_tagged(replaced, response))


@router.get("/treatment", summary="The treatment policy in force", responses=problems_of(NotForThisView))
async def read_treatment(who: CanRead, uow: Reading, response: Response) -> TreatmentPolicyRead:  # noqa: ARG001
    """How customers are treated (política de trato): conditions in order, the first that matches is applied."""
    async with uow:
        latest = await uow.policies.latest(TREATMENT)
    return TreatmentPolicyRead.model_validate(_tagged(latest, response))


@router.put(
    "/treatment",
    summary="Replace the treatment policy",
    responses=problems_of(NotForThisView, Stale, VersionMissing, InvalidCondition, InvalidTreatment),
)
async def replace_treatment(
    body: TreatmentPolicyWrite,
    who: CanWrite,
    version: ExpectedVersion,
    uow: Writing,
    clock: ClockOf,
    response: Response,
) -> TreatmentPolicyRead:
    """Put a treatment policy into force as a new version. Every customer is looked at again right after.

    A condition is `{"field", "op", "value"}`, or `all`, `any`, `not` of conditions. Fields: tier (MVC, GROWING, STANDARD,
    BELOW_ZERO), abc (A, B, C), lifecycle (POTENTIAL, ACTIVE, INACTIVE), dormancy (none, dormant, long-dormant), drop (none,
    warning, critical), key_account, tenure_months, frequency (12 months), revenue,
    profitability, contribution (to date, in whole units of the company's currency), open_complaints.
    """
    body.refuse_unusable()
    replaced = await replace_policy(
        TREATMENT, body.model_dump(mode="json"), read=version, author=who.name, uow=uow, clock=clock
    )
    return TreatmentPolicyRead.model_validate(_tagged(replaced, response))


@router.get("/{name}/versions", summary="Every version of the rules", responses=problems_of(NotForThisView))
async def list_policy_versions(
    name: Literal["thresholds", "treatment"],
    who: CanRead,  # noqa: ARG001
    uow: Reading,
    page: Paging,
) -> PolicyVersionPage:
    """What was in force, since when and by whom, the newest first; version 0 is what was shipped."""
    after = page.after(int)
    async with uow:
        found = await uow.policies.page(name, after=after[0] if after else None, limit=page.fetch)
    kept, following = page.cut(found, key=lambda each: (each.version,))
    items = [PolicyVersionRead(version=v.version, author=v.author, at=v.at, body=v.body) for v in kept]
    return PolicyVersionPage(items=items, next=following)


def _tagged(version: PolicyVersion, response: Response) -> dict[str, object]:
    response.headers["ETag"] = f'"{version.version}"'
    return {**version.body, "version": version.version, "author": version.author, "at": version.at}
