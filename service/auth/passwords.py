"""Passwords: argon2id, in a few threads of its own."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from service.errors import Unavailable
from service.telemetry.metrics import Metrics

T = TypeVar("T")

# The most password hashes that are computed or wait for a thread; a log-in beyond that is answered 503.
hash_queue_max = 64
# The most of them from one network address, so that one client cannot fill the queue for everybody.
hash_queue_of_peer_max = 16


class Passwords:
    """argon2id in a few threads of its own, so that log-ins do not block other requests."""

    def __init__(
        self, *, memory_kib: int = 19_456, passes: int = 2, threads: int = 2, metrics: Metrics | None = None
    ) -> None:
        metrics = metrics or Metrics()
        self.hash_seconds = metrics.timings("password_hash_seconds", "Time of a password hash, waiting included.")
        metrics.gauge_of("password_hashes_pending", "Passwords being hashed or waiting for it.", lambda: self.pending)
        self.hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self.pending = 0
        self.pending_from: Counter[str] = Counter()
        # Checked when there is no such account, so that the answer takes the same time.
        self.nobody = self.hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, peer: str = "") -> str:
        """Return the hash to store. Raises Unavailable if too many wait, overall or from one network address."""
        return await self._run(lambda: self.hasher.hash(password), peer)

    async def verify(self, password_hash: str | None, password: str, peer: str = "") -> bool:
        """Return whether a password matches the hash; None matches no password. Raises Unavailable as `hash` does."""

        def check() -> bool:
            try:
                return self.hasher.verify(password_hash or self.nobody, password)
            except (VerifyMismatchError, InvalidHashError):
                return False

        return await self._run(check, peer) and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was cheaper to make than one is today.

        A dearer one stays: of two processes with different parameters, as while a change of them is rolled out, only
        one replaces the hashes of the other.
        """
        made = extract_parameters(password_hash)
        return made.memory_cost * made.time_cost < self.hasher.memory_cost * self.hasher.time_cost

    def close(self) -> None:
        """End the threads."""
        self.executor.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], T], peer: str) -> T:
        is_greedy = peer != "" and self.pending_from[peer] >= hash_queue_of_peer_max
        if self.pending >= hash_queue_max or is_greedy:
            raise Unavailable(
                "Too many log-ins at once. Try again in a few seconds.", reason="logins", retry_after_seconds=5
            )
        started = time.perf_counter()
        self.pending += 1
        self.pending_from[peer] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, work)
        finally:
            self.hash_seconds.record(time.perf_counter() - started)
            self.pending -= 1
            self.pending_from[peer] -= 1
            # A Counter keeps zeros; without this, it would grow with every address.
            if not self.pending_from[peer]:
                del self.pending_from[peer]
