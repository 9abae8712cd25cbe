"""What import-linter does not see; its contracts are in setup.cfg."""

import ast
from pathlib import Path

SERVICE = Path(__file__).parent.parent / "service"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_aiohttp_apispec_is_met_in_one_module():
    users = [path.name for path in SERVICE.rglob("*.py") if "aiohttp_apispec" in imported(path)]
    assert users == ["endpoint.py"]


def test_no_sql_stands_in_python():
    for path in SERVICE.rglob("*.py"):
        if path.name in {"migrate.py", "embedded.py"}:
            # They work before there is a schema.
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.lower().split()
                assert not (
                    words[:1]
                    and words[0] in {"select", "insert", "update", "delete"}
                    and {"from", "into", "set"} & set(words)
                ), f"{path}: {node.value}"
