"""How many connections clients may have open."""

from collections import Counter

from service.telemetry.metrics import Metrics

# One client may open this part of all connections.
peer_share = 1 / 8
# The last connections are for clients with few: health checks, Prometheus, an operator.
reserved_share = 1 / 20
few = 4


class ConnectionLimit:
    """How many connections clients may have open: all together, and each network address.

    Behind trusted proxies an address is a proxy's, which needs as many as its clients.
    """

    def __init__(self, connections_max: int, *, is_behind_proxy: bool, metrics: Metrics) -> None:
        self.connections_max = connections_max
        self.reserved = max(few, int(connections_max * reserved_share))
        self.of_peer_max = connections_max if is_behind_proxy else max(few, int(connections_max * peer_share))
        self.open = 0
        self.open_by_peer: Counter[str] = Counter()
        self.refused: Counter[str] = Counter(client=0, all=0)
        metrics.gauge_of("http_connections", "Connections of clients.", lambda: self.open)
        metrics.gauge_of("http_connections_max", "Connections that clients may open.", lambda: self.connections_max)
        metrics.counter_of(
            "http_connections_refused_total",
            "Connections refused, because this client or all clients together had too many.",
            lambda: self.refused,
            "limit",
        )

    def take(self, peer: str) -> bool:
        """Count a connection of a network address. Return False, and count a refusal, if it has too many."""
        found = self.open_by_peer.get(peer, 0)
        left = self.connections_max - self.open
        if found >= self.of_peer_max:
            self.refused["client"] += 1
            return False
        if left <= 0 or (left <= self.reserved and found >= few):
            self.refused["all"] += 1
            return False
        self.open += 1
        self.open_by_peer[peer] = found + 1
        return True

    def give_back(self, peer: str) -> None:
        """Count a connection that is closed."""
        self.open -= 1
        self.open_by_peer[peer] -= 1
        if not self.open_by_peer[peer]:
            del self.open_by_peer[peer]
