"""Finds what lies in `runs/` that neither a known result nor a removal explains."""

from pathlib import Path

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.garbage import Keep, find_garbage
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.store import opened


def unexplained(root: Path) -> list[str]:
    """Folders of outputs that the store does not know and `runs gc` would not remove, and temporary files of writers."""
    runs = root / RUNS_FOLDER
    with opened(runs, read_only=True) as store:
        known = {one.uri for one in store.provenance().artifacts.values() if one.state == t.LIVE}
        named = set(find_garbage(store, Keep(runs=1)).paths())
    folders = {path.relative_to(runs).as_posix() for path in (runs / "artifacts").glob("*/*/*/*")}
    temporary = {path.relative_to(runs).as_posix() for path in runs.rglob("*.tmp")}
    inside = {path for path in temporary if any(path.startswith(f"{name}/") for name in named)}
    return sorted((folders - known | temporary) - named - inside)
