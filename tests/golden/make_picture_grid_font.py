"""The bitmap font of picture grids: prints the table in pipeline/picture_grid_font.ts.

Run: python tests/golden/make_picture_grid_font.py 6x13-ISO8859-1.pcf.gz
The file is X.Org's font-misc-misc 1.1.2 "fixed" 6x13 (Debian's xfonts-base), whose licence is: "Public domain
font. Share and enjoy."
"""

import base64
import gzip
import sys

from PIL.PcfFontFile import PcfFontFile

WIDTH, HEIGHT, ASCENT = 6, 13, 11


def rows(font, code):
    """One byte a row; the highest bit is the left pixel."""
    out = bytearray(HEIGHT)
    (_, _), (left, top, right, bottom), _, picture = font.glyph[code]
    for y in range(bottom - top):
        for x in range(right - left):
            if picture.getpixel((x, y)):
                out[ASCENT + top + y] |= 0x80 >> (left + x)
    return bytes(out)


def main(path):
    font = PcfFontFile(gzip.open(path, "rb"))
    codes = [*range(0x20, 0x7F), *range(0xA0, 0x100)]
    text = base64.b64encode(b"".join(rows(font, code) for code in codes)).decode()
    for at in range(0, len(text), 92):
        print(f'  "{text[at:at + 92]}",')


if __name__ == "__main__":
    main(sys.argv[1])
