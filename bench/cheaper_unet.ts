/**
 * What does each way to a cheaper step cost at full size? One call of the U-Net of a diffusers
 * folder: whole, without guidance, its shallow part, with merged tokens. The rounds alternate.
 *
 *     deno run -A bench/cheaper_unet.ts --weights DIR [--size 512] [--rounds 3] [--only "A;B"]
 *
 * @module
 */

import { cpuUsage } from "node:process";
import { parseArgs } from "node:util";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { unet, type UNetOptions } from "../models/unet.ts";
import { openFolder } from "../pipeline/model_parts.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import { relativeError } from "./peers/compare.ts";
import { machine } from "./peers/machine.ts";
import { readMemory } from "./peers/memory.ts";
import { table } from "./peers/table.ts";

const { values } = parseArgs({
  options: {
    weights: { type: "string" },
    size: { type: "string", default: "512" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});

interface Way {
  readonly batch: number;
  readonly options: UNetOptions;
}

const shallow = (depth: number): Way => ({
  batch: 2,
  options: { cut: { depth, feature: "input" } },
});
const merging = (tokenMerging: number): Way => ({
  batch: 2,
  options: { variant: { tokenMerging } },
});

/** What is measured, by name. */
const WAYS: Readonly<Record<string, Way>> = {
  "whole": { batch: 2, options: {} },
  "whole, giving the feature": { batch: 2, options: { cut: { depth: 1, feature: "output" } } },
  "without guidance": { batch: 1, options: {} },
  "shallow, depth 1": shallow(1),
  "shallow, depth 2": shallow(2),
  "shallow, depth 3": shallow(3),
  "shallow, depth 6": shallow(6),
  "token merging 0.25": merging(0.25),
  "token merging 0.5": merging(0.5),
  "token merging 0.75": merging(0.75),
};

const { unet: { config, weights } } = await openFolder(values.weights!);
const builder = new SessionBuilder(openRuntime(), { providers: [cpu()] });
const side = Number(values.size) / 8, sequence = 77;

/** sin(1), sin(2), ... */
function wave(shape: readonly number[]): Tensor {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length }, (_, i) => Math.sin(i + 1));
  return Tensor.from(builder.runtime, "float32", data, shape);
}

function feedsOf(session: Session): Record<string, Tensor> {
  return Object.fromEntries(session.inputs.map(({ name, shape }) => {
    const tensor = wave(shape as number[]);
    if (name === "timestep") (tensor.data as Float32Array).fill(500);
    return [name, tensor];
  }));
}

/** One way, ready to run. */
async function open(name: string) {
  const { batch, options } = WAYS[name]!, before = await readMemory(Deno.pid);
  const shape = { batch, height: side, width: side, sequence };
  const session = await builder.build(unet(config, weights, shape, options));
  const feeds = feedsOf(session),
    run = async () => {
      const outputs = await session.run(feeds), { noise_prediction } = outputs;
      const result = (noise_prediction!.data as Float32Array).slice();
      for (const tensor of Object.values(outputs)) tensor.dispose();
      return result;
    };
  const result = await run(), after = await readMemory(Deno.pid);
  return {
    name,
    run,
    result,
    own: after.anonymous - before.anonymous,
    ms: [] as number[],
    used: [] as number[],
  };
}

const wanted = values.only?.split(";") ?? Object.keys(WAYS);
const ways = [];
for (const name of Object.keys(WAYS)) if (wanted.includes(name)) ways.push(await open(name));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const way of ways) {
    const start = performance.now(), before = cpuUsage();
    await way.run();
    const { user, system } = cpuUsage(before);
    way.ms.push(performance.now() - start);
    way.used.push((user + system) / 1000);
  }
}

const [whole] = ways, least = (numbers: readonly number[]) => Math.min(...numbers);
const rows = ways.map((way) => [
  way.name,
  least(way.ms).toFixed(0),
  least(way.used).toFixed(0),
  (least(way.ms) / least(whole!.ms)).toFixed(2),
  (least(way.used) / least(whole!.used)).toFixed(2),
  (way.own / 1e9).toFixed(2),
  /merging/.test(way.name) ? relativeError(way.result, whole!.result).toExponential(1) : "",
]);
const head = ["", "ms, min", "processor", "ratio, min", "processor", "own GB", "error"];
console.log(
  await machine(
    `bench/cheaper_unet.ts ${Deno.args.join(" ").replace(/--weights \S+/, "--weights ...")}`,
  ),
);
console.log(
  `One call of the U-Net at ${values.size}x${values.size}; the error is of the noise prediction (random weights).\n`,
);
console.log(table(head, rows));
