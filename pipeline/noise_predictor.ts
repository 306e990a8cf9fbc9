/**
 * The U-Net with guidance: from latents and prompts to one prediction.
 *
 * @module
 */

import type { ControlNetConfig } from "../models/controlnet_config.ts";
import type { ImagePromptOptions } from "../models/unet.ts";
import type { UNetVariant } from "../models/unet_variant.ts";
import { guidanceApplies, rescaleGuidance } from "../schedulers/guidance.ts";
import type { LatentSize } from "./autoencoder.ts";
import { type Control, ControlRun, controlSession } from "./control_nets.ts";
import { DeviceLoop } from "./device_loop.ts";
import { deviceRun, type DeviceRunParts, type PreparedDeviceRun } from "./device_run.ts";
import type { ExtraInput } from "./extra_input.ts";
import { type Guide, type GuidedCall, noGuidance } from "./guide.ts";
import { lorasTaken, type NetworkLoras } from "./lora_run_time.ts";
import type { ModelParts, Network } from "./model_parts.ts";
import { stepGraph } from "./step_graph.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { StepCache } from "./step_cache.ts";
import { SessionCache } from "./session_cache.ts";
import type { TimeIds } from "./size_conditioning.ts";
import type { Conditioning } from "./text_conditioning.ts";
import { degraded } from "./self_attention.ts";
import type { Seat } from "./lockstep.ts";
import { type Answer, type Ask, type AskKind, UNetBatch } from "./unet_batch.ts";
import { askKind, UNetBatches } from "./unet_batches.ts";
import { UNetNetworks } from "./unet_networks.ts";

/** The prompts of one call. */
export interface Prompts {
  /** One, or several that are composed, each with how strongly it pulls. */
  readonly positives: readonly { readonly conditioning: Conditioning; readonly weight: number }[];
  /** What guidance looks at beside them, in its order; the last one is the negative prompt. */
  readonly against: readonly Conditioning[];
}

/** A second opinion to keep away from: of the U-Net without some of its parts. */
export interface Perturbation {
  readonly variant: UNetVariant;
  /** How far away. */
  readonly scale: number;
}

/** What a run of predictions has in common. */
export interface GuidedPrompt {
  /** The prompts at call `index` of `count`. */
  readonly at: (index: number, count: number) => Prompts;
  /** Makes one prediction of those under the prompts. */
  readonly guide: Guide;
  /** Share of the rescaled prediction: see `rescaleGuidance`. Default 0. */
  readonly rescale?: number;
  /** Part of the run in which guidance acts. Default: all of it. */
  readonly interval?: readonly [start: number, end: number] | undefined;
  /** SDXL: what it is told of the picture's sizes. */
  readonly timeIds: TimeIds;
  /** Channels behind the latents that stay the same at every call: Float32Array [c, h, w]. */
  readonly beside?: Float32Array | undefined;
  /** InstructPix2Pix: what stands beside under the first of `against`. */
  readonly besideNothing?: Float32Array | undefined;
  /** One for each ControlNet. */
  readonly controls: readonly Control[];
  /** How the U-Net itself is changed: FreeU. */
  readonly variant?: UNetVariant | undefined;
  readonly perturbations?: readonly Perturbation[] | undefined;
  /** Self-attention guidance: how far away from the blurred prediction. Default 0. */
  readonly selfAttentionScale?: number;
  /** IP-Adapters in the U-Net; `inputs` holds what they are fed. */
  readonly imagePrompts?: readonly ImagePromptOptions[];
  /** LoRAs that are inputs of the U-Net; `inputs` holds them. */
  readonly loras?: NetworkLoras | undefined;
  /** Equal for equal `loras` with equal weights. */
  readonly loraKey?: string | undefined;
  /** What IP-Adapters, T2I-Adapters and LoRAs feed the U-Net. */
  readonly inputs?: readonly ExtraInput[];
  /** When only the shallow part of the U-Net is run. */
  readonly stepCache?: StepCache | undefined;
}

/** Predicts the noise in latents; prompts of equal length run as one batch. */
export class NoisePredictor implements Disposable {
  readonly #networks: UNetNetworks;
  readonly #controls = new SessionCache(4);
  #loop: { readonly key: string; readonly loop: DeviceLoop } | undefined;

  constructor(
    readonly parts: ModelParts,
    readonly controlNets: readonly Network<ControlNetConfig>[],
    readonly builder: SessionBuilder,
  ) {
    this.#networks = new UNetNetworks(parts.unet, builder);
  }

  /** Prepares the predictions of one picture, which is drawn in step with others or alone. */
  prepare(prompt: GuidedPrompt, size: LatentSize, options: PrepareOptions = {}): GuidedRun {
    const { signal, seat, asBatchOf = 1 } = options;
    if (seat) {
      return new GuidedRun(prompt, size, (asks) => seat.ask(this, asks, signal));
    }
    const batches = this.batches((count) => count * asBatchOf);
    return new GuidedRun(prompt, size, (asks) => batches.answer(asks, signal), batches);
  }

  /** Keeps batches; `rows` says how many rows one has for so many asks. */
  batches(rows = (asks: number) => asks): UNetBatches {
    return new UNetBatches((asks, count) => this.#batch(asks, count), rows);
  }

  /**
   * Prepares a run that the device makes by itself; undefined where something has to be computed
   * between its steps. The loop of the last shape is kept: its memory is on the device.
   */
  async onDevice(parts: DeviceRunParts): Promise<PreparedDeviceRun | undefined> {
    const run = deviceRun(parts);
    if (!run || this.#loop?.loop.busy) return undefined;
    const key = JSON.stringify(run.shape), { config } = this.parts.unet;
    if (this.#loop?.key !== key) {
      this.#loop?.loop[Symbol.dispose]();
      this.#loop = undefined;
      const weights = await this.builder.weightsOf("unet", this.parts.unet.weights);
      const { dtype = "float32" } = this.builder.options;
      const graph = await this.builder.graphOf(() =>
        stepGraph(config, weights, run.shape, { dtype })
      );
      this.#loop = { key, loop: await DeviceLoop.open(this.builder, graph) };
    }
    return { loop: this.#loop.loop, run };
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#loop?.loop[Symbol.dispose]();
    this.#networks[Symbol.dispose]();
    this.#controls[Symbol.dispose]();
  }

  async #batch(asks: readonly Ask[], batch: number): Promise<UNetBatch> {
    const [{ kind: { prompt, size, variant }, conditioning }] = asks as [Ask];
    const { controls, timeIds, inputs = [] } = prompt, { height, width } = size;
    const sequence = conditioning.tokens, ids = timeIds.conditional.length;
    const shape = { batch, height, width, sequence, timeIds: ids };
    const network = await this.#networks.get(prompt, shape, variant);
    const { factor } = this.parts.vae.config;
    const pixels = { batch, width: width * factor, height: height * factor };
    const runs = [];
    for (const [i, control] of controls.entries()) {
      const net = this.controlNets[i]!;
      const controlled = await this.#controls.get(
        `${i} ${control.guess ?? false} ${Object.values(shape).join(" ")}`,
        () => controlSession(this.builder, net, shape, control.guess ?? false),
      );
      runs.push(new ControlRun(controlled, this.builder, control, pixels));
    }
    const taken = lorasTaken(inputs, network.session);
    return new UNetBatch({ network, controls: runs, batch, inputs: taken }, this.builder, asks);
  }
}

/** How one picture is drawn. */
export interface PrepareOptions {
  /** Its seat among others. */
  readonly seat?: Seat | undefined;
  /** As if in a batch of so many pictures. Default 1. */
  readonly asBatchOf?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The predictions of one picture. */
export class GuidedRun implements Disposable {
  readonly #kinds = new Map<string, AskKind>();

  /** `owned` is released with it. */
  constructor(
    readonly prompt: GuidedPrompt,
    readonly size: LatentSize,
    readonly ask: (asks: readonly Ask[]) => Promise<Answer[]>,
    readonly owned?: Disposable,
  ) {}

  /** The guided prediction for `input`, Float32Array [channels, height, width], at a call. */
  async predict(input: Float32Array, call: GuidedCall): Promise<Float32Array> {
    const { perturbations = [], rescale = 0, variant, interval = [0, 1] } = this.prompt;
    const isGuided = guidanceApplies(call.index, call.count, ...interval);
    const { positives, against } = this.prompt.at(call.index, call.count);
    // Composed prompts pull away from the negative one, guided or not.
    const isComposed = positives.length > 1 || positives[0]!.weight !== 1;
    const prompts = { positives, against: isGuided || isComposed ? against : [] };
    const asks = this.#asks(prompts, { kind: this.#kind("prediction", variant), input, call });
    const answers = await this.ask(asks);
    const predictions = answers.map(({ prediction }) => prediction);
    const parts = compose(predictions, positives), conditional = parts.at(-1)!;
    const guided = new Float32Array(input.length);
    (isGuided && parts.length > 1 ? this.prompt.guide : noGuidance)(parts, guided, call);
    if (!isGuided) return guided;
    for (const [i, { variant: perturbed, scale }] of perturbations.entries()) {
      const kind = this.#kind(`perturbation ${i}`, { ...variant, ...perturbed });
      const [other] = await this.ask([{ ...asks.at(-1)!, kind }]);
      away(guided, conditional, other!.prediction, scale);
    }
    const { selfAttentionScale = 0 } = this.prompt, base = Math.max(against.length - 1, 0);
    if (selfAttentionScale !== 0) {
      const { prediction, focus } = answers[base]!;
      const blurred = degraded({
        input,
        prediction,
        focus: focus!,
        stage: call.stage,
        size: this.size,
      });
      const kind = this.#kind("blurred", variant);
      const [other] = await this.ask([{ ...asks[base]!, kind, input: blurred }]);
      away(guided, prediction, other!.prediction, selfAttentionScale);
    }
    return rescale > 0 ? rescaleGuidance(guided, conditional, rescale) : guided;
  }

  /** Releases the tensors. */
  [Symbol.dispose](): void {
    this.owned?.[Symbol.dispose]();
  }

  #kind(purpose: string, variant: UNetVariant | undefined): AskKind {
    const { prompt, size } = this, known = this.#kinds.get(purpose);
    const kind = known ?? askKind({ prompt, size, variant, purpose });
    this.#kinds.set(purpose, kind);
    return kind;
  }

  /** What the U-Net is asked; the unconditional part comes first, as in diffusers. */
  #asks({ positives, against }: Prompts, common: Pick<Ask, "kind" | "input" | "call">): Ask[] {
    const { beside, besideNothing = beside } = this.prompt;
    return [
      ...against.map((conditioning, i) => ({
        ...common,
        place: `against ${i}`,
        conditioning,
        beside: i === 0 ? besideNothing : beside,
        conditional: false,
      })),
      ...positives.map(({ conditioning }, i) => ({
        ...common,
        place: `positive ${i}`,
        conditioning,
        beside,
        conditional: true,
      })),
    ];
  }
}

/** Moves `guided` away from `other` as seen from `base`, in place. */
function away(guided: Float32Array, base: Float32Array, other: Float32Array, scale: number): void {
  for (let i = 0; i < guided.length; i++) guided[i]! += scale * (base[i]! - other[i]!);
}

/**
 * Several prompts' predictions as one: each pulls on its own away from the negative prompt (Liu et
 * al. 2022, arXiv:2206.01714).
 */
function compose(
  predictions: readonly Float32Array[],
  positives: Prompts["positives"],
): Float32Array[] {
  const [only] = positives;
  if (positives.length === 1 && only!.weight === 1) return [...predictions];
  const count = predictions.length - positives.length, negative = predictions[count - 1];
  const pulls = predictions.slice(count);
  const composed = pulls[0]!.map((_, i) => {
    const base = negative?.[i] ?? 0;
    return pulls.reduce((sum, pull, k) => sum + positives[k]!.weight * (pull[i]! - base), base);
  });
  return [...predictions.slice(0, count), composed];
}
