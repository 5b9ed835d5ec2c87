"""Whose trace is this? The rules by which trails become customers: pure functions over a small neighbourhood."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from rapidfuzz.distance import OSA

from common.identifiers import PERSONAL, RANK
from common.names import compatible, compatible_as_called, tokens

Proof = Literal["attested", "claimed", "person"]
BY_RULES = "rules"
FOUNDING = PERSONAL | {"phone"}
UNREACHING = frozenset(
    {"device", "customer"}
)  # over these nobody is reached: a machine, and what is one customer's own


@dataclass(frozen=True)
class Carried:
    """An identifier on a trace. Attested only where its source attests it and the trace's own identifier in one touchpoint.

    A caller who proves his phone and types a stranger's e-mail proves nothing about the stranger.
    """

    identifier_id: UUID
    scheme: str
    value: str
    attested: bool = False


@dataclass(frozen=True)
class Trail:
    """What is known of one trace: its strongest scheme, the names it goes by, what it carries, and whose it is."""

    trace_id: UUID
    scheme: str
    names: tuple[str, ...] = ()  # folded, each that it has gone by; shorter forms of another left out
    carried: Mapping[UUID, Carried] = field(default_factory=dict)
    customer_id: UUID | None = None
    proof: Proof = "claimed"
    via: UUID | None = None  # the identifier that led it to its customer; None: it founded him, or a person decided
    revision: int = 0  # of the link

    @property
    def strongest(self) -> Carried | None:
        """Its own identifier, as far as proof goes: of several of one rank the attested one, as none is without its own."""
        return min(
            self.carried.values(), key=lambda c: (RANK.get(c.scheme, 9), not c.attested, c.identifier_id), default=None
        )

    # `replace` would be five times the price of what is done most often.

    def given_to(self, customer_id: UUID | None, proof: Proof, via: UUID | None) -> "Trail":
        """The same trail as somebody's."""
        return Trail(self.trace_id, self.scheme, self.names, self.carried, customer_id, proof, via, self.revision)

    def taught(self, carried: Mapping[UUID, Carried], names: tuple[str, ...]) -> "Trail":
        """The same trail, of which more is known."""
        return Trail(self.trace_id, self.scheme, names, carried, self.customer_id, self.proof, self.via, self.revision)

    def moved_at(self, revision: int) -> "Trail":
        """The same trail under a new revision of its link."""
        return Trail(
            self.trace_id, self.scheme, self.names, self.carried, self.customer_id, self.proof, self.via, revision
        )


@dataclass(frozen=True)
class Persona:
    """The side of a comparison: all names and documents that stand for one customer, or for one trace alone."""

    names: frozenset[str] = frozenset()
    documents: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)  # type -> number -> attested
    traces: frozenset[UUID] = frozenset()
    proven: bool = False  # something is his by proof: whoever is merged with him reads it

    def __or__(self, other: "Persona") -> "Persona":
        documents = {kind: dict(numbers) for kind, numbers in self.documents.items()}
        for kind, numbers in other.documents.items():
            mine = documents.setdefault(kind, {})
            for number, attested in numbers.items():
                mine[number] = mine.get(number, False) or attested
        return Persona(self.names | other.names, documents, self.traces | other.traces, self.proven or other.proven)


def persona_of(trails: Iterable[Trail]) -> Persona:
    names: set[str] = set()
    documents: dict[str, dict[str, bool]] = {}
    traces: set[UUID] = set()
    proven = False
    for trail in trails:
        traces.add(trail.trace_id)
        proven = proven or (trail.customer_id is not None and trail.proof != "claimed")
        names.update(trail.names)
        for carried in trail.carried.values():
            if carried.scheme == "document":
                kind, _, number = carried.value.rpartition(":")
                numbers = documents.setdefault(kind, {})
                numbers[number] = numbers.get(number, False) or carried.attested
    return Persona(frozenset(names), documents, frozenset(traces), proven)


class World:
    """The neighbourhood of a batch: the trails in question and all trails of every customer they reach."""

    def __init__(self) -> None:
        self.trails: dict[UUID, Trail] = {}
        self.since: dict[UUID, datetime] = {}
        self.merged_into: dict[UUID, UUID] = {}
        self.apart: set[tuple[UUID, UUID]] = set()
        self.unheard: set[UUID] = set()  # of the identifiers in question those that nobody has heard of
        self.barred: set[UUID] = set()  # blocked, or shared by too many: they prove contact, not identity
        self._carriers: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self._members: defaultdict[UUID, set[UUID]] = defaultdict(set)

    def put(self, trail: Trail) -> None:
        known = self.trails.get(trail.trace_id)
        self.trails[trail.trace_id] = trail
        if known is None or known.carried is not trail.carried:
            for identifier_id in known.carried if known is not None else ():
                self._carriers[identifier_id].discard(trail.trace_id)
            for identifier_id in trail.carried:
                self._carriers[identifier_id].add(trail.trace_id)
        if known is not None and known.customer_id is not None:
            self._members[known.customer_id].discard(trail.trace_id)
        if trail.customer_id is not None:
            self._members[trail.customer_id].add(trail.trace_id)

    def owner(self, trace_id: UUID) -> UUID | None:
        trail = self.trails.get(trace_id)
        return trail.customer_id if trail else None

    def elder(self, one: UUID, other: UUID) -> tuple[UUID, UUID]:
        """Who stays and who is absorbed: whoever is a customer for longer stays."""
        first, second = sorted((one, other), key=lambda each: (self.since[each], each))
        return first, second

    def members(self, customer_id: UUID) -> list[Trail]:
        return [self.trails[trace_id] for trace_id in sorted(self._members[customer_id])]

    def carriers(self, identifier_id: UUID) -> list[Trail]:
        return [self.trails[trace_id] for trace_id in sorted(self._carriers[identifier_id])]

    def owners(self, identifier_id: UUID) -> set[UUID]:
        return {trail.customer_id for trail in self.carriers(identifier_id) if trail.customer_id is not None}

    def persona(self, customer_id: UUID) -> Persona:
        return persona_of(self.members(customer_id))

    def resolve(self, customer_id: UUID) -> UUID | None:
        """Where a customer went; None for an id that was never given out."""
        while customer_id in self.merged_into:
            customer_id = self.merged_into[customer_id]
        return customer_id if customer_id in self.since else None

    def keep_apart(self, one: UUID, other: UUID) -> None:
        self.apart.add((min(one, other), max(one, other)))

    def kept_apart(self, one: UUID, other: UUID) -> list[tuple[UUID, UUID]]:
        """The pairs of traces, one of each of the two customers, that are never joined."""
        pair = {one, other}
        return [(a, b) for a, b in sorted(self.apart) if {self.owner(a), self.owner(b)} == pair]

    def are_kept_apart(self, some: Iterable[UUID], others: Iterable[UUID]) -> bool:
        theirs = set(others)
        mine = set(some)
        return any((a in mine and b in theirs) or (b in mine and a in theirs) for a, b in self.apart)


@dataclass(frozen=True)
class Merge:
    """Two customers proved to be one. `left` and `right` are the two traces that the decision concerns."""

    survivor: UUID
    absorbed: UUID
    left: UUID
    right: UUID
    over: UUID | None  # the identifier that both carry; None: likeness decided
    reasons: tuple[str, ...]
    by: str = BY_RULES


@dataclass(frozen=True)
class Doubt:
    """Two traces that may be one person's: for a person to decide."""

    left: UUID
    right: UUID
    scheme: str
    identifier_id: UUID
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """Who decided what, why, and how it was before. `by`: a person, or BY_RULES."""

    decision_id: UUID
    kind: str
    by: str
    reason: str
    at: datetime
    survivor: UUID | None = None
    absorbed: UUID | None = None
    left_trace: UUID | None = None
    right_trace: UUID | None = None
    before: Mapping[str, Any] | None = None
    undone_by: UUID | None = None


def own_key_account(customer_id: UUID, merges: Iterable[Decision]) -> bool | None:
    """Whether he was a key account before the first of his merges, the oldest first; None: none of them tells."""
    told = (dict((merge.before or {}).get("were", {})).get(str(customer_id)) for merge in merges)
    return next((bool(was["key_account"]) for was in told if was is not None), None)


def moved_by(before: Mapping[str, Any] | None) -> dict[UUID, Mapping[str, Any]]:
    """The before-image: the traces that a merge moved, each with the ground it stood on."""
    return {UUID(each["trace"]): each for each in (before or {}).get("moved", [])}


def kept_by(before: Mapping[str, Any] | None) -> dict[UUID, Mapping[str, Any]]:
    """The traces that were the survivor's own. Images of the first version name them and no more."""
    kept = (before or {}).get("kept", [])
    return {
        UUID(each if isinstance(each, str) else each["trace"]): {} if isinstance(each, str) else each for each in kept
    }


def together_by(merges: Iterable[Decision]) -> Callable[[UUID, UUID], datetime | None]:
    """When each two traces became one customer's by one of the merges; None: they always were. Of an image that is gone: all."""
    sides = [(merge.at, moved_by(merge.before).keys(), kept_by(merge.before).keys()) for merge in merges]

    def at(one: UUID, other: UUID) -> datetime | None:
        apart = [
            moment for moment, moved, kept in sides
            if not moved or (one in moved and other in kept) or (one in kept and other in moved)
        ]  # fmt: skip
        return max(apart, default=None)

    return at


@dataclass(frozen=True)
class Verdict:
    """Whose the trace is, why, and what else was found on the way."""

    trace_id: UUID
    customer_id: UUID | None
    proof: Proof = "claimed"
    via: UUID | None = None
    founded: bool = False
    merges: tuple[Merge, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Link:
    """A way from a trace to a customer: over which identifier, and over which of his traces."""

    customer_id: UUID
    via: Carried
    other: UUID
    proven: bool

    @property
    def rank(self) -> tuple[int, bool]:
        return (RANK.get(self.via.scheme, 9), not self.proven)


# --- comparing --------------------------------------------------------------------------------------------------------


def compare_documents(a: Persona, b: Persona) -> Literal["none", "same", "slip", "unclear", "differ"]:
    """same: one number on both sides. differ: attested on both, for one person each. slip: one digit off. unclear: the rest."""
    worst: Literal["none", "same", "slip", "unclear", "differ"] = "none"
    severity = {"none": 0, "same": 1, "slip": 2, "unclear": 3, "differ": 4}
    for kind in a.documents.keys() & b.documents.keys():
        found = _compare_numbers(a.documents[kind], b.documents[kind])
        worst = max(worst, found, key=severity.__getitem__)
    return worst


def _compare_numbers(a: Mapping[str, bool], b: Mapping[str, bool]) -> Literal["same", "slip", "unclear", "differ"]:
    mine = {number for number, attested in a.items() if attested}
    theirs = {number for number, attested in b.items() if attested}
    if mine and theirs and not mine & theirs:
        return "differ"
    if a.keys() & b.keys():
        return "same"
    return "slip" if _are_one_digit_off(a, b) else "unclear"


def documents_one_digit_off(a: Persona, b: Persona) -> bool:
    """Whether a clerk may have mistyped what he saw: it was attested, and one slip apart it is no proof of two persons."""
    return any(_are_one_digit_off(a.documents[kind], b.documents[kind]) for kind in a.documents.keys() & b.documents)


def _are_one_digit_off(some: Iterable[str], others: Collection[str]) -> bool:
    return any(OSA.distance(x, y) <= 1 for x in some for y in others)


def compare_names(a: Persona, b: Persona) -> Literal["unknown", "other", "called", "compatible", "full"]:
    """full: compatible, and both give at least two words. A common first name alone is no evidence.

    called: compatible once Pepe is spelt out as José.
    """
    if not a.names or not b.names:
        return "unknown"
    fitting = [(x, y) for x in a.names for y in b.names if compatible(x, y)]
    if not fitting:
        called = any(compatible_as_called(x, y) for x in a.names for y in b.names)
        return "called" if called else "other"
    return "full" if any(len(tokens(x)) > 1 and len(tokens(y)) > 1 for x, y in fitting) else "compatible"


def judge(a: Persona, b: Persona, scheme: str, world: World) -> tuple[Literal["one", "doubt", "two"], tuple[str, ...]]:
    """Whether two sides that share an identifier of `scheme` are one person, and what speaks against it.

    A phone is shared by families: what contradicts there is no riddle. A document typed wrong by one digit is evidence.
    """
    if world.are_kept_apart(a.traces, b.traces):
        return "two", ("cannot-link",)
    personal = scheme in PERSONAL
    documents, names = compare_documents(a, b), compare_names(a, b)
    if documents == "differ":
        mistyped = names == "full" and documents_one_digit_off(a, b)
        return ("doubt" if personal or mistyped else "two"), ("other-document",)
    if names == "other" or (
        names == "called" and not personal
    ):  # a home may call the son what tells him from his father
        return ("doubt" if personal else "two"), ("other-name",)
    if documents == "unclear":
        return ("doubt" if personal or names == "full" else "two"), ("unclear-document",)
    if documents == "slip" and names != "full":
        return "doubt", ("document-one-digit-off",)
    return "one", ()


# --- deciding ---------------------------------------------------------------------------------------------------------


def decide(trail: Trail, world: World, *, mint: Callable[[], UUID]) -> Verdict:
    """Whose trail this is. `trail` is in `world`; nothing is changed (see `settle`). `mint` makes a new customer's id."""
    if not _can_found(trail):
        return Verdict(trail.trace_id, trail.customer_id, trail.proof, trail.via)
    named = _named(trail, world)
    candidates, doubts = _candidates(trail, world, base=named or trail.customer_id)
    if named is not None:
        proof: Proof = "person" if trail.proof == "person" else "attested" if _names_attested(trail) else "claimed"
        return _with_merges(trail, named, proof, None, candidates, doubts, world)
    if trail.customer_id is not None:
        return _with_merges(trail, trail.customer_id, _proof_of(trail, world), trail.via, candidates, doubts, world)
    if trail.scheme == "customer" and len(trail.carried) == 1:
        return Verdict(trail.trace_id, None)  # an id that was never given out
    return _newcomer(trail, candidates, doubts, world, mint=mint)


def _named(trail: Trail, world: World) -> UUID | None:
    """The customer whom the trace names by his id: his, or of whoever absorbed him."""
    for carried in trail.carried.values():
        if carried.scheme == "customer":
            try:
                return world.resolve(UUID(carried.value))
            except ValueError:
                return None
    return None


def _names_attested(trail: Trail) -> bool:
    return any(carried.scheme == "customer" and carried.attested for carried in trail.carried.values())


def _proof_of(trail: Trail, world: World) -> Proof:
    """A trace that was linked by a claim is proved once its source attests it."""
    if trail.proof != "claimed" or trail.customer_id is None:
        return trail.proof
    founded = trail.via is None and _attests_itself(trail)
    proven = any(link.proven for link in reach(trail, world) if link.customer_id == trail.customer_id)
    return "attested" if founded or proven else "claimed"


def unproved(was: Trail, world: World) -> list[Trail]:
    """Those of its customer's trails that are proved no more since the trail attests less than it `was`.

    Trails prove each other where both attest one identifier. Of those that hung together over this one, those stay proved
    that still hang together with one that needs no other; if nobody founded the customer any more, with the strongest.
    """
    trail = world.trails.get(was.trace_id)
    if trail is None or trail.customer_id is None or trail.proof == "claimed":
        return []
    world.put(trail.taught(was.carried, trail.names))
    bound = _bound(trail.trace_id, world)
    world.put(trail)
    bases = [trace_id for trace_id in bound if _is_proved_alone(world.trails[trace_id])]
    if not bases and not any(_founded(member) for member in world.members(trail.customer_id)):
        able = [trace_id for trace_id in bound if _attests_itself(world.trails[trace_id])]
        bases = sorted(able, key=lambda each: (RANK.get(world.trails[each].scheme, 9), each))[:1]
    proved = {trace_id for base in bases for trace_id in _bound(base, world)}
    return [world.trails[each] for each in sorted(bound - proved) if world.trails[each].proof == "attested"]


def _bound(trace_id: UUID, world: World) -> set[UUID]:
    """The trail and all of its customer's that are proved by it, by one of these, and so on."""
    found, around = {trace_id}, [world.trails[trace_id]]
    while around:
        trail = around.pop()
        new = {
            other.trace_id: other
            for carried in trail.carried.values()
            if carried.scheme not in UNREACHING
            for other in world.carriers(carried.identifier_id)
            if other.customer_id == trail.customer_id and other.trace_id not in found and _proven(carried, other)
        }
        found |= new.keys()
        around += new.values()
    return found


def _is_proved_alone(trail: Trail) -> bool:
    return trail.proof == "person" or _names_attested(trail) or (_founded(trail) and _attests_itself(trail))


def _founded(trail: Trail) -> bool:
    return trail.via is None and _can_found(trail)


def _can_found(trail: Trail) -> bool:
    return bool(FOUNDING & {carried.scheme for carried in trail.carried.values()})


def _attests_itself(trail: Trail) -> bool:
    return trail.strongest is not None and trail.strongest.attested


def heirs(customers: Iterable[UUID], world: World) -> list[Trail]:
    """Of each customer whose founders carry nothing any more the strongest of his trails, as the one who founded him."""
    found = []
    for customer_id in sorted(customers):
        members = [each for each in world.members(customer_id) if each.scheme != "customer"]
        able = [each for each in members if each.proof != "person" and _can_found(each)]
        if any(_founded(each) for each in members) or not any(each.via is None for each in members):
            continue
        strongest = sorted(able, key=lambda each: (each.proof == "claimed", RANK.get(each.scheme, 9), each.trace_id))
        found += [each.given_to(customer_id, each.proof, None) for each in strongest[:1]]
    return found


def adrift(customers: Iterable[UUID], world: World) -> list[Trail]:
    """Those of the customers' trails that carry nothing any more, or came over what none of his other trails carries."""
    members = [each for customer_id in sorted(customers) for each in world.members(customer_id)]
    found = {t.trace_id: t for t in members if t.proof != "person" and (t.via is not None or not t.carried)}
    while held := {trace_id for trace_id, trail in found.items() if _is_held(trail, found, world)}:
        found = {trace_id: trail for trace_id, trail in found.items() if trace_id not in held}
    return list(found.values())


def _is_held(trail: Trail, adrift: Collection[UUID], world: World) -> bool:
    carriers = world.carriers(trail.via) if trail.via is not None and trail.via in trail.carried else []
    return any(other.customer_id == trail.customer_id and other.trace_id not in adrift for other in carriers)


def reach(trail: Trail, world: World) -> list[Link]:
    """Every way from the trace to a customer, the strongest first. Devices prove no identity, nor does what is barred."""
    links = [
        Link(other.customer_id, carried, other.trace_id, _proven(carried, other))
        for carried in trail.carried.values()
        if carried.scheme not in UNREACHING and carried.identifier_id not in world.barred
        for other in world.carriers(carried.identifier_id)
        if other.trace_id != trail.trace_id and other.customer_id is not None
    ]
    return sorted(links, key=lambda link: (link.rank, world.since[link.customer_id], link.customer_id, link.other))


def _proven(carried: Carried, other: Trail) -> bool:
    there = other.carried[carried.identifier_id]
    return carried.attested and there.attested and other.proof in ("attested", "person")


def _candidates(trail: Trail, world: World, *, base: UUID | None) -> tuple[list[Link], list[Doubt]]:
    """The customers, `base` excepted, that the trace may belong to (best link each), and those who are in doubt."""
    best: dict[UUID, Link] = {}
    for link in reach(trail, world):
        best.setdefault(link.customer_id, link)
    if not best:
        return [], []
    mine = persona_of([trail]) | (world.persona(base) if base else Persona())
    candidates, doubts = [], []
    for customer_id, link in best.items():
        if customer_id == base:
            continue
        answer, reasons = judge(mine, world.persona(customer_id), link.via.scheme, world)
        if answer == "one":
            candidates.append(link)
        elif answer == "doubt":
            doubts.append(_doubt(trail, link, reasons))
    return candidates, doubts


def _doubt(trail: Trail, link: Link, reasons: tuple[str, ...]) -> Doubt:
    return Doubt(trail.trace_id, link.other, link.via.scheme, link.via.identifier_id, reasons)


def _newcomer(
    trail: Trail, candidates: list[Link], doubts: list[Doubt], world: World, *, mint: Callable[[], UUID]
) -> Verdict:
    if not candidates:
        return _founder(trail, doubts, mint=mint)
    best, *others = candidates
    tied = [link for link in others if link.via.scheme == best.via.scheme and link.proven == best.proven]
    verdict = _with_merges(
        trail, best.customer_id, "attested" if best.proven else "claimed", best.via.identifier_id, others, doubts, world,
        known_by=best.via.scheme,
    )  # fmt: skip
    joined = {merge.survivor for merge in verdict.merges} | {merge.absorbed for merge in verdict.merges}
    if any(link.customer_id not in joined for link in tied):
        # nothing tells which of them he is: he stays himself, and a person decides
        undecided = [_doubt(trail, link, ("several-customers",)) for link in candidates]
        return _founder(trail, [*doubts, *undecided], mint=mint)
    return verdict


def _founder(trail: Trail, doubts: list[Doubt], *, mint: Callable[[], UUID]) -> Verdict:
    proof: Proof = "attested" if _attests_itself(trail) else "claimed"
    return Verdict(trail.trace_id, mint(), proof, None, founded=True, doubts=tuple(doubts))


def _with_merges(
    trail: Trail,
    target: UUID,
    proof: Proof,
    via: UUID | None,
    others: list[Link],
    doubts: list[Doubt],
    world: World,
    *,
    known_by: str = "customer",
) -> Verdict:
    """The trace is `target`'s; each other customer whom it reaches is merged with him or goes to review."""
    evidence = persona_of([trail])
    survivor, persona = target, world.persona(target) | evidence
    if known_by in PERSONAL:
        evidence = persona
    merges: list[Merge] = []
    in_doubt = list(doubts)
    for link in others:
        theirs = world.persona(link.customer_id)
        answer, reasons = judge(persona, theirs, link.via.scheme, world)
        certain = link.via.scheme in PERSONAL or compare_names(evidence, theirs) == "full"
        certain = certain and (known_by in PERSONAL or compare_names(evidence, world.persona(target)) == "full")
        if answer == "one" and persona.proven and theirs.proven and not (link.proven and proof != "claimed"):
            # two people with a view of their own are never joined on a claim: one would read the other's history
            in_doubt.append(_doubt(trail, link, ("claimed-only",)))
        elif answer == "one" and certain:
            elder, younger = world.elder(survivor, link.customer_id)
            merges.append(
                Merge(elder, younger, trail.trace_id, link.other, link.via.identifier_id, (f"same-{link.via.scheme}",))
            )
            survivor, persona = elder, persona | theirs
        elif answer != "two":
            in_doubt.append(_doubt(trail, link, reasons or ("weak-evidence",)))
    return Verdict(trail.trace_id, survivor, proof, via, merges=tuple(merges), doubts=tuple(in_doubt))


def devices_of(trails: Iterable[Trail]) -> set[UUID]:
    return {c.identifier_id for trail in trails for c in trail.carried.values() if c.scheme == "device"}


def is_visitor(trail: Trail) -> bool:
    """Known by devices alone and by no name, and linked to nobody by a person."""
    return trail.scheme == "device" and not trail.names and trail.proof != "person"


def user_of(visitor: Trail, world: World) -> tuple[UUID | None, UUID | None]:
    """Whose a visitor's trail is, and by which device: of whoever else is known on its devices, where that is one customer.

    It proves nothing, so it joins nobody and he never sees it himself; when a second customer turns up there it is nobody's.
    All carriers of its devices are in `world`.
    """
    users = {
        other.customer_id: device
        for device in sorted(devices_of([visitor]) - world.barred)
        for other in world.carriers(device)
        if other.scheme != "device" and other.customer_id is not None
    }
    if len(users) != 1:
        return None, None
    [(customer_id, device)] = users.items()
    mine = {trail.trace_id for trail in world.members(customer_id)} - {visitor.trace_id}
    return (None, None) if world.are_kept_apart([visitor.trace_id], mine) else (customer_id, device)


def settle(verdict: Verdict, world: World, *, at: datetime) -> None:
    """Let the verdict take effect in the neighbourhood, so that the next trail of the batch is decided on it."""
    if verdict.founded and verdict.customer_id is not None:
        world.since.setdefault(verdict.customer_id, at)
    for merge in verdict.merges:
        join(merge, world)
    trail = world.trails[verdict.trace_id]
    world.put(trail.given_to(verdict.customer_id, verdict.proof, verdict.via))


def join(merge: Merge, world: World) -> None:
    """The two customers are one from now on."""
    for member in world.members(merge.absorbed):
        world.put(member.given_to(merge.survivor, member.proof, member.via))
    world.merged_into[merge.absorbed] = merge.survivor


def next_revision(last: int, now: datetime) -> int:
    """One more than the last, and never less than the clock in microseconds: it survives a restored backup."""
    return max(last + 1, int(now.timestamp() * 1_000_000))
