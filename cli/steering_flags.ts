/**
 * The flags that steer a picture beyond its prompt: painting, second passes, guidance by other
 * networks.
 *
 * @module
 */

import { type GenerateOptions, Image } from "../mod.ts";
import { defined, type FlagTable, type FlagValues, UsageError, whole } from "./flags.ts";

/** Part of the flags of every command that makes pictures. */
export const STEERING_FLAGS = {
  extend: { kind: "text", value: "SIDES", help: "grow the canvas and paint it: left:64,top:32" },
  "mask-blur": { kind: "number", range: [0, 1000], help: "soften the mask's edge, in pixels (0)" },
  "masked-padding": {
    kind: "integer",
    range: [0, 65536],
    help: "paint the masked area alone at full size, with N pixels around it",
  },
  "paste-back": { kind: "switch", help: "put the original back where nothing was painted" },
  depth: { kind: "text", value: "FILE", help: "for depth models: bright where it is near" },
  "image-guidance": {
    kind: "number",
    range: [0, 1000],
    aliases: ["image-guidance-scale"],
    help: "for editing models: how closely the picture is followed (1.5)",
  },
  "variation-seed": { kind: "integer", help: "another seed to move the noise towards" },
  "variation-strength": { kind: "number", range: [0, 1], help: "how far it is moved (0)" },
  hires: { kind: "number", value: "FACTOR", range: [1, 16], help: "a second pass, so much larger" },
  "hires-upscale": {
    kind: "text",
    value: "HOW",
    help: "latent, latent-bicubic, ..., lanczos, or an upscaler's .onnx file (latent)",
  },
  "hires-strength": { kind: "number", range: [0, 1], help: "of the second pass (0.7)" },
  "hires-steps": { kind: "integer", range: [1, 100000], help: "of the second pass (--steps)" },
  "free-u": { kind: "text", value: "B1,B2,S1,S2", help: "FreeU: for SD 1 1.5,1.6,0.9,0.2" },
  "pag-scale": { kind: "number", help: "perturbed-attention guidance; 3 is usual (0)" },
  "pag-layers": { kind: "list", value: "NAME", help: "where it acts: up_blocks.1 (mid_block)" },
  "sag-scale": { kind: "number", help: "self-attention guidance; 0.75 is usual (0)" },
  "clip-guidance": {
    kind: "number",
    value: "SHARE",
    help: "move predictions, by this share of the noise, to where CLIP finds the picture more " +
      "like the prompt: 0.05 is felt, 0.2 much; a pass through the autoencoder and back costs as much " +
      "as six steps of Stable Diffusion's U-Net, see --clip-vae (0)",
  },
  "clip-prompt": { kind: "text", value: "TEXT", help: "what CLIP is asked about (the prompt)" },
  like: { kind: "text", value: "FILE", help: "picture to look like, as CLIP sees it" },
  "like-scale": { kind: "number", value: "SHARE", help: "how much, as --clip-guidance (0.1)" },
  "skip-layer-scale": { kind: "number", help: "skip-layer guidance (0)" },
  "skip-layers": { kind: "list", value: "NAME", help: "what it leaves out (mid_block)" },
} as const satisfies FlagTable;

/** Parsed {@linkcode STEERING_FLAGS}. */
type SteeringFlags = FlagValues<typeof STEERING_FLAGS>;

/** The options that the flags ask for, without pictures. @throws {UsageError} */
export function steeringOptions(flags: SteeringFlags): Partial<GenerateOptions> {
  const hires = hiresOf(flags), freeU = numbers("--free-u", flags["free-u"], 4);
  return defined({
    extend: extensionOf(flags.extend),
    maskBlur: flags["mask-blur"],
    maskedPadding: whole(flags["masked-padding"]),
    pasteBack: flags["paste-back"],
    imageGuidanceScale: flags["image-guidance"],
    variationSeed: flags["variation-seed"],
    variationStrength: flags["variation-strength"],
    hires,
    freeU: freeU && { b1: freeU[0]!, b2: freeU[1]!, s1: freeU[2]!, s2: freeU[3]! },
    perturbedAttentionScale: flags["pag-scale"],
    perturbedAttentionLayers: flags["pag-layers"],
    selfAttentionScale: flags["sag-scale"],
    clipGuidance: flags["clip-guidance"],
    clipPrompt: flags["clip-prompt"],
    likeScale: flags["like-scale"],
    skipLayerScale: flags["skip-layer-scale"],
    skippedLayers: flags["skip-layers"],
  });
}

/** The pictures that the flags name. */
export async function steeringPictures(flags: SteeringFlags): Promise<Partial<GenerateOptions>> {
  const load = async (path: string | undefined) =>
    path === undefined ? undefined : await Image.load(path);
  return defined({ depth: await load(flags.depth), like: await load(flags.like) });
}

function hiresOf(flags: SteeringFlags): GenerateOptions["hires"] {
  const second = defined({
    upscale: flags["hires-upscale"] as NonNullable<GenerateOptions["hires"]>["upscale"],
    strength: flags["hires-strength"],
    steps: whole(flags["hires-steps"]),
  });
  if (flags.hires !== undefined) return { scale: flags.hires, ...second };
  if (Object.keys(second).length === 0) return undefined;
  throw new UsageError("The second pass needs its size: add --hires FACTOR, such as --hires 2.");
}

/** `left:64,top:32` as numbers. */
function extensionOf(text: string | undefined): GenerateOptions["extend"] {
  if (text === undefined) return undefined;
  const sides = text.split(",").map((side) => /^\s*(left|top|right|bottom):(\d+)\s*$/.exec(side));
  if (sides.some((side) => side === null)) {
    throw new UsageError(`--extend takes sides with pixels, left:64,top:32; got "${text}".`);
  }
  return Object.fromEntries(sides.map((side) => [side![1]!, Number(side![2])]));
}

function numbers(flag: string, text: string | undefined, count: number): number[] | undefined {
  if (text === undefined) return undefined;
  const values = text.split(",").map(Number);
  if (values.length === count && values.every(Number.isFinite)) return values;
  throw new UsageError(`${flag} takes ${count} numbers with commas; got "${text}".`);
}
