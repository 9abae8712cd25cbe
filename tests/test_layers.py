"""The arrows between the layers: handler → service → sql."""

import ast
from pathlib import Path

import pytest

SERVICE = Path(__file__).parent.parent / "service"


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(SERVICE.glob("*/service.py")), ids=lambda path: path.parent.name)
def test_a_service_knows_nothing_of_http(path):
    packages = {name.split(".")[0] for name in imported(path)}
    assert not packages & {"aiohttp", "aiohttp_apispec", "marshmallow", "apispec", "webargs"}
    assert not imported(path) & {"service.web.endpoint", "service.web.middleware", "service.web.keys"}


@pytest.mark.parametrize("path", sorted(SERVICE.glob("*/handlers.py")), ids=lambda path: path.parent.name)
def test_a_handler_asks_no_queries(path):
    assert "service.postgres.pool.queries" not in imported(path)
    assert "asyncpg" not in imported(path)


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


ROOMS = ("telemetry", "postgres", "process", "web")
FEATURES = {path.parent.name for path in SERVICE.glob("*/handlers.py")}


def modules():
    """Return the names of all modules of the service to the other modules that each imports, under any condition."""
    names = {
        ".".join(("service", *path.relative_to(SERVICE).with_suffix("").parts)): path for path in SERVICE.rglob("*.py")
    }
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    return {name: (imported(path) & names.keys()) - {name} for name, path in names.items()}


def cycle(graph):
    """Return a way from a node of a graph back to itself, or nothing."""
    done = set()

    def follow(node, path):
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for each in sorted(graph[node]):
            if found := follow(each, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := follow(node, []))), [])


def test_no_module_imports_itself_through_others():
    assert cycle(modules()) == []
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_room_imports_itself_through_others():
    rooms = {}
    for name, imports in modules().items():
        if name.count(".") > 1:
            found = {each.split(".")[1] for each in imports if each.count(".") > 1}
            rooms.setdefault(name.split(".")[1], set()).update(found - {name.split(".")[1]})
    assert cycle(rooms) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_no_feature(room):
    found = {each for name, imports in modules().items() if name.split(".")[1:2] == [room] for each in imports}
    assert {".".join(each.split(".")[1:2]) for each in found} & FEATURES == set()


@pytest.mark.parametrize("room", ["telemetry", "postgres", "process"])
def test_a_room_takes_its_settings_as_values(room):
    assert [
        name for name, found in modules().items() if name.startswith(f"service.{room}") and "service.config" in found
    ] == []
