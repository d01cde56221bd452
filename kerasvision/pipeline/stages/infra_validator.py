"""Loads the SavedModel in a fresh process, sends it encoded images, and compares its answers with the trained model's."""

from kerasvision.config.stages import InfraValidatorSettings
from kerasvision.pipeline.artifacts import Examples, InfraBlessing, Model, Out, SavedModel, Schema, TransformGraph
from kerasvision.pipeline.graph import prepared_by


def _start_early() -> None:
    from kerasvision.export.proof.fresh_process import start_early

    start_early()


@prepared_by(_start_early)
def infra_validator(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    saved_model: SavedModel,
    blessing: Out[InfraBlessing],
    *,
    settings: InfraValidatorSettings,
) -> None:
    """Examples, Model, SavedModel -> InfraBlessing."""
    from kerasvision.export.proof.canary import prove_on_canaries

    certificate = prove_on_canaries(
        model_file=model.keras_file,
        model_settings=model.settings,
        saved_model=saved_model.saved_model,
        record=saved_model.record,
        examples=examples.data,
        schema=schema.file,
        transform=transform_graph.file,
        settings=settings.serving,
    )
    certificate.save(blessing.uri)
    blessing.properties.update(blessed=int(certificate.blessed), reason="; ".join(certificate.complaints))
