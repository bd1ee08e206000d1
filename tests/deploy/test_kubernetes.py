"""Kubernetes' schemas accept the manifests, and they fit the service that they deploy."""

import copy
import re
import shutil
import subprocess
import threading
import tomllib
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from kubernetes_validate import ValidationError, latest_version, validate

from service import app as app_module
from service.app import create_app
from service.settings import Settings

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
PAGE = (ROOT / "docs" / "DEPLOY.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OLDEST = re.search(r"Kubernetes\s+(1\.\d+) or\s+newer", PAGE)[1]
NEWEST = latest_version().removesuffix(".0")

FILES = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.iterdir())}
KUSTOMIZATION = FILES.pop("kustomization.yaml")
KINDS = {manifest["kind"]: manifest for manifest in FILES.values()}

POD = KINDS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
LIMITS = CONTAINER["resources"]["limits"]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
AT_REST = 0.4e9  # bytes of memory of a ready process
KEYS = "FIFTEEN_API_KEYS"


def read(quantity: str) -> float:
    """Return a Kubernetes quantity as a number; it knows the units that the manifests use."""
    number, unit = re.fullmatch(r"(\d+)(|Mi|Gi)", quantity).groups()
    return int(number) * {"": 1, "Mi": 2**20, "Gi": 2**30}[unit]


def variables() -> dict[str, str]:
    """Return the container's environment variables, without the Secret."""
    found = {}
    for variable in CONTAINER["env"]:
        source = variable.get("valueFrom", {})
        if "resourceFieldRef" in source:
            where, resource = source["resourceFieldRef"]["resource"].split(".")
            found[variable["name"]] = CONTAINER["resources"][where][resource]
        elif "secretKeyRef" not in source:
            found[variable["name"]] = variable["value"]
    return found


@pytest.fixture
def settings(monkeypatch):
    """Return the settings of the service in its container."""
    for name, value in variables().items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", FILES)
def test_the_schema_accepts(name, version):
    assert validate(FILES[name], version, strict=True) == version


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec.template.spec.containers.0.readinessProbe"),
        ("Deployment", "spec.template.spec.containers.0.lifecycle.preStop.sleep.seconds"),
        ("Deployment", "spec.template.spec.topologySpreadConstraints.0.maxSkew"),
        ("Service", "spec.ports.0.targetPort"),
        ("HorizontalPodAutoscaler", "spec.behavior.scaleDown.stabilizationWindowSeconds"),
        ("PodDisruptionBudget", "spec.unhealthyPodEvictionPolicy"),
        ("NetworkPolicy", "spec.policyTypes"),
    ],
)
def test_the_schema_refuses_an_unknown_field(kind, path):
    manifest = copy.deepcopy(KINDS[kind])
    *parents, field = path.split(".")
    parent = manifest
    for each in parents:
        parent = parent[int(each) if each.isdigit() else each]
    parent[f"{field}s"] = parent[field]
    with pytest.raises(ValidationError, match=f"'{field}s' was unexpected"):
        validate(manifest, NEWEST, strict=True)


def test_the_schema_accepts_the_output_of_kustomize():
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed: the kustomization was not built")
    command = ["kubectl", "kustomize", FOLDER]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    built = {each["kind"]: each for each in yaml.safe_load_all(output)}
    for manifest in built.values():
        validate(manifest, NEWEST, strict=True)
    (image,) = KUSTOMIZATION["images"]
    expected = copy.deepcopy(KINDS)
    (container,) = expected["Deployment"]["spec"]["template"]["spec"]["containers"]
    container["image"] = f"{image['name']}:{image['newTag']}"
    assert built == expected


def test_the_kustomization_lists_every_file():
    assert sorted(KUSTOMIZATION["resources"]) == sorted(FILES)


def test_the_image_has_the_version_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert CONTAINER["image"] == project["name"]
    assert KUSTOMIZATION["images"] == [{"name": project["name"], "newTag": project["version"]}]


@pytest.mark.parametrize("probe", PROBES)
def test_the_service_answers_each_probe(client, probe):
    assert client.get(CONTAINER[probe]["httpGet"]["path"]).status_code == 200


def test_a_starting_pod_is_not_ready_and_is_not_restarted(monkeypatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(app_module, "warm_up", lambda _: may_go_on.wait(10))
    with TestClient(create_app(Settings())) as client:
        answers = [client.get(CONTAINER[each]["httpGet"]["path"]).status_code for each in PROBES]
        may_go_on.set()
    assert answers == [200, 503, 200]


def test_annotations_name_the_metrics_endpoint(client):
    annotations = POD["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(Settings().port)
    assert "fifteen_requests_in_flight" in client.get(annotations["prometheus.io/path"]).text


def test_every_variable_is_a_setting():
    names = {variable["name"] for variable in CONTAINER["env"]}
    assert names <= {f"FIFTEEN_{name.upper()}" for name in Settings.model_fields}


def test_a_pod_runs_one_process_and_one_analysis_per_processor(settings):
    assert settings.host == "0.0.0.0"
    assert settings.workers == 1
    assert settings.concurrency == read(LIMITS["cpu"])


def test_the_memory_limit_is_large_enough(settings):
    concurrency = Settings.model_fields["concurrency"].description
    recording = float(re.search(r"each may need ([\d.]+) GB", concurrency)[1]) * 1e9
    uploads = settings.max_uploads * settings.max_upload_bytes
    needed = AT_REST + settings.concurrency * recording + uploads
    assert needed <= read(LIMITS["memory"])
    assert CONTAINER["resources"]["requests"] == LIMITS


def test_a_stopping_pod_has_time_for_its_requests(settings):
    pause = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause > 0
    assert POD["spec"]["terminationGracePeriodSeconds"] > pause + settings.shutdown_seconds


def test_the_service_does_not_set_the_port(monkeypatch):
    """For each Service, Kubernetes sets NAME_PORT by default."""
    monkeypatch.setenv(f"{KINDS['Service']['metadata']['name'].upper()}_PORT", "tcp://10.0.0.1:80")
    with pytest.raises(ValueError, match="port"):
        Settings()
    assert POD["spec"]["enableServiceLinks"] is False


def test_every_port_is_the_port_of_the_service(settings):
    (port,) = CONTAINER["ports"]
    assert port["containerPort"] == settings.port
    assert re.search(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE)[1] == str(settings.port)
    (served,) = KINDS["Service"]["spec"]["ports"]
    (ingress,) = KINDS["NetworkPolicy"]["spec"]["ingress"]
    probed = [CONTAINER[probe]["httpGet"]["port"] for probe in PROBES]
    assert {served["targetPort"], ingress["ports"][0]["port"], *probed} == {port["name"]}


def test_the_pod_meets_the_restricted_profile():
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted has it."""
    pod, container = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & POD["spec"].keys()
    assert all(volume.keys() == {"name", "emptyDir"} for volume in POD["spec"]["volumes"])


def test_the_user_and_the_file_system_match_the_container():
    pod, container = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user.groups() == (str(pod["runAsUser"]), str(pod["runAsGroup"]))
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["fifteen"]
    assert container["readOnlyRootFilesystem"] is compose["read_only"] is True
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"]}
    assert list(mounts) == compose["tmpfs"]
    assert list(mounts.values()) == [volume["name"] for volume in POD["spec"]["volumes"]]


def test_all_manifests_select_the_same_pods():
    labels = POD["metadata"]["labels"]
    budget, policy = KINDS["PodDisruptionBudget"]["spec"], KINDS["NetworkPolicy"]["spec"]
    assert KINDS["Service"]["spec"]["selector"] == labels
    selectors = [
        KINDS["Deployment"]["spec"]["selector"],
        budget["selector"],
        policy["podSelector"],
        *(each["labelSelector"] for each in POD["spec"]["topologySpreadConstraints"]),
    ]
    assert all(selector == {"matchLabels": labels} for selector in selectors)
    assert all(manifest["metadata"]["labels"] == labels for manifest in KINDS.values())


def test_the_autoscaler_scales_the_deployment():
    deployment, scaler = KINDS["Deployment"], KINDS["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]
    (metric,) = scaler["metrics"]
    assert metric["resource"]["name"] in CONTAINER["resources"]["requests"]
    assert scaler["minReplicas"] > KINDS["PodDisruptionBudget"]["spec"]["maxUnavailable"]


def test_the_pod_reads_the_documented_secret():
    match = re.search(r"kubectl create secret generic (\S+) --from-literal=(\w+)=", PAGE)
    (variable,) = [each for each in CONTAINER["env"] if each["name"] == KEYS]
    name, key = match.groups()
    assert variable["valueFrom"]["secretKeyRef"] == {"name": name, "key": key, "optional": True}
