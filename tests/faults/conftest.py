"""Fixtures for the tests of planted faults: three small clean data sets, and a check of a data set without a pipeline."""

import shutil
from types import SimpleNamespace

import pytest

# Programs, and modules that only they import: the folder is on the import path only there.
collect_ignore = [
    "campaign.py", "campaign_digits.py", "digits_alike.py", "disturbed.py", "edited_project.py", "expected_runs.py",
    "refused_push.py", "sequences.py",
]  # fmt: skip


def look_at(source, folder, *, policy=None, splits=None):
    """The manifest, the statistics and the table of images of a source, as the stages up to statistics_gen make them."""
    from kerasvision import config as c
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.ingesting.ingest import ingest
    from kerasvision.data.measuring.statistics import compute_statistics

    folder.mkdir(parents=True)
    manifest = ingest(
        source,
        splits=splits or c.Splits(),
        policy=policy or c.Ingest(policy="report"),
        data=folder / "data",
        manifest=folder / "manifest.parquet",
        span=folder / "span.json",
    ).manifest
    statistics, images = compute_statistics(ExampleSet(folder / "data"), manifest)
    return SimpleNamespace(manifest=manifest, statistics=statistics, images=images)


@pytest.fixture(scope="session")
def clean_set(tmp_path_factory, make_images):
    """(maker's name, root -> source) -> a clean data set, examined once: `root`, `schema`, `manifest`, ..."""
    made = {}

    def make(maker, source_of):
        from kerasvision.data.validating.schema import DataSchema

        if maker not in made:
            root = getattr(make_images, maker)(tmp_path_factory.mktemp(maker) / "set")
            looked = look_at(source_of(root), tmp_path_factory.mktemp(maker) / "looked")
            made[maker] = SimpleNamespace(root=root, schema=DataSchema.infer(looked.statistics), **vars(looked))
        return made[maker]

    return make


@pytest.fixture(scope="session")
def planted(clean_set, tmp_path_factory):
    """(maker's name, root -> source, how to plant) -> the anomalies of the clean set with faults in it.

    Every image without a planted fault must still be usable; `spoilt` has the ids of those whose annotation is damaged and
    whose bytes are not.
    """

    def plant(maker, source_of, change, *, schema=None, previous=False, spoilt=(), **choices):
        from kerasvision.data.validating.drift import PreviousRun
        from kerasvision.data.validating.validation import find_anomalies

        clean = clean_set(maker, source_of)
        root = tmp_path_factory.mktemp("planted") / "set"
        shutil.copytree(clean.root, root)
        change(root)
        looked = look_at(source_of(root), root.with_name("looked"), **choices)
        good = looked.manifest[looked.manifest["fault"] == ""]
        same = looked.manifest.merge(clean.manifest, on=["id", "sha256", "label"])["id"]
        assert set(same) - set(spoilt) <= set(good["id"]), "a fault takes sound images with it"
        return find_anomalies(
            looked.statistics,
            clean.schema.model_copy(update=schema or {}),
            images=looked.images,
            previous=PreviousRun(clean.statistics, clean.images) if previous else None,
        )

    return plant
