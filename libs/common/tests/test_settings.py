"""What the environment may and may not decide."""

import pytest
from pydantic import ValidationError

from common.settings import DEVELOPMENT_SECRET, Settings, derived_key

OWN_SECRET = "x" * 40


def test_development_starts_without_any_environment():
    settings = Settings()
    assert settings.environment == "development"
    assert settings.host == "127.0.0.1"
    assert settings.dev_tokens


@pytest.mark.parametrize("secret", [DEVELOPMENT_SECRET, "short-and-private", ""])
def test_production_refuses_a_default_or_short_secret_and_does_not_repeat_it(secret):
    with pytest.raises(ValidationError, match="HILO_SECRET") as refusal:
        Settings(environment="production", secret=secret)
    assert not secret or secret not in str(refusal.value)


def test_production_starts_on_a_secret_of_its_own():
    assert Settings(environment="production", secret=OWN_SECRET).secret == OWN_SECRET


def test_production_never_takes_development_tokens():
    assert not Settings(environment="production", secret=OWN_SECRET, allow_dev_tokens=True).dev_tokens


def test_fields_come_from_the_environment_and_empty_ones_count_as_absent(monkeypatch):
    monkeypatch.setenv("HILO_PORT", "8002")
    monkeypatch.setenv("HILO_CORS_ORIGINS", '["https://desk.example"]')
    monkeypatch.setenv("HILO_KAFKA_BOOTSTRAP", "")
    settings = Settings()
    assert (settings.port, settings.cors_origins, settings.kafka_bootstrap) == (8002, ["https://desk.example"], None)


def test_the_inbox_may_not_forget_before_the_outbox():
    with pytest.raises(ValidationError, match="HILO_INBOX_RETENTION_DAYS"):
        Settings(inbox_retention_days=3, outbox_retention_days=7)


def test_secrets_do_not_stand_in_the_representation():
    assert OWN_SECRET not in repr(Settings(secret=OWN_SECRET, first_key_hash="abc", database_url="sqlite:///pw"))


def test_keys_for_different_purposes_differ():
    assert derived_key(OWN_SECRET, "one") != derived_key(OWN_SECRET, "two")
    assert derived_key(OWN_SECRET, "one") != derived_key(OWN_SECRET + "y", "one")
    assert len(derived_key(OWN_SECRET, "one")) == 32
