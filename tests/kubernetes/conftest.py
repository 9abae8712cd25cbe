"""The manifests, rendered once, as a fixture that runs a test over those to try it out and those for production."""

import shutil

import pytest
import yaml

from tests.kubernetes.manifests import DIRECTORIES, Manifests, render


def rendered(name: str) -> Manifests:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed; it is what renders the manifests")
    return Manifests(name, list(yaml.safe_load_all(render(DIRECTORIES[name]))))


@pytest.fixture(params=DIRECTORIES)
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return rendered(request.param)


@pytest.fixture
def try_out() -> Manifests:
    return rendered("try-out")


@pytest.fixture
def production() -> Manifests:
    return rendered("production")
