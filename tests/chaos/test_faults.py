"""The faults themselves: a blow that hits nobody is no kill, and a trial in which nothing was taken shows nothing."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .checks import Verdict
from .faults import Scene, killing
from .ledger import Ledger, Reply
from .load import Load
from .runs import Bench, Wanted
from .trials import Trial


class Role:
    def __init__(self):
        self.lives = True

    def is_alive(self):
        return self.lives


class Roles:
    """A stack of two roles; a blow misses those that are out of reach."""

    name, bootstrap, key = "embedded", None, "key"

    def __init__(self, *, out_of_reach=()):
        self.roles = {"one": Role(), "two": Role()}
        self.out_of_reach = out_of_reach

    def origins(self, service):  # noqa: ARG002 - each has two
        return ["http://first", "http://second"]

    def process(self, role):
        return self.roles[role]

    def kill(self, role):
        self.roles[role].lives = role in self.out_of_reach

    def start_all(self, roles):
        for role in roles:
            self.roles[role].lives = True


@pytest.mark.parametrize(("out_of_reach", "missed"), [((), []), (("two",), ["kills of two"])])
async def test_a_kill_counts_where_somebody_was_alive_and_is_not_any_more(out_of_reach, missed):
    with ThreadPoolExecutor(1) as hands:
        scene = Scene(Roles(out_of_reach=out_of_reach), hands, random.Random(1), None, None, times=1)
        assert await killing("one", "two")(scene) == 2 - len(missed)
    assert [bar.name for bar in scene.measures.missed] == missed


@pytest.mark.parametrize(("at_work", "refused"), [(("second",), [True]), ((), [True, False])])
async def test_a_request_that_both_of_two_refuse_has_failed(at_work, refused):
    """The first was not under way, and the other is asked at once; beyond that there is nobody."""

    def answer(request):
        if request.url.host not in at_work:
            raise httpx.ConnectError("nobody listens")
        return httpx.Response(201, json={})

    ledger = Ledger()
    load = Load(Roles(), ledger, seed=1)
    load._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    await load._post("interactions", "/interactions/v1/touchpoints", {})
    assert [reply.refused for reply in ledger.replies if reply.status == 0] == refused


@pytest.mark.parametrize(("status", "loaded", "kept"), [(201, True, True), (503, True, False), (503, False, True)])
def test_a_trial_under_load_in_which_nothing_was_taken_is_not_kept(status, loaded, kept):
    arena, trial = Roles(), Trial("any", "any", killing(), load=loaded)
    bench = Bench.of(arena, None, Wanted())
    bench.load.ledger.replies.append(Reply(0.0, 0.1, status, 1, path="touchpoints"))
    assert bench._row(trial, bench.scene, 0, Verdict(), 0, time.monotonic()).kept is kept
