"""E-mail addresses beyond their normal form: which mailbox receives them, and what a slip in the domain meant.

Neither is identity. `ana+tienda@correo.co` stays another identifier than `ana@correo.co`, because only the provider knows
whether they are one mailbox; for matching, one mailbox is evidence.
"""

from functools import lru_cache

from rapidfuzz.distance import OSA

_GOOGLE = frozenset({"gmail.com", "googlemail.com"})
_PROVIDERS = (
    "gmail.com", "hotmail.com", "outlook.com", "yahoo.com", "yahoo.es", "icloud.com", "live.com", "hotmail.es", "outlook.es",
    "yahoo.com.mx", "yahoo.com.ar", "yahoo.com.br", "une.net.co", "googlemail.com", "protonmail.com", "msn.com", "aol.com",
)  # fmt: skip
_SAME_NAME = 1  # slips between what was written and what is suggested


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


def likely_meant(email: str) -> str | None:
    """The address with the provider that a slip of the keyboard missed (gmial.com, hotmal.com); None where none is near.

    A suggestion to ask the customer, never a correction: domains one letter from a provider's do exist.
    """
    local, _, domain = email.rpartition("@")
    if not local or domain in _PROVIDERS:
        return None
    near = [
        provider for provider in _PROVIDERS if OSA.distance(domain, provider, score_cutoff=_SAME_NAME) <= _SAME_NAME
    ]
    return f"{local}@{near[0]}" if near else None
