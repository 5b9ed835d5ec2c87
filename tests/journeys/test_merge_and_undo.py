"""Two customers are one after all, and then they are not: both resumes are as if nothing had been."""

import copy

import pytest

from .people import Person, ago
from .systems import until

LIVING = ("continuity",)  # what tells of the moment of asking
FIGURES = ("frequency", "revenue", "profitability", "contribution", "tenure_months")


def still(packet):
    """The packet without what moves by itself: ages, the moment of asking, the values' date."""
    kept = copy.deepcopy({name: part for name, part in packet.items() if name not in LIVING})
    for thread in kept["threads"]:
        thread.pop("age_hours", None)
    for case in kept["cases"]:
        for name in ("hours_open", "hours_left", "days_left"):
            case.pop(name, None)
    # tier, class and treatment stand in a population that other stories change meanwhile; the figures are his own
    kept["value"] = {name: kept["value"].get(name) for name in FIGURES}
    del kept["treatment"]
    return kept


@pytest.fixture
def two(caller):
    """The same woman, known to the shop by phone and to the web by e-mail, under two spellings."""
    shop, web = Person.new(caller, "ANA MARIA LOPEZ"), Person.new(caller, "A. M. LOPEZ RUIZ")
    shop.does(topic="billing", summary="By phone", stop_point="He sends both", outcome="pending")
    shop.buys("100000.00", cost="60000.00")
    web.does(
        by=web.email,
        channel="email",
        topic="delivery",
        summary="By e-mail",
        outcome="pending",
        occurred_at=ago(hours=2),
    )
    web.buys("50000.00", cost="20000.00", by=web.email, occurred_at=ago(hours=1))
    web.does(
        by=web.email,
        channel="web",
        kind="complaint",
        topic="billing",
        payload={"severity": "high"},
        occurred_at=ago(minutes=50),
    )
    one, other = until(shop.customer_id), until(lambda: web.customer_id(by=web.email))
    # both have been told everywhere, and what was told of them has come back to the resume
    until(lambda: worth_in(shop.resume()) == revenue_of(caller, one) == "100000.00")
    until(lambda: worth_in(web.resume(by=web.email)) == revenue_of(caller, other) == "50000.00")
    return shop, web, one, other


def revenue_of(caller, customer):
    answer = caller.ask("GET", f"/scoring/v1/customers/{customer}/value")
    return answer.json()["revenue"]["amount"] if answer.status_code == 200 else None


def worth_in(resume):
    return (resume["value"].get("revenue") or {}).get("amount")


def settled(read):
    """What is read twice alike, a moment apart: nothing is on its way any more."""

    def twice():
        before = read()
        for _ in range(10):
            assert read() == before
        return before

    return until(twice)


def test_a_merge_joins_and_an_undo_restores_both(caller, two):
    shop, web, one, other = two
    before = settled(lambda: (still(shop.resume()), still(web.resume(by=web.email))))

    preview = caller.post("/identity/v1/merges:preview", {"survivor": one, "absorbed": other})
    assert preview
    assert settled(lambda: (still(shop.resume()), still(web.resume(by=web.email)))) == before, (
        "a preview changes nothing"
    )

    merge = caller.post("/identity/v1/merges", {"survivor": one, "absorbed": other, "reason": "Same document"})
    joined = until(
        lambda: (r := web.resume(by=web.email))["who"]["customer_id"] == one and len(r["threads"]) >= 2 and r
    )
    assert {"By phone", "By e-mail"} <= {entry["summary"] for entry in joined["recap"]}
    assert len(joined["cases"]) == 1
    assert until(lambda: revenue_of(caller, one) == "150000.00")
    until(lambda: caller.get("/interactions/v1/resume", customer_id=other)["who"]["customer_id"] == one)
    gone = caller.get(f"/identity/v1/customers/{other}")
    assert gone["merged_into"] == one or gone["customer_id"] == one

    caller.post(f"/identity/v1/merges/{merge['merge_id']}:undo", {"reason": "They are sisters"})
    until(lambda: web.customer_id(by=web.email) == other)
    until(lambda: revenue_of(caller, one) == "100000.00" and revenue_of(caller, other) == "50000.00")

    def restored():
        after = (still(shop.resume()), still(web.resume(by=web.email)))
        assert after[0] == before[0]
        assert after[1] == before[1]
        return True

    until(restored)


def test_an_undone_merge_is_not_made_again_by_the_rules(caller, two):
    shop, web, one, other = two
    merge = caller.post("/identity/v1/merges", {"survivor": one, "absorbed": other, "reason": "Same document"})
    until(lambda: web.customer_id(by=web.email) == one)
    caller.post(f"/identity/v1/merges/{merge['merge_id']}:undo", {"reason": "They are sisters"})
    until(lambda: web.customer_id(by=web.email) == other)
    web.does(identifiers=[web.email, shop.phone], topic="delivery", occurred_at=ago(minutes=1), summary="Both at once")
    until(lambda: caller.get("/interactions/v1/resume", customer_id=other)["who"]["recognised"] == "customer")
    assert shop.resume()["who"]["customer_id"] in (None, one)
    assert caller.get(f"/identity/v1/customers/{other}")["merged_into"] is None


def test_what_is_written_to_a_customer_moves_with_him_and_comes_back(caller, two):
    _, web, one, other = two
    caller.post(f"/identity/v1/customers/{other}/facts", {"key": "hobby", "value": "orchids"})
    caller.post(
        f"/identity/v1/customers/{other}/consents",
        {"purpose": "marketing", "channel": "*", "granted": False, "evidence": "By phone"},
    )

    def knows(customer):
        told = caller.get("/interactions/v1/resume", customer_id=customer)
        return "orchids" in [fact["value"] for fact in told["known"]]

    until(lambda: knows(other))
    merge = caller.post("/identity/v1/merges", {"survivor": one, "absorbed": other, "reason": "Same document"})
    until(lambda: knows(one))
    caller.post(f"/identity/v1/merges/{merge['merge_id']}:undo", {"reason": "They are sisters"})
    until(lambda: web.customer_id(by=web.email) == other)
    until(lambda: knows(other) and not knows(one))
