/** The colour that a digit is drawn in, measured. */
import type { Image } from "../pipeline/image.ts";

/** A colour, 0 to 255 each. */
export type Colour = readonly [red: number, green: number, blue: number];

/**
 * The median colour of the twentieth of the pixels that are farthest from the background, which is
 * that of the corners.
 */
export function inkOf({ width, height, data, channels }: Image): Colour {
  const pixel = (i: number) => [0, 1, 2].map((c) => data[i * channels + c]!) as unknown as Colour;
  const corners = [0, width - 1, (height - 1) * width, height * width - 1].map(pixel);
  const background = medianColour(corners);
  const pixels = Array.from({ length: width * height }, (_, i) => pixel(i));
  const far = pixels.sort((a, b) => distance(b, background) - distance(a, background));
  return medianColour(far.slice(0, Math.floor(far.length / 20)));
}

/** How far two colours are apart. */
export function distance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** The median of each channel. */
export function medianColour(colours: readonly Colour[]): Colour {
  return [0, 1, 2].map((c) => {
    const sorted = colours.map((colour) => colour[c]!).sort((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  }) as unknown as Colour;
}

/**
 * How often a row that the digit crosses changes between ink and background, on average: 2 for one
 * solid stroke, 4 for the outline of one.
 */
export function crossings(image: Image): number {
  const { width, height, data, channels } = image;
  const pixel = (i: number) => [0, 1, 2].map((c) => data[i * channels + c]!) as unknown as Colour;
  const background = medianColour([0, width - 1, width * (height - 1)].map(pixel));
  const ink = inkOf(image);
  let rows = 0, changes = 0;
  for (let y = 0; y < height; y++) {
    let before = false, own = 0;
    for (let x = 0; x < width; x++) {
      const colour = pixel(y * width + x);
      const now = distance(colour, ink) < distance(colour, background);
      if (now !== before) own++;
      before = now;
    }
    if (own > 0) rows++;
    changes += own;
  }
  return rows === 0 ? 0 : changes / rows;
}
