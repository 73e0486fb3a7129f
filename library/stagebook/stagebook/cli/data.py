"""Commands of the data catalog and the feature store."""

from ..project.errors import StepError
from ..project.root import find_root
from ..project.settings import load_views
from .command import argument, command

GROUP = "Data"


@command(GROUP, argument("--if-stale", action="store_true", help="only if it is not up to date"))
def catalog(if_stale: bool) -> None:
    """Write docs/data: the columns, meaning, writer and readers of each dataset, and the lineage."""
    from ..pages.catalog.write import update_catalog

    print(update_catalog(find_root(), if_stale))


@command(GROUP, argument("--as-of", help="leave out what was known only after this time (UTC)"))
def features(as_of: str | None) -> None:
    """Write the newest values of all feature views to the online store."""
    from ..features.online import connect_store, materialise
    from ..features.store import ALWAYS_KNOWN, read_sources

    root = find_root()
    views = load_views(root)
    if not views:
        print("No feature view is registered yet. vendor/stagebook/docs/feature_store.md shows how.")
    engine, tables = connect_store(root), read_sources(views, root / "data" / "raw")
    for view in views:
        newest = materialise(view, tables, engine, as_of)
        known = newest["known_at"].max()
        last = "nothing known" if newest.empty else f"newest known at {known:%Y-%m-%d %H:%M} UTC"
        last = "always known" if known == ALWAYS_KNOWN else last
        print(f"{view.name:20} {len(newest):>9,} rows by {', '.join(view.entity)}; {last}; owner {view.owner}")


@command(
    GROUP,
    argument("view", nargs="?", default=""),
    argument("key", nargs="*", help="one value per key column of the view"),
    argument("--at", help="time of the question (UTC) or `now`; if not given, that of the newest stored data"),
)
def look_up(view: str, key: list[str], at: str | None) -> None:
    """Print what serving gets from the online store for a key."""
    from ..features.online import describe_look_up

    views = {each.name: each for each in load_views(find_root())}
    if view not in views:
        raise StepError(f"There is no feature view {view!r}; there is {', '.join(views) or 'none yet'}.")
    print(describe_look_up(find_root(), views[view], key, at))
