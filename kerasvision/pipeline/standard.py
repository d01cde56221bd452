"""Builds the standard graph of an experiment, or the graph that a pipeline file defines."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasvision import lookup
from kerasvision.config.experiment import Experiment
from kerasvision.config.loading import experiment_of, load_pipeline_module, run_by_user
from kerasvision.config.stages import TrainerSettings, fold_settings, stage_settings
from kerasvision.config.warm_start import LATEST, latest_options
from kerasvision.errors import GraphError
from kerasvision.models.least_side import check_least_side
from kerasvision.pipeline.graph import Channel, Input, LatestBlessed, LatestTraining, Node, Pipeline, PipelineFile, Previous


def standard_pipeline(experiment: Experiment, *, trainings: Sequence[TrainerSettings] = ()) -> Pipeline:
    """The stages in TFX's order; tuner, simple models, the final stages and bulk inferrer only if the experiment uses them.

    If a rule of the gate bounds how fast or how large the served model is, the infra validator runs before the evaluator.

    Args:
        experiment: the settings of all stages.
        trainings: several trainings on the same examples, in place of the experiment's one. Each may begin with the network
            of the one before it: where its settings say "latest", for the weights or for an option of the network. The last
            one is the stage `trainer`, whose network is judged and pushed; those before it are `trainer_step_1` and so on.

    Raises:
        ConfigError: the images are smaller than the network reads.
        GraphError: there are several trainings, and the experiment has a search, folds or a final training; or the first of
            them would begin with the network of one before it.
    """
    if trainings:
        _check_one_chain(experiment, first=trainings[0])
    network = experiment.model
    check_least_side(network.name, experiment.transform.image_size, options=network.options)
    pipeline = Pipeline(experiment.name)
    settings = stage_settings(experiment) | ({"trainer": trainings[-1]} if trainings else {})

    # A measured speed must not depend on which other stages run at the same time.
    alone = {"infra_validator"} if experiment.gate.needs_facts else set()

    def add(stage: str, **inputs: Input | None) -> Node:
        path = lookup.STAGES.path(stage)
        return pipeline.add(path, name=None, settings=settings[stage], alone=stage in alone, **inputs)

    examples = add("example_gen", previous=Previous("example_gen", "examples")).examples
    statistics = add("statistics_gen", examples=examples).statistics
    schema = add("schema_gen", statistics=statistics).schema
    former = Previous("statistics_gen", "statistics")
    anomalies = add("example_validator", statistics=statistics, schema=schema, previous_statistics=former).anomalies
    others = _add_folds(pipeline, experiment, schema=schema, anomalies=anomalies)
    transform_graph = add("transform", examples=examples, schema=schema, anomalies=anomalies).transform_graph
    data = {"examples": examples, "schema": schema, "transform_graph": transform_graph}
    best = add("tuner", **data).best_hyperparameters if experiment.search else None
    base = _add_steps(pipeline, trainings[:-1], **data) if trainings else _earlier_training(experiment)
    model = add("trainer", **data, hyperparameters=best, **base).model
    models = {"model": model, "saved_model": add("exporter", **data, model=model).saved_model}
    has_simple = "simple_models" in settings
    rivals = {
        "simple_scores": add("simple_models", examples=examples, schema=schema).scores if has_simple else None,
        "baseline_saved_model": LatestBlessed(other_than=models["saved_model"]) if experiment.gate.needs_baseline else None,
    }
    facts = add("infra_validator", **data, **models).blessing if experiment.gate.needs_facts else None
    evaluator = add("evaluator", **data, **models, **rivals, infra_blessing=facts)
    infra_blessing = facts or add("infra_validator", **data, **models).blessing
    blessings = {"model_blessing": evaluator.blessing, "infra_blessing": infra_blessing}
    folds = _join_folds(pipeline, experiment, [evaluator.evaluation, *others]) if experiment.splits.folds else None
    if experiment.training.final is not None:
        models, blessings = _add_final(add, {**data, "hyperparameters": best}, models, blessings)
    judged = {"evaluation": evaluator.evaluation, "cross_validation": folds}
    add("pusher", **models, **blessings, statistics=statistics, **judged)
    if experiment.predict:
        add("bulk_inferrer", saved_model=models["saved_model"], model_blessing=evaluator.blessing)
    return pipeline


def _check_one_chain(experiment: Experiment, *, first: TrainerSettings) -> None:
    """Rejects settings that train more networks, each of which would need all of the trainings, and a first "latest"."""
    asked = {
        "search": experiment.search,
        "splits.folds": experiment.splits.folds,
        "training.final": experiment.training.final,
    }
    for setting, value in asked.items():
        if value is not None:
            raise GraphError(f"several trainings cannot be combined with {setting}", received=value, hint="leave it out")
    named = {f"model.options.{option}": LATEST for option in latest_options(first.model.options)}
    if first.model.weights == LATEST:
        named["model.weights"] = LATEST
    if named:
        raise GraphError(
            "the first of several trainings has none before it whose network it could take",
            received=named,
            hint="name a .keras file, or leave it out",
        )


def _add_steps(pipeline: Pipeline, trainings: Sequence[TrainerSettings], **data: Channel) -> dict[str, Input]:
    """Adds trainings that follow each other; returns what the next one gets of the last."""
    base: dict[str, Input] = {}
    for number, settings in enumerate(trainings, 1):
        inputs: dict[str, Input | None] = {**data, **base}
        node = pipeline.add("trainer", name=f"trainer_step_{number}", settings=settings, alone=False, **inputs)
        base = {"base_model": node.model, "base_examples": data["examples"]}
    return base


def _earlier_training(experiment: Experiment) -> dict[str, Input]:
    """What the trainer gets of the training of the last blessed model, if its weights begin there."""
    if experiment.model.weights != LATEST:
        return {}
    return {"base_model": LatestTraining("trainer", "model"), "base_examples": LatestTraining("trainer", "examples")}


def _fold_adder(pipeline: Pipeline, experiment: Experiment, fold: int) -> Callable[..., Node]:
    """Adds stages of a fold under their own names."""
    settings = fold_settings(experiment, fold)

    def add(stage: str, **inputs: Input | None) -> Node:
        path, name = lookup.STAGES.path(stage), f"{stage.removeprefix('fold_')}_fold_{fold}"
        return pipeline.add(path, name=name, settings=settings[stage], alone=False, **inputs)

    return add


def _add_folds(pipeline: Pipeline, experiment: Experiment, *, schema: Channel, anomalies: Channel) -> list[Channel]:
    """Adds what leads to the evaluation of each fold from 2 on, and returns these evaluations.

    The first fold is that of the standard stages, which come later: so the newest model and evaluation of a run are theirs.
    The schema is that of all images, the same for each fold.
    """
    evaluations = []
    for fold in range(2, (experiment.splits.folds or 0) + 1):
        add = _fold_adder(pipeline, experiment, fold)
        examples = add("example_gen", previous=Previous(f"example_gen_fold_{fold}", "examples")).examples
        own = {"examples": examples, "schema": schema}
        own["transform_graph"] = add("transform", **own, anomalies=anomalies).transform_graph
        model = add("trainer", **own).model
        saved_model = add("exporter", **own, model=model).saved_model
        evaluations.append(add("fold_evaluator", **own, model=model, saved_model=saved_model).evaluation)
    return evaluations


def _join_folds(pipeline: Pipeline, experiment: Experiment, evaluations: Sequence[Channel]) -> Channel | None:
    """Adds a stage per fold that joins its scores to those of the folds before it; returns the scores of all."""
    scores = None
    for fold, evaluation in enumerate(evaluations, 1):
        add = _fold_adder(pipeline, experiment, fold)
        scores = add("cross_validation", evaluation=evaluation, before=scores).scores
    return scores


def _add_final(
    add: Callable[..., Node],
    data: Mapping[str, Channel | None],
    models: Mapping[str, Channel],
    blessings: Mapping[str, Channel],
) -> tuple[dict[str, Channel], dict[str, Channel]]:
    """Adds the final training and what follows from it; returns the models and blessings that the pusher gets.

    The blessing of the evaluator stays that of the judged model, which alone is a baseline for later runs: the final network
    has learned from the images that such a comparison uses.
    """
    plan = add("final_plan", model=models["model"], **blessings).plan
    model = add("final_trainer", **data, judged=models["model"], plan=plan).model
    data = {name: channel for name, channel in data.items() if name != "hyperparameters"}
    saved_model = add("final_exporter", **data, model=model, judged=models["saved_model"]).saved_model
    served = {"model": model, "saved_model": saved_model}
    proof = add("final_infra_validator", **data, **served, judged=blessings["infra_blessing"]).blessing
    return served, {**blessings, "infra_blessing": proof}


def load_pipeline(path: Path | str, *, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline of a file: the result of its `pipeline(experiment)`, or else the standard graph of its experiment.

    Args:
        path: a Python file with `EXPERIMENT`, and `pipeline` if it defines another graph.
        overrides: texts of the form `training.epochs=3`.

    Raises:
        ConfigError: the file, the experiment or an override is wrong.
        GraphError: the stages do not fit together, or leave out the final training that the experiment requires.
    """
    module = load_pipeline_module(path)
    return _pipeline_of(module, Path(path), experiment_of(module, overrides=overrides))


def load_recorded(path: Path, experiment: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a file with other settings than the file has now: those that an earlier run had.

    Args:
        path: the file. Its `pipeline` function and the classes that it defines are used, its `EXPERIMENT` is not.
        experiment: plain data, from `Experiment.to_data`.

    Raises:
        ConfigError: the file does not run, or this version of kerasvision does not accept the settings.
        GraphError: as `load_pipeline`.
    """
    module = load_pipeline_module(path)
    return _pipeline_of(module, path, Experiment.parse(experiment))


def _pipeline_of(module: ModuleType, path: Path, experiment: Experiment) -> Pipeline:
    """The result of the file's `pipeline` function, or else the standard graph."""
    if not hasattr(module, "pipeline"):
        pipeline = standard_pipeline(experiment)
    else:
        with run_by_user(path, "does not return a pipeline"):
            pipeline = module.pipeline(experiment)
        if not isinstance(pipeline, Pipeline):
            raise GraphError(f"pipeline(experiment) in {path} must return a Pipeline", received=pipeline)
        _check_final(experiment, pipeline)
    for name in sorted(experiment.cluster.stages - pipeline.nodes.keys()):
        near = lookup.did_you_mean(name, pipeline.nodes)
        raise GraphError(f"cluster names a stage {name!r} that the pipeline does not have; {near}")
    pipeline.hooks, pipeline.listeners, pipeline.cluster = experiment.hooks, experiment.listeners, experiment.cluster
    pipeline.object_store = experiment.object_store
    pipeline.runner = experiment.runner
    pipeline.origin = PipelineFile(path, experiment.to_data())
    return pipeline


def _check_final(experiment: Experiment, pipeline: Pipeline) -> None:
    """The final training is wasted if its network is not exported, proven and pushed."""
    if experiment.training.final is None:
        return
    stages = {name: lookup.STAGES.load(name) for name in ("final_trainer", "final_exporter", "final_infra_validator")}
    made = {name: node for name, node in pipeline.nodes.items() if node.function in stages.values()}
    pushers = [node for node in pipeline.nodes.values() if "pushed_model" in node.signature.outputs]
    wanted = ("model", "saved_model", "infra_blessing")
    is_pushed = any(all(_producer(node, name) in made for name in wanted) for node in pushers)
    if not is_pushed:
        raise GraphError(
            "training.final='all' requires a pusher whose model, saved_model and infra_blessing come from "
            f"{', '.join(stages)}",
            received=", ".join(pipeline.nodes),
            hint="add these stages and final_plan as standard_pipeline does, or set training.final=None",
        )


def _producer(node: Node, name: str) -> str | None:
    """The stage that makes an input of a node; None if the node does not have that input."""
    channel = node.inputs.get(name)
    return channel.producer if isinstance(channel, Channel) else None
