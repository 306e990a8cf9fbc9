/**
 * LoRAs that pictures have each for themselves, by their prompts or their options: merged into
 * networks that are kept as long as pictures ask for the same, or as inputs of the networks.
 *
 * @module
 */

import { join } from "node:path";
import type { ControlNetConfig } from "../models/controlnet_config.ts";
import type { LearnedTokens } from "./embeddings.ts";
import { type Lora, mergeLoras } from "./lora.ts";
import { LoraMatrices, type RunTimeLoras } from "./lora_run_time.ts";
import type { ModelParts, Network } from "./model_parts.ts";
import { NoisePredictor } from "./noise_predictor.ts";
import { OptionError } from "./options.ts";
import type { NamedLora, ParsedPrompt } from "./prompt_syntax.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { type Conditioning, TextConditioner } from "./text_conditioning.ts";

/** Extensions of LoRA files, in the order in which they are tried. */
const EXTENSIONS = ["", ".safetensors", ".pt", ".ckpt", ".bin"];

/** The networks that a prompt acts on. */
export class PromptedNetworks implements Disposable {
  readonly conditioner: TextConditioner;
  readonly predictor: NoisePredictor;

  constructor(
    readonly parts: ModelParts,
    readonly learned: readonly LearnedTokens[],
    readonly controlNets: readonly Network<ControlNetConfig>[],
    readonly builder: SessionBuilder,
  ) {
    this.conditioner = new TextConditioner(parts, learned, builder);
    this.predictor = new NoisePredictor(parts, controlNets, builder);
  }

  /** The same networks with `loras` merged in. @throws {ModelFormatError} */
  async with(loras: readonly Lora[]): Promise<PromptedNetworks> {
    const { learned, controlNets, builder } = this;
    return new PromptedNetworks(
      await mergeLoras(this.parts, loras),
      learned,
      controlNets,
      builder,
    );
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.conditioner[Symbol.dispose]();
    this.predictor[Symbol.dispose]();
  }
}

/**
 * How LoRAs act: `merged` into copies of the weights that they change, at no cost a step, which
 * another LoRA or weight makes anew; or at `runtime` as inputs of the networks, which change at no
 * cost, and cost a little each step. What cannot be inputs is merged, with a warning.
 */
export type LoraMode = (typeof LORA_MODES)[number];

/** Every {@linkcode LoraMode}. */
export const LORA_MODES = ["merged", "runtime"] as const;

/** What a run draws with. */
export interface ActiveNetworks {
  readonly networks: PromptedNetworks;
  /** LoRAs that are not merged into them. */
  readonly loras?: RunTimeLoras | undefined;
}

/** How a {@linkcode LoraSwitch} works. */
export interface LoraSwitchOptions {
  /** Where names are looked up; without it they are paths. */
  readonly folder?: string | undefined;
  readonly mode: LoraMode;
  /** LoRAs of every picture that are not merged into the base. */
  readonly always: readonly Lora[];
  /** Takes no notice of those that prompts name: they are for the model before this one. */
  readonly ignores?: boolean;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Keeps the networks as opened, and those of the last picture that had LoRAs merged. */
export class LoraSwitch implements Disposable {
  #last: { readonly key: string; readonly networks: PromptedNetworks } | undefined;
  readonly #matrices: LoraMatrices;
  readonly #warned = new Set<string>();

  constructor(readonly base: PromptedNetworks, readonly options: LoraSwitchOptions) {
    this.#matrices = new LoraMatrices(base.parts);
  }

  /**
   * The networks with the LoRAs of a picture: `own`, and those that its prompts name.
   *
   * @throws {OptionError} for a name that no file has.
   */
  async networks(
    named: readonly NamedLora[] = [],
    own: readonly Lora[] = [],
  ): Promise<ActiveNetworks> {
    const { mode, always, ignores = false } = this.options;
    const found = (ignores ? [] : named).map(({ name, weight }) => ({
      path: this.#find(name),
      weight,
    }));
    const all = [...always, ...own, ...found];
    if (mode === "merged") return { networks: await this.#merged(all) };
    const inputs: Lora[] = [], merged: Lora[] = [];
    for (const lora of all) {
      const isInput = await this.#matrices.canBeInputs(lora.path);
      (isInput ? inputs : merged).push(lora);
      if (!isInput) this.#warnOf(lora.path);
    }
    return {
      networks: await this.#merged(merged),
      loras: await this.#matrices.feed(inputs),
    };
  }

  async #merged(loras: readonly Lora[]): Promise<PromptedNetworks> {
    if (loras.length === 0) return this.base;
    const key = JSON.stringify(loras);
    if (this.#last?.key === key) return this.#last.networks;
    const networks = await this.base.with(loras);
    this.#last?.networks[Symbol.dispose]();
    this.#last = { key, networks };
    return networks;
  }

  #warnOf(path: string): void {
    if (this.#warned.has(path)) return;
    this.#warned.add(path);
    this.options.onWarning?.(
      `${path} is merged: its layers are not all two matrices, as inputs would have to be ` +
        "(LoHa, LoKr, DoRA, differences)",
    );
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#last?.networks[Symbol.dispose]();
    this.base[Symbol.dispose]();
  }

  #find(name: string): string {
    const { folder } = this.options;
    const paths = EXTENSIONS.map((extension) => join(folder ?? "", name + extension));
    const found = paths.find(isFile);
    if (found !== undefined) return found;
    throw new OptionError(
      "prompt",
      `Cannot generate: the prompt names the LoRA ${name}, and there is no such file ` +
        `${folder === undefined ? "here" : `in ${folder}`}.`,
    );
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The LoRAs that a prompt names; an encoded one names none. */
export const lorasOf = (prompt: ParsedPrompt | Conditioning | "zero") =>
  typeof prompt !== "string" && "loras" in prompt ? prompt.loras : [];
