"""The commands of the feature store. `python -m <package>.features --help` lists them."""

import argparse
import sys

from ..pipeline.project import StepError, exit_code, find_root


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="features", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("materialise", help="write the newest values of all views to the online store")
    write.add_argument("--as-of", help="leave out what was known only after this time (UTC)")
    read = commands.add_parser("look-up", help="show what serving gets for a key")
    read.add_argument("view", nargs="?", default="")
    read.add_argument("key", nargs="*", help="one value per key column of the view")
    read.add_argument("--at", help="time of the question (UTC) or `now`; if not given, that of the newest stored data")
    arguments = parser.parse_args()
    if arguments.command == "materialise":
        return exit_code(lambda: _say_errors(_materialise, arguments.as_of))
    return exit_code(lambda: _say_errors(_look_up, arguments.view, arguments.key, arguments.at))


def _say_errors(command, *arguments) -> None:
    from ..datasets.tables import DataError
    from .online import StoreError

    try:
        command(*arguments)
    except (DataError, StoreError) as error:
        raise StepError(str(error)) from error


def _materialise(as_of: str | None) -> None:
    from .online import connect_store, materialise
    from .registry import VIEWS
    from .store import read_sources

    root = find_root()
    if not VIEWS:
        print("No feature view is registered yet. docs/feature_store.md shows how.")
    engine, tables = connect_store(root), read_sources(VIEWS, root / "data" / "raw")
    for view in VIEWS:
        newest = materialise(view, tables, engine, as_of)
        last = f"newest known at {newest['known_at'].max():%Y-%m-%d %H:%M} UTC" if len(newest) else "nothing known"
        print(f"{view.name:20} {len(newest):>9,} rows by {', '.join(view.entity)}; {last}; owner {view.owner}")


def _look_up(name: str, key: list[str], at: str | None) -> None:
    import pandas as pd

    from .online import connect_store, drop_stale, read_newest
    from .registry import VIEWS
    from .store import to_utc

    view = {view.name: view for view in VIEWS}.get(name)
    if view is None:
        raise StepError(
            f"There is no feature view {name!r}; there is {', '.join(v.name for v in VIEWS) or 'none yet'}."
        )
    if len(key) != len(view.entity):
        wanted = " and ".join(view.entity)
        raise StepError(f"{name} is looked up by {wanted}: one value for each, not {len(key)} values.")
    keys = pd.DataFrame([key], columns=list(view.entity))
    stored = read_newest(view, keys, connect_store(find_root()))
    known_at, as_of = stored.loc[0, ["known_at", "as_of"]]
    asked = f"{name}, {', '.join(' '.join(pair) for pair in zip(view.entity, key, strict=True))}"
    if pd.isna(known_at):
        print(f"{asked}: missing. The store has no such key; serving gets no value.")
        return
    moment = pd.Timestamp.now("UTC").floor("s") if at == "now" else at or as_of
    now = to_utc(pd.Series([moment]), "--at").iloc[0]
    values = drop_stale(view, stored, now).iloc[0]
    print(f"{asked}, at {now:%Y-%m-%d %H:%M} UTC{'' if at else ', the time of the newest data'}:")
    for feature, about in view.features.items():
        print(f"  {feature:24} {_plain(values[feature]):12} {about.description}")
    state = "not yet known" if now < known_at else "stale" if now - known_at > view.ttl else ""
    print(f"Known at {known_at:%Y-%m-%d %H:%M} UTC, {now - known_at} before; time to live {pd.Timedelta(view.ttl)}.")
    if state:
        print(f"It is {state}: serving gets no value.")


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


if __name__ == "__main__":
    sys.exit(main())
