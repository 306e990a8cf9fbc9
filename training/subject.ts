/** What all trainings of a diffusion model begin with: the model, the pictures, their latents. */
import type { ModelParts } from "../pipeline/model_parts.ts";
import { openModel } from "../pipeline/open_model.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { encodePictures, type Example } from "./examples.ts";
import { type Picture, readPictureFolder } from "./picture_folder.ts";
import type { RunSettings } from "./run_options.ts";
import { pixelsOf, type TrainingShape } from "./text_graph.ts";
import { TrainingError } from "./training_error.ts";
import type { TrainingEvent } from "./training_run.ts";

/** Opens the model of a run. */
export function modelOf(
  { model, config, variant, signal }: RunSettings,
): Promise<ModelParts> {
  return openModel(model, { config, variant, signal });
}

/** Sizes of the run's batches in latents. @throws {TrainingError} for a side that does not fit. */
export function trainingShape(parts: ModelParts, settings: RunSettings): TrainingShape {
  const { factor } = parts.vae.config;
  const side = settings.resolution ?? (parts.unet.config.sampleSize ?? 64) * factor;
  if (side % factor === 0 && side >= factor) {
    return { batch: settings.batch, height: side / factor, width: side / factor };
  }
  throw new TrainingError(
    "resolution",
    `Cannot train at ${side} pixels: expected a multiple of ${factor}.`,
  );
}

/** Pictures to be made examples of. */
export interface PictureSource {
  /** The folder. */
  readonly folder: string;
  /** The option that named it, for messages. */
  readonly option: string;
  /** Prompts for a picture. */
  readonly prompts: (picture: Picture) => readonly string[];
  /** Weight of each picture in the loss. */
  readonly weight: number;
}

/** Reads and encodes the pictures of `source`; tells of those that it skips. */
export async function* examplesOf(
  context: {
    readonly parts: ModelParts;
    readonly builder: SessionBuilder;
    readonly settings: RunSettings;
    readonly shape: TrainingShape;
  },
  source: PictureSource,
): AsyncGenerator<TrainingEvent, Example[], void> {
  const { parts, builder, settings: { strict, seed, signal }, shape } = context;
  const size = pixelsOf(parts, shape);
  const found = await readPictureFolder(source.folder, size, { strict, option: source.option });
  for (const skipped of found.skipped) yield { kind: "skipped", ...skipped };
  yield { kind: "stage", name: `encoding ${found.pictures.length} pictures` };
  const images = found.pictures.map(({ image }) => image);
  const latents = await encodePictures(parts, builder, images, { seed, signal });
  return found.pictures.map((picture, i) => ({
    latents: latents[i]!,
    prompts: source.prompts(picture),
    weight: source.weight,
  }));
}
