"""The use cases of accounts and sessions."""

import uuid
from typing import Any

from service.actor import Actor
from service.auth import attempts
from service.auth.security import Security
from service.auth.tokens import digest
from service.errors import EmailTaken, Invalid, TooManyAttempts, Unauthenticated
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries
from service.postgres.violations import on_violation

# How long a refresh token may be sent again after it was exchanged.
grace_seconds = 10.0

wrong = "The e-mail address or the password is wrong."
not_good = "The refresh token is not valid. Log in again."


async def register(
    db: Connectable, security: Security, *, email: str, password: str, name: str, peer: str, client: str
) -> dict[str, Any]:
    """Create an account and its first session. Raises EmailTaken."""
    password_hash = await security.passwords.hash(password, peer)
    async with db.transaction() as transaction:
        with on_violation("users_email_key", raises=EmailTaken()):
            user: Record = await queries.auth.register(transaction, email=email, name=name, password_hash=password_hash)
        session = await _open_session(transaction, security, dict(user), password_hash, client)
        if session is None:
            raise Unauthenticated(wrong)
        await attempts.remember(transaction, user["user_id"], peer)
    return session


async def login(
    db: Connectable, security: Security, *, email: str, password: str, peer: str, client: str
) -> dict[str, Any]:
    """Open a session. Raises TooManyAttempts, and Unauthenticated, which takes the same time whatever is wrong."""
    outcome = "unavailable"
    try:
        session = await _login(db, security, email=email, password=password, peer=peer, client=client)
        outcome = "succeeded"
    except Unauthenticated:
        outcome = "failed"
        raise
    except TooManyAttempts:
        outcome = "limited"
        raise
    finally:
        security.logins[outcome] += 1
    return session


async def _login(
    db: Connectable, security: Security, *, email: str, password: str, peer: str, client: str
) -> dict[str, Any]:
    # The second try is for a password that was changed or rehashed while it was being checked.
    for _ in range(2):
        account: Record | None = await queries.auth.account(
            db, email=email, place_hash=digest(peer), places_kept_seconds=attempts.places_kept_seconds
        )
        user = dict(account or {})
        checked_hash, is_known_place = user.pop("password_hash", None), user.pop("is_known_place", False)
        limits = attempts.of_log_in(email, peer, is_known_place=is_known_place)
        if not await attempts.admit(
            db, security.passwords, limits, peer=peer, password_hash=checked_hash, password=password
        ):
            break
        session = await _open_session(db, security, user, checked_hash, client)
        if session:
            if security.passwords.is_outdated(checked_hash):
                new_hash = await security.passwords.hash(password, peer)
                await queries.auth.rehash(db, user_id=user["user_id"], old_hash=checked_hash, new_hash=new_hash)
            await attempts.remember(db, user["user_id"], peer)
            return session
    raise Unauthenticated(wrong)


async def token(
    db: Connectable,
    security: Security,
    *,
    grant_type: str,
    peer: str,
    client: str,
    username: str | None = None,
    password: str | None = None,
    refresh_token: str | None = None,
    **_unused: str,
) -> dict[str, Any]:
    """Log in or refresh, depending on the grant type. Raises what `login` and `refresh` raise."""
    if grant_type == "refresh_token":
        return await refresh(db, security, refresh_token=_sent("refresh_token", refresh_token), peer=peer)
    email, password = _sent("username", username), _sent("password", password)
    return await login(db, security, email=email, password=password, peer=peer, client=client)


def _sent(name: str, value: str | None) -> str:
    if value is None:
        raise Invalid.at(f"/{name}", "required", "This is required with this grant type.")
    return value


async def refresh(db: Connectable, security: Security, *, refresh_token: str, peer: str) -> dict[str, Any]:
    """Rotate a session's tokens. Raises Unauthenticated, and ends the session if the token was used before."""
    session_id = security.tokens.session_id(refresh_token)
    next_tokens = {digest(token): token for token in security.tokens.next_refreshes(refresh_token)}
    refreshed: Record | None = await queries.auth.refresh(
        db,
        session_id=session_id,
        token_hash=digest(refresh_token),
        next_hashes=list(next_tokens),
        lifetime_seconds=float(security.refresh_token_seconds),
        grace_seconds=grace_seconds,
    )
    if refreshed is None:
        await queries.auth.revoke(db, session_id=session_id)
        raise Unauthenticated(not_good)
    user = dict(refreshed)
    await attempts.remember(db, user["user_id"], peer)
    return _issued(security, user, session_id, next_tokens[user.pop("refresh_hash")])


async def logout(db: Connectable, actor: Actor) -> None:
    """End the actor's session."""
    await queries.auth.revoke(db, session_id=actor.session_id)


async def _open_session(
    db: Connectable, security: Security, user: dict[str, Any], checked_hash: str, client: str
) -> dict[str, Any] | None:
    """Return the account with the tokens of a new session, or None if the password has changed meanwhile.

    A change of the password ends the other sessions after its commit, and this checks the password again after its own
    commit. One of the two sees the other's change, so no session of the old password stays open.
    """
    session_id = str(uuid.uuid4())
    refresh_token = security.tokens.first_refresh(session_id)
    opened = await queries.auth.open_session(
        db,
        session_id=session_id,
        user_id=user["user_id"],
        checked_hash=checked_hash,
        refresh_hash=digest(refresh_token),
        lifetime_seconds=float(security.refresh_token_seconds),
        client=client,
    )
    ended = opened and await queries.auth.confirm_session(
        db, session_id=session_id, user_id=user["user_id"], checked_hash=checked_hash
    )
    return _issued(security, user, session_id, refresh_token) if opened and not ended else None


def _issued(security: Security, user: dict[str, Any], session_id: str, refresh_token: str) -> dict[str, Any]:
    return {
        "user": user,
        "access_token": security.tokens.access(Actor(user["user_id"], session_id)),
        "token_type": "Bearer",
        "expires_in": security.tokens.lifetime_seconds,
        "refresh_token": refresh_token,
    }
