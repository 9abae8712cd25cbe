"""The checks of kube-score that apply, each in a test of its name; its program is not needed.

Where kube-linter has a check of the same meaning, the docstring names it.
"""

import re

from tests.kubernetes.manifests import Manifests, selects, some


def test_container_resources(manifests: Manifests):
    """Also unset-cpu-requirements and unset-memory-requirements."""
    for container in manifests.containers:
        for kind in "requests", "limits":
            assert {"cpu", "memory"} <= container["resources"][kind].keys()


def test_container_image_tag(manifests: Manifests):
    """Also latest-tag."""
    for container in manifests.containers:
        assert re.fullmatch(r"[^:]+:(?!latest$)[\w.-]+", container["image"])


def test_container_image_pull_policy(shared: Manifests):
    for container in shared.containers:
        assert container["imagePullPolicy"] == "Always"


def test_container_ephemeral_storage_request_and_limit(manifests: Manifests):
    for container in manifests.containers:
        for kind in "requests", "limits":
            assert "ephemeral-storage" in container["resources"][kind]


def test_pod_probes(manifests: Manifests):
    for service in some(manifests.of("Service")):
        for workload in some(manifests.targets(service)):
            for container in workload.containers:
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()


def test_pod_probes_identical(manifests: Manifests):
    for workload in manifests.workloads("Deployment", "StatefulSet"):
        for container in workload.containers:
            startup, readiness, liveness = (container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
            assert startup != readiness
            assert startup != liveness
            action = {"httpGet", "exec", "tcpSocket"}
            assert {key: readiness[key] for key in action & readiness.keys()} != {
                key: liveness[key] for key in action & liveness.keys()
            }


def test_container_security_context_user_group_id(manifests: Manifests):
    checked = [each for each in manifests.workloads() if not each.ignores("container-security-context-user-group-id")]
    for workload in some(checked):
        assert workload.pod["securityContext"]["runAsUser"] > 10_000
        assert workload.pod["securityContext"]["runAsGroup"] > 10_000


def test_container_security_context_privileged(manifests: Manifests):
    for container in manifests.containers:
        assert container["securityContext"]["privileged"] is False


def test_container_security_context_readonlyrootfilesystem(manifests: Manifests):
    """Also no-read-only-root-fs."""
    for container in manifests.containers:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_container_seccomp_profile(manifests: Manifests):
    for workload in manifests.workloads():
        assert workload.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_pod_networkpolicy(manifests: Manifests):
    """Also non-isolated-pod."""
    for labels in manifests.labels_of_pods:
        for direction in "Ingress", "Egress":
            assert manifests.policies(labels, direction)


def test_networkpolicy_targets_pod(manifests: Manifests):
    for policy in some(manifests.of("NetworkPolicy")):
        assert [each for each in manifests.labels_of_pods if selects(policy["spec"]["podSelector"], each)]


def test_deployment_has_poddisruptionbudget(manifests: Manifests):
    for deployment in manifests.replicated:
        budgets = manifests.of("PodDisruptionBudget")
        assert [each for each in budgets if selects(each["spec"]["selector"], deployment.labels)]


def test_poddisruptionbudget_has_policy(manifests: Manifests):
    for budget in some(manifests.of("PodDisruptionBudget")):
        assert {"minAvailable", "maxUnavailable"} & budget["spec"].keys()


def test_deployment_has_host_podantiaffinity(manifests: Manifests):
    """Also no-anti-affinity."""
    for deployment in manifests.replicated:
        rules = deployment.pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        terms = [each["podAffinityTerm"] for each in rules]
        assert [
            each
            for each in terms
            if each["topologyKey"] == "kubernetes.io/hostname" and selects(each["labelSelector"], deployment.labels)
        ]


def test_pod_topology_spread_constraints(manifests: Manifests):
    for deployment in manifests.replicated:
        for constraint in some(deployment.pod["topologySpreadConstraints"]):
            assert selects(constraint["labelSelector"], deployment.labels)


def test_deployment_replicas(manifests: Manifests):
    for deployment in some(
        [each for each in manifests.workloads("Deployment") if not each.ignores("deployment-replicas")]
    ):
        (scaler,) = (
            each
            for each in manifests.of("HorizontalPodAutoscaler")
            if each["spec"]["scaleTargetRef"]["name"] == deployment.manifest["metadata"]["name"]
        )
        assert scaler["spec"]["minReplicas"] >= 2


def test_deployment_strategy(manifests: Manifests):
    for deployment in manifests.workloads("Deployment"):
        assert deployment.manifest["spec"]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }


def test_statefulset_has_servicename(with_try_out_database: Manifests):
    for database in with_try_out_database.workloads("StatefulSet"):
        (service,) = (
            each
            for each in with_try_out_database.of("Service")
            if each["metadata"]["name"] == database.manifest["spec"]["serviceName"]
        )
        assert service["spec"]["clusterIP"] == "None"
        assert database in with_try_out_database.targets(service)


def test_horizontalpodautoscaler_has_target(manifests: Manifests):
    for scaler in some(manifests.of("HorizontalPodAutoscaler")):
        target = scaler["spec"]["scaleTargetRef"]
        found = [
            each
            for each in manifests.of(target["kind"])
            if each["metadata"]["name"] == target["name"] and each["apiVersion"] == target["apiVersion"]
        ]
        assert found


def test_horizontalpodautoscaler_replicas(manifests: Manifests):
    for scaler in some(manifests.of("HorizontalPodAutoscaler")):
        assert 2 <= scaler["spec"]["minReplicas"] < scaler["spec"]["maxReplicas"]


def test_deployment_targeted_by_hpa_does_not_have_replicas_configured(manifests: Manifests):
    for scaler in some(manifests.of("HorizontalPodAutoscaler")):
        (target,) = (
            each
            for each in manifests.of("Deployment")
            if each["metadata"]["name"] == scaler["spec"]["scaleTargetRef"]["name"]
        )
        assert "replicas" not in target["spec"]


def test_service_targets_pod(manifests: Manifests):
    """Also dangling-service."""
    for service in some(manifests.of("Service")):
        assert manifests.targets(service)


def test_service_type(manifests: Manifests):
    for service in some(manifests.of("Service")):
        assert service["spec"]["type"] == "ClusterIP"


def test_ingress_targets_service(production: Manifests):
    services = {each["metadata"]["name"]: each for each in production.of("Service")}
    for rule in some(production.one("Ingress")["spec"]["rules"]):
        for path in some(rule["http"]["paths"]):
            backend = path["backend"]["service"]
            ports = [each["name"] for each in services[backend["name"]]["spec"]["ports"]]
            assert backend["port"]["name"] in ports


def test_stable_version(manifests: Manifests):
    for manifest in some(manifests.all):
        assert re.fullmatch(r"([a-z0-9.]+/)?v\d+", manifest["apiVersion"])


def test_label_values(manifests: Manifests):
    values = [value for each in manifests.all for value in each["metadata"].get("labels", {}).values()]
    values += [value for each in manifests.workloads() for value in each.labels.values()]
    for value in some(values):
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", value)


def test_environment_variable_key_duplication(manifests: Manifests):
    for container in manifests.containers:
        names = [each["name"] for each in container.get("env", [])]
        if "envFrom" in container:
            names += manifests.settings
        assert some(names)
        assert len(names) == len(set(names))
