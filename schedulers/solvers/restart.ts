import type { Level } from "../level.ts";
import type { Call } from "../plan.ts";
import { heun } from "./heun.ts";
import { alongNoise } from "./straight.ts";

/**
 * Restart sampling: Xu et al. 2023 (arXiv:2306.14878), algorithm 1, with Heun's steps.
 *
 * Each of `runs` goes down its levels; between two runs as much fresh noise is added as leads from
 * where one ended to where the next begins.
 */
export function restart(runs: readonly (readonly Level[])[]): Call[] {
  return runs.flatMap((levels, i) => {
    const end = levels.at(-1)!;
    const next = runs[i + 1]?.[0];
    const calls = heunToNoise(levels);
    if (next === undefined) return calls;
    const up = Math.sqrt(next.noise ** 2 - end.noise ** 2);
    const last = calls.at(-1)!;
    return [...calls.slice(0, -1), { ...last, next: { ...last.next, noise: [up] } }];
  });
}

/** Heun's steps; the last is Euler's only where it ends without noise. */
function heunToNoise(levels: readonly Level[]): Call[] {
  const end = levels.at(-1)!;
  if (end.noise === 0) return heun(levels, alongNoise);
  // A run that goes on has a second call at its end too: leave out what would follow it.
  const beyond = heun([...levels, { ...end, noise: 0 }], alongNoise);
  return beyond.slice(0, -1);
}
