"""A person decides on a pair in doubt: one, or two."""

from uuid import UUID

from common.auth import Principal
from common.clock import Clock
from common.company import Company
from common.idempotency import Attempt, recall, remember
from common.ids import new_id
from identity.linking.repository import Decision
from identity.merges.use_cases import merge_now
from identity.reviews.domain import AlreadyDecided, AlreadyOne, NobodyThere, Review, UnknownReview
from identity.uow import IdentityUnitOfWork


async def decide_review(
    *,
    review_id: UUID,
    same: bool,
    reason: str,
    who: Principal,
    attempt: Attempt | None,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,
) -> Review:
    """same: their customers are merged, whatever the guards say. different: the two traces are never joined again."""
    async with uow:
        if await recall(uow, attempt, who) is None:
            await uow.lock_decisions()
            review = await uow.reviews.get(review_id, locked=True)
            if review is None:
                raise UnknownReview
            if review.state != "open":
                raise AlreadyDecided
            decide = _same if same else _different
            decision_id = await decide(review, reason=reason, by=who.known_as, uow=uow, clock=clock, company=company)
            await uow.reviews.decide(
                review_id, state="same" if same else "different", by=who.known_as, reason=reason, at=clock(),
                decision_id=decision_id,
            )  # fmt: skip
            await remember(uow, attempt, who, {"review_id": str(review_id)}, at=clock())
        decided = await uow.reviews.get(review_id)
        await uow.commit()
    if decided is None:
        raise UnknownReview
    return decided


async def _same(
    review: Review, *, reason: str, by: str, uow: IdentityUnitOfWork, clock: Clock, company: Company
) -> UUID | None:
    left, right = await _owners(review, uow)
    if left is None or right is None:
        raise NobodyThere
    if left == right:
        return None
    found = await uow.customers.get_all([left, right])
    elder, younger = sorted((left, right), key=lambda each: (found[each].since, each))
    pair = (review.left_trace, review.right_trace)
    return await merge_now(
        survivor=elder, absorbed=younger, reason=reason, force=True, by=by, uow=uow, company=company, now=clock(),
        pair=pair,
    )  # fmt: skip


async def _different(
    review: Review,
    *,
    reason: str,
    by: str,
    uow: IdentityUnitOfWork,
    clock: Clock,
    company: Company,  # noqa: ARG001
) -> UUID:
    left, right = await _owners(review, uow)
    if left is not None and left == right:
        raise AlreadyOne
    now = clock()
    decision = Decision(
        new_id(), "different", by, reason, now, left_trace=review.left_trace, right_trace=review.right_trace
    )
    await uow.links.record([decision])
    await uow.links.keep_apart(review.left_trace, review.right_trace, decision_id=decision.decision_id, at=now)
    return decision.decision_id


async def _owners(review: Review, uow: IdentityUnitOfWork) -> tuple[UUID | None, UUID | None]:
    owners = await uow.links.owners_of_traces([review.left_trace, review.right_trace])
    return owners.get(review.left_trace), owners.get(review.right_trace)
