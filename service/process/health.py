"""Whether the service of this container is ready: `python -m service.process.health`, for images and compose files.

Imports next to nothing, as it runs every few seconds.
"""

import http.client
import os
import sys


def main() -> None:
    """End with status 0 when /readyz answers 200, else with 1 and what was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("EXPENSES_PORT", "8080")), timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
    except OSError as error:
        sys.exit(f"not ready: {error}")
    if answer.status != http.client.OK:
        sys.exit(f"not ready: {answer.read().decode()}")


if __name__ == "__main__":
    main()
