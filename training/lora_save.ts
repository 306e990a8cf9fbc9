/** LoRA matrices as the files that other programs load. */
import { flatName, type LoraNetwork } from "../weights/lora_names.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { type StoredTensor, tensorInMemory } from "../weights/stored_tensor.ts";
import { downName, type LoraPair, type LoraShape, upName } from "./lora_adapters.ts";

/** Spellings: kohya's is read by all programs, PEFT's is that of diffusers. */
export const LORA_NAMES = ["kohya", "peft"] as const;

/** What a file is made of. */
export interface LoraFile {
  readonly names: (typeof LORA_NAMES)[number];
  readonly shape: LoraShape;
  readonly pairs: readonly LoraPair[];
  /** Values by parameter name. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** Writes the matrices, with alpha, in one of the spellings. */
export async function saveLora(path: string, file: LoraFile): Promise<void> {
  const { tensors, metadata } = loraTensors(file);
  await writeSafetensors(path, tensors, { metadata });
}

/** What the file holds; the tensors are over the arrays of `values`. */
export function loraTensors(
  { names, pairs, shape, values }: LoraFile,
): { readonly tensors: readonly StoredTensor[]; readonly metadata: Record<string, string> } {
  const both = pairs.some(({ network }) => network === "text_encoder_2");
  const key = names === "kohya"
    ? (pair: LoraPair) => `${kohyaPrefix(pair.network, both)}_${flatName(pair.layer)}`
    : (pair: LoraPair) => `${pair.network}.${pair.layer}`;
  const [down, up] = names === "kohya" ? ["lora_down", "lora_up"] : ["lora_A", "lora_B"];
  const tensors = pairs.flatMap((pair) => {
    const { network, layer } = pair, at = key(pair);
    const matrix = (name: string, parameter: string, value: LoraPair["down"]) =>
      tensorInMemory(
        `${at}.${name}.weight`,
        "F32",
        value.shape as number[],
        values.get(parameter)!,
      );
    return [
      matrix(down!, downName(network, layer), pair.down),
      matrix(up!, upName(network, layer), pair.up),
      ...(names === "kohya"
        ? [tensorInMemory(`${at}.alpha`, "F32", [], Float32Array.of(shape.alpha))]
        : []),
    ];
  });
  const metadata = names === "kohya" ? kohyaMetadata(shape) : peftMetadata(pairs, shape);
  return { tensors, metadata: { format: "pt", ...metadata } };
}

function kohyaPrefix(network: LoraNetwork, both: boolean): string {
  if (network === "unet") return "lora_unet";
  if (network === "text_encoder_2") return "lora_te2";
  return both ? "lora_te1" : "lora_te";
}

function kohyaMetadata({ rank, alpha }: LoraShape): Record<string, string> {
  return {
    ss_network_module: "networks.lora",
    ss_network_dim: String(rank),
    ss_network_alpha: String(alpha),
  };
}

/** What `peft.LoraConfig` is made of again; without it alpha would be taken to be the rank. */
function peftMetadata(
  pairs: readonly LoraPair[],
  { rank, alpha }: LoraShape,
): Record<string, string> {
  const config: Record<string, unknown> = {};
  for (const network of new Set(pairs.map(({ network }) => network))) {
    const own = pairs.filter((pair) => pair.network === network);
    config[`${network}.r`] = rank;
    config[`${network}.lora_alpha`] = alpha;
    // transformers 5 names CLIP's layers without this prefix; PEFT looks for the end of a name.
    config[`${network}.target_modules`] = own.map(({ layer }) =>
      layer.replace(/^text_model\./, "")
    );
  }
  return { lora_adapter_metadata: JSON.stringify(config) };
}
