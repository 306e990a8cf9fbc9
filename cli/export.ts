/**
 * `latent export`: a model's networks as ONNX files for other programs.
 *
 * @module
 */

import { StableDiffusion } from "../mod.ts";
import { type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS, openOptionsOf } from "./generate_flags.ts";
import { helpText, type Page } from "./page.ts";
import { PROVIDER_FLAGS } from "./provider_flags.ts";
import { progressTo } from "./progress.ts";
import { byteSize } from "./progress_bar.ts";
import { print } from "./standard_output.ts";

const { model, config, variant, vae, lora, quiet, verbose, help, width, height } = GENERATE_FLAGS;

const { threads: _, ...EXPORT_PROVIDER_FLAGS } = PROVIDER_FLAGS; // Nothing is run.

const EXPORT_FLAGS = {
  model,
  config,
  variant,
  vae,
  lora,
  ...EXPORT_PROVIDER_FLAGS,
  width,
  height,
  output: { kind: "text", value: "DIR", short: "o", help: "folder to write to" },
  dtype: { kind: "text", choices: ["float32", "float16"], help: "of weights and activations" },
  operators: {
    kind: "text",
    choices: ["standard", "fused"],
    help: "ONNX's own operators, or ONNX Runtime's faster ones as well (standard)",
  },
  opset: { kind: "integer", range: [21, 24], help: "version of the ONNX operators (21)" },
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

/** Help of `latent export`. */
export const EXPORT_PAGE: Page = {
  usage: "export --output DIR [FLAGS]",
  text: [
    "Writes text encoder, U-Net and autoencoder as ONNX files, the weights of each beside it.",
  ],
  examples: [
    "latent export --output onnx/",
    "latent export --model ./stable-diffusion-v1-5 --output onnx-16/ --dtype float16",
  ],
  flags: EXPORT_FLAGS,
};

/** Runs `latent export`. */
export async function exportModel(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(EXPORT_FLAGS, args);
  if (flags.help) {
    print(helpText(EXPORT_PAGE));
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`What is "${positionals[0]}"? See --help.`);
  if (flags.output === undefined) throw new UsageError("Say where to: --output DIR.");
  const progress = progressTo({ quiet: flags.quiet ?? false });
  await using sd = await StableDiffusion.open(flags.model, openOptionsOf(flags));
  const networks = sd.exportOnnx(flags.output, {
    ...(flags.width !== undefined && { width: Number(flags.width) }),
    ...(flags.height !== undefined && { height: Number(flags.height) }),
    ...(flags.dtype && { dtype: flags.dtype }),
    ...(flags.operators && { operators: flags.operators }),
    ...(flags.opset !== undefined && { opset: Number(flags.opset) }),
  });
  for await (const { path, weightBytes } of networks) {
    progress.line(`${path}  weights ${byteSize(weightBytes)}`);
  }
  return 0;
}
