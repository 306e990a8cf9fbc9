"""Goldens of the preprocessors: what OpenCV's Canny makes of a small picture.

    python tests/golden/make_preprocess.py     # writes tests/golden/preprocess/*.png

Packages: numpy, Pillow, opencv-python-headless 5.0.0.
"""
import pathlib

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OUT = pathlib.Path(__file__).parent / "preprocess"
OUT.mkdir(exist_ok=True)
rng = np.random.default_rng(2)
image = Image.new("RGB", (64, 48), (90, 120, 60))
draw = ImageDraw.Draw(image)
draw.ellipse((6, 5, 34, 40), fill=(220, 80, 40))
draw.polygon([(30, 44), (60, 40), (48, 6)], fill=(40, 60, 200))
draw.line((0, 30, 63, 12), fill=(240, 240, 200), width=2)
image = image.filter(ImageFilter.GaussianBlur(0.8))
pixels = (np.array(image) + rng.normal(0, 9, (48, 64, 3))).clip(0, 255).astype("uint8")
Image.fromarray(pixels).save(OUT / "picture.png")
for low, high in ((100, 200), (40, 90), (150, 150)):
    Image.fromarray(cv2.Canny(pixels, low, high)).save(OUT / f"canny_{low}_{high}.png")
print("opencv", cv2.__version__)
