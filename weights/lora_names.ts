/** The networks of a pipeline that adapters change. */
export type LoraNetwork = "unet" | "text_encoder" | "text_encoder_2";

/** Where an adapter's layer belongs. */
export interface LoraPlace {
  /** Which network has the module. */
  readonly network: LoraNetwork;
  /**
   * The module's name in diffusers' spelling with "_" for ".", because kohya's names have lost the
   * difference: `mid_block_attentions_0_proj_in`. Compare with `flatName` of the model's names.
   */
  readonly module: string;
}

/** How files begin their names, longest first where one begins another. */
const PREFIXES: readonly (readonly [prefix: string, network: LoraNetwork])[] = [
  ["lora_unet_", "unet"],
  ["lora_te1_", "text_encoder"],
  ["lora_te2_", "text_encoder_2"],
  ["lora_te_", "text_encoder"],
  ["lycoris_", "unet"],
  ["text_encoder_2.", "text_encoder_2"],
  ["text_encoder.", "text_encoder"],
  ["unet.", "unet"],
  ["base_model.model.", "unet"],
  // Files of early 2023 name the U-Net's modules without a prefix.
  ["down_blocks.", "unet"],
  ["mid_block.", "unet"],
  ["up_blocks.", "unet"],
];

/** `a.b.c` as kohya writes it: `a_b_c`. */
export function flatName(module: string): string {
  return module.replaceAll(".", "_");
}

/** A module's flat name; text encoders are written with and without their outermost module. */
export function comparableName(module: string): string {
  return flatName(module).replace(/^text_model_/, "");
}

/**
 * Where the layer of `key` (a name without its ending, such as `.lora_down.weight`) belongs, in any
 * of the spellings of kohya (diffusers' or LDM's block names), PEFT, and diffusers before PEFT.
 * Undefined when it is none of them.
 */
export function loraPlace(key: string): LoraPlace | undefined {
  const found = PREFIXES.find(([prefix]) => key.startsWith(prefix));
  if (found === undefined) return undefined;
  const [prefix, network] = found;
  const keepsPrefix = /^(down|mid|up)_block/.test(prefix);
  const flat = flatName(keepsPrefix ? key : key.slice(prefix.length));
  return network === "unet"
    ? { network, module: fromLdm(withoutProcessor(flat, "to_out_0")) }
    : { network, module: withoutProcessor(flat, "out_proj") };
}

/** `attn1.processor.to_q_lora` of diffusers before PEFT is `attn1.to_q`; `to_out` has a number. */
function withoutProcessor(flat: string, out: string): string {
  const [, module, name] = /^(.*?)_(?:processor_)?to_(q|k|v|out)_lora$/.exec(flat) ?? [];
  if (module === undefined) return flat.replace(/_lora(_layer|_linear_layer)?$/, "");
  if (name === "out") return `${module}_${out}`;
  return `${module}_${out === "out_proj" ? `${name}_proj` : `to_${name}`}`;
}

/** Parts of LDM's residual blocks. */
const LDM_RESNET: Readonly<Record<string, string>> = {
  in_layers_0: "norm1",
  in_layers_2: "conv1",
  emb_layers_1: "time_emb_proj",
  out_layers_0: "norm2",
  out_layers_3: "conv2",
  skip_connection: "conv_shortcut",
};

/** LDM's names outside its numbered blocks. */
const LDM_WHOLE: Readonly<Record<string, string>> = {
  time_embed_0: "time_embedding_linear_1",
  time_embed_2: "time_embedding_linear_2",
  label_emb_0_0: "add_embedding_linear_1",
  label_emb_0_2: "add_embedding_linear_2",
  input_blocks_0_0: "conv_in",
  out_0: "conv_norm_out",
  out_2: "conv_out",
};

/** Residual blocks a level of all of Stable Diffusion's U-Nets has on its way down. */
const LAYERS = 2;

/** Flat LDM names (kohya's SDXL files) in diffusers' spelling; others stay as they are. */
function fromLdm(flat: string): string {
  const whole = LDM_WHOLE[flat];
  if (whole !== undefined) return whole;
  const middle = /^middle_block_([012])_(.+)$/.exec(flat);
  if (middle !== null) {
    const place = ["resnets_0", "attentions_0", "resnets_1"][Number(middle[1])]!;
    return `mid_block_${place}_${LDM_RESNET[middle[2]!] ?? middle[2]}`;
  }
  const found = /^(input|output)_blocks_(\d+)_(\d)_(.+)$/.exec(flat);
  if (found === null) return flat;
  const [, side, number, part, rest] = found as unknown as [string, string, string, string, string];
  if (rest === "op") {
    return `down_blocks_${(Number(number) - 1) / (LAYERS + 1) | 0}_downsamplers_0_conv`;
  }
  // The first input block is conv_in; a level has LAYERS blocks and its sampler down, one more up.
  const i = side === "input" ? Number(number) - 1 : Number(number);
  const block = `${side === "input" ? "down" : "up"}_blocks_${Math.floor(i / (LAYERS + 1))}`;
  if (rest === "conv") return `${block}_upsamplers_0_conv`;
  const layer = i % (LAYERS + 1);
  return part === "0"
    ? `${block}_resnets_${layer}_${LDM_RESNET[rest] ?? rest}`
    : `${block}_attentions_${layer}_${rest}`;
}
