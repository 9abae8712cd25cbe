"""The container's health check, for images and compose files: `python -m service.process.health`.

With the argument `worker`, it is that of the command `worker`. It imports very little, because it runs often.
"""

import http.client
import os
import sys

from service.process.addresses import reachable


def main() -> None:
    """Exit with 0 if /readyz answers 200, otherwise with 1 and the answer."""
    host = reachable(os.environ.get("EXPENSES_HOST", "127.0.0.1").strip())
    variable, default = ("EXPENSES_WORKER_PORT", "8081") if sys.argv[1:] == ["worker"] else ("EXPENSES_PORT", "8080")
    connection = http.client.HTTPConnection(host, int(os.environ.get(variable, default)), timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
    except OSError as error:
        sys.exit(f"not ready: {error}")
    if answer.status != http.client.OK:
        sys.exit(f"not ready: {answer.read().decode()}")


if __name__ == "__main__":
    main()
