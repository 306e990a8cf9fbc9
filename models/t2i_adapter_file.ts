/** T2I-Adapters as single files: TencentARC's own, and diffusers' without their config.json. */
import { ModelFormatError } from "../weights/model_format_error.ts";
import { renamed, type TensorSource } from "../weights/stored_tensor.ts";
import type { T2iAdapterConfig } from "./t2i_adapter.ts";

/** Residual blocks a level of the original full adapters, which number them all through. */
const LEVEL = 2;

/**
 * What a file is, by its tensors' shapes, and the same tensors under the names of diffusers'
 * T2IAdapter.
 *
 * @throws {ModelFormatError} for other files.
 */
export function t2iAdapterOfFile(
  source: TensorSource,
): { config: T2iAdapterConfig; weights: TensorSource } {
  const names = [...source.names()];
  const isFull = names.some((name) => /(^|\.)conv_in\.weight$/.test(name));
  const weights = renamed(source, (name) => nameInDiffusers(name, isFull));
  return { config: configOf(weights, isFull), weights };
}

function nameInDiffusers(name: string, isFull: boolean): string {
  if (name.startsWith("adapter.")) return name;
  const [, index, rest] = /^body\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (index === undefined) return `adapter.${name}`;
  if (!isFull) return `adapter.body.${index}.${rest!.replace(/^body\./, "resnets.")}`;
  const block = `adapter.body.${Math.floor(Number(index) / LEVEL)}`;
  return rest!.startsWith("in_conv.")
    ? `${block}.${rest}`
    : `${block}.resnets.${Number(index) % LEVEL}.${rest}`;
}

function configOf(weights: TensorSource, isFull: boolean): T2iAdapterConfig {
  const shape = (name: string) => weights.get(`adapter.${name}`)?.shape;
  const first = isFull ? shape("conv_in.weight") : shape("body.0.in_conv.weight");
  const channels = [], last = isFull ? "resnets.0.block2.weight" : "out_conv.weight";
  for (let i = 0; shape(`body.${i}.${last}`); i++) channels.push(shape(`body.${i}.${last}`)![0]!);
  let resnets = 0;
  while (shape(`body.0.resnets.${resnets}.block1.weight`)) resnets++;
  // Pixels of 8x8 or, for SDXL, 16x16 squares are channels at the entrance, of 3 colours or of 1.
  const inputs = INPUTS[first?.[1] ?? 0];
  if (!inputs || channels.length === 0 || resnets === 0) {
    throw new ModelFormatError(
      `Cannot use ${weights.path} as a T2I-Adapter: its tensors are not named and shaped like one. ` +
        "Give a diffusers folder, or a file such as t2iadapter_canny_sd15v2.",
      { path: weights.path },
    );
  }
  // A light adapter has its last width twice.
  const widths = isFull ? channels : channels.slice(0, -1);
  const kind = !isFull
    ? "light_adapter"
    : inputs.factor === 16
    ? "full_adapter_xl"
    : "full_adapter";
  return { path: weights.path, kind, ...inputs, channels: widths, resnets };
}

const INPUTS: Readonly<Record<number, { readonly inChannels: number; readonly factor: number }>> = {
  64: { inChannels: 1, factor: 8 },
  192: { inChannels: 3, factor: 8 },
  256: { inChannels: 1, factor: 16 },
  768: { inChannels: 3, factor: 16 },
};
