"""No password or token in an address gets past the library: parameters are refused, messages and records are masked."""

import time
from contextlib import nullcontext
from html import escape
from pathlib import Path

import mlflow
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from stagebook.data.reading.locations import download_file
from stagebook.project.addresses import add_query, find_secret, mask_addresses, mask_page, mask_values
from stagebook.project.errors import DataError, RegistryError, StoreError
from stagebook.project.root import exit_code
from stagebook.registry.versions import find_aliases
from stagebook.step.execute import normalise
from stagebook.step.parameters import check_parameters
from stagebook.track.runs import _params

# Put together at run time, so that these lines are no secrets themselves.
GONE = "s3cr" + "etvalue0123456789"
SECRET_ADDRESSES = [
    f"https://me:{GONE}@host/t.csv",
    f"http://me:p@{GONE}@host/t.csv",
    f"http://:{GONE}@host:5000",
    f"postgresql+psycopg://me:{GONE}/x@host:5432/db",
    f"postgresql://me@host/db?password={GONE}",
    f"mssql://host/db?PWD={GONE}",
    "https://a.blob.core.windows.net/c/t.csv?sv=2024-01-01&si" + f"g={GONE}%3D&sp=r",
    f"https://b.s3.amazonaws.com/t.csv?X-Amz-Signature={GONE}",
    f"https://b.s3.amazonaws.com/t.csv?AWSAccessKeyId=x&Signature={GONE}",
    f"https://storage.googleapis.com/b/t.csv?X-Goog-Signature={GONE}",
    f"https://host/t.csv?access_token={GONE}",
    f"https://host/t.csv?a=1;api_key={GONE}",
    f"https://host/t.csv?%73ig={GONE}",
    f"https://host/t.csv#access_token={GONE}",
    "https://gh" + f"p_{'a1' * 18}@raw.githubusercontent.com/o/r/t.csv",
    "https://host/t.csv?v=hf" + "_" + "abcdefgh" * 4,
]
HARMLESS_ADDRESSES = [
    "https://host:8000/a@b.csv",
    "https://me@host/t.csv",
    "s3://bucket/key/token.csv",
    "https://docs.example.com/spreadsheets/pub?key=0AkkLUFyJ5&output=csv",
    "https://host/t.csv?page_token=abc&token_count=5&significance=3&design=a",
    "https://host/t.csv?signature_version=2",
    "postgresql://me:***@host/db",
    "postgresql://me:<password>@host/db",
    "https://host/t.csv?sig=",
    "sqlite:///mine.db",
    "data/mine.csv",
    "time 12:30, me@host",
]


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_secret_is_found_and_masked(address):
    assert find_secret(address)
    masked = mask_addresses(f"cannot open {address} : refused")
    assert "***" in masked and masked.startswith("cannot open ") and masked.endswith(" : refused")
    assert not find_secret(masked), masked
    assert GONE not in masked


@pytest.mark.parametrize("piece", ["://a:", "?a=b&", "x", "https://me:", "&sig=", "://", "AIza", "gh" + "p_", "a:b@"])
def test_long_lines_take_time_in_proportion(piece):
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    mask_addresses(text)
    mask_page(text)
    find_secret(text)
    assert time.process_time() - began < 10


def test_outputs_of_a_step_that_go_to_reports_show_no_secret():
    error = new_output("error", ename="E", evalue=SECRET_ADDRESSES[0], traceback=[f"E: {SECRET_ADDRESSES[0]}"])
    stream = new_output("stream", name="stdout", text=f"reading {SECRET_ADDRESSES[6]}\n")
    notebook = new_notebook(cells=[new_code_cell("f()", id="a", outputs=[error, stream])])
    text = nbformat.writes(normalise(notebook, Path("/somewhere")))
    assert GONE not in text and text.count("***") == 3


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/markdown", "text/latex"])
@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_shown_results_of_all_forms_show_no_secret(address, kind):
    shown = f'<td title="{escape(address)}">{escape(address)}</td> [table]({address}) and text'
    results = [new_output("display_data", data={kind: shown}), new_output("execute_result", data={kind: shown})]
    notebook = normalise(new_notebook(cells=[new_code_cell("f()", id="a", outputs=results)]), Path("/somewhere"))
    for output in notebook.cells[0].outputs:
        assert GONE not in output.data[kind] and not find_secret(output.data[kind])
        assert output.data[kind].count("***") >= 3 and output.data[kind].endswith(" and text")


def test_a_page_keeps_its_scripts_styles_and_pictures():
    picture = "data:image/png;base64," + "iVBORw0KGgo/+AIza" * 9
    script = "var u='https://plot.ly/';a?token=b:c;auth=e;sig=function(){};t.password=n,x#key"
    page = f"<style>p::after{{color:red}}</style><script>{script}</script><img src='{picture}'> <a href='https://h/t?sig=&amp;a=1'>"
    assert mask_page(page) == page
    assert mask_page(page + f" https://h/t?a=1&amp;sig={GONE}'") == page + " https://h/t?a=1&amp;sig=***'"


@pytest.mark.parametrize("address", HARMLESS_ADDRESSES)
def test_harmless_address_is_not_touched(address):
    assert find_secret(address) is None
    assert mask_addresses(address) == address


def test_parameters_of_all_depths_are_masked_and_recorded_so():
    address = SECRET_ADDRESSES[0]
    assert mask_values({"a": [1, {"b": address}], "c": None}) == {
        "a": [1, {"b": "https://me:***@host/t.csv"}],
        "c": None,
    }
    logged = _params({"path": address, "more": [address], "below": {"b": address}})
    assert len(logged) == 3 and not any(GONE in param.value for param in logged)


@pytest.mark.parametrize("address", SECRET_ADDRESSES)
def test_step_refuses_a_parameter_with_a_secret_before_anything_is_recorded(address):
    with pytest.raises(Exception, match=r"`ingest\.path` has a .* in an address.*HTTP_QUERY") as caught:
        check_parameters({"path": address}, {"path": ""}, "ingest", "notebooks/10_ingest.ipynb")
    assert GONE not in str(caught.value)


@pytest.mark.parametrize("kind", [DataError, RegistryError, StoreError])
def test_messages_show_no_password_where_they_are_printed(kind, capsys):
    def fail():
        raise kind(f"the server at {SECRET_ADDRESSES[0]} does not answer")

    assert exit_code(fail) == 1
    assert capsys.readouterr().err == "ERROR: the server at https://me:***@host/t.csv does not answer\n"


def test_error_about_the_tracking_server_shows_no_password(tmp_path, monkeypatch):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: SECRET_ADDRESSES[0])
    with pytest.raises(RegistryError) as caught:
        find_aliases("missing")
    assert "https://me:***@host/t.csv has no model 'missing'" in str(caught.value)


def test_query_of_a_signed_address_comes_from_the_environment(monkeypatch, tmp_path):
    assert add_query("https://host/t.csv") == "https://host/t.csv"
    monkeypatch.setenv("HTTP_QUERY", f"?se=1&sig={GONE}")
    assert add_query("https://host/t.csv") == f"https://host/t.csv?se=1&sig={GONE}"
    assert add_query("https://host/t.csv?a=1#b") == f"https://host/t.csv?a=1&se=1&sig={GONE}#b"
    with pytest.raises(DataError) as caught:
        download_file("http://127.0.0.1:9/t.csv", tmp_path / "t.csv")
    assert GONE not in str(caught.value)


@pytest.mark.parametrize("address", SECRET_ADDRESSES + HARMLESS_ADDRESSES)
def test_baking_refuses_the_same_addresses(address, capsys):
    hook = Path(__file__).parents[3] / "hooks" / "post_gen_project.py"
    names = {"__name__": "hook"}
    exec(hook.read_text(encoding="utf-8").replace("{{ cookiecutter | tojson }}", "{}"), names)  # noqa: S102  our own hook
    with pytest.raises(SystemExit) if address in SECRET_ADDRESSES else nullcontext():
        names["check_address"](address)
    found = capsys.readouterr().err
    assert (address in SECRET_ADDRESSES) == ("HTTP_QUERY" in found)
    assert f"data_path: has {find_secret(address)} in it" in found or address not in SECRET_ADDRESSES
    assert GONE not in found
