import { ImageError } from "./image_error.ts";
import type { Pixels } from "./pixels.ts";

/**
 * Width and height from the header (RFC 9649, section 2.5 and after).
 *
 * Throws an ImageError if there is no valid header, or if it is an animation's.
 */
export function webpSize(bytes: Uint8Array, source: string): { width: number; height: number } {
  const refuse = (why: string) =>
    new ImageError(`Cannot read ${source}: the WebP file is ${why}. Save it as a PNG.`, source);
  if (bytes.length < 30) throw refuse("damaged or ends early");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u24 = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  switch (new TextDecoder("latin1").decode(bytes.subarray(12, 16))) {
    case "VP8X":
      if (view.getUint8(20) & 2) throw refuse("animated");
      return { width: u24(24) + 1, height: u24(27) + 1 };
    case "VP8 ":
      return {
        width: view.getUint16(26, true) & 0x3fff,
        height: view.getUint16(28, true) & 0x3fff,
      };
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    default:
      throw refuse("damaged");
  }
}

/**
 * Decodes a still WebP to RGB, or to RGBA if it has clear parts, by libwebp, compiled to WebAssembly; the pixels equal Pillow's.
 *
 * Throws an ImageError if the file is damaged.
 */
export async function decodeWebp(bytes: Uint8Array, source: string): Promise<Pixels> {
  const { default: webp } = await import("npm:@cwasm/webp@0.1.5");
  try {
    const { width, height, data } = webp.decode(bytes);
    return withoutOpaqueAlpha({ width, height, channels: 4, data });
  } catch (cause) {
    throw new ImageError(
      `Cannot read ${source}: the WebP file is damaged. Save it as a PNG.`,
      source,
      { cause },
    );
  }
}

function withoutOpaqueAlpha(picture: Pixels): Pixels {
  const { width, height, data } = picture;
  const rgb = new Uint8ClampedArray(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    if (data[from + 3] !== 255) return picture;
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
}
