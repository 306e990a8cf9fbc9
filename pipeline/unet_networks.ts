/**
 * Sessions of the U-Net, by what a prompt needs of it.
 *
 * @module
 */

import { midBlockFocus } from "../models/attention_maps.ts";
import { adapterFeature } from "../models/t2i_adapter.ts";
import { unet, type UNetCut, type UNetOptions } from "../models/unet.ts";
import type { UNetShape } from "../models/unet_conditioning.ts";
import type { UNetConfig } from "../models/unet_config.ts";
import type { UNetVariant } from "../models/unet_variant.ts";
import { withLoraInputs } from "./lora_run_time.ts";
import type { Network } from "./model_parts.ts";
import type { NetworkSession } from "./network_session.ts";
import type { GuidedPrompt } from "./noise_predictor.ts";
import type { SessionBuilder } from "./session_builder.ts";
import { SessionCache } from "./session_cache.ts";
import { OnnxNetwork, UNET_NAMES } from "./onnx_network.ts";
import { cutDepth } from "./step_cache.ts";

/** A U-Net, and its shallow part if it is cut; both read the same weights and take the same inputs. */
export interface CutNetwork {
  /** All of it. */
  readonly session: NetworkSession;
  /** What is left where the deep part's result is an input. */
  readonly shallow?: NetworkSession | undefined;
}

/** Builds the sessions, and keeps those used last. */
export class UNetNetworks implements Disposable {
  readonly #sessions = new SessionCache(4);
  readonly #shallow = new SessionCache(4);

  constructor(readonly network: Network<UNetConfig>, readonly builder: SessionBuilder) {}

  /** The U-Net for the prompts of a run, cut if steps are cached. @throws {OptionError} */
  async get(
    prompt: GuidedPrompt,
    shape: UNetShape & { readonly batch: number },
    variant: UNetVariant | undefined,
  ): Promise<CutNetwork> {
    const { controls, imagePrompts = [], inputs = [], selfAttentionScale = 0, loras } = prompt;
    const { onnx } = this.network;
    if (onnx) {
      const load = () => OnnxNetwork.load(this.builder, onnx.model!, UNET_NAMES);
      return { session: await this.#sessions.get("", load) };
    }
    const depth = cutDepth(prompt.stepCache, this.network.config);
    const options = {
      controlResiduals: controls.length > 0,
      adapterFeatures: inputs.filter(({ name }) => name.startsWith(adapterFeature(""))).length,
      ...(variant && { variant }),
    };
    // Only the network that the predictions come from is asked where it looks.
    const isBase = !variant?.identityAttention && !variant?.skippedLayers;
    const looks = selfAttentionScale !== 0 && isBase;
    const key = JSON.stringify([
      ...[shape, options, depth, loras?.key],
      imagePrompts.map((adapter) => adapter.tokens),
    ]);
    const build = (feature: UNetCut["feature"], looks: boolean) => {
      const cut = depth === undefined ? {} : { cut: { depth, feature } };
      return this.#build(shape, { ...options, ...cut, imagePrompts }, { loras, looks });
    };
    const session = await this.#sessions.get(`${key} ${looks}`, () => build("output", looks));
    if (depth === undefined) return { session };
    return { session, shallow: await this.#shallow.get(key, () => build("input", false)) };
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#shallow[Symbol.dispose]();
  }

  async #build(
    shape: UNetShape,
    options: UNetOptions,
    { loras, looks }: Pick<GuidedPrompt, "loras"> & { readonly looks: boolean },
  ): Promise<NetworkSession> {
    const { config } = this.network, { dtype = "float32" } = this.builder.options;
    const weights = await this.builder.weightsOf("unet", this.network.weights);
    const model = await this.builder.graphOf(() =>
      withLoraInputs(
        loras,
        (own) => unet(config, weights, shape, { dtype, ...options, ...own }),
      )
    );
    if (!looks) return await this.builder.buildLarge(model);
    const outputs = { ...model.outputs, focus: midBlockFocus(model) };
    return await this.builder.buildLarge({ ...model, outputs });
  }
}
