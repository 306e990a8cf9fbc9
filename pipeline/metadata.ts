/**
 * How a picture was made, read from its texts, whichever program wrote them.
 *
 * @module
 */

import type { Image } from "./image.ts";
import { readComfyUi } from "./metadata_comfyui.ts";
import { readFooocus } from "./metadata_fooocus.ts";
import { readInfotext } from "./metadata_infotext.ts";
import { readInvokeAi } from "./metadata_invokeai.ts";
import { schedulerName } from "./choose_scheduler.ts";
import { schedulerOf } from "./metadata_names.ts";
import { readNovelAi } from "./metadata_novelai.ts";
import type { PictureRecord } from "./metadata_record.ts";
import { parseRecord } from "./metadata_record_read.ts";
import type { RandomKind } from "./random_source.ts";

/** Programs whose texts are understood; `a1111` stands for all that write as it does. */
export type MetadataSource =
  | "latent"
  | "a1111"
  | "comfyui"
  | "invokeai"
  | "stable-diffusion.cpp"
  | "novelai"
  | "fooocus";

/** How a picture was made. */
export interface Metadata {
  /** Who wrote it. */
  readonly source: MetadataSource;
  /** What was drawn. */
  readonly prompt: string;
  /** Empty if there was none. */
  readonly negativePrompt: string;
  /** A bigint where a number would lose digits. */
  readonly seed?: number | bigint;
  /** Denoising steps. */
  readonly steps?: number;
  /** As the program calls it, such as "DPM++ 2M" or "euler_ancestral". */
  readonly scheduler?: string;
  /** As the program calls it, such as "Karras" or "sgm_uniform". */
  readonly sigmaSchedule?: string;
  /** Classifier-free guidance scale. */
  readonly guidanceScale?: number;
  /** Share of the rescaled prediction, 0 to 1. */
  readonly guidanceRescale?: number;
  /** Fresh noise in each step, 0 to 1. */
  readonly eta?: number;
  /** Pixels in a row. */
  readonly width?: number;
  /** Rows. */
  readonly height?: number;
  /** Layers of the text encoder that are left out: 0 is none (A1111's 1, ComfyUI's -1). */
  readonly clipSkip?: number;
  /** Name, file or path of the model. */
  readonly model?: string;
  /** Whose random numbers the program draws. */
  readonly rng?: RandomKind;
  /** Everything else that was said, as text. */
  readonly extra: Readonly<Record<string, string>>;
  /** What is unclear, or changed the picture and cannot be repeated. */
  readonly warnings: readonly string[];
  /** This program's own record, which says everything. */
  readonly record?: PictureRecord;
}

/** What a reader found: as {@linkcode Metadata}, with absent members said to be so. */
export type Findings = {
  readonly [K in keyof Metadata]: Metadata[K] | (undefined extends Metadata[K] ? undefined : never);
};

/**
 * Reads how a picture was made from its texts by keyword; undefined if they say nothing about it.
 *
 * This program's own record counts first, then the records of others, then A1111's text.
 */
export function readMetadata(
  picture: Image | Readonly<Record<string, string>>,
): Metadata | undefined {
  const texts = isPicture(picture) ? picture.text : picture;
  const warnings: string[] = [];
  const found = readOwn(texts, warnings) ?? readFooocus(texts) ?? readNovelAi(texts) ??
    readInvokeAi(texts) ?? readInfotext(texts.parameters ?? "") ?? readComfyUi(texts);
  if (!found) return undefined;
  const size = isPicture(picture) ? { width: picture.width, height: picture.height } : {};
  const said = Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined && value !== ""),
  );
  const { source, prompt, negativePrompt, extra } = found;
  const meta = { ...size, ...said, source, prompt, negativePrompt, extra };
  warnings.push(...found.warnings, ...schedulerWarnings({ ...meta, warnings }));
  return { ...meta, warnings };
}

function isPicture(value: Image | Readonly<Record<string, string>>): value is Image {
  return value.data instanceof Uint8ClampedArray;
}

/** Reads the text `latent`; a damaged one is said to be so, and other texts are tried. */
function readOwn(
  texts: Readonly<Record<string, string>>,
  warnings: string[],
): Findings | undefined {
  if (texts.latent === undefined) return undefined;
  let record: PictureRecord;
  try {
    record = parseRecord(texts.latent);
  } catch (error) {
    warnings.push(`the text "latent" cannot be used: ${(error as Error).message}`);
    return undefined;
  }
  const { settings, scheduler, model, pictures, omitted, versions, providers } = record;
  const eta = settings.schedulerOptions?.eta;
  return {
    source: "latent",
    prompt: settings.prompt,
    negativePrompt: settings.negativePrompt ?? "",
    seed: settings.seed,
    steps: settings.steps,
    scheduler: scheduler?.name ?? (settings.scheduler && schedulerName(settings.scheduler)),
    sigmaSchedule: scheduler?.settings.sigmaSchedule ?? settings.schedulerOptions?.sigmaSchedule,
    guidanceScale: settings.guidanceScale,
    guidanceRescale: settings.guidanceRescale,
    eta,
    width: settings.width,
    height: settings.height,
    clipSkip: settings.clipSkip,
    model: model.path,
    rng: settings.rng ?? "cpu",
    extra: {
      ...versions,
      ...(providers && { providers: providers.join(", ") }),
    },
    warnings: [
      ...Object.entries(pictures).map(([option, { width, height, sha256 }]) =>
        `the run was given a picture as "${option}" (${width} x ${height}, SHA-256 of its pixels ` +
        `${sha256.slice(0, 16)}...): give it again`
      ),
      ...omitted.map((option) => `the run was given "${option}", which is not stored`),
    ],
    record,
  };
}

/** Says so if this program does not have the scheduler, or not with what is said of it. */
function schedulerWarnings(meta: Metadata): string[] {
  if (meta.scheduler === undefined || meta.record) return [];
  try {
    const { name, ignored } = schedulerOf(meta.scheduler, meta);
    return ignored.map((what) => `${what} is not known or not possible with ${name}, and left out`);
  } catch (error) {
    return [(error as Error).message];
  }
}
