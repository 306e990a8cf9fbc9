/**
 * The one loop that runs every plan.
 * @module
 */
import { checkFinite, checkLength } from "./checks.ts";
import { clip, type Clipping } from "./clipping.ts";
import { combine, type Registers } from "./combine.ts";
import { denoiseAdaptively } from "./denoise_adaptively.ts";
import type { Plan, Stage } from "./plan.ts";

export { NotFiniteError } from "./checks.ts";

/** Asks the network; `input` is reused by the next call, the answer is read before it. */
export type Predict = (
  input: Float32Array,
  stage: Stage,
  index: number,
) => Float32Array | Promise<Float32Array>;

/** Draws from N(0, I), as many values as the sample has; `stage` says over which interval, if any. */
export type NoiseSource = (stage: Stage) => Float32Array;

/** What `denoise` yields after each call of the network. */
export interface DenoisingStep {
  /** Number of the call, from 0. */
  readonly index: number;
  /** How many calls the run has. */
  readonly count: number;
  /** What the network was told. */
  readonly timestep: number;
  /** Noise relative to signal that it saw. */
  readonly sigma: number;
  /** The row of weights that was applied. */
  readonly stage: Stage;
  /** The sample now: the array given to `denoise`, changed in place. Writes to it are kept. */
  readonly latents: Float32Array;
  /** The clean picture as of this call; overwritten by the next. */
  readonly denoised: Float32Array;
}

/** Options of `denoise`. */
export interface DenoiseOptions {
  /** Stops the run before the next call of the network, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How many pictures the array holds; only dynamic thresholding looks at each alone. */
  readonly batch?: number;
}

/**
 * Runs `plan` on `latents` (Float32Array, any shape flattened), in place.
 *
 * `latents` holds `N(0, I) * plan.initialScale`, or `addNoise(plan, 0, ...)` of a picture.
 * `noise` gives fresh N(0, I) of the same length, once for each churn and each row that has noise weights.
 * Nothing is allocated per step. Throws NotFiniteError, RangeError when an output has another length,
 * TypeError when the plan needs `noise` and has none, and the reason of an aborted signal.
 */
export async function* denoise(
  plan: Plan,
  latents: Float32Array,
  predict: Predict,
  noise?: NoiseSource,
  { signal, batch = 1 }: DenoiseOptions = {},
): AsyncGenerator<DenoisingStep, void, void> {
  const { stages } = plan;
  if (plan.adaptive) {
    yield* denoiseAdaptively(plan.adaptive, latents, predict, { ...(signal ? { signal } : {}) });
    return;
  }
  const drawsNoise = stages.some(({ churn, next }) => churn !== undefined || next.noise);
  if (noise === undefined && drawsNoise) {
    throw new TypeError(
      `Cannot denoise: ${plan.scheduler} adds fresh noise; got no noise source, expected a ` +
        `function that draws from N(0, I). Give denoise() its fourth argument.`,
    );
  }
  const registers = allocate(plan, latents);
  const input = new Float32Array(latents.length);
  let stepBegins = true;
  for (const [index, stage] of stages.entries()) {
    signal?.throwIfAborted();
    if (stage.churn !== undefined) addScaled(latents, stage.churn, noise!(stage));
    if (stepBegins && !stage.correct && registers.start !== latents) registers.start.set(latents);
    for (let i = 0; i < input.length; i++) input[i] = latents[i]! * stage.inputScale;
    const output = await predict(input, stage, index);
    signal?.throwIfAborted();
    checkLength(output, latents, stage);
    advance(registers, stage, output, noise, plan.clipping, batch);
    checkFinite(latents, output, stage, index, stages.length);
    stepBegins = stage.advance;
    const { timestep, sigma } = stage;
    const { denoised } = registers;
    yield { index, count: stages.length, timestep, sigma, stage, latents, denoised };
  }
}

function addScaled(sample: Float32Array, scale: number, noise: Float32Array): void {
  for (let i = 0; i < sample.length; i++) sample[i]! += scale * noise[i]!;
}

/** One stage: make room, draw, clip the estimate if the plan says so, combine. */
function advance(
  registers: Registers,
  stage: Stage,
  output: Float32Array,
  noise: NoiseSource | undefined,
  clipping: Clipping | undefined,
  batch: number,
): void {
  const { sample, denoised, history, draws } = registers;
  history.unshift(history.pop()!);
  if (stage.next.noise) {
    draws.unshift(draws.pop()!);
    draws[0]!.set(noise!(stage));
  }
  if (clipping) {
    const weights = stage.denoised;
    for (let i = 0; i < sample.length; i++) {
      denoised[i] = weights.sample * sample[i]! + weights.output * output[i]!;
    }
    clip(denoised, clipping, batch);
  }
  combine(registers, stage, output, clipping !== undefined);
}

function allocate({ stages }: Plan, sample: Float32Array): Registers {
  const vectors = (count: number) =>
    Array.from({ length: count }, () => new Float32Array(sample.length));
  const depth = Math.max(
    ...stages.map(({ next, correct }) =>
      Math.max(next.results.length, correct?.results.length ?? 0)
    ),
  );
  const squares = stages.some((stage) => stage.next.precondition) ? sample.length : 0;
  const manyCalls = stages.some((stage) => stage.correct || !stage.advance);
  return {
    sample,
    start: manyCalls ? new Float32Array(sample.length) : sample,
    denoised: new Float32Array(sample.length),
    history: vectors(depth),
    draws: vectors(Math.max(...stages.map((stage) => stage.next.noise?.length ?? 0))),
    squares: new Float32Array(squares),
  };
}
