"""Passwords, tokens and the count of log-ins, together."""

from collections import Counter

from service.auth.passwords import Passwords
from service.auth.tokens import Tokens
from service.telemetry.metrics import Metrics


class Security:
    """What log-ins need: passwords, tokens and the count of log-ins."""

    def __init__(self, passwords: Passwords, tokens: Tokens, *, refresh_token_seconds: int, metrics: Metrics) -> None:
        # By outcome. All start at 0, so that the first of each shows as an increase.
        self.logins = Counter(dict.fromkeys(["succeeded", "failed", "limited", "unavailable"], 0))
        metrics.counter_of("logins_total", "Log-ins, by outcome.", lambda: self.logins, "outcome")
        self.passwords = passwords
        self.tokens = tokens
        self.refresh_token_seconds = refresh_token_seconds

    def close(self) -> None:
        """End the threads."""
        self.passwords.close()
