"""The public tables of quality.py: where a package has them, and what is to be predicted."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sklearn import datasets
from stagebook.model.task import Task

PYDATASET = "pydataset/resources.tar.gz"


@dataclass(frozen=True)
class Table:
    """A public table: `source` is a file of the package, for pydataset one in its archive, or scikit-learn's loader."""

    name: str
    package: str
    source: str
    target: str
    kind: str
    drop: tuple[str, ...] = ()  # what is known only afterwards, or a row number
    dates: tuple[str, ...] = ()
    separator: str = ","


TABLES = [
    Table("breast_cancer", "scikit-learn", "load_breast_cancer", "target", "binary"),
    Table("wine", "scikit-learn", "load_wine", "target", "multiclass"),
    Table("diabetes", "scikit-learn", "load_diabetes", "target", "regression"),
    Table("digits", "scikit-learn", "load_digits", "target", "multiclass"),
    Table("OJ", "ISLP", "ISLP/data/OJ.csv", "Purchase", "binary"),
    Table("Hitters", "ISLP", "ISLP/data/Hitters.csv", "Salary", "regression"),
    Table("Carseats", "ISLP", "ISLP/data/Carseats.csv", "Sales", "regression"),
    Table("Bikeshare", "ISLP", "ISLP/data/Bikeshare.csv", "bikers", "regression", ("casual", "registered")),
    Table("Computers", "pydataset", "Ecdat/Computers", "price", "regression"),
    Table("Hdma", "pydataset", "Ecdat/Hdma", "deny", "binary"),
    Table("diamonds", "pydataset", "ggplot2/diamonds", "price", "regression"),
    Table("VerbAgg", "pydataset", "lme4/VerbAgg", "r2", "binary", ("resp",)),
    Table("MedExp", "pydataset", "Ecdat/MedExp", "med", "regression"),
    Table("fair", "statsmodels", "statsmodels/datasets/fair/fair.csv", "affairs", "binary"),
    Table(
        "anes96", "statsmodels", "statsmodels/datasets/anes96/anes96.csv", "'PID'", "multiclass", ("'vote'",), (), "\t"
    ),
    Table(
        "seattle_weather",
        "vega_datasets",
        "vega_datasets/_data/seattle-weather.csv",
        "weather",
        "multiclass",
        dates=("date",),
    ),
]


def read_table(table: Table, folder: Path, most: int) -> tuple[pd.DataFrame, Task]:
    """Return at most `most` rows of the table, the label as 50_train has it, and the task; duplicates are dropped."""
    frame = _read_frame(table, folder).drop(columns=list(table.drop)).dropna(subset=[table.target]).drop_duplicates()
    frame = frame.sample(min(most, len(frame)), random_state=0).reset_index(drop=True)
    for name in table.dates:
        frame[name] = pd.to_datetime(frame[name])
    if table.kind == "regression":
        return frame.astype({table.target: "float64"}), Task("regression", table.target)
    label = frame[table.target] > 0 if table.name == "fair" else frame[table.target]  # any affair at all
    frame[table.target], classes = pd.factorize(label, sort=True)
    return frame, Task(table.kind, table.target, [str(name) for name in classes])


def _read_frame(table: Table, folder: Path) -> pd.DataFrame:
    if table.package == "scikit-learn":
        return getattr(datasets, table.source)(as_frame=True).frame
    if table.package != "pydataset":
        return pd.read_csv(folder / table.source, sep=table.separator)
    with tarfile.open(folder / PYDATASET) as archive:
        file = archive.extractfile(f"resources/rdata/csv/{table.source}.csv")
        return pd.read_csv(file, index_col=0)
