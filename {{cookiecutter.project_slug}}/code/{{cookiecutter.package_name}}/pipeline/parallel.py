"""Run steps that do not depend on each other at once: several `dvc repro`, and a last one that judges the whole."""

import os
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

import networkx
import psutil
from dvc.repo import Repo

from .callers import process_name
from .project import StepError

__all__ = ["find_chains", "reproduce"]


def reproduce(root: Path, jobs: int) -> None:
    """Bring all stages of dvc.yaml up to date, up to `jobs` at once. DVC's locks keep them apart."""
    if jobs < 1:
        raise StepError(f"{jobs} jobs cannot do anything; 1 or more can.")
    with Repo(str(root)) as repo:
        stages = networkx.relabel_nodes(repo.index.graph, lambda stage: stage.addressing)
    # The steps of all these `dvc repro` belong to one run in MLflow.
    environment = os.environ | {"PIPELINE_EXECUTION": process_name(psutil.Process())}

    def repro(*words: str) -> bool:
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *words]
        return subprocess.run(command, cwd=root, env=environment, check=False).returncode == 0

    order = TopologicalSorter(find_chains(stages))
    order.prepare()
    running: dict[Future, tuple[str, ...]] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while order.is_active():
            running |= {pool.submit(repro, "--single-item", *chain): chain for chain in order.get_ready()}
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                chain = running.pop(future)
                if not future.result():
                    pool.shutdown(cancel_futures=True)
                    raise StepError(f"{' -> '.join(chain)} failed, see above. What does not depend on it may have run.")
                order.done(chain)
    if not repro():
        raise StepError("`dvc repro` failed, see above.")


def find_chains(stages: networkx.DiGraph) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Join stages that can only run one after the other.

    Parameters
    ----------
    stages : networkx.DiGraph
        An edge leads from a stage to one that it depends on.

    Returns
    -------
    dict
        Each chain of stages, in the order in which they run, with the chains that it waits for.
    """
    direct = networkx.transitive_reduction(stages)
    chain_of: dict[str, list[str]] = {}
    for stage in reversed(list(networkx.topological_sort(direct))):
        before = list(direct.successors(stage))
        alone = len(before) == 1 and direct.in_degree(before[0]) == 1
        chain_of[stage] = chain_of[before[0]] if alone else []
        chain_of[stage].append(stage)
    return {
        tuple(chain): {tuple(chain_of[before]) for before in direct.successors(chain[0])} for chain in chain_of.values()
    }
