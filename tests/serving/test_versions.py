"""The highest complete version is served; a new one replaces it without a pause, a damaged one does not."""

import gc
import logging
import shutil
import time
import weakref

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.publishing.push import push
from kerasvision.serving.limits import Limits
from kerasvision.serving.measures import Measures
from kerasvision.serving.versions import Versions

DATA = "variables/variables.data-00000-of-00001"


def add(saved_model, folder, version):
    """Puts a version where servers look, at once."""
    shutil.copytree(saved_model, folder / ".copying")
    (folder / ".copying").rename(folder / str(version))


@pytest.fixture
def folder(saved_models, tmp_path):
    """`colours` with version 3."""
    folder = tmp_path / "colours"
    folder.mkdir()
    add(saved_models[0], folder, 3)
    return folder


def watched(folder):
    return Versions(folder, limits=Limits(), measures=Measures())


def total_of_zeros(model):
    """0 of the first SavedModel, 1 of the second."""
    return float(model.signatures["total"]({"image": np.zeros((1, 2, 2), np.float32)})["sum"][0])


def test_a_higher_version_takes_the_place_of_the_old_one_which_still_answers_and_is_freed(folder, saved_models):
    model = watched(folder)
    assert (model.name, model.current.version, model.look()) == ("colours", 3, False)
    old = model.current
    add(saved_models[1], folder, 10)
    assert (model.look(), model.look(), model.current.version) == (True, False, 10)
    assert [total_of_zeros(old), total_of_zeros(model.current)] == [0.0, 1.0]
    freed = weakref.ref(old._served._loaded)
    del old
    gc.collect()
    assert freed() is None


def test_a_lower_version_is_left_alone(folder, saved_models):
    model = watched(folder)
    add(saved_models[1], folder, 2)
    assert (model.look(), model.current.version) == (False, 3)


@pytest.mark.parametrize(
    ("file", "length", "fault"),
    [
        ("saved_model.pb", None, "it contains no saved_model.pb"),
        ("variables/variables.index", None, "its variables are missing"),
        ("saved_model.pb", 5000, "cannot be loaded because it is damaged"),
        (DATA, 5, "cannot be loaded because it is damaged"),
    ],
)
def test_half_a_version_is_refused_told_once_and_taken_up_when_it_is_whole(
    file, length, fault, folder, saved_models, caplog
):
    model = watched(folder)
    add(saved_models[1], folder, 4)
    whole = (folder / "4" / file).read_bytes()
    (folder / "4" / file).unlink()
    if length is not None:
        (folder / "4" / file).write_bytes(whole[:length])
    assert [model.look(), model.look(), model.current.version] == [False, False, 3]
    assert fault in model.faults[4]
    assert [record.message.split(":")[0] for record in caplog.records if record.levelno == logging.WARNING] == ["colours"]
    (folder / "4" / file).write_bytes(whole)
    assert [model.look(), model.current.version, model.faults] == [True, 4, {}]


def test_where_the_served_version_is_taken_away_the_highest_left_is_served(folder, saved_models):
    add(saved_models[1], folder, 4)
    model = watched(folder)
    assert model.current.version == 4
    (folder / "4").rename(folder / "withdrawn")
    assert (model.look(), model.current.version) == (True, 3)


def test_where_all_are_taken_away_the_last_one_goes_on(folder):
    model = watched(folder)
    (folder / "3").rename(folder / "withdrawn")
    assert (model.look(), model.current.version, total_of_zeros(model.current)) == (False, 3, 0.0)


def test_a_start_passes_over_what_is_damaged(folder):
    (folder / "9").mkdir()
    assert watched(folder).current.version == 3


def test_one_version_can_be_named_and_stays(folder, saved_models):
    model = watched(folder / "3")
    add(saved_models[1], folder, 4)
    model.start()
    model.stop()
    assert (model.name, model.current.version) == ("colours", 3)


@pytest.mark.parametrize("number", [4, 9])
def test_another_version_than_the_one_that_was_named_is_never_served(number, folder):
    (folder / "9").mkdir()
    with pytest.raises((ConfigError, ExportError), match=f"colours/{number} is not a saved model"):
        watched(folder / str(number))


def test_a_model_may_bear_a_number_for_its_name(saved_models, tmp_path):
    (tmp_path / "2024").mkdir()
    add(saved_models[0], tmp_path / "2024", 3)
    model = watched(tmp_path / "2024")
    assert (model.name, model.current.version) == ("2024", 3)


def test_exchanged_weights_are_refused_and_the_version_before_is_served(saved_models, tmp_path, caplog):
    folder = tmp_path / "colours"
    push(saved_models[0], folder=folder)
    model = watched(folder)
    push(saved_models[1], folder=folder)
    theirs = folder / "2" / DATA
    own = theirs.read_bytes()
    shutil.copyfile(folder / "1" / DATA, theirs)
    assert [model.look(), model.current.version, total_of_zeros(model.current)] == [False, 1, 0.0]
    assert f"colours/2 was changed or is half copied: {DATA} is not what was pushed" in model.faults[2]
    # A server that starts now also serves the version before, and says why.
    assert (watched(folder).current.version, caplog.messages[-1].split(":")[0]) == (1, "colours")
    with pytest.raises(ExportError, match="is not what was pushed"):
        watched(folder / "2")
    theirs.write_bytes(own)
    assert [model.look(), total_of_zeros(model.current)] == [True, 1.0]


def test_a_model_without_a_signature_is_refused(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "colours" / "1"))
    with pytest.raises(ExportError, match="colours/1 has no signature to call. Save it with signatures"):
        watched(tmp_path / "colours")


def test_without_a_whole_version_there_is_no_server(tmp_path):
    with pytest.raises(ConfigError, match="/nowhere is not a saved model: there is no such folder"):
        watched(tmp_path / "nowhere")
    (tmp_path / "colours" / "1").mkdir(parents=True)
    with pytest.raises(ExportError, match="has no version that can be served: .*it contains no saved_model.pb"):
        watched(tmp_path / "colours")


def test_a_refused_version_is_told_in_the_status(folder, running):
    with running(folder, look_seconds=0.05) as server:
        (folder / "4").mkdir()
        states = {}
        while len(states) < 2:
            time.sleep(0.02)
            _, reply = server.ask("GET", "/v1/models/colours")
            states = {each["version"]: each for each in reply["model_version_status"]}
        assert [states[version]["state"] for version in "34"] == ["AVAILABLE", "END"]
        assert "it contains no saved_model.pb" in states["4"]["status"]["error_message"]
        assert server.ask("GET", "/v1/models/colours/versions/4")[0] == 200
        asked = {"signature_name": "total", "instances": [[[0, 0], [0, 0]]]}
        assert server.ask("POST", "/v1/models/colours/versions/4:predict", asked)[0] == 404
        assert server.ask("POST", "/v1/models/colours:predict", asked) == (200, {"predictions": [0.0]})
