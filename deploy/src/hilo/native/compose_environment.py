"""`python -m hilo.native.compose_environment`: writes .env for Docker Compose with fresh secrets, once."""

import os
import secrets
import sys
from pathlib import Path

from common.auth import first_credential, first_secret


def write_environment(file: Path, *, example: Path, var: Path) -> bool:
    """Fills the example's secrets in, mode 0600; the first key goes to var/credential. False: the file is there already.

    Beside it, the folder whose files the containers see: made here, it is the caller's and not root's.
    """
    if file.exists():
        return False
    (var / "files").mkdir(parents=True, exist_ok=True)
    secret = first_secret(var)
    _, first_key_hash = first_credential(var, secret)
    fresh = {
        "HILO_SECRET": secret,
        "HILO_FIRST_KEY_HASH": first_key_hash,
        "POSTGRES_PASSWORD": secrets.token_hex(24),
    }
    lines = [_filled(line, fresh) for line in example.read_text().splitlines()]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write("\n".join(lines) + "\n")
    return True


def _filled(line: str, values: dict[str, str]) -> str:
    name, equals, value = line.partition("=")
    return f"{name}={values[name]}" if equals and not value and name in values else line


if __name__ == "__main__":
    var, target = Path("var"), Path(".env")
    written = write_environment(target, example=Path("deploy/env.example"), var=var)
    sys.stdout.write(
        f"{target} is written; the first key is in {var / 'credential'}.\n"
        if written
        else f"{target} is there already.\n"
    )
