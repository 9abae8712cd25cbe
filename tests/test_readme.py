"""The README says what is true: its two tables are held against the code, and its links against the tree."""

import re
from dataclasses import fields
from pathlib import Path

from service.config import Config
from service.routes import routes

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def rows(pattern: str) -> list[tuple[str, ...]]:
    return re.findall(pattern, README, re.MULTILINE)


def test_the_paths_that_it_names_are_there():
    paths = {path for _, path, _, _ in routes}
    named = set(re.findall(r"`(/(?!var/)[a-z0-9_{}/…]+)`", README))
    assert named
    for each in named:
        assert each in paths or any(path.startswith(each.removesuffix("…")) for path in paths), each


def test_the_table_of_settings_is_the_configuration_s():
    def shown(value: object) -> str:
        if isinstance(value, Path):
            return "per user, see below"
        if isinstance(value, bool):
            return f"`{str(value).lower()}`"
        return "" if value == "" else f"`{value}`"

    documented = rows(r"^\| `([A-Z0-9_]+)` \| (.*?) ?\| (.+) \|$")
    assert documented == [
        (each.metadata["name"], shown(each.default), each.metadata["about"]) for each in fields(Config)
    ]


def test_its_links_lead_somewhere(subtests):
    for document in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
    ]:
        found = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
        assert len(found) >= document.read_text().count("](") - document.read_text().count("](#")
        for target in found:
            with subtests.test(f"{document.name} {target}"):
                if "://" not in target:
                    assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_dependency_says_why_it_is_here(subtests):
    documented = set(re.findall(r"^\| ([a-zA-Z0-9-]+)", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE))
    for name in ("service", "local", "dev"):
        packages = re.findall(r"^([a-z][a-z0-9-]*)", (ROOT / f"requirements/{name}.in").read_text(), re.MULTILINE)
        assert packages, name
        for package in packages:
            with subtests.test(f"{name} {package}"):
                assert package in documented, package
