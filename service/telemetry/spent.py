"""What a request spends its time on, for its line in the log."""

from contextvars import ContextVar


class Spent:
    """The seconds that a request has spent so far on the database and on waiting for it, and its slowest query."""

    __slots__ = (
        "connection_seconds",
        "database_seconds",
        "held_seconds",
        "slowest_query",
        "slowest_seconds",
        "turn_seconds",
    )

    def __init__(self) -> None:
        self.database_seconds = 0.0
        self.connection_seconds = 0.0
        self.turn_seconds = 0.0
        # What the client has asked to wait.
        self.held_seconds = 0.0
        self.slowest_query: str | None = None
        self.slowest_seconds = 0.0

    def add(self, query: str, seconds: float) -> None:
        """Add a query."""
        self.database_seconds += seconds
        if seconds > self.slowest_seconds:
            self.slowest_query, self.slowest_seconds = query, seconds


# Of the request that is being answered, if one is.
current_spent: ContextVar[Spent | None] = ContextVar("current_spent", default=None)
