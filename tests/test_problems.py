"""docs/problems.md lists every type of problem that the service answers with, as the code has them."""

import re
from pathlib import Path

from service import routes
from service.errors import refusals

ROOT = Path(__file__).parent.parent


def test_the_document_lists_every_type_as_the_code_has_it():
    assert routes.routes  # All features are imported.
    expected = [
        (kind.slug(), str(kind.status.value), kind.about())
        for kind in sorted(refusals(), key=lambda kind: (kind.status.value, kind.slug()))
    ]
    document = (ROOT / "docs/problems.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (.+) \|$", document, re.MULTILINE) == expected
