"""Small data sets of captioned images, and their vocabularies."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def captioned(tmp_path_factory):
    """`captioned({"train": [("id", ["a caption", ...]), ...], ...})`: an ExampleSet of 4 x 4 images with these captions."""
    from kerasvision.data.examples import Example, ExampleSet, write_examples
    from kerasvision.data.png import encode_png

    def written(splits):
        folder = tmp_path_factory.mktemp("captioned") / "data"

        def rows(split):
            for number, (name, captions) in enumerate(splits[split]):
                yield Example(name, encode_png(np.full((4, 4, 3), number % 256, np.uint8)), captions=captions)

        write_examples(rows, splits=splits, classes=(), folder=folder, captions=True)
        return ExampleSet(folder)

    return written
