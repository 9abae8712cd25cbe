"""What leaves the machine at a release: the list of what is in the image, and one image of all architectures."""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from service import __version__
from tests.postgres import docker_answers
from tests.process import ROOT, free_port
from tests.test_workers import until

IMAGE = f"push-test-{os.getpid()}"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.index.v1+json"


def test_the_list_of_what_is_in_the_image_has_debian_s_packages_and_python_s():
    name = f"team-expense-tracker:{__version__}"
    if not docker_answers() or name not in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split():
        pytest.skip(f"{name} was not built here")
    # The environment is what these tests run in.
    subprocess.run(["make", "--assume-old=.venv/dev", "sbom"], cwd=ROOT, check=True, capture_output=True)
    listed = json.loads((ROOT / "build/sbom.json").read_text())
    assert listed["bomFormat"] == "CycloneDX"
    packages = {each["purl"].split("@")[0] for each in listed["components"] if "purl" in each}
    assert {"pkg:deb/debian/libc6", "pkg:pypi/aiohttp", "pkg:pypi/asyncpg", "pkg:pypi/team-expense-tracker"} <= packages


@pytest.fixture
def registry(tmp_path):
    """The address of a registry with nothing in it."""
    if not docker_answers() or not shutil.which("docker-registry"):
        pytest.skip("needs Docker and Debian's docker-registry")
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    command = ["docker-registry", "serve", tmp_path / "registry.yml"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as serving:
        try:
            until(lambda: answers(address))
            yield address
        finally:
            serving.terminate()
            docker("image", "rm", "--force", *images())


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/v2/", timeout=5):
            return True
    except OSError:
        return False


def docker(*arguments: str, **options: object) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, check=True, **options)
    return done.stdout.decode()


def images() -> list[str]:
    listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return [each for each in listed if IMAGE in each]


def make_image(directory: Path, architecture: str) -> None:
    """Make an image of an architecture, which needs no machine of it."""
    (directory / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    docker("build", "--quiet", "--platform", f"linux/{architecture}", "--tag", f"{IMAGE}:1.0", str(directory))


def push(directory: Path, registry: str, **environment: str) -> tuple[subprocess.CompletedProcess, dict[str, str]]:
    output = directory / "output"
    output.touch()
    done = subprocess.run(
        [ROOT / "deploy/push", IMAGE, "1.0"],
        cwd=directory,
        env=os.environ | {"REGISTRY": registry, "NAME": IMAGE, "GITHUB_OUTPUT": str(output)} | environment,
        capture_output=True,
        text=True,
    )
    return done, dict(line.split("=") for line in output.read_text().splitlines())


def manifest(registry: str, reference: str) -> tuple[str, dict]:
    request = urllib.request.Request(f"http://{registry}/v2/{IMAGE}/manifests/{reference}", headers={"Accept": INDEX})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["Docker-Content-Digest"], json.loads(response.read())


def test_the_archives_of_two_architectures_become_one_image(registry, tmp_path):
    for architecture in ("amd64", "arm64"):
        make_image(tmp_path, architecture)
        archive = tmp_path / f"build/image-{architecture}/image.tar"
        archive.parent.mkdir(parents=True)
        docker("save", "--output", str(archive), f"{IMAGE}:1.0")
    done, outputs = push(tmp_path, registry)
    assert done.returncode == 0, done.stderr
    digest, index = manifest(registry, "1.0")
    found = {each["platform"]["architecture"]: each["digest"] for each in index["manifests"]}
    assert found == {"amd64": outputs["digest_amd64"], "arm64": outputs["digest_arm64"]}
    assert outputs["digest"] == digest
    assert f"pushed {registry}/{IMAGE}:1.0@{digest}" in done.stdout


def test_without_archives_it_is_the_local_image(registry, tmp_path):
    make_image(tmp_path, "amd64")
    done, outputs = push(tmp_path, registry)
    assert done.returncode == 0, done.stderr
    digest, _ = manifest(registry, "1.0")
    assert outputs["digest"] == digest
    assert outputs.keys() == {"digest_amd64", "digest"}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v1.1"}, "The tag v1.1 is not v1.0"),
        ({"REGISTRY": ""}, "REGISTRY: is not set"),
        ({"NAME": ""}, "NAME: is not set"),
    ],
)
def test_what_is_not_said_is_not_pushed(tmp_path, environment, reason):
    done, outputs = push(tmp_path, "127.0.0.1:1", **environment)
    assert done.returncode == 1
    assert reason in done.stderr
    assert not outputs
