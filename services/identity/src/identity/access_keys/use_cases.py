"""Making and revoking credentials: nobody gives out more than he has, and the key itself is kept nowhere."""

from collections.abc import Sequence
from datetime import datetime

from common.access import apply_access
from common.auth import SCOPES, Principal, checked_subject, make_key
from common.clock import Clock
from common.contracts.identity import AccessChanged
from common.errors import Forbidden, Invalid, NotFound
from common.identifiers import RANK
from common.uow import UnitOfWork
from identity.access_keys.repository import AccessKeyRows
from identity.linking.domain import next_revision


class ScopeBeyondOwn(Forbidden):
    code = "scope-beyond-own"
    title = "Nobody gives out a scope, or the attestation of a scheme, that he does not have himself"


class UnknownScope(Invalid):
    code = "unknown-scope"
    title = "There is no such scope"


class UnknownScheme(Invalid):
    code = "unknown-scheme"
    title = "There is no such scheme of identifiers"


class WrongSubject(Invalid):
    code = "wrong-subject"
    title = "A subject is customer:<id> or partner:<name>"


class UnknownKey(NotFound):
    code = "unknown-access-key"
    title = "There is no such access key"


async def make_access_key(
    *,
    name: str,
    scopes: Sequence[str],
    source: str | None,
    attests: Sequence[str],
    subject: str | None,
    who: Principal,
    secret: str,
    uow: UnitOfWork,
    clock: Clock,
) -> tuple[str, AccessChanged]:
    """A new key, which is shown this once, and what is kept of it."""
    _within_own(scopes, attests, who)
    try:
        subject = checked_subject(subject) if subject is not None else None
    except ValueError:
        raise WrongSubject(pointer="/subject") from None
    key_id, key, digest = make_key(secret)
    now = clock()
    change = AccessChanged(
        key_id=key_id, revision=next_revision(0, now), hash=digest, scopes=sorted(set(scopes)), source=source,
        attests=sorted(set(attests)), subject=subject, name=name,
    )  # fmt: skip
    async with uow:
        await apply_access([change], uow.session)
        uow.outbox.add(change, at=now)
        await uow.commit()
    return key, change


def _within_own(scopes: Sequence[str], attests: Sequence[str], who: Principal) -> None:
    for place, scope in enumerate(scopes):
        if scope not in SCOPES:
            raise UnknownScope(f"The scopes are {', '.join(sorted(SCOPES))}", pointer=f"/scopes/{place}")
        if not who.may(scope):
            raise ScopeBeyondOwn
    for place, scheme in enumerate(attests):
        if scheme != "*" and scheme not in RANK:
            raise UnknownScheme(
                f"The schemes are {', '.join(RANK)}, and * for all of them", pointer=f"/attests/{place}"
            )
        if not who.attests_scheme(scheme):
            raise ScopeBeyondOwn


async def revoke_access_key(*, key_id: str, uow: UnitOfWork, clock: Clock) -> None:
    """The key stops working everywhere within seconds. Revoking twice is no mistake."""
    now = clock()
    async with uow:
        found = await AccessKeyRows(uow.session).get(key_id)
        if found is None:
            raise UnknownKey
        if not found.revoked:
            await revoke([found], uow=uow, now=now)
            await uow.commit()


async def revoke(found: Sequence[AccessChanged], *, uow: UnitOfWork, now: datetime) -> None:
    """Tell that the keys work no more. Does not commit."""
    changes = [
        each.model_copy(update={"revoked": True, "revision": next_revision(each.revision, now)}) for each in found
    ]
    await apply_access(changes, uow.session)
    uow.outbox.add_all(changes, at=now)
