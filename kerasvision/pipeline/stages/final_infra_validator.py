"""Proves the SavedModel of the final training; without such a training, passes on the proof of the judged one."""

import shutil

from kerasvision.config.stages import InfraValidatorSettings
from kerasvision.pipeline.artifacts import Examples, InfraBlessing, Model, Out, SavedModel, Schema, TransformGraph


def final_infra_validator(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    saved_model: SavedModel,
    judged: InfraBlessing,
    blessing: Out[InfraBlessing],
    *,
    settings: InfraValidatorSettings,
) -> None:
    """Examples, Model, SavedModel -> InfraBlessing."""
    from kerasvision.pipeline.stages.infra_validator import infra_validator

    if "final_images" not in model.properties:
        shutil.copytree(judged.uri, blessing.uri, dirs_exist_ok=True)
        blessing.properties.update(judged.properties)
        return
    infra_validator(
        examples=examples,
        schema=schema,
        transform_graph=transform_graph,
        model=model,
        saved_model=saved_model,
        blessing=blessing,
        settings=settings,
    )
