"""A pipeline on large photos: with kept copies and without, the network, its scores and its answers are the same."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.models.saved import load_network
from kerasvision.pipeline.artifacts import Model, ModelEvaluation, TransformGraph
from kerasvision.pipeline.local import run
from kerasvision.pipeline.standard import standard_pipeline

PHOTOS = 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Stripes down or across, 90 x 120 pixels, as JPEG."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    y, x = np.mgrid[:90, :120]
    for label, along in (("across", y), ("down", x)):
        (folder / label).mkdir()
        for number in range(PHOTOS):
            wave = 127 + 100 * np.sin(along / 6 + random.uniform(0, 6))
            colours = wave[..., np.newaxis] + random.normal(0, 12, (90, 120, 3))
            Image.fromarray(colours.clip(0, 255).astype(np.uint8)).save(folder / label / f"{number}.jpg", quality=92)
    return folder


def results(photos, root, **settings):
    experiment = c.Experiment(
        name="reduced",
        source=c.ImageFolder(path=photos),
        splits=c.Splits(validation=0.2, test=0.4),
        transform=c.Transform(image_size=(24, 24), fit="crop", scale="standardize", working_side=48, **settings),
        augment=(c.RandomResizedCrop(area=(0.4, 1.0)),),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        training=c.Training(epochs=2, batch_size=8, optimizer=c.Adam()),
        evaluation=c.Evaluation(resamples=100),
        gate=c.Gate(c.AtLeast("accuracy", 0.1)),
        serving=c.Serving(canary_examples=16),
    )
    done = run(standard_pipeline(experiment), root=root)
    return (
        TransformGraph(done.artifact("transform", "transform_graph").uri).uri,
        load_network(Model(done.artifact("trainer", "model").uri).keras_file).get_weights(),
        pd.read_parquet(ModelEvaluation(done.artifact("evaluator", "evaluation").uri).predictions),
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_copies_change_no_weight_and_no_answer(photos, tmp_path):
    folder, weights, answers = results(photos, tmp_path / "copies")
    other, expected, without = results(photos, tmp_path / "none", keep_copies=False)
    assert (folder / "copies" / "dataset_info.json").exists()
    assert not (other / "copies").exists()
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    pd.testing.assert_frame_equal(answers, without, check_exact=True)
    assert len(answers) >= PHOTOS // 2
