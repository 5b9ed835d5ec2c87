"""The door of every route: from the bearer credential to the principal, who has the scope; or a refusal."""

import hmac
import re
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from common.auth.keys import FindKey, hash_of
from common.auth.principal import EVERYTHING, SCOPES, Principal
from common.auth.rate import RateLimit
from common.auth.tokens import TokenReader
from common.errors import Forbidden, Unauthenticated
from common.settings import Settings

LONGEST_CREDENTIAL = 8_192
_KEY_ID = re.compile(r"[0-9a-f]{12}")


class ScopeMissing(Forbidden):
    code = "scope-missing"
    title = "The credential lacks the scope for this"


class Authenticator:
    """From a bearer credential to the principal, or a refusal."""

    def __init__(
        self,
        settings: Settings,
        find_key: FindKey,
        *,
        tokens: TokenReader | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        self._settings = settings
        self._find_key = find_key
        self._tokens = tokens or TokenReader(settings)
        self._limit = limit or RateLimit()

    async def principal(self, credential: str) -> Principal:
        if len(credential) > LONGEST_CREDENTIAL:
            raise Unauthenticated
        who = await (self._of_key(credential) if credential.startswith("hilo_") else self._tokens.principal(credential))
        bound = who.customer_id is not None
        self._limit.take(who.key_id, self._settings.customer_rate_limit if bound else self._settings.rate_limit)
        return who

    async def _of_key(self, key: str) -> Principal:
        digest = hash_of(key, self._settings.secret)
        key_id = key.split("_", 2)[1]
        if self._settings.first_key_hash and hmac.compare_digest(digest, self._settings.first_key_hash):
            everything = frozenset({EVERYTHING})
            return Principal(key_id, everything, source="first-key", attests=everything, name="first key")
        found = await self._find_key(key_id) if _KEY_ID.fullmatch(key_id) else None
        # compared even where nothing was found, so that the time tells nothing
        if not hmac.compare_digest(digest, found.hash if found else "0" * 64) or found is None or found.revoked:
            raise Unauthenticated
        return found.principal


class Needs(HTTPBearer):
    """The dependency behind `needs`: a route that has it declares its scope. One of its own, with no other beneath it."""

    def __init__(self, scope: str) -> None:
        super().__init__(auto_error=False, scheme_name="Bearer", description="An API key of this deployment, or a JWT.")
        self.scope = scope

    async def __call__(self, request: Request) -> Principal:  # type: ignore[override]
        scheme, credential = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated("Send Authorization: Bearer with an API key or a token.")
        authenticator: Authenticator = request.app.state.authenticator
        who = await authenticator.principal(credential)
        request.scope["hilo_who"] = who.log_name  # for the access log
        if not who.may(self.scope):
            raise ScopeMissing(f"The scope {self.scope} is needed.")
        return who


def needs(scope: str) -> Any:
    """For routes, as `who: Annotated[Principal, ...]` with it in place of the dots: refuses callers without the scope."""
    if scope not in SCOPES:
        raise ValueError(f"{scope} is no scope of ours")
    return Depends(Needs(scope))


def scopes_of(dependant: Dependant) -> set[str]:
    """The scopes that a route declares."""
    found = {dependant.call.scope} if isinstance(dependant.call, Needs) else set()
    return found.union(*(scopes_of(each) for each in dependant.dependencies))


def undeclared_routes(app: FastAPI) -> list[str]:
    """Paths that anybody may call, other than health, metrics and the documents. A test asserts that there are none."""
    open_paths: frozenset[str] = app.state.open_paths
    return [
        f"{sorted(context.methods or [])} {context.path}"
        for context in iter_route_contexts(app.routes)
        if context.path not in open_paths
        and not (isinstance(context.original_route, APIRoute) and scopes_of(context.dependant))
    ]
