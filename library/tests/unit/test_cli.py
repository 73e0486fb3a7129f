"""The command line: each command is listed once with one line of help, and starts without the heavy libraries."""

import inspect
import re
import subprocess
import sys

import pytest
from samples import write_project
from stagebook import __version__
from stagebook.cli import main as cli
from stagebook.cli.command import COMMANDS, GROUPS

HEAVY = ("pandas", "numpy", "sklearn", "mlflow", "dvc", "papermill", "nbformat", "matplotlib", "ruamel", "jinja2")
EXPECTED = (
    "run summary compare find-run ui stop gate models promote rollback register champion catalog features look-up sample report "
    "comment retrain propose pull push labels check fix setup step site update constraints wheel deploy environments"
)


def run(*words):
    """Run `stagebook` in a process of its own, which at its end prints the heavy libraries that it imported."""
    code = f"""
import atexit, sys
from stagebook.cli.main import main
atexit.register(lambda: print("imported:", *sorted(set({HEAVY!r}) & set(sys.modules))))
sys.exit(main({list(words)!r}))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_commands_are_those_of_the_manual():
    assert set(EXPECTED.split()) <= COMMANDS.keys()
    assert {each.group for each in COMMANDS.values()} == set(GROUPS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_one_line_of_help(name):
    line = COMMANDS[name].help
    assert 10 < len(line) < 110 and line[0].isupper() and not line.endswith(".")


def test_help_lists_each_command_once_and_imports_nothing_heavy():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in COMMANDS:
        assert len(re.findall(rf"^  {name} ", done.stdout, re.MULTILINE)) == 1, name
    for group in GROUPS:
        assert done.stdout.count(f"\n{group}\n") == 1
    assert done.stdout.endswith("imported:\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_describes_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: stagebook {name}")
    assert COMMANDS[name].help in " ".join(said.split())
    for names, options in COMMANDS[name].arguments:
        assert (options.get("metavar") or names[0]) in said


def test_commands_take_the_arguments_that_they_declare():
    for name, each in COMMANDS.items():
        declared = {options.get("dest", names[-1].lstrip("-").replace("-", "_")) for names, options in each.arguments}
        assert set(inspect.signature(each.function).parameters) == declared, name


def test_without_a_warm_process_a_kernel_runs_the_step(tmp_path, monkeypatch, capsys):
    from stagebook.step import run as runner
    from stagebook.step.warm import client

    def none_to_be_had(*_):
        raise client.WarmProcessError("it needs Linux")

    asked = []
    monkeypatch.chdir(write_project(tmp_path))
    monkeypatch.setattr(client, "run_in_warm_process", none_to_be_had)
    monkeypatch.setattr(runner, "run_step", lambda notebook, caller: asked.append(notebook.name))
    monkeypatch.setattr("stagebook.track.processes.end_with", lambda pid: None)
    assert cli.main(["run", "notebooks/10_a.ipynb"]) == 0
    assert asked == ["10_a.ipynb"]
    assert capsys.readouterr().err == "No warm process, the step starts a kernel: it needs Linux\n"


def test_version_and_no_command(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"
    assert cli.main([]) == 2
    assert "usage: stagebook COMMAND" in capsys.readouterr().out


def test_unknown_check_is_named_and_ends_with_2(capsys):
    assert cli.main(["check", "lint", "spelling"]) == 2
    said = capsys.readouterr().err
    assert "ERROR: there is no check 'spelling'; there is files, lint, names, notebooks" in said


def test_unknown_command_ends_with_2(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["fly"])
    assert end.value.code == 2
    assert "invalid choice: 'fly'" in capsys.readouterr().err


def test_what_a_user_can_correct_is_one_line_and_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["look-up", "people"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ERROR: ") and "is not inside a project" in said and len(said.splitlines()) == 1
    write_project(tmp_path)
    assert cli.main(["look-up", "people"]) == 1
    assert capsys.readouterr().err == "ERROR: There is no feature view 'people'; there is none yet.\n"
    assert cli.main(["promote"]) == 1
    assert 'which version? `make promote VERSION=2 WHY="..."`' in capsys.readouterr().err
    monkeypatch.setenv("NOTEBOOK_ENGINE", "cold")
    assert cli.main(["run", "notebooks/10.ipynb"]) == 1
    assert "NOTEBOOK_ENGINE is 'cold'; it must be `warm`" in capsys.readouterr().err


def test_a_fault_of_the_code_keeps_its_traceback(monkeypatch):
    def fail(**_):
        raise KeyError("fault")

    monkeypatch.setitem(COMMANDS, "stop", type(COMMANDS["stop"])(fail, [], "Pipeline"))
    with pytest.raises(KeyError, match="fault"):
        cli.main(["stop"])


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setitem(COMMANDS, "stop", type(COMMANDS["stop"])(interrupt, [], "Pipeline"))
    assert cli.main(["stop"]) == 130
    assert "Interrupted. `dvc repro` goes on from this step." in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_gets_no_traceback():
    """As in `stagebook gate | head -1`; a page that fits into the pipe's buffer ends well, a longer one with 141."""
    code = "from stagebook.project.root import exit_code; import sys; sys.exit(exit_code(lambda: print('line\\n' * 99_999)))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 141)


def test_python_m_stagebook_is_the_command():
    done = subprocess.run([sys.executable, "-m", "stagebook", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{__version__}\n"
