"""Examples on disk: a prepared TFDS data set of encoded images, written and read."""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

Row = tuple[str, bytes, str]  # id, encoded image, class name


class ExampleSet:
    """A prepared data set, opened for reading.

    Args:
        folder: the `data` folder of an Examples artifact, or any prepared TFDS folder with image, label and id.
    """

    def __init__(self, folder: Path) -> None:
        self._builder = tfds.builder_from_directory(str(folder))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers."""
        return tuple(self._builder.info.features["label"].names)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that hold at least one example."""
        return tuple(self._builder.info.splits)

    def count(self, split: str) -> int:
        """How many examples a split holds; 0 for one that is not there."""
        return self._builder.info.splits[split].num_examples if split in self.splits else 0

    def dataset(self, split: str) -> tf.data.Dataset:
        """`{"image": string, "label": int64, "id": string}`, one example at a time, in the same order every time."""
        return self._builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()},
            shuffle_files=False,
            read_config=tfds.ReadConfig(try_autocache=False),
        )


def write_examples(
    rows: Callable[[str], Iterable[Row]], *, splits: Iterable[str], classes: Iterable[str], folder: Path
) -> None:
    """Writes encoded images as a TFDS data set that `tfds.builder_from_directory` reads without kerasvision.

    The order on disk follows from the ids (TFDS shuffles by their hash), so it is the same every time. A data set with
    GIF files must be read with `tfds.decode.SkipDecoding`, as `ExampleSet` does: TFDS' own decoder fails on them.

    Args:
        rows: split -> its rows; called once per split.
        splits: the splits to write, each with at least one row.
        classes: all class names, in the order of their numbers.
        folder: where the data set goes; made here.
    """
    work = folder.with_name(folder.name + ".work")
    builder = _Builder(rows, list(splits), list(classes), data_dir=str(work), file_format="tfrecord")
    # TFDS tells of its work on standard output, with a path that is about to change.
    with contextlib.redirect_stdout(io.StringIO()), _no_bars():
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    Path(builder.data_path).rename(folder)
    shutil.rmtree(work)


class _Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Images with labels, as TFDS wants them told."""

    name = "examples"
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, rows: Callable[[str], Iterable[Row]], splits: list[str], classes: list[str], **kwargs: str) -> None:
        self._rows, self._splits, self._classes = rows, splits, classes
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=self._classes),
            "id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in self._splits}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, object]]]:
        for name, image, label in self._rows(split):
            yield name, {"image": image, "label": label, "id": name}


@contextlib.contextmanager
def _no_bars() -> Iterator[None]:
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        tfds.enable_progress_bar()
