"""The configuration, from the environment."""

from pathlib import Path

import pytest

from service.config import Config, ConfigError, load


def refused(monkeypatch, name: str, value: str) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        load()
    message = str(error.value)
    assert "\n" not in message
    assert name in message
    return message


def test_nothing_needs_to_be_set():
    assert load() == Config()


@pytest.mark.parametrize(
    ("name", "field", "text", "value"),
    [
        ("EXPENSES_PORT", "port", "9000", 9000),
        ("EXPENSES_HOST", "host", "0.0.0.0", "0.0.0.0"),  # noqa: S104
        ("EXPENSES_STATEMENT_SECONDS", "statement_seconds", "2.5", 2.5),
        ("EXPENSES_DATA_DIR", "data_dir", "/srv/expenses", Path("/srv/expenses")),
        ("EXPENSES_LOG_LEVEL", "log_level", "debug", "debug"),
    ],
)
def test_it_reads_a_setting(monkeypatch, name, field, text, value):
    monkeypatch.setenv(name, text)
    assert getattr(load(), field) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXPENSES_PORT", "http"),
        ("EXPENSES_PORT", "70000"),
        ("EXPENSES_PORT", ""),
        ("EXPENSES_POOL_SIZE", "0"),
        ("EXPENSES_STATEMENT_SECONDS", "0"),
        ("EXPENSES_STATEMENT_SECONDS", "nan"),
        ("EXPENSES_LOG_LEVEL", "loud"),
        ("EXPENSES_ARGON2_MEMORY_KIB", "1024"),
        ("EXPENSES_ACCESS_TOKEN_SECONDS", "-1"),
    ],
)
def test_it_refuses_a_value_that_is_not_accepted(monkeypatch, name, value):
    refused(monkeypatch, name, value)


def test_it_never_shows_a_secret_s_value(monkeypatch):
    assert "short-secret" not in refused(monkeypatch, "EXPENSES_JWT_SECRET", "short-secret")


def test_it_never_shows_an_address_s_password(monkeypatch):
    assert "hunter2" not in refused(monkeypatch, "DATABASE_URL", "mysql://ann:hunter2@db/expenses")


def test_it_refuses_a_setting_that_it_does_not_know(monkeypatch):
    assert "is not a setting" in refused(monkeypatch, "EXPENSES_PROT", "8080")


def test_a_database_needs_a_secret(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/expenses")
    with pytest.raises(ConfigError, match="EXPENSES_JWT_SECRET is missing"):
        load()


def test_a_secret_can_be_in_a_file(monkeypatch, tmp_path):
    path = tmp_path / "secret"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setenv("EXPENSES_JWT_SECRET_FILE", str(path))
    assert load().jwt_secret == "0123456789abcdef0123456789abcdef"


def test_a_secret_s_file_must_be_there(monkeypatch):
    refused(monkeypatch, "EXPENSES_JWT_SECRET_FILE", "/nowhere/at/all")


def test_what_is_logged_has_no_secrets():
    shown = Config(database_url="postgresql://ann:hunter2@db:5432/expenses", jwt_secret="s" * 32).masked()
    assert "hunter2" not in str(shown)
    assert "s" * 32 not in str(shown)
    assert shown["DATABASE_URL"] == "postgresql://ann:…@db/expenses"
