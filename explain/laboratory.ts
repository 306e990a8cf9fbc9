/**
 * Opens what the experiments run on.
 *
 * @module
 */

import { openModel } from "../pipeline/open_model.ts";
import { builderOf, type OpenOptions } from "../pipeline/open_options.ts";
import { StableDiffusion } from "../pipeline/stable_diffusion.ts";
import type { Laboratory } from "./topic.ts";

/** How a laboratory is opened. */
export interface LaboratoryOptions {
  /** How the model is opened. */
  readonly open?: OpenOptions;
  readonly prompt?: string;
  readonly seed?: number | bigint;
  readonly subject?: string;
  readonly signal?: AbortSignal;
  readonly progress?: (what: string) => void;
}

/** The prompt of the embedded model, and of others. */
const PROMPTS = ["a bold red seven on a blue background", "a lighthouse at dawn"] as const;

/** Opens `model`, or the embedded one. Dispose what it gives. */
export async function openLaboratory(
  model: string | undefined,
  options: LaboratoryOptions = {},
): Promise<Laboratory & AsyncDisposable> {
  const { open = {}, seed = 1, prompt, subject, signal, progress = () => {} } = options;
  const [sd, parts] = await Promise.all([
    StableDiffusion.open(model, open),
    openModel(model, open),
  ]);
  const isEmbedded = model === undefined;
  return {
    sd,
    parts,
    builder: builderOf(open),
    isEmbedded,
    prompt: prompt ?? PROMPTS[isEmbedded ? 0 : 1],
    seed,
    subject,
    signal,
    notes: [],
    progress,
    [Symbol.asyncDispose]: () => sd[Symbol.asyncDispose](),
  };
}
