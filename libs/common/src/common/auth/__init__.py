"""Who is calling, and how far his credential reaches: API keys for systems, JWTs for people, checked by each service itself."""

from common.auth.door import Authenticator, Needs, ScopeMissing, needs, scopes_of, undeclared_routes
from common.auth.keys import AccessKey, FindKey, first_credential, first_secret, hash_of, make_key
from common.auth.principal import EVERYTHING, SCOPES, Principal, checked_subject
from common.auth.rate import RateExceeded, RateLimit
from common.auth.tokens import KeySet, TokenReader, dev_token

__all__ = [
    "EVERYTHING",
    "SCOPES",
    "AccessKey",
    "Authenticator",
    "FindKey",
    "KeySet",
    "Needs",
    "Principal",
    "RateExceeded",
    "RateLimit",
    "ScopeMissing",
    "TokenReader",
    "checked_subject",
    "dev_token",
    "first_credential",
    "first_secret",
    "hash_of",
    "make_key",
    "needs",
    "scopes_of",
    "undeclared_routes",
]
