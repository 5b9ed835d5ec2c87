"""E-mail addresses beyond their normal form: which mailbox receives them.

That is no identity. `ana+tienda@correo.co` stays another identifier than `ana@correo.co`, because only the provider knows
whether they are one mailbox; for matching, one mailbox is evidence.
"""

from functools import lru_cache

_GOOGLE = frozenset({"gmail.com", "googlemail.com"})


@lru_cache(maxsize=65_536)
def mailbox(email: str) -> str:
    """The mailbox behind a normalised address, for comparison alone: no +tag, and with Google no dots either."""
    local, at, domain = email.rpartition("@")
    if not at:
        return email
    plain = local.partition("+")[0] or local
    if domain in _GOOGLE:
        plain, domain = plain.replace(".", "") or plain, "gmail.com"
    return f"{plain}@{domain}"
