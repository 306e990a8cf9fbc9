/**
 * `latent verify`: makes a picture again from what its file says, and compares.
 *
 * @module
 */

import { Image, metadataOfFile, optionsFromMetadata, StableDiffusion } from "../mod.ts";
import { type FlagTable, helpOf, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS, openOptionsOf, picturesOf } from "./generate_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { progressTo } from "./progress.ts";

const { model, config, variant, offline, lora, embedding, controlnet, provider } = GENERATE_FLAGS;
const { image, mask, quiet, verbose, help } = GENERATE_FLAGS;

const VERIFY_FLAGS = {
  model,
  config,
  variant,
  offline,
  lora,
  embedding,
  controlnet,
  "control-image": GENERATE_FLAGS["control-image"],
  "control-scale": GENERATE_FLAGS["control-scale"],
  image,
  mask,
  provider,
  tolerance: { kind: "integer", range: [0, 255], help: "difference that a channel may have (0)" },
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

const HELP = `Usage: latent verify FILE [FLAGS]

Makes the picture again from what its file says and compares every pixel. Exits with 1 if they
differ. The model is the one that the file names, unless --model names another.

  latent verify seven.png

`;

/** Runs `latent verify`. */
export async function verify(args: readonly string[]): Promise<number> {
  const { flags, positionals: [file, ...more] } = parseFlags(VERIFY_FLAGS, args);
  if (flags.help) {
    console.log(HELP + helpOf(VERIFY_FLAGS));
    return 0;
  }
  if (file === undefined || more.length > 0) throw new UsageError("Name one picture to verify.");
  const found = await metadataOfFile(file);
  if (!found) throw new Error(`Cannot verify ${file}: it does not say how it was made.`);
  const progress = progressTo({ quiet: flags.quiet ?? false });
  return await withInterrupt(async (signal) => {
    const { path, variant, config } = found.record?.model ?? {};
    await using sd = await StableDiffusion.open(flags.model ?? path, {
      ...(variant !== undefined && { variant }),
      ...(config !== undefined && { config }),
      ...openOptionsOf(flags),
    });
    const options = optionsFromMetadata(found, { ...await picturesOf(flags), signal });
    progress.stage("drawing it again");
    const again = await sd.generate(options), original = await Image.load(file);
    progress.end();
    const worst = difference(original, again), tolerance = Number(flags.tolerance ?? 0n);
    if (worst <= tolerance) {
      progress.line(worst === 0 ? "the same, bit for bit" : `the same within ${worst} of 255`);
      return 0;
    }
    throw new Error(
      `${file} is not what its own record draws here: ` +
        (worst === Infinity ? "the sizes differ." : `a channel differs by ${worst} of 255.`),
    );
  });
}

/** The largest difference of a channel; Infinity for pictures of different sizes. */
function difference(a: Image, b: Image): number {
  if (a.width !== b.width || a.height !== b.height) return Infinity;
  const x = a.withoutAlpha().data, y = b.withoutAlpha().data;
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!)), 0);
}
