"""JWTs: the provider's and one's own; whatever is not exactly right is refused."""

import base64
import hmac
import json
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.auth import KeySet, TokenReader, dev_token
from common.auth import tokens as tokens_module
from common.errors import Unauthenticated, Unavailable
from common.settings import Settings

SECRET = "a secret that only tests use, long enough"
URL = "https://idp.example/keys"
CUSTOMER = "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
FORMS = {
    "RS256": (jwt.algorithms.RSAAlgorithm, RSA),
    "ES256": (jwt.algorithms.ECAlgorithm, EC),
    "EdDSA": (jwt.algorithms.OKPAlgorithm, ED),
}


class Provider:
    """An identity provider that can rotate its keys and go away."""

    def __init__(self, **kids):
        self.keys = [self.published(kid, algorithm) for kid, algorithm in kids.items()]
        self.fetches = 0
        self.away = False

    @staticmethod
    def published(kid, algorithm, key=None):
        form, own = FORMS[algorithm]
        return {**form.to_jwk((key or own).public_key(), as_dict=True), "kid": kid, "use": "sig"}

    def client(self):
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request):
        self.fetches += 1
        if self.away:
            raise httpx.ConnectError("away", request=request)
        return httpx.Response(200, json={"keys": self.keys})

    def reader(self, **settings):
        return TokenReader(Settings(secret=SECRET, jwks_url=URL, **settings), KeySet(URL, client=self.client))


@pytest.fixture
def machine_time(monkeypatch):
    """Moves the key set's sense of time."""
    moved = {"by": 0.0}

    class Moved:
        time = staticmethod(time.time)

        @staticmethod
        def monotonic():
            return time.monotonic() + moved["by"]

    monkeypatch.setattr(tokens_module, "time", Moved)
    return moved


def signed(algorithm="RS256", kid="one", key=None, **claims):
    full = {"sub": "ana", "exp": int(time.time()) + 60, "scope": "resume:read value:read", **claims}
    full = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(full, key or FORMS[algorithm][1], algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_the_provider_opens_with_its_claims(algorithm):
    reader = Provider(one=algorithm).reader()
    token = signed(
        algorithm, hilo_subject=f"customer:{CUSTOMER}", hilo_source="portal", hilo_attests="account email", name="Ana"
    )
    who = await reader.principal(token)
    assert who.scopes == {"resume:read", "value:read"}
    assert (who.key_id, who.name, who.source) == ("jwt:ana", "Ana", "portal")
    assert str(who.customer_id) == CUSTOMER
    assert who.attests_scheme("email")


async def test_scopes_may_come_as_a_list():
    who = await Provider(one="RS256").reader().principal(signed(scope=["resume:read"]))
    assert who.scopes == {"resume:read"}


async def test_a_key_without_a_name_is_found_where_the_provider_has_one_only():
    assert await Provider(one="RS256").reader().principal(signed(kid=None))
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256", two="ES256").reader().principal(signed(kid=None))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 120},
        {"exp": None},
        {"sub": None},
        {"hilo_subject": "customer:not-an-id"},
        {"hilo_subject": "boss"},
        {"hilo_subject": ""},
        {"hilo_subject": ["customer:1"]},
        {"scope": 7},
        {"nbf": int(time.time()) + 600},
    ],
)
async def test_a_token_with_a_claim_that_is_wrong_or_missing_is_refused(claims):
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256").reader().principal(signed(**claims))


async def test_an_expired_token_is_told_so():
    with pytest.raises(Unauthenticated, match="expired"):
        await Provider(one="RS256").reader().principal(signed(exp=int(time.time()) - 120))


@pytest.mark.parametrize(
    "claims", [{}, {"aud": "other", "iss": "https://idp"}, {"aud": "hilo"}, {"aud": "hilo", "iss": "other"}]
)
async def test_audience_and_issuer_are_checked_where_configured(claims):
    reader = Provider(one="RS256").reader(jwt_audience="hilo", jwt_issuer="https://idp")
    assert await reader.principal(signed(aud="hilo", iss="https://idp"))
    with pytest.raises(Unauthenticated):
        await reader.principal(signed(**claims))


async def test_a_signature_by_another_key_is_refused():
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256").reader().principal(signed(key=OTHER_RSA))


async def test_a_public_key_is_not_taken_as_a_shared_secret():
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "kid": "one", "typ": "JWT"}, {"sub": "x", "exp": int(time.time()) + 60, "scope": "*"})
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    forged = f"{text}.{encoded(hmac.digest(pem, text.encode(), 'sha256'))}"
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256").reader().principal(forged)


def encoded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_alg_none_is_refused():
    token = jwt.encode({"sub": "x", "exp": int(time.time()) + 60}, None, algorithm="none", headers={"kid": "one"})
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256").reader().principal(token)


@pytest.mark.parametrize("rubbish", ["a.b.c", "..", "eyJhbGciOiJSUzI1NiJ9.e30.x", "ñ.ñ.ñ", "nodots"])
async def test_rubbish_is_refused(rubbish):
    with pytest.raises(Unauthenticated):
        await Provider(one="RS256").reader().principal(rubbish)


# --- the provider's keys


async def test_keys_are_fetched_once_for_many_tokens():
    provider = Provider(one="RS256")
    reader = provider.reader()
    for number in range(5):
        await reader.principal(signed(jti=str(number)))
    assert provider.fetches == 1


async def test_a_rotated_key_is_found_and_unknown_names_cost_one_fetch_in_thirty_seconds(machine_time):
    provider = Provider(one="RS256")
    reader = provider.reader()
    await reader.principal(signed())
    provider.keys.append(Provider.published("two", "ES256"))
    for name in ("a", "b", "two"):
        with pytest.raises(Unauthenticated):
            await reader.principal(signed("ES256", kid=name))
    assert provider.fetches == 1
    machine_time["by"] += 31
    assert await reader.principal(signed("ES256", kid="two"))
    assert provider.fetches == 2


async def test_known_keys_keep_working_while_the_provider_is_away(machine_time):
    provider = Provider(one="RS256")
    reader = provider.reader()
    await reader.principal(signed())
    provider.away = True
    machine_time["by"] += 7200
    assert await reader.principal(signed())


async def test_without_any_key_the_answer_is_unavailable_and_the_next_try_finds_it(machine_time):
    provider = Provider(one="RS256")
    provider.away = True
    reader = provider.reader()
    with pytest.raises(Unavailable):
        await reader.principal(signed())
    provider.away = False
    machine_time["by"] += 31
    assert await reader.principal(signed())


async def test_keys_of_other_kinds_are_passed_over():
    provider = Provider(one="RS256")
    provider.keys += [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "new"},
        {**provider.keys[0], "kid": "enc", "use": "enc"},
    ]
    reader = provider.reader()
    assert await reader.principal(signed())
    with pytest.raises(Unauthenticated):
        await reader.principal(signed(kid="enc"))


@pytest.mark.parametrize("document", [[], {}, {"keys": "x"}, {"keys": [1]}, "x"])
async def test_a_provider_that_answers_rubbish_counts_as_away(document):
    provider = Provider()
    keys = KeySet(
        URL,
        client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=document))),
    )
    with pytest.raises((Unavailable, Unauthenticated)):
        await TokenReader(Settings(secret=SECRET), keys).principal(signed())
    assert provider.fetches == 0


# --- what is remembered


class Asked(KeySet):
    """Counts how often a key is asked for: once for each token that is checked."""

    times = 0

    async def key(self, kid):
        self.times += 1
        return await super().key(kid)


@pytest.fixture
def still(monkeypatch):
    """Time that stands until it is moved; PyJWT goes by the real one."""

    class Still:
        now = time.time()

        @classmethod
        def time(cls):
            return cls.now

        monotonic = time

    monkeypatch.setattr(tokens_module, "time", Still)
    return Still


@pytest.fixture
def asked():
    return Asked(URL, client=Provider(one="RS256").client)


async def test_a_token_is_checked_once_in_five_seconds(still, asked):
    reader = TokenReader(Settings(secret=SECRET), asked)
    token = signed(exp=int(still.now) + 600)
    assert [await reader.principal(token) for _ in range(3)] == [await reader.principal(token)] * 3
    assert asked.times == 1
    still.now += 5.1
    assert (await reader.principal(token)).key_id == "jwt:ana"
    assert asked.times == 2


async def test_what_is_remembered_of_a_token_ends_with_it(still, asked):
    reader = TokenReader(Settings(secret=SECRET), asked)
    token = signed(exp=int(still.now) + 2)  # it is taken for half a minute longer, by whoever checks it
    await reader.principal(token)
    still.now += 2.1
    await reader.principal(token)
    assert asked.times == 2


async def test_who_is_remembered_is_no_other(still, asked):
    reader = TokenReader(Settings(secret=SECRET), asked)
    token = signed()
    await reader.principal(token)
    assert (await reader.principal(signed(sub="eva"))).key_id == "jwt:eva"
    with pytest.raises(Unauthenticated):
        await reader.principal(token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB"))


async def test_what_was_refused_is_not_remembered(still, asked):
    reader = TokenReader(Settings(secret=SECRET), asked)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await reader.principal(signed(key=OTHER_RSA))
    assert asked.times == 2


async def test_no_more_tokens_are_remembered_than_there_is_room_for(still, asked, monkeypatch):
    monkeypatch.setattr(tokens_module, "MOST_REMEMBERED", 2)
    reader = TokenReader(Settings(secret=SECRET), asked)
    for number in range(5):
        await reader.principal(signed(jti=str(number)))
    assert len(reader._remembered) <= 2


# --- one's own, in development


async def test_a_development_token_opens_with_what_it_was_made_for():
    token = dev_token(
        SECRET, subject="me", scopes=["value:read"], hilo_subject="partner:acme", source="desk", attests=["email"]
    )
    who = await TokenReader(Settings(secret=SECRET)).principal(token)
    assert (who.scopes, who.partner, who.source, who.attests) == ({"value:read"}, "acme", "desk", {"email"})


async def test_development_tokens_open_nothing_in_production_or_when_switched_off():
    token = dev_token(SECRET, subject="me", scopes=["*"])
    for settings in (
        Settings(secret=SECRET, environment="production"),
        Settings(secret=SECRET, allow_dev_tokens=False),
    ):
        with pytest.raises(Unauthenticated):
            await TokenReader(settings).principal(token)


async def test_a_development_token_of_another_deployment_is_refused():
    with pytest.raises(Unauthenticated):
        await TokenReader(Settings(secret=SECRET)).principal(dev_token(SECRET + "2", subject="me", scopes=["*"]))


async def test_a_providers_token_is_refused_where_no_provider_is_configured():
    with pytest.raises(Unauthenticated):
        await TokenReader(Settings(secret=SECRET)).principal(signed())
