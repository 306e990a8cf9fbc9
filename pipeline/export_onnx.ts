/**
 * A model's networks as ONNX files that any runtime opens. The weights of each stand beside it in a
 * `.safetensors` file, which the `.onnx` refers to as its external data: useful by itself, too.
 *
 * @module
 */

import { basename, join } from "node:path";
import { lowering } from "../graph/lowering.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { clipTextModel } from "../models/clip_text.ts";
import type { GraphModel, ModelOptions } from "../models/graph_model.ts";
import { unet } from "../models/unet.ts";
import { decoderGraph, encoderGraph } from "../models/autoencoder_graphs.ts";
import { toFloat16, toFloat32 } from "../weights/read.ts";
import { openSafetensors } from "../weights/safetensors.ts";
import { type GeneratedTensor, writeSafetensors } from "../weights/safetensors_write.ts";
import type { StoredTensor, TensorSource } from "../weights/stored_tensor.ts";
import { completeFolder } from "./export_folder.ts";
import { writeWhole } from "./image_save.ts";
import type { ModelParts } from "./model_parts.ts";

/** How networks are exported. */
export interface ExportOptions {
  /** Picture size in pixels, fixed in the graphs. */
  readonly width: number;
  /** Picture size in pixels, fixed in the graphs. */
  readonly height: number;
  /** Element type of weights and activations; inputs and outputs stay float32. Default float32. */
  readonly dtype?: "float32" | "float16";
  /** "standard": operators of the ONNX standard only; "fused": ONNX Runtime's own as well. */
  readonly operators?: "standard" | "fused";
  /** ONNX operator set, 21 to 24. Default 21. */
  readonly opset?: number;
}

/** One exported network. */
export interface ExportedNetwork {
  /** `unet`, `vae_decoder`, ... */
  readonly name: string;
  /** The `.onnx` file. */
  readonly path: string;
  /** Bytes of its weights. */
  readonly weightBytes: number;
}

/** Builds one network from weights given. */
type Build = (weights: TensorSource, options: ModelOptions) => GraphModel;

/**
 * Exports the networks one after the other, each to `folder/NAME/model.onnx`; with the model's
 * configurations beside them, the folder opens as a model again.
 *
 * @throws {OnnxFormatError | ModelFormatError} for weights that do not fit their configuration.
 */
export async function* exportOnnx(
  parts: ModelParts,
  folder: string,
  options: ExportOptions,
): AsyncGenerator<ExportedNetwork, void, void> {
  for (const [name, { weights, build }] of Object.entries(networks(parts, options))) {
    yield await exportNetwork(join(folder, name), name, weights, build, options);
  }
  await completeFolder(parts, folder, options);
}

/** Every network with its weights; the batch stays variable. */
function networks(
  { textEncoders, unet: net, vae, index }: ModelParts,
  { width, height }: ExportOptions,
): Record<string, { weights: TensorSource; build: Build }> {
  const batch = "batch", isXl = index.family === "sdxl";
  const latents = { batch, height: height / vae.config.factor, width: width / vae.config.factor };
  const timeIds = index.isRefiner ? 5 : 6;
  const sequence = textEncoders[0]!.config.positions;
  const all: Record<string, { weights: TensorSource; build: Build }> = {};
  textEncoders.forEach(({ config, weights, name }, i) => {
    const pooled = i === textEncoders.length - 1;
    const hidden = isXl ? { hiddenState: -2, finalLayerNorm: false, pooled } : {};
    all[name] = {
      weights,
      build: (w, o) => clipTextModel(config, w, { batch, sequence }, { ...o, ...hidden }),
    };
  });
  all.unet = {
    weights: net.weights,
    build: (w, o) => unet(net.config, w, { ...latents, sequence, timeIds }, o),
  };
  all.vae_decoder = {
    weights: vae.weights,
    build: (w, o) => decoderGraph(vae.config, w, latents, o),
  };
  all.vae_encoder = {
    weights: vae.weights,
    build: (w, o) => encoderGraph(vae.config, w, latents, o),
  };
  return all;
}

async function exportNetwork(
  folder: string,
  name: string,
  source: TensorSource,
  build: Build,
  { dtype = "float32", operators = "standard", opset = 21 }: ExportOptions,
): Promise<ExportedNetwork> {
  const make = (weights: TensorSource) => lowering(operators, () => build(weights, { dtype }));
  const used = new Map<string, StoredTensor>();
  make(recording(source, used));
  await Deno.mkdir(folder, { recursive: true });
  const real = await Deno.realPath(folder), data = join(real, "model.safetensors");
  const element = dtype === "float32" ? "F32" : "F16";
  const written = [...used.values()].map((tensor) => converted(tensor, element));
  await writeSafetensors(data, written, { metadata: { format: "pt" } });
  const model = make(await openSafetensors(data));
  const { bytes } = toOnnx({
    ...model,
    opset,
    externalRoot: real,
    // A runtime that cannot be given weights from memory has to find all of them in the files.
    inlineBytes: Infinity,
    metadata: { producer: "latent", network: name, source: basename(source.path) },
  });
  const path = join(folder, "model.onnx");
  await writeWhole(path, bytes);
  return { name, path, weightBytes: (await Deno.stat(data)).size };
}

/** `source`, noting what is asked for and there. */
function recording(source: TensorSource, used: Map<string, StoredTensor>): TensorSource {
  return {
    ...source,
    names: () => source.names(),
    get(name) {
      const tensor = source.get(name);
      if (tensor) used.set(name, tensor);
      return tensor;
    },
  };
}

/** A tensor in another element type, converted when it is written. */
function converted(tensor: StoredTensor, dtype: "F32" | "F16"): GeneratedTensor {
  const { name, shape } = tensor;
  return {
    name,
    dtype,
    shape,
    async *generate() {
      const values = await (dtype === "F32" ? toFloat32(tensor) : toFloat16(tensor));
      yield new Uint8Array(values.buffer);
    },
  };
}
