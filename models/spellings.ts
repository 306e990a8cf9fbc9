/** Layer names of VAE attention: diffusers' today, and before 0.17 (March 2023). */
const VAE_ATTENTION: readonly (readonly [string, string])[] = [
  [".to_q.", ".query."],
  [".to_k.", ".key."],
  [".to_v.", ".value."],
  [".to_out.0.", ".proj_attn."],
];

/** Tensors that some files carry and no network reads: transformers saved its position indices. */
const IGNORED = /(^|\.)position_ids$/;

/**
 * The names under which files in the wild keep the tensor `name`, the usual one first: with and
 * without `text_model.` or `vision_model.` (transformers 5 dropped the prefix), and the VAE
 * attention's older names.
 */
export function spellings(name: string): string[] {
  const names = [name, name.replace(/^(text|vision)_model\./, "")];
  for (const [now, before] of VAE_ATTENTION) {
    if (name.includes(`mid_block.attentions.0${now}`)) names.push(name.replace(now, before));
  }
  return [...new Set(names)];
}

/** Whether a tensor of the file is known to mean nothing. */
export function isIgnoredTensor(name: string): boolean {
  return IGNORED.test(name);
}
