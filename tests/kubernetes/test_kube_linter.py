"""The checks of kube-linter that apply and that test_kube_score.py does not name, each in a test of its name."""

import re
from typing import Any

import pytest

from tests.kubernetes.manifests import Manifests, some


def is_open(container: dict[str, Any], port: int | str) -> bool:
    """Tell whether a container has a port of this number or name."""
    return any(port in (each["containerPort"], each["name"]) for each in container["ports"])


def test_mismatching_selector(manifests: Manifests):
    for workload in manifests.workloads("Deployment", "StatefulSet"):
        selector = workload.manifest["spec"]["selector"]["matchLabels"]
        assert some(list(selector))
        assert selector.items() <= workload.labels.items()


def test_run_as_non_root(manifests: Manifests):
    for workload in manifests.workloads():
        assert workload.pod["securityContext"]["runAsNonRoot"] is True


def test_privilege_escalation_container(manifests: Manifests):
    for container in manifests.containers:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_drop_net_raw_capability(manifests: Manifests):
    for container in manifests.containers:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_env_var_secret(manifests: Manifests):
    names = [*manifests.settings, *(each["name"] for one in manifests.containers for each in one.get("env", []))]
    secret = [each for each in names if re.search("SECRET|PASSWORD|DATABASE_URL", each)]
    for name in some(secret):
        assert name.endswith("_FILE")


def test_read_secret_from_env_var(manifests: Manifests):
    for container in manifests.containers:
        assert not [each for each in container.get("env", []) if "valueFrom" in each]
        assert not [each for each in container.get("envFrom", []) if "secretRef" in each]


@pytest.mark.parametrize("name", ["hostNetwork", "hostPID", "hostIPC"])
def test_host_namespaces(manifests: Manifests, name: str):
    """The checks host-network, host-pid and host-ipc."""
    for workload in manifests.workloads():
        assert not workload.pod.get(name)


def test_sensitive_host_mounts(manifests: Manifests):
    for workload in manifests.workloads():
        for volume in some(workload.pod["volumes"]):
            assert "hostPath" not in volume


def test_pdb_max_unavailable(manifests: Manifests):
    for budget in some(manifests.of("PodDisruptionBudget")):
        assert budget["spec"]["maxUnavailable"] >= 1
        assert "minAvailable" not in budget["spec"]


def test_pdb_unhealthy_pod_eviction_policy(manifests: Manifests):
    for budget in some(manifests.of("PodDisruptionBudget")):
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("kind", ["livenessProbe", "readinessProbe", "startupProbe"])
def test_probe_port(manifests: Manifests, kind: str):
    """The checks liveness-port, readiness-port and startup-port."""
    asked = []
    for workload in manifests.workloads("Deployment", "StatefulSet"):
        for container in workload.containers:
            probe = container[kind]
            if action := probe.get("httpGet") or probe.get("tcpSocket"):
                asked.append(action)
                assert is_open(container, action["port"])
    assert asked


def test_job_ttl_seconds_after_finished(manifests: Manifests):
    for job in manifests.workloads("Job"):
        assert job.manifest["spec"]["ttlSecondsAfterFinished"] > 0


def test_invalid_target_ports(manifests: Manifests):
    for service in some(manifests.of("Service")):
        for port in some(service["spec"]["ports"]):
            for workload in some(manifests.targets(service)):
                assert any(is_open(each, port["targetPort"]) for each in workload.containers)


def test_non_existent_service_account(manifests: Manifests):
    """Also default-service-account."""
    accounts = {each["metadata"]["name"] for each in manifests.of("ServiceAccount")}
    for workload in manifests.workloads():
        assert workload.pod["serviceAccountName"] in accounts


def test_ssh_port(manifests: Manifests):
    ports = [port["containerPort"] for each in manifests.containers for port in each.get("ports", [])]
    assert 22 not in some(ports)


def test_unsafe_sysctls(manifests: Manifests):
    for workload in manifests.workloads():
        assert "sysctls" not in workload.pod["securityContext"]


def test_minimum_three_replicas(shared: Manifests):
    """A Deployment's number is the autoscaler's."""
    for workload in shared.workloads("Deployment", "StatefulSet"):
        number = workload.manifest["spec"].get("replicas", shared.one("HorizontalPodAutoscaler")["spec"]["minReplicas"])
        assert number >= 3 or workload.ignores("minimum-three-replicas")


def test_hpa_minimum_three_replicas(shared: Manifests):
    for scaler in some(shared.of("HorizontalPodAutoscaler")):
        assert scaler["spec"]["minReplicas"] >= 3


def test_no_rolling_update_strategy(manifests: Manifests):
    for workload in manifests.workloads("Deployment", "StatefulSet"):
        spec = workload.manifest["spec"]
        assert (spec.get("strategy") or spec["updateStrategy"])["type"] == "RollingUpdate"


def test_priority_class_name(manifests: Manifests):
    classes = {each["metadata"]["name"] for each in manifests.of("PriorityClass")}
    for workload in manifests.workloads():
        assert workload.pod["priorityClassName"] in classes


def test_dnsconfig_options(manifests: Manifests):
    for workload in manifests.workloads():
        assert {"name": "ndots", "value": "2"} in workload.pod["dnsConfig"]["options"]
