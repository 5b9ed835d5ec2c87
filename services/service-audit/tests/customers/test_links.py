"""Evidence follows its customer through merge and undo, in any order of arrival."""

from itertools import pairwise, permutations
from uuid import uuid4

ANA, BEA = uuid4(), uuid4()
FIRST, SECOND = uuid4(), uuid4()


async def moments_of(client, customer_id):
    answer = await client.get(f"/service-audit/v1/customers/{customer_id}/evidence")
    if answer.status_code == 404:
        return None
    body = answer.json()
    return body["customer_id"], sorted(item["trace_id"] for item in body["items"])


async def test_evidence_follows_a_merge_and_its_undoing_exactly(audit, telling, client):
    await audit.hears(telling.survey(2, trace_id=FIRST), telling.survey(5, trace_id=SECOND))
    await audit.hears(telling.links(ANA, FIRST, revision=1), telling.links(BEA, SECOND, revision=1))
    await audit.hears(telling.customer(ANA, revision=1), telling.customer(BEA, revision=1))
    before = [await moments_of(client, who) for who in (ANA, BEA)]
    assert before == [(str(ANA), [str(FIRST)]), (str(BEA), [str(SECOND)])]

    await audit.hears(telling.links(ANA, SECOND, revision=2), telling.customer(BEA, revision=2, merged_into=ANA))
    merged = (str(ANA), sorted([str(FIRST), str(SECOND)]))
    assert await moments_of(client, ANA) == merged
    assert await moments_of(client, BEA) == merged  # an absorbed id leads to the survivor

    await audit.hears(telling.links(BEA, SECOND, revision=3), telling.customer(BEA, revision=3))
    assert [await moments_of(client, who) for who in (ANA, BEA)] == before


async def test_links_may_arrive_in_any_order(audit, telling, client):
    await audit.hears(telling.survey(2, trace_id=FIRST))
    moves = [telling.links(owner, FIRST, revision=at) for at, owner in enumerate((ANA, BEA, ANA, None, BEA))]
    for order in list(permutations(moves))[::17]:
        for move in order:
            await audit.hears(move)
    assert await moments_of(client, ANA) is None
    assert await moments_of(client, BEA) == (str(BEA), [str(FIRST)])


async def test_evidence_that_comes_after_the_link_is_the_customers_too(audit, telling, client):
    await audit.hears(telling.links(ANA, FIRST, revision=1))
    await audit.hears(telling.survey(2, trace_id=FIRST))
    assert await moments_of(client, ANA) == (str(ANA), [str(FIRST)])


async def test_nobody_is_known_under_an_id_that_was_never_told(client):
    answer = await client.get(f"/service-audit/v1/customers/{uuid4()}/evidence")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-customer")


async def test_a_customer_without_evidence_has_an_empty_list(audit, telling, client):
    await audit.hears(telling.customer(ANA, revision=1))
    assert await moments_of(client, ANA) == (str(ANA), [])


async def test_merges_of_merges_lead_to_the_last_survivor(audit, telling, client):
    chain = [uuid4() for _ in range(4)]
    await audit.hears(*(telling.customer(a, revision=2, merged_into=b) for a, b in pairwise(chain)))
    await audit.hears(telling.customer(chain[-1], revision=1))
    assert await moments_of(client, chain[0]) == (str(chain[-1]), [])


async def test_absorptions_in_a_circle_lead_to_nobody(audit, telling, client):
    await audit.hears(
        telling.customer(ANA, revision=2, merged_into=BEA), telling.customer(BEA, revision=2, merged_into=ANA)
    )
    assert await moments_of(client, ANA) is None
