/** The folder in which the embedded model is trained: what stages leave for the next. */
import { join } from "node:path";
import { exists } from "../../pipeline/existing.ts";
import { type VaeConfig, vaeConfig } from "../../models/vae_config.ts";
import { assetFolder } from "../../pipeline/assets.ts";
import { writeWhole } from "../../pipeline/image_save.ts";
import { type ModelParts, type Network, openFolder } from "../../pipeline/model_parts.ts";
import { readJsonObject } from "../../pipeline/pipeline_index.ts";
import { openComponent, openWeights } from "../../weights/open_weights.ts";
import { toFloat32 } from "../../weights/read.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory, type TensorSource, tensorSource } from "../../weights/stored_tensor.ts";
import { folderWhole } from "../output.ts";
import { type Fields, makeFields, openFields, saveFields } from "./fields.ts";
import { type Beginning, freshWeights } from "./fresh_weights.ts";
import { tokenizerFiles, trainMerges } from "./vocabulary.ts";

const PROJECTION = "text_projection.weight", SCALE = "logit_scale";

/** Folder and name of each network's weights. */
const WEIGHTS = {
  unet: "unet/diffusion_pytorch_model.safetensors",
  vae: "vae/diffusion_pytorch_model.safetensors",
  text: "text_encoder/model.safetensors",
  vision: "image_encoder/model.safetensors",
  shared: "clip/text_projection.safetensors",
} as const;

/** A network of the model. */
export type NetworkName = keyof typeof WEIGHTS;

/** Tensors with their shapes and new values. */
export type Values = ReadonlyMap<string, Float32Array>;

/** Paths of one training, and what is at them. */
export class Workspace {
  /** A diffusers folder that can be opened from the first stage on. */
  readonly model: string;

  /** `folder` is where everything is kept. */
  constructor(readonly folder: string, readonly seed: number) {
    this.model = join(folder, "model");
  }

  /** Where a stage's checkpoint is. */
  checkpoint(stage: string): string {
    return join(this.folder, `${stage}.checkpoint.safetensors`);
  }

  /** The folder of the U-Net's examples. */
  get latents(): string {
    return join(this.folder, "latents");
  }

  /** Digits to train on as distance fields, made once. */
  fields(): Promise<Fields> {
    return this.#fields("training");
  }

  /** Digits that nothing is trained on. */
  heldOut(): Promise<Fields> {
    return this.#fields("held_out");
  }

  async #fields(which: "training" | "held_out"): Promise<Fields> {
    const path = (name: string) => join(this.folder, `${name}_fields.safetensors`);
    if (!await exists(path(which))) {
      const { training, heldOut } = await makeFields();
      await saveFields(path("held_out"), heldOut);
      await saveFields(path("training"), training);
    }
    return await openFields(path(which));
  }

  /**
   * Begins: the configurations of the embedded model, a tokenizer trained from captions, and weights
   * that have learned nothing. Does nothing where it was done before.
   */
  async begin(): Promise<void> {
    if (await exists(this.model)) return;
    await folderWhole(this.model, (beside) => writeUntrained(beside, this.seed));
  }

  /** The model as it is now. */
  parts(): Promise<ModelParts> {
    return openFolder(this.model);
  }

  /** The autoencoder as it is now. */
  async autoencoder(): Promise<Network<VaeConfig>> {
    const path = join(this.model, "vae", "config.json");
    return {
      config: vaeConfig(await readJsonObject(path), path),
      weights: await openWeights(join(this.model, WEIGHTS.vae)),
    };
  }

  /** Replaces those of a network's tensors that `values` has. */
  async write(name: NetworkName, values: Values): Promise<void> {
    const path = join(this.model, WEIGHTS[name]), source = await openWeights(path);
    // Read whole before the file is replaced: stored tensors point into it.
    const whole = await Promise.all(
      all(source).map(async (stored) => {
        const data = values.get(stored.name) ?? await toFloat32(stored);
        return tensorInMemory(stored.name, "F32", stored.shape, data);
      }),
    );
    await writeSafetensors(path, whole, { metadata: { format: "pt" } });
  }

  /** Changes keys of one of the model's JSON files. */
  async configure(file: string, change: Readonly<Record<string, unknown>>): Promise<void> {
    const path = join(this.model, file), json = { ...await readJsonObject(path), ...change };
    await writeWhole(path, new TextEncoder().encode(JSON.stringify(json, null, 2)));
  }
}

/** All of a network's values, by name. */
export async function valuesOf(source: TensorSource): Promise<Map<string, Float32Array>> {
  const entries = all(source).map(async (stored) =>
    [stored.name, await toFloat32(stored)] as const
  );
  return new Map(await Promise.all(entries));
}

function all(source: TensorSource) {
  return [...source.names()].map((name) => source.get(name)!);
}

function only(source: TensorSource, name: string): TensorSource {
  return tensorSource(source.path, [source.get(name)!]);
}

/** Writes a model that has learned nothing into a new folder. */
async function writeUntrained(folder: string, seed: number): Promise<void> {
  const embedded = await assetFolder("digits");
  await copyTexts(embedded, folder);
  await writeTokenizer(join(folder, "tokenizer"));
  const component = (name: string) => openComponent(join(embedded, name), { variant: "fp16" });
  const write = async (name: NetworkName, like: TensorSource, how: Beginning) => {
    const metadata = { format: "pt" }, fresh = freshWeights(like, seed, how);
    await writeSafetensors(join(folder, WEIGHTS[name]), all(fresh), { metadata });
  };
  await write("unet", await component("unet"), "uniform");
  await write("vae", await component("vae"), "uniform");
  await write("text", await component("text_encoder"), "transformer");
  await write("vision", await component("image_encoder"), "transformer");
  const shared = await openWeights(join(embedded, WEIGHTS.shared));
  const projection = freshWeights(only(shared, PROJECTION), seed, "transformer");
  const scale = tensorInMemory(SCALE, "F32", [1], Float32Array.of(Math.log(1 / 0.07)));
  await writeSafetensors(join(folder, WEIGHTS.shared), [...all(projection), scale]);
}

async function writeTokenizer(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(tokenizerFiles(trainMerges(), 32))) {
    await Deno.writeTextFile(join(folder, name), text);
  }
}

/** Copies the JSON files but for the tokenizer's. */
async function copyTexts(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory && name !== "tokenizer") await copyTexts(join(from, name), join(to, name));
    if (name.endsWith(".json")) await Deno.copyFile(join(from, name), join(to, name));
  }
}
