"""Lists of images, one for each split, as Pascal VOC has them: train.txt, val.txt and test.txt."""

from pathlib import Path


def split_lists(folder: Path) -> list[Path]:
    """The lists in a folder: train.txt, val.txt and test.txt, or trainval.txt instead of the first two; perhaps none.

    >>> split_lists(Path("nowhere"))
    []
    """
    found = [folder / name for name in ("train.txt", "val.txt", "test.txt") if (folder / name).exists()]
    if {one.stem for one in found} <= {"test"} and (folder / "trainval.txt").exists():
        found.insert(0, folder / "trainval.txt")
    return found
