"""Room for connections among the process's file descriptors."""

import logging
import resource

# Files, sockets between workers, DNS look-ups, and what Python and the event loop need.
others = 100

log = logging.getLogger(__name__)


def room(clients: int, *, servers: int) -> int:
    """Return how many connections of clients the process can hold, besides `servers` of its own: at most `clients`.

    Raises the process's soft limit of descriptors where the hard limit allows it. Warns if there is less room.
    """
    needed = clients + servers + others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return clients
    found = max(1, soft - servers - others)
    log.warning("fewer connections than configured: raise the limit of open files", extra={"connections": found})
    return found
