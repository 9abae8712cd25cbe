"""The custom resources fit what their operators take, as far as custom_resources.yaml has it, and mistakes do not."""

from copy import deepcopy
from typing import Any

import pytest

from deploy.kubernetes.custom_resources import custom, errors
from tests.kubernetes.manifests import Manifest, Manifests, some


def test_every_custom_resource_fits(manifests: Manifests):
    assert [error for each in custom(manifests.all) for error in errors(each)] == []


def test_all_that_kubernetes_has_no_schema_of_is_looked_at(production: Manifests):
    kinds = {each["kind"] for each in some(custom(production.all))}
    assert kinds == {
        "Cluster",
        "ScheduledBackup",
        "ObjectStore",
        "Gateway",
        "HTTPRoute",
        "ServiceMonitor",
        "PodMonitor",
    }


def put(manifest: Manifest, path: str, value: Any) -> Manifest:
    """Return a copy with another value at a path such as `spec.listeners.0.port`."""
    changed = deepcopy(manifest)
    place: Any = changed
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    for step in way:
        place = place[step]
    place[last] = value
    return changed


MISTAKES = [
    ("Cluster", "spec.instance", 3),
    ("Cluster", "spec.instances", "3"),
    ("Cluster", "spec.bootstrap.initdb.postInitApplicationSql", ["select 1"]),
    ("Cluster", "spec.bootstrap.recovery", {"source": "backups"}),
    ("Cluster", "spec.postgresql.parameters.max_connections", 200),
    ("Cluster", "spec.postgresql.synchronous.dataDurability", "always"),
    ("Cluster", "spec.plugins.0.barmanObjectName", "expenses-backups"),
    ("Cluster", "spec.storage.size", "20 GB"),
    ("Cluster", "annotations", {}),
    ("ScheduledBackup", "spec.schedule", "0 2 * * *"),
    ("ScheduledBackup", "spec.method", "barman"),
    ("ObjectStore", "spec.configuration.serverName", "expenses-database"),
    ("ObjectStore", "spec.configuration.data.compression", "zstd"),
    ("ObjectStore", "spec.retentionPolicy", "30 days"),
    ("Gateway", "spec.gatewayClass", "eg"),
    ("Gateway", "spec.listeners.0.tls.certificateRefs.0", "expenses-tls"),
    ("HTTPRoute", "spec.rules.0.timeout", "30s"),
    ("HTTPRoute", "spec.rules.0.backendRefs", [{"name": "expenses", "port": "http"}]),
    ("HTTPRoute", "spec.rules.0.matches", [{"path": {"type": "Prefix", "value": "/v1"}}]),
    ("PodMonitor", "spec.endpoints", []),
    ("ServiceMonitor", "spec.endpoints.0.interval", "15"),
    ("ServiceMonitor", "apiVersion", "monitoring.coreos.com/v2"),
]


@pytest.mark.parametrize(("kind", "path", "value"), MISTAKES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_found(production: Manifests, kind: str, path: str, value: Any):
    right = production.of(kind)[0]
    assert list(errors(right)) == []
    assert list(errors(put(right, path, value)))


def test_a_time_to_recover_to_has_a_zone():
    """Without, the plugin would take it for UTC, and a person might not."""
    target = {"source": "backups", "recoveryTarget": {"targetTime": "2026-05-17 12:00:00"}}
    cluster = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "a"}}
    wrong = cluster | {"spec": {"instances": 1, "bootstrap": {"recovery": target}}}
    assert any("targetTime" in error for error in errors(wrong))
    assert list(errors(put(wrong, "spec.bootstrap.recovery.recoveryTarget.targetTime", "2026-05-17T12:00:00Z"))) == []
