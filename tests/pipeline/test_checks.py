"""What a pipeline file names by its path is looked for before the first stage runs, without importing it."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.pipeline.checks import check_code

NETWORK = """
raise RuntimeError("it was imported")

def net(*, image_shape, num_classes): ...
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes checked_networks.py where it is found."""
    monkeypatch.syspath_prepend(tmp_path)
    return lambda source: (tmp_path / "checked_networks.py").write_text(source)


def test_a_name_that_the_module_defines_passes_without_an_import(module):
    module(NETWORK)
    check_code(c.Model(name="checked_networks:net"))


def test_a_name_that_the_module_lacks_is_refused(module):
    module(NETWORK)
    with pytest.raises(ConfigError, match=r"checked_networks has no 'nett'; did you mean 'net'\?"):
        check_code(c.Model(name="checked_networks:nett"))


@pytest.mark.parametrize("source", ["from math import *", "def __getattr__(name): ..."])
def test_a_module_that_does_not_say_its_names_passes(module, source):
    module(source)
    check_code(c.Model(name="checked_networks:anything"))


def test_a_module_that_is_missing_is_refused():
    with pytest.raises(ConfigError, match=r"there is no module 'nowhere_at_all'; received 'nowhere_at_all:net'"):
        check_code(c.Model.model_construct(name="nowhere_at_all:net", options={}, depends_on=()))
