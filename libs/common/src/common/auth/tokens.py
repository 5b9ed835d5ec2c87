"""JWTs: the identity provider's, checked by its published keys, and one's own where there is no provider yet."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx
import jwt
import structlog

from common.auth.principal import Principal, checked_subject
from common.errors import Unauthenticated, Unavailable
from common.settings import Settings, derived_key

ALGORITHMS = ("RS256", "ES256", "EdDSA")
DEV_ISSUER = "hilo-development"
REFETCH_SECONDS = 30
RELOAD_SECONDS = 3600
LEEWAY_SECONDS = 30
REMEMBERED_SECONDS = 5.0
MOST_REMEMBERED = 10_000

log = structlog.get_logger()


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
        self._background: asyncio.Future[None] | None = None

    async def key(self, kid: str | None) -> jwt.PyJWK:
        if kid not in self._keys:
            await self._refresh(kid)
        elif self._elapsed(self._fetched_at) > RELOAD_SECONDS:
            self._background = asyncio.ensure_future(self._refresh(kid))  # nobody waits for a provider that is away
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise Unavailable("The identity provider's keys cannot be had.")
        raise Unauthenticated("The token is signed with a key that is not known.")

    async def _refresh(self, kid: str | None) -> None:
        async with self._fetching:
            if kid in self._keys and self._elapsed(self._fetched_at) <= RELOAD_SECONDS:
                return  # another request has just fetched it
            if self._elapsed(self._tried_at) < REFETCH_SECONDS:
                return
            self._tried_at = time.monotonic()
            try:
                async with self._client() as client:
                    answer = (await client.get(self._url)).raise_for_status()
                self._keys = _usable_keys(answer.json())
                self._fetched_at = time.monotonic()
            except (httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError, jwt.PyJWTError) as error:
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
    """Reads JWTs: the provider's by its key set, one's own in development.

    One that was found valid is not checked again for five seconds, nor beyond its own end: checking takes longer than
    all else at the door. Its digest is remembered, never the token.
    """

    def __init__(self, settings: Settings, keys: KeySet | None = None) -> None:
        self._settings = settings
        self._keys = keys or (KeySet(settings.jwks_url) if settings.jwks_url else None)
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})
        self._remembered: dict[bytes, tuple[float, Principal]] = {}

    async def principal(self, token: str) -> Principal:
        """Raises Unauthenticated; never says which of the checks failed beyond what a caller can act on."""
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._remembered.get(digest)) is not None and time.monotonic() < known[0]:
            return known[1]
        who, ends = await self._checked(token)
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[digest] = (time.monotonic() + min(REMEMBERED_SECONDS, ends - time.time()), who)
        return who

    async def _checked(self, token: str) -> tuple[Principal, int]:
        """Whose token it is, and the second at which it ends."""
        try:
            header = jwt.get_unverified_header(token)
            is_own = header.get("alg") == "HS256"
            claims = self._read_dev_token(token) if is_own else await self._read_token(token, header)
            return _principal(claims), int(claims["exp"])
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


def _words(claim: object) -> frozenset[str]:
    if claim is None:
        return frozenset()
    words = claim.split() if isinstance(claim, str) else claim
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError("words separated by spaces, or a list of them")
    return frozenset(words)


def _text(claim: object) -> str | None:
    return claim if isinstance(claim, str) and claim else None
