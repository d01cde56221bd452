"""Predicts a folder or a table of images with a blessed model."""

from pathlib import Path

from kerasvision.config.runners import LOCAL, Runner
from kerasvision.config.stages import BulkInferrerSettings
from kerasvision.pipeline.artifacts import InferenceResult, ModelBlessing, Out, SavedModel


def bulk_inferrer(
    saved_model: SavedModel,
    model_blessing: ModelBlessing,
    inference_result: Out[InferenceResult],
    *,
    settings: BulkInferrerSettings,
    work: Path,
    runner: Runner = LOCAL,
) -> None:
    """SavedModel, ModelBlessing -> InferenceResult, or a record of why it predicts nothing. It continues a killed run."""
    from kerasvision.data.mapping.mapper import mapper_of
    from kerasvision.export.asking.bulk import predict_to_file, record_inference, record_unasked
    from kerasvision.export.asking.pictures import picture_folders
    from kerasvision.export.asking.tiles import predictor

    if model_blessing.properties.get("blessed") != 1:
        why = str(model_blessing.properties.get("reason", "the model is not blessed"))
        record_unasked(inference_result.record, why=why)
        inference_result.properties.update(inferred=0, reason=why)
        return
    asked = settings.predict
    model = predictor(saved_model.saved_model, tiles=asked.tiles)
    summary = predict_to_file(
        model,
        asked.listed,
        out=inference_result.predictions,
        parts=work / "parts",
        top=asked.top,
        least_score=asked.least_score,
        each=asked.each,
        batch_size=asked.batch_size,
        max_pixels=asked.max_pixels,
        writers=picture_folders(
            model,
            pictures=inference_result.pictures if asked.pictures else None,
            maps=inference_result.maps if asked.maps else None,
            least_score=asked.least_score or None,
        ),
        mapper=mapper_of(runner, scratch=work / "scratch"),
    )
    record_inference(inference_result.record, summary)
    inference_result.properties.update(inferred=1, images=summary.images, faults=summary.faults)
