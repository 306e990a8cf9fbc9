/**
 * What a file of weights seems to be, by the names of its tensors: for messages about files that are
 * no Stable Diffusion checkpoint.
 */

/** A kind of file, and what its names have that others have not. */
interface Kind {
  readonly what: string;
  /** What to do with it. */
  readonly advice?: string;
  /** All of these occur. */
  readonly names: readonly RegExp[];
}

const OTHER = "which is not known here";

/** The special before the general: Chroma is Flux with one more network. */
const KINDS: readonly Kind[] = [
  {
    what: "a LoRA",
    advice: "give it with --lora, beside a model",
    names: [/lora_(up|down|A|B)|lora\.(up|down)|\.alpha$|hada_w|lokr_w/],
  },
  {
    what: "a textual inversion",
    advice: "give it with --embedding, beside a model",
    names: [/^(emb_params|string_to_param|clip_[lg]$)/],
  },
  {
    what: "a ControlNet",
    advice: "give it with --controlnet, beside a model",
    names: [/^(control_model\.|controlnet_|zero_convs\.)/],
  },
  {
    what: "an IP-Adapter",
    advice: "give it with --ip-adapter, beside a model",
    names: [/^image_proj(_model)?\./],
  },
  {
    what: "a T2I-Adapter",
    advice: "give it with --t2i-adapter, beside a model",
    names: [/^(adapter\.)?body\.\d+\.(resnets\.\d+\.)?block\d/],
  },
  { what: "of the Chroma family", names: [/distilled_guidance_layer\./] },
  { what: "of the HunyuanVideo family", names: [/txt_in\.individual_token_refiner\./] },
  { what: "of the HiDream family", names: [/double_stream_blocks\./] },
  { what: "of the Qwen-Image family", names: [/transformer_blocks\.\d+\.img_mod\./, /txt_norm\./] },
  { what: "of the AuraFlow family", names: [/double_layers\.\d+\.attn\.w1q/] },
  {
    what: "of the Flux family",
    names: [/double_blocks\.\d+\.img_attn|single_transformer_blocks\.\d+\.attn/],
  },
  {
    what: "of the SD3 family",
    names: [/joint_blocks\.\d+\.|transformer_blocks\.\d+\.(attn\.add_q_proj|ff_context)\./],
  },
  { what: "of the Wan family", names: [/blocks\.\d+\.self_attn\.q\./, /time_projection\.1\./] },
  { what: "of the Z-Image or Lumina family", names: [/noise_refiner\.\d+\./, /context_refiner\./] },
  { what: "of the LTX family", names: [/patchify_proj\./] },
  { what: "of the HunyuanDiT family", names: [/mlp_t5\.0\./] },
  { what: "of the Sana family", names: [/mlp\.(inverted|depth|point)_conv|ff\.conv_inverted/] },
  {
    what: "of the PixArt family",
    names: [/y_embedder\.y_proj\.|adaln_single\.|blocks\.\d+\.cross_attn\.q_linear\./],
  },
  { what: "of the Stable Cascade family", names: [/clip_txt_mapper\.|effnet_mapper\./] },
  { what: "of the Stable Video Diffusion family", names: [/\.time_stack\.|temporal_transformer/] },
  {
    what: "AnimateDiff's motion module, which is for moving pictures",
    names: [/motion_modules\.\d+\./],
  },
  {
    what: "an autoencoder",
    advice: "give it with --vae, beside a model",
    names: [/^(first_stage_model\.|vae\.)?decoder\.(up\.\d|up_blocks\.\d|layers\.\d|conv_in)/],
  },
  {
    what: "an autoencoder",
    advice: "give it with --vae, beside a model",
    names: [/^\d+\.conv\.0\./],
  },
  {
    what: "an upscaler",
    advice: "`latent upscale` takes such networks as ONNX files",
    names: [/^(model\.1\.sub\.\d+\.RDB|body\.\d+\.rdb1|conv_first\.weight)/i],
  },
  {
    what: "a T5 text encoder, which Stable Diffusion does not use",
    names: [/block\.\d+\.layer\.0\.SelfAttention\./],
  },
  {
    what: "one part of a diffusers folder",
    advice: "give the folder with model_index.json",
    names: [/^(down_blocks|up_blocks|encoder|text_model|transformer_blocks)\./],
  },
];

/** What a file with these tensors seems to be, as an end of a sentence; undefined for no idea. */
export function seemsToBe(names: Iterable<string>): string | undefined {
  const all = [...names];
  const kind = KINDS.find((one) => one.names.every((name) => all.some((own) => name.test(own))));
  if (kind === undefined) return undefined;
  const { what, advice = what.startsWith("of the ") ? OTHER : undefined } = kind;
  if (advice === undefined) return `it seems to be ${what}`;
  return `it seems to be ${what}${advice === OTHER ? ", " : ": "}${advice}`;
}
