"""A merge, a thousand contacts, an undo: both are as in a world in which they were never merged.

`HILO_UNDO_TOUCHPOINTS=1000` makes it as long as the proof of the whole system wants it; `make test` takes a shorter one.
`HILO_UNDO_SEED` draws other contacts.
"""

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from identity.merges.domain import representative
from identity.uow import IdentityUnitOfWork

from .worlds import World, a_world, shuffled

LATER = int(os.environ.get("HILO_UNDO_TOUCHPOINTS", "60"))
SEED = int(os.environ.get("HILO_UNDO_SEED", "20261120"))
ONE = {
    "name": "ANA MARIA LOPEZ RUIZ",
    "identifiers": ["phone:3011112233", "email:ana@example.com", "account:shop:1001"],
}
OTHER = {
    "name": "A. M. LOPEZ",
    "identifiers": ["document:co-cc:52123456", "email:amlopez@work.example.com", "phone:3154445566", "account:bank:77"],
}
KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("message", "whatsapp", {}), ("call", "call", {"duration_s": 120}), ("visit", "visit", {}), ("web", "web", {}),
    ("purchase", "shop", {"amount": "50000.00", "currency": "COP", "category": "grocery", "cost_of_goods": "31000.00"}),
    ("purchase", "web", {"amount": "12000.00", "currency": "COP", "category": "coffee", "cost_of_goods": "9000.00"}),
    ("payment", "web", {"amount": "30000.00", "currency": "COP"}),
    ("quote", "field-sales", {"amount": "90000.00", "currency": "COP"}),
    ("complaint", "web", {"severity": "high", "about": "double-charge"}), ("claim", "call", {"severity": "medium"}),
    ("petition", "email", {}), ("suggestion", "shop", {}), ("compliment", "email", {}),
    ("campaign_send", "email", {"campaign": "XMAS26"}),
    ("campaign_response", "email", {"campaign": "XMAS26", "answer": "interested"}),
    ("survey_response", "sms", {"survey": "post-contact", "answers": {"satisfaction": 2}}),
    ("note", "call", {}),
)  # fmt: skip
# Who sends, and what his credential proves: of many a claim nobody knows whether it is true.
PROVES = {"crm": ["phone", "email", "document", "account", "partner"], "gateway": ["phone"], "form": []}
OUTBOUND = frozenset({"campaign_send", "note", "quote"})
TOPICS = ("billing", "delivery", "technical", None)
OUTCOMES = ("resolved", "pending", "informed", None)
MOMENTS = {"lag_seconds", "version", "sources"}  # of reading, and of telling
POPULATION = {"cut_points", "rules_version"}  # of the moment at which the whole population was last ranked
NOT_TOLD_ALIKE = MOMENTS | POPULATION | {"fact_id", "consent_id", "evidence_id", "signal_id"}


PARTS = (
    "record", "facts", "knowledge", "consents", "contact", "timeline", "promises", "cases", "value", "signals", "evidence",
)  # fmt: skip


def lines_of(number: int, seed: int) -> list[dict[str, Any]]:
    """What the channels will say after the merge: alike in every world, whatever the order of ids."""
    chance = shuffled(seed)
    said = []
    for place in range(number):
        kind, channel, payload = chance.choice(KINDS)
        who, whose = _who(chance, place)
        said.append(
            {
                "external_id": f"later-{place}", "kind": kind, "channel": channel,
                "direction": "outbound" if kind in OUTBOUND else "inbound", "identifiers": who,
                "profile": _profile(chance, whose), "topic": chance.choice(TOPICS), "summary": f"Line {place}",
                "stop_point": f"We stopped at {place}", "outcome": chance.choice(OUTCOMES), "payload": payload,
                "facts": [{"key": "hobby", "value": f"hobby {place}"}] if chance.random() < 0.1 else [],
                "commitments": [{"by": "company", "text": f"Promise {place}", "due_in": chance.choice((2, 400))}]
                if chance.random() < 0.15 else [],
            }
        )  # fmt: skip
    return said


def _who(chance: Any, place: int) -> tuple[list[str], str | None]:
    """Whose touchpoint: one's, the other's, of both (a fifth of them), or known by something new beside."""
    one, other = ONE["identifiers"], OTHER["identifiers"]
    drawn = chance.random()
    if drawn < 0.2:
        both = [chance.choice(one), chance.choice(other)]
        new = [f"email:new{place}@example.com"] if chance.random() < 0.15 else []
        chance.shuffle(both)
        return [*both, *new], chance.choice((ONE["name"], OTHER["name"], None))
    if drawn < 0.25:  # a visit before he says who he is, or after he has left: on a device of one of them, or of both
        return [f"device:tab-{chance.randrange(7)}"], None
    mine, name = (one, ONE["name"]) if drawn < 0.6 else (other, OTHER["name"])
    who = chance.sample(mine, chance.choice((1, 1, 2)))
    if chance.random() < 0.12:
        who.append(chance.choice(("partner:acme:{}", "device:tab-{}", "account:club:{}")).format(place % 7))
    return who, chance.choice((name, name, None))


def _profile(chance: Any, name: str | None) -> dict[str, str]:
    profile = {"full_name": name} if name else {}
    if chance.random() < 0.2:
        profile["city"] = chance.choice(("Bogotá", "Cali", "Pasto"))
    return profile


async def before(world: World) -> tuple[str, str]:
    """Two customers and a few others, each with a history; gives the ids of the two."""
    openings = [
        _opening(who["identifiers"], who["name"], f"{tag}-{number}", kind, channel, payload)
        for number, (kind, channel, payload) in enumerate(KINDS)
        for who, tag in ((ONE, "one"), (OTHER, "other"))
    ]
    strangers = ((f"email:p{number}@example.com", f"PEDRO PEREZ {number}") for number in range(4))
    openings += [_opening([email], name, f"of {email}", *KINDS[4]) for email, name in strangers]
    for name, proves in PROVES.items():
        made = {"name": name, "source": name, "attests": proves, "scopes": ["touchpoints:write"]}
        world.keys[name] = (await world.post("/identity/v1/access-keys", made))["key"]
    await world.settle()
    await world.record(*openings, key=world.keys["crm"])
    found = [
        (await world.get("/identity/v1/customers", identifier=who["identifiers"][0]))["items"][0]["customer_id"]
        for who in (ONE, OTHER)
    ]
    world.names |= {found[0]: "one", found[1]: "other"}
    for customer, granted in zip(found, (True, False), strict=True):
        await _consents(world, customer, granted=granted)
    await world.later(minutes=1)
    return found[0], found[1]


def _opening(
    identifiers: Any, name: str, external_id: str, kind: str, channel: str, payload: dict[str, Any]
) -> dict[str, Any]:
    return {
        "external_id": external_id, "kind": kind, "channel": channel, "payload": payload,
        "direction": "outbound" if kind in OUTBOUND else "inbound", "identifiers": list(identifiers),
        "profile": {"full_name": name}, "topic": "billing", "occurred_at": "2026-11-19T10:00:00-05:00",
        "summary": f"Opening {external_id}",
    }  # fmt: skip


async def _consents(world: World, customer: str, *, granted: bool) -> None:
    await world.post(
        f"/identity/v1/customers/{customer}/consents",
        {"purpose": "marketing", "channel": "*", "granted": granted, "evidence": "Form 1"},
    )
    await world.post(
        f"/identity/v1/customers/{customer}/facts", {"key": "best_hour", "value": f"hour of {world.names[customer]}"}
    )


async def since(world: World, one: str, other: str) -> None:
    """What happens after the merge: contacts of every channel, and what people write to the survivor."""
    said = lines_of(LATER, seed=SEED)
    chance, place = shuffled(SEED + 7), 0
    while place < len(said):
        size = chance.choice((1, 4, 12, 30))
        world.clock.advance(timedelta(minutes=chance.choice((1, 9, 40))))
        key = world.keys[chance.choice(list(PROVES))]
        answers = await world.record(*(_now(each, world) for each in said[place : place + size]), key=key)
        place += size
        await _people_act(world, one, chance, answers, place)
    await world.later(hours=3)


def _now(said: dict[str, Any], world: World) -> dict[str, Any]:
    promised = [
        {"by": p["by"], "text": p["text"], "due_at": (world.clock() + timedelta(hours=p["due_in"])).isoformat()}
        for p in said["commitments"]
    ]
    return said | {"occurred_at": (world.clock() - timedelta(seconds=30)).isoformat(), "commitments": promised}


async def _people_act(world: World, one: str, chance: Any, answers: list[dict[str, Any]], place: int) -> None:
    """Staff writes to the survivor, keeps promises, answers complaints."""
    drawn, record = chance.random(), f"/identity/v1/customers/{one}"
    if drawn < 0.2:
        await world.post(f"{record}/facts", {"key": chance.choice(("hobby", "pet")), "value": f"written {place}"})
    elif drawn < 0.35:
        said = {"purpose": chance.choice(("marketing", "surveys")), "channel": "*", "granted": chance.random() < 0.5}
        await world.post(f"{record}/consents", said | {"evidence": f"Call {place}"})
    elif drawn < 0.45:
        await world.put(f"{record}/preferences", {"ranking": chance.sample(["whatsapp", "email", "call"], 2)})
    answered, kept, further = (
        chance.random() < 0.5,
        chance.random() < 0.5,
        chance.choice(("verify", "reopen", None, None)),
    )
    for answer in answers:
        if answered and answer.get("case_number"):
            # a compliment wants no answer, and says so
            await world.ask(
                "POST", f"/interactions/v1/cases/{answer['case_number']}:answer", json={"text": "We have put it right"}
            )
            if further is not None:
                case = f"/interactions/v1/cases/{answer['case_number']}:{further}"
                await world.ask("POST", case, json={"text": "As he says"})
        if kept and answer.get("commitment_ids"):
            await world.post(f"/interactions/v1/commitments/{answer['commitment_ids'][0]}:keep", {"text": "Done"})
    await world.settle()


async def all_of_him(world: World, customer: str, identifiers: Any) -> dict[str, Any]:
    """All that can be read of somebody, in all four services."""
    seen: dict[str, Any] = {}
    for view in ("agent", "partner", "customer"):
        seen[f"resume {view}"] = await world.get(
            "/interactions/v1/resume", customer_id=customer, channel="call", view=view
        )
        seen[f"timeline {view}"] = await world.all_of(f"/interactions/v1/customers/{customer}/timeline", view=view)
    for each in identifiers:
        seen[f"resume {each}"] = await world.get("/interactions/v1/resume", identifier=each, channel="web")
    for name in ("value", "signals"):
        seen[name] = await world.get(f"/scoring/v1/customers/{customer}/{name}")
    seen["evidence"] = await world.all_of(f"/service-audit/v1/customers/{customer}/evidence")
    listed = await world.all_of("/interactions/v1/cases", customer_id=customer)
    seen["cases"] = [await world.get(f"/interactions/v1/cases/{case['number']}") for case in listed]
    seen["promises"] = await world.all_of("/interactions/v1/commitments", customer_id=customer)
    seen["knowledge"] = await world.get(f"/identity/v1/customers/{customer}/knowledge")
    seen["consents"] = await world.all_of(f"/identity/v1/customers/{customer}/consents")
    seen["contact"] = await world.get(f"/identity/v1/customers/{customer}/preferences")
    seen["facts"] = await world.all_of(f"/identity/v1/customers/{customer}/facts")
    seen["record"] = await world.get(f"/identity/v1/customers/{customer}")
    for each in ("value", *(name for name in seen if name.startswith("resume "))):
        _figures(seen[each]).pop("as_of", None)  # when they were counted last: an undo counts them again
    told: dict[str, Any] = world.in_words_of_every_world(seen, without=NOT_TOLD_ALIKE)
    told["evidence"].sort(key=str)  # of one moment it comes in the order of its ids
    return told


def _figures(said: dict[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = said.get("value", said)
    return figures


async def both_of(world: World, one: str, other: str) -> dict[str, Any]:
    first = await all_of_him(world, one, ONE["identifiers"])
    second = await all_of_him(world, other, OTHER["identifiers"])
    return {f"one: {name}": part for name, part in first.items()} | {
        f"other: {name}": part for name, part in second.items()
    }


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
async def worlds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that can be read of the two: after a merge, what came, and an undo; and where they were never merged."""
    folder = tmp_path_factory.mktemp("undo")
    make = request.getfixturevalue(f"{request.param.replace('postgresql', 'postgres')}_databases").make
    async with a_world(folder / "merged", make=make) as world:
        one, other = await before(world)
        merge = await world.post("/identity/v1/merges", {"survivor": one, "absorbed": other, "reason": "Same person"})
        await world.later(minutes=1)
        await since(world, one, other)
        together = await world.get("/interactions/v1/resume", customer_id=other, channel="call")
        assert together["who"]["customer_id"] == one
        await world.post(f"/identity/v1/merges/{merge['merge_id']}:undo", {"reason": "Sisters"})
        await world.later(days=2)  # the whole population has been ranked again
        undone = await both_of(world, one, other)
    async with a_world(folder / "apart", make=make) as world:
        one, other = await before(world)
        await _keep_apart(world, one, other)
        await world.later(minutes=1)
        await since(world, one, other)
        await world.later(days=2)
        apart = await both_of(world, one, other)
    return undone, apart


@pytest.mark.parametrize("part", PARTS)
def test_an_undo_gives_back(worlds: tuple[dict[str, Any], dict[str, Any]], part: str) -> None:
    """To the letter, whoever of the two is looked at."""
    assert _differing(worlds, lambda name: name.split(": ")[1].split(" ")[0] == part) == []


def test_an_undo_gives_back_the_resume_in_every_view_and_by_every_identifier(
    worlds: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    assert _differing(worlds, lambda name: ": resume" in name) == []


def test_a_fifth_of_what_comes_names_both() -> None:
    """As many as the proof of the whole system wants, of every kind of contact."""
    said = lines_of(1_000, seed=SEED)
    of_both = [each for each in said if all(set(each["identifiers"]) & {*who["identifiers"]} for who in (ONE, OTHER))]
    assert len(of_both) >= 180
    assert {each["kind"] for each in of_both} == {kind for kind, _, _ in KINDS}


def _differing(worlds: tuple[dict[str, Any], dict[str, Any]], which: Any) -> list[str]:
    undone, apart = worlds
    found = [_differences(undone[name], apart[name], name) for name in apart if which(name)]
    assert found, "nothing was compared"
    return [line for lines in found for line in lines]


async def _keep_apart(world: World, one: str, other: str) -> None:
    """The cannot-link that an undo would leave behind, with nothing done and undone."""
    async with IdentityUnitOfWork(world.runtimes["identity"].database) as uow:
        left, right = [
            representative((await uow.links.trails_of_customers([UUID(each)])).values()) for each in (one, other)
        ]
        assert left is not None
        assert right is not None
        await uow.links.keep_apart(left, right, decision_id=UUID(int=0), at=world.clock())
        await uow.commit()


def _differences(undone: Any, apart: Any, place: str) -> list[str]:
    """Where the two differ, place by place."""
    if isinstance(undone, dict) and isinstance(apart, dict):
        found = [
            _differences(undone.get(k), apart.get(k), f"{place}/{k}") for k in sorted(undone.keys() | apart.keys())
        ]
        return [line for lines in found for line in lines]
    if isinstance(undone, list) and isinstance(apart, list) and len(undone) == len(apart):
        found = [_differences(x, y, f"{place}/{n}") for n, (x, y) in enumerate(zip(undone, apart, strict=True))]
        return [line for lines in found for line in lines]
    return [] if undone == apart else [f"{place}: undone {undone!r:.300} apart {apart!r:.300}"]
