"""API keys: made once, shown once, kept as a keyed hash; and the first key of a deployment, which precedes every event."""

import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from common.auth.principal import Principal
from common.settings import derived_key


@dataclass(frozen=True)
class AccessKey:
    """What is on record of an API key: a keyed hash, never the key."""

    hash: str
    revoked: bool
    principal: Principal


FindKey = Callable[[str], Awaitable[AccessKey | None]]


def make_key(secret: str) -> tuple[str, str, str]:
    """A new API key: its id, the key itself (to be shown once) and the hash to keep. `secret` is the deployment's."""
    key_id = secrets.token_hex(6)
    key = f"hilo_{key_id}_{secrets.token_hex(24)}"
    return key_id, key, hash_of(key, secret)


def hash_of(key: str, secret: str) -> str:
    """HMAC-SHA256 under a pepper; slow hashes are for passwords, these keys hold 192 random bits."""
    return hmac.digest(derived_key(secret, "access-keys"), key.encode(), "sha256").hex()


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
