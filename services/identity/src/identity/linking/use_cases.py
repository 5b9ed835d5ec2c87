"""Whose is it? One batch of trails, decided one after the other on one neighbourhood, written in a few statements."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from common.company import Company
from common.contracts.identity import GuardTripped, LinksChanged, Move
from common.ids import new_id
from identity.customers.domain import CarriedIdentifier, Customer, Dossier, TraceInfo, as_one
from identity.customers.telling import changed, tell_contact, tell_newcomers, tell_those_beside
from identity.guards.domain import Trip, gathers, shared, too_common, unique
from identity.linking.domain import (
    FOUNDING,
    Doubt,
    Merge,
    Trail,
    Verdict,
    World,
    adrift,
    decide,
    devices_of,
    heirs,
    is_visitor,
    join,
    next_revision,
    own_key_account,
    settle,
    unproved,
    user_of,
)
from identity.linking.repository import BY_RULES, Decision
from identity.matching.domain import BY_MATCHING
from identity.matching.use_cases import Likeness, review_of
from identity.reviews.domain import Review
from identity.sightings.domain import ProfileValue, Sighting, kind_of, with_name
from identity.sightings.repository import Lessons
from identity.uow import CUSTOMERS, IdentityUnitOfWork

CHUNK = 1000  # moves in one event


@dataclass
class Desk:
    """Where one batch is decided: the neighbourhood, what was decided on it, and what is to be written in the end."""

    uow: IdentityUnitOfWork
    company: Company
    now: datetime
    reason: str = "by the rules"
    kind: str = "link"
    decision_id: UUID = field(default_factory=new_id)
    likeness: Likeness = field(default_factory=Likeness)

    def __post_init__(self) -> None:
        self.world = World()
        self.before: dict[UUID, Trail] = {}
        self.settled: dict[UUID, UUID] = {}  # whose the traces are of which nothing new was told
        self.fresh: set[UUID] = set()  # the traces that nobody has heard of
        self.founded: dict[UUID, str] = {}
        self.moved: dict[UUID, Move] = {}
        self.merges: list[tuple[Decision, list[Move]]] = []
        self.doubts: list[Doubt] = []
        self.alike: list[Review] = []
        self.trips: list[Trip] = []
        self.touched: set[UUID] = set()
        self.news: set[UUID] = set()
        self.lessons: Mapping[UUID, Lessons] = {}  # all that is on record of traces that nobody had heard of
        self.told: set[UUID] = set()  # the customers of whom was told already how they are known
        self.former: dict[UUID, UUID] = {}  # the customer whom a trace founded before it is decided anew
        self._seen: dict[UUID, list[Sighting]] = {}

    def owner(self, trace_id: UUID) -> UUID | None:
        return self.world.owner(trace_id) or self.settled.get(trace_id)

    async def open(self, sightings: Sequence[Sighting]) -> None:
        """Read the neighbourhood of the sightings and decide on each of their traces that something new is known of."""
        for sighting in sightings:
            self._seen.setdefault(sighting.trace_id, []).append(sighting)
        by_name = any(sighting.profile for sighting in sightings)
        self.settled = await self._settle(await self.uow.links.standing(self._seen, by_name=by_name), by_name=by_name)
        told = (
            [each for each in sightings if each.trace_id not in self.settled]
            if len(self.settled) < len(self._seen)
            else []
        )
        if told:
            await self._decide_on(told)
        await self.follow()
        owners = [owner for each in told if (owner := self.owner(each.trace_id)) is not None]
        await self._lock({*self.settled.values(), *self.touched, *owners})

    async def _settle(
        self, known: Mapping[UUID, tuple[UUID | None, Sequence[str]]], *, by_name: bool
    ) -> dict[UUID, UUID]:
        """Of the known traces those of which nothing new was told, each with whose it is: most of them, in most batches."""
        compared = {told.trace_id for told in self.likeness.told.values()} | self.likeness.traces
        settled, seen = dict[UUID, UUID](), list[Sighting]()
        for trace_id, (owner, names) in known.items():
            here = self._seen[trace_id]
            if owner is None or trace_id in compared:
                continue
            if by_name and any(_is_named_anew(each, names) for each in here):
                continue
            settled[trace_id] = owner
            seen += here
        for trace_id in await self.uow.links.with_news(seen):
            settled.pop(trace_id, None)
        # a customer's own trace may be made by whoever writes to him, who holds him and not the decisions
        if len(known) < len(self._seen):
            unknown = self._seen.keys() - known.keys()
            self.fresh = {trace_id for trace_id in unknown if self._seen[trace_id][0].scheme != "customer"}
        return settled

    async def _decide_on(self, told: Sequence[Sighting]) -> None:
        traces = dict.fromkeys(each.trace_id for each in told)
        self.before = await self.uow.links.trails(traces.keys() - self.fresh)
        blank = {trace_id: self._blank(trace_id) for trace_id in traces}
        learned = {trace_id: taught_by(self._seen[trace_id], trail) for trace_id, trail in blank.items()}
        self.world = await self.uow.links.world(
            [each for each in learned.values() if self._is_news(each)], beside=self.likeness.traces, fresh=self.fresh
        )
        # nobody is reached over a device, but counted
        beside = await self.uow.links.carriers_among(self.settled, devices_of(learned.values()))
        for trail in (*beside, *blank.values()):
            self.world.put(trail)  # as it was: the batch is told one by one, so that it does not matter how it was cut
        for sighting in told:
            self.learn(sighting)

    def _blank(self, trace_id: UUID) -> Trail:
        return self.before.get(trace_id) or Trail(trace_id, self._seen[trace_id][0].scheme)

    def learn(self, sighting: Sighting) -> None:
        """What one touchpoint teaches: its trace is decided on, if this is news, and compared with all that is known."""
        trail = taught_by([sighting], self.world.trails[sighting.trace_id])
        if self._is_news(trail):
            self.news.add(trail.trace_id)
            self.world.put(trail)
            self.decide(trail, sighting.profile, at=sighting.occurred_at)
        self._compare(sighting)

    def _is_news(self, trail: Trail) -> bool:
        before = self.world.trails.get(trail.trace_id) or self.before.get(trail.trace_id)
        if before is None or not before.carried:
            return True
        if before.carried != trail.carried or before.names != trail.names:
            return True
        return before.customer_id is None and bool(FOUNDING & {carried.scheme for carried in trail.carried.values()})

    def decide(self, trail: Trail, profile: Mapping[str, str] | None = None, *, at: datetime | None = None) -> Verdict:
        """Decide on one trail, let it take effect in the neighbourhood, and note what is to be written."""
        verdict = decide(trail, self.world, mint=lambda: self.former.pop(trail.trace_id, None) or new_id())
        if verdict.founded and verdict.customer_id is not None and verdict.customer_id not in self.world.since:
            self.founded[verdict.customer_id] = kind_of(trail.carried.values(), profile or {})
        was = {merge: self._note_before(merge) for merge in verdict.merges}
        settle(verdict, self.world, at=at or self.now)
        for merge, (decision, members) in was.items():
            self.merges.append((decision, [self._move(member) for member in members if member != trail.trace_id]))
            self.touched |= {merge.survivor, merge.absorbed}
        now_is = self.world.trails[trail.trace_id]
        if (now_is.customer_id, now_is.proof) != (trail.customer_id, trail.proof) or verdict.founded:
            self.moved[trail.trace_id] = self._move(trail.trace_id)
            self.touched |= {each for each in (trail.customer_id, now_is.customer_id) if each is not None}
        self.doubts.extend(verdict.doubts)
        self._bar_what_is_too_common(trail)
        return verdict

    def _compare(self, sighting: Sighting) -> None:
        """Whoever is alike enough is one customer; what is in doubt is for a person."""
        for pair, doubts in self.likeness.weigh(sighting.touchpoint_id, self.world):
            one, other = self.owner(pair.mine), self.owner(pair.theirs)
            if doubts or one is None or other is None:
                self.alike.append(review_of(pair, doubts, at=self.now))
                continue
            merge = Merge(*self.world.elder(one, other), pair.mine, pair.theirs, None, (pair.words,), BY_MATCHING)
            decision, members = self._note_before(merge)
            join(merge, self.world)
            self.merges.append((decision, [self._move(member) for member in members]))
            self.touched |= {one, other}

    async def compare(self, sightings: Sequence[Sighting], *, devices: Collection[UUID] = ()) -> None:
        """Ask for the likeness alone of what was told before. `devices`: what their trace no longer carries, perhaps."""
        self.world = await self.uow.links.world([], beside=self.likeness.traces)
        for sighting in sightings:
            self._compare(sighting)
        await self.follow(devices)
        await self._lock(self.touched)

    async def follow(self, devices: Collection[UUID] = ()) -> None:
        """Visitors follow whoever alone uses the device: those on `devices`, and on the devices of all that was decided on."""
        decided = self.news | self.moved.keys() | {move.trace_id for _, moves in self.merges for move in moves}
        theirs = devices_of(self.world.trails[trace_id] for trace_id in decided & self.world.trails.keys())
        for visitor in await followers({*devices} | theirs, self.world, uow=self.uow):
            self.touched |= {each for each in (self.owner(visitor.trace_id), visitor.customer_id) if each is not None}
            self.world.put(visitor)
            self.moved[visitor.trace_id] = self._move(visitor.trace_id)

    def _note_before(self, merge: Merge) -> tuple[Decision, list[UUID]]:
        moved = self.world.members(merge.absorbed)
        before = before_image(moved, self.world.members(merge.survivor))
        before |= {"over": str(merge.over)} if merge.over else {}
        reason = ", ".join(merge.reasons) if merge.over is None else f"by the rules: {', '.join(merge.reasons)}"
        decision = Decision(
            new_id(),
            "merge",
            merge.by,
            reason,
            self.now,
            merge.survivor,
            merge.absorbed,
            merge.left,
            merge.right,
            before,
        )
        return decision, [member.trace_id for member in moved]

    def _move(self, trace_id: UUID) -> Move:
        trail = self.world.trails[trace_id]
        trail = trail.moved_at(next_revision(trail.revision, self.now))
        self.world.put(trail)
        return Move(trace_id=trace_id, customer_id=trail.customer_id, revision=trail.revision, proof=trail.proof)

    def _bar_what_is_too_common(self, trail: Trail) -> None:
        for carried in trail.carried.values():
            if carried.identifier_id in self.world.barred:
                continue
            figures = too_common(carried, self.world, self.company.identifiers)
            if figures is not None:
                self.world.barred.add(carried.identifier_id)
                self.trips.append(shared(carried, figures, trace_id=trail.trace_id, at=self.now))

    async def decide_anew(self, *trails: Trail) -> None:
        """Decide on traces as if they came now, each without the customer it had, and tell of those that change hands."""
        self.before = {trail.trace_id: trail for trail in trails}
        stripped = [replace(trail, customer_id=None, via=None, proof="claimed") for trail in trails]
        self.world = await self.uow.links.world(stripped)
        for trail in stripped:
            self.decide(self.world.trails[trail.trace_id])
        for trail in trails:
            now_is = self.world.trails[trail.trace_id]
            if (now_is.customer_id, now_is.proof, now_is.via) == (trail.customer_id, trail.proof, trail.via):
                self.moved.pop(trail.trace_id, None)
            elif trail.trace_id not in self.moved:
                self.moved[trail.trace_id] = self._move(trail.trace_id)
            self.touched |= {each for each in (trail.customer_id, now_is.customer_id) if each is not None}
        await self.follow()
        await self._lock(self.touched)

    async def prove_anew(self, was: Trail) -> list[Trail]:
        """What rested on what the trail attested when it `was` so is only claimed, and that is told.

        Gives those whom nothing leads to their customer any more, as they are: they are to be decided anew.
        """
        self.world = await self.uow.links.world((await self.uow.links.trails([was.trace_id])).values())
        whose = {owner for owner in [self.world.owner(was.trace_id)] if owner is not None}
        founded = heirs(whose, self.world)
        for trail in founded:
            self.world.put(trail)
        lost = unproved(was, self.world)
        loose = adrift(whose, self.world)
        for trail in lost:
            if trail not in loose and trail.customer_id is not None:
                self.world.put(trail.given_to(trail.customer_id, "claimed", trail.via))
        for trail in (*founded, *lost):
            if trail not in loose:
                self.moved[trail.trace_id] = self._move(trail.trace_id)
        self.touched |= whose
        await self._lock(self.touched)
        return loose

    async def _lock(self, customers: Collection[UUID]) -> None:
        # before the first write: order per customer is lost otherwise
        await self.uow.lock(set(customers) - self.founded.keys(), space=CUSTOMERS)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Write and tell what was decided."""
        await self._add_founded()
        await self._save_traces()
        await self._record()
        await self._tell_links()
        await tell_those_beside(self._related(), uow=self.uow, now=self.now)
        await self._bite()
        await self.uow.reviews.open(self._reviews())
        await self._absorb()

    @property
    def doubted(self) -> set[tuple[UUID, UUID]]:
        """The pairs of traces that a person should look at."""
        return {(review.left_trace, review.right_trace) for review in self._reviews()}

    def _reviews(self) -> list[Review]:
        apart = [r for r in self.alike if self.owner(r.left_trace) != self.owner(r.right_trace)]
        return [*reviews_of(self.doubts, self.world, at=self.now), *apart]

    async def _add_founded(self) -> None:
        if not self.founded:
            return
        since, revision = self.world.since | self._first_touchpoints(), next_revision(0, self.now)
        customers = [
            Customer(
                customer_id,
                kind,  # type: ignore[arg-type]
                "active",
                None,
                key_account=False,
                since=since.get(customer_id, self.now),
                created_by=BY_RULES,
                revision=revision,
            )
            for customer_id, kind in self.founded.items()
        ]
        self.uow.outbox.add_all(map(changed, customers), at=self.now)
        dossiers = [found for each in customers if (found := self._whole(each)) is not None]
        told = tell_newcomers(dossiers, uow=self.uow, company=self.company, now=self.now)
        self.told = {*told}
        await self.uow.customers.add([told.get(each.customer_id, each) for each in customers])

    def _whole(self, customer: Customer) -> Dossier | None:
        """Whom nobody knew before: what was told now is all there is. None for whoever was known, or is another's by now."""
        trails = self.world.members(customer.customer_id)
        if not trails or any(trail.trace_id not in self.lessons for trail in trails):
            return None
        lessons = [(trail, self.lessons[trail.trace_id]) for trail in trails]
        moments = {trail.trace_id: [s.occurred_at for s in self._seen[trail.trace_id]] for trail in trails}
        return Dossier(
            customer,
            [
                TraceInfo(
                    t.trace_id, customer.customer_id, t.scheme, t.proof, t.via,
                    min(moments[t.trace_id]), max(moments[t.trace_id]),
                )
                for t in trails
            ],
            [
                ProfileValue(*(row[name] for name in ("trace_id", "key", "value", "source", "verified", "first_seen", "last_seen")))
                for _, lesson in lessons for row in lesson.values
            ],
            [
                CarriedIdentifier(
                    t.trace_id, row["identifier_id"], t.carried[row["identifier_id"]].scheme,
                    t.carried[row["identifier_id"]].value, False, row["attested"], row["source"],
                    row["first_seen"], row["last_seen"],
                )
                for t, lesson in lessons for row in lesson.carried
            ],
            proven=frozenset(t.trace_id for t in trails if t.proof != "claimed"),
        )  # fmt: skip

    def _first_touchpoints(self) -> dict[UUID, datetime]:
        """He is a customer since his first touchpoint, not since we heard of it."""
        first: dict[UUID, datetime] = {}
        for trace_id, seen in self._seen.items():
            if (owner := self.owner(trace_id)) is not None and seen[0].scheme != "device":
                earliest = min(sighting.occurred_at for sighting in seen)
                first[owner] = min(earliest, first.get(owner, earliest))
        return first

    async def _save_traces(self) -> None:
        merged = {move.trace_id for _, moves in self.merges for move in moves}
        told = {trace_id: seen for trace_id, seen in self._seen.items() if trace_id not in self.settled}
        rows = [self._row(self.world.trails[trace_id], seen) for trace_id, seen in told.items()]
        await self.uow.links.add([row for row in rows if row["trace_id"] in self.fresh])
        await self.uow.links.save([row for row in rows if row["trace_id"] not in self.fresh])
        again = {trace_id: max(seen.occurred_at for seen in self._seen[trace_id]) for trace_id in self.settled}
        await self.uow.links.seen_again(again)
        elsewhere = (merged | self.moved.keys()) - told.keys()
        await self.uow.links.move([self.world.trails[trace_id] for trace_id in elsewhere], decision_id=self.decision_id)

    def _row(self, trail: Trail, seen: Sequence[Sighting]) -> dict[str, Any]:
        latest = max(seen, key=lambda s: s.occurred_at)
        return {
            "trace_id": trail.trace_id, "customer_id": trail.customer_id, "revision": trail.revision,
            "proof": trail.proof, "via": trail.via, "scheme": trail.scheme, "names": list(trail.names),
            "decision_id": self.decision_id, "came_at": self.now,
            "first_seen": min(s.occurred_at for s in seen), "last_seen": latest.occurred_at,
        }  # fmt: skip

    async def _record(self) -> None:
        decisions = [decision for decision, _ in self.merges]
        if self.moved and self.kind == "link":
            decisions.insert(0, Decision(self.decision_id, "link", BY_RULES, self.reason, self.now))
        await self.uow.links.record(decisions)

    async def _tell_links(self) -> None:
        tell_moves(self.decision_id, self.kind, list(self.moved.values()), uow=self.uow, now=self.now)
        for decision, moves in self.merges:
            tell_moves(decision.decision_id, "merge", moves, uow=self.uow, now=self.now)

    def _related(self) -> list[UUID]:
        """Of the traces that change hands those by which parties are related."""
        moves = [*self.moved.values(), *(move for _, moves in self.merges for move in moves)]
        return [move.trace_id for move in moves if self.world.trails[move.trace_id].scheme == "customer"]

    async def _bite(self) -> None:
        """What too many share proves identity no more; that, and whatever else looks like two persons in one, is told."""
        common = [t.identifier_id for t in self.trips if t.guard == "shared-identifier" and t.identifier_id is not None]
        if common:
            await self.uow.sightings.share(common)
        self.trips += unique(self.doubts, at=self.now)
        await bite([*self.trips, *await self._gathering()], uow=self.uow)

    async def _gathering(self) -> list[Trip]:
        rules = self.company.identifiers
        if not rules.windows:
            return []
        few = min(window.at_most for window in rules.windows.values())
        owners = {owner for trace_id in self.news if (owner := self.owner(trace_id)) is not None}
        # whoever was not known before has gathered what his traces carry
        owners -= {each for each in self.told if len(self._gathered(each)) <= few}
        if not owners:
            return []
        longest = timedelta(days=max(window.days for window in rules.windows.values()))
        first_seen = await self.uow.guards.gathered(owners, since=self.now - longest)
        return gathers(first_seen, rules, at=self.now)

    def _gathered(self, customer_id: UUID) -> set[UUID]:
        return {each for trail in self.world.members(customer_id) for each in trail.carried}

    async def _absorb(self) -> None:
        for decision, _ in self.merges:
            if decision.survivor is None or decision.absorbed is None:
                continue
            await absorb(decision, uow=self.uow, now=self.now)
            traces = {trail.trace_id for trail in self.world.members(decision.survivor)}
            await self.uow.reviews.close_within(
                traces, by=BY_RULES, reason=decision.reason, at=self.now, decision_id=decision.decision_id
            )
        if self.merges:
            await tell_contact(
                {decision.survivor for decision, _ in self.merges if decision.survivor}, uow=self.uow, now=self.now
            )


async def followers(devices: Collection[UUID], world: World, *, uow: IdentityUnitOfWork) -> list[Trail]:
    """The visitors on the devices who are to be another's than they are, or nobody's any more, each as he will be.

    What stands in `world` counts; what it lacks is read into it.
    """
    if not devices:
        return []
    await _add_carriers(devices, world, uow)
    visitors = {v.trace_id: v for device in devices for v in world.carriers(device) if is_visitor(v)}
    if others := devices_of(visitors.values()) - {*devices}:
        await _add_carriers(others, world, uow)
    if apart := await uow.links.kept_apart(visitors):
        _add_trails((await uow.links.trails({each for pair in apart for each in pair})).values(), world)
        for left, right in apart:
            world.keep_apart(left, right)
    found = []
    for _, visitor in sorted(visitors.items()):
        customer_id, device = user_of(visitor, world)
        if customer_id != visitor.customer_id:
            found.append(visitor.given_to(customer_id, "claimed", device))
    return found


async def _add_carriers(devices: Collection[UUID], world: World, uow: IdentityUnitOfWork) -> None:
    world.barred |= await uow.links.shared(devices)
    _add_trails(await uow.links.carriers(devices), world)


def _add_trails(trails: Iterable[Trail], world: World) -> None:
    for trail in trails:
        if trail.trace_id not in world.trails:
            world.put(trail)


def taught_by(sightings: Iterable[Sighting], trail: Trail) -> Trail:
    """The trail with what the touchpoints say of it: more identifiers, proofs and names, never fewer."""
    carried, names = trail.carried, trail.names
    for sighting in sightings:
        names = with_name(names, sighting.name)
        for each in sighting.carried:
            known = carried.get(each.identifier_id)
            if known is None or (each.attested and not known.attested):
                carried = {**carried, each.identifier_id: each}
    taught = carried is not trail.carried or names != trail.names
    return trail.taught(carried, names) if taught else trail


def _is_named_anew(sighting: Sighting, names: Sequence[str]) -> bool:
    return bool(sighting.profile) and with_name(names, sighting.name) != tuple(names)


def before_image(moved: Collection[Trail], kept: Collection[Trail]) -> dict[str, Any]:
    """What an undo needs: the traces that are moved and those that were the survivor's own, each with its ground."""
    return {"moved": [_ground(trail) for trail in moved], "kept": [_ground(trail) for trail in kept]}


def _ground(trail: Trail) -> dict[str, Any]:
    return {"trace": str(trail.trace_id), "proof": trail.proof, "via": str(trail.via) if trail.via else None}


async def bite(trips: Collection[Trip], *, uow: IdentityUnitOfWork) -> None:
    """Note the guards that bit, and tell those that had not been told."""
    for trip in await uow.guards.note(trips):
        told = {name: getattr(trip, name) for name in GuardTripped.model_fields if name != "figures"}
        uow.outbox.add(GuardTripped(figures=dict(trip.figures), **told), at=trip.at)


def tell_moves(decision_id: UUID, kind: Any, moves: Sequence[Move], *, uow: IdentityUnitOfWork, now: datetime) -> None:
    """Publish a decision, in as many events as it needs."""
    for start in range(0, len(moves), CHUNK):
        chunk = list(moves[start : start + CHUNK])
        uow.outbox.add(LinksChanged(decision_id=decision_id, kind=kind, moves=chunk), at=now)


async def absorb(merge: Decision, *, uow: IdentityUnitOfWork, now: datetime) -> None:
    """The absorbed customer stays addressable and says where he went; what he was to us, the survivor is from now on."""
    if merge.survivor is None or merge.absorbed is None:
        return
    found = await uow.customers.get_all([merge.survivor, merge.absorbed])
    stays, goes = found[merge.survivor], found[merge.absorbed]
    gone = replace(goes, state="merged", merged_into=merge.survivor, revision=next_revision(goes.revision, now))
    await uow.customers.change(gone.customer_id, state="merged", merged_into=merge.survivor, revision=gone.revision)
    uow.outbox.add(changed(gone), at=now)
    one = as_one(stays, goes)
    if one != stays:
        one = replace(one, revision=next_revision(stays.revision, now))
        await uow.customers.change(one.customer_id, state=one.state, key_account=one.key_account, revision=one.revision)
        uow.outbox.add(changed(one), at=now)
    if goes.key_account or one.state != stays.state or goes.state != "active":
        own = own_key_account(stays.customer_id, await uow.links.standing_merges_into([stays.customer_id]))
        flags = ((stays, stays.key_account if own is None else own), (goes, goes.key_account))
        were = {str(each.customer_id): {"state": each.state, "key_account": key} for each, key in flags}
        await uow.links.picture(merge.decision_id, {**(merge.before or {}), "were": were})


async def archive_if_empty(customers: Collection[UUID], *, uow: IdentityUnitOfWork, now: datetime) -> None:
    """Customers without a trace are nobody any more."""
    for found in (await uow.customers.get_all(customers)).values():
        if found.state != "active" or await uow.customers.traces_of([found.customer_id]):
            continue
        gone = replace(found, state="archived", revision=next_revision(found.revision, now))
        await uow.customers.change(found.customer_id, state=gone.state, revision=gone.revision)
        uow.outbox.add(changed(gone), at=now)


def reviews_of(
    doubts: Sequence[Doubt], world: World, *, at: datetime, mint: Callable[[], UUID] = new_id
) -> list[Review]:
    """A review for each pair in doubt, unless it is one customer's by now. The explanation names schemes, never values."""
    opened = []
    for doubt in doubts:
        left, right = sorted((doubt.left, doubt.right))
        owners = world.trails[left].customer_id, world.trails[right].customer_id
        if owners[0] is not None and owners[0] == owners[1]:
            continue
        explanation = {
            "shares": doubt.scheme, "identifier_id": str(doubt.identifier_id), "reasons": list(doubt.reasons),
        }  # fmt: skip
        opened.append(Review(mint(), left, right, explanation, "open", at))
    return opened
