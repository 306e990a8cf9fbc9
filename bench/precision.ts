/**
 * What do weights of 8 and 4 bits change in a picture, and what do they cost to make?
 *
 *     deno run -A bench/precision.ts [--pictures 20] [--weights DIR [--size 512]]
 *
 * First the embedded model: peak signal to noise ratio to its pictures in float32, over digits and
 * colours. With `--weights`, a folder of bench/make_sd15.ts: seconds to quantize the U-Net and to
 * open it again, bytes, and the error of a noise prediction. Random weights have none of the
 * outliers of trained ones: that error is a lower bound. What a step costs, and how much memory, is
 * for `sd15.ts --only ours,ours:int8,ours:int4`.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { Tensor } from "../ffi/tensor.ts";
import { type Image, type Precision, StableDiffusion } from "../mod.ts";
import { unet } from "../models/unet.ts";
import { type ModelParts, openFolder } from "../pipeline/model_parts.ts";
import { quantizing } from "../pipeline/precision.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import { DIGIT_WORDS } from "../training/embedded/palette.ts";
import { psnr, relativeError } from "./peers/compare.ts";
import { machine } from "./peers/machine.ts";
import { table } from "./peers/table.ts";

/** What the processor computes in; the first is compared with. */
const PRECISIONS = ["float32", "float16", "int8", "int4"] as const satisfies readonly Precision[];
const INKS = ["red", "green", "blue", "yellow", "white"];

async function pictures(count: number): Promise<string> {
  const models = await Promise.all(
    PRECISIONS.map((precision) => StableDiffusion.open(undefined, { precision })),
  );
  const ratios: number[][] = PRECISIONS.map(() => []);
  for (let seed = 0; seed < count; seed++) {
    const prompt = `a ${INKS[seed % 5]} ${DIGIT_WORDS[seed % 10]} on a black background`;
    const drawn: Image[] = [];
    for (const sd of models) drawn.push(await sd.generate({ prompt, seed }));
    drawn.forEach((image, i) => i > 0 && ratios[i]!.push(psnr(drawn[0]!, image)));
  }
  for (const sd of models) await sd[Symbol.asyncDispose]();
  const rows = PRECISIONS.slice(1).map((precision, i) => {
    const sorted = ratios[i + 1]!.toSorted((a, b) => a - b);
    const mean = sorted.reduce((a, b) => a + b, 0) / count;
    return [precision, ...[mean, sorted[0]!, sorted[count >> 1]!].map((ratio) => ratio.toFixed(1))];
  });
  return table(["embedded model, dB to float32", "mean", "least", "median"], rows);
}

/** One prediction, and what it took to get there. */
async function prediction(parts: ModelParts, precision: Precision, side: number, folder: string) {
  const runtime = openRuntime(), { quantizing: how } = quantizing(precision);
  const dtype = precision === "float16" ? precision : "float32";
  const options = {
    providers: [cpu()],
    dtype,
    ...(how && { quantizing: { ...how, folder } }),
  } as const;
  const open = async () => {
    const start = performance.now(), builder = new SessionBuilder(runtime, options);
    const weights = await builder.weightsOf("unet", parts.unet.weights);
    const shape = { batch: 2, height: side, width: side, sequence: 77 };
    const session = await builder.build(unet(parts.unet.config, weights, shape, { dtype }));
    return { session, seconds: (performance.now() - start) / 1000 };
  };
  const first = await open();
  first.session.dispose();
  const { session, seconds } = await open();
  const wave = (shape: number[]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length }, (_, i) => Math.sin(i + 1) * Math.SQRT2);
    return Tensor.from(runtime, "float32", data, shape);
  };
  const feeds = {
    sample: wave([2, parts.unet.config.inChannels, side, side]),
    timestep: Tensor.from(runtime, "float32", new Float32Array(2).fill(500), [2]),
    encoder_hidden_states: wave([2, 77, 768]),
  };
  const { noise_prediction: noise } = await session.run(feeds);
  const values = (noise!.data as Float32Array).slice();
  for (const tensor of [...Object.values(feeds), noise!]) tensor.dispose();
  session.dispose();
  return { values, first: first.seconds, second: seconds };
}

async function network(weights: string, side: number): Promise<string> {
  const parts = await openFolder(weights), folder = await Deno.makeTempDir();
  try {
    let exact: Float32Array | undefined;
    const rows: string[][] = [];
    for (const precision of ["float32", "int8", "int4"] as const) {
      const { values, first, second } = await prediction(parts, precision, side, folder);
      exact ??= values;
      const [file] = [...Deno.readDirSync(folder)].filter(({ name }) => name.includes(precision));
      const bytes = file ? (await Deno.stat(join(folder, file.name))).size : NaN;
      const size = file ? (bytes / 1e9).toFixed(2) : "";
      rows.push([
        precision,
        first.toFixed(2),
        second.toFixed(2),
        size,
        relativeError(values, exact).toExponential(1),
      ]);
    }
    return table(["U-Net", "first open, s", "second, s", "file GB", "error of the noise"], rows);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      pictures: { type: "string", default: "20" },
      weights: { type: "string" },
      size: { type: "string", default: "512" },
    },
  });
  const tables = [await pictures(Number(values.pictures))];
  if (values.weights) tables.push(await network(values.weights, Number(values.size) / 8));
  console.log([await machine(`bench/precision.ts ${Deno.args.join(" ")}`), ...tables].join("\n"));
}
