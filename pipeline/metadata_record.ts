/**
 * All that an exact replay of a picture needs, as the JSON text that is stored under `latent`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Settings as SchedulerSettings } from "../schedulers/settings.ts";
import { schedulerName } from "./choose_scheduler.ts";
import { Image } from "./image.ts";
import type { GenerateOptions } from "./options.ts";
import type { Convolution, Precision } from "./precision.ts";
import type { LoraMode } from "./prompt_loras.ts";
import { parametersText } from "./parameters_text.ts";
import type { Settings } from "./settings.ts";

/** A weight file that took part. */
export interface WeightFile {
  /** Path or name. */
  readonly file: string;
  /** In hexadecimal; see `fileSha256`. */
  readonly sha256: string;
}

/** What the settings do not say about a run. All that the caller knows; hashes only if it has them. */
export interface PictureFacts {
  /** Where the model is, and its files. */
  readonly model: {
    readonly path: string;
    /** How it was opened: the variant of its files, the folder of its configurations. */
    readonly variant?: string;
    readonly config?: string;
    /** The autoencoder that stood in for the model's own. */
    readonly vae?: string;
    /** What guidance by CLIP saw pictures with. */
    readonly clip?: string;
    readonly clipVae?: string;
    /** Where it is not the default: sums in another order may round otherwise. */
    readonly loraMode?: LoraMode;
    /** The model that draws the end of the run. */
    readonly refiner?: string;
    /** Of the weights, where it is not float32. */
    readonly precision?: Precision;
    /** Of the large networks, where it is not direct: it rounds otherwise. */
    readonly convolution?: Convolution;
    readonly weights?: readonly WeightFile[];
  };
  /** Of this program, of ONNX Runtime, of Deno and of whatever else matters. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Names of the execution providers, in order of preference. */
  readonly providers?: readonly string[];
  /** The scheduler with all its options decided. */
  readonly scheduler?: {
    readonly name: string;
    readonly settings: Partial<SchedulerSettings>;
  };
  /** LoRA, textual inversion and ControlNet files with their weights. */
  readonly adapters?: readonly (WeightFile & { readonly weight?: number })[];
}

/** A picture that went into a run; its pixels are not stored. */
export interface InputPicture {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Of its pixels, in hexadecimal. */
  readonly sha256: string;
}

/** The content of the text `latent`. */
export interface PictureRecord extends PictureFacts {
  /** Of this form of record. */
  readonly format: 1;
  /** The options that can be stored. */
  readonly settings: GenerateOptions;
  /** Pictures by the option that they were given in, such as `image`, `mask` or `controls.0.image`. */
  readonly pictures: Readonly<Record<string, InputPicture>>;
  /** Options that were given and are not stored, such as `noise`. */
  readonly omitted: readonly string[];
}

/** The texts of a picture: `parameters` for other tools, and `latent` for an exact replay. */
export function pictureTexts(
  settings: Settings,
  facts: PictureFacts,
): { parameters: string; latent: string } {
  return { parameters: parametersText(settings, facts), latent: recordText(settings, facts) };
}

/** The record of a run as JSON; large seeds and numbers like Infinity are strings in it. */
export function recordText(settings: Settings, facts: PictureFacts): string {
  const pictures: Record<string, InputPicture> = {}, omitted: string[] = [];
  const { signal: _, seat: __, ...given } = settings;
  const scheduler = schedulerName(settings.scheduler);
  if (scheduler !== settings.scheduler) omitted.push("scheduler");
  const stored = storable({ ...given, scheduler }, "", pictures, omitted);
  const record = { format: 1, ...facts, settings: stored, pictures, omitted };
  return JSON.stringify(record, (_, value: unknown) => {
    if (typeof value === "bigint") {
      return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
    }
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
}

/** A copy without what JSON cannot hold: pictures become digests, tensors are listed as omitted. */
function storable(
  value: unknown,
  path: string,
  pictures: Record<string, InputPicture>,
  omitted: string[],
): unknown {
  if (value instanceof Image) {
    const { width, height, data } = value;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    pictures[path] = { width, height, sha256 };
    return undefined;
  }
  if (typeof value === "function" || ArrayBuffer.isView(value)) {
    omitted.push(path);
    return undefined;
  }
  const inner = (key: string | number) => path === "" ? String(key) : `${path}.${key}`;
  if (Array.isArray(value)) {
    return value.map((item, i) => storable(item, inner(i), pictures, omitted));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      storable(item, inner(key), pictures, omitted),
    ]),
  );
}
