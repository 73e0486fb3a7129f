"""A wheel with the champion inside, which needs onnxruntime and numpy only. The same champion gives the same bytes."""

import base64
import hashlib
import json
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pandas as pd

from ..project.errors import DataError, StepError
from ..project.files import replace_file
from ..project.root import project_name
from ..request.prepare import load_prepare, prepare_rows
from ..request.rows import to_table
from ..serve import predictor
from ..serve.package import Package
from ..serve.predictor import Predictor
from .champion import Champion, make_vector
from .names import name_distribution, name_module
from .preparation import find_preparation

__all__ = ["build_wheel", "list_contents", "write_zip"]

CONSUMER = Path(__file__).with_name("consumer")
IMPORT, IMPORT_THERE = "from ...serve.predictor import", "from .predictor import"
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can have: bytes do not tell when they were packed
INIT = '''\
"""{name}, version {version}. `predict` takes {takes}; `describe()` lists them."""

from .predict import describe, predict, predict_raw

__all__ = ["describe", "predict", "predict_raw"]
__version__ = "{version}"
'''
MAIN = '''\
"""Check this installation: `python -m {module}`; score a file: `python -m {module} rows.jsonl answers.jsonl`."""

import sys

from .check import check
from .score import score

sys.exit(score(*sys.argv[1:3]) if sys.argv[1:] else check())
'''


def build_wheel(root: Path, champion: Champion, folder: Path) -> Path:
    """Write the wheel of the champion to a folder and return it.

    Raises
    ------
    DataError
        The model is no ONNX file, so that it needs scikit-learn.
    StepError
        The folder has another model under the same name and version.
    """
    package, names = champion.package, (champion.package.name, project_name(root))
    if package.file.suffix != ".onnx":
        raise DataError(
            f"{package.name} version {package.version} is a skops file, which needs scikit-learn; a wheel holds ONNX "
            "only. Serve it (`stagebook serve`), or choose a kind of model that ONNX can express."
        )
    module, distribution = name_module(*names), name_distribution(*names)
    contents = list_contents(root, champion, module, distribution)
    file = folder / f"{module}-{champion.release}-py3-none-any.whl"
    if file.is_file() and _model_of(file, module) not in (None, contents[f"{module}/model.onnx"]):
        raise StepError(
            f"{file} holds another model under the same version {champion.release}: it is from another registry. "
            "Move it away; consumers must not get two models under one version."
        )
    with replace_file(file) as temporary:
        write_zip(temporary, contents.items())
    return file


def list_contents(root: Path, champion: Champion, module: str, distribution: str) -> dict[str, bytes]:
    """Return the files of the wheel by name, in the order of the archive."""
    package, found = champion.package, find_preparation(root)
    prepare, sources = found or (None, [])
    vector = make_vector(package) | (_raw_vector(root, package) if prepare else {})
    about = _describe(champion, distribution, prepare)
    takes = "inputs of the model; `predict_raw` raw requests" if prepare else "inputs of the model"
    words = {"name": package.name, "version": champion.release, "takes": takes, "module": module}
    inside = {"__init__.py": INIT.format(**words).encode(), "__main__.py": MAIN.format(**words).encode()}
    for file in sorted(CONSUMER.glob("*.py")):
        if file.name != "__init__.py":
            inside[file.name] = file.read_bytes().replace(IMPORT.encode(), IMPORT_THERE.encode())
    inside["predictor.py"] = Path(predictor.__file__).read_bytes()
    for file in sources:
        inside[f"preparation/{file.relative_to(root / 'code').as_posix()}"] = file.read_bytes()
    inside |= {"preparation/__init__.py": b""} if prepare else {}
    inside |= {"model.onnx": package.file.read_bytes(), "model.json": _json(about), "vector.json": _json(vector)}
    contents = {f"{module}/{name}": inside[name] for name in sorted(inside)}
    dist = f"{module}-{champion.release}.dist-info"
    contents[f"{dist}/METADATA"] = _metadata(root, champion, module, distribution, about).encode()
    contents[f"{dist}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: stagebook\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents[f"{dist}/RECORD"] = _record(contents, f"{dist}/RECORD").encode()
    return contents


def _describe(champion: Champion, distribution: str, prepare: str | None) -> dict:
    package = champion.package
    needed = Predictor(package.file, package.config).inputs
    about = {"name": package.name, "version": champion.release, "distribution": distribution}
    about |= {"task": package.config["task"], "classes": json.loads(package.config.get("classes") or "[]")}
    about |= {"inputs": {name: kind for name, kind in package.contract.features.items() if name in needed}}
    fields = {name: {"type": one.type} for name, one in package.contract.table.columns.items()}
    about |= {"prepare": prepare, "fields": fields if prepare else None, "settings": package.contract.settings}
    about |= {"metrics": package.about.get("metrics", {}), "config": package.config}
    return about | {"sha256": hashlib.sha256(package.file.read_bytes()).hexdigest()}


def _raw_vector(root: Path, package: Package) -> dict[str, list[dict]]:
    """Return the contract's example as a raw request with typed values, and the answer that the service gives."""
    contract = package.contract
    table = to_table([contract.example], contract)
    prepared = prepare_rows(table, contract, load_prepare(root), _refuse_join)
    columns = {name: prepared[name].to_numpy() for name in contract.features}
    answer = Predictor(package.file, package.config).predict(columns)
    typed = {name: values.astype(object).where(values.notna(), None).iloc[0] for name, values in table.items()}
    plain = {name: one.isoformat() if isinstance(one, pd.Timestamp) else one for name, one in typed.items()}
    plain = {name: one.item() if hasattr(one, "item") else one for name, one in plain.items()}
    return {"raw": [plain], "raw_answers": [{name: values.tolist()[0] for name, values in answer.items()}]}


def _refuse_join(rows: object, time_column: str, views: object) -> None:
    raise DataError("`prepare` joins feature views, which a wheel does not have; it must not import only numpy then.")


def _metadata(root: Path, champion: Champion, module: str, distribution: str, about: dict) -> str:
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    summary = " ".join(str(content.get("description") or f"The model {about['name']}").split())
    lines = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {champion.release}", f"Summary: {summary}"]
    lines += ["Requires-Python: >=3.10", f"Requires-Dist: numpy>={_least('numpy')}"]
    lines += [f"Requires-Dist: onnxruntime>={_least('onnxruntime')}", "Description-Content-Type: text/markdown"]
    example = ", ".join(f'"{name}": {0.0 if kind == "number" else "..."!r}' for name, kind in about["inputs"].items())
    raw = "\n`predict_raw` takes raw requests: " + ", ".join(about["fields"]) + ".\n" if about["fields"] else ""
    text = f"""
        # {about["name"]}

        {summary}

            from {module} import predict

            predict([{{{example}}}])

        It takes inputs of the model; a number may be None, a missing text is "".
        """
    commands = (
        f"`python -m {module}` checks the installation, `python -m {module} rows.jsonl answers.jsonl` scores a file."
    )
    return "\n".join(lines) + "\n" + dedent(text) + raw + f"\n{commands}\n"


def _least(name: str) -> str:
    """Return the release of a package that built and checked the wheel, without its last part."""
    return ".".join(version(name).split(".")[:2])


def _record(contents: dict[str, bytes], own: str) -> str:
    def line(name: str, content: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        return f"{name},sha256={digest},{len(content)}\n"

    return "".join(line(name, content) for name, content in contents.items()) + f"{own},,\n"


def write_zip(file: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    """Write files to an archive; the same files give the same bytes on all machines. They are not compressed."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents:
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr, entry.create_system = 0o644 << 16, 3
            archive.writestr(entry, content)


def _model_of(file: Path, module: str) -> bytes | None:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(f"{module}/model.onnx")
    except (zipfile.BadZipFile, KeyError):
        return None


def _json(content: dict) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
