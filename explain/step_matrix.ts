/**
 * A sampler's step as a matrix, held against a run of the sampler.
 *
 * @module
 */

import { linearPlan } from "../schedulers/linear_plan.ts";
import { relativeError } from "./measure.ts";
import { atMost, type Block, type Claim } from "./report.ts";
import type { Laboratory } from "./topic.ts";

const SCHEDULER = "DPM++ 2M", STEPS = 8;
/** The step that is shown: in the middle of the run, where the one before counts. */
const SHOWN = 4;

/** Runs the sampler, and beside it its matrices. */
export async function stepMatrix(
  { sd, prompt, seed, signal }: Laboratory,
): Promise<{ block: Block; claim: Claim }> {
  const options = { prompt, seed, steps: STEPS, scheduler: SCHEDULER, guidanceScale: 1 };
  const { stages, ...plan } = sd.plan(options),
    { size, updates } = linearPlan({ stages, ...plan })!;
  const noise = sd.startingNoise(sd.settings(options)).data;
  let state: Float64Array[] = Array.from(
    { length: size },
    (_, row) => Float64Array.from(noise, (value) => row === 0 ? value * plan.initialScale : 0),
  );
  let error = 0;
  for await (const step of sd.denoise({ ...options, ...(signal && { signal }) })) {
    const { denoised: { sample, output } } = stages[step.index]!, x = state[0]!;
    // What the network must have answered for the clean picture to be what it was.
    const answer = x.map((value, i) => (step.denoised.data[i]! - sample * value) / output);
    const nothing = new Float64Array(x.length);
    state = product(updates[step.index]!, [...state, nothing, answer, nothing]).slice(0, size);
    error = Math.max(error, relativeError(Float32Array.from(state[0]!), step.latents.data));
  }
  const columns = size + 3, shown = updates[SHOWN]!;
  const used = [...Array(size).keys(), size + 1];
  const row = (at: number) => used.map((column) => shown[at * columns + column]!);
  return {
    block: {
      kind: "heatmap",
      caption:
        `Step ${SHOWN + 1} of ${SCHEDULER} as a matrix: what is there after it, made of what ` +
        "was there before and of the U-Net's answer. The answer that is remembered is the momentum " +
        "of an optimizer",
      rows: ["latents after", "remembered after"],
      columns: ["latents", "remembered", "answer"],
      values: [row(0), row(1)],
    },
    claim: atMost(
      "Multiplying by the matrices is all that the sampler does (largest distance, of the latents)",
      error,
      1e-4,
    ),
  };
}

function product(weights: Float64Array, columns: readonly Float64Array[]): Float64Array[] {
  const rows = weights.length / columns.length;
  return Array.from(
    { length: rows },
    (_, row) =>
      columns[0]!.map((_, i) =>
        columns.reduce((sum, column, c) => sum + weights[row * columns.length + c]! * column[i]!, 0)
      ),
  );
}
