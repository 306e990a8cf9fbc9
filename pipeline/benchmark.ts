/**
 * How long a model takes here: several ways to run it take turns, beside a product of matrices that
 * says how fast the machine is at the moment.
 *
 * @module
 */

import { join } from "node:path";
import { cpuUsage } from "node:process";
import { cpu } from "../ffi/providers.ts";
import { openRuntime } from "../ffi/runtime.ts";
import { multiplyAdds } from "./device_speed.ts";
import type { GenerateOptions } from "./options.ts";
import type { OpenOptions } from "./open_options.ts";
import { type NetworkProfile, readProfiles } from "./profile.ts";
import { StableDiffusion } from "./stable_diffusion.ts";

/** One way to run a model. */
export interface BenchmarkCase {
  /** For the report: `cpu 512x512`. */
  readonly name: string;
  /** How the model is opened. */
  readonly open: OpenOptions;
  /** What is drawn. */
  readonly picture: Pick<GenerateOptions, "width" | "height"> & Partial<GenerateOptions>;
}

/** What is measured, and how often. */
export interface BenchmarkOptions {
  /** Default: the embedded model. */
  readonly model?: string | undefined;
  /** The ways that are measured beside one another. */
  readonly cases: readonly BenchmarkCase[];
  /** Times that the cases take turns. Default 3. */
  readonly rounds?: number;
  /** Calls of the U-Net that are timed in a round. Default 3. */
  readonly steps?: number;
  /** Tell where the time goes, by operator. Measuring that takes some time itself. */
  readonly profile?: boolean;
  /** Stops the run. */
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done. */
  readonly onStage?: (what: string) => void;
}

/** Milliseconds. */
export interface Times {
  /** Of all rounds: what the machine can do. */
  readonly min: number;
  /** Of all rounds: what it usually did. */
  readonly median: number;
}

/** What one case took. */
export interface BenchmarkResult {
  /** The case's. */
  readonly name: string;
  /** Of the picture, in pixels. */
  readonly width: number;
  /** Of the picture, in pixels. */
  readonly height: number;
  /** From nothing to the end of the first call: opening, encoding the prompt, building sessions. */
  readonly readyMs: number;
  /** A call of the U-Net, with guidance and the sampler's step. */
  readonly stepMs: Times;
  /** Processor time of all threads in such a call. */
  readonly stepProcessorMs: Times;
  /** The least call in units of the least product: to compare with other runs and machines. */
  readonly stepProducts: number;
  /** From latents to a picture. */
  readonly decodeMs: Times;
  /** The least of it in units of the least product. */
  readonly decodeProducts: number;
  /** Memory that is held after a first picture, beyond what was held before: not mapped files. */
  readonly ownBytes?: number;
  /** The most that was in memory while it was drawn, mapped files too, beyond what was before. */
  readonly peakBytes?: number;
  /** Its networks by operator, if asked for. */
  readonly profile?: readonly NetworkProfile[];
}

/** What a whole run found. */
export interface Benchmark {
  /** Version of ONNX Runtime. */
  readonly onnxruntime: string;
  /** The product of two float32 matrices of `side` squared on the processor. */
  readonly product: { readonly side: number } & Times;
  /** In the order in which they were given. */
  readonly cases: readonly BenchmarkResult[];
}

const SIDE = 1024;

/** Measures the cases. @throws {OptionError} for a picture that the model cannot draw. */
export async function benchmark(options: BenchmarkOptions): Promise<Benchmark> {
  const { model, cases, rounds = 3, onStage } = options;
  const library = cases[0]?.open.library;
  const runtime = openRuntime(library === undefined ? {} : { library });
  const product = () => SIDE ** 3 / multiplyAdds(runtime, cpu(), SIDE) * 1000;
  const products: number[] = [], runs: Run[] = [];
  const traces = options.profile ? await Deno.makeTempDir() : undefined;
  const release = async () => {
    for (const run of runs) await run[Symbol.asyncDispose]();
  };
  try {
    for (const [i, one] of cases.entries()) {
      onStage?.(`opening ${one.name}`);
      const profile = traces === undefined ? {} : { profile: join(traces, `${i}`) };
      runs.push(await Run.open(model, { ...one, open: { ...one.open, ...profile } }, options));
    }
    for (let round = 1; round <= rounds; round++) {
      products.push(product());
      for (const run of runs) {
        onStage?.(`round ${round} of ${rounds}: ${run.name}`);
        await run.measure();
      }
    }
    const unit = Math.min(...products), results = runs.map((run) => run.result(unit));
    if (traces !== undefined) await release(); // which ends the traces
    return {
      onnxruntime: runtime.version,
      product: { side: SIDE, ...timesOf(products) },
      cases: traces === undefined ? results : await Promise.all(
        results.map(async (one, i) => ({
          ...one,
          profile: await readProfiles(join(traces, `${i}`)),
        })),
      ),
    };
  } finally {
    await release();
    if (traces !== undefined) await Deno.remove(traces, { recursive: true });
  }
}

/** A case, opened and warm. */
class Run implements AsyncDisposable {
  readonly #steps: number[] = [];
  readonly #processor: number[] = [];
  readonly #decodes: number[] = [];
  #readyMs = 0;
  #memory: Pick<BenchmarkResult, "ownBytes" | "peakBytes"> = {};

  private constructor(
    readonly sd: StableDiffusion,
    readonly of: BenchmarkCase,
    readonly options: BenchmarkOptions,
  ) {}

  get name(): string {
    return this.of.name;
  }

  static async open(model: string | undefined, of: BenchmarkCase, options: BenchmarkOptions) {
    resetPeak();
    const before = memory(), began = performance.now();
    const run = new Run(await StableDiffusion.open(model, of.open), of, options);
    try {
      await run.#draw(1, () => run.#readyMs ||= performance.now() - began);
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
    const after = memory();
    const own = after.own - before.own, peak = (after.peak ?? 0) - before.resident;
    run.#memory = { ownBytes: own, ...(after.peak !== undefined && { peakBytes: peak }) };
    return run;
  }

  /** One round. */
  async measure(): Promise<void> {
    const { steps = 3 } = this.options, times: number[] = [], processor: number[] = [];
    let began = 0, before = cpuUsage(), isFirst = true;
    const decoded = await this.#draw(steps + 1, () => {
      const { user, system } = cpuUsage(before);
      // Before the first call the prompt is encoded.
      if (!isFirst) {
        times.push(performance.now() - began);
        processor.push((user + system) / 1000);
      }
      isFirst = false;
      before = cpuUsage();
      began = performance.now();
    });
    // Where calls differ, the quickest says nothing of a run.
    const each = (all: readonly number[]) => this.of.picture.fast ? [meanOf(all)] : all;
    this.#steps.push(...each(times));
    this.#processor.push(...each(processor));
    this.#decodes.push(decoded);
  }

  result(unit: number): BenchmarkResult {
    const { width, height } = this.sd.settings({ prompt: "", ...this.of.picture });
    const stepMs = timesOf(this.#steps), decodeMs = timesOf(this.#decodes);
    return {
      ...{ name: this.name, width, height, readyMs: this.#readyMs },
      stepMs,
      stepProcessorMs: timesOf(this.#processor),
      stepProducts: stepMs.min / unit,
      decodeMs,
      decodeProducts: decodeMs.min / unit,
      ...this.#memory,
    };
  }

  /** Draws a picture; the milliseconds that decoding it took. */
  async #draw(steps: number, onStep: () => void): Promise<number> {
    const { signal } = this.options, { sd, of } = this;
    const given = { prompt: "a red seven on a blue background", seed: 0, ...of.picture };
    const settings = sd.settings({
      ...{ ...given, steps, scheduler: "EulerDiscreteScheduler", metadata: false },
      ...(signal && { signal }),
    });
    let latents;
    for await (const step of sd.denoise(settings)) {
      latents = step.latents;
      onStep();
    }
    const began = performance.now();
    await sd.decode(latents!, settings);
    return performance.now() - began;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sd[Symbol.asyncDispose]();
  }
}

function meanOf(all: readonly number[]): number {
  return all.reduce((sum, each) => sum + each, 0) / all.length;
}

function timesOf(all: readonly number[]): Times {
  const sorted = all.toSorted((a, b) => a - b);
  return { min: sorted[0]!, median: sorted[sorted.length >> 1]! };
}

/** Bytes of this process; `peak` where Linux tells it (proc_pid_status(5)). */
function memory(): { own: number; resident: number; peak?: number } {
  const { rss } = Deno.memoryUsage();
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const field = (name: string) =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
    return { own: field("RssAnon"), resident: field("VmRSS"), peak: field("VmHWM") };
  } catch {
    return { own: rss, resident: rss };
  }
}

/** Lets the kernel count the peak from now on (proc_pid_clear_refs(5)), where it does that. */
function resetPeak(): void {
  try {
    Deno.writeTextFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Then the peak is that of the program so far.
  }
}
