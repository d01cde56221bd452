"""Which version of a model is served: the highest that is complete; new versions are loaded while the server runs.

A new version is loaded and warmed up while the old one answers, and then replaces it; the old one still answers the requests
that it has. A version that is half copied or damaged is rejected, reported in the log and in the status, and tried again
when its files change. If the served version is removed, the highest remaining version replaces it.
"""

import gc
import logging
import threading
from pathlib import Path

from kerasvision.errors import ExportError
from kerasvision.served.versions import MAIN, find_saved_model, is_version_name, versions
from kerasvision.serving.limits import Limits
from kerasvision.serving.loaded import ServedVersion
from kerasvision.serving.measures import Measures

log = logging.getLogger(__name__)

Files = tuple[tuple[str, int, int], ...]


class Versions:
    """The versions of a model, one of which is served.

    Args:
        folder: `saved_models/<name>`, or one SavedModel, which is then the only one served.
        limits: how often to check, and the batch to warm up with.
        measures: what Prometheus reads.
        engine: what computes the network, see `kerasvision.served.model.ServedModel`.

    Attributes:
        name: of the model: the folder's name.
        current: the version that is served. It may change at any time: callers keep the one they have read.
        faults: version -> why it is not served.

    Raises:
        ConfigError: there is no saved model.
        ExportError: no version of it can be served.
    """

    def __init__(self, folder: Path, *, limits: Limits, measures: Measures, engine: str | None = None) -> None:
        self._limits, self._measures, self._engine = limits, measures, engine
        self._refused: dict[int, Files] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        self.faults: dict[int, str] = {}
        self.loading: int | None = None
        folder = folder.resolve()
        # A version that was named is served or rejected: no other version replaces it.
        self._fixed = (folder / MAIN).is_file() or not versions(folder)
        self._folder = folder.parent if self._fixed and is_version_name(folder.name) else folder
        self.name = self._folder.name
        self.current = self._only(find_saved_model(folder)) if self._fixed else self._first()

    def start(self) -> None:
        """Starts to check for new versions."""
        if not self._fixed:
            self._thread.start()

    def stop(self) -> None:
        """Stops checking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Loads the highest version that is complete; returns whether it differs from the one before."""
        there = versions(self._folder)
        self.faults = {version: fault for version, fault in self.faults.items() if version in there}
        for version in reversed(there):
            if version == self.current.version:
                return False
            model = self._try(version)
            if model is not None:
                log.info("%s: version %d replaces %d", self.name, version, self.current.version)
                self.current = model
                self._measures.version.set(version)
                gc.collect()  # TensorFlow's objects for a model refer to themselves.
                return True
        return False

    def _only(self, folder: Path) -> ServedVersion:
        model = ServedVersion(folder, version=int(folder.name) if is_version_name(folder.name) else 1, engine=self._engine)
        return self._warm(model)

    def _first(self) -> ServedVersion:
        there = versions(self._folder)
        for version in reversed(there):
            model = self._try(version)
            if model is not None:
                return model
        raise ExportError(f"{self._folder} has no version that can be served: {self.faults[there[-1]]}")

    def _try(self, version: int) -> ServedVersion | None:
        """The version; None if it cannot be served, or could not before and has not changed."""
        folder = self._folder / str(version)
        files = _files(folder)
        if self._refused.get(version) == files:
            return None
        self.loading = version
        try:
            model = ServedVersion(folder, version=version, engine=self._engine)
            if _files(folder) != files:
                raise ExportError(f"{folder} was changed while it was loaded")
        except ExportError as error:
            log.warning("%s: version %d is not served: %s", self.name, version, error)
            self._measures.load_failures.inc()
            self._refused[version], self.faults[version] = files, str(error)
            return None
        finally:
            self.loading = None
        self._refused.pop(version, None)
        self.faults.pop(version, None)
        return self._warm(model)

    def _warm(self, model: ServedVersion) -> ServedVersion:
        model.warm_up(self._limits.max_batch_size)
        self._measures.version.set(model.version)
        return model

    def _watch(self) -> None:
        while not self._stop.wait(self._limits.look_seconds):
            try:
                self.look()
            except Exception:  # A folder that cannot be read now may be readable later; the server goes on.
                log.exception("%s: looking for a new version failed", self.name)


def _files(folder: Path) -> Files:
    """Names, sizes and times of the files in a folder, which show whether it has changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            facts = path.stat()
        except OSError:
            continue
        found.append((str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns))
    return tuple(found)
