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


def for_tags_only(job: dict) -> bool:
    return job.get("if") == "startsWith(github.ref, 'refs/tags/')"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_it_is_for_a_tag(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 30
        written = {name for name, right in job.get("permissions", {}).items() if right == "write"}
        assert written <= {"attestations", "id-token"}
        # What a pull request runs, whose author may be anybody, has neither rights nor secrets.
        if not for_tags_only(job):
            assert "permissions" not in job
            assert "secrets." not in str(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path):
    used = re.findall(r"^ *(?:- )?uses: (.*)$", path.read_text(), re.MULTILINE)
    assert len(used) == len([step for step in steps(path) if "uses" in step])
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version_everywhere():
    used = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
    assert len(used) == len({each.split("@")[0] for each in used})


def test_zizmor_has_nothing_to_say():
    command = [Path(sys.executable).parent / "zizmor", "--offline", "--no-progress", "--quiet", ROOT / ".github"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_is_pushed_is_what_was_tested_on_each_architecture_and_for_a_tag_only():
    jobs = yaml.safe_load((ROOT / ".github/workflows/image.yml").read_text())["jobs"]
    leaving = {name: [step for step in job["steps"] if _leaves_the_machine(step)] for name, job in jobs.items()}
    assert {name: len(found) for name, found in leaving.items()} == {"build": 0, "publish": 5}
    assert for_tags_only(jobs["publish"])
    assert jobs["publish"]["needs"] == "build"
    built = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert built == ["make image", "make smoke", "make sbom", "make archive"]
    assert "make image" not in [step.get("run") for step in jobs["publish"]["steps"]]
    architectures = {each["architecture"] for each in jobs["build"]["strategy"]["matrix"]["include"]}
    attested = re.findall(r"digest_(\w+)", str(leaving["publish"]))
    assert architectures == set(attested) == {"amd64", "arm64"}


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
