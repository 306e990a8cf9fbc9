"""Pictures as Pillow and diffusers read, resize and convert them, for tests/pipeline/image_test.ts.

Run: python tests/golden/make_image.py   (writes image.json beside itself)
Bytes are base64. "rgba" is what Pillow decodes the file to.
"""

import base64
import io
import json
import pathlib
import struct
import zlib

import diffusers
import numpy
import PIL
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

HERE = pathlib.Path(__file__).parent
RANDOM = numpy.random.default_rng(5)


def packed(data):
    return base64.b64encode(bytes(data)).decode()


def smooth(width, height, channels=3):
    coarse = RANDOM.integers(0, 256, (5, 6, channels), dtype=numpy.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def png(width, height, bits, color, samples, extra=(), interlaced=False):
    """A PNG written by hand, for kinds that Pillow does not write: one filter a row, in turns."""
    grids = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for left, top, dx, dy in grids if interlaced else [(0, 0, 1, 1)]:
        grid = samples[top::dy, left::dx]
        if grid.size:
            raw += filtered([pack(row.ravel(), bits) for row in grid], max(1, bits * samples.shape[2] // 8))
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks
    )


def pack(values, bits):
    if bits >= 8:
        return values.astype(">u2" if bits == 16 else "u1").tobytes()
    digits = "".join(format(int(v), f"0{bits}b") for v in values)
    return bytes(int(digits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(digits), 8))


def filtered(rows, step):
    out, above = b"", bytes(len(rows[0]))
    for y, row in enumerate(rows):
        kind = y % 5
        line = bytearray([kind])
        for i, value in enumerate(row):
            a, b, c = row[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
            line.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        out, above = out + bytes(line), row
    return out


def decoded(name, data, rgba=None):
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    rgba = picture.convert("RGBA") if rgba is None else rgba
    return {"name": name, "file": packed(data), "width": picture.width, "height": picture.height, "rgba": packed(rgba.tobytes())}


def saved(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def png_cases():
    w, h = 11, 9
    for bits in (1, 2, 4, 8):
        gray = RANDOM.integers(0, 2**bits, (h, w, 1))
        for interlaced in (False, True):
            yield decoded(f"gray {bits} bits {interlaced=}", png(w, h, bits, 0, gray, interlaced=interlaced))
        palette = (b"PLTE", RANDOM.integers(0, 256, 3 * 2**bits, dtype=numpy.uint8).tobytes())
        clear = (b"tRNS", bytes([0, 128]))
        yield decoded(f"palette {bits} bits", png(w, h, bits, 3, gray, [palette]))
        yield decoded(f"palette {bits} bits with alpha", png(w, h, bits, 3, gray, [palette, clear], True))
    for color, count in ((2, 3), (4, 2), (6, 4)):
        for interlaced in (False, True):
            values = RANDOM.integers(0, 256, (h, w, count))
            yield decoded(f"colour type {color} {interlaced=}", png(w, h, 8, color, values, interlaced=interlaced))
        wide = RANDOM.integers(0, 65536, (h, w, count))
        high = numpy.uint8(wide >> 8)
        full = numpy.full((h, w, 1), 255, numpy.uint8)
        rgba = {2: lambda: numpy.concatenate([high, full], 2), 4: lambda: high[..., [0, 0, 0, 1]], 6: lambda: high}[color]()
        yield decoded(f"colour type {color}, 16 bits", png(w, h, 16, color, wide), rgba)
    values = RANDOM.integers(0, 3, (h, w, 3))
    key = (b"tRNS", struct.pack(">HHH", *values[4, 5]))
    yield decoded("one clear colour", png(w, h, 8, 2, values, [key]))
    yield decoded("1 x 1, interlaced", png(1, 1, 8, 2, values[:1, :1], interlaced=True))


def other_cases():
    picture = smooth(29, 18)
    yield decoded("JPEG 4:2:0", saved(picture, "JPEG", quality=90))
    yield decoded("JPEG 4:4:4", saved(picture, "JPEG", quality=95, subsampling=0))
    yield decoded("JPEG progressive", saved(picture, "JPEG", progressive=True))
    yield decoded("JPEG gray", saved(picture.convert("L"), "JPEG"))
    yield decoded("JPEG CMYK", saved(picture.convert("CMYK"), "JPEG"))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield decoded(f"JPEG orientation {orientation}", saved(picture, "JPEG", exif=exif))
    yield decoded("WebP", saved(picture, "WEBP"))
    yield decoded("WebP with alpha", saved(smooth(13, 10, 4), "WEBP", lossless=True, exact=True))


def resized():
    rows = []
    for channels in (3, 4):
        picture = smooth(37, 23, channels)
        noisy = RANDOM.integers(0, 256, (23, 37, channels), dtype=numpy.uint8)
        source = Image.fromarray(numpy.where(RANDOM.random((23, 37, 1)) < 0.5, noisy, numpy.array(picture)))
        results = [
            {"filter": name, "width": w, "height": h, "data": packed(source.resize((w, h), getattr(Image.Resampling, name.upper())).tobytes())}
            for name in ("nearest", "bilinear", "bicubic", "lanczos")
            for w, h in ((16, 16), (45, 31), (37, 10), (9, 23), (1, 1))
        ]
        rows.append({"channels": channels, "width": 37, "height": 23, "data": packed(source.tobytes()), "results": results})
    return rows


def processed():
    """Through diffusers' own image processors."""
    tensor = torch.randn(1, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    edges = torch.tensor([(2 * k + 1) / 255 - 1 for k in range(30)])  # halves: rounding to even shows
    tensor[0, 0] = edges.reshape(6, 5)
    processor = VaeImageProcessor(vae_scale_factor=8)
    picture = smooth(40, 24)
    mask = VaeImageProcessor(vae_scale_factor=8, do_normalize=False, do_binarize=True, do_convert_grayscale=True)
    binary = mask.preprocess(picture, height=24, width=40)
    small = torch.nn.functional.interpolate(binary, size=(3, 5))
    odd = torch.nn.functional.interpolate(binary, size=(7, 9))
    return {
        "tensor": tensor.ravel().tolist(), "width": 5, "height": 6,
        "picture": packed(processor.postprocess(tensor)[0].tobytes()),
        "photo": packed(picture.tobytes()), "photoWidth": 40, "photoHeight": 24,
        "photoTensor": packed(processor.preprocess(picture.resize((16, 16), Image.Resampling.LANCZOS)).numpy().tobytes()),
        "gray": packed(picture.convert("L").tobytes()),
        "mask": binary.ravel().int().tolist(),
        "latentMask": small.ravel().int().tolist(),
        "oddMask": odd.ravel().int().tolist(),
    }


def texts():
    info = PngInfo()
    info.add_text("parameters", "a café\nSteps: 20")
    info.add_text("workflow", "x" * 500, zip=True)
    info.add_itxt("prompt", "東京 at dawn", "ja", "プロンプト")
    info.add_itxt("notes", "ä" * 300, zip=True)
    data = saved(Image.new("RGB", (3, 2), (10, 20, 30)), "PNG", pnginfo=info)
    return {"file": packed(data), "texts": dict(Image.open(io.BytesIO(data)).text)}


def main():
    golden = {
        "pillow": PIL.__version__,
        "diffusers": diffusers.__version__,
        "decoded": [*png_cases(), *other_cases()],
        "resized": resized(),
        "processed": processed(),
        "texts": texts(),
    }
    (HERE / "image.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
