"""Which files of a run of pipelines/digits.py no two runs write alike, on one machine either."""

# Keras' file has its date and addresses in memory, and TensorFlow orders the graph of a SavedModel differently. The others
# contain seconds. The digest of what was pushed covers the date of the push.
VARYING = {
    "trainer.model": {"Format-Keras/model.keras"},
    "exporter.saved_model": {"Format-Serving/fingerprint.pb", "Format-Serving/saved_model.pb"},
    "simple_models.scores": {"simple_scores.csv", "simple_scores.json"},
    "evaluator.evaluation": {"evaluation.html"},
    "infra_validator.blessing": {"certificate.json"},
    "pusher.pushed_model": set(),
}


def contents(folder):
    """Path -> bytes of every file."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
