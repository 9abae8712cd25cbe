"""All that proves who somebody is."""

from collections import Counter

from service.auth.passwords import Passwords
from service.auth.tokens import Tokens
from service.config import Config
from service.telemetry.metrics import Metrics


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
