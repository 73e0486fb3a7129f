"""What the OpenAPI page promises, tried by schemathesis: what it allows is answered, all else is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import serving, write_service

pytestmark = pytest.mark.slow


def test_schemathesis_finds_nothing(tmp_path):
    root = write_service(tmp_path / "tiny")
    words = ["--max-examples=30", "--phases=examples,coverage,fuzzing", "--no-color", "--seed=1"]
    words += ["--exclude-path=/predict/table"]  # Arrow and Parquet: test_faults.py
    with serving(root) as client:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{client.base_url}/openapi.json",
            *words,
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert client.get("/health").status_code == 200
    assert done.returncode == 0, done.stdout[-6000:]
    assert "10 selected" in done.stdout, done.stdout[:1500]
    assert re.search(r"Examples .*\n\n.* 5 passed", done.stdout), "the page's own examples are tried"
    assert "Traceback" not in (root / "serve.out").read_text()
