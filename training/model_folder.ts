/** A trained model as a diffusers folder: the original's files, and the weights that changed. */
import { basename, extname, join } from "node:path";
import { folderOf, type ModelParts } from "../pipeline/model_parts.ts";
import type { LoraNetwork } from "../weights/lora_names.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { type StoredTensor, tensorInMemory, type TensorSource } from "../weights/stored_tensor.ts";
import { folderWhole } from "./output.ts";
import { TrainingError } from "./training_error.ts";

/** A tensor with new values. */
export interface ChangedTensor {
  readonly network: LoraNetwork;
  /** As it was. */
  readonly stored: StoredTensor;
  /** As it is. */
  readonly data: Float32Array;
}

/** Whether the model is a folder, or the embedded one: then so is what becomes of it. */
export function isFolder({ path }: ModelParts): boolean {
  return !exists(path) || !Deno.statSync(path).isFile;
}

/** Refuses an output that would overwrite something, or that others would not know for what it is. */
export function checkOutput(parts: ModelParts, output: string): void {
  if (!isFolder(parts) && !output.endsWith(".safetensors")) {
    throw new TrainingError(
      "output",
      `Cannot write the model to ${output}: ${parts.path} is a single file, and so is the result. ` +
        "Give a name that ends in .safetensors.",
    );
  }
  if (!exists(output)) return;
  throw new TrainingError(
    "output",
    `Cannot write the model to ${output}: it is there already. Choose another name.`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Writes the folder: it is there whole or not at all. Weights keep the element types that they had,
 * under the usual names without a variant.
 */
export async function saveModelFolder(
  parts: ModelParts,
  output: string,
  changed: readonly ChangedTensor[],
): Promise<void> {
  await folderWhole(output, async (beside) => {
    const networks = networksOf(parts);
    await copy(folderOf(parts), beside, new Set(networks.map(({ folder }) => folder)));
    for (const { folder, network, weights } of networks) {
      const own = new Map(
        changed.filter((tensor) => tensor.network === network)
          .map((tensor) => [tensor.stored.name, tensor]),
      );
      const name = folder.startsWith("text_encoder") ? "model" : "diffusion_pytorch_model";
      const tensors = [...weights.names()].map((key) => {
        const tensor = own.get(key);
        return tensor ? updated(tensor) : weights.get(key)!;
      });
      const metadata = { format: "pt" };
      await writeSafetensors(join(beside, folder, `${name}.safetensors`), tensors, { metadata });
    }
  });
}

function networksOf(
  { unet, vae, textEncoders }: ModelParts,
): { folder: string; network: LoraNetwork | "vae"; weights: TensorSource }[] {
  const [first, second] = textEncoders;
  return [
    { folder: "unet", network: "unet", weights: unet.weights },
    { folder: "vae", network: "vae", weights: vae.weights },
    { folder: "text_encoder", network: "text_encoder", weights: first!.weights },
    ...(second
      ? [{
        folder: "text_encoder_2",
        network: "text_encoder_2" as const,
        weights: second.weights,
      }]
      : []),
  ];
}

/** Copies a folder's files; of the folders in `written`, whose weights come after, texts only. */
async function copy(from: string, to: string, written: ReadonlySet<string>): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    const source = join(from, name), target = join(to, name);
    if (!(await Deno.stat(source)).isDirectory) {
      if (!written.has(basename(from)) || isText(name)) await Deno.copyFile(source, target);
    } else if (!name.startsWith(".")) await copy(source, target, written);
  }
}

/** A configuration or a licence, not weights or the index of their shards. */
function isText(name: string): boolean {
  return [".json", ".txt", ".md"].includes(extname(name)) && !name.endsWith(".index.json");
}

/** The tensor with its new values, in the element type that it had; float32 where that was another. */
export function updated({ stored: { name, dtype, shape }, data }: ChangedTensor): StoredTensor {
  if (dtype === "F32") return tensorInMemory(name, dtype, shape, data);
  if (dtype !== "F16") return tensorInMemory(name, "F32", shape, data);
  return tensorInMemory(name, dtype, shape, Float16Array.from(data));
}
