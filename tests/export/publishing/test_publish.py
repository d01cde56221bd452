"""A judged model is pushed with its card, or the record says why not; a person may overrule that, with a reason."""

import json

import pytest

from kerasvision.errors import ConfigError
from kerasvision.export.publishing.publish import JudgedModel, publish

REFUSED = ("accuracy >= 0.9 failed with 0.8", "scores differ by up to 0.1")


@pytest.fixture
def judged(tmp_path):
    folder = tmp_path / "exported"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("index")
    contents = {
        "verdict": {"verdict": "BLESSED", "reason": "all passed", "rules": []},
        "certificate": {"blessed": True},
        "settings": {"model": {"name": "lenet5"}},
    }
    files = {name: tmp_path / f"{name}.json" for name in contents}
    for name, file in files.items():
        file.write_text(json.dumps(contents[name]))
    return lambda *refusals: JudgedModel("flowers", folder, refusals, files, simple={"accuracy": 0.5})


@pytest.fixture
def published(tmp_path):
    """(properties, content of the record, existing versions)"""

    def make(judged, **because):
        places = {"saved_models": tmp_path / "saved_models", "record": tmp_path / "pushed.json", "work": tmp_path / "work"}
        properties = publish(judged, **places, **because)
        there = [path.name for path in (tmp_path / "saved_models").glob("flowers/[0-9]*")]
        return properties, json.loads((tmp_path / "pushed.json").read_text()), there

    return make


def test_a_blessed_model_becomes_a_version_with_its_card(judged, published, tmp_path):
    properties, record, there = published(judged())
    assert properties == {"pushed": 1, "pushed_version": 1, "pushed_destination": "saved_models/flowers/1"}
    assert record == {"pushed": True, "version": 1, "destination": "saved_models/flowers/1"}
    assert there == ["1"]
    assert "Network: lenet5." in (tmp_path / "saved_models" / "flowers" / "1" / "model_card.md").read_text()


def test_a_model_that_is_not_blessed_is_recorded_with_every_reason(judged, published):
    properties, record, there = published(judged(*REFUSED))
    assert properties == {"pushed": 0, "reason": "accuracy >= 0.9 failed with 0.8; scores differ by up to 0.1"}
    assert record == {"pushed": False, "why": properties["reason"]}
    assert there == []


def test_a_person_may_push_it_nevertheless_and_that_is_recorded_everywhere(judged, published, tmp_path):
    properties, record, there = published(judged(*REFUSED), overruled_because="for the fair")
    assert (properties["pushed"], properties["forced"], properties["forced_reason"]) == (1, 1, "for the fair")
    assert properties["forced_although"] == "; ".join(REFUSED)
    assert record["forced"] == {key.removeprefix("forced_"): properties[key] for key in properties if "forced_" in key}
    assert there == ["1"]
    assert "**Pushed although it was not blessed**" in (tmp_path / "saved_models/flowers/1/model_card.md").read_text()


def test_a_blessed_model_is_not_pushed_by_force(judged, published, tmp_path):
    with pytest.raises(ConfigError, match="only a model that is not blessed can be pushed by force; this one is. Remove"):
        published(judged(), overruled_because="for the fair")
    assert not (tmp_path / "saved_models").exists()
