"""Histograms of gradients equal the paper's definition, pixel by pixel."""

import math

import numpy as np
import pytest

from kerasvision.data.embedding.hog import hog
from kerasvision.errors import ConfigError


def by_pixels(image):
    """Dalal & Triggs, 2005, section 6, with loops in place of arrays: the histograms of one image."""
    height, width, channels = image.shape

    def gradient(y, x):
        best = (-1.0, 0.0, 0.0)
        for channel in range(channels):
            right, left = image[y, min(x + 1, width - 1), channel], image[y, max(x - 1, 0), channel]
            down, up = image[min(y + 1, height - 1), x, channel], image[max(y - 1, 0), x, channel]
            dx, dy = float(right) - float(left), float(down) - float(up)
            best = max(best, (dx * dx + dy * dy, dx, dy), key=lambda one: one[0])
        return best[1], best[2]

    blocks = []
    for top in range(0, height - 15, 8):
        for left in range(0, width - 15, 8):
            block = np.zeros((2, 2, 9))
            for y in range(16):
                for x in range(16):
                    dx, dy = gradient(top + y, left + x)
                    degrees = math.degrees(math.atan2(dy, dx)) % 180
                    weight = math.hypot(dx, dy) * math.exp(-((y - 7.5) ** 2 + (x - 7.5) ** 2) / (2 * 8**2))
                    for direction in range(9):
                        apart = abs(degrees - (20 * direction + 10))
                        in_direction = max(0.0, 1 - min(apart, 180 - apart) / 20)
                        for row in range(2):
                            for column in range(2):
                                in_row = max(0.0, 1 - abs(y + 0.5 - (8 * row + 4)) / 8)
                                in_column = max(0.0, 1 - abs(x + 0.5 - (8 * column + 4)) / 8)
                                block[row, column, direction] += weight * in_direction * in_row * in_column
            cut = np.minimum(block / math.sqrt((block**2).sum() + 1.0), 0.2)
            blocks.append(cut.ravel() / max(math.sqrt((cut**2).sum()), 1e-30))
    return np.concatenate(blocks)


@pytest.mark.parametrize("shape", [(16, 16, 1), (24, 32, 3)])
def test_histograms_equal_those_of_the_papers_definition(shape):
    images = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    found = hog(images)
    assert found.shape == (2, (shape[0] // 8 - 1) * (shape[1] // 8 - 1) * 36)
    for image, row in zip(images, found, strict=True):
        np.testing.assert_allclose(row, by_pixels(image), atol=1e-5)


def test_a_block_has_length_one_and_a_flat_image_has_none():
    noise = np.random.default_rng(1).uniform(0, 255, (16, 16, 1)).astype(np.float32)
    found = hog(np.stack([np.full((16, 16, 1), 77, np.float32), noise]))
    assert (found[0] == 0).all()
    assert np.linalg.norm(found[1]) == pytest.approx(1.0)


def test_light_and_contrast_change_next_to_nothing():
    image = np.random.default_rng(2).uniform(0, 100, (1, 32, 32, 1)).astype(np.float32)
    np.testing.assert_allclose(hog(image), hog(2 * image + 40), atol=1e-4)


@pytest.mark.parametrize("side", [8, 20])
def test_sides_without_whole_blocks_are_rejected(side):
    with pytest.raises(ConfigError, match="multiples of 8, at least 16"):
        hog(np.zeros((1, side, side, 1), np.float32))
