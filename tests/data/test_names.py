"""Names that are fitted with the transform."""

import json

import pytest

from kerasvision.data.names import class_names, save_names
from kerasvision.errors import DataError


def test_what_was_saved_comes_back_in_order(tmp_path):
    names = ("[padding]", "Ünï", "猫", 'a "quoted" word', "")
    save_names(names, transform=tmp_path / "transform.json")
    assert class_names(tmp_path / "transform.json", labels=("cat", "dog")) == names


def test_without_fitted_names_they_are_the_labels(tmp_path):
    assert class_names(tmp_path / "transform.json", labels=["cat", "dog"]) == ("cat", "dog")


@pytest.mark.parametrize("content", ["[", json.dumps({"cat": 0}), json.dumps(["cat", 1])])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(DataError, match=r"names\.json"):
        class_names(tmp_path / "transform.json", labels=["cat"])
