"""What the files of all runs take on the disk, to the byte, and what needs them."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.copies import folder_sizes
from kerasvision.pipeline.garbage import Keep, needs
from kerasvision.pipeline.store import Store

# The folders of `runs/` in which the next folder is that of a pipeline.
OF_PIPELINES = ("artifacts", "work", "logs")
STORE_FILES = ("metadata.sqlite", "metadata.sqlite-wal", "metadata.sqlite-shm")
# Why artifacts are kept (see `garbage.Needs`), and what is said about the others.
NOT_NEEDED, REMAINS, OTHER = "not needed", "remains of killed stages", "other files"


@dataclass(frozen=True, order=True)
class Use:
    """The size of some files.

    Attributes:
        place: the first folder below `runs/`, or `store`, or `saved_models`.
        pipeline: whose files they are; empty if they belong to none. In `saved_models`, the name of the model.
        why: what needs artifacts; empty for other files.
        size: in bytes.
        files: how many.
    """

    place: str
    pipeline: str
    why: str
    size: int
    files: int


def disk_use(store: Store, keep: Keep) -> list[Use]:
    """The size of all files in `runs/` and `saved_models/`. The sizes add up to those of all files there.

    Args:
        store: where runs are kept.
        keep: which runs count as needed, as for `garbage.find_garbage`.
    """
    known = store.provenance()
    needed = needs(known, keep, root=store.folder.parent)
    why = {}
    for number, one in known.artifacts.items():
        if one.state == t.LIVE:
            why[one.uri] = needed.artifacts.get(number, NOT_NEEDED)
    sizes: Counter[tuple[str, str, str]] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    for parts, size in _files(store.folder):
        place = _place(parts, why)
        sizes[place] += size
        counts[place] += 1
    for parts, size in _files(store.folder.parent / "saved_models"):
        place = ("saved_models", parts[0] if len(parts) > 1 else "", "")
        sizes[place] += size
        counts[place] += 1
    return sorted(Use(*place, size, counts[place]) for place, size in sizes.items())


def copies_use(store: Store) -> list[tuple[str, int, int]]:
    """What is not on this disk: (address of a folder in an object store, number of copies, their bytes), sorted.

    These are the copies that the store has recorded and not removed. The object store is not asked.
    """
    known = store.provenance()
    not_removed = (n for n, one in known.artifacts.items() if one.state in (t.LIVE, t.MARKED_FOR_DELETION))
    return list(folder_sizes({address: size for n in not_removed for address, size in known.copies(n).items()}))


def _place(parts: tuple[str, ...], why: dict[str, str]) -> tuple[str, str, str]:
    """(place, pipeline, why) of a file, given the parts of its path below `runs/`."""
    if len(parts) == 1:
        return ("store", "", "") if parts[0] in STORE_FILES else ("other", "", OTHER)
    if parts[0] not in OF_PIPELINES or len(parts) < 3:
        return parts[0], "", ""
    if parts[0] != "artifacts":
        return parts[0], parts[1], ""
    # artifacts / pipeline / stage / key / execution / file
    is_output = len(parts) > 5 and parts[4].removesuffix(".tmp").isdigit()
    return "artifacts", parts[1], why.get("/".join(parts[:5]), REMAINS) if is_output else OTHER


def _files(folder: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """(parts of its path below the folder, size) of each file; links are not followed."""
    for at, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(at) / name).is_symlink()]
        for name in [*names, *links]:
            path = Path(at) / name
            with suppress(OSError):
                yield path.relative_to(folder).parts, path.lstat().st_size
