/**
 * Pictures of the subject's class, drawn by the model itself before it changes: what it is to keep
 * (Ruiz et al. 2023, arXiv:2208.12242, section 3.2).
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { derivedSeed } from "./derived_seed.ts";
import { pictureNames } from "./picture_folder.ts";
import { pipelineOf, type RunSettings } from "./run_options.ts";
import { pixelsOf, type TrainingShape } from "./text_graph.ts";
import type { TrainingEvent } from "./training_run.ts";

/** Where class pictures are, and how many there are to be. */
export interface ClassPictures {
  /** Made where it is not there. */
  readonly folder: string;
  readonly count: number;
  readonly prompt: string;
}

/**
 * Draws what the folder lacks of `count` pictures, each with a seed of its own, so that a run that
 * was interrupted goes on as if it had not been. They stay for the next run.
 */
export async function* drawClassPictures(
  { parts, settings, shape }: {
    readonly parts: ModelParts;
    readonly settings: RunSettings;
    readonly shape: TrainingShape;
  },
  { folder, count, prompt }: ClassPictures,
): AsyncGenerator<TrainingEvent, void, void> {
  await mkdir(folder, { recursive: true });
  const there = new Set(await pictureNames(folder, "classImages"));
  if (there.size >= count) return;
  const { seed, signal } = settings, size = pixelsOf(parts, shape);
  await using sd = pipelineOf(parts, settings);
  for (let i = 0; there.size < count; i++) {
    const name = `class-${String(i).padStart(4, "0")}.png`;
    if (there.has(name)) continue;
    yield { kind: "stage", name: `drawing class picture ${there.size + 1} of ${count}` };
    const own = { prompt, seed: derivedSeed(seed, i, "class picture"), ...size };
    const image = await sd.generate({ ...own, ...(signal && { signal }) });
    await image.save(join(folder, name));
    there.add(name);
  }
}
