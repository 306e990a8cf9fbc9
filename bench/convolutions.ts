/**
 * Winograd's convolutions beside direct ones: a U-Net step (512 x 512, guidance) and a decoding, with
 * the weights of a Stable Diffusion folder.
 *
 *     deno run -A bench/convolutions.ts --weights DIR [--rounds 3] [--threads 1]
 *
 * Rounds alternate; the least time counts. Kernels are transformed in a temporary folder.
 */

import { parseArgs } from "node:util";
import { openRuntime } from "../ffi/runtime.ts";
import { cpu } from "../ffi/providers.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { unet } from "../models/unet.ts";
import { vaeDecoder } from "../models/vae_decoder.ts";
import { openModel } from "../pipeline/open_model.ts";
import { SessionBuilder } from "../pipeline/session_builder.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";

const { values: { weights, rounds, threads } } = parseArgs({
  options: {
    weights: { type: "string" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "1" },
  },
});
if (weights === undefined) throw new Error("Give --weights DIR, a Stable Diffusion folder.");

const parts = await openModel(weights), runtime = openRuntime();
const { config: autoencoder } = parts.vae;
if (autoencoder.kind === "tiny") throw new Error("Give a model with an ordinary autoencoder.");
const folder = await Deno.makeTempDir();
const common = { providers: [cpu()], threads: Number(threads) };
const direct = new SessionBuilder(runtime, common);
const transforming = new SessionBuilder(runtime, { ...common, winograd: { folder } });

const networks = {
  unet: {
    source: parts.unet.weights,
    graph: (from: TensorSource) =>
      unet(parts.unet.config, from, { batch: 2, height: 64, width: 64, sequence: 77 }),
  },
  vae_decoder: {
    source: parts.vae.weights,
    graph: (from: TensorSource) =>
      vaeDecoder(autoencoder, from, { batch: 1, height: 64, width: 64 }),
  },
} as const;

/** Input values with the spread of latents and prompts, the same for both. */
function feedsOf({ inputs }: Session): Record<string, Tensor> {
  return Object.fromEntries(inputs.map(({ name, shape }) => {
    const sizes = shape as number[], length = sizes.reduce((a, b) => a * b, 1);
    const value = (_: unknown, i: number) => name === "timestep" ? 500 : 1.2 * Math.sin(1.7 * i);
    const data = Float32Array.from({ length }, value);
    return [name, Tensor.from(runtime, "float32", data, sizes)];
  }));
}

function timed(session: Session, feeds: Record<string, Tensor>): [number, Float32Array] {
  const began = performance.now(), outputs = session.runSync(feeds);
  const seconds = (performance.now() - began) / 1000;
  const [tensor] = Object.values(outputs), values = (tensor!.data as Float32Array).slice();
  tensor!.dispose();
  return [seconds, values];
}

try {
  console.log("|             | direct s | winograd s | ratio | kernels made s | difference |");
  console.log("| ----------- | -------: | ---------: | ----: | -------------: | ---------: |");
  for (const [name, { source, graph }] of Object.entries(networks)) {
    const began = performance.now();
    const derived = await transforming.weightsOf(name as keyof typeof networks, source);
    const made = (performance.now() - began) / 1000;
    using one = await direct.build(graph(source));
    using other = await transforming.build(graph(derived));
    const feeds = feedsOf(one), least = [Infinity, Infinity];
    let results: Float32Array[] = [];
    for (let round = 0; round < Number(rounds); round++) {
      results = [one, other].map((session, i) => {
        const [seconds, values] = timed(session, feeds);
        least[i] = Math.min(least[i]!, seconds);
        return values;
      });
    }
    const [a, b] = results as [Float32Array, Float32Array];
    const largest = a.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const apart = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
    const cells = [name.padEnd(11), ...least.map((s) => s.toFixed(2))];
    const ratio = (least[1]! / least[0]!).toFixed(2);
    console.log(
      `| ${[...cells, ratio, made.toFixed(1), (apart / largest).toExponential(1)].join(" | ")} |`,
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
