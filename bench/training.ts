/**
 * What does one step of LoRA training cost: forward, backward and update, beside PyTorch?
 *
 *     deno run -A bench/training.ts --model DIR --side 512 [--python PYTHON] [--threads 2] [--steps 3]
 *
 * Runs this project's step with and without checkpointing, then (with `--python`)
 * `training_peer.py` with and without. Each is a process of its own, since peak memory is the
 * process's. The first step is left out of the times: it allocates.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { openModel } from "../pipeline/open_model.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import { batchOf } from "../training/batches.ts";
import { denoiserGraph, noiseSettings } from "../training/denoiser_graph.ts";
import { LoraAdapters } from "../training/lora_adapters.ts";
import { adamw } from "../training/optimizers.ts";
import { givenText } from "../training/text_graph.ts";
import { Trainer } from "../training/trainer.ts";
import { trainingStep } from "../training/training_step.ts";
import { larger, NO_MEMORY, peakDuring, readProcessorTime } from "./peers/memory.ts";

/** One step, as a process reports it. */
interface Measured {
  readonly step: number;
  readonly seconds: number;
  readonly processor: number;
  /** Memory of its own (RssAnon), the most seen every 20 ms. */
  readonly own_gb: number;
  /** With the pages of files (VmHWM). */
  readonly peak_gb: number;
  readonly loss: number;
}

interface Options {
  readonly model: string | undefined;
  readonly side: number;
  readonly threads: number;
  readonly steps: number;
  readonly checkpointing: boolean;
}

/** Takes steps and prints each. */
async function measure(options: Options): Promise<void> {
  const parts = await openModel(options.model), { config } = parts.unet;
  const latents = options.side / parts.vae.config.factor;
  const shape = { batch: 1, height: latents, width: latents };
  const lora = new LoraAdapters({ rank: 4, alpha: 4, targets: "attention", seed: 0 });
  const graph = denoiserGraph(parts, shape, givenText(parts, shape), {
    adapt: lora.adapt("unet"),
    lateWeights: options.checkpointing,
  });
  const step = trainingStep({
    parameters: lora.parameters,
    loss: graph.loss,
    optimizer: adamw(),
    clipNorm: 1,
    checkpointing: options.checkpointing,
  });
  const builder = new SessionBuilder(openRuntime(), {
    providers: [cpu()],
    threads: options.threads,
  });
  using trainer = await Trainer.create(builder, step, lora.initial());
  const tokens = parts.textEncoders[0]!.tokenizer.maxLength;
  const states = new Float32Array(tokens * config.downBlocks.at(-1)!.crossAttentionDim).fill(0.1);
  const size = config.inChannels * latents * latents;
  const source = {
    groups: [[{ latents: new Float32Array(size).fill(0.1), prompts: [""], weight: 1 }]],
    batch: 1,
    seed: 0,
    noise: noiseSettings(parts),
    prompts: () => ({ hidden_states: states }),
  };
  let most = NO_MEMORY;
  for (let i = 0; i < options.steps; i++) {
    const began = performance.now(), used = await readProcessorTime(Deno.pid);
    const batch = batchOf(source, i);
    const { result: { loss }, memory } = await peakDuring(
      Deno.pid,
      () => trainer.step(batch, 1e-4),
    );
    most = larger(most, memory);
    const measured: Measured = {
      step: i,
      seconds: (performance.now() - began) / 1000,
      processor: (await readProcessorTime(Deno.pid) - used) / 1000,
      own_gb: most.anonymous / 1e9,
      peak_gb: most.peak / 1e9,
      loss,
    };
    console.log(JSON.stringify(measured));
  }
}

/** Runs one program and prints a line of its figures. */
async function report(name: string, command: string, args: string[]): Promise<void> {
  const { stdout, stderr, success } = await new Deno.Command(command, { args }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const steps = decode(stdout).split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Measured);
  if (!success || steps.length === 0) {
    console.log(`${name.padEnd(24)} failed: ${decode(stderr).trim().split("\n").at(-1)}`);
    return;
  }
  const later = steps.length > 1 ? steps.slice(1) : steps;
  const least = (key: "seconds" | "processor") => Math.min(...later.map((step) => step[key]));
  console.log(
    `${name.padEnd(24)} ${least("seconds").toFixed(2).padStart(8)} s  ` +
      `${least("processor").toFixed(2).padStart(8)} s of the processor  ` +
      `${steps.at(-1)!.own_gb.toFixed(2).padStart(6)} GB own  ` +
      `${steps.at(-1)!.peak_gb.toFixed(2).padStart(6)} GB peak`,
  );
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    side: { type: "string", default: "512" },
    threads: { type: "string", default: "2" },
    steps: { type: "string", default: "3" },
    python: { type: "string" },
    child: { type: "string" },
  },
});

if (import.meta.main) {
  const { model, side, threads, steps, python, child } = values;
  const numbers = { side: Number(side), threads: Number(threads), steps: Number(steps) };
  if (child !== undefined) {
    await measure({ model, ...numbers, checkpointing: child === "checkpointing" });
  } else {
    const common = ["--side", side, "--threads", threads, "--steps", steps];
    const ours = ["run", "-A", "--quiet", fileURLToPath(import.meta.url), ...common];
    if (model !== undefined) ours.push("--model", model);
    await report("ours", Deno.execPath(), [...ours, "--child", "plain"]);
    await report("ours, checkpointing", Deno.execPath(), [...ours, "--child", "checkpointing"]);
    if (python !== undefined && model !== undefined) {
      const { vae, textEncoders } = await openModel(model);
      const peer = [
        fileURLToPath(new URL("./training_peer.py", import.meta.url)),
        ...[model, side, threads, steps],
        ...["--factor", String(vae.config.factor)],
        ...["--tokens", String(textEncoders[0]!.tokenizer.maxLength)],
      ];
      await report("torch + peft", python, peer);
      await report("torch + peft, checkpt.", python, [...peer, "--checkpointing"]);
    }
  }
}
