"""Fingerprints change with every change that matters, and with no other."""

import errno
import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.base import canonical_json
from kerasvision.config.stages import stage_settings
from kerasvision.pipeline.checks import check_pipeline
from kerasvision.pipeline.code import code_digests
from kerasvision.pipeline.digests import file_digests, tree_digest
from kerasvision.pipeline.fingerprint import fingerprint
from kerasvision.pipeline.standard import standard_pipeline
from kerasvision.pipeline.store import opened


def digests_of(folder, *, stage="stage"):
    """Code digests of a module in a folder, from a fresh process."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from kerasvision.pipeline.code import code_digests"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import json; print(json.dumps(code_digests([{stage!r}])))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return __import__("json").loads(done.stdout)


def test_code_of_an_indirect_import_is_seen(tmp_path):
    (tmp_path / "stage.py").write_text("def stage():\n    from own import helper\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    (tmp_path / "own" / "helper.py").write_text(
        textwrap.dedent("""
        import json
        import numpy
        from . import deeper
    """)
    )
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
            name="test",
            source=c.Digits(),
            transform=c.Transform(image_size=(32, 32)),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
            export=c.Export(formats=formats),
        )
        nodes = standard_pipeline(experiment).nodes
        with opened(tmp_path / "runs") as store:
            return [set(fingerprint(nodes[name], {}, store).versions) for name in ("exporter", "trainer")]

    (exporter, trainer), (plain, _) = versions("onnx"), versions()
    assert exporter - plain == {"onnx", "onnxruntime", "tf2onnx"}
    assert trainer == plain


def test_trainer_depends_on_the_chosen_network_alone():
    experiment = c.Experiment(
        name="test",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
    )
    chosen = {path.partition(":")[0] for path in stage_settings(experiment)["trainer"].code_paths()}
    code = code_digests(chosen | {"kerasvision.pipeline.stages.trainer"})
    assert "kerasvision.models.lenet" in code
    assert "kerasvision.models.resnet" not in code
    assert {"kerasvision.training.fit", "kerasvision.data.feeding.batches", "kerasvision.ops.images"} <= set(code)
    assert not any(name.startswith(("kerasvision.cli", "kerasvision.tuning")) for name in code)


def test_location_of_a_source_is_no_part_of_its_identity(tmp_path):
    assert c.ImageFolder(path=tmp_path).identity() == c.ImageFolder(path="/elsewhere").identity()
    assert c.Idx(path="/a", max_examples=3).identity() != c.Idx(path="/a", max_examples=4).identity()


@given(st.dictionaries(st.text(max_size=4), st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_canonical_text_does_not_depend_on_order(data):
    assert canonical_json(data) == canonical_json(dict(reversed(list(data.items()))))


def photos(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    return c.ImageFolder(path=folder)


def test_what_lies_behind_links_is_in_the_fingerprint(tmp_path):
    source = photos(tmp_path / "data", "dog/1.jpg")
    photos(tmp_path / "disk2", "cat/2.jpg", "more/3.jpg")
    (tmp_path / "data" / "cat").symlink_to(tmp_path / "disk2" / "cat")
    (tmp_path / "data" / "dog" / "more").symlink_to(tmp_path / "disk2" / "more")
    with opened(tmp_path / "runs") as store:
        before = file_digests(source.files(), store)
        (tmp_path / "disk2" / "more" / "3.jpg").write_bytes(b"another image")
        photos(tmp_path / "disk2", "cat/4.jpg")
        after = file_digests(source.files(), store)
    assert list(before) == ["cat/2.jpg", "dog/1.jpg", "dog/more/3.jpg"]
    assert {name for name in after if after[name] != before.get(name)} == {"cat/4.jpg", "dog/more/3.jpg"}


def test_a_file_without_permission_is_a_state_of_its_own(tmp_path, monkeypatch):
    source = photos(tmp_path / "data", "cat/1.jpg", "cat/2.jpg")
    refused, path_open = set(), Path.open

    def refuse(path, *mode):
        if path.name in refused:
            raise PermissionError(13, "Permission denied")
        return path_open(path, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    with opened(tmp_path / "runs") as store:
        readable = file_digests(source.files(), store)
        refused.add("2.jpg")
        closed = file_digests(source.files(), store)
        refused.clear()
        assert file_digests(source.files(), store) == readable
    assert closed == readable | {"cat/2.jpg": "cannot be read: Permission denied"}
    assert readable["cat/1.jpg"] == hashlib.sha256(b"cat/1.jpg").hexdigest()


def test_names_of_any_bytes_and_files_that_vanish_end_nothing(tmp_path):
    source = photos(tmp_path / "caf\udce9", "cat/\udcff.jpg", "cat/a\nb.jpg", "cat/gone.jpg")
    os.mkfifo(tmp_path / "caf\udce9" / "cat" / "pipe.jpg")
    listed = list(source.files())
    (tmp_path / "caf\udce9" / "cat" / "gone.jpg").unlink()
    with opened(tmp_path / "runs") as store:
        first, again = file_digests(listed, store), file_digests(listed, store)
    assert first == again
    assert first == {
        r"cat/a\nb.jpg": hashlib.sha256(b"cat/a\nb.jpg").hexdigest(),
        "cat/gone.jpg": "cannot be read: No such file or directory",
        r"cat/\udcff.jpg": hashlib.sha256(b"cat/\xff.jpg").hexdigest(),
    }
    assert canonical_json({"path": "caf\udce9"}) == r'{"path":"caf\udce9"}'


def test_a_file_without_permission_stops_no_check_before_the_run(tmp_path, monkeypatch):
    source = photos(tmp_path / "data", "cat/1.jpg", "dog/2.jpg")
    experiment = c.Experiment(
        name="test",
        source=source,
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
    )
    stat = Path.stat

    def refuse(path, **choices):
        if path.name == "1.jpg":
            raise PermissionError(13, "Permission denied")
        return stat(path, **choices)

    monkeypatch.setattr(Path, "stat", refuse)
    check_pipeline(standard_pipeline(experiment))
    assert [name for name, _ in source.files()] == ["cat/1.jpg", "dog/2.jpg"]


def test_a_folder_with_a_file_that_cannot_be_read_has_no_digest(tmp_path, monkeypatch):
    """A result was published with the digest of the words "cannot be read"."""
    (tmp_path / "number.txt").write_text("7")

    def refuse(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr("kerasvision.pipeline.digests.file_digest", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        tree_digest([tmp_path], None)
