"""The configuration, from the environment."""

from pathlib import Path

import pytest

from service.config import Config, load, require_secret, unknown_settings
from service.process.exits import ConfigError, SecretError

SECRETS = ["DATABASE_URL", "EXPENSES_JWT_SECRET", "EXPENSES_JWT_SECRET_OTHER"]


def refused(monkeypatch, name: str, value: str, error: type[ConfigError] = ConfigError) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load()
    assert type(caught.value) is error
    message = str(caught.value)
    assert "\n" not in message
    assert name in message
    return message


def secret(name: str, word: str) -> str:
    """Return a value of a setting that is a good one but for a word in it."""
    return (
        f"postgresql://ann:{word}@db/expenses" if name == "DATABASE_URL" else f"{word} hunter2 hunter2 hunter2 hunter2"
    )


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
        ("EXPENSES_PRODUCTION", "production", "true", True),
        ("EXPENSES_PRODUCTION", "production", "false", False),
        ("EXPENSES_ALLOW_UNSAFE_DATABASE", "allow_unsafe_database", "1", True),
        ("DATABASE_URL", "database_url", "postgres://ann@db/expenses", "postgres://ann@db/expenses"),
        ("EXPENSES_PUBLIC_URL", "public_url", "https://expenses.example.com", "https://expenses.example.com"),
        ("EXPENSES_PUBLIC_URL", "public_url", "https://example.com:8443/a/b-1/", "https://example.com:8443/a/b-1"),
        ("EXPENSES_PUBLIC_URL", "public_url", "http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080"),
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
        ("EXPENSES_WORKERS", "0"),
        ("EXPENSES_WORKERS", "65"),
        ("EXPENSES_UNKNOWN_SETTINGS", "ignore"),
        ("EXPENSES_DATABASE_WAIT_SECONDS", "-1"),
        ("EXPENSES_STATEMENT_SECONDS", "0"),
        ("EXPENSES_STATEMENT_SECONDS", "nan"),
        ("EXPENSES_LOG_LEVEL", "loud"),
        ("EXPENSES_ARGON2_MEMORY_KIB", "1024"),
        ("EXPENSES_ACCESS_TOKEN_SECONDS", "-1"),
        ("EXPENSES_AUDIT_SECONDS", "0"),
        ("EXPENSES_DELETED_TEAM_DAYS", "0"),
        ("EXPENSES_DELETED_TEAM_DAYS", "3651"),
        ("EXPENSES_DELETED_TEAM_DAYS", "30.5"),
        ("EXPENSES_WORKER_PORT", "65536"),
        ("EXPENSES_PRODUCTION", "maybe"),
        ("EXPENSES_PRODUCTION", ""),
        ("EXPENSES_ALLOW_UNSAFE_DATABASE", "please"),
        ("EXPENSES_PUBLIC_URL", "expenses.example.com"),
        ("EXPENSES_PUBLIC_URL", "ftp://expenses.example.com"),
        ("EXPENSES_PUBLIC_URL", "https://"),
        ("EXPENSES_PUBLIC_URL", "https:///money"),
        ("EXPENSES_PUBLIC_URL", "https://Expenses.example.com"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com:0"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com:70000"),
        ("EXPENSES_PUBLIC_URL", "https://ann@expenses.example.com"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com?a=b"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/#money"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com//"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/a//b"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/a/../b"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/."),
        ("EXPENSES_PUBLIC_URL", 'https://expenses.example.com/"><b>'),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/a b"),
        ("EXPENSES_PUBLIC_URL", "https://expenses.example.com/a\r\nX: y"),
    ],
)
def test_it_refuses_a_value_that_is_not_accepted(monkeypatch, name, value):
    refused(monkeypatch, name, value)


@pytest.mark.parametrize("name", ["EXPENSES_JWT_SECRET", "EXPENSES_JWT_SECRET_OTHER"])
def test_it_never_shows_a_secret_s_value(monkeypatch, name):
    assert "short-secret" not in refused(monkeypatch, name, "short-secret")


@pytest.mark.parametrize("url", ["mysql://ann:hunter2@db/expenses", "ann:hunter2@db/expenses"])
def test_it_never_shows_an_address_s_password(monkeypatch, url):
    assert "hunter2" not in refused(monkeypatch, "DATABASE_URL", url)


@pytest.mark.parametrize("name", ["EXPENSES_PROT", "EXPENSES_PROT_FILE", "EXPENSES_", "EXPENSES_PORT_FILE_FILE"])
def test_it_refuses_a_setting_that_it_does_not_know(monkeypatch, name):
    assert "is not a setting" in refused(monkeypatch, name, "8080")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("EXPENSES_PROT", "EXPENSES_PORT"), ("EXPENSES_TRUSTED_PROXYS", "EXPENSES_TRUSTED_PROXIES"), ("EXPENSES_X", "")],
)
def test_it_says_which_setting_may_be_meant(monkeypatch, name, meant):
    assert (f"(did you mean {meant}?)" in refused(monkeypatch, name, "1")) == bool(meant)


def test_it_goes_on_with_a_setting_that_it_does_not_know_where_it_is_told_to(monkeypatch):
    monkeypatch.setenv("EXPENSES_UNKNOWN_SETTINGS", "warn")
    monkeypatch.setenv("EXPENSES_OF_THE_NEXT_RELEASE", "1")
    monkeypatch.setenv("EXPENSES_PORT", "9000")
    assert load() == Config(unknown_settings="warn", port=9000)
    assert unknown_settings() == ["EXPENSES_OF_THE_NEXT_RELEASE is not a setting"]
    # A wrong value of one that it knows is still one.
    refused(monkeypatch, "EXPENSES_PORT", "http")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("word", ["placeholder", "PLACEHOLDER-1"])
def test_it_always_refuses_a_placeholder(monkeypatch, name, word):
    message = refused(monkeypatch, name, secret(name, word), SecretError)
    assert secret(name, word) not in message
    assert "hunter2" not in message


@pytest.mark.parametrize("name", SECRETS)
def test_it_refuses_a_secret_for_development_in_production_alone(monkeypatch, name):
    monkeypatch.setenv(name, secret(name, "Development"))
    load()
    monkeypatch.setenv("EXPENSES_PRODUCTION", "true")
    message = refused(monkeypatch, name, secret(name, "Development"), SecretError)
    assert secret(name, "Development") not in message


def test_production_has_no_database_that_forgets(monkeypatch):
    monkeypatch.setenv("EXPENSES_PRODUCTION", "true")
    assert "EXPENSES_PRODUCTION" in refused(monkeypatch, "EXPENSES_ALLOW_UNSAFE_DATABASE", "true")


def test_in_production_the_public_address_is_encrypted(monkeypatch):
    monkeypatch.setenv("EXPENSES_PUBLIC_URL", "https://expenses.example.com")
    monkeypatch.setenv("EXPENSES_PRODUCTION", "true")
    load()
    assert "https://" in refused(monkeypatch, "EXPENSES_PUBLIC_URL", "http://expenses.example.com")


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, None),
        ({"database_url": "postgresql://db/expenses"}, "EXPENSES_JWT_SECRET"),
        ({"database_url": "postgresql://db/expenses", "jwt_secret_other": "o" * 32}, "EXPENSES_JWT_SECRET"),
        ({"database_url": "postgresql://db/expenses", "jwt_secret": "s" * 32}, None),
        ({"production": True}, "DATABASE_URL"),
        ({"production": True, "jwt_secret": "s" * 32}, "DATABASE_URL"),
        ({"production": True, "database_url": "postgresql://db/expenses"}, "EXPENSES_JWT_SECRET"),
        ({"production": True, "database_url": "postgresql://db/expenses", "jwt_secret": "s" * 32}, None),
    ],
)
def test_it_needs_the_secrets_that_it_cannot_make(settings, missing):
    config = Config(**settings)
    if missing:
        with pytest.raises(SecretError, match=f"^{missing} is missing"):
            require_secret(config)
    else:
        require_secret(config)


def test_a_setting_can_be_in_a_file(monkeypatch, tmp_path):
    for name, text in {
        "EXPENSES_JWT_SECRET": "s" * 32,
        "DATABASE_URL": "postgresql://db/x",
        "EXPENSES_PORT": "1",
    }.items():
        path = tmp_path / name
        path.write_text(f"{text}\n")
        monkeypatch.setenv(f"{name}_FILE", str(path))
    config = load()
    assert (config.jwt_secret, config.database_url, config.port) == ("s" * 32, "postgresql://db/x", 1)


def test_what_is_in_a_file_is_checked_as_well(monkeypatch, tmp_path):
    path = tmp_path / "secret"
    monkeypatch.setenv("EXPENSES_JWT_SECRET_FILE", str(path))
    path.write_text("hunter2\n" + " " * 32)
    with pytest.raises(ConfigError, match=r"^EXPENSES_JWT_SECRET is not accepted") as caught:
        load()
    assert "hunter2" not in str(caught.value)
    path.write_text("placeholder" * 3)
    with pytest.raises(SecretError, match=r"^EXPENSES_JWT_SECRET holds a placeholder"):
        load()


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/", f"{__file__}/inside", f"/{'long' * 100}"])
def test_a_file_that_cannot_be_read_is_named_by_its_variable(monkeypatch, path):
    message = refused(monkeypatch, "EXPENSES_JWT_SECRET_FILE", path)
    # Somebody may have put the secret itself there.
    assert path == "/" or path not in message


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        ("[::1]:5432", "[::1]"),
        ("[fe80::1]", "[fe80::1]"),
        ("first:5432,second:5433", "first,second"),
        ("[::1]:5432,second", "[::1],second"),
        ("", ""),
    ],
)
def test_what_is_logged_has_the_database_s_hosts(hosts, shown):
    config = Config(database_url=f"postgresql://ann:hunter2@{hosts}/expenses?sslmode=require&password=hunter2")
    assert config.masked()["DATABASE_URL"] == f"postgresql://ann:…@{shown}/expenses"


def test_what_is_logged_has_no_secrets():
    url = "postgresql://ann:hunter2@db:5432/expenses"
    shown = Config(database_url=url, jwt_secret="s" * 32, jwt_secret_other="o" * 32).masked()
    assert shown["DATABASE_URL"] == "postgresql://ann:…@db/expenses"
    assert (shown["EXPENSES_JWT_SECRET"], shown["EXPENSES_JWT_SECRET_OTHER"]) == ("set", "set")
    assert not any(value in str(shown) for value in ("hunter2", "s" * 32, "o" * 32))
