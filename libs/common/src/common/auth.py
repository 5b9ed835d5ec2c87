"""Who is calling, and how far his credential reaches: API keys for systems, JWTs for people, checked by each service itself."""

import asyncio
import hashlib
import hmac
import math
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import jwt
import structlog
from fastapi import Depends, FastAPI, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from common.errors import Forbidden, TooMany, Unauthenticated, Unavailable
from common.settings import Settings, derived_key

SCOPES = {
    "touchpoints:write": "record touchpoints",
    "touchpoints:read": "read touchpoints",
    "resume:read": "read the resume",
    "timeline:read": "read the timeline",
    "commitments:write": "keep and waive commitments",
    "cases:write": "answer, verify, reopen and close cases",
    "conversations:write": "park and close conversations",
    "contact:read": "ask whether a customer may be contacted",
    "customers:read": "read customers",
    "customers:write": "change customers",
    "merges:write": "merge customers and undo it",
    "reviews:write": "decide on pairs in doubt",
    "facts:write": "learn facts",
    "consents:write": "record consents and preferences",
    "keys:admin": "make and revoke access keys",
    "value:read": "read value, tier and signals",
    "policies:read": "read thresholds and treatment policies",
    "policies:write": "change thresholds and treatment policies",
    "audit:read": "read evidence and scorecards",
    "audit:write": "change cycles and standards, and run improvement actions",
    "parked:read": "read what could not be handled",
    "parked:write": "repair, replay and drop it",
}
EVERYTHING = "*"
ALGORITHMS = ("RS256", "ES256", "EdDSA")
DEV_ISSUER = "hilo-development"
REFETCH_SECONDS = 30
RELOAD_SECONDS = 3600
LEEWAY_SECONDS = 30
PRUNE_AT = 10_000
LONGEST_CREDENTIAL = 8_192

log = structlog.get_logger()


class ScopeMissing(Forbidden):
    code = "scope-missing"
    title = "The credential lacks the scope for this"


class RateExceeded(TooMany):
    code = "rate-exceeded"
    title = "This credential asks faster than it may"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Principal:
    """The caller: what his credential may do, for which source it speaks, and whose data alone it may see."""

    key_id: str
    scopes: frozenset[str]
    source: str | None = None
    attests: frozenset[str] = frozenset()
    subject: str | None = None  # "customer:<id>" or "partner:<name>"; None: staff and systems
    name: str = ""

    def may(self, scope: str) -> bool:
        return EVERYTHING in self.scopes or scope in self.scopes

    def attests_scheme(self, scheme: str) -> bool:
        """Whether identifiers of the scheme are proven by this source; every other is a claim."""
        return EVERYTHING in self.attests or scheme in self.attests

    @property
    def customer_id(self) -> UUID | None:
        """The one customer whose data he may see; None for everybody who is not bound to one."""
        kind, _, value = (self.subject or "").partition(":")
        return UUID(value) if kind == "customer" else None

    @property
    def partner(self) -> str | None:
        kind, _, value = (self.subject or "").partition(":")
        return value if kind == "partner" else None


@dataclass(frozen=True)
class AccessKey:
    """What is on record of an API key: a keyed hash, never the key."""

    hash: str
    revoked: bool
    principal: Principal


FindKey = Callable[[str], Awaitable[AccessKey | None]]


# --- API keys ---------------------------------------------------------------------------------------------------------


def make_key(secret: str) -> tuple[str, str, str]:
    """A new API key: its id, the key itself (to be shown once) and the hash to keep. `secret` is the deployment's."""
    key_id = secrets.token_hex(6)
    key = f"hilo_{key_id}_{secrets.token_hex(24)}"
    return key_id, key, hash_of(key, secret)


def hash_of(key: str, secret: str) -> str:
    """HMAC-SHA256 under a pepper; slow hashes are for passwords, these keys hold 192 random bits."""
    return hmac.new(derived_key(secret, "access-keys"), key.encode(), hashlib.sha256).hexdigest()


def first_secret(var: Path) -> str:
    """The deployment's secret in `var/secret`, made at the first start."""
    return _kept(var / "secret", lambda: secrets.token_hex(32))


def first_credential(var: Path, secret: str) -> tuple[str, str]:
    """The first key in `var/credential`, made at the first start, and its hash for `HILO_FIRST_KEY_HASH`."""
    key = _kept(var / "credential", lambda: make_key(secret)[1])
    return key, hash_of(key, secret)


def _kept(path: Path, make: Callable[[], str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # a link fails where a rename would overwrite: of two first starts at once, both read the same
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


# --- JWT --------------------------------------------------------------------------------------------------------------


class KeySet:
    """The identity provider's public keys, fetched when a token names one that is not known.

    At most one fetch in 30 s however many unknown names arrive; known keys keep working while the provider is away.
    """

    def __init__(self, url: str, *, client: Callable[[], httpx.AsyncClient] | None = None) -> None:
        self._url = url
        self._client = client or (lambda: httpx.AsyncClient(timeout=5))
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, kid: str | None) -> jwt.PyJWK:
        if kid not in self._keys or self._elapsed(self._fetched_at) > RELOAD_SECONDS:
            await self._refresh(kid)
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise Unavailable("The identity provider's keys cannot be had.")
        raise Unauthenticated("The token is signed with a key that is not known.")

    async def _refresh(self, kid: str | None) -> None:
        async with self._fetching:
            if self._elapsed(self._tried_at) < REFETCH_SECONDS:
                return
            self._tried_at = time.monotonic()
            try:
                async with self._client() as client:
                    answer = (await client.get(self._url)).raise_for_status()
                self._keys = _usable_keys(answer.json())
                self._fetched_at = time.monotonic()
            except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
                log.warning("jwks_unavailable", error=type(error).__name__, known=kid in self._keys)

    def _elapsed(self, since: float) -> float:
        return time.monotonic() - since


def _usable_keys(document: Mapping[str, Any]) -> dict[str | None, jwt.PyJWK]:
    keys: dict[str | None, jwt.PyJWK] = {}
    for entry in document["keys"]:
        try:
            key = jwt.PyJWK(entry)
        except jwt.PyJWTError:
            continue  # a kind of key that we do not use
        if key.algorithm_name in ALGORITHMS and entry.get("use", "sig") == "sig":
            keys[key.key_id] = key
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))  # a provider with one key need not name it
    return keys


def dev_token(
    secret: str,
    *,
    subject: str,
    scopes: Iterable[str],
    hilo_subject: str | None = None,
    source: str | None = None,
    attests: Iterable[str] = (),
    name: str = "",
    seconds: int = 3600,
) -> str:
    """A token of one's own where no identity provider is at hand. Development only: services refuse it elsewhere."""
    now = int(time.time())
    claims = {
        "iss": DEV_ISSUER, "sub": subject, "iat": now, "exp": now + seconds, "scope": " ".join(scopes),
        "hilo_subject": hilo_subject, "hilo_source": source, "hilo_attests": " ".join(attests), "name": name,
    }  # fmt: skip
    return jwt.encode(
        {key: value for key, value in claims.items() if value}, derived_key(secret, "dev-tokens"), algorithm="HS256"
    )


class TokenReader:
    """Reads JWTs: the provider's by its key set, one's own in development."""

    def __init__(self, settings: Settings, keys: KeySet | None = None) -> None:
        self._settings = settings
        self._keys = keys or (KeySet(settings.jwks_url) if settings.jwks_url else None)
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def principal(self, token: str) -> Principal:
        """Raises Unauthenticated; never says which of the checks failed beyond what a caller can act on."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") == "HS256":
                return _principal(self._read_dev_token(token))
            return _principal(await self._read_token(token, header))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthenticated("The token is not valid.") from None

    def _read_dev_token(self, token: str) -> dict[str, Any]:
        if not self._settings.dev_tokens:
            raise Unauthenticated("The token is not valid.")
        key = self._settings.key_for("dev-tokens")
        claims: dict[str, Any] = self._jwt.decode(
            token, key, algorithms=["HS256"], issuer=DEV_ISSUER, options={"require": ["exp", "sub", "iss"]}
        )
        return claims

    async def _read_token(self, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        if self._keys is None:
            raise Unauthenticated("No identity provider is configured here.")
        key = await self._keys.key(header.get("kid"))
        audience = self._settings.jwt_audience
        claims: dict[str, Any] = self._jwt.decode(
            token,
            key,
            algorithms=[str(key.algorithm_name)],
            audience=audience,
            issuer=self._settings.jwt_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub"], "verify_aud": audience is not None},
        )
        return claims


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject = claims.get("hilo_subject")
    return Principal(
        key_id=f"jwt:{claims['sub']}",
        scopes=_words(claims.get("scope")),
        source=_text(claims.get("hilo_source")),
        attests=_words(claims.get("hilo_attests")),
        subject=checked_subject(subject) if subject is not None else None,
        name=_text(claims.get("name")) or str(claims["sub"]),
    )


def checked_subject(subject: object) -> str:
    """`customer:<uuid>` or `partner:<name>`. Raises ValueError: a subject that is not understood must not widen the view."""
    kind, _, value = str(subject).partition(":")
    if kind == "customer":
        return f"customer:{UUID(value)}"
    if kind == "partner" and value:
        return f"partner:{value}"
    raise ValueError("a subject is customer:<id> or partner:<name>")


def _words(claim: object) -> frozenset[str]:
    if claim is None:
        return frozenset()
    words = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("words separated by spaces, or a list of them")
    return frozenset(words)


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None


# --- how often --------------------------------------------------------------------------------------------------------


class RateLimit:
    """A bucket of tokens for each credential in this process: `rate` requests a second, twice as many at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was

    def take(self, who: str, rate: float) -> None:
        """Raises RateExceeded with the seconds to wait. A rate of 0 is no limit."""
        if rate <= 0:
            return
        now, burst = self._clock(), max(2 * rate, 1)
        tokens, at = self._buckets.get(who, (burst, now))
        tokens = min(burst, tokens + (now - at) * rate)
        if tokens < 1:
            self._buckets[who] = (tokens, now)
            raise RateExceeded(max(1, math.ceil((1 - tokens) / rate)))
        self._buckets[who] = (tokens - 1, now)
        if len(self._buckets) > PRUNE_AT:
            self._buckets = {
                key: kept for key, kept in self._buckets.items() if now - kept[1] < 2
            }  # the others are full


# --- the door ---------------------------------------------------------------------------------------------------------


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


_KEY_ID = re.compile(r"[0-9a-f]{12}")
_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer", description="An API key of this deployment, or a JWT.")


@dataclass(frozen=True)
class Needs:
    """The dependency behind `needs`: a route that has it declares its scope."""

    scope: str

    async def __call__(
        self, request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
    ) -> Principal:
        if bearer is None:
            raise Unauthenticated("Send Authorization: Bearer with an API key or a token.")
        authenticator: Authenticator = request.app.state.authenticator
        who = await authenticator.principal(bearer.credentials)
        request.scope["hilo_key_id"] = who.key_id  # for the access log
        if not who.may(self.scope):
            raise ScopeMissing(f"The scope {self.scope} is needed.")
        return who


def needs(scope: str) -> Any:
    """The caller, who has the scope; others are refused. For routes: `who: Annotated[Principal, needs("value:read")]`."""
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
