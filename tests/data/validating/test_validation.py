"""Each fault of a data set has its own code, and a clean data set has no anomalies."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kerasvision.data.validating
from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.anomalies import CODES, anomaly, refuse_errors, save_anomalies, summarize, suspect_images
from kerasvision.data.validating.labels import group_anomalies, label_anomalies
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.errors import DataError

CLEAN = Statistics(
    classes=["cat", "dog"],
    counts={"train": {"cat": 40, "dog": 60}, "validation": {"cat": 5, "dog": 5}, "test": {"cat": 5, "dog": 5}},
    modes={"RGB": 120},
    formats={"JPEG": 120},
    min_side=20,
    max_side=30,
    channel_mean=[100.0, 100.0, 100.0],
    channel_deviation=[50.0, 50.0, 50.0],
    quarantined={},
    notes={},
    duplicates=[],
    contradictions=[],
    shared_between_splits=[],
    images={"train": 100, "validation": 10, "test": 10},
)
SCHEMA = DataSchema.infer(CLEAN)


def counts(train, test=None):
    return {"train": train, "test": test or {"cat": 5, "dog": 5}}


BOXES_WANTED = {"object_classes": ("cup", "pot"), "requires": ("objects",)}


def boxes(*, test=None, most=3, repeated=()):
    """What the statistics of images with two classes of objects say."""
    by_split = {"train": {"cup": 3, "pot": 4}, "test": test or {"cup": 1, "pot": 1}}
    objects = {"by_split": by_split, "most": most, "most_in": "a", "repeated": list(repeated)}
    return {"object_counts": {"cup": 4, "pot": 5}, "objects": objects}


MAPS_WANTED = {"map_classes": ("sky", "road"), "requires": ("label_maps",)}


def maps(train=(60, 40), test=(5, 5), *, ignored=0, names=("sky", "road")):
    """What the statistics of images with label maps of two classes say."""
    pixels = {"train": dict(zip(names, train, strict=True)), "test": dict(zip(names, test, strict=True))}
    return {"map_classes": list(names), "maps": {"pixels": pixels, "ignored": {"train": ignored, "test": 0}}}


def found(statistics=CLEAN, schema=SCHEMA, **changed):
    return [(anomaly.severity, anomaly.code) for anomaly in find_anomalies(replace(statistics, **changed), schema)]


def schema(**changed):
    return SCHEMA.model_copy(update=changed)


def test_a_clean_set_has_no_anomalies():
    assert found() == []


# Each row: what is changed in the clean set, what in its schema, and everything that must be found.
@pytest.mark.parametrize(
    ("changed", "normal", "expected"),
    [
        ({"counts": {"train": {"cat": 9}, "test": {"cat": 5}}}, {"classes": ("cat",)}, [("error", "one_class")]),
        ({}, {"classes": ("cat",)}, [("error", "unseen_label")]),
        ({}, {"classes": ("cat", "dog", "owl")}, [("error", "missing_label")]),
        (
            {"counts": counts({"cat": 9, "dog": 9, "Dog ": 9})},
            {"classes": ("cat", "dog", "Dog ")},
            [("warning", "label_variants")],
        ),
        (
            {"counts": counts({"cat": 9, "cat\u200b": 9, "dog": 9})},
            {"classes": ("cat", "cat\u200b", "dog")},
            [("warning", "label_variants")],
        ),
        ({"counts": counts({"cat": 40, "dog": 1})}, {"max_imbalance": 50}, [("error", "too_few_examples")]),
        ({"counts": counts({"cat": 40, "dog": 0})}, {}, [("error", "too_few_examples")]),
        ({"counts": counts({"cat": 9, "dog": 9}, {"cat": 5, "dog": 0})}, {}, [("warning", "label_missing_in_split")]),
        ({"counts": counts({"cat": 41, "dog": 2})}, {}, [("warning", "imbalance")]),
        ({"counts": counts({"cat": 40, "dog": 2})}, {}, []),
        ({"quarantined": {"a": "spoilt", "b": "spoilt"}}, {}, [("warning", "quarantined")]),
        ({"quarantined": {"a": "spoilt", "b": "no light"}}, {}, [("warning", "quarantined")] * 2),
        ({"quarantined": {str(n): f"spoilt in {n} places" for n in range(99)}}, {}, [("warning", "quarantined")] * 11),
        ({"classes": [], "counts": {}}, {}, [("error", "unlabelled")]),
        ({"classes": [], "counts": {}}, {"classes": ()}, []),
        ({"classes": [], "counts": {}}, {"classes": (), "requires": ("labels",)}, [("error", "unlabelled")]),
        ({}, {"requires": ("labels",)}, []),
        ({"object_counts": {"cup": 3}}, {}, [("error", "unseen_object_class")]),
        ({}, {"object_classes": ("cup",)}, [("warning", "missing_object_class")]),
        (boxes(), BOXES_WANTED, []),
        (boxes(test={"cup": 0, "pot": 1}), BOXES_WANTED, [("warning", "object_class_missing_in_split")]),
        (boxes(test={"cup": 0, "pot": 0}), BOXES_WANTED, [("error", "no_objects")]),
        (boxes(test={"cup": 0, "pot": 0}), {"object_classes": ("cup", "pot")}, []),
        (boxes(most=101), BOXES_WANTED, [("warning", "many_objects")]),
        (boxes(most=101), {**BOXES_WANTED, "max_objects": 300}, []),
        (boxes(repeated=["a", "b"]), BOXES_WANTED, [("warning", "repeated_box")]),
        (
            {"object_counts": {"cup": 3, "Cup": 2}},
            {"object_classes": ("cup", "Cup")},
            [("warning", "object_class_variants")],
        ),
        (maps(), MAPS_WANTED, []),
        ({}, {"requires": ("label_maps",)}, [("error", "no_label_maps")]),
        ({}, {"map_classes": ("sky",)}, [("error", "no_label_maps")]),
        (boxes(), {"object_classes": ("cup", "pot"), "requires": ("label_maps",)}, []),  # their masks are painted
        (maps((9, 0), (9, 0)), {"map_classes": ("sky",)}, [("error", "one_map_class")]),
        (maps(), {"map_classes": ("sky",)}, [("error", "unseen_map_class")]),
        (maps(), {"map_classes": ("sky", "road", "sea")}, [("warning", "missing_map_class")]),
        (maps(names=("sky", "Sky")), {"map_classes": ("sky", "Sky")}, [("warning", "map_class_variants")]),
        (maps(train=(9, 0)), MAPS_WANTED, [("warning", "map_class_missing_in_split")]),
        (maps(test=(9, 0)), MAPS_WANTED, [("warning", "map_class_missing_in_split")]),
        (maps(ignored=101), MAPS_WANTED, [("warning", "mostly_ignored")]),
        (maps(ignored=100), MAPS_WANTED, []),
        (
            {
                "classes": ["cat test", "cat_train"],
                "counts": counts({"cat_train": 9, "cat test": 9}, {"cat_train": 5, "cat test": 5}),
            },
            {"classes": ("cat test", "cat_train")},
            [("warning", "labels_like_splits")],
        ),
        (
            {"classes": ["cat", "test"], "counts": counts({"cat": 9, "test": 9}, {"cat": 5, "test": 5})},
            {"classes": ("cat", "test")},
            [("warning", "labels_like_splits")],
        ),
        (
            {"classes": ["Invalid", "Valid"], "counts": counts({"Invalid": 9, "Valid": 9}, {"Invalid": 5, "Valid": 5})},
            {"classes": ("Invalid", "Valid")},
            [],
        ),
        (
            {"classes": ["plane", "train"], "counts": counts({"plane": 9, "train": 9}, {"plane": 5, "train": 5})},
            {"classes": ("plane", "train")},
            [],
        ),
        (
            {
                "classes": ["bullet train", "test tube"],
                "counts": counts({"bullet train": 9, "test tube": 9}, {"bullet train": 5, "test tube": 5}),
            },
            {"classes": ("bullet train", "test tube")},
            [],
        ),
        ({"near_shared_between_splits": [["a", "b"]]}, {}, [("warning", "near_leakage")]),
        ({"near_duplicates": [["a", "b"]]}, {}, [("info", "near_duplicates")]),
        # 2 of 120 images are 1.7 %.
        ({"near_duplicates": [["a", "b"]]}, {"max_near_duplicates": 0.016}, [("info", "near_duplicates")]),
        ({"near_duplicates": [["a", "b"]]}, {"max_near_duplicates": 0.017}, []),
        ({"min_side": 19}, {}, [("warning", "small_image")]),
        ({"max_side": 31}, {}, [("warning", "large_image")]),
        ({"modes": {"RGB": 100, "L": 20}}, {}, [("warning", "unseen_mode")]),
        ({"notes": {"alpha channel dropped": 2}}, {}, [("info", "changed_by_decoding")]),
        ({"shared_between_splits": [["a", "b"]]}, {}, [("error", "leakage")]),
        ({"contradictions": [["a", "b"]]}, {}, [("warning", "contradiction")]),
        ({"duplicates": [["a", "b"], ["c", "d", "e"]]}, {}, [("info", "duplicates")]),
    ],
)
def test_each_anomaly_is_found_alone(changed, normal, expected):
    assert found(schema=schema(**normal), **changed) == expected


def test_ten_thousand_classes_are_summed_up():
    names = [f"class {number:05d}" for number in range(10_000)]
    statistics = replace(CLEAN, classes=names, counts=counts(dict.fromkeys(names, 1), dict.fromkeys(names, 0)))
    images = pd.DataFrame(
        {
            "id": names,
            "label": names,
            "split": "train",
            "sha256": names,
            "notes": "",
            "mode": "RGB",
            "width": 20,
            "height": 30,
        }
    )
    anomalies = [
        *find_anomalies(statistics, SCHEMA),
        *find_anomalies(CLEAN, schema(classes=tuple(names))),
        *summarize(label_anomalies(statistics, SCHEMA, images)),
    ]
    assert sum(len(one.message) for one in anomalies) < 10_000
    rest = [one.message for one in anomalies if "more of this kind" in one.message]
    unseen = "9,990 more of this kind, the last: label 'class 09999' is not in the schema"
    assert rest == [
        unseen,
        "9,990 more of this kind, the last: class 'class 09999' has 1 training image; at least 2 are needed",
        "9,990 more of this kind, the last: no usable image has the label 'class 09999' of the schema",
        unseen,
    ]
    assert [one.examples for one in anomalies if one.message == unseen] == [(), ("class 09999",)]
    assert next(one.message for one in anomalies if one.code == "label_missing_in_split").endswith("and 9,990 more")


def test_an_error_that_stops_the_pipeline_repeats_the_first_sentences(tmp_path):
    errors = [anomaly(code, f"{code} {number}") for code in ("unseen_label", "missing_label") for number in range(8)]
    save_anomalies(errors, tmp_path / "anomalies.json")
    with pytest.raises(DataError, match=r"unseen_label 0; .*missing_label 1 and 6 more\. All anomalies are in"):
        refuse_errors(tmp_path / "anomalies.json")


def test_a_single_class_beside_ignored_pixels_is_answered_with_the_way_out():
    statistics = replace(CLEAN, **maps((9, 0), (9, 0), ignored=3))
    (one,) = (one for one in find_anomalies(statistics, schema(map_classes=("sky",))) if one.code == "one_map_class")
    assert one.message == (
        "label maps must show at least two classes, and only 'sky' has pixels; if the ignored pixels are a class, name "
        "their number in the settings of the source"
    )


def test_groups_that_read_alike_are_told():
    images = pd.DataFrame({"id": ["1", "2", "3"], "group": ["anna", "anna\u200b", ""]})
    (found,) = group_anomalies(images)
    assert (found.code, found.examples) == ("group_variants", ("1", "2"))
    assert found.message.startswith(r"groups ['anna', 'anna\u200b'] differ only in case, spaces, invisible characters")


def test_of_a_kind_with_many_anomalies_all_suspects_are_kept():
    found = summarize(anomaly("blank_image", "blank", [str(n)], suspects=[str(n)]) for n in range(30))
    assert [name for one in found for name in one.suspects] == [str(n) for n in range(30)]


def test_the_worst_comes_first():
    several = found(duplicates=[["a", "b"]], contradictions=[["a", "b"]], shared_between_splits=[["a", "b"]])
    assert [severity for severity, _ in several] == ["error", "warning", "info"]


def test_messages_carry_numbers_and_names():
    changed = replace(CLEAN, duplicates=[["a", "b"], ["c", "d", "e"]], quarantined=dict.fromkeys("123456", "spoilt"))
    quarantined, duplicates = find_anomalies(changed, SCHEMA)
    assert quarantined.message == "6 images were left out: spoilt"
    assert quarantined.examples == ("1", "2", "3", "4", "5")
    assert duplicates.message.startswith("3 images are exact copies")
    assert duplicates.examples == ("a", "b")


def test_no_class_at_all_is_told():
    empty = replace(CLEAN, counts={})
    messages = [anomaly.message for anomaly in find_anomalies(empty, SCHEMA) if anomaly.code == "one_class"]
    assert messages == ["there must be at least two classes, and no class has images"]


def test_each_kind_of_fault_has_a_code():
    faults = {
        "the file is empty": "corrupt",
        "truncated or corrupt PNG": "corrupt",
        "not an image in a known format": "corrupt",
        "cannot be read: Permission denied": "unreadable",
        "TIFF cannot be read by TensorFlow: convert it to PNG or JPEG": "unsupported",
        "a BMP with a palette is misread by TensorFlow: convert it to PNG": "unsupported",
        "the header claims 9 x 9 = 81 pixels, over the limit of 80": "oversized",
        "leakage: the same bytes are in test": "leakage_removed",
        "left out by the quarantine file: blurred": "left_out",
        "the path leads out of /photos": "path_outside",
        "there is no such file": "unreadable",
        "the path contains a NUL character": "unreadable",
        "its rows give it two labels: 'cat' and 'dog'": "conflicting_rows",
        "annotation 7 of instances.json has no box of four numbers": "bad_annotation",
        "column 'label' of t.csv holds 0.5 in row 3, neither a text nor a whole number": "bad_value",
        "column 'label' of t.csv holds b'\\xff' in row 3, bytes that are not UTF-8 text": "bad_value",
        "label 7 has no name in source.class_names, which has 3": "bad_value",
        "label '0' in row 0 is not among the 3 names in the file's ClassLabel": "bad_value",
        "no label": "no_label",
        "no label map: there is no masks/1.png": "bad_label_map",
        "its label map cannot be read: Permission denied": "bad_label_map",
    }
    for fault, code in faults.items():
        assert [code for _, code in found(quarantined={"a": fault})] == [code]


# 120 images as `compute_statistics` lists them: no two alike, each with two captions.
IMAGES = pd.DataFrame(
    {
        "id": [f"{number:03d}.jpg" for number in range(120)],
        "sha256": [f"{number:064x}" for number in range(120)],
        "split": ["train"] * 100 + ["validation"] * 10 + ["test"] * 10,
        "label": ["cat"] * 40 + ["dog"] * 60 + ["cat", "dog"] * 10,
        "group": "",
        "notes": "",
        "mode": "RGB",
        "width": 30,
        "height": 20,
        "size": 1000,
        "aspect": 1.5,
        "objects": 0,
        "captions": 2,
        "caption_words": 9.0,
        "brightness": 100.0,
        "contrast": 40.0,
        **{f"mean_{colour}": 100.0 for colour in ("red", "green", "blue")},
        **{f"square_{colour}": 100.0**2 + 40.0**2 for colour in ("red", "green", "blue")},
    }
)
CAPTIONS = {"images_without": 0, "least": 2, "most": 2, "mean_words": 9.0, "max_words": 12, "vocabulary": 300}


def looked_at(edit=None, normal=None, **changed):
    """(severity, code, ids that are named, ids that are suspected) where some cells of the table are changed."""
    images = IMAGES.copy()
    for (row, column), value in (edit or {}).items():
        images.loc[row, column] = value
    statistics = replace(CLEAN, **{"captions": CAPTIONS, **changed})
    several = find_anomalies(statistics, schema(**{"min_captions": 1, **(normal or {})}), images=images)
    return [(one.severity, one.code, one.examples, one.suspects) for one in several]


def test_a_clean_set_has_no_anomalies_in_its_images_either():
    assert looked_at() == []


FLAT = {(7, f"square_{colour}"): 100.0**2 + 2.9**2 for colour in ("red", "green", "blue")}
SEVENTH = ("007.jpg",)


# Each row: the cells that are changed, and what must be found of image 007.
@pytest.mark.parametrize(
    ("edit", "normal", "expected"),
    [
        (FLAT, {}, ("warning", "blank_image", SEVENTH, SEVENTH)),
        (FLAT, {"min_contrast": 2.8}, None),
        # One colour that varies is enough not to be blank.
        ({**FLAT, (7, "square_blue"): 100.0**2 + 5.0**2}, {}, None),
        ({(7, "width"): 2, (7, "height"): 1}, {}, ("warning", "tiny_image", SEVENTH, SEVENTH)),
        ({(7, "width"): 2, (7, "height"): 2}, {}, None),
        ({(7, "width"): 101}, {"max_side": 999}, ("warning", "extreme_aspect", SEVENTH, SEVENTH)),
        ({(7, "height"): 151}, {"max_side": 999}, ("warning", "extreme_aspect", SEVENTH, SEVENTH)),
        ({(7, "width"): 100}, {"max_side": 999}, None),
        ({(7, "captions"): 0}, {}, ("warning", "few_captions", SEVENTH, ())),
        ({(7, "captions"): 0}, {"min_captions": 0}, None),
        ({(7, "captions"): 2}, {"min_captions": 2}, None),
    ],
)
def test_each_odd_image_is_found_and_named(edit, normal, expected):
    assert looked_at(edit, normal) == ([expected] if expected else [])


def test_images_beyond_the_schema_are_named():
    assert looked_at({(7, "width"): 19}, min_side=19) == [("warning", "small_image", SEVENTH, ())]
    assert looked_at({(7, "width"): 31}, max_side=31) == [("warning", "large_image", SEVENTH, ())]
    assert looked_at({(7, "mode"): "L"}, modes={"RGB": 119, "L": 1}) == [("warning", "unseen_mode", SEVENTH, ())]
    ids = tuple(IMAGES.loc[IMAGES["label"] == "cat", "id"][:5])
    assert looked_at(normal={"classes": ("dog",)}) == [("error", "unseen_label", ids, ())]


@pytest.mark.parametrize(
    ("note", "severity", "code"),
    [
        ("the suffix of the file's name does not match its format", "warning", "wrong_extension"),
        ("16 bits per channel reduced to 8", "info", "changed_by_decoding"),
        ("reducing 16 bits per channel to 8 leaves at most 16 grey levels (and a way out)", "warning", "few_levels"),
        ("a box reaches beyond the image, and was clipped", "warning", "box_clipped"),
        ("a box without any area inside the image was left out", "warning", "box_dropped"),
        ("a mask of another size than the image was left out", "warning", "bad_mask"),
        ("a mask that cannot be read was left out", "warning", "bad_mask"),
        (
            "an object has no mask, although others have one: in a map that is painted from the masks it is background",
            "warning",
            "bad_mask",
        ),
        ("an empty caption was left out", "warning", "empty_caption"),
        ("rotated by EXIF orientation 6", "info", "changed_by_decoding"),
        ("the label map ignores the EXIF orientation, so it was turned with the image", "warning", "other_size_annotated"),
    ],
)
def test_each_note_has_a_code_and_names_its_images(note, severity, code):
    edit = {(7, "notes"): f"alpha channel dropped; {note}"}
    assert looked_at(edit, notes={note: 1}) == [(severity, code, SEVENTH, ())]


def test_a_long_caption_is_found_and_its_image_named():
    longer = {"captions": {**CAPTIONS, "max_words": 150}}
    assert looked_at({(7, "caption_words"): 150.0}, **longer) == [("warning", "long_caption", SEVENTH, ())]
    # 150 words, and 4 in the image's other caption.
    assert looked_at({(7, "caption_words"): 77.0}, **longer) == [("warning", "long_caption", SEVENTH, ())]


def test_captions_that_are_all_gone_are_told():
    assert looked_at({(row, "captions"): 0 for row in range(120)}, captions={}) == [("warning", "few_captions", (), ())]


def test_of_leaked_copies_those_outside_the_strictest_split_are_suspected():
    pair, three = ["003.jpg", "115.jpg"], ["004.jpg", "105.jpg", "116.jpg"]
    expected = ("003.jpg", "004.jpg", "105.jpg")
    assert looked_at(shared_between_splits=[pair, three]) == [("error", "leakage", tuple(pair), expected)]
    assert looked_at(near_shared_between_splits=[pair, three]) == [("warning", "near_leakage", tuple(pair), expected)]


def test_look_alikes_with_two_labels_are_told():
    cat_and_dog = ["003.jpg", "050.jpg"]
    near, contradiction = looked_at(near_duplicates=[cat_and_dog, ["001.jpg", "002.jpg"]])[::-1]
    assert near[1] == "near_duplicates"
    assert contradiction == ("warning", "near_contradiction", tuple(cat_and_dog), tuple(cat_and_dog))


def test_a_group_in_two_splits_is_an_error():
    edit = {(0, "group"): "anna", (119, "group"): "anna", (1, "group"): "berta", (2, "group"): "berta"}
    assert looked_at(edit) == [("error", "group_leakage", ("000.jpg", "119.jpg"), ("000.jpg",))]


def test_a_person_may_change_how_severe_a_kind_of_anomaly_is():
    changed = {"duplicates": [["a", "b"]], "contradictions": [["a", "b"]]}
    assert found(**changed) == [("warning", "contradiction"), ("info", "duplicates")]
    own = schema(severities={"contradiction": "ignore", "duplicates": "error"})
    assert found(schema=own, **changed) == [("error", "duplicates")]


def test_every_code_that_a_check_raises_is_known_and_every_known_code_is_raised():
    folder = Path(kerasvision.data.validating.__file__).parent
    source = "".join(file.read_text() for file in folder.glob("*.py") if file.name != "anomalies.py")
    assert [code for code in CODES if not re.search(f'"{code}"', source)] == []
    assert set(re.findall(r'(?:anomaly|_copies|_single_images)\("(\w+)"', source)) <= set(CODES)


def test_suspects_are_listed_once_with_every_reason():
    images = IMAGES.copy()
    for (row, column), value in (FLAT | {(7, "width"): 101}).items():
        images.loc[row, column] = value
    several = find_anomalies(CLEAN, schema(max_side=999), images=images)
    (row,) = suspect_images(several, images).itertuples(index=False)
    assert tuple(row) == ("007.jpg", f"{7:064x}", "blank_image; extreme_aspect")
    assert list(suspect_images([], images).columns) == ["id", "sha256", "reason"]


def test_the_verdict_is_that_of_the_worst(tmp_path):
    for changed, verdict in (
        ({}, "pass"),
        ({"duplicates": [["a", "b"]]}, "pass"),
        ({"contradictions": [["a", "b"]]}, "warn"),
        ({"shared_between_splits": [["a", "b"]]}, "fail"),
    ):
        assert json.loads(saved(tmp_path, **changed).read_text())["verdict"] == verdict


@pytest.mark.slow
def test_a_hundred_thousand_images_are_looked_at_in_seconds():
    many = pd.concat([IMAGES] * 1000, ignore_index=True)
    many["id"] = many["sha256"] = [f"{number:06d}.jpg" for number in range(len(many))]
    many["brightness"] = np.random.default_rng(0).normal(size=len(many))
    assert find_anomalies(CLEAN, SCHEMA, images=many) == []


def saved(tmp_path, **changed):
    file = tmp_path / "anomalies.json"
    save_anomalies(find_anomalies(replace(CLEAN, **changed), SCHEMA), file)
    return file


def test_saved_anomalies_are_counted_by_severity(tmp_path):
    file = saved(tmp_path, shared_between_splits=[["a", "b"]], duplicates=[["a", "b"]])
    data = json.loads(file.read_text())
    assert data["counts"] == {"error": 1, "warning": 0, "info": 1}
    assert data["anomalies"][0] == {
        "severity": "error",
        "code": "leakage",
        "examples": ["a", "b"],
        "message": "2 images are in two splits, byte for byte: a = b",
    }


def test_errors_are_refused_by_their_messages(tmp_path):
    with pytest.raises(DataError, match=r"cannot be used for training: 2 images are in two splits, .* a = b. All anomalies"):
        refuse_errors(saved(tmp_path, shared_between_splits=[["a", "b"]]))


def test_warnings_are_not_refused(tmp_path):
    assert refuse_errors(saved(tmp_path, contradictions=[["a", "b"]], min_side=1)) is None
