"""Tries of a password, which are limited: by the place for an account, and over all places that are strange to it.

A place is a network address. One from which an account has logged in lately is known, and has a count of its own; so
nobody else's failures lock its people out. docs/adr/0028-known-places.md says what that is good against.
"""

from service.auth.passwords import Passwords
from service.auth.tokens import digest
from service.errors import TooManyAttempts
from service.postgres.pool import Connectable
from service.postgres.queries import queries

# The most failures within a window: at one place, at all strange places together, and in one session, which asks for
# the current password.
window_seconds = 15 * 60.0
failures_of_place_max = 10
failures_of_strangers_max = 100
failures_of_session_max = 10

# For how long a place is known to an account, how many are, and how often one is noted again.
places_kept_seconds = 90 * 86_400.0
places_max = 100
places_noted_seconds = 86_400.0

# What is counted, by the hash that it is stored under, and how many failures of it are allowed.
Limits = dict[bytes, int]


def of_log_in(email: str, place: str, *, is_known_place: bool) -> Limits:
    """Return the limits of a log-in: the place's own, and at a strange place that of all of them."""
    limits = {digest(f"{email} {place}"): failures_of_place_max}
    if not is_known_place:
        limits[digest(email)] = failures_of_strangers_max
    return limits


def of_session(session_id: str) -> Limits:
    """Return the limits of a session that is asked for the current password: whoever has it may not guess for ever."""
    return {digest(f"{session_id} current password"): failures_of_session_max}


async def admit(
    db: Connectable, passwords: Passwords, limits: Limits, *, peer: str, password_hash: str | None, password: str
) -> bool:
    """Return whether a password is right. A failure is counted; a success resets the count that is listed first.

    Raises TooManyAttempts before checking the password. Concurrent attempts all read the count before they add to it,
    so that right passwords do not block each other; the queue for hashing limits how many there can be.
    """
    keys = list(limits)
    has_failed = False
    async for counted in queries.auth.failures(db, key_hashes=keys, window_seconds=window_seconds):
        has_failed = has_failed or counted["key_hash"] == keys[0]
        if counted["failures"] >= limits[counted["key_hash"]]:
            raise TooManyAttempts(counted["left_seconds"])
    is_right = await passwords.verify(password_hash, password, peer)
    if not is_right:
        await queries.auth.fail(db, key_hashes=keys, window_seconds=window_seconds)
    elif has_failed:
        # Not that of the strangers: whoever guesses would get as many tries again whenever the owner logs in.
        await queries.auth.forgive(db, key_hash=keys[0])
    return is_right


async def remember(db: Connectable, user_id: str, place: str) -> None:
    """Note that the account is used at a place, by somebody who has its password or a session."""
    await queries.auth.remember(
        db, user_id=user_id, place_hash=digest(place), places_max=places_max, noted_seconds=places_noted_seconds
    )
