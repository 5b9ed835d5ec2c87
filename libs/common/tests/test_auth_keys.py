"""API keys: the first one, those of the projection, and those that open nothing."""

import stat
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from common.access import AccessKeys, access_key_table, apply_access
from common.auth import (
    EVERYTHING,
    Authenticator,
    Principal,
    RateExceeded,
    RateLimit,
    first_credential,
    first_secret,
    hash_of,
    make_key,
)
from common.contracts.identity import AccessChanged
from common.errors import Unauthenticated
from common.settings import Settings

SECRET = "a secret that only tests use, long enough"
CUSTOMER = "0198f6c2-7d1e-7c3a-9a51-4b1f0f5f8d10"


class FakeTime:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


async def nothing(key_id):
    return None


def changed(key_id, key_hash, **fields):
    return AccessChanged(**{"key_id": key_id, "revision": 1, "hash": key_hash, "scopes": ["value:read"], **fields})


async def project(database, *changes):
    async with database.session() as session:
        await apply_access(changes, session)
        await session.commit()


# --- the first key


async def test_the_first_key_opens_everything_before_any_event(tmp_path):
    key, key_hash = first_credential(tmp_path, SECRET)
    door = Authenticator(Settings(secret=SECRET, first_key_hash=key_hash), nothing)
    who = await door.principal(key)
    assert who.scopes == {EVERYTHING}
    assert who.may("keys:admin")
    assert who.attests_scheme("document")
    assert who.source == "first-key"
    assert (who.customer_id, who.partner) == (None, None)


def test_the_first_credential_is_made_once_and_readable_by_its_owner_only(tmp_path):
    var = tmp_path / "var"
    key, key_hash = first_credential(var, SECRET)
    assert first_credential(var, SECRET) == (key, key_hash)
    assert (var / "credential").read_text() == key + "\n"
    assert stat.S_IMODE((var / "credential").stat().st_mode) == 0o600
    assert sorted(path.name for path in var.iterdir()) == ["credential"]


def test_first_starts_at_the_same_time_agree_on_one_secret(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: first_secret(tmp_path), range(16)))
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


async def test_no_key_opens_anything_where_no_first_key_is_set():
    door = Authenticator(Settings(secret=SECRET), nothing)
    with pytest.raises(Unauthenticated):
        await door.principal(make_key(SECRET)[1])


@pytest.mark.parametrize(
    "wrong", ["hilo_", "hilo__", "hilo_x", "hilo_0123456789ab_", "hilo_ñ_ñ", "x" * 10_000, "", "a.b.c"]
)
async def test_whatever_is_no_credential_is_refused(wrong):
    door = Authenticator(Settings(secret=SECRET, first_key_hash="0" * 64), nothing)
    with pytest.raises(Unauthenticated):
        await door.principal(wrong)


# --- keys of the projection


async def test_a_projected_key_opens_what_it_was_made_for(database):
    key_id, key, key_hash = make_key(SECRET)
    change = changed(
        key_id, key_hash, source="portal", attests=["account"], subject=f"customer:{CUSTOMER}", name="Portal"
    )
    await project(database, change)
    who = await Authenticator(Settings(secret=SECRET), AccessKeys(lambda: database).find).principal(key)
    assert who == Principal(
        key_id, frozenset({"value:read"}), "portal", frozenset({"account"}), f"customer:{CUSTOMER}", "Portal"
    )
    assert who.customer_id == UUID(CUSTOMER)
    assert who.attests_scheme("account")
    assert not who.attests_scheme("document")
    assert not who.may("value:write")


async def test_another_secret_part_under_a_known_id_opens_nothing(database):
    key_id, _, key_hash = make_key(SECRET)
    await project(database, changed(key_id, key_hash))
    door = Authenticator(Settings(secret=SECRET), AccessKeys(lambda: database).find)
    with pytest.raises(Unauthenticated):
        await door.principal(f"hilo_{key_id}_{'0' * 48}")


async def test_a_revocation_holds_within_seconds_of_its_event(database):
    time = FakeTime()
    key_id, key, key_hash = make_key(SECRET)
    door = Authenticator(Settings(secret=SECRET), AccessKeys(lambda: database, clock=time).find)
    await project(database, changed(key_id, key_hash))
    assert await door.principal(key)
    await project(database, changed(key_id, key_hash, revision=2, revoked=True))
    assert await door.principal(key), "remembered for a moment"
    time.now += 5.1
    with pytest.raises(Unauthenticated):
        await door.principal(key)


async def test_a_key_that_is_revoked_while_it_is_read_is_not_remembered_as_valid(database):
    key_id, key, key_hash = make_key(SECRET)
    await project(database, changed(key_id, key_hash))

    class RevokedMeanwhile(AccessKeys):
        async def _read(self, wanted):
            found = await super()._read(wanted)
            await project(database, changed(key_id, key_hash, revision=2, revoked=True))
            self.forget()
            return found

    door = Authenticator(Settings(secret=SECRET), RevokedMeanwhile(lambda: database, clock=FakeTime()).find)
    assert await door.principal(key)
    with pytest.raises(Unauthenticated):
        await door.principal(key)


async def test_a_new_key_opens_soon_after_it_was_refused_as_unknown(database):
    time = FakeTime()
    key_id, key, key_hash = make_key(SECRET)
    door = Authenticator(Settings(secret=SECRET), AccessKeys(lambda: database, clock=time).find)
    with pytest.raises(Unauthenticated):
        await door.principal(key)
    await project(database, changed(key_id, key_hash))
    time.now += 1.1
    assert await door.principal(key)


async def test_the_highest_revision_wins_in_any_order_and_again(database):
    key_id, _, key_hash = make_key(SECRET)
    made, revoked = changed(key_id, key_hash), changed(key_id, key_hash, revision=7, revoked=True, name="late")
    for batch in ([revoked], [made], [made, revoked, made], [revoked, made]):
        await project(database, *batch)
        async with database.session(reading=True) as session:
            row = (await session.execute(access_key_table.select())).one()
        assert (row.revoked, row.revision, row.name) == (True, 7, "late")


async def test_no_events_write_nothing(database):
    await project(database)


def test_the_hash_depends_on_the_secret_of_the_deployment():
    _, key, key_hash = make_key(SECRET)
    assert hash_of(key, SECRET) == key_hash
    assert hash_of(key, SECRET + "2") != key_hash
    assert key not in key_hash


def test_a_partner_is_known_by_name():
    who = Principal("k", frozenset(), subject="partner:acme")
    assert (who.partner, who.customer_id) == ("acme", None)


# --- how often


def test_a_bucket_lets_a_burst_through_and_then_says_when_to_come_back():
    time = FakeTime()
    limit = RateLimit(time)
    for _ in range(4):
        limit.take("one", 2)
    with pytest.raises(RateExceeded) as refusal:
        limit.take("one", 2)
    assert refusal.value.retry_after == 1
    limit.take("another", 2)
    time.now += 0.5
    limit.take("one", 2)


def test_a_slow_rate_tells_a_longer_wait():
    limit = RateLimit(FakeTime())
    limit.take("one", 0.1)
    with pytest.raises(RateExceeded) as refusal:
        limit.take("one", 0.1)
    assert refusal.value.retry_after == 10


def test_a_rate_of_zero_is_no_limit():
    limit = RateLimit(FakeTime())
    for _ in range(1000):
        limit.take("one", 0)


async def test_a_customers_credential_has_the_smaller_rate(database):
    key_id, key, key_hash = make_key(SECRET)
    await project(database, changed(key_id, key_hash, subject=f"customer:{CUSTOMER}"))
    settings = Settings(secret=SECRET, customer_rate_limit=1, rate_limit=1000)
    door = Authenticator(settings, AccessKeys(lambda: database).find, limit=RateLimit(FakeTime()))
    await door.principal(key)
    await door.principal(key)
    with pytest.raises(RateExceeded):
        await door.principal(key)
