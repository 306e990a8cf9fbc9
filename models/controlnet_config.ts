import type { ConfigJson } from "./config_reader.ts";
import { ConfigReader } from "./config_reader.ts";
import type { UNetTrunkConfig } from "./unet_config.ts";
import { unetTrunkConfig } from "./unet_config.ts";

/** `config.json` of a diffusers ControlNetModel, checked. */
export interface ControlNetConfig extends UNetTrunkConfig {
  /** Channels of the control picture: 3. */
  readonly conditioningChannels: number;
  /** Channels of the small network that brings the picture to latent size. */
  readonly conditioningOutChannels: readonly number[];
  /** Order of the channels that it was trained on. */
  readonly channelOrder: "rgb" | "bgr";
  /** The residuals are averaged over the picture (the `shuffle` ControlNet). */
  readonly globalPool: boolean;
}

/**
 * Checks the `config.json` of a ControlNetModel (defaults: the constructor's of diffusers 0.42.1).
 * Throws ModelFormatError for a damaged file and for variants that are not built.
 */
export function controlNetConfig(json: ConfigJson, path: string): ControlNetConfig {
  const reader = new ConfigReader(json, path);
  reader.requireClass(["ControlNetModel"]);
  return {
    ...unetTrunkConfig(reader),
    conditioningChannels: reader.integer("conditioning_channels", 3),
    conditioningOutChannels: reader.integers(
      "conditioning_embedding_out_channels",
      [16, 32, 96, 256],
    ),
    channelOrder: reader.choice("controlnet_conditioning_channel_order", "rgb", ["rgb", "bgr"]),
    globalPool: reader.boolean("global_pool_conditions", false),
  };
}
