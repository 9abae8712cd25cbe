"""The wheel: installed in a clean environment it has all that it needs."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile

import pytest

from tests.process import ROOT, on


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    # Of a copy: setuptools leaves its build directory in the source tree.
    source = tmp_path_factory.mktemp("source")
    list_files = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(list_files, check=True, capture_output=True, text=True).stdout
    for name in listed.strip("\0").split("\0"):
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (found,) = folder.glob("*.whl")
    return found


def test_it_has_every_query_and_migration(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("sql", "migrations"):
        for path in (ROOT / folder).rglob("*.sql"):
            assert f"service/{path.relative_to(ROOT)}" in names
    assert "service/web/ui/home.html" in names
    assert not any(name.startswith(("tests/", "bench/")) for name in names)


def test_it_runs_where_nothing_else_is_installed(wheel, tmp_path, empty_database):
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/service.txt")], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    environment = {"PATH": os.environ["PATH"]} | on(empty_database)

    def expenses(*arguments: str) -> subprocess.CompletedProcess:
        command = [str(tmp_path / "venv/bin/expenses"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)

    assert "serve" in expenses("--help").stdout
    assert "applied" in expenses("migrate").stdout
    assert expenses("migrate").stdout == "nothing to apply\n"
    assert expenses("check").stdout == "ready to serve\n"
    subprocess.run([python, "-m", "pip", "check"], check=True, capture_output=True)
