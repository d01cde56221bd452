"""Bad, odd and learnable images, generated with Pillow, NumPy and the standard library alone.

Each function without "folder" in its name returns the bytes of one file. Loaded by path (fixture `make_images`).
"""

import colorsys
import io
import itertools
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 20, 12


def picture(mode="RGB", width=WIDTH, height=HEIGHT, seed=0):
    """A smooth coloured picture without any symmetry, so that each of the eight orientations looks different."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    blue = np.where((y < height / 3) & (x < width / 3), 255, 40 + (seed * 37) % 180)
    pixels = np.stack([red, green, blue], axis=-1).round().astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image, image_format, **options):
    """The bytes of a Pillow image in one format."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def zero_byte():
    """A file of zero bytes."""
    return b""


def text_named_jpg():
    """A text, as a failed download saves it under the name of an image."""
    return b"<html><body>404 Not Found</body></html>\n"


def truncated_jpeg():
    """A JPEG whose second half is missing."""
    whole = encoded(picture(width=64, height=48), "JPEG")
    return whole[: len(whole) * 3 // 4]


def truncated_png():
    """A PNG whose second half is missing."""
    whole = encoded(picture(width=64, height=48), "PNG")
    return whole[: len(whole) // 2]


def header_only_jpeg():
    """The first bytes of a JPEG, with the format but without the size."""
    return encoded(picture(), "JPEG")[:30]


def one_by_one():
    """A PNG of a single pixel."""
    return encoded(Image.new("RGB", (1, 1), (200, 100, 50)), "PNG")


def grey():
    """A PNG of one channel."""
    return encoded(picture("L"), "PNG")


def rgba():
    """A PNG whose left half is half transparent."""
    image = picture("RGBA")
    image.paste((255, 0, 0, 128), (0, 0, WIDTH // 2, HEIGHT))
    return encoded(image, "PNG")


def palette():
    """A PNG with a palette."""
    return encoded(picture("P"), "PNG")


def palette_bmp():
    """A BMP with a palette, which TensorFlow decodes to wrong colours without an error."""
    return encoded(picture("P"), "BMP")


def cmyk():
    """A JPEG of four channels, as printing software writes it."""
    return encoded(picture("CMYK"), "JPEG", quality=95)


def sixteen_bit():
    """A PNG of one channel and 16 bits, its values 0, 257, 514 ... 65535: after division by 257, 0 to 255."""
    return encoded(Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 257), "PNG")


def exif_segment(orientation, byte_order="big", kind=3):
    """An APP1 segment with a camera's name and an orientation, of type SHORT (3) or LONG (4)."""
    mark, prefix = (b"MM", ">") if byte_order == "big" else (b"II", "<")
    value = struct.pack(prefix + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = struct.pack(prefix + "HHI4s", 0x010F, 2, 4, b"Cam\0")
    entries += struct.pack(prefix + "HHI4s", 0x0112, kind, 1, value)
    directory = mark + struct.pack(prefix + "HIH", 42, 8, 2) + entries + struct.pack(prefix + "I", 0)
    return segment(0xE1, b"Exif\0\0" + directory)


def segment(marker, payload):
    """A JPEG segment: marker, length, payload."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def exif_rotated(orientation, byte_order="big"):
    """A JPEG whose EXIF header asks for a rotation; the segment comes after SOI, where cameras write it."""
    plain = encoded(picture(), "JPEG", quality=95)
    return plain[:2] + exif_segment(orientation, byte_order) + plain[2:]


def giant_header_png(width=50_000, height=50_000):
    """A PNG of under 100 bytes with a valid header that claims 2.5 billion pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, body) for name, body in chunks)


def png_chunk(name, body):
    """A chunk of a PNG: length, name, content, checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def giant_header_jpeg(width=50_000, height=50_000):
    """A small JPEG whose frame header claims 2.5 thousand million pixels."""
    data = encoded(picture(), "JPEG")
    frame = data.index(b"\xff\xc0") + 5  # after the marker, the length and the precision
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


def tiff():
    """A TIFF, which TensorFlow cannot decode."""
    return encoded(picture(), "TIFF")


def animated_gif():
    """A GIF of three frames."""
    return _animated("GIF")


def animated_webp():
    """A WebP of three frames, which TensorFlow decodes to four channels only."""
    return _animated("WEBP")


def wrong_extension():
    """A PNG, to save under the name of a JPEG."""
    return encoded(picture(), "PNG")


def class_folder(root, classes=("cat", "dog"), per_class=20, size=(40, 32), seed=0, splits=None):
    """Writes `root/<class>/<class>_000.jpg`, or `root/<split>/<class>/...`: pictures that a small network can learn.

    Each class has its own hue and direction of stripes; the stripes' position, the brightness and the noise come from
    the seed. All pictures differ.

    Args:
        root: the folder; created if it does not exist.
        classes: names of the class folders.
        per_class: pictures of each class, in each split.
        size: height and width.
        seed: another seed gives other pictures.
        splits: names of the split folders, such as ("train", "val"); None: no split folders.

    Returns:
        `root` as a Path.
    """
    random = np.random.default_rng(seed)
    for split, (index, name) in itertools.product(splits or ("",), enumerate(classes)):
        folder = Path(root) / split / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            pixels = _photo(index / len(classes), size=size, random=random)
            Image.fromarray(pixels).save(folder / f"{name}_{number:03d}.jpg", "JPEG", quality=90)
    return Path(root)


def _photo(turn, *, size, random):
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    distance = x * np.cos(np.pi * turn) + y * np.sin(np.pi * turn)
    stripes = np.sin(2 * np.pi * (distance / 8 + random.uniform()))
    colour = np.array(colorsys.hsv_to_rgb(turn, 0.6, 1.0))
    brightness = random.uniform(130, 190) + 40 * stripes
    pixels = brightness[..., None] * colour + random.normal(0, 12, (*size, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def _animated(image_format):
    frames = [picture(seed=seed) for seed in range(3)]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:])


def scene(seed, width=48, height=40):
    """A Pillow image of soft coloured patches that differs from every other seed's."""
    random = np.random.default_rng([seed, 7])
    patches = Image.fromarray(random.integers(40, 216, (4, 5, 3), np.uint8))
    return patches.resize((width, height), Image.Resampling.BICUBIC)


def clean_folder(root):
    """Writes `root/<split>/<class>/<number>.jpg`: 24 cats and 24 dogs to train on, 6 + 6 to validate, 6 + 6 to test."""
    numbers = itertools.count()
    for split, count in (("train", 24), ("val", 6), ("test", 6)):
        for name in ("cat", "dog"):
            folder = Path(root) / split / name
            folder.mkdir(parents=True)
            for number in itertools.islice(numbers, count):
                scene(number).save(folder / f"{number:03d}.jpg", "JPEG", quality=90)
    return Path(root)


def clean_table(root):
    """Writes `root/table.csv` (image, label, split, person, caption) and the 72 images that it names, `root/images/...`."""
    rows = ["image,label,split,person,caption"]
    (Path(root) / "images").mkdir(parents=True)
    for number in range(72):
        name, label = f"images/{number:03d}.jpg", ("cat", "dog")[number % 2]
        split = "train" if number < 48 else "val" if number < 60 else "test"
        scene(number).save(Path(root) / name, "JPEG", quality=90)
        rows.append(f"{name},{label},{split},person {number // 2},a {label} in picture {number}")
    (Path(root) / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return Path(root)


def clean_coco(root):
    """Writes COCO's layout: `train2017` (48 images), `val2017` (24), and `annotations` with captions, boxes and polygons."""
    (Path(root) / "annotations").mkdir(parents=True)
    for split, numbers in (("train2017", range(48)), ("val2017", range(48, 72))):
        (Path(root) / split).mkdir()
        for number in numbers:
            scene(number).save(Path(root) / split / f"{number:03d}.jpg", "JPEG", quality=90)
        images = [{"id": n, "file_name": f"{n:03d}.jpg", "width": 48, "height": 40} for n in numbers]
        captions = [{"id": n, "image_id": n, "caption": f"a cup in picture {n}"} for n in numbers]
        objects = [_coco_object(n) for n in numbers]
        categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "ball"}]
        for kind, content in (
            ("captions", {"images": images, "annotations": captions}),
            ("instances", {"images": images, "annotations": objects, "categories": categories}),
        ):
            (Path(root) / "annotations" / f"{kind}_{split}.json").write_text(json.dumps(content))
    return Path(root)


def _coco_object(number):
    x, y = 2 + number % 20, 3 + number % 15
    outline = [x, y, x + 12, y, x + 12, y + 10, x, y + 10]
    return {
        "id": number,
        "image_id": number,
        "category_id": 1 + number % 2,
        "bbox": [x, y, 12, 10],
        "iscrowd": 0,
        "area": 120,
        "segmentation": [outline],
    }


def clean_masks(root):
    """Writes `images` and `masks`, each with `train` (24 images) and `test` (12): a cup or a ball on the ground.

    The numbers are 0, ground; 1, cup; 2, ball; and 255 around each thing.
    """
    for number in range(36):
        split = "train" if number < 24 else "test"
        for folder in ("images", "masks"):
            (Path(root) / folder / split).mkdir(parents=True, exist_ok=True)
        scene(number).save(Path(root) / "images" / split / f"{number:03d}.jpg", "JPEG", quality=90)
        numbers = np.zeros((40, 48), np.uint8)
        x, y = 2 + number % 20, 3 + number % 15
        numbers[y - 1 : y + 11, x - 1 : x + 13] = 255
        numbers[y : y + 10, x : x + 12] = 1 + number % 2
        Image.fromarray(numbers).save(Path(root) / "masks" / split / f"{number:03d}.png")
    return Path(root)


def plain_png():
    """A PNG, to save under the name of a JPEG."""
    return encoded(scene(900), "PNG")


def turned_jpeg():
    """A JPEG of 40 x 48 stored pixels whose orientation asks for a quarter turn."""
    plain = encoded(scene(901, width=40, height=48), "JPEG", quality=95)
    return plain[:2] + exif_segment(6) + plain[2:]


def grey_jpeg():
    """A JPEG of one channel."""
    return encoded(scene(902).convert("L"), "JPEG")


def cmyk_jpeg():
    """A JPEG of four channels."""
    return encoded(scene(903).convert("CMYK"), "JPEG")


def blank_jpeg():
    """A JPEG of one plain red: bright in one channel, but it shows nothing."""
    return encoded(Image.new("RGB", (48, 40), (200, 30, 30)), "JPEG")


def tiny_jpeg():
    """A JPEG of 12 x 3 pixels."""
    return encoded(scene(904, width=12, height=3), "JPEG")


def long_jpeg():
    """A JPEG six times as wide as high."""
    return encoded(scene(905, width=240, height=40), "JPEG")


def rgba_png():
    """A PNG whose left half is half transparent."""
    image = scene(906).convert("RGBA")
    image.paste((255, 0, 0, 128), (0, 0, 24, 40))
    return encoded(image, "PNG")


def palette_png():
    """A PNG with a palette."""
    return encoded(scene(907).convert("P"), "PNG")


def deep_png():
    """A PNG of one channel and 16 bits."""
    return encoded(Image.fromarray(np.asarray(scene(908).convert("L")).astype(np.uint16) * 257), "PNG")


def twelve_bit_png():
    """A PNG of one channel and 16 bits, of which only 12 are used, as in X-rays."""
    values = np.random.default_rng(910).integers(0, 4096, (40, 48)).astype(np.uint16)
    return encoded(Image.fromarray(values), "PNG")


def zip_archive():
    """A ZIP archive with one file in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("picture.jpg", encoded(scene(909), "JPEG"))
    return file.getvalue()


def heic():
    """The first bytes of a photo in the format of phones."""
    return struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + bytes(200)
