"""The schemas of Ray Serve and Kubernetes accept the Ray manifests, which fit the service."""

import copy
import math
import re
import tomllib

import pytest
import yaml
from kubernetes_validate import ValidationError, latest_version, validate
from ray.serve.schema import ServeDeploySchema

from service.cluster import ingress, proxy
from service.cluster.scorer import MAX_WINDOWS
from service.settings import Settings
from tools.server import ROOT

FOLDER = ROOT / "deploy" / "ray"
CONFIG = yaml.safe_load((FOLDER / "serve.yaml").read_text())
MANIFEST = yaml.safe_load((FOLDER / "rayservice.yaml").read_text())
CLUSTER = MANIFEST["spec"]["rayClusterConfig"]
(WORKERS,) = CLUSTER["workerGroupSpecs"]
PODS = {"head": CLUSTER["headGroupSpec"]["template"], "workers": WORKERS["template"]}
NEWEST = latest_version().removesuffix(".0")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

(APPLICATION,) = CONFIG["applications"]
INGRESS, SCORER = APPLICATION["deployments"]
VARIABLES = APPLICATION["runtime_env"]["env_vars"]


def pod_of(template):
    """Return a pod that Kubernetes' schema accepts."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "fifteen"}} | template


@pytest.fixture
def settings(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_serve_accepts_its_configuration():
    assert ServeDeploySchema.model_validate(CONFIG).applications[0].name == "fifteen"


def test_the_manifest_has_the_same_configuration():
    assert yaml.safe_load(MANIFEST["spec"]["serveConfigV2"]) == CONFIG


@pytest.mark.parametrize("name", PODS)
def test_kubernetes_accepts_the_pods(name):
    validate(pod_of(PODS[name]), NEWEST, strict=True)


@pytest.mark.parametrize("name", PODS)
def test_kubernetes_refuses_an_unknown_field(name):
    pod = copy.deepcopy(pod_of(PODS[name]))
    pod["spec"]["containers"][0]["readinessProbes"] = {}
    with pytest.raises(ValidationError, match="'readinessProbes' was unexpected"):
        validate(pod, NEWEST, strict=True)


def test_the_image_and_the_import_paths_exist():
    assert (MANIFEST["apiVersion"], MANIFEST["kind"]) == ("ray.io/v1", "RayService")
    module, _, name = APPLICATION["import_path"].partition(":")
    assert (module, name) == (ingress.__name__, ingress.build.__name__)
    for pod in PODS.values():
        (container,) = pod["spec"]["containers"]
        assert container["image"] == f"{PROJECT['name']}:{PROJECT['version']}-ray"
        values = {each["name"]: each.get("value") for each in container["env"]}
        module, _, name = values["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"].partition(":")
        assert (module, name) == (proxy.__name__, proxy.middlewares.__name__)


def test_the_version_of_ray_is_the_tested_one():
    constraints = (ROOT / "constraints.txt").read_text()
    assert CLUSTER["rayVersion"] == re.search(r"^ray==(.*)$", constraints, re.MULTILINE)[1]


def test_every_variable_is_a_setting():
    names = {f"FIFTEEN_{name.upper()}" for name in Settings.model_fields}
    assert VARIABLES.keys() <= names


def test_the_application_refuses_before_the_engine_does(settings):
    assert INGRESS["max_ongoing_requests"] > settings.max_uploads
    assert INGRESS["max_ongoing_requests"] > settings.concurrency + settings.queue_length
    assert all(each["max_queued_requests"] > 0 for each in (INGRESS, SCORER))
    assert all(each["backpressure_config"]["retry_after_s"] >= 1 for each in (INGRESS, SCORER))


def test_a_batch_can_be_full():
    assert SCORER["max_ongoing_requests"] >= MAX_WINDOWS


def test_every_deployment_has_at_least_two_replicas():
    for each in (INGRESS, SCORER):
        assert each["autoscaling_config"]["min_replicas"] >= 2
    assert WORKERS["minReplicas"] >= 2


def test_the_nodes_have_room_for_every_replica():
    replicas = sum(
        each["autoscaling_config"]["max_replicas"] * each["ray_actor_options"]["num_cpus"]
        for each in (INGRESS, SCORER)
    )
    (container,) = PODS["workers"]["spec"]["containers"]
    assert WORKERS["maxReplicas"] == math.ceil(
        replicas / int(container["resources"]["limits"]["cpu"])
    )


@pytest.mark.parametrize("name", PODS)
def test_the_pods_meet_the_restricted_profile(name):
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    pod = spec["securityContext"]
    assert user.groups() == (str(pod["runAsUser"]), str(pod["runAsGroup"]))
    assert pod["runAsNonRoot"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["enableServiceLinks"] is False


def test_the_port_is_the_port_of_the_proxy():
    (container,) = PODS["workers"]["spec"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == CONFIG["http_options"]["port"]
    assert container["readinessProbe"]["httpGet"]["port"] == port["name"]
