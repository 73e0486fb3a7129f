"""Images and manifests of the option `containers`: linted, rendered, and really built and run without a container engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from baked import Project, bake_into
from ruamel.yaml import YAML
from servers import free_port
from serving import EXAMPLE, fill_registry, write_service
from stagebook.deliver.artefact import build_artefact
from stagebook.deliver.champion import open_champion
from stagebook.deliver.smoke import run_smoke_test, wait_until_ready
from stagebook.deliver.wheel import build_wheel
from stagebook.registry.history import append

IMAGES = ("service", "worker", "pipeline")
BASE = "localhost/stagebook-test-base"
BUILDAH = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


@pytest.fixture(scope="module")
def containers(tmp_path_factory) -> Project:
    return bake_into(tmp_path_factory.mktemp("containers"), deployment="containers")


def containerfile(project: Project, name: str) -> str:
    return project.read(f"environments/images/{name}.Containerfile")


@pytest.mark.parametrize("name", IMAGES)
def test_containerfiles_pass_the_linter_and_hold_what_images_must(containers, name):
    linter = Path(sys.executable).with_name("hadolint")
    file = containers.path / "environments" / "images" / f"{name}.Containerfile"
    done = subprocess.run([linter, "--no-color", file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = containerfile(containers, name)
    assert re.findall(r"^FROM (.*)$", text, re.MULTILINE) == ["${BASE} AS build", "${BASE}"]
    assert re.search(r"^ARG BASE=docker\.io/library/python:3\.\d+-slim-bookworm$", text, re.MULTILINE)
    final = text.split("FROM ${BASE}\n")[1]
    assert re.search(r"^USER 10001$", final, re.MULTILINE) and re.search(r"^HEALTHCHECK ", final, re.MULTILINE)
    assert "--constraint" in text and re.search(r"^# \d\.\d GB", text, re.MULTILINE), "pinned, and its size is stated"


def test_the_service_installs_what_it_imports_and_nothing_is_unpinned(containers):
    names = [line for line in containers.read("environments/images/service.txt").splitlines() if line[:1] != "#"]
    pins = {
        re.match(r"[\w.-]+", line)[0].lower().replace("_", "-").replace(".", "-")
        for line in containers.read("environments/constraints-3.13.txt").splitlines()
        if line and line[0] not in "# "
    }
    wanted = {re.match(r"[\w.-]+", name)[0].replace(".", "-") for name in names}
    assert wanted - pins - {"psycopg"} == set()
    assert names == sorted(names)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_overlays_render_without_a_cluster(containers, environment):
    rendered = containers.run("kubectl", "kustomize", f"kubernetes/overlays/{environment}").stdout
    found = {one["kind"]: one for one in YAML(typ="safe").load_all(rendered)}
    assert set(found) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert {one["metadata"]["namespace"] for one in found.values()} == {environment}
    pod = found["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert container["image"] == "registry.example.com/service:latest"
    assert pod["spec"]["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    assert found["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == {"staging": 1, "production": 2}[environment]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert {found["Service"]["spec"]["ports"][0]["targetPort"], container["readinessProbe"]["httpGet"]["port"]} == set(
        ports
    )
    assert f"EXPOSE {ports['http']}" in containerfile(containers, "service")


def test_a_release_goes_to_the_cluster_by_the_script(containers, tmp_path):
    """buildah and kubectl are stand-ins that write down what they are asked for; kustomize is real, if it is there."""
    tools, said = tmp_path / "bin", tmp_path / "said"
    tools.mkdir()
    real = shutil.which("kubectl") or "false"
    for name, more in (
        ("buildah", ""),
        ("kubectl", f'[ "$1" = kustomize ] && exec {real} "$@"; [ "$1" = apply ] && cat >>{said}; '),
    ):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{said}\n{more}exit 0\n')
        (tools / name).chmod(0o755)
    told = {"DEPLOY_FOLDER": "/artefact", "DEPLOY_DIGEST": "abc123", "DEPLOY_ENVIRONMENT": "staging"}
    path = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    done = containers.run("sh", "kubernetes/put.sh", ok=False, **told, **path)
    assert "set IMAGE to the address of the image" in done.stderr
    containers.run("sh", "kubernetes/put.sh", **told, **path, IMAGE="example.com/delays/service")
    lines = said.read_text()
    assert "buildah push --quiet example.com/delays/service:abc123" in lines
    assert "kubectl rollout status deployment/service --namespace staging" in lines
    if real != "false":
        assert "image: example.com/delays/service:abc123" in lines


# Really built and run. Debian's buildah needs no daemon, and debootstrap makes the base where no registry can be reached.


def buildah(*words: str, check: bool = True) -> str:
    done = subprocess.run(["buildah", *words], env=os.environ | BUILDAH, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    """The name of a base image: Debian with Python."""
    if not (shutil.which("buildah") and shutil.which("debootstrap")):
        pytest.skip("apt-get install buildah debootstrap")
    if not buildah("images", "--quiet", BASE, check=False):
        folder = tmp_path_factory.mktemp("base")
        packages = "--include=python3,python3-venv,ca-certificates"
        mirror = "http://deb.debian.org/debian"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, "bookworm", folder, mirror],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        container = buildah("from", "scratch")
        buildah("copy", "--quiet", container, str(folder), "/")
        buildah("commit", "--quiet", container, BASE)
        buildah("rm", container)
    return BASE


def folders_of_pip() -> set[str]:
    """Return the folders of this machine that its settings of pip name as sources of packages."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = re.findall(r"(?:file://|(?<=['\s]))(/[^'\s\\]+)", said)
    return {str(Path("/", *Path(word).parts[1:3])) for word in words if Path(word).exists()}


def build(name: str, base: str, project: Project, context: Path, *more: str) -> str:
    """Build an image; pip inside sees the machine's settings of pip."""
    volumes = []
    for place in ("/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs", *folders_of_pip()):
        volumes += ["--volume", f"{place}:{place}:ro"] if Path(place).exists() else []
    file = project.path / "environments" / "images" / f"{name}.Containerfile"
    tag = f"localhost/stagebook-test-{name}"
    buildah(
        "bud",
        "--quiet",
        "--format",
        "docker",
        "--build-arg",
        f"BASE={base}",
        *volumes,
        *more,
        "--file",
        str(file),
        "--tag",
        tag,
        str(context),
    )
    return tag


def size_of(tag: str) -> float:
    """Return the size of an image in GB."""
    number, unit = buildah("images", "--format", "{{.Size}}", tag).split()
    return float(number) * {"MB": 0.001, "GB": 1.0}[unit]


def stated(project: Project, name: str) -> float:
    return float(re.search(r"^# (\d\.\d) GB", containerfile(project, name), re.MULTILINE)[1])


@pytest.fixture
def root(containers, tmp_path, monkeypatch) -> Path:
    """A small project with the files of images, whose version 1 is champion."""
    root = write_service(tmp_path / "tiny")
    shutil.copytree(containers.path / "environments", root / "environments")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fill_registry(tmp_path / "registry"))
    append("tiny", "promote", 1, "first", after=0, metrics={"metric": "roc_auc"})
    return root


@pytest.mark.full
def test_the_image_of_an_artefact_serves_it(base, containers, root, tmp_path):
    artefact = build_artefact(root, open_champion(root, "tiny"), tmp_path / "artefacts")
    tag = build("service", base, containers, artefact.folder, "--build-arg", f"ARTEFACT={artefact.digest}")
    assert abs(size_of(tag) - stated(containers, "service")) < 0.4
    config = json.loads(buildah("inspect", "--type", "image", tag))["Docker"]["config"]
    assert config["User"] == "10001"
    health = [word.replace(":8000/", ":{port}/") for word in config["Healthcheck"]["Test"][1:]]
    container, port = buildah("from", tag), free_port()
    run = ["buildah", "run", "--env", "SERVE_API_KEY=k3y", container, "--"]
    out = tmp_path / "out"
    with out.open("wb") as file:
        words = [*run, *config["Cmd"][:-2], f"--port={port}", "--model=model"]
        process = subprocess.Popen(words, env=os.environ | BUILDAH, stdout=file, stderr=file)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, artefact, "k3y", seconds=180, ended=lambda: out.read_text() if process.poll() else "")
        assert run_smoke_test(address, artefact, "k3y")["rows"] == 5
        body, head = json.dumps({"rows": [EXAMPLE]}).encode(), {"Content-Type": "application/json"}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(f"{address}/predict", body, head))
        buildah("run", container, "--", *(word.replace("{port}", str(port)) for word in health))
        assert buildah("run", container, "--", "id", "-u") == "10001"
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            one.terminate()
        process.wait(60)
        buildah("rm", container, check=False)


@pytest.mark.full
def test_the_image_of_a_worker_checks_its_model_and_scores_a_file(base, containers, root, tmp_path):
    build_wheel(root, open_champion(root, "tiny"), root / "dist")
    tag = build("worker", base, containers, root)
    assert abs(size_of(tag) - stated(containers, "worker")) < 0.2
    config = json.loads(buildah("inspect", "--type", "image", tag))["Docker"]["config"]
    assert config["User"] == "10001"
    container = buildah("from", tag)
    try:
        said = buildah("run", container, "--", *config["Entrypoint"])
        assert "tiny version 1: 4 rows of the test vector are answered as by the champion" in said
        (tmp_path / "rows.jsonl").write_text('{"price": 1, "age": 10, "paid": 1, "kind": "old"}\n' * 3)
        buildah("copy", "--chown", "10001", container, str(tmp_path / "rows.jsonl"), "/home/worker/")
        names = [f"/home/worker/{name}.jsonl" for name in ("rows", "answers")]
        buildah("run", container, "--", *config["Entrypoint"], *names)
        assert buildah("run", container, "--", "cat", names[1]).count('"prediction": "late"') == 3
    finally:
        buildah("rm", container, check=False)


@pytest.mark.full
def test_the_image_of_the_pipeline_runs_the_tools_in_a_clone(base, containers, tmp_path):
    tag = build("pipeline", base, containers, containers.path)
    assert abs(size_of(tag) - stated(containers, "pipeline")) < 0.5
    container = buildah("from", tag)
    try:
        assert buildah("run", container, "--", "stagebook", "--version")
        clone = tmp_path / "clone"
        shutil.copytree(containers.path, clone, symlinks=True)
        subprocess.run(["git", "init", "--quiet", clone], check=True)
        subprocess.run(["chown", "--recursive", "10001", clone], check=True)
        mounted = ["--volume", f"{clone}:/project", container, "--"]
        assert "train" in buildah("run", *mounted, "dvc", "stage", "list")
        buildah("run", *mounted, "dvc", "repro", "validate")
        assert (clone / "data" / "raw" / "flights.parquet").is_file() and (
            clone / "reports" / "20_validate.html"
        ).is_file()
        assert buildah("run", container, "--", "id", "-u") == "10001"
    finally:
        buildah("rm", container, check=False)
