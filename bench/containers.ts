/**
 * What does it cost to open and use full-size models, in float32 and float16 files, as a diffusers
 * folder and as a single file?
 *
 *     deno run -A bench/containers.ts FOLDER [--families sd15,sd21,sdxl] [--dtypes fp32,fp16]
 *         [--containers folder,file] [--sizes 512] [--steps 1]
 *
 * Writes each model with random weights into FOLDER, uses it in a process of its own, and deletes it:
 * at most 14 GB of disk at a time. Prints a table; memory as /proc says (see `peers/memory.ts`).
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { StableDiffusion } from "../mod.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { makePipelineFolder } from "./make_sd15.ts";
import { larger, type Memory, NO_MEMORY, peakDuring } from "./peers/memory.ts";
import { randomTensors } from "./random_weights.ts";
import { FAMILIES } from "./sd_families.ts";

type Family = keyof typeof FAMILIES;
type DType = "fp32" | "fp16";

/** What one use of a model took. */
interface Measured {
  /** `StableDiffusion.open`: configurations, tokenizers, headers. */
  readonly openMs: number;
  /** To the end of the first step: text encoders and U-Net built and run, weights converted. */
  readonly firstMs: number;
  /** The last step, where there is more than one. */
  readonly stepMs: number;
  readonly decodeMs: number;
  readonly drawing: Memory;
  readonly decoding: Memory;
}

/** Writes the model; the path to open. */
async function make(folder: string, family: Family, dtype: DType, container: string) {
  if (container === "folder") {
    await makePipelineFolder(folder, FAMILIES[family], dtype);
    return folder;
  }
  const golden = new URL(`../tests/golden/models/names_${family}.json.gz`, import.meta.url);
  const names: { single_file: Record<string, number[]> } = JSON.parse(
    new TextDecoder().decode(gunzipSync(await Deno.readFile(golden))),
  );
  const path = join(folder, `${family}.${dtype}.safetensors`);
  const tensors = randomTensors(
    Object.entries(names.single_file),
    dtype === "fp16" ? "F16" : "F32",
  );
  await writeSafetensors(path, tensors, { metadata: { format: "pt" } });
  return path;
}

/** Opens and draws in this process. */
async function measure(
  model: string,
  { size, steps, variant }: { size: number; steps: number; variant: string | undefined },
): Promise<Measured> {
  const begin = performance.now();
  await using sd = await StableDiffusion.open(model, variant === undefined ? {} : { variant });
  const openMs = performance.now() - begin;
  const settings = sd.settings({
    ...{ prompt: "a lighthouse at dawn", negativePrompt: "blurry", seed: 1 },
    ...{ steps, width: size, height: size, scheduler: "EulerDiscreteScheduler" },
  });
  const times = [performance.now()];
  const { result: latents, memory: drawing } = await peakDuring(Deno.pid, async () => {
    let last;
    for await (const step of sd.denoise(settings)) {
      last = step.latents;
      times.push(performance.now());
    }
    return last!;
  });
  const decoded = performance.now();
  const { memory: decoding } = await peakDuring(Deno.pid, () => sd.decode(latents, settings));
  return {
    openMs,
    firstMs: times[1]! - times[0]!,
    stepMs: times.at(-1)! - times.at(-2)!,
    decodeMs: performance.now() - decoded,
    drawing,
    decoding,
  };
}

/** Measures in a process of its own, which nothing before has warmed or filled. */
async function measureApart(model: string, options: Record<string, string>): Promise<Measured> {
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fileURLToPath(import.meta.url), "--use", model, ...flags],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`Cannot measure ${model}: the process ended with ${code}.`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const HEADER =
  "| model | size | open ms | first step s | step s | decode s | own GB | mapped GB | peak GB |";

function row(name: string, size: string, steps: number, measured: Measured): string {
  const { openMs, firstMs, stepMs, decodeMs, drawing, decoding } = measured;
  const { anonymous, mapped, peak } = larger(larger(NO_MEMORY, drawing), decoding);
  const seconds = (ms: number) => (ms / 1000).toFixed(1), gb = (n: number) => (n / 1e9).toFixed(2);
  const cells = [
    ...[name, size, openMs.toFixed(0), seconds(firstMs), steps > 1 ? seconds(stepMs) : "-"],
    ...[seconds(decodeMs), gb(anonymous), gb(mapped), gb(peak)],
  ];
  return `| ${cells.join(" | ")} |`;
}

async function main(args: string[]): Promise<number> {
  const { values, positionals: [folder] } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      families: { type: "string", default: "sd15,sd21,sdxl" },
      dtypes: { type: "string", default: "fp32,fp16" },
      containers: { type: "string", default: "folder,file" },
      sizes: { type: "string", default: "512" },
      steps: { type: "string", default: "1" },
      use: { type: "string" },
      size: { type: "string", default: "512" },
      variant: { type: "string" },
    },
  });
  const steps = Number(values.steps);
  if (values.use !== undefined) {
    const options = { size: Number(values.size), steps, variant: values.variant };
    console.log(JSON.stringify(await measure(values.use, options)));
    return 0;
  }
  if (folder === undefined) {
    console.error("Usage: containers.ts FOLDER [FLAGS]; see the file.");
    return 2;
  }
  console.log(HEADER + "\n" + "|---".repeat(9) + "|");
  for (const family of values.families.split(",") as Family[]) {
    for (const dtype of values.dtypes.split(",") as DType[]) {
      for (const container of values.containers.split(",")) {
        const place = join(folder, `${family}-${dtype}-${container}`);
        await Deno.mkdir(place, { recursive: true });
        try {
          const model = await make(place, family, dtype, container);
          const variant = dtype === "fp16" && container === "folder" ? { variant: "fp16" } : {};
          for (const size of values.sizes.split(",")) {
            const options = { size, steps: values.steps, ...variant };
            const measured = await measureApart(model, options);
            console.log(row(`${family} ${dtype} ${container}`, size, steps, measured));
          }
        } finally {
          await Deno.remove(place, { recursive: true });
        }
      }
    }
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
