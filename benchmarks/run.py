"""Measure what the template promises, against stock tools, in one run; write results.md. `make benchmark` runs it."""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from serving import HEADING, measure_serving

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parent
BUILD = TEMPLATE / "build" / "benchmark"
PROJECT = BUILD / "flight-delays"
BIN = PROJECT / ".venv" / "bin"
CCDS = "https://github.com/drivendataorg/cookiecutter-data-science"
# A sample on which the cells do little: one month of flights, few trees.
LITTLE = {
    "months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]": "months: [1]",
    '"2013-09-01"': '"2013-01-15"',
    '"2013-11-01"': '"2013-01-22"',
    "max_iter: 300": "max_iter: 10",
}
TEN_TIMES = """
import pandas as pd
path = "data/raw/flights.parquet"
frame = pd.read_parquet(path)
frame = pd.concat([frame] * 10, ignore_index=True)
frame["flight"] = frame.groupby(["time_hour", "carrier", "origin"]).cumcount() + 1  # a key must stay one
frame.to_parquet(path, index=False)
"""


def main() -> None:
    """Prepare, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ccds", default=CCDS, help="where the template of cookiecutter-data-science is")
    parser.add_argument(
        "--only", nargs="+", default=[], help="names of measures, as in `nothing to do`; all if not given"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    options = parser.parse_args()
    measures = {
        "full data": lambda: pipelines(options.rounds, "full data", {}),
        "little": lambda: pipelines(options.rounds, "sample on which the cells do little", LITTLE),
        "nothing to do": lambda: [nothing_to_do(options.rounds)],
        "one parameter": lambda: [one_parameter(options.rounds)],
        "two clones": lambda: [two_clones()],
        "bake": lambda: bake(options.rounds, options.ccds),
        "size": lambda: [size()],
        "command line": lambda: [command_line(options.rounds)],
        "fast tests": lambda: [fast_tests()],
        "ten times": lambda: ten_times(options.rounds),
        "serving": lambda: serving(options.rounds),
    }
    if unknown := set(options.only) - measures.keys():
        parser.error(f"there is no measure {min(unknown)!r}, but {', '.join(measures)}")
    names = [name for name in measures if name in options.only or not options.only]
    found = BUILD / "rows.json"
    if not options.resume:
        prepare()
        found.write_text("{}", encoding="utf-8")
    rows = json.loads(found.read_text(encoding="utf-8"))
    for name in names:
        if name not in rows:
            rows[name] = measures[name]()
            found.write_text(json.dumps(rows), encoding="utf-8")
    left = [name for name in measures if name not in names]
    write([row for name in names for row in rows[name]], options.rounds, options.resume, left)


def run(*words: str, cwd: Path = PROJECT, check: bool = True) -> str:
    """Run a command with the project's tools first on PATH; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if check and result.returncode:
        sys.exit(f"{' '.join(words)} in {cwd} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def interleaved(rounds: int, tasks: dict[str, Callable[[], object]], before: Callable[[str], None] = lambda _: None):
    """Run each task once per round, in turn; return the seconds and what the tasks returned, by task."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    returned: dict[str, list] = {name: [] for name in tasks}
    for number in range(1, rounds + 1):
        for name, task in tasks.items():
            before(name)
            started = time.perf_counter()
            returned[name].append(task())
            seconds[name].append(time.perf_counter() - started)
            print(f"  round {number} {name}: {seconds[name][-1]:.2f} s", flush=True)
    return seconds, returned


def row(measure: str, goal: str, found: float | str, *figures: tuple[str, list[float]]) -> dict:
    """Return a row of the table. The goal is `>= 4`, `<= 1.3`, the word to find, or `report`; figures are seconds."""
    reached = None
    if isinstance(found, str):
        reached, result = found == goal, found
    else:
        result = f"{found:.2f}"
        if goal != "report":
            sign, limit = goal.split()
            reached = found >= float(limit) if sign == ">=" else found <= float(limit)
    detail = "; ".join(
        f"{name} {statistics.median(all_):.2f} s ({min(all_):.2f}-{max(all_):.2f})" for name, all_ in figures
    )
    print(f"{measure}: {result} (goal {goal}) {detail}", flush=True)
    return {"measure": measure, "goal": goal, "result": result, "reached": reached, "detail": detail}


def compare(measure: str, goal: str, seconds: dict[str, list[float]], above: str, below: str) -> dict:
    """Return a row for the ratio of two tasks' medians."""
    found = statistics.median(seconds[above]) / statistics.median(seconds[below])
    return row(measure, goal, found, (above, seconds[above]), (below, seconds[below]))


def prepare() -> None:
    """Bake and install the default project, and copies of it whose stages are stock papermill commands."""
    print("Preparing", flush=True)
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    run(sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input", "--output-dir", str(BUILD), cwd=BUILD)
    run("make", "setup")
    commit(PROJECT)
    for kind in ("stock", "stock with pages"):
        stock = clone(kind)
        yaml = YAML()
        pipeline = yaml.load(stock / "dvc.yaml")
        for name, stage in pipeline["stages"].items():
            notebook = Path(stage["cmd"].split()[-1])
            report = f"reports/{notebook.name}"
            stage["cmd"] = f"papermill {notebook} {report} -k python3 --cwd notebooks -f build/{name}.yaml"
            if kind == "stock":
                page = f"reports/{notebook.stem}.html"
                stage["outs"] = [out for out in stage["outs"] if page != out and page not in out]
            else:
                stage["cmd"] += f" && jupyter nbconvert --to html {report}"
        yaml.dump(pipeline, stock / "dvc.yaml")
        commit(stock)


def commit(project: Path) -> None:
    run("git", "add", "--all", cwd=project)
    who = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
    run("git", *who, "commit", "--quiet", "--no-verify", "--message", "benchmark", cwd=project)


def clone(name: str) -> Path:
    """Clone the project into a folder beside it, with the same environment."""
    path = BUILD / name / "flight-delays"
    run("git", "clone", "--quiet", str(PROJECT), str(path))
    (path / ".venv").symlink_to(PROJECT / ".venv")
    return path


def set_parameters(project: Path, changes: dict[str, str]) -> None:
    """Start from the committed params.yaml, change text in it, and write each section for papermill's -f."""
    run("git", "checkout", "--quiet", "params.yaml", cwd=project)
    file = project / "params.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    (project / "build").mkdir(exist_ok=True)
    sections = YAML(typ="safe").load(text)
    for name in YAML(typ="safe").load(project / "dvc.yaml")["stages"]:
        (project / "build" / f"{name}.yaml").write_text(json.dumps(sections.get(name) or {}), encoding="utf-8")


def forget(project: Path) -> None:
    """Leave nothing of an earlier run, and no warm process."""
    run("stagebook", "stop", cwd=project)
    kept = ("--exclude=.venv", "--exclude=build", "--exclude=*.egg-info")
    run("git", "clean", "--quiet", "--force", "-d", "-x", *kept, cwd=project)
    run("git", "checkout", "--quiet", "dvc.lock", cwd=project, check=False)
    run("nbdev-export", cwd=project)


def pipelines(rounds: int, data: str, changes: dict[str, str]) -> list[dict]:
    """The whole pipeline from nothing: with the template, with stock tools, and as one process."""
    print(f"Pipelines, {data}", flush=True)
    stock, paged = (BUILD / name / "flight-delays" for name in ("stock", "stock with pages"))
    for project in (PROJECT, stock, paged):
        set_parameters(project, changes)
    places = {"one process": PROJECT, "ours": PROJECT, "ours, warm": PROJECT, "stock": stock, "stock with pages": paged}
    tasks = {
        "one process": lambda: run("python", str(HERE / "one_process.py"), cwd=PROJECT / "notebooks"),
        "ours": lambda: run("dvc", "repro"),
        "ours, warm": lambda: run("dvc", "repro", "--force", "--no-run-cache"),
        "stock": lambda: run("dvc", "repro", cwd=stock),
        "stock with pages": lambda: run("dvc", "repro", cwd=paged),
    }
    if not changes:
        del tasks["stock with pages"]
    seconds, printed = interleaved(rounds, tasks, before=lambda name: name == "ours, warm" or forget(places[name]))
    to_limit, cold, warm = ("report", ">= 3", ">= 4") if changes else ("<= 1.2", "report", "report")
    pages = "the same, and the stock commands write the pages too (`jupyter nbconvert`)"
    wanted = [
        ("cold pipeline", " / same cells in one Python process", to_limit, "ours", "one process"),
        ("stock DVC + papermill command lines / ours", "", cold, "stock", "ours"),
        ("the same, and the warm process is there already", "", warm, "stock", "ours, warm"),
        (pages, "", "report", "stock with pages", "ours, warm"),
    ]
    rows = [
        compare(f"{measure}, {data}{rest}", goal, seconds, above, below)
        for measure, rest, goal, above, below in wanted
        if above in seconds
    ]
    return [*rows, overhead(data, printed["ours, warm"])] if changes else rows


def overhead(data: str, printed: list[str]) -> dict:
    """What a step costs beside its cells, by what the runner prints: the median step."""
    found = re.findall(r"done in ([\d.]+) s, its cells ([\d.]+) s", "".join(printed))
    seconds = [float(wall) - float(cells) for wall, cells in found]
    measure = f"a step's own overhead in seconds, the warm process is there already, {data}"
    return row(measure, "<= 0.5", statistics.median(seconds), ("steps", seconds))


def nothing_to_do(rounds: int) -> dict:
    """A pipeline that is up to date."""
    set_parameters(PROJECT, {})
    run("dvc", "repro")
    seconds, _ = interleaved(rounds * 2, {"repro": lambda: run("dvc", "repro"), "status": lambda: run("dvc", "status")})
    return compare("second `dvc repro` / `dvc status`", "<= 1.5", seconds, "repro", "status")


def one_parameter(rounds: int) -> dict:
    """Change one hyperparameter, which runs the steps from train on again."""
    values = iter(range(301, 301 + rounds))
    seconds, printed = interleaved(
        rounds,
        {"wall": lambda: run("dvc", "repro")},
        before=lambda _: set_parameters(PROJECT, {"max_iter: 300": f"max_iter: {next(values)}"}),
    )
    cells = [sum(map(float, re.findall(r"its cells ([\d.]+) s", text))) for text in printed["wall"]]
    found = statistics.median(wall / own for wall, own in zip(seconds["wall"], cells, strict=True))
    measure = "one hyperparameter changed: wall / own cell time of the changed steps"
    return row(measure, "<= 1.5", found, ("wall", seconds["wall"]), ("cells", cells))


def two_clones() -> dict:
    """Forced runs in two clones in two folders."""
    locks = []
    for name in ("first clone", "second clone, elsewhere"):
        project = clone(name)
        run("nbdev-export", cwd=project)
        run("dvc", "repro", "--force", cwd=project)
        run("dvc", "repro", "--force", "--no-run-cache", cwd=project)
        locks.append((project / "dvc.lock").read_bytes())
        run("stagebook", "stop", cwd=project)
    same = "yes" if locks[0] == locks[1] else "no"
    return row("forced runs in two clones in two folders: dvc.lock byte-identical", "yes", same)


def bake(rounds: int, ccds: str) -> list[dict]:
    """Bake the default project, against cookiecutter-data-science's own command."""
    measure, goal = "bake / `ccds` bake", "<= 1.0"
    other = BUILD / "ccds"
    run(sys.executable, "-m", "venv", str(other))
    packages = ("cookiecutter-data-science", "cookiecutter")
    run(str(other / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages)
    if not Path(ccds).is_dir():
        local = BUILD / "ccds-template"
        run("git", "clone", "--quiet", ccds, str(local), check=False)
        ccds = str(local)
    if not Path(ccds, "ccds.json").is_file():
        return [row(measure, goal, "not run: its template was not reached") | {"reached": None}]
    arguments = ("--no-input", "--output-dir", str(BUILD / "baked"))
    # Both commands run in the same environment.
    tasks = {
        "ours": lambda: run(str(other / "bin" / "cookiecutter"), str(TEMPLATE), *arguments),
        "ccds": lambda: run(str(other / "bin" / "ccds"), ccds, *arguments),
    }
    seconds, _ = interleaved(rounds * 2, tasks, before=lambda _: shutil.rmtree(BUILD / "baked", ignore_errors=True))
    return [compare(measure, goal, seconds, "ours", "ccds")]


def size() -> dict:
    """What git has of a generated project, without and with the library."""
    files = [Path(name) for name in run("git", "ls-files", "-z").split("\0") if name]
    own = [name for name in files if name.parts[0] != "vendor"]
    kilobytes = {
        kind: sum((PROJECT / name).stat().st_size for name in names) / 1000
        for kind, names in (("own", own), ("all", files))
    }
    detail = f"{kilobytes['own']:,.0f} kB; with vendor/ {len(files)} files, {kilobytes['all']:,.0f} kB"
    return row("files of a generated project, without vendor/", "<= 90", float(len(own))) | {"detail": detail}


def command_line(rounds: int) -> dict:
    """The help of the command line, which imports nothing heavy."""
    seconds, _ = interleaved(rounds * 2, {"help": lambda: run("stagebook", "--help")})
    return row("`stagebook --help` in seconds", "<= 0.3", statistics.median(seconds["help"]), ("help", seconds["help"]))


def fast_tests() -> dict:
    """The tests that need no pipeline, once; the environment is there."""
    run("make", "setup", cwd=TEMPLATE)
    seconds, _ = interleaved(1, {"wall": lambda: run("make", "test-fast", cwd=TEMPLATE)})
    return row("`make test-fast` in seconds", "<= 120", seconds["wall"][0], ("wall", seconds["wall"]))


def ten_times(rounds: int) -> list[dict]:
    """All steps after ingest on the flights of 2013, and on ten times as many rows."""
    print("Ten times the rows", flush=True)
    set_parameters(PROJECT, {})
    run("dvc", "repro")
    shutil.rmtree(BUILD / "ten times", ignore_errors=True)
    ten = clone("ten times")
    run("nbdev-export", cwd=ten)
    for folder in ("data", "models", "reports"):
        shutil.copytree(PROJECT / folder, ten / folder, dirs_exist_ok=True)
    shutil.copy(PROJECT / "dvc.lock", ten)
    run("python", "-c", TEN_TIMES, cwd=ten)
    notebooks = sorted(path.relative_to(ten) for path in ten.glob("notebooks/*.ipynb"))[1:]

    def steps(project: Path) -> str:
        return "".join(run("stagebook", "run", str(name), cwd=project) for name in notebooks)

    tasks = {"x1": lambda: steps(PROJECT), "x10": lambda: steps(ten)}
    for project in (PROJECT, ten):  # both find a warm process
        run("stagebook", "run", str(notebooks[-1]), cwd=project)
    seconds, printed = interleaved(rounds, tasks)
    peaks = {name: [max(map(float, re.findall(r"([\d]+) MB", text))) for text in printed[name]] for name in tasks}
    megabytes = ", ".join(f"{name} {statistics.median(all_):.0f} MB" for name, all_ in peaks.items())
    return [
        compare("rows x10: wall", "<= 10", seconds, "x10", "x1"),
        compare("rows x10: peak memory of the largest step", "<= 6", peaks, "x10", "x1") | {"detail": megabytes},
    ]


def serving(rounds: int) -> list[dict]:
    """Requests to the model that the pipeline registers. They have a section of their own."""
    set_parameters(PROJECT, {})
    run("dvc", "repro")
    measure_serving(PROJECT, rounds, BUILD / "serving")
    return []


def write(rows: list[dict], rounds: int, resumed: bool, left: list[str]) -> None:
    """Write the table, with the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ("cookiecutter", "dvc", "ipykernel", "mlflow", "pandas", "papermill", "scikit-learn")
    versions = dict(
        line.split("==")
        for line in run("uv", "pip", "freeze", "--python", str(BIN / "python")).splitlines()
        if "==" in line
    )
    signs = {True: "reached", False: "**missed**", None: ""}
    lines = [
        "# Benchmark",
        "",
        f"Written by `make benchmark`: one run, the variants in turn, medians of {rounds} rounds or more, range in brackets.",
        "The machine is shared and noisy: read the ratios, not the seconds."
        + " The run was interrupted and resumed." * resumed
        + f" Not run: {', '.join(left)}." * bool(left),
        "",
        "| measure | goal | result | | medians |",
        "|---|---|---|---|---|",
        *(f"| {r['measure']} | {r['goal']} | {r['result']} | {signs[r['reached']]} | {r['detail']} |" for r in rows),
        "",
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}. "
        + ", ".join(f"{name} {versions[name]}" for name in packages if name in versions)
        + ".",
        "",
    ]
    file = HERE / "results.md"
    _, heading, section = file.read_text(encoding="utf-8").partition(HEADING)
    file.write_text("\n".join(lines) + "\n" * bool(heading) + heading + section, encoding="utf-8")


if __name__ == "__main__":
    main()
