"""Access tokens (JWT, RFC 9068) and refresh tokens (opaque)."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
import uuid
from contextlib import suppress
from typing import Any

import jwt

from service.actor import Actor
from service.errors import Unauthenticated

issuer = "expenses"
audience = "expenses-api"
algorithm = "HS256"
token_type = "at+jwt"  # noqa: S105 -- RFC 9068 §2.1
# Our access tokens have about 350 characters.
access_token_length_max = 1024
verified_tokens_max = 4096
# Another replica's clock may be ahead by so much: its tokens are valid here at once.
clock_ahead_seconds_max = 10
refresh_token_bytes = 16 + 16 + 16

expired = "The access token has expired: POST /v1/auth/refresh, or log in again."


class Tokens:
    """Access tokens (JWT, RFC 9068) and refresh tokens (opaque).

    A refresh token is its session's id, 16 secret bytes, and a tag that only the service can compute, so a forged token
    cannot end a session. The next token is derived from it with a secret of the service, so a client that repeats a
    refresh whose answer was lost gets the same token again. Only hashes are stored.

    Tokens made with the other secret are accepted too, so that a secret can be replaced without logging anybody out.
    While it is, processes differ in which secret is their own; the session's row says which one a token was made with.
    """

    def __init__(self, secret: str, *, other_secret: str = "", lifetime_seconds: int = 900) -> None:
        self.secret = secret.encode()
        self.secrets = [each.encode() for each in (secret, other_secret) if each]
        self.lifetime_seconds = lifetime_seconds
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
        """Return the account and session of an access token. Raises Unauthenticated if it is not valid now."""
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
            if int(claims["iat"]) > time.time() + clock_ahead_seconds_max:
                raise Unauthenticated
            # Another process may be set to a longer life. Ended sessions are remembered here for as long as ours.
            expires_at = min(int(claims["exp"]), int(claims["iat"]) + self.lifetime_seconds)
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(expired) from None
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
            raise Unauthenticated from None
        if decoded["header"].get("typ") != token_type:
            raise Unauthenticated
        if expires_at <= time.time():
            raise Unauthenticated(expired)
        if len(self.verified) >= verified_tokens_max:
            self.verified.clear()
        self.verified[token] = actor, expires_at
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
                    options={
                        "require": ["iss", "aud", "sub", "sid", "iat", "exp"],
                        "strict_aud": True,
                        # PyJWT's leeway would also apply to `exp`; `actor` checks this one.
                        "verify_iat": False,
                    },
                )
        raise Unauthenticated

    def first_refresh(self, session_id: str) -> str:
        """Return the first refresh token of a session."""
        return _refresh(self.secret, uuid.UUID(session_id).bytes + secrets.token_bytes(16))

    def next_refreshes(self, token: str) -> list[str]:
        """Return the tokens that can follow this one: that of our own secret, then that of the other one."""
        session = base64.urlsafe_b64decode(token)[:16]
        return [_refresh(secret, session + _tag(secret, token.encode())) for secret in self.secrets]

    def session_id(self, token: str) -> str:
        """Return the session that a refresh token names. Raises Unauthenticated if the service did not make it."""
        try:
            content = base64.b64decode(token, b"-_", validate=True)
        except (binascii.Error, ValueError):
            content = b""
        tags = [_tag(secret, content[:32]) for secret in self.secrets]
        if len(content) != refresh_token_bytes or not any(hmac.compare_digest(content[32:], tag) for tag in tags):
            raise Unauthenticated("The refresh token is not valid. Log in again.")
        return str(uuid.UUID(bytes=content[:16]))


def _refresh(secret: bytes, content: bytes) -> str:
    return base64.urlsafe_b64encode(content + _tag(secret, content)).decode()


def _tag(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")[:16]


def digest(token: str) -> bytes:
    """Return the hash that is stored in place of a secret with 256 random bits."""
    # Bytes of a header that are not valid text arrive as surrogates.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
