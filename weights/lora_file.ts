import { flatName, loraPlace } from "./lora_names.ts";
import type { LoraNetwork } from "./lora_names.ts";
import { ModelFormatError } from "./model_format_error.ts";
import { toFloat32 } from "./read.ts";
import type { StoredTensor, TensorSource } from "./stored_tensor.ts";

/** A matrix, or two whose product it is. */
export type Factor = StoredTensor | readonly [left: StoredTensor, right: StoredTensor];

/**
 * How a layer's weight changes, before `scale`:
 * lora up x down (Hu et al. 2021, arXiv:2106.09685), with `mid` a convolution between 1x1 ones;
 * loha the elementwise product of two such products (arXiv:2108.06098), lokr the Kronecker product
 * of two factors (LyCORIS, arXiv:2309.14859); full the difference itself.
 */
export type LoraUpdate =
  | {
    readonly kind: "lora";
    readonly down: StoredTensor;
    readonly up: StoredTensor;
    readonly mid: StoredTensor | undefined;
  }
  | {
    readonly kind: "loha";
    readonly first: readonly [StoredTensor, StoredTensor];
    readonly second: readonly [StoredTensor, StoredTensor];
    /** Cores of the Tucker form, for convolutions. */
    readonly cores: readonly [StoredTensor, StoredTensor] | undefined;
  }
  | {
    readonly kind: "lokr";
    readonly left: Factor;
    readonly right: Factor;
    readonly core: StoredTensor | undefined;
  }
  | { readonly kind: "full"; readonly difference: StoredTensor };

/** DoRA's lengths (arXiv:2402.09353) of the weight's rows, or of its columns. */
export interface LoraMagnitude {
  /** Rows are outputs, columns inputs. */
  readonly of: "rows" | "columns";
  /** The lengths. */
  readonly tensor: StoredTensor;
}

/** The change of one layer. */
export interface LoraLayer {
  /** The file, for messages. */
  readonly path: string;
  /** The layer's name in the file, for messages. */
  readonly key: string;
  /** Which network has the module. */
  readonly network: LoraNetwork;
  /** The module, flat: see `LoraPlace`. */
  readonly module: string;
  /** How the weight changes. */
  readonly update: LoraUpdate;
  /** alpha / rank, or 1 where the file has no alpha. */
  readonly scale: number;
  /** What makes it a DoRA. */
  readonly magnitude: LoraMagnitude | undefined;
}

/** What an adapter file holds. */
export interface LoraFile {
  /** What was read. */
  readonly path: string;
  /** One a module that changes. */
  readonly layers: readonly LoraLayer[];
  /** Tensors that belong to no layer that is understood here: never ignore them silently. */
  readonly unused: readonly string[];
  /** The file's own notes: kohya's `ss_*` names base model, rank, and tags. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Endings of names, by the role that they give a tensor. */
const ENDINGS: readonly (readonly [ending: RegExp, role: string])[] = [
  [/\.lora_(?:down|A)(?:\.\w+)?\.weight$/, "down"],
  [/\.lora_(?:up|B)(?:\.\w+)?\.weight$/, "up"],
  [/(?<=_lora|\.lora|\.lora_layer|\.lora_linear_layer)\.down\.weight$/, "down"],
  [/(?<=_lora|\.lora|\.lora_layer|\.lora_linear_layer)\.up\.weight$/, "up"],
  [/\.lora_mid\.weight$/, "mid"],
  [/\.lora_magnitude_vector(?:\.\w+)?$/, "magnitude_vector"],
  [/\.diff$/, "difference"],
  [/\.(alpha|dora_scale|(?:hada|lokr)_\w+)$/, "$1"],
];

/**
 * Reads a LoRA or LyCORIS file as layers: kohya's names (SD's and SDXL's), PEFT's, and diffusers'
 * from before PEFT. Only the alphas are read, everything else stays where it is.
 * Throws ModelFormatError when a layer lacks a part, or the file has no layer at all.
 */
export async function readLoraFile(source: TensorSource): Promise<LoraFile> {
  const groups = new Map<string, Map<string, StoredTensor>>();
  const unused: string[] = [];
  for (const name of source.names()) {
    const found = splitName(name);
    if (found === undefined || loraPlace(found.key) === undefined) {
      unused.push(name);
      continue;
    }
    let parts = groups.get(found.key);
    if (parts === undefined) groups.set(found.key, parts = new Map());
    parts.set(found.role, source.get(name)!);
  }
  if (groups.size === 0) {
    throw new ModelFormatError(
      `Cannot read ${source.path} as a LoRA: none of its ${unused.length} tensors is named like one` +
        `; got ${unused.slice(0, 3).join(", ")}.`,
      { path: source.path },
    );
  }
  const alphas = new PeftAlphas(source);
  const layers: LoraLayer[] = [];
  for (const [key, parts] of groups) layers.push(await layer(source.path, key, parts, alphas));
  return { path: source.path, layers, unused, metadata: source.metadata };
}

function splitName(name: string): { key: string; role: string } | undefined {
  for (const [ending, role] of ENDINGS) {
    const match = ending.exec(name);
    if (match !== null) {
      return { key: name.slice(0, match.index), role: role === "$1" ? match[1]! : role };
    }
  }
  return undefined;
}

async function layer(
  path: string,
  key: string,
  parts: ReadonlyMap<string, StoredTensor>,
  alphas: PeftAlphas,
): Promise<LoraLayer> {
  const { network, module } = loraPlace(key)!;
  const { update, rank } = updateOf(path, key, parts);
  const alpha = parts.get("alpha");
  const scale = rank === undefined
    ? 1
    : alpha === undefined
    ? alphas.scale(network, module, rank)
    : (await toFloat32(alpha))[0]! / rank;
  return { path, key, network, module, update, scale, magnitude: magnitudeOf(parts) };
}

/** PEFT's are of the rows always; LyCORIS' say by their shape, [out, 1] or [1, in]. */
function magnitudeOf(parts: ReadonlyMap<string, StoredTensor>): LoraMagnitude | undefined {
  const peft = parts.get("magnitude_vector"), lycoris = parts.get("dora_scale");
  if (peft !== undefined) return { of: "rows", tensor: peft };
  if (lycoris === undefined) return undefined;
  const columns = lycoris.shape[0] === 1 && lycoris.shape.length > 1;
  return { of: columns ? "columns" : "rows", tensor: lycoris };
}

/** `rank` is undefined for updates without a product of low rank: alpha does not scale them. */
function updateOf(
  path: string,
  key: string,
  parts: ReadonlyMap<string, StoredTensor>,
): { update: LoraUpdate; rank: number | undefined } {
  const need = (role: string): StoredTensor => {
    const tensor = parts.get(role);
    if (tensor !== undefined) return tensor;
    throw new ModelFormatError(
      `Cannot read layer ${key} of ${path}: its ${role} is missing; got ${[...parts.keys()]}.`,
      { path, key },
    );
  };
  const factor = (name: string): Factor =>
    parts.get(name) ?? [need(`${name}_a`), need(`${name}_b`)] as const;
  if (parts.has("hada_w1_a")) {
    const core = parts.get("hada_t1");
    return {
      update: {
        kind: "loha",
        first: [need("hada_w1_a"), need("hada_w1_b")],
        second: [need("hada_w2_a"), need("hada_w2_b")],
        cores: core && [core, need("hada_t2")],
      },
      rank: need("hada_w1_b").shape[0],
    };
  }
  if ([...parts.keys()].some((role) => role.startsWith("lokr"))) {
    const left = factor("lokr_w1"), right = factor("lokr_w2"), core = parts.get("lokr_t2");
    // The right factor's rank goes first, as LyCORIS has it; two whole factors have none.
    const inner = parts.get("lokr_w2_b") ?? parts.get("lokr_w1_b");
    return { update: { kind: "lokr", left, right, core }, rank: inner?.shape[0] };
  }
  if (parts.has("difference")) {
    return { update: { kind: "full", difference: need("difference") }, rank: undefined };
  }
  const down = need("down");
  return {
    update: { kind: "lora", down, up: need("up"), mid: parts.get("mid") },
    rank: down.shape[0],
  };
}

/** Alphas of PEFT files: recent ones carry the adapter's configuration as metadata. */
class PeftAlphas {
  readonly #config: Readonly<Record<string, unknown>>;

  constructor({ metadata, path }: TensorSource) {
    const text = metadata["lora_adapter_metadata"];
    try {
      this.#config = text === undefined ? {} : Object(JSON.parse(text));
    } catch (cause) {
      throw new ModelFormatError(`Cannot read ${path}: its lora_adapter_metadata is not JSON.`, {
        path,
        key: "lora_adapter_metadata",
        cause,
      });
    }
  }

  /** alpha / rank, or alpha / sqrt(rank) for rsLoRA (arXiv:2312.03732). */
  scale(network: LoraNetwork, module: string, rank: number): number {
    const of = (name: string) => this.#config[`${network}.${name}`];
    const patterns = Object.entries(Object(of("alpha_pattern")) as Record<string, unknown>);
    const special = patterns.find(([pattern]) => `_${module}`.endsWith(`_${flatName(pattern)}`));
    const alpha = special?.[1] ?? of("lora_alpha");
    if (typeof alpha !== "number") return 1;
    return alpha / (of("use_rslora") === true ? Math.sqrt(rank) : rank);
  }
}
