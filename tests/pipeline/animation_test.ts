import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import golden from "../golden/animation.json" with { type: "json" };
import {
  type AnimationKind,
  animationKindOf,
  type AnimationOptions,
  frameSink,
  saveAnimation,
} from "../../pipeline/animation.ts";
import { Image } from "../../pipeline/image.ts";
import { ImageError } from "../../pipeline/image_error.ts";
import { pngChunk, pngChunks, pngFile } from "../../pipeline/png_chunks.ts";
import { lzwDecode, readGif } from "./animation_gif_reader.ts";

const { width, height } = golden;

function unpacked(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

const frames = golden.frames.map((frame) =>
  new Image(width, height, new Uint8ClampedArray(unpacked(frame)))
);
const allPixels = frames.flatMap((frame) => [...frame.data]);

async function animate(
  kind: AnimationKind,
  pictures: readonly Image[],
  options?: AnimationOptions,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const sink = frameSink(kind, {
    write: (bytes) => Promise.resolve(void parts.push(bytes.slice())),
  }, options);
  for (const picture of pictures) await sink.write(picture);
  await sink.close();
  return new Uint8Array(Buffer.concat(parts));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

function filled(color: readonly number[], side = 4): Image {
  const data = new Uint8ClampedArray(side * side * color.length);
  return new Image(side, side, data.map((_, i) => color[i % color.length]!));
}

for (const [name, read] of Object.entries(golden.read)) {
  Deno.test(`frameSink makes the file that Pillow and ffmpeg read: ${name}`, async () => {
    const bytes = await animate(read.kind as AnimationKind, frames, read.options as object);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), read.sha256);
  });
}

Deno.test("frameSink keeps every pixel of an APNG, in Pillow and in ffmpeg", () => {
  const read = golden.read.apng;
  assert.deepEqual(read.pillow.frames, golden.frames);
  assert.deepEqual(unpacked(read.ffmpeg), Uint8Array.from(allPixels));
  assert.equal(read.pillow.loop, 2);
  assert.equal(read.ffprobe.r_frame_rate, "30000/1001");
});

Deno.test("frameSink keeps a GIF near its pixels, with the loop and the pace asked for", () => {
  for (const read of [golden.read.gif, golden.read["gif dithered"]]) {
    read.pillow.frames.forEach((pixels, i) => {
      assert.ok(largestDifference(unpacked(pixels), frames[i]!.data) <= 12);
    });
  }
  // Played three times is repeated twice; 4 frames at 12 a second take 33 hundredths.
  assert.equal(golden.read.gif.pillow.loop, 2);
  assert.deepEqual(golden.read.gif.pillow.durations, [80, 90, 80, 80]);
  assert.equal(golden.read["gif dithered"].pillow.loop, 0);
});

Deno.test("frameSink makes y4m whose planes equal ffmpeg's conversion", async () => {
  const even = frames.map((frame) => frame.crop(0, 0, width - 1, height - 1));
  for (const [chroma, planes] of [["4:4:4", golden.yuv444p], ["4:2:0", golden.yuv420p]] as const) {
    const bytes = await animate("y4m", even, { fps: 25, chroma });
    const headerEnd = bytes.indexOf(10) + 1, mark = "FRAME\n".length;
    const frameBytes = (bytes.length - headerEnd) / frames.length - mark;
    const found = frames.map((_, i) => {
      const start = headerEnd + i * (frameBytes + mark);
      assert.equal(Buffer.from(bytes.subarray(start, start + mark)).toString(), "FRAME\n");
      return bytes.subarray(start + mark, start + mark + frameBytes);
    });
    assert.ok(largestDifference(Buffer.concat(found), unpacked(planes)) <= 1, chroma);
  }
});

Deno.test("frameSink makes y4m that ffmpeg reads with its size, range, siting and rate", () => {
  const half = golden.read["y4m 4:2:0"].ffprobe, full = golden.read["y4m 4:4:4"];
  assert.equal(half.pix_fmt, "yuv420p");
  assert.equal(half.color_range, "tv");
  assert.equal(half.chroma_location, "center");
  assert.equal(half.r_frame_rate, "25/1");
  assert.equal(full.ffprobe.r_frame_rate, "24000/1001");
  assert.ok(largestDifference(unpacked(full.ffmpeg), allPixels) <= 2);
});

Deno.test("frameSink gives black, white and the primaries their BT.601 values", async () => {
  const cases: [number[], number[]][] = [
    [[0, 0, 0], [16, 128, 128]],
    [[255, 255, 255], [235, 128, 128]],
    [[255, 0, 0], [81, 90, 240]],
    [[0, 0, 255], [41, 240, 110]],
  ];
  for (const [color, want] of cases) {
    const bytes = await animate("y4m", [filled(color, 2)], { chroma: "4:4:4" });
    assert.deepEqual([0, 4, 8].map((i) => bytes[bytes.length - 12 + i]), want, String(color));
  }
});

Deno.test("frameSink writes plain RGB without alpha", async () => {
  const bytes = await animate("rgb", [filled([1, 2, 3, 0], 1), filled([4, 5, 6, 9], 1)]);
  assert.deepEqual([...bytes], [1, 2, 3, 4, 5, 6]);
});

Deno.test("frameSink numbers APNG's chunks and makes each frame a whole PNG", async () => {
  frames[0]!.text.parameters = "a café\nSteps: 3";
  const bytes = await animate("apng", frames, { frames: frames.length, fps: 25 });
  delete frames[0]!.text.parameters;
  const chunks = [...pngChunks(bytes, "test")];
  const sequence = chunks.filter(({ type }) => type === "fcTL" || type === "fdAT")
    .map(({ data }) => new DataView(data.buffer, data.byteOffset).getUint32(0));
  assert.deepEqual(sequence, sequence.map((_, i) => i));
  const header = chunks[0]!, later = chunks.filter(({ type }) => type === "fdAT");
  for (const [i, { data }] of later.entries()) {
    const png = pngFile([
      pngChunk("IHDR", header.data),
      pngChunk("IDAT", data.subarray(4)),
      pngChunk("IEND"),
    ]);
    assert.deepEqual((await Image.load(png)).data, frames[i + 1]!.data);
  }
  const still = await Image.load(bytes);
  assert.deepEqual(still.data, frames[0]!.data);
  assert.deepEqual(still.text, { parameters: "a café\nSteps: 3" });
});

Deno.test("frameSink keeps the exact colours of a GIF frame that has no more than 256", async () => {
  const data = new Uint8ClampedArray(16 * 16 * 3).map((_, i) => (i % 3) * 7 + Math.floor(i / 3));
  const { frames: [frame] } = readGif(await animate("gif", [new Image(16, 16, data)]));
  const colors = lzwDecode(frame!.lzw, frame!.codeSize).flatMap((i) => frame!.palette[i]!);
  assert.deepEqual(colors, [...data]);
});

Deno.test("frameSink keeps clear pixels of a GIF clear, over the frame before", async () => {
  const clear = new Image(2, 1, Uint8ClampedArray.of(9, 8, 7, 255, 1, 2, 3, 0));
  const gif = readGif(await animate("gif", [filled([5, 5, 5, 255], 2).crop(0, 0, 2, 1), clear]));
  const [first, second] = gif.frames;
  assert.equal(first!.dispose, 2);
  assert.equal(first!.clear, undefined);
  const [solid, hole] = lzwDecode(second!.lzw, second!.codeSize);
  assert.deepEqual(second!.palette[solid!], [9, 8, 7]);
  assert.equal(hole, second!.clear);
});

Deno.test("frameSink's dithering keeps the average colour where plain mapping makes bands", async () => {
  const side = 96;
  const ramp = new Uint8ClampedArray(3 * side * side);
  for (let i = 0; i < side * side; i++) {
    const x = i % side, y = Math.floor(i / side);
    ramp.set([x * 2.6, y * 2.6, (x + y) * 1.3], 3 * i);
  }
  const image = new Image(side, side, ramp);
  const drift = async (dither: boolean) => {
    const { frames: [frame] } = readGif(await animate("gif", [image], { dither }));
    const shown = lzwDecode(frame!.lzw, frame!.codeSize).flatMap((i) => frame!.palette[i]!);
    const seen = new Image(side, side, Uint8ClampedArray.from(shown)).resize(12, 12, "bilinear");
    const want = image.resize(12, 12, "bilinear").data;
    return seen.data.reduce((sum, v, i) => sum + Math.abs(v - want[i]!), 0) / want.length;
  };
  const dithered = await drift(true), plain = await drift(false);
  assert.ok(dithered < 0.7 * plain, `${dithered} against ${plain}`);
});

Deno.test("frameSink plays a GIF once without a loop block, and n times with n - 1 repeats", async () => {
  const loops = await Promise.all(
    [0, 1, 2, 9].map(async (loop) =>
      readGif(await animate("gif", [filled([1, 1, 1])], { loop })).loop
    ),
  );
  assert.deepEqual(loops, [0, undefined, 1, 8]);
});

Deno.test("frameSink refuses what it cannot write, in one line", async () => {
  const nowhere = { write: () => Promise.resolve() };
  assert.throws(() => frameSink("apng", nowhere), /RangeError.*number of frames/);
  assert.throws(() => frameSink("gif", nowhere, { fps: 60 }), /RangeError.*at most 50.*APNG/);
  assert.throws(() => frameSink("gif", nowhere, { fps: 0 }), /RangeError.*got 0/);
  assert.throws(() => frameSink("gif", nowhere, { loop: -1 }), /RangeError.*got -1/);
  assert.throws(() => frameSink("apng", nowhere, { frames: 1.5 }), /RangeError.*got 1.5/);
  await assert.rejects(animate("rgb", []), /RangeError.*no frames/);
  await assert.rejects(
    animate("gif", [filled([1, 2, 3]), filled([1, 2, 3], 5)]),
    /RangeError: Cannot write the gif animation: frame 1 differs.*got 5 x 5 RGB, expected 4 x 4 RGB/,
  );
  await assert.rejects(animate("apng", frames, { frames: 9 }), /RangeError.*got 4, expected 9/);
  await assert.rejects(
    animate("apng", frames, { frames: 2 }),
    /RangeError.*more frames than the 2/,
  );
});

Deno.test("animationKindOf reads the extension and refuses others", () => {
  assert.equal(animationKindOf("a/B.GIF"), "gif");
  assert.equal(animationKindOf("walk.png"), "apng");
  assert.throws(() => animationKindOf("a.mp4"), /TypeError.*got \.mp4/);
});

async function* failingFrames(): AsyncGenerator<Image> {
  yield frames[0]!;
  await Promise.reject(new Error("out of ideas"));
}

Deno.test("saveAnimation writes the whole file or none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "a.gif");
    assert.equal(await saveAnimation(path, frames, { fps: 5 }), 4);
    assert.equal(readGif(await Deno.readFile(path)).frames.length, 4);
    await assert.rejects(saveAnimation(join(folder, "b.gif"), failingFrames()), /out of ideas/);
    await assert.rejects(saveAnimation(join(folder, "no/c.gif"), frames), ImageError);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.gif"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("frameSink holds no frames back: each is written before the next is taken", async () => {
  let written = 0;
  const counting = {
    write: (bytes: Uint8Array) => Promise.resolve(void (written += bytes.length)),
  };
  for (const kind of ["gif", "apng", "y4m", "rgb"] as const) {
    const sink = frameSink(kind, counting, { frames: 20 });
    for (let i = 0; i < 20; i++) {
      const before = written;
      await sink.write(filled([i, i, i], 32));
      assert.ok(written > before, kind);
    }
    await sink.close();
  }
});
