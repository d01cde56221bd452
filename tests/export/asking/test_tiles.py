"""The map of a large image from overlapping tiles: equal to one pass, blended at the borders, in little memory."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError
from kerasvision.export.asking.tiles import TiledPredictor, tile_starts, tiled_map

TILE = (16, 24)


def looked_at(images):
    """The network of tests/export/pixel_classes.py: the mean of the 3 x 3 pixels around, zeros beside the image."""
    padded = np.pad(images[..., 0].astype(np.float32), ((0, 0), (1, 1), (1, 1)))
    height, width = images.shape[1:3]
    bright = sum(padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9 / 255
    return np.stack([1 - bright, bright, np.zeros_like(bright)], axis=-1)


def photo(height, width):
    """Spots of all sizes, so that many pixels are near the border of a class."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 4 + 1, width // 4 + 1), np.uint8)
    grey = np.kron(coarse, np.ones((4, 4), np.uint8))[:height, :width]
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize("size", [(16, 24), (40, 61), (17, 25), (100, 24)])
@pytest.mark.parametrize("overlap", [2, 5, 8])
def test_tiles_give_the_map_of_one_pass_where_they_see_enough(size, overlap):
    """The network looks one pixel far: only the outermost pixels of a tile, where it ends inside the image, may differ."""
    pixels = photo(*size)
    whole = looked_at(pixels[None])[0].argmax(-1)
    found = tiled_map(pixels, looked_at, tile=TILE, overlap=overlap)
    inner = [np.ones(side, bool) for side in size]
    for kept, tile in zip(inner, TILE, strict=True):
        for start in tile_starts(len(kept), tile, overlap):
            kept[[start, start + tile - 1]] = False
        kept[[0, -1]] = True  # beside the image both see zeros
    np.testing.assert_array_equal(found[np.ix_(*inner)], whole[np.ix_(*inner)])
    assert sum(kept.sum() for kept in inner) > sum(size) / 2
    # In an overlap another tile sees more of what is around, and weighs more: few of the outermost pixels do differ.
    assert (found != whole).mean() < 0.02


def test_without_an_overlap_a_seam_can_be_seen():
    """The claim above could fail: without an overlap, border pixels are wrong."""
    pixels = np.full((32, 48, 3), 150, np.uint8)
    assert (looked_at(pixels[None])[0].argmax(-1)[1:-1, 1:-1] == 1).all()
    seam = tiled_map(pixels, looked_at, tile=TILE, overlap=0)[1:-1, 1:-1]
    assert (seam == 0).any()
    assert (tiled_map(pixels, looked_at, tile=TILE, overlap=4)[1:-1, 1:-1] == 1).all()


def test_an_image_smaller_than_a_tile_is_continued_by_its_mirror_image():
    seen = []

    def ask(tiles):
        seen.append(tiles)
        return looked_at(tiles)

    pixels = photo(5, 7)
    assert tiled_map(pixels, ask, tile=TILE, overlap=4).shape == (5, 7)
    (tile,) = seen[0]
    np.testing.assert_array_equal(tile[:10, :7], np.concatenate([pixels, pixels[::-1]]))


def test_memory_for_the_classes_does_not_grow_with_the_height_of_the_image():
    """All probabilities of the taller image would take 12 * 4,000 * 240 bytes, 11.5 MB."""

    def peak(height):
        pixels = photo(height, 240)
        tracemalloc.start()
        tiled_map(pixels, looked_at, tile=TILE, overlap=4)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    low, high = peak(400), peak(4_000)
    # The map itself takes a byte for each pixel.
    assert high - low < 1.2 * 3_600 * 240


@pytest.fixture
def predict(pixel_classes):
    def run(*arguments):
        return CliRunner().invoke(app, ["predict", str(pixel_classes.saved_model), *map(str, arguments)])

    return run


def test_a_model_is_asked_for_tiles_of_its_own_size(predict, tmp_path):
    pixels = photo(60, 100)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    done = predict(tmp_path / "large.png", "--tiles", 4, "--masks", tmp_path / "maps")
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "maps" / "000001_large.png") as opened:
        found = np.asarray(opened)
    np.testing.assert_array_equal(found, tiled_map(pixels, looked_at, tile=TILE, overlap=4))
    assert f"cat {(found == 1).mean():.2f}" in done.stdout


def test_a_file_that_cannot_be_decoded_does_not_disturb_the_others(predict, tmp_path):
    Image.fromarray(photo(40, 40)).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    done = predict(tmp_path, "--tiles", 4)
    assert "a.png" in done.stdout
    assert "b.png" in str(done.exception) and "1 of 2 files cannot be used" in str(done.exception)


def test_an_overlap_of_more_than_half_a_tile_is_refused(pixel_classes):
    with pytest.raises(ConfigError, match="at most half of their shorter side, 8 pixels; received 9"):
        TiledPredictor(pixel_classes.saved_model, overlap=9)


def test_tiles_require_a_model_of_pixels(found_objects):
    with pytest.raises(ConfigError, match="tiles requires a model that answers with a class for each pixel"):
        TiledPredictor(found_objects.saved_model, overlap=4)
