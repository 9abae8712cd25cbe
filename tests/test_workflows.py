"""CI does what a person can do: every command is a make target, and nothing has more rights than it needs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from service import __version__

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(path: Path) -> list[dict]:
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_is_a_make_target(path):
    commands = [step["run"] for step in steps(path) if "run" in step]
    assert commands
    for command in commands:
        made = re.fullmatch(r"make ([a-z-]+)", command)
        assert made, command
        assert made[1] in TARGETS, command


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_is_good_shell(path, tmp_path):
    for number, step in enumerate(step for step in steps(path) if "run" in step):
        script = tmp_path / f"{number}.sh"
        script.write_text(f"#!/usr/bin/env bash\n{step['run']}\n")
        done = subprocess.run([Path(sys.executable).parent / "shellcheck", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_more(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 30
        written = {name for name, right in job.get("permissions", {}).items() if right == "write"}
        assert written <= {"attestations", "id-token"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_of_others_is_pinned_to_a_commit(path):
    for step in steps(path):
        if "uses" in step:
            owner, version = step["uses"].split("/")[0], step["uses"].split("@")[1]
            known = owner in {"actions", "docker"} and re.fullmatch(r"v\d+", version)
            assert known or re.fullmatch(r"[0-9a-f]{40}", version), step["uses"]


def test_nothing_is_pushed_but_for_a_tag():
    pushing = [step for step in steps(ROOT / ".github/workflows/image.yml") if _leaves_the_machine(step)]
    assert len(pushing) == 4
    for step in pushing:
        assert step["if"] == "startsWith(github.ref, 'refs/tags/')"


def _leaves_the_machine(step: dict) -> bool:
    return step.get("run") == "make push" or any(word in step.get("uses", "") for word in ("login", "attest"))


def test_the_image_has_one_version_everywhere():
    named = set()
    for path in [ROOT / "docker-compose.yml", *(ROOT / "k8s").rglob("*.yaml")]:
        named |= set(re.findall(r"team-expense-tracker:([\w.]+)", path.read_text()))
    assert named == {__version__}
    assert f"ARG VERSION={__version__}\n" in (ROOT / "Dockerfile").read_text()


def test_dependabot_looks_after_everything_that_is_pinned():
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"pip", "docker", "docker-compose", "github-actions"}
    for each in updates:
        for folder in each.get("directories", [each.get("directory")]):
            assert (ROOT / folder.lstrip("/")).is_dir()
