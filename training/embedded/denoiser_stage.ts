/** The U-Net's training on latents, with captions worded anew each time. */
import { encodedText, idsName } from "../text_graph.ts";
import { denoiserGraph, type NoiseSettings, noiseSettings } from "../denoiser_graph.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import type { ClipTokenizer } from "../../pipeline/tokenizer.ts";
import { derivedSeed } from "../derived_seed.ts";
import { adamw } from "../optimizers.ts";
import type { Batch } from "../trainer.ts";
import { trainingStep } from "../training_step.ts";
import type { TrainingEvent } from "../training_run.ts";
import { caption, Dice } from "./captions.ts";
import { type LatentPool, openLatents } from "./latents.ts";
import type { StageOptions } from "./pair_stage.ts";
import { flatThenCosine, trainStage } from "./stage.ts";
import { TrainerTeam } from "./trainer_team.ts";
import { valuesOf, type Workspace } from "./workspace.ts";

/** The share of prompts that are empty, for guidance. */
const EMPTY = 0.08;
/** The share of steps at which only the noisiest timesteps, which decide colours, are drawn. */
const NOISY = 0.3;
/** From which timestep on. */
const NOISY_FROM = 600;

/** How the U-Net is trained. */
export interface DenoiserOptions extends StageOptions {
  /** Files of latents. */
  readonly files: number;
  /** Copies of the U-Net that train side by side on batches of their own. */
  readonly team: number;
  /** Highest learning rate. */
  readonly rate: number;
  /** Share of the steps at that rate. */
  readonly flat: number;
}

/** Trains the U-Net and writes its average over time into the model. */
export async function* trainDenoiser(
  workspace: Workspace,
  options: DenoiserOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  const { builder, steps, batch, saveEvery, signal, files, team, rate, flat } = options;
  const parts = await workspace.parts(), { seed } = workspace;
  const side = parts.vae.config.sampleSize / parts.vae.config.factor;
  const shape = { batch, height: side, width: side };
  const text = encodedText(parts, shape, () => ({}));
  const graph = denoiserGraph(parts, shape, text, { parameter: () => true });
  const step = trainingStep({
    parameters: graph.parameters,
    loss: graph.loss,
    optimizer: adamw({ betas: [0.9, 0.99], weightDecay: 1e-2 }),
    clipNorm: 1,
    average: 0.998,
    averageRises: true,
  });
  using trainer = await TrainerTeam.create(builder, step, await valuesOf(parts.unet.weights), team);
  const pool = await openLatents(workspace, files), { tokenizer } = parts.textEncoders[0]!;
  const source = { pool, tokenizer, batch, seed, noise: noiseSettings(parts) };
  yield* trainStage({
    identity: JSON.stringify({ stage: "denoiser", seed, batch, team }),
    trainer,
    steps,
    rate: flatThenCosine(rate, steps, flat),
    batch: (step) => Array.from({ length: team }, (_, i) => denoiserBatch(source, step * team + i)),
    path: workspace.checkpoint("denoiser"),
    saveEvery,
    signal,
    write: () => workspace.write("unet", trainer.byParameter("average")),
  });
}

/** What batches are made from. */
interface DenoiserSource {
  readonly pool: LatentPool;
  readonly tokenizer: ClipTokenizer;
  readonly batch: number;
  readonly seed: number;
  readonly noise: NoiseSettings;
}

/** Batch `index` of latents, noise, and captions as ids. */
function denoiserBatch(source: DenoiserSource, index: number): Batch {
  const { pool, tokenizer, batch, seed, noise: { table } } = source;
  const random = new TorchCpuGenerator(derivedSeed(seed, index, "denoiser"));
  const chosen = random.integers(0, pool.traits.length, batch);
  const size = pool.latents.length / pool.traits.length;
  const latents = new Float32Array(batch * size);
  chosen.forEach((at, i) =>
    latents.set(pool.latents.subarray(at * size, (at + 1) * size), i * size)
  );
  const timesteps = timestepsOf(random, batch, table.alphasCumprod.length);
  const alphas = Array.from(timesteps, (t) => table.alphasCumprod[t]!);
  const ids = Array.from(chosen, (at) => {
    const prompt = promptOf(pool, at, random);
    return tokenizer.encode(prompt).ids;
  });
  return {
    latents,
    noise: random.normal(latents.length),
    timestep: Float32Array.from(timesteps),
    signal: Float32Array.from(alphas, Math.sqrt),
    sigma: Float32Array.from(alphas, (alpha) => Math.sqrt(1 - alpha)),
    weight: Float32Array.from(alphas, weightOf),
    [idsName(0)]: BigInt64Array.from(ids.flat(), BigInt),
  };
}

function promptOf(pool: LatentPool, at: number, random: TorchCpuGenerator): string {
  const dice = new Dice(random);
  if (dice.chance(EMPTY)) return "";
  const rich = dice.choice([0, 0.5, 0.8, 1]), alwaysDigit = dice.chance(0.5);
  return caption(pool.traits[at]!, random, { rich, alwaysDigit }).text;
}

function timestepsOf(random: TorchCpuGenerator, batch: number, count: number): number[] {
  const even = random.integers(0, count, batch);
  const noisy = random.integers(Math.min(NOISY_FROM, count - 1), count, batch);
  const which = random.uniform(batch);
  return Array.from(even, (t, i) => which[i]! < NOISY ? noisy[i]! : t);
}

/** min(SNR + 1, 5) / SNR: min-SNR (arXiv:2303.09556) that does not give up the noisiest steps. */
function weightOf(alpha: number): number {
  const snr = alpha / (1 - alpha);
  return Math.min(snr + 1, 5) / snr;
}
