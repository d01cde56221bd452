import importlib.util
import sys
from pathlib import Path

import pytest

# Scripts for an environment with kfp, started by a test.
collect_ignore = ["run_in_kfp.py", "written_by_kfp.py"]


@pytest.fixture(scope="session")
def toy():
    """The toy stages, imported under one name by all tests."""
    spec = importlib.util.spec_from_file_location("toy_stages", Path(__file__).with_name("toy.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_stages"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flaky_files():
    """A class of files in memory, for addresses that begin with `flaky://`."""
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Flaky(MemoryFileSystem):
        """Requests fail whose number, from 1, is in `fails`, with its error; `requests` has their kinds and files."""

        protocol = "flaky"
        cachable = False
        store, pseudo_dirs, fails, requests = {}, [""], {}, []

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix("flaky://"))

        def _count(self, kind, path):
            self.requests.append((kind, path.rpartition("/")[2]))
            if (error := self.fails.get(len(self.requests))) is not None:
                raise error

        def cat_file(self, path, **options):
            self._count("cat", path)
            return super().cat_file(path, **options)

        def pipe_file(self, path, value, **options):
            self._count("pipe", path)
            super().pipe_file(path, value, **options)

        def put_file(self, local, path, **options):
            self._count("put", path)
            super().put_file(local, path, **options)

        def get_file(self, path, local, **options):
            self._count("get", path)
            super().get_file(path, local, **options)

    fsspec.register_implementation("flaky", Flaky)
    return Flaky


@pytest.fixture
def flaky(flaky_files, monkeypatch):
    """The class of `flaky_files`, empty, without failures and waits."""
    monkeypatch.setattr("kerasvision.pipeline.object_store.WAITS_SECONDS", (0.0, 0.0, 0.0))
    for changed in (flaky_files.store, flaky_files.fails, flaky_files.requests):
        changed.clear()
    return flaky_files


@pytest.fixture
def number(tmp_path):
    """A file with a number, which the toy pipeline reads."""
    path = tmp_path / "number.txt"
    path.write_text("7")
    return path
