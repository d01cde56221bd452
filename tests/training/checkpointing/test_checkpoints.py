"""Checkpoints: values are restored bit for bit; a damaged or foreign checkpoint is reported and not used."""

import json
import shutil

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from kerasvision.errors import ConfigError, StageError
from kerasvision.training.checkpointing import checkpoint_files
from kerasvision.training.checkpointing.checkpoints import Checkpoints
from kerasvision.training.checkpointing.packing import index_of, pack, unpack
from kerasvision.training.checkpointing.variable_values import assign_values, read_values

STATE = {"epoch": 3, "history": {"loss": [0.1, float("inf")]}, "best": None, "name": "über"}


@pytest.fixture
def checkpoints(tmp_path):
    with Checkpoints(tmp_path / "work" / "checkpoints", identity={"training": {"epochs": 3}}) as made:
        yield made


def names(checkpoints):
    return sorted(path.name for path in checkpoints.folder.iterdir() if path.name != ".lock")


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name].dtype, one[name].shape) == (other[name].dtype, other[name].shape), name
        same = (
            one[name].tolist() == other[name].tolist()
            if one[name].dtype == object
            else (one[name].tobytes() == other[name].tobytes())
        )
        assert same, name


# --- Saved and restored


def test_arrays_of_every_kind_come_back_bit_for_bit(checkpoints):
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**16, 100).astype(np.uint16)  # including every kind of NaN
    arrays = {
        "float32": random.normal(size=(3, 4)).astype(np.float32),
        "float64 in Fortran order": np.asfortranarray(random.normal(size=(3, 4))),
        "float16": bits.view(np.float16),
        "bfloat16": bits.view(ml_dtypes.bfloat16).reshape(10, 10),
        "float8": bits.view(np.uint8).view(ml_dtypes.float8_e4m3fn),
        "int64": np.array(2**63 - 1),
        "uint8": np.arange(5, dtype=np.uint8)[::2],
        "big-endian": np.array([1, 2], ">i4"),
        "bool": np.array([True, False]),
        "no rows": np.zeros((0, 7), np.float32),
        "no rows of bfloat16": np.zeros((3, 0), ml_dtypes.bfloat16),
        "text": np.array(["ä", "longer"]),
        "bytes": np.array([b"a\0", b"bc"]),
        "TensorFlow's strings": tf.constant([[b"a\0\0", b"", b"\xff"]]).numpy(),
        "one string": np.array(b"x\0", object),
        "with/slashes and \0": np.ones(1),
    }
    checkpoints.save(arrays, STATE, step=7)
    found = checkpoints.latest()
    assert_same_bits(found.arrays, arrays)
    assert (found.step, found.state, found.notes) == (7, STATE, ())


@settings(max_examples=50)
@given(
    st.lists(
        arrays_of.arrays(
            st.one_of(arrays_of.scalar_dtypes(), arrays_of.unicode_string_dtypes(), arrays_of.byte_string_dtypes()),
            arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
        ),
        max_size=4,
    )
)
def test_packing_loses_nothing(drawn):
    arrays = {str(number): array for number, array in enumerate(drawn)}
    index = json.loads(json.dumps(index_of(arrays)))
    assert_same_bits(unpack(np.frombuffer(b"".join(pack(arrays)), np.uint8), index), arrays)


def test_what_a_checkpoint_cannot_hold_is_refused_before_anything_is_written(checkpoints):
    with pytest.raises(StageError, match="numbers, booleans and strings; thing has Python objects"):
        checkpoints.save({"thing": np.array([object()])}, {}, step=1)
    with pytest.raises(StageError, match="record has dtype"):
        checkpoints.save({"record": np.zeros(2, [("a", "i4"), ("b", "f4")])}, {}, step=1)
    with pytest.raises(StageError, match="the state in a checkpoint must be plain data; .* is of type object"):
        checkpoints.try_save({}, {"thing": object()}, step=1)
    assert names(checkpoints) == []


def test_single_numbers_of_numpy_in_the_state_become_pythons(checkpoints):
    checkpoints.save({}, {"loss": np.float32(0.1), "epoch": np.int64(3)}, step=1)
    assert checkpoints.latest().state == {"loss": 0.10000000149011612, "epoch": 3}


def test_without_a_checkpoint_there_is_none(checkpoints, tmp_path):
    assert checkpoints.latest() is None
    assert Checkpoints(tmp_path / "nowhere", identity={}).latest() is None
    assert not (tmp_path / "nowhere").exists()


def test_the_newest_two_are_kept(checkpoints):
    for step in (99999999, 100000000, 1000000000):
        checkpoints.save({"step": np.array(step)}, {}, step=step)
    assert names(checkpoints) == ["step-100000000", "step-1000000000"]
    assert checkpoints.latest().arrays["step"] == 1000000000


def test_saving_a_step_again_replaces_it(checkpoints):
    for mark in (1, 2):
        checkpoints.save({"mark": np.array(mark)}, {}, step=5)
    assert checkpoints.latest().arrays["mark"] == 2
    assert names(checkpoints) == ["step-00000005"]


def test_between_two_renames_the_old_one_of_that_step_counts(checkpoints):
    checkpoints.save({"mark": np.array(1)}, {}, step=5)
    (checkpoints.folder / "step-00000005").rename(checkpoints.folder / "step-00000005.old")
    assert checkpoints.latest().arrays["mark"] == 1


# --- Damage


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def append(file):
    file.write_bytes(file.read_bytes() + b"\0")


def flip_a_bit(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def empty(file):
    file.write_bytes(b"")


def make_a_folder(file):
    file.unlink()
    file.mkdir()


def exchange(file):
    other = file.parent.with_name("step-00000010") / file.name
    shutil.copy(other, file)


@pytest.fixture
def two(checkpoints):
    for step in (10, 20):
        checkpoints.save({"weights": np.full(50, step, np.float32)}, {"at": step}, step=step)
    return checkpoints


@pytest.mark.parametrize("name", ["variables.bin", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", [cut, append, flip_a_bit, empty, make_a_folder, exchange, lambda file: file.unlink()])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(two, name, damage):
    damage(two.folder / "step-00000020" / name)
    with pytest.warns(UserWarning, match="is damaged"):
        found = two.latest()
    assert (found.step, found.state, set(found.arrays["weights"])) == (10, {"at": 10}, {10})
    assert len(found.notes) == 1
    # The manifest of another step is intact, but does not match the other files.
    told = "variables.bin" if (name, damage) == ("manifest.json", exchange) else name
    assert f"{two.folder / 'step-00000020'} is damaged ({told}" in found.notes[0]
    assert two.notes == list(found.notes)


@pytest.mark.filterwarnings("ignore:The checkpoint .* is damaged")
def test_every_single_flipped_bit_is_found(two):
    damaged = two.folder / "step-00000020"
    for file in damaged.iterdir():
        whole = file.read_bytes()
        for place in range(0, len(whole), 7):
            data = bytearray(whole)
            data[place] ^= 1 << place % 8
            file.write_bytes(data)
            assert two.latest().step == 10, (file.name, place)
        file.write_bytes(whole)
    assert two.latest().step == 20


@pytest.mark.parametrize("text", ["[]", "3", "null", '{"sha256": 1}', "{", "\ud800".encode("utf-8", "surrogatepass")])
def test_a_manifest_that_is_something_else_is_damage(two, text):
    (two.folder / "step-00000020" / "manifest.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.warns(UserWarning, match="manifest.json is not as it was written"):
        assert two.latest().step == 10


@pytest.mark.filterwarnings("ignore:The checkpoint .* is damaged")
def test_when_all_are_damaged_there_is_none_and_the_notes_name_each(two):
    for folder in two.folder.glob("step-*"):
        cut(folder / "variables.bin")
    assert two.latest() is None
    assert [note.split(" is ")[0] for note in two.notes] == [
        f"The checkpoint {two.folder / 'step-00000020'}",
        f"The checkpoint {two.folder / 'step-00000010'}",
    ]


@pytest.mark.filterwarnings("ignore:The checkpoint .* is damaged")
def test_a_damaged_one_does_not_outlive_the_next_save(two):
    cut(two.folder / "step-00000020" / "variables.bin")
    two.save({}, {}, step=two.latest().step + 5)
    assert names(two) == ["step-00000010", "step-00000015"]


def test_other_files_in_the_folder_are_left_alone(two):
    (two.folder / "notes.txt").write_text("mine")
    (two.folder / "step-by-step.txt").write_text("mine too")
    two.save({}, {}, step=30)
    assert names(two) == ["notes.txt", "step-00000020", "step-00000030", "step-by-step.txt"]


# --- Checkpoints of other trainings


def test_a_checkpoint_of_another_training_is_refused_and_the_difference_named(two):
    other = Checkpoints(two.folder, identity={"training": {"epochs": 5, "clip_norm": 1.0}})
    with pytest.raises(ConfigError) as refused:
        other.latest()
    assert "belong to another training: training.clip_norm: absent -> 1.0; training.epochs: 3 -> 5." in str(refused.value)
    assert "remove the folder" in str(refused.value)


def test_the_order_of_an_identity_and_tuples_in_it_do_not_matter(tmp_path):
    Checkpoints(tmp_path, identity={"a": (1, 2), "b": 0.1}).save({}, {}, step=1)
    assert Checkpoints(tmp_path, identity={"b": 0.1, "a": [1, 2]}).latest().step == 1


def test_a_checkpoint_of_another_format_is_refused(two, monkeypatch):
    monkeypatch.setattr(checkpoint_files, "FORMAT", 2)
    two.save({}, {}, step=30)
    with pytest.raises(ConfigError, match=r"reads checkpoints of format 1, and .*-00000030 has another format; received 2"):
        two.latest()


def test_one_training_at_a_time_saves(two):
    other = Checkpoints(two.folder, identity=two.identity)
    for save in (other.save, other.try_save):
        with pytest.raises(StageError, match="another training is running in .*checkpoints. Wait for it"):
            save({}, {}, step=30)
    assert other.latest().step == 20, "to read is allowed"
    two.release()
    other.save({}, {}, step=30)
    other.release()


# --- Disks


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StageError, match=r"file/checkpoints cannot be written: Not a directory"):
        Checkpoints(tmp_path / "file" / "checkpoints", identity={}).claim()


def test_a_failed_periodic_save_is_a_warning_and_told_again_at_the_end(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.warns(UserWarning, match="^1 checkpoints of this training could not be saved in"):
        with Checkpoints(tmp_path, identity={}) as checkpoints:
            assert checkpoints.try_save({}, {}, step=20) is not None
            monkeypatch.setattr(checkpoint_files, "_write", full)
            with pytest.warns(UserWarning, match="the checkpoint of step 30 could not be saved in .*: No space left on"):
                assert checkpoints.try_save({}, {}, step=30) is None
            assert checkpoints.latest().step == 20
            assert "Free some space on that disk; the earlier checkpoints are unchanged." in checkpoints.notes[0]


# --- Variables


def variables():
    return {
        "weight": keras.Variable(np.zeros((2, 3), np.float32)),
        "half": keras.Variable(np.zeros(2), dtype="bfloat16"),
        "count": tf.Variable(0, dtype=tf.int64),
        "name": tf.Variable(["", ""]),
        "empty": tf.Variable(np.zeros((0, 2), np.float32)),
    }


def test_variables_come_back_through_a_checkpoint(checkpoints):
    here, there = variables(), variables()
    here["weight"].assign(np.random.default_rng(0).normal(size=(2, 3)))
    here["half"].assign([0.1, -2.0])
    here["count"].assign(2**40)
    here["name"].assign(["a\0", "ü"])
    checkpoints.save(read_values(here), {}, step=1)
    assign_values(there, checkpoints.latest().arrays)
    assert_same_bits(read_values(here), read_values(there))


def test_values_are_copies(checkpoints):
    weight = keras.Variable(np.zeros(1000, np.float32))
    before = read_values({"weight": weight})["weight"]
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.apply([tf.ones(1000)], [weight])
    assert not before.any()


def test_variables_that_do_not_fit_are_named_and_none_is_changed():
    here = variables()
    arrays = {**read_values(here), "unknown": np.ones(1), "half": np.ones(2, np.float16), "count": np.array(7, np.int64)}
    arrays["weight"] = np.ones((3, 2), np.float32)
    del arrays["name"]
    with pytest.raises(StageError) as refused:
        assign_values(here, arrays)
    for part in (
        "it lacks name",
        "it also has unknown",
        "weight is float32 (3, 2) in the checkpoint and float32 (2, 3) in the network",
        "half is float16 (2,) in the checkpoint and bfloat16 (2,) in the network",
    ):
        assert part in str(refused.value)
    assert int(here["count"]) == 0


def test_what_differs_between_replicas_comes_back_to_each(on_replicas):
    found = dict(on_replicas["2 values"])
    assert found.pop("same").tolist() == [True] * 3
    assert sorted(found) == ["mean", "mean of replica 1", "total", "total of replica 1", "weight"]
    # For inputs 1 and 2, with momentum 0.5.
    assert (found["mean"].tolist(), found["mean of replica 1"].tolist()) == ([0.5], [1.0])
