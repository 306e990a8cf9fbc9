/** Batches as pure functions of the seed and the step. */
import { joined } from "../pipeline/joined.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import type { NoiseSettings } from "./denoiser_graph.ts";
import { derivedSeed } from "./derived_seed.ts";
import type { Example } from "./examples.ts";
import { snrWeight } from "./noise_loss.ts";
import { TrainingError } from "./training_error.ts";
import type { Batch } from "./trainer.ts";

/** From the prompts of a batch to the arrays that the graph's text part is fed. */
export type PromptFeeds = (prompts: readonly string[]) => Batch;

/** What batches are made of. */
export interface BatchSource {
  /** Groups of examples that take turns in a batch: the subject's, and those of its class. */
  readonly groups: readonly (readonly Example[])[];
  /** Pictures in a batch. */
  readonly batch: number;
  /** Seed of the run. */
  readonly seed: number;
  /** The model's noise. */
  readonly noise: NoiseSettings;
  /** Cap of min-SNR weighting; absent: all timesteps weigh the same. */
  readonly snrGamma?: number | undefined;
  /** Feeds the text part. */
  readonly prompts: PromptFeeds;
}

/**
 * Batch `step` (0, 1, ...): every epoch shows each example once, in an order of its own; timesteps
 * are drawn evenly, noise is N(0, I).
 */
export function batchOf(source: BatchSource, step: number): Batch {
  const { batch, seed, noise: { table, prediction } } = source;
  const random = new TorchCpuGenerator(derivedSeed(seed, step, "batch"));
  const rows = Array.from({ length: batch }, (_, i) => exampleAt(source, step * batch + i));
  const timesteps = random.integers(0, table.alphasCumprod.length, batch);
  const chosen = rows.map(({ prompts }) => prompts[random.integers(0, prompts.length, 1)[0]!]!);
  const latents = joined(rows.map(({ latents }) => latents));
  const alphas = Array.from(timesteps, (t) => table.alphasCumprod[t]!);
  return {
    latents,
    noise: random.normal(latents.length),
    timestep: Float32Array.from(timesteps),
    signal: Float32Array.from(alphas, Math.sqrt),
    sigma: Float32Array.from(alphas, (alpha) => Math.sqrt(1 - alpha)),
    weight: Float32Array.from(
      rows,
      ({ weight }, i) => weight * snrWeight(table, timesteps[i]!, prediction, source.snrGamma),
    ),
    ...source.prompts(chosen),
  };
}

/** The example at place `i` of the endless sequence: groups in turn, each in shuffled epochs. */
function exampleAt({ groups, seed }: BatchSource, i: number): Example {
  const which = i % groups.length, group = groups[which]!;
  const place = Math.floor(i / groups.length), epoch = Math.floor(place / group.length);
  const random = new TorchCpuGenerator(derivedSeed(seed, epoch, `order ${which}`));
  return group[random.permutation(group.length)[place % group.length]!]!;
}

/** Refuses batches in which the groups would not have equal shares. */
export function checkBatch(batch: number, groups: number): void {
  if (batch % groups === 0) return;
  throw new TrainingError(
    "batch",
    `Cannot train in batches of ${batch}: with prior preservation half of each is of the class. ` +
      "Give an even number.",
  );
}
