"""Who asked for a step: the process that did, and those above it up to DVC."""

import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Caller", "are_running", "end_with", "has_ended", "has_lost_dvc", "process_name", "processes_above"]


@dataclass(frozen=True)
class Caller:
    """The process that asked for a step, and when by `time.monotonic`, which all processes of a machine share."""

    pid: int
    began: float


def processes_above(pid: int) -> list[psutil.Process]:
    """Return the process and those above it up to the nearest that is DVC; only the process if none is."""
    above = [psutil.Process(pid)]
    for process in above[0].parents():
        above.append(process)
        with suppress(psutil.Error):
            if any(Path(word).name == "dvc" or word.endswith("dvc/__main__.py") for word in process.cmdline()[:3]):
                return above
    return above[:1]


def has_lost_dvc(pid: int) -> bool:
    """Return True if DVC has started the process, as its variables say, and is gone: nobody wants its result."""
    return "DVC_STAGE" in os.environ and len(processes_above(pid)) == 1


def are_running(processes: list[psutil.Process]) -> bool:
    """Say whether none of the processes has ended, been killed, or had its number given to another."""
    with suppress(psutil.NoSuchProcess):
        return all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
    return False


def end_with(pid: int) -> None:
    """End this process within a second or so when the DVC above `pid` ends: nobody waits for the step any more."""

    def watch() -> None:
        above = processes_above(pid)
        while are_running(above):
            time.sleep(1)
        os._exit(137)

    threading.Thread(target=watch, daemon=True).start()


def process_name(process: psutil.Process) -> str:
    """Name a process for good: numbers are used again, on other machines and later on."""
    return f"{platform.node()}:{process.pid}:{process.create_time():.0f}"


def has_ended(name: str) -> bool:
    """Say whether the process of this name is gone; False for one on another machine."""
    node, _, rest = name.partition(":")
    if node != platform.node():
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(rest.partition(":")[0]))
        return process_name(process) != name or not are_running([process])
    return True
