"""Loads a pipeline file as an experiment, or raises a clear error."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from kerasvision.config import meant
from kerasvision.config.experiment import Experiment
from kerasvision.config.listing import is_file, is_folder
from kerasvision.config.overrides import with_overrides
from kerasvision.errors import ConfigError, KerasvisionError

# The names of the modules of pipeline files begin with this.
PIPELINE_MODULE = "kerasvision_pipeline_"


def load_experiment(path: Path | str, *, overrides: Sequence[str] = ()) -> Experiment:
    """The `EXPERIMENT` of a pipeline file, with overrides applied.

    Args:
        path: a Python file that defines `EXPERIMENT`.
        overrides: texts of the form `training.epochs=3`.

    Raises:
        ConfigError: the file is missing, raises an error or has no experiment, or an override is not valid.
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
        ConfigError: there is no such file, or running it raised an error.
    """
    path = Path(path)
    if is_folder(path):
        raise ConfigError(f"a pipeline is a Python file; {path} is a folder", hint=meant.instead_of_folder(path))
    if not is_file(path):
        looked = f"there is no pipeline file {path} (looked in {Path.cwd()})"
        raise ConfigError(looked, hint=meant.instead_of_missing(path))
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromText(name, str(path.absolute())))
    if spec is None or spec.loader is None or path.suffix != ".py":
        hint = meant.instead_of_other_file(path)
        raise ConfigError("the name of a pipeline file must end in .py", received=str(path), hint=hint)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with run_by_user(path, "does not run"):
        spec.loader.exec_module(module)
    return module


class _FromText(SourceFileLoader):
    """Compiles the text of the file each time.

    Python takes an earlier compilation if the size and the second of the file are the same, as after a script has changed
    one digit of a setting.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def module_name(path: Path) -> str:
    """The name of the module of a pipeline file. It depends on the path: two files called digits.py are different modules.

    >>> module_name(Path("/a/digits.py")) == module_name(Path("/b/digits.py"))
    False
    """
    return f"{PIPELINE_MODULE}{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]}"


def loaded_pipeline_files() -> dict[str, Path]:
    """Name of the module -> path, of all pipeline files that this process has loaded."""
    loaded = {name: module.__file__ for name, module in sys.modules.items() if name.startswith(PIPELINE_MODULE)}
    return {name: Path(file).absolute() for name, file in loaded.items() if file is not None}


@contextmanager
def run_by_user(path: Path, complaint: str) -> Iterator[None]:
    """Turns every error that the user's code in this file raises into a ConfigError that names the line.

    Args:
        path: the file.
        complaint: what is wrong with the file; it comes between the line and the reason.
    """
    try:
        yield
    except ConfigError as error:
        line = _line_of(error, path)
        raise type(error)(f"{path}{line}: {error}" if line else str(error)) from error
    except (KerasvisionError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a file may call exit()
        if isinstance(error, OSError) and Path(error.filename or "") == path.absolute():
            raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ConfigError(f"{path}{_line_of(error, path)} {complaint}: {reason}") from error


def _line_of(error: BaseException, path: Path) -> str:
    absolute = path.absolute()  # as Python names it in a traceback
    if isinstance(error, SyntaxError) and error.lineno and Path(error.filename or "") == absolute:
        return f":{error.lineno}"
    step, line = error.__traceback__, ""
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename) == absolute:
            line = f":{step.tb_lineno}"
        step = step.tb_next
    return line
