/**
 * `latent generate`: pictures from a prompt, given as words, as `--prompt`, or as lines of standard
 * input.
 *
 * @module
 */

import { type GenerateOptions, type Latents, randomSeed, StableDiffusion } from "../mod.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpOf, parseFlags, UsageError } from "./flags.ts";
import {
  GENERATE_FLAGS,
  generateOptions,
  openOptionsOf,
  picturesOf,
  schedulerOptionsOf,
} from "./generate_flags.ts";
import { openOutput, type Output } from "./output.ts";
import { promptsOf } from "./prompts.ts";
import { type Reporter, reporterOf } from "./reporter.ts";

const HELP = `Usage: latent generate [PROMPT] [FLAGS]

Draws pictures from a prompt. Without a prompt, reads one a line from standard input and keeps the
model loaded.

  latent generate "a red seven on a blue background" --output seven.png
  latent generate "a lighthouse at dawn" --model ./stable-diffusion-v1-5 --steps 30 --seed 42
  printf 'a red one\\na blue two\\n' | latent generate --output 'out/{index}.png'

`;

/** Runs `latent generate`. */
export async function generate(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(GENERATE_FLAGS, args);
  if (flags.help) {
    console.log(HELP + helpOf(GENERATE_FLAGS));
    return 0;
  }
  const prompts = promptsOf(flags.prompt, positionals);
  const openOptions = openOptionsOf(flags), schedulerOptions = schedulerOptionsOf(flags);
  if (flags.image === "-" && !prompts.single) {
    throw new UsageError("Standard input cannot be both the picture and the prompts.");
  }
  const pictures = await picturesOf(flags);
  const count = Number(flags.count ?? 1n);
  const output = await openOutput(
    flags.output ?? "latent-{seed}.png",
    count > 1 || !prompts.single,
  );
  const reporter = reporterOf(flags, output);
  const common = { ...generateOptions(flags), ...pictures, schedulerOptions };
  return await withInterrupt(async (signal) => {
    reporter.stage("opening the model");
    await using sd = await StableDiffusion.open(flags.model, openOptions);
    let picture = 0;
    for await (const prompt of prompts.texts) {
      const first = flags.seed ?? BigInt(randomSeed());
      for (let i = 0; i < count; i++) {
        const seed = first + BigInt(i);
        const options = { ...common, prompt, seed, signal };
        await draw(sd, options, { picture: picture++, output, reporter });
      }
    }
    if (picture === 0) {
      throw new UsageError("No prompt: give one, or write one a line to standard input.");
    }
    return 0;
  });
}

/** Draws one picture, reports its steps, and saves it. */
async function draw(
  sd: StableDiffusion,
  options: GenerateOptions & { readonly seed: bigint },
  to: { readonly picture: number; readonly output: Output; readonly reporter: Reporter },
): Promise<void> {
  const { picture, output, reporter } = to;
  const { prompt, seed } = options;
  const began = performance.now();
  const settings = sd.settings(options);
  reporter.stage("encoding the prompt");
  let latents: Latents | undefined;
  for await (const step of sd.denoise(settings)) {
    latents = step.latents;
    reporter.step({ picture, step: step.index + 1, steps: step.count, sigma: step.sigma });
  }
  reporter.stage("decoding the picture");
  const path = await output.save(await sd.decode(latents!, settings), {
    index: picture,
    seed,
    prompt,
  });
  reporter.image({ picture, path, seed, prompt, seconds: (performance.now() - began) / 1000 });
}
