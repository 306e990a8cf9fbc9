/**
 * A run on the device: a plan, prompts and noise as the tables of a step graph.
 *
 * @module
 */

import type { NoiseSource } from "../schedulers/denoise.ts";
import { type LinearPlan, linearPlan } from "../schedulers/linear_plan.ts";
import type { Plan, Stage } from "../schedulers/plan.ts";
import type { LatentSize } from "./autoencoder.ts";
import type { DeviceLoop, LoopInputs } from "./device_loop.ts";
import { joined } from "./joined.ts";
import type { GuidedPrompt, Prompts } from "./noise_predictor.ts";
import type { Settings } from "./settings.ts";
import type { TimeIds } from "./size_conditioning.ts";
import { STEP_INPUTS, type StepShape } from "./step_graph.ts";
import type { Conditioning } from "./text_conditioning.ts";

/** Tables have a multiple of so many rows: runs of other lengths then share a graph. */
const ROWS = 16;
/** States have a multiple of so many arrays, likewise: most samplers then share a graph. */
const PLACES = 4;

/** A run that the device can make by itself. */
export interface DeviceRun {
  readonly shape: StepShape;
  readonly inputs: LoopInputs;
}

/** What a run is made of. */
export interface DeviceRunParts {
  readonly plan: Plan;
  readonly prompt: GuidedPrompt;
  /** Guidance scale, the same at every call. */
  readonly scale: number;
  readonly size: LatentSize;
  /** Float32Array [channels, height, width]: where the run begins. */
  readonly latents: Float32Array;
  readonly noise: NoiseSource;
}

/** A run together with the loop that makes it. */
export interface PreparedDeviceRun {
  readonly loop: DeviceLoop;
  readonly run: DeviceRun;
}

/**
 * The run as tables; undefined where something has to be computed between the steps: a sampler that
 * is not linear, more than plain guidance, a ControlNet, an adapter, a part that is kept.
 */
export function deviceRun(parts: DeviceRunParts): DeviceRun | undefined {
  const { plan, prompt, size, latents } = parts;
  // The step graph is told six numbers of the sizes; SDXL's refiner takes five.
  if (prompt.timeIds.conditional.length !== 6) return undefined;
  const linear = linearPlan(plan);
  const sets = linear && isPlain(prompt) ? promptSets(plan, prompt) : undefined;
  if (!linear || !sets) return undefined;
  const draws = drawn(parts), { stages } = plan;
  const calls = rounded(stages.length), { channels, height, width } = size;
  const [first] = sets.all;
  const asks = first!.length as 1 | 2;
  const shape: StepShape = {
    ...{ pictures: 1, channels, height, width, asks, calls },
    sequence: first![0]!.tokens,
    state: rounded(linear.size, PLACES),
    draws: draws ? draws.noise.length / latents.length : 0,
    prompts: sets.all.length,
  };
  const state = new Float32Array(shape.state * latents.length);
  state.set(latents);
  return {
    shape,
    inputs: {
      [STEP_INPUTS.state]: state,
      [STEP_INPUTS.index]: new BigInt64Array(1),
      ...weightTables(linear, shape),
      [STEP_INPUTS.timesteps]: padded(stages.map(({ timestep }) => timestep), calls),
      ...(asks === 2 && { [STEP_INPUTS.scales]: new Float32Array(calls).fill(parts.scale) }),
      ...(draws && { [STEP_INPUTS.noise]: draws.noise, [STEP_INPUTS.noiseIndex]: draws.index }),
      ...promptInputs(sets, calls, prompt.timeIds),
    },
  };
}

/** Whether guidance is the ordinary one, which the step graph has. */
export function isPlainGuidance({ guidance = "cfg", imageGuidanceScale }: Settings): boolean {
  return guidance === "cfg" && imageGuidanceScale === undefined;
}

function isPlain(prompt: GuidedPrompt): boolean {
  const { controls, perturbations = [], imagePrompts = [], inputs = [] } = prompt;
  const { rescale = 0, interval, beside, variant, selfAttentionScale = 0, stepCache } = prompt;
  const extras = [controls, perturbations, imagePrompts, inputs].some(({ length }) => length > 0);
  const changes = [interval, beside, variant, stepCache].some((change) => change !== undefined);
  return !extras && !changes && rescale === 0 && selfAttentionScale === 0;
}

/** The prompts of every call: those that differ, and which hold when. */
interface PromptSets {
  /** Each in the order in which the U-Net is asked. */
  readonly all: readonly (readonly Conditioning[])[];
  readonly which: readonly number[];
}

function promptSets({ stages }: Plan, { at }: GuidedPrompt): PromptSets | undefined {
  const all: Conditioning[][] = [], which: number[] = [];
  for (const index of stages.keys()) {
    const asked = asksOf(at(index, stages.length));
    const tokens = all[0]?.[0]?.tokens ?? asked?.[0]?.tokens;
    if (!asked?.every((each) => each.tokens === tokens)) return undefined;
    const known = all.findIndex((each) => each.every((one, i) => one === asked[i]));
    which.push(known < 0 ? all.push(asked) - 1 : known);
  }
  return { all, which };
}

function asksOf({ positives, against }: Prompts): Conditioning[] | undefined {
  const [only] = positives;
  if (positives.length > 1 || only!.weight !== 1 || against.length > 1) return undefined;
  return [...against, only!.conditioning];
}

function promptInputs({ all, which }: PromptSets, calls: number, timeIds: TimeIds) {
  const every = (part: (each: Conditioning) => Float32Array) =>
    joined(all.flatMap((asked) => asked.map(part)));
  const [first] = all[0]!;
  return {
    encoder_hidden_states: every(({ hiddenStates }) => hiddenStates),
    ...(first!.pooled && {
      text_embeds: every(({ pooled }) => pooled!),
      // Those of the prompt itself are the last.
      time_ids: Float32Array.from(
        all[0]!.flatMap((_, i, { length }) =>
          i < length - 1 ? timeIds.unconditional : timeIds.conditional
        ),
      ),
    }),
    ...(all.length > 1 && {
      [STEP_INPUTS.promptIndex]: BigInt64Array.from(
        { length: calls },
        (_, i) => BigInt(which[i] ?? 0),
      ),
    }),
  };
}

/**
 * The plan's matrices, one after the other, for a state of `places` arrays: those that the plan does
 * not need stay zero. Without noise its two columns are left out.
 */
function weightTables(
  { size, inputs, updates }: LinearPlan,
  { calls, state: places, draws }: Pick<StepShape, "calls" | "state" | "draws">,
) {
  const noisy = draws > 0, columns = places + 1 + (noisy ? 2 : 0);
  /** Where a weight of a row goes; the columns are [...state, before, output, after]. */
  const column = (from: number) => {
    if (from < size) return from;
    return noisy ? from - size + places : from === size + 1 ? places : undefined;
  };
  const row = (from: number) => from < size ? from : places;
  const inputTable = new Float32Array(calls * (places + (noisy ? 1 : 0)));
  inputs.forEach((weights, call) =>
    weights.forEach((weight, i) => {
      const at = column(i);
      if (at !== undefined) inputTable[call * (places + (noisy ? 1 : 0)) + at] = weight;
    })
  );
  const updateTable = new Float32Array(calls * (places + 1) * columns);
  updates.forEach((weights, call) =>
    weights.forEach((weight, i) => {
      const at = column(i % (size + 3)), to = row(Math.floor(i / (size + 3)));
      if (at !== undefined) updateTable[(call * (places + 1) + to) * columns + at] = weight;
    })
  );
  return { [STEP_INPUTS.inputs]: inputTable, [STEP_INPUTS.updates]: updateTable };
}

/** All noise of the run, drawn in the order in which a step after the other would. */
function drawn(
  { plan: { stages }, latents, noise }: DeviceRunParts,
): { noise: Float32Array; index: BigInt64Array } | undefined {
  const draws: Float32Array[] = [], index = new BigInt64Array(2 * rounded(stages.length));
  const draw = (stage: Stage) => BigInt(draws.push(noise(stage).slice()) - 1);
  for (const [i, stage] of stages.entries()) {
    if (stage.churn !== undefined) index[2 * i] = draw(stage);
    if (stage.next.noise) index[2 * i + 1] = draw(stage);
  }
  if (draws.length === 0) return undefined;
  const whole = new Float32Array(rounded(draws.length) * latents.length);
  draws.forEach((each, i) => whole.set(each, i * latents.length));
  return { noise: whole, index };
}

function padded(values: readonly number[], length: number): Float32Array {
  const whole = new Float32Array(length);
  whole.set(values);
  return whole;
}

function rounded(count: number, multiple = ROWS): number {
  return Math.ceil(count / multiple) * multiple;
}
