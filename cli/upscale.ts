/**
 * `latent upscale`: pictures enlarged by an upscaler's ONNX file.
 *
 * @module
 */

import { Image, Upscaler } from "../mod.ts";
import { COMMON_FLAGS, type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { PROVIDER_FLAGS, providersOf } from "./provider_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { openOutput } from "./output.ts";
import { helpText, type Page } from "./page.ts";
import { progressTo } from "./progress.ts";
import { print } from "./standard_output.ts";

/** Flags of `latent upscale`. */
const UPSCALE_FLAGS = {
  model: { kind: "text", value: "FILE", short: "m", help: "the upscaler, an ONNX file" },
  tile: { kind: "integer", range: [16, 65536], help: "side of the tiles in pixels (256)" },
  overlap: {
    kind: "integer",
    range: [0, 4096],
    help: "pixels that tiles share, against seams (16)",
  },
  ...PROVIDER_FLAGS,
  output: { kind: "text", value: "PATH", short: "o", help: "file, folder/, template, or -" },
  ...COMMON_FLAGS,
} as const satisfies FlagTable;

/** Help of `latent upscale`. */
export const UPSCALE_PAGE: Page = {
  usage: "upscale PICTURE... --model FILE.onnx [FLAGS]",
  text: [
    "Enlarges pictures with an upscaler such as Real-ESRGAN, exported to ONNX: one input, a " +
    "picture of shape [1, 3, h, w] from 0 to 1, and one output. Large pictures are done in " +
    "tiles. Transparency is dropped; texts in the file are kept.",
  ],
  examples: [
    "latent upscale seven.png --model realesrgan-x4.onnx --output large.png",
    "latent upscale *.png -m realesrgan-x4.onnx --tile 128 -o large/",
  ],
  flags: UPSCALE_FLAGS,
  words: ["file"],
};

/** Runs `latent upscale`. */
export async function upscale(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(UPSCALE_FLAGS, args);
  if (flags.help) {
    print(helpText(UPSCALE_PAGE));
    return 0;
  }
  if (positionals.length === 0) throw new UsageError("No picture. Try: latent upscale small.png");
  if (flags.model === undefined) throw new UsageError("No upscaler: give --model FILE.onnx.");
  const { model } = flags,
    output = await openOutput(flags.output ?? "upscaled-{index}.png", positionals.length > 1);
  const progress = progressTo({ quiet: flags.quiet ?? false });
  const options = {
    ...(flags.tile !== undefined && { tile: Number(flags.tile) }),
    ...(flags.overlap !== undefined && { overlap: Number(flags.overlap) }),
  };
  return await withInterrupt(async (signal) => {
    using upscaler = await Upscaler.open(model, {
      providers: providersOf(flags),
      ...(flags.threads !== undefined && { threads: Number(flags.threads) }),
    });
    for (const [index, path] of positionals.entries()) {
      progress.stage(`upscaling ${path}`);
      const image = await Image.load(path);
      const onTile = (done: number, total: number) =>
        progress.step({ name: `upscaling ${path}`, done, total, unit: "tiles" });
      const larger = await upscaler.upscale(image, { ...options, signal, onTile });
      Object.assign(larger.text, image.text);
      const saved = await output.save(larger, { index, seed: 0, prompt: "" });
      progress.line(`${saved}  ${larger.width} x ${larger.height}`);
    }
    progress.end();
    return 0;
  });
}
