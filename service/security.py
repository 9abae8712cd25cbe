"""Passwords and tokens. No SQL and no HTTP here."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from service.access import Actor
from service.config import Config
from service.errors import Unauthenticated, Unavailable
from service.metrics import Metrics

T = TypeVar("T")

# Password hashes that may wait for a thread; a log-in that comes when there are more is answered 503.
hash_queue_max = 64
# Of them, from one network address: nobody keeps all others out.
hash_queue_of_address_max = 16
issuer = "expenses"
audience = "expenses-api"
algorithm = "HS256"
token_type = "at+jwt"  # noqa: S105 -- RFC 9068 §2.1
# An access token of ours has some 350 characters.
access_token_length_max = 1024
verified_tokens_max = 4096
refresh_token_bytes = 16 + 16 + 16


class Passwords:
    """argon2id in a few threads of its own, so that log-ins do not stop everybody else."""

    def __init__(self, config: Config, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.hasher = PasswordHasher(
            time_cost=config.argon2_passes, memory_cost=config.argon2_memory_kib, parallelism=1
        )
        self.executor = ThreadPoolExecutor(config.argon2_threads, thread_name_prefix="argon2")
        self.pending = 0
        self.pending_from: Counter[str] = Counter()
        # Checked in place of a password that does not exist, so that it takes the same time.
        self.nobody = self.hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, address: str = "") -> str:
        """Return the hash to store. Raises Unavailable when too many wait, overall or from one network address."""
        return await self._run(lambda: self.hasher.hash(password), address)

    async def verify(self, password_hash: str | None, password: str, address: str = "") -> bool:
        """Return whether a password is the one; None is nobody's. Raises Unavailable as `hash` does."""

        def check() -> bool:
            try:
                return self.hasher.verify(password_hash or self.nobody, password)
            except (VerifyMismatchError, InvalidHashError):
                return False

        return await self._run(check, address) and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other parameters than today's."""
        return self.hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """End the threads."""
        self.executor.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], T], address: str) -> T:
        is_greedy = address != "" and self.pending_from[address] >= hash_queue_of_address_max
        if self.pending >= hash_queue_max or is_greedy:
            raise Unavailable("Too many log-ins at once. Try again in a few seconds.", retry_after_seconds=5)
        started = time.perf_counter()
        self.pending += 1
        self.pending_from[address] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
        finally:
            self.metrics.hashes.observe(time.perf_counter() - started)
            self.pending -= 1
            self.pending_from[address] -= 1
            # A counter keeps its zeros.
            if not self.pending_from[address]:
                del self.pending_from[address]


class Tokens:
    """Access tokens (JWT, RFC 9068) and refresh tokens (opaque).

    A refresh token is its session's id, 16 secret bytes, and a tag that only the service can make: what was never one
    ends nobody's session. The next one is derived from it with the service's secret, so a client that repeats a refresh
    whose answer was lost gets the same answer again, and only hashes are stored.

    What was made with the other secret is accepted too, so that one can take the place of another without a log-out.
    """

    def __init__(self, config: Config) -> None:
        self.secret = config.jwt_secret.encode()
        self.secrets = [secret.encode() for secret in (config.jwt_secret, config.jwt_secret_other) if secret]
        self.lifetime_seconds = config.access_token_seconds
        self.jwt = jwt.PyJWT({"enforce_minimum_key_length": True})
        self.verified: dict[str, tuple[Actor, float]] = {}

    def access(self, actor: Actor) -> str:
        """Return a new access token."""
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": actor.user_id,
            "sid": actor.session_id,
            "iat": now,
            "exp": now + self.lifetime_seconds,
        }
        return self.jwt.encode(claims, self.secret, algorithm, headers={"typ": token_type})

    def actor(self, token: str) -> Actor:
        """Return whose access token this is. Raises Unauthenticated for any that is not good now."""
        if known := self.verified.get(token):
            actor, expires_at = known
            if time.time() < expires_at:
                return actor
        if len(token) > access_token_length_max:
            raise Unauthenticated
        try:
            decoded = self._decoded(token)
            claims = decoded["payload"]
            actor = Actor(str(uuid.UUID(claims["sub"])), str(uuid.UUID(claims["sid"])))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The access token has expired: POST /v1/auth/refresh, or log in again.") from None
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
            raise Unauthenticated from None
        if decoded["header"].get("typ") != token_type:
            raise Unauthenticated
        if len(self.verified) >= verified_tokens_max:
            self.verified.clear()
        self.verified[token] = actor, claims["exp"]
        return actor

    def _decoded(self, token: str) -> dict[str, Any]:
        for secret in self.secrets:
            with suppress(jwt.InvalidSignatureError):
                return self.jwt.decode_complete(
                    token,
                    secret,
                    [algorithm],
                    issuer=issuer,
                    audience=audience,
                    options={"require": ["iss", "aud", "sub", "sid", "iat", "exp"], "strict_aud": True},
                )
        raise Unauthenticated

    def first_refresh(self, session_id: str) -> str:
        """Return the first refresh token of a session."""
        return self._refresh(uuid.UUID(session_id).bytes + secrets.token_bytes(16))

    def next_refresh(self, token: str) -> str:
        """Return the refresh token that comes after one."""
        return self._refresh(base64.urlsafe_b64decode(token)[:16] + _tag(self.secret, token.encode()))

    def session_id(self, token: str) -> str:
        """Return the session that a refresh token names. Raises Unauthenticated where it was never one of ours."""
        try:
            content = base64.b64decode(token, b"-_", validate=True)
        except (binascii.Error, ValueError):
            content = b""
        tags = [_tag(secret, content[:32]) for secret in self.secrets]
        if len(content) != refresh_token_bytes or not any(hmac.compare_digest(content[32:], tag) for tag in tags):
            raise Unauthenticated("The refresh token is not good. Log in again.")
        return str(uuid.UUID(bytes=content[:16]))

    def _refresh(self, content: bytes) -> str:
        return base64.urlsafe_b64encode(content + _tag(self.secret, content)).decode()


class Security:
    """All that proves who somebody is."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        # By outcome: all are there from the start, so that the first of a kind shows as an increase.
        self.logins = Counter(dict.fromkeys(["succeeded", "failed", "limited", "unavailable"], 0))
        self.passwords = Passwords(config, metrics)
        self.tokens = Tokens(config)
        self.refresh_token_seconds = config.refresh_token_seconds

    def close(self) -> None:
        """End the threads."""
        self.passwords.close()


def _tag(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")[:16]


def digest(token: str) -> bytes:
    """Return what is stored of a secret that has 256 random bits."""
    # A header's bytes that are no text come as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
