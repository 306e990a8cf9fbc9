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
