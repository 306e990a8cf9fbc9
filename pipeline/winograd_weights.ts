/**
 * A network's 3x3 kernels as Winograd's way to convolve takes them: see graph/ops/winograd.ts.
 *
 * @module
 */

import { isDoubling } from "../weights/doubled_kernels.ts";
import { toFloat32 } from "../weights/read.ts";
import type { GeneratedTensor } from "../weights/safetensors_write.ts";
import type { StoredTensor, TensorSource } from "../weights/stored_tensor.ts";
import {
  isThreeByThree,
  WINOGRAD_PLACES,
  winogradKernels,
  winogradName,
} from "../weights/winograd.ts";
import { type DerivedOptions, derivedWeights, type LargeNetwork } from "./derived_weights.ts";

/** Rises when the same kernels would be transformed differently. */
const VERSION = 1;

/**
 * Fewest channels, of the input and of the output, with which the products save more than the
 * transforms cost; more for the decoder, whose pictures are larger than caches hold.
 */
const FEWEST: Readonly<Record<LargeNetwork, number>> = { unet: 320, vae_decoder: 512 };

/** The blocks of a U-Net with the most pixels: the two finest on the way down, and on the way up. */
function isFine(name: string, levels: number): boolean {
  const block = /^(down|up)_blocks\.(\d+)\.(.*)$/.exec(name);
  if (!block) return false;
  const [, way, level, rest] = block, index = Number(level);
  if (way === "down") return index < 2;
  // What enlarges a block's result works at the size of the next.
  return index >= levels - (rest!.startsWith("upsamplers.") ? 3 : 2);
}

function layersOf(network: LargeNetwork, source: TensorSource): StoredTensor[] {
  const names = [...source.names()].filter((name) => name.endsWith(".weight"));
  const levels = 1 + Math.max(
    ...names.map((name) => Number(/^up_blocks\.(\d+)\./.exec(name)?.[1] ?? -1)),
  );
  return names.flatMap((name) => {
    const tensor = source.get(name);
    if (!tensor || !isThreeByThree(tensor.shape) || /\.downsamplers\./.test(name)) return [];
    if (isDoubling(name, tensor.shape)) return []; // quicker in phases
    const isUsed = network === "unet" ? isFine(name, levels) : name.startsWith("decoder.");
    const channels = Math.min(tensor.shape[0]!, tensor.shape[1]!);
    // What is in memory has been changed for this run alone: by a LoRA.
    const isKept = "file" in tensor.location;
    return isUsed && isKept && channels >= FEWEST[network] ? [tensor] : [];
  });
}

/** `source` with transformed kernels beside those layers that gain by them. */
export function winogradWeights(
  network: LargeNetwork,
  source: TensorSource,
  options: DerivedOptions,
): Promise<TensorSource> {
  const layers = layersOf(network, source);
  if (layers.length === 0) return Promise.resolve(source);
  return derivedWeights(source, {
    name: `${network}-winograd`,
    layers,
    settings: { VERSION },
    tensors: (of) => transformed(of, options),
  }, options);
}

function transformed(
  layers: readonly StoredTensor[],
  { onProgress }: DerivedOptions,
): GeneratedTensor[] {
  const bytesOf = ({ shape }: StoredTensor) => 4 * shape.reduce((a, b) => a * b, 1);
  const total = layers.reduce((sum, layer) => sum + bytesOf(layer), 0);
  let done = 0;
  return layers.map((layer): GeneratedTensor => {
    const [outputs, inputs] = layer.shape as [number, number];
    return {
      name: winogradName(layer.name),
      dtype: "F32",
      shape: [WINOGRAD_PLACES, outputs, inputs],
      async *generate() {
        const { buffer } = winogradKernels(await toFloat32(layer), [outputs, inputs]);
        onProgress?.(done += bytesOf(layer), total);
        yield new Uint8Array(buffer);
      },
    };
  });
}
