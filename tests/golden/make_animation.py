"""What Pillow and ffmpeg read out of our animations, for tests/pipeline/animation_test.ts.

Run: python tests/golden/make_animation.py   (writes animation.json beside itself; needs deno and ffmpeg)
Frames come from here, write_animations.ts makes the files, Pillow and ffmpeg read them back. Bytes are
base64; "sha256" names the file that was read.
"""

import base64
import hashlib
import io
import json
import pathlib
import subprocess
import tempfile

import numpy
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT, FRAMES = 25, 17, 4
CASES = {
    "gif": {"kind": "gif", "options": {"fps": 12, "loop": 3, "dither": False}},
    "gif dithered": {"kind": "gif", "options": {"fps": 30}},
    "apng": {"kind": "apng", "options": {"fps": 29.97, "loop": 2, "frames": FRAMES}},
    "y4m 4:2:0": {"kind": "y4m", "options": {"fps": 25}},
    "y4m 4:4:4": {"kind": "y4m", "options": {"fps": 23.976, "chroma": "4:4:4"}},
    "rgb": {"kind": "rgb", "options": {}},
}


def packed(data):
    return base64.b64encode(bytes(data)).decode()


def frames():
    """Smooth colours that move: more than 256 of them in each frame."""
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH] / 24
    for i in range(FRAMES):
        waves = [numpy.sin(3 * x + k * y + 0.7 * i * (k + 1)) for k in range(3)]
        yield numpy.uint8(numpy.round(127.5 + 127.5 * numpy.stack(waves, -1))).tobytes()


def run(*command, data=b""):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def ffmpeg(path):
    return run("ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24",
               "-sws_flags", "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp", "-fps_mode", "passthrough", "-")


def ffprobe(path):
    entries = "stream=codec_name,width,height,pix_fmt,r_frame_rate,color_range,chroma_location"
    out = run("ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, path)
    return json.loads(out)["streams"][0]


def pillow(data):
    picture = Image.open(io.BytesIO(data))
    durations, pixels = [], []
    for i in range(picture.n_frames):
        picture.seek(i)
        pixels.append(picture.convert("RGB").tobytes())
        durations.append(picture.info["duration"])
    return {"frames": [packed(p) for p in pixels], "durations": durations, "loop": picture.info.get("loop")}


def reference_planes(pictures, kind):
    """ffmpeg's own conversion to yuv of the frames without their last row and column: with odd sides it would
    not average whole blocks."""
    rows = [numpy.frombuffer(p, numpy.uint8).reshape(HEIGHT, WIDTH, 3)[:-1, :-1].tobytes() for p in pictures]
    data = b"".join(rows)
    return packed(run("ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH - 1}x{HEIGHT - 1}", "-i", "-",
                      "-f", "rawvideo", "-pix_fmt", kind, "-sws_flags", "area+accurate_rnd+full_chroma_int+full_chroma_inp", "-", data=data))


def main():
    pictures = list(frames())
    request = {"width": WIDTH, "height": HEIGHT, "frames": [packed(p) for p in pictures], "cases": CASES}
    script = str(HERE / "write_animations.ts")
    files = json.loads(run("deno", "run", "-A", script, data=json.dumps(request).encode()))
    read = {}
    for name, encoded in files.items():
        data = base64.b64decode(encoded)
        read[name] = {**CASES[name], "sha256": hashlib.sha256(data).hexdigest()}
        kind = CASES[name]["kind"]
        if kind in ("gif", "apng"):
            read[name]["pillow"] = pillow(data)
        if kind == "rgb":
            assert data == b"".join(pictures)
            continue
        with tempfile.NamedTemporaryFile(suffix="." + kind) as file:
            file.write(data)
            file.flush()
            read[name]["ffprobe"] = ffprobe(file.name)
            read[name]["ffmpeg"] = packed(ffmpeg(file.name))
    golden = {
        "pillow": PIL.__version__,
        "ffmpeg": run("ffmpeg", "-version").decode().split()[2],
        "width": WIDTH, "height": HEIGHT, "frames": request["frames"], "read": read,
        "yuv420p": reference_planes(pictures, "yuv420p"),
        "yuv444p": reference_planes(pictures, "yuv444p"),
    }
    (HERE / "animation.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
