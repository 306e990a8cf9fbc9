/**
 * What does one step of training the embedded model's whole U-Net cost, beside PyTorch?
 *
 *     deno run -A bench/embedded_step.ts [--batch 64] [--threads 2] [--rounds 3] [--python PYTHON]
 *
 * Forward, backward, clipping, AdamW and the average of the weights, float32, on random latents. Runs
 * this project's step and `embedded_step_peer.py` in turns, each in a process of its own, and prints
 * the least of each: on a busy machine the processor's seconds are the ones to compare.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { assetFolder } from "../pipeline/assets.ts";
import { openModel } from "../pipeline/open_model.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { denoiserGraph } from "../training/denoiser_graph.ts";
import { valuesOf } from "../training/embedded/workspace.ts";
import { adamw } from "../training/optimizers.ts";
import { givenText } from "../training/text_graph.ts";
import { Trainer } from "../training/trainer.ts";
import { trainingStep } from "../training/training_step.ts";
import { readProcessorTime } from "./peers/memory.ts";

/** Steps of a process; the first allocates and does not count. */
const STEPS = 5;

/** Seconds of one step. */
interface Measured {
  readonly seconds: number;
  readonly processor: number;
}

async function measure(batch: number, threads: number): Promise<void> {
  const parts = await openModel(undefined), shape = { batch, height: 16, width: 16 };
  const graph = denoiserGraph(parts, shape, givenText(parts, shape), { parameter: () => true });
  const step = trainingStep({
    parameters: graph.parameters,
    loss: graph.loss,
    optimizer: adamw(),
    clipNorm: 1,
    average: 0.999,
  });
  const builder = new SessionBuilder(openRuntime(), { providers: [cpu()], threads });
  using trainer = await Trainer.create(builder, step, await valuesOf(parts.unet.weights));
  const random = new TorchCpuGenerator(0), ones = new Float32Array(batch).fill(1);
  for (let i = 0; i < STEPS; i++) {
    const fed = {
      latents: random.normal(batch * 4 * 16 * 16),
      noise: random.normal(batch * 4 * 16 * 16),
      timestep: Float32Array.from(random.integers(0, 1000, batch)),
      signal: random.uniform(batch),
      sigma: random.uniform(batch),
      weight: ones,
      hidden_states: random.normal(batch * 32 * 128),
    };
    const began = performance.now(), used = await readProcessorTime(Deno.pid);
    await trainer.step(fed, 1e-5);
    const seconds = (performance.now() - began) / 1000;
    const processor = (await readProcessorTime(Deno.pid) - used) / 1000;
    console.log(JSON.stringify({ seconds, processor }));
  }
}

async function run(command: string, args: readonly string[]): Promise<Measured[]> {
  const { stdout, stderr, success } = await new Deno.Command(command, { args: [...args] }).output();
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line.startsWith("{"));
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim().split("\n").at(-1));
  return lines.slice(1).map((line) => JSON.parse(line));
}

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    python: { type: "string" },
    child: { type: "boolean" },
  },
});

if (import.meta.main) {
  const { batch, threads, rounds, python, child } = values;
  if (child) {
    await measure(Number(batch), Number(threads));
  } else {
    const common = ["--batch", batch, "--threads", threads];
    const self = fileURLToPath(import.meta.url);
    const programs = new Map([
      ["ours", () => run(Deno.execPath(), ["run", "-A", "--quiet", self, ...common, "--child"])],
    ]);
    if (python !== undefined) {
      const config = `${await assetFolder("digits")}/unet/config.json`;
      const peer = fileURLToPath(new URL("./embedded_step_peer.py", import.meta.url));
      programs.set("torch", () => run(python, [peer, config, batch, threads, String(STEPS)]));
    }
    const all = new Map([...programs.keys()].map((name) => [name, [] as Measured[]]));
    for (let i = 0; i < Number(rounds); i++) {
      for (const [name, program] of programs) all.get(name)!.push(...await program());
    }
    for (const [name, steps] of all) {
      const least = (key: keyof Measured) => Math.min(...steps.map((step) => step[key])).toFixed(2);
      console.log(
        `${name.padEnd(6)} ${least("seconds")} s, ${least("processor")} s of the processor`,
      );
    }
  }
}
