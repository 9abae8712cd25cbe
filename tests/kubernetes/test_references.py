"""What one manifest says of another holds: names, ports and labels that are referred to are there.

Schemas and checkov look at one manifest at a time, so they see none of this. On a cluster it only shows as pods that do
not start or get no traffic. `deploy/kubernetes/check` runs both; what they check has no test here.
"""

from typing import Any

import pytest

from tests.kubernetes.manifests import Manifests, some


def is_open(container: dict[str, Any], port: int | str) -> bool:
    """Tell whether a container has a port of this number or name."""
    return any(port in (each["containerPort"], each["name"]) for each in container["ports"])


def names(manifests: Manifests, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in manifests.of(kind)}


def test_a_pod_s_service_account_and_priority_are_there(manifests: Manifests):
    for workload in manifests.workloads():
        assert workload.pod["serviceAccountName"] in names(manifests, "ServiceAccount")
        assert workload.pod["priorityClassName"] in names(manifests, "PriorityClass")


def test_the_secrets_and_settings_of_the_try_out_are_there(try_out: Manifests):
    """In production, CloudNativePG and a person make the secrets."""
    for workload in try_out.workloads():
        for volume in some(workload.pod["volumes"]):
            for source in [volume, *volume.get("projected", {}).get("sources", [])]:
                if secret := source.get("secret"):
                    assert secret.get("secretName", secret.get("name")) in names(try_out, "Secret")
                if config := source.get("configMap"):
                    assert config["name"] in names(try_out, "ConfigMap")


def test_a_service_leads_to_an_open_port_of_pods(manifests: Manifests):
    for service in some(manifests.of("Service")):
        for port in some(service["spec"]["ports"]):
            for workload in some(manifests.targets(service)):
                assert any(is_open(each, port["targetPort"]) for each in workload.containers)


def test_the_statefulset_s_service_is_headless_and_leads_to_it(try_out: Manifests):
    (database,) = try_out.workloads("StatefulSet")
    (service,) = (
        each for each in try_out.of("Service") if each["metadata"]["name"] == database.manifest["spec"]["serviceName"]
    )
    assert service["spec"]["clusterIP"] == "None"
    assert database in try_out.targets(service)


def test_the_routes_lead_from_listeners_to_ports_of_services(production: Manifests):
    services = {each["metadata"]["name"]: each for each in production.of("Service")}
    gateway = production.one("Gateway")
    listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
    used = set()
    for route in some(production.of("HTTPRoute")):
        (parent,) = route["spec"]["parentRefs"]
        assert parent["name"] == gateway["metadata"]["name"]
        assert route["spec"]["hostnames"] == [listeners[parent["sectionName"]]["hostname"]]
        used.add(parent["sectionName"])
        for rule in some(route["spec"]["rules"]):
            for backend in rule.get("backendRefs", []):
                assert backend["port"] in [each["port"] for each in services[backend["name"]]["spec"]["ports"]]
    assert used == set(listeners)


@pytest.mark.parametrize("kind", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_what_serves_has_all_probes_and_they_ask_open_ports(manifests: Manifests, kind: str):
    for workload in manifests.workloads("Deployment", "StatefulSet"):
        for container in workload.containers:
            action = container[kind].get("httpGet") or container[kind].get("tcpSocket")
            assert is_open(container, action["port"]) if action else container[kind]["exec"]


def test_the_autoscaler_alone_decides_how_many_replicas_the_api_has(manifests: Manifests):
    target = manifests.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    deployment = manifests.api.manifest
    assert target == {key: deployment[key] for key in ("apiVersion", "kind")} | {"name": deployment["metadata"]["name"]}
    assert "replicas" not in deployment["spec"]


def test_replicas_are_replaced_and_evicted_one_by_one(manifests: Manifests):
    """A rollout adds a pod before it takes one away, and draining a node is possible but never takes two at once."""
    assert manifests.api.manifest["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = manifests.one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert manifests.selected(budget["selector"]) == [manifests.api.labels]


def test_all_traffic_is_denied_and_every_policy_that_allows_some_is_of_pods_that_are_there(manifests: Manifests):
    policies = {each["metadata"]["name"]: each["spec"] for each in manifests.of("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in policies.values():
        assert manifests.selected(policy["podSelector"])


def test_only_the_pod_s_group_reads_its_secrets(manifests: Manifests):
    for workload in manifests.workloads():
        context = workload.pod["securityContext"]
        assert context["fsGroup"] == context["runAsGroup"]
        sources = [each.get("secret") or each.get("projected") for each in workload.pod["volumes"]]
        for source in some([each for each in sources if each]):
            assert source["defaultMode"] == 0o440


def test_no_secret_is_in_the_environment(manifests: Manifests):
    """Where it would be in the pod's description; checkov knows only those that come from a Secret."""
    variables = [*manifests.settings, *(each["name"] for one in manifests.containers for each in one.get("env", []))]
    for name in some([each for each in variables if any(word in each for word in ("SECRET", "PASS", "DATABASE_URL"))]):
        assert name.endswith("_FILE")


def test_the_namespace_enforces_the_restricted_standard_and_its_pods_pass(manifests: Manifests):
    """Of that standard, checkov does not look for hostPath, and takes a runAsUser in place of runAsNonRoot."""
    labels = manifests.one("Namespace")["metadata"]["labels"]
    for mode in "enforce", "audit", "warn":
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"].startswith("v1.")
    for workload in manifests.workloads():
        assert workload.pod["securityContext"]["runAsNonRoot"] is True
        assert not [each for each in workload.pod["volumes"] if "hostPath" in each]


def test_what_a_read_only_container_writes_to_has_a_limit(manifests: Manifests):
    volumes = [each for workload in manifests.workloads() for each in workload.pod["volumes"]]
    for volume in some([each for each in volumes if "emptyDir" in each]):
        assert volume["emptyDir"]["sizeLimit"]
