import { join } from "node:path";
import { ModelFormatError } from "./model_format_error.ts";

/** The file to open for one component of a pipeline folder. */
export interface ComponentFile {
  /** The file of weights, or the index of its shards. */
  readonly path: string;
  /** The variant whose file it is; undefined for the plain one, also when a variant was asked. */
  readonly variant: string | undefined;
}

/** File stems of diffusers (unet, vae, controlnet) and transformers (text_encoder). */
const STEMS = {
  safetensors: ["diffusion_pytorch_model", "model"],
  bin: ["diffusion_pytorch_model", "pytorch_model"],
} as const;

/**
 * Finds the weights of a component's folder as diffusers does: the variant's before the plain ones,
 * `.safetensors` before `.bin`, one file before shards with their index.
 * Throws ModelFormatError that lists what the folder has, and its variants.
 */
export async function findComponentFile(
  folder: string,
  options: { variant?: string | undefined } = {},
): Promise<ComponentFile> {
  const files = new Set(await fileNames(folder));
  const variants = options.variant === undefined ? [undefined] : [options.variant, undefined];
  for (const variant of variants) {
    const name = candidates(variant).find((candidate) => files.has(candidate));
    if (name !== undefined) return { path: join(folder, name), variant };
  }
  const others = availableVariants(files);
  throw new ModelFormatError(
    `Cannot find weights in ${folder}: it has no ${candidates(undefined)[0]} or the like; ` +
      `got ${[...files].sort().join(", ") || "no files"}. ` +
      (others.length === 0
        ? "Download the folder again, with its .safetensors files."
        : `Ask for the variant that it has: ${others.join(" or ")}.`),
    { path: folder },
  );
}

function candidates(variant: string | undefined): string[] {
  const dot = variant === undefined ? "" : `.${variant}`;
  return (["safetensors", "bin"] as const).flatMap((extension) =>
    STEMS[extension].flatMap((stem) => [
      `${stem}${dot}.${extension}`,
      `${stem}.${extension}.index${dot}.json`,
      ...(variant === undefined ? [] : [`${stem}${dot}.${extension}.index.json`]),
    ])
  );
}

function availableVariants(files: Iterable<string>): string[] {
  const single = /^(?:diffusion_pytorch_model|(?:pytorch_)?model)\.([^.-]+)\.(?:safetensors|bin)$/;
  const index = /\.(?:safetensors|bin)\.index\.([^.]+)\.json$/;
  const found = new Set<string>();
  for (const name of files) {
    const variant = (single.exec(name) ?? index.exec(name))?.[1];
    if (variant !== undefined) found.add(variant);
  }
  return [...found].sort();
}

async function fileNames(folder: string): Promise<string[]> {
  try {
    // Symlinks count: every file of a snapshot in the Hugging Face cache is one.
    const names: string[] = [];
    for await (const entry of Deno.readDir(folder)) if (!entry.isDirectory) names.push(entry.name);
    return names;
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "no such folder" : String(cause);
    throw new ModelFormatError(`Cannot open ${folder}: ${why}.`, { path: folder, cause });
  }
}
