"""The manifests say what is so: files, settings, secrets, probes and traffic fit the service and one another."""

import re
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from service import __version__
from service.config import Config, load
from service.process.exits import SecretError
from service.routes import routes
from tests.kubernetes.manifests import ROOT, Manifest, Manifests, render, selects, some

K8S = ROOT / "k8s"
KUBERNETES = (ROOT / "docs" / "kubernetes.md").read_text()
OF_THE_CLUSTER = {"Namespace", "PriorityClass"}


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def secrets(manifests: Manifests) -> dict[str, dict[str, str]]:
    """Return the rendered secrets' values, by secret and key."""
    return {each["metadata"]["name"]: each["stringData"] for each in manifests.of("Secret")}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Return a function that reads the configuration as the API's container would."""

    def start(manifests: Manifests, **settings: str) -> Config:
        for variable, value in (manifests.settings | settings).items():
            if variable.endswith("_FILE"):
                secret, key = Path(value).parts[-2:]
                mounted = {"expenses": "expenses", "expenses-database": "expenses-database-app"}[secret]
                file = tmp_path / key
                file.write_text(secrets(manifests)[mounted][key])
                monkeypatch.setenv(variable, str(file))
            else:
                monkeypatch.setenv(variable, value)
        return load()

    return start


def test_the_files_of_k8s_are_complete_and_all_of_them_are_applied_as_they_stand(try_out: Manifests):
    """What a person reads there is what the cluster gets: kustomize adds no namespace, image, secret or patch."""
    files = [each for each in K8S.glob("*.yaml") if each.name != "kustomization.yaml"]
    assert not [each.name for each in files if each.is_symlink()]
    written = [manifest for each in files for manifest in yaml.safe_load_all(each.read_text())]
    assert by_name(written) == by_name(try_out.all)


def test_everything_is_in_the_namespace(manifests: Manifests):
    namespace = manifests.one("Namespace")["metadata"]["name"]
    for manifest in manifests.all:
        if manifest["kind"] not in OF_THE_CLUSTER:
            assert manifest["metadata"]["namespace"] == namespace


def test_the_image_is_this_version(manifests: Manifests):
    for workload in manifests.component("api", "worker", "migration"):
        assert workload.containers[0]["image"] == f"team-expense-tracker:{__version__}"


def test_every_variable_is_a_setting(manifests: Manifests):
    known = {each.metadata["name"] for each in fields(Config)}
    assert {each.removesuffix("_FILE") for each in manifests.settings} <= known


def test_services_are_not_put_into_the_environment_where_they_would_be_taken_for_settings(manifests: Manifests):
    for workload in manifests.workloads():
        assert workload.pod["enableServiceLinks"] is False


def test_the_service_takes_the_secrets_for_trying_out_but_not_in_production(try_out: Manifests, started):
    assert started(try_out).production is False
    with pytest.raises(SecretError, match="development"):
        started(try_out, EXPENSES_PRODUCTION="true")


def test_production_applies_no_secret_and_no_try_out_database(production: Manifests):
    assert not production.of("Secret", "StatefulSet")
    assert production.settings["EXPENSES_PRODUCTION"] == "true"


def test_what_signs_and_where_the_database_is_are_mounted_where_the_settings_look(manifests: Manifests):
    database = [each["metadata"]["name"] for each in manifests.of("Cluster")] or ["expenses-database"]
    for workload in manifests.component("api", "worker", "migration"):
        mounts = {each["mountPath"]: each["name"] for each in workload.containers[0]["volumeMounts"]}
        volumes = {each["name"]: each for each in workload.pod["volumes"]}
        for variable, secret, key in (
            ("DATABASE_URL_FILE", f"{database[0]}-app", "uri"),
            ("EXPENSES_JWT_SECRET_FILE", "expenses", "jwt-secret"),
        ):
            directory, name = manifests.settings[variable].rsplit("/", 1)
            assert volumes[mounts[directory]]["secret"]["secretName"] == secret
            assert name == key


def test_the_database_s_secret_is_the_one_that_cloudnativepg_makes(production: Manifests):
    name = f"{production.one('Cluster')['metadata']['name']}-app"
    for workload in production.component("api", "worker", "migration"):
        mounted = [each["secret"]["secretName"] for each in workload.pod["volumes"] if "secret" in each]
        assert name in mounted


def test_an_answered_write_survives_the_loss_of_an_instance(production: Manifests):
    cluster = production.one("Cluster")["spec"]
    assert cluster["instances"] == 3
    assert cluster["enablePDB"] is True
    assert cluster["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }


def test_the_database_is_backed_up_to_a_store_that_is_there(production: Manifests):
    (plugin,) = production.one("Cluster")["spec"]["plugins"]
    assert plugin["isWALArchiver"] is True
    assert plugin["parameters"]["barmanObjectName"] == production.one("ObjectStore")["metadata"]["name"]
    backup = production.one("ScheduledBackup")["spec"]
    assert backup["cluster"]["name"] == production.one("Cluster")["metadata"]["name"]
    assert backup["pluginConfiguration"]["name"] == plugin["name"]
    assert len(backup["schedule"].split()) == 6


def test_probes_ask_routes_that_are_there_and_only_readiness_asks_the_database(manifests: Manifests):
    probes = manifests.api.containers[0]
    paths = {kind: probes[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert set(paths.values()) <= {path for _, path, _, _ in routes}


def test_the_worker_is_asked_on_the_port_on_which_it_answers(manifests: Manifests):
    (container,) = manifests.worker.containers
    defaults = {each.metadata["name"]: each.default for each in fields(Config)}
    port = int(manifests.settings.get("EXPENSES_WORKER_PORT", defaults["EXPENSES_WORKER_PORT"]))
    assert container["args"] == ["worker"]
    assert [each["containerPort"] for each in container["ports"]] == [port]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert manifests.worker.pod["serviceAccountName"] == manifests.api.pod["serviceAccountName"]


def test_nobody_but_monitoring_reaches_the_worker(manifests: Manifests):
    rules = [
        rule
        for policy in manifests.policies(manifests.worker.labels, "Ingress")
        for rule in policy["spec"].get("ingress", [])
    ]
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert rules == [{"from": [monitoring], "ports": [{"protocol": "TCP", "port": 8081}]}]
    assert all(
        manifests.worker not in manifests.targets(each)
        for each in manifests.of("Service")
        if each["metadata"]["name"] == "expenses"
    )


def test_the_gateway_publishes_the_api_and_what_documents_it_and_nothing_else(production: Manifests):
    route, redirect = sorted(production.of("HTTPRoute"), key=lambda each: each["metadata"]["name"])
    (rule,) = route["spec"]["rules"]
    assert {each["path"]["value"] for each in rule["matches"]} == {"/v1", "/docs", "/openapi.json", "/problems"}
    (only,) = redirect["spec"]["rules"]
    assert [each["requestRedirect"]["scheme"] for each in only["filters"]] == ["https"]
    assert "backendRefs" not in only


def test_the_gateway_gives_up_on_a_request_later_than_the_service_does(production: Manifests):
    """Else a client would learn from the Gateway that something failed which the service was about to answer."""
    (rule,) = (rule for route in production.of("HTTPRoute") for rule in route["spec"]["rules"] if "timeouts" in rule)
    defaults = {each.metadata["name"]: each.default for each in fields(Config)}
    statement = float(production.settings.get("EXPENSES_STATEMENT_SECONDS", defaults["EXPENSES_STATEMENT_SECONDS"]))
    wait = float(production.settings.get("EXPENSES_POOL_WAIT_SECONDS", defaults["EXPENSES_POOL_WAIT_SECONDS"]))
    assert int(rule["timeouts"]["request"].removesuffix("s")) >= wait + 4 * statement


def test_a_change_of_settings_is_a_rollout_and_the_old_ones_stay(production: Manifests, tmp_path: Path):
    """The name of the ConfigMap has its hash, so that of another release, with a newer setting, is another one."""
    names = {
        source["configMapRef"]["name"]
        for workload in production.component("api", "worker", "migration")
        for source in workload.containers[0]["envFrom"]
    }
    (name,) = names
    assert re.fullmatch(r"expenses-settings-[a-z0-9]{10}", name)
    # Renders from a copy, in which a setting is added.
    for folder in "k8s", "deploy/kubernetes/production":
        shutil.copytree(ROOT / folder, tmp_path / folder)
    with (tmp_path / "deploy/kubernetes/production/settings.env").open("a") as settings:
        settings.write("EXPENSES_NEWER=true\n")
    newer = Manifests("newer", list(yaml.safe_load_all(render(str(tmp_path / "deploy/kubernetes/production")))))
    assert newer.settings == production.settings | {"EXPENSES_NEWER": "true"}
    assert newer.api.containers[0]["envFrom"][0]["configMapRef"]["name"] != name


def test_production_sets_all_that_the_try_out_sets(try_out: Manifests, production: Manifests):
    assert set(try_out.settings) <= set(production.settings)


def annotations(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("annotations", {})


def test_argo_cd_migrates_after_the_database_and_before_the_api(production: Manifests):
    waves = {
        (each["kind"], each["metadata"]["name"]): int(annotations(each).get("argocd.argoproj.io/sync-wave", "0"))
        for each in production.all
    }
    migration = waves["Job", "expenses-migrate"]
    needed = ("Cluster", "ConfigMap", "Namespace", "NetworkPolicy", "ServiceAccount", "PriorityClass", "ResourceQuota")
    assert {kind for kind, _ in waves} >= set(needed)
    assert all(wave < migration for (kind, _), wave in waves.items() if kind in needed)
    # An autoscaler without its Deployment is unhealthy, and the sync would wait for it.
    after = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")
    assert all(waves[kind, "expenses"] > migration for kind in after)
    assert waves["Deployment", "expenses-worker"] > migration


def test_a_changed_job_breaks_neither_argo_cd_nor_flux(production: Manifests):
    job = production.one("Job")
    assert annotations(job)["argocd.argoproj.io/hook"] == "Sync"
    assert annotations(job)["argocd.argoproj.io/hook-delete-policy"] == "BeforeHookCreation"
    assert annotations(job)["kustomize.toolkit.fluxcd.io/force"] == "enabled"
    # What deletes itself is missing, and would be made again.
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_what_holds_data_is_not_deleted_because_its_manifest_is_missing(manifests: Manifests):
    for each in manifests.of("Cluster", "ObjectStore"):
        assert annotations(each)["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
        assert annotations(each)["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
        assert annotations(manifests.one("Namespace")).items() >= annotations(each).items()


def test_the_images_can_come_from_a_registry_that_asks_who_pulls(production: Manifests):
    for account in some(production.of("ServiceAccount")):
        assert account["imagePullSecrets"] == [{"name": "expenses-registry"}]
    assert "secret docker-registry expenses-registry" in KUBERNETES


def test_cloudnativepg_is_told_of_a_changed_password_at_once():
    """The secret is a person's to make, as the page says."""
    assert "label secret expenses-database-monitor cnpg.io/reload=true" in KUBERNETES


def test_nobody_but_the_service_and_who_watches_may_connect(production: Manifests):
    """As roles.sh does it, and deploy/restore keeps it."""
    assert production.one("Cluster")["spec"]["bootstrap"]["initdb"]["postInitApplicationSQL"] == [
        "revoke all on database expenses from public",
        "grant connect on database expenses to pg_monitor",
    ]


def test_the_database_lets_in_the_api_the_migration_and_the_exporter_and_no_stranger(manifests: Manifests):
    database = manifests.labels_of_pods[-1] if manifests.of("Cluster") else manifests.workloads("StatefulSet")[0].labels
    peers = [
        peer["podSelector"]
        for policy in manifests.policies(database, "Ingress")
        for rule in policy["spec"].get("ingress", [])
        if 5432 in [port["port"] for port in rule["ports"]]
        for peer in rule["from"]
    ]
    for workload in manifests.workloads("Deployment", "Job"):
        assert any(selects(each, workload.labels) for each in peers)
        targets = [
            peer["podSelector"]
            for policy in manifests.policies(workload.labels, "Egress")
            for rule in policy["spec"].get("egress", [])
            for peer in rule["to"]
        ]
        assert any(selects(each, database) for each in targets)
    assert not any(selects(each, {"app.kubernetes.io/component": "stranger"}) for each in some(peers))
