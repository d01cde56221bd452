"""`runs disk|gc`: shows what runs take on the disk, and removes what nothing needs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kerasvision.cli.options import Root
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.disk import readable_size
from kerasvision.errors import ConfigError

if TYPE_CHECKING:
    from kerasvision.pipeline.garbage import Garbage, Keep

# How many paths of each kind a dry run prints.
MOST_SHOWN = 10
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def disk(
    keep: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many finished runs of each pipeline count as needed.")
    ] = 1,
    as_json: AsJson = False,
    root: Root = Path(),
) -> None:
    """Show what takes space on the disk, to the byte, and why it is kept.

    Artifacts are kept for a pushed model, for the newest blessed model of a pipeline, for a running run, or for the newest
    runs. `runs gc` removes those that are not needed.
    """
    from kerasvision.pipeline.disk_use import copies_use, disk_use
    from kerasvision.pipeline.garbage import Keep
    from kerasvision.pipeline.local import RUNS_FOLDER
    from kerasvision.pipeline.store import opened

    with opened(root / RUNS_FOLDER, read_only=True) as store:
        uses, copies = disk_use(store, Keep(runs=keep)), copies_use(store)
    total = sum(use.size for use in uses)
    if as_json:
        found = [{"address": address, "copies": count, "size": size} for address, count, size in copies]
        data = {"bytes": total, "uses": [asdict(use) for use in uses], "object_stores": found}
        typer.echo(json.dumps(data, ensure_ascii=False))
        return
    table = table_of("where", "pipeline", "kept for", "files", "size", right=("files", "size"))
    for use in sorted(uses, key=lambda use: -use.size):
        table.add_row(use.place, escape(use.pipeline), use.why, f"{use.files:,}", readable_size(use.size))
    if uses:
        print_whole(table)
    typer.echo(f"{readable_size(total)} ({total:,} bytes) in {root.absolute()}")
    for address, count, size in copies:
        typer.echo(f"{readable_size(size)} ({size:,} bytes) in {address}, in {count:,} copies: not counted above")


def gc(
    keep: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Keep the newest N finished runs of each pipeline, and all newer ones."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Keep runs that began within this time: 30d, 12h.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it. Without this option nothing is changed.")] = False,
    as_json: AsJson = False,
    root: Root = Path(),
) -> None:
    """Show what nothing needs any more, and with --delete remove it.

    Never removed: what a pushed model came from that is still in saved_models/, the newest blessed model of each pipeline,
    what a running run reads or has written, and the kept runs, each with all that it was made from. What is known about
    removed runs stays: `runs show`, `lineage` and `why` still work. Copies in object stores that this root has made are
    removed with what they are copies of.
    """
    from kerasvision.pipeline.garbage import find_garbage, remove_garbage
    from kerasvision.pipeline.local import RUNS_FOLDER
    from kerasvision.pipeline.store import opened

    asked = _asked(keep, older_than)
    if delete and not (root / RUNS_FOLDER).exists():
        raise ConfigError(f"nothing has run in {root.absolute()}", hint="name another folder with --root")
    with opened(root / RUNS_FOLDER, read_only=not delete) as store:
        found = remove_garbage(store, asked) if delete else find_garbage(store, asked)
    if as_json:
        typer.echo(json.dumps({"removed": delete, "bytes": found.size, **asdict(found)}, ensure_ascii=False))
        return
    _print_garbage(found)
    done = "removed" if delete else "would be removed; --delete removes it"
    size = readable_size(found.size)
    if found.copies:
        size += f" here and {readable_size(sum(found.copies.values()))} in object stores"
    typer.echo(f"{size} {done}" if found.paths() else "there is nothing to remove")


def parsed_time(text: str) -> timedelta:
    """A time such as 30d, 12h or 15m.

    Raises:
        ConfigError: the text is not of this form.

    >>> parsed_time("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    units = {"d": "days", "h": "hours", "m": "minutes"}
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in units or len(number) > 6:
        raise ConfigError("a time must be a number of days, hours or minutes", received=text, hint="such as 30d, 12h or 15m")
    return timedelta(**{units[unit]: int(number)})


def _asked(keep: int | None, older_than: str | None) -> "Keep":
    from kerasvision.pipeline.garbage import Keep

    if keep is None and older_than is None:
        raise ConfigError("gc requires --keep or --older-than", hint="for example --keep 5, or --older-than 30d")
    return Keep(runs=keep, younger_than=None if older_than is None else parsed_time(older_than))


def _print_garbage(found: "Garbage") -> None:
    parts: dict[str, Mapping[str, int]] = {
        "artifacts of earlier runs": found.artifacts,
        "remains of killed stages": found.remains,
        "work that nothing continues": found.work,
        "tracebacks and reports": found.records,
        "copies in object stores": found.copies,
    }
    for name, paths in parts.items():
        if not paths:
            continue
        typer.echo(f"{name}: {len(paths):,}, {readable_size(sum(paths.values()))}")
        largest = sorted(paths, key=lambda path: (-paths[path], path))
        for path in largest[:MOST_SHOWN]:
            typer.echo(f"  {path}  {readable_size(paths[path])}")
        if len(largest) > MOST_SHOWN:
            typer.echo(f"  and {len(largest) - MOST_SHOWN:,} smaller ones")
