/**
 * Guidance by what the picture looks like so far: each prediction is moved along the gradient of
 * CLIP's opinion of the decoded clean picture, with respect to its latents (Dhariwal & Nichol 2021,
 * arXiv:2105.05233, section 4; for any network's opinion, Bansal et al. 2023, arXiv:2302.07121). The
 * U-Net itself is taken as constant there: its derivative would cost more than all the rest.
 *
 * @module
 */

import type { NetworkSession } from "./network_session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { grad } from "../graph/grad.ts";
import type { SegmentOf } from "../graph/recompute.ts";
import { input, type Value } from "../graph/value.ts";
import { type AutoencoderConfig, decoderGraph } from "../models/autoencoder_graphs.ts";
import { clipPixelValues, likeness, meanCosine } from "../models/clip_likeness.ts";
import { clipTextModel } from "../models/clip_text.ts";
import { clipState, clipVisionModel } from "../models/clip_vision.ts";
import type { GraphModel } from "../models/graph_model.ts";
import { requireTensor } from "../models/spellings.ts";
import type { Stage } from "../schedulers/plan.ts";
import { toFloat32 } from "../weights/read.ts";
import type { TensorSource } from "../weights/stored_tensor.ts";
import type { LatentSize } from "./autoencoder.ts";
import type { ClipPair } from "./clip_pair.ts";
import { clipPixels } from "./image_prompts.ts";
import type { Image } from "./image.ts";
import type { Network } from "./model_parts.ts";
import { OptionError } from "./options.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";

/** What pulls at a picture; scales are shares of the noise's size by which predictions move. */
export interface Pulls {
  /** Towards a text. */
  readonly text?: { readonly prompt: string; readonly scale: number } | undefined;
  /** Towards the look of another picture. */
  readonly like?: { readonly image: Image; readonly scale: number } | undefined;
}

/** Which pull it is. */
export type PullName = keyof Pulls;

/** The guidance of one run. */
export interface PictureGuidance extends Disposable {
  /**
   * Moves `prediction`, made for `input` at `stage`, in place.
   *
   * @returns how much each pull was granted before: a mean cosine.
   */
  apply(
    input: Float32Array,
    prediction: Float32Array,
    stage: Stage,
  ): Promise<Partial<Record<PullName, number>>>;
}

/** Parts of the layers at which the looks of pictures are compared. */
const DEPTHS = [0.25, 0.5, 0.75, 1];

/** Pixels beyond which the decoder's activations are computed again and not kept. */
const KEPT_PIXELS = 256 * 256;

/** What is computed again together: a block of the decoder. */
const blockOf: SegmentOf = ({ scope }) =>
  /^decoder\/(?:(?:up_blocks\.\d+|mid_block)\/[a-z]+\.\d+|layers\.\d+)/.exec(scope)?.[0];

/** Least signal in the latents for which there is a clean picture to speak of. */
const LEAST_SIGNAL = 1e-3;

/** CLIP's opinion of pictures on their way. */
export class PictureGuide implements Disposable {
  readonly #sessions = new SessionCache(2);
  readonly #weights = new Map<TensorSource, Map<string, Promise<Float32Array>>>();

  /** `vae` decodes the clean picture: the model's own, or a smaller one for less. */
  constructor(
    readonly pair: ClipPair,
    readonly vae: Network<AutoencoderConfig>,
    readonly builder: SessionBuilder,
  ) {}

  /** Prepares the guidance of one run. @throws {OptionError} for a text without its encoder. */
  async prepare(pulls: Pulls, size: LatentSize, signal?: AbortSignal): Promise<PictureGuidance> {
    const { text, like } = pulls;
    const wanted = {
      ...(text && { wanted_text: await this.#textVector(text.prompt, signal) }),
      ...(like && await this.#features(like.image, signal)),
    };
    const { model, weights } = this.#graph(size, { text: !!text, like: !!like });
    const key = `${Object.values(size)} ${!!text} ${!!like}`;
    const session = await this.#sessions.get(
      key,
      () => this.builder.build(model, { backward: true }),
    );
    const tensors = await this.#tensors(model, weights, wanted);
    const scales = { text: text?.scale, like: like?.scale };
    return new Guidance({ session, tensors, scales, size, signal, builder: this.builder });
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#weights.clear();
  }

  /**
   * From the clean picture's latents to a gradient for each pull, and how much it is granted
   * already. The networks' weights are inputs: no optimizer reads them.
   */
  #graph({ channels, height, width }: LatentSize, pulls: { text: boolean; like: boolean }) {
    const { config, weights } = this.vae, { vision } = this.pair;
    const clean = input("clean", "float32", [1, channels, height, width]);
    const decoder = decoderGraph(config, weights, { batch: 1, height, width }, {
      values: { latents: clean },
      parameter: () => true,
    });
    const encoder = this.#vision(clipPixelValues(decoder.outputs.image!, vision.config.imageSize));
    const outputs: Record<string, Value> = {}, inputs = [clean];
    const pull = (name: string, value: Value) => {
      const isLarge = height * width * config.factor ** 2 > KEPT_PIXELS;
      const [gradient] = grad(value, [clean], undefined, isLarge ? { recompute: blockOf } : {});
      Object.assign(outputs, { [name]: value, [`${name}_gradient`]: gradient });
    };
    if (pulls.text) {
      const target = input("wanted_text", "float32", [1, vision.config.projectionDim]);
      inputs.push(target);
      pull("text", meanCosine(encoder.outputs.image_embeds!, target));
    }
    if (pulls.like) {
      const features = this.#depths().map((n) => encoder.outputs[clipState(n)]!);
      const wanted = features.map(({ shape }, i) => input(wantedState(i), "float32", shape));
      inputs.push(...wanted);
      pull("like", likeness(features, wanted));
    }
    const parameters = [...decoder.parameters, ...encoder.parameters];
    return {
      model: {
        name: "picture_guide",
        inputs: [...inputs, ...parameters],
        outputs,
        parameters,
        unexpected: [],
      },
      weights: [[weights, decoder.parameters], [vision.weights, encoder.parameters]] as const,
    };
  }

  #depths(): number[] {
    const { layers } = this.pair.vision.config;
    return [...new Set(DEPTHS.map((depth) => Math.max(1, Math.round(depth * layers))))];
  }

  #vision(pixels?: Value): GraphModel {
    const { config, weights } = this.pair.vision;
    return clipVisionModel(config, weights, { batch: 1 }, {
      ...(pixels && { values: { pixel_values: pixels } }),
      parameter: () => true,
      states: this.#depths(),
    });
  }

  /** What the image encoder makes of a picture, by the names of the guide's inputs. */
  async #features(image: Image, signal: AbortSignal | undefined) {
    const { imageSize } = this.pair.vision.config, model = this.#vision();
    const outputs = await this.#compute(
      model,
      this.pair.vision.weights,
      { pixel_values: clipPixels(image, imageSize) },
      signal,
    );
    return Object.fromEntries(
      this.#depths().map((n, i) => [wantedState(i), outputs[clipState(n)]!]),
    );
  }

  async #textVector(prompt: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    const { text } = this.pair;
    if (!text) {
      throw new OptionError(
        "clipGuidance",
        "Cannot guide by CLIP: there is no text encoder of the image encoder's. Give the folder of " +
          "a CLIP model, such as clip-vit-large-patch14, as clip.",
      );
    }
    const { config, weights, tokenizer } = text, { ids } = tokenizer.encode(prompt);
    const model = clipTextModel(config, weights, { batch: 1, sequence: ids.length }, {
      pooled: true,
      parameter: () => true,
    });
    const outputs = await this.#compute(
      { ...model, outputs: { pooled: model.outputs.pooled! } },
      weights,
      { input_ids: BigInt64Array.from(ids, BigInt) },
      signal,
    );
    return outputs.pooled!;
  }

  /** Runs a network once. */
  async #compute(
    model: GraphModel,
    weights: TensorSource,
    feeds: Readonly<Record<string, Float32Array | BigInt64Array>>,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, Float32Array>> {
    using session = await this.builder.build(model);
    const tensors = await this.#tensors(model, [[weights, model.parameters]], feeds);
    try {
      return copies(await session.run(tensors, signal ? { signal } : {}));
    } finally {
      for (const tensor of Object.values(tensors)) tensor.dispose();
    }
  }

  /** A graph's weights, read once, and what is given of its other inputs. */
  async #tensors(
    { inputs }: GraphModel,
    weights: readonly (readonly [source: TensorSource, parameters: readonly Value[]])[],
    given: Readonly<Record<string, Float32Array | BigInt64Array>>,
  ): Promise<Record<string, Tensor>> {
    const { runtime } = this.builder, tensors: Record<string, Tensor> = {};
    const add = (value: Value, data: Float32Array | BigInt64Array) => {
      const dtype = value.dtype as "float32", shape = value.shape as number[];
      tensors[nameOf(value)] = Tensor.from(runtime, dtype, data as Float32Array, shape);
    };
    for (const [source, parameters] of weights) {
      for (const one of parameters) add(one, await this.#weight(source, nameOf(one)));
    }
    for (const value of inputs) {
      const data = given[nameOf(value)];
      if (data) add(value, data);
    }
    return tensors;
  }

  /** A weight that a graph found under this name. */
  #weight(source: TensorSource, name: string): Promise<Float32Array> {
    let known = this.#weights.get(source);
    if (!known) this.#weights.set(source, known = new Map());
    const values = known.get(name) ?? toFloat32(requireTensor(source, name));
    known.set(name, values);
    return values;
  }
}

interface GuidanceParts {
  readonly session: NetworkSession;
  /** All inputs but the clean picture. */
  readonly tensors: Record<string, Tensor>;
  readonly scales: Readonly<Record<PullName, number | undefined>>;
  readonly size: LatentSize;
  readonly signal: AbortSignal | undefined;
  readonly builder: SessionBuilder;
}

class Guidance implements PictureGuidance {
  readonly #clean: Float32Array;
  readonly #feeds: Record<string, Tensor>;

  constructor(readonly parts: GuidanceParts) {
    const { size: { channels, height, width }, tensors, builder } = parts;
    this.#clean = new Float32Array(channels * height * width);
    const shape = [1, channels, height, width];
    const clean = Tensor.from(builder.runtime, "float32", this.#clean, shape);
    this.#feeds = { ...tensors, clean };
  }

  async apply(input: Float32Array, prediction: Float32Array, stage: Stage) {
    const { denoised, inputScale, level: { signal, noise } } = stage;
    if (signal < LEAST_SIGNAL || noise === 0) return {};
    for (let i = 0; i < input.length; i++) {
      this.#clean[i] = (denoised.sample * input[i]!) / inputScale +
        denoised.output * prediction[i]!;
    }
    const abort = this.parts.signal;
    const results = copies(
      await this.parts.session.run(this.#feeds, abort ? { signal: abort } : {}),
    );
    const granted: Partial<Record<PullName, number>> = {};
    for (const name of ["text", "like"] as const) {
      const scale = this.parts.scales[name];
      if (!scale) continue;
      granted[name] = results[name]![0]!;
      const gradient = results[`${name}_gradient`]!;
      const size = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0) / gradient.length);
      if (!(size > 0)) continue;
      // Noise that is less by a share of its size is a clean picture that is so much further on.
      const step = (scale * noise) / (signal * denoised.output * size);
      for (let i = 0; i < prediction.length; i++) prediction[i]! += step * gradient[i]!;
    }
    return granted;
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#feeds)) tensor.dispose();
  }
}

/** Outputs as arrays of their own. */
function copies(outputs: Readonly<Record<string, Tensor>>): Record<string, Float32Array> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => {
      using result = tensor;
      return [name, (result.data as Float32Array).slice()];
    }),
  );
}

const wantedState = (i: number) => `wanted_state_${i}`;

const nameOf = (value: Value) => (value.node as { readonly name: string }).name;
