import type { StoredTensor, TensorSource } from "../weights/stored_tensor.ts";

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

/** The tensor that a file has under any spelling of `name`. */
export function findTensor(source: TensorSource, name: string): StoredTensor | undefined {
  for (const spelling of spellings(name)) {
    const tensor = source.get(spelling);
    if (tensor !== undefined) return tensor;
  }
  return undefined;
}

/** The same, where a graph was built from it. @throws {TypeError} if it is not there after all. */
export function requireTensor(source: TensorSource, name: string): StoredTensor {
  const tensor = findTensor(source, name);
  if (tensor === undefined) throw new TypeError(`Cannot find ${name} in ${source.path}.`);
  return tensor;
}

/** Whether a tensor of the file is known to mean nothing. */
export function isIgnoredTensor(name: string): boolean {
  return IGNORED.test(name);
}
