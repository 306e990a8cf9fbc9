import { ImageError } from "./image_error.ts";
import type { Pixels } from "./pixels.ts";

/**
 * Decodes a still WebP to RGB, or to RGBA if it has clear parts, by libwebp, compiled to WebAssembly; the pixels equal Pillow's.
 *
 * Throws an ImageError if the file is damaged or animated.
 */
export async function decodeWebp(bytes: Uint8Array, source: string): Promise<Pixels> {
  const { default: webp } = await import("npm:@cwasm/webp@0.1.5");
  try {
    const { width, height, data } = webp.decode(bytes);
    return withoutOpaqueAlpha({ width, height, channels: 4, data });
  } catch (cause) {
    throw new ImageError(
      `Cannot read ${source}: the WebP file is damaged or animated. Save it as a PNG.`,
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
