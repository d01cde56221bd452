"""A folder for the projector of TensorBoard: `tensorboard --logdir FOLDER` shows the images in three dimensions.

    vectors.tsv             a row per image on the map: its coordinates, without a header
    metadata.tsv            id, label, split and cluster of each, with a header
    sprite.png              the thumbnails
    projector_config.pbtxt  names the other three

Source: the message ProjectorConfig of tensorboard/plugins/projector/projector_config.proto.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.plugins import projector

from kerasvision.data.embedding.embedding import Embedding
from kerasvision.data.embedding.sprite import sprite
from kerasvision.whole_files import write_whole

VECTORS, METADATA, SPRITE, CONFIG = "vectors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"


def write_projector(embedding: Embedding, folder: Path) -> None:
    """Writes the four files. The folder is created if necessary; files of these names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    coordinates = embedding.coordinates[embedding.shown]
    write_whole(folder / VECTORS, lambda file: np.savetxt(file, coordinates, fmt="%.6g", delimiter="\t"))
    write_whole(folder / METADATA, lambda file: file.write_text(_metadata(embedding), encoding="utf-8"))
    write_whole(folder / SPRITE, lambda file: Image.fromarray(sprite(embedding.thumbnails)).save(file, "PNG"))
    config = projector.ProjectorConfig()
    one = config.embeddings.add()
    one.tensor_name, one.tensor_path, one.metadata_path = embedding.features.name, VECTORS, METADATA
    one.tensor_shape.extend(coordinates.shape)
    one.sprite.image_path = SPRITE
    one.sprite.single_image_dim.extend(embedding.thumbnails.shape[1:3])
    write_whole(folder / CONFIG, lambda file: file.write_text(str(config), encoding="utf-8"))


def _metadata(embedding: Embedding) -> str:
    clusters = embedding.clusters
    rows = [("id", "label", "split", "cluster")]
    for row in embedding.shown.tolist():
        cluster = "" if clusters is None else str(clusters.of_image[row] + 1)
        rows.append((embedding.images["id"][row], embedding.label(row), embedding.images["split"][row], cluster))
    # A tab or a line break in a name would add a cell or a row.
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)
