/**
 * LoRAs that prompts name: the networks with them merged in, as long as prompts ask for the same.
 *
 * @module
 */

import { join } from "node:path";
import type { ControlNetConfig } from "../models/controlnet_config.ts";
import type { LearnedTokens } from "./embeddings.ts";
import { type Lora, mergeLoras } from "./lora.ts";
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

/** Keeps the networks as opened, and those of the last prompt that named LoRAs. */
export class LoraSwitch implements Disposable {
  #last: { readonly key: string; readonly networks: PromptedNetworks } | undefined;

  /** `folder` is where names are looked up; without it they are paths. */
  constructor(readonly base: PromptedNetworks, readonly folder: string | undefined) {}

  /**
   * The networks with the LoRAs that a prompt names.
   *
   * @throws {OptionError} for a name that no file has.
   */
  async networks(named: readonly NamedLora[]): Promise<PromptedNetworks> {
    const key = JSON.stringify(named);
    if (named.length === 0) return this.base;
    if (this.#last?.key === key) return this.#last.networks;
    const loras = named.map(({ name, weight }) => ({ path: this.#find(name), weight }));
    const networks = await this.base.with(loras);
    this.#last?.networks[Symbol.dispose]();
    this.#last = { key, networks };
    return networks;
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#last?.networks[Symbol.dispose]();
    this.base[Symbol.dispose]();
  }

  #find(name: string): string {
    const paths = EXTENSIONS.map((extension) => join(this.folder ?? "", name + extension));
    const found = paths.find(isFile);
    if (found !== undefined) return found;
    throw new OptionError(
      "prompt",
      `Cannot generate: the prompt names the LoRA ${name}, and there is no such file ` +
        `${this.folder === undefined ? "here" : `in ${this.folder}`}.`,
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
