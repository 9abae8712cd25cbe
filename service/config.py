"""The configuration: one documented field per environment variable, read once at the start."""

import os
import re
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environs import EnvError, FileAwareEnv
from marshmallow import ValidationError, validate

from service.postgres.data_directory import default_root
from service.process.exits import ConfigError, SecretError

secret_bytes_min = 32
workers_max = 64
port_max = 65535

# Secrets published with this project contain one of these: placeholders to replace, and secrets for trying it out.
placeholder = "placeholder"
development = "development"


def setting(name: str, default: Any, about: str, *, check: Any = None, secret: bool = False) -> Any:
    """Declare a field of Config: its environment variable, default, meaning and accepted values."""
    return field(default=default, metadata={"name": name, "about": about, "check": check, "secret": secret})


# It stands in headers and pages as it is, and in problem types, which clients compare: no character has two spellings.
public_url_accepted = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)*/?",
    re.ASCII,
)


def _check_public_url(value: str) -> None:
    found = public_url_accepted.fullmatch(value)
    if value and not (found and 1 <= int(found["port"] or 1) <= port_max):
        raise ValidationError(
            "It must be https://host[:port][/path], in lower case up to the path, without user, query and fragment, "
            "and the path of letters, digits and -._~ alone."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All settings. A secret can also be in a file, whose path is in the variable with the suffix `_FILE`."""

    database_url: str = setting(
        "DATABASE_URL",
        "",
        "PostgreSQL 17 or newer, as `postgresql://user:password@host:port/name`; if unset, an embedded one is started",
        check=validate.Regexp(r"$|postgres(ql)?://", error="must begin with postgresql://"),
        secret=True,
    )
    jwt_secret: str = setting(
        "EXPENSES_JWT_SECRET",
        "",
        f"Signs the tokens, at least {secret_bytes_min} bytes; required with `DATABASE_URL`, else generated and kept",
        check=lambda value: not value or validate.Length(secret_bytes_min)(value.encode()),
        secret=True,
    )
    jwt_secret_other: str = setting(
        "EXPENSES_JWT_SECRET_OTHER",
        "",
        "Tokens signed with it are accepted too, while one secret replaces another",
        check=lambda value: not value or validate.Length(secret_bytes_min)(value.encode()),
        secret=True,
    )
    production: bool = setting(
        "EXPENSES_PRODUCTION",
        False,
        "`true` refuses development secrets and the embedded PostgreSQL",
    )
    allow_unsafe_database: bool = setting(
        "EXPENSES_ALLOW_UNSAFE_DATABASE",
        False,
        "`true` accepts a PostgreSQL that can lose committed data; for tests only",
    )
    unknown_settings: str = setting(
        "EXPENSES_UNKNOWN_SETTINGS",
        "refuse",
        "`refuse` an `EXPENSES_` variable that is no setting, or `warn` of it and start, as the image does",
        check=validate.OneOf(["refuse", "warn"]),
    )
    host: str = setting(
        "EXPENSES_HOST", "127.0.0.1", "The address to listen on; `0.0.0.0` is all of IPv4, `::` all of IPv4 and IPv6"
    )
    port: int = setting("EXPENSES_PORT", 8080, "The port to listen on", check=validate.Range(0, port_max))
    worker_port: int = setting(
        "EXPENSES_WORKER_PORT",
        8081,
        "The port on which `worker` answers `/livez`, `/readyz` and `/metrics`",
        check=validate.Range(0, port_max),
    )
    connections: int = setting(
        "EXPENSES_CONNECTIONS",
        2000,
        "Maximum number of clients' connections per process; one client may open an eighth of them",
        check=validate.Range(20, 100_000),
    )
    keepalive_seconds: float = setting(
        "EXPENSES_KEEPALIVE_SECONDS",
        75.0,
        "How long an idle connection is kept; longer than the balancer in front keeps it, which may be 600",
        check=validate.Range(1, 86_400),
    )
    workers: int = setting(
        "EXPENSES_WORKERS",
        1,
        "Processes that share the address; keep 1 where something else runs replicas",
        check=validate.Range(1, workers_max),
    )
    public_url: str = setting(
        "EXPENSES_PUBLIC_URL",
        "",
        "The address that clients use, as `https://host` or `https://host/path`; if unset, answers name paths only",
        check=_check_public_url,
    )
    data_dir: Path = setting(
        "EXPENSES_DATA_DIR",
        default_root(),
        "Where the data of the embedded PostgreSQL and the generated secret are kept",
    )
    log_level: str = setting(
        "EXPENSES_LOG_LEVEL",
        "info",
        "`debug`, `info`, `warning` or `error`",
        check=validate.OneOf(["debug", "info", "warning", "error"]),
    )
    database_wait_seconds: float = setting(
        "EXPENSES_DATABASE_WAIT_SECONDS",
        30.0,
        "How long a start waits for a database that is on its way up",
        check=validate.Range(0, 3600),
    )
    pool_size: int = setting(
        "EXPENSES_POOL_SIZE", 10, "Maximum number of connections to PostgreSQL", check=validate.Range(1, 1000)
    )
    pool_wait_seconds: float = setting(
        "EXPENSES_POOL_WAIT_SECONDS",
        1.0,
        "How long a request waits for a connection before it is answered 503",
        check=validate.Range(0, 60, min_inclusive=False),
    )
    statement_seconds: float = setting(
        "EXPENSES_STATEMENT_SECONDS",
        5.0,
        "How long a statement may take before the request is answered 503",
        check=validate.Range(0, 600, min_inclusive=False),
    )
    statement_cache_size: int = setting(
        "EXPENSES_STATEMENT_CACHE_SIZE",
        200,
        "Prepared statements kept per connection; 0 behind a PgBouncer that keeps none, see docs/deploy.md",
        check=validate.Range(0, 10_000),
    )
    access_token_seconds: int = setting(
        "EXPENSES_ACCESS_TOKEN_SECONDS", 900, "How long an access token is valid", check=validate.Range(1, 86_400)
    )
    refresh_token_seconds: int = setting(
        "EXPENSES_REFRESH_TOKEN_SECONDS",
        30 * 86_400,
        "How long an unused refresh token is valid",
        check=validate.Range(60, 400 * 86_400),
    )
    argon2_memory_kib: int = setting(
        "EXPENSES_ARGON2_MEMORY_KIB",
        19_456,
        "Memory of one password hash; at least OWASP's minimum",
        check=validate.Range(19_456, 4_194_304),
    )
    argon2_passes: int = setting(
        "EXPENSES_ARGON2_PASSES", 2, "Passes of one password hash", check=validate.Range(2, 100)
    )
    argon2_threads: int = setting(
        "EXPENSES_ARGON2_THREADS", 2, "Password hashes computed at the same time", check=validate.Range(1, 64)
    )
    deleted_team_days: int = setting(
        "EXPENSES_DELETED_TEAM_DAYS",
        30,
        "How long an owner can restore a deleted team; after that, it is purged",
        check=validate.Range(1, 3650),
    )
    audit_seconds: int = setting(
        "EXPENSES_AUDIT_SECONDS",
        300,
        "How often the whole ledger is audited, by one process on behalf of all",
        check=validate.Range(1, 86_400),
    )
    slow_query_seconds: float = setting(
        "EXPENSES_SLOW_QUERY_SECONDS",
        1.0,
        "A query that takes at least this long is logged, with its name",
        check=validate.Range(0, 600),
    )
    log_probes: bool = setting(
        "EXPENSES_LOG_PROBES",
        True,
        "`false` leaves `/livez`, `/readyz` and `/metrics` out of the log, unless they fail",
    )
    tracing: bool = setting(
        "EXPENSES_TRACING",
        False,
        "`true` exports traces with OpenTelemetry; needs the `otel` extra and OpenTelemetry's own settings",
    )
    trusted_proxies: int = setting(
        "EXPENSES_TRUSTED_PROXIES",
        0,
        "Number of proxies in front whose entries in X-Forwarded-For are trusted",
        check=validate.Range(0, 10),
    )
    shutdown_seconds: float = setting(
        "EXPENSES_SHUTDOWN_SECONDS",
        10.0,
        "How long requests in flight may take to finish after SIGTERM",
        check=validate.Range(0, 600),
    )

    @property
    def deleted_teams_kept_seconds(self) -> float:
        """For how long deleted teams are kept, in seconds."""
        return self.deleted_team_days * 86_400.0

    def masked(self) -> dict[str, Any]:
        """Return the settings by variable, for the log; of secrets, only whether they are set."""
        shown = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.metadata["secret"]:
                value = _masked(value)
            shown[each.metadata["name"]] = str(value) if isinstance(value, Path) else value
        return shown


def load() -> Config:
    """Read the environment.

    Raises ConfigError, in one line, for a value that is not accepted and, unless EXPENSES_UNKNOWN_SETTINGS says
    otherwise, for an EXPENSES_ variable that is no setting.
    """
    known = {each.metadata["name"]: each for each in fields(Config)}
    environment = FileAwareEnv(strip_whitespace=True)
    kinds = {
        str: environment.str,
        bool: environment.bool,
        int: environment.int,
        float: environment.float,
        Path: environment.path,
    }
    values = {}
    for name, each in known.items():
        kind = kinds[each.type]  # type: ignore[index]
        try:
            values[each.name] = kind(name, each.default, validate=each.metadata["check"])  # type: ignore[operator]
        except OSError as error:
            # The message leaves out the path, which may be the secret itself by mistake.
            raise ConfigError(f"{name}_FILE is not accepted: {error.strerror}.") from None
        except (EnvError, ValueError) as error:
            about = each.metadata["about"]
            raise ConfigError(f"{name} is not accepted: {_reason(error)} Its meaning: {about}.") from None
    values["public_url"] = values["public_url"].removesuffix("/")
    config = Config(**values)
    if config.unknown_settings == "refuse" and (unknown := unknown_settings()):
        raise ConfigError(f"{unknown[0]}; the README lists all settings.")
    _refuse_published_secrets(config)
    if config.production and config.allow_unsafe_database:
        raise ConfigError("EXPENSES_ALLOW_UNSAFE_DATABASE is not accepted with EXPENSES_PRODUCTION.")
    if config.production and config.public_url.startswith("http:"):
        raise ConfigError("EXPENSES_PUBLIC_URL must begin with https:// with EXPENSES_PRODUCTION.")
    if config.tracing and find_spec("opentelemetry") is None:
        raise ConfigError("EXPENSES_TRACING needs the `otel` extra: install requirements/otel.txt.")
    return config


def unknown_settings() -> list[str]:
    """Return, for each EXPENSES_ variable that is no setting, its name and which setting it may have meant."""
    known = [each.metadata["name"] for each in fields(Config)]
    found = []
    for variable in sorted(os.environ):
        if variable.startswith("EXPENSES_") and variable.removesuffix("_FILE") not in known:
            meant = "".join(f" (did you mean {name}?)" for name in get_close_matches(variable, known, 1, 0.8))
            found.append(f"{variable} is not a setting{meant}")
    return found


def require_secret(config: Config) -> None:
    """Raise SecretError if the secret that signs tokens is missing and cannot be generated."""
    if config.production and not config.database_url:
        raise SecretError("DATABASE_URL is missing: with EXPENSES_PRODUCTION there is no embedded PostgreSQL.")
    if config.database_url and not config.jwt_secret:
        raise SecretError(
            "EXPENSES_JWT_SECRET is missing: with DATABASE_URL there is no default. "
            f"Set it (or EXPENSES_JWT_SECRET_FILE) to at least {secret_bytes_min} random bytes."
        )


def _refuse_published_secrets(config: Config) -> None:
    for each in fields(Config):
        if each.metadata["secret"]:
            value = getattr(config, each.name).lower()
            if placeholder in value:
                raise SecretError(
                    f"{each.metadata['name']} holds a {placeholder}: replace it with a secret of your own."
                )
            if config.production and development in value:
                raise SecretError(
                    f"{each.metadata['name']} holds a published secret for {development}, and EXPENSES_PRODUCTION"
                    " is true: replace it with a secret of your own."
                )


def _reason(error: Exception) -> str:
    """Return the validator's message without the variable's name and the list brackets around it."""
    text = str(error).split(" invalid: ", 1)[-1].strip("[]'\"")
    return text if text.endswith(".") else f"{text}."


def _masked(value: str) -> str:
    if not value:
        return "not set"
    parts = urlsplit(value) if "://" in value else None
    if parts is None:
        return "set"
    # Not `hostname`: it takes the brackets from an IPv6 address, and knows one host only.
    hosts = re.sub(r":\d+(?=,|$)", "", parts.netloc.rpartition("@")[2])
    return f"{parts.scheme}://{parts.username or ''}:…@{hosts}{parts.path}"
