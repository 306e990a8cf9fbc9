/**
 * `fast`: the cheaper ways that keep 28 dB to the full run on the embedded model, chosen for the model,
 * the processor and the scheduler. bench/HISTORY.md has what was measured.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";
import type { Plan } from "../schedulers/plan.ts";
import type { ModelParts } from "./model_parts.ts";
import { type Convolution, multipliesBytes, type Precision } from "./precision.ts";
import { amplification, MOST_AMPLIFIED, type StepCache } from "./step_cache.ts";

/** Channels of a U-Net's finest level from which on int8 and Winograd are quicker. */
const FEWEST_CHANNELS = 320;

/** Calls of a run from which on steps are small enough for a deep part to be late; and soon. */
const FEWEST_CALLS = { steady: 15, others: 25, soon: 25 };

/** What the weights are kept in. */
interface Weights {
  readonly precision?: Precision;
  readonly convolution?: Convolution;
}

/**
 * The weights' form: bytes on processors that multiply them quickly, or else Winograd's kernels; as
 * they are, where the model is small, the processor does not compute, or a form is `asked` for.
 */
export function fastWeights(
  { unet }: Pick<ModelParts, "unet">,
  providers: readonly Provider[] = [],
  asked: Weights = {},
): Weights {
  const isAsked = asked.precision !== undefined || asked.convolution !== undefined;
  const isElsewhere = providers.some(({ via }) => via !== "builtin");
  const isSmall = unet.config.downBlocks[0]!.channels < FEWEST_CHANNELS;
  if (isAsked || isElsewhere || isSmall || unet.onnx || Deno.build.arch !== "x86_64") return {};
  return multipliesBytes() ? { precision: "int8" } : { convolution: "winograd" };
}

/**
 * The step cache of a run: a fifth of the calls whole after its beginning, which is longer in short
 * runs, and for samplers that draw noise or make much of small differences. None for the shortest, nor
 * for networks that are ONNX files.
 */
export function fastSteps(
  { unet }: Pick<ModelParts, "unet">,
  { stages, adaptive }: Pick<Plan, "stages" | "adaptive">,
): { readonly stepCache?: StepCache } {
  const { length } = stages;
  const isSteady = stages.every(({ next, churn }) =>
    !next.noise && !churn && amplification(next) <= MOST_AMPLIFIED
  );
  const fewest = isSteady ? FEWEST_CALLS.steady : FEWEST_CALLS.others;
  if (unet.onnx || adaptive || length < fewest) return {};
  return { stepCache: { interval: 5, start: isSteady && length >= FEWEST_CALLS.soon ? 0.2 : 0.3 } };
}
