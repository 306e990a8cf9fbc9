import type { Pixels } from "./pixels.ts";

/** How a resized pixel is made of old ones; Pillow's names. */
export type ResizeFilter = "nearest" | "bilinear" | "bicubic" | "lanczos";

/** Weights are whole numbers of 22 fractional bits, as in Pillow's Resample.c for 8-bit pixels. */
const ONE = 2 ** 22;

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

const KERNELS: Readonly<Record<Exclude<ResizeFilter, "nearest">, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  /** Keys' cubic with a = -0.5. */
  bicubic: {
    support: 2,
    weight(x) {
      const a = -0.5, d = Math.abs(x);
      if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
      return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0 },
};

/** The old pixels from `first` on that make one new pixel, with their weights. */
interface Window {
  readonly first: number;
  readonly weights: Int32Array;
}

function windows(from: number, to: number, kernel: Kernel): Window[] {
  const scale = from / to, stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), from);
    const weights = Array.from(
      { length: end - first },
      (_, k) => kernel.weight((k + first - center + 0.5) * (1 / stretch)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const toFixed = (weight: number) => {
      const share = sum === 0 ? weight : weight / sum;
      return Math.trunc(share * ONE + (share < 0 ? -0.5 : 0.5));
    };
    return { first, weights: Int32Array.from(weights, toFixed) };
  });
}

/**
 * Resizes along one axis. The picture is `lines` runs of `from` pixels; neighbours on the axis are
 * `step` bytes apart in `data`, lines `lineStep` (and likewise in the result).
 */
interface Axis {
  readonly lines: number;
  readonly channels: number;
  readonly step: number;
  readonly lineStep: number;
  readonly outStep: number;
  readonly outLineStep: number;
}

function resample(
  data: Uint8ClampedArray,
  out: Uint8ClampedArray,
  plan: readonly Window[],
  axis: Axis,
): void {
  const { lines, channels, step, lineStep, outStep, outLineStep } = axis;
  for (let line = 0; line < lines; line++) {
    plan.forEach(({ first, weights }, i) => {
      for (let channel = 0; channel < channels; channel++) {
        let sum = ONE / 2;
        let at = line * lineStep + first * step + channel;
        for (let k = 0; k < weights.length; k++, at += step) sum += data[at]! * weights[k]!;
        out[line * outLineStep + i * outStep + channel] = sum >> 22;
      }
    });
  }
}

function resampleColumns(picture: Pixels, width: number, kernel: Kernel): Pixels {
  const { height, channels, data } = picture;
  const out = new Uint8ClampedArray(width * height * channels);
  resample(data, out, windows(picture.width, width, kernel), {
    lines: height,
    channels,
    step: channels,
    lineStep: picture.width * channels,
    outStep: channels,
    outLineStep: width * channels,
  });
  return { width, height, channels, data: out };
}

function resampleRows(picture: Pixels, height: number, kernel: Kernel): Pixels {
  const { width, channels, data } = picture;
  const out = new Uint8ClampedArray(width * height * channels);
  const row = width * channels;
  resample(data, out, windows(picture.height, height, kernel), {
    lines: row,
    channels: 1,
    step: row,
    lineStep: 1,
    outStep: row,
    outLineStep: 1,
  });
  return { width, height, channels, data: out };
}

/** The old index for each new one: the pixel under the new pixel's centre. */
function nearestIndices(from: number, to: number): Int32Array {
  const scale = from / to;
  let position = scale * 0.5; // added up, not multiplied, as Pillow's Geometry.c does
  return Int32Array.from({ length: to }, () => {
    const index = Math.trunc(position);
    position += scale;
    return Math.min(index, from - 1);
  });
}

function resizeNearest(picture: Pixels, width: number, height: number): Pixels {
  const { channels, data } = picture;
  const columns = nearestIndices(picture.width, width);
  const rows = nearestIndices(picture.height, height);
  const out = new Uint8ClampedArray(width * height * channels);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * picture.width + column) * channels;
      for (let k = 0; k < channels; k++) out[at++] = data[from + k]!;
    }
  }
  return { width, height, channels, data: out };
}

/** Colours times alpha, rounded as Pillow's "RGBa" mode, so that clear pixels have no say. */
function premultiply(picture: Pixels): Pixels {
  const data = picture.data.slice();
  for (let i = 0; i < data.length; i += 4) {
    for (let k = i; k < i + 3; k++) {
      const product = data[k]! * data[i + 3]! + 128;
      data[k] = ((product >> 8) + product) >> 8;
    }
  }
  return { ...picture, data };
}

/** Undoes {@linkcode premultiply}, in place. */
function unpremultiply({ data }: Pixels): void {
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let k = i; k < i + 3; k++) data[k] = Math.trunc(255 * data[k]! / alpha);
  }
}

/**
 * Resizes 8-bit pixels exactly as Pillow's `Image.resize` does, to the last bit.
 *
 * Two passes, columns first, each rounded to 8 bits. When shrinking, the kernel widens so that every
 * old pixel counts. Colours of RGBA pictures are weighed by their alpha.
 */
export function resizePixels(
  picture: Pixels,
  width: number,
  height: number,
  filter: ResizeFilter,
): Pixels {
  if (picture.width === width && picture.height === height) {
    return { ...picture, data: picture.data.slice() };
  }
  if (filter === "nearest") return resizeNearest(picture, width, height);
  const kernel = KERNELS[filter];
  let result = picture.channels === 4 ? premultiply(picture) : picture;
  if (width !== result.width) result = resampleColumns(result, width, kernel);
  if (height !== result.height) result = resampleRows(result, height, kernel);
  if (result.channels === 4) unpremultiply(result);
  return result;
}
