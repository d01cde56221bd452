"""One file of every kind of image that people have, most written by Pillow, the rest byte by byte.

`kinds()` gives the files by name, `pillow_pixels` how Pillow decodes one, which is the reference for every decoder here.
Uses only Pillow, NumPy and the standard library. Loaded by path (fixture `image_kinds`).
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

WIDTH, HEIGHT = 40, 24


def scene(mode="RGB"):
    """A smooth picture without any symmetry, so that a rotation, a flip or swapped colours are noticed."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    blue = np.where((y < HEIGHT / 3) & (x < WIDTH / 3), 220, 60)
    pixels = np.stack([255 * x / (WIDTH - 1), 255 * y / (HEIGHT - 1), blue], axis=-1)
    return Image.fromarray(pixels.round().astype(np.uint8)).convert(mode)


def pillow_pixels(data):
    """uint8 (H, W, 3): the first picture of a file as Pillow shows it, upright, without alpha; None if Pillow fails.

    16 bits per channel are reduced to the upper 8. A transparent pixel of a GIF has no colour: it is black.
    """
    try:
        image = Image.open(io.BytesIO(data))
        is_gif, image = image.format == "GIF", ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        pixels = np.asarray(image.convert("RGBA"))
        return pixels[..., :3] * (pixels[..., 3:] > 0) if is_gif else pixels[..., :3]
    except Exception:  # any error of Pillow's parsers
        return None


def kinds():
    """Name of the kind -> bytes of a file of it."""
    return {**jpegs(), **pngs(), **gifs(), **bmps(), **webps(), **others()}


def saved(image, image_format, **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


# EXIF


def turned(orientation):
    """Files whose EXIF orientation asks for a rotation, in all places where programs write it."""
    rgb, plain, best = scene(), saved(scene(), "JPEG", quality=95, subsampling=0), {"quality": 95, "subsampling": 0}
    big, little, deep = exif(orientation, "big"), exif(orientation, "little"), np.asarray(scene("L")).astype(np.uint16) << 8
    profile = b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([part, 9]) + bytes(60_000)) for part in range(1, 10))
    third = exif(3, "little")
    thumbnail = exif(orientation, "little", more=third + plain)
    orders = (("big", big), ("little", little))
    return {
        **{f"JPEG, {order}": plain[:2] + segment(0xE1, EXIF + tags) + plain[2:] for order, tags in orders},
        "JPEG, behind a large profile": plain[:2] + profile + segment(0xE1, EXIF + big) + plain[2:],
        "JPEG, behind JFIF and a comment": plain[:20] + segment(0xFE, b"Exif") + segment(0xE1, EXIF + big) + plain[20:],
        "JPEG, behind XMP": plain[:2] + segment(0xE1, XMP_NAME + xmp(3)) + segment(0xE1, EXIF + big) + plain[2:],
        "JPEG, before a second header": plain[:2] + segment(0xE1, EXIF + big) + segment(0xE1, EXIF + third) + plain[2:],
        "JPEG, with a thumbnail": plain[:2] + segment(0xE1, EXIF + thumbnail) + plain[2:],
        "JPEG, grey": saved(scene("L"), "JPEG", exif=EXIF + big, quality=95),
        "MPO": saved(rgb, "MPO", save_all=True, append_images=[rgb], exif=EXIF + big, **best),
        **{f"PNG, {order}": saved(rgb, "PNG", exif=tags) for order, tags in orders},
        "PNG, behind its pixels": saved(rgb, "PNG")[:-12] + png_chunk(b"eXIf", big) + saved(rgb, "PNG")[-12:],
        "PNG, grey of 16 bits": png(deep, bits=16, colour=0, chunks=[(b"eXIf", big)]),
        **{f"WebP, {order}": saved(rgb, "WEBP", lossless=True, exif=tags) for order, tags in orders},
        "WebP, with a profile": saved(rgb, "WEBP", lossless=True, exif=big, icc_profile=bytes(9999)),
    }


def turned_elsewhere(orientation):
    """Files that ask for a rotation outside an EXIF header."""
    plain, xml = saved(scene(), "JPEG"), xmp(orientation)
    texts, packed, raw = (PngImagePlugin.PngInfo() for _ in range(3))
    texts.add_itxt("XML:com.adobe.xmp", xml.decode())
    packed.add_itxt("XML:com.adobe.xmp", xml.decode(), zip=True)
    # ImageMagick's format: a name, the number of bytes, and the bytes as hexadecimal digits.
    profile = EXIF + exif(orientation, "big")
    raw.add_text("Raw profile type exif", f"\nexif\n{len(profile):8}\n{profile.hex()}\n", zip=True)
    return {
        "JPEG": plain[:2] + segment(0xE1, XMP_NAME + xml) + plain[2:],
        "PNG": saved(scene(), "PNG", pnginfo=texts),
        "PNG, packed": saved(scene(), "PNG", pnginfo=packed),
        "WebP": saved(scene(), "WEBP", xmp=xml),
        "PNG, text of ImageMagick": saved(scene(), "PNG", pnginfo=raw),
    }


EXIF, XMP_NAME = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def xmp(orientation):
    """The XML in which Adobe's programs describe a picture."""
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def exif(orientation, byte_order, more=b""):
    """A TIFF directory with a camera's name and an orientation."""
    mark, prefix = (b"MM", ">") if byte_order == "big" else (b"II", "<")
    entries = struct.pack(prefix + "HHI4s", 0x010F, 2, 4, b"Cam\0")
    entries += struct.pack(prefix + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(prefix + "HIH", 42, 8, 2) + entries + bytes(4) + more


def segment(marker, payload):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


# JPEG


def jpegs():
    rgb, best = scene(), {"quality": 95, "subsampling": 0}
    plain = saved(rgb, "JPEG", **best)
    cmyk = saved(scene("CMYK"), "JPEG", **best)
    return {
        "JPEG": plain,
        "JPEG, progressive": saved(rgb, "JPEG", progressive=True, **best),
        "JPEG, 4:2:0": saved(rgb, "JPEG", quality=95, subsampling=2),
        "JPEG, 4:2:2": saved(rgb, "JPEG", quality=95, subsampling=1),
        "JPEG, grey": saved(scene("L"), "JPEG", quality=95),
        "JPEG, restart markers": saved(rgb, "JPEG", restart_marker_rows=1, **best),
        "JPEG, RGB by Adobe's transform 0": saved(rgb, "JPEG", keep_rgb=True, **best),
        "JPEG, CMYK": cmyk,
        "JPEG, CMYK without Adobe's marker": without_adobe(cmyk),
        "JPEG, YCCK": ycck(),
        "JPEG, several pictures (MPO)": saved(rgb, "MPO", save_all=True, append_images=[rgb.rotate(180)]),
        "JPEG, trailing garbage": plain + b"garbage" * 99,
        "JPEG, two in one file": plain + saved(rgb.rotate(180), "JPEG"),
        "JPEG, cut off": plain[: len(plain) * 3 // 4],
        "JPEG, 12 bits": plain.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"),
        "JPEG, lossless": plain.replace(b"\xff\xc0", b"\xff\xc3"),
        "JPEG, arithmetic": plain.replace(b"\xff\xc0", b"\xff\xc9"),
    }


def without_adobe(jpeg):
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 16 :]


def ycck():
    """CMYK whose first three channels are stored as YCbCr, as Photoshop does: Adobe's transform 2."""
    pixels = np.asarray(scene("CMYK")).astype(float)
    # Pillow inverts CMYK when it saves; so the colours are inverted before YCbCr, and again before Pillow's inversion.
    red, green, blue = np.moveaxis(255 - pixels[..., :3], -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    channels = [luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402, 255 - pixels[..., 3]]
    stored = np.stack(channels, axis=-1).round().clip(0, 255).astype(np.uint8)
    data = saved(Image.fromarray(255 - stored, "CMYK"), "JPEG", quality=95, subsampling=0)
    adobe = data.index(b"Adobe")
    return data[: adobe + 11] + b"\x02" + data[adobe + 12 :]


# PNG


def pngs():
    rgb, grey, palette = scene(), np.asarray(scene("L")), scene().quantize(16)
    deep = np.asarray(scene()).astype(np.uint16) * 256 + np.arange(WIDTH, dtype=np.uint16)[:, None] * 6
    rgba, grey_alpha = scene("RGBA"), scene("LA")
    rgba.putalpha(Image.fromarray(grey))
    grey_alpha.putalpha(Image.fromarray(grey))
    return {
        "PNG": saved(rgb, "PNG"),
        "PNG, grey, 8 bits": saved(scene("L"), "PNG"),
        **{f"PNG, grey, {bits} bits": png(grey >> (8 - bits), bits=bits, colour=0) for bits in (1, 2, 4)},
        "PNG, grey, 16 bits": png(deep[..., 0], bits=16, colour=0),
        "PNG, RGB, 16 bits": png(deep, bits=16, colour=2),
        "PNG, grey and alpha": saved(grey_alpha, "PNG"),
        "PNG, RGB and alpha": saved(rgba, "PNG"),
        "PNG, RGB and alpha, 16 bits": png(np.dstack([deep, deep[..., 0]]), bits=16, colour=6),
        **{f"PNG, palette, {bits} bits": saved(rgb.quantize(2**bits), "PNG", bits=bits) for bits in (1, 2, 4, 8)},
        "PNG, palette and transparency": saved(palette, "PNG", transparency=3),
        "PNG, palette and alpha": saved(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "PNG, grey and transparency": png(grey, bits=8, colour=0, chunks=[(b"tRNS", struct.pack(">H", int(grey[5, 5])))]),
        "PNG, RGB and transparency": png(np.asarray(rgb), bits=8, colour=2, chunks=[(b"tRNS", bytes(6))]),
        "PNG, interlaced": png(np.asarray(rgb), bits=8, colour=2, interlaced=True),
        "PNG, grey, 16 bits, interlaced": png(deep[..., 1], bits=16, colour=0, interlaced=True),
        "PNG, gamma": png(np.asarray(rgb), bits=8, colour=2, chunks=[(b"gAMA", struct.pack(">I", 100_000))]),
        "PNG, gamma, 16 bits": png(deep, bits=16, colour=2, chunks=[(b"gAMA", struct.pack(">I", 100_000))]),
        "PNG, colour profile": saved(rgb, "PNG", icc_profile=b"profile" * 100),
        "PNG, background": png(np.asarray(rgba), bits=8, colour=6, chunks=[(b"bKGD", bytes([0, 9, 0, 9, 0, 9]))]),
        "PNG, animated": saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]),
        "PNG, animated, its first picture not among the frames": saved(
            rgb, "PNG", save_all=True, default_image=True, append_images=[rgb.rotate(180), rgb.rotate(90)]
        ),
        "PNG, trailing garbage": saved(rgb, "PNG") + b"garbage" * 99,
        "PNG, cut off": saved(rgb, "PNG")[:-60],
    }


def png(pixels, *, bits, colour, interlaced=False, chunks=()):
    """(H, W) or (H, W, C) of values of `bits` bits; `colour` 0 grey, 2 RGB, 6 RGBA; other chunks come before the pixels."""
    height, width = pixels.shape[:2]
    rows = b"".join(_png_rows(part, bits) for part in (_adam7(pixels) if interlaced else [pixels]))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    all_chunks = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in all_chunks)


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _adam7(pixels):
    """Source: PNG (third edition), section 8.1."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    for y, x, down, right in passes:
        yield pixels[y::down, x::right]


def _png_rows(pixels, bits):
    flat = pixels.reshape(len(pixels), -1)
    if bits == 16:
        flat = flat.astype(">u2").view(np.uint8).reshape(len(pixels), -1)
    return b"".join(b"\0" + _packed(row, bits) for row in flat)


def _packed(row, bits):
    """Values of 1, 2 or 4 bits packed in bytes, the first in the upper bits; values of 8 and 16 bits unchanged."""
    if bits >= 8:
        return row.astype(np.uint8).tobytes()
    digits = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.reshape(-1)).tobytes()


# GIF


def gifs():
    image = scene().quantize(64)
    half, clear = image.crop((4, 6, 24, 18)), image.copy()
    clear.info["transparency"] = 5
    return {
        "GIF": saved(image, "GIF"),
        "GIF, interlaced": gif(image, interlaced=True),
        "GIF, not interlaced": saved(image, "GIF", interlace=False),
        "GIF, grey": saved(scene("L"), "GIF"),
        "GIF, transparency": saved(clear, "GIF", transparency=5),
        "GIF, animated": saved(image, "GIF", save_all=True, append_images=[image.rotate(180), image.rotate(90)]),
        "GIF, colours of the frame's own": gif(image, local=True),
        "GIF, a comment first": saved(image, "GIF", comment=b"hello" * 200),
        "GIF, frame smaller than the canvas": gif(half, canvas=(WIDTH, HEIGHT), place=(4, 6)),
        "GIF, frame of the canvas' size beside it": gif(image, place=(8, 0)),
        "GIF, frame larger than the canvas": gif(image, canvas=(20, 12)),
        "GIF, trailing garbage": saved(image, "GIF") + b"garbage" * 99,
        "GIF, cut off": saved(image, "GIF")[:-200],
    }


def gif(image, *, canvas=None, place=(0, 0), local=False, interlaced=False):
    """One frame with uncompressed codes: a clear code comes before the table grows beyond 9 bits."""
    width, height = image.size
    palette = bytes(image.getpalette())[: 3 * 256].ljust(3 * 256, b"\0")
    flags = 0x87 if local else 0
    pixels = np.asarray(image)
    if interlaced:
        pixels = np.concatenate([pixels[first::step] for first, step in ((0, 8), (4, 8), (2, 4), (1, 2))])
    screen = struct.pack("<HHBBB", *(canvas or image.size), 0 if local else 0xF7, 0, 0)
    descriptor = b"\x2c" + struct.pack("<HHHHB", *place, width, height, flags | (0x40 if interlaced else 0))
    blocks = _gif_codes(pixels.reshape(-1).tolist())
    return b"GIF89a" + screen + (b"" if local else palette) + descriptor + (palette if local else b"") + blocks + b";"


def _gif_codes(values):
    codes = [code for start in range(0, len(values), 250) for code in (256, *values[start : start + 250])] + [257]
    number = sum(code << (9 * place) for place, code in enumerate(codes))
    data = number.to_bytes((9 * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return b"\x08" + blocks + b"\0"


# BMP


def bmps():
    rgb = np.asarray(scene())
    alpha, grey = np.dstack([rgb, rgb[..., 0]]), np.asarray(scene("L"))
    bgr, masks, greys = rgb[..., ::-1], (0xFF0000, 0xFF00, 0xFF, 0xFF000000), [(value,) * 3 for value in range(256)]
    palette = scene().quantize(16)
    return {
        "BMP, 24 bits": saved(scene(), "BMP"),
        "BMP, 24 bits, top down": bmp(bgr, bits=24, top_down=True),
        "BMP, 24 bits, OS/2 header": bmp(bgr, bits=24, header="core"),
        "BMP, 24 bits, version 4 header": bmp(bgr, bits=24, header="v4"),
        "BMP, 24 bits, version 5 header": bmp(bgr, bits=24, header="v5"),
        "BMP, 24 bits, odd width": bmp(bgr[:, :37], bits=24),
        "BMP, 24 bits, pixels after a gap": bmp(bgr, bits=24, gap=16),
        "BMP, 32 bits, unused fourth": bmp(_bgra(np.dstack([rgb, 0 * rgb[..., 0]])), bits=32),
        "BMP, 32 bits, top down": bmp(_bgra(np.dstack([rgb, 0 * rgb[..., 0]])), bits=32, top_down=True),
        "BMP, 32 bits, alpha": saved(Image.fromarray(alpha), "BMP"),
        "BMP, 32 bits, masks": bmp(_bgra(alpha), bits=32, header="v4", masks=masks),
        "BMP, 32 bits, other masks": bmp(alpha, bits=32, header="v4", masks=(*masks[2::-1], masks[3])),
        "BMP, 32 bits, masks behind a plain header": bmp(_bgra(alpha), bits=32, masks=masks[:3]),
        "BMP, 16 bits, 555": bmp(_sixteen(rgb, (10, 5, 0), (5, 5, 5)), bits=16),
        "BMP, 16 bits, 565": bmp(_sixteen(rgb, (11, 5, 0), (5, 6, 5)), bits=16, masks=(0xF800, 0x7E0, 0x1F)),
        "BMP, 8 bits, palette": saved(scene().quantize(64), "BMP"),
        "BMP, 8 bits, grey palette": saved(scene("L"), "BMP"),
        "BMP, 8 bits, grey palette turned around": bmp(255 - grey, bits=8, palette=greys[::-1]),
        "BMP, 8 bits, grey palette, top down": bmp(grey, bits=8, palette=greys, top_down=True),
        "BMP, 8 bits, OS/2 header": bmp(np.asarray(palette), bits=8, header="core", palette=_colours(palette)),
        "BMP, 4 bits, palette": bmp(np.asarray(palette), bits=4, palette=_colours(palette)[:16]),
        "BMP, 1 bit": saved(scene("1"), "BMP"),
        "BMP, 8 bits, RLE": bmp(np.asarray(palette), bits=8, palette=_colours(palette), runs=True),
        "BMP, 4 bits, RLE": bmp(np.asarray(palette), bits=4, palette=_colours(palette)[:16], runs=True),
        "BMP, 24 bits, trailing garbage": saved(scene(), "BMP") + b"garbage" * 99,
        "BMP, 24 bits, cut off": saved(scene(), "BMP")[:-600],
    }


def bmp(values, *, bits, header="info", palette=(), masks=(), top_down=False, runs=False, gap=0):
    """(H, W) of indices or of 16-bit colours, or (H, W, C) of bytes in the file's order."""
    height, width = values.shape[:2]
    rows = values if top_down else values[::-1]
    data = _runs(rows, bits) if runs else b"".join(_bmp_row(row, bits) for row in rows)
    compression = {8: 1, 4: 2}[bits] if runs else 3 if masks else 0
    size = {"core": 12, "info": 40, "v4": 108, "v5": 124}[header]
    if header == "core":
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
        table = b"".join(bytes([blue, green, red]) for red, green, blue in palette)
    else:
        high = -height if top_down else height
        info = struct.pack("<IiiHHIIiiII", size, width, high, 1, bits, compression, len(data), 2835, 2835, len(palette), 0)
        table = b"".join(bytes([blue, green, red, 0]) for red, green, blue in palette)
        info = (info + b"".join(struct.pack("<I", mask) for mask in masks)).ljust(size, b"\0")
    start = 14 + len(info) + len(table) + gap
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + table + bytes(gap) + data


def _bmp_row(row, bits):
    data = row.astype("<u2").tobytes() if bits == 16 else _packed(row.reshape(-1), min(bits, 8))
    return data + bytes(-len(data) % 4)


def _runs(rows, bits):
    """Runs of one pixel each; with 4 bits, the value is in both halves of the byte."""
    repeated = rows if bits == 8 else rows * 17
    lines = [b"".join(bytes([1, value]) for value in row.tolist()) + b"\0\0" for row in repeated.astype(np.uint8)]
    return b"".join(lines) + b"\0\1"


def _sixteen(rgb, places, widths):
    parts = [(rgb[..., i].astype(np.uint16) >> (8 - widths[i])) << places[i] for i in range(3)]
    return parts[0] | parts[1] | parts[2]


def _bgra(rgba):
    return rgba[..., [2, 1, 0, 3]]


def _colours(image):
    flat = image.getpalette()
    flat += [0] * (768 - len(flat))
    return [tuple(flat[i : i + 3]) for i in range(0, 768, 3)]


# WebP and the rest


def webps():
    rgb, rgba = scene(), scene("RGBA")
    rgba.putalpha(scene("L"))
    return {
        "WebP, lossless": saved(rgb, "WEBP", lossless=True),
        "WebP, lossy": saved(rgb, "WEBP", quality=95),
        "WebP, lossless, alpha": saved(rgba, "WEBP", lossless=True),
        "WebP, lossy, alpha": saved(rgba, "WEBP", quality=95),
        "WebP, colour profile": saved(rgb, "WEBP", lossless=True, icc_profile=b"profile" * 100),
        "WebP, animated": saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)]),
        "WebP, trailing garbage": saved(rgb, "WEBP", lossless=True) + b"garbage" * 99,
        "WebP, cut off": saved(rgb, "WEBP", lossless=True)[:-40],
    }


def others():
    rgb, tags = scene(), Image.Exif()
    tags[0x0112] = 6
    return {
        "TIFF": saved(rgb, "TIFF"),
        "TIFF, turned": saved(rgb, "TIFF", exif=tags),
        "ICO": saved(rgb, "ICO", sizes=[(24, 24)]),
        "ICO of BMP": saved(rgb, "ICO", sizes=[(24, 24)], bitmap_format="bmp"),
        "AVIF": saved(rgb, "AVIF"),
        "JPEG 2000": saved(rgb, "JPEG2000"),
        "PPM": saved(rgb, "PPM"),
        "TGA": saved(rgb, "TGA"),
        "PCX": saved(rgb, "PCX"),
        "QOI": saved(rgb, "QOI"),
        "SGI": saved(rgb, "SGI"),
    }
