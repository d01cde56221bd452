"""Works on chunks in the workers of Apache Beam. Source: https://beam.apache.org/documentation/programming-guide/.

The pipeline of Beam has one element for each chunk. Items and results pass through files, so Beam neither orders nor keeps
them. Reshuffle distributes the chunks over the workers; without it a runner may do all in one.
"""

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kerasvision import extras, lookup
from kerasvision.config.runners import Beam
from kerasvision.data.mapping.chunks import ChunkedMapper, run_chunk
from kerasvision.errors import ConfigError, StageError

# Beam's workers else report each connection that they open.
LOG_LEVEL = "default_sdk_harness_log_level"


class BeamMapper(ChunkedMapper):
    """A `Mapper` whose function is called by the workers of Beam.

    Args:
        settings: Beam's options.
        scratch: the folder for its files; see `mapper_of`.

    Raises:
        ConfigError: Beam is not installed, or rejects an option.
    """

    settings: Beam

    def __init__(self, settings: Beam, scratch: Path) -> None:
        super().__init__(settings, scratch)
        if find_spec("apache_beam") is None:
            raise extras.missing("the runner beam", ["apache_beam"])
        self._options = beam_options(settings.options)

    def run_chunks(self, folder: Path, count: int) -> None:
        """Runs a pipeline of Beam, and waits for its end; stops it if this process is asked to stop.

        Raises:
            StageError: Beam could not run it.
        """
        import apache_beam as beam

        try:
            pipeline = beam.Pipeline(options=self._options)
            chunks = pipeline | "Chunks" >> beam.Create(range(count)) | "Distribute" >> beam.Reshuffle()
            # The names of the steps are those that a runner shows on its own pages.
            _ = chunks | "Work" >> beam.Map(_do, folder=str(folder))
            result = pipeline.run()
            try:
                state = result.wait_until_finish()
            except BaseException:
                with suppress(Exception):
                    result.cancel()
                raise
        except Exception as error:
            raise StageError(f"Beam could not do the work: {type(error).__name__}: {_told(error)}", hint=_WAY_OUT) from error
        if state not in (None, beam.runners.runner.PipelineState.DONE):
            raise StageError(f"the pipeline of Beam ended as {state}", hint=_WAY_OUT)


_WAY_OUT = "read the log of Beam's runner, or set runner=c.Local()"


def _do(number: int, folder: str) -> int:
    run_chunk(Path(folder), number)
    return number


def beam_options(options: Sequence[str]) -> Any:
    """The options as Beam's PipelineOptions.

    Beam itself ignores an option that it does not know. Only a job server may know more: those of Flink and Spark.

    Raises:
        ConfigError: Beam does not know an option or its runner, or rejects a value.
    """
    with _quiet_import():
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
        from apache_beam.runners.portability.portable_runner import PortableRunner
        from apache_beam.runners.runner import create_runner
    said = io.StringIO()
    try:
        with redirect_stderr(said), _without_log("apache_beam.options.pipeline_options"):
            made = PipelineOptions(list(options))
            known = made.get_all_options()
            unknown = sorted(made.get_all_options(retain_unknown_options=True).keys() - known.keys())
            runner = create_runner(made.view_as(StandardOptions).runner or StandardOptions.DEFAULT_RUNNER)
    except (SystemExit, ValueError, ImportError, AttributeError) as error:
        reason = said.getvalue().strip().rpartition("error: ")[2] if isinstance(error, SystemExit) else _told(error)
        raise ConfigError(f"runner: Beam rejects these options: {reason}", received=options) from error
    if unknown and not isinstance(runner, PortableRunner):
        hint = lookup.did_you_mean(unknown[0], known)
        raise ConfigError(f"runner: Beam has no option --{unknown[0]}; {hint}", received=options)
    if not any(option.startswith(f"--{LOG_LEVEL}") for option in options):
        made = PipelineOptions([*options, f"--{LOG_LEVEL}=WARNING"])
    return made


def _told(error: BaseException) -> str:
    """The first line of an error that says something."""
    return next(iter(str(error).strip().splitlines()), "")


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Beam warns at its import that Google's libraries are missing, and sets up a log for the whole process."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        root.handlers[:] = handlers


@contextmanager
def _without_log(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
