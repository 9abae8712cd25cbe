"""Sums that must come out: memory, connections, the time to stop, and room in the namespace."""

import re
from dataclasses import fields

import pytest

from service.app import worker_pool_size
from service.config import Config
from tests.kubernetes.manifests import Manifests, Workload

# What one process takes besides password hashes: measured 49 idle / 69 under load, rounded up.
BASELINE_MIB = 75
# PostgreSQL's own default of superuser_reserved_connections.
SUPERUSER_RESERVED = 3
# Of each process, beside its pool.
AUDIT_CONNECTIONS = 1
MIGRATION_CONNECTIONS = 2
# The metrics exporter and a person at psql.
OTHER_CONNECTIONS = 5

UNITS = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def number(quantity: str) -> float:
    """Return a Kubernetes quantity in cores or bytes."""
    digits, unit = re.fullmatch(r"(\d+)([A-Za-z]*)", str(quantity)).groups()
    return int(digits) * UNITS[unit]


def setting(manifests: Manifests, variable: str) -> int:
    """Return what the ConfigMap sets, else the service's default."""
    defaults = {each.metadata["name"]: each.default for each in fields(Config)}
    return int(manifests.settings.get(variable, defaults[variable]))


def replicas_max(manifests: Manifests) -> int:
    return manifests.one("HorizontalPodAutoscaler")["spec"]["maxReplicas"]


def pods_max(manifests: Manifests, workload: Workload) -> int:
    """Return how many pods there are while each of a Deployment is replaced; others have one."""
    if workload.manifest["kind"] != "Deployment":
        return 1
    return 2 * workload.manifest["spec"].get("replicas", replicas_max(manifests))


def connections_max(manifests: Manifests) -> int:
    if clusters := manifests.of("Cluster"):
        return int(clusters[0]["spec"]["postgresql"]["parameters"]["max_connections"])
    (database,) = manifests.workloads("StatefulSet")
    (found,) = (each for each in database.containers[0]["args"] if each.startswith("max_connections="))
    return int(found.removeprefix("max_connections="))


def test_the_process_and_all_password_hashes_take_at_most_70_percent_of_the_memory(manifests: Manifests):
    hashes_mib = (
        setting(manifests, "EXPENSES_ARGON2_THREADS") * setting(manifests, "EXPENSES_ARGON2_MEMORY_KIB") / 2**10
    )
    limit_mib = number(manifests.api.containers[0]["resources"]["limits"]["memory"]) / 2**20
    assert BASELINE_MIB + hashes_mib <= 0.7 * limit_mib


def test_all_replicas_fit_into_the_connections_also_while_each_is_replaced(manifests: Manifests):
    """Old pods drain while new ones start, and Kubernetes doesn't count those that end: two of each, at worst."""
    processes = 2 * replicas_max(manifests)
    wanted = processes * (setting(manifests, "EXPENSES_POOL_SIZE") + AUDIT_CONNECTIONS)
    wanted += pods_max(manifests, manifests.worker) * worker_pool_size
    wanted += MIGRATION_CONNECTIONS + OTHER_CONNECTIONS
    assert wanted <= connections_max(manifests) - SUPERUSER_RESERVED


def test_a_pod_has_the_time_to_stop(manifests: Manifests):
    sleep = manifests.api.containers[0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 5 <= sleep <= 10
    needed = sleep + 2 * setting(manifests, "EXPENSES_SHUTDOWN_SECONDS") + 5
    assert manifests.api.pod["terminationGracePeriodSeconds"] >= needed
    assert manifests.worker.pod["terminationGracePeriodSeconds"] >= needed - sleep


@pytest.mark.parametrize("kind", ["requests", "limits"])
@pytest.mark.parametrize("resource", ["cpu", "memory", "ephemeral-storage"])
def test_the_quota_holds_each_deployment_twice_the_migration_and_the_database(
    manifests: Manifests, kind: str, resource: str
):
    needed = 0
    for workload in manifests.workloads():
        needed += pods_max(manifests, workload) * number(workload.containers[0]["resources"][kind][resource])
    # Twice: a database is recovered beside the one that is there.
    for cluster in manifests.of("Cluster"):
        needed += 2 * cluster["spec"]["instances"] * number(cluster["spec"]["resources"][kind][resource])
    assert needed <= number(manifests.one("ResourceQuota")["spec"]["hard"][f"{kind}.{resource}"])


def test_the_quota_holds_the_volumes_of_two_databases(production: Manifests):
    claims = 2 * production.one("Cluster")["spec"]["instances"] * len(("storage", "walStorage"))
    assert claims <= int(production.one("ResourceQuota")["spec"]["hard"]["persistentvolumeclaims"])


def test_no_container_wants_more_than_one_may_have(manifests: Manifests):
    (limit,) = manifests.one("LimitRange")["spec"]["limits"]
    wanted = [each["resources"]["limits"] for each in manifests.containers]
    wanted += [each["spec"]["resources"]["limits"] for each in manifests.of("Cluster")]
    for limits in wanted:
        for resource, most in limit["max"].items():
            assert number(limits[resource]) <= number(most)
