"""The caller: what his credential may do, for which source it speaks, and whose data alone it may see."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

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
    "customers:erase": "erase customers and read the certificates",
    "customers:export": "read everything that is on record of a person",
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


@dataclass(frozen=True)
class Principal:
    """Who calls. `subject` narrows what he sees; the scopes say what he may do."""

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
    def known_as(self) -> str:
        """Who did it, for the record: a name where there is one."""
        return (self.name or self.key_id)[:200]

    @property
    def log_name(self) -> str:
        """For logs: a token's subject is often an e-mail address, so it is digested."""
        kind, _, subject = self.key_id.partition(":")
        return f"{kind}:{hashlib.sha256(subject.encode()).hexdigest()[:12]}" if subject else self.key_id

    @property
    def customer_id(self) -> UUID | None:
        """The one customer whose data he may see; None for everybody who is not bound to one."""
        kind, _, value = (self.subject or "").partition(":")
        return UUID(value) if kind == "customer" else None

    @property
    def partner(self) -> str | None:
        kind, _, value = (self.subject or "").partition(":")
        return value if kind == "partner" else None


def checked_subject(subject: object) -> str:
    """`customer:<uuid>` or `partner:<name>`. Raises ValueError: a subject that is not understood must not widen the view."""
    kind, _, value = str(subject).partition(":")
    if kind == "customer":
        return f"customer:{UUID(value)}"
    if kind == "partner" and value:
        return f"partner:{value}"
    raise ValueError("a subject is customer:<id> or partner:<name>")
