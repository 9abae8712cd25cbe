"""All that proves who somebody is."""

from collections import Counter

from service.auth.passwords import Passwords
from service.auth.tokens import Tokens
from service.telemetry.metrics import Metrics


class Security:
    """All that proves who somebody is."""

    def __init__(self, passwords: Passwords, tokens: Tokens, *, refresh_token_seconds: int, metrics: Metrics) -> None:
        # By outcome: all are there from the start, so that the first of a kind shows as an increase.
        self.logins = Counter(dict.fromkeys(["succeeded", "failed", "limited", "unavailable"], 0))
        metrics.counter_of("logins_total", "Log-ins, by outcome.", lambda: self.logins, "outcome")
        self.passwords = passwords
        self.tokens = tokens
        self.refresh_token_seconds = refresh_token_seconds

    def close(self) -> None:
        """End the threads."""
        self.passwords.close()
