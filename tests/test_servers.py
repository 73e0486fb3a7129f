"""A tracking server instead of the embedded store: the same commands, by environment variable and by the option."""

import os
import shutil
import signal
import urllib.request

import pytest
from baked import NOTHING_TO_DO, boosting, wait_for
from model_registry import JUDGE, aliases, check_life, check_served_rows
from servers import free_port

pytestmark = pytest.mark.full
NAME = "flight-delays"


def test_the_life_of_a_model_on_a_server(own_copy, tmp_path):
    """As test_second_model does it with the embedded store."""
    port = free_port()
    server = own_copy.start(
        *("mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=2"),
        *(f"--backend-store-uri=sqlite:///{tmp_path}/server.db", f"--artifacts-destination={tmp_path}/artifacts"),
    )
    uri = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    try:
        wait_for(lambda: urllib.request.urlopen(f"{uri['MLFLOW_TRACKING_URI']}/health", timeout=1).status == 200)
        own_copy.run(*JUDGE, **uri)
        before = aliases(own_copy, NAME, **uri)["champion"]
        check_served_rows(own_copy, NAME, **uri)
        own_copy.edit("params.yaml", boosting(6))
        own_copy.run("make", "pipeline", **uri)
        check_life(own_copy, NAME, before, aliases(own_copy, NAME, **uri)["challenger"], **uri)
    finally:
        os.killpg(server.pid, signal.SIGTERM)


@pytest.mark.parametrize("chosen", ["variable", "option"])
def test_server_by_environment_variable_or_by_the_option(own_copy, bake, tmp_path, chosen):
    project = own_copy
    port = free_port()
    address, store = f"http://127.0.0.1:{port}", f"sqlite:///{tmp_path}/server.db"
    uri = {"MLFLOW_TRACKING_URI": address} if chosen == "variable" else {}
    if chosen == "option":
        for file in ("environments/server.mk", "environments/tracking.toml"):
            shutil.copy(bake(tracking="server", project_slug=f"served-{file[-2:]}").path / file, project.path / file)
        project.edit("environments/tracking.toml", {"http://127.0.0.1:5000": address})
        command = ["make", "server", f"PORT={port}", f"STORE={store}", f"ARTIFACTS={tmp_path}/artifacts"]
    else:
        command = ["mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
        command += [f"--backend-store-uri={store}", f"--artifacts-destination={tmp_path}/artifacts"]
    server = project.start(*command)
    try:
        wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=1).status == 200)
        project.run("dvc", "repro", "--force", "--single-item", "register", **uri)
        found = project.run("stagebook", "find-run", "reports/registration.json", **uri)
        assert "register FINISHED" in found.stdout
        assert list((tmp_path / "artifacts").rglob("70_register.html"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
    quick = uri | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    said = project.run("dvc", "repro", "--force", "--single-item", "register", ok=False, **quick).stderr
    assert f"ERROR: MLflow at {address} cannot be used" in said
    assert "Traceback" not in said
    assert project.run("dvc", "status", "register").stdout.strip() == NOTHING_TO_DO
    if chosen == "option":
        assert address in project.run("make", "ui", ok=False).stderr
