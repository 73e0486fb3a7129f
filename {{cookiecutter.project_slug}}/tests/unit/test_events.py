"""OpenLineage events of two steps that run at once must not get into each other's lines."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

from openlineage.client.event_v2 import Job, OutputDataset, Run, RunEvent, RunState

from {{ cookiecutter.package_name }}.pipeline.events import append_event


def test_steps_at_once_append_whole_lines(tmp_path):
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)

    def append(step):
        outputs = [OutputDataset("project", f"data/{'x' * 100}/{number}") for number in range(500)]
        for _ in range(20):
            now = datetime.now(UTC).isoformat()
            run, job = Run(str(uuid4())), Job("project", step)
            append_event(
                RunEvent(eventTime=now, eventType=RunState.COMPLETE, run=run, job=job, outputs=outputs), tmp_path
            )

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(append, ["one", "two", "three"]))
    events = [json.loads(line) for line in (tmp_path / "lineage.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(event["job"]["name"] for event in events) == ["one"] * 20 + ["three"] * 20 + ["two"] * 20
