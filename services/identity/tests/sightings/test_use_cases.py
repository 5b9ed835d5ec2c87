"""What a touchpoint proved is proved no more once it is taken back: nobody reads on its word what is another's."""

from typing import Any
from uuid import UUID

from common.company import Company
from common.contracts.interactions import PersonSeen
from identity.linking.models import decision, trace
from identity.reviews.models import review
from identity.sightings.use_cases import facts_of

from ..conftest import Identity, seen, unseen  # noqa: TID252
from ..merges.test_use_cases import merge, undo  # noqa: TID252

ANA = "Ana María López Ruiz"
MAIL, DOCUMENT, ACCOUNT, PHONE = (
    "email:ana@example.com",
    "document:co-cc:52123456",
    "account:shop:1",
    "phone:3001112233",
)


def claimed(*identifiers: str, name: str | None = ANA) -> PersonSeen:
    return seen(*identifiers, name=name)


def attested(*identifiers: str, name: str | None = ANA) -> PersonSeen:
    return seen(*identifiers, name=name, attests=("*",))


async def proof(identity: Identity, of: PersonSeen) -> str:
    [found] = [row.proof for row in await identity.rows(trace) if row.trace_id == of.trace_id]
    return str(found)


async def links(identity: Identity) -> dict[UUID, tuple[Any, ...]]:
    """Whose each trace is, and on what ground."""
    return {row.trace_id: (row.customer_id, row.proof, row.via) for row in await identity.rows(trace)}


async def happen(identity: Identity, *told: PersonSeen) -> None:
    for each in told:
        await identity.happen(each)


async def are_one(identity: Identity, one: PersonSeen, other: PersonSeen) -> bool:
    return await identity.owner(one) == await identity.owner(other) is not None


async def test_who_proved_himself_by_what_is_taken_back_has_only_claimed_it_and_that_is_told(
    identity: Identity,
) -> None:
    first, proving = claimed(MAIL), attested(MAIL)
    await happen(identity, first)
    before = await links(identity)
    await happen(identity, proving)
    assert await proof(identity, first) == "attested"
    await identity.happen(unseen(proving))
    assert await links(identity) == before
    moves = [move for told in await identity.told("links-changed") for move in told["moves"]]
    assert [move["proof"] for move in moves] == ["claimed", "attested", "claimed"]
    assert {move["customer_id"] for move in moves} == {str(await identity.owner(first))}
    assert len({move["revision"] for move in moves}) == 3


async def test_what_another_touchpoint_attests_as_well_stays_proved_and_nothing_is_told(identity: Identity) -> None:
    first, again = attested(MAIL), attested(MAIL)
    await happen(identity, first, again)
    await identity.happen(unseen(again))
    assert await proof(identity, first) == "attested"
    assert len(await identity.told("links-changed")) == 1


async def test_a_link_that_was_proved_is_a_claim_again(identity: Identity) -> None:
    mail, document, proving = attested(MAIL), claimed(DOCUMENT, MAIL), attested(DOCUMENT, MAIL)
    await happen(identity, mail, document)
    before = await links(identity)
    await happen(identity, proving)
    assert await proof(identity, document) == "attested"
    await identity.happen(unseen(proving))
    assert await links(identity) == before


async def test_two_whom_the_retracted_proof_joined_are_two_again_and_in_doubt_again(identity: Identity) -> None:
    mail, document, doubtful = attested(MAIL), attested(DOCUMENT), claimed(DOCUMENT, MAIL)
    await happen(identity, mail, document, doubtful)
    before = await links(identity)
    proving = attested(DOCUMENT, MAIL)
    await happen(identity, proving)
    assert await are_one(identity, mail, document)
    await identity.happen(unseen(proving))
    assert await links(identity) == before
    [pair] = await identity.rows(review)
    assert (pair.state, pair.explanation["reasons"]) == ("open", ["claimed-only"])


async def test_and_so_they_are_when_it_was_the_other_side_that_proved_it(identity: Identity) -> None:
    claim, proving = claimed(ACCOUNT, MAIL), attested(ACCOUNT, MAIL)
    await happen(identity, attested(ACCOUNT), claim, proving)
    document = attested(DOCUMENT)
    await happen(identity, document, attested(DOCUMENT, MAIL))
    assert await are_one(identity, document, claim)
    await identity.happen(unseen(proving))
    assert not await are_one(identity, document, claim)
    assert [row.explanation["reasons"] for row in await identity.rows(review)] == [["claimed-only"]]


async def test_and_when_what_is_retracted_proved_whose_it_was_before_it_joined_the_two(identity: Identity) -> None:
    """Its own e-mail is attested still; but that the document is the account's is claimed, so it speaks for one of them alone."""
    shop, mail = attested(ACCOUNT), attested(MAIL)
    document = claimed(DOCUMENT, ACCOUNT)
    proving = attested(DOCUMENT, ACCOUNT)
    await happen(identity, shop, mail, document, attested(DOCUMENT), proving, attested(DOCUMENT, MAIL))
    assert await are_one(identity, shop, mail)
    await identity.happen(unseen(proving))
    assert not await are_one(identity, shop, mail)
    assert await are_one(identity, document, shop)
    assert await proof(identity, document) == "claimed"


async def test_a_merge_that_has_other_ground_is_found_again(identity: Identity) -> None:
    mail, document, proving = attested(MAIL), attested(DOCUMENT), attested(DOCUMENT, MAIL, PHONE)
    await happen(identity, mail, document, attested(DOCUMENT, MAIL), proving)
    before = await links(identity)
    await identity.happen(unseen(proving))
    assert await links(identity) == before


async def test_others_who_were_proved_by_it_have_only_claimed_it_too(identity: Identity) -> None:
    mail, claim, proving = attested(MAIL), claimed(MAIL, PHONE), attested(MAIL, PHONE)
    caller = attested(PHONE)
    await happen(identity, mail, claim, proving, caller)
    assert await proof(identity, caller) == "attested"
    await identity.happen(unseen(proving))
    assert await are_one(identity, caller, mail)
    assert (await proof(identity, mail), await proof(identity, caller)) == ("attested", "claimed")


async def test_and_whom_nothing_leads_to_him_any_more_is_himself(identity: Identity) -> None:
    mail, proving, caller = attested(MAIL), attested(MAIL, PHONE), attested(PHONE)
    await happen(identity, mail, proving, caller)
    assert await are_one(identity, caller, mail)
    await identity.happen(unseen(proving))
    assert not await are_one(identity, caller, mail)
    assert (await proof(identity, mail), await proof(identity, caller)) == ("attested", "attested")


async def test_whom_a_mistake_led_to_another_is_himself_when_it_is_taken_back(identity: Identity) -> None:
    first, mistyped = claimed(DOCUMENT), claimed(DOCUMENT, MAIL)
    others, his_account = claimed(MAIL, name=None), claimed(ACCOUNT, MAIL, name=None)
    await happen(identity, first, mistyped, others, his_account)
    assert await are_one(identity, first, his_account)
    await identity.happen(unseen(mistyped))
    assert await are_one(identity, others, his_account)
    assert not await are_one(identity, first, others)


async def test_two_whom_a_mistake_joined_are_two_again_though_one_batch_told_both_halves_of_it(
    identity: Identity,
) -> None:
    mail, shop = claimed(MAIL), claimed(ACCOUNT)
    mistyped, told = claimed(DOCUMENT, MAIL, name=None), claimed(DOCUMENT, ACCOUNT, name=None)
    await happen(identity, mail, shop)
    await identity.happen(mistyped, told)
    assert await are_one(identity, mail, shop)
    await identity.happen(unseen(mistyped))
    assert not await are_one(identity, mail, shop)
    assert await are_one(identity, told, shop)


async def test_who_proved_himself_besides_keeps_his_own_view_when_the_first_of_him_is_gone(identity: Identity) -> None:
    mail, document, shop = attested(MAIL), attested(DOCUMENT, MAIL), attested(ACCOUNT, MAIL)
    await happen(identity, mail, document, shop)
    before = await links(identity)
    await identity.happen(unseen(mail))
    founder = {document.trace_id: (before[document.trace_id][0], "attested", None)}
    assert await links(identity) == before | founder | {mail.trace_id: (None, "claimed", None)}


async def test_what_a_merge_rests_on_falls_with_the_proof_it_hung_on(identity: Identity) -> None:
    """The caller was Ana's by proof of her e-mail alone, and what he attested joined another customer to her."""
    claim, proving, caller = claimed(MAIL, PHONE), attested(MAIL, PHONE), attested(PHONE)
    shop = attested(ACCOUNT)
    await happen(identity, attested(MAIL), claim, proving, caller, shop)
    joining = attested(PHONE, ACCOUNT)
    await happen(identity, joining)
    assert await are_one(identity, shop, claim)
    await identity.happen(unseen(proving))
    assert not await are_one(identity, shop, claim)
    assert await proof(identity, caller) == "claimed"


async def test_what_a_person_merged_stays_one_and_stays_proved(identity: Identity) -> None:
    mail, claim, proving = attested(MAIL), claimed(DOCUMENT), attested(DOCUMENT)
    await happen(identity, mail, claim, proving)
    survivor, absorbed = await identity.owner(mail), await identity.owner(claim)
    assert survivor is not None
    assert absorbed is not None
    merge_id = await merge(identity, survivor, absorbed)
    before = await links(identity)
    assert await proof(identity, claim) == "person"
    await identity.happen(unseen(proving))
    assert await links(identity) == before
    assert [row.undone_by for row in await identity.rows(decision) if row.kind == "merge"] == [None]
    await undo(identity, merge_id)
    assert await identity.owner(claim) == absorbed
    assert await proof(identity, claim) == "claimed"


async def test_an_undo_does_not_bring_back_what_was_retracted_meanwhile(identity: Identity) -> None:
    mail, claim, proving, caller = attested(MAIL), claimed(MAIL, PHONE), attested(MAIL, PHONE), attested(PHONE)
    other = attested(ACCOUNT)
    await happen(identity, mail, claim, proving, caller, other)
    survivor, absorbed = await identity.owner(mail), await identity.owner(other)
    assert survivor is not None
    assert absorbed is not None
    merge_id = await merge(identity, survivor, absorbed)
    await identity.happen(unseen(proving))
    assert await proof(identity, caller) == "claimed"
    await undo(identity, merge_id)
    assert (await proof(identity, mail), await proof(identity, caller)) == ("attested", "claimed")


def test_of_a_fact_whose_key_was_redacted_nothing_is_learnt() -> None:
    told = claimed(MAIL).model_copy(
        update={"facts": [{}, {"key": None, "value": 1}, {"key": "hobby", "value": "chess"}]}
    )
    assert [fact.key for fact in facts_of(told, Company.load())] == ["hobby"]
