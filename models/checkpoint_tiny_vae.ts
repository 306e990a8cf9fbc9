/** TAESD in files with the names of its author's code: the layers' numbers alone. */
import { type StoredTensor, type TensorSource, tensorSource } from "../weights/stored_tensor.ts";
import type { ConfigJson } from "./config_reader.ts";

/** Where files keep the two halves; alone, a file's names are bare. */
const HALVES = {
  encoder: ["encoder.layers.", "taesd_encoder.", "encoder."],
  decoder: ["decoder.layers.", "taesd_decoder.", "decoder."],
} as const;

const BLOCK = /^(\d+)\.conv\.0\.weight$/;
const LAYER = /^(\d+)\.weight$/;

/**
 * TAESD under diffusers' names from `sources`: one file with both halves, or a file for each, in any
 * order. Undefined where they hold neither half.
 */
export function tinyVaeOf(sources: readonly TensorSource[]): TensorSource | undefined {
  const tensors = sources.flatMap((source) =>
    (["encoder", "decoder"] as const).flatMap((half) => halfOf(source, half))
  );
  return tensors.length === 0 ? undefined : tensorSource(sources[0]!.path, tensors);
}

function halfOf(source: TensorSource, half: "encoder" | "decoder"): StoredTensor[] {
  const names = [...source.names()];
  const prefix = HALVES[half].find((p) => names.some((n) => BLOCK.test(n.slice(p.length)))) ??
    (bareHalf(source) === half ? "" : undefined);
  if (prefix === undefined) return [];
  // The author's decoder counts the clamp of the latents as its layer 0, which has no weights.
  const shift = half === "decoder" && prefix !== "decoder.layers." ? 1 : 0;
  return names.flatMap((name) => {
    const [, number, rest] = /^(\d+)(\..+)$/.exec(name.slice(prefix.length)) ?? [];
    if (!name.startsWith(prefix) || number === undefined) return [];
    const renamed = `${half}.layers.${Number(number) - shift}${rest}`;
    return [{ ...source.get(name)!, name: renamed }];
  });
}

/** Which half a file of bare numbers is: the encoder begins in its layer 0. */
function bareHalf(source: TensorSource): "encoder" | "decoder" | undefined {
  if (source.get("0.weight") && source.get("1.conv.0.weight")) return "encoder";
  return source.get("1.weight") && source.get("3.conv.0.weight") ? "decoder" : undefined;
}

/** The `config.json` of a TAESD, from its shapes; what a missing half would say is the usual. */
export function tinyVaeCheckpointConfig(source: TensorSource): ConfigJson {
  const encoder = stagesOf(source, "encoder"), decoder = stagesOf(source, "decoder");
  return {
    _class_name: "AutoencoderTiny",
    latent_channels: decoder?.inChannels ?? encoder!.outChannels,
    in_channels: encoder?.inChannels ?? 3,
    out_channels: decoder?.outChannels ?? 3,
    ...(encoder && {
      num_encoder_blocks: encoder.blocks,
      encoder_block_out_channels: encoder.channels,
    }),
    ...(decoder && {
      num_decoder_blocks: decoder.blocks,
      decoder_block_out_channels: decoder.channels,
    }),
  };
}

/** Blocks between the convolutions that change the size, in the order of the layers. */
function stagesOf(source: TensorSource, half: "encoder" | "decoder") {
  const layers = [...source.names()].filter((name) => name.startsWith(`${half}.layers.`))
    .map((name) => name.slice(half.length + ".layers.".length))
    .flatMap((name) => {
      const [match, number] = BLOCK.exec(name) ?? LAYER.exec(name) ?? [];
      return number === undefined ? [] : [{
        number: Number(number),
        isBlock: BLOCK.test(match!),
        shape: source.get(`${half}.layers.${match}`)!.shape,
      }];
    }).sort((a, b) => a.number - b.number);
  if (layers.length === 0) return undefined;
  const blocks: number[] = [], channels: number[] = [];
  for (const { isBlock, shape } of layers) {
    if (isBlock) blocks[blocks.length - 1]!++;
    else {
      blocks.push(0);
      channels.push(shape[0]!);
    }
  }
  // The last convolution leads out, and begins no stage.
  return {
    blocks: blocks.slice(0, -1),
    channels: channels.slice(0, -1),
    inChannels: layers[0]!.shape[1]!,
    outChannels: layers.at(-1)!.shape[0]!,
  };
}
