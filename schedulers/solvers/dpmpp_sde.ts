import { type Level, sigma, varianceExploding } from "../level.ts";
import type { Call, Row } from "../plan.ts";
import { ancestralSplit, eulerRow } from "./euler.ts";
import type { MiddleStep } from "./dpm2.ts";

/**
 * DPM-Solver++ (stochastic), two calls a step: k-diffusion's `sample_dpmpp_sde` with r = 1/2.
 *
 * Both calls' noise belongs to one Brownian path over sigma: the second increment covers the first
 * one's interval too, so its row weighs both draws, each drawn over its own piece.
 */
export function dpmppSde(steps: readonly MiddleStep[], last: { from: Level; to: Level }): Call[] {
  const calls = steps.flatMap(({ from, middle, to }): Call[] => {
    const [high, mid, low] = [throughLog(sigma(from)), sigma(middle), throughLog(sigma(to))];
    const half = noisyRow(from, middle);
    const whole = noisyRow(from, to);
    const early = Math.sqrt((high - mid) / (high - low));
    const late = Math.sqrt((mid - low) / (high - low));
    return [
      {
        level: from,
        next: { ...half.row, noise: [half.up], interval: { from: high, to: mid } },
        advance: false,
      },
      {
        level: middle,
        next: {
          ...whole.row,
          noise: [whole.up * late, whole.up * early],
          interval: { from: mid, to: low },
        },
        advance: true,
      },
    ];
  });
  return [...calls, { level: last.from, next: eulerRow(last.from, last.to), advance: true }];
}

/**
 * The sigma that comes back from a float32 logarithm, an ulp or two off. The path is asked for
 * these in diffusers, and rounds its times so that the ulps decide which increment is drawn.
 */
function throughLog(sigma: number): number {
  return Math.fround(Math.exp(Math.fround(Math.log(sigma))));
}

function noisyRow(from: Level, to: Level): { row: Row; up: number } {
  const { down, up } = ancestralSplit(from, to);
  return { row: eulerRow(from, varianceExploding(0, down)), up };
}
