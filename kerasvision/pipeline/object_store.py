"""Files in a folder of an object store, through fsspec: S3 and what speaks its protocol, Google Cloud Storage, and others.

Reading needs no list of the folder: some stores are slow to list, and list new files late. A failed request is tried again,
because networks fail for moments.
"""

import importlib.util
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from kerasvision.config.object_stores import checked_address
from kerasvision.disk import FULL
from kerasvision.errors import ConfigError, StoreError
from kerasvision.extras import missing
from kerasvision.lookup import did_you_mean

# How long to wait before a request is tried again: four times in all.
WAITS_SECONDS = (0.5, 2.0, 8.0)
# Errors that a second request would also get.
_LASTING = (
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
    NotImplementedError,
    ImportError,
    TypeError,
    ValueError,
)
# Of the packages for S3 and Google Cloud Storage, which may not be installed.
_WITHOUT_KEYS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")
Answer = TypeVar("Answer")


class ObjectStore:
    """A folder of an object store.

    Args:
        address: of the folder, such as `s3://bucket/folder`. Keys and the address of a server of one's own come from the
            environment, as the package of the scheme reads them: `AWS_ENDPOINT_URL`, for example.

    Raises:
        ConfigError: the address is not one, or no package for its scheme is installed.

    >>> store = ObjectStore("memory://example")
    >>> store.write("words/a.txt", b"one")
    >>> store.read("words/a.txt"), store.read("words/b.txt"), store.sizes("words")
    (b'one', None, {'a.txt': 3})
    """

    def __init__(self, address: str) -> None:
        self.address = checked_address(address)
        check_package(self.address)

    def __repr__(self) -> str:
        return f"ObjectStore({self.address!r})"

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is no such file.

        Raises:
            StoreError: the store does not answer, or does not allow it. The other methods raise it too.
        """
        try:
            content: bytes = self._tried("read", name, lambda files, path: files.cat_file(path))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, or replaces it."""
        self._tried("written", name, lambda files, path: files.pipe_file(path, content))

    def send(self, file: Path, name: str) -> None:
        """Copies a local file to the store, or replaces the one there."""
        self._tried("written", name, lambda files, path: files.put_file(str(file), path))

    def fetch(self, name: str, file: Path) -> bool:
        """Copies a file of the store to a local path; False if there is no such file."""
        try:
            self._tried("read", name, lambda files, path: files.get_file(path, str(file)))
        except FileNotFoundError:
            return False
        return True

    def sizes(self, folder: str) -> dict[str, int]:
        """Path below the folder -> size in bytes of each file that the store lists there."""
        try:
            found = self._tried("listed", folder, _listed)
        except FileNotFoundError:
            return {}
        return {str(path): int(size) for path, size in found.items()}

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all below it. Nothing happens if it does not exist."""
        try:
            self._tried("removed", name, _removed)
        except FileNotFoundError:
            return

    @cached_property
    def _files(self) -> tuple[Any, str]:
        """fsspec's file system, and the folder in it."""
        # Imported here: most commands use no object store.
        from fsspec.core import url_to_fs

        # Only a local disk requires that folders are made.
        options = {"auto_mkdir": True} if self.address.startswith(("file:", "local:")) else {}
        files, folder = url_to_fs(self.address, **options)
        return files, folder

    def _tried(self, done: str, name: str, request: Callable[[Any, str], Answer]) -> Answer:
        """The answer to a request, which is made again after an error that may pass.

        Raises:
            FileNotFoundError: there is no such file; only while reading or removing.
            StoreError: another lasting error, or the same error each time.
        """
        for wait in (*WAITS_SECONDS, None):
            try:
                files, folder = self._files
                return request(files, f"{folder}/{name}")
            except Exception as error:
                if isinstance(error, FileNotFoundError) and done != "written":
                    raise
                if wait is None or _is_lasting(error):
                    raise self._unusable(done, name, error) from error
                time.sleep(wait)
        raise AssertionError("the last wait is None")

    def _unusable(self, done: str, name: str, error: Exception) -> StoreError:
        what = next(iter(str(error).strip().splitlines()), "")
        hint = "check its bucket, its keys and the network, then give the same command again: finished stages are kept"
        return StoreError(f"{self.address}/{name} cannot be {done}: {type(error).__name__}: {what}", hint=hint)


def _is_lasting(error: Exception) -> bool:
    is_full = getattr(error, "errno", None) in FULL
    return isinstance(error, _LASTING) or is_full or type(error).__name__ in _WITHOUT_KEYS


def check_package(address: str) -> None:
    """Checks that the package for the scheme of an address is installed. Nothing of it is imported.

    Raises:
        ConfigError: it is missing, or fsspec does not know the scheme.
    """
    from fsspec.registry import known_implementations, registry

    scheme = address.partition("://")[0]
    if scheme in registry:
        return
    if scheme not in known_implementations:
        raise ConfigError(f"fsspec knows no scheme {scheme!r}; {did_you_mean(scheme, known_implementations)}")
    package = known_implementations[scheme]["class"].partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise missing(f"the address {address}", [package])


def _listed(files: Any, path: str) -> dict[str, int]:
    # What other processes wrote since the last list counts too.
    files.invalidate_cache()
    found = files.find(path, detail=True)
    return {name[len(path) + 1 :]: one["size"] for name, one in found.items()}


def _removed(files: Any, path: str) -> None:
    files.invalidate_cache()
    files.rm(path, recursive=True)
