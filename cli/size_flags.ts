/**
 * The flags of SDXL: which part of the run each model draws, and what they are told of sizes.
 *
 * @module
 */

import type { GenerateOptions } from "../mod.ts";
import { defined, type FlagTable, type FlagValues, UsageError } from "./flags.ts";

/** Part of the flags of every command that makes pictures. */
export const SIZE_FLAGS = {
  "refiner-start": {
    kind: "number",
    range: [0, 1],
    help: "share of the noise levels after which the refiner draws (0.8)",
  },
  "denoising-start": {
    kind: "number",
    range: [0, 1],
    help: "share of the noise levels that the picture has behind it (0)",
  },
  "denoising-end": {
    kind: "number",
    range: [0, 1],
    help: "share of the noise levels at which drawing ends (1)",
  },
  "original-size": { kind: "text", value: "WxH", help: "SDXL: size before cropping and scaling" },
  crop: { kind: "text", value: "LEFT,TOP", help: "SDXL: where it was cropped (0,0)" },
  "target-size": { kind: "text", value: "WxH", help: "SDXL: size after cropping and scaling" },
  "negative-original-size": { kind: "text", value: "WxH", help: "of the unconditional part" },
  "negative-crop": { kind: "text", value: "LEFT,TOP", help: "of the unconditional part" },
  "negative-target-size": { kind: "text", value: "WxH", help: "of the unconditional part" },
  "aesthetic-score": { kind: "number", help: "for the refiner: how beautiful, 1 to 10 (6)" },
  "negative-aesthetic-score": { kind: "number", help: "of the unconditional part (2.5)" },
} as const satisfies FlagTable;

type SizeFlags = FlagValues<typeof SIZE_FLAGS>;

/** The options that the flags ask for. @throws {UsageError} */
export function sizeOptions(flags: SizeFlags): Partial<GenerateOptions> {
  return defined({
    refinerStart: flags["refiner-start"],
    denoisingStart: flags["denoising-start"],
    denoisingEnd: flags["denoising-end"],
    originalSize: sizeOf(flags, "original-size"),
    crop: cornerOf(flags, "crop"),
    targetSize: sizeOf(flags, "target-size"),
    negativeOriginalSize: sizeOf(flags, "negative-original-size"),
    negativeCrop: cornerOf(flags, "negative-crop"),
    negativeTargetSize: sizeOf(flags, "negative-target-size"),
    aestheticScore: flags["aesthetic-score"],
    negativeAestheticScore: flags["negative-aesthetic-score"],
  });
}

type SizeFlag = "original-size" | "target-size" | "negative-original-size" | "negative-target-size";

function sizeOf(flags: SizeFlags, flag: SizeFlag) {
  const text = flags[flag];
  return text === undefined ? undefined : readSize(flag, text);
}

/** The size in pixels that `text` gives a flag: `1024x768`. @throws {UsageError} */
export function readSize(flag: string, text: string): { width: number; height: number } {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? [];
  if (height !== undefined) return { width: Number(width), height: Number(height) };
  throw new UsageError(`--${flag} takes WIDTHxHEIGHT, such as 1024x768; got "${text}".`);
}

function cornerOf(flags: SizeFlags, flag: "crop" | "negative-crop") {
  const text = flags[flag];
  if (text === undefined) return undefined;
  const [, left, top] = /^(\d{1,5}),(\d{1,5})$/.exec(text) ?? [];
  if (top !== undefined) return { left: Number(left), top: Number(top) };
  throw new UsageError(`--${flag} takes LEFT,TOP, such as 0,128; got "${text}".`);
}
