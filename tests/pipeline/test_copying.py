"""Artifacts are copied to an object store, and come back from there, checked, when their folders are gone."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from kerasvision import config as c
from kerasvision.cli import app
from kerasvision.errors import ConfigError, StoreError
from kerasvision.pipeline.artifacts import Model, Out, PushedModel
from kerasvision.pipeline.disk_use import copies_use
from kerasvision.pipeline.garbage import Keep, find_garbage, remove_garbage
from kerasvision.pipeline.history import why
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import plan, run
from kerasvision.pipeline.standard import load_pipeline
from kerasvision.pipeline.store import opened


@pytest.fixture
def address(tmp_path):
    return f"memory://{tmp_path.name}/copies"


class Remarks(Listener):
    def __init__(self):
        self.said = []

    def remark(self, node, sentence):
        self.said.append(f"{node}: {sentence}")


@pytest.fixture
def toy_run(toy, number, tmp_path):
    """Runs the toy pipeline: `toy_run(address, factor=1, root=...)` returns (reused stages, product, remarks)."""

    def start(address, factor=1, *, root="root", **options):
        pipeline, listener = toy.pipeline(number, factor), Remarks()
        pipeline.object_store = address
        result = run(pipeline, root=tmp_path / root, listener=listener, **options)
        product = int((result.artifact("multiply", "model").uri / "product.txt").read_text())
        return [stage.reused for stage in result.stages], product, listener.said

    return start


def clean(root):
    """Removes all artifacts, as somebody does whose disk is full."""
    shutil.rmtree(root / "runs" / "artifacts")


def records(root):
    """node -> record of its artifact."""
    with opened(root / "runs", read_only=True) as store:
        newest, *_ = store.runs()
        return {one.node: made for one in store.executions(newest) for made in one.outputs.values()}


def files(flaky):
    return sorted(path for path in flaky.store)


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_artifacts_whose_folders_are_gone_come_back_and_no_stage_runs(toy_run, tmp_path, scheme):
    address = f"{scheme}://{tmp_path}/copies"
    reused, product, said = toy_run(address, 3)
    assert (reused, product) == ([False, False], 3)
    assert said == [f"read: copied to {address}: examples", f"multiply: copied to {address}: model"]
    clean(tmp_path / "root")
    reused, product, said = toy_run(address, 3)
    assert (reused, product) == ([True, True], 3)
    place = f"{address}/{records(tmp_path / 'root')['multiply'].digest}"
    assert f"multiply: Model was fetched from {place} (1 B)" in said
    # Now they are here, and nothing is said or fetched.
    assert toy_run(address, 3) == ([True, True], 3, [])


def test_another_machine_with_the_store_fetches_without_the_setting(toy_run, tmp_path, address):
    toy_run(address, 3, root="a")
    (tmp_path / "b" / "runs").mkdir(parents=True)
    shutil.copy(tmp_path / "a" / "runs" / "metadata.sqlite", tmp_path / "b" / "runs")
    reused, product, said = toy_run(None, 3, root="b")
    assert (reused, product, len(said)) == ([True, True], 3, 2)
    digests = [{node: one.digest for node, one in records(tmp_path / root).items()} for root in "ab"]
    assert digests[0] == digests[1]


def test_plan_and_why_name_the_copy_that_is_fetched(toy, toy_run, number, tmp_path, address):
    toy_run(address)
    place = f"{address}/{records(tmp_path / 'root')['multiply'].digest}"
    clean(tmp_path / "root")
    planned = plan(toy.pipeline(number), root=tmp_path / "root")
    assert [(one.action, one.why[0].partition(" is ")[0]) for one in planned] == [("reuse", "examples"), ("reuse", "model")]
    assert planned[1].why == (f"model is fetched from {place}",)
    assert not (tmp_path / "root" / "runs" / "artifacts").exists()
    toy_run(address)
    assert why("multiply", root=tmp_path / "root")[1] == ["it had not run before", f"its newest reuse fetched {place}"]


def test_a_setting_that_is_added_later_copies_what_is_reused(toy_run, tmp_path, address):
    assert toy_run(None)[2] == []
    reused, _, said = toy_run(address)
    assert (reused, len(said)) == ([True, True], 2)
    assert toy_run(address)[2] == []
    clean(tmp_path / "root")
    assert toy_run(address)[0] == [True, True]


def test_equal_contents_share_one_copy(toy_run, number, flaky, tmp_path):
    toy_run("flaky://bucket/x", 3, root="a")
    before = files(flaky)
    assert len(before) == 4  # of each artifact a file and a record
    flaky.requests.clear()
    toy_run("flaky://bucket/x", 3, root="b")
    assert {kind for kind, _ in flaky.requests} == {"cat"}
    assert files(flaky) == before


@pytest.mark.parametrize("damage", ["changed", "lost", "record lost", "record changed"])
def test_a_damaged_copy_is_named_and_the_stage_runs_again(toy_run, flaky, tmp_path, damage):
    toy_run("flaky://bucket/x", 3)
    digest = records(tmp_path / "root")["multiply"].digest
    file = f"/bucket/x/{digest}.json" if damage.startswith("record") else f"/bucket/x/{digest}/product.txt"
    if damage.endswith("lost"):
        del flaky.store[file]
    else:
        flaky().pipe_file(file, b"4")
    clean(tmp_path / "root")
    reused, product, said = toy_run("flaky://bucket/x", 3)
    assert (reused, product) == ([True, False], 3)
    told = {
        "changed": "its file product.txt has other content",
        "lost": "its file product.txt is missing",
        "record lost": "it does not exist, or is not complete",
        "record changed": "it is not the record of a copy",
    }
    (sentence,) = (one for one in said if "cannot be used" in one)
    assert sentence == (
        f"multiply: the copy flaky://bucket/x/{digest} of Model cannot be used: {told[damage]}; it is sent again once the "
        "artifact exists here"
    )
    # The stage has made the same content, and its copy is whole again.
    clean(tmp_path / "root")
    assert toy_run("flaky://bucket/x", 3)[:2] == ([True, True], 3)


def test_a_lost_connection_ends_the_run_and_the_next_one_sends_what_is_left(toy_run, flaky, tmp_path):
    # cat and put of the examples; then put fails four times.
    flaky.fails.update(dict.fromkeys(range(2, 6), ConnectionResetError("lost")))
    with pytest.raises(StoreError, match=r"flaky://bucket/x/\w+/sign.txt cannot be written: ConnectionResetError: lost"):
        toy_run("flaky://bucket/x", 3)
    flaky.fails.clear()
    reused, product, said = toy_run("flaky://bucket/x", 3)
    # The result was published before it was copied.
    assert (reused, product, len(said)) == ([True, False], 3, 2)
    clean(tmp_path / "root")
    flaky.requests.clear()
    flaky.fails.update(dict.fromkeys(range(1, 5), TimeoutError("slow")))
    with pytest.raises(StoreError, match=r"cannot be read: TimeoutError: slow\. Check its bucket"):
        toy_run("flaky://bucket/x", 3)
    flaky.fails.clear()
    assert toy_run("flaky://bucket/x", 3)[:2] == ([True, True], 3)


def test_force_runs_the_stages_where_the_object_store_does_not_answer(toy_run, flaky, tmp_path):
    toy_run("flaky://bucket/x", 3)
    clean(tmp_path / "root")
    flaky.fails.update(dict.fromkeys(range(1, 99), TimeoutError("slow")))
    assert toy_run(None, 3, force=True)[:2] == ([False, False], 3)


def test_an_altered_artifact_is_not_overwritten(toy_run, tmp_path, address):
    toy_run(address, 3)
    file = records(tmp_path / "root")["multiply"].uri / "product.txt"
    file.write_text("edited by hand")
    assert toy_run(address, 3)[:2] == ([True, False], 3)
    assert file.read_text() == "edited by hand"


KILLS = {  # moment -> what the run after the kill reuses
    "after sending a file": "[True, False] 3",
    "before the copy is whole": "[True, False] 3",
    "after fetching a file": "[True, True] 3",
    "before renaming what was fetched": "[True, True] 3",
}


# The others are slow: each takes three runs in processes of their own.
QUICK = ("before the copy is whole", "before renaming what was fetched")


@pytest.mark.parametrize("moment", [pytest.param(m, marks=() if m in QUICK else pytest.mark.slow) for m in KILLS])
def test_after_a_kill_the_next_run_goes_on(toy, number, tmp_path, warm, moment):
    def start(*arguments):
        return warm.run_script(toy.__file__, tmp_path, number, 3, *arguments, timeout_seconds=120, with_kerasvision=True)

    address = f"file://{tmp_path}/copies"
    if "fetch" in moment:
        assert start("never", address).returncode == 0
        clean(tmp_path)
    assert start(moment, address).returncode == -9
    done = start("never", address)
    assert (done.returncode, done.stdout.strip()) == (0, KILLS[moment]), done.stderr
    clean(tmp_path)
    assert start("never", address).stdout.strip() == "[True, True] 3"
    assert not list((tmp_path / "runs").rglob("*.tmp"))


def push(model: Model, pushed: Out[PushedModel]) -> None:
    """Writes a version outside the folder, and a record of it."""
    version = pushed.uri.parents[5] / "saved_models" / "toy" / (model.uri / "product.txt").read_text()
    version.mkdir(parents=True, exist_ok=True)
    (version / "saved_model.pb").write_text("a")
    pushed.record.write_text(
        json.dumps({"pushed": True, "destination": f"../../../../../../saved_models/toy/{version.name}"})
    )
    pushed.properties.update(pushed=1, pushed_destination=f"saved_models/toy/{version.name}", pushed_version=1)


@pytest.mark.parametrize("version", ["here", "altered", "gone"])
def test_a_push_comes_back_only_where_its_version_is(toy, number, tmp_path, version):
    def pipeline():
        made = toy.pipeline(number, 3)
        made.add(push, model=made.nodes["multiply"].model)
        made.object_store = f"file://{tmp_path}/copies"
        return made

    def start():
        return run(pipeline(), root=tmp_path / "root", listener=(remarks := Remarks())), remarks.said

    start()
    clean(tmp_path / "root")
    pushed = tmp_path / "root" / "saved_models" / "toy" / "3"
    if version == "altered":
        (pushed / "saved_model.pb").write_text("b")
    if version == "gone":
        shutil.rmtree(pushed)
        assert [one.action for one in plan(pipeline(), root=tmp_path / "root")] == ["reuse", "reuse", "run"]
    result, said = start()
    assert [stage.reused for stage in result.stages] == [True, True, version == "here"]
    refused = "files outside its folder that belong to it are missing here, or were altered"
    assert any(refused in sentence for sentence in said) == (version != "here")
    # It is the copy of another version, and stays for whoever has that version.
    shutil.rmtree(pushed)
    pushed.mkdir()
    (pushed / "saved_model.pb").write_text("a")
    clean(tmp_path / "root")
    assert all(stage.reused for stage in start()[0].stages)


def test_removal_takes_the_copies_of_what_it_removes(toy_run, flaky, tmp_path):
    address = "flaky://bucket/x"
    for factor in (2, 3):
        toy_run(address, factor)
    digest = {factor: records_of(tmp_path / "root", factor) for factor in (2, 3)}
    before = files(flaky)
    with opened(tmp_path / "root" / "runs", read_only=True) as store:
        found = find_garbage(store, Keep(runs=1))
        assert copies_use(store) == [(address, 3, 3)]
    assert found.copies == {f"{address}/{digest[2]}": 1}
    assert found.size == sum(found.artifacts.values())
    assert files(flaky) == before
    with opened(tmp_path / "root" / "runs") as store:
        assert remove_garbage(store, Keep(runs=1)).copies == found.copies
        assert copies_use(store) == [(address, 2, 2)]
        assert remove_garbage(store, Keep(runs=1)).paths() == []
    assert [path for path in before if digest[2] in path] == sorted(set(before) - set(files(flaky)))
    clean(tmp_path / "root")
    assert toy_run(address, 3)[0] == [True, True]


def records_of(root, factor):
    with opened(root / "runs", read_only=True) as store:
        outputs = [outputs for _, outputs in store.earlier_outputs("toy", "multiply")]
        return next(one["model"].digest for one in outputs if one["model"].properties["product"] == factor)


def test_a_copy_that_another_artifact_shares_stays(toy, toy_run, number, flaky, tmp_path):
    address = "flaky://bucket/x"
    toy_run(address, 3)
    # The same content, made by another execution, because the first one was altered.
    (records(tmp_path / "root")["multiply"].uri / "product.txt").write_text("edited")
    toy_run(address, 3)
    with opened(tmp_path / "root" / "runs") as store:
        removed = remove_garbage(store, Keep(runs=1))
    assert (len(removed.artifacts), removed.copies) == (1, {})
    clean(tmp_path / "root")
    assert toy_run(address, 3)[0] == [True, True]


def test_a_removal_that_cannot_reach_the_object_store_goes_on_later(toy_run, flaky, tmp_path):
    address = "flaky://bucket/x"
    for factor in (2, 3):
        toy_run(address, factor)

    def fail(*_, **__):
        raise TimeoutError("slow")

    with pytest.MonkeyPatch.context() as patch, opened(tmp_path / "root" / "runs") as store:
        patch.setattr(flaky, "rm", fail)
        with pytest.raises(StoreError, match="cannot be removed: TimeoutError: slow"):
            remove_garbage(store, Keep(runs=1))
    # What was removed here is not brought back meanwhile.
    with opened(tmp_path / "root" / "runs") as store:
        assert len(remove_garbage(store, Keep(runs=1)).copies) == 1
    assert len(files(flaky)) == 4


def test_what_a_killed_copy_left_is_removed_with_its_artifact(toy_run, flaky, tmp_path):
    # The product's record is read, its file sent, and its record fails.
    flaky.fails.update(dict.fromkeys(range(6, 10), ConnectionResetError("lost")))
    with pytest.raises(StoreError, match="json cannot be written"):
        toy_run("flaky://bucket/x", 2)
    flaky.fails.clear()
    assert len(files(flaky)) == 3
    toy_run(None, 3)
    with opened(tmp_path / "root" / "runs") as store:
        assert copies_use(store) == [("flaky://bucket/x", 1, 1)]
        assert len(remove_garbage(store, Keep(runs=1)).copies) == 1
    assert len(files(flaky)) == 2


def test_the_commands_name_the_copies(toy_run, tmp_path):
    address = f"file://{tmp_path}/copies"
    for factor in (2, 3):
        toy_run(address, factor)

    def command(*words):
        done = CliRunner().invoke(app, [*words, "--root", str(tmp_path / "root")])
        assert done.exit_code == 0, done.output
        return done.output

    assert f"3 B (3 bytes) in {address}, in 3 copies: not counted above" in command("runs", "disk")
    assert json.loads(command("runs", "disk", "--json"))["object_stores"] == [{"address": address, "copies": 3, "size": 3}]
    shown = command("runs", "gc", "--keep", "1")
    assert "copies in object stores: 1, 1 B" in shown
    assert "1 B here and 1 B in object stores would be removed; --delete removes it" in shown


def test_the_setting_is_checked_when_the_file_is_read(tmp_path):
    file = tmp_path / "pipeline.py"
    text = """from kerasvision import config as c

EXPERIMENT = c.Experiment(name="digits", source=c.Digits(), transform=c.Transform(image_size=(32, 32)),
                          task=c.Classification(), model=c.Model(name="lenet5"), object_store={!r})
"""
    file.write_text(text.format("/mnt/share"))
    with pytest.raises(
        ConfigError, match=r"pipeline.py:3: the address of an object store begins with a scheme; received '/mnt/share'"
    ):
        load_pipeline(file)
    file.write_text(text.format("s3://bucket/x/"))
    loaded = load_pipeline(file)
    assert loaded.object_store == "s3://bucket/x"
    with pytest.raises(ConfigError, match="requires the package s3fs"):
        plan(loaded, root=tmp_path)


def test_no_result_depends_on_the_object_store():
    one, other = (
        c.Experiment(
            name="d",
            source=c.Digits(),
            transform=c.Transform(image_size=(32, 32)),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
            object_store=address,
        )
        for address in (None, "s3://bucket/x")
    )
    from kerasvision.config.stages import stage_settings

    assert stage_settings(one) == stage_settings(other)
