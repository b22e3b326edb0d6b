"""The Kubernetes objects: valid, locked down, and in agreement with the code and with each other."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from support.manifests import DEPLOY, KUBERNETES, OVERLAYS, containers, kustomized, of_kind, pods, rendered

from workers.commands.worker import worker as worker_command
from workers.health import health_server
from workers.recognise.config import DrainLimits
from workers.recognise.state import WorkerState
from workers.settings import WorkerSettings, load_settings
from workers.topics import TopicNames

yaml = pytest.importorskip("yaml", reason="make setup-deploy")
kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="make setup-deploy")

# The oldest version that is still maintained when this was written, and the newest that has schemas here.
VERSIONS = ("1.34", "1.37")

OURS = "sake-stream"


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> tuple[dict[str, Any], ...]:
    return rendered(request.param)


@pytest.fixture
def with_sasl(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ...]:
    """An overlay as an operator would write it. It lies beside ours: Kustomize takes no absolute paths."""
    folder = tmp_path_factory.mktemp("overlay")
    base = os.path.relpath(KUBERNETES, folder.resolve())
    (folder / "kustomization.yaml").write_text(
        f"resources: [{base}/overlays/gpu]\ncomponents: [{base}/components/sasl]\n"
    )
    return kustomized(folder)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_own_objects_fit_their_schemas(objects: tuple[dict[str, Any], ...], version: str) -> None:
    for each in objects:
        if each["apiVersion"].split("/")[0] not in ("keda.sh", "monitoring.coreos.com"):
            kubernetes_validate.validate(each, version, strict=True)


def test_objects_of_operators_fit_their_types(objects: tuple[dict[str, Any], ...]) -> None:
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1", reason="make setup-deploy")
    prometheus = pytest.importorskip("cloudcoil.models.prometheus_operator.v1", reason="make setup-deploy")
    checked = 0
    for each in objects:
        group = each["apiVersion"].split("/")[0]
        module = {"keda.sh": keda, "monitoring.coreos.com": prometheus}.get(group)
        if module is not None:
            assert_typed(getattr(module, each["kind"]), each)
            checked += 1
    assert checked == 4


def assert_typed(model: Any, value: dict[str, Any]) -> None:
    """The types drop what they do not know: nothing may be missing when it comes out again."""
    again = model.model_validate(value).model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert_within(value, again, value["metadata"]["name"])


def assert_within(wanted: Any, found: Any, where: str) -> None:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            assert key in found, f"{where}.{key} is no field"
            assert_within(value, found[key], f"{where}.{key}")
    elif isinstance(wanted, list):
        assert len(wanted) == len(found), where
        for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
            assert_within(one, other, f"{where}[{place}]")


def test_kafka_with_a_password_reaches_every_worker_and_keda(with_sasl: tuple[dict[str, Any], ...]) -> None:
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1", reason="make setup-deploy")
    told = 0
    for name, container in containers(with_sasl):
        if uses_kafka(container):
            given = {each["name"]: each for each in container["env"]}
            assert given["SAKE_KAFKA_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "kafka-user", (
                name
            )
            told += 1
    assert told >= 2
    scaled = of_kind(with_sasl, "ScaledObject")["recogniser"]
    assert_typed(keda.ScaledObject, scaled)
    (trigger,) = scaled["spec"]["triggers"]
    authentication = of_kind(with_sasl, "TriggerAuthentication")[trigger["authenticationRef"]["name"]]
    assert_typed(keda.TriggerAuthentication, authentication)
    assert trigger["metadata"]["sasl"] == "scram_sha512"
    (settings,) = [
        each for name, each in of_kind(with_sasl, "ConfigMap").items() if name.startswith("sake-settings")
    ]
    assert settings["data"]["SAKE_KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-512"
    assert settings["data"]["SAKE_ENGINE_URL"], "the component adds to the settings, and replaces none"


def uses_kafka(container: dict[str, Any]) -> bool:
    return container["image"].startswith(OURS)


def test_every_setting_is_one(objects: tuple[dict[str, Any], ...], monkeypatch: pytest.MonkeyPatch) -> None:
    (settings,) = [
        each for name, each in of_kind(objects, "ConfigMap").items() if name.startswith("sake-settings")
    ]
    for name, container in containers(objects):
        if uses_kafka(container):
            with monkeypatch.context() as environment:
                for key, value in settings["data"].items():
                    environment.setenv(key, value)
                for variable in container["env"]:
                    environment.setenv(variable["name"], variable.get("value", "some-pod-0"))
                loaded = load_settings()  # raises on what is no setting
                assert loaded.telemetry.prometheus, name


class TestPodsAreLockedDown:
    def test_nobody_is_root_or_can_become_it(self, objects: tuple[dict[str, Any], ...]) -> None:
        for name, pod in pods(objects).items():
            context = pod["spec"]["securityContext"]
            assert context["runAsNonRoot"] is True, name
            assert context["runAsUser"] > 0, name
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert pod["spec"]["automountServiceAccountToken"] is False, name
            assert pod["spec"]["enableServiceLinks"] is False, name
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod["spec"]), name
        for name, container in containers(objects):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name

    def test_memory_has_a_limit_and_everything_a_request(self, objects: tuple[dict[str, Any], ...]) -> None:
        for name, container in containers(objects):
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name

    def test_what_must_be_written_lies_on_a_volume(self, objects: tuple[dict[str, Any], ...]) -> None:
        for name, pod in pods(objects).items():
            volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
            for container in pod["spec"]["containers"]:
                mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
                assert "/tmp" in mounts, name
                for path, mount in mounts.items():
                    assert mount["name"] in volumes, (name, path)
                if uses_kafka(container):
                    assert "/var/lib/sake" in mounts, f"{name}: SAKE_HOME of the image"

    def test_the_namespace_refuses_anything_else(self, objects: tuple[dict[str, Any], ...]) -> None:
        (namespace,) = of_kind(objects, "Namespace").values()
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        outside = ("Namespace",)
        for each in objects:
            assert each["kind"] in outside or each["metadata"]["namespace"] == namespace["metadata"]["name"]


class TestTheyBelongTogether:
    def test_selectors_select(self, objects: tuple[dict[str, Any], ...]) -> None:
        labels = [pod["metadata"]["labels"] for pod in pods(objects).values()]
        for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor"):
            for name, each in of_kind(objects, kind).items():
                selector = each["spec"].get("selector") or each["spec"].get("podSelector") or {}
                wanted = selector if kind == "Service" else selector.get("matchLabels", {})
                assert any(wanted.items() <= there.items() for there in labels), (kind, name)

    def test_ports_that_are_named_are_there(self, objects: tuple[dict[str, Any], ...]) -> None:
        for name, container in containers(objects):
            named = {port["name"] for port in container.get("ports", ())}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if "httpGet" in container.get(probe, {}):
                    assert container[probe]["httpGet"]["port"] in named, (name, probe)
        for name, service in of_kind(objects, "Service").items():
            wanted = service["spec"]["selector"].items()
            ports = {
                port["name"]
                for pod in pods(objects).values()
                if wanted <= pod["metadata"]["labels"].items()
                for container in pod["spec"]["containers"]
                for port in container["ports"]
            }
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name

    def test_what_serves_says_when_it_is_started_ready_and_alive(
        self, objects: tuple[dict[str, Any], ...]
    ) -> None:
        for name in of_kind(objects, "Deployment", "StatefulSet"):
            for container in pods(objects)[name]["spec"]["containers"]:
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name

    def test_budgets_stand_for_all_that_is_scaled(self, objects: tuple[dict[str, Any], ...]) -> None:
        scaled = {
            each["spec"]["scaleTargetRef"]["name"]: each["spec"]["scaleTargetRef"].get("kind", "Deployment")
            for each in of_kind(objects, "ScaledObject").values()
        }
        assert scaled == {"recogniser": "StatefulSet", "engine": "Deployment"}
        for name, kind in scaled.items():
            target = of_kind(objects, kind)[name]
            # KEDA decides how many there are; a number here would be put back at each `kubectl apply`.
            assert "replicas" not in target["spec"]
            budget = of_kind(objects, "PodDisruptionBudget")[name]
            assert budget["spec"]["maxUnavailable"] == 1
            assert budget["spec"]["selector"]["matchLabels"] == target["spec"]["selector"]["matchLabels"]


class TestTheRecogniser:
    def test_a_pods_name_is_its_members_name(self, objects: tuple[dict[str, Any], ...]) -> None:
        (container,) = pods(objects)["recogniser"]["spec"]["containers"]
        given = {each["name"]: each for each in container["env"]}
        assert given["SAKE_WORKER_ID"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        assert container["args"][0] == "worker"
        assert container["args"][1] in worker_command.commands

    def test_there_are_never_more_than_partitions(self, objects: tuple[dict[str, Any], ...]) -> None:
        spec = of_kind(objects, "ScaledObject")["recogniser"]["spec"]
        (settings,) = [
            each for name, each in of_kind(objects, "ConfigMap").items() if name.startswith("sake-settings")
        ]
        assert spec["maxReplicaCount"] == int(settings["data"]["SAKE_TOPICS_PARTITIONS"])
        assert spec["minReplicaCount"] >= 1
        (trigger,) = spec["triggers"]
        assert trigger["type"] == "kafka"
        names = TopicNames.of(settings["data"].get("SAKE_TOPICS_PREFIX", "sake"))
        assert trigger["metadata"]["topic"] == names.posts
        assert trigger["metadata"]["consumerGroup"] == settings["data"]["SAKE_WORKER_GROUP"]
        if names == TopicNames.of():
            assert settings["data"]["SAKE_WORKER_GROUP"] == WorkerSettings().group
        assert trigger["metadata"]["allowIdleConsumers"] == "false"
        assert trigger["metadata"]["bootstrapServersFromEnv"] in settings["data"]

    def test_a_share_of_a_quota_is_that_of_as_many_as_there_can_be(
        self, objects: tuple[dict[str, Any], ...]
    ) -> None:
        most = of_kind(objects, "ScaledObject")["recogniser"]["spec"]["maxReplicaCount"]
        (settings,) = [
            each for name, each in of_kind(objects, "ConfigMap").items() if name.startswith("sake-settings")
        ]
        assert int(settings["data"]["SAKE_SEARCH_SHARED_WORKERS"]) == most
        url = urlsplit(settings["data"]["SAKE_SEARCH_SHARED_URL"])
        services = of_kind(objects, "Service")
        assert (url.hostname in services) == ("valkey" in services)
        if url.hostname:
            assert url.port == services[url.hostname]["spec"]["ports"][0]["port"]

    def test_it_may_drain_before_it_is_killed(self, objects: tuple[dict[str, Any], ...]) -> None:
        spec = pods(objects)["recogniser"]["spec"]
        (container,) = spec["containers"]
        drain = DrainLimits()
        hook = container["lifecycle"]["preStop"]["exec"]["command"]
        assert hook[:2] == ["sh", "-c"]
        stop, wait = hook[2].split(" && ")
        assert stop == "kill -TERM 1"
        waits_s = float(wait.removeprefix("sleep "))
        assert waits_s >= drain.drain_s + drain.revoke_s
        assert spec["terminationGracePeriodSeconds"] >= waits_s + drain.revoke_s

    async def test_its_probes_ask_what_the_worker_answers(self, objects: tuple[dict[str, Any], ...]) -> None:
        (container,) = pods(objects)["recogniser"]["spec"]["containers"]
        (port,) = container["ports"]
        assert (port["name"], port["containerPort"]) == ("health", port_of_the_image())
        state = WorkerState()  # starting
        answers = {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}
        async with health_server(state, host="127.0.0.1", port=0) as bound, aiohttp.ClientSession() as http:
            for probe, status in answers.items():
                path = container[probe]["httpGet"]["path"]
                async with http.get(f"http://127.0.0.1:{bound}{path}") as answer:
                    assert answer.status == status, probe


def port_of_the_image() -> int:
    text = (DEPLOY / "images" / "stream.Dockerfile").read_text()
    return int(re.findall(r"SAKE_HEALTH_LISTEN_PORT=(\d+)", text)[0])
