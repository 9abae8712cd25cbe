"""Prometheus gets the metrics and rules that dashboards and alerts need, under the jobs that they name."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.manifests import ROOT, Manifest, Manifests, Workload, selects, some


@pytest.fixture
def jobs() -> set[str]:
    """The jobs of dashboards and alerts, as the compose stack's Prometheus names them; the cluster has some itself."""
    scrapes = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    return {each["job_name"] for each in scrapes} - {"prometheus", "alertmanager", "node"}


def service_of(manifests: Manifests, workload: Workload) -> Manifest:
    (found,) = (each for each in manifests.of("Service") if workload in manifests.targets(each))
    return found


def annotations(workload: Workload) -> dict[str, str]:
    return workload.manifest["spec"]["template"]["metadata"].get("annotations", {})


def test_a_monitor_scrapes_each_service_under_its_job(production: Manifests, jobs: set[str]):
    found = set()
    for workload in production.component("api", "worker", "exporter"):
        service = service_of(production, workload)
        labels = service["metadata"]["labels"]
        (monitor,) = (
            each["spec"] for each in production.of("ServiceMonitor") if selects(each["spec"]["selector"], labels)
        )
        (endpoint,) = monitor["endpoints"]
        assert endpoint["port"] in [each["name"] for each in service["spec"]["ports"]]
        found.add(labels[monitor["jobLabel"]])
    assert found == jobs


def test_what_a_monitor_scrapes_is_not_scraped_for_an_annotation_too(production: Manifests):
    for workload in production.workloads():
        assert not annotations(workload)


def test_annotations_are_scraped_under_the_same_jobs_where_documented(
    try_out: Manifests, jobs: set[str], tmp_path: Path
):
    """Prometheus itself relabels what its discovery of pods would find."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed; it is what relabels")
    (tmp_path / "pods.json").write_text(json.dumps([discovered(each) for each in try_out.workloads()]))
    (scrape,) = documented_scrapes()
    del scrape["kubernetes_sd_configs"]
    scrape["file_sd_configs"] = [{"files": ["pods.json"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    command = ["promtool", "check", "service-discovery", "--timeout=2s", "prometheus.yml", scrape["job_name"]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    kept = [each["labels"] for each in json.loads(done.stdout) if each.get("labels")]
    assert {(each["job"], each["__address__"]) for each in kept} == {
        ("expenses", "pod:8080"),
        ("expenses-worker", "pod:8081"),
        ("postgres", "pod:9187"),
    }
    assert {each["job"] for each in kept} == jobs


def documented_scrapes() -> list[Manifest]:
    text = (ROOT / "docs/kubernetes.md").read_text()
    return yaml.safe_load(re.search(r"^    scrape_configs:\n(    .*\n)+", text, re.MULTILINE)[0])["scrape_configs"]


def discovered(workload: Workload) -> Manifest:
    """Return what Prometheus's discovery tells of a pod: a target for its port, or for none."""
    ports = workload.containers[0].get("ports", [])
    meta = {f"pod_label_{key}": value for key, value in workload.labels.items()}
    meta |= {f"pod_annotation_{key}": value for key, value in annotations(workload).items()}
    return {
        "targets": ["pod" + "".join(f":{each['containerPort']}" for each in ports)],
        "labels": {f"__meta_kubernetes_{re.sub('[./-]', '_', key)}": value for key, value in meta.items()},
    }


def test_only_monitoring_reaches_the_exporter_and_it_reaches_only_names_and_the_database(manifests: Manifests):
    labels = manifests.exporter.labels
    incoming = [rule for policy in manifests.policies(labels, "Ingress") for rule in policy["spec"].get("ingress", [])]
    assert incoming == [
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "ports": [{"protocol": "TCP", "port": 9187}],
        }
    ]
    outgoing = [rule for policy in manifests.policies(labels, "Egress") for rule in policy["spec"].get("egress", [])]
    assert sorted(port["port"] for rule in outgoing for port in rule["ports"]) == [53, 53, 5432]


def test_the_exporter_asks_at_least_what_that_of_the_compose_stack_asks(manifests: Manifests):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["postgres-exporter"]
    container = manifests.exporter.containers[0]
    assert container["image"] == compose["image"]
    assert set(some(compose["command"])) <= set(container["args"])


def test_the_try_out_database_logs_and_counts_what_that_of_the_compose_stack_does(try_out: Manifests):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["postgres"]
    (database,) = try_out.workloads("StatefulSet")
    assert set(compose["command"][1:]) <= set(database.containers[0]["args"])
    assert environment(try_out.exporter)["DATA_SOURCE_URI"] == "postgres:5432/postgres?sslmode=disable"


def environment(workload: Workload) -> dict[str, str]:
    return {each["name"]: each["value"] for each in workload.containers[0]["env"]}


def test_the_exporter_s_role_and_password_are_those_that_the_cluster_makes(production: Manifests):
    cluster = production.one("Cluster")
    (role,) = cluster["spec"]["managed"]["roles"]
    assert role["login"] is True
    assert role["inRoles"] == ["pg_monitor"]
    variables = environment(production.exporter)
    assert variables["DATA_SOURCE_USER"] == role["name"]
    assert variables["DATA_SOURCE_URI"] == f"{cluster['metadata']['name']}-rw:5432/expenses?sslmode=require"
    (volume,) = production.exporter.pod["volumes"]
    assert volume["secret"]["secretName"] == role["passwordSecret"]["name"]
    assert variables["DATA_SOURCE_PASS_FILE"] == f"/run/secrets/{volume['secret']['items'][0]['path']}"


def test_the_alerts_on_the_database_get_its_name_and_that_of_one_being_recovered(manifests: Manifests):
    for monitor in manifests.of("PodMonitor"):
        assert monitor["spec"]["podTargetLabels"] == ["cnpg.io/cluster"]
        assert all(selects(monitor["spec"]["selector"], {"cnpg.io/cluster": name}) for name in ("one", "another"))
    text = (ROOT / "deploy/prometheus/rules/cloudnativepg.yml").read_text()
    assert len(re.findall(r"max by \(cnpg_io_cluster\b", text)) == text.count("max by")


def test_the_alert_on_a_missing_standby_counts_those_that_there_are(production: Manifests):
    rules = yaml.safe_load((ROOT / "deploy/prometheus/rules/cloudnativepg.yml").read_text())["groups"][0]["rules"]
    (missing,) = (each for each in rules if each["alert"] == "StandbyMissing")
    assert missing["expr"].endswith(f" < {production.one('Cluster')['spec']['instances'] - 1}")


def test_the_alert_on_backups_fires_when_a_night_s_is_missing(production: Manifests):
    """The metric is that of the plugin which makes them."""
    (plugin,) = production.one("Cluster")["spec"]["plugins"]
    text = (ROOT / "deploy/prometheus/rules/cloudnativepg.yml").read_text()
    assert f"({re.sub('[.-]', '_', plugin['name'])}_last_available_backup_timestamp)" in text
    assert re.fullmatch(r"0 0 \d+ \* \* \*", production.one("ScheduledBackup")["spec"]["schedule"])


def test_the_try_out_database_makes_its_roles_as_the_compose_stack_does(try_out: Manifests):
    (scripts,) = (each["data"] for each in try_out.of("ConfigMap") if "roles.sh" in each["data"])
    assert scripts == {path.name: path.read_text() for path in (ROOT / "deploy/postgres").iterdir()}
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["postgres"]["volumes"]
    assert "./deploy/postgres/roles.sh:/docker-entrypoint-initdb.d/roles.sh:ro" in mounts
    (database,) = try_out.workloads("StatefulSet")
    (secrets,) = (each["projected"]["sources"] for each in database.pod["volumes"] if "projected" in each)
    mounted = {f"/run/secrets/{item['path']}" for each in secrets for item in each["secret"]["items"]}
    assert mounted == {
        *re.findall(r"/run/secrets/\w+", scripts["roles.sh"]),
        environment(database)["POSTGRES_PASSWORD_FILE"],
    }


def test_the_prometheus_operator_gets_the_rules_of_prometheus():
    printed = subprocess.run([ROOT / "deploy/kubernetes/prometheus-rules"], capture_output=True, text=True, check=True)
    rules = [yaml.safe_load(each.read_text()) for each in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))]
    made = list(yaml.safe_load_all(printed.stdout))
    assert {each["kind"] for each in made} == {"PrometheusRule"}
    assert [each["spec"] for each in made] == rules
