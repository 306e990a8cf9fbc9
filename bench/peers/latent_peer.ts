/**
 * This project as a peer: latent_peer.ts WEIGHTS [--size 512] [--threads N] [--variant NAME]
 * [--profile PREFIX] [--library FILE]. The protocol is that of protocol.py, and `profile NETWORK` ends a session's
 * profiling.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { cpu, openvino, type Provider } from "../../ffi/providers.ts";
import { openRuntime, type Runtime } from "../../ffi/runtime.ts";
import type { Session } from "../../ffi/session.ts";
import { Tensor } from "../../ffi/tensor.ts";
import { lowering } from "../../graph/lowering.ts";
import { clipTextModel } from "../../models/clip_text.ts";
import type { GraphModel } from "../../models/graph_model.ts";
import { unet } from "../../models/unet.ts";
import { decoderGraph } from "../../models/autoencoder_graphs.ts";
import { type ModelParts, openFolder } from "../../pipeline/model_parts.ts";
import { openvinoOptions } from "../../pipeline/openvino.ts";
import { quantizing, winograd } from "../../pipeline/precision.ts";
import { SessionBuilder } from "../../pipeline/session_builder.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";
import type { NetworkName } from "./peer.ts";
import { type Variant, VARIANTS } from "./variants.ts";

/** An input of a network: its elements and its shape. */
type Feed = [Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>, number[]];

/** What the command line chose. */
interface Choices {
  readonly weights: string;
  /** Height and width of the latents. */
  readonly side: number;
  readonly variant: Variant;
  readonly threads: number | undefined;
  readonly library: string | undefined;
  readonly profile: string | undefined;
}

/** Sessions by network, opened when asked for. */
class Latent {
  readonly #sessions = new Map<NetworkName, { session: Session; feeds: Record<string, Tensor> }>();
  #opened: Promise<{ parts: ModelParts; runtime: Runtime }> | undefined;

  constructor(readonly choices: Choices) {}

  /** What a program does before its first picture: opens the folder, builds a session. */
  async load(network: NetworkName): Promise<Record<string, string>> {
    const { side, variant, threads } = this.choices;
    const { parts, runtime } = await (this.#opened ??= this.#open());
    const builder = new SessionBuilder(this.#tuned(runtime, network), {
      providers: [providerOf(this.choices)],
      ...quantizing(variant.precision),
      ...winograd(variant.convolution),
      ...(threads !== undefined && { threads }),
    });
    const feeds = Object.entries(feedsOf(network, side)).map(([name, [data, shape]]) =>
      [name, Tensor.from(runtime, dtypeOf(data), data, shape)] as const
    );
    const source = weightsOf(network, parts);
    const weights = network === "text_encoder" ? source : await builder.weightsOf(network, source);
    const build = () => graphOf(network, parts, weights, side);
    const graph = variant.lowering ? lowering(variant.lowering, build) : build();
    const session = await builder.build(graph);
    this.#sessions.set(network, { session, feeds: Object.fromEntries(feeds) });
    return { onnxruntime: runtime.version };
  }

  async run(network: NetworkName): Promise<number[]> {
    const { session, feeds } = this.#sessions.get(network)!;
    const outputs = await session.run(feeds, { outputs: [session.outputs[0]!.name] });
    using result = Object.values(outputs)[0]!;
    const data = result.data as Float32Array, stride = Math.max(1, data.length >> 6);
    return Array.from({ length: Math.min(64, data.length) }, (_, i) => data[i * stride]!);
  }

  endProfiling(network: NetworkName): string {
    return this.#sessions.get(network)!.session.endProfiling();
  }

  async #open() {
    const { weights, library } = this.choices;
    const parts = await openFolder(weights);
    return { parts, runtime: openRuntime(library === undefined ? {} : { library }) };
  }

  /** The runtime with session options that the product does not have: variants, profiling. */
  #tuned(runtime: Runtime, network: NetworkName): Runtime {
    const { variant: { session = {} }, profile: prefix } = this.choices;
    const profile = prefix === undefined ? {} : { profile: `${prefix}_${network}` };
    return Object.assign(Object.create(runtime) as Runtime, {
      loadSession: ((model, options = {}) =>
        runtime.loadSession(model, {
          ...options,
          ...session,
          ...profile,
          config: { ...options.config, ...session.config },
        })) satisfies Runtime["loadSession"],
    });
  }
}

/** What computes, with the options that the product gives it. */
function providerOf({ variant: { provider, precision }, threads }: Choices): Provider {
  if (provider !== "openvino") return cpu();
  const asked = { bfloat16: precision === "bfloat16", ...(threads !== undefined && { threads }) };
  return openvinoOptions(openvino(), asked);
}

function weightsOf(network: NetworkName, parts: ModelParts): TensorSource {
  switch (network) {
    case "unet":
      return parts.unet.weights;
    case "vae_decoder":
      return parts.vae.weights;
    case "text_encoder":
      return parts.textEncoders[0]!.weights;
  }
}

function graphOf(
  network: NetworkName,
  parts: ModelParts,
  weights: TensorSource,
  side: number,
): GraphModel {
  switch (network) {
    case "unet":
      return unet(parts.unet.config, weights, {
        batch: 2,
        height: side,
        width: side,
        sequence: 77,
      });
    case "vae_decoder":
      return decoderGraph(parts.vae.config, weights, { batch: 1, height: side, width: side });
    case "text_encoder":
      return clipTextModel(parts.textEncoders[0]!.config, weights, { batch: 1, sequence: 77 }, {
        hiddenState: -1,
        finalLayerNorm: true,
        pooled: false,
      });
  }
}

function feedsOf(network: NetworkName, side: number): Record<string, Feed> {
  const ids = BigInt64Array.from({ length: 77 }, (_, i) => BigInt((i * 593) % 49406));
  ids[0] = 49406n;
  ids[76] = 49407n;
  switch (network) {
    case "unet":
      return {
        sample: wave([2, 4, side, side]),
        timestep: [new Float32Array(2).fill(500), [2]],
        encoder_hidden_states: wave([2, 77, 768]),
      };
    case "vae_decoder":
      return { latents: wave([1, 4, side, side]) };
    case "text_encoder":
      return { input_ids: [ids, [1, 77]] };
  }
}

/** sin(1), sin(2), ... */
function wave(shape: number[]): Feed {
  const length = shape.reduce((a, b) => a * b);
  return [Float32Array.from({ length }, (_, i) => Math.sin(i + 1)), shape];
}

function dtypeOf(data: Feed[0]): "float32" | "int64" {
  return data instanceof Float32Array ? "float32" : "int64";
}

async function serve(latent: Latent, deno: string): Promise<void> {
  const say = (answer: unknown) => console.log(JSON.stringify(answer));
  // ONNX Runtime has not been opened yet: that belongs to `load`.
  say({ versions: { deno } });
  const decoder = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  for await (const chunk of decoder) {
    const [command, network] = chunk.trim().split(" ") as [string, NetworkName];
    if (command === "quit") Deno.exit(0);
    const start = performance.now();
    const since = () => performance.now() - start;
    if (command === "load") {
      const versions = await latent.load(network);
      say({ ms: since(), versions });
    } else if (command === "run") {
      const values = await latent.run(network);
      say({ ms: since(), values });
    } else {
      say({ ms: since(), trace: latent.endProfiling(network) });
    }
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      size: { type: "string", default: "512" },
      threads: { type: "string" },
      variant: { type: "string", default: "default" },
      library: { type: "string" },
      profile: { type: "string" },
    },
  });
  const variant = VARIANTS[values.variant];
  if (variant === undefined) {
    throw new RangeError(
      `Cannot run variant ${values.variant}: it is not known; expected one of ${
        Object.keys(VARIANTS).join(", ")
      }.`,
    );
  }
  const { library, profile, threads } = values;
  const latent = new Latent({
    weights: positionals[0]!,
    side: Number(values.size) / 8,
    variant,
    threads: threads === undefined ? undefined : Number(threads),
    library,
    profile,
  });
  await serve(latent, Deno.version.deno);
}
