/**
 * Latents in another size, as torch.nn.functional.interpolate makes them.
 *
 * @module
 */

import type { Latents } from "./autoencoder.ts";

/** torch's modes for pictures, with align_corners false and antialias false. */
export type LatentFilter = "nearest" | "nearest-exact" | "bilinear" | "bicubic";

/** Places of one axis that a new one is made of, with their weights. */
interface Taps {
  readonly at: readonly number[];
  readonly weights: readonly number[];
}

/** `latents` in another size. */
export function resizeLatents(
  latents: Latents,
  { width, height }: { readonly width: number; readonly height: number },
  filter: LatentFilter,
): Latents {
  const { channels, data } = latents;
  const columns = tapsOf(latents.width, width, filter);
  const rows = tapsOf(latents.height, height, filter);
  const out = new Float32Array(channels * height * width);
  for (let c = 0, to = 0; c < channels; c++) {
    for (const row of rows) {
      for (const column of columns) {
        let sum = 0;
        for (const [i, y] of row.at.entries()) {
          const from = (c * latents.height + y) * latents.width;
          let line = 0;
          for (const [k, x] of column.at.entries()) line += column.weights[k]! * data[from + x]!;
          sum += row.weights[i]! * line;
        }
        out[to++] = sum;
      }
    }
  }
  return { channels, height, width, data: out };
}

function tapsOf(from: number, to: number, filter: LatentFilter): Taps[] {
  const clamp = (at: number) => Math.min(Math.max(at, 0), from - 1);
  return Array.from({ length: to }, (_, i): Taps => {
    const scale = from / to, center = (i + 0.5) * scale - 0.5;
    switch (filter) {
      case "nearest":
        return { at: [clamp(Math.floor(i * scale))], weights: [1] };
      case "nearest-exact":
        return { at: [clamp(Math.floor((i + 0.5) * scale))], weights: [1] };
      case "bilinear": {
        const position = Math.max(center, 0), first = Math.floor(position), t = position - first;
        return { at: [clamp(first), clamp(first + 1)], weights: [1 - t, t] };
      }
      case "bicubic": {
        const first = Math.floor(center), t = center - first;
        const offsets = [-1, 0, 1, 2];
        return {
          at: offsets.map((offset) => clamp(first + offset)),
          weights: offsets.map((offset) => cubic(Math.abs(t - offset))),
        };
      }
    }
  });
}

/** Keys' cubic with torch's a = -0.75. */
function cubic(d: number): number {
  const a = -0.75;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}
