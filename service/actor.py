"""The account that sends a request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """An account, in one of its sessions."""

    user_id: str
    session_id: str
