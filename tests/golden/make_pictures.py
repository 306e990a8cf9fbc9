"""The same small picture in every kind of file that people have, by Pillow: tests/golden/pictures.

Run: python make_pictures.py
Made with Pillow 13.0.0.
"""

import struct
import zlib
from pathlib import Path

from PIL import Image

OUT = Path(__file__).parent / "pictures"
SIDE = 64


def drawing():
    """Colour fields that palettes and gray levels keep exactly; not symmetric, to see turns."""
    image = Image.new("RGB", (SIDE, SIDE), (16, 32, 200))
    image.paste((240, 200, 16), (8, 8, 40, 24))
    image.paste((200, 16, 80), (40, 24, 56, 60))
    return image


def png(chunks):
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def header(width, height, bits, color, interlace=0):
    return (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace))


def deep(rgb):
    """16 bits a sample: Pillow writes none, so the file is put together here."""
    rows = b"".join(
        b"\0" + b"".join(bytes([value, 77]) for value in rgb.tobytes()[y * 3 * SIDE:(y + 1) * 3 * SIDE])
        for y in range(SIDE)
    )
    return png([header(SIDE, SIDE, 16, 2), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")])


def interlaced(rgb):
    """Adam7's seven passes."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x0, y0, dx, dy in passes:
        for y in range(y0, SIDE, dy):
            rows += b"\0" + b"".join(bytes(rgb.getpixel((x, y))) for x in range(x0, SIDE, dx))
    return png([header(SIDE, SIDE, 8, 2, 1), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")])


def main():
    OUT.mkdir(exist_ok=True)
    rgb = drawing()
    gray = rgb.convert("L")
    clear = rgb.copy()
    clear.putalpha(Image.linear_gradient("L").resize((SIDE, SIDE)))
    other = rgb.transpose(Image.Transpose.ROTATE_180)
    rgb.save(OUT / "rgb.png", optimize=True)
    gray.convert("RGB").save(OUT / "gray_as_rgb.png", optimize=True)
    gray.save(OUT / "gray.png", optimize=True)
    Image.merge("LA", (gray, Image.linear_gradient("L").resize((SIDE, SIDE)))).save(OUT / "gray_alpha.png")
    clear.save(OUT / "rgba.png", optimize=True)
    rgb.quantize(16).save(OUT / "palette.png", optimize=True)
    (OUT / "bits16.png").write_bytes(deep(rgb))
    (OUT / "interlaced.png").write_bytes(interlaced(rgb))
    rgb.save(OUT / "animated.png", save_all=True, append_images=[other], duration=100)
    rgb.save(OUT / "animated.gif", save_all=True, append_images=[other], duration=100)
    rgb.save(OUT / "animated.webp", save_all=True, append_images=[other], duration=100, lossless=True)
    rgb.save(OUT / "still.webp", lossless=True)
    rgb.save(OUT / "baseline.jpg", quality=95, subsampling=0)
    rgb.save(OUT / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    rgb.convert("CMYK").save(OUT / "cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen upright, turn it clockwise
    rgb.transpose(Image.Transpose.ROTATE_90).save(OUT / "turned.jpg", quality=95, subsampling=0, exif=exif)
    whole = (OUT / "rgb.png").read_bytes()
    (OUT / "truncated.png").write_bytes(whole[: len(whole) * 2 // 3])
    (OUT / "empty.png").write_bytes(b"")
    (OUT / "text.png").write_text("this is no picture\n")
    # A few bytes that claim nearly 2 GB of pixels, and one that really is as long as pictures may be.
    huge = [header(30000, 30000, 8, 2), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    (OUT / "huge_header.png").write_bytes(png(huge))
    (OUT / "too_long.png").write_bytes(png([header(30001, 1, 8, 2), *huge[1:]]))
    Image.new("RGB", (30000, 1), (200, 60, 20)).save(OUT / "long.png", optimize=True)


main()
