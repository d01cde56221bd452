"""The final training repeats the judged one, on the images of all splits."""

import json

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.data.all_images import AllImages
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import StageError
from kerasvision.training.final import FinalTraining, final_settings, record_final
from kerasvision.training.fit import fit
from kerasvision.training.step import TrainStep

AUGMENT = (c.PadCrop(pad=1),)


@pytest.fixture(scope="module")
def run(stripes, dense_settings):
    """Fits one dense layer on `stripes`. The rate rises until it ruins the layer, so an early epoch is the best."""
    examples, every = ExampleSet(stripes.examples), AllImages(stripes.examples)
    settings = dense_settings(
        epochs=4,
        keep="best",
        warmup_epochs=4,
        optimizer=c.Sgd(learning_rate=1000.0),
        steps_per_call=1,
        augment=AUGMENT,
    )

    def fitted(*, final=False, everything=False, lengths=None, work=None):
        return fit(
            final_settings(settings) if final else settings,
            examples=every if everything else examples,
            classes=stripes.classes,
            transform=ImageTransform.load(stripes.transform),
            lengths=lengths,
            work=work,
        )

    return fitted


@pytest.fixture(scope="module")
def judged(run):
    return run()


def same_weights(one, other):
    return all(map(np.array_equal, one.model.get_weights(), other.model.get_weights()))


def test_it_trains_as_long_as_the_best_epoch_of_the_judged_network_and_gets_the_same_weights_from_the_same_images(
    run, judged
):
    best = int(judged.history["val_loss"].idxmin()) + 1
    assert judged.epochs == (best,)
    assert best < len(judged.history)  # or the claim would be empty
    again = run(final=True, lengths=judged.epochs)
    assert len(again.history) == best
    assert same_weights(again, judged)


@pytest.mark.slow
def test_it_learns_from_every_image_and_measures_no_validation(run, judged, capsys):
    final = run(final=True, everything=True, lengths=judged.epochs)
    assert not same_weights(final, judged)
    assert not [name for name in final.history if name.startswith("val_")]
    assert f"epoch {judged.epochs[0]}/{judged.epochs[0]} " in capsys.readouterr().err


@pytest.mark.slow
def test_a_final_training_that_was_killed_ends_as_if_it_was_not(run, tmp_path, monkeypatch):
    whole = run(final=True, everything=True, lengths=(2,))
    original, steps = TrainStep.run, iter(range(12))  # an epoch of 144 images in batches of 16 has 9

    def dies(self, *arguments):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            run(final=True, everything=True, lengths=(2,), work=tmp_path)
    resumed = run(final=True, everything=True, lengths=(2,), work=tmp_path)
    assert resumed.history.equals(whole.history)
    assert same_weights(resumed, whole)


# --- The plan and the record


def test_a_network_that_is_not_blessed_gets_no_final_training(tmp_path):
    (tmp_path / "epochs.json").write_text("[7, 2]")
    plan = FinalTraining.planned(tmp_path / "epochs.json", refusals=["accuracy >= 0.9 failed", "answers differ"])
    assert plan == FinalTraining(trains=False, reason="accuracy >= 0.9 failed; answers differ")
    assert FinalTraining.planned(tmp_path / "epochs.json", refusals=[]) == FinalTraining(trains=True, epochs=(7, 2))
    plan.save(tmp_path / "plan.json")
    assert FinalTraining.load(tmp_path / "plan.json") == plan


def test_a_network_whose_trainer_did_not_write_its_epochs_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(StageError, match=r"requires .*epochs\.json, which the stage trainer writes\. Let the stage"):
        FinalTraining.planned(tmp_path / "epochs.json", refusals=[])


@pytest.mark.parametrize(
    ("plan", "served"),
    [
        (
            FinalTraining(trains=True, epochs=(1,)),
            "another network, trained after the verdict on all 144 images, with the same settings, for 1 epoch. It was not "
            "judged: no images are left that it has not seen. The scores are those of the judged network",
        ),
        (
            FinalTraining(trains=False, reason="too slow"),
            "the judged network itself. None was trained on all images, because it was not blessed: too slow",
        ),
    ],
    ids=["trained", "not trained"],
)
def test_the_record_says_which_network_was_judged_and_which_is_served(plan, served, stripes, tmp_path):
    assert record_final(tmp_path / "final.json", plan=plan, examples=stripes.examples) == 144
    said = json.loads((tmp_path / "final.json").read_text())
    judged = "the network that was trained on 96 of 144 images, by 24 test images that it had not seen"
    assert (said["judged"], said["served"]) == (judged, served)
    assert [said[name] for name in ("train_images", "test_images", "all_images")] == [96, 24, 144]
