/**
 * Canny's edges in whole numbers, as OpenCV computes them: Sobel's gradients, the strongest of the
 * channels, |dx| + |dy|, thinning across the edge, and hysteresis.
 *
 * @module
 */

import type { Pixels } from "./pixels.ts";

/** tan 22.5 degrees with 15 fractional bits. */
const TAN = Math.trunc(0.4142135623730950488 * 2 ** 15 + 0.5);

/** Gradients of the strongest channel of each pixel, with a border of zeros around `size`. */
interface Gradients {
  readonly dx: Int16Array;
  readonly dy: Int16Array;
  /** [height + 2, width + 2] */
  readonly magnitude: Int32Array;
}

/** 255 on edges, 0 elsewhere, Uint8Array [height, width]; `pixels` are RGB. */
export function cannyEdges(pixels: Pixels, low: number, high: number): Uint8Array {
  const { width, height } = pixels, { dx, dy, magnitude } = gradients(pixels);
  const stride = width + 2, edges = new Uint8Array(width * height), strong: number[] = [];
  const weak = new Uint8Array(width * height);
  for (let i = 0; i < edges.length; i++) {
    const at = (Math.floor(i / width) + 1) * stride + (i % width) + 1, m = magnitude[at]!;
    if (m <= Math.floor(low) || !isRidge(magnitude, at, stride, dx[i]!, dy[i]!)) continue;
    weak[i] = 1;
    if (m > Math.floor(high)) strong.push(i);
  }
  // What is connected to a strong pixel is an edge, too.
  while (strong.length > 0) {
    const i = strong.pop()!;
    if (edges[i]) continue;
    edges[i] = 255;
    const x = i % width, y = Math.floor(i / width);
    for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
      for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
        const next = row * width + column;
        if (weak[next] && !edges[next]) strong.push(next);
      }
    }
  }
  return edges;
}

/** Whether a pixel is the strongest across its edge; of equals the first. */
function isRidge(m: Int32Array, at: number, stride: number, dx: number, dy: number): boolean {
  const here = m[at]!, x = Math.abs(dx) * TAN, y = Math.abs(dy) * 2 ** 15;
  if (y < x) return here > m[at - 1]! && here >= m[at + 1]!;
  if (y > x + Math.abs(dx) * 2 ** 16) return here > m[at - stride]! && here >= m[at + stride]!;
  const side = (dx ^ dy) < 0 ? -1 : 1;
  return here > m[at - stride - side]! && here > m[at + stride + side]!;
}

function gradients({ width, height, data }: Pixels): Gradients {
  const dx = new Int16Array(width * height), dy = new Int16Array(width * height);
  const magnitude = new Int32Array((width + 2) * (height + 2));
  // Beyond the border the last pixels go on.
  const pixel = (x: number, y: number, c: number) => {
    const column = Math.min(Math.max(x, 0), width - 1), row = Math.min(Math.max(y, 0), height - 1);
    return data[3 * (row * width + column) + c]!;
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      let best = -1;
      for (let c = 0; c < 3; c++) {
        const column = (at: number) =>
          pixel(at, y - 1, c) + 2 * pixel(at, y, c) + pixel(at, y + 1, c);
        const row = (at: number) => pixel(x - 1, at, c) + 2 * pixel(x, at, c) + pixel(x + 1, at, c);
        const across = column(x + 1) - column(x - 1), down = row(y + 1) - row(y - 1);
        const m = Math.abs(across) + Math.abs(down);
        if (m <= best) continue;
        [best, dx[i], dy[i]] = [m, across, down];
      }
      magnitude[(y + 1) * (width + 2) + x + 1] = best;
    }
  }
  return { dx, dy, magnitude };
}
