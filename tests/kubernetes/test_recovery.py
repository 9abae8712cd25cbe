"""Production on a recovered database: what went to the old database goes to it, and nothing else is different."""

import json

import pytest
import yaml

from tests.kubernetes.conftest import rendered
from tests.kubernetes.manifests import Manifest, Manifests

RECOVERED = ("recovered", "recovered to a time")


@pytest.fixture(params=RECOVERED)
def recovered(request: pytest.FixtureRequest) -> Manifests:
    return rendered(request.param)


def name_of(manifest: Manifest) -> str:
    return manifest["metadata"]["name"]


def test_it_recovers_from_the_backups_that_production_makes(production: Manifests, recovered: Manifests):
    cluster = recovered.one("Cluster")["spec"]
    recovery = cluster["bootstrap"]["recovery"]
    (source,) = (each for each in cluster["externalClusters"] if each["name"] == recovery["source"])
    (archiver,) = production.one("Cluster")["spec"]["plugins"]
    assert source["plugin"]["name"] == archiver["name"]
    assert source["plugin"]["parameters"] == archiver["parameters"] | {"serverName": name_of(production.one("Cluster"))}
    initdb = production.one("Cluster")["spec"]["bootstrap"]["initdb"]
    assert (recovery["database"], recovery["owner"]) == (initdb["database"], initdb["owner"])


def test_it_archives_to_a_folder_of_its_own_and_is_backed_up_at_once(production: Manifests, recovered: Manifests):
    """The folder in the bucket is the cluster's name, and the plugin refuses one that is not empty."""
    assert name_of(recovered.one("Cluster")) != name_of(production.one("Cluster"))
    (archiver,) = recovered.one("Cluster")["spec"]["plugins"]
    assert archiver["isWALArchiver"] is True
    assert "serverName" not in archiver["parameters"]
    backup = recovered.one("ScheduledBackup")
    assert backup["spec"]["cluster"]["name"] == name_of(recovered.one("Cluster"))
    assert name_of(backup) != name_of(production.one("ScheduledBackup"))
    assert backup["spec"]["immediate"] is True


def test_only_one_of_them_ends_at_a_time():
    latest, earlier = (rendered(each).one("Cluster")["spec"]["bootstrap"]["recovery"] for each in RECOVERED)
    assert earlier.pop("recoveryTarget").keys() == {"targetTime"}
    assert latest == earlier


def test_nothing_goes_to_the_old_database(production: Manifests, recovered: Manifests):
    old, new = name_of(production.one("Cluster")), name_of(recovered.one("Cluster"))
    text = yaml.safe_dump_all([each for each in recovered.all if each["kind"] not in {"Cluster", "ScheduledBackup"}])
    for suffix in "app", "rw":
        assert f"{old}-{suffix}" not in text
        assert f"{new}-{suffix}" in text


def test_nothing_else_is_different(production: Manifests, recovered: Manifests):
    """With the new name for the old one, all but the cluster itself is what production applies."""
    old, new = name_of(production.one("Cluster")), name_of(recovered.one("Cluster"))
    others = [[each for each in manifests.all if each["kind"] != "Cluster"] for manifests in (production, recovered)]
    assert json.loads(json.dumps(others[1]).replace(new, old)) == others[0]
    clusters = [each.one("Cluster")["spec"] for each in (production, recovered)]
    kept = [
        {key: value for key, value in each.items() if key not in {"bootstrap", "externalClusters"}} for each in clusters
    ]
    assert kept[0] == kept[1]


def test_the_database_alone_can_be_applied_first(recovered: Manifests):
    """By a label, so that it can be looked at before the service goes to it."""
    labels = {"app.kubernetes.io/component": "database"}
    kinds = {each["kind"] for each in recovered.all if labels.items() <= each["metadata"].get("labels", {}).items()}
    assert kinds == {"Cluster", "ObjectStore", "ScheduledBackup"}
