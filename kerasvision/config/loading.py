"""A pipeline file on disk becomes an experiment, or a clear error."""

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from kerasvision.config.experiment import Experiment
from kerasvision.config.overrides import with_overrides
from kerasvision.errors import ConfigError, KerasvisionError


def load_experiment(path: Path | str, *, overrides: Sequence[str] = ()) -> Experiment:
    """The `EXPERIMENT` of a pipeline file, with overrides applied.

    Args:
        path: a Python file that defines `EXPERIMENT`.
        overrides: texts of the form `training.epochs=3`.

    Raises:
        ConfigError: the file is missing or does not run, has no experiment, or an override does not fit.
    """
    return experiment_of(load_pipeline_module(path), overrides=overrides)


def experiment_of(module: ModuleType, *, overrides: Sequence[str] = ()) -> Experiment:
    """The `EXPERIMENT` of a loaded pipeline file, with overrides applied."""
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise ConfigError(f"{module.__file__} must define EXPERIMENT = c.Experiment(...)", received=experiment)
    return with_overrides(experiment, overrides)


def load_pipeline_module(path: Path | str) -> ModuleType:
    """The module of a pipeline file. Its own folder is not put on the import path.

    Raises:
        ConfigError: there is no such file, or running it raised.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"there is no pipeline file {path} (looked in {Path.cwd()})")
    # The name holds the place, so that two files called digits.py do not meet in sys.modules.
    name = f"kerasvision_pipeline_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError("a pipeline file is a Python file", received=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KerasvisionError:
        raise
    except Exception as error:
        line = _line_of(error, path)
        raise ConfigError(f"{path}{line} does not run: {type(error).__name__}: {error}") from error
    return module


def _line_of(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    step, line = error.__traceback__, ""
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename) == path:
            line = f":{step.tb_lineno}"
        step = step.tb_next
    return line
