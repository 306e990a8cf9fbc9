/** Decoded pixels, 8 bits a sample. */
export interface Pixels {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 3 for RGB, 4 for RGBA. */
  readonly channels: 3 | 4;
  /** `[height, width, channels]`, without padding. */
  readonly data: Uint8ClampedArray;
}

/** A copy of the colours, `[height, width, 3]`; clear pixels show the colours they hide. */
export function rgbOf({ width, height, channels, data }: Pixels): Uint8ClampedArray {
  const out = new Uint8ClampedArray(3 * width * height);
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    out[to] = data[from]!;
    out[to + 1] = data[from + 1]!;
    out[to + 2] = data[from + 2]!;
  }
  return out;
}
