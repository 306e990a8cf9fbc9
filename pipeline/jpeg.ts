import { Buffer } from "node:buffer";
import { ImageError } from "./image_error.ts";
import { exifSegment, type JpegHeader, readJpegHeader, textSegment } from "./jpeg_exif.ts";
import { renewTurboDecoder, turboDecoder } from "./jpeg_turbo.ts";
import type { Pixels } from "./pixels.ts";

/** A decoder's output: RGBA from libjpeg-turbo, RGB from jpeg-js. */
interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

function damaged(source: string, why: string, cause?: unknown): ImageError {
  const options = cause === undefined ? undefined : { cause };
  return new ImageError(`Cannot read ${source}: ${why}. Save it anew.`, source, options);
}

/** The header of a JPEG file; throws an ImageError if there is none. */
export function jpegHeader(bytes: Uint8Array, source: string): JpegHeader {
  const header = readJpegHeader(bytes);
  if (header === undefined) throw damaged(source, "the JPEG header is damaged or incomplete");
  return header;
}

/**
 * Decodes a JPEG, baseline or progressive, to RGB, turned upright as its EXIF says.
 *
 * libjpeg-turbo, compiled to WebAssembly, does it: the pixels equal Pillow's. It has no CMYK; jpeg-js
 * does (Pillow's pixels to 1 in 255). Throws an ImageError if the file is damaged or ends early.
 */
export async function decodeJpeg(bytes: Uint8Array, source: string): Promise<Pixels> {
  const { components, orientation } = jpegHeader(bytes, source);
  if (
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).lastIndexOf(
      "\xff\xd9",
      undefined,
      "latin1",
    ) < 0
  ) {
    throw damaged(source, "the JPEG file ends early");
  }
  const decode = components === 4 ? await cmykDecoder() : await turboDecoder();
  let decoded: Decoded;
  try {
    decoded = decode(bytes);
  } catch (cause) {
    if (components !== 4) renewTurboDecoder();
    throw damaged(source, "its JPEG data is damaged", cause);
  }
  const { width, height } = decoded;
  const data = withoutAlpha(decoded);
  return upright({ width, height, channels: 3, data }, orientation);
}

async function cmykDecoder(): Promise<(bytes: Uint8Array) => Decoded> {
  const { default: jpeg } = await import("npm:jpeg-js@0.4.4");
  const limits = { maxResolutionInMP: 1000, maxMemoryUsageInMB: 8192 };
  return (bytes) =>
    jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      ...limits,
    });
}

function withoutAlpha({ width, height, data }: Decoded): Uint8ClampedArray {
  const count = width * height;
  if (data.length === 3 * count) return new Uint8ClampedArray(data);
  const out = new Uint8ClampedArray(3 * count);
  for (let i = 0, from = 0, to = 0; i < count; i++, from++) {
    out[to++] = data[from++]!;
    out[to++] = data[from++]!;
    out[to++] = data[from++]!;
  }
  return out;
}

/** Turns and mirrors pixels by EXIF's orientation (CIPA DC-008, table 6). */
function upright(picture: Pixels, orientation: number): Pixels {
  if (orientation === 1) return picture;
  const { width, height, channels, data } = picture;
  const isTurned = orientation >= 5;
  const outWidth = isTurned ? height : width, outHeight = isTurned ? width : height;
  const flipX = [2, 3, 7, 8].includes(orientation), flipY = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8ClampedArray(data.length);
  let at = 0;
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const column = isTurned ? y : x, row = isTurned ? x : y;
      const fromX = flipX ? width - 1 - column : column, fromY = flipY ? height - 1 - row : row;
      const from = (fromY * width + fromX) * channels;
      for (let k = 0; k < channels; k++) out[at++] = data[from + k]!;
    }
  }
  return { width: outWidth, height: outHeight, channels, data: out };
}

/** Settings of {@linkcode encodeJpeg}. */
export interface JpegOptions {
  /** 1 to 100. Default 95. */
  readonly quality?: number;
  /** Goes into EXIF's user comment. */
  readonly comment?: string;
  /** Other texts by keyword, which go into comment segments. */
  readonly texts?: Readonly<Record<string, string>>;
}

/**
 * Encodes pixels as a baseline JPEG with full colour resolution (4:4:4); alpha is dropped.
 *
 * Throws a RangeError for a quality outside 1 to 100 or a text that is too long.
 */
export async function encodeJpeg(picture: Pixels, options: JpegOptions = {}): Promise<Uint8Array> {
  const { quality = 95, comment, texts = {} } = options;
  if (!(quality >= 1 && quality <= 100)) {
    throw new RangeError(`Cannot encode a JPEG: quality is 1 to 100; got ${quality}.`);
  }
  const { width, height, channels, data } = picture;
  const rgba = new Uint8Array(width * height * 4);
  for (let from = 0, to = 0; from < data.length; from += channels, to += 4) {
    rgba[to] = data[from]!;
    rgba[to + 1] = data[from + 1]!;
    rgba[to + 2] = data[from + 2]!;
  }
  const { default: jpeg } = await import("npm:jpeg-js@0.4.4");
  const encoded = jpeg.encode({ width, height, data: rgba }, quality).data;
  const segments = [
    ...(comment === undefined ? [] : [exifSegment(comment)]),
    ...Object.entries(texts).map(([keyword, text]) => textSegment(keyword, text)),
  ];
  const start = encoded.subarray(0, 2); // the start mark; the texts come right behind it
  return new Uint8Array(Buffer.concat([start, ...segments, encoded.subarray(2)]));
}
