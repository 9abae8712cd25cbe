"""Writes the dashboards' JSON from boards/: `python deploy/grafana/build.py`; --check tells if it is current.

Those in dashboards/ are about what the compose stack has, which shows them; those in kubernetes/ are not.
"""

import json
import sys
from pathlib import Path

from boards.business import business
from boards.cloudnativepg import cloudnativepg
from boards.postgresql import postgresql
from boards.service import service
from boards.slo import slo

folder = Path(__file__).parent
dashboards = {
    "dashboards/service": service,
    "dashboards/postgresql": postgresql,
    "dashboards/business": business,
    "dashboards/slo": slo,
    "kubernetes/cloudnativepg": cloudnativepg,
}
files = {
    folder / f"{name}.json": json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
    for name, dashboard in dashboards.items()
}


def main() -> None:
    """Write the files; with --check, only end with status 1 and the names of those that are not current."""
    if "--check" not in sys.argv[1:]:
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        return
    outdated = [path.name for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    if outdated:
        sys.exit(f"run deploy/grafana/build.py: {', '.join(outdated)} not current")


if __name__ == "__main__":
    main()
