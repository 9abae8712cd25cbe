"""The Pod Security Standard "restricted", which the namespace enforces, and what NSA and CISA ask of manifests."""

from collections.abc import Iterator

from tests.kubernetes.manifests import Manifests, Workload, some

RESTRICTED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(workload: Workload) -> Iterator[str]:
    """Yield what the standard forbids, a pod's own settings first; a container's settings go before its pod's."""
    pod = workload.pod
    for name in "hostNetwork", "hostPID", "hostIPC":
        if pod.get(name):
            yield name
    for volume in pod["volumes"]:
        if not volume.keys() & RESTRICTED_VOLUMES:
            yield f"volume {volume['name']}"
    for container in workload.containers:
        context = pod["securityContext"] | container["securityContext"]
        capabilities = context.get("capabilities", {})
        allowed = {
            "privileged": not context.get("privileged"),
            "allowPrivilegeEscalation": context.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": context.get("runAsNonRoot") is True,
            "runAsUser": context.get("runAsUser") != 0,
            "drop": "ALL" in capabilities.get("drop", []),
            "add": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
            "seccompProfile": context.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "procMount": context.get("procMount", "Default") == "Default",
            "sysctls": not context.get("sysctls"),
            "seLinuxOptions": not context.get("seLinuxOptions"),
            "hostPort": not any("hostPort" in port for port in container.get("ports", [])),
            "probe host": not any("host" in container.get(f"{kind}Probe", {}).get("httpGet", {}) for kind in PROBES),
        }
        yield from (name for name, is_allowed in allowed.items() if not is_allowed)


PROBES = "startup", "readiness", "liveness"


def test_every_pod_passes_restricted(manifests: Manifests):
    for workload in manifests.workloads():
        assert list(violations(workload)) == [], workload.name


def test_the_namespace_enforces_restricted_of_a_version(manifests: Manifests):
    labels = manifests.one("Namespace")["metadata"]["labels"]
    for mode in "enforce", "audit", "warn":
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"].startswith("v1.")


def test_everything_is_in_that_namespace(manifests: Manifests):
    namespace = manifests.one("Namespace")["metadata"]["name"]
    for manifest in manifests.all:
        if manifest["kind"] not in {"Namespace", "PriorityClass"}:
            assert manifest["metadata"]["namespace"] == namespace


def test_no_pod_gets_a_token_for_the_kubernetes_api(manifests: Manifests):
    for account in some(manifests.of("ServiceAccount")):
        assert account["automountServiceAccountToken"] is False
    for workload in manifests.workloads():
        assert workload.pod["automountServiceAccountToken"] is False


def test_traffic_is_denied_unless_a_policy_allows_it(manifests: Manifests):
    (deny,) = (each for each in manifests.of("NetworkPolicy") if each["metadata"]["name"] == "default-deny")
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_namespace_has_limits_and_containers_have_defaults(manifests: Manifests):
    hard = manifests.one("ResourceQuota")["spec"]["hard"]
    assert {"pods", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"} <= hard.keys()
    (limit,) = manifests.one("LimitRange")["spec"]["limits"]
    assert {"default", "defaultRequest", "max"} <= limit.keys()


def test_what_a_read_only_container_writes_to_has_a_limit(manifests: Manifests):
    volumes = [each for workload in manifests.workloads() for each in workload.pod["volumes"]]
    for volume in some([each for each in volumes if "emptyDir" in each]):
        assert volume["emptyDir"]["sizeLimit"]


def test_only_its_group_reads_a_secret(manifests: Manifests):
    for workload in manifests.workloads():
        assert workload.pod["securityContext"]["fsGroup"] == workload.pod["securityContext"]["runAsGroup"]
        sources = [each.get("secret") or each.get("projected") for each in workload.pod["volumes"]]
        for source in some([each for each in sources if each]):
            assert source["defaultMode"] == 0o440
