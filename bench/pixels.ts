/**
 * How do time and memory grow with the pixels of a picture?
 *
 *     deno run -A bench/pixels.ts [--model DIR] [--sizes 256,512,768,1024,1536,2048] [--steps 1]
 *         [--precision int8] [--low-memory] [--minutes 60]
 *
 * Each size in a process of its own, with guidance; decoding in tiles where the pipeline would, or all
 * of it with `--low-memory`. A size that fails, or takes more minutes than given, says so, and larger
 * ones are not tried. Memory is the most of its own (RssAnon) beyond what the process had before
 * it opened the model; processor time is of all threads.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Precision, PRECISIONS, StableDiffusion } from "../mod.ts";
import { machine } from "./peers/machine.ts";
import { peakDuring, readMemory, readProcessorTime } from "./peers/memory.ts";
import { table } from "./peers/table.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    sizes: { type: "string", default: "256,512,768,1024,1536,2048" },
    steps: { type: "string", default: "1" },
    precision: { type: "string", default: "float32" },
    "low-memory": { type: "boolean", default: false },
    minutes: { type: "string", default: "60" },
    size: { type: "string" },
  },
});
const { model } = values;
const precision = PRECISIONS.find((name) => name === values.precision);
if (precision === undefined) throw new Error(`Give --precision ${PRECISIONS.join(" or ")}.`);

/** Seconds of the processor and bytes of memory. */
interface Measured {
  /** Of the quickest call of the U-Net but the first, which also builds it. */
  readonly step: number;
  readonly decode: number;
  readonly drawing: number;
  readonly decoding: number;
}

/** Draws one picture in this process. */
async function measure(
  model: string | undefined,
  precision: Precision,
  side: number,
): Promise<Measured> {
  const { anonymous: before } = await readMemory(Deno.pid);
  await using sd = await StableDiffusion.open(model, {
    precision,
    lowMemory: values["low-memory"],
  });
  const settings = sd.settings({
    prompt: "a lighthouse at dawn",
    seed: 1,
    steps: Number(values.steps) + 1,
    scheduler: "EulerDiscreteScheduler",
    width: side,
    height: side,
    metadata: false,
  });
  const times: number[] = [];
  const { result: latents, memory: drawing } = await peakDuring(Deno.pid, async () => {
    let latents, last = await readProcessorTime(Deno.pid);
    for await (const step of sd.denoise(settings)) {
      latents = step.latents;
      const now = await readProcessorTime(Deno.pid);
      times.push((now - last) / 1000);
      last = now;
    }
    return latents!;
  });
  const began = await readProcessorTime(Deno.pid);
  const { memory: decoding } = await peakDuring(Deno.pid, () => sd.decode(latents, settings));
  return {
    step: Math.min(...times.slice(1)),
    decode: (await readProcessorTime(Deno.pid) - began) / 1000,
    drawing: drawing.anonymous - before,
    decoding: decoding.anonymous - before,
  };
}

/** In a process of its own. @throws {Error} that says how it ended. */
async function measureApart(side: string): Promise<Measured> {
  const args = ["run", "-A", fileURLToPath(import.meta.url), ...Deno.args, "--size", side];
  const { code, signal, stdout } = await new Deno.Command(Deno.execPath(), {
    args,
    stderr: "inherit",
    signal: AbortSignal.timeout(60_000 * Number(values.minutes)),
  }).output();
  if (code !== 0) throw new Error(signal ? `ended by ${signal}` : `failed with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Numbers of one size, with those of the first size's pixels as the unit of the last columns. */
function row(side: string, found: Measured, first: readonly [side: string, Measured]): string[] {
  const pixels = Number(side) ** 2, growth = pixels / Number(first[0]) ** 2;
  const gb = (bytes: number) => (bytes / 1e9).toFixed(2);
  const each = (seconds: number) => (seconds / pixels * 1e6).toFixed(1);
  const memory = (of: Measured) => Math.max(of.drawing, of.decoding);
  return [
    side,
    found.step.toFixed(1),
    found.decode.toFixed(1),
    each(found.step),
    each(found.decode),
    gb(found.drawing),
    gb(found.decoding),
    growth.toFixed(1),
    (memory(found) / memory(first[1])).toFixed(1),
  ];
}

if (values.size !== undefined) {
  console.log(JSON.stringify(await measure(model, precision, Number(values.size))));
} else {
  const rows: string[][] = [], failed: string[] = [];
  let first: readonly [string, Measured] | undefined;
  for (const side of values.sizes.split(",")) {
    try {
      const found = await measureApart(side);
      rows.push(row(side, found, first ??= [side, found]));
    } catch (error) {
      failed.push(`${side}: ${error instanceof Error ? error.message : error}`);
      break;
    }
  }
  const costs = ["step s", "decode s", "step s/MP", "decode s/MP"];
  const head = ["side", ...costs, "GB, drawing", "decoding", "pixels", "memory"];
  console.log(await machine(`bench/pixels.ts ${Deno.args.join(" ")}`));
  console.log(table(head, rows) + failed.map((line) => `\n${line}\n`).join(""));
}
