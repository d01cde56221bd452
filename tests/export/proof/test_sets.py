"""Answers that are sets are equal if their rows are, in whatever order; a decision or two may differ, but no number may."""

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.export.proof import parity
from kerasvision.export.proof.canary import expected_answers
from kerasvision.export.proof.parity import Expected, compare_outputs, prove

SETS = {"corners": ("scores", "class_numbers", "classes")}
ALLOWED = 1e-4
COUNT = 512
TEXTS = np.array([b"", b"ant", b"bee"], object)


def answers(count=COUNT):
    """Three rows per image, the last of them empty."""
    random = np.random.default_rng(0)
    start = random.uniform(0.0, 0.5, (count, 3, 2))
    corners = np.concatenate([start, start + random.uniform(0.1, 0.4, (count, 3, 2))], axis=2).astype(np.float32)
    scores = np.sort(random.uniform(0.1, 1.0, (count, 3)).astype(np.float32), axis=1)[:, ::-1].copy()
    numbers = random.integers(1, 3, (count, 3)).astype(np.int32)
    for rows in (corners, scores, numbers):
        rows[:, 2] = 0
    counts = np.full(count, 2, np.int32)
    return {"corners": corners, "scores": scores, "class_numbers": numbers, "classes": TEXTS[numbers], "count": counts}


def changed(images=COUNT, /, **by_name):
    """The same answers as texts in a file have them, with each output changed by a function."""
    made = {name: rows.astype(str) if rows.dtype == object else rows.copy() for name, rows in answers(images).items()}
    for name, change in by_name.items():
        change(made[name])
    return made


def compare(received, *, count=COUNT):
    return compare_outputs(received, answers(count), ALLOWED, sets=SETS)


def swap(images):
    """Gives the first two rows of these images each other's place, in all outputs of the set."""

    def change(rows):
        rows[images] = rows[images][:, [1, 0, 2]]

    return dict.fromkeys(("corners", *SETS["corners"]), change)


def drop(images):
    """Removes the second row of these images, as another decision about which rows are left does."""

    def change(rows):
        rows[images, 1] = rows.dtype.type()

    def fewer(counts):
        counts[images] -= 1

    return {**dict.fromkeys(("corners", *SETS["corners"]), change), "count": fewer}


def test_rows_may_have_another_order():
    assert compare(changed()) == ([], 0.0)
    assert compare(changed(**swap(slice(None)))) == ([], 0.0)


def test_position_by_position_they_would_differ():
    complaints, _ = compare_outputs(changed(**swap(slice(None))), answers(), ALLOWED)
    assert [one.split()[0] for one in complaints] == ["corners", "scores", "class_numbers", "classes"]


@pytest.mark.parametrize(
    ("images", "count", "complaints"),
    [
        ([7], 512, []),
        ([7, 300], 512, ["corners: rows are missing or added in 2 of 512 images"]),
        ([7, 300], 1000, []),
        ([7], 64, []),
        ([7], 49, ["corners: rows are missing or added in 1 of 49 images"]),
    ],
)
def test_one_image_of_many_may_have_lost_or_gained_a_row(images, count, complaints):
    fewer = changed(count, **drop(np.array(images)))
    assert compare(fewer, count=count) == (complaints, 0.0)
    assert compare_outputs(answers(count), fewer, ALLOWED, sets=SETS) == (complaints, 0.0)


def test_a_count_that_does_not_fit_its_rows_differs():
    def wrong(counts):
        counts[:2] = 1

    assert compare(changed(count=wrong)).complaints == ["count differ in 2 of 512 rows"]


def add(number, where):
    def change(rows):
        rows[where] += number

    return change


@pytest.mark.parametrize(
    ("name", "by", "complaints"),
    [
        ("scores", ALLOWED / 2, []),
        ("scores", 2 * ALLOWED, ["scores differ by up to 0.0002 (allowed: 0.0001)"]),
        ("scores", np.nan, ["scores differ by up to inf (allowed: 0.0001)"]),
        ("corners", ALLOWED / 2, []),
        ("corners", 5 * ALLOWED, ["corners differ by up to 0.0005 (allowed: 0.0001)"]),
    ],
)
def test_numbers_of_matched_rows_may_differ_by_as_much_as_is_allowed(name, by, complaints):
    # In a single row of a single image, whose rows are also swapped.
    image = int(np.argmax(np.prod(np.diff(answers()["corners"].reshape(COUNT, 3, 2, 2), axis=2), axis=(2, 3))[:, 0]))
    received = changed(**{name: add(by, (image, 0))})
    for one, change in swap([image]).items():
        change(received[one])
    assert compare(received).complaints == complaints


def test_a_row_of_another_class_or_in_another_place_is_another_row():
    two = np.array([7, 300])
    for name, by in (("class_numbers", 2), ("corners", 0.02)):
        found = compare(changed(**{name: add(by, (two, 0))}))
        assert found.complaints == ["corners: rows are missing or added in 2 of 512 images"]


def test_what_is_left_behind_the_last_row_is_another_row():
    def fill(rows):
        rows[:2, 2] = 0.5

    assert compare(changed(corners=fill)).complaints == ["corners: rows are missing or added in 2 of 512 images"]


def test_texts_of_matched_rows_must_be_equal():
    def rename(rows):
        rows[:2, 0] = "cow"

    assert compare(changed(classes=rename)).complaints == ["classes differ in 2 of 512 rows"]


def test_a_row_is_matched_once():
    def double(rows):
        rows[:, 1] = rows[:, 0]

    twice = changed(**dict.fromkeys(("corners", *SETS["corners"]), double))
    assert compare(twice).complaints == ["corners: rows are missing or added in 512 of 512 images"]


def test_a_row_without_an_area_is_matched_by_its_place():
    def thin(rows):
        rows[:, 0, 2] = rows[:, 0, 0]

    wanted, received = (changed(corners=thin) for _ in range(2))
    received["corners"][:, 0] += ALLOWED / 2
    assert compare_outputs(received, wanted, ALLOWED, sets=SETS).complaints == []


def test_another_number_of_rows_is_another_shape():
    received = {**changed(), "scores": changed()["scores"][:, :2]}
    assert compare(received).complaints == ["output scores: shape (512, 2), expected (512, 3)"]


# --- A whole proof


@pytest.fixture(scope="module")
def images(corners):
    """Two painted boxes per image. In every other one, both have the same brightness: rounding may swap their rows."""
    random, made = np.random.default_rng(1), []
    for number in range(8):
        height, width = 60 + 5 * number, 90
        top, left = random.integers(5, 20, 2)
        boxes = (top, left, top + 20, left + 30), (top + 10, left + 8, top + 30, left + 60)
        made.append(corners.png(corners.painted((height, width), *boxes, values=(255, 255 if number % 2 else 200))))
    return made


@pytest.fixture(scope="module")
def certificate_of(corners, images, saved_corners, forked_process):
    transform = corners.transform()
    pixels = np.stack([transform.pixels(image) for image in images])
    expected = expected_answers(corners.CornersTask(), corners.network(), images, transform)

    def proven(**other):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parity, "take", forked_process)
            asked = {"images": images, "pixels": pixels, "settings": c.Serving(latency_queries=5)}
            return prove(saved_corners, expected=Expected(**{**vars(expected), **other}), **asked)

    return proven, expected


def test_a_task_with_places_and_sets_is_blessed_in_all_signatures(certificate_of):
    proven, expected = certificate_of
    assert set(expected.of_bytes) == set(expected.of_pixels) | {"image_size"} and set(expected.further) == {"candidates"}
    certificate = proven()
    assert (certificate.complaints, certificate.blessed) == ((), True)
    assert certificate.found["rest"] == {"instances": 0.0, "inputs": 0.0}
    assert certificate.found["batch_difference"] <= 1e-6


@pytest.mark.slow
def test_other_places_other_candidates_and_a_missing_signature_are_not_blessed(certificate_of):
    proven, expected = certificate_of
    candidates = expected.further["candidates"]
    further = {"candidates": {**candidates, "scores": candidates["scores"] + 0.5}, "explain": candidates}
    complaints = proven(of_bytes=expected.of_pixels, further=further, sets={}).complaints
    assert [one.split(" differ")[0] for one in complaints] == [
        "asked with bytes: corners",
        "asked with candidates: scores",
        "there is no signature explain(image_bytes)",
    ]


def test_the_description_says_which_outputs_are_sets(saved_corners):
    import json

    said = json.loads((saved_corners / "assets.extra" / "signatures.json").read_text())
    for signature in ("serving_default", "serve_tensor"):
        assert said[signature]["outputs"]["corners"]["set"] == ["scores", "class_numbers", "classes"]
        assert "set" not in said[signature]["outputs"]["scores"]
    assert "set" not in said["candidates"]["outputs"]["corners"]
