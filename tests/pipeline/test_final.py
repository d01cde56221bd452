"""After the verdict another network learns from all images and is pushed; the judged one stays the one to compare with."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.config.stages import ExporterSettings, InfraValidatorSettings, PusherSettings
from kerasvision.errors import GraphError
from kerasvision.models.saved import load_network
from kerasvision.pipeline.artifacts import (
    Examples,
    InfraBlessing,
    Model,
    ModelBlessing,
    Out,
    SavedModel,
    Schema,
    TransformGraph,
)
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run
from kerasvision.pipeline.overrule import overruled
from kerasvision.pipeline.report import run_facts
from kerasvision.pipeline.stages.final_infra_validator import final_infra_validator
from kerasvision.pipeline.standard import load_pipeline, standard_pipeline
from kerasvision.pipeline.store import opened
from kerasvision.served.model import ServedModel
from kerasvision.training.step import TrainStep

SCORE = 0.9


class Folder(Config):
    locations: ClassVar[frozenset[str]] = frozenset({"folder"})
    folder: Path


class Bound(Config):
    bound: float


def data(examples: Out[Examples], schema: Out[Schema], transform_graph: Out[TransformGraph], *, settings: Folder) -> None:
    """What the stages before the trainer would write."""
    shutil.copytree(settings.folder / "data", examples.data)
    shutil.copy(settings.folder / "schema.json", schema.file)
    shutil.copy(settings.folder / "transform.json", transform_graph.file)


def judged(examples: Examples, model: Out[Model], saved_model: Out[SavedModel], *, settings: Folder) -> None:
    """What a trainer and an exporter would write."""
    model.keras_file.parent.mkdir()
    shutil.copy(settings.folder / "model.keras", model.keras_file)
    for name in ("history.csv", "settings.json"):
        shutil.copy(settings.folder / name, model.uri)
    model.epochs.write_text("[2]")
    shutil.copytree(settings.folder / "Format-Serving", saved_model.saved_model)
    shutil.copy(settings.folder / "export.json", saved_model.record)


def judge(saved_model: SavedModel, blessing: Out[ModelBlessing], *, settings: Bound) -> None:
    is_good = settings.bound <= SCORE
    verdict, reason = "BLESSED" if is_good else "NOT_BLESSED", f"accuracy {SCORE} against {settings.bound}"
    blessing.verdict.write_text(json.dumps({"verdict": verdict, "reason": reason, "rules": []}))
    blessing.properties.update(blessed=int(is_good), verdict=verdict, reason=reason)


def prove(model: Model, saved_model: SavedModel, blessing: Out[InfraBlessing]) -> None:
    """A proof without the fresh process, which takes seconds."""
    blessing.certificate.write_text(json.dumps({"blessed": True, "made_of": model.uri.parts[-3]}))
    blessing.properties.update(blessed=1, reason="")


@pytest.fixture(scope="module")
def pipeline(stripes, trained, stripes_settings):
    """Stages that write the files of `stripes` and `trained`, and after them, if wanted, the real final stages."""

    def made(*, bound=0.5, final=True):
        found = Pipeline("final")
        files = found.add(data, settings=Folder(folder=stripes.examples.parent))
        inputs = {key: getattr(files, key) for key in ("examples", "schema", "transform_graph")}
        known = found.add(judged, examples=files.examples, settings=Folder(folder=trained.model.parent))
        verdict = found.add(judge, saved_model=known.saved_model, settings=Bound(bound=bound)).blessing
        proof = found.add(prove, model=known.model, saved_model=known.saved_model).blessing
        if not final:
            return found
        plan = found.add("final_plan", model=known.model, model_blessing=verdict, infra_blessing=proof).plan
        model = found.add("final_trainer", **inputs, judged=known.model, plan=plan, settings=stripes_settings()).model
        exporter = ExporterSettings(task=c.Classification(), export=c.Export())
        exported = found.add("final_exporter", **inputs, model=model, judged=known.saved_model, settings=exporter)
        served = {"model": model, "saved_model": exported.saved_model}
        if bound <= SCORE:
            last = found.add(prove, name="final_proof", **served).blessing
        else:
            validator = InfraValidatorSettings(serving=c.Serving())
            last = found.add(final_infra_validator, **inputs, **served, judged=proof, settings=validator).blessing
        pusher = PusherSettings(name="final")
        found.add("pusher", **served, model_blessing=verdict, infra_blessing=last, settings=pusher)
        return found

    return made


@pytest.fixture(scope="module")
def blessed(pipeline, tmp_path_factory):
    """A root in which the judged network was blessed, and the result of the run."""
    root = tmp_path_factory.mktemp("blessed")
    return root, run(pipeline(), root=root)


def what_ran(result):
    return [stage.node for stage in result.stages if not stage.reused]


def weights(artifact):
    return load_network(artifact.keras_file).get_weights()


def test_the_pushed_model_answers_as_the_final_network_and_not_as_the_judged_one(blessed, trained):
    root, result = blessed
    image = next(iter(trained.examples.dataset("test")))["image"]
    pixels = trained.transform(image)[None]
    final = load_network(result.artifact("final_trainer", "model").keras_file)
    served = ServedModel(root / "saved_models" / "final" / "1")("serving_default", image_bytes=image[None])["scores"]
    probabilities = [np.exp(logits) / np.exp(logits).sum() for logits in (final(pixels), trained.network(pixels))]
    np.testing.assert_allclose(served, probabilities[0], atol=1e-6)
    assert np.abs(served - probabilities[1]).max() > 1e-3


def test_the_version_says_which_network_was_judged_and_which_one_is_served(blessed):
    root, _ = blessed
    version = root / "saved_models" / "final" / "1"
    card = (version / "model_card.md").read_text()
    assert "- Judged: the network that was trained on 96 of 144 images, by 24 test images that it had not seen.\n" in card
    assert (
        "- Served: another network, trained after the verdict on all 144 images, with the same settings, for 2 epochs."
        in card
    )
    assert json.loads((version / "version.json").read_text())["final"]["all_images"] == 144


def test_the_final_network_is_trained_as_long_as_the_judged_one_and_the_report_shows_both(blessed):
    root, result = blessed
    assert len(result.artifact("final_trainer", "model").history.read_text().splitlines()) == 1 + 2
    with opened(root / "runs", read_only=True) as store:
        facts = run_facts("latest", store)
    assert facts.newest("Model").folder == result.artifact("final_trainer", "model").uri
    assert facts.newest("Model", without="final.json").folder == result.artifact("judged", "model").uri


def test_later_runs_are_compared_with_the_judged_model_because_the_final_one_knows_the_test_images(blessed):
    root, result = blessed
    with opened(root / "runs", read_only=True) as store:
        found = [model.uri for model in store.blessed_models("final")]
    assert found == [result.artifact("judged", "saved_model").uri]


def test_another_gate_that_blesses_too_does_not_repeat_the_final_training(blessed, pipeline):
    root, _ = blessed
    assert what_ran(run(pipeline(bound=0.6), root=root)) == ["judge", "final_plan", "pusher"]


def test_a_final_training_that_is_added_later_repeats_nothing_else(pipeline, tmp_path):
    run(pipeline(final=False), root=tmp_path)
    added = run(pipeline(), root=tmp_path, until="final_plan")
    assert what_ran(added) == ["final_plan"]


def test_without_a_blessing_nothing_is_trained_or_pushed_and_the_run_says_why(pipeline, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TrainStep, "__init__", lambda *_, **__: pytest.fail("it trained"))
    result = run(pipeline(bound=0.95), root=tmp_path)
    assert "no network is trained on all images, because the judged one is not blessed: accuracy 0.9 against 0.95" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "saved_models").exists()
    passed_on, own = (result.artifact(node, "model").keras_file for node in ("final_trainer", "judged"))
    assert passed_on.read_bytes() == own.read_bytes()
    proof = json.loads(result.artifact("final_infra_validator", "blessing").certificate.read_text())
    assert proof["made_of"] == "judged"
    # A person who pushes it anyway pushes the judged network.
    forced = run(overruled(pipeline(bound=0.95), reason="for the fair"), root=tmp_path)
    assert what_ran(forced) == ["pusher"]
    card = (tmp_path / "saved_models" / "final" / "1" / "model_card.md").read_text()
    assert "- Served: the judged network itself. None was trained on all images, because it was not blessed: " in card


@pytest.mark.slow
def test_a_final_training_that_is_stopped_goes_on_where_it_was(blessed, pipeline, tmp_path, monkeypatch):
    original = TrainStep.run

    def dies(self, *arguments):
        if self.optimizer.iterations >= 9:  # 144 images in batches of 16: the second epoch begins
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "run", dies)
        with pytest.raises(KeyboardInterrupt):
            run(pipeline(), root=tmp_path)
    remarks = []
    listener = Listener()
    listener.remark = lambda node, sentence: remarks.append((node, sentence))
    resumed = run(pipeline(), root=tmp_path, listener=listener)
    assert [sentence.partition(", in ")[0] for node, sentence in remarks if node == "final_trainer"] == [
        "final_trainer continues from a checkpoint after step 9"
    ]
    whole, again = blessed[1].artifact("final_trainer", "model"), resumed.artifact("final_trainer", "model")
    assert all(map(np.array_equal, weights(whole), weights(again)))


# --- The standard pipeline


def experiment(**training):
    return c.Experiment(
        name="test",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        training=c.Training(**training),
        predict=c.Predict(path="new"),
    )


def test_the_final_stages_are_between_the_proof_and_the_push():
    without, nodes = (standard_pipeline(experiment(final=final)).nodes for final in (None, "all"))
    added = ["final_plan", "final_trainer", "final_exporter", "final_infra_validator"]
    place = list(nodes).index("final_plan")
    assert list(nodes)[place - 1 : place + 5] == ["infra_validator", *added, "pusher"]
    assert [name for name in nodes if name not in added] == list(without)
    # What is pushed and what predicts is the final network; what judges is another one.
    assert nodes["pusher"].inputs["saved_model"] == nodes["bulk_inferrer"].inputs["saved_model"]
    assert nodes["pusher"].inputs["saved_model"].producer == "final_exporter"
    assert nodes["evaluator"].inputs == without["evaluator"].inputs
    assert [nodes[name].settings for name in without] == [node.settings for node in without.values()]


def test_the_final_training_gets_what_the_search_found():
    search = c.Search(space={"training.batch_size": c.Choice(32, 64)})
    nodes = standard_pipeline(experiment(final="all").model_copy(update={"search": search})).nodes
    assert nodes["final_trainer"].inputs["hyperparameters"] == nodes["trainer"].inputs["hyperparameters"]


FILE = """
from kerasvision import config as c
from kerasvision.pipeline.standard import standard_pipeline

EXPERIMENT = c.Experiment(
    name="own",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32), color_mode="grayscale"),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    training=c.Training(final="all"),
)


def pipeline(experiment):
    made = standard_pipeline(experiment)
    for name in {left_out}:
        del made.nodes[name]
    return made
"""


@pytest.mark.parametrize("left_out", ["pusher", "final_trainer", "final_exporter", "final_infra_validator"])
def test_a_pipeline_of_a_file_that_leaves_out_what_the_final_training_needs_is_refused(left_out, tmp_path):
    (tmp_path / "own.py").write_text(FILE.format(left_out=()))
    assert "final_trainer" in load_pipeline(tmp_path / "own.py").nodes
    (tmp_path / "own.py").write_text(FILE.format(left_out=[left_out]))
    with pytest.raises(GraphError, match=r"training\.final='all' requires a pusher whose model, .* or set training\.final"):
        load_pipeline(tmp_path / "own.py")


# --- From end to end


@pytest.mark.slow
def test_a_captioner_learns_from_all_images_too_and_its_sentences_are_proven(tmp_path):
    described = c.Experiment(
        name="described",
        source=c.Shapes(count=60, image_size=(32, 32)),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Captioning(vocabulary=c.Words(min_count=2), max_length=3, decoding=c.BeamSearch(width=2), captions=2),
        model=c.Model(name="show_and_tell", options={"backbone": "lenet5", "embedding": 8, "units": 8, "dropout": 0.0}),
        training=c.Training(epochs=1, batch_size=8, optimizer=c.Adam(learning_rate=1e-2), final="all"),
        evaluation=c.Evaluation(resamples=100),
        serving=c.Serving(canary_examples=16, latency_queries=5),
        gate=c.Gate(c.AtLeast("bleu_4", 0.0)),
    )
    result = run(standard_pipeline(described), root=tmp_path)
    assert json.loads(result.artifact("final_infra_validator", "blessing").certificate.read_text())["blessed"] is True
    version = tmp_path / "saved_models" / "described" / "1"
    assert json.loads((version / "version.json").read_text())["final"]["all_images"] == 60
    files = [result.artifact(node, "model").keras_file for node in ("trainer", "final_trainer")]
    assert files[0].read_bytes() != files[1].read_bytes()


WHOLE = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="whole",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32), color_mode="grayscale", scale="standardize"),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    training=c.Training(epochs=4, batch_size=16, optimizer=c.Adam(), steps_per_call=1, final="all"),
    simple_models=None,
    evaluation=c.Evaluation(resamples=100),
    serving=c.Serving(canary_examples=16, latency_queries=5),
    gate=c.Gate(c.AtLeast("accuracy", 0.2)),
)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_in_the_final_training_goes_on_there_and_pushes(tmp_path):
    (tmp_path / "whole.py").write_text(WHOLE)
    command = [sys.executable, "-c", "from kerasvision.cli import main; main()", "run", "whole.py", "--workers", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as killed:
        for line in killed.stderr:
            if "epoch 2/4" in line and (tmp_path / "runs" / "artifacts" / "whole" / "final_plan").exists():
                killed.kill()
    assert killed.returncode == -signal.SIGKILL
    resumed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    # 1,797 images in batches of 16: an epoch has 112 steps. Its line comes before its checkpoint, and the signal later.
    assert re.search(r"final_trainer continues from a checkpoint after step (112|224|336)\b", resumed.stderr)
    assert "trainer reused" in resumed.stderr
    assert "for 4 epochs" in (tmp_path / "saved_models" / "whole" / "1" / "model_card.md").read_text()
