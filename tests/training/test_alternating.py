"""The four-step training of Faster R-CNN (Ren et al., 2015, section 3.2): what each step changes, and what it leaves."""

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.models.proposer import PREFIX
from kerasvision.models.saved import save_network
from kerasvision.training.fit import fit

pytestmark = pytest.mark.slow

SHARED = {"backbone": "resnet9", "width": 0.0625, "proposals": 16, "hidden": 16, "pooled": 3, "dropout": 0.0}
FASTER = {**SHARED, "anchor_sizes": (8, 14), "candidates": 40, "channels": 8}
FIRST_STAGE = ("proposal_conv", "objectness", "anchor_deltas")
SECOND_STAGE = ("region_hidden1", "region_hidden2", "class_logits", "region_deltas")


@pytest.fixture(scope="module")
def steps(small_detector, once_for_all, tmp_path_factory):
    """The networks after each of the four steps."""
    data = once_for_all("small-scenes", small_detector.write_scenes) / "data"
    folder, side = tmp_path_factory.mktemp("steps"), small_detector.SIDE

    def trained(step, name, options, *, learns="both", weights=None, freeze=None):
        training = c.Training(
            epochs=1,
            batch_size=8,
            # A rate and a decay that would move any weight that should stay.
            optimizer=c.AdamW(learning_rate=0.01, weight_decay=0.1),
            freeze=freeze,
            average_decay=0.5,
            precision="bfloat16",
            xla="off",
        )
        settings = TrainerSettings(
            task=c.Detection(boxes=20, candidates=60, sampled_anchors=32, sampled_regions=16, learns=learns),
            model=c.Model(name=name, options=options, weights=weights),
            training=training,
            augment=(c.RandomFlip(),),
        )
        transform = ImageTransform(c.Transform(image_size=(side, side)), (0.5,) * 3, (1.0,) * 3)
        classes = small_detector.SCENES.classes
        network = fit(settings, examples=ExampleSet(data), classes=classes, transform=transform).model
        save_network(network, folder / f"{step}.keras", names=classes)
        return network, str(folder / f"{step}.keras")

    first, file = trained(1, "faster_rcnn", FASTER, learns="proposals")
    second, file = trained(2, "fast_rcnn", {**SHARED, "proposer": file})
    third, file = trained(3, "faster_rcnn", FASTER, learns="proposals", weights=file, freeze="backbone")
    fourth, _ = trained(4, "faster_rcnn", FASTER, learns="regions", weights=file, freeze="backbone")
    return first, second, third, fourth


def equal(one, other, *, prefix=""):
    """The layers of `one` all of whose weights are those of the layer of that name, after the prefix, in `other`."""
    layers = {layer.name: layer.get_weights() for layer in other.layers}
    return {
        layer.name
        for layer in one.layers
        if layer.weights
        and f"{prefix}{layer.name}" in layers
        and all(map(np.array_equal, layer.get_weights(), layers[f"{prefix}{layer.name}"]))
    }


def of_backbone(network):
    """The names of the layers of the backbone."""
    others = (*FIRST_STAGE, *SECOND_STAGE)
    return {one.name for one in network.layers if one.weights and not one.name.startswith((PREFIX, *others))}


def test_step_2_has_the_proposals_of_step_1_and_a_backbone_of_its_own(steps):
    first, second, *_ = steps
    assert equal(first, second, prefix=PREFIX) == of_backbone(first) | set(FIRST_STAGE)
    assert not equal(first, second) & (of_backbone(first) - {"stem_norm"})
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(first(images)["proposals"], second(images)["proposals"], atol=1e-3)


def test_step_3_changes_the_proposals_alone(steps):
    _, second, third, _ = steps
    assert equal(third, second) == of_backbone(third) | set(SECOND_STAGE)


def test_step_4_changes_the_second_stage_alone_so_both_read_the_maps_of_step_2(steps):
    _, second, third, fourth = steps
    assert equal(fourth, third) == of_backbone(fourth) | set(FIRST_STAGE)
    assert equal(fourth, second) == of_backbone(fourth)


def test_steps_1_and_3_leave_the_second_stage_as_it_began(steps):
    first, second, third, _ = steps
    # Biases begin at zero, and nothing has moved them.
    assert not any(np.any(first.get_layer(name).bias) for name in SECOND_STAGE)
    assert equal(third, second) >= set(SECOND_STAGE)
    assert any(np.any(second.get_layer(name).bias) for name in SECOND_STAGE)
