/**
 * Frames as a stream into one file or pipe: animated GIF, animated PNG, YUV4MPEG2 and plain RGB.
 * @module
 */
import { extname } from "node:path";
import { apngSink } from "./animation_apng.ts";
import { gifSink } from "./animation_gif.ts";
import type { FrameSink, FrameTarget } from "./animation_sink.ts";
import { rawRgbSink, y4mSink } from "./animation_y4m.ts";
import type { Image } from "./image.ts";
import { openWhole } from "./image_save.ts";

export type { FrameSink, FrameTarget };

/**
 * Kinds of animations: `gif` (256 colours a frame), `apng` (lossless), `y4m` (uncompressed video that
 * names its own size and rate, for `| ffmpeg -i -`), and `rgb` (the bytes of the pixels, no header).
 */
export type AnimationKind = "gif" | "apng" | "y4m" | "rgb";

/** How an animation is played and stored. */
export interface AnimationOptions {
  /** Frames a second, above 0; GIF at most 50. Default 12. */
  readonly fps?: number;
  /** How often GIF and APNG are played; 0, the default, is without end. */
  readonly loop?: number;
  /** Number of frames that will come; APNG needs it, as its header says so. */
  readonly frames?: number;
  /** GIF: spread the error of each pixel to its neighbours (Floyd-Steinberg). Default true. */
  readonly dither?: boolean;
  /** y4m: colour for every pixel, or for blocks of 2 x 2 as video codecs have it. Default 4:2:0. */
  readonly chroma?: "4:2:0" | "4:4:4";
}

const EXTENSIONS: Readonly<Record<string, AnimationKind>> = {
  ".gif": "gif",
  ".png": "apng",
  ".apng": "apng",
  ".y4m": "y4m",
  ".rgb": "rgb",
};

/** The kind that a path's extension names; throws a TypeError for any other. */
export function animationKindOf(path: string): AnimationKind {
  const extension = extname(path).toLowerCase();
  const kind = EXTENSIONS[extension];
  if (kind !== undefined) return kind;
  throw new TypeError(
    `Cannot write ${path}: animations are ${Object.keys(EXTENSIONS).join(", ")} files; got ` +
      `${extension === "" ? "no extension" : extension}.`,
  );
}

/**
 * Opens an animation whose bytes go to `target` as the frames come; memory holds one frame.
 *
 * Throws a RangeError for options that the kind cannot have.
 */
export function frameSink(
  kind: AnimationKind,
  target: FrameTarget,
  options: AnimationOptions = {},
): FrameSink {
  const { fps = 12, loop = 0, frames } = options;
  if (!(fps > 0 && fps <= 1000)) refuse(`fps is above 0 and at most 1000; got ${fps}`);
  if (!Number.isInteger(loop) || loop < 0 || loop > 65535) {
    refuse(`loop is a whole number from 0 to 65535; got ${loop}`);
  }
  if (frames !== undefined && !(Number.isInteger(frames) && frames >= 1)) {
    refuse(`frames is a whole number from 1 on; got ${frames}`);
  }
  return checked(kind, openSink(kind, target, { ...options, fps, loop }), frames);
}

function openSink(
  kind: AnimationKind,
  target: FrameTarget,
  options: AnimationOptions & { readonly fps: number; readonly loop: number },
): FrameSink {
  switch (kind) {
    case "gif":
      return gifSink(target, options);
    case "apng":
      if (options.frames === undefined) refuse("an APNG begins with its number of frames: give it");
      return apngSink(target, { ...options, frames: options.frames });
    case "y4m":
      return y4mSink(target, options);
    case "rgb":
      return rawRgbSink(target);
  }
}

/** Holds a sink's frames to one size and to the announced number. */
function checked(kind: AnimationKind, sink: FrameSink, frames?: number): FrameSink {
  let first: Pick<Image, "width" | "height" | "channels"> | undefined, count = 0;
  return {
    async write(frame) {
      const { width, height, channels } = first ??= frame;
      if (frame.width !== width || frame.height !== height || frame.channels !== channels) {
        refuse(
          `frame ${count} differs from the first one; got ${shapeOf(frame)}, expected ` +
            shapeOf({ width, height, channels }),
        );
      }
      if (count === frames) refuse(`there are more frames than the ${frames} announced`);
      first = { width, height, channels };
      count++;
      await sink.write(frame);
    },
    async close() {
      if (count === 0) refuse("it has no frames");
      if (frames !== undefined && count < frames) {
        refuse(`there are fewer frames than announced; got ${count}, expected ${frames}`);
      }
      await sink.close();
    },
  };

  function shapeOf({ width, height, channels }: NonNullable<typeof first>): string {
    return `${width} x ${height} ${channels === 4 ? "RGBA" : "RGB"}`;
  }

  function refuse(why: string): never {
    throw new RangeError(`Cannot write the ${kind} animation: ${why}.`);
  }
}

function refuse(why: string): never {
  throw new RangeError(`Cannot write an animation: ${why}.`);
}

/**
 * Writes frames into a file whose extension names its kind; the file is there whole or not at all.
 *
 * Returns the number of frames. Throws what {@linkcode frameSink} and the frames' source throw, and
 * an ImageError if the file cannot be written.
 */
export async function saveAnimation(
  path: string,
  frames: AsyncIterable<Image> | Iterable<Image>,
  options: AnimationOptions = {},
): Promise<number> {
  const kind = animationKindOf(path);
  await using file = await openWhole(path);
  const sink = frameSink(kind, file, options);
  let count = 0;
  for await (const frame of frames) {
    await sink.write(frame);
    count++;
  }
  await sink.close();
  await file.keep();
  return count;
}
