/**
 * What SDXL is told beside the prompt: how large the picture was that it should draw like one of,
 * where it was cropped, how large it is to be (arXiv:2307.01952, 2.2), and its refiner how beautiful.
 *
 * @module
 */

import type { ModelParts } from "./model_parts.ts";
import { OptionError, requireNumber } from "./options.ts";
import type { Settings } from "./settings.ts";

/** Sides in pixels. */
export interface PictureSize {
  /** From left to right. */
  readonly width: number;
  /** From top to bottom. */
  readonly height: number;
}

/** Pixels that were cropped away. */
export interface CropCorner {
  /** Columns before the picture. */
  readonly left: number;
  /** Rows above it. */
  readonly top: number;
}

/** Options of SDXL alone. */
export interface SizeConditioning {
  /** Size before cropping and scaling. Default: the picture's. */
  readonly originalSize?: PictureSize;
  /** Where it was cropped; 0, 0 is the whole of it. Default 0, 0. */
  readonly crop?: CropCorner;
  /** Size after. Default: the picture's. */
  readonly targetSize?: PictureSize;
  /** The same for the unconditional part. Default: as for the prompt. */
  readonly negativeOriginalSize?: PictureSize;
  /** See `negativeOriginalSize`. */
  readonly negativeCrop?: CropCorner;
  /** See `negativeOriginalSize`. */
  readonly negativeTargetSize?: PictureSize;
  /** SDXL's refiner: how beautiful, about 1 to 10. Default 6. */
  readonly aestheticScore?: number;
  /** Of the unconditional part. Default 2.5. */
  readonly negativeAestheticScore?: number;
}

/** The names of those options that every SDXL model reads, and those of its refiner. */
const SIZES = [
  "originalSize",
  "crop",
  "targetSize",
  "negativeOriginalSize",
  "negativeCrop",
  "negativeTargetSize",
] as const;
const SCORES = ["aestheticScore", "negativeAestheticScore"] as const;

/** The numbers that go into the U-Net as `time_ids`: 6, or the refiner's 5. */
export interface TimeIds {
  readonly conditional: readonly number[];
  readonly unconditional: readonly number[];
}

/**
 * The time ids of a picture. As in diffusers, those of the unconditional part are the prompt's
 * unless something is said of them or the run begins in a picture: then its crop is 0, 0.
 */
export function timeIdsOf(settings: Settings, { index }: ModelParts): TimeIds {
  const own = { width: settings.width, height: settings.height }, corner = { left: 0, top: 0 };
  const { originalSize = own, targetSize = own, crop = corner } = settings;
  const { aestheticScore = 6, negativeAestheticScore = 2.5 } = settings;
  const { negativeOriginalSize, negativeCrop, negativeTargetSize } = settings;
  const isSaid = negativeOriginalSize ?? negativeCrop ?? negativeTargetSize;
  const apart = isSaid !== undefined || settings.image !== undefined ||
    settings.latents !== undefined;
  const ids = (original: PictureSize, { top, left }: CropCorner, last: readonly number[]) => [
    original.height,
    original.width,
    top,
    left,
    ...last,
  ];
  const target = ({ height, width }: PictureSize, score: number) =>
    index.isRefiner ? [score] : [height, width];
  return {
    conditional: ids(originalSize, crop, target(targetSize, aestheticScore)),
    unconditional: ids(
      negativeOriginalSize ?? originalSize,
      apart ? negativeCrop ?? corner : crop,
      target(negativeTargetSize ?? targetSize, negativeAestheticScore),
    ),
  };
}

/** Whether the model reads what it is told. @throws {OptionError} */
export function checkSizes(
  options: SizeConditioning,
  { index }: Pick<ModelParts, "index">,
  refines: boolean,
): void {
  const given = SIZES.find((name) => options[name] !== undefined);
  if (given && index.family !== "sdxl") {
    throw new OptionError(given, `Cannot generate: only SDXL models are told the ${given}.`);
  }
  const score = SCORES.find((name) => options[name] !== undefined);
  if (score && !refines) {
    throw new OptionError(score, `Cannot generate: only SDXL's refiner is told the ${score}.`);
  }
  for (const name of SIZES) {
    for (const [side, value] of Object.entries(options[name] ?? {})) {
      requireNumber(`${name}.${side}`, value, 0);
    }
  }
  for (const name of SCORES) requireNumber(name, options[name] ?? 0);
}
