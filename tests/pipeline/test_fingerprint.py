"""Fingerprints see every change that matters, and no other."""

import subprocess
import sys
import textwrap

from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.base import canonical_json
from kerasvision.config.stages import stage_settings
from kerasvision.pipeline.fingerprint import code_digests, fingerprint
from kerasvision.pipeline.standard import standard_pipeline
from kerasvision.pipeline.store import opened


def digests_of(folder, *, stage="stage"):
    """Code digests of a module in a folder, in a fresh process that has never seen it."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from kerasvision.pipeline.fingerprint import code_digests"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import json; print(json.dumps(code_digests([{stage!r}])))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return __import__("json").loads(done.stdout)


def test_code_of_an_indirect_import_is_seen(tmp_path):
    (tmp_path / "stage.py").write_text("def stage():\n    from own import helper\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    (tmp_path / "own" / "helper.py").write_text(textwrap.dedent("""
        import json
        import numpy
        from . import deeper
    """))
    (tmp_path / "own" / "deeper.py").write_text("VALUE = 1\n")
    before = digests_of(tmp_path)
    assert set(before) == {"stage", "own", "own.helper", "own.deeper"}
    (tmp_path / "own" / "deeper.py").write_text("VALUE = 2\n")
    after = digests_of(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"own.deeper"}


def test_imports_are_seen_wherever_they_stand(tmp_path):
    written = """
        import own.a, own.b as b
        from own import (c,  # with a note (in brackets)
                         d)
        from own \\
            import e
        if b: import own.f
        x = 1; import own.g
        def stage():
            from own import (
                h,
                i,
            )
    """
    (tmp_path / "own").mkdir()
    for name in ("__init__", *"abcdefghi"):
        (tmp_path / "own" / f"{name}.py").write_text("")
    lines = textwrap.dedent(written).strip().splitlines()
    parts = [lines[0], "\n".join(lines[1:3]), "\n".join(lines[3:5]), lines[5], lines[6], "\n".join(lines[7:])]
    for number, part in enumerate([*parts, "\n".join(lines)]):
        (tmp_path / f"stage{number}.py").write_text(part + "\n")
    seen = [set(digests_of(tmp_path, stage=f"stage{number}")) for number in range(7)]
    expected = ["ab", "cd", "e", "f", "g", "hi", "abcdefghi"]
    assert [{name[-1] for name in found if name.startswith("own.")} for found in seen] == [set(names) for names in expected]


def test_planning_a_user_module_does_not_import_it(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "own" / "stage.py").write_text("")
    assert set(digests_of(tmp_path, stage="own.stage")) == {"own", "own.stage"}


def test_what_only_some_settings_need_counts_with_its_version_there_alone(tmp_path):
    def versions(*formats):
        experiment = c.Experiment(
            name="test", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
            model=c.Model(name="lenet5"), export=c.Export(formats=formats),
        )  # fmt: skip
        nodes = standard_pipeline(experiment).nodes
        with opened(tmp_path / "runs") as store:
            return [set(fingerprint(nodes[name], {}, store).versions) for name in ("exporter", "trainer")]

    (exporter, trainer), (plain, _) = versions("onnx"), versions()
    assert exporter - plain == {"onnx", "onnxruntime", "tf2onnx"}
    assert trainer == plain


def test_trainer_depends_on_the_chosen_network_alone():
    experiment = c.Experiment(
        name="test", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
        model=c.Model(name="lenet5"),
    )  # fmt: skip
    chosen = {path.partition(":")[0] for path in stage_settings(experiment)["trainer"].code_paths()}
    code = code_digests(chosen | {"kerasvision.pipeline.stages.trainer"})
    assert "kerasvision.models.lenet" in code
    assert "kerasvision.models.resnet" not in code
    assert {"kerasvision.training.fit", "kerasvision.data.batches", "kerasvision.ops.images"} <= set(code)
    assert not any(name.startswith(("kerasvision.cli", "kerasvision.tuning")) for name in code)


def test_location_of_a_source_is_no_part_of_its_identity(tmp_path):
    assert c.ImageFolder(path=tmp_path).identity() == c.ImageFolder(path="/elsewhere").identity()
    assert c.Idx(path="/a", max_examples=3).identity() != c.Idx(path="/a", max_examples=4).identity()


@given(st.dictionaries(st.text(max_size=4), st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_canonical_text_does_not_depend_on_order(data):
    assert canonical_json(data) == canonical_json(dict(reversed(list(data.items()))))
