"""The manifests, rendered once, as a fixture that runs a test over the base and both overlays."""

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


@pytest.fixture(params=["base", "production"])
def shared(request: pytest.FixtureRequest) -> Manifests:
    """What is for a cluster that others use, too: the local overlay makes do with less."""
    return rendered(request.param)


@pytest.fixture(params=["base", "local"])
def with_try_out_database(request: pytest.FixtureRequest) -> Manifests:
    return rendered(request.param)


@pytest.fixture
def base() -> Manifests:
    return rendered("base")


@pytest.fixture
def local() -> Manifests:
    return rendered("local")


@pytest.fixture
def production() -> Manifests:
    return rendered("production")


@pytest.fixture
def try_out() -> Manifests:
    return rendered("local")
