"""Makes the page of `data show --embed`, and prints what is on it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS

if TYPE_CHECKING:
    from kerasvision.data.embedding.embedding import Embedding
    from kerasvision.pipeline.scan import Scan

FEATURES = ("pixels", "hog")
NETWORKS = "for the features of a network, use --model"
# More points make a page that is slow to open, and a map that takes minutes.
MOST_SHOWN = 10_000
FOLDER = Path("runs", "embeddings")
PAGE, SUSPECTS = "embedding.html", "suspects.csv"
# Fewer images are larger: about the same number of pixels in the sprite.
THUMBNAILS = ((1_000, 64), (3_000, 48), (10_000, 32))
GREY = {"L", "LA", "1", "I", "I;16", "F"}


@dataclass(frozen=True)
class Asked:
    """The options of `data show` that require --embed; see its help."""

    features: str
    model: str | None
    clusters: int | None
    neighbours: tuple[str, ...]
    projector: Path | None
    most: int
    seed: int

    def check(self, *, embed: bool) -> None:
        """Checks them before anything is read.

        Raises:
            ConfigError: one of them without --embed, or a value that it cannot have.
        """
        given = {
            "--features": self.features != FEATURES[0],
            "--model": self.model is not None,
            "--clusters": self.clusters is not None,
            "--neighbours": bool(self.neighbours),
            "--projector": self.projector is not None,
        }
        if not embed and any(given.values()):
            raise ConfigError(f"{next(name for name, is_given in given.items() if is_given)} requires --embed")
        if self.features not in FEATURES:
            raise ConfigError(f"--features must be one of {', '.join(FEATURES)}", received=self.features, hint=NETWORKS)
        if self.model is not None and given["--features"]:
            raise ConfigError("--features and --model exclude each other: both say what describes an image")
        if self.clusters is not None and self.clusters < 2:
            raise ConfigError("--clusters must be at least 2", received=self.clusters)
        if not 2 <= self.most <= MOST_SHOWN:
            raise ConfigError(f"--most must lie in [2, {MOST_SHOWN:,}]", received=self.most)
        if self.seed < 0:
            raise ConfigError("--seed must be at least 0", received=self.seed)
        if self.model is not None and not Path(self.model).exists():
            MODELS.path(self.model)


def show_embedding(found: "Scan", asked: Asked, *, root: Path) -> None:
    """Embeds the images of a scan, writes the page and the files, and prints what was found."""
    import json

    import pandas as pd

    from kerasvision.data.embedding.embedding import embed
    from kerasvision.data.embedding.features import plain_features
    from kerasvision.data.embedding.page import write_embedding_page, write_suspects
    from kerasvision.data.examples import ExampleSet

    examples, summary = ExampleSet(found.examples.data), json.loads(found.statistics.summary.read_text(encoding="utf-8"))
    if asked.model is None:
        kind = plain_features(asked.features, max_side=summary["max_side"], is_grey=set(summary["modes"]) <= GREY)
    else:
        from kerasvision.export.asking.features import model_features

        kind = model_features(asked.model)
    shown = min(asked.most, sum(found.images.values()))
    embedding = embed(
        examples,
        kind,
        side=min(next(side for count, side in THUMBNAILS if shown <= count), summary["max_side"]),
        most_shown=asked.most,
        clusters=asked.clusters,
        asked=asked.neighbours,
        seed=asked.seed,
    )
    folder = root / FOLDER / found.name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = pd.read_parquet(found.examples.manifest)
    write_embedding_page(embedding, examples=examples, file=folder / PAGE, title=found.name, unread=summary["quarantined"])
    _print_neighbours(embedding)
    _print_summary(embedding)
    typer.echo(f"page with the map: {os.path.relpath(folder / PAGE)}")
    if embedding.suspects is not None:
        write_suspects(embedding, folder / SUSPECTS, digests=dict(zip(manifest["id"], manifest["sha256"], strict=True)))
        _print_suspects(embedding, folder / SUSPECTS)
    if asked.projector is not None:
        from kerasvision.data.embedding.projector import write_projector

        write_projector(embedding, asked.projector)
        typer.echo(f"for TensorBoard's projector: tensorboard --logdir {asked.projector}")


def _print_summary(embedding: "Embedding") -> None:
    kept = embedding.components.share_kept(embedding.coordinates.shape[1])
    typer.echo(f"{len(embedding.images)} images described by {embedding.features.name}")
    if embedding.left_out:
        typer.echo(f"{len(embedding.left_out)} left out because the model rejects them: {', '.join(embedding.left_out[:5])}")
    typer.echo(f"{embedding.coordinates.shape[1]} principal components keep {kept:.1%} of the variance")
    if embedding.clusters is not None:
        typer.echo(f"{embedding.clusters.count} clusters, mean silhouette {embedding.clusters.silhouette:.2f}")


def _print_suspects(embedding: "Embedding", file: Path) -> None:
    suspects = embedding.suspects
    if suspects is None or not len(suspects.image):
        typer.echo("no image has neighbours that mostly have another label")
        return
    where = os.path.relpath(file)
    sure = int(suspects.is_confident.sum())
    typer.echo(f"{len(suspects.image)} suspected labels, {sure} of them confident, the most suspicious first: {where}")
    typer.echo(f"look at them, delete the lines whose labels are right, then: --set ingest.quarantine_file={where}")


def _print_neighbours(embedding: "Embedding") -> None:
    for one in embedding.asked:
        table = table_of("nearest to " + escape(one.name), "label", "split", "distance", right=("distance",))
        for row, distance in zip(one.neighbours.index[0].tolist(), one.neighbours.distance[0].tolist(), strict=True):
            name, split = embedding.images["id"][row], embedding.images["split"][row]
            table.add_row(escape(name), escape(embedding.label(row)), split, f"{distance:.3f}")
        print_whole(table)
