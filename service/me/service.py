"""The use cases of the actor's own account."""

from collections.abc import Mapping
from typing import Any

from service import access
from service.actor import Actor
from service.auth import attempts
from service.auth.security import Security
from service.errors import Conflict, EmailTaken, Invalid, Refusal, Unauthenticated
from service.postgres.pool import Connectable, Record
from service.postgres.queries import queries
from service.postgres.violations import on_violation
from service.read_only import check_read_only

gone = "This account does not exist any more."


async def get(db: Connectable, actor: Actor) -> Record:
    """Return the actor's account."""
    return _found(await queries.me.get(db, user_id=actor.user_id))


async def update(
    db: Connectable,
    actor: Actor,
    security: Security,
    *,
    peer: str,
    versions: list[int] | None = None,
    name: str | None = None,
    email: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
    read_only: Mapping[str, Any] | None = None,
) -> Record:
    """Change the actor's account; a new password ends the other sessions.

    Raises Invalid if the current password is missing or wrong, or if a field in `read_only` is not as it is stored;
    EmailTaken, TooManyAttempts, Conflict if the password was changed meanwhile, and PreconditionFailed unless
    `versions` has the account's version or is None.
    """
    checked_hash = None
    # An address alone may be the one that there is: the update decides.
    if password is not None or (email is not None and current_password is not None):
        checked_hash = await _check(db, actor, security, peer, current_password)
    password_hash = None if password is None else await security.passwords.hash(password, peer)
    async with db.transaction() as transaction:
        with on_violation("users_email_key", raises=EmailTaken()):
            user: Record | None = await queries.me.update(
                transaction,
                user_id=actor.user_id,
                versions=versions,
                checked_hash=checked_hash,
                email=email,
                name=name,
                password_hash=password_hash,
            )
        if user is None:
            raise await _refusal(transaction, actor, versions, checked_hash)
        check_read_only(read_only, dict(user) | {"version": user["version"] - 1})
        if password_hash is not None:
            await _end_other_sessions(transaction, actor)
    if password_hash is not None:
        # Also end sessions that were opened with the old password before this was committed.
        await _end_other_sessions(db, actor)
    return user


async def balances(db: Connectable, actor: Actor) -> Record:
    """Return the actor's own balances that are not zero, in all their teams, as `items`."""
    found: Record = await queries.me.balances(db, user_id=actor.user_id)
    return found


async def _refusal(db: Connectable, actor: Actor, versions: list[int] | None, checked_hash: str | None) -> Refusal:
    """Return why an update found no row."""
    user = await get(db, actor)
    if versions is not None and user["version"] not in versions:
        return access.outdated(versions, user["version"])
    if checked_hash is None:
        return _current_password_required()
    return Conflict("The password was changed meanwhile. This request changed nothing.")


async def _end_other_sessions(db: Connectable, actor: Actor) -> None:
    await queries.me.revoke_others(db, user_id=actor.user_id, session_id=actor.session_id)


async def _check(db: Connectable, actor: Actor, security: Security, peer: str, current_password: str | None) -> str:
    """Return the password hash that the current password was checked against."""
    if current_password is None:
        raise _current_password_required()
    password_hash: str | None = await queries.me.password_hash(db, user_id=actor.user_id)
    if password_hash is None:
        raise Unauthenticated(gone)
    limits = attempts.of_session(actor.session_id)
    if not await attempts.admit(
        db, security.passwords, limits, peer=peer, password_hash=password_hash, password=current_password
    ):
        raise Invalid.at("/current_password", "wrong", "This is not the current password.")
    return password_hash


def _found(user: Record | None) -> Record:
    if user is None:
        raise Unauthenticated(gone)
    return user


def _current_password_required() -> Invalid:
    return Invalid.at("/current_password", "required", "A new address or password needs the current password.")
