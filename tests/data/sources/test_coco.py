"""COCO's files give the right captions, boxes and masks; unusable content is reported."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from PIL import Image

from kerasvision.config.coco import Coco
from kerasvision.data.sources.coco import read_coco
from kerasvision.data.sources.coco_masks import draw_polygons
from kerasvision.data.sources.rle import decode_runs, expand_counts
from kerasvision.errors import DataError

COCO_OPEN = Path(__file__).parents[4] / "shared" / "data" / "coco-open"


def read(source):
    return list(read_coco(source))


def image(number, name=None, *, height=4, width=6):
    return {"id": number, "file_name": name or f"{number}.jpg", "height": height, "width": width}


def thing(number, image_id=1, *, category=1, box=(1, 1, 3, 2), **more):
    return {"id": number, "image_id": image_id, "category_id": category, "bbox": list(box), **more}


def caption(image_id, text):
    return {"id": 1, "image_id": image_id, "caption": text}


CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]


@pytest.fixture
def coco(tmp_path):
    """Writes a COCO folder: `coco({"instances_train2017": {...}}, images=["train2017/1.jpg"])`."""

    def write(files, *, images=(), **fields):
        (tmp_path / "annotations").mkdir(exist_ok=True)
        for name, data in files.items():
            text = data if isinstance(data, bytes) else json.dumps(data).encode()
            (tmp_path / "annotations" / f"{name}.json").write_bytes(text)
            (tmp_path / name.split("_", 1)[1]).mkdir(exist_ok=True)
        for name in images:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return Coco(path=tmp_path, **fields)

    return write


def instances(*annotations, images=(1,)):
    listed = [image(number) if isinstance(number, int) else number for number in images]
    return {"images": listed, "annotations": list(annotations), "categories": CATEGORIES}


def one(coco, *annotations, **fields):
    """The only record of a data set with these annotations on one image of 4 x 6."""
    return read(coco({"instances_x": instances(*annotations)}, images=["x/1.jpg"], **fields))[0]


# --- what the files say


def test_the_published_layout_is_found_by_itself(coco):
    source = coco(
        {
            "captions_train2017": {
                "images": [image(1), image(2)],
                "annotations": [caption(2, "a"), caption(1, "b"), caption(2, "c")],
            },
            "instances_train2017": instances(thing(1, 1, category=7), images=(1, 3)),
            "instances_val2017": instances(images=(9,)),
            "instances_test-dev2017": instances(images=(5,)),
        },
        images=[*(f"train2017/{number}.jpg" for number in range(1, 5)), "val2017/9.jpg", "test-dev2017/5.jpg"],
    )
    told = [(r.name, r.split, r.captions, [o.label for o in r.objects], r.label, r.fault) for r in read(source)]
    assert told == [
        ("test-dev2017/5.jpg", "test", (), [], "", ""),
        ("train2017/1.jpg", "train", ("b",), ["dog"], "", ""),
        ("train2017/2.jpg", "train", ("a", "c"), [], "", ""),
        ("train2017/3.jpg", "train", (), [], "", ""),
        ("train2017/4.jpg", None, (), [], "", "not listed in captions_train2017.json or instances_train2017.json"),
        ("val2017/9.jpg", "validation", (), [], "", ""),
    ]
    assert read(source)[5].load() == b"val2017/9.jpg"
    names = {name for name, _ in source.files()}
    assert {"captions/captions_train2017.json", "instances/instances_val2017.json", "train2017/4.jpg"} < names
    assert len(names) == 4 + 6


def test_every_record_has_the_names_of_the_categories(coco):
    assert one(coco, thing(1)).listed_classes == tuple(row["name"] for row in CATEGORIES)


def test_one_kind_of_annotation_can_be_read_alone(coco):
    files = {"captions_x": {"images": [image(1)], "annotations": [caption(1, "a")]}, "instances_x": instances(images=(2,))}
    source = coco(files, images=["x/1.jpg", "x/2.jpg"], annotations=("captions",))
    assert [record.name for record in read(source)] == ["x/1.jpg"]


def test_files_that_are_named_describe_the_images_of_the_folder_itself(coco, tmp_path):
    source = coco({"instances_mine": instances(thing(1))}, images=["1.jpg"])
    source = source.model_copy(update={"instances": tmp_path / "annotations" / "instances_mine.json"})
    (record,) = read(source)
    assert (record.name, record.split, len(record.objects), record.fault) == ("1.jpg", None, 1, "")


def test_a_box_becomes_corners_as_it_stands(coco):
    record = one(coco, thing(1, box=(1, 2, 3, 1.5)), thing(2, box=(5, 3, -2, -1)), thing(3, box=(4, 0, 900, 0)))
    assert [o.box for o in record.objects] == [(2, 1, 3.5, 4), (3, 5, 2, 3), (0, 4, 0, 904)]
    assert record.fault == ""


def test_the_label_can_be_the_class_of_the_largest_box(coco):
    objects = [thing(1, box=(0, 0, 2, 2)), thing(2, category=7, box=(0, 0, 3, 2)), thing(3, box=(0, 0, -9, -9))]
    assert one(coco, *objects, label="largest").label == "dog"
    assert one(coco, *objects).label == ""
    assert one(coco, label="largest").label == ""


@pytest.mark.parametrize("size", [{}, {"height": None, "width": None}])
def test_only_what_lies_in_the_image_decides_its_label(size, coco, tmp_path):
    objects = [
        thing(1, category=7, box=(100, 100, 300, 300)),  # nowhere in it
        thing(2, category=7, box=(5, 3, 500, 500)),  # 1 x 1 of it
        thing(3, box=(1, 1, 2, 2)),
    ]
    files = {"instances_x": instances(*objects, images=[image(1) | size])}
    source = coco(files, images=["x/1.jpg"], label="largest")
    Image.new("RGB", (6, 4)).save(tmp_path / "x" / "1.jpg")
    assert [record.label for record in read(source)] == ["cat"]


def test_a_crowd_that_is_kept_does_not_decide_the_label(coco):
    objects = [thing(1, category=7, box=(0, 0, 6, 4), iscrowd=1), thing(2, box=(1, 1, 2, 2))]
    record = one(coco, *objects, label="largest", crowds="keep")
    assert (record.label, [(o.label, o.crowd) for o in record.objects]) == ("cat", [("dog", True), ("cat", False)])


def test_an_area_is_kept_as_the_file_gives_it(coco):
    record = one(coco, thing(1, area=4.5), thing(2), thing(3, area=None), thing(4, area=0))
    assert [found.area for found in record.objects] == [4.5, None, None, 0.0]


@pytest.mark.parametrize(
    ("value", "is_crowd"),
    [
        (0, False),
        (False, False),
        (None, False),
        (0.0, False),
        ("0", False),
        ("false", False),
        (" False ", False),
        (1, True),
        (True, True),
        (1.0, True),
        ("1", True),
        ("true", True),
        ("TRUE", True),
    ],
)
def test_a_crowd_is_read_in_all_spellings(value, is_crowd, coco):
    record = one(coco, thing(1, iscrowd=value))
    assert (len(record.objects), record.fault) == (0 if is_crowd else 1, "")


def test_categories_of_one_name_are_one_class_but_not_across_supercategories(coco):
    files = {"instances_x": instances(thing(1), thing(2, category=3), images=(1,))}
    files["instances_x"]["categories"] = [{"id": 1, "name": "mouse"}, {"id": 3, "name": "mouse "}]
    (record,) = read(coco(files, images=["x/1.jpg"]))
    assert {found.label for found in record.objects} == {"mouse"}
    for row, above in zip(files["instances_x"]["categories"], ("animal", "electronic"), strict=True):
        row["supercategory"] = above
    with pytest.raises(DataError, match="categories named 'mouse' in two supercategories: 'animal' and 'electronic'"):
        read(coco(files))


def test_boxes_in_shares_of_the_sides_are_refused(coco):
    boxes = [(0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 0.25, 0.5)]
    with pytest.raises(
        DataError,
        match=r"must give boxes in pixels; 2 of its 3 boxes are within the first pixel, such as "
        r"\[0.1, 0.2, 0.3, 0.4\]. Multiply x and width",
    ):
        one(coco, *(thing(number, box=box) for number, box in enumerate(boxes)))


def test_a_record_knows_the_size_that_its_objects_were_drawn_on(coco):
    sizes = [{}, {"height": "4", "width": 6.0}, {"height": 0}, {"width": -6}, {"width": "wide"}, {"height": True},
             {"height": 10**400}, {"width": float("nan")}, {"width": float("inf")}, {"width": [6]},
             {"height": 4.5}]  # fmt: skip
    listed = [image(number) | size for number, size in enumerate(sizes)]
    files = {"instances_x": instances(images=listed)}
    found = read(coco(files, images=[f"x/{number}.jpg" for number in range(len(sizes))]))
    assert [record.drawn_on for record in found] == [(4, 6), (4, 6)] + [None] * 9


def test_crowds_are_left_out_or_kept(coco):
    crowd = thing(1, iscrowd=1, segmentation={"size": [4, 6], "counts": [0, 24]})
    assert one(coco, crowd, thing(2)).objects == one(coco, thing(2)).objects
    assert len(one(coco, crowd, thing(2), crowds="keep").objects) == 2


# --- masks


def mask_of(coco, outline, **fields):
    (found,) = one(coco, thing(1, segmentation=outline), **fields).objects
    if found.mask is None:
        return None
    mask = np.asarray(Image.open(io.BytesIO(found.mask())))
    assert mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 255}
    return (mask // 255).tolist()


# Drawn by hand on 4 x 6: an L.
L_SHAPE = [[0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0]]


@pytest.mark.parametrize(
    "outline",
    [
        [[1, 1, 2, 1, 2, 3, 4, 3, 4, 4, 1, 4]],  # one polygon
        [[1, 1, 2, 1, 2, 4, 1, 4], [2, 3, 4, 3, 4, 4, 2, 4]],  # two parts
        {"size": [4, 6], "counts": [5, 3, 3, 1, 3, 1, 8]},  # runs down the columns
        # The same runs as characters: 5 3 3, then differences to the run two before: 1 - 3, 3 - 3, 1 - 1, 8 - 3; a
        # negative number is 32 + n below "0" + 32.
        {"size": [4, 6], "counts": "533" + "N" + "0" + "0" + "5"},
    ],
)
def test_polygons_and_runs_give_the_mask_that_they_mean(outline, coco):
    assert mask_of(coco, outline) == L_SHAPE


def test_masks_can_be_left_out(coco):
    assert mask_of(coco, [[1, 1, 2, 1, 2, 3]], masks="leave_out") is None
    assert mask_of(coco, []) is None


def test_what_reaches_out_of_the_image_is_cut_off():
    everything = draw_polygons([np.array([-9, -9, 99, -9, 99, 99, -9, 99])], height=3, width=2)
    assert everything.all()
    assert not draw_polygons([np.array([7, 7, 9, 7, 9, 9])], height=3, width=2).any()


@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 12)), min_size=3, max_size=9))
def test_a_polygon_fills_the_pixels_whose_centres_matplotlib_finds_inside(points):
    # Matplotlib uses the winding rule and we use even-odd, so the points are put in an order without crossings.
    middle = np.mean(points, axis=0)
    points = np.array(sorted(points, key=lambda point: np.arctan2(*(np.array(point) - middle))))
    centres = np.stack(np.meshgrid(np.arange(12) + 0.5, np.arange(9) + 0.5), axis=-1).reshape(-1, 2)
    surely_in = Outline(np.vstack([points, points[:1]])).contains_points(centres, radius=0).reshape(9, 12)
    mask = draw_polygons([points.ravel()], height=9, width=12)
    # A centre exactly on the border may count as inside or outside.
    sides = np.roll(points, -1, axis=0) - points
    along = np.clip(np.einsum("nsd,sd->ns", centres[:, None] - points, sides) / np.maximum((sides**2).sum(1), 1e-12), 0, 1)
    distance = np.linalg.norm(centres[:, None] - points - along[:, :, None] * sides, axis=2).min(axis=1).reshape(9, 12)
    assert (mask == surely_in)[distance > 1e-6].all()


def compress(counts):
    """COCO's text of run lengths, written again from the format's description: groups of five bits, low bits first."""
    text = ""
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        while True:
            group, number = number & 31, number >> 5
            done = number == (-1 if group & 16 else 0)
            text += chr(48 + group + (0 if done else 32))
            if done:
                break
    return text


@given(st.lists(st.integers(0, 100_000), max_size=30))
def test_every_list_of_runs_survives_its_text(counts):
    assert expand_counts(compress(counts)) == counts


@given(st.integers(1, 9), st.integers(1, 9), st.randoms())
def test_runs_describe_the_columns_from_the_left(height, width, random):
    mask = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    counts, last = [0], False
    for column in range(width):
        for row in range(height):
            if mask[row, column] == last:
                counts[-1] += 1
            else:
                counts.append(1)
                last = not last
    assert (decode_runs(counts, height=height, width=width) == mask).all()


# --- what cannot be used


@pytest.mark.parametrize(
    ("annotation", "fault"),
    [
        ({"bbox": None}, "annotation 5 of instances_x.json has no box of four numbers"),
        ({"bbox": [1, 2, 3]}, "has no box of four numbers"),
        ({"bbox": [1, 2, 3, "4"]}, "has no box of four numbers"),
        ({"bbox": [True, 2, 3, 4]}, "has no box of four numbers"),
        ({"iscrowd": []}, "annotation 5 of instances_x.json has iscrowd [], neither 0 nor 1"),
        ({"iscrowd": 2}, "has iscrowd 2, neither 0 nor 1"),
        ({"iscrowd": "yes"}, "has iscrowd 'yes', neither 0 nor 1"),
        ({"bbox": [1, 2, float("nan"), 4]}, "has no box of four numbers"),
        ({"bbox": [10**400, 2, 3, 4]}, "has no box of four numbers"),
        ({"area": "12"}, "annotation 5 of instances_x.json has the area '12', which is not a number of at least 0"),
        ({"area": -1}, "has the area -1, which"),
        ({"area": float("nan")}, "has the area nan, which"),
        ({"segmentation": [[1, 2, 3, 4]]}, "has a mask that is neither polygons of three and more points nor runs"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "neither polygons"),
        ({"segmentation": [[1, 2, 3, 4, 5, float("inf")]]}, "neither polygons"),
        ({"segmentation": "yes"}, "neither polygons"),
        ({"segmentation": {"size": [4, 6], "counts": [23]}}, "has a mask whose runs do not fill its image, 4 x 6"),
        ({"segmentation": {"size": [6, 4], "counts": [24]}}, "do not fill its image"),
        ({"segmentation": {"size": [4, 6], "counts": [-1, 25]}}, "do not fill its image"),
        ({"segmentation": {"size": [4, 6]}}, "do not fill its image"),
        ({"segmentation": {"size": [4, 6], "counts": "1~"}}, "has a mask whose runs cannot be read: '~' at 1 runs"),
        ({"segmentation": {"size": [4, 6], "counts": "P"}}, "cannot be read: it ends within a number"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_a_fault_of_its_image(annotation, fault, coco):
    files = {"instances_x": instances(thing(5, 1) | annotation, thing(6, 2), images=(1, 2))}
    bad, good = read(coco(files, images=["x/1.jpg", "x/2.jpg"]))
    assert fault in bad.fault
    assert good.fault == "" and len(good.objects) == 1


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ({"height": None}, "has a mask, and the file gives its image no width and height in pixels"),
        ({"width": 0}, "no width and height"),
        ({"width": True}, "no width and height"),
        ({"width": "six"}, "no width and height"),
        ({"height": 60_000, "width": 60_000}, "60,000 x 60,000 pixels; a mask may have 100,000,000"),
    ],
)
def test_a_mask_needs_the_size_of_its_image(size, fault, coco):
    files = {"instances_x": instances(thing(1, segmentation=[[1, 1, 2, 1, 2, 3]]), images=[image(1) | size])}
    assert fault in read(coco(files, images=["x/1.jpg"]))[0].fault


def test_a_mask_has_the_size_of_its_image_in_every_spelling(coco):
    files = {
        "instances_x": instances(thing(1, segmentation=[[0, 0, 6, 0, 6, 4, 0, 4]]), images=[image(1, height="4", width=6.0)])
    }
    ((drawn,),) = (record.objects for record in read(coco(files, images=["x/1.jpg"])))
    with Image.open(io.BytesIO(drawn.mask())) as mask:
        assert (mask.size, mask.getextrema()) == ((6, 4), (255, 255))


def test_images_that_are_missing_or_outside_are_faults(coco, tmp_path):
    (tmp_path / "secret.jpg").touch()
    names = ["1.jpg", "gone.jpg", "../secret.jpg", "/etc/hostname", "", "a\0b"]
    listed = [image(number) | {"file_name": name} for number, name in enumerate(names)]
    files = {"instances_x": instances(images=listed)}
    outside = f"the path leads out of {tmp_path / 'x'}"
    assert [record.fault for record in read(coco(files, images=["x/1.jpg"]))] == [
        "",
        "there is no such file",
        outside,
        outside,
        "the path is empty",
        "the path contains a NUL character",
    ]


def test_whole_paths_below_the_folder_and_backslashes_are_read(coco, tmp_path):
    names = [f"{tmp_path}/x/1.jpg", "more\\2.jpg"]
    listed = [image(number) | {"file_name": name} for number, name in enumerate(names)]
    (tmp_path / "x" / "more").mkdir(parents=True)
    records = read(coco({"instances_x": instances(images=listed)}, images=["x/1.jpg", "x/more/2.jpg"]))
    assert [(record.name, record.fault) for record in records] == [("x/1.jpg", ""), ("x/more/2.jpg", "")]
    assert [record.load() for record in records] == [b"x/1.jpg", b"x/more/2.jpg"]


@pytest.mark.parametrize(
    ("folder", "split"),
    [("valid", "validation"), ("seg_train", "train"), ("minival", "validation"), ("Test_Images", "test"), ("trains", None)],
)
def test_the_name_of_a_folder_says_its_split(folder, split, coco):
    records = read(coco({f"instances_{folder}": instances()}, images=[f"{folder}/1.jpg"]))
    assert [record.split for record in records] == [split]


def test_folders_of_images_may_be_links_and_count_for_the_fingerprint(coco, tmp_path):
    source = coco({"instances_train2017": instances()}, images=["train2017/1.jpg"])
    (tmp_path / "train2017").rename(tmp_path / "disk2")
    (tmp_path / "train2017").symlink_to(tmp_path / "disk2")
    assert [(record.fault, record.load()) for record in read(source)] == [("", b"train2017/1.jpg")]
    assert "train2017/1.jpg" in dict(source.files())


def test_empty_captions_are_passed_on_and_half_characters_are_not(coco):
    said = [caption(1, ""), caption(1, None), caption(1, "caf\u00e9 \ud83d")]
    source = coco({"captions_x": {"images": [image(1)], "annotations": said}}, images=["x/1.jpg"])
    assert read(source)[0].captions == ("", "", "café \ufffd")


@pytest.mark.parametrize("text", [True, ["a cat"], {"raw": "a cat"}])
def test_a_caption_of_another_kind_is_refused(text, coco):
    source = coco({"captions_x": {"images": [image(1)], "annotations": [caption(1, text)]}}, images=["x/1.jpg"])
    with pytest.raises(DataError, match="'caption' in .*captions_x.json must hold texts or .*; annotation 1 holds"):
        read(source)


GOOD = instances(thing(1))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "instances_x.json, line 1, is not JSON"),
        (b'{"images": [}', "line 1, is not JSON: Expecting value"),
        (b"\xff\xfe\xff", "is not JSON"),
        (b'{"images": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        ([], "must contain a JSON object with 'images' and 'annotations'"),
        ({"annotations": [], "categories": []}, "must contain a list 'images', as COCO's instances do"),
        (GOOD | {"annotations": None}, "must contain a list 'annotations'"),
        (GOOD | {"categories": {}}, "must contain a list 'categories'"),
        (GOOD | {"images": [{"id": 1}]}, "each of 'images' needs 'file_name', a text"),
        (GOOD | {"images": ["1.jpg"]}, "each of 'images' needs 'id', a whole number; received '1.jpg'"),
        (GOOD | {"images": [image("1")]}, "each of 'images' needs 'id', a whole number"),
        (GOOD | {"images": [image(1), image(1, "2.jpg")]}, "must list each image once; several rows have the same id: 1"),
        (instances(thing(8, 2), thing(9, 3)), r"2 annotations whose image_id .*: 8 \(image_id 2\), 9 \(image_id 3\)"),
        (instances(thing(8, category=3)), r"1 annotations whose category_id the file does not list: 8 \(category_id 3\)"),
        (instances(thing(8) | {"category_id": [1]}), "each of 'annotations' needs 'category_id', a whole number"),
    ],
)
def test_a_file_that_is_not_in_cocos_form_is_refused(data, message, coco):
    with pytest.raises(DataError, match=message) as told:
        read(coco({"instances_x": data}, images=["x/1.jpg"]))
    assert len(str(told.value)) < 500


def test_two_files_that_disagree_about_an_image_are_refused(coco):
    files = {"captions_x": {"images": [image(1)], "annotations": []}, "instances_x": instances(images=[image(1, "2.jpg")])}
    with pytest.raises(DataError, match="instances_x.json calls image 1 '2.jpg', and another file '1.jpg'"):
        read(coco(files))


def test_a_folder_of_annotations_that_is_closed_is_not_called_empty(coco, tmp_path, monkeypatch):
    source = coco({"instances_x": instances()}, images=["x/1.jpg"])

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match=f"folder {tmp_path / 'annotations'} cannot be read: Permission denied"):
        source.parts()


def test_what_is_missing_on_disk_is_told_with_the_way_out(coco, tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*/nothing"):
        list(Coco(path=tmp_path / "nothing").files())
    with pytest.raises(DataError, match=r"annotations has no captions_\*.json or instances_\*.json. Set source.captions"):
        list(Coco(path=tmp_path).files())
    with pytest.raises(DataError, match=r"there is no file .*gone.json .* Set source.captions"):
        list(Coco(path=tmp_path, captions=tmp_path / "gone.json").files())
    source = coco({"instances_val2017": instances()})
    (tmp_path / "val2017").rmdir()
    with pytest.raises(
        DataError, match=r"there is no folder .*/val2017 with the images that .*instances_val2017.json describes"
    ):
        list(source.files())


def test_real_photos_of_coco_come_whole():
    if not COCO_OPEN.is_dir():
        pytest.skip(f"the COCO photos are not at {COCO_OPEN}")
    records = read(Coco(path=COCO_OPEN))
    # The counts that the collection states: images, captions, boxes (588 + 547) without its 9 crowds.
    assert len(records) == 176 and {record.fault for record in records} == {""}
    assert sum(len(record.captions) for record in records) == 195 + 555
    assert sum(len(record.objects) for record in records) == 588 + 547 - 9
    for record in records[::20]:
        for found in record.objects:
            if found.mask is not None:
                rows, columns = np.nonzero(np.asarray(Image.open(io.BytesIO(found.mask()))))
                tight = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
                assert np.abs(tight - found.box).max() < 5, record.name


def test_an_object_keeps_the_number_of_its_category(make_images, tmp_path):
    """The cups have number 1 in the file, and the balls have number 2."""
    records = list(read_coco(Coco(path=make_images.clean_coco(tmp_path / "coco"))))
    assert {(thing.label, thing.category_id) for record in records for thing in record.objects} == {("cup", 1), ("ball", 2)}
