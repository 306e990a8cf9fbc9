import type { Level } from "../level.ts";
import type { Call, Prediction, Row } from "../plan.ts";
import { toEpsilon } from "../prediction.ts";
import { ADAMS_BASHFORTH, alongNoise } from "./straight.ts";

/** What PNDM walks over; `level(t)` is the trained level of timestep t, or the final one below 0. */
export interface PndmSchedule {
  /** Timesteps still to visit, in order; the second of a plain run is there twice. */
  readonly timesteps: readonly number[];
  /** The first of those that belong to Runge-Kutta steps (none with skip_prk_steps). */
  readonly rungeKutta: readonly number[];
  /** Timesteps between two steps. */
  readonly stride: number;
  /** What the combined outputs mean. */
  readonly prediction: Prediction;
  /** The level of a timestep. */
  level(timestep: number): Level;
}

/**
 * Pseudo linear multistep (PLMS), after optional pseudo Runge-Kutta steps: Liu et al. 2022
 * (arXiv:2202.09778), section 3. The outputs themselves are combined.
 *
 * Without Runge-Kutta the first step is taken twice: from its start to its end, then again with
 * the mean of the outputs at both. A run that begins later (image to image) does the same with
 * its first two timesteps although they differ, and so passes one of them by, as diffusers does.
 */
export function pndm(schedule: PndmSchedule): Call[] {
  const { timesteps, rungeKutta, stride } = schedule;
  const calls: Call[] = [];
  // Where in the newest-first results the remembered outputs are; the rest are not used again.
  let remembered: number[] = [];
  for (const [count, timestep] of timesteps.entries()) {
    remembered = remembered.map((age) => age + 1);
    if (count < rungeKutta.length) {
      calls.push(rungeKuttaCall(schedule, count, timestep));
      if (count % 4 === 0) remembered.unshift(0);
    } else if (count === 1) {
      const from = timestep + stride;
      calls.push(call(schedule, timestep, from, timestep, [1 / 2, 1 / 2], true));
    } else {
      remembered = [0, ...remembered].slice(0, 4);
      const weights = spread(remembered, ADAMS_BASHFORTH[remembered.length]!);
      const again = count === 0 && timesteps.length > 1;
      calls.push(call(schedule, timestep, timestep, timestep - stride, weights, !again));
    }
  }
  return calls;
}

/** One of the four calls of a Runge-Kutta step of two strides' half (classic weights 1 2 2 1). */
function rungeKuttaCall(schedule: PndmSchedule, count: number, timestep: number): Call {
  const half = Math.floor(schedule.stride / 2);
  const from = schedule.rungeKutta[count - count % 4]!;
  const to = timestep - (count % 2 === 0 ? half : 0);
  const weights = count % 4 === 3 ? [1 / 6, 1 / 3, 1 / 3, 1 / 6] : [1];
  return call(schedule, timestep, from, to, weights, count % 4 === 3);
}

function call(
  { level, prediction }: PndmSchedule,
  asked: number,
  from: number,
  to: number,
  weights: readonly number[],
  advance: boolean,
): Call {
  return {
    level: level(asked),
    next: transfer(level(from), level(to), weights, prediction),
    advance,
  };
}

/** Moves the start by the combined outputs, read as noise at `from` (the paper's equation 11). */
function transfer(
  from: Level,
  to: Level,
  weights: readonly number[],
  prediction: Prediction,
): Row {
  const { keep, move } = alongNoise(from, to);
  const { sample, output } = toEpsilon(prediction, from);
  return { start: keep + move * sample, results: weights.map((w) => w * move * output) };
}

/** Places weights at the given ages of a newest-first list, zero elsewhere. */
function spread(ages: readonly number[], weights: readonly number[]): number[] {
  const row = new Array<number>(Math.max(...ages) + 1).fill(0);
  ages.forEach((age, i) => row[age] = weights[i]!);
  return row;
}
