/**
 * `latent verify`: makes a picture again from what its file says, and compares.
 *
 * @module
 */

import {
  type GenerateOptions,
  Image,
  type Metadata,
  optionsFromMetadata,
  StableDiffusion,
} from "../mod.ts";
import { BESIDE_NETWORK_FLAGS, BESIDE_PICTURE_FLAGS } from "./beside_flags.ts";
import { type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS, openOptionsOf, picturesOf } from "./generate_flags.ts";
import { PROVIDER_FLAGS } from "./provider_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpText, type Page } from "./page.ts";
import { progressTo } from "./progress.ts";
import { openedAs, recordOf } from "./replay.ts";
import { print } from "./standard_output.ts";

const { model, config, variant, vae, refiner, offline, lora, embedding, precision, convolution } =
  GENERATE_FLAGS;
const { image, mask, depth, like, wildcards, quiet, verbose, help } = GENERATE_FLAGS;

const VERIFY_FLAGS = {
  model,
  config,
  variant,
  vae,
  refiner,
  offline,
  lora,
  "lora-dir": GENERATE_FLAGS["lora-dir"],
  "lora-mode": GENERATE_FLAGS["lora-mode"],
  embedding,
  ...BESIDE_NETWORK_FLAGS,
  ...BESIDE_PICTURE_FLAGS,
  image,
  mask,
  depth,
  like,
  wildcards,
  ...PROVIDER_FLAGS,
  precision,
  convolution,
  tolerance: { kind: "integer", range: [0, 255], help: "difference that a channel may have (0)" },
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

/** Help of `latent verify`. */
export const VERIFY_PAGE: Page = {
  usage: "verify FILE [FLAGS]",
  text: [
    "Makes the picture again from what its file says and compares every pixel. Exits with 1 if " +
    "they differ. The model is the one that the file names, unless --model names another. " +
    "Pictures that it was made from, and networks beside the model's own, must be given again.",
  ],
  examples: ["latent verify seven.png", "latent verify door.png --image room.png --mask wall.png"],
  flags: VERIFY_FLAGS,
  words: ["file"],
};

/** Runs `latent verify`. */
export async function verify(args: readonly string[]): Promise<number> {
  const { flags, positionals: [file, ...more] } = parseFlags(VERIFY_FLAGS, args);
  if (flags.help) {
    print(helpText(VERIFY_PAGE));
    return 0;
  }
  if (file === undefined || more.length > 0) throw new UsageError("Name one picture to verify.");
  const found = await recordOf(file, "verify");
  const progress = progressTo({ quiet: flags.quiet ?? false });
  return await withInterrupt(async (signal) => {
    const { model } = found.record ?? {};
    await using sd = await StableDiffusion.open(flags.model ?? model?.path, {
      ...openedAs(model),
      ...openOptionsOf(flags),
    });
    const pictures = await picturesOf(flags);
    requirePictures(file, found, pictures);
    const options = optionsFromMetadata(found, { ...pictures, signal });
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

/** The flag that gives an option's pictures. */
const PICTURE_FLAGS: Readonly<Record<string, string>> = {
  controls: "control-image",
  imagePrompts: "ip-adapter-image",
  adapters: "t2i-image",
};

/** Without what it was made from, a picture cannot be made again. @throws {UsageError} */
function requirePictures(
  file: string,
  { record }: Metadata,
  given: Partial<GenerateOptions>,
): void {
  const missing = Object.entries(record?.pictures ?? {}).flatMap(([path, { width, height }]) => {
    const option = path.split(".")[0]!;
    if (option in given) return [];
    return [`--${PICTURE_FLAGS[option] ?? option} (${width} x ${height})`];
  });
  if (missing.length === 0) return;
  throw new UsageError(
    `Cannot verify ${file}: it was made from other pictures. Give ${missing.join(" and ")}.`,
  );
}

/** The largest difference of a channel; Infinity for pictures of different sizes. */
function difference(a: Image, b: Image): number {
  if (a.width !== b.width || a.height !== b.height) return Infinity;
  const x = a.withoutAlpha().data, y = b.withoutAlpha().data;
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!)), 0);
}
