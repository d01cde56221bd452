"""The SQLite file of the metadata store: opened, checked, and changed in whole transactions."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from kerasvision.errors import StoreError
from kerasvision.pipeline import mlmd
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.database import UNUSABLE, check_path, empty_database, open_database, unusable
from kerasvision.pipeline.locks import alone

SCHEMA_VERSION = 1
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="StoreFile")


def in_store(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Runs a method against this store's file, in one transaction, and turns SQLite's errors into ours."""

    @wraps(method)
    def bound(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            t.bind(self.database)
            # IMMEDIATE: take the write lock at the start; a read that turns into a write cannot wait for it.
            with self.database.atomic("DEFERRED" if self.read_only else "IMMEDIATE"):
                return method(self, *args, **kwargs)
        except BaseException as error:
            self._types = {}  # the transaction is rolled back, and with it new types
            if isinstance(error, UNUSABLE):
                raise unusable(self.file, error) from error
            raise

    return bound


class StoreFile:
    """An open store; `Store` says what its arguments are, and adds changes and queries."""

    def __init__(self, folder: Path, *, read_only: bool = False, between_machines: bool = False) -> None:
        self.folder = folder.absolute()
        self.file = self.folder / "metadata.sqlite"
        self.read_only = read_only
        self._types: dict[tuple[str, int], int] = {}
        check_path(self.folder)
        # SQLite fails instead of waiting if two processes switch one new file to WAL.
        with nullcontext() if read_only else alone(self.folder, "metadata"):
            self.database = open_database(self.file, read_only=read_only, between_machines=between_machines)
            try:
                self._check_schema()
            except UNUSABLE as error:
                self.close()
                raise unusable(self.file, error) from error
            except StoreError:
                self.close()
                raise

    def _check_schema(self) -> None:
        t.bind(self.database)
        version = self.database.pragma("user_version")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.file} was written by a newer version of kerasvision (its schema {version}, ours {SCHEMA_VERSION})",
                hint="update kerasvision, or choose another --root",
            )
        if version < SCHEMA_VERSION and self._may_create():
            self._create()
        # Earlier versions did not write properties of runs and sources, and ignore these tables.
        there = self.database.get_tables()
        missing = [table for table in (t.ContextProperty, t.SourceFile) if table._meta.table_name not in there]
        if not self.read_only:
            self.database.create_tables(missing)
            mlmd.complete(self.database)
        self._tells_of_runs = not self.read_only or t.ContextProperty not in missing
        self._knows_sources = not self.read_only or t.SourceFile not in missing

    def _may_create(self) -> bool:
        """Whether tables can be created. A reader creates them in memory, if a killed process created a file without any."""
        if self.read_only and self.file.exists():
            if self.database.get_tables():
                return False
            self.database.close()
            self.database = empty_database()
            t.bind(self.database)
        return True

    def _create(self) -> None:
        with self.database.atomic("IMMEDIATE"):
            if self.database.pragma("user_version") < SCHEMA_VERSION:
                self.database.create_tables(t.TABLES)
                self.database.pragma("user_version", SCHEMA_VERSION)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()
