"""The manifests as kustomize renders them, and questions that several tests ask of them."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DIRECTORIES = {
    "try-out": "k8s",
    "production": "deploy/kubernetes/production",
    "recovered": "deploy/kubernetes/recovery/latest",
    "recovered to a time": "deploy/kubernetes/recovery/point-in-time",
}

Manifest = dict[str, Any]


@cache
def render(directory: str) -> str:
    """Return what `kubectl apply -k` would apply, as YAML."""
    done = subprocess.run(["kubectl", "kustomize", ROOT / directory], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def some(found: list) -> list:
    """Return what was found, and fail where a test would have nothing to look at."""
    assert found
    return found


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Tell whether a label selector, of matchLabels and of matchExpressions with In or Exists, selects these labels."""
    wanted = {key: [value] for key, value in selector.get("matchLabels", {}).items()}
    for each in selector.get("matchExpressions", []):
        assert each["operator"] in {"In", "Exists"}
        if each["operator"] == "In":
            wanted[each["key"]] = each["values"]
        elif each["key"] not in labels:
            return False
    return all(labels.get(key) in values for key, values in wanted.items())


@dataclass
class Workload:
    """A Deployment, StatefulSet or Job."""

    manifest: Manifest

    @property
    def name(self) -> str:
        return f"{self.manifest['kind']} {self.manifest['metadata']['name']}"

    @property
    def labels(self) -> dict[str, str]:
        return self.manifest["spec"]["template"]["metadata"]["labels"]

    @property
    def pod(self) -> Manifest:
        return self.manifest["spec"]["template"]["spec"]

    @property
    def containers(self) -> list[Manifest]:
        return some(self.pod["containers"] + self.pod.get("initContainers", []))


@dataclass
class Manifests:
    """All that one directory renders to."""

    name: str
    all: list[Manifest]

    def of(self, *kinds: str) -> list[Manifest]:
        return [each for each in self.all if each["kind"] in kinds]

    def one(self, kind: str) -> Manifest:
        (found,) = self.of(kind)
        return found

    def workloads(self, *kinds: str) -> list[Workload]:
        return some([Workload(each) for each in self.of(*(kinds or ("Deployment", "StatefulSet", "Job")))])

    def component(self, *names: str) -> list[Workload]:
        """Return the workloads that have one of these names as their component."""
        return some([each for each in self.workloads() if each.labels["app.kubernetes.io/component"] in names])

    @property
    def api(self) -> Workload:
        (found,) = self.component("api")
        return found

    @property
    def worker(self) -> Workload:
        (found,) = self.component("worker")
        return found

    @property
    def exporter(self) -> Workload:
        (found,) = self.component("exporter")
        return found

    @property
    def containers(self) -> list[Manifest]:
        return [container for workload in self.workloads() for container in workload.containers]

    @property
    def labels_of_pods(self) -> list[dict[str, str]]:
        """The labels of all pods, those that CloudNativePG makes included."""
        clusters = [{"cnpg.io/cluster": each["metadata"]["name"]} for each in self.of("Cluster")]
        return [each.labels for each in self.workloads()] + clusters

    def targets(self, service: Manifest) -> list[Workload]:
        """Return the workloads whose pods a Service sends requests to."""
        return [each for each in self.workloads() if selects({"matchLabels": service["spec"]["selector"]}, each.labels)]

    def selected(self, selector: Manifest) -> list[dict[str, str]]:
        """Return the labels of the pods that a label selector selects."""
        return [each for each in self.labels_of_pods if selects(selector, each)]

    def policies(self, labels: dict[str, str], direction: str) -> list[Manifest]:
        """Return the NetworkPolicies that hold for pods with these labels, for Ingress or Egress."""
        return [
            each
            for each in self.of("NetworkPolicy")
            if direction in each["spec"]["policyTypes"] and selects(each["spec"]["podSelector"], labels)
        ]

    @property
    def settings(self) -> dict[str, str]:
        """The settings that the API is started with."""
        (source,) = self.api.containers[0]["envFrom"]
        name = source["configMapRef"]["name"]
        (found,) = (each for each in self.of("ConfigMap") if each["metadata"]["name"] == name)
        return found["data"]
