/**
 * Which files of a model's repository a pipeline needs: nobody wants the other 20 GB.
 *
 * @module
 */

/** A file of a repository. */
export interface RepositoryFile {
  readonly path: string;
  readonly size: number;
  /** SHA-256 for large files, else git's hash. */
  readonly hash: string;
}

/** Folders that hold networks, and those that hold texts only. */
const NETWORKS = ["unet", "vae", "text_encoder", "text_encoder_2"];
const TEXTS = ["tokenizer", "tokenizer_2", "scheduler"];

/** Weight files of diffusers and transformers, sharded or not, of any variant. */
const WEIGHTS =
  /^(?:diffusion_pytorch_model|model|pytorch_model)(?:\.(?<variant>(?!safetensors|bin)[^.-]+))?(?:-\d+-of-\d+)?\.(?:safetensors|bin)$/;
/** Indices of shards. */
const INDEX =
  /^(?:diffusion_pytorch_model|model|pytorch_model)\.(?:safetensors|bin)\.index(?:\.(?<variant>[^.]+))?\.json$/;

/**
 * The files of a diffusers repository that a pipeline needs: configurations, tokenizers, and of
 * each network one set of weights: the variant's before the plain ones, safetensors before torch's.
 */
export function neededFiles(
  files: readonly RepositoryFile[],
  options: { readonly variant?: string | undefined } = {},
): RepositoryFile[] {
  const needed = files.filter(({ path }) => path === "model_index.json");
  for (const folder of TEXTS) {
    needed.push(...inFolder(files, folder).filter(({ path }) => /\.(json|txt)$/.test(path)));
  }
  const unet = inFolder(files, "unet");
  if (weightsOf(unet, options.variant).length === 0 && unet.some(isOnnx)) {
    return [...needed, ...ONNX_NETWORKS.flatMap((name) => onnxFilesOf(inFolder(files, name)))];
  }
  for (const folder of NETWORKS) {
    const own = inFolder(files, folder);
    needed.push(...own.filter(({ path }) => nameOf(path) === "config.json"));
    needed.push(...weightsOf(own, options.variant));
  }
  return needed;
}

/** Folders of networks that are ONNX files. */
const ONNX_NETWORKS = ["unet", "vae_decoder", "vae_encoder", "text_encoder", "text_encoder_2"];

/** All that belongs to an ONNX file: its weights may lie beside it under any name. */
function onnxFilesOf(own: readonly RepositoryFile[]): RepositoryFile[] {
  return own.filter(({ path }) => !/\.(safetensors|bin|msgpack|h5|xml|md)$/.test(path));
}

/** The files of a repository that is one network: its configuration and one set of weights. */
export function networkFiles(
  files: readonly RepositoryFile[],
  options: { readonly variant?: string | undefined } = {},
): RepositoryFile[] {
  const own = files.filter(({ path }) => !path.includes("/"));
  return [
    ...own.filter(({ path }) => path === "config.json"),
    ...weightsOf(own, options.variant),
  ];
}

/** One set of weights, with its index where it is sharded. */
function weightsOf(own: readonly RepositoryFile[], variant: string | undefined): RepositoryFile[] {
  for (const asked of variant === undefined ? [undefined] : [variant, undefined]) {
    for (const extension of [".safetensors", ".bin"]) {
      const set = own.filter(({ path }) => {
        const name = nameOf(path), match = WEIGHTS.exec(name) ?? INDEX.exec(name);
        return match && name.includes(extension) && match.groups?.variant === asked;
      });
      if (set.length > 0) return set;
    }
  }
  return [];
}

function inFolder(files: readonly RepositoryFile[], folder: string): RepositoryFile[] {
  return files.filter(({ path }) => path.startsWith(`${folder}/`) && path.split("/").length === 2);
}

const isOnnx = ({ path }: RepositoryFile) => nameOf(path) === "model.onnx";

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
