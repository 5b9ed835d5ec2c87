"""The demo of the README, as whoever tries Hilo for the first time plays it."""

import httpx
import pytest

from hilo import demo

from .systems import System


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", 60.0)


@pytest.mark.usefixtures("patient")
def test_the_demo_plays_to_its_end_and_shows_both_views(embedded_system: System, capsys):
    headers = {"Authorization": f"Bearer {embedded_system.key}"}
    with httpx.Client(base_url=embedded_system.origin("interactions"), headers=headers, timeout=60) as client:
        demo.play(client)
    agent, himself = capsys.readouterr().out.split("LO QUE ELLA MISMA PUEDE VER")
    for told in ("Ana", "Reclama: cobro doble y factura corregida sin enviar", "Valor y trato"):
        assert told in agent
    assert "Reclama: cobro doble y factura corregida sin enviar" in himself
    assert "Valor y trato" not in himself


@pytest.mark.usefixtures("patient")
def test_a_channel_goes_on_with_a_thread_only_once_it_is_shown_to_it():
    answers = iter([[], [{"conversation_id": "another"}], [{"conversation_id": "another"}, {"conversation_id": "it"}]])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"threads": next(answers)}))
    with httpx.Client(base_url="http://test", transport=transport) as client:
        touchpoint = {"identifiers": ["account:billing:A-1"], "channel": "web"}
        assert demo._continued(client, touchpoint, "it") == "it"
    assert list(answers) == []
